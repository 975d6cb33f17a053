"""Images: resizing, cropping, boxes, colours, blocks of pixels; transforms of signals."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ....ir.tensor import Array
from .nn import padding as pads_of
from .nn import windows
from .table import OPS, Refused, bounded, op

F32 = np.float32


def _scale(old: int, new: int, align_corners: bool) -> Any:
    return F32(old - 1) / F32(new - 1) if align_corners and new > 1 else F32(old) / F32(new)


def _positions(old: int, new: int, align: bool, half: bool) -> Array:
    at = np.arange(new, dtype=F32)
    s = _scale(old, new, align)
    return (at + F32(0.5)) * s - F32(0.5) if half else at * s


@op("ResizeBilinear")
def resize_bilinear(x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False) -> Any:
    y = x.astype(F32)
    for axis, new in ((1, int(size[0])), (2, int(size[1]))):
        old = x.shape[axis]
        at = _positions(old, bounded([new])[0], align_corners, half_pixel_centers)
        low = np.maximum(np.floor(at), 0).astype(np.int64)
        high = np.minimum(np.ceil(at), old - 1).astype(np.int64)
        lerp = (at - np.floor(at)).reshape([-1 if k == axis else 1 for k in range(4)])
        a, b = np.take(y, np.minimum(low, old - 1), axis), np.take(y, high, axis)
        y = a + (b - a) * lerp
    return y


@op("ResizeNearestNeighbor")
def resize_nearest(x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False) -> Any:
    for axis, new in ((1, int(size[0])), (2, int(size[1]))):
        old = x.shape[axis]
        at = np.arange(bounded([new])[0], dtype=F32)
        s = _scale(old, new, align_corners)
        at = np.floor((at + F32(0.5)) * s) if half_pixel_centers else at * s
        at = np.floor(at + F32(0.5)) if align_corners else np.floor(at)
        x = np.take(x, np.clip(at, 0, old - 1).astype(np.int64), axis)
    return x


def _cubic(t: Array, a: float) -> Array:
    t = np.abs(t)
    return np.where(t <= 1, ((a + 2) * t - (a + 3)) * t * t + 1,
                    np.where(t < 2, ((a * t - 5 * a) * t + 8 * a) * t - 4 * a, 0))


@op("ResizeBicubic")
def resize_bicubic(x: Array, size: Array, *, align_corners: bool = False, half_pixel_centers: bool = False) -> Any:
    y = x.astype(F32)
    for axis, new in ((1, int(size[0])), (2, int(size[1]))):
        old = x.shape[axis]
        at = _positions(old, bounded([new])[0], align_corners, half_pixel_centers)
        base = np.floor(at)
        delta = np.rint((at - base) * 1024) / 1024  # the kernel looks the weights up in a table of 1024 steps
        taps = base[:, None] + np.arange(-1, 3)
        inside = np.clip(taps, 0, old - 1)
        w = _cubic(delta[:, None] - np.arange(-1, 3), -0.5 if half_pixel_centers else -0.75)
        if half_pixel_centers:  # taps outside of the picture do not count
            w = np.where(taps == inside, w, 0)
            w = w / w.sum(1, keepdims=True)
        parts = np.take(y, inside.astype(np.int64).ravel(), axis)
        shape = list(y.shape)
        shape[axis:axis + 1] = [new, 4]
        weight = w.reshape([new if k == axis else 4 if k == axis + 1 else 1 for k in range(5)])
        y = (parts.reshape(shape) * weight).sum(axis + 1)
    return y.astype(F32)


@op("ResizeArea")
def resize_area(x: Array, size: Array, *, align_corners: bool = False) -> Any:
    y = x.astype(np.float64)
    for axis, new in ((1, int(size[0])), (2, int(size[1]))):
        old = x.shape[axis]
        s = float(_scale(old, new, align_corners))
        matrix = np.zeros((bounded([new, old])[0], old))
        for k in range(new):
            a, b = k * s, (k + 1) * s
            for j in range(math.floor(a), math.ceil(b)):
                matrix[k, min(max(j, 0), old - 1)] += (min(j + 1, b) - max(j, a)) / s
        y = np.moveaxis(np.tensordot(matrix, y, (1, axis)), 0, axis)
    return y.astype(F32)


@op("CropAndResize")
def crop_and_resize(x: Array, boxes: Array, index: Array, size: Array, *, method: str = "bilinear",
                    extrapolation_value: float = 0.0) -> Any:
    h, w = bounded(size)
    out = np.full((len(boxes), h, w, x.shape[3]), extrapolation_value, F32)
    for b in range(len(boxes)):
        grids = []
        for (low, high), old, new in (((boxes[b, 0], boxes[b, 2]), x.shape[1], h),
                                      ((boxes[b, 1], boxes[b, 3]), x.shape[2], w)):
            step = (high - low) * F32(old - 1) / F32(new - 1) if new > 1 else F32(0)
            at = low * F32(old - 1) + np.arange(new, dtype=F32) * step if new > 1 else np.asarray(
                [F32(0.5) * (low + high) * F32(old - 1)])
            grids.append((at, (at >= 0) & (at <= old - 1)))
        (ys, oky), (xs, okx) = grids
        image = x[int(index[b])].astype(F32)
        if method == "nearest":
            rows, columns = (np.floor(np.where(ok, at, 0) + F32(0.5)).astype(int) for at, ok in ((ys, oky), (xs, okx)))
            made = image[rows][:, columns]
        else:
            ys, xs = np.where(oky, ys, 0), np.where(okx, xs, 0)
            t, l = np.floor(ys).astype(int), np.floor(xs).astype(int)
            d, r = np.ceil(ys).astype(int), np.ceil(xs).astype(int)
            fy, fx = (ys - t)[:, None, None], (xs - l)[None, :, None]
            top = image[t][:, l] + (image[t][:, r] - image[t][:, l]) * fx
            low_ = image[d][:, l] + (image[d][:, r] - image[d][:, l]) * fx
            made = top + (low_ - top) * fy
        ok = oky[:, None] & okx[None]
        out[b] = np.where(ok[..., None], made, F32(extrapolation_value))
    return out


def _iou(a: Array, b: Array) -> float:
    y1, y2 = min(a[0], a[2]), max(a[0], a[2])
    x1, x2 = min(a[1], a[3]), max(a[1], a[3])
    v1, v2 = min(b[0], b[2]), max(b[0], b[2])
    u1, u2 = min(b[1], b[3]), max(b[1], b[3])
    one, two = (y2 - y1) * (x2 - x1), (v2 - v1) * (u2 - u1)
    if one <= 0 or two <= 0:
        return 0.0
    both = max(min(y2, v2) - max(y1, v1), 0) * max(min(x2, u2) - max(x1, u1), 0)
    return float(both / (one + two - both))


def suppress(boxes: Array, scores: Array, most: int, iou: float, least: float, sigma: float = 0.0,
             overlaps: Callable[[int, int], float] | None = None) -> tuple[list[int], list[float]]:
    """Greedy suppression, soft where ``sigma`` is not zero; indices and scores of what is kept, best first."""
    import heapq
    similar = overlaps or (lambda i, j: _iou(boxes[i], boxes[j]))
    queue = [(-float(s), k, 0) for k, s in enumerate(scores) if s > least]
    heapq.heapify(queue)
    kept: list[int] = []
    values: list[float] = []
    scale = -0.5 / sigma if sigma > 0 else 0.0
    while queue and len(kept) < most:
        score, k, begin = heapq.heappop(queue)
        original = score = -score
        hard = False
        for j in reversed(range(begin, len(kept))):
            s = similar(k, kept[j])
            score *= math.exp(scale * s * s) if sigma > 0 else 1.0
            if sigma == 0 and s > iou:
                hard = True
                break
            if score <= least:
                break
        if hard:
            continue
        if score == original:
            kept.append(k)
            values.append(score)
        elif score > least:
            heapq.heappush(queue, (-score, k, len(kept)))
    return kept, values


_LOW = -np.inf


@op("NonMaxSuppression", fold=False)
def nms(boxes: Array, scores: Array, most: Array, *, iou_threshold: float = 0.5) -> Any:
    return np.array(suppress(boxes, scores, int(most), iou_threshold, _LOW)[0], np.int32)


@op("NonMaxSuppressionV2", fold=False)
def nms_v2(boxes: Array, scores: Array, most: Array, iou: Array) -> Any:
    return np.array(suppress(boxes, scores, int(most), float(iou), _LOW)[0], np.int32)


@op("NonMaxSuppressionV3", fold=False)
def nms_v3(boxes: Array, scores: Array, most: Array, iou: Array, least: Array) -> Any:
    return np.array(suppress(boxes, scores, int(most), float(iou), float(least))[0], np.int32)


@op("NonMaxSuppressionV4", fold=False)
def nms_v4(boxes: Array, scores: Array, most: Array, iou: Array, least: Array, *,
           pad_to_max_output_size: bool = False) -> Any:
    kept = suppress(boxes, scores, int(most), float(iou), float(least))[0]
    more = [0] * (int(most) - len(kept)) if pad_to_max_output_size else []
    return np.array(kept + more, np.int32), np.array(len(kept), np.int32)


@op("NonMaxSuppressionV5", fold=False)
def nms_v5(boxes: Array, scores: Array, most: Array, iou: Array, least: Array, sigma: Array, *,
           pad_to_max_output_size: bool = False) -> Any:
    kept, values = suppress(boxes, scores, int(most), float(iou), float(least), float(sigma))
    more = int(most) - len(kept) if pad_to_max_output_size else 0
    return np.array(kept + [0] * more, np.int32), np.array(values + [0.0] * more, scores.dtype), \
        np.array(len(kept), np.int32)


@op("NonMaxSuppressionWithOverlaps", fold=False)
def nms_overlaps(overlaps: Array, scores: Array, most: Array, threshold: Array, least: Array) -> Any:
    return np.array(suppress(overlaps, scores, int(most), float(threshold), float(least), 0.0,
                             lambda i, j: float(overlaps[i, j]))[0], np.int32)


@op("CombinedNonMaxSuppression", fold=False)
def combined_nms(boxes: Array, scores: Array, per_class: Array, total: Array, iou: Array, least: Array, *,
                 pad_per_class: bool = False, clip_boxes: bool = True) -> Any:
    classes = scores.shape[2]
    size = min(int(total), int(per_class) * classes) if pad_per_class else int(total)
    n = len(scores)
    out_boxes, out_scores = np.zeros((n, size, 4), F32), np.zeros((n, size), F32)
    out_classes, valid = np.zeros((n, size), F32), np.zeros(n, np.int32)
    for b in range(n):
        found: list[tuple[float, int, int, Array]] = []
        for c in range(classes):
            which = boxes[b, :, min(c, boxes.shape[2] - 1)]
            kept, values = suppress(which, scores[b, :, c], int(per_class), float(iou), float(least))
            found += [(-v, c, k, which[k]) for k, v in zip(kept, values, strict=True)]
        found.sort(key=lambda f: (f[0], f[1]))
        for j, (v, c, _, box) in enumerate(found[:size]):
            out_boxes[b, j] = np.clip(box, 0, 1) if clip_boxes else box
            out_scores[b, j], out_classes[b, j] = -v, c
        valid[b] = min(len(found), size)
    return out_boxes, out_scores, out_classes, valid


@op("ExtractImagePatches", fold=False)
def extract_patches(x: Array, *, ksizes: Any, strides: Any, rates: Any, padding: str) -> Any:
    k, s, r = list(ksizes[1:3]), list(strides[1:3]), list(rates[1:3])
    pads = [pads_of(a, b, t, d, padding, (0, 0)) for a, b, t, d in zip(x.shape[1:3], k, s, r, strict=True)]
    w = windows(x, k, s, r, pads, 0)
    return np.moveaxis(w, 3, -1).reshape(*w.shape[:3], -1)


@op("SpaceToDepth")
def space_to_depth(x: Array, *, block_size: int, data_format: str = "NHWC") -> Any:
    if data_format == "NCHW":
        return np.moveaxis(space_to_depth(np.moveaxis(x, 1, -1), block_size=block_size), -1, 1)
    n, h, w, c = x.shape
    b = block_size
    return x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)


@op("DepthToSpace")
def depth_to_space(x: Array, *, block_size: int, data_format: str = "NHWC") -> Any:
    if data_format == "NCHW":
        return np.moveaxis(depth_to_space(np.moveaxis(x, 1, -1), block_size=block_size), -1, 1)
    n, h, w, c = x.shape
    b = block_size
    return x.reshape(n, h, w, b, b, -1).transpose(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // (b * b))


@op("SpaceToBatchND")
def space_to_batch(x: Array, block: Array, paddings: Array) -> Any:
    m = len(block)
    x = np.pad(x, [(0, 0), *((int(a), int(b)) for a, b in paddings), *[(0, 0)] * (x.ndim - 1 - m)])
    n, rest = x.shape[0], x.shape[1 + m:]
    split = [v for d, b in zip(x.shape[1:], block, strict=False) for v in (d // int(b), int(b))]
    y = x.reshape(n, *split, *rest)
    y = y.transpose([*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m, 2), *range(2 * m + 1, y.ndim)])
    return y.reshape(-1, *(d // int(b) for d, b in zip(x.shape[1:], block, strict=False)), *rest)


@op("SpaceToBatch")
def space_to_batch_v1(x: Array, paddings: Array, *, block_size: int) -> Any:
    return space_to_batch(x, np.array([block_size] * 2), paddings)


@op("BatchToSpaceND")
def batch_to_space(x: Array, block: Array, crops: Array) -> Any:
    m = len(block)
    sizes = [int(b) for b in block]
    n = x.shape[0] // math.prod(sizes)
    y = x.reshape(*sizes, n, *x.shape[1:])
    order = [m, *(v for k in range(m) for v in (m + 1 + k, k)), *range(2 * m + 1, y.ndim)]
    y = y.transpose(order).reshape(n, *(d * b for d, b in zip(x.shape[1:], sizes, strict=False)), *x.shape[1 + m:])
    cut = tuple(slice(int(a), d - int(b)) for (a, b), d in zip(crops, y.shape[1:], strict=False))
    kept = (slice(None), *cut)
    return y[kept]


@op("BatchToSpace")
def batch_to_space_v1(x: Array, crops: Array, *, block_size: int) -> Any:
    return batch_to_space(x, np.array([block_size] * 2), crops)


@op("RGBToHSV")
def rgb_to_hsv(x: Array) -> Any:
    r, g, b = np.moveaxis(x, -1, 0)
    v = x.max(-1)
    spread = v - x.min(-1)
    s = np.where(v > 0, spread / np.where(v > 0, v, 1), 0)
    norm = 1 / (6 * np.where(spread > 0, spread, 1))
    h = np.where(r == v, norm * (g - b), np.where(g == v, norm * (b - r) + 2 / 6, norm * (r - g) + 4 / 6))
    h = np.where(spread > 0, h, 0)
    return np.stack([np.where(h < 0, h + 1, h), s, v], -1).astype(x.dtype)


@op("HSVToRGB")
def hsv_to_rgb(x: Array) -> Any:
    h, s, v = np.moveaxis(x, -1, 0)
    d = h * 6
    parts = [np.abs(d - 3) - 1, 2 - np.abs(d - 2), 2 - np.abs(d - 4)]
    return np.stack([(1 - s + s * np.clip(p, 0, 1)) * v for p in parts], -1).astype(x.dtype)


@op("AdjustContrastv2")
def adjust_contrast(x: Array, factor: Array) -> Any:
    mean = x.mean((-3, -2), keepdims=True, dtype=np.float32)
    return ((x - mean) * factor + mean).astype(x.dtype)


@op("AdjustSaturation")
def adjust_saturation(x: Array, scale: Array) -> Any:
    hsv = rgb_to_hsv(x)
    hsv[..., 1] = np.clip(hsv[..., 1] * scale, 0, 1)
    return hsv_to_rgb(hsv)


@op("AdjustHue")
def adjust_hue(x: Array, delta: Array) -> Any:
    hsv = rgb_to_hsv(x)
    hsv[..., 0] = np.mod(hsv[..., 0] + delta, 1)
    return hsv_to_rgb(hsv)


# ----------------------------------------------------------------------------------------------- signals


def _fft(f: Any, axes: int, complex_out: bool = True) -> Any:
    def rule(x: Array, **_: Any) -> Any:
        made = f(x, axes=tuple(range(-axes, 0)))
        return made.astype(x.dtype)
    return rule


for _n in (1, 2, 3):
    _suffix = "" if _n == 1 else f"{_n}D"
    OPS[f"FFT{_suffix}"] = _fft(np.fft.fftn, _n)
    OPS[f"IFFT{_suffix}"] = _fft(np.fft.ifftn, _n)


def _real(inverse: bool, axes: int) -> Any:
    def rule(x: Array, length: Array, *, Tcomplex: Any = np.complex64, Treal: Any = None) -> Any:
        n = [int(v) for v in length]
        over = tuple(range(-axes, 0))
        if inverse:
            return np.fft.irfftn(x, n, over).astype(np.float32 if x.dtype == np.complex64 else np.float64)
        return np.fft.rfftn(x, n, over).astype(Tcomplex)
    return rule


for _n in (1, 2, 3):
    _suffix = "" if _n == 1 else f"{_n}D"
    OPS[f"RFFT{_suffix}"], OPS[f"IRFFT{_suffix}"] = _real(False, _n), _real(True, _n)


@op("AudioSpectrogram", fold=False)
def audio_spectrogram(x: Array, *, window_size: int, stride: int, magnitude_squared: bool = False) -> Any:
    size = 1 << max(0, window_size - 1).bit_length()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_size) / window_size)
    count = 0 if len(x) < window_size else 1 + (len(x) - window_size) // stride
    out = np.zeros((x.shape[1], count, size // 2 + 1), F32)
    for c in range(x.shape[1]):
        for k in range(count):
            piece = x[k * stride:k * stride + window_size, c].astype(np.float64) * hann
            power = np.abs(np.fft.rfft(piece, size)) ** 2
            out[c, k] = power if magnitude_squared else np.sqrt(power)
    return out


def mel_filters(bins: int, rate: float, low: float, high: float, channels: int) -> Array:
    """The triangles of the mel filter bank: [bins, channels].  Source: core/kernels/mfcc_mel_filterbank.cc."""
    def mel(f: Any) -> Any:
        return 1127.0 * np.log1p(f / 700.0)
    span = mel(high) - mel(low)
    centers = mel(low) + span / (channels + 1) * np.arange(1, channels + 2)
    per_bin = 0.5 * rate / (bins - 1)
    start, end = int(1.5 + low / per_bin), int(high / per_bin)
    out = np.zeros((bins, channels))
    for i in range(start, end + 1):
        if i >= bins:
            break
        at = mel(i * per_bin)
        channel = int(np.searchsorted(centers, at, "left")) - 1 if at >= centers[0] else -1
        channel = min(channel, channels - 1)
        weight = (centers[channel + 1] - at) / (centers[channel + 1] - centers[channel]) if channel >= 0 else \
            (centers[0] - at) / (centers[0] - mel(low))
        if channel >= 0:
            out[i, channel] += weight
        if channel + 1 < channels:
            out[i, channel + 1] += 1 - weight
    return out


def dct_matrix(inputs: int, coefficients: int) -> Array:
    k, j = np.arange(coefficients), np.arange(inputs)
    return np.asarray(math.sqrt(2.0 / inputs) * np.cos(np.outer(j + 0.5, k) * np.pi / inputs))


@op("Mfcc", fold=False)
def mfcc(x: Array, rate: Array, *, upper_frequency_limit: float = 4000.0, lower_frequency_limit: float = 20.0,
         filterbank_channel_count: int = 40, dct_coefficient_count: int = 13) -> Any:
    filters = mel_filters(x.shape[2], float(rate), lower_frequency_limit, upper_frequency_limit,
                          filterbank_channel_count)
    energies = np.sqrt(np.maximum(x.astype(np.float64), 0)) @ filters
    return (np.log(np.maximum(energies, 1e-12)) @ dct_matrix(filterbank_channel_count, dct_coefficient_count)).astype(
        F32)


@op("DrawBoundingBoxes", "DrawBoundingBoxesV2", fold=False)
def draw_boxes(*_: Array) -> Any:
    raise Refused("boxes drawn into a picture")
