"""Images, channels last: resizing where a kernel computes what ONNX says, blocks of pixels."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....hub.decompose.kernels.resizing import Plan, planned
from ....ir.graph import Value
from ....ir.types import Type
from ...writing import rank
from .common import NUMBERS, TF, carry, concat, from_onnx, i32, ints, sizes
from .conv import Flat, inner


@from_onnx("nhwc.Resize")
def resize(tf: TF, x: Value, roi: Value | None = None, scales: Value | None = None, new: Value | None = None, *,
           antialias: int = 0, axes: Sequence[int] = (), coordinate_transformation_mode: str = "half_pixel",
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
           nearest_mode: str = "round_prefer_floor") -> Any:
    n = rank(x) - 2
    plan = planned(x, tf.out.shape, roi, scales, new, antialias=antialias, axes=axes, mode=mode,
                   transformation=coordinate_transformation_mode, policy=keep_aspect_ratio_policy,
                   nearest_mode=nearest_mode)
    flat = Flat(n == 1)
    shape = _shape(tf, x, plan, new, n)
    if flat.one:
        shape = concat(tf, [ints([1]), shape])
    linear = mode == "linear"
    x = carry(tf, x, "f4" if linear else NUMBERS)  # the linear kernel delivers float32 of whatever it takes
    y = tf.add("ResizeBilinear" if linear else "ResizeNearestNeighbor", flat.ins(tf, x), shape,
               align_corners=plan.align_corners, half_pixel_centers=plan.half_pixel_centers,
               type=inner(tf, flat, x.dtype))
    return flat.out(tf, y)


def _shape(tf: TF, x: Value, plan: Plan, new: Value | None, n: int) -> Value:
    """The spatial sizes of the result."""
    if plan.sizes is not None:
        return ints(plan.sizes)
    if plan.factors is not None:
        now = sizes(tf, x, 1, n + 1)
        several: Value = now if plan.factors == [1] * n else tf.Mul(now, ints(plan.factors))
        return several
    said = i32(tf, new, "the size")
    part: Value = tf.Slice(said, ints([plan.skipped]), ints([n])) if plan.skipped else said
    return part


@from_onnx("nhwc.DepthToSpace")
def depth_to_space(tf: TF, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode != "DCR":
        raise Unsupported(f"mode {mode}")
    rank(x, 4)
    return tf.DepthToSpace(x, block_size=blocksize, type=Type(x.dtype, tf.out.shape))


@from_onnx("nhwc.SpaceToDepth")
def space_to_depth(tf: TF, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode != "DCR":
        raise Unsupported(f"mode {mode}")
    rank(x, 4)
    return tf.SpaceToDepth(x, block_size=blocksize, type=Type(x.dtype, tf.out.shape))
