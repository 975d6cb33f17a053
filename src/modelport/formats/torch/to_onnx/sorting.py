"""What depends on the order of elements: medians, quantiles, running extremes, sets, counts, places in an order.

Source: aten/src/ATen/native/Sorting.cpp, ReduceOps.cpp, Bucketization.cpp, Histogram.cpp, SummaryOps.cpp."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import Type, is_float
from ...reading import cast
from ..machine import aten
from ..values import F32, I64, Sym, axis_of, ints, known, promoted, rank, size, tensor, whole
from .index import sort
from .math import number

_I32 = np.dtype(np.int32)
FLAT = np.array([-1])


def _chosen(op: Builder, x: Value, axis: int, at: Any, keepdim: bool) -> list[Value]:
    """The element that is at a place when its row is in order, and where it was."""
    values, places = sort(op, x, axis)
    where = ints(op, [at])
    found = [op.Gather(v, where, axis=axis) for v in (values, places)]
    return found if keepdim else [op.Squeeze(v, np.array([axis])) for v in found]


def _median(op: Builder, x: Value, axis: int, keepdim: bool) -> list[Value]:
    """NaN where there is one."""
    found = _chosen(op, x, axis, _middle(op, x, axis), True)
    if is_float(x.dtype):
        nan = op.IsNaN(x)
        some = op.ReduceMax(cast(op, nan, _I32), np.array([axis]), keepdims=1)
        has = op.Greater(some, np.int32(0))
        found = [op.Where(has, number(x, np.nan), found[0]),
                 op.Where(has, op.ArgMax(cast(op, nan, _I32), axis=axis, keepdims=1), found[1])]
    return found if keepdim else [op.Squeeze(v, np.array([axis])) for v in found]


def _middle(op: Builder, x: Value, axis: int) -> Any:
    n = size(op, x, axis)
    if isinstance(n, int):
        return (n - 1) // 2
    return Sym(op.Div(op.Sub(n.value, np.int64(1)), np.int64(2)))


@aten("median", "median.dim")
def median(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower one of two."""
    if dim is None:
        flat = op.Reshape(self, FLAT)
        return _median(op, flat, 0, False)[0]
    if not rank(self):
        return [self, op.Expand(np.int64(0), op.Shape(self))]
    axis = axis_of(self, dim)
    return _median(op, self, axis, keepdim)


