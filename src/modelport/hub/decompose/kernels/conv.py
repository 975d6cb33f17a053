"""Convolutions and pooling windows in the forms that the kernels have."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ..eager import eager, i64
from ..pool import END, lowest
from .table import replaces, rules

Ints = Sequence[int]


def same_pads(op: Builder, x: Value, window: Mapping[str, Any], auto_pad: str, fill: Any) -> Value:
    """``x`` with the pads of SAME_UPPER or SAME_LOWER around sizes that are only known at run time."""
    kernel, strides, dilations = (window[k] for k in ("kernel_shape", "strides", "dilations"))
    n = len(kernel)
    quick = eager(op)
    reach = [(k - 1) * r + 1 for k, r in zip(kernel, dilations, strict=True)]
    sizes = quick.Shape(x, start=2)
    count = quick.Div(quick.Add(sizes, i64(*(s - 1 for s in strides))), i64(*strides))
    short = quick.Sub(quick.Add(quick.Mul(quick.Sub(count, i64(1)), i64(*strides)), i64(*reach)), sizes)
    total = quick.Max(short, i64(0))
    half = quick.Div(total, i64(2))
    rest = quick.Sub(total, half)
    pads = quick.Concat(*((half, rest) if auto_pad == "SAME_UPPER" else (rest, half)), axis=0)
    made: Value = op.Pad(x, pads, constant(np.asarray(fill, x.dtype)), i64(*range(2, n + 2)))
    return made


def cropped(op: Builder, x: Value, pads: Ints) -> tuple[Value, list[int]]:
    """``x`` cut where pads are negative, and the pads that are left."""
    n = len(pads) // 2
    cut = [a for a in range(n) if min(pads[a], pads[a + n]) < 0]
    if cut:
        x = op.Slice(x, i64(*(max(0, -pads[a]) for a in cut)),
                     i64(*(min(0, pads[a + n]) or END for a in cut)), i64(*(a + 2 for a in cut)))
    return x, [max(0, p) for p in pads]


@rules("Conv")
def conv(op: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
         dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET") -> Any:
    n = (x.rank or 2) - 2
    strides, dilations, kernel = strides or (1,) * n, dilations or (1,) * n, kernel_shape or _kernel(w)
    again: dict[str, Any] = {"strides": strides, "dilations": dilations, "kernel_shape": kernel, "group": group}
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    if auto_pad == "SAME_LOWER":
        x = same_pads(op, x, again, auto_pad, 0)
        return op.Conv(x, w, b, pads=[0] * 2 * n, **again)
    if pads and min(pads) < 0:
        x, left = cropped(op, x, pads)
        return op.Conv(x, w, b, pads=left, **again)
    out, part = (w.shape or (None, None))[:2]
    if group > 1 and (n == 3 or part != 1 or out is None or _channels(x) != group):
        again |= {"group": 1, "pads": pads or (0,) * (2 * n), "auto_pad": auto_pad}
        xs, ws, bs = parts(op, x, group, 1), parts(op, w, group, 0), parts(op, b, group, 0)
        return op.Concat(*(op.Conv(*each, **again) for each in zip(xs, ws, bs, strict=True)), axis=1)
    if auto_pad == "SAME_UPPER" and (set(strides) | set(dilations)) != {1}:
        x, pads, auto_pad = same_pads(op, x, again, auto_pad, 0), (0,) * (2 * n), "NOTSET"
    again |= {"pads": pads or (0,) * (2 * n), "auto_pad": auto_pad}
    dilated = any(d != 1 for d in dilations)
    if any(s != 1 for s in strides) and (dilated or (group > 1 and len(set(strides)) > 1)):
        y = op.Conv(x, w, b, **{**again, "strides": (1,) * n})  # every place, and then every so many of them
        return op.Slice(y, i64(*[0] * n), i64(*[END] * n), i64(*range(2, n + 2)), i64(*strides))
    if dilated:
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        return op.Conv(x, spread(op, w, dilations), b, **{**again, "dilations": (1,) * n, "kernel_shape": reach})
    raise Unsupported("not as its kernel wants it")


def _channels(x: Value) -> Any:
    return None if x.shape is None else x.shape[1]


def _kernel(w: Value) -> list[int]:
    if w.shape is None or not all(isinstance(d, int) for d in w.shape[2:]):
        raise Unsupported("a weight whose shape is only known at run time")
    return [d for d in w.shape[2:] if isinstance(d, int)]


def parts(op: Builder, v: Value | None, group: int, axis: int) -> list[Value | None]:
    """``v`` in ``group`` equal parts along ``axis``."""
    if v is None:
        return [None] * group
    length = None if v.shape is None else v.shape[axis]
    if not isinstance(length, int) or length % group:
        raise Unsupported(f"{group} groups of {length} channels")
    each, quick = length // group, eager(op)
    return [quick.Slice(v, i64(k * each), i64((k + 1) * each), i64(axis)) for k in range(group)]


_FEW = 4  # groups: as many kernels cost less than the multiplications by zero


@rules("ConvTranspose")
def conv_transpose(op: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
                   dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET",
                   output_padding: Ints = (), output_shape: Ints = ()) -> Any:
    """Dilations as zeros in the weight, a few groups one by one, many as a convolution of an image with zeros."""
    kernel = _kernel(w)
    n = len(kernel)
    strides, dilations = strides or (1,) * n, dilations or (1,) * n
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    again: dict[str, Any] = {"strides": strides, "auto_pad": auto_pad, "output_padding": output_padding or None,
                             "output_shape": output_shape or None, "pads": pads or None}
    if any(d != 1 for d in dilations):
        w, kernel = spread(op, w, dilations), [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        return op.ConvTranspose(x, w, b, kernel_shape=kernel, group=group, dilations=[1] * n, **again)
    if group == 1 and (auto_pad != "NOTSET" or output_shape):
        raise Unsupported("not as its kernel wants it")
    if group == 1 or (group > _FEW and n == 2 and len(set(strides)) == 1 and auto_pad == "NOTSET" and not output_shape):
        return _by_zeros(op, x, w, b, kernel, strides, pads or (0,) * (2 * n), output_padding or (0,) * n, group)
    each = [op.ConvTranspose(*v, kernel_shape=kernel, group=1, dilations=[1] * n, **again) for v in zip(
        parts(op, x, group, 1), parts(op, w, group, 0), parts(op, b, group, 0), strict=True)]
    return op.Concat(*each, axis=1)


def spread(op: Builder, w: Value, dilations: Ints) -> Value:
    """``w`` with zeros between the elements of its spatial axes."""
    quick = eager(op)
    for a, d in enumerate(dilations, 2):
        if d == 1:
            continue
        shape = [int(k) if isinstance(k, int) else -1 for k in w.shape or ()]
        w = quick.Unsqueeze(w, i64(a + 1))
        w = quick.Pad(w, i64(0, d - 1), np.zeros((), w.dtype), i64(a + 1))
        w = quick.Reshape(w, i64(*shape[:a], shape[a] * d, *shape[a + 1:]))
        w = quick.Slice(w, i64(0), i64(1 - d), i64(a))
    return w


def _apart(op: Builder, x: Value, strides: Ints) -> Value:
    """``x`` with zeros behind each element of its spatial axes."""
    n, quick = len(strides), eager(op)
    if n == 2 and len(set(strides)) == 1:  # the pixel and stride^2 - 1 zeros as channels, then as a block
        if x.shape is None or not isinstance(x.shape[1], int):
            raise Unsupported("channels only known at run time")
        x = op.Pad(x, i64(0, x.shape[1] * (strides[0] ** 2 - 1)), np.zeros((), x.dtype), i64(1))
        made: Value = op.DepthToSpace(x, blocksize=strides[0], mode="DCR")
        return made
    for a, s in enumerate(strides, 2):
        if s > 1:
            longer = quick.Mul(quick.Shape(x, start=a, end=a + 1), i64(s))
            shape = [quick.Shape(x, end=a), longer] + ([quick.Shape(x, start=a + 1)] if a < n + 1 else [])
            wide = op.Pad(op.Unsqueeze(x, i64(a + 1)), i64(0, s - 1), np.zeros((), x.dtype), i64(a + 1))
            x = op.Reshape(wide, quick.Concat(*shape, axis=0), allowzero=1)
    return x


def _by_zeros(op: Builder, x: Value, w: Value, b: Value | None, kernel: Ints, strides: Ints, pads: Ints, more: Ints,
              group: int) -> Value:
    """The gradient's definition: zeros between the pixels, then a convolution with the weight turned round."""
    n, quick = len(kernel), eager(op)
    if any(s > 1 for s in strides):
        x = _apart(op, x, strides)
    first, out, *_ = [d for d in w.shape or () if isinstance(d, int)]
    turned = quick.Slice(w, i64(*[-1] * n), i64(*[-END] * n), i64(*range(2, n + 2)), i64(*[-1] * n))
    turned = quick.Reshape(turned, i64(group, first // group, out, *kernel))
    order = [0, 2, 1, *range(3, n + 3)]
    turned = quick.Reshape(quick.Transpose(turned, perm=order), i64(group * out, first // group, *kernel))
    before = [k - 1 - p for k, p in zip(kernel, pads[:n], strict=True)]
    after = [k - s - p + m for k, s, p, m in zip(kernel, strides, pads[n:], more, strict=True)]
    x, left = cropped(op, x, [*before, *after])
    made: Value = op.Conv(x, turned, b, pads=left, group=group, kernel_shape=kernel, strides=[1] * n,
                          dilations=[1] * n)
    return made


_max_pool, _average_pool = rules["MaxPool"], rules["AveragePool"]
replaces("MaxPool", "AveragePool")


@rules("MaxPool")
def max_pool(op: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
             auto_pad: str = "NOTSET", **attrs: Any) -> Any:
    """SAME of sizes that are only known at run time as pads; all else that the kernel lacks in slices."""
    assert op.node is not None
    window: dict[str, Any] = {"kernel_shape": kernel_shape, "strides": strides or (1,) * len(kernel_shape),
                              "dilations": dilations or (1,) * len(kernel_shape)}
    if auto_pad.startswith("SAME") and _unknown(x) and len(op.node.outputs) == 1:
        x = same_pads(op, x, window, auto_pad, lowest(x))
        return op.MaxPool(x, pads=[0] * 2 * len(kernel_shape), **window)
    return _max_pool(op, x, **window, pads=pads, auto_pad=auto_pad, **attrs)


@rules("AveragePool")
def average_pool(op: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (),
                 dilations: Ints = (), auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0) -> Any:
    """SAME of sizes that are only known at run time: pads that count, over the same of ones."""
    window: dict[str, Any] = {"kernel_shape": kernel_shape, "strides": strides or (1,) * len(kernel_shape),
                              "dilations": dilations or (1,) * len(kernel_shape)}
    if auto_pad.startswith("SAME") and _unknown(x):
        none = [0] * 2 * len(kernel_shape)
        y = op.AveragePool(same_pads(op, x, window, auto_pad, 0), pads=none, **window)
        if count_include_pad:
            return y
        ones = op.Expand(np.ones((), x.dtype), op.Concat(i64(1, 1), op.Shape(x, start=2), axis=0))
        return op.Div(y, op.AveragePool(same_pads(op, ones, window, auto_pad, 0), pads=none, **window))
    return _average_pool(op, x, **window, pads=pads, auto_pad=auto_pad, ceil_mode=ceil_mode,
                         count_include_pad=count_include_pad)


def _unknown(x: Value) -> bool:
    return x.shape is not None and not all(isinstance(d, int) for d in x.shape[2:])
