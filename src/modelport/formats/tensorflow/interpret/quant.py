"""Quantization: simulated, and on integers.  Source: core/kernels/fake_quant_ops_functor.h, quantization_utils.h."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import op

F32 = np.float32


def nudged(low: Any, high: Any, bits: int, narrow: bool) -> tuple[Any, Any, Any]:
    """The range moved so that zero is a step: its ends and the step."""
    if not 2 <= bits <= 16:
        raise ValueError(f"{bits} bits")
    first, last = F32(1 if narrow else 0), F32((1 << bits) - 1)
    low, high = np.asarray(low, F32), np.asarray(high, F32)
    scale = (high - low) / (last - first)
    zero = first - low / scale
    point = np.where(zero < first, first, np.where(zero > last, last, np.floor(zero + F32(0.5)))).astype(F32)
    return (first - point) * scale, (last - point) * scale, scale


def _fake(x: Array, low: Any, high: Any, bits: int, narrow: bool) -> Array:
    a, b, scale = nudged(low, high, bits, narrow)
    made = np.floor((np.clip(x, a, b) - a) / scale + F32(0.5)) * scale + a
    nothing = (np.asarray(low) == 0) & (np.asarray(high) == 0)
    return np.where(nothing, F32(0), made).astype(F32)


@op("FakeQuantWithMinMaxArgs")
def fake_args(x: Array, *, min: float = -6.0, max: float = 6.0, num_bits: int = 8, narrow_range: bool = False) -> Any:
    return _fake(x, min, max, num_bits, narrow_range)


@op("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_vars(x: Array, low: Array, high: Array, *, num_bits: int = 8, narrow_range: bool = False) -> Any:
    return _fake(x, low, high, num_bits, narrow_range)


@op("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
def qdq_v2(x: Array, low: Array, high: Array, *, signed_input: bool = True, num_bits: int = 8,
           range_given: bool = False, round_mode: str = "HALF_TO_EVEN", narrow_range: bool = False,
           axis: int = -1) -> Any:
    if not 1 <= num_bits <= 62:
        raise ValueError(f"{num_bits} bits")
    shape = [1] * x.ndim
    if axis != -1:
        shape[axis] = -1
        low, high = low.reshape(shape), high.reshape(shape)
    over = None if axis == -1 else tuple(k for k in range(x.ndim) if k != axis % x.ndim)
    if not range_given:
        low, high = x.min(over, keepdims=axis != -1), x.max(over, keepdims=axis != -1)
    top = (1 << (num_bits - 1)) - 1 if signed_input else (1 << num_bits) - 1
    bottom = (-(top) if narrow_range else -(top + 1)) if signed_input else 0
    low, high = np.asarray(low, F32), np.asarray(high, F32)
    with np.errstate(all="ignore"):
        from_low = np.where(bottom * low > 0, F32(bottom) / low, np.float32(np.finfo(F32).max))
        from_high = np.where(top * high > 0, F32(top) / high, np.float32(np.finfo(F32).max))
    use_low = from_low < from_high
    scale = np.where(use_low, from_low, from_high).astype(F32)
    inverse = np.where(use_low, low / F32(bottom) if bottom else F32(0), high / F32(top)).astype(F32)
    low = np.where(use_low, low, F32(bottom) * inverse)
    high = np.where(use_low, F32(top) * inverse, high)
    if not signed_input:
        low = np.where(use_low, low, F32(0) * inverse)
    y = np.clip(x, low, high) * scale
    y = np.rint(y) if round_mode == "HALF_TO_EVEN" else np.floor(y + F32(0.5))
    return np.where(scale == np.finfo(F32).max, x * 0, y * inverse).astype(x.dtype)


@op("QuantizeAndDequantizeV3")
def qdq_v3(x: Array, low: Array, high: Array, bits: Array, *, signed_input: bool = True, range_given: bool = True,
           narrow_range: bool = False, axis: int = -1) -> Any:
    return qdq_v2(x, low, high, signed_input=signed_input, num_bits=int(bits), range_given=range_given,
                  narrow_range=narrow_range, axis=axis)


@op("QuantizeAndDequantize")
def qdq_v1(x: Array, *, signed_input: bool = True, num_bits: int = 8, range_given: bool = False,
           input_min: float = 0.0, input_max: float = 0.0) -> Any:
    return qdq_v2(x, np.asarray(input_min, F32), np.asarray(input_max, F32), signed_input=signed_input,
                  num_bits=num_bits, range_given=range_given)


_QTYPES: dict[str, Any] = {"qint8": np.int8, "quint8": np.uint8, "qint16": np.int16, "quint16": np.uint16,
                           "qint32": np.int32}


@op("Dequantize")
def dequantize(x: Array, low: Array, high: Array, *, T: str, mode: str = "MIN_COMBINED", narrow_range: bool = False,
               axis: int = -1, dtype: Any = F32) -> Any:
    info = np.iinfo(_QTYPES[T])
    if axis != -1:
        shape = [1] * x.ndim
        shape[axis] = -1
        low, high = low.reshape(shape), high.reshape(shape)
    low, high = low.astype(F32), high.astype(F32)
    if mode == "MIN_COMBINED":
        half = F32(0) if info.min == 0 else (F32(info.max) - F32(info.min) + 1) / 2
        return ((x.astype(F32) + half) * ((high - low) / (F32(info.max) - F32(info.min))) + low).astype(dtype)
    if mode == "MIN_FIRST":
        steps = (1 << (8 * np.dtype(_QTYPES[T]).itemsize)) - 1
        step = (high - low) / F32(steps)
        start = np.rint(low / step) * step if np.all(high != low) else low
        return ((start - F32(info.min) * step) + x.astype(F32) * step).astype(dtype)
    least = info.min + (1 if narrow_range and info.min < 0 else 0)
    scale = np.maximum(low / F32(least) if least else F32(0), high / F32(info.max))
    return (x.astype(F32) * scale).astype(dtype)
