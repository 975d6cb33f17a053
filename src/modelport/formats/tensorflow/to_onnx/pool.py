"""Pooling.  Source: tensorflow/core/kernels/maxpooling_op.cc, avgpooling_op.cc, pooling_ops_3d.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from .common import I64, cast, dims, first, known, last, name_of, spatial, to_onnx, window

Numbers = Sequence[int]


@to_onnx("MaxPool", "MaxPool3D", "AvgPool", "AvgPool3D")
def pool(op: Builder, x: Value, *, ksize: Numbers, strides: Numbers, padding: str, explicit_paddings: Numbers = (),
         data_format: str = "") -> Any:
    deep = name_of(op).endswith("3D")
    f = data_format or ("NDHWC" if deep else "NHWC")
    return first(op, pooled(op, last(op, x, f), name_of(op).startswith("Max"), ksize, strides, padding,
                           explicit_paddings, f), f)


def pooled(op: Builder, x: Value, most: bool, ksize: Numbers, strides: Numbers, padding: str, explicit: Numbers,
          f: str) -> Any:
    kernel, s = spatial(ksize, f), spatial(strides, f)
    if x.dtype.kind in "iu" and x.dtype.itemsize > 1:
        raise Unsupported(f"pooling of {x.dtype}")
    x, pads = window(op, x, padding, explicit, f, kernel, s, [1] * len(kernel))
    name = "MaxPool" if most else "AveragePool"  # padding does not count
    return op.nhwc.add(f"nhwc.{name}", x, kernel_shape=kernel, strides=s, **pads)


@to_onnx("MaxPoolV2")
def max_pool_v2(op: Builder, x: Value, ksize: Value, strides: Value, *, padding: str, data_format: str = "NHWC") -> Any:
    f = data_format
    return first(op, pooled(op, last(op, x, f), True, known(ksize, "the window"), known(strides, "the strides"),
                           padding, (), f), f)


@to_onnx("MaxPoolWithArgmax")
def max_pool_argmax(op: Builder, x: Value, *, ksize: Numbers, strides: Numbers, padding: str,
                    Targmax: DType = I64, include_batch_in_index: bool = False) -> Any:
    kernel, s = spatial(ksize, "NHWC"), spatial(strides, "NHWC")
    h, w, c = dims(x, [1, 2, 3])
    moved = op.Transpose(x, perm=[0, 3, 1, 2])
    _, pads = window(op, x, padding, (), "NHWC", kernel, s, [1, 1])
    y, at = op.add("MaxPool", moved, kernel_shape=kernel, strides=s, outputs=2, **pads)
    # ONNX counts [batch, channel, y, x], TensorFlow [batch, y, x, channel]
    pixel = op.Mod(at, constant(h * w, I64))
    channel = op.Mod(op.Div(at, constant(h * w, I64)), constant(c, I64))
    index = op.Add(op.Mul(pixel, constant(c, I64)), channel)
    if include_batch_in_index:
        index = op.Add(index, op.Mul(op.Div(at, constant(h * w * c, I64)), constant(h * w * c, I64)))
    return op.Transpose(y, perm=[0, 2, 3, 1]), cast(op, op.Transpose(index, perm=[0, 2, 3, 1]), Targmax)


@to_onnx("LRN")
def lrn(op: Builder, x: Value, *, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0,
        beta: float = 0.5) -> Any:
    size = 2 * depth_radius + 1  # ONNX divides alpha by the size of the window
    return op.nhwc.LRN(x, size=size, alpha=alpha * size, beta=beta, bias=bias)
