"""Images, channels last: resizing where a kernel computes what ONNX says, and blocks of pixels."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....hub import infer
from ....hub.decompose.kernels.resizing import WAYS, computes
from ....hub.decompose.resize import Axis, resized_axes
from ....hub.layout import last_to_first
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import Type
from .common import NONE, carry, from_onnx, i32, ints, rank
from .conv import Flat, inner


@from_onnx("nhwc.Resize")
def resize(tfl: Builder, x: Value, roi: Value | None = None, scales: Value | None = None, sizes: Value | None = None, *,
           antialias: int = 0, axes: Sequence[int] = (), coordinate_transformation_mode: str = "half_pixel",
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
           nearest_mode: str = "round_prefer_floor") -> Any:
    n = rank(x) - 2
    if antialias or mode not in ("nearest", "linear") or n not in (1, 2) or tfl.out.shape is None:
        raise Unsupported(f"{n} spatial axes, mode {mode}" + ", antialias" * bool(antialias))
    first = last_to_first(n + 2)
    assert x.shape is not None
    like = Value(Type(x.dtype, tuple(x.shape[k] for k in first)))
    out = Value(Type(x.dtype, tuple(tfl.out.shape[k] for k in first)))
    if coordinate_transformation_mode == "tf_crop_and_resize":
        raise Unsupported("tf_crop_and_resize")
    changed = resized_axes(infer.builder(), like, out, roi, scales, sizes, axes=axes,
                           coordinate_transformation_mode=coordinate_transformation_mode,
                           keep_aspect_ratio_policy=keep_aspect_ratio_policy)
    if any(a.axis < 2 for a in changed):
        raise Unsupported("a batch or channels that change")
    ways = [w for w in WAYS if all(computes(a, w, mode, coordinate_transformation_mode, nearest_mode) for a in changed)]
    if not ways:
        raise Unsupported(f"{mode} {coordinate_transformation_mode} {nearest_mode} of these sizes")
    align, half = WAYS[ways[0]]
    flat = Flat(n == 1)
    shape = _shape(tfl, x, like, changed, sizes, axes, n)
    if flat.one:
        shape = ints([1, *shape.numpy()]) if shape.data is not None else tfl.CONCATENATION(
            ints([1]), shape, axis=0, fused_activation_function="NONE")
    kinds, name = ("f4", "RESIZE_BILINEAR") if mode == "linear" else ("f4 i1 u1 i2 i4 ?", "RESIZE_NEAREST_NEIGHBOR")
    y = tfl.add(name, flat.ins(tfl, carry(tfl, x, kinds)), shape, align_corners=align, half_pixel_centers=half,
                type=inner(tfl, flat))
    return flat.out(tfl, y)


def _shape(tfl: Builder, x: Value, like: Value, changed: Sequence[Axis], sizes: Value | None, axes: Sequence[int],
           n: int) -> Value:
    """The spatial sizes of the result."""
    assert like.shape is not None
    made: list[int | None] = [d if isinstance(d, int) else None for d in like.shape[2:]]
    factors = [1] * n
    for a in changed:
        made[a.axis - 2] = None if a.lengths is None else a.lengths[1]
        factors[a.axis - 2] = int(a.factor or 0)
    if all(d is not None for d in made):
        return ints([d for d in made if d is not None])
    if all(factors):  # whole multiples of what there is
        now = tfl.SLICE(tfl.SHAPE(x, out_type="INT32"), ints([1]), ints([n]))
        return now if factors == [1] * n else tfl.MUL(now, ints(factors), **NONE)
    named = [a % (n + 2) for a in axes] or list(range(n + 2))
    if sizes is None or named[-n:] != list(range(2, n + 2)):
        raise Unsupported("sizes that are only known at run time")
    said = i32(tfl, sizes, "the size")
    return said if len(named) == n else tfl.SLICE(said, ints([len(named) - n]), ints([n]))


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
