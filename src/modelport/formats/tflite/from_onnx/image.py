"""Images, channels last: resizing where a kernel computes what ONNX says, and blocks of pixels."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....hub.decompose.kernels.resizing import Plan, planned
from ....ir.graph import Value
from ....ir.rules import Builder
from ...writing import rank
from .common import NONE, carry, from_onnx, i32, ints
from .conv import Flat, inner


@from_onnx("nhwc.Resize")
def resize(tfl: Builder, x: Value, roi: Value | None = None, scales: Value | None = None, sizes: Value | None = None, *,
           antialias: int = 0, axes: Sequence[int] = (), coordinate_transformation_mode: str = "half_pixel",
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
           nearest_mode: str = "round_prefer_floor") -> Any:
    n = rank(x) - 2
    plan = planned(x, tfl.out.shape, roi, scales, sizes, antialias=antialias, axes=axes, mode=mode,
                   transformation=coordinate_transformation_mode, policy=keep_aspect_ratio_policy,
                   nearest_mode=nearest_mode)
    flat = Flat(n == 1)
    shape = _shape(tfl, x, plan, sizes, n)
    if flat.one:
        shape = ints([1, *shape.numpy()]) if shape.data is not None else tfl.CONCATENATION(
            ints([1]), shape, axis=0, fused_activation_function="NONE")
    kinds, name = ("f4", "RESIZE_BILINEAR") if mode == "linear" else ("f4 i1 u1 i2 i4 ?", "RESIZE_NEAREST_NEIGHBOR")
    y = tfl.add(name, flat.ins(tfl, carry(tfl, x, kinds)), shape, align_corners=plan.align_corners,
                half_pixel_centers=plan.half_pixel_centers, type=inner(tfl, flat))
    return flat.out(tfl, y)


def _shape(tfl: Builder, x: Value, plan: Plan, sizes: Value | None, n: int) -> Value:
    """The spatial sizes of the result."""
    if plan.sizes is not None:
        return ints(plan.sizes)
    if plan.factors is not None:
        now = tfl.SLICE(tfl.SHAPE(x, out_type="INT32"), ints([1]), ints([n]))
        return now if plan.factors == [1] * n else tfl.MUL(now, ints(plan.factors), **NONE)
    said = i32(tfl, sizes, "the size")
    return tfl.SLICE(said, ints([plan.skipped]), ints([n])) if plan.skipped else said


@from_onnx("nhwc.DepthToSpace")
def depth_to_space(tfl: Builder, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode != "DCR":
        raise Unsupported(f"mode {mode}")
    rank(x, 4)
    return tfl.DEPTH_TO_SPACE(carry(tfl, x, "f4 i4 i8 i1 u1"), block_size=blocksize, type=tfl.out)


@from_onnx("nhwc.SpaceToDepth")
def space_to_depth(tfl: Builder, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode != "DCR":
        raise Unsupported(f"mode {mode}")
    rank(x, 4)
    return tfl.SPACE_TO_DEPTH(carry(tfl, x, "f4 i4 i8 i1 u1"), block_size=blocksize, type=tfl.out)
