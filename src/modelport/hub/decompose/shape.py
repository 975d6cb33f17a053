"""Padding, cutting and making tensors by shape."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.tensor import Tensor
from ...ir.types import NUMBER
from .. import shapes
from . import sizes
from .sizes import ints, number, rank

rules = Rules("the hub", "simpler operators")


@rules("Pad")
def pad(op: Builder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Value:
    """Each axis by indices along it; constant pads are joined on, negative ones cut off."""
    n = rank(x)
    where = None if axes is None else shapes.known(axes)
    if axes is not None and where is None:
        raise Unsupported("axes that are only known at run time")
    which = list(range(n)) if where is None else [int(a) % n for a in where]
    both = shapes.known(pads)
    made = x
    for k, axis in enumerate(which):
        if both is not None:
            low, high = int(both[k]), int(both[k + len(which)])
            if not low and not high:
                continue
            made = _constant(op, made, low, high, axis, value) if mode == "constant" else \
                _indexed(op, made, ints(low), ints(high), axis, mode)
        elif mode == "constant":
            raise Unsupported("pads that are only known at run time")
        else:
            low_, high_ = (op.Gather(pads, ints(j), axis=0) for j in (k, k + len(which)))
            made = _indexed(op, made, low_, high_, axis, mode)
    if made is x:
        made = op.Identity(x)
    return made


def _constant(op: Builder, x: Value, low: int, high: int, axis: int, value: Value | None) -> Value:
    """Rows of the value before and behind."""
    n = rank(x)
    fill = np.zeros((), x.dtype) if value is None else sizes.one(op, value)

    def block(length: int) -> Any:
        parts = [sizes.shape(op, x, 0, axis), ints(length), sizes.shape(op, x, axis + 1, n)]
        return op.Expand(fill, sizes.concat(op, [p for p in parts if p.shape != (0,)]))
    if low < 0 or high < 0:
        last = high if high < 0 else np.iinfo(np.int64).max
        x = op.Slice(x, ints(max(0, -low)), ints(last), ints(axis))
    parts = [*([block(low)] if low > 0 else []), x, *([block(high)] if high > 0 else [])]
    return sizes.concat(op, parts, axis)


def _indexed(op: Builder, x: Value, low: Value, high: Value, axis: int, mode: str) -> Any:
    """The index along the axis that each element of the result comes from."""
    length = sizes.size(op, x, axis)
    place: Any
    if low.data is not None and high.data is not None:
        if length.data is not None:
            n = int(length.numpy()[0])
            place = np.arange(-int(low.numpy()[0]), n + int(high.numpy()[0]), dtype=np.int64)
            if mode == "edge":
                place = np.clip(place, 0, n - 1)
            elif mode == "wrap":
                place = place % n
            else:
                place = place % max(2 * (n - 1), 1)
                place = np.minimum(place, 2 * (n - 1) - place)
            return op.Gather(x, constant(place), axis=axis)
    zero = number(0)
    place = op.Range(op.Neg(sizes.one(op, low)), op.Add(sizes.one(op, length), sizes.one(op, high)), number(1))
    if mode == "edge":
        place = op.Max(op.Min(place, op.Sub(length, number(1))), zero)
    elif mode == "wrap":
        place = op.Mod(place, length)
    elif mode == "reflect":
        period = op.Mul(op.Sub(length, number(1)), number(2))
        place = op.Mod(place, op.Max(period, number(1)))
        place = op.Max(op.Min(place, op.Sub(period, place)), zero)
    else:
        raise Unsupported(f"mode '{mode}'")
    return op.Gather(x, place, axis=axis)


@rules("Split")
def split(op: Builder, x: Value, parts: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Any:
    """Slices one behind the other; without lengths all are the length divided and rounded up, but the last."""
    assert op.node is not None
    many = len(op.node.outputs)
    if parts is None:
        length = sizes.size(op, x, axis)
        each = op.Div(op.Add(length, ints(many - 1)), ints(many)) if length.data is None else \
            ints(-(-int(length.numpy()[0]) // many))
        ends = [op.Mul(each, ints(k + 1)) for k in range(many)]
    else:
        total = op.CumSum(parts, number(0))
        ends = [op.Gather(total, ints(k), axis=0) for k in range(many)]
    starts = [ints(0), *ends[:-1]]
    return tuple(op.Slice(x, a, b, ints(axis % rank(x))) for a, b in zip(starts, ends, strict=True))


@rules("EyeLike")
def eye_like(op: Builder, x: Value, *, k: int = 0, dtype: int | None = None) -> Value:
    """Rows and columns are numbered; those with the difference ``k`` are one."""
    rows, columns = (sizes.count(op, sizes.size(op, x, axis)) for axis in (0, 1))
    same = op.Equal(op.Sub(op.Unsqueeze(columns, ints(0)), op.Unsqueeze(rows, ints(1))), number(k))
    made: Value = op.Cast(same, to=NUMBER[op.out.dtype])
    return made


@rules("Flatten")
def flatten(op: Builder, x: Value, *, axis: int = 1) -> Value:
    n = rank(x)
    axis = axis + n if axis < 0 else axis
    ahead = op.ReduceProd(sizes.shape(op, x, 0, axis), ints(0), keepdims=1) if axis else ints(1)
    made: Value = op.Reshape(x, op.Concat(ahead, ints(-1), axis=0))
    return made


@rules("Size")
def size(op: Builder, x: Value) -> Value:
    made: Value = op.ReduceProd(op.Shape(x), ints(0), keepdims=0)
    return made


@rules("ConstantOfShape")
def constant_of_shape(op: Builder, shape: Value, *, value: Tensor | None = None) -> Value:
    fill = np.zeros((), np.float32) if value is None else value.numpy().reshape(())
    made: Value = op.Expand(constant(fill), shape)
    return made


@rules("ReverseSequence")
def reverse_sequence(op: Builder, x: Value, lengths: Value, *, batch_axis: int = 1, time_axis: int = 0) -> Value:
    """Element t of a sequence of length n comes from n - 1 - t, what lies behind stays."""
    n = rank(x)
    time = sizes.along(op, sizes.count(op, sizes.size(op, x, time_axis)), time_axis, n)
    length = sizes.along(op, sizes.wide(op, lengths), batch_axis, n)
    place = op.Where(op.Less(time, length), op.Sub(op.Sub(length, number(1)), time), time)
    made: Value = op.GatherElements(x, op.Expand(place, sizes.shape(op, x)), axis=time_axis)
    return made
