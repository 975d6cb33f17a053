"""Images seen through a plane, pixel by pixel.  Source: tensorflow/core/kernels/image/image_ops.h."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import Unsupported
from ..ir.graph import Value, constant
from ..ir.rules import Builder
from .reading import dims, i64, ints

F32, I64 = np.dtype(np.float32), np.dtype(np.int64)


def away(op: Builder, x: Value) -> Any:
    """Rounded, halves away from zero."""
    whole = op.Where(op.Less(x, constant(0, x.dtype)), op.Ceil(x), op.Floor(x))
    half = op.GreaterOrEqual(op.Abs(op.Sub(x, whole)), constant(0.5, x.dtype))
    return op.Where(half, op.Add(whole, op.Sign(x)), whole)


def projected(op: Builder, x: Value, transforms: Value, size: tuple[int, int], fill: Value | None, interpolation: str,
              fill_mode: str) -> Any:
    """Each pixel of images (channels last) from where its matrix says it comes from, between whole pixels (BILINEAR)
    or at the nearest one (NEAREST).  ``transforms``: [images or 1, 8] of float32, the matrix by rows without its 1."""
    if fill_mode not in ("CONSTANT", "NEAREST", "REFLECT", "WRAP"):
        raise Unsupported(f"fill_mode {fill_mode}")
    if x.dtype != F32:
        raise Unsupported(f"a transformed picture of {x.dtype}")
    height, width, channels = dims(x, [1, 2, 3])
    out_height, out_width = size
    ys, xs = (v.reshape(1, -1).astype(np.float32) for v in np.indices((out_height, out_width)))
    m = [op.Slice(transforms, ints([k]), ints([k + 1]), ints([1])) for k in range(8)]  # [pictures or 1, 1] each

    def line(a: Value, b: Value, c: Value) -> Any:
        return op.Add(op.Add(op.Mul(a, constant(xs)), op.Mul(b, constant(ys))), c)
    depth = line(m[6], m[7], constant(1, F32))
    nothing = op.Equal(depth, constant(0, F32))
    depth = op.Where(nothing, constant(1, F32), depth)
    at_x = _inside(op, op.Div(line(m[0], m[1], m[2]), depth), width, fill_mode)
    at_y = _inside(op, op.Div(line(m[3], m[4], m[5]), depth), height, fill_mode)
    background = constant(0, F32) if fill is None else fill
    flat = op.Reshape(x, ints([0, height * width, channels]))
    pixels = ints([out_height * out_width])

    def pixel(row: Value, column: Value) -> Any:
        good = op.And(op.And(op.GreaterOrEqual(row, constant(0, F32)), op.Less(row, constant(height, F32))),
                      op.And(op.GreaterOrEqual(column, constant(0, F32)), op.Less(column, constant(width, F32))))
        place = op.Add(op.Mul(i64(op, op.Where(good, row, constant(0, F32))), constant(width, I64)),
                       i64(op, op.Where(good, column, constant(0, F32))))
        place = op.Expand(place, op.Concat(op.Shape(x, start=0, end=1), pixels, axis=0))
        found = op.GatherND(flat, op.Unsqueeze(place, ints([2])), batch_dims=1)
        return op.Where(op.Unsqueeze(good, ints([2])), found, background)
    if interpolation == "NEAREST":
        made = pixel(away(op, at_y), away(op, at_x))
    elif interpolation == "BILINEAR":
        top, left = op.Floor(at_y), op.Floor(at_x)
        low, right = op.Add(top, constant(1, F32)), op.Add(left, constant(1, F32))

        def across(row: Value) -> Any:
            a, b = (op.Unsqueeze(op.Sub(*v), ints([2])) for v in ((right, at_x), (at_x, left)))
            return op.Add(op.Mul(a, pixel(row, left)), op.Mul(b, pixel(row, right)))
        up, down = (op.Unsqueeze(op.Sub(*v), ints([2])) for v in ((low, at_y), (at_y, top)))
        made = op.Add(op.Mul(up, across(top)), op.Mul(down, across(low)))
    else:
        raise Unsupported(f"interpolation {interpolation}")
    made = op.Where(op.Unsqueeze(nothing, ints([2])), background, made)
    return op.Reshape(made, ints([0, out_height, out_width, channels]))


def _inside(op: Builder, at: Value, size: int, mode: str) -> Any:
    """Coordinates outside of the picture moved into it, as the mode says."""
    def f(v: float) -> Value:
        return constant(v, F32)

    def whole(v: Value) -> Any:
        return op.Where(op.Less(v, f(0)), op.Ceil(v), op.Floor(v))
    if mode == "CONSTANT":
        return at
    low, high = op.Less(at, f(0)), op.Greater(at, f(size - 1))
    if mode == "NEAREST" or size <= 1:
        moved = at
    elif mode == "REFLECT":
        twice = f(2 * size)
        up = op.Where(op.Less(at, twice), op.Add(op.Mul(twice, whole(op.Div(op.Neg(at), twice))), at), at)
        up = op.Where(op.Less(up, f(-size)), op.Add(up, twice), op.Sub(op.Neg(up), f(1)))
        down = op.Sub(at, op.Mul(twice, whole(op.Div(at, twice))))
        down = op.Where(op.GreaterOrEqual(down, f(size)), op.Sub(op.Sub(twice, down), f(1)), down)
        moved = op.Where(low, up, op.Where(high, down, at))
    else:
        period = f(size - 1)
        up = op.Add(at, op.Mul(f(size), op.Add(whole(op.Div(op.Neg(at), period)), f(1))))
        down = op.Sub(at, op.Mul(f(size), whole(op.Div(at, period))))
        moved = op.Where(low, up, op.Where(high, down, at))
    return op.Min(op.Max(moved, f(0)), f(size - 1))
