"""Graphs as TensorFlow 1's ``quantize_nodes`` and TensorFlow 2's quantizer write them: ranges flow beside integers."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_graphs as t

import modelport
from modelport.runtimes import start

R = np.random.default_rng(5)
U8, S8, S32 = 12, 11, 13


def const(g: Any, name: str, value: Any, kind: int = 0) -> str:
    node = t.node(g, "Const", name, value=np.asarray(value), dtype=np.asarray(value).dtype)
    if kind:
        node.attr["dtype"].type = node.attr["value"].tensor.dtype = kind
    return name


def typed(node: Any, **numbers: int) -> None:
    for name, number in numbers.items():
        node.attr[name].type = number


def quantized(g: Any, x: str, prefix: str) -> tuple[str, str, str]:
    """``x`` as integers in the range that it has."""
    t.node(g, "Reshape", f"{prefix}/flat", x, const(g, f"{prefix}/all", np.array([-1], np.int32)), T=np.float32)
    for op in ("Min", "Max"):
        t.node(g, op, f"{prefix}/{op}", f"{prefix}/flat", const(g, f"{prefix}/{op}_axis", np.array([0], np.int32)),
               T=np.float32)
    typed(t.node(g, "QuantizeV2", f"{prefix}/q", x, f"{prefix}/Min", f"{prefix}/Max", mode="MIN_FIRST"), T=U8)
    return f"{prefix}/q", f"{prefix}/q:1", f"{prefix}/q:2"


def smaller(g: Any, node: str, prefix: str) -> tuple[str, str, str]:
    """Sums of 32 bits as 8 bits in the range that they have."""
    ins = (node, f"{node}:1", f"{node}:2")
    typed(t.node(g, "RequantizationRange", f"{prefix}/range", *ins), Tinput=S32)
    typed(t.node(g, "Requantize", f"{prefix}/r", *ins, f"{prefix}/range", f"{prefix}/range:1"), Tinput=S32,
          out_type=U8)
    return f"{prefix}/r", f"{prefix}/r:1", f"{prefix}/r:2"


def network(folder: Path) -> Path:
    g = t.graph()
    t.placeholder(g, "x", (-1, 8, 8, 3))
    q = quantized(g, "x", "in")
    low, high = const(g, "w_low", np.float32(-0.9)), const(g, "w_high", np.float32(1.2))
    w = const(g, "w", R.integers(0, 256, (3, 3, 3, 4)).astype(np.uint8), U8)
    conv = t.node(g, "QuantizedConv2D", "conv", q[0], w, q[1], q[2], low, high, strides=[1, 2, 2, 1], padding="SAME")
    typed(conv, Tinput=U8, Tfilter=U8, out_type=S32)
    r = smaller(g, "conv", "conv8")
    typed(t.node(g, "QuantizedRelu", "relu", *r), Tinput=U8, out_type=U8)
    pool = t.node(g, "QuantizedMaxPool", "pool", "relu", "relu:1", "relu:2", ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1],
                  padding="VALID")
    typed(pool, T=U8)
    shape = const(g, "shape", np.array([-1, 16], np.int32))
    typed(t.node(g, "QuantizedReshape", "rows", "pool", shape, "pool:1", "pool:2"), T=U8, Tshape=3)
    v = const(g, "v", R.integers(0, 256, (16, 5)).astype(np.uint8), U8)
    typed(t.node(g, "QuantizedMatMul", "dense", "rows", v, "rows:1", "rows:2", low, high), T1=U8, T2=U8, Toutput=S32)
    s = smaller(g, "dense", "dense8")
    typed(t.node(g, "Dequantize", "y", *s, mode="MIN_FIRST"), T=U8)
    return t.frozen(g, folder)


def test_a_network_with_ranges_that_are_computed(tmp_path: Path) -> None:
    path = network(tmp_path)
    report = modelport.convert(path, tmp_path / "m.onnx").report
    assert report is not None
    assert report.proven
    x = R.standard_normal((2, 8, 8, 3)).astype(np.float32)
    want = start("graphdef", path).run({"x": x})["y"]
    assert np.unique(want).size > 5
    np.testing.assert_array_equal(start("onnxruntime", tmp_path / "m.onnx", optimize=False).run({"x": x})["y"], want)


@pytest.mark.oracle
def test_tensorflow_computes_the_same_integers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "tensorflow" in sys.modules and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0":
        pytest.skip("TensorFlow was started with the kernels of oneDNN, which quantize otherwise")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    pytest.importorskip("tensorflow")
    path = network(tmp_path)
    for k in range(3):
        x = (R.standard_normal((2, 8, 8, 3)) * 10 ** k).astype(np.float32)
        want = start("tensorflow", path, inputs=["x"], outputs=["y"]).run({"x": x})["y"]
        np.testing.assert_array_equal(start("graphdef", path).run({"x": x})["y"], want)
