"""Arithmetic, comparisons, logic and bits.  Source: tensorflow/core/kernels/cwise_ops.h."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import NUMBER, STRING, DType
from ...tflite.to_onnx import math as lite
from .common import F32, I32, I64, cast, dims, i64, ints, name_of, one, rank, to_onnx, where

UNARY = {"Abs": "Abs", "Neg": "Neg", "Exp": "Exp", "Log": "Log", "Sqrt": "Sqrt", "Sin": "Sin", "Cos": "Cos",
         "Tan": "Tan", "Asin": "Asin", "Acos": "Acos", "Atan": "Atan", "Sinh": "Sinh", "Cosh": "Cosh",
         "Asinh": "Asinh", "Acosh": "Acosh", "Atanh": "Atanh", "Sign": "Sign", "LogicalNot": "Not", "Erf": "Erf",
         "IsNan": "IsNaN", "IsInf": "IsInf", "Inv": "Reciprocal", "Reciprocal": "Reciprocal", "Invert": "BitwiseNot"}
ROUNDING = {"Floor": "Floor", "Ceil": "Ceil", "Round": "Round", "Rint": "Round"}
BINARY = {"RealDiv": "Div", "Maximum": "Max", "Minimum": "Min", "LogicalAnd": "And",
          "LogicalOr": "Or", "LogicalXor": "Xor", "Less": "Less", "LessEqual": "LessOrEqual", "Greater": "Greater",
          "GreaterEqual": "GreaterOrEqual", "BitwiseAnd": "BitwiseAnd", "BitwiseOr": "BitwiseOr",
          "BitwiseXor": "BitwiseXor", "Sub": "Sub", "Mul": "Mul"}


@to_onnx(*UNARY)
def unary(op: Builder, x: Value) -> Any:
    name = name_of(op)
    if name in ("Inv", "Reciprocal") and x.dtype.kind in "iu":
        return op.Div(one(x), x)
    return op.add(UNARY[name], x)


@to_onnx(*ROUNDING)
def rounding(op: Builder, x: Value) -> Any:
    return op.add(ROUNDING[name_of(op)], x) if x.dtype.kind not in "iu" else op.Identity(x)  # half to even in both


@to_onnx(*BINARY)
def binary(op: Builder, x: Value, y: Value) -> Any:
    return op.add(BINARY[name_of(op)], x, y)


@to_onnx("Add", "AddV2")
def add(op: Builder, x: Value, y: Value) -> Any:
    return op.StringConcat(x, y) if x.dtype == STRING else op.Add(x, y)


@to_onnx("Div", "TruncateDiv")
def div(op: Builder, x: Value, y: Value) -> Any:
    return op.Div(x, y)  # of integers towards zero, as in TensorFlow


@to_onnx("DivNoNan", "Xdivy", "Xlogy", "Xlog1py", "MulNoNan")
def no_nan(op: Builder, x: Value, y: Value) -> Any:
    name = name_of(op)
    guard = y if name in ("DivNoNan", "MulNoNan") else x
    made = op.Div(x, y) if name in ("DivNoNan", "Xdivy") else op.Mul(
        x, y if name == "MulNoNan" else op.Log(y if name == "Xlogy" else op.Add(y, one(y))))
    return op.Where(op.Equal(guard, one(guard, 0)), one(x, 0), made)


@to_onnx("Pow")
def power(op: Builder, x: Value, y: Value) -> Any:
    return op.Pow(x, y)


@to_onnx("Mod", "TruncateMod")
def truncated_mod(op: Builder, x: Value, y: Value) -> Any:
    return op.Mod(x, y, fmod=1)  # C's: the sign of the dividend


@to_onnx("FloorDiv")
def floor_div(op: Builder, x: Value, y: Value) -> Any:
    return lite.floor_div(op, x, y)


@to_onnx("FloorMod")
def floor_mod(op: Builder, x: Value, y: Value) -> Any:
    return lite.floor_mod(op, x, y)


@to_onnx("Equal")
def equal(op: Builder, x: Value, y: Value, *, incompatible_shape_error: bool = True) -> Any:
    if not incompatible_shape_error and (x.rank is None or y.rank is None or (x.rank and y.rank and x.rank != y.rank)):
        raise Unsupported("a comparison that takes shapes that do not fit")
    return op.Equal(x, y)


@to_onnx("NotEqual")
def not_equal(op: Builder, x: Value, y: Value, *, incompatible_shape_error: bool = True) -> Any:
    return op.Not(equal(op, x, y, incompatible_shape_error=incompatible_shape_error))


@to_onnx("ApproximateEqual")
def approximate_equal(op: Builder, x: Value, y: Value, *, tolerance: float = 9.999999747378752e-06) -> Any:
    return op.Less(op.Abs(op.Sub(x, y)), one(x, tolerance))


@to_onnx("AddN", "AccumulateNV2")
def add_n(op: Builder, *values: Value, shape: Any = None) -> Any:
    return lite.add_n(op, *values)


@to_onnx("Square")
def square(op: Builder, x: Value) -> Any:
    return op.Mul(x, x)


@to_onnx("SquaredDifference")
def squared_difference(op: Builder, x: Value, y: Value) -> Any:
    return lite.squared_difference(op, x, y)


@to_onnx("Rsqrt")
def rsqrt(op: Builder, x: Value) -> Any:
    return op.Reciprocal(op.Sqrt(x))


@to_onnx("Expm1")
def expm1(op: Builder, x: Value) -> Any:
    # exp(x) - 1 loses digits near 0: 2 tanh(x/2) / (1 - tanh(x/2)) does not, and is taken there
    t = op.Tanh(op.Mul(x, one(x, 0.5)))
    near = op.Div(op.Mul(one(x, 2), t), op.Sub(one(x), t))
    return op.Where(op.Less(op.Abs(x), one(x, 1)), near, op.Sub(op.Exp(x), one(x)))


@to_onnx("Log1p")
def log1p(op: Builder, x: Value) -> Any:
    # log(u) * x / (u - 1) with u = 1 + x takes the rounding of 1 + x back (Kahan)
    u = op.Add(one(x), x)
    d = op.Sub(u, one(x))
    exact = op.Or(op.Equal(d, one(x, 0)), op.IsInf(u))
    made = op.Mul(op.Log(u), op.Div(x, op.Where(exact, one(x), d)))
    return op.Where(op.Equal(d, one(x, 0)), x, op.Where(op.IsInf(u), op.Log(u), made))


@to_onnx("Erfc")
def erfc(op: Builder, x: Value) -> Any:
    return op.Sub(one(x), op.Erf(x))


@to_onnx("IsFinite")
def is_finite(op: Builder, x: Value) -> Any:
    return op.Not(op.Or(op.IsNaN(x), op.IsInf(x)))


@to_onnx("Atan2")
def atan2(op: Builder, y: Value, x: Value) -> Any:
    return lite.atan2(op, y, x)


@to_onnx("LeftShift")
def left_shift(op: Builder, x: Value, y: Value) -> Any:
    if x.dtype.kind == "u":
        return op.BitShift(x, y, direction="LEFT")
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    made = op.BitShift(op.BitCast(x, to=NUMBER[unsigned]), cast(op, y, unsigned), direction="LEFT")
    return op.BitCast(made, to=NUMBER[x.dtype])


@to_onnx("RightShift")
def right_shift(op: Builder, x: Value, y: Value) -> Any:
    return op.BitShift(x, y, direction="RIGHT") if x.dtype.kind == "u" else lite.right_shift(op, x, y)


@to_onnx("Bitcast")
def bitcast(op: Builder, x: Value, *, type: DType) -> Any:
    if type.itemsize != x.dtype.itemsize:
        raise Unsupported("a change of the size of elements")
    return op.Identity(x) if type == x.dtype else op.BitCast(x, to=NUMBER[type])


@to_onnx("Cast")
def cast_(op: Builder, x: Value, *, DstT: DType, Truncate: bool = False) -> Any:
    if Truncate:
        raise Unsupported("a cast that truncates the mantissa")
    if STRING in (x.dtype, DstT) and x.dtype != DstT:
        raise Unsupported("a cast of text")
    return cast(op, x, DstT)


@to_onnx("ClipByValue")
def clip(op: Builder, x: Value, low: Value, high: Value) -> Any:
    if low.rank == 0 and high.rank == 0:
        return op.Clip(x, low, high)
    return op.Min(op.Max(x, low), high)


@to_onnx("BiasAdd", "BiasAddV1")
def bias_add(op: Builder, x: Value, b: Value, *, data_format: str = "NHWC") -> Any:
    if data_format == "NCHW" and rank(x) > 2:
        return op.Add(x, op.Unsqueeze(b, ints(range(1, rank(x) - 1))))
    return op.Add(x, b)


@to_onnx("L2Loss")
def l2_loss(op: Builder, x: Value) -> Any:
    return op.Mul(op.ReduceSumSquare(x, keepdims=0), one(x, 0.5))


@to_onnx("Bucketize")
def bucketize(op: Builder, x: Value, *, boundaries: tuple[float, ...] = ()) -> Any:
    # float64 edges: an int32 or int64 beyond 2**24 must not be rounded before it is compared
    wide = np.dtype(np.float64) if x.dtype != F32 else F32
    edges = constant(np.asarray(boundaries, np.float32).astype(wide))
    above = op.GreaterOrEqual(op.Unsqueeze(cast(op, x, wide), ints([-1])), edges)
    return op.ReduceSum(cast(op, above, I32), ints([-1]), keepdims=0)


@to_onnx("OnesLike", "ZerosLike")
def filled_like(op: Builder, x: Value) -> Any:
    if x.dtype == STRING:
        return op.Expand(constant(np.array("", object)), op.Shape(x))
    return op.Expand(one(x, int(name_of(op) == "OnesLike")), op.Shape(x))


@to_onnx("Range")
def range_(op: Builder, start: Value, limit: Value, delta: Value) -> Any:
    dtype = start.dtype
    if dtype not in (F32, np.float64, np.int16, I32, I64):
        raise Unsupported(f"a range of {dtype}")
    return op.Range(*(v if v.rank == 0 else op.Reshape(v, ints([])) for v in (start, limit, delta)))


@to_onnx("LinSpace")
def lin_space(op: Builder, start: Value, stop: Value, num: Value) -> Any:
    n = op.Reshape(i64(op, num), ints([]))
    index = op.Range(constant(0, I64), n, constant(1, I64))
    steps = cast(op, op.Max(op.Sub(n, constant(1, I64)), constant(1, I64)), start.dtype)
    made = op.Add(start, op.Mul(cast(op, index, start.dtype), op.Div(op.Sub(stop, start), steps)))
    ends = op.And(op.Equal(index, op.Sub(n, constant(1, I64))), op.Greater(n, constant(1, I64)))
    return op.Where(ends, stop, made)


@to_onnx("Cross")
def cross(op: Builder, a: Value, b: Value) -> Any:
    def turned(x: Value, by: int) -> Any:
        return op.Gather(x, constant([(k + by) % 3 for k in range(3)], I64), axis=-1)
    return op.Sub(op.Mul(turned(a, 1), turned(b, 2)), op.Mul(turned(a, 2), turned(b, 1)))


_LANCZOS = (676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
            -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7)


def _wide(op: Builder, x: Value) -> Value:
    return cast(op, x, np.dtype(np.float64))


@to_onnx("Lgamma")
def lgamma(op: Builder, x: Value) -> Any:
    return cast(op, _lgamma(op, _wide(op, x)), x.dtype)


def _lgamma(op: Builder, z: Value) -> Any:
    """Lanczos' sum for z >= 0.5, the reflection for the rest."""
    def f(v: float) -> Value:
        return constant(np.float64(v))
    flip = op.Less(z, f(0.5))
    y = op.Sub(op.Where(flip, op.Sub(f(1), z), z), f(1))
    total: Any = f(0.99999999999980993)
    for k, c in enumerate(_LANCZOS):
        total = op.Add(total, op.Div(f(c), op.Add(y, f(k + 1))))
    t = op.Add(y, f(7.5))
    made = op.Add(op.Sub(op.Add(f(0.5 * np.log(2 * np.pi)), op.Mul(op.Add(y, f(0.5)), op.Log(t))), t), op.Log(total))
    low = op.Sub(f(np.log(np.pi)), op.Add(op.Log(op.Abs(op.Sin(op.Mul(f(np.pi), z)))), made))
    made = op.Where(flip, low, made)
    pole = op.And(op.LessOrEqual(z, f(0)), op.Equal(z, op.Floor(z)))
    return op.Where(op.Or(pole, op.IsInf(z)), f(np.inf), made)


