"""Images: resizing, sampling at places, windows put together again.  Source: aten/src/ATen/native/UpSample.h,
GridSampler.cpp, Col2Im.cpp, AffineGridGenerator.cpp."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import cast
from ..machine import aten
from ..values import F32, I64, Sym, ints, known, rank, size, whole, wholes


def _sizes(op: Builder, x: Value, count: int, output_size: Any, factors: Any) -> tuple[list[Any], list[Any]]:
    """For each axis the size asked for, and the factor, each ``None`` where the other decides."""
    factors = [None] * count if factors is None else [known(f) for f in factors]
    if any(isinstance(f, Sym) for f in factors):
        raise Unsupported("a factor that is known at run time only")
    if output_size is None:
        out: list[Any] = []
        for k, f in enumerate(factors):
            n = size(op, x, k + 2)
            out.append(math.floor(n * f) if isinstance(n, int) else None)
        return out, factors
    return [known(o) for o in output_size], factors


def _resized(op: Builder, x: Value, count: int, output_size: Any, factors: Any, **how: Any) -> Any:
    """By ONNX's Resize, whose scale is the factor where there is one (as the kernel takes it), else by sizes."""
    sizes, factors = _sizes(op, x, count, output_size, factors)
    axes = list(range(2, count + 2))
    if all(f is not None for f in factors):
        return op.Resize(x, None, constant(np.array(factors, np.float32)), axes=axes, **how)
    if any(f is not None for f in factors):
        raise Unsupported("a factor for some axes only")
    return op.Resize(x, None, None, ints(op, sizes), axes=axes, **how)


