"""Pictures moved by a matrix, and resized by kernels of any width.

Source: core/kernels/image/image_ops.h, scale_and_translate_op.cc, sampling_kernels.h."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import Refused, bounded, op

F32 = np.float32


def _lanczos(radius: float) -> Callable[[Array], Array]:
    def f(x: Array) -> Array:
        a = np.abs(x)
        with np.errstate(all="ignore"):
            y = radius * np.sin(np.pi * a) * np.sin(np.pi * a / radius) / (np.pi * np.pi * a * a)
        return np.where(a > radius, 0, np.where(a <= 1e-3, 1, y))
    return f


def _cubic(x: Array) -> Array:
    a = np.abs(x)
    near, far = ((1.5 * a - 2.5) * a) * a + 1, ((-0.5 * a + 2.5) * a - 4) * a + 2
    return np.where(a >= 2, 0, np.where(a >= 1, far, near))


def _mitchell(x: Array) -> Array:
    a = np.abs(x)
    near, far = ((7 * a / 6 - 2) * a) * a + 16 / 18, ((-7 * a / 18 + 2) * a - 10 / 3) * a + 16 / 9
    return np.where(a >= 2, 0, np.where(a >= 1, far, near))


def _gaussian(x: Array) -> Array:
    a = np.abs(x)
    return np.where(a >= 1.5, 0, np.exp(-a * a / (2 * 0.5 * 0.5)))


KERNELS: Mapping[str, tuple[float, Callable[[Array], Array]]] = {
    "lanczos1": (1, _lanczos(1)), "lanczos3": (3, _lanczos(3)), "lanczos5": (5, _lanczos(5)),
    "gaussian": (1.5, _gaussian),
    "box": (1, lambda x: np.where(np.abs(x) < 0.5, 1.0, np.where(np.abs(x) == 0.5, 0.5, 0.0))),
    "triangle": (1, lambda x: np.maximum(1 - np.abs(x), 0)), "keyscubic": (2, _cubic), "mitchellcubic": (2, _mitchell)}
"""The names of kernels, how far they reach, and their weights by distance."""


def spans(old: int, new: int, scale: Any, translation: Any, name: str, antialias: bool) -> Array:
    """The weights of an axis: [new, old]."""
    if name not in KERNELS:
        raise Refused(f"the kernel {name}")
    radius, kernel = KERNELS[name]
    inverse = F32(1) / F32(scale)
    offset = -inverse * F32(translation)
    stretch = max(inverse, F32(1)) if antialias else F32(1)
    made = np.zeros((*bounded([new, old]),), F32)
    for k in range(new):
        at = F32(F32(k + 0.5) * inverse + offset)
        if at < 0 or at > old:
            continue
        first = min(max(math.ceil(at - F32(radius) * stretch - F32(0.5)), 0), old - 1)
        last = min(max(math.floor(at + F32(radius) * stretch - F32(0.5)), 0), old - 1)
        places = np.arange(first, last + 1, dtype=F32)
        weights = kernel(((places + F32(0.5) - at) / stretch).astype(F32)).astype(F32)
        total = weights.sum(dtype=F32)
        if abs(total) >= 1000 * np.finfo(F32).tiny:
            made[k, first:last + 1] = weights / total
    return made


@op("ScaleAndTranslate", fold=False)
def scale_and_translate(x: Array, size: Array, scale: Array, translation: Array, *, kernel_type: str = "lanczos3",
                        antialias: bool = True) -> Any:
    high, wide = (spans(x.shape[1 + k], int(size[k]), scale[k], translation[k], kernel_type, antialias)
                  for k in (0, 1))
    return np.einsum("bhwc,oh,pw->bopc", x.astype(F32), high, wide).astype(F32)


def _inside(at: float, size: int, mode: str) -> float:
    """A coordinate outside of the picture moved into it."""
    if mode == "CONSTANT" or 0 <= at <= size - 1:
        return at
    if size > 1 and mode == "REFLECT":
        twice = 2 * size
        if at < 0:
            at = F32(twice * int(-at / twice)) + at if at < twice else at
            at = at + twice if at < -size else -at - 1
        else:
            at -= F32(twice * int(at / twice))
            at = twice - at - 1 if at >= size else at
    elif size > 1 and mode == "WRAP":
        at = at + F32(size * (int(-at / (size - 1)) + 1)) if at < 0 else at - F32(size * int(at / (size - 1)))
    return min(max(at, F32(0)), F32(size - 1))


@op("ImageProjectiveTransformV2", "ImageProjectiveTransformV3", fold=False)
def transform(x: Array, transforms: Array, size: Array, fill: Any = 0.0, *, interpolation: str,
              fill_mode: str = "CONSTANT") -> Any:
    batch, height, width, channels = x.shape
    rows, columns = bounded(size)
    out = np.full((batch, rows, columns, channels), fill, x.dtype)

    def pixel(b: int, r: float, c: float) -> Any:
        return x[b, int(r), int(c)] if 0 <= r < height and 0 <= c < width else np.full(channels, fill, x.dtype)
    for b in range(batch):
        m = transforms[b if len(transforms) > 1 else 0].astype(F32)
        for r, c in np.ndindex(rows, columns):
            depth = F32(m[6] * F32(c) + m[7] * F32(r) + F32(1))
            if depth == 0:
                continue
            at_x = _inside(F32((m[0] * F32(c) + m[1] * F32(r) + m[2]) / depth), width, fill_mode)
            at_y = _inside(F32((m[3] * F32(c) + m[4] * F32(r) + m[5]) / depth), height, fill_mode)
            if interpolation == "NEAREST":
                near = [float(np.trunc(v) + np.sign(v)) if abs(v - np.trunc(v)) >= 0.5 else float(np.trunc(v))
                        for v in (at_y, at_x)]
                out[b, r, c] = pixel(b, *near)
                continue
            top, left = np.floor(at_y), np.floor(at_x)
            lines = [(left + 1 - at_x) * pixel(b, y, left) + (at_x - left) * pixel(b, y, left + 1)
                     for y in (top, top + 1)]
            out[b, r, c] = (top + 1 - at_y) * lines[0] + (at_y - top) * lines[1]
    return out
