"""Changes between real numbers and integers.  Source: tensorflow/lite/kernels/{quantize,dequantize,fake_quant}.cc.

Real values flow, and :func:`modelport.hub.qdq.translate_quantized` stores them as each tensor says: most rules here
only let them pass."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import cast
from .common import to_onnx


@to_onnx("QUANTIZE")
def quantize(op: Builder, x: Value) -> Any:
    if op.out.quant is None or x.dtype.kind != "f":
        raise Unsupported(f"from {x.dtype} to {op.out.dtype} without a scale")
    if op.out.dtype != np.int32:
        return x
    info, quant = np.iinfo(np.int32), op.out.quant  # wider than QuantizeLinear delivers
    steps = op.Add(op.Round(op.Div(cast(op, x, np.dtype(np.float64)), np.float64(quant.scale))),
                   np.float64(quant.zero_point))
    return cast(op, op.Clip(steps, np.float64(info.min), np.float64(info.max)), op.out.dtype)


@to_onnx("DEQUANTIZE")
def dequantize(op: Builder, x: Value) -> Any:
    if x.dtype.kind != "f":
        raise Unsupported(f"from {x.dtype} without a scale")
    return cast(op, x, op.out.dtype)


@to_onnx("DENSIFY")
def densify(op: Builder, x: Value) -> Any:
    return cast(op, x, op.out.dtype)  # the container has made all elements of a sparse constant


@to_onnx("FAKE_QUANT")
def fake_quant(op: Builder, x: Value, *, min: float = 0.0, max: float = 0.0, num_bits: int = 0,
               narrow_range: bool = False) -> Any:
    f = np.float32
    low, high = f(1 if narrow_range else 0), f((1 << num_bits) - 1)
    if not (max > min and num_bits >= 2):
        raise Unsupported(f"a range of {min} to {max} in {num_bits} bits")
    scale = (f(max) - f(min)) / (high - low)
    start = low - f(min) / scale
    zero = low if start < low else high if start > high else f(np.floor(start + f(0.5)))
    bottom, top = (low - zero) * scale, (high - zero) * scale
    steps = op.Floor(op.Add(op.Div(op.Sub(op.Clip(x, bottom, top), bottom), scale), f(0.5)))
    return op.Add(op.Mul(steps, scale), bottom)