def _nearest(op: Builder, x: Value, count: int, output_size: Any, factors: Any, exact: bool) -> Any:
    """Element floor(i * scale) of each axis, or floor((i + 1/2) * scale), in float32."""
    sizes, factors = _sizes(op, x, count, output_size, factors)
    have = [size(op, x, k + 2) for k in range(count)]
    if all(isinstance(f, float) and _whole_steps(f, exact) for f in factors):
        return op.Resize(x, None, constant(np.array(factors, np.float32)), axes=list(range(2, count + 2)),
                         mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    if all(isinstance(n, int) for n in (*sizes, *have)) and factors == [None] * count and all(
            o % n == 0 and _whole_steps(o / n, exact) for n, o in zip(have, sizes, strict=True)):
        return op.Resize(x, None, None, ints(op, sizes), axes=list(range(2, count + 2)),
                         mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    for k, (n, out, f) in enumerate(zip(have, sizes, factors, strict=True)):
        if isinstance(n, int) and isinstance(out, int):
            scale = np.float32(1 / f) if f else np.float32(n) / np.float32(out)
            i = np.arange(out).astype(np.float32)
            at = np.floor((i + np.float32(0.5)) * scale if exact else i * scale).astype(np.int64)
            x = op.Gather(x, np.minimum(at, n - 1), axis=k + 2)
            continue
        x = op.Gather(x, _places(op, n, out, f, exact), axis=k + 2)
    return x


def _whole_steps(f: float, exact: bool) -> bool:
    """Whether each element is repeated ``f`` times, which ONNX says: 1 / f may round down, and the kernel with it."""
    i = np.arange(1 << 16)
    at = (i.astype(np.float32) + np.float32(0.5 if exact else 0)) * np.float32(1 / f)
    return f == int(f) and bool((np.floor(at).astype(np.int64) == i // int(f)).all())


def _places(op: Builder, n: Any, out: Any, f: Any, exact: bool) -> Value:
    """As in :func:`_nearest`, of sizes that are known at run time only."""
    old = n.value if isinstance(n, Sym) else constant(np.asarray(n, np.int64))
    if out is None:
        new = cast(op, op.Floor(op.Mul(cast(op, old, F32), np.float32(f))), I64)
    else:
        new = out.value if isinstance(out, Sym) else constant(np.asarray(out, np.int64))
    scale = np.float32(1 / f) if f else op.Div(cast(op, old, F32), cast(op, new, F32))
    i = cast(op, op.Range(np.int64(0), cast(op, new, I64), np.int64(1)), F32)
    i = op.Add(i, np.float32(0.5)) if exact else i
    made: Value = op.Min(cast(op, op.Floor(op.Mul(i, scale)), I64), op.Sub(old, np.int64(1)))
    return made


def _upsampling(name: str, count: int, **how: Any) -> None:
    def made(op: Builder, x: Value, output_size: Any, align_corners: bool, factors: Any) -> Any:
        mode = "align_corners" if align_corners else "half_pixel"
        if how["mode"] == "cubic" or count > 1:
            return _resized(op, x, count, output_size, factors, coordinate_transformation_mode=mode, **how)
        # ONNX Runtime resizes planes, not lines
        wide = op.Unsqueeze(x, np.array([2]))
        wanted = None if output_size is None else [1, *output_size]
        scale = None if factors is None or factors[0] is None else [1.0, *factors]
        y = _resized(op, wide, 2, wanted, scale, coordinate_transformation_mode=mode, **how)
        return op.Squeeze(y, np.array([2]))

    @aten(f"{name}.vec")
    def vec(op: Builder, input: Value, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
        return made(op, input, output_size, align_corners, scale_factors)

    @aten(name)
    def plain(op: Builder, self: Value, output_size: Any, align_corners: bool, *scales: Any, **named: Any) -> Any:
        given = [*scales, *named.values()]
        factors = given if given and all(g is not None for g in given) else None
        return made(op, self, output_size, align_corners, factors)


def _nearests(name: str, count: int, exact: bool) -> None:
    @aten(f"{name}.vec")
    def vec(op: Builder, input: Value, output_size: Any, scale_factors: Any = None) -> Any:
        return _nearest(op, input, count, output_size, scale_factors, exact)

    @aten(name)
    def plain(op: Builder, self: Value, output_size: Any, *scales: Any, **named: Any) -> Any:
        given = [*scales, *named.values()]
        return _nearest(op, self, count, output_size, given if given and None not in given else None, exact)


_upsampling("upsample_linear1d", 1, mode="linear")
_upsampling("upsample_bilinear2d", 2, mode="linear")
_upsampling("upsample_trilinear3d", 3, mode="linear")
_upsampling("upsample_bicubic2d", 2, mode="cubic", cubic_coeff_a=-0.75)


def _smooth(name: str, cubic: bool) -> None:
    def made(op: Builder, x: Value, output_size: Any, align_corners: bool, factors: Any) -> Any:
        """Each axis times a matrix: ONNX's runtimes do not agree on antialias."""
        sizes, factors = _sizes(op, x, 2, output_size, factors)
        have = [size(op, x, 2), size(op, x, 3)]
        if not all(isinstance(n, int) for n in (*have, *sizes)):
            raise Unsupported("antialias of sizes that are known at run time only")
        rows, columns = (constant(_weights(whole(n), whole(o), f, align_corners, cubic).astype(x.dtype))
                         for n, o, f in zip(have, sizes, factors, strict=True))
        return op.MatMul(op.MatMul(rows, x), op.Transpose(columns, perm=[1, 0]))

    @aten(f"{name}.vec")
    def vec(op: Builder, input: Value, output_size: Any, align_corners: bool, scale_factors: Any = None) -> Any:
        return made(op, input, output_size, align_corners, scale_factors)

    @aten(name)
    def plain(op: Builder, self: Value, output_size: Any, align_corners: bool, *scales: Any, **named: Any) -> Any:
        given = [*scales, *named.values()]
        return made(op, self, output_size, align_corners, given if given and None not in given else None)


def _weights(old: int, new: int, factor: Any, align_corners: bool, cubic: bool) -> np.ndarray[Any, Any]:
    """What of each element is in each one of an axis made shorter: a triangle, or a cubic curve, as wide as the step
    (HelperInterpBase::_compute_indices_min_size_weights_aa)."""
    if align_corners:
        scale = (old - 1) / (new - 1) if new > 1 else 0.0
    else:
        scale = 1 / factor if factor else old / new
    support = (2.0 if cubic else 1.0) * max(scale, 1.0)
    out = np.zeros((new, old))
    for i in range(new):
        center = scale * (i + 0.5)
        first, last = max(int(center - support + 0.5), 0), min(int(center + support + 0.5), old)
        t = np.abs((np.arange(first, last) - center + 0.5) / max(scale, 1.0))
        w = np.maximum(1 - t, 0)
        if cubic:
            a = -0.5
            w = np.where(t < 1, ((a + 2) * t - (a + 3)) * t * t + 1,
                         np.where(t < 2, (((t - 5) * t + 8) * t - 4) * a, 0))
        out[i, first:last] = w / w.sum()
    return out


_smooth("_upsample_bilinear2d_aa", False)
_smooth("_upsample_bicubic2d_aa", True)
for _count in (1, 2, 3):
    _nearests(f"upsample_nearest{_count}d", _count, False)
    _nearests(f"_upsample_nearest_exact{_count}d", _count, True)


@aten("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "cudnn_grid_sampler")
def grid_sampler(op: Builder, input: Value, grid: Value, interpolation_mode: int = 0, padding_mode: int = 0,
                 align_corners: bool = False) -> Any:
    return op.GridSample(input, grid, mode=("linear", "nearest", "cubic")[interpolation_mode],
                         padding_mode=("zeros", "border", "reflection")[padding_mode],
                         align_corners=int(align_corners))


@aten("affine_grid_generator")
def affine_grid_generator(op: Builder, theta: Value, size: Any, align_corners: bool) -> Any:
    return op.AffineGrid(theta, ints(op, size), align_corners=int(align_corners))


@aten("col2im")
def col2im(op: Builder, self: Value, output_size: Any, kernel_size: Any, dilation: Any, padding: Any,
           stride: Any) -> Any:
    alone = rank(self) == 2
    x = op.Unsqueeze(self, np.array([0])) if alone else self
    y = op.Col2Im(x, ints(op, output_size), ints(op, kernel_size), dilations=wholes(dilation, 2),
                  pads=wholes(padding, 2) * 2, strides=wholes(stride, 2))
    return op.Squeeze(y, np.array([0])) if alone else y


@aten("max_unpool2d", "max_unpool3d")
def max_unpool(op: Builder, self: Value, indices: Value, output_size: Any, stride: Any = None,
               padding: Any = None) -> Any:
    """Each element at its place in the plane it came from, zeros around."""
    count = len(output_size)
    wanted = [known(o) for o in output_size]
    head = [size(op, self, a) for a in range(rank(self) - count)]
    if not all(isinstance(o, int) for o in wanted):
        raise Unsupported("a size that is known at run time only")
    plane = math.prod(whole(o) for o in wanted)
    flat = ints(op, [*head, -1])
    zeros = op.Expand(np.zeros((), self.dtype), ints(op, [*head, plane]))
    y = op.ScatterElements(zeros, op.Reshape(indices, flat), op.Reshape(self, flat), axis=-1)
    return op.Reshape(y, ints(op, [*head, *wanted]))
