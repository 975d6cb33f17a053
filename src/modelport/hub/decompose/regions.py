"""Pooling over regions whose bounds are computed: the largest of what a mask leaves, one axis after the other."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float
from .eager import eager, i64, size
from .sample import counted

rules = Rules("the hub", "simpler operators")
F32 = np.dtype(np.float32)


@rules("MaxRoiPool")
def max_roi_pool(op: Builder, x: Value, rois: Value, *, pooled_shape: Sequence[int], spatial_scale: float = 1.0) -> Any:
    """Regions are rows of an image's number and two corners, inclusive; a bin without pixels is zero.

    (Corners are rounded half up, bins outwards: R. Girshick, Fast R-CNN, 2015.)"""
    if x.rank != 4 or not is_float(x.dtype):
        raise Unsupported(f"{x.type}")
    quick = eager(op)
    low = np.array(-np.inf, x.dtype)
    batch = op.Cast(op.Squeeze(op.Slice(rois, i64(0), i64(1), i64(1)), i64(1)), to=NUMBER[np.dtype(np.int64)])
    corners = op.Floor(op.Add(op.Mul(op.Cast(rois, to=NUMBER[F32]), np.float32(spatial_scale)), np.float32(0.5)))
    y, some = op.Gather(x, batch, axis=0), None
    for axis, first, bins in ((3, 1, pooled_shape[1]), (2, 2, pooled_shape[0])):
        start, end = (op.Slice(corners, i64(k), i64(k + 1), i64(1)) for k in (first, first + 2))
        length = quick.Cast(size(quick, x, axis), to=NUMBER[F32])
        place = counted(op, size(quick, x, axis))
        extent = op.Max(op.Add(op.Sub(end, start), np.float32(1)), np.float32(1))
        step = op.Div(extent, np.float32(bins))
        parts, filled = [], []
        for k in range(bins):
            begin = op.Max(op.Add(op.Floor(op.Mul(step, np.float32(k))), start), np.float32(0))
            stop = op.Min(op.Add(op.Ceil(op.Mul(step, np.float32(k + 1))), start), length)
            inside = op.And(op.Not(op.Less(place, begin)), op.Less(place, stop))  # (regions, places)
            mask = op.Unsqueeze(inside, i64(1, 2) if axis == 3 else i64(1, 3))
            parts.append(op.ReduceMax(op.Where(mask, y, low), i64(axis), keepdims=1))
            filled.append(op.Less(begin, stop))
        y = op.Concat(*parts, axis=axis) if bins > 1 else parts[0]
        whole = op.Cast(op.Concat(*filled, axis=1), to=NUMBER[F32])
        whole = op.Greater(op.Unsqueeze(whole, i64(1, 2) if axis == 3 else i64(1, 3)), np.float32(0))
        some = whole if some is None else op.And(some, whole)
    return op.Where(some, y, np.zeros((), x.dtype))
