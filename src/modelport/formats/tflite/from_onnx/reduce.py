"""Reductions along axes."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from ...writing import rank
from .common import BOOL, F32, carry, from_onnx, index, ints, room

REDUCE = {"ReduceSum": ("SUM", "f4 i4 i8"), "ReduceMean": ("MEAN", "f4 i4 i8"), "ReduceMax": ("REDUCE_MAX", "f4 i4 i8"),
          "ReduceMin": ("REDUCE_MIN", "f4 i4 i8"), "ReduceProd": ("REDUCE_PROD", "f4 i4 i8")}
_TRUTH = {"REDUCE_MAX": "REDUCE_ANY", "REDUCE_MIN": "REDUCE_ALL"}
_NOTHING = {"REDUCE_MAX": -np.inf, "REDUCE_MIN": np.inf}
_RANKS = 6  # XNNPACK fails on more
_LONG = 2048


@from_onnx(*REDUCE)
def reduce(tfl: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1,
           noop_with_empty_axes: int = 0) -> Any:
    """Without axes, or with an empty list of them, along all."""
    assert tfl.node is not None
    name, kinds = REDUCE[tfl.node.op]
    n = rank(x, _RANKS)
    length = 0 if axes is None else axes.shape[0] if axes.shape is not None else None
    if not isinstance(length, int):
        raise Unsupported("a number of axes that is only known at run time")
    if not length and (noop_with_empty_axes or not n):
        return x
    if x.dtype == BOOL and name in _TRUTH:
        name = _TRUTH[name]
    else:
        x = carry(tfl, room(tfl, [x])[0], kinds)
    if axes is None or not length:
        which = ints(range(n))
    else:
        which = ints([int(a) % n for a in axes.numpy()]) if axes.data is not None else index(tfl, axes)
    if name == "MEAN":
        x = halfway(tfl, x, which)
    y = tfl.add(name, x, which, keep_dims=bool(keepdims), type=Type(x.dtype, tfl.out.shape))
    if name in _NOTHING and x.dtype == F32 and x.type.size == 0:  # the kernel ends at the lowest finite number
        return tfl.add("MINIMUM" if name == "REDUCE_MAX" else "MAXIMUM", constant(_NOTHING[name], F32), y)
    return y


def halfway(tfl: Builder, x: Value, axes: Value) -> Value:
    """The mean along the last of several axes, where it is one of so many numbers that its rounding shows.

    The kernels add one number after the other: a mean of means rounds far less."""
    if x.dtype != F32 or x.op == "DEQUANTIZE" or x.shape is None or axes.data is None or axes.type.size == 1:
        return x
    sizes = [x.shape[int(a)] for a in axes.numpy()]
    if math.prod(d for d in sizes if isinstance(d, int)) < _LONG:
        return x
    made: Value = tfl.MEAN(x, ints([int(axes.numpy()[-1])]), keep_dims=True)
    return made
