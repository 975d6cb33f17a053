"""Resizing, cropping and blocks of pixels."""
from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import is_float
from ...warp import projected
from .common import axis_of, dims, first, generation, ints, layout, number, rank, real, room, spatial, to_onnx


def resized(op: Builder, x: Value, height: int, width: int, interpolation: str, antialias: bool,
            data_format: str) -> Any:
    """An image of another size, its pixels' centres where they were: what tf.image.resize computes."""
    if rank(x) != 4:
        raise Unsupported(f"an image of {rank(x)} dimensions")
    to = layout(op, data_format)
    size = ints([height, width])
    if interpolation == "nearest":  # floor((i + 0.5) * scale): ONNX takes 0.5 away before it rounds
        axes = spatial(x, data_format)
        if any(not isinstance((x.shape or ())[a], int) for a in axes):
            return to.Resize(x, None, None, size, axes=[2, 3], mode="nearest", nearest_mode="round_prefer_ceil",
                             coordinate_transformation_mode="half_pixel")
        for axis, new in zip(axes, (height, width), strict=True):
            n = dims(x, [axis])[0]
            room(new)
            scale = np.float32(n) / np.float32(new)  # chosen here: which is nearest depends on the last bit
            at = np.floor((np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale).astype(np.int64)
            if not np.array_equal(at, np.arange(n)):
                x = op.Gather(x, np.minimum(at, n - 1), axis=axis)
        return x
    x = real(op, x)
    if interpolation == "bilinear" and not antialias:
        return to.Resize(x, None, None, size, axes=[2, 3], mode="linear", coordinate_transformation_mode="half_pixel")
    for axis, new in zip(spatial(x, data_format), (height, width), strict=True):
        old = dims(x, [axis], "the image")[0]
        room(old, new)
        weights = constant(_filter(interpolation, antialias, old, new).astype(x.dtype))
        if axis == 3:
            x = op.MatMul(x, constant(np.ascontiguousarray(weights.numpy().T)))
        elif axis == 2:
            x = op.MatMul(weights, x)
        else:  # rows of channels-last images: what is behind them as one
            flat = op.MatMul(weights, op.Reshape(x, ints([0, old, -1])))
            x = op.Reshape(flat, ints([0, new, *dims(x, [2, 3], "the image")]))
    return x


def _filter(kind: str, antialias: bool, old: int, new: int) -> Any:
    """What each new pixel of a line takes of each old one, as the kernels of TensorFlow compute it."""
    scale = old / new
    if kind == "area":
        edges = np.arange(new + 1) * scale
        low, high = np.maximum(edges[:-1, None], np.arange(old)), np.minimum(edges[1:, None], np.arange(1, old + 1))
        return np.maximum(0, high - low) / scale
    centers = (np.arange(new) + 0.5) * scale
    if kind == "bicubic" and not antialias:  # taken from a table of 1024 steps
        at = centers - 0.5
        whole = np.floor(at)
        step = np.rint((at - whole) * 1024) / 1024
        near = whole[:, None] + np.arange(-1, 3)
        taps = _cubic(step[:, None] - np.arange(-1, 3)) * ((near >= 0) & (near < old))
        out = np.zeros((new, old))
        for k in range(4):
            np.add.at(out, (np.arange(new), np.clip(near[:, k], 0, old - 1).astype(int)), taps[:, k])
        return out / out.sum(axis=1, keepdims=True)
    kernels: dict[str, tuple[float, Callable[[Any], Any]]] = {
        "bilinear": (1, lambda x: np.maximum(0, 1 - np.abs(x))), "bicubic": (2, _cubic),
        "lanczos3": (3, lambda x: _lanczos(x, 3)), "lanczos5": (5, lambda x: _lanczos(x, 5)),
        "gaussian": (1.5, lambda x: np.exp(-2 * x ** 2) * (np.abs(x) < 1.5)), "mitchellcubic": (2, _mitchell)}
    if kind not in kernels:
        raise Unsupported(f"interpolation '{kind}'")
    radius, kernel = kernels[kind]
    stretch = max(scale, 1.0) if antialias else 1.0
    places = np.arange(old) + 0.5 - centers[:, None]
    out = kernel(places / stretch) * (np.abs(places) <= radius * stretch)
    return out / out.sum(axis=1, keepdims=True)


def _cubic(x: Any) -> Any:
    x = np.abs(x)
    inner, outer = 1.5 * x ** 3 - 2.5 * x ** 2 + 1, -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0))


