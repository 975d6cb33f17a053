"""Quantization: simulated, and on integers.

Source: core/kernels/fake_quant_ops_functor.h, quantization_utils.h, uniform_quant_ops/math_utils.h."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....codecs.protobuf import LEN, VARINT, fields, varint
from ....errors import Unsupported
from ....ir.tensor import Array
from .nn import conv
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


def _multiplier(scale: float) -> tuple[int, int]:
    """A scale as an integer of 31 bits and the power of two that it is divided by."""
    part, power = math.frexp(scale)
    whole = math.floor(part * 2**31 + 0.5)
    if whole == 2**31:
        whole, power = whole // 2, power + 1
    if power < -31:
        return 0, 31
    return (2**31 - 1, 1) if power > 30 else (whole, 31 - power)


@np.vectorize
def _requantized(x: int, scale: float, zero: int, low: int, high: int) -> int:
    whole, power = _multiplier(float(scale))
    made = (int(x) * whole + (1 << (power - 1))) >> power
    made = min(max(made, -2**31), 2**31 - 1) + int(zero)
    made = (made + 2**31) % 2**32 - 2**31
    return min(max(made, int(low)), int(high))


def _channels(v: Array, rank: int, axis: int) -> Array:
    return v.reshape(()) if axis == -1 else v.reshape([-1 if k == axis else 1 for k in range(rank)])


def _plain(x: Array, zeros: Array, axis: int) -> Array:
    return np.asarray(x, np.int32) - _channels(zeros, x.ndim, axis)


@op("UniformRequantize", fold=False)
def uniform_requantize(x: Array, scales: Array, zeros: Array, scales_out: Array, zeros_out: Array, *, Tout: Any,
                       input_quantization_axis: int = -1, output_quantization_axis: int = -1,
                       output_quantization_min_val: int, output_quantization_max_val: int, **ranges: int) -> Any:
    a, b = input_quantization_axis, output_quantization_axis
    scale = _channels(scales.astype(np.float64), x.ndim, a) / _channels(scales_out.astype(np.float64), x.ndim, b)
    return _requantized(_plain(x, zeros, a), scale, _channels(zeros_out, x.ndim, b), output_quantization_min_val,
                        output_quantization_max_val).astype(Tout)


@op("UniformQuantizedDot", fold=False)
def uniform_dot(x: Array, w: Array, scales_x: Array, zeros_x: Array, scales: Array, zeros: Array, scales_out: Array,
                zeros_out: Array, *, rhs_quantization_axis: int = -1, output_quantization_axis: int = -1,
                output_quantization_min_val: int, output_quantization_max_val: int, **others: Any) -> Any:
    total = (x.astype(np.int32) - zeros_x) @ _plain(w, zeros, rhs_quantization_axis)
    scale = scales_x.astype(np.float64) * _channels(scales.astype(np.float64), 2, rhs_quantization_axis)
    return _requantized(total, scale / _channels(scales_out.astype(np.float64), 2, output_quantization_axis),
                        _channels(zeros_out, 2, output_quantization_axis), output_quantization_min_val,
                        output_quantization_max_val).astype(np.int32)


@op("UniformQuantizedAdd", fold=False)
def uniform_add(x: Array, y: Array, scales_x: Array, zeros_x: Array, scales_y: Array, zeros_y: Array,
                scales_out: Array, zeros_out: Array, *, lhs_quantization_axis: int = -1,
                rhs_quantization_axis: int = -1, output_quantization_axis: int = -1,
                output_quantization_min_val: int, output_quantization_max_val: int, **others: Any) -> Any:
    rank, low, high = max(x.ndim, y.ndim), output_quantization_min_val, output_quantization_max_val
    zeros = _channels(zeros_out, rank, output_quantization_axis)
    out = _channels(scales_out.astype(np.float64), rank, output_quantization_axis)
    one, two = (_requantized(_plain(v, z, axis), _channels(s.astype(np.float64), v.ndim, axis) / out, zeros, low, high)
                for v, s, z, axis in ((x, scales_x, zeros_x, lhs_quantization_axis),
                                      (y, scales_y, zeros_y, rhs_quantization_axis)))
    return np.clip(one.astype(np.int64) + two - zeros, low, high).astype(np.int32)


@op("UniformQuantizedClipByValue", fold=False)
def uniform_clip(x: Array, low: Array, high: Array, scales: Array, zeros: Array, *, quantization_axis: int = -1,
                 **others: Any) -> Any:
    return np.clip(x, _channels(low, x.ndim, quantization_axis), _channels(high, x.ndim, quantization_axis))


@op("UniformQuantizedDotHybrid", fold=False)
def uniform_dot_hybrid(x: Array, w: Array, scales: Array, zeros: Array, *, rhs_quantization_axis: int = -1,
                       **others: Any) -> Any:
    rows = []
    for row in x:
        least, most = float(min(row.min(initial=0), 0)), float(max(row.max(initial=0), 0))
        scale = (most - least) / 255 or 1.0
        ends = (-128 - least / scale, 127 - most / scale)
        zero = ends[0] if 128 + abs(least / scale) < 127 + abs(most / scale) else ends[1]
        zero = min(max(math.floor(zero + 0.5), -128), 127)
        steps = np.floor(row * F32(1 / scale) + F32(0.5)).astype(np.int32) + zero
        total = (np.clip(steps, -128, 127) - zero) @ _plain(w, zeros, rhs_quantization_axis)
        rows.append(total.astype(F32) * F32(scale))
    return (np.stack(rows) * _channels(scales, 2, rhs_quantization_axis)).astype(F32)


def axes_of(dimension_numbers: str, rank: int) -> list[list[int]]:
    """The axes of a UniformQuantizedConvolution's input, weight and output in the order batch (or outputs of the
    weight), channels, space...: a serialized ``UniformQuantizedConvolutionDimensionNumbersAttr``, whose fields come
    in that order but for the weight, where the inputs come first."""
    if not dimension_numbers:
        return [list(range(rank))] * 3
    data = memoryview(dimension_numbers.encode("utf-8", "surrogateescape"))
    told: dict[int, list[int]] = {}
    for f in fields(data, 0, len(data)):
        at, values = f.body, told.setdefault(f.number, [])
        while f.kind == LEN and at < f.end:
            value, at = varint(data, at, f.end)
            values.append(value)
        values += [f.value] * (f.kind == VARINT)
    one = {k: v[-1] for k, v in told.items() if v}
    made = [[one.get(k, 0), one.get(k + 1, 0), *told.get(k + 2, [])] for k in (1, 4, 7)]
    made[1][:2] = made[1][1::-1]
    if any(sorted(axes) != list(range(rank)) for axes in made):
        raise Unsupported(f"axes {made} of tensors of rank {rank}")
    return made


@op("UniformQuantizedConvolution", fold=False)
def uniform_conv(x: Array, w: Array, scales_x: Array, zeros_x: Array, scales: Array, zeros: Array, scales_out: Array,
                 zeros_out: Array, *, padding: str, window_strides: Any = (), explicit_padding: Any = (),
                 lhs_dilation: Any = (), rhs_dilation: Any = (), batch_group_count: int = 1,
                 feature_group_count: int = 1, dimension_numbers: str = "", rhs_quantization_axis: int = -1,
                 output_quantization_axis: int = -1, output_quantization_min_val: int,
                 output_quantization_max_val: int, **others: Any) -> Any:
    """The groups of a batch go with the groups of outputs, one by one."""
    of_x, of_w, of_out = axes_of(dimension_numbers, x.ndim)
    n = x.ndim - 2
    a = np.transpose(x.astype(np.float64) - zeros_x, [of_x[0], *of_x[2:], of_x[1]])
    b = np.transpose(_plain(w, zeros, rhs_quantization_axis).astype(np.float64), [*of_w[2:], of_w[1], of_w[0]])
    for k, d in enumerate(lhs_dilation or (), 1):
        wide = np.zeros([(s - 1) * d + 1 if i == k else s for i, s in enumerate(a.shape)])
        wide[tuple(slice(None, None, d if i == k else 1) for i in range(a.ndim))] = a
        a = wide
    how = {"strides": [1, *(window_strides or [1] * n), 1], "dilations": [1, *(rhs_dilation or [1] * n), 1],
           "padding": padding, "explicit_paddings": [0, 0, *explicit_padding, 0, 0] if explicit_padding else ()}
    made = np.concatenate([conv(one, two, **how) for one, two in zip(
        np.split(a, batch_group_count), np.split(b, batch_group_count, -1), strict=True)], -1)
    total = np.transpose(made, np.argsort([of_out[0], *of_out[2:], of_out[1]]))
    scale = scales_x.astype(np.float64) * _channels(
        scales.astype(np.float64), x.ndim, of_out[1] if rhs_quantization_axis != -1 else -1)
    return _requantized(total, scale / _channels(scales_out.astype(np.float64), x.ndim, output_quantization_axis),
                        _channels(zeros_out, x.ndim, output_quantization_axis), output_quantization_min_val,
                        output_quantization_max_val).astype(np.int32)
