"""Elementwise functions in arithmetic, exponentials and logarithms, to a few units in the last place of float32.

What the function bodies of ONNX's schema lose where two nearly equal numbers are subtracted (Elu and Softplus near
zero), these rules do not."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float

rules = Rules("the hub", "simpler operators")
_F32 = NUMBER[np.dtype(np.float32)]


def _like(x: Value, number: float) -> Any:
    return np.array(number, x.dtype)


def _real(f: Callable[..., Any]) -> Callable[..., Value]:
    """A function of one real tensor; half precision is computed in float32."""
    def rule(op: Builder, x: Value, **attrs: Any) -> Value:
        if not is_float(x.dtype):
            raise Unsupported(f"element type {x.dtype}")
        small = x.dtype.itemsize < 4
        y: Value = f(op, op.Cast(x, to=_F32) if small else x, **attrs)
        made: Value = op.Cast(y, to=NUMBER[x.dtype]) if small else y
        return made
    return rule


def polynomial(op: Builder, x: Value, coefficients: Sequence[float]) -> Any:
    """By Horner's rule, the highest power first."""
    y: Any = _like(x, coefficients[0])
    for c in coefficients[1:]:
        y = op.Add(op.Mul(y, x), _like(x, c))
    return y


def log1p(op: Builder, y: Value) -> Any:
    """log(1 + y) for y not below zero; up to one half by the series of 2 artanh(y / (2 + y)).

    The logarithm of a number near one can't be had from the logarithm: 1 + y has lost y's digits."""
    t = op.Div(y, op.Add(y, _like(y, 2)))
    series = op.Mul(t, polynomial(op, op.Mul(t, t), [2 / 9, 2 / 7, 2 / 5, 2 / 3, 2]))
    return op.Where(op.Less(y, _like(y, 0.5)), series, op.Log(op.Add(y, _like(y, 1))))


def _mirrored(op: Builder, x: Value, y: Any) -> Any:
    """An odd function of which ``y`` are the values for ``|x|``."""
    return op.Where(op.Less(x, _like(x, 0)), op.Neg(y), y)


@rules("Tan")
@_real
def tan(op: Builder, x: Value) -> Any:
    return op.Div(op.Sin(x), op.Cos(x))


@rules("Sinh")
@_real
def sinh(op: Builder, x: Value) -> Any:
    """The series up to x^11 / 11! below one; else half the exponential, made of two factors that do not overflow."""
    squared = op.Mul(x, x)
    series = op.Mul(x, polynomial(op, squared, [1 / math.factorial(k) for k in (11, 9, 7, 5, 3, 1)]))
    size = op.Abs(x)
    half = op.Exp(op.Mul(size, _like(x, 0.5)))
    large = op.Sub(op.Mul(op.Mul(half, _like(x, 0.5)), half), op.Div(op.Div(_like(x, 0.5), half), half))
    return op.Where(op.Less(size, _like(x, 1)), series, _mirrored(op, x, large))


@rules("Cosh")
@_real
def cosh(op: Builder, x: Value) -> Any:
    half = op.Exp(op.Mul(op.Abs(x), _like(x, 0.5)))
    return op.Add(op.Mul(op.Mul(half, _like(x, 0.5)), half), op.Div(op.Div(_like(x, 0.5), half), half))


@rules("Asin")
@_real
def asin(op: Builder, x: Value) -> Any:
    """The angle of the right triangle with hypotenuse 1: the infinite slope at one is a right angle."""
    one = _like(x, 1)
    return op.Atan(op.Div(x, op.Sqrt(op.Mul(op.Sub(one, x), op.Add(one, x)))))


@rules("Acos")
@_real
def acos(op: Builder, x: Value) -> Any:
    """Half the angle has the tangent sqrt((1 - x) / (1 + x))."""
    one = _like(x, 1)
    return op.Mul(op.Atan(op.Sqrt(op.Div(op.Sub(one, x), op.Add(one, x)))), _like(x, 2))


