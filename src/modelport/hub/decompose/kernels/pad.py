"""Padding in the modes, and with the bounds and axes, that the kernels do not take."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ... import shapes
from .. import sizes
from ..sizes import ints, number, rank
from .table import rules


@rules("Pad")
def pad(op: Builder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Value:
    """Axes that are only known at run time: no pads along the others."""
    if axes is None or axes.data is not None:
        return _padded(op, x, pads, value, axes, mode)
    n, m = rank(x), sizes.dim(axes, 0)
    if not isinstance(m, int):
        raise Unsupported("a number of axes that is only known at run time")
    which = op.Mod(sizes.wide(op, axes), number(n))
    hit = op.Equal(op.Unsqueeze(which, ints(0)), np.arange(n)[:, None])
    ends = [op.ReduceSum(op.Where(hit, op.Unsqueeze(op.Slice(pads, ints(a), ints(a + m)), ints(0)), number(0)),
                         ints(1), keepdims=0) for a in (0, m)]
    made: Value = op.Pad(x, op.Concat(*ends, axis=0), value, mode=mode)
    return made


def _padded(op: Builder, x: Value, pads: Value, value: Value | None, axes: Value | None, mode: str) -> Value:
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
