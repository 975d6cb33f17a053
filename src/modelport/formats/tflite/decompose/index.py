"""Sorting, and finding the largest, in the form that the kernels have.  Padding with axes that are known."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose import shape, sizes
from ....hub.decompose.sizes import ints, number, rank
from ....ir.graph import Value
from ....ir.rules import Builder
from .table import replaces, rules


@rules("ArgMax", "ArgMin")
def arg_max(op: Builder, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Value:
    """The last of equals is the first one from behind.  Wide integers by the largest of them."""
    assert op.node is not None
    axis %= max(rank(x), 1)
    if select_last_index:
        turned = op.Slice(x, ints(-1), ints(np.iinfo(np.int64).min), ints(axis), ints(-1))
        last = op.Sub(sizes.one(op, sizes.size(op, x, axis)), number(1))
        made: Value = op.Sub(last, op.add(op.node.op, turned, axis=axis, keepdims=keepdims))
        return made
    if x.dtype.kind not in "iu":
        raise Unsupported(f"element type {x.dtype}")
    best = op.add("ReduceMax" if op.node.op == "ArgMax" else "ReduceMin", x, ints(axis), keepdims=1)
    n = rank(x)
    length = sizes.size(op, x, axis)
    own = sizes.along(op, sizes.count(op, length), axis, n)
    made = op.ReduceMin(op.Where(op.Equal(x, best), own, length), ints(axis), keepdims=keepdims)
    return made


@rules("TopK")
def top_k(op: Builder, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    """Along the last axis; the smallest are the largest of the complement."""
    n = rank(x)
    axis %= n
    if axis == n - 1 and largest:
        raise Unsupported(f"element type {x.dtype}")
    moved = sizes.transposed(op, x, axis, n - 1)

    def turned(v: Any) -> Any:
        if largest:
            return v
        return op.Neg(v) if x.dtype.kind == "f" else op.Sub(np.array(np.iinfo(x.dtype).max if x.dtype.kind == "u" else -1, x.dtype), v)
    values, where = op.TopK(turned(moved), k, axis=n - 1, largest=1, sorted=sorted, outputs=2)
    return tuple(sizes.transposed(op, v, axis, n - 1) for v in (turned(values), where))


replaces("Pad")


@rules("Pad")
def pad(op: Builder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Value:
    """Axes that are only known at run time: no pads along the others."""
    if axes is None or axes.data is not None:
        return shape.pad(op, x, pads, value, axes, mode=mode)
    n, m = rank(x), sizes.dim(axes, 0)
    if not isinstance(m, int):
        raise Unsupported("a number of axes that is only known at run time")
    which = op.Mod(sizes.wide(op, axes), number(n))
    hit = op.Equal(op.Unsqueeze(which, ints(0)), np.arange(n)[:, None])
    ends = [op.ReduceSum(op.Where(hit, op.Unsqueeze(op.Slice(pads, ints(a), ints(a + m)), ints(0)), number(0)),
                         ints(1), keepdims=0) for a in (0, m)]
    made: Value = op.Pad(x, op.Concat(*ends, axis=0), value, mode=mode)
    return made


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
    made: Value = op.Slice(x, whole(starts, 0), whole(ends, np.iinfo(np.int64).max), np.arange(n), step)
    return made
