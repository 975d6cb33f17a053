"""TensorFlow Lite files as TensorFlow's converter writes them, where one operator alone does not show it."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import modelport
from modelport import runtimes
from modelport.formats import tflite
from modelport.ir import Graph, Node, Tensor, Type, Value

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
RNG = np.random.default_rng(7)
CONV = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"}


def const(array: np.ndarray) -> Value:
    type = Type(array.dtype, array.shape)
    return Value(type, "k", data=Tensor(array, type))


def apply(op: str, *inputs: Value, dtype: Any = np.float32, **attrs: Any) -> Value:
    return Node(op, inputs, attrs, [Type(np.dtype(dtype), None)], [op.lower()]).outputs[0]


@pytest.mark.parametrize("opset", [13, 20])
def test_a_dilated_convolution_of_images_of_any_size(opset: int, tmp_path: Path) -> None:
    """Keras' Conv2D(dilation_rate=2) without a fixed size: the paddings and crops are computed at run time."""
    x = Value(Type(np.dtype("f4"), ("batch", "height", "width", 3)), "x")
    two = np.array([2, 2], np.int32)
    size = apply("STRIDED_SLICE", apply("SHAPE", x, dtype=np.int32, out_type="INT32"),
                 *(const(np.array([v], np.int32)) for v in (1, 3, 1)), dtype=np.int32, begin_mask=0, end_mask=0,
                 ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0, offset=False)
    uneven = apply("FLOOR_MOD", size, const(two), dtype=np.int32)
    more = apply("ADD", uneven, const(two), dtype=np.int32, fused_activation_function="NONE")
    paddings = apply("PACK", const(two), more, dtype=np.int32, axis=1, values_count=2)
    crops = apply("PACK", const(0 * two), uneven, dtype=np.int32, axis=1, values_count=2)
    w, b = const(RNG.normal(size=(4, 3, 3, 3)).astype("f4")), const(RNG.normal(size=4).astype("f4"))
    y = apply("CONV_2D", apply("SPACE_TO_BATCH_ND", x, const(two), paddings), w, b, **CONV)
    y = apply("BATCH_TO_SPACE_ND", y, const(two), crops)
    tflite.write(Graph({"x": x}, {"y": y}), tmp_path / "m.tflite")
    done = modelport.convert(tmp_path / "m.tflite", tmp_path / "m.onnx", opset=opset)
    assert done.report is not None
    assert done.report.proven
    source = runtimes.start("tflite", tmp_path / "m.tflite", kernels="reference", signature="serving_default")
    target = ort.InferenceSession(str(tmp_path / "m.onnx"))
    for shape in ((1, 7, 8, 3), (3, 6, 5, 3), (2, 9, 9, 3)):
        feed = {"x": RNG.normal(size=shape).astype("f4")}
        want = source.run(feed)["y"]
        assert want.shape == (*shape[:3], 4)
        # 27 products of a few units each, summed in float32 in another order
        np.testing.assert_allclose(target.run(None, feed)[0], want, rtol=0, atol=1e-5)
