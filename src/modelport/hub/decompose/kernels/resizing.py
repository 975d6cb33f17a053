"""Which of the arithmetics that TensorFlow's resizing kernels know is that of a Resize."""
from __future__ import annotations

import numpy as np

from ....ir.graph import constant
from ... import infer
from ..eager import i64
from ..resize import Axis, nearest, positions

WAYS = {"half_pixel": (False, True), "align_corners": (True, False), "asymmetric": (False, False)}
"""What the kernels can do: align_corners and half_pixel_centers."""
_LONG = 4096  # lengths for which a factor is checked where they are only known at run time


def computes(axis: Axis, way: str, mode: str, transformation: str, nearest_mode: str) -> bool:
    """Whether a kernel's arithmetic along an axis is ONNX's for every element.

    Source: tensorflow/core/kernels/image/resize_*_op.cc, tensorflow/lite/kernels/internal/reference/resize_*.h."""
    op, lengths, factor = infer.builder(), axis.lengths, axis.factor
    if lengths is None:
        stretched = factor is None and axis.scale.node is not None and axis.scale.op == "Div"  # sizes / lengths
        if mode == "linear" and stretched:
            return way == {"half_pixel_symmetric": "half_pixel"}.get(transformation, transformation)
        if factor is None or factor != int(factor):
            return False
        lengths = _LONG, _LONG * int(factor)
    old, new = lengths
    axis = Axis(axis.axis, i64(old), i64(new), constant(np.array([factor], np.float32)) if factor else axis.scale)
    if not old or not new or axis.scale.data is None:
        return False
    at = positions(op, axis, transformation)
    f, align, half = np.float32, *WAYS[way]
    scale = f(old - 1) / f(new - 1) if align and new > 1 else f(old) / f(new)
    step = np.arange(new, dtype=f)
    if mode == "linear":
        there = (step + f(0.5)) * scale - f(0.5) if half else step * scale
        # both are rounded, each to half a unit of the longest position; outside only the end counts
        close = np.abs(np.clip(there, 0, old - 1) - np.clip(at.numpy(), 0, old - 1)) <= 2 ** -22 * max(old, 1)
        return bool(close.all())
    there = (step + f(0.5)) * scale if half else step * scale
    chosen = np.floor(there + f(0.5)) if align else np.floor(there)  # halves away from zero; none is negative
    return np.array_equal(np.clip(chosen, 0, old - 1), nearest(op, at, axis.old, nearest_mode).numpy())


