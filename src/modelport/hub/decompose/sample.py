"""Sampling images at computed places: pixels gathered as rows of their channels, and weighted."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float
from .eager import eager, i64, size

rules = Rules("the hub", "simpler operators")
F32, I32, I64 = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.int64)
Ints = Sequence[int]
Tap = tuple[Value, Value | None]
"""Along an axis: which pixel (32-bit integers), and its weight."""


@dataclass(frozen=True)
class Pixels:
    """An image, channels first, as rows of channels, and the sizes of its axes as 32-bit integers and as numbers."""

    rows: Value
    sizes: tuple[Value, ...]

    @staticmethod
    def of(op: Builder, x: Value) -> Pixels:
        if x.rank is None or x.rank < 3:
            raise Unsupported("an image of unknown rank")
        quick = eager(op)
        last = op.Transpose(x, perm=[0, *range(2, x.rank), 1])
        rows = op.Reshape(last, quick.Concat(i64(-1), size(quick, x, 1), axis=0))
        return Pixels(rows, tuple(quick.Squeeze(quick.Cast(size(quick, x, a), to=NUMBER[I32]), i64(0))
                                  for a in range(2, x.rank)))

    def number(self, op: Builder, batch: Value, places: Sequence[Value]) -> Value:
        """The row of the pixel at ``places`` of the image ``batch``."""
        index = batch
        for length, place in zip(self.sizes, places, strict=True):
            index = op.Add(op.Mul(index, length), place)
        made: Value = op.Max(index, np.array(0, I32))  # it is: a target need not make it so
        return made


def _number(op: Builder, v: Value, dtype: Any = F32) -> Value:
    made: Value = eager(op).Cast(v, to=NUMBER[np.dtype(dtype)])
    return made


def counted(op: Builder, length: Value, dtype: Any = F32) -> Value:
    """0, 1, 2 ... of a length that is a vector of one number."""
    quick = eager(op)
    return _number(op, quick.Range(np.array(0, I64), quick.Squeeze(length, i64(0)), np.array(1, I64)), dtype)


def _clipped(op: Builder, at: Value, last: Value) -> Value:
    """Whole numbers of single precision as indices that exist."""
    made: Value = op.Cast(op.Max(op.Min(at, last), np.float32(0)), to=NUMBER[I32])
    return made


def _cubic(op: Builder, t: Value, a: float) -> Value:
    """The kernel of cubic convolution at distances ``t`` of at most 2."""
    def poly(*coefficients: float) -> Value:
        y = op.Add(op.Mul(t, np.float32(coefficients[0])), np.float32(coefficients[1]))
        for c in coefficients[2:]:
            y = op.Mul(y, t) if c == 0 else op.Add(op.Mul(y, t), np.float32(c))
        return y
    near, far = poly(a + 2, -(a + 3), 0, 1), poly(a, -5 * a, 8 * a, -4 * a)
    made: Value = op.Where(op.LessOrEqual(t, np.float32(1)), near, far)
    return made


def _around(op: Builder, at: Value, length: Value, padding: str, aligned: bool) -> tuple[Value, Value | None]:
    """The pixel for a whole place that may lie outside, and whether it counts (``None``: always)."""
    quick = eager(op)
    last = quick.Sub(length, np.float32(1))
    if padding == "zeros":
        inside = op.And(op.GreaterOrEqual(at, np.float32(0)), op.LessOrEqual(at, last))
        return _clipped(op, at, last), inside
    if padding == "reflection":  # about the middles of the outermost pixels, or their outer edges
        low = np.float32(0 if aligned else -0.5)
        span = last if aligned else length
        turn = quick.Max(quick.Mul(span, np.float32(2)), np.float32(1))
        from_low = op.Sub(at, low)
        rest = op.Sub(from_low, op.Mul(op.Floor(op.Div(from_low, turn)), turn))
        back = op.Sub(quick.Mul(span, np.float32(2)), rest)
        at = op.Round(op.Add(op.Min(rest, back), low))
    return _clipped(op, at, last), None


@rules("GridSample")
def grid_sample(op: Builder, x: Value, grid: Value, *, align_corners: int = 0, mode: str = "linear",
                padding_mode: str = "zeros") -> Any:
    """(In ONNX's reference a place is mapped inside before its neighbours are; the sums are the same.)"""
    if x.rank is None or mode not in ("linear", "nearest", "cubic") or (mode != "nearest" and not is_float(x.dtype)):
        raise Unsupported(f"mode {mode} of {x.dtype}")
    quick, n, pixels = eager(op), x.rank - 2, Pixels.of(op, x)
    places = op.Cast(grid, to=NUMBER[F32])
    axes: list[list[Tap]] = []
    for a in range(n):
        at = op.Squeeze(op.Slice(places, i64(n - 1 - a), i64(n - a), i64(n + 1)), i64(n + 1))
        length = _number(op, pixels.sizes[a])
        if align_corners:
            half = quick.Mul(quick.Sub(length, np.float32(1)), np.float32(0.5))
            at = op.Mul(op.Add(at, np.float32(1)), half)
        else:
            at = op.Mul(op.Sub(op.Mul(op.Add(at, np.float32(1)), length), np.float32(1)), np.float32(0.5))
        axes.append(_taps(op, at, length, mode, padding_mode, bool(align_corners)))
    batch = quick.Reshape(counted(op, size(quick, x, 0), I32), i64(-1, *[1] * n))
    y = _weighted(op, pixels, batch, axes, x.dtype)
    return op.Transpose(y, perm=[0, n + 1, *range(1, n + 1)])


def _taps(op: Builder, at: Value, length: Value, mode: str, padding: str, aligned: bool) -> list[Tap]:
    if mode == "nearest":
        index, inside = _around(op, op.Round(at), length, padding, aligned)
        return [(index, None if inside is None else op.Cast(inside, to=NUMBER[F32]))]
    base, made = op.Floor(at), []
    for k in range(-1, 3) if mode == "cubic" else range(2):
        place = op.Add(base, np.float32(k)) if k else base
        t = op.Abs(op.Sub(at, place))
        weight = _cubic(op, t, -0.75) if mode == "cubic" else op.Sub(np.float32(1), t)
        index, inside = _around(op, place, length, padding, aligned)
        made.append((index, weight if inside is None else op.Where(inside, weight, np.float32(0))))
    return made


def _weighted(op: Builder, pixels: Pixels, batch: Value, axes: Sequence[Sequence[Tap]], dtype: Any) -> Value:
    """The sum of the pixels at all combinations of the axes' taps, channels last."""
    total: Value | None = None
    for taps in product(*axes):
        part = op.Gather(pixels.rows, pixels.number(op, batch, [index for index, _ in taps]), axis=0)
        weights = [w for _, w in taps if w is not None]
        if weights:
            weight = weights[0]
            for w in weights[1:]:
                weight = op.Mul(weight, w)
            part = op.Mul(part, op.Cast(op.Unsqueeze(weight, i64(-1)), to=NUMBER[np.dtype(dtype)]))
        total = part if total is None else op.Add(total, part)
    assert total is not None
    return total


@rules("AffineGrid")
def affine_grid(op: Builder, theta: Value, shape: Value, *, align_corners: int = 0) -> Any:
    """The places of the pixels, from -1 to 1, times the matrix; the first coordinate is that of the last axis."""
    assert op.node is not None
    quick, out = eager(op), op.node.outputs[0].shape
    n = None if theta.shape is None else theta.shape[-2]
    n = n if isinstance(n, int) else len(out) - 2 if out is not None else None
    if n not in (2, 3):
        raise Unsupported("a matrix of unknown shape")
    lengths = []
    for a in range(n):
        known = None if out is None else out[a + 1]
        lengths.append(i64(known) if isinstance(known, int) else quick.Slice(shape, i64(a + 2), i64(a + 3)))
    whole = quick.Concat(*lengths, i64(1), axis=0)
    columns = []
    for a in reversed(range(n)):
        length = _number(op, lengths[a])
        at = counted(op, lengths[a])
        if align_corners:
            span = quick.Max(quick.Sub(length, np.float32(1)), np.float32(1))
            at = quick.Sub(quick.Div(quick.Mul(at, np.float32(2)), span), np.float32(1))
        else:
            at = quick.Sub(quick.Div(quick.Add(quick.Mul(at, np.float32(2)), np.float32(1)), length), np.float32(1))
        at = quick.Reshape(at, i64(*(-1 if k == a else 1 for k in range(n + 1))))
        columns.append(quick.Expand(at, whole))
    columns.append(quick.Expand(np.float32(1), whole))
    base = quick.Reshape(quick.Concat(*columns, axis=n), i64(-1, n + 1))
    base = quick.Cast(base, to=NUMBER[theta.dtype])
    y = op.MatMul(base, op.Transpose(theta, perm=[0, 2, 1]))
    return op.Reshape(y, quick.Concat(size(quick, theta, 0), *lengths, i64(n), axis=0))


@rules("RoiAlign")
def roi_align(op: Builder, x: Value, rois: Value, batch: Value, *, coordinate_transformation_mode: str = "half_pixel",
              mode: str = "avg", output_height: int = 1, output_width: int = 1, sampling_ratio: int = 0,
              spatial_scale: float = 1.0) -> Any:
    """Each bin is sampled at ``sampling_ratio`` places along each axis.

    (ONNX's reference: mode max takes the largest of the weighted pixels, not of their sums.)"""
    if sampling_ratio < 1 or not is_float(x.dtype) or x.rank != 4:
        raise Unsupported("a number of samples that depends on the regions")
    aligned, pixels, quick = coordinate_transformation_mode == "half_pixel", Pixels.of(op, x), eager(op)
    boxes = op.Mul(op.Cast(rois, to=NUMBER[F32]), np.float32(spatial_scale))
    boxes = op.Sub(boxes, np.float32(0.5)) if aligned else boxes
    axes = []
    for a, bins in ((0, output_height), (1, output_width)):
        low, high = (op.Slice(boxes, i64(k), i64(k + 1), i64(1)) for k in (1 - a, 3 - a))
        extent = op.Sub(high, low)
        extent = extent if aligned else op.Max(extent, np.float32(1))
        share = ((np.arange(bins * sampling_ratio) + 0.5) / (bins * sampling_ratio)).astype(np.float32)
        at = op.Add(low, op.Mul(extent, share[None]))  # (regions, places)
        length = _number(op, pixels.sizes[a])
        last = quick.Sub(length, np.float32(1))
        inside = op.And(op.GreaterOrEqual(at, np.float32(-1)), op.LessOrEqual(at, length))
        near = op.Min(op.Max(at, np.float32(0)), last)
        base = op.Floor(near)
        t = op.Sub(near, base)
        shape = i64(0, -1, 1) if a == 0 else i64(0, 1, -1)
        taps = []
        for k, weight in ((0, op.Sub(np.float32(1), t)), (1, t)):
            index = _clipped(op, op.Add(base, np.float32(k)), last)
            taps.append((op.Reshape(index, shape), op.Reshape(op.Where(inside, weight, np.float32(0)), shape)))
        axes.append(taps)
    image = op.Reshape(op.Cast(batch, to=NUMBER[I32]), i64(-1, 1, 1))
    if mode == "max":
        parts = [op.Mul(op.Gather(pixels.rows, pixels.number(op, image, [r[0], c[0]]), axis=0),
                        op.Cast(op.Unsqueeze(op.Mul(r[1], c[1]), i64(-1)), to=NUMBER[x.dtype]))
                 for r, c in product(*axes)]
        y = op.Max(*parts)
    else:
        y = _weighted(op, pixels, image, axes, x.dtype)
    reduce = op.ReduceMax if mode == "max" else op.ReduceMean
    channels = size(quick, x, 1)
    columns = output_width * sampling_ratio
    y = op.Reshape(y, quick.Concat(i64(-1, sampling_ratio, columns), channels, axis=0))
    y = reduce(y, i64(1), keepdims=0)
    y = op.Reshape(y, quick.Concat(i64(-1, sampling_ratio), channels, axis=0))
    y = reduce(y, i64(1), keepdims=0)
    y = op.Reshape(y, quick.Concat(i64(-1, output_height, output_width), channels, axis=0))
    return op.Transpose(y, perm=[0, 3, 1, 2])


@rules("Col2Im")
def col2im(op: Builder, x: Value, image: Value, block: Value, *, dilations: Ints = (), pads: Ints = (),
           strides: Ints = ()) -> Any:
    """A transposed convolution whose weight puts each row of a block in its place."""
    assert op.node is not None
    kernel, out = _stated(block, "the shape of the blocks"), op.node.outputs[0].shape
    n = len(kernel)
    sizes = [d for d in out[2:] if isinstance(d, int)] if out is not None else []
    sizes = sizes if len(sizes) == n else _stated(image, "the shape of the image")
    dilations, pads, strides = dilations or (1,) * n, pads or (0,) * (2 * n), strides or (1,) * n
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    count = [(s + pads[a] + pads[a + n] - reach[a]) // strides[a] + 1 for a, s in enumerate(sizes)]
    more = [s + pads[a] + pads[a + n] - reach[a] - (count[a] - 1) * strides[a] for a, s in enumerate(sizes)]
    places = int(np.prod(kernel))
    weight = np.eye(places, dtype=x.dtype).reshape(places, 1, *kernel)
    y = op.Reshape(x, i64(-1, places, *count))
    y = op.ConvTranspose(y, weight, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads,
                         output_padding=more if any(more) else None)
    return op.Reshape(y, eager(op).Concat(size(eager(op), x, 0), i64(-1, *sizes), axis=0))


def _stated(v: Value, what: str) -> list[int]:
    found = [int(e) for e in v.numpy()] if v.data is not None else \
        [e for e in v.elements if isinstance(e, int)] if v.elements is not None else []
    if not found or (v.elements is not None and len(found) != len(v.elements)):
        raise Unsupported(f"{what} is only known at run time")
    return found


@rules("DeformConv")
def deform_conv(op: Builder, x: Value, w: Value, offset: Value, b: Value | None = None, mask: Value | None = None, *,
                dilations: Ints = (), group: int = 1, kernel_shape: Ints = (), offset_group: int = 1, pads: Ints = (),
                strides: Ints = ()) -> Any:
    """Each pixel of each window sampled where its offset says, then a product with the weight."""
    if x.rank != 4 or w.shape is None or not w.type.static or x.shape is None or not isinstance(x.shape[1], int):
        raise Unsupported("not two spatial axes, or channels and weights of unknown sizes")
    out, part, high, wide = [d for d in w.shape if isinstance(d, int)]
    taps, quick, channels = high * wide, eager(op), x.shape[1]
    dilations, pads, strides = dilations or (1, 1), pads or (0, 0, 0, 0), strides or (1, 1)
    rows, columns = size(quick, offset, 2), size(quick, offset, 3)
    batch = quick.Reshape(counted(op, size(quick, x, 0), I32), i64(-1, 1, 1))
    flat = op.Reshape(op.Cast(offset, to=NUMBER[F32]), quick.Concat(size(quick, x, 0), i64(offset_group * taps * 2, -1),
                                                                    axis=0))
    grid = op.Transpose(flat, perm=[0, 2, 1])  # (batch, places, 2 * taps)
    shares = None if mask is None else op.Transpose(op.Reshape(
        mask, quick.Concat(size(quick, x, 0), i64(offset_group * taps, -1), axis=0)), perm=[0, 2, 1])
    kernel = np.stack(np.meshgrid(np.arange(high) * dilations[0], np.arange(wide) * dilations[1], indexing="ij"))
    places = []
    for a, (length, other) in enumerate(((rows, columns), (columns, rows))):
        at = quick.Mul(counted(op, length), np.float32(strides[a]))
        shape = quick.Concat(length, other, axis=0) if a == 0 else quick.Concat(other, length, axis=0)
        at = quick.Expand(quick.Reshape(at, i64(-1, 1) if a == 0 else i64(1, -1)), shape)
        first = (kernel[a].reshape(1, 1, taps) - pads[a]).astype(np.float32)
        places.append(quick.Add(quick.Reshape(at, i64(1, -1, 1)), first))  # (1, places, taps)
    each, sampled = channels // offset_group, []
    for g in range(offset_group):
        image = x if offset_group == 1 else op.Slice(x, i64(g * each), i64((g + 1) * each), i64(1))
        pixels, axes = Pixels.of(op, image), []
        for a in range(2):
            begin = g * taps * 2 + a
            moved = op.Slice(grid, i64(begin), i64((g + 1) * taps * 2), i64(2), i64(2))
            at = op.Add(moved, places[a])
            axes.append(_taps(op, at, _number(op, pixels.sizes[a]), "linear", "zeros", False))
        y = _weighted(op, pixels, batch, axes, x.dtype)  # (batch, places, taps, channels)
        if shares is not None:
            share = op.Slice(shares, i64(g * taps), i64((g + 1) * taps), i64(2))
            y = op.Mul(y, op.Unsqueeze(share, i64(3)))
        sampled.append(y)
    y = op.Concat(*sampled, axis=3) if len(sampled) > 1 else sampled[0]
    weight = quick.Transpose(quick.Reshape(w, i64(out, part, taps)), perm=[2, 1, 0])  # (taps, channels, out)
    made = []
    for g in range(group):
        here = y if group == 1 else op.Slice(y, i64(g * part), i64((g + 1) * part), i64(3))
        here = op.Reshape(here, quick.Concat(size(quick, x, 0), i64(-1, taps * part), axis=0))
        some = weight if group == 1 else quick.Slice(weight, i64(g * out // group), i64((g + 1) * out // group), i64(2))
        made.append(op.MatMul(here, quick.Reshape(some, i64(taps * part, -1))))
    y = op.Concat(*made, axis=2) if group > 1 else made[0]
    y = y if b is None else op.Add(y, b)
    return op.Reshape(op.Transpose(y, perm=[0, 2, 1]), quick.Concat(size(quick, x, 0), i64(-1), rows, columns, axis=0))
