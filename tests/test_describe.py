"""Summaries and differences of models."""
from __future__ import annotations

from pathlib import Path

import numpy as np

import modelport
from modelport.describe import difference, summarize
from modelport.formats import onnx
from modelport.hub.infer import op
from modelport.ir import Graph, Type, Value


def graph(scale: float = 1.0, axis: int = -1, name: str = "y") -> Graph:
    x = Value(Type(np.dtype(np.float32), ("batch", 600)), "x")
    w = np.random.default_rng(0).standard_normal((600, 900)).astype(np.float32) * np.float32(scale)
    return Graph({"x": x}, {name: op.Softmax(op.Relu(op.MatMul(x, w)), axis=axis)})


def test_equal_models_do_not_differ(tmp_path: Path) -> None:
    """Weights of megabytes come from the file as they are."""
    onnx.write(onnx.from_hub(graph()), tmp_path / "a.onnx")
    assert modelport.diff(tmp_path / "a.onnx", tmp_path / "a.onnx").same
    modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx", verify=None, external_data=True)
    assert modelport.diff(tmp_path / "a.onnx", tmp_path / "b.onnx").same


def test_what_differs_is_named() -> None:
    d = difference(graph(), graph(scale=2), "a", "b")
    assert [line.split(":")[0] for line in d.constants] == ["only in a", "only in b"]
    assert any("MatMul" in line for line in d.nodes)
    assert not any("Softmax" in line for line in d.nodes)  # it only follows
    d = difference(graph(), graph(axis=0), "a", "b")
    assert not d.constants
    assert [line for line in d.nodes if "axis=-1" in line]
    d = difference(graph(), graph(name="z"), "a", "b")
    assert d.interface == ["output 'y': float32[batch, 900] | absent", "output 'z': absent | float32[batch, 900]"]


def test_wiring_counts() -> None:
    x = Value(Type(np.dtype(np.float32), (4,)), "x")
    a = op.Relu(x)
    one, two = Graph({"x": x}, {"y": op.Sub(a, x)}), Graph({"x": x}, {"y": op.Sub(x, a)})
    d = difference(one, two, "a", "b")
    assert not d.same
    assert d.nodes == ["in a on other inputs: Sub ''"]


def test_figures_of_a_summary() -> None:
    s = summarize(graph(), graph(), "onnx", None)
    assert s.parameters == 600 * 900
    assert s.weights == 4 * 600 * 900
    assert s.macs == 600 * 900
    assert s.activations == 4 * (900 + 900)
    assert s.operators == {"MatMul": 1, "Relu": 1, "Softmax": 1}
    x = Value(Type(np.dtype(np.float32), (2, 4, 10, 10)), "x")
    conv = op.Conv(x, np.zeros((8, 2, 3, 3), np.float32), group=2)
    assert summarize(Graph({"x": x}, {"y": conv}), Graph({"x": x}, {"y": conv}), "onnx", None).macs == \
        2 * 8 * 8 * 8 * 2 * 9
