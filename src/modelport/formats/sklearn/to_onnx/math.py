"""The functions of numpy and scipy that are known by name."""
from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

import numpy as np

from ....codecs.pickle import Name, Record
from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..estimator import Estimator
from ..methods import Table, cosine, like, matrix, sigmoid


def log1p(op: Builder, x: Value) -> Value:
    """log(1 + x), also where x is tiny."""
    one = like(x, 1)
    u = op.Add(x, one)
    d = op.Sub(u, one)
    whole, none = op.Equal(d, x), op.Equal(d, like(x, 0))
    mended = op.Mul(op.Log(u), op.Div(x, op.Where(none, one, d)))
    out: Value = op.Where(none, x, op.Where(whole, op.Log(u), mended))
    return out


def expm1(op: Builder, x: Value) -> Value:
    """exp(x) - 1, also where x is tiny."""
    one = like(x, 1)
    u = op.Exp(x)
    d = op.Sub(u, one)
    none, far = op.Equal(d, like(x, 0)), op.Greater(op.Abs(x), one)
    mended = op.Div(op.Mul(d, x), op.Where(op.Or(none, far), one, op.Log(u)))
    out: Value = op.Where(none, x, op.Where(far, d, mended))
    return out


def _sinh(op: Builder, x: Value) -> Value:
    m = expm1(op, op.Abs(x))
    y = op.Div(op.Add(m, op.Div(m, op.Add(m, like(x, 1)))), like(x, 2))
    out: Value = op.Mul(op.Sign(x), op.Where(op.Equal(m, like(x, np.inf)), m, y))
    return out


def _cosh(op: Builder, x: Value) -> Value:
    u = op.Exp(op.Abs(x))
    out: Value = op.Div(op.Add(u, op.Reciprocal(u)), like(x, 2))
    return out


def _tanh(op: Builder, x: Value) -> Value:
    m = expm1(op, op.Mul(op.Abs(x), like(x, -2)))  # between -1 and 0
    out: Value = op.Neg(op.Mul(op.Sign(x), op.Div(m, op.Add(m, like(x, 2)))))
    return out


def _arcsinh(op: Builder, x: Value) -> Value:
    a = op.Abs(x)
    square = op.Mul(a, a)
    y = log1p(op, op.Add(a, op.Div(square, op.Add(op.Sqrt(op.Add(square, like(x, 1))), like(x, 1)))))
    far = op.Greater(a, like(x, 1e8))
    out: Value = op.Mul(op.Sign(x), op.Where(far, op.Add(op.Log(a), like(x, log(2))), y))
    return out


def _arctanh(op: Builder, x: Value) -> Value:
    a = op.Abs(x)
    y = log1p(op, op.Div(op.Mul(a, like(x, 2)), op.Sub(like(x, 1), a)))
    out: Value = op.Mul(op.Sign(x), op.Div(y, like(x, 2)))
    return out


def _cbrt(op: Builder, x: Value) -> Value:
    out: Value = op.Mul(op.Sign(x), op.Pow(op.Abs(x), like(x, 1 / 3)))
    return out


def _logit(op: Builder, x: Value) -> Value:
    out: Value = op.Sub(op.Log(x), log1p(op, op.Neg(x)))
    return out


