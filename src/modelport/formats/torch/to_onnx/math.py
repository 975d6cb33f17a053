"""Elementwise arithmetic of tensors and numbers, by PyTorch's rules for element types."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import is_float
from ...reading import cast
from ..elements import of_any
from ..machine import aten
from ..values import BOOL, F32, F64, I64, Complex, category, kind, known, promoted, real, result_type, tensor


def number(x: Value, n: Any) -> Any:
    """A number of Python in the element type of ``x``."""
    return np.asarray(n, x.dtype)


def scaled(op: Builder, x: Any, alpha: Any) -> Any:
    """``x * alpha``, ``x`` itself for 1."""
    alpha = known(alpha)
    return x if isinstance(alpha, (int, float)) and alpha == 1 else mul(op, x, alpha)


@aten("add", "__iadd__")
def add(op: Builder, self: Any, other: Any, alpha: Any = 1) -> Any:
    a, b = promoted(op, self, scaled(op, other, alpha))
    return op.Or(a, b) if a.dtype == BOOL else op.Add(a, b)


@aten("sub", "subtract")
def sub(op: Builder, self: Any, other: Any, alpha: Any = 1) -> Any:
    return op.Sub(*promoted(op, self, scaled(op, other, alpha)))


@aten("rsub")
def rsub(op: Builder, self: Any, other: Any, alpha: Any = 1) -> Any:
    return sub(op, other, self, alpha)


@aten("mul", "multiply")
def mul(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other)
    return op.And(a, b) if a.dtype == BOOL else op.Mul(a, b)


@aten("div", "divide", "true_divide")
def div(op: Builder, self: Any, other: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode is None:
        return op.Div(*promoted(op, self, other, real=True))
    if rounding_mode == "floor":
        return floor_divide(op, self, other)
    a, b = promoted(op, self, other)
    return truncated(op, op.Div(a, b)) if is_float(a.dtype) else op.Div(a, b)


def truncated(op: Builder, x: Value) -> Value:
    """Towards zero."""
    out: Value = op.Mul(op.Sign(x), op.Floor(op.Abs(x)))
    return out


@aten("floor_divide")
def floor_divide(op: Builder, self: Any, other: Any) -> Any:
    """Rounded down.  Of reals as the kernel does it (div_floor_floating): from the remainder, so that a quotient that
    rounds to a whole number is not too large."""
    a, b = promoted(op, self, other)
    if not is_float(a.dtype):
        return op.Div(op.Sub(a, op.Mod(a, b)), b)
    rest = op.Mod(a, b, fmod=1)
    quotient = op.Div(op.Sub(a, rest), b)
    zero, one = number(a, 0), number(a, 1)
    against = op.And(op.Not(op.Equal(rest, zero)), op.Xor(op.Less(b, zero), op.Less(rest, zero)))
    quotient = op.Where(against, op.Sub(quotient, one), quotient)
    whole = op.Floor(quotient)
    whole = op.Where(op.Greater(op.Sub(quotient, whole), number(a, 0.5)), op.Add(whole, one), whole)
    return op.Where(op.Equal(b, zero), op.Div(a, b), whole)


@aten("remainder")
def remainder(op: Builder, self: Any, other: Any) -> Any:
    """With the sign of the divisor."""
    a, b = promoted(op, self, other)
    if not is_float(a.dtype):
        return op.Mod(a, b)
    rest, zero = op.Mod(a, b, fmod=1), number(a, 0)
    against = op.And(op.Not(op.Equal(rest, zero)), op.Xor(op.Less(b, zero), op.Less(rest, zero)))
    return op.Where(against, op.Add(rest, b), rest)


@aten("fmod")
def fmod(op: Builder, self: Any, other: Any) -> Any:
    return op.Mod(*promoted(op, self, other), fmod=1)


@aten("pow", "pow.Tensor_Tensor", "pow.Tensor_Scalar", "pow.Scalar")
def pow_(op: Builder, self: Any, exponent: Any) -> Any:
    exponent = known(exponent)
    to = result_type(self, exponent)
    if to == BOOL or (category(to) == 1 and isinstance(exponent, int) and exponent < 0):
        raise Unsupported("a power of truth values, or a negative one of integers")
    a = tensor(op, self, to)
    if isinstance(exponent, (int, float)) and not isinstance(exponent, bool):
        if exponent == 2:
            return op.Mul(a, a)
        if exponent == 0.5:
            return op.Sqrt(a)
        if exponent == -0.5:
            return op.Reciprocal(op.Sqrt(a))
        if exponent == 3:
            return op.Mul(op.Mul(a, a), a)
        if exponent == -1:
            return op.Reciprocal(a)
        if exponent == 1:
            return op.Identity(a)
    return op.Pow(a, tensor(op, exponent, to))


@aten("addcmul")
def addcmul(op: Builder, self: Value, tensor1: Value, tensor2: Value, value: Any = 1) -> Any:
    return add(op, self, scaled(op, mul(op, tensor1, tensor2), value))


@aten("addcdiv")
def addcdiv(op: Builder, self: Value, tensor1: Value, tensor2: Value, value: Any = 1) -> Any:
    return add(op, self, scaled(op, div(op, tensor1, tensor2), value))


@aten("lerp")
def lerp(op: Builder, self: Value, end: Value, weight: Any) -> Any:
    """From the end that is nearer, as the kernel does (lerp in native/Lerp.h)."""
    w, gap = tensor(op, weight, self.dtype), op.Sub(end, self)
    near = op.Less(op.Abs(w), number(w, 0.5))
    return op.Where(near, op.Add(self, op.Mul(w, gap)), op.Sub(end, op.Mul(gap, op.Sub(number(w, 1), w))))


_REALS = {"exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin",
          "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh",
          "atanh": "Atanh", "erf": "Erf", "reciprocal": "Reciprocal", "tanh": "Tanh"}
_ALSO = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
         "atanh": "arctanh", "erf": "special_erf"}


def _unary(name: str, onnx: str, reals: bool) -> None:
    @aten(name, *([_ALSO[name]] if name in _ALSO else []))
    def rule(op: Builder, self: Any) -> Any:
        x = tensor(op, self)
        return getattr(op, onnx)(real(op, x) if reals else x)


for _name, _onnx in _REALS.items():
    _unary(_name, _onnx, True)
_unary("sign", "Sign", False)


@aten("neg", "negative")
def neg(op: Builder, self: Any) -> Any:
    return op.Neg(tensor(op, self))


@aten("abs", "absolute")
def abs_(op: Builder, self: Value) -> Any:
    return op.Abs(self)


@aten("positive")
def positive(op: Builder, self: Value) -> Any:
    return self


@aten("floor")
def floor(op: Builder, self: Value) -> Any:
    return op.Floor(self) if is_float(self.dtype) else op.Identity(self)


@aten("ceil")
def ceil(op: Builder, self: Value) -> Any:
    return op.Ceil(self) if is_float(self.dtype) else op.Identity(self)


@aten("trunc", "fix")
def trunc(op: Builder, self: Value) -> Any:
    return truncated(op, self) if is_float(self.dtype) else op.Identity(self)


@aten("frac")
def frac(op: Builder, self: Value) -> Any:
    return op.Sub(self, truncated(op, self))


@aten("round")
def round_(op: Builder, self: Value, decimals: int = 0) -> Any:
    if not is_float(self.dtype):
        return op.Identity(self)
    if not decimals:
        return op.Round(self)
    scale = number(self, 10.0 ** abs(decimals))
    if decimals > 0:
        return op.Div(op.Round(op.Mul(self, scale)), scale)
    return op.Mul(op.Round(op.Div(self, scale)), scale)


@aten("rsqrt")
def rsqrt(op: Builder, self: Value) -> Any:
    return op.Reciprocal(op.Sqrt(real(op, self)))


@aten("square")
def square(op: Builder, self: Value) -> Any:
    return op.Mul(self, self)


@aten("expm1", "special_expm1")
def expm1(op: Builder, self: Value) -> Any:
    """2 exp(x / 2) sinh(x / 2), which is exact where x is small, and exp(x) - 1 where sinh would overflow."""
    x = real(op, self)
    half = op.Mul(x, number(x, 0.5))
    near = op.Mul(op.Mul(op.Exp(half), op.Sinh(half)), number(x, 2))
    return op.Where(op.Less(op.Abs(x), number(x, 1)), near, op.Sub(op.Exp(x), number(x, 1)))


@aten("log1p", "special_log1p")
def log1p(op: Builder, self: Value) -> Any:
    """With the error of 1 + x taken out again (Higham, Accuracy and Stability of Numerical Algorithms, 1.14.1)."""
    x = real(op, self)
    one = number(x, 1)
    u = op.Add(x, one)
    near = op.Mul(op.Log(u), op.Div(x, op.Sub(u, one)))
    out = op.Where(op.Equal(u, one), x, near)
    return op.Where(op.Or(op.IsInf(x), op.Equal(x, op.Neg(one) if isinstance(one, Value) else -one)), op.Log(u), out)


@aten("log2")
def log2(op: Builder, self: Value) -> Any:
    x = real(op, self)
    return op.Div(op.Log(x), number(x, np.log(2.0)))


@aten("log10")
def log10(op: Builder, self: Value) -> Any:
    x = real(op, self)
    return op.Div(op.Log(x), number(x, np.log(10.0)))


@aten("exp2", "special_exp2")
def exp2(op: Builder, self: Value) -> Any:
    x = real(op, self)
    return op.Pow(number(x, 2), x)


@aten("atan2", "arctan2")
def atan2(op: Builder, self: Any, other: Any) -> Any:
    """By quadrants.  The signs of zeros are those of numbers: -0 counts as 0."""
    y, x = promoted(op, self, other, real=True)
    zero, pi = number(x, 0), number(x, np.pi)
    base = op.Atan(op.Div(y, x))
    left = op.Where(op.Less(y, zero), op.Sub(base, pi), op.Add(base, pi))
    out = op.Where(op.Less(x, zero), left, base)
    upright = op.Mul(op.Sign(y), number(x, np.pi / 2))
    return op.Where(op.Equal(x, zero), upright, out)


@aten("hypot")
def hypot(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other)
    return op.Sqrt(op.Add(op.Mul(a, a), op.Mul(b, b)))


@aten("maximum", "max.other")
def maximum(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other)
    return op.Or(a, b) if a.dtype == BOOL else op.Max(a, b)


@aten("minimum", "min.other")
def minimum(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other)
    return op.And(a, b) if a.dtype == BOOL else op.Min(a, b)


@aten("fmax")
def fmax(op: Builder, self: Any, other: Any) -> Any:
    """The greater; a number beats NaN."""
    a, b = promoted(op, self, other)
    return op.Where(op.IsNaN(a), b, op.Where(op.IsNaN(b), a, op.Max(a, b))) if is_float(a.dtype) else op.Max(a, b)


@aten("fmin")
def fmin(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other)
    return op.Where(op.IsNaN(a), b, op.Where(op.IsNaN(b), a, op.Min(a, b))) if is_float(a.dtype) else op.Min(a, b)


@aten("clamp", "clip", "clamp.Tensor", "clip.Tensor")
def clamp(op: Builder, self: Value, min: Any = None, max: Any = None) -> Any:
    """By the lower bound first: where bounds cross, the upper one wins, as PyTorch says."""
    bounds = [b for b in (min, max) if b is not None]
    to = result_type(self, *bounds)
    x = tensor(op, self, to)
    for bound, make in ((min, op.Max), (max, op.Min)):
        if bound is not None:
            b = tensor(op, bound, to)
            if (b.data is not None or b.rank == 0) and min is not None and max is not None and b.rank == 0 \
                    and not isinstance(min, Value) and not isinstance(max, Value):
                return op.Clip(x, tensor(op, min, to), tensor(op, max, to)) if _ordered(min, max) \
                    else op.Min(op.Max(x, tensor(op, min, to)), tensor(op, max, to))
            x = make(x, b)
    return x


def _ordered(low: Any, high: Any) -> bool:
    low, high = known(low), known(high)
    return isinstance(low, (int, float)) and isinstance(high, (int, float)) and low <= high


@aten("clamp_min")
def clamp_min(op: Builder, self: Value, min: Any) -> Any:
    return clamp(op, self, min)


@aten("clamp_max")
def clamp_max(op: Builder, self: Value, max: Any) -> Any:
    return clamp(op, self, None, max)


@aten("to", "_to_copy", "type_as", "to.dtype", "to.other", "to.device", "to.dtype_layout", "prims.convert_element_type")
def to(op: Builder, self: Any, *args: Any, dtype: Any = None, other: Any = None, **where: Any) -> Any:
    """``x.to(...)``: an element type, or another tensor; what else is said is where and how."""
    for a in args:
        if isinstance(a, Value):
            other = a
        elif isinstance(a, np.dtype) or (isinstance(a, int) and not isinstance(a, bool) and dtype is None):
            dtype = a
    wanted = other.dtype if other is not None else of_any(dtype)
    x = tensor(op, self)
    if wanted is None:
        return x
    if wanted.kind == "c":
        x = cast(op, x, F64 if wanted.itemsize == 16 else F32)
        return Complex(x, op.Expand(number(x, 0), op.Shape(x)))
    if is_float(x.dtype) and wanted.kind in "iu" and wanted.itemsize < 4:
        return cast(op, cast(op, x, np.dtype(np.int32)), wanted)  # by way of int, whose conversion is defined
    return cast(op, x, wanted)


def _method(name: str, dtype: Any) -> None:
    @aten(name)
    def rule(op: Builder, self: Value, non_blocking: bool = False) -> Any:
        return cast(op, self, dtype)


for _name, _dtype in {"float": F32, "double": F64, "half": np.dtype(np.float16), "long": I64,
                      "int": np.dtype(np.int32), "bool": BOOL}.items():
    _method(_name, _dtype)


@aten("nan_to_num")
def nan_to_num(op: Builder, self: Value, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Any:
    if not is_float(self.dtype):
        return op.Identity(self)
    info = np.finfo(np.float32 if kind(self) == F32 else self.dtype)
    x = op.Where(op.IsNaN(self), number(self, nan or 0.0), self)
    x = op.Where(op.IsInf(x, detect_negative=0), number(self, info.max if posinf is None else posinf), x)
    return op.Where(op.IsInf(x, detect_positive=0), number(self, info.min if neginf is None else neginf), x)
