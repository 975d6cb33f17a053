"""Images: resizing, cropping, patches, colours.  Source: tensorflow/core/kernels/image/*.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ...tflite.to_onnx import image as lite
from ...warp import projected
from ..interpret.warp import spans
from .common import F32, I64, cast, dims, i64, ints, known, name_of, one, rank, spatial, to_onnx, window


@to_onnx("ResizeBilinear")
def resize_bilinear(op: Builder, x: Value, size: Value, *, align_corners: bool = False,
                    half_pixel_centers: bool = False) -> Any:
    return lite.resize_bilinear(op, cast(op, x, F32), size, align_corners=align_corners,
                                half_pixel_centers=half_pixel_centers)


@to_onnx("ResizeNearestNeighbor")
def resize_nearest(op: Builder, x: Value, size: Value, *, align_corners: bool = False,
                   half_pixel_centers: bool = False) -> Any:
    if x.dtype.name not in ("float32", "uint8", "int8", "int32", "float16"):
        return cast(op, lite.resize_nearest(op, cast(op, x, F32), size, align_corners=align_corners,
                                            half_pixel_centers=half_pixel_centers), x.dtype) \
            if x.dtype.itemsize <= 2 else _refused(x)
    return lite.resize_nearest(op, x, size, align_corners=align_corners, half_pixel_centers=half_pixel_centers)


def _refused(x: Value) -> Any:
    raise Unsupported(f"resizing of {x.dtype}")


@to_onnx("ResizeBicubic", "ResizeArea")
def resize_by_weights(op: Builder, x: Value, size: Value, *, align_corners: bool = False,
                      half_pixel_centers: bool = False) -> Any:
    """Both axes by a matrix of weights each: the kernel's own, which rounds positions to 1/1024 of a pixel."""
    from ..interpret.image import resize_area, resize_bicubic
    olds, news = dims(x, [1, 2]), known(size, "the size")
    y = cast(op, x, F32)
    for axis, (old, new) in enumerate(zip(olds, news, strict=True)):
        # the operator applied to unit pixels along one axis gives the weights of that axis
        unit = np.eye(old, dtype=np.float32).reshape(old, old, 1, 1)
        if name_of(op) == "ResizeBicubic":
            made = resize_bicubic(unit, np.array([new, 1]), align_corners=align_corners,
                                  half_pixel_centers=half_pixel_centers)
        else:
            made = resize_area(unit, np.array([new, 1]), align_corners=align_corners)
        weights = made.reshape(old, new).T  # [new, old]
        if axis == 0:  # [h', h] x [b, h, w * c]
            flat = op.Reshape(y, op.Concat(op.Shape(y, end=2), ints([-1]), axis=0))
            flat = op.MatMul(constant(weights), flat)
            y = op.Reshape(flat, op.Concat(op.Shape(y, end=1), ints([new]), op.Shape(y, start=2), axis=0))
        else:
            y = op.MatMul(constant(weights), y)
    return y