def _mitchell(x: Any) -> Any:
    """The cubic filter of Mitchell and Netravali, both of its numbers a third."""
    x = np.abs(x)
    inner = 7 / 6 * x ** 3 - 2 * x ** 2 + 8 / 9
    outer = -7 / 18 * x ** 3 + 2 * x ** 2 - 10 / 3 * x + 16 / 9
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0))


def _lanczos(x: Any, radius: int) -> Any:
    return np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0)


def _cropped(op: Builder, x: Value, start: tuple[int, int], size: tuple[int, int], data_format: str) -> Any:
    axes = spatial(x, data_format)
    if start == (0, 0) and list(size) == [(x.shape or ())[a] for a in axes]:
        return x
    return op.Slice(x, ints(start), ints([a + b for a, b in zip(start, size, strict=True)]), ints(axes))


def _aspect_crop(op: Builder, x: Value, height: int, width: int, data_format: str) -> Any:
    """The middle of the image that has the target's shape."""
    h, w = dims(x, spatial(x, data_format), "the image")
    f = np.float32
    high = max(min(h, int(f(w * height) / f(width))), 1)
    wide = max(min(w, int(f(h * width) / f(height))), 1)
    return _cropped(op, x, (int(f(h - high) / f(2)), int(f(w - wide) / f(2))), (high, wide), data_format)


@to_onnx("Resizing", "ops.resize")
def resizing(op: Builder, x: Value, *, height: int | None = None, width: int | None = None, size: Any = None,
             interpolation: str = "bilinear", crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
             fill_mode: str = "constant", fill_value: float = 0.0, antialias: bool = False,
             data_format: str = "channels_last") -> Any:
    if size is not None:
        height, width = size
    if rank(x) == 3:  # one image
        whole = op.Unsqueeze(x, ints([0]))
        made = resizing(op, whole, height=height, width=width, interpolation=interpolation, fill_mode=fill_mode,
                        crop_to_aspect_ratio=crop_to_aspect_ratio, pad_to_aspect_ratio=pad_to_aspect_ratio,
                        fill_value=fill_value, antialias=antialias, data_format=data_format)
        return op.Squeeze(made, ints([0]))
    if generation(op) < 3:
        x = real(op, x)
    if not isinstance(height, int) or not isinstance(width, int):
        raise Unsupported("a size that is computed")
    if not is_float(x.dtype) and interpolation != "nearest":
        if generation(op) == 3 and op.node is not None and op.node.op == "Resizing":
            raise Unsupported("resizing whole numbers, which are rounded again")
    if crop_to_aspect_ratio:
        x = _aspect_crop(op, x, height, width, data_format)
    if pad_to_aspect_ratio:
        h, w = dims(x, spatial(x, data_format), "the image")
        f = np.float32
        more = [int(f(max(h, int(f(w * height) / f(width))) - h) / f(2)),
                int(f(max(w, int(f(h * width) / f(height))) - w) / f(2))]
        if any(more):
            x = op.Pad(x, ints(more + more), number(x, fill_value), ints(spatial(x, data_format)))
    return resized(op, x, height, width, str(interpolation).lower(), antialias, data_format)


@to_onnx("ops.tf_resize")
def resize_of_tensorflow(op: Builder, x: Value, *, size: Any, method: Any = "bilinear", antialias: bool = False,
                         preserve_aspect_ratio: bool = False) -> Any:
    if not isinstance(size, (list, tuple)) or not all(isinstance(d, int) for d in size) or preserve_aspect_ratio:
        raise Unsupported("a size that is computed")
    return resized(op, x, size[0], size[1], str(method).lower().rpartition(".")[2], antialias, "channels_last")


