"""Operators on quantized integers with the range of their numbers beside them, as TensorFlow's CPU kernels compute.

Source: core/kernels/quantization_utils.h, quantize_op.cc, quantized_*_op*.cc, requantiz*_op.cc, uniform_quant_ops/."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from ...warp import away
from ..interpret.integers import MOST, ends, unclipped
from .common import F32, I32, I64, axis_of, cast, dims, i64, ints, known, name_of, rank, spatial, to_onnx, window
from .shape import reshape

F64, U8 = np.dtype(np.float64), np.dtype(np.uint8)
Numbers = Sequence[int]


def _f(value: Any) -> Value:
    return constant(np.float32(value))


def _d(value: Any) -> Value:
    return constant(np.float64(value))


def _scalar(op: Builder, v: Value) -> Any:
    return v if v.rank == 0 else op.Reshape(v, ints([]))


def as_float(op: Builder, x: Value, low: Value, high: Value) -> Any:
    """What integers mean, step by step in float32, as whole tensors are computed."""
    least, most = ends(x.dtype)
    scale = cast(op, op.Div(cast(op, op.Sub(high, low), F64), _d(most - least)), F32)
    start = op.Where(op.Equal(low, high), low, op.Mul(away(op, op.Div(low, scale)), scale))
    return op.Add(op.Sub(start, op.Mul(_f(least), scale)), op.Mul(cast(op, x, F32), scale))


def as_integers(op: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Any:
    """The inverse of :func:`as_float`, rounded and clipped."""
    least, most = ends(dtype)
    point = op.Equal(low, high)
    scale = op.Where(point, _f(0), cast(op, op.Div(_d(most - least), cast(op, op.Sub(high, low), F64)), F32))
    start = op.Where(point, low, away(op, op.Mul(low, scale)))
    made = op.Sub(away(op, op.Mul(x, scale)), op.Sub(start, _f(least)))
    made = op.Min(op.Max(made, _f(least)), _f(min(np.float32(most), MOST)))
    return cast(op, cast(op, made, I32), dtype)


def exactly(op: Builder, x: Value, dtype: DType, low: Value, high: Value) -> Any:
    """What integers of ``dtype``, as float64, mean: in float64 rounded once, as single numbers are computed."""
    least, most = ends(dtype)
    steps = float(most - least + 1)
    scale = op.Div(op.Mul(cast(op, op.Sub(high, low), F64), _d(steps / (steps - 1))), _d(steps))
    rough = cast(op, scale, F32)
    start = op.Mul(cast(op, away(op, op.Div(low, rough)), F64), cast(op, rough, F64))
    made = cast(op, op.Add(start, op.Mul(op.Sub(x, _d(least)), scale)), F32)
    return op.Where(op.Equal(low, high), low, made)


def step_of(op: Builder, x: Value, low: Value, high: Value, dtype: DType, clipped: bool = True) -> Any:
    """The number of the step of floats, in int64."""
    least, most = ends(dtype)
    if all(v.data is not None for v in (x, low, high)):
        made = unclipped(x.numpy(), low.numpy(), high.numpy(), dtype)
        return constant(np.clip(made, least, most) if clipped else made)
    steps = float(most - least + 1)
    scale = op.Div(_d(steps), op.Mul(cast(op, op.Sub(high, low), F64), _d(steps / (steps - 1))))
    wide = op.Sub(away(op, op.Mul(cast(op, x, F64), scale)), away(op, op.Mul(cast(op, low, F64), scale)))
    wide = op.Add(op.Where(op.Equal(low, high), _d(0), wide), _d(least))
    if clipped:
        wide = op.Min(op.Max(wide, _d(least)), _d(most))
    return cast(op, wide, I64)


def product_range(op: Builder, a: DType, b: DType, to: DType, *ranges: Value) -> tuple[Value, Value]:
    """The range of sums of products."""
    low_a, high_a, low_b, high_b = ranges
    one, two = (op.Div(op.Sub(h, low), _f(ends(t)[1] - ends(t)[0])) for t, low, h in
                ((a, low_a, high_a), (b, low_b, high_b)))
    level = op.Mul(one, two)
    return op.Mul(level, _f(ends(to)[0])), op.Mul(level, _f(ends(to)[1]))


def sum_range(op: Builder, low: Value, high: Value, low2: Value, high2: Value, room: int) -> tuple[Value, Value]:
    """A range around zero with ``room`` bits more than the wider one."""
    most = op.Mul(op.Max(high, op.Neg(low), high2, op.Neg(low2)), _f(1 << room))
    return op.Neg(most), most


@to_onnx("QuantizeV2")
def quantize(op: Builder, x: Value, low: Value, high: Value, *, T: DType, mode: str = "MIN_COMBINED",
             round_mode: str = "HALF_AWAY_FROM_ZERO", narrow_range: bool = False, axis: int = -1,
             ensure_minimum_range: float = 0.01) -> Any:
    least, most = ends(T)
    start = op.Min(_f(0), low)
    apart = op.Mul(op.Max(_f(1), op.Abs(low), op.Abs(high)), _f(ensure_minimum_range))
    end = op.Max(_f(0), high, op.Add(start, apart))
    if axis == -1:
        start, end = _scalar(op, start), _scalar(op, end)
    a, b = start, end
    if axis != -1:
        shape = [1] * rank(x)
        shape[axis_of(x, axis)] = -1
        a, b = op.Reshape(start, ints(shape)), op.Reshape(end, ints(shape))
    if mode == "MIN_FIRST":
        if axis != -1:
            raise Unsupported("MIN_FIRST by axis")
        return as_integers(op, x, a, b, T), start, end
    if mode == "MIN_COMBINED":
        scale = op.Div(_f(np.float32(most) - np.float32(least)), op.Sub(b, a))
        y = op.Mul(op.Sub(op.Max(op.Min(x, b), a), a), scale)
        if least:
            y = away(op, op.Sub(y, _f((np.float32(most) - np.float32(least) + 1) / 2)))
        else:
            y = op.Floor(op.Add(y, _f(0.5)))
        return _stored(op, y, T), start, end
    if mode != "SCALED":
        raise Unsupported(f"mode {mode}")
    bottom = least + int(narrow_range)
    big = _f(np.finfo(np.float32).max)
    by_low = op.Where(op.Less(start, _f(0)), op.Div(_f(bottom), start), big) if bottom else big
    by_high = op.Where(op.Greater(end, _f(0)), op.Div(_f(most), end), big)
    scale = op.Min(by_low, by_high)
    start, end = op.Div(_f(bottom), scale), op.Div(_f(most), scale)
    a, b = (start, end) if axis == -1 else (op.Reshape(v, ints(shape)) for v in (start, end))
    y = op.Mul(op.Max(op.Min(x, b), a), scale if axis == -1 else op.Reshape(scale, ints(shape)))
    return _stored(op, op.Round(y) if round_mode == "HALF_TO_EVEN" else away(op, y), T), start, end


def _stored(op: Builder, y: Value, dtype: DType) -> Any:
    """Whole floats as integers; what is beyond 32 bits becomes what the processor makes of it, the least one."""
    if dtype.itemsize == 4:
        beyond = op.GreaterOrEqual(y, _f(2.0**31))
        y = op.Where(beyond, _f(-2.0**31), y)
    return cast(op, cast(op, y, I32), dtype)


@to_onnx("Dequantize")
def dequantize(op: Builder, x: Value, low: Value, high: Value, *, T: str, mode: str = "MIN_COMBINED",
               narrow_range: bool = False, axis: int = -1, dtype: DType = F32) -> Any:
    least, most = ends(x.dtype)
    a, b = (along(op, cast(op, v, F32), x, axis) for v in (low, high))
    if mode == "MIN_FIRST":
        if axis != -1:
            raise Unsupported("MIN_FIRST by axis")
        return cast(op, as_float(op, x, a, b), dtype)
    y = cast(op, x, F32)
    if mode == "MIN_COMBINED":
        span = np.float32(most) - np.float32(least)
        if least:
            y = op.Add(y, _f((span + 1) / 2))
        return cast(op, op.Add(op.Mul(y, op.Div(op.Sub(b, a), _f(span))), a), dtype)
    if mode != "SCALED":
        raise Unsupported(f"mode {mode}")
    scale = op.Div(b, _f(most))
    if least:
        scale = op.Max(op.Div(a, _f(least + int(narrow_range))), scale)
    return cast(op, op.Mul(y, scale), dtype)


@to_onnx("UniformQuantize")
def uniform_quantize(op: Builder, x: Value, scales: Value, zeros: Value, *, Tin: DType = F32, Tout: DType,
                     quantization_axis: int = -1, quantization_min_val: int, quantization_max_val: int) -> Any:
    scales, zeros = (along(op, v, x, quantization_axis) for v in (scales, zeros))
    steps = op.Floor(op.Add(op.Mul(cast(op, x, F32), op.Div(_f(1), scales)), _f(0.5)))
    made = op.Add(cast(op, steps, I64), i64(op, zeros))
    low, high = (constant(v, I64) for v in (quantization_min_val, quantization_max_val))
    return cast(op, op.Min(op.Max(made, low), high), Tout)


@to_onnx("UniformDequantize")
def uniform_dequantize(op: Builder, x: Value, scales: Value, zeros: Value, *, Tin: DType | None = None,
                       Tout: DType = F32, quantization_axis: int = -1, quantization_min_val: int,
                       quantization_max_val: int) -> Any:
    scales, zeros = (along(op, v, x, quantization_axis) for v in (scales, zeros))
    return cast(op, op.Mul(cast(op, op.Sub(cast(op, x, I32), zeros), F32), scales), Tout)


def along(op: Builder, v: Value, x: Value, axis: int) -> Any:
    """A number for all of ``x``, or one for each place along an axis, so that it broadcasts."""
    if axis == -1:
        return _scalar(op, v)
    shape = [1] * rank(x)
    shape[axis_of(x, axis)] = -1
    return op.Reshape(v, ints(shape))


# -------------------------------------------------------------------------------------------------- products


def _zero(op: Builder, low: Value, high: Value, dtype: DType) -> Value:
    """The integer that means zero, in int64."""
    made: Value = step_of(op, _f(0), low, high, dtype, clipped=False)
    return made


def _stays(zero: Value, dtype: DType) -> bool:
    return zero.data is not None and bool(ends(dtype)[0] <= int(zero.numpy().reshape(())) <= ends(dtype)[1])


@to_onnx("QuantizedMatMul")
def matmul(op: Builder, a: Value, b: Value, *ranges: Value, Toutput: DType = I32, transpose_a: bool = False,
           transpose_b: bool = False, Tactivation: DType = U8) -> Any:
    low, high, low_b, high_b = (_scalar(op, v) for v in ranges)
    if Toutput != I32:
        raise Unsupported(f"products as {Toutput}")
    zero_a, zero_b = _zero(op, low, high, a.dtype), _zero(op, low_b, high_b, b.dtype)
    x = op.Transpose(a, perm=[1, 0]) if transpose_a else a
    y = op.Transpose(b, perm=[1, 0]) if transpose_b else b
    if _stays(zero_a, a.dtype) and _stays(zero_b, b.dtype):
        made = op.MatMulInteger(x, y, cast(op, zero_a, a.dtype), cast(op, zero_b, b.dtype))
    else:
        made = op.MatMul(*(op.Sub(cast(op, v, I32), cast(op, z, I32)) for v, z in ((x, zero_a), (y, zero_b))))
    return made, *product_range(op, a.dtype, b.dtype, Toutput, low, high, low_b, high_b)


@to_onnx("QuantizedConv2D")
def conv(op: Builder, x: Value, w: Value, *ranges: Value, out_type: DType = I32, strides: Numbers, padding: str,
         dilations: Numbers = (1, 1, 1, 1)) -> Any:
    low, high, low_w, high_w = (_scalar(op, v) for v in ranges)
    if out_type != I32:
        raise Unsupported(f"products as {out_type}")
    zeros = []
    for v, a, b in ((x, low, high), (w, low_w, high_w)):
        zero = _zero(op, a, b, v.dtype)
        if zero.data is None:
            op.note("info", "a range that is computed at run time is taken to hold zero, as QuantizeV2 makes it")
        elif not _stays(zero, v.dtype):
            raise Unsupported("a range that does not hold zero")
        zeros.append(cast(op, zero, v.dtype))
    made = _convolved(op, x, w, zeros, strides, padding, dilations)
    return made, *product_range(op, x.dtype, w.dtype, out_type, low, high, low_w, high_w)


def _convolved(op: Builder, x: Value, w: Value, zeros: Sequence[Value], strides: Numbers, padding: str,
               dilations: Numbers, pads: Numbers = ()) -> Any:
    """Sums of products in int32, channels last."""
    kernel, s, d = dims(w, what="the filter")[:2], spatial(strides, "NHWC"), spatial(dilations, "NHWC")
    x, how = window(op, x, "EXPLICIT" if len(pads) else padding, list(pads), "NHWC", kernel, s, d,
                    zeros[0] if zeros else None)
    made = op.ConvInteger(op.Transpose(x, perm=[0, 3, 1, 2]), op.Transpose(w, perm=[3, 2, 0, 1]), *zeros, strides=s,
                          dilations=d, kernel_shape=kernel, **how)
    return op.Transpose(made, perm=[0, 2, 3, 1])


@to_onnx("QuantizedMul")
def mul(op: Builder, x: Value, y: Value, *ranges: Value, Toutput: DType = I32) -> Any:
    low, high, low_y, high_y = (_scalar(op, v) for v in ranges)
    one = op.Sub(i64(op, x), _zero(op, low, high, x.dtype))
    two = op.Sub(i64(op, y), _zero(op, low_y, high_y, y.dtype))
    return cast(op, op.Mul(one, two), Toutput), *product_range(op, x.dtype, y.dtype, Toutput, low, high, low_y, high_y)


# ------------------------------------------------------------------------------------------------------ sums


@to_onnx("QuantizedBiasAdd")
def bias_add(op: Builder, x: Value, bias: Value, *ranges: Value, out_type: DType) -> Any:
    low, high, low_b, high_b = (_scalar(op, v) for v in ranges)
    total = sum_range(op, low, high, low_b, high_b, 17)
    one, two = (i64(op, as_integers(op, as_float(op, v, *r), *total, out_type)) for v, r in (
        (x, (low, high)), (bias, (low_b, high_b))))
    made = op.Sub(op.Add(one, two), step_of(op, _f(0), *total, out_type))
    return cast(op, made, out_type), *total


@to_onnx("QuantizedAdd")
def add(op: Builder, x: Value, y: Value, *ranges: Value, Toutput: DType = I32) -> Any:
    """Sums in a range with room for both: tensors by the line through the steps 0 and 1, a single number exactly."""
    low, high, low_y, high_y = (_scalar(op, v) for v in ranges)
    total = sum_range(op, low, high, low_y, high_y, 14)
    least, most = (constant(v, I64) for v in ends(Toutput))

    def moved(v: Value, *r: Value) -> Any:
        first, second = (step_of(op, exactly(op, _d(k), v.dtype, *r), *total, Toutput, clipped=False) for k in (0, 1))
        return op.Min(op.Max(op.Add(first, op.Mul(i64(op, v), op.Sub(second, first))), least), most)

    def single(v: Value, *r: Value) -> Any:
        return step_of(op, exactly(op, cast(op, v, F64), v.dtype, *r), *total, Toutput)

    one = op.Equal(op.Size(x), constant(1, I64))
    other = op.And(op.Equal(op.Size(y), constant(1, I64)), op.Not(one))
    a = op.Where(one, single(x, low, high), moved(x, low, high))
    b = op.Where(other, single(y, low_y, high_y), moved(y, low_y, high_y))
    return cast(op, op.Add(a, b), Toutput), *total


# ------------------------------------------------------------------------------------------- element by element


@to_onnx("QuantizedRelu", "QuantizedRelu6")
def relu(op: Builder, x: Value, low: Value, high: Value, *, out_type: DType = U8) -> Any:
    a, b = _scalar(op, low), _scalar(op, high)
    made = op.Max(i64(op, x), step_of(op, _f(0), a, b, x.dtype))
    if name_of(op) == "QuantizedRelu6":
        made = op.Min(made, step_of(op, _f(6), a, b, x.dtype))
    return cast(op, made, out_type), low, high


@to_onnx("QuantizedReshape")
def quantized_reshape(op: Builder, x: Value, shape: Value, low: Value, high: Value) -> Any:
    return reshape(op, x, shape), low, high


@to_onnx("QuantizedMaxPool")
def max_pool(op: Builder, x: Value, low: Value, high: Value, *, ksize: Numbers, strides: Numbers,
             padding: str) -> Any:
    from .pool import pooled
    return pooled(op, x, True, ksize, strides, padding, (), "NHWC"), low, high


@to_onnx("QuantizedAvgPool")
def average_pool(op: Builder, x: Value, low: Value, high: Value, *, ksize: Numbers, strides: Numbers,
                 padding: str) -> Any:
    """Sums of integers, divided towards zero by how many there are; a mean is never closer to the next than that."""
    from .pool import pooled
    mean = pooled(op, cast(op, x, F32), False, ksize, strides, padding, (), "NHWC")
    size = int(np.prod(spatial(ksize, "NHWC")))
    if size > 1 << 12:
        raise Unsupported(f"a window of {size} numbers")
    made = op.Mul(op.Floor(op.Add(op.Abs(mean), _f(0.25 / size))), op.Sign(mean))
    return cast(op, made, x.dtype), low, high


@to_onnx("QuantizedConcat")
def concat(op: Builder, axis: Value, *rest: Value) -> Any:
    n = len(rest) // 3
    values = rest[:n]
    lows, highs = ([_scalar(op, v) for v in part] for part in (rest[n:2 * n], rest[2 * n:]))
    low, high = op.Min(_f(0), *lows), op.Max(*highs)
    if values[0].dtype.kind == "i":
        high = op.Max(op.Abs(low), high)
        low = op.Neg(high)
    parts = [op.Where(op.And(op.Equal(a, low), op.Equal(b, high)), v,
                      as_integers(op, as_float(op, v, a, b), low, high, v.dtype))
             for v, a, b in zip(values, lows, highs, strict=True)]
    return op.Concat(*parts, axis=axis_of(values[0], known(axis, "the axis")[0])), low, high


# ------------------------------------------------------------------------------------------------- other ranges


@to_onnx("RequantizationRange")
def used_range(op: Builder, x: Value, low: Value, high: Value) -> Any:
    a, b = _scalar(op, low), _scalar(op, high)
    least, most = (exactly(op, cast(op, op.add(n, x, keepdims=0), F64), x.dtype, a, b)
                   for n in ("ReduceMin", "ReduceMax"))
    return op.Min(_f(0), least), most


@to_onnx("Requantize")
def requantize(op: Builder, x: Value, low: Value, high: Value, low_out: Value, high_out: Value, *,
               out_type: DType) -> Any:
    a, b, c, d = (_scalar(op, v) for v in (low, high, low_out, high_out))
    return _requantized(op, x, a, b, c, d, out_type), low_out, high_out


def _requantized(op: Builder, x: Value, low: Value, high: Value, low_out: Value, high_out: Value,
                 dtype: DType) -> Any:
    if dtype != U8 or x.dtype != I32:
        return as_integers(op, as_float(op, x, low, high), low_out, high_out, dtype)
    # in 16.16, as TensorFlow takes 32 bits to 8
    out = op.Sub(high_out, low_out)
    point = op.Equal(out, _f(0))
    span, by = cast(op, op.Sub(high, low), F64), cast(op, op.Where(point, _f(1), out), F64)
    middle = cast(op, op.Div(cast(op, op.Add(low, high), F64), _d(2)), F32)
    scale = op.Div(op.Mul(_d(255.0 * 65536), span), by)
    offset = op.Mul(op.Mul(middle, cast(op, op.Div(_d(255), by), F32)), _f(65536))
    start = op.Div(op.Mul(_d(65536), op.Mul(cast(op, low_out, F64), _d(255))), by)
    scale, offset, start = (op.Where(point, constant(0, I64), cast(op, v, I64)) for v in (scale, offset, start))
    moved = op.Add(_shifted(op, op.Mul(i64(op, x), scale), 32), op.Add(op.Sub(offset, start), constant(1 << 15, I64)))
    made = op.Min(op.Max(_shifted(op, moved, 16), constant(0, I64)), constant(255, I64))
    return cast(op, made, U8)


def _shifted(op: Builder, x: Value, bits: int) -> Any:
    """Integers divided by a power of two, rounded down."""
    by = constant(1 << bits, I64)
    return op.Div(op.Sub(x, op.Mod(x, by)), by)


@to_onnx("QuantizeDownAndShrinkRange")
def shrink(op: Builder, x: Value, low: Value, high: Value, *, out_type: DType) -> Any:
    least, most = used_range(op, x, low, high)
    return _requantized(op, x, _scalar(op, low), _scalar(op, high), least, most, out_type), least, most


# -------------------------------------------------------------------------------- products with all that follows


def _most(op: Builder, low: Value, high: Value) -> Any:
    return cast(op, op.Max(op.Abs(low), op.Abs(high)), F64)


def _level(op: Builder, low: Value, high: Value, dtype: DType) -> Any:
    """What one step of integers with zero as zero means."""
    return op.Div(_most(op, low, high), _d(ends(dtype)[1]))


def _finished(op: Builder, total: Value, x: Value, w: Value, bias: Value, ranges: Sequence[Value], dtype: DType) -> Any:
    """Sums in int32 with a bias, in the range of the result."""
    low, high, low_w, high_w, low_out, high_out = (v if v.rank == 1 and v.shape != (1,) else _scalar(op, v)
                                                   for v in ranges)
    level = op.Mul(_level(op, low, high, x.dtype), _level(op, low_w, high_w, w.dtype))
    if bias.dtype == I32:
        total = op.Mul(cast(op, op.Add(total, bias), F64), level)
    elif bias.dtype == F32:
        total = op.Add(op.Mul(cast(op, total, F64), level), cast(op, bias, F64))
    else:
        raise Unsupported(f"a bias of {bias.dtype}")
    if "Relu" in name_of(op):
        total = op.Max(total, _d(0))
    if dtype == F32:
        return cast(op, total, F32)
    op.note("approximated", "oneDNN rounds in float32: one result in some ten thousands is a step aside")
    least, most = ends(dtype)
    steps = op.Round(op.Div(total, _level(op, low_out, high_out, dtype)))
    return cast(op, cast(op, op.Min(op.Max(steps, _d(least)), _d(most)), I32), dtype), low_out, high_out


@to_onnx("QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasAndReluAndRequantize")
def conv_finished(op: Builder, x: Value, w: Value, bias: Value, *ranges: Value, out_type: DType | None = None,
                  strides: Numbers, padding: str, dilations: Numbers = (1, 1, 1, 1),
                  padding_list: Numbers = ()) -> Any:
    """A layer as oneDNN computes it: zero means zero on both sides."""
    total = _convolved(op, x, w, (), strides, padding, dilations, padding_list)
    return _finished(op, total, x, w, bias, ranges, op.out.dtype)


@to_onnx("QuantizedMatMulWithBiasAndRequantize", "QuantizedMatMulWithBiasAndReluAndRequantize",
         "QuantizedMatMulWithBiasAndDequantize")
def matmul_finished(op: Builder, a: Value, b: Value, bias: Value, *ranges: Value, Toutput: DType | None = None,
                    transpose_a: bool = False, transpose_b: bool = False, input_quant_mode: str = "MIN_FIRST") -> Any:
    if input_quant_mode != "SCALED":
        raise Unsupported(f"input_quant_mode {input_quant_mode}")
    x = op.Transpose(a, perm=[1, 0]) if transpose_a else a
    y = op.Transpose(b, perm=[1, 0]) if transpose_b else b
    return _finished(op, op.MatMulInteger(x, y), a, b, bias, ranges, op.out.dtype)
