"""Pooling and local normalisation over windows.  Source: tensorflow/lite/kernels/pooling.cc."""
from __future__ import annotations

from typing import Any

from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import padding_of
from .common import activation, to_onnx


@to_onnx("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D")
def pool_2d(op: Builder, x: Value, *, padding: str = "SAME", stride_w: int = 0, stride_h: int = 0,
            filter_width: int = 0, filter_height: int = 0, fused_activation_function: str = "NONE") -> Any:
    assert op.node is not None
    kernel, strides = [filter_height, filter_width], [stride_h, stride_w]
    window = {"kernel_shape": kernel, "strides": strides, **padding_of(x, padding, kernel, strides, [1, 1])}
    if op.node.op == "MAX_POOL_2D":
        y = op.nhwc.MaxPool(x, **window)
    elif op.node.op == "AVERAGE_POOL_2D":
        y = op.nhwc.AveragePool(x, **window)  # padding does not count
    else:
        y = op.Sqrt(op.nhwc.AveragePool(op.Mul(x, x), **window))
    return activation(op, y, fused_activation_function)
