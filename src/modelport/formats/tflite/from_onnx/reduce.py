"""Reductions along axes."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import carry, from_onnx, ints, known, rank

REDUCE = {"ReduceSum": ("SUM", "f4 i4 i8"), "ReduceMean": ("MEAN", "f4"), "ReduceMax": ("REDUCE_MAX", "f4 i4 i8"),
          "ReduceMin": ("REDUCE_MIN", "f4 i4 i8"), "ReduceProd": ("REDUCE_PROD", "f4 i4 i8")}


@from_onnx(*REDUCE)
def reduce(tfl: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1,
           noop_with_empty_axes: int = 0) -> Any:
    assert tfl.node is not None
    name, kinds = REDUCE[tfl.node.op]
    which = [] if axes is None else known(axes, "the axes")
    if not which and noop_with_empty_axes:
        return x
    which = which or list(range(rank(x)))
    if not which:
        raise Unsupported("of a scalar")
    return tfl.add(name, carry(tfl, x, kinds), ints([a % rank(x) for a in which]), keep_dims=bool(keepdims))