@to_onnx("Digamma")
def digamma(op: Builder, x: Value) -> Any:
    return cast(op, _digamma(op, _wide(op, x)), x.dtype)


def _digamma(op: Builder, z0: Value) -> Any:
    """The asymptotic series behind ten steps of the recurrence, the reflection for negative numbers."""
    def f(v: float) -> Value:
        return constant(np.float64(v))
    flip = op.LessOrEqual(z0, f(0))
    z = op.Where(flip, op.Sub(f(1), z0), z0)
    total: Any = f(0)
    for k in range(10):
        total = op.Sub(total, op.Reciprocal(op.Add(z, f(k))))
    y = op.Add(z, f(10))
    i2 = op.Reciprocal(op.Mul(y, y))
    series: Any = f(1 / 132)  # B2k / 2k of the Bernoulli numbers
    for c in (-1 / 240, 1 / 252, -1 / 120, 1 / 12):
        series = op.Add(f(c), op.Mul(i2, series))
    made = op.Sub(op.Sub(op.Log(y), op.Div(f(0.5), y)), op.Mul(i2, series))
    made = op.Add(made, total)
    angle = op.Mul(f(np.pi), z0)
    made = op.Where(flip, op.Sub(made, op.Div(op.Mul(f(np.pi), op.Cos(angle)), op.Sin(angle))), made)
    pole = op.And(flip, op.Equal(z0, op.Floor(z0)))
    return op.Where(pole, f(np.nan), made)