@rules("Atan")
@_real
def atan(op: Builder, x: Value) -> Any:
    """Halved twice by atan(a) = 2 atan(a / (1 + sqrt(1 + a^2))), then the series; of the complement for |x| > 1."""
    one = _like(x, 1)
    size = op.Abs(x)
    large = op.Greater(size, one)
    a = op.Where(large, op.Div(one, op.Max(size, one)), size)
    for _ in range(2):
        a = op.Div(a, op.Add(one, op.Sqrt(op.Add(one, op.Mul(a, a)))))
    squared = op.Mul(a, a)
    series = polynomial(op, squared, [1 / 9, -1 / 7, 1 / 5, -1 / 3, 1])
    angle = op.Mul(op.Mul(a, series), _like(x, 4))
    return _mirrored(op, x, op.Where(large, op.Sub(_like(x, math.pi / 2), angle), angle))


@rules("Asinh")
@_real
def asinh(op: Builder, x: Value) -> Any:
    """log(a + sqrt(a^2 + 1)) as log(1 + ...) of a = |x|; log(2 a) where the square would overflow."""
    one, size = _like(x, 1), op.Abs(x)
    large = op.Greater(size, _like(x, 1e9))
    a = op.Where(large, one, size)
    small = log1p(op, op.Add(a, op.Mul(a, op.Div(a, op.Add(one, op.Sqrt(op.Add(op.Mul(a, a), one)))))))
    return _mirrored(op, x, op.Where(large, op.Add(op.Log(size), _like(x, math.log(2))), small))


@rules("Acosh")
@_real
def acosh(op: Builder, x: Value) -> Any:
    """log(x + sqrt(x^2 - 1)) as log(1 + ...) of t = x - 1; log(2 x) where the square would overflow."""
    one = _like(x, 1)
    large = op.Greater(x, _like(x, 1e9))
    t = op.Sub(op.Where(large, one, x), one)
    small = log1p(op, op.Add(t, op.Sqrt(op.Mul(t, op.Add(t, _like(x, 2))))))
    return op.Where(large, op.Add(op.Log(x), _like(x, math.log(2))), small)


@rules("Atanh")
@_real
def atanh(op: Builder, x: Value) -> Any:
    size = op.Abs(x)
    whole = log1p(op, op.Div(op.Mul(size, _like(x, 2)), op.Sub(_like(x, 1), size)))
    return _mirrored(op, x, op.Mul(whole, _like(x, 0.5)))


@rules("Erf")
@_real
def erf(op: Builder, x: Value) -> Any:
    """A rational function of float32, +-1 beyond 4.

    The coefficients are those of XLA and Eigen (EvaluateErf in xla/hlo/builder/lib/math.cc)."""
    x = op.Clip(x, _like(x, -4), _like(x, 4))
    squared = op.Mul(x, x)
    above = polynomial(op, squared, [-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06,
                                     -5.69250639462346e-05, -7.34990630326855e-04, -2.95459980854025e-03,
                                     -1.60960333262415e-02])
    below = polynomial(op, squared, [-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03,
                                     -7.37332916720468e-03, -1.42647390514189e-02])
    return op.Div(op.Mul(x, above), below)


@rules("Softplus")
@_real
def softplus(op: Builder, x: Value) -> Any:
    return op.Add(op.Relu(x), log1p(op, op.Exp(op.Neg(op.Abs(x)))))


@rules("Mish")
@_real
def mish(op: Builder, x: Value) -> Any:
    """x tanh(log(1 + e^x)) = x n / (n + 2) with n = e^x (e^x + 2), which is x itself from 20 on."""
    w = op.Exp(op.Min(x, _like(x, 20)))
    n = op.Mul(w, op.Add(w, _like(x, 2)))
    return op.Mul(x, op.Div(n, op.Add(n, _like(x, 2))))


@rules("Selu")
@_real
def selu(op: Builder, x: Value, *, alpha: float = 1.67326319217681884765625,
         gamma: float = 1.05070102214813232421875) -> Any:
    return op.Mul(op.Elu(x, alpha=alpha), _like(x, gamma))


@rules("Celu")
@_real
def celu(op: Builder, x: Value, *, alpha: float = 1.0) -> Any:
    if not alpha:
        raise Unsupported("alpha of zero")
    below = op.Mul(op.Elu(op.Div(op.Min(x, _like(x, 0)), _like(x, alpha)), alpha=1.0), _like(x, alpha))
    return op.Add(op.Relu(x), below)


@rules("Sum")
def sum_(op: Builder, *values: Value) -> Value:
    made = values[0]
    for v in values[1:]:
        made = op.Add(made, v)
    return made


@rules("Mean")
def mean(op: Builder, *values: Value) -> Value:
    made: Value = op.Div(sum_(op, *values), _like(values[0], len(values)))
    return made
