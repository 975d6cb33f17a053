"""Reductions.  Source: aten/src/ATen/native/ReduceOps.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import is_float
from ...reading import cast
from ..elements import of_any
from ..machine import aten
from ..values import BOOL, I64, axes_of, axis_of, known, rank, real, tensor
from .math import number

_I32 = np.dtype(np.int32)


def _axes(x: Value, dim: Any) -> Any:
    found = axes_of(x, dim)
    return None if len(found) == rank(x) and dim is None else np.array(found, np.int64)


def _reduced(op: Builder, name: str, x: Value, dim: Any, keepdim: bool) -> Value:
    if not rank(x):
        return x
    made: Value = getattr(op, name)(x, _axes(x, dim), keepdims=int(keepdim))
    return made


@aten("sum", "sum.dim_IntList")
def sum_(op: Builder, self: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    if dim is not None and not isinstance(dim, (list, tuple, int)):
        dim, dtype = None, dim
    x = tensor(op, self, of_any(dtype) or (self.dtype if is_float(self.dtype) else I64))
    return _reduced(op, "ReduceSum", x, dim, keepdim)


@aten("mean", "mean.dim")
def mean(op: Builder, self: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    return _reduced(op, "ReduceMean", tensor(op, self, of_any(dtype) or self.dtype), dim, keepdim)


@aten("prod", "prod.dim_int")
def prod(op: Builder, self: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    x = tensor(op, self, of_any(dtype) or (self.dtype if is_float(self.dtype) else I64))
    return _reduced(op, "ReduceProd", x, dim, keepdim)


@aten("amax")
def amax(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _extreme(op, "ReduceMax", self, dim or None, keepdim)


@aten("amin")
def amin(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _extreme(op, "ReduceMin", self, dim or None, keepdim)


def _extreme(op: Builder, name: str, x: Value, dim: Any, keepdim: bool) -> Value:
    if x.dtype == BOOL:
        return cast(op, _reduced(op, name, cast(op, x, _I32), dim, keepdim), BOOL)
    return _reduced(op, name, x, dim, keepdim)


def _with_place(op: Builder, self: Value, dim: Any, keepdim: bool, largest: bool) -> Any:
    if isinstance(dim, Value):
        from .math import maximum, minimum
        return (maximum if largest else minimum)(op, self, dim)
    name = "ReduceMax" if largest else "ReduceMin"
    if dim is None:
        return _extreme(op, name, self, None, False)
    return [_extreme(op, name, self, dim, keepdim), _place(op, self, dim, keepdim, largest)]


@aten("max", "max.dim")
def max_(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _with_place(op, self, dim, keepdim, True)


@aten("min", "min.dim")
def min_(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _with_place(op, self, dim, keepdim, False)


def _place(op: Builder, x: Value, dim: Any, keepdim: bool, largest: bool) -> Value:
    make = op.ArgMax if largest else op.ArgMin
    if x.dtype == BOOL or x.dtype == I64:
        x = cast(op, x, _I32) if x.dtype == BOOL else x
    made: Value
    if not rank(x):
        made = op.Reshape(make(op.Reshape(x, np.array([1])), axis=0, keepdims=0), np.array([], np.int64))
        return made
    if dim is None:
        made = make(op.Reshape(x, np.array([-1])), axis=0, keepdims=0)
        if keepdim:
            made = op.Reshape(made, np.ones(rank(x), np.int64))
        return made
    made = make(x, axis=axis_of(x, dim), keepdims=int(keepdim))
    return made


@aten("argmax")
def argmax(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _place(op, self, dim, keepdim, True)


@aten("argmin")
def argmin(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _place(op, self, dim, keepdim, False)


@aten("any", "any.dim", "any.dims")
def any_(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _extreme(op, "ReduceMax", cast(op, self, BOOL), dim, keepdim)


@aten("all", "all.dim", "all.dims")
def all_(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    return _extreme(op, "ReduceMin", cast(op, self, BOOL), dim, keepdim)


@aten("logsumexp", "special_logsumexp")
def logsumexp(op: Builder, self: Value, dim: Any, keepdim: bool = False) -> Any:
    """From the greatest, so that nothing overflows."""
    axes = np.array(axes_of(self, dim))
    top = op.ReduceMax(self, axes, keepdims=1)
    top = op.Where(op.IsInf(top), number(self, 0), top)
    total = op.Add(op.Log(op.ReduceSum(op.Exp(op.Sub(self, top)), axes, keepdims=1)), top)
    return total if keepdim else op.Squeeze(total, axes)


def _variance(op: Builder, x: Value, dim: Any, correction: Any, keepdim: bool) -> Value:
    axes = np.array(axes_of(x, dim))
    mean_ = op.ReduceMean(x, axes, keepdims=1)
    gap = op.Sub(x, mean_)
    total = op.ReduceSum(op.Mul(gap, gap), axes, keepdims=int(keepdim))
    correction = 1 if correction is None else known(correction)
    shape = x.shape or ()
    if all(isinstance(shape[a], int) for a in axes):
        count = float(np.prod([d for d in (shape[a] for a in axes) if isinstance(d, int)]))
        return op.Div(total, number(x, max(count - correction, 0)))
    sizes = op.Gather(op.Shape(x), axes, axis=0)
    number_of = cast(op, op.ReduceProd(sizes, keepdims=0), x.dtype)
    made: Value = op.Div(total, op.Max(op.Sub(number_of, number(x, correction)), number(x, 0)))
    return made


def _corrected(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, Any]:
    """``var(x, unbiased)`` and ``var(x, dim, unbiased)`` are older than ``correction``."""
    if isinstance(dim, bool):
        return None, int(dim)
    if isinstance(unbiased, bool):
        return dim, int(unbiased)
    return dim, correction


@aten("var", "var.dim", "var.correction")
def var(op: Builder, self: Value, dim: Any = None, unbiased: Any = None, keepdim: bool = False,
        correction: Any = None) -> Any:
    dim, correction = _corrected(dim, unbiased, correction)
    return _variance(op, self, dim, correction, keepdim)


@aten("std", "std.dim", "std.correction")
def std(op: Builder, self: Value, dim: Any = None, unbiased: Any = None, keepdim: bool = False,
        correction: Any = None) -> Any:
    return op.Sqrt(var(op, self, dim, unbiased, keepdim, correction))


@aten("var_mean", "var_mean.dim", "var_mean.correction")
def var_mean(op: Builder, self: Value, dim: Any = None, unbiased: Any = None, keepdim: bool = False,
             correction: Any = None) -> Any:
    dim, correction = _corrected(dim, unbiased, correction)
    return [_variance(op, self, dim, correction, keepdim), mean(op, self, dim, keepdim)]


@aten("std_mean", "std_mean.dim", "std_mean.correction")
def std_mean(op: Builder, self: Value, dim: Any = None, unbiased: Any = None, keepdim: bool = False,
             correction: Any = None) -> Any:
    v, m = var_mean(op, self, dim, unbiased, keepdim, correction)
    return [op.Sqrt(v), m]


@aten("cumsum")
def cumsum(op: Builder, self: Value, dim: int, dtype: Any = None) -> Any:
    x = tensor(op, self, of_any(dtype) or (self.dtype if is_float(self.dtype) else I64))
    return op.CumSum(x, np.asarray(axis_of(x, dim))) if rank(x) else op.Identity(x)


@aten("cumprod")
def cumprod(op: Builder, self: Value, dim: int, dtype: Any = None) -> Any:
    x = tensor(op, self, of_any(dtype) or (self.dtype if is_float(self.dtype) else I64))
    return op.CumProd(x, np.asarray(axis_of(x, dim)))


@aten("count_nonzero")
def count_nonzero(op: Builder, self: Value, dim: Any = None) -> Any:
    return _reduced(op, "ReduceSum", cast(op, cast(op, self, BOOL), I64), dim, False)


@aten("dist")
def dist(op: Builder, self: Value, other: Value, p: Any = 2) -> Any:
    from .linear import vector_norm
    return vector_norm(op, real(op, op.Sub(self, other)), p)