@to_onnx("Zeta", "Polygamma")
def zeta(op: Builder, a: Value, b: Value) -> Any:
    """Hurwitz' zeta function by nine terms and the series of Euler and Maclaurin, in float64 (Cephes' zeta.c)."""
    def f(v: float) -> Value:
        return constant(np.float64(v))
    x, q = _wide(op, a), _wide(op, b)
    if name_of(op) == "Polygamma":  # of order n: (-1)**(n+1) n! zeta(n + 1, x)
        order = x
        x = op.Add(x, f(1))
    total: Any = None
    for k in range(9):
        term = op.Pow(op.Add(q, f(k)), op.Neg(x))
        total = term if total is None else op.Add(total, term)
    y = op.Add(q, f(9))
    power = op.Pow(y, op.Neg(x))
    total = op.Add(total, op.Add(op.Div(op.Mul(power, y), op.Sub(x, f(1))), op.Mul(power, f(0.5))))
    factor, step = x, op.Div(power, y)
    for k, bernoulli in enumerate(_BERNOULLI):
        total = op.Add(total, op.Mul(op.Mul(factor, step), f(bernoulli)))
        factor = op.Mul(factor, op.Mul(op.Add(x, f(2 * k + 1)), op.Add(x, f(2 * k + 2))))
        step = op.Div(step, op.Mul(y, y))
    total = op.Where(op.Equal(x, f(1)), f(np.inf), op.Where(op.Less(x, f(1)), f(np.nan), total))
    if name_of(op) == "Zeta":
        return cast(op, total, a.dtype)
    odd = op.Equal(op.Mod(order, f(2), fmod=1), f(1))
    size = op.Mul(op.Exp(_lgamma(op, op.Add(order, f(1)))), total)
    made = op.Where(odd, size, op.Neg(size))
    whole = op.And(op.Equal(order, op.Floor(order)), op.GreaterOrEqual(order, f(0)))
    return cast(op, op.Where(op.Equal(order, f(0)), _digamma(op, q), op.Where(whole, made, f(np.nan))), a.dtype)


