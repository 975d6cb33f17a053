"""Resize, one axis after the other, as weighted sums of gathered rows: the same in any layout and for any size.

Source: ONNX's reference of Resize; where it and ONNX Runtime differ the node is refused."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float
from .eager import eager, i64, size

rules = Rules("the hub", "simpler operators")
F32, I32, I64 = map(np.dtype, (np.float32, np.int32, np.int64))
MOST = 256  # rows that are gathered for an axis


@dataclass(frozen=True)
class Axis:
    """How an axis is resized: its lengths, vectors of one integer, and its factor, a vector of one number."""

    axis: int
    old: Value
    new: Value
    scale: Value
    roi: tuple[Value, Value] | None = None

    @property
    def lengths(self) -> tuple[int, int] | None:
        if self.old.data is None or self.new.data is None:
            return None
        return int(self.old.numpy()[0]), int(self.new.numpy()[0])

    @property
    def factor(self) -> float | None:
        return None if self.scale.data is None else float(self.scale.numpy()[0])


def resized_axes(op: Builder, x: Value, out: Value, roi: Value | None, scales: Value | None, sizes: Value | None, *,
                 axes: Sequence[int] = (), coordinate_transformation_mode: str = "half_pixel",
                 keep_aspect_ratio_policy: str = "stretch") -> list[Axis]:
    """The axes that change, with what is known of them before run time as constants."""
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    quick = eager(op)
    named = [a % x.rank for a in axes] or list(range(x.rank))
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    scales = None if scales is None or scales.type.size == 0 else scales
    if scales is None and sizes is None:
        raise Unsupported("neither scales nor sizes")
    one: Value | None = None  # the factor of all axes
    if scales is None and keep_aspect_ratio_policy != "stretch":
        assert sizes is not None
        old = quick.Cast(quick.Gather(quick.Shape(x), i64(*named)), to=NUMBER[F32])
        pick = quick.ReduceMin if keep_aspect_ratio_policy == "not_larger" else quick.ReduceMax
        one = pick(quick.Div(quick.Cast(sizes, to=NUMBER[F32]), old), keepdims=1)
    made = []
    for j, axis in enumerate(named):
        old, known = size(quick, x, axis), None if out.shape is None else out.shape[axis]
        same = known is not None and x.shape is not None and x.shape[axis] == known
        real = quick.Cast(old, to=NUMBER[F32])
        if scales is not None:
            scale = _entry(quick, scales, j)
            new = quick.Cast(quick.Floor(quick.Mul(real, scale)), to=NUMBER[I64])
        elif one is not None:
            scale = one
            new = quick.Cast(quick.Floor(quick.Add(quick.Mul(real, one), np.float32(0.5))), to=NUMBER[I64])
        else:
            assert sizes is not None
            new = i64(known) if isinstance(known, int) else quick.Cast(_entry(quick, sizes, j), to=NUMBER[I64])
            scale = quick.Div(quick.Cast(new, to=NUMBER[F32]), real)
            same = same and not crop
        new = i64(known) if isinstance(known, int) else new
        factor = None if scale.data is None else float(scale.numpy()[0])
        if not crop and (factor == 1 or (same and scales is None and one is None)):
            continue
        if crop and roi is None:
            raise Unsupported("tf_crop_and_resize without a region")
        ends = None if not crop or roi is None else (
            quick.Cast(_entry(quick, roi, j), to=NUMBER[F32]),
            quick.Cast(_entry(quick, roi, j + len(named)), to=NUMBER[F32]))
        by_ends = crop or coordinate_transformation_mode == "align_corners"
        if scales is not None and by_ends and not _whole(old, factor):
            raise Unsupported("align_corners by a factor that leaves a part of an element, read in two ways")
        if ends is not None and same and factor == 1 and [_number(e) for e in ends] == [0.0, 1.0]:
            continue
        made.append(Axis(axis, old, new, scale, ends))
    return made


def _whole(old: Value, factor: float | None) -> bool:
    """Whether lengths times the factor are whole numbers: what runtimes divide by then is the same."""
    if factor is None or factor == int(factor):
        return factor is not None
    return old.data is not None and (float(old.numpy()[0]) * factor).is_integer()


def _number(v: Value) -> float | None:
    return None if v.data is None else float(v.numpy().reshape(-1)[0])


def _entry(op: Builder, v: Value, k: int) -> Value:
    made: Value = op.Slice(v, i64(k), i64(k + 1))
    return made


def positions(op: Builder, axis: Axis, mode: str) -> Value:
    """Where each element of the resized axis lies on the old one, in single precision."""
    quick = eager(op)

    def real(v: Value) -> Value:
        return quick.Cast(v, to=NUMBER[F32])
    zero, one, half = np.array(0, I64), np.array(1, I64), np.float32(0.5)
    at = real(quick.Range(zero, quick.Squeeze(axis.new, i64(0)), one))
    if mode in ("align_corners", "tf_crop_and_resize"):
        last = real(quick.Sub(axis.old, i64(1)))
        rest = real(quick.Max(quick.Sub(axis.new, i64(1)), i64(1)))  # of one element the first: 0 / 1
        if mode == "align_corners":
            return quick.Div(quick.Mul(at, last), rest)
        assert axis.roi is not None
        start, end = axis.roi
        span = quick.Mul(quick.Sub(end, start), last)
        many = quick.Add(quick.Mul(start, last), quick.Div(quick.Mul(at, span), rest))
        single = quick.Mul(quick.Mul(quick.Add(start, end), last), half)
        return quick.Where(quick.Greater(axis.new, i64(1)), many, single)
    if mode == "asymmetric":
        return quick.Div(at, axis.scale)
    scaled = quick.Div(quick.Add(at, half), axis.scale)
    centre = quick.Sub(scaled, half)
    if mode == "half_pixel":
        return centre
    if mode == "pytorch_half_pixel":
        return quick.Where(quick.Greater(axis.new, i64(1)), centre, np.float32(0))
    if mode == "half_pixel_symmetric":
        adjustment = quick.Div(real(axis.new), quick.Mul(axis.scale, real(axis.old)))
        offset = quick.Mul(quick.Mul(real(axis.old), half), quick.Sub(np.float32(1), adjustment))
        return quick.Sub(quick.Add(offset, scaled), half)
    raise Unsupported(f"coordinate_transformation_mode {mode}")


def nearest(op: Builder, at: Value, old: Value, mode: str) -> Value:
    """The index of the element that is taken for each position."""
    quick, half = eager(op), np.float32(0.5)
    if mode == "round_prefer_floor":
        near = quick.Ceil(quick.Sub(at, half))
    elif mode == "round_prefer_ceil":
        near = quick.Floor(quick.Add(at, half))
    elif mode in ("floor", "ceil"):
        near = quick.Floor(at) if mode == "floor" else quick.Ceil(at)
    else:
        raise Unsupported(f"nearest_mode {mode}")
    return _inside(quick, near, old)


def _inside(op: Builder, place: Value, old: Value) -> Value:
    """The index of the nearest element that exists."""
    last = op.Cast(op.Sub(old, i64(1)), to=NUMBER[F32])
    made: Value = op.Max(op.Cast(op.Min(place, last), to=NUMBER[I32]), np.array(0, I32))  # known not to be negative
    return made


def _cubic(op: Builder, t: Value, a: float) -> Value:
    """The kernel of cubic convolution at distances ``t``."""
    def poly(*coefficients: float) -> Value:
        y: Value = constant(np.float32(coefficients[0]))
        for c in coefficients[1:]:
            y = op.Mul(y, t) if c == 0 else op.Add(op.Mul(y, t), np.float32(c))
        return y
    near, far = poly(a + 2, -(a + 3), 0, 1), poly(a, -5 * a, 8 * a, -4 * a)
    outer = op.Where(op.Less(t, np.float32(2)), far, np.float32(0))
    made: Value = op.Where(op.LessOrEqual(t, np.float32(1)), near, outer)
    return made


def rows(op: Builder, axis: Axis, at: Value, *, mode: str, antialias: bool, cubic_coeff_a: float,
         exclude_outside: bool) -> list[tuple[Value, Value]]:
    """Indices and weights, vectors along the resized axis, of all that an element is a sum of."""
    quick = eager(op)
    stretch, least = constant(np.ones(1, np.float32)), 1.0
    if antialias:
        stretch = quick.Min(axis.scale, np.ones(1, np.float32))
        if axis.factor is not None:
            least = axis.factor
        elif axis.lengths is not None:  # a size is at most half an element too large; rows too many weigh nothing
            least = max(axis.lengths[1] - 0.5, 0.5) / max(axis.lengths[0], 1)
        else:
            raise Unsupported("antialias of sizes that are only known at run time")
    reach = int(np.ceil((2 if mode == "cubic" else 1) / min(least, 1.0)))
    if 2 * reach > MOST:
        raise Unsupported(f"{2 * reach} rows for each element")
    base, made = quick.Floor(at), []
    for k in range(1 - reach, reach + 1):
        place = quick.Add(base, np.float32(k))
        t = quick.Abs(quick.Sub(place, at))
        t = quick.Mul(t, stretch) if antialias else t
        weight = _cubic(quick, t, cubic_coeff_a) if mode == "cubic" else quick.Max(
            quick.Sub(np.float32(1), t), np.float32(0))
        if exclude_outside:
            last = quick.Cast(quick.Sub(axis.old, i64(1)), to=NUMBER[F32])
            inside = quick.Not(quick.Or(quick.Greater(place, last), quick.Less(place, np.float32(0))))
            weight = quick.Where(inside, weight, np.float32(0))
        if weight.data is None or weight.numpy().any() or not weight.type.size:
            made.append((_inside(quick, place, axis.old), weight))
    if antialias or exclude_outside:
        total = made[0][1]
        for _, weight in made[1:]:
            total = quick.Add(total, weight)
        made = [(index, quick.Div(weight, total)) for index, weight in made]
    return made


@rules("Resize")
def resize(op: Builder, x: Value, roi: Value | None = None, scales: Value | None = None, sizes: Value | None = None, *,
           antialias: int = 0, axes: Sequence[int] = (), coordinate_transformation_mode: str = "half_pixel",
           cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest",
           nearest_mode: str = "round_prefer_floor") -> Any:
    assert op.node is not None
    n, quick, y = x.rank or 0, eager(op), x
    if mode != "nearest" and not is_float(x.dtype):
        raise Unsupported("interpolation of integers, which runtimes round differently")
    inside: Value | None = None
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    for axis in resized_axes(op, x, op.node.outputs[0], roi, scales, sizes, axes=axes,
                             coordinate_transformation_mode=coordinate_transformation_mode,
                             keep_aspect_ratio_policy=keep_aspect_ratio_policy):
        at = positions(op, axis, coordinate_transformation_mode)
        along = i64(*(-1 if k == axis.axis else 1 for k in range(n)))
        if mode == "nearest":
            y = op.Gather(y, nearest(op, at, axis.old, nearest_mode), axis=axis.axis)
        else:
            total: Value | None = None
            for index, weight in rows(op, axis, at, mode=mode, antialias=bool(antialias), cubic_coeff_a=cubic_coeff_a,
                                      exclude_outside=bool(exclude_outside)):
                factor = quick.Cast(quick.Reshape(weight, along), to=NUMBER[x.dtype])
                part = op.Mul(op.Gather(y, index, axis=axis.axis), factor)
                total = part if total is None else op.Add(total, part)
            assert total is not None
            y = total
        if crop:
            last = quick.Cast(quick.Sub(axis.old, i64(1)), to=NUMBER[F32])
            here = quick.Not(quick.Or(quick.Less(at, np.float32(0)), quick.Greater(at, last)))
            here = quick.Reshape(here, along)
            inside = here if inside is None else quick.And(inside, here)
    if inside is not None and not (inside.data is not None and inside.numpy().all()):
        y = op.Where(inside, y, np.array(extrapolation_value, x.dtype))
    return y