@to_onnx("CropAndResize")
def crop_and_resize(op: Builder, x: Value, boxes: Value, index: Value, size: Value, *, method: str = "bilinear",
                    extrapolation_value: float = 0.0) -> Any:
    """The four pixels around each position are gathered and weighted; positions outside give the stated value."""
    if method not in ("bilinear", "nearest"):
        raise Unsupported(f"method {method}")
    h, w = known(size, "the size")
    image = cast(op, x, F32)
    shape = op.Shape(x)

    def grid(low: int, high: int, axis: int, n: int) -> tuple[Any, Any]:
        """Positions [boxes, n] along an axis, and whether each is inside."""
        a, b = (op.Slice(boxes, ints([k]), ints([k + 1]), ints([1])) for k in (low, high))
        top = op.Sub(cast(op, op.Gather(shape, constant(axis, I64)), F32), constant(1, F32))
        if n > 1:
            step = op.Div(op.Mul(op.Sub(b, a), top), constant(n - 1, F32))
            at = op.Add(op.Mul(a, top), op.Mul(step, constant(np.arange(n)[None], F32)))
        else:
            at = op.Mul(op.Mul(constant(0.5, F32), op.Add(a, b)), top)
        inside = op.And(op.GreaterOrEqual(at, constant(0, F32)), op.LessOrEqual(at, top))
        return op.Where(inside, at, constant(0, F32)), inside
    (ys, in_y), (xs, in_x) = grid(0, 2, 1, h), grid(1, 3, 2, w)
    count = op.Shape(boxes, end=1)
    batch = op.Reshape(i64(op, index), ints([-1, 1, 1, 1]))
    spread = op.Concat(count, ints([h, w, 1]), axis=0)

    def pick(y: Value, z: Value) -> Any:
        """[boxes, h, w, channels] of the pixels at whole positions."""
        rows = op.Unsqueeze(i64(op, y), ints([2, 3]))
        columns = op.Unsqueeze(i64(op, z), ints([1, 3]))
        at = op.Concat(*(op.Expand(v, spread) for v in (batch, rows, columns)), axis=-1)
        return op.GatherND(image, at)
    if method == "nearest":  # halves away from zero; positions are never negative
        half = constant(0.5, F32)
        made = pick(op.Floor(op.Add(ys, half)), op.Floor(op.Add(xs, half)))
    else:
        t, l, d, r = op.Floor(ys), op.Floor(xs), op.Ceil(ys), op.Ceil(xs)
        fy = op.Unsqueeze(op.Sub(ys, t), ints([2, 3]))
        fx = op.Unsqueeze(op.Sub(xs, l), ints([1, 3]))
        a, b, c, e = pick(t, l), pick(t, r), pick(d, l), pick(d, r)
        upper = op.Add(a, op.Mul(op.Sub(b, a), fx))
        lower = op.Add(c, op.Mul(op.Sub(e, c), fx))
        made = op.Add(upper, op.Mul(op.Sub(lower, upper), fy))
    inside = op.And(op.Unsqueeze(in_y, ints([2, 3])), op.Unsqueeze(in_x, ints([1, 3])))
    return op.Where(inside, made, constant(extrapolation_value, F32))


