"""Operators on quantized integers with the range of their numbers beside them.

A range and an element type say what an integer means.  Source: core/kernels/quantization_utils.h, quantize_op.cc,
quantized_*_op*.cc, requantiz*_op.cc, uniform_quant_ops/."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .nn import conv, max_pool
from .table import Refused, op

F32, F64, I64 = np.float32, np.float64, np.int64
MOST = F32(2147483520)
"""The greatest float32 that is an int32."""


def ends(dtype: Any) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def away(x: Array) -> Array:
    """Rounded, halves away from zero."""
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole).astype(x.dtype)


def as_float(x: Array, low: Any, high: Any) -> Array:
    """What integers mean, step by step in float32, as whole tensors are computed."""
    least, most = ends(x.dtype)
    scale = F32(F64(high - low) / F64(most - least))
    start = low if low == high else away(np.asarray(low / scale, F32)) * scale
    return (F32(start) - F32(least) * scale) + x.astype(F32) * scale


def as_integers(x: Array, low: Any, high: Any, dtype: Any) -> Array:
    """The inverse of :func:`as_float`, rounded and clipped."""
    least, most = ends(dtype)
    scale = F32(0) if low == high else F32(F64(most - least) / F64(high - low))
    start = low if low == high else away(np.asarray(low * scale, F32))
    made = away(x * scale) - (F32(start) - F32(least))
    return np.clip(made, F32(least), min(F32(most), MOST)).astype(np.int32).astype(dtype)


def exactly(x: Array, low: Any, high: Any) -> Array:
    """What integers mean, in float64 rounded once, as single numbers are computed."""
    if low == high:
        return np.full(x.shape, low, F32)
    least, most = ends(x.dtype)
    steps = F64(most - least + 1)
    scale = F64(F32(high - low)) * (steps / (steps - 1.0)) / steps
    start = F64(away(np.asarray(low / F32(scale), F32))) * F64(F32(scale))
    return (start + (x.astype(F64) - least) * scale).astype(F32)


def unclipped(x: Any, low: Any, high: Any, dtype: Any) -> Array:
    """The number of the step of a float, in float64, of whatever size."""
    least, most = ends(dtype)
    if low == high:
        return np.full(np.shape(x), least, I64)
    steps = F64(most - least + 1)
    scale = steps / (F64(F32(high - low)) * (steps / (steps - 1.0)))
    made: Array = (away(np.asarray(x, F64) * scale) - away(np.asarray(F64(low) * scale))).astype(I64) + least
    return made


def step_of(x: Any, low: Any, high: Any, dtype: Any) -> Array:
    return np.clip(unclipped(x, low, high, dtype), *ends(dtype))


def product_range(a: Any, b: Any, to: Any, *ranges: Any) -> tuple[Array, Array]:
    """The range of sums of products."""
    low_a, high_a, low_b, high_b = ranges
    one, two = (F32(F32(h - low) / F32(ends(t)[1] - ends(t)[0])) for t, low, h in
                ((a, low_a, high_a), (b, low_b, high_b)))
    level = F32(one * two)
    return np.asarray(level * F32(ends(to)[0]), F32), np.asarray(level * F32(ends(to)[1]), F32)


def sum_range(low: Any, high: Any, low2: Any, high2: Any, room: int = 14) -> tuple[Array, Array]:
    """A range around zero with ``room`` bits more than the wider one."""
    most = max(high, -low, high2, -low2) * F32(1 << room)
    return np.asarray(-most, F32), np.asarray(most, F32)


@op("QuantizeV2")
def quantize(x: Array, low: Array, high: Array, *, T: Any, mode: str = "MIN_COMBINED",
             round_mode: str = "HALF_AWAY_FROM_ZERO", narrow_range: bool = False, axis: int = -1,
             ensure_minimum_range: float = 0.01) -> Any:
    least, most = ends(T)
    a, b = low.astype(F32), high.astype(F32)
    start = np.minimum(F32(0), a)
    apart = np.maximum(F32(1), np.maximum(np.abs(a), np.abs(b))) * F32(ensure_minimum_range)
    end = np.maximum(F32(0), np.maximum(b, start + apart))
    if axis != -1:
        shape = [1] * x.ndim
        shape[axis] = -1
        start, end = start.reshape(shape), end.reshape(shape)
    if mode == "MIN_FIRST":
        if axis != -1:
            raise Refused("MIN_FIRST by axis")
        return as_integers(x, start[()], end[()], T), start, end
    if mode == "MIN_COMBINED":
        scale = ((F32(most) - F32(least)) / (end - start)).astype(F32)
        y = (np.clip(x, start, end) - start) * scale
        half = F32(0) if least == 0 else (F32(most) - F32(least) + F32(1)) / F32(2)
        made = np.trunc(y + F32(0.5)) if least == 0 else away(y - half)
        made = np.where(np.abs(made) >= 2**31, F64(-2**31), made.astype(F64))  # as the processor casts
    else:
        bottom = least + int(narrow_range)
        big = np.finfo(F32).max
        with np.errstate(all="ignore"):
            by_low = np.where(bottom * start > 0, F32(bottom) / start, big)
            by_high = np.where(most * end > 0, F32(most) / end, big)
        scale = np.minimum(by_low, by_high).astype(F32)
        start, end = (F32(bottom) / scale).astype(F32), (F32(most) / scale).astype(F32)
        y = np.clip(x, start, end) * scale
        made = np.rint(y) if round_mode == "HALF_TO_EVEN" else away(y)
        made = np.where(np.abs(made) >= 2**31, F64(-2**31), made.astype(F64))
    flat = (start.ravel(), end.ravel()) if axis != -1 else (start, end)
    return made.astype(I64).astype(T), *flat


@op("QuantizedConv2D", fold=False)
def quantized_conv(x: Array, w: Array, low: Array, high: Array, low_w: Array, high_w: Array, *,
                   out_type: Any = np.int32, strides: Any, padding: str, dilations: Any = (1, 1, 1, 1)) -> Any:
    a = x.astype(F64) - unclipped(F32(0), low, high, x.dtype)
    b = w.astype(F64) - unclipped(F32(0), low_w, high_w, w.dtype)
    made = conv(a, b, strides=strides, padding=padding, dilations=dilations)
    return made.astype(I64).astype(out_type), *product_range(x.dtype, w.dtype, out_type, low, high, low_w, high_w)


@op("QuantizedMatMul", fold=False)
def matmul(a: Array, b: Array, low: Array, high: Array, low_b: Array, high_b: Array, *, Toutput: Any = np.int32,
           transpose_a: bool = False, transpose_b: bool = False, Tactivation: Any = None) -> Any:
    x = a.astype(I64) - unclipped(F32(0), low, high, a.dtype)
    y = b.astype(I64) - unclipped(F32(0), low_b, high_b, b.dtype)
    made = (x.T if transpose_a else x) @ (y.T if transpose_b else y)
    return made.astype(Toutput), *product_range(a.dtype, b.dtype, Toutput, low, high, low_b, high_b)


@op("QuantizedBiasAdd", fold=False)
def bias_add(x: Array, bias: Array, low: Array, high: Array, low_b: Array, high_b: Array, *, out_type: Any) -> Any:
    total = sum_range(low, high, low_b, high_b, 17)
    parts = (as_integers(as_float(v, *r), *total, out_type).astype(I64) for v, r in (
        (x, (low, high)), (bias, (low_b, high_b))))
    zero = step_of(F32(0), *total, out_type)
    return (sum(parts) - zero).astype(out_type), *total


@op("QuantizedAdd", fold=False)
def add(x: Array, y: Array, low: Array, high: Array, low_y: Array, high_y: Array, *, Toutput: Any = np.int32) -> Any:
    """Sums in a range with room for both: tensors by the line through the steps 0 and 1, a single number exactly."""
    total = sum_range(low, high, low_y, high_y)

    def moved(v: Array, *r: Any) -> Array:
        first, second = (unclipped(exactly(np.asarray(k, v.dtype), *r), *total, Toutput) for k in (0, 1))
        return np.clip(first + v.astype(I64) * (second - first), *ends(Toutput))

    def single(v: Array, *r: Any) -> Array:
        return step_of(exactly(v, *r), *total, Toutput)
    a = (single if x.size == 1 else moved)(x, low, high)
    b = (single if y.size == 1 != x.size else moved)(y, low_y, high_y)
    return (a + b).astype(Toutput), *total


@op("QuantizedMul", fold=False)
def mul(x: Array, y: Array, low: Array, high: Array, low_y: Array, high_y: Array, *, Toutput: Any = np.int32) -> Any:
    made = (x.astype(I64) - unclipped(F32(0), low, high, x.dtype)) * (
        y.astype(I64) - unclipped(F32(0), low_y, high_y, y.dtype))
    return made.astype(Toutput), *product_range(x.dtype, y.dtype, Toutput, low, high, low_y, high_y)


def _relu(top: float | None) -> Any:
    def rule(x: Array, low: Array, high: Array, *, out_type: Any = np.uint8) -> Any:
        made = np.maximum(x, step_of(F32(0), low, high, x.dtype))
        made = made if top is None else np.minimum(made, step_of(F32(top), low, high, x.dtype))
        return made.astype(out_type), low, high
    return rule


op("QuantizedRelu", fold=False)(_relu(None))
op("QuantizedRelu6", fold=False)(_relu(6))


@op("QuantizedMaxPool", fold=False)
def pool(x: Array, low: Array, high: Array, *, ksize: Any, strides: Any, padding: str) -> Any:
    return max_pool(x.astype(F32), ksize=ksize, strides=strides, padding=padding).astype(x.dtype), low, high


@op("QuantizedAvgPool", fold=False)
def average(x: Array, low: Array, high: Array, *, ksize: Any, strides: Any, padding: str) -> Any:
    """Sums of integers, divided towards zero by how many there are."""
    ones = np.ones((ksize[1], ksize[2], 1, 1))
    across = np.moveaxis(x.astype(F64), -1, 0)[..., None]
    shape = across.shape
    total = conv(across.reshape(-1, *shape[2:]), ones, strides=strides, padding=padding)
    count = conv(np.ones((1, *shape[2:])), ones, strides=strides, padding=padding)
    made = np.trunc(total / count).reshape(*shape[:2], *total.shape[1:3])
    return np.moveaxis(made, 0, -1).astype(x.dtype), low, high


def _concat(axis: int, values: list[Array], lows: list[Any], highs: list[Any]) -> Any:
    low, high = min(F32(0), *lows), max(highs)
    if values[0].dtype.kind == "i":
        high = max(abs(low), high)
        low = -high
    parts = [v if (a, b) == (low, high) else as_integers(as_float(v, a, b), low, high, v.dtype)
             for v, a, b in zip(values, lows, highs, strict=True)]
    return np.concatenate(parts, axis), np.asarray(low, F32), np.asarray(high, F32)


@op("QuantizedConcat", fold=False)
def concat(axis: Array, *rest: Array) -> Any:
    n = len(rest) // 3
    return _concat(int(axis), list(rest[:n]), [v[()] for v in rest[n:2 * n]], [v[()] for v in rest[2 * n:]])


@op("QuantizedReshape")
def reshape(x: Array, shape: Array, low: Array, high: Array) -> Any:
    return x.reshape(tuple(int(d) for d in shape)), low, high


@op("RequantizationRange", fold=False)
def used_range(x: Array, low: Array, high: Array) -> Any:
    least, most = (exactly(np.asarray(v), low, high) for v in (x.min(), x.max()))
    return np.minimum(F32(0), least), most


@op("Requantize", fold=False)
def requantize(x: Array, low: Array, high: Array, low_out: Array, high_out: Array, *, out_type: Any) -> Any:
    if np.dtype(out_type) != np.uint8 or x.dtype != np.int32:
        return as_integers(as_float(x, low[()], high[()]), low_out[()], high_out[()], out_type), low_out, high_out
    scale, offset, start = fixed(low, high, low_out, high_out)
    made = ((x.astype(I64) * scale >> 32) + (offset - start + (1 << 15))) >> 16
    return np.clip(made, 0, 255).astype(np.uint8), low_out, high_out


def fixed(low: Any, high: Any, low_out: Any, high_out: Any) -> tuple[int, int, int]:
    """The numbers in 16.16 that take 32 bits to 8."""
    span, out = F32(high - low), F32(high_out - low_out)
    if out == 0:
        return 0, 0, 0
    middle = F32(F64(F32(low + high)) / 2.0)
    by = F32(255.0 / F64(out))
    return (int(F64(255.0 * 65536) * F64(span) / F64(out)), int(F32(F32(middle * by) * F32(65536))),
            int(65536 * (F64(low_out) * 255.0) / F64(out)))


@op("QuantizeDownAndShrinkRange", fold=False)
def shrink(x: Array, low: Array, high: Array, *, out_type: Any) -> Any:
    least, most = used_range(x, low, high)
    return requantize(x, low, high, least, most, out_type=out_type)


@op("UniformQuantize")
def uniform_quantize(x: Array, scales: Array, zeros: Array, *, Tout: Any, quantization_axis: int = -1,
                     quantization_min_val: int, quantization_max_val: int) -> Any:
    scales, zeros = (_along(v, x.ndim, quantization_axis) for v in (scales, zeros))
    made = np.floor(x.astype(F32) * (F32(1) / scales) + F32(0.5)).astype(np.int32) + zeros
    return np.clip(made, quantization_min_val, quantization_max_val).astype(Tout)


@op("UniformDequantize")
def uniform_dequantize(x: Array, scales: Array, zeros: Array, *, Tout: Any, quantization_axis: int = -1,
                       quantization_min_val: int, quantization_max_val: int) -> Any:
    scales, zeros = (_along(v, x.ndim, quantization_axis) for v in (scales, zeros))
    return ((x.astype(np.int32) - zeros).astype(F32) * scales).astype(Tout)


def _along(v: Array, rank: int, axis: int) -> Array:
    shape = [1] * rank
    if axis == -1:
        return v.reshape(())
    shape[axis] = -1
    return v.reshape(shape)


def _level(low: Array, high: Array, dtype: Any) -> Array:
    return np.maximum(np.abs(low), np.abs(high)).astype(F64) / ends(dtype)[1]


def _finished(name: str, total: Array, x: Array, w: Array, bias: Array, ranges: tuple[Array, ...], dtype: Any) -> Any:
    """Sums with a bias in the range of the result, zero meaning zero on both sides, as oneDNN computes layers."""
    low, high, low_w, high_w, low_out, high_out = ranges
    level = _level(low, high, x.dtype) * _level(low_w, high_w, w.dtype)
    made = (total + bias) * level if bias.dtype.kind == "i" else total * level + bias.astype(F64)
    made = np.maximum(made, 0) if "Relu" in name else made
    if np.dtype(dtype) == F32:
        return made.astype(F32)
    return np.clip(np.rint(made / _level(low_out, high_out, dtype)), *ends(dtype)).astype(dtype), low_out, high_out


def _conv_finished(name: str, stated: Any) -> Any:
    def rule(x: Array, w: Array, bias: Array, *ranges: Array, out_type: Any = stated, strides: Any, padding: str,
             dilations: Any = (1, 1, 1, 1), padding_list: Any = ()) -> Any:
        if padding_list:
            padding = "EXPLICIT"
        total = conv(x.astype(F64), w.astype(F64), strides=strides, padding=padding, dilations=dilations,
                     explicit_paddings=padding_list)
        return _finished(name, total, x, w, bias, ranges, out_type)
    return rule


def _matmul_finished(name: str, stated: Any) -> Any:
    def rule(a: Array, b: Array, bias: Array, *ranges: Array, Toutput: Any = stated, transpose_a: bool = False,
             transpose_b: bool = False, input_quant_mode: str = "MIN_FIRST") -> Any:
        if input_quant_mode != "SCALED":
            raise Refused(f"input_quant_mode {input_quant_mode}")
        x, y = a.T if transpose_a else a, b.T if transpose_b else b
        return _finished(name, x.astype(I64) @ y.astype(I64), a, b, bias, ranges, Toutput)
    return rule


for _name, _type in (("AndRequantize", np.int8), ("AndReluAndRequantize", np.uint8)):
    op(f"QuantizedConv2DWithBias{_name}", fold=False)(_conv_finished(_name, _type))
for _name in ("AndRequantize", "AndReluAndRequantize", "AndDequantize"):
    op(f"QuantizedMatMulWithBias{_name}", fold=False)(_matmul_finished(_name, np.uint8))
