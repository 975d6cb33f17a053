"""Reductions along axes."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from .common import BOOL, F32, carry, from_onnx, index, ints, rank, room

REDUCE = {"ReduceSum": ("SUM", "f4 i4 i8"), "ReduceMean": ("MEAN", "f4 i4 i8"), "ReduceMax": ("REDUCE_MAX", "f4 i4 i8"),
          "ReduceMin": ("REDUCE_MIN", "f4 i4 i8"), "ReduceProd": ("REDUCE_PROD", "f4 i4 i8")}
_TRUTH = {"REDUCE_MAX": "REDUCE_ANY", "REDUCE_MIN": "REDUCE_ALL"}
_NOTHING = {"REDUCE_MAX": -np.inf, "REDUCE_MIN": np.inf}
_RANKS = 6  # XNNPACK fails on more


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
    y = tfl.add(name, x, which, keep_dims=bool(keepdims), type=Type(x.dtype, tfl.out.shape))
    if name in _NOTHING and x.dtype == F32 and x.type.size == 0:  # the kernel ends at the lowest finite number
        return tfl.add("MINIMUM" if name == "REDUCE_MAX" else "MAXIMUM", constant(_NOTHING[name], F32), y)
    return y
