"""Where nothing can be said, the report says so: it neither proves nor accuses."""
from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from modelport import api
from modelport.formats import onnx as format_onnx
from modelport.hub.infer import op
from modelport.ir import Graph, Type, Value
from modelport.proof import verify

F32 = np.dtype(np.float32)


def saved(g: Graph, path: Path) -> Path:
    format_onnx.write(format_onnx.from_hub(g), path)
    return path


def test_random_models_are_not_accused(tmp_path: Path) -> None:
    x = Value(Type(F32, ("n", 4)), "x")
    source = saved(Graph({"x": x}, {"y": op.Add(x, op.RandomNormalLike(x))}), tmp_path / "a.onnx")
    done = api.convert(source, tmp_path / "b.onnx")
    assert done.report is not None
    assert done.report.verdict == "inconclusive"
    assert "draws random numbers (RandomNormalLike)" in done.report.text()


def test_a_model_that_no_runtime_here_runs_is_not_accused(tmp_path: Path) -> None:
    """ONNX Runtime has no kernel for products of bfloat16 on a CPU: neither source nor target can be run."""
    x = Value(Type(np.dtype(ml_dtypes.bfloat16), ("n", 4)), "x")
    source = saved(Graph({"x": x}, {"y": op.MatMul(x, np.ones((4, 4), ml_dtypes.bfloat16))}), tmp_path / "a.onnx")
    report = verify(source, source)
    if report.proven:
        pytest.skip("this ONNX Runtime has the kernel")
    assert report.verdict == "inconclusive"
    # where the source was not even tried, a target that the runtime refuses is a failure
    assert verify(source, source, level="L1").verdict == "fail"


def test_quantized_onnx_is_judged_layer_by_layer_where_roundings_add_up(tmp_path: Path) -> None:
    """An average over many elements in two operator sets sums in another order; six layers later a step became two."""
    rng = np.random.default_rng(3)
    x = Value(Type(F32, (2, 8, 16, 16)), "x")
    y, scale, zero = x, np.float32(0.02), np.int8(0)

    def rounded(v: Value) -> Value:
        return op.DequantizeLinear(op.QuantizeLinear(v, scale, zero), scale, zero)
    for _ in range(4):
        w = (rng.standard_normal((8, 8, 3, 3)) / 4).astype(np.float32)
        y = rounded(op.AveragePool(rounded(op.Conv(y, w, pads=[1, 1, 1, 1])), kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    source = saved(Graph({"x": x}, {"y": y}), tmp_path / "a.onnx")
    for opset in (13, 17):
        done = api.convert(source, tmp_path / f"{opset}.onnx", opset=opset)
        assert done.report is not None
        assert done.report.proven
    wrong = saved(Graph({"x": x}, {"y": op.Mul(y, np.float32(1.2))}), tmp_path / "c.onnx")
    assert verify(source, wrong).verdict == "fail"