@to_onnx("ExtractImagePatches")
def extract_patches(op: Builder, x: Value, *, ksizes: Sequence[int], strides: Sequence[int], rates: Sequence[int],
                    padding: str) -> Any:
    """One strided slice of the padded picture for each place of the window, side by side."""
    kernel, s, d = (spatial(v, "NHWC") for v in (ksizes, strides, rates))
    y, found = window(op, x, padding, (), "NHWC", kernel, s, d)
    if "auto_pad" in found:
        raise Unsupported("patches of a picture whose size is not known")
    pads = found.get("pads")
    if pads and any(pads):
        y = op.Pad(y, ints([pads[0], pads[1], pads[2], pads[3]]), constant(0, x.dtype), ints([1, 2]))
    size = dims(x, [1, 2])
    pads = pads or [0, 0, 0, 0]
    count = [(n + pads[k] + pads[k + 2] - (kernel[k] - 1) * d[k] - 1) // s[k] + 1 for k, n in enumerate(size)]
    parts = []
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            a = [i * d[0], j * d[1]]
            b = [a[k] + (count[k] - 1) * s[k] + 1 for k in (0, 1)]
            parts.append(op.Slice(y, ints(a), ints(b), ints([1, 2]), ints(s)))
    return op.Concat(*parts, axis=3) if len(parts) > 1 else op.Identity(parts[0])


def _channels(op: Builder, x: Value) -> tuple[Any, Any, Any]:
    n = rank(x) - 1
    return tuple(op.add("Split", x, axis=n, num_outputs=3, outputs=3))


@to_onnx("RGBToHSV")
def rgb_to_hsv(op: Builder, x: Value) -> Any:
    return op.Concat(*_hsv(op, x), axis=-1)


def _hsv(op: Builder, x: Value) -> tuple[Any, Any, Any]:
    r, g, b = _channels(op, x)
    v = op.Max(r, g, b)
    spread = op.Sub(v, op.Min(r, g, b))
    zero, some = one(x, 0), op.Greater(spread, one(x, 0))
    s = op.Where(op.Greater(v, zero), op.Div(spread, op.Where(op.Greater(v, zero), v, one(x))), zero)
    norm = op.Div(one(x, 1 / 6), op.Where(some, spread, one(x)))
    h = op.Where(op.Equal(r, v), op.Mul(norm, op.Sub(g, b)),
                 op.Where(op.Equal(g, v), op.Add(op.Mul(norm, op.Sub(b, r)), one(x, 2 / 6)),
                          op.Add(op.Mul(norm, op.Sub(r, g)), one(x, 4 / 6))))
    h = op.Where(some, h, zero)
    return op.Where(op.Less(h, zero), op.Add(h, one(x)), h), s, v


@to_onnx("HSVToRGB")
def hsv_to_rgb(op: Builder, x: Value) -> Any:
    return _rgb(op, *_channels(op, x))


def _rgb(op: Builder, h: Value, s: Value, v: Value) -> Any:
    d = op.Mul(h, one(h, 6))
    unit = one(h)
    parts = [op.Sub(op.Abs(op.Sub(d, one(h, 3))), unit), op.Sub(one(h, 2), op.Abs(op.Sub(d, one(h, 2)))),
             op.Sub(one(h, 2), op.Abs(op.Sub(d, one(h, 4))))]
    keep = op.Sub(unit, s)
    return op.Concat(*(op.Mul(op.Add(keep, op.Mul(s, op.Clip(p, one(h, 0), unit))), v) for p in parts), axis=-1)


@to_onnx("AdjustContrastv2")
def adjust_contrast(op: Builder, x: Value, factor: Value) -> Any:
    n = rank(x)
    mean = op.ReduceMean(x, ints([n - 3, n - 2]), keepdims=1)
    return op.Add(op.Mul(op.Sub(x, mean), cast(op, factor, x.dtype)), mean)


@to_onnx("AdjustSaturation")
def adjust_saturation(op: Builder, x: Value, scale: Value) -> Any:
    h, s, v = _hsv(op, x)
    return _rgb(op, h, op.Clip(op.Mul(s, cast(op, scale, x.dtype)), one(x, 0), one(x)), v)


@to_onnx("AdjustHue")
def adjust_hue(op: Builder, x: Value, delta: Value) -> Any:
    h, s, v = _hsv(op, x)
    turned = op.Add(h, cast(op, delta, x.dtype))
    return _rgb(op, op.Sub(turned, op.Floor(turned)), s, v)


@to_onnx("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def transform(op: Builder, x: Value, transforms: Value, size: Value, fill: Value | None = None, *,
              interpolation: str, fill_mode: str = "CONSTANT") -> Any:
    height, width = known(size, "the size")
    return projected(op, x, transforms, (height, width), fill, interpolation, fill_mode)


@to_onnx("ScaleAndTranslate")
def scale_and_translate(op: Builder, x: Value, size: Value, scale: Value, translation: Value, *,
                        kernel_type: str = "lanczos3", antialias: bool = True) -> Any:
    """Both axes by a matrix of weights each."""
    shape = dims(x, [1, 2])
    wanted = known(size, "the size")
    by, offset = static(scale, "the scale"), static(translation, "the translation")
    high, wide = (spans(shape[k], wanted[k], np.float32(by[k]), np.float32(offset[k]), kernel_type, antialias)
                  for k in (0, 1))
    y = op.Einsum(cast(op, x, F32), constant(high), equation="bhwc,oh->bowc")
    return op.Einsum(y, constant(wide), equation="bhwc,ow->bhoc")
