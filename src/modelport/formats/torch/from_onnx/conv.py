"""Convolutions, and images resized, sampled and taken apart."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.resize import resized_axes
from ....hub.infer import builder
from ....ir.graph import Value
from ....ir.types import Type
from ..raw import ints, size
from .common import FLOATS, At, from_onnx, held, rank

Ints = Sequence[int]


def around(at: At, x: Value, pads: Ints, fill: float = 0.0) -> tuple[Value, list[int]]:
    """``x`` padded where the two ends of an axis differ, and the pads that are left to the kernel."""
    n = len(pads) // 2
    first, last = list(pads[:n]), list(pads[n:])
    if first == last and min(first, default=0) >= 0:
        return x, first
    flat = [p for a in reversed(range(n)) for p in (first[a], last[a])]
    shape = None if x.shape is None else (*x.shape[:2], *(
        d + a + b if isinstance(d, int) else None for d, a, b in zip(x.shape[2:], first, last, strict=True)))
    return at.constant_pad_nd(x, flat, fill, type=Type(x.dtype, shape)), [0] * n


def _spatial(w: Value) -> list[int]:
    kernel = [d for d in (w.shape or ())[2:] if isinstance(d, int)]
    if len(kernel) not in (1, 2, 3) or w.rank != len(kernel) + 2:
        raise Unsupported(f"{(w.rank or 2) - 2} spatial axes, or a weight of unknown shape")
    return kernel


@from_onnx("Conv")
def conv(at: At, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
         dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET") -> Any:
    held([x, w], FLOATS)
    kernel = _spatial(w)
    n = len(kernel)
    strides, dilations, pads = strides or (1,) * n, dilations or (1,) * n, pads or (0,) * (2 * n)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER") and set(strides) == {1}:
        total = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        small, large = [t // 2 for t in total], [t - t // 2 for t in total]
        pads = [*small, *large] if auto_pad == "SAME_UPPER" else [*large, *small]
    elif auto_pad not in ("NOTSET", "VALID"):
        raise Unsupported(f"auto_pad {auto_pad} of sizes that are only known at run time")
    x, left = around(at, x, pads)
    return at(f"conv{n}d", x, w, b, list(strides), left, list(dilations), group, type=at.out)


@from_onnx("ConvTranspose")
def conv_transpose(at: At, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
                   dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET",
                   output_padding: Ints = (), output_shape: Ints = ()) -> Any:
    """What PyTorch's pads can't say is cut from, or added to, the whole."""
    held([x, w], FLOATS)
    kernel = _spatial(w)
    n = len(kernel)
    strides, dilations = strides or (1,) * n, dilations or (1,) * n
    pads, more = list(pads or (0,) * (2 * n)), list(output_padding or (0,) * n)
    name = f"conv_transpose{n}d" + ".input" * (n > 1)
    whole = [None if not isinstance(d, int) else (d - 1) * s + (k - 1) * r + 1 for d, s, k, r in zip(
        (x.shape or ())[2:], strides, kernel, dilations, strict=True)]
    if output_shape or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        asked = list(output_shape)[-n:] if output_shape else \
            [None if not isinstance(d, int) else d * s for d, s in zip((x.shape or ())[2:], strides, strict=True)]
        if None in whole or None in asked:
            raise Unsupported("a size of the result that pads depend on")
        total = [(w_ or 0) + m - (a or 0) for w_, m, a in zip(whole, more, asked, strict=True)]
        small = [t // 2 if t >= 0 else 0 for t in total]
        large = [t - s for t, s in zip(total, small, strict=True)]
        pads = [*small, *large] if auto_pad == "SAME_UPPER" else [*large, *small] if min(total) >= 0 else \
            [*small, *large]
    first, last = pads[:n], pads[n:]
    if first == last and min(first) >= 0 and all(m < max(s, d) for m, s, d in zip(more, strides, dilations,
                                                                                 strict=True)):
        return at(name, x, w, b, list(strides), first, more, group, list(dilations), type=at.out)
    shape = (*(at.out.shape or (None,) * (n + 2))[:2], *whole)
    y = at(name, x, w, b, list(strides), [0] * n, [0] * n, group, list(dilations), type=Type(x.dtype, shape))
    grown = [m - p for m, p in zip(more, last, strict=True)]
    if b is not None and max(max(grown), -min(first)) > 0:
        raise Unsupported("a result that is larger than what the kernel makes, and a bias")
    flat = [p for a in reversed(range(n)) for p in (-first[a], grown[a])]
    return at.constant_pad_nd(y, flat, 0.0, type=at.out)


_MODES = {("nearest", 1): "upsample_nearest1d", ("nearest", 2): "upsample_nearest2d",
          ("nearest", 3): "upsample_nearest3d", ("linear", 1): "upsample_linear1d",
          ("linear", 2): "upsample_bilinear2d", ("linear", 3): "upsample_trilinear3d",
          ("cubic", 2): "upsample_bicubic2d"}


@from_onnx("Resize")
def resize(at: At, x: Value, roi: Value | None = None, scales: Value | None = None, new: Value | None = None, *,
           antialias: int = 0, axes: Ints = (), coordinate_transformation_mode: str = "half_pixel",
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
           nearest_mode: str = "round_prefer_floor") -> Any:
    """Spatial axes, where PyTorch's arithmetic is that of the mode; whole factors or sizes that are known."""
    n, way = rank(x) - 2, coordinate_transformation_mode
    if antialias or exclude_outside or (mode, n) not in _MODES or x.dtype not in FLOATS or x.dtype.itemsize == 2 \
            or keep_aspect_ratio_policy != "stretch" or (mode == "cubic" and cubic_coeff_a != -0.75):
        raise Unsupported(f"mode {mode} of {n} spatial axes here")
    out = at.out.shape
    assert x.shape is not None
    if out is None or out[:2] != x.shape[:2]:
        raise Unsupported("a batch or channels that change")
    factors: list[float | None] = [None] * n
    if scales is not None and scales.data is not None and scales.type.size:
        named = [a % (n + 2) for a in axes] or list(range(n + 2))
        said = dict(zip(named, (float(s) for s in scales.numpy()), strict=True))
        factors = [said.get(k + 2, 1.0) for k in range(n)]
    elif scales is not None and scales.type.size != 0:
        raise Unsupported("scales that are only known at run time")
    static = x.type.static and all(isinstance(d, int) for d in out)
    if mode == "nearest":
        if not ((way == "asymmetric" and nearest_mode == "floor") or (
                static and _same(x, out, roi, scales, new, axes, way, nearest_mode, factors))):
            raise Unsupported(f"nearest {way} {nearest_mode}")
        if any(f is not None and (f < 1 or f != int(f)) for f in factors):
            raise Unsupported("nearest by a factor that is not whole")
    elif way not in ("half_pixel", "pytorch_half_pixel", "align_corners") or (way == "pytorch_half_pixel" and any(
            (not isinstance(d, int) and (f is None or f < 1)) or (d == 1 != old)
            for d, old, f in zip(out[2:], x.shape[2:], factors, strict=True))):  # one element is the first one there
        raise Unsupported(f"{mode} {way}")
    if any(not isinstance(d, int) for d in out[2:]):
        whole = [size(at, x, k + 2) for k in range(n)]
        if all(f is not None and f == int(f) for f in factors):
            length = [d if f == 1 else at("_operator.mul", d, int(f or 1), type=Type(np.dtype("i8"), ()))
                      for d, f in zip(whole, factors, strict=True)]
        elif new is not None and not axes:
            length = ints(at, new, x)[2:]
        else:
            raise Unsupported("sizes that are only known at run time")
    else:
        length = list(out[2:])
    # a scale is passed on where it is not that of the sizes
    given: list[float | None] = [f if f is not None and (f != int(f) or f < 1) else None for f in factors]
    name = _MODES[mode, n]
    letters = ["scales"] if n == 1 else ["scales_d", "scales_h", "scales_w"][3 - n:]
    extra = {k: v for k, v in zip(letters, given, strict=True) if v is not None}
    if mode == "nearest":
        return at(name, x, length, **extra, type=at.out)
    return at(name, x, length, way == "align_corners", **({} if way == "align_corners" else extra), type=at.out)


