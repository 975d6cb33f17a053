"""Elementwise operations, and the layers that merge tensors by them."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import is_float
from .common import (
    BOOL,
    F32,
    F64,
    I32,
    axes_of,
    cast,
    generation,
    ints,
    number,
    numpy_dtype,
    promote,
    rank,
    real,
    tensor,
    to_onnx,
)


@to_onnx("Identity", "ops.identity", "ops.stop_gradient", "ops.copy", "ops.real", "ops.conj", "ops.conjugate")
def identity(op: Builder, x: Value) -> Any:
    return op.Identity(x)


@to_onnx("Masking")
def masking(op: Builder, x: Value, *, mask_value: float = 0.0) -> Any:
    """Steps whose every element is the mask's value become zero."""
    differs = op.Not(op.Equal(x, number(x, mask_value)))
    any_ = op.ReduceMax(cast(op, differs, I32), ints([rank(x) - 1]), keepdims=1)
    return op.Mul(x, cast(op, any_, x.dtype))


@to_onnx("mask.steps")
def mask_steps(op: Builder, mask: Value) -> Any:
    """``[batch, steps, ...]`` as ``[batch, steps]``: whether anything of a step counts."""
    n = rank(mask)
    if n <= 2:
        return op.Identity(mask)
    return cast(op, op.ReduceMax(cast(op, mask, I32), ints(range(2, n)), keepdims=0), BOOL)


@to_onnx("mask.like")
def mask_like(op: Builder, x: Value, mask: Value | None = None) -> Any:
    """A mask as wide as its tensor; all true where there is none."""
    if mask is None:
        return op.Expand(constant(np.ones((), np.bool_)), op.Shape(x))
    for _ in range(rank(x) - rank(mask)):
        mask = op.Unsqueeze(mask, ints([rank(mask)]))
    return op.Expand(mask, op.Shape(x))


# -- merging layers


def _aligned(op: Builder, xs: tuple[Value, ...]) -> list[Value]:
    """Operands of one type and rank: axes that are missing are put behind the batch."""
    values = promote(op, *xs)
    n = max(rank(x) for x in values)
    return [x if rank(x) == n else op.Unsqueeze(x, ints(range(1, 1 + n - rank(x)))) for x in values]


def _folded(op: Builder, name: str, xs: list[Value]) -> Any:
    y = xs[0]
    for x in xs[1:]:
        y = op.add(name, y, x)
    return y


@to_onnx("Add", "Multiply", "Maximum", "Minimum", "ops.add_n")
def merged(op: Builder, *xs: Value) -> Any:
    assert op.node is not None
    name = {"Multiply": "Mul", "Maximum": "Max", "Minimum": "Min"}.get(op.node.op, "Add")
    return _folded(op, name, _aligned(op, xs))


@to_onnx("Average")
def average(op: Builder, *xs: Value) -> Any:
    y = _folded(op, "Add", _aligned(op, xs))
    if not is_float(y.dtype):  # TensorFlow divides whole numbers as real ones that hold them
        y = cast(op, y, F32 if y.dtype.itemsize < 4 else F64)
    return op.Div(y, number(y, len(xs)))


@to_onnx("CustomScaleLayer")
def scaled_sum(op: Builder, a: Value, b: Value, *, scale: float) -> Any:
    """A branch added with a weight, of the InceptionResNetV2 of keras.applications."""
    return op.Add(a, op.Mul(b, number(b, scale)))


@to_onnx("Subtract")
def subtract(op: Builder, a: Value, b: Value) -> Any:
    a, b = _aligned(op, (a, b))
    return op.Sub(a, b)


# -- one operand