_BERNOULLI = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
              -3617 / 10670622842880000)  # B2k / (2k)!


@to_onnx("Igamma", "Igammac")
def igamma(op: Builder, a: Value, x: Value) -> Any:
    """The incomplete gamma functions: a series for small x, a continued fraction for large (Numerical Recipes)."""
    def f(v: float) -> Value:
        return constant(np.float64(v))
    s, z = _wide(op, a), _wide(op, x)
    small = op.Less(z, op.Add(s, f(1)))
    front = op.Exp(op.Sub(op.Sub(op.Mul(s, op.Log(z)), z), _lgamma(op, s)))
    near = op.Where(small, z, f(1))
    term = total = op.Reciprocal(s)
    for k in range(1, _TERMS):  # the terms fall like z / (s + k), and z is below s + 1
        term = op.Div(op.Mul(term, near), op.Add(s, f(k)))
        total = op.Add(total, term)
    far = op.Where(small, op.Add(s, f(2)), z)
    fraction: Any = f(0)
    for k in range(_TERMS, 0, -1):
        numerator = op.Mul(f(k), op.Sub(s, f(k)))
        fraction = op.Div(numerator, op.Add(op.Add(op.Sub(far, s), f(2 * k + 1)), fraction))
    upper = op.Div(front, op.Add(op.Add(op.Sub(far, s), f(1)), fraction))
    lower = op.Mul(front, total)
    made = op.Where(small, lower, op.Sub(f(1), upper)) if name_of(op) == "Igamma" else \
        op.Where(small, op.Sub(f(1), lower), upper)
    zero = f(0.0 if name_of(op) == "Igamma" else 1.0)
    made = op.Where(op.Equal(z, f(0)), zero, op.Where(op.IsInf(z), op.Sub(f(1), zero), made))
    wrong = op.Or(op.LessOrEqual(s, f(0)), op.Less(z, f(0)))
    op.note("approximated", f"{name_of(op)} by {_TERMS} terms: less exact where the order is above a hundred")
    return cast(op, op.Where(wrong, f(np.nan), made), a.dtype)


