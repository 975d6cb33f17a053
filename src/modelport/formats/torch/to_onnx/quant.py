"""Quantization, as tensors of whole numbers (PT2E) or imitated.  Source: torch/ao/quantization/fx/_decomposed.py,
aten/src/ATen/native/quantized/FakeQuantPerTensorAffine.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import DType
from ...reading import cast
from ..elements import of_any
from ..machine import aten
from ..values import F32, Sym, axis_of, known, tensor
from .math import number

HELD: dict[DType, tuple[int, int]] = {
    np.dtype(np.int8): (-128, 127), np.dtype(np.uint8): (0, 255), np.dtype(np.int16): (-32768, 32767),
    np.dtype(np.uint16): (0, 65535)}
"""What ONNX quantizes to, and its bounds."""


def _scale(op: Builder, scale: Any, like: DType = F32) -> Value:
    return tensor(op, known(scale) if isinstance(scale, Sym) else scale, like)


def _quantized(op: Builder, x: Value, scale: Any, zero: Any, low: Any, high: Any, to: DType | None,
               axis: int | None) -> Value:
    low, high = known(low), known(high)
    if to is None or to not in HELD:
        raise Unsupported(f"quantization to {to}")
    s, z = _scale(op, scale, x.dtype), tensor(op, zero, to)
    if axis is None:
        s, z = (op.Reshape(v, np.array([], np.int64)) if v.rank else v for v in (s, z))
    how = {} if axis is None else {"axis": axis}
    y: Value = op.QuantizeLinear(x, s, z, **how)
    if (low, high) != HELD[to]:
        y = op.Clip(y, np.asarray(low, to), np.asarray(high, to))
    return y


def _dequantized(op: Builder, x: Value, scale: Any, zero: Any, axis: int | None, out: Any = None) -> Value:
    s = _scale(op, scale)
    z = None if zero is None else tensor(op, zero, x.dtype)
    if axis is None:
        s = op.Reshape(s, np.array([], np.int64)) if s.rank else s
        z = op.Reshape(z, np.array([], np.int64)) if z is not None and z.rank else z
    how = {} if axis is None else {"axis": axis}
    y: Value = op.DequantizeLinear(x, s, z, **how)
    return y if out is None else cast(op, y, out)


@aten("quantized_decomposed::quantize_per_tensor")
def quantize(op: Builder, input: Value, scale: Any, zero_point: Any, quant_min: Any, quant_max: Any,
             dtype: Any) -> Any:
    return _quantized(op, input, scale, zero_point, quant_min, quant_max, of_any(dtype), None)


@aten("quantized_decomposed::dequantize_per_tensor")
def dequantize(op: Builder, input: Value, scale: Any, zero_point: Any, quant_min: Any, quant_max: Any, dtype: Any,
               out_dtype: Any = None) -> Any:
    return _dequantized(op, input, scale, zero_point, None, of_any(out_dtype))


@aten("quantized_decomposed::quantize_per_channel")
def quantize_channels(op: Builder, input: Value, scales: Value, zero_points: Value, axis: int, quant_min: Any,
                      quant_max: Any, dtype: Any) -> Any:
    return _quantized(op, input, scales, zero_points, quant_min, quant_max, of_any(dtype), axis_of(input, axis))


@aten("quantized_decomposed::dequantize_per_channel")
def dequantize_channels(op: Builder, input: Value, scales: Value, zero_points: Value | None, axis: int,
                        quant_min: Any, quant_max: Any, dtype: Any, out_dtype: Any = None) -> Any:
    return _dequantized(op, input, scales, zero_points, axis_of(input, axis), of_any(out_dtype))


def _imitated(op: Builder, x: Value, scale: Any, zero: Any, low: Any, high: Any, axis: int | None) -> Value:
    """As QuantizeLinear and DequantizeLinear where ONNX has such whole numbers, else by arithmetic."""
    low, high = known(low), known(high)
    fitting: list[DType] = [t for t, bounds in HELD.items() if bounds == (low, high)]
    if fitting and x.dtype == F32:
        return _dequantized(op, _quantized(op, x, scale, zero, low, high, fitting[0], axis), scale, zero, axis)
    s, z = _scale(op, scale, x.dtype), tensor(op, zero, x.dtype)
    if axis is not None:
        shape = np.array([-1 if a == axis else 1 for a in range(x.rank or 0)])
        s, z = op.Reshape(s, shape), op.Reshape(z, shape)
    steps = op.Round(op.Add(op.Mul(x, op.Reciprocal(s)), z))
    held = op.Min(op.Max(steps, number(x, low)), number(x, high))
    made: Value = op.Mul(op.Sub(held, z), s)
    return made


@aten("fake_quantize_per_tensor_affine", "fake_quantize_per_tensor_affine.tensor_qparams")
def fake_quantize(op: Builder, self: Value, scale: Any, zero_point: Any, quant_min: Any, quant_max: Any) -> Any:
    return _imitated(op, self, scale, zero_point, quant_min, quant_max, None)


@aten("fake_quantize_per_tensor_affine_cachemask", "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams")
def fake_quantize_mask(op: Builder, self: Value, scale: Any, zero_point: Any, quant_min: Any, quant_max: Any,
                       *enabled: Any) -> Any:
    return [_imitated(op, self, scale, zero_point, quant_min, quant_max, None), None]


@aten("fake_quantize_per_channel_affine")
def fake_quantize_channels(op: Builder, self: Value, scale: Value, zero_point: Value, axis: int, quant_min: Any,
                           quant_max: Any) -> Any:
    return _imitated(op, self, scale, zero_point, quant_min, quant_max, axis_of(self, axis))


@aten("fake_quantize_per_channel_affine_cachemask")
def fake_quantize_channels_mask(op: Builder, self: Value, scale: Value, zero_point: Value, axis: int, quant_min: Any,
                                quant_max: Any) -> Any:
    return [fake_quantize_channels(op, self, scale, zero_point, axis, quant_min, quant_max), None]