_UNARY: dict[str, Callable[[Builder, Value], Any]] = {
    "exp": lambda op, x: op.Exp(x), "log": lambda op, x: op.Log(x), "sqrt": lambda op, x: op.Sqrt(x),
    "sin": lambda op, x: op.Sin(x), "cos": lambda op, x: op.Cos(x), "tan": lambda op, x: op.Tan(x),
    "sinh": lambda op, x: op.Sinh(x), "cosh": lambda op, x: op.Cosh(x), "arcsin": lambda op, x: op.Asin(x),
    "arccos": lambda op, x: op.Acos(x), "arctan": lambda op, x: op.Atan(x), "arcsinh": lambda op, x: op.Asinh(x),
    "arccosh": lambda op, x: op.Acosh(x), "arctanh": lambda op, x: op.Atanh(x), "erf": lambda op, x: op.Erf(x),
    "erfc": lambda op, x: op.Sub(number(x, 1), op.Erf(x)), "expm1": lambda op, x: op.Sub(op.Exp(x), number(x, 1)),
    "log1p": lambda op, x: op.Log(op.Add(x, number(x, 1))),
    "log2": lambda op, x: op.Mul(op.Log(x), number(x, 1 / np.log(2))),
    "log10": lambda op, x: op.Mul(op.Log(x), number(x, 1 / np.log(10))),
    "exp2": lambda op, x: op.Pow(number(x, 2), x), "rsqrt": lambda op, x: op.Reciprocal(op.Sqrt(x)),
    "reciprocal": lambda op, x: op.Reciprocal(x), "deg2rad": lambda op, x: op.Mul(x, number(x, np.pi / 180)),
    "rad2deg": lambda op, x: op.Mul(x, number(x, 180 / np.pi)),
    "trunc": lambda op, x: op.Mul(op.Sign(x), op.Floor(op.Abs(x))), "floor": lambda op, x: op.Floor(x),
    "ceil": lambda op, x: op.Ceil(x),
    "sinc": lambda op, x: op.Where(op.Equal(x, number(x, 0)), number(x, 1), op.Div(
        op.Sin(op.Mul(x, number(x, np.pi))), op.Mul(x, number(x, np.pi)))),
    "cbrt": lambda op, x: op.Mul(op.Sign(x), op.Pow(op.Abs(x), number(x, 1 / 3))),
    "logit": lambda op, x: op.Log(op.Div(x, op.Sub(number(x, 1), x))),
}
"""Functions of real numbers: whole ones are made real first."""


def _unary(name: str, f: Callable[[Builder, Value], Any]) -> None:
    @to_onnx(f"ops.{name}")
    def rule(op: Builder, x: Value) -> Any:
        return f(op, real(op, tensor(op, x)))
    rule.__name__ = name


for _name, _f in _UNARY.items():
    _unary(_name, _f)


@to_onnx("ops.abs", "ops.absolute", "ops.fabs")
def absolute(op: Builder, x: Value) -> Any:
    return op.Abs(x)


@to_onnx("ops.negative")
def negative(op: Builder, x: Value) -> Any:
    return op.Neg(x)


@to_onnx("ops.sign")
def sign(op: Builder, x: Value) -> Any:
    return op.Sign(x)


@to_onnx("ops.square")
def square(op: Builder, x: Value) -> Any:
    return op.Mul(x, x)


@to_onnx("ops.round")
def round_(op: Builder, x: Value, *, decimals: int = 0) -> Any:
    if not decimals:
        return op.Round(x) if is_float(x.dtype) else op.Identity(x)
    factor = number(x, 10.0 ** decimals)
    return op.Div(op.Round(op.Mul(x, factor)), factor)


@to_onnx("ops.isnan", "ops.isinf", "ops.isfinite")
def is_special(op: Builder, x: Value) -> Any:
    assert op.node is not None
    x = real(op, x)
    if op.node.op == "ops.isnan":
        return op.IsNaN(x)
    if op.node.op == "ops.isinf":
        return op.IsInf(x)
    return op.Not(op.Or(op.IsNaN(x), op.IsInf(x)))


@to_onnx("ops.logical_not")
def logical_not(op: Builder, x: Value) -> Any:
    return op.Not(_truth(op, x))


@to_onnx("ops.bitwise_not", "ops.bitwise_invert")
def bitwise_not(op: Builder, x: Value) -> Any:
    return op.Not(x) if x.dtype == BOOL else op.BitwiseNot(x)


@to_onnx("ops.clip")
def clip(op: Builder, x: Value, *, x_min: Any = None, x_max: Any = None) -> Any:
    if not isinstance(x_min, (int, float, type(None))) or not isinstance(x_max, (int, float, type(None))):
        raise Unsupported("bounds that are tensors")
    if not is_float(x.dtype) and any(isinstance(v, float) for v in (x_min, x_max)):
        x = real(op, x)
    return op.Clip(x, None if x_min is None else number(x, x_min), None if x_max is None else number(x, x_max))


