"""Which of the arithmetics that TensorFlow's resizing kernels know is that of a Resize."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import Shape, Type
from ... import infer
from ..eager import i64
from ..resize import Axis, nearest, positions, resized_axes

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


@dataclass(frozen=True)
class Plan:
    """How a kernel resizes the spatial axes of images: its arithmetic, and the sizes of the result, which are known
    (``sizes``), whole multiples of what there is (``factors``), or those stated from place ``skipped`` on."""

    align_corners: bool
    half_pixel_centers: bool
    sizes: list[int] | None
    factors: list[int] | None
    skipped: int


def planned(x: Value, out: Shape, roi: Value | None, scales: Value | None, sizes: Value | None, *, antialias: int,
            axes: Sequence[int], transformation: str, policy: str, mode: str, nearest_mode: str) -> Plan:
    """The plan for a Resize of ``x``, channels last, of one or two spatial axes, to the shape ``out``."""
    n = (x.rank or 0) - 2
    if antialias or mode not in ("nearest", "linear") or n not in (1, 2) or x.shape is None or out is None:
        raise Unsupported(f"{n} spatial axes, mode {mode}" + ", antialias" * bool(antialias))
    if transformation == "tf_crop_and_resize":
        raise Unsupported("tf_crop_and_resize")
    like, made = (Value(Type(x.dtype, (shape[0], shape[-1], *shape[1:-1]))) for shape in (x.shape, out))
    changed = resized_axes(infer.builder(), like, made, roi, scales, sizes, axes=axes,
                           coordinate_transformation_mode=transformation, keep_aspect_ratio_policy=policy)
    if any(a.axis < 2 for a in changed):
        raise Unsupported("a batch or channels that change")
    ways = [w for w in WAYS if all(computes(a, w, mode, transformation, nearest_mode) for a in changed)]
    if not ways:
        raise Unsupported(f"{mode} {transformation} {nearest_mode} of these sizes")
    lengths: list[int | None] = [d if isinstance(d, int) else None for d in x.shape[1:-1]]
    factors = [1] * n
    for a in changed:
        lengths[a.axis - 2] = None if a.lengths is None else a.lengths[1]
        factors[a.axis - 2] = int(a.factor or 0)
    known = [d for d in lengths if d is not None]
    named = [a % (n + 2) for a in axes] or list(range(n + 2))
    if len(known) < n and not all(factors) and (sizes is None or named[-n:] != list(range(2, n + 2))):
        raise Unsupported("sizes that are only known at run time")
    return Plan(*WAYS[ways[0]], known if len(known) == n else None, factors if all(factors) else None, len(named) - n)
