"""Reductions and running products, norms and determinants."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import is_float
from . import sizes
from .sizes import ints, number, rank

rules = Rules("the hub", "simpler operators")
_LONGEST = 4096  # the longest running product


def _reduction(name: str, before: Callable[[Builder, Value], Any], after: Callable[[Builder, Any], Any]) -> None:
    @rules(name)
    def rule(op: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1,
             noop_with_empty_axes: int = 0) -> Value:
        made: Value = after(op, op.ReduceSum(before(op, x), axes, keepdims=keepdims,
                                             noop_with_empty_axes=noop_with_empty_axes))
        return made


_reduction("ReduceL1", lambda op, x: op.Abs(x), lambda op, y: y)
_reduction("ReduceSumSquare", lambda op, x: op.Mul(x, x), lambda op, y: y)
_reduction("ReduceLogSum", lambda op, x: x, lambda op, y: op.Log(y))


@rules("ReduceL2")
def reduce_l2(op: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1,
              noop_with_empty_axes: int = 0) -> Value:
    if not is_float(x.dtype):
        raise Unsupported(f"element type {x.dtype}")
    made: Value = op.Sqrt(op.ReduceSum(op.Mul(x, x), axes, keepdims=keepdims,
                                       noop_with_empty_axes=noop_with_empty_axes))
    return made


@rules("ReduceLogSumExp")
def log_sum_exp(op: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1,
                noop_with_empty_axes: int = 0) -> Value:
    """The largest term is taken out, so that no exponential overflows; one that is infinite is not."""
    if not is_float(x.dtype):
        raise Unsupported(f"element type {x.dtype}")
    options = {"noop_with_empty_axes": noop_with_empty_axes}
    axes = None if axes is not None and axes.shape == (0,) else axes
    most = op.ReduceMax(x, axes, keepdims=1, **options)
    finite = op.Less(op.Abs(most), np.array(np.inf, x.dtype))
    most = op.Where(finite, most, np.zeros((), x.dtype))
    y = op.Log(op.ReduceSum(op.Exp(op.Sub(x, most)), axes, keepdims=keepdims, **options))
    if not keepdims:  # of one element each
        most = op.ReduceSum(most, axes, keepdims=0, **options)
        finite = op.Less(op.Abs(op.ReduceMax(x, axes, keepdims=0, **options)), np.array(np.inf, x.dtype))
    made: Value = op.Where(finite, op.Add(y, most), y)
    return made


@rules("LpNormalization")
def lp_normalization(op: Builder, x: Value, *, axis: int = -1, p: int = 2) -> Value:
    """Where the norm is zero, so is the result."""
    norm = op.add(f"ReduceL{p}", x, ints(axis), keepdims=1)
    made: Value = op.Div(x, op.Where(op.Equal(norm, np.zeros((), x.dtype)), np.ones((), x.dtype), norm))
    return made


@rules("CumProd")
def cum_prod(op: Builder, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Value:
    """Each step multiplies by what lies 1, 2, 4 ... places before, so that the factors double."""
    n = rank(x)
    if axis.data is None:  # each axis is tried, and the one that is meant is taken
        at_ = op.Mod(sizes.one(op, sizes.wide(op, axis)), number(n))
        best = x
        for k in range(n):
            best = op.Where(op.Equal(at_, number(k)), cum_prod(op, x, number(k), exclusive=exclusive, reverse=reverse),
                            best)
        return best
    at = int(axis.numpy().reshape(())) % n
    length = sizes.dim(x, at)
    if not isinstance(length, int) or length > _LONGEST:
        raise Unsupported(f"along an axis of {length} elements")
    y = x

    def moved(v: Any, by: int) -> Any:
        kept = op.Slice(v, ints(by), ints(length), ints(at)) if reverse else op.Slice(v, ints(0), ints(-by), ints(at))
        pads = [0] * (2 * n)
        pads[at + n if reverse else at] = by
        return op.Pad(kept, np.array(pads, np.int64), np.ones((), x.dtype))
    if exclusive and length:
        y = moved(y, 1)
    step = 1
    while step < length:
        y = op.Mul(y, moved(y, step))
        step *= 2
    made: Value = op.Identity(y) if y is x else y
    return made


@rules("Det")
def det(op: Builder, x: Value) -> Value:
    """By the rule of Laplace along the first row, of at most 4 rows."""
    n = sizes.dim(x, -1)
    if not isinstance(n, int) or not 1 <= n <= 4:
        raise Unsupported(f"of a matrix of {n} rows")
    axes = rank(x)
    rows = [op.Gather(x, number(k), axis=axes - 2) for k in range(n)]
    cells = [[op.Gather(row, number(k), axis=axes - 2) for k in range(n)] for row in rows]

    def minor(first: int, columns: tuple[int, ...]) -> Any:
        total: Any = None
        for k, c in enumerate(columns):
            term = cells[first][c]
            if len(columns) > 1:
                term = op.Mul(term, minor(first + 1, columns[:k] + columns[k + 1:]))
            total = term if total is None else op.Sub(total, term) if k % 2 else op.Add(total, term)
        return total
    made: Value = minor(0, tuple(range(n)))
    return made
