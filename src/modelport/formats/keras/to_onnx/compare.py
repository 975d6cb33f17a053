"""Further functions of ``keras.ops`` over numbers: bits, comparisons, sums without NaN, order statistics."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import is_float
from .common import (
    BOOL,
    I32,
    I64,
    INT_MAX,
    axes_of,
    axis_of,
    cast,
    dims,
    i64,
    ints,
    number,
    numpy_dtype,
    promote,
    rank,
    real,
    room,
    to_onnx,
)

# -- one number, or two


@to_onnx("ops.heaviside")
def heaviside(op: Builder, x: Value, middle: Value) -> Any:
    x, middle = (real(op, v) for v in promote(op, x, middle))
    return op.Where(op.Equal(x, number(x, 0)), middle, cast(op, op.Greater(x, number(x, 0)), x.dtype))


@to_onnx("ops.fmod")
def fmod(op: Builder, a: Value, b: Value) -> Any:
    """The remainder with the sign of what is divided."""
    a, b = promote(op, a, b)
    return op.Mod(a, b, fmod=1)


@to_onnx("ops.fmax", "ops.fmin")
def without_nan(op: Builder, a: Value, b: Value) -> Any:
    assert op.node is not None
    a, b = promote(op, a, b)
    y = op.Max(a, b) if op.node.op == "ops.fmax" else op.Min(a, b)
    return op.Where(op.IsNaN(a), b, op.Where(op.IsNaN(b), a, y)) if is_float(a.dtype) else y


@to_onnx("ops.ldexp")
def ldexp(op: Builder, x: Value, exponent: Value) -> Any:
    x = real(op, x)
    return op.Mul(x, op.Pow(number(x, 2), cast(op, exponent, x.dtype)))


@to_onnx("ops.logaddexp2")
def logaddexp2(op: Builder, a: Value, b: Value) -> Any:
    a, b = (real(op, x) for x in promote(op, a, b))
    away = op.Pow(number(a, 2), op.Neg(op.Abs(op.Sub(a, b))))
    return op.Add(op.Max(a, b), op.Mul(op.Log(op.Add(away, number(a, 1))), number(a, 1 / np.log(2))))


@to_onnx("ops.left_shift", "ops.bitwise_left_shift", "ops.right_shift", "ops.bitwise_right_shift")
def shifted(op: Builder, x: Value, by: Value) -> Any:
    """A product with, or the whole part of a quotient by, a power of two."""
    assert op.node is not None
    x, by = promote(op, x, by)
    power = cast(op, op.Pow(constant(np.asarray(2, np.int64)), cast(op, by, I64)), x.dtype)
    if "left" in op.node.op:
        return op.Mul(x, power)
    quotient = op.Div(x, power)  # towards zero, where it has to be downwards
    if x.dtype.kind == "u":
        return quotient
    over = op.And(op.Less(x, number(x, 0)), op.Not(op.Equal(op.Mul(quotient, power), x)))
    return op.Sub(quotient, cast(op, over, x.dtype))


@to_onnx("ops.signbit")
def signbit(op: Builder, x: Value) -> Any:
    if x.dtype == BOOL:
        return op.And(x, op.Not(x))
    below = op.Less(x, number(x, 0))
    if not is_float(x.dtype):
        return below
    zero = op.Equal(x, number(x, 0))  # one over minus zero is below zero
    return op.Or(below, op.And(zero, op.Less(op.Reciprocal(x), number(x, 0))))


@to_onnx("ops.isneginf", "ops.isposinf")
def is_infinite(op: Builder, x: Value) -> Any:
    assert op.node is not None
    negative = op.node.op == "ops.isneginf"
    return op.IsInf(real(op, x), detect_negative=int(negative), detect_positive=int(not negative))


@to_onnx("ops.isreal")
def is_real(op: Builder, x: Value) -> Any:
    return op.Expand(constant(np.ones((), np.bool_)), op.Shape(x))


@to_onnx("ops.imag", "ops.empty_like")
def zeros(op: Builder, x: Value, *, dtype: Any = None) -> Any:
    """No number here has an imaginary part; what is empty may hold anything, and is zero in Keras."""
    return op.Expand(constant(np.zeros((), x.dtype if dtype is None else numpy_dtype(dtype))), op.Shape(x))


@to_onnx("ops.angle")
def angle(op: Builder, x: Value) -> Any:
    x = real(op, x)
    return op.Where(op.Less(x, number(x, 0)), number(x, np.pi), number(x, 0))


def _near(op: Builder, a: Value, b: Value, part: Value, least: Value) -> Any:
    return op.LessOrEqual(op.Abs(op.Sub(a, b)), op.Add(least, op.Mul(part, op.Abs(b))))


def _both_nan(op: Builder, a: Value, b: Value, y: Value) -> Any:
    return op.Or(y, op.And(op.IsNaN(a), op.IsNaN(b)))


@to_onnx("ops.isclose")
def isclose(op: Builder, a: Value, b: Value, rtol: Value | None = None, atol: Value | None = None, *,
            equal_nan: bool = False) -> Any:
    """Infinities as Keras compares them on TensorFlow: no two of one sign are close, any two of different signs are."""
    a, b = promote(op, a, b)
    if not is_float(a.dtype):
        return op.Equal(a, b)
    part, least = (number(a, d) if v is None else cast(op, v, a.dtype) for v, d in ((rtol, 1e-5), (atol, 1e-8)))
    y = _near(op, a, b, part, least)
    return _both_nan(op, a, b, y) if equal_nan else y


@to_onnx("ops.all_close")
def all_close(op: Builder, a: Value, b: Value, *, rtol: float = 1e-5, atol: float = 1e-8,
              equal_nan: bool = False) -> Any:
    a, b = promote(op, a, b)
    y = op.Equal(a, b)
    if is_float(a.dtype):
        infinite = op.Or(op.IsInf(a), op.IsInf(b))
        y = op.Or(y, op.And(_near(op, a, b, number(a, rtol), number(a, atol)), op.Not(infinite)))
        y = _both_nan(op, a, b, y) if equal_nan else y
    return cast(op, op.ReduceMin(cast(op, y, I32), ints(range(rank(y))), keepdims=0), BOOL)


@to_onnx("ops.is_in")
def is_in(op: Builder, x: Value, among: Value, *, invert: bool = False, assume_unique: bool = False) -> Any:
    x, among = promote(op, x, among)
    same = op.Equal(op.Unsqueeze(x, ints([rank(x)])), op.Reshape(among, ints([-1])))
    found = cast(op, op.ReduceMax(cast(op, same, I32), ints([rank(x)]), keepdims=0), BOOL)
    return op.Not(found) if invert else found


@to_onnx("ops.search_sorted")
def search_sorted(op: Builder, ordered: Value, values: Value, *, side: str = "left") -> Any:
    """How many of the ordered numbers are smaller (``right``: not larger)."""
    if rank(ordered) != 1:
        raise Unsupported(f"ordered numbers of {rank(ordered)} dimensions")
    ordered, values = promote(op, ordered, values)
    n = rank(values)
    wide = op.Unsqueeze(values, ints([n]))
    before = op.Less(ordered, wide) if side == "left" else op.LessOrEqual(ordered, wide)
    return op.ReduceSum(cast(op, before, I32), ints([n]), keepdims=0)


@to_onnx("ops.unravel_index")
def unravel_index(op: Builder, x: Value, *, shape: Any) -> Any:
    out, left = [], x
    for size in reversed(shape):
        out.append(op.Mod(left, number(x, size)))
        left = op.Div(left, number(x, size))
    return out[::-1]


@to_onnx("ops.ndim")
def ndim(op: Builder, x: Value) -> Any:
    return constant(np.asarray(rank(x), np.int32))


# -- sums and extremes, those without NaN too


@to_onnx("ops.ptp")
def ptp(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    axes = ints(axes_of(x, axis))
    return op.Sub(op.ReduceMax(x, axes, keepdims=int(keepdims)), op.ReduceMin(x, axes, keepdims=int(keepdims)))


def _filled(op: Builder, x: Value, value: float) -> Any:
    return op.Where(op.IsNaN(x), number(x, value), x) if is_float(x.dtype) else x


@to_onnx("ops.nansum", "ops.nanprod")
def nan_total(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    assert op.node is not None
    kind, none = ("ReduceSum", 0) if op.node.op == "ops.nansum" else ("ReduceProd", 1)
    return op.add(kind, _filled(op, x, none), ints(axes_of(x, axis)), keepdims=int(keepdims))


def _known(op: Builder, x: Value) -> Any:
    return cast(op, op.Not(op.IsNaN(x)), x.dtype)


@to_onnx("ops.nanmax", "ops.nanmin")
def nan_extreme(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    """NaN where nothing else is."""
    assert op.node is not None
    axes, high = ints(axes_of(x, axis)), op.node.op == "ops.nanmax"
    y = op.add("ReduceMax" if high else "ReduceMin", _filled(op, x, -np.inf if high else np.inf) if is_float(x.dtype)
               else x, axes, keepdims=int(keepdims))
    if not is_float(x.dtype):
        return y
    some = op.Greater(op.ReduceMax(_known(op, x), axes, keepdims=int(keepdims)), number(x, 0))
    return op.Where(some, y, number(x, np.nan))


@to_onnx("ops.nanmean")
def nanmean(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    x, axes = real(op, x), ints(axes_of(x, axis))
    return op.Div(op.ReduceSum(_filled(op, x, 0), axes, keepdims=int(keepdims)),
                  op.ReduceSum(_known(op, x), axes, keepdims=int(keepdims)))


@to_onnx("ops.nanvar", "ops.nanstd")
def nanvar(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    assert op.node is not None
    x, axes = real(op, x), ints(axes_of(x, axis))
    away = op.Sub(x, nanmean(op, x, axis=axis, keepdims=True))
    y = op.Div(op.ReduceSum(_filled(op, op.Mul(away, away), 0), axes, keepdims=int(keepdims)),
               op.ReduceSum(_known(op, x), axes, keepdims=int(keepdims)))
    return op.Sqrt(y) if op.node.op == "ops.nanstd" else y


@to_onnx("ops.nanargmax", "ops.nanargmin")
def nan_place(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    """-1 where nothing else than NaN is."""
    assert op.node is not None
    high = op.node.op == "ops.nanargmax"
    filled = _filled(op, x, -np.inf if high else np.inf) if is_float(x.dtype) else x
    if axis is None:
        filled = op.Reshape(filled, ints([-1]))
    y = op.add("ArgMax" if high else "ArgMin", filled, axis=0 if axis is None else axis_of(x, axis),
               keepdims=int(keepdims and axis is not None))
    if axis is None and keepdims:
        y = op.Reshape(y, ints([1] * rank(x)))
    y = cast(op, y, I32)
    if not is_float(x.dtype):
        return y
    some = op.Greater(op.ReduceMax(_known(op, x), ints(axes_of(x, axis)), keepdims=int(keepdims)), number(x, 0))
    return op.Where(some, y, np.int32(-1))


@to_onnx("ops.cumprod", "ops.nancumprod", "ops.nancumsum")
def running(op: Builder, x: Value, *, axis: Any = None, dtype: Any = None) -> Any:
    """ONNX has running sums only: of products each is made anew from all that come before."""
    assert op.node is not None
    if dtype is not None:
        x = cast(op, x, numpy_dtype(dtype))
    elif x.dtype == BOOL:
        x = cast(op, x, I32)
    total = op.node.op == "ops.nancumsum"
    if op.node.op.startswith("ops.nan"):
        x = _filled(op, x, 0 if total else 1)
    if axis is None:
        x, axis = op.Reshape(x, ints([-1])), 0
    at = axis_of(x, axis)
    if total:
        return op.CumSum(x, np.int64(at))
    size, n = dims(x, [at])[0], rank(x)
    room(size, size)
    upto = np.tril(np.ones((size, size), np.bool_)).reshape([size, size] + [1] * (n - at - 1))
    return op.ReduceProd(op.Where(upto, op.Unsqueeze(x, ints([at])), number(x, 1)), ints([at + 1]), keepdims=0)


@to_onnx("ops.median", "ops.quantile", "ops.percentile")
def quantile(op: Builder, x: Value, q: Value | None = None, *, axis: Any = None, method: str = "linear",
             keepdims: bool = False) -> Any:
    """Of sorted numbers the one at a part of their count; NaN if there is one among them."""
    assert op.node is not None
    x = real(op, x)
    at = static(q, "the quantile").astype(np.float64) if q is not None else np.asarray(0.5)
    if op.node.op == "ops.percentile":
        at = at / 100
    elif op.node.op == "ops.quantile":
        method = "linear"  # whatever the operation is called with, as a node it does not hand it on
    axes, n = axes_of(x, axis), rank(x)
    rest = [a for a in range(n) if a not in axes]
    flat = op.Transpose(x, perm=rest + axes) if rest + axes != list(range(n)) else x
    size = int(np.prod(dims(x, axes)))
    flat = op.Reshape(flat, op.Concat(op.Shape(flat, start=0, end=len(rest)), ints([-1]), axis=0)) if rest else \
        op.Reshape(flat, ints([-1]))
    ordered, _ = op.add("TopK", flat, ints([size]), axis=len(rest), largest=0, outputs=2)
    place = at.ravel() * (size - 1)
    whole = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}

    def taken(where: Any) -> Any:
        return op.Gather(ordered, np.clip(where, 0, size - 1).astype(np.int64), axis=len(rest))
    if method in whole:
        y = taken(whole[method](place))
    elif method == "midpoint":
        y = op.Mul(op.Add(taken(np.floor(place)), taken(np.ceil(place))), number(x, 0.5))
    elif method == "linear":
        below = np.maximum(np.ceil(place) - 1, 0)
        above = np.minimum(below + 1, size - 1)
        part = (above - place).astype(x.dtype)
        y = op.Add(op.Mul(taken(above), 1 - part), op.Mul(taken(below), part))
    else:
        raise Unsupported(f"method {method}")
    spoilt = op.ReduceMax(cast(op, op.IsNaN(flat), I32), ints([len(rest)]), keepdims=1)
    y = op.Where(cast(op, spoilt, BOOL), number(x, np.nan), y)
    if at.ndim > 1:
        raise Unsupported(f"quantiles of {at.ndim} dimensions")
    if at.ndim == 0:
        y = op.Squeeze(y, ints([len(rest)]))
        return op.Unsqueeze(y, ints(axes)) if keepdims else y
    y = op.Transpose(y, perm=[len(rest), *range(len(rest))])
    return op.Unsqueeze(y, ints([a + 1 for a in axes])) if keepdims else y


# -- along an axis


@to_onnx("ops.trapezoid")
def trapezoid(op: Builder, y: Value, *, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    if x is not None:
        raise Unsupported("places of the points")
    y = real(op, y)
    at = axis_of(y, axis)
    total = op.Add(op.Slice(y, ints([1]), ints([INT_MAX]), ints([at])), op.Slice(y, ints([0]), ints([-1]), ints([at])))
    return op.Mul(op.ReduceSum(total, ints([at]), keepdims=0), number(y, 0.5 * dx))


@to_onnx("ops.vander")
def vander(op: Builder, x: Value, *, N: int | None = None, increasing: bool = False) -> Any:
    count = dims(x, [0])[0] if N is None else N
    room(count)
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return op.Pow(op.Unsqueeze(x, ints([1])), constant(np.ascontiguousarray(powers).astype(x.dtype)))


@to_onnx("ops.corrcoef")
def corrcoef(op: Builder, x: Value) -> Any:
    """Of each two rows: how much they go together, from -1 to 1."""
    if rank(x) != 2:
        raise Unsupported(f"an input of {rank(x)} dimensions")
    x = real(op, x)
    away = op.Sub(x, op.ReduceMean(x, ints([1]), keepdims=1))
    common = op.MatMul(away, op.Transpose(away, perm=[1, 0]))
    spread = op.Sqrt(op.ReduceSum(op.Mul(away, away), ints([1]), keepdims=1))
    return op.Div(common, op.Mul(spread, op.Transpose(spread, perm=[1, 0])))


@to_onnx("ops.in_top_k")
def in_top_k(op: Builder, targets: Value, predictions: Value, *, k: int) -> Any:
    """Whether fewer than ``k`` predictions are larger than that of the target, which has to be finite."""
    mine = op.GatherElements(predictions, op.Unsqueeze(i64(op, targets), ints([1])), axis=1)
    larger = op.ReduceSum(cast(op, op.Greater(predictions, mine), I32), ints([1]), keepdims=0)
    own = op.Squeeze(mine, ints([1]))
    finite = op.Not(op.Or(op.IsNaN(own), op.IsInf(own)))
    return op.And(op.Less(larger, np.int32(k)), finite)
