"""Further functions of ``keras.ops`` that move elements: diagonals, pieces, scattering, segments, patches."""
from __future__ import annotations

import re
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import is_float
from .common import (
    INT_MAX,
    axis_of,
    cast,
    dims,
    first,
    flip,
    i64,
    ints,
    listed,
    number,
    promote,
    rank,
    room,
    spatial,
    to_onnx,
)
from .conv import convolve

# -- diagonals


@to_onnx("ops.diagonal", "ops.trace")
def diagonal(op: Builder, x: Value, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    assert op.node is not None
    i, j, n = axis_of(x, axis1), axis_of(x, axis2), rank(x)
    rows, columns = dims(x, [i, j])
    kept = [a for a in range(n) if a not in (i, j)]
    y = op.Transpose(x, perm=[*kept, i, j])
    y = op.Reshape(y, op.Concat(op.Shape(y, start=0, end=n - 2), ints([-1]), axis=0) if kept else ints([-1]))
    first_row, first_column = max(0, -offset), max(0, offset)
    count = max(0, min(rows - first_row, columns - first_column))
    at = (np.arange(count) + first_row) * columns + np.arange(count) + first_column
    y = op.Gather(y, at.astype(np.int64), axis=n - 2)
    return op.ReduceSum(y, ints([n - 2]), keepdims=0) if op.node.op == "ops.trace" else y


@to_onnx("ops.diag", "ops.diagflat")
def diag(op: Builder, x: Value, *, k: int = 0) -> Any:
    """A matrix with a vector on a diagonal; the diagonal of a matrix."""
    assert op.node is not None
    if op.node.op == "ops.diagflat":
        x = op.Reshape(x, ints([int(np.prod(dims(x)))]))
    if rank(x) == 2:
        rows, columns = dims(x)
        count = max(0, min(rows - max(0, -k), columns - max(0, k)))
        at = (np.arange(count) + max(0, -k)) * columns + np.arange(count) + max(0, k)
        return op.Gather(op.Reshape(x, ints([-1])), at.astype(np.int64), axis=0)
    size = dims(x, [0])[0] + abs(k)
    room(size, size)
    wide = op.Pad(x, ints([max(0, -k), max(0, k)]))
    on = np.eye(size, k=k, dtype=np.bool_)
    return op.Where(on, op.Unsqueeze(wide, ints([1])), number(x, 0))


# -- pieces


@to_onnx("ops.hsplit", "ops.vsplit", "ops.dsplit", "ops.array_split")
def pieces(op: Builder, x: Value, *, indices_or_sections: Any, axis: int = 0) -> Any:
    assert op.node is not None
    at = {"ops.hsplit": min(1, rank(x) - 1), "ops.vsplit": 0, "ops.dsplit": 2}.get(op.node.op, axis)
    at = axis_of(x, at)
    size = dims(x, [at])[0]
    if isinstance(indices_or_sections, int):
        room(indices_or_sections, 4096)
        least, more = divmod(size, indices_or_sections)
        if more and op.node.op != "ops.array_split":
            raise Unsupported(f"{size} elements in {indices_or_sections} equal parts")
        sizes = [least + 1] * more + [least] * (indices_or_sections - more)
    else:
        places = [min(size, p + size if p < 0 else p) for p in indices_or_sections]
        sizes = [b - a for a, b in zip([0, *places], [*places, size], strict=True)]
    if any(s < 0 for s in sizes):
        raise Unsupported(f"parts of the sizes {sizes}")
    if len(sizes) == 1:
        return [op.Identity(x)]
    return list(op.add("Split", x, ints(sizes), axis=at, outputs=len(sizes)))


@to_onnx("ops.dstack")
def dstack(op: Builder, *xs: Value) -> Any:
    wide = []
    for x in promote(op, *xs):
        n = rank(x)
        wide.append(x if n > 2 else op.Unsqueeze(x, ints([[0, 1], [0, 2], [2]][n])))
    return op.Concat(*wide, axis=2)


@to_onnx("ops.rot90")
def rot90(op: Builder, x: Value, *, k: int = 1, axes: Any = (0, 1)) -> Any:
    i, j = (axis_of(x, a) for a in axes)
    perm = list(range(rank(x)))
    perm[i], perm[j] = j, i
    for _ in range(k % 4):
        x = op.Transpose(flip(op, x, j), perm=perm)
    return op.Identity(x)


@to_onnx("ops.meshgrid")
def meshgrid(op: Builder, *xs: Value, indexing: str = "xy") -> Any:
    if any(rank(x) != 1 for x in xs):
        raise Unsupported("grids of what is no vector")
    order = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        order[:2] = [1, 0]
    sizes = [None] * len(xs)
    for k, x in enumerate(xs):
        sizes[order[k]] = op.Shape(x)
    shape = op.Concat(*sizes, axis=0)
    return [op.Expand(op.Reshape(x, ints([-1 if a == order[k] else 1 for a in range(len(xs))])), shape)
            for k, x in enumerate(xs)]


@to_onnx("ops.select")
def select(op: Builder, *xs: Value) -> Any:
    """For each element the choice of the first condition that holds; the last value where none does."""
    n = len(xs) // 2
    *choices, default = promote(op, *xs[n:])
    y = default
    for condition, choice in reversed(list(zip(xs[:n], choices, strict=True))):
        y = op.Where(condition, choice, y)
    return y


@to_onnx("ops.rearrange")
def rearrange(op: Builder, x: Value, *, pattern: str, **lengths: Any) -> Any:
    """A pattern of einops: axes taken apart, put in another order, joined."""
    left, _, right = (p.strip() for p in pattern.partition("->"))
    old, new = ([part.strip("()").split() for part in re.findall(r"\w+|\([^()]*\)", side)] for side in (left, right))
    order, wanted = [n for names in old for n in names], [n for names in new for n in names]
    if len(old) != rank(x) or sorted(order) != sorted(wanted) or "..." in pattern:
        raise Unsupported(f"the pattern {pattern!r}")
    sizes: dict[str, Any] = {}
    for axis, names in enumerate(old):
        whole = (x.shape or ())[axis]
        open_ = [n for n in names if n not in lengths]
        known = int(np.prod([lengths[n] for n in names if n in lengths]))
        if len(open_) > 1:
            raise Unsupported(f"the pattern {pattern!r} without the sizes of {open_}")
        sizes.update({n: lengths[n] for n in names if n in lengths})
        if open_:
            sizes[open_[0]] = whole // known if isinstance(whole, int) else None
    unknown = [n for n in order if sizes[n] is None]
    if len(unknown) > 1 and (any(len(g) > 1 for g in old + new)):
        raise Unsupported(f"the pattern {pattern!r} of an input with several sizes that are not known")
    if any(len(g) != 1 for g in old):
        x = op.Reshape(x, ints([-1 if sizes[n] is None else sizes[n] for n in order]))
    x = op.Transpose(x, perm=[order.index(n) for n in wanted])
    if any(len(g) != 1 for g in new):
        x = op.Reshape(x, ints([-1 if any(sizes[n] is None for n in g) else int(np.prod([sizes[n] for n in g]))
                                for g in new]))
    return x


# -- elements put at places


@to_onnx("ops.slice_update")
def slice_update(op: Builder, x: Value, start: Value, updates: Value) -> Any:
    begin, shape = static(start, "the start").ravel().tolist(), dims(updates, what="what is put in")
    room(*shape, len(shape))
    grid = np.stack(np.meshgrid(*(np.arange(s) + b for s, b in zip(shape, begin, strict=True)), indexing="ij"), axis=-1)
    return op.ScatterND(x, constant(grid.astype(np.int64)), cast(op, updates, x.dtype))


@to_onnx("ops.scatter")
def scatter(op: Builder, indices: Value, values: Value, *, shape: Any) -> Any:
    """Values at places of what is zero elsewhere; those of one place are added."""
    room(*shape)
    return op.ScatterND(constant(np.zeros(tuple(shape), values.dtype)), i64(op, indices), values, reduction="add")


@to_onnx("ops.scatter_update")
def scatter_update(op: Builder, x: Value, indices: Value, updates: Value, *, reduction: str | None = None) -> Any:
    if reduction not in (None, "add", "max", "min", "mul"):
        raise Unsupported(f"reduction {reduction}")
    return op.ScatterND(x, i64(op, indices), cast(op, updates, x.dtype), reduction=reduction or "none")


@to_onnx("ops.segment_sum", "ops.segment_max", "ops.segment_min", "ops.segment_prod")
def segments(op: Builder, x: Value, ids: Value, *, num_segments: int | None = None, sorted: bool = False) -> Any:
    """What belongs together made one; numbers outside of the segments count for nothing."""
    assert op.node is not None
    if num_segments is None or rank(ids) != 1:
        raise Unsupported("segments whose number is known at run time only")
    kind = op.node.op.rpartition("_")[2]
    info = np.finfo(x.dtype) if is_float(x.dtype) else np.iinfo(x.dtype)
    none = {"sum": 0, "prod": 1, "max": info.min, "min": info.max}[kind]
    ids = i64(op, ids)
    outside = op.Or(op.Less(ids, np.int64(0)), op.GreaterOrEqual(ids, np.int64(num_segments)))
    ids = op.Where(outside, np.int64(num_segments), ids)  # one more, which is cut off
    shape = dims(x, range(1, rank(x)))
    room(num_segments + 1, *shape)
    start = constant(np.full((num_segments + 1, *shape), none, x.dtype))
    how = {"sum": "add", "prod": "mul"}.get(kind, kind)
    y = op.ScatterND(start, op.Unsqueeze(ids, ints([1])), x, reduction=how)
    return op.Slice(y, ints([0]), ints([num_segments]), ints([0]))


# -- pieces of images


@to_onnx("ops.extract_patches")
def extract_patches(op: Builder, x: Value, *, size: Any, strides: Any = None, dilation_rate: Any = 1,
                    padding: str = "valid", data_format: str = "channels_last") -> Any:
    n = 2 if isinstance(size, int) else len(size)
    if rank(x) == n + 1:
        made = extract_patches(op, op.Unsqueeze(x, ints([0])), size=size, strides=strides, dilation_rate=dilation_rate,
                               padding=padding, data_format=data_format)
        return op.Squeeze(made, ints([0]))
    window = listed(size, n, "size")
    channels = dims(x, [1 if first(data_format) else -1], "the channels")[0]
    count = int(np.prod(window)) * channels
    room(count, count)
    kernel = constant(np.eye(count, dtype=x.dtype).reshape(*window, channels, count))
    return convolve(op, x, kernel, None, list(window) if strides is None else strides, padding, data_format,
                    dilation_rate)


@to_onnx("ops.pad_images", "ops.crop_images")
def framed(op: Builder, x: Value, *, top_padding: Any = None, left_padding: Any = None, bottom_padding: Any = None,
           right_padding: Any = None, top_cropping: Any = None, left_cropping: Any = None, bottom_cropping: Any = None,
           right_cropping: Any = None, target_height: Any = None, target_width: Any = None,
           data_format: str = "channels_last") -> Any:
    """An image with rows and columns more or less: of the two ends of an axis one may follow from the target."""
    assert op.node is not None
    pads = op.node.op == "ops.pad_images"
    axes = [rank(x) - (2 if first(data_format) else 3) + k for k in (0, 1)]
    given = ((top_padding, bottom_padding, target_height), (left_padding, right_padding, target_width)) if pads else \
        ((top_cropping, bottom_cropping, target_height), (left_cropping, right_cropping, target_width))
    begin, end = [], []
    for axis, (a, b, target) in zip(axes, given, strict=True):
        if a is None or b is None:
            if target is None or (a is None and b is None):
                raise Unsupported("neither what is added nor the size that is wanted")
            more = target - dims(x, [axis])[0]
            more = more if pads else -more
            a, b = (more - b if a is None else a), (more - a if b is None else b)
        begin.append(a)
        end.append(b)
    if pads:
        return op.Pad(x, ints(begin + end), number(x, 0), ints(axes))
    return op.Slice(x, ints(begin), ints([-e if e else INT_MAX for e in end]), ints(axes))


@to_onnx("ops.unfold")
def unfold(op: Builder, x: Value, *, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Windows of images with channels first: ``[batch, channels * window, windows]``."""
    size, apart, more, step = (listed(v, 2, "a size") for v in (kernel_size, dilation, padding, stride))
    channels, *image = dims(x, [1, 2, 3])
    if any(more):
        x = op.Pad(x, ints(more + more), number(x, 0), ints([2, 3]))
    height, width = (d + 2 * p for d, p in zip(image, more, strict=True))
    rows, columns = (np.arange(0, d - (k - 1) * a, s)[None, :] + np.arange(k)[:, None] * a
                     for d, k, a, s in zip((height, width), size, apart, step, strict=True))
    at = rows[:, None, :, None] * width + columns[None, :, None, :]  # window, window, place, place
    room(*at.shape)
    flat = op.Gather(op.Reshape(x, ints([0, channels, height * width])), at.reshape(-1).astype(np.int64), axis=2)
    return op.Reshape(flat, ints([0, channels * size[0] * size[1], rows.shape[1] * columns.shape[1]]))


@to_onnx("ops.fold")
def fold(op: Builder, x: Value, *, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1) -> Any:
    size, apart, more, step = (listed(v, 2, "a size") for v in (kernel_size, dilation, padding, stride))
    return op.Col2Im(x, ints(listed(output_size, 2, "output_size")), ints(size), dilations=apart, pads=more + more,
                     strides=step)


@to_onnx("ops.gaussian_blur")
def gaussian_blur(op: Builder, x: Value, *, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0),
                  data_format: str = "channels_last") -> Any:
    if rank(x) == 3:
        made = gaussian_blur(op, op.Unsqueeze(x, ints([0])), kernel_size=kernel_size, sigma=sigma,
                             data_format=data_format)
        return op.Squeeze(made, ints([0]))
    height, width = kernel_size
    if height != width:  # the kernel of Keras has its sides exchanged before it is given its shape
        raise Unsupported(f"kernel_size {kernel_size}")

    def bell(n: int, s: float) -> Any:
        curve = np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / s) ** 2)
        return curve / curve.sum()
    kernel = np.outer(bell(width, sigma[1]), bell(height, sigma[0])).astype(x.dtype)
    return _each_channel(op, x, kernel, data_format)


def _each_channel(op: Builder, x: Value, kernel: Any, data_format: str) -> Any:
    """Every channel convolved with the same kernel; beyond the edges there is zero."""
    from .conv import depthwise
    channels = dims(x, [1 if first(data_format) else -1], "the channels")[0]
    weights = constant(np.repeat(kernel[:, :, None, None], channels, axis=2))
    return depthwise(op, x, weights, None, 1, "same", data_format, 1)


@to_onnx("ops.sobel_edges")
def sobel_edges(op: Builder, x: Value, *, data_format: str = "channels_last") -> Any:
    """How much the image changes downwards and to the right, mirrored at its edges."""
    axes = spatial(x, data_format)
    wide = op.Pad(x, ints([1, 1, 1, 1]), None, ints(axes), mode="reflect")
    across = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], x.dtype)
    channels = dims(x, [1 if first(data_format) else -1], "the channels")[0]
    from .conv import depthwise
    out = []
    for kernel in (across, np.ascontiguousarray(across.T)):
        weights = constant(np.repeat(kernel[:, :, None, None], channels, axis=2))
        out.append(op.Unsqueeze(depthwise(op, wide, weights, None, 1, "valid", data_format, 1), ints([4])))
    return op.Concat(*out, axis=4)


# -- colours


@to_onnx("ops.rgb_to_hsv", "ops.hsv_to_rgb")
def colours(op: Builder, x: Value, *, data_format: str = "channels_last") -> Any:
    assert op.node is not None
    axis = axis_of(x, -3 if first(data_format) else -1)
    a, b, c = op.add("Split", x, ints([1, 1, 1]), axis=axis, outputs=3)
    return op.Concat(*(_hsv(op, a, b, c) if op.node.op == "ops.rgb_to_hsv" else _rgb(op, a, b, c)), axis=axis)


def _hsv(op: Builder, r: Value, g: Value, b: Value) -> list[Value]:
    most, least = op.Max(r, g, b), op.Min(r, g, b)
    span = op.Sub(most, least)
    grey, dark = op.Equal(span, number(r, 0)), op.Not(op.Greater(most, number(r, 0)))
    by = op.Div(number(r, 1 / 6), op.Where(grey, number(r, 1), span))
    hue = op.Where(op.Equal(r, most), op.Mul(by, op.Sub(g, b)), op.Where(
        op.Equal(g, most), op.Add(op.Mul(by, op.Sub(b, r)), number(r, 2 / 6)),
        op.Add(op.Mul(by, op.Sub(r, g)), number(r, 4 / 6))))
    hue = op.Where(grey, number(r, 0), hue)
    hue = op.Where(op.Less(hue, number(r, 0)), op.Add(hue, number(r, 1)), hue)
    return [hue, op.Where(dark, number(r, 0), op.Div(span, op.Where(dark, number(r, 1), most))), most]


def _rgb(op: Builder, h: Value, s: Value, v: Value) -> list[Value]:
    h = op.Mul(h, number(h, 6))
    tops = [op.Sub(op.Abs(op.Sub(h, number(h, 3))), number(h, 1)),
            op.Sub(number(h, 2), op.Abs(op.Sub(h, number(h, 2)))),
            op.Sub(number(h, 2), op.Abs(op.Sub(h, number(h, 4))))]
    out = []
    for t in tops:
        part = op.Clip(t, number(h, 0), number(h, 1))
        out.append(op.Mul(op.Add(op.Sub(number(h, 1), s), op.Mul(s, part)), v))
    return out
