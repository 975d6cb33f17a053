"""Functions that are rarer than those of :mod:`.math`.  Source: aten/src/ATen/native/BinaryOps.cpp, UnaryOps.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import is_float
from ...reading import cast
from ..elements import of_any
from ..machine import aten
from ..values import BOOL, F32, F64, Sym, affordable, known, promoted, real, tensor, whole
from .math import log1p, number, pow_


@aten("logaddexp")
def logaddexp(op: Builder, self: Value, other: Value) -> Any:
    """The greater, and log(1 + exp(-gap)); equal infinities are themselves."""
    a, b = promoted(op, self, other)
    top, gap = op.Max(a, b), op.Neg(op.Abs(op.Sub(a, b)))
    made = op.Add(top, log1p(op, op.Exp(gap)))
    return op.Where(op.And(op.Equal(a, b), op.IsInf(a)), a, made)


@aten("logaddexp2")
def logaddexp2(op: Builder, self: Value, other: Value) -> Any:
    a, b = promoted(op, self, other)
    top, gap = op.Max(a, b), op.Neg(op.Abs(op.Sub(a, b)))
    made = op.Add(top, op.Mul(log1p(op, op.Pow(number(a, 2), gap)), number(a, 1 / np.log(2))))
    return op.Where(op.And(op.Equal(a, b), op.IsInf(a)), a, made)


@aten("xlogy", "special_xlogy")
def xlogy(op: Builder, self: Any, other: Any) -> Any:
    """Zero where x is, unless the other is NaN."""
    a, b = promoted(op, self, other, real=True)
    made = op.Mul(a, op.Log(b))
    made = op.Where(op.Equal(a, number(a, 0)), number(a, 0), made)
    return op.Where(op.IsNaN(b), b, made)


@aten("special_xlog1py")
def xlog1py(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other, real=True)
    made = op.Where(op.Equal(a, number(a, 0)), number(a, 0), op.Mul(a, log1p(op, b)))
    return op.Where(op.IsNaN(b), b, made)


@aten("special_entr")
def entr(op: Builder, self: Value) -> Any:
    x = real(op, self)
    zero = number(x, 0)
    made = op.Mul(op.Neg(x), op.Log(x))
    made = op.Where(op.Equal(x, zero), zero, op.Where(op.Less(x, zero), number(x, -np.inf), made))
    return op.Where(op.IsNaN(x), x, made)


@aten("sinc", "special_sinc")
def sinc(op: Builder, self: Value) -> Any:
    x = op.Mul(real(op, self), number(real(op, self), np.pi))
    zero = op.Equal(x, number(x, 0))
    safe = op.Where(zero, number(x, 1), x)
    return op.Where(zero, number(x, 1), op.Div(op.Sin(safe), safe))


@aten("heaviside")
def heaviside(op: Builder, self: Value, values: Value) -> Any:
    x, v = promoted(op, self, values)
    zero, one = number(x, 0), number(x, 1)
    return op.Where(op.Equal(x, zero), v, op.Where(op.Less(x, zero), zero, one))


@aten("signbit")
def signbit(op: Builder, self: Value) -> Any:
    """True for -0, too, whose reciprocal is below zero."""
    zero = number(self, 0)
    low = op.Less(self, zero)
    if not is_float(self.dtype):
        return low
    return op.Or(low, op.And(op.Equal(self, zero), op.Less(op.Reciprocal(self), zero)))


@aten("copysign", "copysign.Tensor", "copysign.Scalar")
def copysign(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other, real=True)
    size = op.Abs(a)
    return op.Where(signbit(op, b), op.Neg(size), size)


@aten("isposinf")
def isposinf(op: Builder, self: Value) -> Any:
    return op.IsInf(self, detect_negative=0) if is_float(self.dtype) else op.Not(op.Equal(self, self))


@aten("isneginf")
def isneginf(op: Builder, self: Value) -> Any:
    return op.IsInf(self, detect_positive=0) if is_float(self.dtype) else op.Not(op.Equal(self, self))


@aten("deg2rad")
def deg2rad(op: Builder, self: Value) -> Any:
    x = real(op, self)
    return op.Mul(x, number(x, np.pi / 180))


@aten("rad2deg")
def rad2deg(op: Builder, self: Value) -> Any:
    x = real(op, self)
    return op.Mul(x, number(x, 180 / np.pi))


@aten("ldexp", "ldexp.Tensor")
def ldexp(op: Builder, self: Any, other: Any) -> Any:
    a = real(op, tensor(op, self))
    return op.Mul(a, op.Pow(number(a, 2), tensor(op, other, a.dtype)))


@aten("float_power")
def float_power(op: Builder, self: Any, exponent: Any) -> Any:
    wide = [tensor(op, x, F64) if isinstance(x, (Value, Sym)) else x for x in (self, exponent)]
    return tensor(op, pow_(op, *wide), F64)


@aten("logspace")
def logspace(op: Builder, start: Any, end: Any, steps: Any, base: float = 10.0, dtype: Any = None) -> Any:
    a, b = known(start), known(end)
    if isinstance(a, Sym) or isinstance(b, Sym):
        raise Unsupported("logspace between numbers that are known at run time only")
    affordable(whole(steps, "steps"))
    made = np.float64(base) ** np.linspace(a, b, whole(steps, "steps"))
    return constant(made.astype(of_any(dtype) or F32))


@aten("sgn")
def sgn(op: Builder, self: Value) -> Any:
    return op.Sign(self)


@aten("log_softmax_backward_data", "_softmax_backward_data")
def backward(op: Builder, *args: Any, **named: Any) -> Any:
    raise Unsupported("a gradient")


@aten("gcd")
def gcd(op: Builder, self: Value, other: Value) -> Any:
    raise Unsupported("the greatest common divisor: its steps depend on the numbers")


@aten("special_ndtr")
def ndtr(op: Builder, self: Value) -> Any:
    raise Unsupported("the normal distribution: ONNX has no complement of Erf, and 1 - Erf(x) loses its digits")


@aten("erfc", "special_erfc")
def erfc(op: Builder, self: Value) -> Any:
    raise Unsupported("ONNX has no complement of Erf, and 1 - Erf(x) loses its digits")


@aten("equal")
def equal(op: Builder, self: Value, other: Value) -> Any:
    """Whether all elements are: a truth value of Python."""
    if self.shape is not None and other.shape is not None and len(self.shape) != len(other.shape):
        return False
    same = op.ReduceMin(cast(op, op.Equal(self, other), np.dtype(np.int32)), keepdims=0)
    return known(Sym(cast(op, same, BOOL)))


@aten("allclose")
def allclose(op: Builder, self: Value, other: Value, rtol: float = 1e-5, atol: float = 1e-8,
             equal_nan: bool = False) -> Any:
    from .compare import isclose
    near = isclose(op, self, other, rtol, atol, equal_nan)
    return known(Sym(cast(op, op.ReduceMin(cast(op, near, np.dtype(np.int32)), keepdims=0), BOOL)))
