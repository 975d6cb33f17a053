"""Images, channels last: resizing where a kernel computes what ONNX says, blocks of pixels."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....hub import infer
from ....hub.decompose.kernels.resizing import WAYS, computes
from ....hub.decompose.resize import Axis, resized_axes
from ....hub.layout import last_to_first
from ....ir.graph import Value
from ....ir.types import Type
from .common import NUMBERS, TF, carry, concat, from_onnx, i32, ints, rank, sizes
from .conv import Flat, inner


@from_onnx("nhwc.Resize")
def resize(tf: TF, x: Value, roi: Value | None = None, scales: Value | None = None, new: Value | None = None, *,
           antialias: int = 0, axes: Sequence[int] = (), coordinate_transformation_mode: str = "half_pixel",
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
           nearest_mode: str = "round_prefer_floor") -> Any:
    n = rank(x) - 2
    if antialias or mode not in ("nearest", "linear") or n not in (1, 2) or tf.out.shape is None:
        raise Unsupported(f"{n} spatial axes, mode {mode}" + ", antialias" * bool(antialias))
    first = last_to_first(n + 2)
    assert x.shape is not None
    like = Value(Type(x.dtype, tuple(x.shape[k] for k in first)))
    out = Value(Type(x.dtype, tuple(tf.out.shape[k] for k in first)))
    if coordinate_transformation_mode == "tf_crop_and_resize":
        raise Unsupported("tf_crop_and_resize")
    changed = resized_axes(infer.builder(), like, out, roi, scales, new, axes=axes,
                           coordinate_transformation_mode=coordinate_transformation_mode,
                           keep_aspect_ratio_policy=keep_aspect_ratio_policy)
    if any(a.axis < 2 for a in changed):
        raise Unsupported("a batch or channels that change")
    ways = [w for w in WAYS if all(computes(a, w, mode, coordinate_transformation_mode, nearest_mode)
                                   for a in changed)]
    if not ways:
        raise Unsupported(f"{mode} {coordinate_transformation_mode} {nearest_mode} of these sizes")
    align, half = WAYS[ways[0]]
    flat = Flat(n == 1)
    shape = _shape(tf, x, like, changed, new, axes, n)
    if flat.one:
        shape = concat(tf, [ints([1]), shape])
    linear = mode == "linear"
    x = carry(tf, x, "f4" if linear else NUMBERS)  # the linear kernel delivers float32 of whatever it takes
    y = tf.add("ResizeBilinear" if linear else "ResizeNearestNeighbor", flat.ins(tf, x), shape, align_corners=align,
               half_pixel_centers=half, type=inner(tf, flat, x.dtype))
    return flat.out(tf, y)


def _shape(tf: TF, x: Value, like: Value, changed: Sequence[Axis], new: Value | None, axes: Sequence[int],
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
        now = sizes(tf, x, 1, n + 1)
        several: Value = now if factors == [1] * n else tf.Mul(now, ints(factors))
        return several
    named = [a % (n + 2) for a in axes] or list(range(n + 2))
    if new is None or named[-n:] != list(range(2, n + 2)):
        raise Unsupported("sizes that are only known at run time")
    said = i32(tf, new, "the size")
    part: Value = said if len(named) == n else tf.Slice(said, ints([len(named) - n]), ints([n]))
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