def _same(x: Value, out: Any, roi: Value | None, scales: Value | None, new: Value | None, axes: Ints, way: str,
          nearest_mode: str, factors: Sequence[float | None]) -> bool:
    """Whether each element is taken from where PyTorch's nearest takes it: floor(i / scale), in 32 bits."""
    from ....hub.decompose.resize import nearest, positions
    op = builder()
    changed = resized_axes(op, x, Value(Type(x.dtype, out)), roi, scales, new, axes=axes,
                           coordinate_transformation_mode=way, keep_aspect_ratio_policy="stretch")
    for a in changed:
        if a.axis < 2 or a.lengths is None or a.scale.data is None:
            return False
        old, length = a.lengths
        f = factors[a.axis - 2]
        step = np.float32(1 / f) if f else np.float32(old) / np.float32(length)
        there = np.minimum(np.floor(np.arange(length, dtype=np.float32) * step), old - 1)
        if not np.array_equal(there, nearest(op, positions(op, a, way), a.old, nearest_mode).numpy()):
            return False
    return True


_GRID = {"linear": 0, "bilinear": 0, "nearest": 1, "cubic": 2, "bicubic": 2}


@from_onnx("GridSample")
def grid_sample(at: At, x: Value, grid: Value, *, mode: str = "linear", padding_mode: str = "zeros",
                align_corners: int = 0) -> Any:
    held([x, grid], FLOATS)
    if rank(x) not in (4, 5) or (mode.endswith("cubic") and rank(x) == 5) or x.dtype.itemsize == 2:
        raise Unsupported(f"mode {mode} of {rank(x) - 2} spatial axes")
    return at.grid_sampler(x, grid if grid.dtype == x.dtype else at("to.dtype", grid, x.dtype, type=Type(
        x.dtype, grid.shape)), _GRID[mode], {"zeros": 0, "border": 1, "reflection": 2}[padding_mode],
        bool(align_corners), type=at.out)