@aten("kthvalue")
def kthvalue(op: Builder, self: Value, k: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """NaN counts as the greatest."""
    axis = axis_of(self, dim)
    if not is_float(self.dtype):
        return _chosen(op, self, axis, whole(k, "k") - 1, keepdim)
    key = op.Where(op.IsNaN(self), number(self, np.inf), self)
    place = _chosen(op, key, axis, whole(k, "k") - 1, True)[1]
    found = [op.GatherElements(self, place, axis=axis), place]
    return found if keepdim else [op.Squeeze(v, np.array([axis])) for v in found]


@aten("mode")
def mode(op: Builder, self: Value, dim: int = -1, keepdim: bool = False) -> Any:
    """The least of those that occur most often, and the last place where it does."""
    axis = axis_of(self, dim)
    x = sort(op, self, axis)[0]
    same = cast(op, op.Equal(op.Unsqueeze(self, np.array([axis])), op.Unsqueeze(x, np.array([axis + 1]))), I64)
    counts = op.ReduceSum(same, np.array([axis + 1]), keepdims=0)
    first = op.ArgMax(counts, axis=axis, keepdims=1)
    value = op.GatherElements(x, first, axis=axis)
    here = cast(op, op.Equal(self, value), _I32)
    last = op.ArgMax(here, axis=axis, keepdims=1, select_last_index=1)
    return [value, last] if keepdim else [op.Squeeze(v, np.array([axis])) for v in (value, last)]


@aten("quantile", "quantile.scalar")
def quantile(op: Builder, self: Value, q: Any, dim: Any = None, keepdim: bool = False,
             interpolation: str = "linear") -> Any:
    """Between the two elements that are nearest in order."""
    x = op.Reshape(self, FLAT) if dim is None else self
    axis = 0 if dim is None else axis_of(self, dim)
    wanted = tensor(op, q, x.dtype)
    one = not wanted.rank
    last = size(op, x, axis)
    top = number(x, last - 1) if isinstance(last, int) else op.Sub(cast(op, last.value, x.dtype), number(x, 1))
    at = op.Mul(op.Reshape(wanted, FLAT), top)
    if interpolation == "nearest":
        at = op.Round(at)
    elif interpolation in ("lower", "higher"):
        at = op.Floor(at) if interpolation == "lower" else op.Ceil(at)
    elif interpolation not in ("linear", "midpoint"):
        raise Unsupported(f"quantile '{interpolation}'")
    ordered, _ = sort(op, x, axis)
    below = op.Floor(at)
    share = op.Sub(at, below) if interpolation != "midpoint" else op.Where(
        op.Equal(at, below), number(x, 0), number(x, 0.5))
    low, high = (op.Gather(ordered, cast(op, v, I64), axis=axis) for v in (below, op.Ceil(at)))
    share = op.Reshape(share, np.array([-1 if a == axis else 1 for a in range(rank(x))]))
    gap = op.Sub(high, low)
    near = op.Add(low, op.Mul(share, gap))
    far = op.Sub(high, op.Mul(gap, op.Sub(number(x, 1), share)))
    y = op.Where(op.Less(share, number(x, 0.5)), near, far)
    some = op.ReduceMax(cast(op, op.IsNaN(x), _I32), np.array([axis]), keepdims=1)
    y = op.Where(op.Greater(some, np.int32(0)), number(x, np.nan), y)
    # the axis of quantiles comes first; that of the rows stays, of size one, with keepdim
    y = op.Unsqueeze(op.Transpose(y, perm=[axis, *(a for a in range(rank(x)) if a != axis)]), np.array([axis + 1]))
    if not keepdim:
        y = op.Squeeze(y, np.array([axis + 1]))
    elif dim is None:
        y = op.Reshape(y, np.array([-1, *[1] * rank(self)]))
    return op.Squeeze(y, np.array([0])) if one else y


Step = Callable[[Builder, Value, Sequence[Value]], Sequence[Value]]


def running(op: Builder, x: Value, axis: int, starts: Sequence[Value], step: Step) -> list[Value]:
    """What ``step`` makes of each slice along an axis and what it made before."""
    shape = x.shape or ()
    part = Value(Type(x.dtype, (*shape[:axis], *shape[axis + 1:])), "slice")
    states = [Value(Type(s.dtype, part.shape), f"state_{k}") for k, s in enumerate(starts)]
    after = step(op, part, states)
    body = Graph({**{s.name: s for s in states}, "slice": part},
                 {**{f"next_{k}": v for k, v in enumerate(after)},
                  **{f"out_{k}": op.Identity(v) for k, v in enumerate(after)}}, "steps")
    made = op.add("Scan", *starts, x, body=body, num_scan_inputs=1, scan_input_axes=[axis],
                  scan_output_axes=[axis] * len(after), outputs=2 * len(after))
    return list(made[len(after):])


def _begin(op: Builder, x: Value, axis: int, value: Any, dtype: Any = None) -> Value:
    """One slice of a number."""
    first = op.Gather(x, np.asarray(0), axis=axis)
    made: Value = op.Expand(np.asarray(value, dtype or x.dtype), op.Shape(first))
    return made


def _extreme(name: str, better: str) -> None:
    @aten(name)
    def rule(op: Builder, self: Value, dim: int) -> Any:
        """The last of several that are equal; NaN stays."""
        if not rank(self):
            return [self, op.Expand(np.int64(0), op.Shape(self))]
        axis = axis_of(self, dim)

        def step(op: Builder, x: Value, states: Sequence[Value]) -> Sequence[Value]:
            best, place, turn = states
            new = getattr(op, better)(x, best)
            new = op.Or(op.Equal(turn, np.int64(0)), new)
            if is_float(x.dtype):
                new = op.Or(op.IsNaN(x), op.And(op.Not(op.IsNaN(best)), new))
            return op.Where(new, x, best), op.Where(new, turn, place), op.Add(turn, np.int64(1))
        zero = _begin(op, self, axis, 0, np.int64)
        return running(op, self, axis, [_begin(op, self, axis, 0), zero, zero], step)[:2]


_extreme("cummax", "GreaterOrEqual")
_extreme("cummin", "LessOrEqual")


@aten("logcumsumexp")
def logcumsumexp(op: Builder, self: Value, dim: int) -> Any:
    from .special import logaddexp
    if not rank(self):
        return self
    axis = axis_of(self, dim)
    return running(op, self, axis, [_begin(op, self, axis, -np.inf)],
                   lambda op, x, states: [logaddexp(op, states[0], x)])[0]


@aten("aminmax")
def aminmax(op: Builder, self: Value, dim: Any = None, keepdim: bool = False) -> Any:
    axes = None if dim is None else np.array([axis_of(self, dim)])
    return [op.ReduceMin(self, axes, keepdims=int(keepdim)), op.ReduceMax(self, axes, keepdims=int(keepdim))]


def _below(op: Builder, rows: Value, x: Value, right: bool, small: bool) -> Any:
    """How many elements of a row (in order) lie below each of ``x``, whose rows they are if it has several."""
    rows, x = promoted(op, rows, x)
    wide = op.Unsqueeze(x, FLAT)
    rows = rows if rank(rows) == 1 else op.Unsqueeze(rows, np.array([-2]))
    less = op.Not(op.Less(wide, rows)) if right else op.Greater(wide, rows)
    return op.ReduceSum(cast(op, less, _I32 if small else I64), FLAT, keepdims=0)


@aten("bucketize")
def bucketize(op: Builder, self: Any, boundaries: Value, out_int32: bool = False, right: bool = False) -> Any:
    return _below(op, boundaries, tensor(op, self), right, out_int32)


@aten("searchsorted")
def searchsorted(op: Builder, sorted_sequence: Value, self: Any, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Value | None = None) -> Any:
    rows = sorted_sequence if sorter is None else op.GatherElements(sorted_sequence, sorter, axis=-1)
    return _below(op, rows, tensor(op, self), right or side == "right", out_int32)


@aten("isin", "isin.Tensor_Tensor", "isin.Tensor_Scalar", "isin.Scalar_Tensor")
def isin(op: Builder, elements: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    x, among = promoted(op, elements, test_elements)
    same = op.Equal(op.Unsqueeze(x, FLAT), op.Reshape(among, FLAT))
    found = op.Greater(op.ReduceSum(cast(op, same, _I32), FLAT, keepdims=0), np.int32(0))
    return op.Not(found) if invert else found


@aten("histc")
def histc(op: Builder, self: Value, bins: int = 100, min: Any = 0, max: Any = 0) -> Any:
    """How many elements lie in each of some parts of equal width; those outside count nowhere."""
    low, high = known(min), known(max)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)) or low >= high:
        raise Unsupported("histc between bounds that the elements decide")
    x = op.Reshape(self, FLAT)
    wide = x if is_float(x.dtype) else cast(op, x, F32)
    at = op.Div(op.Mul(op.Sub(wide, number(wide, low)), number(wide, bins)), number(wide, high - low))
    inside = op.And(op.GreaterOrEqual(wide, number(wide, low)), op.LessOrEqual(wide, number(wide, high)))
    at = op.Min(cast(op, op.Floor(op.Where(inside, at, number(wide, 0))), I64), np.int64(bins - 1))
    mine = op.And(op.Equal(op.Unsqueeze(at, FLAT), np.arange(bins)), op.Unsqueeze(inside, FLAT))
    return cast(op, op.ReduceSum(cast(op, mine, I64), np.array([0]), keepdims=0), self.dtype)


