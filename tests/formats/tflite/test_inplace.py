"""LiteRT's overwriting of values that are still read, and the copies that keep it from it."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from modelport.formats import tflite
from modelport.formats.tflite.inplace import guarded
from modelport.ir import Graph, Node, Type, Value
from modelport.ir.graph import constant
from modelport.runtimes import isolated

NONE = {"fused_activation_function": "NONE"}
F32 = np.dtype(np.float32)


def apply(op: str, *inputs: Value, shape: tuple[int, ...], **attrs: Any) -> Value:
    return Node(op, inputs, attrs, [Type(F32, shape)], [op.lower()]).outputs[0]


def model(move: str) -> Graph:
    """x * f + m * f, with f = s / sqrt(v) in two shapes."""
    g = {k: Value(Type(F32, (1, 6) if k == "x" else (6,)), k) for k in "xsvm"}
    t = apply("DIV", g["s"], apply("SQRT", g["v"], shape=(6,)), shape=(6,), **NONE)
    r = apply("EXPAND_DIMS", t, constant(np.int32([0])), shape=(1, 6)) if move == "EXPAND_DIMS" else \
        apply("RESHAPE", t, constant(np.int32([1, 6])), shape=(1, 6), new_shape=[1, 6])
    y = apply("MUL", g["x"], r, shape=(1, 6), **NONE)
    return Graph(g, {"y": apply("ADD", y, apply("MUL", g["m"], t, shape=(6,), **NONE), shape=(1, 6), **NONE)})


@pytest.mark.parametrize("kernels", ["builtin", "plain"])
@pytest.mark.parametrize("move", ["RESHAPE", "EXPAND_DIMS"])
def test_a_value_in_two_shapes(move: str, kernels: str, tmp_path: Path) -> None:
    tflite.write(guarded(model(move)), tmp_path / "a.tflite")
    feeds = {k: np.full((1, 6) if k == "x" else 6, n, F32) for k, n in (("x", 10), ("s", 6), ("v", 4), ("m", 5))}
    with isolated.Worker() as worker:
        got = worker.open("tflite", tmp_path / "a.tflite", kernels=kernels, signature="serving_default").run(feeds)
    np.testing.assert_array_equal(got["y"], np.full((1, 6), 45, F32))


def test_nothing_is_copied_without_need() -> None:
    x = Value(Type(F32, (6,)), "x")
    once = apply("RESHAPE", apply("SQRT", x, shape=(6,)), constant(np.int32([1, 6])), shape=(1, 6), new_shape=[1, 6])
    graph = Graph({"x": x}, {"y": apply("SQRT", once, shape=(1, 6))})
    assert guarded(graph) is graph
