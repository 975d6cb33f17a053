"""Gathering, scattering and sorting, in the forms of them that most targets have."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from . import sizes
from .sizes import I64, ints, number, rank

rules = Rules("the hub", "simpler operators")


def _flat(op: Builder, x: Value, index: Value, axis: int) -> Value:
    """Where the elements that ``index`` names along ``axis`` lie in ``x`` laid out as a list."""
    n = rank(x)
    if rank(index) != n:
        raise Unsupported("indices of another rank")
    axis %= n
    strides: list[Value] = [ints(1)] * n
    for k in reversed(range(n - 1)):
        strides[k] = sizes.product(op, strides[k + 1], sizes.size(op, x, k + 1))
    place = sizes.product(op, sizes.from_front(op, index, sizes.size(op, x, axis)), strides[axis])
    for k in range(n):
        if k != axis and sizes.dim(index, k) != 1:
            steps = sizes.product(op, sizes.count(op, sizes.size(op, index, k)), strides[k])
            place = op.Add(place, sizes.along(op, steps, k, n))
    return place


def _list(op: Builder, x: Value) -> Value:
    made: Value = op.Reshape(x, ints(-1)) if x.rank != 1 else x
    return made


@rules("GatherElements")
def gather_elements(op: Builder, x: Value, index: Value, *, axis: int = 0) -> Value:
    made: Value = op.Gather(_list(op, x), _flat(op, x, index, axis), axis=0)
    return made


@rules("ScatterElements")
def scatter_elements(op: Builder, x: Value, index: Value, updates: Value, *, axis: int = 0,
                     reduction: str = "none") -> Value:
    place = op.Unsqueeze(_list(op, _flat(op, x, index, axis)), ints(1))
    y = op.ScatterND(_list(op, x), place, _list(op, updates), reduction=reduction)
    made: Value = op.Reshape(y, sizes.shape(op, x), allowzero=1) if x.rank != 1 else y
    return made


@rules("GatherND")
def gather_nd(op: Builder, x: Value, index: Value, *, batch_dims: int = 0) -> Value:
    """Rows of the tensor laid out as a list of them, by the number of each."""
    k, n = sizes.dim(index, -1), rank(index)
    if not isinstance(k, int):
        raise Unsupported("indices of a length that is only known at run time")
    index = sizes.wide(op, index)
    place: Any = None
    stride = ints(1)
    for axis in reversed(range(batch_dims + k)):
        length = sizes.size(op, x, axis)
        if axis < batch_dims:
            own = sizes.along(op, sizes.count(op, length), axis, n - 1)
        else:
            own = sizes.from_front(op, op.Gather(index, number(axis - batch_dims), axis=n - 1), length)
        step = sizes.product(op, own, stride)
        place = step if place is None else op.Add(place, step)
        stride = sizes.product(op, stride, length)
    rows = op.Reshape(x, op.Concat(ints(-1), sizes.shape(op, x, batch_dims + k), axis=0))
    made: Value = op.Gather(rows, place, axis=0)
    return made


@rules("Compress")
def compress(op: Builder, x: Value, condition: Value, *, axis: int | None = None) -> Value:
    kept = op.Reshape(op.NonZero(condition), ints(-1))
    made: Value = op.Gather(_list(op, x) if axis is None else x, kept, axis=axis or 0)
    return made


@rules("Hardmax")
def hardmax(op: Builder, x: Value, *, axis: int = -1) -> Value:
    """One at the first of the largest elements."""
    first = op.ArgMax(x, axis=axis, keepdims=0)
    values = np.array([0, 1], x.dtype)
    made: Value = op.OneHot(first, sizes.one(op, sizes.size(op, x, axis)), values, axis=axis % rank(x))
    return made


@rules("OneHot")
def one_hot(op: Builder, index: Value, depth: Value, values: Value, *, axis: int = -1) -> Value:
    """Every class compared with the index."""
    n = rank(index) + 1
    axis %= n
    index, depth = (op.Cast(v, to=I64) if v.dtype != np.int64 else v for v in (index, depth))
    depth = sizes.one(op, depth)
    index = op.Where(op.Less(index, number(0)), op.Add(index, depth), index)
    own = sizes.along(op, op.Range(number(0), depth, number(1)), axis, n)
    off, on = (op.Gather(values, number(k), axis=0) for k in (0, 1))
    made: Value = op.Where(op.Equal(op.Unsqueeze(index, ints(axis)), own), on, off)
    return made


@rules("TensorScatter")
def tensor_scatter(op: Builder, cache: Value, update: Value, where: Value | None = None, *, axis: int = -2,
                   mode: str = "linear") -> Value:
    """For each place of the cache which element of the update lands on it, if one does."""
    n = rank(cache)
    axis %= n
    length, new = sizes.size(op, cache, axis), sizes.size(op, update, axis)
    place = sizes.along(op, sizes.count(op, length), axis, n)
    if where is not None:
        place = op.Sub(place, sizes.along(op, sizes.wide(op, where), 0, n))
    if mode == "circular":
        place = op.Mod(place, length)
    inside = op.And(op.Not(op.Less(place, number(0))), op.Less(place, new))
    safe = op.Max(op.Min(place, op.Sub(new, ints(1))), number(0))
    taken = op.GatherElements(update, op.Expand(safe, sizes.shape(op, cache)), axis=axis)
    made: Value = op.Where(inside, taken, cache)
    return made


@rules("Unique")
def unique(op: Builder, x: Value, *, axis: int | None = None, sorted: int = 1) -> Any:
    """Sorted, an element is new if it differs from the one before it; each is compared with all that are new.

    Without ``sorted`` they stand in the order of their first occurrences."""
    if axis is not None and rank(x) > 1:
        raise Unsupported("of slices along an axis")
    assert op.node is not None
    if x.dtype.kind not in "iufb" or x.dtype == np.bool_:
        raise Unsupported(f"element type {x.dtype}")
    flat = _list(op, x)
    n = sizes.size(op, flat, 0)
    place = sizes.count(op, n)
    alike = op.Equal(op.Unsqueeze(flat, ints(1)), op.Unsqueeze(flat, ints(0)))
    first = op.ReduceMin(op.Where(alike, op.Unsqueeze(place, ints(0)), n), ints(1), keepdims=0)
    chosen = op.Reshape(op.NonZero(op.Equal(first, place)), ints(-1))
    values = op.Gather(flat, chosen, axis=0)
    if sorted:
        values, order = op.TopK(values, op.Shape(values), axis=0, largest=0, sorted=1, outputs=2)
        chosen = op.Gather(chosen, order, axis=0)
    same = op.Equal(op.Unsqueeze(flat, ints(1)), op.Unsqueeze(values, ints(0)))
    own = op.Range(number(0), op.Size(values), number(1))
    inverse = op.ReduceSum(op.Mul(op.Cast(same, to=I64), op.Unsqueeze(own, ints(0))), ints(1), keepdims=0)
    counts = op.ReduceSum(op.Cast(same, to=I64), ints(0), keepdims=0)
    return (values, chosen, inverse, counts)[:len(op.node.outputs)]