@aten("bincount")
def bincount(op: Builder, self: Value, weights: Value | None = None, minlength: Any = 0) -> Any:
    x = cast(op, self, I64)
    count = op.Max(op.Add(op.ReduceMax(x, keepdims=0), np.int64(1)), tensor(op, known(minlength), I64))
    ones = constant(np.ones(1, np.int64)) if weights is None else weights
    zeros = op.Expand(np.zeros((), ones.dtype), op.Reshape(count, FLAT))
    return op.ScatterElements(zeros, x, op.Expand(ones, op.Shape(x)), axis=0, reduction="add")


@aten("_unique2")
def unique(op: Builder, self: Value, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False) -> Any:
    values, _, inverse, counts = op.add("Unique", self, outputs=4, sorted=1)
    return [values, op.Reshape(inverse, op.Shape(self)), counts]


@aten("unique_dim")
def unique_dim(op: Builder, self: Value, dim: int, sorted: bool = True, return_inverse: bool = False,
               return_counts: bool = False) -> Any:
    values, _, inverse, counts = op.add("Unique", self, outputs=4, sorted=1, axis=axis_of(self, dim))
    return [values, inverse, counts]


@aten("masked_scatter")
def masked_scatter(op: Builder, self: Value, mask: Value, source: Value) -> Any:
    """The elements of ``source`` in order, wherever the mask holds."""
    shape = op.Shape(op.Where(mask, self, self))
    held = op.Expand(mask, shape)
    flat = cast(op, op.Reshape(held, FLAT), I64)
    place = op.Max(op.Sub(op.CumSum(flat, np.int64(0)), np.int64(1)), np.int64(0))
    new = op.Reshape(op.Gather(op.Reshape(source, FLAT), place, axis=0), shape)
    return op.Where(held, tensor(op, new, self.dtype), self)


@aten("nansum")
def nansum(op: Builder, self: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    from .reduce import sum_
    return sum_(op, _numbers(op, self), dim, keepdim, dtype)


def _numbers(op: Builder, x: Value) -> Value:
    made: Value = op.Where(op.IsNaN(x), number(x, 0), x) if is_float(x.dtype) else x
    return made


@aten("nanmean")
def nanmean(op: Builder, self: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    from .reduce import sum_
    count = sum_(op, cast(op, op.Not(op.IsNaN(self)), self.dtype), dim, keepdim)
    return op.Div(nansum(op, self, dim, keepdim, dtype), count)