_TERMS = 96


@to_onnx("Betainc")
def betainc(op: Builder, a: Value, b: Value, x: Value) -> Any:
    """The regularised incomplete beta function by its continued fraction, in float64 (Numerical Recipes, betacf)."""
    def f(v: float) -> Value:
        return constant(np.float64(v))
    p0, q0, x0 = (_wide(op, v) for v in (a, b, x))
    swap = op.Greater(x0, op.Div(op.Add(p0, f(1)), op.Add(op.Add(p0, q0), f(2))))
    p, q = op.Where(swap, q0, p0), op.Where(swap, p0, q0)
    z = op.Where(swap, op.Sub(f(1), x0), x0)
    total = op.Add(p, q)
    fraction: Any = f(0)
    for m in range(_TERMS // 2, -1, -1):
        twice = op.Add(p, f(2 * m))
        odd = op.Div(op.Neg(op.Mul(op.Mul(op.Add(p, f(m)), op.Add(total, f(m))), z)),
                     op.Mul(twice, op.Add(twice, f(1))))
        fraction = op.Div(odd, op.Add(f(1), fraction))
        if m:
            even = op.Div(op.Mul(op.Mul(f(m), op.Sub(q, f(m))), z), op.Mul(op.Sub(twice, f(1)), twice))
            fraction = op.Div(even, op.Add(f(1), fraction))
    front = op.Exp(op.Add(op.Sub(op.Sub(_lgamma(op, total), _lgamma(op, p)), _lgamma(op, q)),
                          op.Add(op.Mul(p, op.Log(z)), op.Mul(q, op.Log(op.Sub(f(1), z))))))
    made = op.Div(front, op.Mul(p, op.Add(f(1), fraction)))
    made = op.Where(op.Equal(z, f(0)), f(0), made)
    made = op.Where(swap, op.Sub(f(1), made), made)
    wrong = op.Or(op.Or(op.LessOrEqual(p0, f(0)), op.LessOrEqual(q0, f(0))),
                  op.Or(op.Less(x0, f(0)), op.Greater(x0, f(1))))
    op.note("approximated", f"Betainc by {_TERMS} terms: less exact where a or b are above a thousand")
    return cast(op, op.Where(wrong, f(np.nan), made), x.dtype)


@to_onnx("CompareAndBitpack")
def compare_and_bitpack(op: Builder, x: Value, threshold: Value, *, T: DType | None = None) -> Any:
    bits = cast(op, op.Greater(x, threshold) if x.dtype != np.bool_ else x, I32)
    groups = op.Reshape(bits, op.Concat(op.Shape(x, end=-1), ints([-1, 8]), axis=0))
    weighted = op.Mul(groups, constant(1 << np.arange(7, -1, -1), I32))
    return cast(op, op.ReduceSum(weighted, ints([-1]), keepdims=0), np.dtype(np.uint8))


_GILES = ((2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
           -0.00417768164, 0.246640727, 1.50140941),
          (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
           0.00943887047, 1.00167406, 2.83297682))
"""M. Giles, "Approximating the erfinv function" (2010): the polynomials of the single-precision version."""


@to_onnx("Erfinv")
def erfinv(op: Builder, x: Value) -> Any:
    if x.dtype != F32:
        raise Unsupported(f"{x.dtype}: the approximation is one of float32")
    w = op.Neg(op.Log(op.Mul(op.Sub(one(x), x), op.Add(one(x), x))))
    central = op.Less(w, one(x, 5))
    made = []
    for y, coefficients in zip((op.Sub(w, one(x, 2.5)), op.Sub(op.Sqrt(op.Max(w, one(x, 5))), one(x, 3))), _GILES,
                               strict=True):
        total: Any = one(x, coefficients[0])
        for c in coefficients[1:]:
            total = op.Add(one(x, c), op.Mul(total, y))
        made.append(op.Mul(total, x))
    ends = op.Equal(op.Abs(x), one(x))
    return op.Where(ends, op.Mul(x, one(x, np.inf)), op.Where(central, made[0], made[1]))


@to_onnx("Bincount")
def bincount(op: Builder, x: Value, size: Value, weights: Value) -> Any:
    return counted(op, op.Reshape(x, ints([-1])), size, weights, False)


@to_onnx("DenseBincount")
def dense_bincount(op: Builder, x: Value, size: Value, weights: Value, *, binary_output: bool = False) -> Any:
    return counted(op, x, size, weights, binary_output)


def counted(op: Builder, x: Value, size: Value, weights: Value, binary: bool) -> Any:
    """How often each number below ``size`` stands in a row, by comparing with all of them."""
    n = op.Reshape(i64(op, size), ints([]))
    index = op.Range(constant(0, I64), n, constant(1, I64))
    hot = op.Equal(op.Unsqueeze(i64(op, x), ints([-1])), index)
    out = op.out.dtype
    values = cast(op, hot, out)
    if weights.shape is None:
        raise Unsupported("weights of unknown shape")
    if weights.type.size != 0:
        w = op.Reshape(weights, op.Shape(x)) if weights.rank != x.rank else weights
        values = op.Mul(values, op.Unsqueeze(w, ints([-1])))
    axis = ints([rank(x) - 1])
    if binary:
        return cast(op, op.ReduceMax(cast(op, hot, I32), axis, keepdims=0), out)
    return op.ReduceSum(values, axis, keepdims=0)


@to_onnx("HistogramFixedWidth")
def histogram(op: Builder, x: Value, value_range: Value, bins: Value, *, dtype: DType = I32) -> Any:
    f64 = np.dtype(np.float64)
    flat = cast(op, op.Reshape(x, ints([-1])), f64)
    low, high = (op.Gather(cast(op, value_range, f64), constant(k, I64)) for k in (0, 1))
    n = op.Reshape(i64(op, bins), ints([]))
    top = cast(op, n, f64)
    at = op.Floor(op.Mul(op.Div(op.Sub(flat, low), op.Sub(high, low)), top))
    at = op.Clip(at, constant(np.float64(0)), op.Sub(top, constant(np.float64(1))))
    hot = op.Equal(op.Unsqueeze(cast(op, at, I64), ints([-1])), op.Range(constant(0, I64), n, constant(1, I64)))
    return cast(op, op.ReduceSum(cast(op, hot, I64), ints([0]), keepdims=0), dtype)


@to_onnx("Select")
def select(op: Builder, c: Value, x: Value, y: Value) -> Any:
    from ...tflite.to_onnx import index
    return index.select(op, c, x, y)


@to_onnx("SelectV2")
def select_v2(op: Builder, c: Value, x: Value, y: Value) -> Any:
    return where(op, c, x, y)


@to_onnx("SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits")
def cross_entropy(op: Builder, logits: Value, labels: Value) -> Any:
    log = op.LogSoftmax(logits, axis=-1)
    if name_of(op).startswith("Sparse"):
        labels = op.OneHot(i64(op, labels), ints([dims(logits, [-1])[0]]), constant(np.array([0, 1]).astype(
            logits.dtype)))
    loss = op.Neg(op.ReduceSum(op.Mul(labels, log), ints([-1]), keepdims=0))
    return loss, op.Sub(op.Exp(log), labels)


@to_onnx("InTopK", "InTopKV2")
def in_top_k(op: Builder, predictions: Value, targets: Value, k: Value | None = None, **attrs: Any) -> Any:
    n = i64(op, k) if k is not None else constant(int(attrs["k"]), I64)
    at = op.Unsqueeze(i64(op, targets), ints([1]))
    score = op.GatherElements(predictions, at, axis=1)
    above = op.ReduceSum(cast(op, op.Greater(predictions, score), I64), ints([1]), keepdims=0)
    flat = op.Squeeze(score, ints([1]))
    return op.And(op.Less(above, n), op.Not(op.Or(op.IsNaN(flat), op.IsInf(flat))))

