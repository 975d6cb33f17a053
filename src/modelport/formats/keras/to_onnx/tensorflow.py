"""TensorFlow's functions between the layers of Keras 2 that ``keras.ops`` has not, or has otherwise."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import is_float
from .common import (
    BOOL,
    F32,
    I32,
    I64,
    axes_of,
    axis_of,
    cast,
    dims,
    flip,
    i64,
    ints,
    number,
    numpy_dtype,
    promote,
    rank,
    real,
    room,
    spatial,
    to_onnx,
)
from .conv import convolve, depthwise, transposed_convolution
from .index import one_hot, take
from .select import diagonal, extract_patches

# -- numbers


@to_onnx("ops.tf_xlogy", "ops.tf_multiply_no_nan")
def without_nan(op: Builder, x: Value, y: Value) -> Any:
    """Zero where the one that counts is zero, whatever the other is."""
    assert op.node is not None
    x, y = promote(op, x, y)
    if op.node.op == "ops.tf_xlogy":
        return op.Where(op.Equal(x, number(x, 0)), number(x, 0), op.Mul(x, op.Log(y)))
    return op.Where(op.Equal(y, number(y, 0)), number(x, 0), op.Mul(x, y))


@to_onnx("ops.tf_silu")
def silu(op: Builder, x: Value, *, beta: float = 1.0) -> Any:
    return op.Mul(x, op.Sigmoid(x if beta == 1 else op.Mul(x, number(x, beta))))


@to_onnx("ops.tf_crelu")
def crelu(op: Builder, x: Value, *, axis: int = -1) -> Any:
    return op.Relu(op.Concat(x, op.Neg(x), axis=axis_of(x, axis)))


@to_onnx("ops.tf_l2_loss")
def l2_loss(op: Builder, x: Value) -> Any:
    return op.Mul(op.ReduceSum(op.Mul(x, x), ints(range(rank(x))), keepdims=0), number(x, 0.5))


@to_onnx("ops.tf_bias_add")
def bias_add(op: Builder, x: Value, bias: Value, *, data_format: str = "NHWC") -> Any:
    x, bias = promote(op, x, bias)
    if data_format.startswith("NC"):
        bias = op.Reshape(bias, ints([-1, *[1] * (rank(x) - 2)]))
    return op.Add(x, bias)


@to_onnx("ops.tf_clip_by_norm")
def clip_by_norm(op: Builder, x: Value, most: Value, *, axes: Any = None) -> Any:
    norm = op.ReduceL2(x, ints(axes_of(x, axes)), keepdims=1)
    limit = cast(op, most, x.dtype)
    return op.Div(op.Mul(x, limit), op.Max(norm, limit))


@to_onnx("ops.tf_checked")
def checked(op: Builder, x: Value, *, shape: Any = None, message: Any = None) -> Any:
    """A check of TensorFlow, which lets pass what it is given or stops."""
    return op.Identity(x)


@to_onnx("ops.tf_count_nonzero")
def count_nonzero(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    there = cast(op, cast(op, x, BOOL), I64)
    y = op.ReduceSum(there, ints(axes_of(x, axis)), keepdims=int(bool(keepdims)))
    return y if dtype is None else cast(op, y, numpy_dtype(dtype))


@to_onnx("ops.tf_sigmoid_loss")
def sigmoid_loss(op: Builder, labels: Value, logits: Value) -> Any:
    lost = op.Log(op.Add(op.Exp(op.Neg(op.Abs(logits))), number(logits, 1)))
    return op.Add(op.Sub(op.Relu(logits), op.Mul(logits, cast(op, labels, logits.dtype))), lost)


@to_onnx("ops.tf_softmax_loss")
def softmax_loss(op: Builder, labels: Value, logits: Value, *, axis: int = -1) -> Any:
    at = axis_of(logits, axis)
    return op.Neg(op.ReduceSum(op.Mul(labels, op.LogSoftmax(logits, axis=at)), ints([at]), keepdims=0))


# -- places


@to_onnx("ops.tf_fill")
def fill(op: Builder, shape: Value, value: Value) -> Any:
    return op.Expand(promote(op, value)[0], i64(op, shape))


@to_onnx("ops.tf_range")
def range_(op: Builder, start: Value, limit: Value | None = None, delta: Value | None = None) -> Any:
    if limit is None:
        start, limit = constant(np.asarray(0, np.int64)), start
    step = constant(np.asarray(1, np.int64)) if delta is None else delta
    return op.Range(*promote(op, start, limit, step))


@to_onnx("ops.tf_reverse_sequence")
def reverse_sequence(op: Builder, x: Value, lengths: Value, *, seq_axis: int = 0, batch_axis: int = 0) -> Any:
    if {seq_axis, batch_axis} != {0, 1}:
        raise Unsupported(f"sequences along axis {seq_axis} of a batch along axis {batch_axis}")
    return op.ReverseSequence(x, i64(op, lengths), time_axis=seq_axis, batch_axis=batch_axis)


@to_onnx("ops.tf_gather_nd")
def gather_nd(op: Builder, x: Value, indices: Value, *, batch_dims: int = 0) -> Any:
    return op.GatherND(x, i64(op, indices), batch_dims=batch_dims)


@to_onnx("ops.tf_gather")
def gather(op: Builder, x: Value, indices: Value, *, axis: Any = None, batch_dims: int = 0) -> Any:
    if not batch_dims:
        return take(op, x, indices, axis=axis)
    if axis is not None and axis_of(x, axis) != batch_dims:
        raise Unsupported(f"axis {axis} of a gathering with {batch_dims} axes of the batch")
    return op.GatherND(x, op.Unsqueeze(i64(op, indices), ints([rank(indices)])), batch_dims=batch_dims)


@to_onnx("ops.tf_one_hot")
def one_hot_of_tensorflow(op: Builder, x: Value, *, num_classes: int, on_value: Any = None, off_value: Any = None,
                          axis: Any = None, dtype: Any = None) -> Any:
    if on_value is None and off_value is None:
        return one_hot(op, x, num_classes=num_classes, axis=-1 if axis is None else axis, dtype=dtype)
    values = np.asarray([1 if on_value is None else on_value, 0 if off_value is None else off_value])
    want = numpy_dtype(dtype) if dtype is not None else F32 if values.dtype.kind == "f" else I32
    hot = one_hot(op, x, num_classes=num_classes, axis=-1 if axis is None else axis, dtype="bool")
    on, off = values.astype(want)
    return op.Where(hot, constant(np.asarray(on)), constant(np.asarray(off)))


@to_onnx("ops.tf_sort", "ops.tf_argsort")
def sort(op: Builder, x: Value, *, axis: int = -1, direction: str = "ASCENDING", stable: bool = False) -> Any:
    assert op.node is not None
    at = axis_of(x, axis)
    values, places = op.add("TopK", x, op.Shape(x, start=at, end=at + 1), axis=at,
                            largest=int(direction == "DESCENDING"), outputs=2)
    return values if op.node.op == "ops.tf_sort" else cast(op, places, I32)


@to_onnx("ops.tf_sequence_mask")
def sequence_mask(op: Builder, lengths: Value, *, maxlen: Any = None, dtype: Any = None) -> Any:
    """Which steps are within each length."""
    if maxlen is not None and not isinstance(maxlen, int):
        raise Unsupported("a length that is computed")
    n = rank(lengths)
    if maxlen is None:
        longest = op.ReduceMax(i64(op, lengths), ints(range(n)), keepdims=0)
        steps = op.Range(np.int64(0), longest, np.int64(1))
    else:
        room(maxlen)
        steps = constant(np.arange(maxlen, dtype=np.int64))
    y = op.Less(steps, op.Unsqueeze(i64(op, lengths), ints([n])))
    return y if dtype is None else cast(op, y, numpy_dtype(dtype))


@to_onnx("ops.tf_band_part")
def band_part(op: Builder, x: Value, *, num_lower: int, num_upper: int) -> Any:
    if num_lower >= 0:
        x = op.Trilu(x, np.int64(-num_lower), upper=1)
    return op.Trilu(x, np.int64(num_upper), upper=0) if num_upper >= 0 else op.Identity(x)


@to_onnx("ops.tf_diag_part", "ops.tf_trace")
def diag_part(op: Builder, x: Value) -> Any:
    assert op.node is not None
    y = diagonal(op, x, axis1=-2, axis2=-1)
    return op.ReduceSum(y, ints([rank(y) - 1]), keepdims=0) if op.node.op == "ops.tf_trace" else y


@to_onnx("ops.tf_diag")
def diag(op: Builder, x: Value) -> Any:
    size = dims(x, [-1])[0]
    room(size, size)
    return op.Where(np.eye(size, dtype=np.bool_), op.Unsqueeze(x, ints([rank(x)])), number(x, 0))


@to_onnx("ops.tf_batch_flatten")
def batch_flatten(op: Builder, x: Value) -> Any:
    return op.Reshape(x, ints([-1, int(np.prod(dims(x, range(1, rank(x)))))]))


# -- convolutions


def _format(data_format: Any) -> str:
    return "channels_first" if str(data_format).startswith("NC") else "channels_last"


def _sizes(value: Any, n: int, first: bool) -> Any:
    """The numbers of the spatial axes, of one for all, of one for each, or of one for every axis."""
    if isinstance(value, (list, tuple)) and len(value) == n + 2:
        return list(value[2:] if first else value[1:-1])
    return list(value) * n if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _window(op: Builder, x: Value, strides: Any, padding: Any, data_format: Any,
            dilations: Any) -> tuple[Value, dict[str, Any]]:
    """The input, padded where its pads are told, and what is common to all convolutions."""
    form, n = _format(data_format), rank(x) - 2
    first = form == "channels_first"
    if isinstance(padding, (list, tuple)):
        pads = [list(p) for p in padding]
        x = op.Pad(x, ints([p[0] for p in pads] + [p[1] for p in pads]), number(x, 0))
        padding = "valid"
    return x, {"strides": _sizes(1 if strides is None else strides, n, first), "padding": padding, "data_format": form,
               "dilation_rate": _sizes(1 if dilations is None else dilations, n, first)}


@to_onnx("ops.tf_conv")
def conv(op: Builder, x: Value, kernel: Value, *, strides: Any = None, padding: Any = "VALID",
         data_format: Any = None, dilations: Any = None) -> Any:
    x, kernel = promote(op, x, kernel)
    x, how = _window(op, x, strides, padding, data_format, dilations)
    groups = dims(x, [1 if how["data_format"] == "channels_first" else -1])[0] // dims(kernel, [-2])[0]
    return convolve(op, x, kernel, None, groups=groups, **how)


@to_onnx("ops.tf_depthwise")
def depthwise_conv(op: Builder, x: Value, kernel: Value, *, strides: Any, padding: Any = "VALID",
                   data_format: Any = None, dilations: Any = None) -> Any:
    x, kernel = promote(op, x, kernel)
    x, how = _window(op, x, strides, padding, data_format, dilations)
    return depthwise(op, x, kernel, None, **how)


@to_onnx("ops.tf_separable")
def separable_conv(op: Builder, x: Value, kernel: Value, pointwise: Value, *, strides: Any, padding: Any = "VALID",
                   data_format: Any = None, dilations: Any = None) -> Any:
    x, kernel, pointwise = promote(op, x, kernel, pointwise)
    x, how = _window(op, x, strides, padding, data_format, dilations)
    return convolve(op, depthwise(op, x, kernel, None, **how), pointwise, None, 1, "valid", how["data_format"], 1)


@to_onnx("ops.tf_conv_transpose")
def conv_transpose(op: Builder, x: Value, kernel: Value, *, output_shape: Any, strides: Any = None,
                   padding: Any = "SAME", data_format: Any = None, dilations: Any = None) -> Any:
    """The output's size is told, and has to be the one that follows from the input's."""
    if not isinstance(padding, str):
        raise Unsupported("explicit padding of a transposed convolution")
    x, kernel = promote(op, x, kernel)
    x, how = _window(op, x, strides, padding, data_format, dilations)
    y = transposed_convolution(op, x, kernel, None, how["strides"], padding, None, how["data_format"],
                               how["dilation_rate"])
    axes = spatial(y, how["data_format"])
    wanted = list(output_shape)[axes[0]:axes[-1] + 1] if isinstance(output_shape, (list, tuple)) else None
    if wanted is None or not all(isinstance(d, int) for d in wanted) or dims(y, axes, "the output") != wanted:
        raise Unsupported(f"an output of the shape {output_shape}")
    return y


@to_onnx("ops.tf_lrn")
def lrn(op: Builder, x: Value, *, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0,
        beta: float = 0.5) -> Any:
    size = 2 * depth_radius + 1
    y = op.LRN(op.Transpose(x, perm=[0, 3, 1, 2]), size=size, bias=bias, alpha=alpha * size, beta=beta)
    return op.Transpose(y, perm=[0, 2, 3, 1])


# -- images: one or a batch, channels last


@to_onnx("ops.tf_image.flip_left_right", "ops.tf_image.flip_up_down")
def flipped(op: Builder, x: Value) -> Any:
    assert op.node is not None
    return op.Identity(flip(op, x, axis_of(x, -2 if op.node.op.endswith("right") else -3)))


@to_onnx("ops.tf_image.transpose")
def transposed(op: Builder, x: Value) -> Any:
    n = rank(x)
    return op.Transpose(x, perm=[*range(n - 3), n - 2, n - 3, n - 1])


@to_onnx("ops.tf_image.rot90")
def rot90(op: Builder, x: Value, *, k: int = 1) -> Any:
    for _ in range(k % 4):
        x = transposed(op, flip(op, x, axis_of(x, -2)))
    return op.Identity(x)


@to_onnx("ops.tf_image.grayscale_to_rgb")
def grayscale_to_rgb(op: Builder, x: Value) -> Any:
    return op.Tile(x, ints([1] * (rank(x) - 1) + [3]))


@to_onnx("ops.tf_image.adjust_contrast")
def adjust_contrast(op: Builder, x: Value, factor: Value) -> Any:
    if not is_float(x.dtype):
        raise Unsupported("whole numbers, which are rounded again")
    mean = op.ReduceMean(x, ints([axis_of(x, -3), axis_of(x, -2)]), keepdims=1)
    return op.Add(op.Mul(op.Sub(x, mean), cast(op, factor, x.dtype)), mean)


@to_onnx("ops.tf_image.per_image_standardization")
def standardized(op: Builder, x: Value) -> Any:
    x = real(op, x)
    axes = [axis_of(x, a) for a in (-3, -2, -1)]
    count = int(np.prod(dims(x, axes, "the image")))
    away = op.Sub(x, op.ReduceMean(x, ints(axes), keepdims=1))
    spread = op.Sqrt(op.ReduceMean(op.Mul(away, away), ints(axes), keepdims=1))
    return op.Div(away, op.Max(spread, number(x, 1 / np.sqrt(count))))


def _cut(op: Builder, x: Value, start: Sequence[int], size: Sequence[int]) -> Any:
    axes = [axis_of(x, -3), axis_of(x, -2)]
    return op.Slice(x, ints(start), ints([a + b for a, b in zip(start, size, strict=True)]), ints(axes))


def _framed(op: Builder, x: Value, start: Sequence[int], size: Sequence[int]) -> Any:
    axes = [axis_of(x, -3), axis_of(x, -2)]
    rest = [new - a - old for new, a, old in zip(size, start, dims(x, axes, "the image"), strict=True)]
    if any(p < 0 for p in (*start, *rest)):
        raise Unsupported("an image that is larger than its frame")
    return op.Pad(x, ints([*start, *rest]), number(x, 0), ints(axes))


@to_onnx("ops.tf_image.crop")
def crop(op: Builder, x: Value, *, offset_height: int, offset_width: int, target_height: int,
         target_width: int) -> Any:
    return _cut(op, x, [offset_height, offset_width], [target_height, target_width])


@to_onnx("ops.tf_image.pad")
def pad(op: Builder, x: Value, *, offset_height: int, offset_width: int, target_height: int, target_width: int) -> Any:
    return _framed(op, x, [offset_height, offset_width], [target_height, target_width])


@to_onnx("ops.tf_image.central_crop")
def central_crop(op: Builder, x: Value, *, central_fraction: float) -> Any:
    sizes = dims(x, [axis_of(x, -3), axis_of(x, -2)], "the image")
    start = [int((d - d * central_fraction) / 2) for d in sizes]
    return _cut(op, x, start, [d - 2 * s for d, s in zip(sizes, start, strict=True)])


@to_onnx("ops.tf_image.crop_or_pad")
def crop_or_pad(op: Builder, x: Value, *, target_height: int, target_width: int) -> Any:
    old, new = dims(x, [axis_of(x, -3), axis_of(x, -2)], "the image"), [target_height, target_width]
    start = [max((o - n) // 2, 0) for o, n in zip(old, new, strict=True)]
    kept = [min(o, n) for o, n in zip(old, new, strict=True)]
    before = [max((n - o) // 2, 0) for o, n in zip(old, new, strict=True)]
    return _framed(op, _cut(op, x, start, kept), before, new)


@to_onnx("ops.tf_image.resize", "ops.tf_image.resize_nearest")
def resize(op: Builder, x: Value, *, size: Any, align_corners: bool = False, half_pixel_centers: bool = False) -> Any:
    """As in TensorFlow 1: pixels by their upper left corners, if nothing else is said."""
    assert op.node is not None
    nearest = op.node.op.endswith("nearest")
    if not isinstance(size, (list, tuple)) or not all(isinstance(d, int) for d in size):
        raise Unsupported("a size that is computed")
    if half_pixel_centers or (nearest and align_corners):
        raise Unsupported("pixels by their centres, or corners of the nearest pixels that are aligned")
    mode = {"mode": "nearest", "nearest_mode": "floor"} if nearest else {"mode": "linear"}
    return op.nhwc.Resize(x if nearest else cast(op, x, F32), None, None, ints(size), axes=[2, 3], **mode,
                          coordinate_transformation_mode="align_corners" if align_corners else "asymmetric")


@to_onnx("ops.tf_image.extract_patches")
def patches(op: Builder, x: Value, *, sizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    return extract_patches(op, x, size=sizes[1:3], strides=strides[1:3], dilation_rate=rates[1:3],
                           padding=padding.lower())


@to_onnx("ops.tf_image.convert")
def convert(op: Builder, x: Value, *, dtype: Any, saturate: bool = False) -> Any:
    """Whole numbers of the whole range as real ones up to one."""
    want = numpy_dtype(dtype)
    if x.dtype == want:
        return op.Identity(x)
    if is_float(want) and is_float(x.dtype):
        return cast(op, x, want)
    if not is_float(want) or x.dtype.kind not in "iu":
        raise Unsupported(f"an image of {x.dtype} as {want}")
    return op.Mul(cast(op, x, want), constant(np.asarray(1 / np.iinfo(x.dtype).max, want)))