Function = Callable[[Builder, Value], Value]
UNARY: dict[str, Function] = {
    "log1p": log1p, "expm1": expm1, "sinh": _sinh, "cosh": _cosh, "tanh": _tanh, "arcsinh": _arcsinh,
    "arctanh": _arctanh, "cbrt": _cbrt, "logit": _logit, "expit": sigmoid,
    "log": lambda op, x: op.Log(x), "exp": lambda op, x: op.Exp(x), "sqrt": lambda op, x: op.Sqrt(x),
    "log2": lambda op, x: op.Div(op.Log(x), like(x, log(2))),
    "log10": lambda op, x: op.Div(op.Log(x), like(x, log(10))), "exp2": lambda op, x: op.Pow(like(x, 2), x),
    "exp10": lambda op, x: op.Pow(like(x, 10), x), "abs": lambda op, x: op.Abs(x),
    "absolute": lambda op, x: op.Abs(x), "fabs": lambda op, x: op.Abs(x), "square": lambda op, x: op.Mul(x, x),
    "negative": lambda op, x: op.Neg(x), "positive": lambda op, x: x,
    "reciprocal": lambda op, x: op.Reciprocal(x), "sign": lambda op, x: op.Sign(x),
    "floor": lambda op, x: op.Floor(x), "ceil": lambda op, x: op.Ceil(x), "rint": lambda op, x: op.Round(x),
    "trunc": lambda op, x: op.Mul(op.Sign(x), op.Floor(op.Abs(x))), "sin": lambda op, x: op.Sin(x),
    "cos": cosine, "tan": lambda op, x: op.Div(op.Sin(x), op.Cos(x)),
    "deg2rad": lambda op, x: op.Mul(x, like(x, pi / 180)), "radians": lambda op, x: op.Mul(x, like(x, pi / 180)),
    "rad2deg": lambda op, x: op.Mul(x, like(x, 180 / pi)), "degrees": lambda op, x: op.Mul(x, like(x, 180 / pi)),
    "isnan": lambda op, x: op.IsNaN(x), "isfinite": lambda op, x: op.Not(op.Or(op.IsNaN(x), op.IsInf(x))),
    "signbit": lambda op, x: op.Less(x, like(x, 0)), "logical_not": lambda op, x: op.Equal(x, like(x, 0)),
    "asarray": lambda op, x: x, "array": lambda op, x: x, "ascontiguousarray": lambda op, x: x, "copy": lambda op, x: x}


def _clip(op: Builder, x: Value, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Value:
    low, high = (a if a is not None else b for a, b in ((a_min, min), (a_max, max)))
    x = x if low is None else op.Max(x, like(x, low))
    return x if high is None else op.Min(x, like(x, high))


def _nan_to_num(op: Builder, x: Value, copy: Any = True, nan: Any = 0.0, posinf: Any = None,
                neginf: Any = None) -> Value:
    limits = np.finfo(x.dtype)
    x = op.Where(op.IsNaN(x), like(x, nan), x)
    x = op.Where(op.Equal(x, like(x, np.inf)), like(x, limits.max if posinf is None else posinf), x)
    out: Value = op.Where(op.Equal(x, like(x, -np.inf)), like(x, limits.min if neginf is None else neginf), x)
    return out


def _round(op: Builder, x: Value, decimals: Any = 0) -> Value:
    scale = 10.0 ** abs(int(decimals))
    if decimals == 0:
        out: Value = op.Round(x)
        return out
    up, down = (op.Mul, op.Div) if decimals > 0 else (op.Div, op.Mul)
    return down(op.Round(up(x, like(x, scale))), like(x, scale))


WITH_SETTINGS: dict[str, Callable[..., Value]] = {"clip": _clip, "nan_to_num": _nan_to_num, "round": _round,
                                                  "around": _round, "round_": _round}


def named(func: Any) -> str:
    """The name of a function of numpy or scipy.special; empty for others."""
    if isinstance(func, Estimator):
        func = func.record
    if isinstance(func, Record):  # a ufunc, made again from its module and name
        words = [a for a in func.args if isinstance(a, str)]
        return words[-1] if "ufunc" in func.path and words and words[0].partition(".")[0] in ("numpy", "scipy") else ""
    if isinstance(func, Name) and func.module.partition(".")[0] in ("numpy", "scipy"):
        return func.name
    return ""


def applied(op: Builder, x: Any, e: Estimator, key: str, settings: str) -> Any:
    """What a function that is an attribute of an estimator makes of rows."""
    func, given = e.get(key), e.get(settings) or {}
    if func is None:
        return x
    name = named(func)
    if name not in UNARY and name not in WITH_SETTINGS:
        raise Unsupported(f"{e.path}: the function {func}, whose code is not in the file; convert the steps before it "
                          "with --split-at")
    if name in ("asarray", "array", "copy") and isinstance(x, Table) and not given:
        return x
    x = matrix(op, x)
    try:
        y = WITH_SETTINGS[name](op, x, **given) if name in WITH_SETTINGS else UNARY[name](op, x, **given)
    except TypeError:
        raise Unsupported(f"{e.path}: the arguments {', '.join(map(str, given))} of {name}") from None
    return y
