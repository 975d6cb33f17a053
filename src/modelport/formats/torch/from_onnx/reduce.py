"""Reductions along axes."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from ...writing import known
from .common import BOOL, FLOATS, NUMERIC, At, from_onnx, held, rank

REDUCE = {"ReduceSum": "sum.dim_IntList", "ReduceMean": "mean.dim", "ReduceMax": "amax", "ReduceMin": "amin",
          "ReduceProd": "prod.dim_int", "ReduceLogSumExp": "logsumexp"}


@from_onnx(*REDUCE)
def reduce(at: At, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
    """Without axes, or with an empty list of them, along all."""
    assert at.node is not None
    op, n = at.node.op, rank(x)
    which = list(dict.fromkeys(a % n for a in known(axes, "the axes"))) if axes is not None and axes.shape != (0,) \
        else []
    if not which:
        if noop_with_empty_axes or not n:
            if op == "ReduceLogSumExp":
                raise Unsupported("along no axis")
            return x
        which = list(range(n))
    keep = bool(keepdims)
    if x.dtype == BOOL and op in ("ReduceMax", "ReduceMin"):
        return at("any.dims" if op == "ReduceMax" else "all.dims", x, which, keep, type=at.out)
    held([x], FLOATS if op in ("ReduceMean", "ReduceLogSumExp") else NUMERIC)
    if op in ("ReduceMax", "ReduceMin") and (x.type.size == 0 or 0 in (x.shape or ())):
        if not at.out.static or x.dtype not in FLOATS:
            raise Unsupported("the largest of nothing")
        fill = -np.inf if op == "ReduceMax" else np.inf
        return at.full(list(at.out.shape or ()), fill, dtype=x.dtype, type=at.out)
    if op == "ReduceSum":
        return at(REDUCE[op], x, which, keep, dtype=None if x.dtype in FLOATS else x.dtype, type=at.out)
    if op != "ReduceProd":
        return at(REDUCE[op], x, which, keep, type=at.out)
    for a in sorted(which, reverse=True):
        shape = list(x.shape or ())
        shape[a:a + 1] = [1] if keep else []
        x = at(REDUCE[op], x, a, keep, dtype=None if x.dtype in FLOATS else x.dtype, type=Type(x.dtype, tuple(shape)))
    return x