@to_onnx("CenterCrop", "RandomCrop")
def center_crop(op: Builder, x: Value, *, height: int, width: int, data_format: str = "channels_last") -> Any:
    assert op.node is not None
    x = real(op, x)
    h, w = dims(x, spatial(x, data_format), "the image")
    if op.node.op == "RandomCrop" and generation(op) == 3:
        return op.Identity(x)  # but while training
    if h >= height and w >= width and op.node.op == "CenterCrop":
        return op.Identity(_cropped(op, x, ((h - height) // 2, (w - width) // 2), (height, width), data_format))
    return resized(op, _aspect_crop(op, x, height, width, data_format), height, width, "bilinear", False, data_format)


@to_onnx("UpSampling1D", "UpSampling2D", "UpSampling3D")
def up_sampling(op: Builder, x: Value, *, size: Any = 2, data_format: str = "channels_last",
                interpolation: str = "nearest") -> Any:
    axes = spatial(x, data_format)
    n = len(axes)
    factors = [size] * n if isinstance(size, int) else list(size)
    if len(factors) != n or any(not isinstance(f, int) or f < 1 for f in factors):
        raise Unsupported(f"size {size!r}")
    to = layout(op, data_format)
    scales = np.array(factors, np.float32)
    window = {"axes": list(range(2, 2 + n))}
    if interpolation == "nearest":
        return to.Resize(x, None, scales, mode="nearest", coordinate_transformation_mode="asymmetric",
                         nearest_mode="floor", **window)
    x = real(op, x)
    if interpolation == "bilinear":
        return to.Resize(x, None, scales, mode="linear", coordinate_transformation_mode="half_pixel", **window)
    if interpolation == "bicubic":
        return to.Resize(x, None, scales, mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1,
                         coordinate_transformation_mode="half_pixel", **window)
    if n != 2:
        raise Unsupported(f"interpolation '{interpolation}'")
    height, width = (d * f for d, f in zip(dims(x, axes, "the image"), factors, strict=True))
    return resized(op, x, height, width, interpolation, False, data_format)


@to_onnx("ops.depth_to_space", "ops.space_to_depth")
def blocks(op: Builder, x: Value, *, block_size: int, data_format: str = "channels_last") -> Any:
    assert op.node is not None
    form = {"NHWC": "channels_last", "NCHW": "channels_first"}.get(data_format, data_format)
    if first(form):
        raise Unsupported("blocks of channels first")
    if op.node.op == "ops.depth_to_space":
        return op.nhwc.DepthToSpace(x, blocksize=block_size, mode="DCR")
    return op.nhwc.SpaceToDepth(x, blocksize=block_size)


@to_onnx("ops.rgb_to_grayscale")
def rgb_to_grayscale(op: Builder, x: Value, *, data_format: str = "channels_last") -> Any:
    axis = axis_of(x, -3 if first(data_format) else -1)
    shape = [1] * rank(x)
    shape[axis] = 3
    weights = np.array([0.2989, 0.5870, 0.1140]).reshape(shape)
    return op.ReduceSum(op.Mul(x, weights.astype(x.dtype)), ints([axis]), keepdims=1)


@to_onnx("AutoContrast")
def auto_contrast(op: Builder, x: Value, *, value_range: Any = (0, 255), factor: Any = None,
                  data_format: str = "channels_last", bounding_box_format: Any = None) -> Any:
    """Each channel stretched over the whole range, with its axes 1 and 2 as those of the image."""
    if rank(x) != 4:
        raise Unsupported(f"an image of {rank(x)} dimensions")
    low, high = float(value_range[0]), float(value_range[1])
    x = real(op, x)
    y = op.Mul(op.Sub(x, number(x, low)), number(x, 255 / (high - low))) if (low, high) != (0, 255) else x
    least, most = op.ReduceMin(y, ints([1, 2]), keepdims=1), op.ReduceMax(y, ints([1, 2]), keepdims=1)
    scale = op.Div(number(x, 255), op.Sub(most, least))
    y = op.Clip(op.Add(op.Mul(y, scale), op.Mul(op.Neg(least), scale)), number(x, 0), number(x, 255))
    if (low, high) != (0, 255):
        y = op.Add(op.Mul(y, number(x, (high - low) / 255)), number(x, low))
    return op.Where(op.IsNaN(y), x, y)


@to_onnx("ops.affine_transform")
def affine_transform(op: Builder, x: Value, transforms: Value, *, interpolation: str = "bilinear",
                     fill_mode: str = "constant", fill_value: Any = 0, data_format: str | None = None) -> Any:
    """One image or many, each by a transform of its own or all by one; edges as Keras has them on TensorFlow."""
    single, turned = rank(x) == 3, data_format == "channels_first"
    transforms = op.Cast(transforms, to=1)
    transforms = op.Unsqueeze(transforms, ints([0])) if rank(transforms) == 1 else transforms
    x = op.Unsqueeze(x, ints([0])) if single else x
    x = op.Transpose(x, perm=[0, 2, 3, 1]) if turned else x
    height, width = dims(x, [1, 2], "the image")
    y = projected(op, x, transforms, (height, width), constant(np.float32(fill_value)), interpolation.upper(),
                  fill_mode.upper())
    y = op.Transpose(y, perm=[0, 3, 1, 2]) if turned else y
    return op.Squeeze(y, ints([0])) if single else y


@to_onnx("ops.map_coordinates")
def map_coordinates(op: Builder, x: Value, coordinates: Value, *, order: int, fill_mode: str = "constant",
                    fill_value: Any = 0) -> Any:
    """``x`` between its elements: at coordinates [rank of x, ...], by the nearest element or linearly."""
    if fill_mode not in ("constant", "nearest", "wrap"):
        raise Unsupported(f"fill_mode {fill_mode}, which means something else on each of Keras's backends")
    if order not in (0, 1) or not is_float(x.dtype) or x.dtype != coordinates.dtype:
        raise Unsupported(f"order {order} of {x.dtype} at {coordinates.dtype}")
    sizes = dims(x)
    axes = op.add("Split", coordinates, axis=0, num_outputs=len(sizes), outputs=len(sizes))
    zero, one = (constant(np.int64(v)) for v in (0, 1))
    corners: list[tuple[list[Value], list[Value], list[Value]]] = [([], [], [])]  # places, whether inside, weights
    for at, size in zip((op.Squeeze(v, ints([0])) for v in axes), sizes, strict=True):
        if order == 0:
            near = [(op.Cast(op.Round(at), to=7), None)]
        else:
            low = op.Floor(at)
            part, place = op.Sub(at, low), op.Cast(low, to=7)
            near = [(place, op.Sub(number(at, 1), part)), (op.Add(place, one), part)]
        last = constant(np.int64(size - 1))
        found = []
        for place, weight in near:
            if fill_mode == "wrap":
                found.append((op.Mod(place, constant(np.int64(size))), None, weight))
                continue
            inside = op.And(op.GreaterOrEqual(place, zero), op.LessOrEqual(place, last))
            found.append((op.Min(op.Max(place, zero), last), inside if fill_mode == "constant" else None, weight))
        corners = [([*p, place], i if inside is None else [*i, inside], w if weight is None else [*w, weight])
                   for p, i, w in corners for place, inside, weight in found]
    total = None
    for places, inside, weights in corners:
        y = op.GatherND(x, op.Concat(*(op.Unsqueeze(p, ints([-1])) for p in places), axis=-1))
        if inside:
            y = op.Where(reduce(op.And, inside), y, number(x, float(fill_value)))
        y = reduce(op.Mul, weights, y)
        total = y if total is None else op.Add(total, y)
    return total
