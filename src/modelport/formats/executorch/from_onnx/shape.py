"""Sizes, order of axes, parts: every size is known when a file is written."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import Type
from ...writing import known
from ..raw import Calls
from .common import expanded, from_onnx, permuted, sizes, sliced, viewed


@from_onnx("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(op: Calls, x: Value, shape: Value | None = None, *, allowzero: int = 0, axis: int = 1) -> Any:
    return viewed(op, x, [d for d in op.out.shape or () if isinstance(d, int)])


@from_onnx("Transpose")
def transpose(op: Calls, x: Value, *, perm: Any = None) -> Any:
    return permuted(op, x, perm if perm is not None else range(len(sizes(x)))[::-1])


@from_onnx("Shape")
def shape(op: Calls, x: Value, *, start: int = 0, end: int | None = None) -> Any:
    return constant(np.array(sizes(x)[start:end], np.int64))


@from_onnx("Size")
def size(op: Calls, x: Value) -> Any:
    return constant(np.array(x.type.size, np.int64))


@from_onnx("Concat")
def concat(op: Calls, *xs: Value, axis: int) -> Any:
    kept = [x for x in xs if 0 not in sizes(x)]
    if not kept:
        raise Unsupported("Concat of nothing")
    return op.call("cat.out", kept, axis % len(sizes(xs[0]))) if len(kept) > 1 else kept[0]


@from_onnx("Slice")
def slice_(op: Calls, x: Value, starts: Value, ends: Value, axes: Value | None = None,
           steps: Value | None = None) -> Any:
    begin, end = known(starts, "starts"), known(ends, "ends")
    where = known(axes, "axes") if axes is not None else list(range(len(begin)))
    by = known(steps, "steps") if steps is not None else [1] * len(begin)
    for a, b, axis, step in zip(begin, end, where, by, strict=True):
        axis %= len(sizes(x))
        n = sizes(x)[axis]
        if step > 0:
            first, last, _ = slice(a, b, step).indices(n)
            x = sliced(op, x, axis, first, max(first, last), step)
        else:
            picked = range(n)[slice(a, b if b >= -n else None, step)]
            shape = sizes(x)
            shape[axis] = len(picked)
            x = op.call("index_select.out", x, axis, constant(np.array(picked, np.int64)),
                        type=Type(x.dtype, tuple(shape)))
    return x


@from_onnx("Split")
def split(op: Calls, x: Value, split: Value | None = None, *, axis: int = 0, num_outputs: int | None = None) -> Any:
    axis %= len(sizes(x))
    assert op.node is not None
    parts, at = [], 0
    for o in op.node.outputs:
        n = sizes(o)[axis]
        parts.append(sliced(op, x, axis, at, at + n))
        at += n
    return parts


@from_onnx("Expand")
def expand(op: Calls, x: Value, shape: Value) -> Any:
    return expanded(op, x, [d for d in op.out.shape or () if isinstance(d, int)])


@from_onnx("Tile")
def tile(op: Calls, x: Value, repeats: Value) -> Any:
    return op.call("repeat.out", x, known(repeats, "repeats"))


@from_onnx("Pad")
def pad(op: Calls, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Any:
    amounts = known(pads, "pads")
    n = len(sizes(x))
    where = [a % n for a in known(axes, "axes")] if axes is not None else list(range(n))
    begin, end = [0] * n, [0] * n
    for k, a in enumerate(where):
        begin[a], end[a] = amounts[k], amounts[k + len(where)]
    if any(p < 0 for p in (*begin, *end)):
        raise Unsupported("Pad that takes away")
    pairs = [p for a in reversed(range(n)) for p in (begin[a], end[a])]
    if mode == "constant":
        if value is not None and (value.data is None or value.type.size != 1):
            raise Unsupported("Pad by a value known at run time only")
        fill = value.numpy().reshape(-1)[0].item() if value is not None else 0
        return op.call("constant_pad_nd.out", x, pairs, fill)
    kinds = {"reflect": "reflection", "edge": "replication"}
    spatial = n - 2
    if mode not in kinds or spatial not in (1, 2, 3) or any(begin[:2]) or any(end[:2]) or x.dtype.kind != "f":
        raise Unsupported(f"Pad by '{mode}' of {n} axes")
    return op.call(f"{kinds[mode]}_pad{spatial}d.out", x, pairs[:2 * spatial])


@from_onnx("DepthToSpace")
def depth_to_space(op: Calls, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode != "CRD":
        raise Unsupported("DepthToSpace by columns")
    return op.call("pixel_shuffle.out", x, blocksize)


@from_onnx("Resize")
def resize(op: Calls, x: Value, roi: Value | None = None, scales: Value | None = None, sizes_: Value | None = None, *,
           mode: str = "nearest", coordinate_transformation_mode: str = "half_pixel",
           nearest_mode: str = "round_prefer_floor", antialias: int = 0, axes: Any = None,
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch") -> Any:
    old, new = sizes(x), [d for d in op.out.shape or () if isinstance(d, int)]
    if len(old) != 4 or old[:2] != new[:2] or antialias or exclude_outside or x.dtype.kind != "f":
        raise Unsupported("Resize that no kernel computes")
    whole = all(n % o == 0 for o, n in zip(old[2:], new[2:], strict=True))
    if mode == "nearest" and coordinate_transformation_mode == "asymmetric" and nearest_mode == "floor" and whole:
        return op.call("upsample_nearest2d.vec_out", x, new[2:], None)
    corners = coordinate_transformation_mode == "align_corners"
    if mode == "linear" and (corners or (coordinate_transformation_mode in ("half_pixel", "pytorch_half_pixel")
                                         and whole)) and min(new[2:]) > 1:
        return op.call("upsample_bilinear2d.vec_out", x, new[2:], corners, None)
    raise Unsupported("Resize that no kernel computes")
