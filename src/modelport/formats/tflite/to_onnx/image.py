"""Images: resizing, and blocks of pixels moved to other dimensions.

Source: tensorflow/lite/kernels/internal/reference/resize_bilinear.h, resize_nearest_neighbor.h, space_to_batch_nd.h."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import dims, i64, ints, known, pads_of, rank
from .common import to_onnx


@to_onnx("RESIZE_BILINEAR")
def resize_bilinear(op: Builder, x: Value, size: Value, *, align_corners: bool = False,
                    half_pixel_centers: bool = False) -> Any:
    if align_corners and half_pixel_centers:
        raise Unsupported("align_corners with half_pixel_centers")
    mode = "align_corners" if align_corners else "half_pixel" if half_pixel_centers else "asymmetric"
    return op.nhwc.Resize(x, None, None, i64(op, size), axes=[2, 3], mode="linear",
                          coordinate_transformation_mode=mode)


@to_onnx("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest(op: Builder, x: Value, size: Value, *, align_corners: bool = False,
                   half_pixel_centers: bool = False) -> Any:
    shape = (x.shape or ())[1:3]
    if size.data is not None and all(isinstance(d, int) for d in shape) and not _whole(
            [d for d in shape if isinstance(d, int)], known(size, "the size"), align_corners):
        # a ratio that is no whole number: which pixel is nearest depends on the last bit, so choose as the kernel does
        for axis, (old, new) in enumerate(zip(dims(x, [1, 2]), known(size, "the size"), strict=True), 1):
            x = op.Gather(x, ints(_nearest(old, new, align_corners, half_pixel_centers)), axis=axis)
        return x
    if align_corners:
        if half_pixel_centers:
            raise Unsupported("align_corners with half_pixel_centers")
        how = {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"}
    elif half_pixel_centers:  # floor((i + 0.5) * scale), and ONNX takes 0.5 away before it rounds
        how = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    else:
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return op.nhwc.Resize(x, None, None, i64(op, size), axes=[2, 3], mode="nearest", **how)


def _whole(old: list[int], new: list[int], align_corners: bool) -> bool:
    return not align_corners and all(a > 0 and b % a == 0 for a, b in zip(old, new, strict=True))


def _nearest(old: int, new: int, align_corners: bool, half_pixel_centers: bool) -> Any:
    f = np.float32
    scale = f(old - 1) / f(new - 1) if align_corners and new > 1 else f(old) / f(new)
    at = (np.arange(new, dtype=f) + f(0.5 if half_pixel_centers else 0)) * scale
    # the kernel rounds halves away from zero; positions are never negative
    chosen = np.floor(at + f(0.5)) if align_corners else np.floor(at)
    return np.clip(chosen.astype(np.int64), 0, old - 1)


@to_onnx("SPACE_TO_DEPTH")
def space_to_depth(op: Builder, x: Value, *, block_size: int = 0) -> Any:
    return op.nhwc.SpaceToDepth(x, blocksize=block_size)


@to_onnx("DEPTH_TO_SPACE")
def depth_to_space(op: Builder, x: Value, *, block_size: int = 0) -> Any:
    return op.nhwc.DepthToSpace(x, blocksize=block_size, mode="DCR")


@to_onnx("SPACE_TO_BATCH_ND")
def space_to_batch(op: Builder, x: Value, block: Value, paddings: Value) -> Any:
    blocks = known(block, "the block")
    n, m = rank(x), len(blocks)
    if paddings.data is None or paddings.numpy().any():
        x = op.Pad(x, pads_of(op, paddings), None, ints(range(1, 1 + m)))
    if n == 4 and m == 2 and blocks[0] == blocks[1]:  # the batch as channels: any size, known or not
        y = op.SpaceToDepth(op.Transpose(x, perm=[3, 0, 1, 2]), blocksize=blocks[0])
        return op.Transpose(y, perm=[1, 2, 3, 0])
    size = dims(x, range(1, n))
    if any(s % b for s, b in zip(size, blocks, strict=False)):
        raise Unsupported(f"blocks of {blocks} in {size}")
    split = [v for s, b in zip(size, blocks, strict=False) for v in (s // b, b)]
    y = op.Reshape(x, ints([-1, *split, *size[m:]]))
    y = op.Transpose(y, perm=[*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m, 2), *range(2 * m + 1, n + m)])
    return op.Reshape(y, ints([-1, *(s // b for s, b in zip(size, blocks, strict=False)), *size[m:]]))


@to_onnx("BATCH_TO_SPACE_ND")
def batch_to_space(op: Builder, x: Value, block: Value, crops: Value) -> Any:
    blocks = known(block, "the block")
    n, m = rank(x), len(blocks)
    if n == 4 and m == 2 and blocks[0] == blocks[1]:
        y = op.DepthToSpace(op.Transpose(x, perm=[3, 0, 1, 2]), blocksize=blocks[0], mode="DCR")
        y = op.Transpose(y, perm=[1, 2, 3, 0])
    else:
        size = dims(x, range(1, n))
        y = op.Reshape(x, ints([*blocks, -1, *size]))
        merged = [v for k in range(m) for v in (m + 1 + k, k)]
        y = op.Transpose(y, perm=[m, *merged, *range(2 * m + 1, n + m)])
        y = op.Reshape(y, ints([-1, *(s * b for s, b in zip(size, blocks, strict=False)), *size[m:]]))
    if crops.data is None:
        size = op.Slice(op.Shape(y), ints([1]), ints([1 + m]))
        start, end = op.Split(pads_of(op, crops), axis=0, num_outputs=2, outputs=2)
        return op.Slice(y, start, op.Sub(size, end), ints(range(1, 1 + m)))
    pairs = crops.numpy().reshape(-1, 2)
    if not pairs.any():
        return y
    cut = [k for k in range(m) if pairs[k].any()]
    ends = [np.iinfo(np.int64).max if pairs[k, 1] == 0 else -int(pairs[k, 1]) for k in cut]
    return op.Slice(y, ints(pairs[cut, 0]), ints(ends), ints([k + 1 for k in cut]))
