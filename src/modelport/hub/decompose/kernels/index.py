"""Sorting, and finding the largest, in the form that the kernels have.  Padding with axes that are known."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import NUMBER
from .. import sizes
from ..sizes import ints, number, rank
from .table import replaces, rules

_END = (1 << 31) - 1  # behind the end of every axis
_DENSE = 1 << 22  # elements of the table of all pairs of a target and an update


@rules("ArgMax", "ArgMin")
def arg_max(op: Builder, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """The last of equals is the first one from behind.  Wide integers by the largest of them."""
    assert op.node is not None
    axis %= max(rank(x), 1)
    if select_last_index:
        turned = op.Slice(x, ints(-1), ints(np.iinfo(np.int64).min), ints(axis), ints(-1))
        last = op.Sub(sizes.one(op, sizes.size(op, x, axis)), number(1))
        return op.Sub(last, op.add(op.node.op, turned, axis=axis, keepdims=keepdims))
    if x.dtype.kind not in "iu":
        raise Unsupported(f"element type {x.dtype}")
    best = op.add("ReduceMax" if op.node.op == "ArgMax" else "ReduceMin", x, ints(axis), keepdims=1)
    n = rank(x)
    length = sizes.size(op, x, axis)
    own = sizes.along(op, sizes.count(op, length), axis, n)
    return op.ReduceMin(op.Where(op.Equal(x, best), own, length), ints(axis), keepdims=keepdims)


@rules("TopK")
def top_k(op: Builder, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    """Along the last axis; the smallest are the largest of the complement."""
    n = rank(x)
    axis %= n
    if x.dtype == np.uint64:  # the order of signed ones, if the highest bit is flipped
        least = np.array(np.iinfo(np.int64).min)
        signed = op.Add(op.BitCast(x, to=sizes.I64), least)
        values, where = op.TopK(signed, k, axis=axis, largest=largest, sorted=sorted, outputs=2)
        return op.BitCast(op.Sub(values, least), to=NUMBER[x.dtype]), where
    if axis == n - 1 and largest:
        raise Unsupported(f"element type {x.dtype}")
    moved = sizes.transposed(op, x, axis, n - 1)

    def turned(v: Any) -> Any:
        if largest:
            return v
        if x.dtype.kind == "f":
            return op.Neg(v)
        return op.Sub(np.array(np.iinfo(x.dtype).max if x.dtype.kind == "u" else -1, x.dtype), v)
    values, where = op.TopK(turned(moved), k, axis=n - 1, largest=1, sorted=sorted, outputs=2)
    return tuple(sizes.transposed(op, v, axis, n - 1) for v in (turned(values), where))


@rules("Slice")
def slice_(op: Builder, x: Value, starts: Value, ends: Value, axes: Value | None = None,
           steps: Value | None = None) -> Value:
    """Axes that are only known at run time: the whole of the others."""
    if axes is None or axes.data is not None:
        raise Unsupported("with constant axes")
    n, m = rank(x), sizes.dim(axes, 0)
    if not isinstance(m, int):
        raise Unsupported("a number of axes that is only known at run time")
    which = op.Mod(sizes.wide(op, axes), number(n))
    hit = op.Equal(op.Unsqueeze(which, ints(0)), np.arange(n)[:, None])
    named = op.Greater(op.ReduceSum(op.Cast(hit, to=sizes.I64), ints(1), keepdims=0), number(0))

    def whole(v: Value, rest: int) -> Any:
        one = op.ReduceSum(op.Where(hit, op.Unsqueeze(sizes.wide(op, v), ints(0)), number(0)), ints(1), keepdims=0)
        return op.Where(named, one, number(rest)) if rest else one
    step = None if steps is None else whole(steps, 1)
    made: Value = op.Slice(x, whole(starts, 0), whole(ends, _END), np.arange(n), step)
    return made


@rules("ScatterND")
def scatter_nd(op: Builder, x: Value, index: Value, updates: Value, *, reduction: str = "none") -> Any:
    """Every target compared with every update."""
    name, apply = {"mul": ("ReduceProd", "Mul"), "max": ("ReduceMax", "Max"), "min": ("ReduceMin", "Min")}.get(
        reduction, ("", ""))
    k = sizes.dim(index, -1)
    if not name or not isinstance(k, int) or not (x.type.static and index.type.static):
        raise Unsupported(f"reduction '{reduction}'" + (" of sizes that are only known at run time" if name else ""))
    assert x.shape is not None and index.shape is not None
    shape = [d for d in x.shape if isinstance(d, int)]
    many, each = int(np.prod(shape[:k])), int(np.prod(shape[k:]))
    n = int(np.prod([d for d in index.shape[:-1] if isinstance(d, int)]))
    if not many * each * n:
        return op.Identity(x)
    if many * each * n > _DENSE:
        raise Unsupported(f"reduction '{reduction}' of {n} updates of a large tensor")
    strides = np.array([int(np.prod(shape[j + 1:k])) for j in range(k)], np.int64)
    index = sizes.from_front(op, index, ints(*shape[:k]))
    place = op.ReduceSum(op.Mul(op.Reshape(index, ints(n, k)), constant(strides)), ints(1), keepdims=0)
    hit = op.Equal(constant(np.arange(many, dtype=np.int64)[:, None]), op.Unsqueeze(place, ints(0)))
    neutral = np.ones((), x.dtype) if reduction == "mul" else _extreme(x.dtype, reduction == "min")
    one = op.Where(op.Unsqueeze(hit, ints(2)), op.Reshape(updates, ints(1, n, each)), neutral)
    best = op.add(name, one, ints(1), keepdims=0)
    return op.Reshape(op.add(apply, op.Reshape(x, ints(many, each)), best), ints(*shape))


def _extreme(dtype: Any, largest: bool) -> Any:
    if dtype.kind in "iu":
        return np.array(np.iinfo(dtype).max if largest else np.iinfo(dtype).min, dtype)
    return np.array(np.inf if largest else -np.inf, dtype)


@rules("NonMaxSuppression")
def corners(op: Builder, boxes: Value, scores: Value, most: Value | None = None, overlap: Value | None = None,
            least: Value | None = None, *, center_point_box: int = 0) -> Value:
    """Boxes by x and y of their centre, width and height, as two corners."""
    if not center_point_box:
        raise Unsupported("it can't be decomposed")
    x, y, width, height = (op.Gather(boxes, ints(k), axis=2) for k in range(4))
    half = np.array(0.5, boxes.dtype)
    wide, high = op.Mul(width, half), op.Mul(height, half)
    both = op.Concat(op.Sub(y, high), op.Sub(x, wide), op.Add(y, high), op.Add(x, wide), axis=2)
    made: Value = op.NonMaxSuppression(both, scores, most, overlap, least, center_point_box=0)
    return made


replaces("Range")


@rules("Range")
def real_range(op: Builder, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Value:
    """Of real numbers: the integers from zero, times delta."""
    if start.dtype.kind in "iu":
        raise Unsupported(f"element type {start.dtype}")
    op.note("approximated", "the length of a Range of real numbers is computed in float32")
    start, limit, delta = (sizes.one(op, v) for v in (start, limit, delta))
    turns = op.Ceil(op.Div(op.Sub(limit, start), delta))
    index = op.Range(number(0), op.Cast(op.Max(turns, np.zeros((), start.dtype)), to=sizes.I64), number(1))
    made: Value = op.Add(start, op.Mul(op.Cast(index, to=NUMBER[start.dtype]), delta))
    return made
