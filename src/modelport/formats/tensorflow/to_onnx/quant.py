"""Quantization, simulated and stored, and sums and products of uniformly quantized integers.

Source: core/kernels/fake_quant_ops_functor.h, quantize_and_dequantize_op.h, uniform_quant_ops/math_utils.h."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import DType
from ..interpret import quant as numeric
from .common import F32, I32, I64, axis_of, cast, dims, i64, ints, known, name_of, rank, to_onnx, window
from .integer import along

I8, U8 = np.dtype(np.int8), np.dtype(np.uint8)


@to_onnx("FakeQuantWithMinMaxArgs")
def fake_args(op: Builder, x: Value, *, min: float = -6.0, max: float = 6.0, num_bits: int = 8,
              narrow_range: bool = False) -> Any:
    return _fake(op, x, np.float32(min), np.float32(max), num_bits, narrow_range, None)


@to_onnx("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_vars(op: Builder, x: Value, low: Value, high: Value, *, num_bits: int = 8,
              narrow_range: bool = False) -> Any:
    axis = rank(x) - 1 if name_of(op).endswith("PerChannel") else None
    return _fake(op, x, static(low, "the least value"), static(high, "the greatest value"), num_bits, narrow_range,
                 axis)


def _fake(op: Builder, x: Value, low: Any, high: Any, bits: int, narrow: bool, axis: int | None) -> Any:
    """8 bits as QuantizeLinear and DequantizeLinear, so that the model stays quantized; others step by step."""
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise Unsupported("a range whose least value is not below its greatest")
    bottom, top, scale = (np.asarray(v, np.float32) for v in numeric.nudged(low, high, bits, narrow))
    if bits == 8:
        zero = np.rint((1 if narrow else 0) - bottom / scale)
        if ((zero >= 0) & (zero <= 255)).all():
            op.note("approximated", "fake quantization as 8-bit integers: a number just between two of them goes to "
                                    "the even one, in TensorFlow to the greater one")
            x = op.Max(x, constant(bottom)) if narrow else x  # 0 is no step of a narrow range
            more = {} if axis is None else {"axis": axis}
            q = op.QuantizeLinear(x, constant(scale), constant(zero.astype(np.uint8)), **more)
            return op.DequantizeLinear(q, constant(scale), constant(zero.astype(np.uint8)), **more)
    steps = op.Floor(op.Add(op.Div(op.Sub(op.Min(op.Max(x, constant(bottom)), constant(top)), constant(bottom)),
                                   constant(scale)), constant(np.float32(0.5))))
    return op.Add(op.Mul(steps, constant(scale)), constant(bottom))


@to_onnx("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
def qdq_v2(op: Builder, x: Value, low: Value, high: Value, *, signed_input: bool = True, num_bits: int = 8,
           range_given: bool = False, round_mode: str = "HALF_TO_EVEN", narrow_range: bool = False,
           axis: int = -1) -> Any:
    return _qdq(op, x, low, high, signed_input, num_bits, range_given, round_mode, narrow_range, axis)


@to_onnx("QuantizeAndDequantizeV3")
def qdq_v3(op: Builder, x: Value, low: Value, high: Value, bits: Value, *, signed_input: bool = True,
           range_given: bool = True, narrow_range: bool = False, axis: int = -1) -> Any:
    return _qdq(op, x, low, high, signed_input, known(bits, "the bits")[0], range_given, "HALF_TO_EVEN", narrow_range,
                axis)


@to_onnx("QuantizeAndDequantize")
def qdq_v1(op: Builder, x: Value, *, signed_input: bool = True, num_bits: int = 8, range_given: bool = False,
           input_min: float = 0.0, input_max: float = 0.0) -> Any:
    return _qdq(op, x, constant(np.float32(input_min)), constant(np.float32(input_max)), signed_input, num_bits,
                range_given, "HALF_TO_EVEN", False, -1)


def _qdq(op: Builder, x: Value, low: Value, high: Value, signed: bool, bits: int, given: bool, mode: str, narrow: bool,
         axis: int) -> Any:
    if x.dtype != F32:
        raise Unsupported(f"quantization of {x.dtype}")
    if not 1 <= bits <= 62:
        raise Unsupported(f"{bits} bits")
    if mode not in ("HALF_TO_EVEN", "HALF_UP"):
        raise Unsupported(f"rounding {mode}")
    top = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    bottom = (-top if narrow else -top - 1) if signed else 0

    def f(v: float) -> Value:
        return constant(np.float32(v))
    if not given:
        others = [k for k in range(rank(x)) if axis == -1 or k != axis_of(x, axis)]
        low, high = (op.add(n, x, ints(others), keepdims=int(axis != -1)) for n in ("ReduceMin", "ReduceMax"))
    elif axis != -1:
        shape = [1] * rank(x)
        shape[axis_of(x, axis)] = -1
        low, high = op.Reshape(low, ints(shape)), op.Reshape(high, ints(shape))
    most = f(np.finfo(np.float32).max)
    a, b = op.Mul(f(bottom), low), op.Mul(f(top), high)
    by_low = op.Where(op.Greater(a, f(0)), op.Div(f(bottom), op.Where(op.Equal(low, f(0)), f(1), low)), most)
    by_high = op.Where(op.Greater(b, f(0)), op.Div(f(top), op.Where(op.Equal(high, f(0)), f(1), high)), most)
    use = op.Less(by_low, by_high)
    scale = op.Where(use, by_low, by_high)
    inverse = op.Where(use, op.Div(low, f(bottom or 1)), op.Div(high, f(top)))
    least, greatest = op.Where(use, low, op.Mul(f(bottom), inverse)), op.Where(use, op.Mul(f(top), inverse), high)
    y = op.Mul(op.Min(op.Max(x, least), greatest), scale)
    y = op.Round(y) if mode == "HALF_TO_EVEN" else op.Floor(op.Add(y, f(0.5)))
    return op.Where(op.Equal(scale, most), op.Mul(x, f(0)), op.Mul(y, inverse))


# ------------------------------------------------------------------------------ uniformly quantized integers


def _rescaled(op: Builder, x: Value, scale: Any, zeros: Value, low: int, high: int) -> Any:
    """Integers times a scale (a number, or an array that broadcasts), by its 31 leading bits and a shift as TensorFlow
    does, halves upwards; then the zero of the result is added, and it is cut to its range (in int32)."""
    part, power = np.frexp(np.asarray(scale, np.float64))
    whole = np.floor(part * 2.0**31 + 0.5).astype(np.int64)
    power = np.where(whole == 1 << 31, power + 1, power)
    whole = np.where(whole == 1 << 31, 1 << 30, whole)
    whole, power = np.where(power < -31, 0, whole), np.where(power < -31, 0, power)
    whole, power = np.where(power > 30, (1 << 31) - 1, whole), np.minimum(power, 30)
    by = np.left_shift(np.int64(1), 31 - power.astype(np.int64))
    total = op.Add(op.Mul(i64(op, x), constant(whole)), constant(by // 2))
    made = op.Div(op.Sub(total, op.Mod(total, constant(by))), constant(by))
    ends = np.iinfo(np.int32)
    made = op.Min(op.Max(made, constant(ends.min, I64)), constant(ends.max, I64))
    made = op.Add(cast(op, made, I32), zeros)
    return op.Min(op.Max(made, constant(low, I32)), constant(high, I32))


def _scales(v: Value, x: Value, axis: int) -> Any:
    """Scales that are known, in float64, so that they broadcast to ``x``."""
    array = static(v, "a scale").astype(np.float64)
    if axis == -1:
        return array.reshape(())
    shape = [1] * rank(x)
    shape[axis_of(x, axis)] = -1
    return array.reshape(shape)


def _plain(op: Builder, x: Value, zeros: Value, axis: int) -> Any:
    """Integers without the zero that they count from, in int32."""
    return op.Sub(cast(op, x, I32), along(op, zeros, x, axis))


@to_onnx("UniformRequantize")
def uniform_requantize(op: Builder, x: Value, scales: Value, zeros: Value, scales_out: Value, zeros_out: Value, *,
                       Tin: DType | None = None, Tout: DType, input_quantization_axis: int = -1,
                       input_quantization_min_val: int, input_quantization_max_val: int,
                       output_quantization_axis: int = -1, output_quantization_min_val: int,
                       output_quantization_max_val: int) -> Any:
    scale = _scales(scales, x, input_quantization_axis) / _scales(scales_out, x, output_quantization_axis)
    made = _rescaled(op, _plain(op, x, zeros, input_quantization_axis), scale,
                     along(op, zeros_out, x, output_quantization_axis), output_quantization_min_val,
                     output_quantization_max_val)
    return cast(op, made, Tout)


@to_onnx("UniformQuantizedAdd")
def uniform_add(op: Builder, a: Value, b: Value, scales_a: Value, zeros_a: Value, scales_b: Value, zeros_b: Value,
                scales_out: Value, zeros_out: Value, *, T: DType | None = None, lhs_quantization_axis: int = -1,
                lhs_quantization_min_val: int, lhs_quantization_max_val: int, rhs_quantization_axis: int = -1,
                rhs_quantization_min_val: int, rhs_quantization_max_val: int, output_quantization_axis: int = -1,
                output_quantization_min_val: int, output_quantization_max_val: int) -> Any:
    """Both in the scale of the result, then added."""
    like = a if rank(a) >= rank(b) else b
    out, zeros = _scales(scales_out, like, output_quantization_axis), along(op, zeros_out, like,
                                                                           output_quantization_axis)
    low, high = output_quantization_min_val, output_quantization_max_val
    one, two = (_rescaled(op, _plain(op, v, z, axis), _scales(s, v, axis) / out, zeros, low, high)
                for v, s, z, axis in ((a, scales_a, zeros_a, lhs_quantization_axis),
                                      (b, scales_b, zeros_b, rhs_quantization_axis)))
    made = op.Sub(op.Add(i64(op, one), i64(op, two)), i64(op, zeros))
    return cast(op, op.Min(op.Max(made, constant(low, I64)), constant(high, I64)), I32)


@to_onnx("UniformQuantizedClipByValue")
def uniform_clip(op: Builder, x: Value, low: Value, high: Value, scales: Value, zeros: Value, *,
                 T: DType | None = None, quantization_axis: int = -1, quantization_min_val: int,
                 quantization_max_val: int) -> Any:
    low, high = (along(op, v, x, quantization_axis) for v in (low, high))
    return op.Min(op.Max(x, low), high)


@to_onnx("UniformQuantizedDot")
def uniform_dot(op: Builder, a: Value, b: Value, scales_a: Value, zeros_a: Value, scales_b: Value, zeros_b: Value,
                scales_out: Value, zeros_out: Value, *, Tin: DType | None = None, Tout: DType = I32,
                lhs_quantization_axis: int = -1, lhs_quantization_min_val: int, lhs_quantization_max_val: int,
                rhs_quantization_axis: int = -1, rhs_quantization_min_val: int, rhs_quantization_max_val: int,
                output_quantization_axis: int = -1, output_quantization_min_val: int,
                output_quantization_max_val: int) -> Any:
    total = op.MatMul(_plain(op, a, zeros_a, lhs_quantization_axis), _plain(op, b, zeros_b, rhs_quantization_axis))
    scale = _scales(scales_a, a, lhs_quantization_axis) * _scales(scales_b, b, rhs_quantization_axis)
    made = _rescaled(op, total, scale / _scales(scales_out, b, output_quantization_axis),
                     along(op, zeros_out, b, output_quantization_axis), output_quantization_min_val,
                     output_quantization_max_val)
    return cast(op, made, Tout)


@to_onnx("UniformQuantizedDotHybrid")
def uniform_dot_hybrid(op: Builder, a: Value, b: Value, scales: Value, zeros: Value, *, Tlhs: DType = F32,
                       Trhs: DType | None = None, Tout: DType = F32, rhs_quantization_axis: int = -1,
                       rhs_quantization_min_val: int, rhs_quantization_max_val: int) -> Any:
    """Each row of real numbers is quantized to 8 bits by its own range, which holds zero."""
    def d(value: float) -> Value:
        return constant(np.float64(value))
    nothing = constant(np.float32(0))
    least = cast(op, op.Min(op.ReduceMin(a, ints([1]), keepdims=1), nothing), d(0).dtype)
    most = cast(op, op.Max(op.ReduceMax(a, ints([1]), keepdims=1), nothing), d(0).dtype)
    scale = op.Div(op.Sub(most, least), d(255))
    scale = op.Where(op.Equal(scale, d(0)), d(1), scale)
    below, above = op.Div(least, scale), op.Div(most, scale)
    low, high = op.Sub(d(-128), below), op.Sub(d(127), above)  # the end that is farther from zero rounds less
    first = op.Less(op.Add(d(128), op.Abs(below)), op.Add(d(127), op.Abs(above)))
    zero = op.Where(first, low, high)
    zero = cast(op, op.Min(op.Max(op.Floor(op.Add(zero, d(0.5))), d(-128)), d(127)), I32)
    steps = op.Floor(op.Add(op.Mul(a, cast(op, op.Div(d(1), scale), F32)), constant(np.float32(0.5))))
    whole = op.Add(cast(op, steps, I32), zero)
    whole = op.Min(op.Max(whole, constant(-128, I32)), constant(127, I32))
    total = cast(op, op.MatMul(op.Sub(whole, zero), _plain(op, b, zeros, rhs_quantization_axis)), F32)
    return op.Mul(op.Mul(total, cast(op, scale, F32)), along(op, scales, b, rhs_quantization_axis))


def _spread(op: Builder, x: Value, dilations: Sequence[int], fill: Value) -> Any:
    """``x``, channels last, with ``fill`` between the elements of its space, so that they are so many steps apart."""
    for axis, d in enumerate(dilations, 1):
        if d == 1:
            continue
        sizes = [-1, *dims(x, [*range(1, rank(x))], "the dilated input")]
        wide = op.Pad(op.Unsqueeze(x, ints([axis + 1])), ints([0, d - 1]), fill, ints([axis + 1]))
        sizes[axis] *= d
        x = op.Slice(op.Reshape(wide, ints(sizes)), ints([0]), ints([sizes[axis] - d + 1]), ints([axis]))
    return x


@to_onnx("UniformQuantizedConvolution")
def uniform_conv(op: Builder, a: Value, b: Value, scales_a: Value, zeros_a: Value, scales_b: Value, zeros_b: Value,
                 scales_out: Value, zeros_out: Value, *, Tin: DType | None = None, Tout: DType = I32,
                 window_strides: Sequence[int] = (), padding: str, explicit_padding: Sequence[int] = (),
                 lhs_dilation: Sequence[int] = (), rhs_dilation: Sequence[int] = (), batch_group_count: int = 1,
                 feature_group_count: int = 1, dimension_numbers: str = "", lhs_quantization_axis: int = -1,
                 lhs_quantization_min_val: int, lhs_quantization_max_val: int, rhs_quantization_axis: int = -1,
                 rhs_quantization_min_val: int, rhs_quantization_max_val: int, output_quantization_axis: int = -1,
                 output_quantization_min_val: int, output_quantization_max_val: int) -> Any:
    """Sums of products of 8-bit integers, exactly; a weight without its zero takes 9 bits, in two parts of 8.

    The groups of a batch go with the groups of outputs, one by one."""
    n = rank(a) - 2
    of_a, of_b, of_out = numeric.axes_of(dimension_numbers, n + 2)
    _, _, *kernel = dims(w := op.Transpose(_plain(op, b, zeros_b, rhs_quantization_axis), perm=of_b))
    zero, nothing = cast(op, op.Add(along(op, zeros_a, a, -1), constant(128, I32)), U8), constant(0, I8)
    x = op.Transpose(cast(op, op.Add(cast(op, a, I32), constant(128, I32)), U8), perm=[of_a[0], *of_a[2:], of_a[1]])
    strides, dilations = list(window_strides) or [1] * n, list(rhs_dilation) or [1] * n
    x, how = window(op, _spread(op, x, lhs_dilation, zero), padding, [0, 0, *explicit_padding, 0, 0], "", kernel,
                    strides, dilations, zero)
    x = op.Transpose(x, perm=[0, n + 1, *range(1, n + 1)])
    half = op.Div(w, constant(2, I32))
    whole = zeros_b.data is not None and not zeros_b.numpy().any()
    parts = [x, *(cast(op, v, I8) for v in ([w] if whole else [half, op.Sub(w, half)]))]
    groups = [[v] if batch_group_count == 1 else op.Split(v, axis=0, num_outputs=batch_group_count,
                                                          outputs=batch_group_count) for v in parts]
    sums = []
    for one, *weights in zip(*groups, strict=True):
        made = [op.ConvInteger(one, v, zero, nothing, kernel_shape=kernel, strides=strides, dilations=dilations,
                               group=feature_group_count, **how) for v in weights]
        sums.append(made[0] if whole else op.Add(*made))
    total = sums[0] if len(sums) == 1 else op.Concat(*sums, axis=1)
    total = op.Transpose(total, perm=[int(k) for k in np.argsort(of_out)])
    scale = _scales(scales_a, a, -1) * _scales(scales_b, total, of_out[1] if rhs_quantization_axis != -1 else -1)
    made = _rescaled(op, total, scale / _scales(scales_out, total, output_quantization_axis),
                     along(op, zeros_out, total, output_quantization_axis), output_quantization_min_val,
                     output_quantization_max_val)
    return cast(op, made, Tout)