@to_onnx("ops.tf_clip")
def clip_by_value(op: Builder, x: Value, low: Value, high: Value) -> Any:
    return op.Min(op.Max(x, cast(op, low, x.dtype)), cast(op, high, x.dtype))


@to_onnx("ops.cast", "ops.saturate_cast")
def cast_operation(op: Builder, x: Value, *, dtype: Any) -> Any:
    assert op.node is not None
    want = numpy_dtype(dtype)
    if op.node.op == "ops.saturate_cast" and want.kind in "iu":
        info = np.iinfo(want)
        x = op.Min(op.Max(x, number(x, info.min)), number(x, info.max)) if is_float(x.dtype) else x
    return cast(op, x, want) if x.dtype != want else op.Identity(x)


@to_onnx("ops.convert_to_tensor", "ops.array")
def convert(op: Builder, x: Value, *, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    return op.Identity(tensor(op, x)) if dtype is None else cast(op, x, numpy_dtype(dtype))


@to_onnx("ops.nan_to_num")
def nan_to_num(op: Builder, x: Value, *, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not isinstance(x.dtype.type(0), np.floating):
        raise Unsupported(f"numbers of {x.dtype}")
    info = np.finfo(x.dtype)
    x = op.Where(op.IsNaN(x), number(x, nan), x)
    x = op.Where(op.IsInf(x, detect_negative=0), number(x, info.max if posinf is None else posinf), x)
    return op.Where(op.IsInf(x, detect_positive=0), number(x, info.min if neginf is None else neginf), x)


# -- two operands


_BINARY: dict[str, Callable[[Builder, Value, Value], Any]] = {
    "add": lambda op, a, b: op.Add(a, b) if a.dtype != BOOL else op.Or(a, b),
    "subtract": lambda op, a, b: op.Sub(a, b),
    "multiply": lambda op, a, b: op.Mul(a, b) if a.dtype != BOOL else op.And(a, b),
    "maximum": lambda op, a, b: op.Max(a, b) if a.dtype != BOOL else op.Or(a, b),
    "minimum": lambda op, a, b: op.Min(a, b) if a.dtype != BOOL else op.And(a, b),
    "squared_difference": lambda op, a, b: op.Mul(op.Sub(a, b), op.Sub(a, b)),
    "equal": lambda op, a, b: op.Equal(a, b), "not_equal": lambda op, a, b: op.Not(op.Equal(a, b)),
    "greater": lambda op, a, b: op.Greater(a, b), "less": lambda op, a, b: op.Less(a, b),
    "greater_equal": lambda op, a, b: op.GreaterOrEqual(a, b), "less_equal": lambda op, a, b: op.LessOrEqual(a, b),
    "power": lambda op, a, b: op.Pow(a, b),
}
_COMPARE = frozenset({"greater", "less", "greater_equal", "less_equal"})


def _binary(name: str, f: Callable[[Builder, Value, Value], Any]) -> None:
    @to_onnx(f"ops.{name}")
    def rule(op: Builder, a: Value, b: Value) -> Any:
        a, b = promote(op, a, b)
        if a.dtype == BOOL and name in _COMPARE:
            a, b = cast(op, a, I32), cast(op, b, I32)
        return f(op, a, b)
    rule.__name__ = name


for _name, _g in _BINARY.items():
    _binary(_name, _g)


@to_onnx("ops.divide", "ops.true_divide")
def divide(op: Builder, a: Value, b: Value) -> Any:
    a, b = (real(op, x) for x in promote(op, a, b))
    return op.Div(a, b)


@to_onnx("ops.divide_no_nan")
def divide_no_nan(op: Builder, a: Value, b: Value) -> Any:
    a, b = (real(op, x) for x in promote(op, a, b))
    zero = op.Equal(b, number(b, 0))
    return op.Where(zero, number(a, 0), op.Div(a, op.Where(zero, number(b, 1), b)))


@to_onnx("ops.floor_divide")
def floor_divide(op: Builder, a: Value, b: Value) -> Any:
    a, b = promote(op, a, b)
    if is_float(a.dtype):
        return op.Floor(op.Div(a, b))
    quotient = op.Div(a, b)  # towards zero
    if a.dtype.kind == "u":
        return quotient
    inexact = op.Not(op.Equal(op.Mul(quotient, b), a))
    signs = op.Xor(op.Less(a, number(a, 0)), op.Less(b, number(b, 0)))
    return op.Sub(quotient, cast(op, op.And(inexact, signs), a.dtype))


@to_onnx("ops.mod")
def mod(op: Builder, a: Value, b: Value) -> Any:
    """The remainder with the divisor's sign."""
    a, b = promote(op, a, b)
    if not is_float(a.dtype):
        return op.Mod(a, b)
    return op.Sub(a, op.Mul(b, op.Floor(op.Div(a, b))))


@to_onnx("ops.arctan2")
def arctan2(op: Builder, y: Value, x: Value) -> Any:
    y, x = (real(op, v) for v in promote(op, y, x))
    zero, pi = number(x, 0), number(x, np.pi)
    base = op.Atan(op.Div(y, op.Where(op.Equal(x, zero), number(x, 1), x)))
    turned = op.Where(op.Less(y, zero), op.Sub(base, pi), op.Add(base, pi))
    upright = op.Mul(op.Sign(y), number(x, np.pi / 2))
    return op.Where(op.Equal(x, zero), upright, op.Where(op.Less(x, zero), turned, base))


@to_onnx("ops.hypot")
def hypot(op: Builder, a: Value, b: Value) -> Any:
    a, b = (real(op, x) for x in promote(op, a, b))
    return op.Sqrt(op.Add(op.Mul(a, a), op.Mul(b, b)))


@to_onnx("ops.logaddexp")
def logaddexp(op: Builder, a: Value, b: Value) -> Any:
    a, b = (real(op, x) for x in promote(op, a, b))
    away = op.Neg(op.Abs(op.Sub(a, b)))
    return op.Add(op.Max(a, b), op.Log(op.Add(op.Exp(away), number(a, 1))))


def _truth(op: Builder, x: Value) -> Value:
    return x if x.dtype == BOOL else cast(op, x, BOOL)


@to_onnx("ops.logical_and", "ops.logical_or", "ops.logical_xor")
def logical(op: Builder, a: Value, b: Value) -> Any:
    assert op.node is not None
    name = {"ops.logical_and": "And", "ops.logical_or": "Or", "ops.logical_xor": "Xor"}[op.node.op]
    return op.add(name, _truth(op, a), _truth(op, b))


@to_onnx("ops.bitwise_and", "ops.bitwise_or", "ops.bitwise_xor")
def bitwise(op: Builder, a: Value, b: Value) -> Any:
    assert op.node is not None
    name = op.node.op.rpartition("_")[2].capitalize()
    a, b = promote(op, a, b)
    return op.add(name if a.dtype == BOOL else f"Bitwise{name}", a, b)


@to_onnx("ops.where")
def where(op: Builder, condition: Value, a: Value | None = None, b: Value | None = None) -> Any:
    if a is None or b is None:
        raise Unsupported("places of what is true: their number is known at run time only")
    a, b = promote(op, a, b)
    if a.dtype == BOOL:
        c = _truth(op, condition)
        return op.Or(op.And(c, a), op.And(op.Not(c), b))
    return op.Where(_truth(op, condition), a, b)


@to_onnx("ops.zeros_like", "ops.ones_like")
def filled_like(op: Builder, x: Value, *, dtype: Any = None) -> Any:
    assert op.node is not None
    value = np.asarray(int(op.node.op == "ops.ones_like")).astype(x.dtype if dtype is None else numpy_dtype(dtype))
    return op.Expand(constant(value), op.Shape(x))


@to_onnx("ops.full_like")
def full_like(op: Builder, x: Value, fill: Value, *, dtype: Any = None) -> Any:
    return op.Expand(cast(op, fill, x.dtype if dtype is None else numpy_dtype(dtype)), op.Shape(x))


@to_onnx("ops.cumsum")
def cumsum(op: Builder, x: Value, *, axis: Any = None, dtype: Any = None, exclusive: bool = False,
           reverse: bool = False) -> Any:
    if dtype is not None:
        x = cast(op, x, numpy_dtype(dtype))
    if axis is None and generation(op) == 3:
        x, axis = op.Reshape(x, ints([-1])), 0
    return op.CumSum(x, np.int64(axes_of(x, axis or 0)[0]), exclusive=int(exclusive), reverse=int(reverse))


