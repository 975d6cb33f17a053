"""Elements by their place."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import Type
from ...writing import known
from ..raw import Calls
from .common import BOOL, I64, cast, from_onnx, sizes, viewed


def _counted(op: Calls, index: Value, n: int) -> Any:
    """An index from the front, as kernels want it: int64."""
    if index.data is not None:
        at = index.numpy().astype(np.int64)
        return constant(np.where(at < 0, at + n, at))
    wide = cast(op, index, I64)
    t = Type(I64, index.shape)
    negative = op.call("lt.Scalar_out", wide, 0, type=Type(BOOL, index.shape))
    return op.call("where.self_out", negative, op.call("add.Scalar_out", wide, n, 1, type=t), wide, type=t)


@from_onnx("Gather")
def gather(op: Calls, x: Value, index: Value, *, axis: int = 0) -> Any:
    axis %= len(sizes(x))
    at = viewed(op, _counted(op, index, sizes(x)[axis]), [index.type.size or 0])
    shape = sizes(x)
    shape[axis] = sizes(at)[0]
    y = op.call("index_select.out", x, axis, at, type=Type(x.dtype, tuple(shape)))
    return viewed(op, y, [d for d in op.out.shape or () if isinstance(d, int)])


@from_onnx("GatherElements")
def gather_elements(op: Calls, x: Value, index: Value, *, axis: int = 0) -> Any:
    axis %= len(sizes(x))
    return op.call("gather.out", x, axis, _counted(op, index, sizes(x)[axis]), False)


@from_onnx("ScatterElements")
def scatter_elements(op: Calls, x: Value, index: Value, new: Value, *, axis: int = 0, reduction: str = "none") -> Any:
    axis %= len(sizes(x))
    at = _counted(op, index, sizes(x)[axis])
    if reduction == "add" and x.dtype.kind in "fiu":
        return op.call("scatter_add.out", x, axis, at, new)
    if reduction != "none":
        raise Unsupported(f"ScatterElements by '{reduction}'")
    return op.call("scatter.src_out", x, axis, at, new)


@from_onnx("TopK")
def topk(op: Calls, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    if x.dtype.kind not in "fiu":
        raise Unsupported(f"TopK of {x.dtype}")
    raise Unsupported("TopK, whose kernel orders equal elements otherwise")


@from_onnx("Trilu")
def trilu(op: Calls, x: Value, k: Value | None = None, *, upper: int = 1) -> Any:
    if upper:
        raise Unsupported("the upper triangle")
    return op.call("tril.out", x, known(k, "k")[0] if k is not None else 0)


@from_onnx("GridSample")
def grid_sample(op: Calls, x: Value, grid: Value, *, align_corners: int = 0, mode: str = "linear",
                padding_mode: str = "zeros") -> Any:
    modes, paddings = ("linear", "nearest", "cubic"), ("zeros", "border", "reflection")
    if len(sizes(x)) != 4 or mode not in modes[:2] or x.dtype.kind != "f":
        raise Unsupported(f"GridSample by '{mode}'")
    return op.call("grid_sampler_2d.out", x, grid, modes.index(mode), paddings.index(padding_mode),
                   bool(align_corners))
