"""Gathering, scattering and sorting, in the forms of them that most targets have."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float
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
    """Each row is compared with all, and new if the first like it is itself; then with all that are new.

    Sorted, its place is the number of new ones before it: those with the smaller element at the first difference.
    Without ``sorted`` they stand in the order of their first occurrences."""
    assert op.node is not None
    if x.dtype.kind not in "iu" and not is_float(x.dtype):
        raise Unsupported(f"element type {x.dtype}")
    if axis is not None:
        moved = sizes.transposed(op, x, 0, axis % rank(x))
        rows = op.Reshape(moved, op.Concat(sizes.size(op, moved, 0), ints(-1), axis=0), allowzero=0)
    else:
        moved = _list(op, x)
        rows = op.Unsqueeze(moved, ints(1))
    n = sizes.size(op, rows, 0)
    place = sizes.count(op, n)
    alike = _alike(op, rows, rows)
    first = op.ReduceMin(op.Where(alike, op.Unsqueeze(place, ints(0)), n), ints(1), keepdims=0)
    chosen = op.Reshape(op.NonZero(op.Equal(first, place)), ints(-1))
    if sorted:
        new = op.Gather(rows, chosen, axis=0)
        a, b = op.Unsqueeze(new, ints(1)), op.Unsqueeze(new, ints(0))
        where = op.ArgMax(op.Cast(op.Not(op.Equal(a, b)), to=NUMBER[np.dtype(np.int32)]), axis=2, keepdims=1)
        less = op.GatherElements(op.Cast(op.Less(b, a), to=I64), where, axis=2)
        before = op.ReduceSum(less, ints(1, 2), keepdims=0)
        _, order = op.TopK(before, op.Shape(before), axis=0, largest=0, sorted=1, outputs=2)
        chosen = op.Gather(chosen, order, axis=0)
    same = _alike(op, rows, op.Gather(rows, chosen, axis=0))
    own = op.Range(number(0), op.Size(chosen), number(1))
    inverse = op.ReduceSum(op.Mul(op.Cast(same, to=I64), op.Unsqueeze(own, ints(0))), ints(1), keepdims=0)
    counts = op.ReduceSum(op.Cast(same, to=I64), ints(0), keepdims=0)
    values = op.Gather(moved, chosen, axis=0)
    values = values if axis is None else sizes.transposed(op, values, 0, axis % rank(x))
    return (values, chosen, inverse, counts)[:len(op.node.outputs)]


def _alike(op: Builder, a: Value, b: Value) -> Any:
    """Which rows of ``a`` are equal to which of ``b``."""
    same = op.Equal(op.Unsqueeze(a, ints(1)), op.Unsqueeze(b, ints(0)))
    if sizes.dim(a, 1) == 1:
        return op.Squeeze(same, ints(2))
    number_ = op.ReduceMin(op.Cast(same, to=NUMBER[np.dtype(np.int32)]), ints(2), keepdims=0)
    return op.Cast(number_, to=NUMBER[np.dtype(np.bool_)])


@rules("TfIdfVectorizer")
def tf_idf(op: Builder, x: Value, *, max_gram_length: int, max_skip_count: int, min_gram_length: int, mode: str,
           ngram_counts: Sequence[int], ngram_indexes: Sequence[int], pool_int64s: Sequence[int] = (),
           pool_strings: Sequence[str] = (), weights: Sequence[float] = ()) -> Value:
    """For each n-gram of the pool, at how many places and with which gaps the tensor holds it."""
    if pool_strings or x.dtype.kind not in "iu":
        raise Unsupported("n-grams of text")
    axis = rank(x) - 1
    if axis not in (0, 1):
        raise Unsupported(f"of {axis + 1} axes")
    found: list[Any] = []
    indexes: list[int] = []
    ends = [*ngram_counts, len(pool_int64s)]
    seen = 0
    for length in range(1, len(ngram_counts) + 1):
        grams = np.array(pool_int64s[ends[length - 1]:ends[length]], np.int64).reshape(-1, length)
        own = ngram_indexes[seen:seen + len(grams)]
        seen += len(grams)
        if not len(grams) or not min_gram_length <= length <= max_gram_length:
            continue
        total: Any = None
        for skip in range(max_skip_count + 1 if length > 1 else 1):
            hit: Any = None
            for k in range(length):
                last = np.iinfo(np.int64).max if k == length - 1 else -(length - 1 - k) * (skip + 1)
                window = op.Slice(x, ints(k * (skip + 1)), ints(last), ints(axis))
                same = op.Equal(op.Unsqueeze(window, ints(axis + 1)), constant(grams[:, k].astype(x.dtype)))
                hit = same if hit is None else op.And(hit, same)
            here = op.ReduceSum(op.Cast(hit, to=I64), ints(axis), keepdims=0)
            total = here if total is None else op.Add(total, here)
        found.append(total)
        indexes += own
    if not found:
        raise Unsupported("no n-grams")
    found.append(op.Mul(op.Slice(found[0], ints(0), ints(1), ints(axis)), number(0)))
    place = np.full(max(ngram_indexes) + 1, len(indexes), np.int64)
    place[indexes] = np.arange(len(indexes))
    counts = op.Cast(op.Gather(sizes.concat(op, found, axis), constant(place), axis=axis),
                     to=NUMBER[np.dtype(np.float32)])
    if mode == "IDF":
        counts = op.Min(counts, np.ones((), np.float32))
    if mode != "TF" and weights:
        scale = np.ones(len(place), np.float32)
        scale[list(ngram_indexes)] = weights
        counts = op.Mul(counts, constant(scale))
    made: Value = counts
    return made
