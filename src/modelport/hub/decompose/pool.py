"""Pooling in slices, one for each place in a window and one axis after the other: the same in any layout."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.tensor import Array
from ...ir.types import Dim
from .eager import eager, i64, size

rules = Rules("the hub", "simpler operators")
Ints = Sequence[int]
Pads = tuple[int, int, int]
END = np.iinfo(np.int64).max
MOST = 256  # places in a window along an axis, each a node


def window(length: Dim, kernel: int, stride: int, dilation: int, before: int, after: int, auto_pad: str = "NOTSET",
           ceil_mode: int = 0) -> Pads:
    """The pads of a pooling window before and after an axis, and what ``ceil_mode`` adds behind (or takes away).

    A last window that would start behind the values and their first pad is left out (ONNX operator MaxPool)."""
    reach = (kernel - 1) * dilation + 1
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        if not isinstance(length, int):
            if stride > 1:
                raise Unsupported(f"auto_pad {auto_pad} of sizes that are only known at run time")
            total = reach - 1
        else:
            total = max(0, (-(-length // stride) - 1) * stride + reach - length)
        first = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        return first, total - first, 0
    if auto_pad == "VALID":
        before = after = 0
    if not ceil_mode or stride == 1:
        return before, after, 0
    if not isinstance(length, int):
        if after > reach - stride:
            raise Unsupported("ceil_mode with windows that may start behind sizes only known at run time")
        return before, after, stride - 1
    padded = length + before + after
    count = -(-(padded - reach) // stride) + 1
    if (count - 1) * stride >= length + before:
        count -= 1
    return before, after, (count - 1) * stride + reach - padded


def windows(x: Value, kernel: Ints, strides: Ints, dilations: Ints, pads: Ints, auto_pad: str, ceil_mode: int,
            last: bool = False) -> list[Pads]:
    """:func:`window` for each spatial axis of ``x``, channels first or ``last``."""
    n = len(kernel)
    if x.shape is None or len(x.shape) != n + 2:
        raise Unsupported("pooling of a value of unknown rank")
    pads = pads or (0,) * (2 * n)
    return [window(d, k, s, r, a, b, auto_pad, ceil_mode) for d, k, s, r, a, b in zip(
        x.shape[1:-1] if last else x.shape[2:], kernel, strides or (1,) * n, dilations or (1,) * n, pads[:n], pads[n:],
        strict=True)]


def flattened(pads: Sequence[Pads]) -> list[int]:
    """The pads of :func:`window` for each axis as all beginnings, then all ends."""
    return [a for a, _, _ in pads] + [b + c for _, b, c in pads]


def shares(sizes: Sequence[Dim], kernel: Ints, strides: Ints, pads: Sequence[Pads], count_include_pad: int) -> Array:
    """What averages of windows that count every zero around them are to be multiplied with, to leave out those that do
    not count; channels last, one for each place along each axis where they differ."""
    share: Array = np.ones((1,) * (len(kernel) + 2))
    for a, (length, k, s, pad) in enumerate(zip(sizes, kernel, strides, pads, strict=True)):
        if any(pad) and not (count_include_pad and not pad[2]):
            if not isinstance(length, int):
                raise Unsupported("pads that do not count, of sizes that are only known at run time")
            number = counts(length, k, s, 1, pad, bool(count_include_pad))
            if not number.all():
                raise Unsupported("windows of pads alone")
            share = share * (k / number).reshape([-1 if b == a + 1 else 1 for b in range(share.ndim)])
    return share


def padded(op: Builder, x: Value, before: Ints, after: Ints, fill: Any) -> Value:
    """``x`` with elements of ``fill`` around its last axes; negative numbers cut."""
    n = len(before)
    first = 0 if x.rank is None else x.rank - n
    cut = [k for k in range(n) if min(before[k], after[k]) < 0]
    if cut:
        x = op.Slice(x, i64(*(max(0, -before[k]) for k in cut)), i64(*(min(0, after[k]) or END for k in cut)),
                     i64(*(first + k for k in cut)))
    before, after = [max(0, k) for k in before], [max(0, k) for k in after]
    if any(before) or any(after):
        x = op.Pad(x, i64(*before, *after), constant(np.asarray(fill, x.dtype)), i64(*range(first, first + n)))
    return x


def taps(op: Builder, x: Value, axis: int, kernel: int, stride: int, dilation: int) -> list[Value]:
    """For each place in the window along ``axis``, what all windows have there."""
    if kernel > MOST:
        raise Unsupported(f"a window of {kernel} along an axis")
    made = []
    for k in range(kernel):
        last = (k - kernel + 1) * dilation
        made.append(op.Slice(x, i64(k * dilation), i64(last or END), i64(axis), i64(stride))
                    if kernel > 1 or stride > 1 else x)
    return made


def lowest(x: Value) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


@rules("MaxPool")
def max_pool(op: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
             auto_pad: str = "NOTSET", ceil_mode: int = 0, storage_order: int = 0) -> Any:
    """The largest of each row of a window, then of these; with indices the first of the largest and its place."""
    assert op.node is not None
    n = len(kernel_shape)
    around = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    strides, dilations = strides or (1,) * n, dilations or (1,) * n
    before, after = [a for a, _, _ in around], [b + c for _, b, c in around]
    y = padded(op, x, before, after, lowest(x))
    if len(op.node.outputs) == 1:
        for a in reversed(range(n)):
            found = taps(op, y, a + 2, kernel_shape[a], strides[a], dilations[a])
            y = op.Max(*found) if len(found) > 1 else found[0]
        return y
    at = padded(op, _places(op, x, n, storage_order), before, after, -1)
    for a in reversed(range(n)):
        window_of = kernel_shape[a], strides[a], dilations[a]
        values, places = taps(op, y, a + 2, *window_of), taps(op, at, a + 2, *window_of)
        y, at = values[0], places[0]
        for v, p in zip(values[1:], places[1:], strict=True):
            # of equal values the first; a pad never wins against a value that is as low
            better = op.Or(op.Greater(v, y), op.And(op.Less(at, i64(0)), op.Not(op.Less(p, i64(0)))))
            y, at = op.Where(better, v, y), op.Where(better, p, at)
    return y, op.Add(_planes(op, x, n), at)


def _places(op: Builder, x: Value, n: int, storage_order: int) -> Value:
    """The number of each element in its plane, the last axis running fastest (or the first of the spatial ones)."""
    op = eager(op)
    order = range(n) if storage_order else reversed(range(n))
    step, places = i64(1), None
    for a in order:
        length = size(op, x, a + 2)
        index = op.Range(np.array(0, np.int64), op.Squeeze(length, i64(0)), np.array(1, np.int64))
        index = op.Mul(op.Reshape(index, i64(*(-1 if k == a + 2 else 1 for k in range(n + 2)))), step)
        places, step = index if places is None else op.Add(places, index), op.Mul(step, length)
    assert places is not None
    return places


def _planes(op: Builder, x: Value, n: int) -> Value:
    """The number of the first element of each plane."""
    op = eager(op)
    whole = op.ReduceProd(op.Shape(x, start=2), keepdims=1)
    batch, channels = size(op, x, 0), size(op, x, 1)
    count = op.Squeeze(op.Mul(batch, channels), i64(0))
    index = op.Mul(op.Range(np.array(0, np.int64), count, np.array(1, np.int64)), whole)
    made: Value = op.Reshape(index, op.Concat(batch, channels, i64(*(1,) * n), axis=0))
    return made


def counts(length: int, kernel: int, stride: int, dilation: int, around: Pads, include: bool) -> Any:
    """How many elements each window of an axis averages over."""
    before, after, more = around
    total = (length + before + after + more - (kernel - 1) * dilation - 1) // stride + 1
    at = np.arange(max(total, 0))[:, None] * stride - before + np.arange(kernel) * dilation
    low, high = (-before, length + after) if include else (0, length)
    return ((at >= low) & (at < high)).sum(1)


@rules("AveragePool")
def average_pool(op: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (),
                 dilations: Ints = (), auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0) -> Any:
    """Sums, and the number of elements in each window."""
    n = len(kernel_shape)
    around = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    strides, dilations = strides or (1,) * n, dilations or (1,) * n
    y = padded(op, x, [a for a, _, _ in around], [b + c for _, b, c in around], 0)
    for a in reversed(range(n)):
        y = total(op, taps(op, y, a + 2, kernel_shape[a], strides[a], dilations[a]))
    fixed: Any = np.ones((1,) * (n + 2))
    for a in range(n):
        window_of, pad = (kernel_shape[a], strides[a], dilations[a]), around[a]
        assert x.shape is not None
        length, along = x.shape[a + 2], [-1 if k == a + 2 else 1 for k in range(n + 2)]
        if not any(pad) or (count_include_pad and not pad[2]):
            fixed = fixed * kernel_shape[a]
        elif isinstance(length, int):
            fixed = fixed * counts(length, *window_of, pad, bool(count_include_pad)).reshape(along)
        else:
            ones = op.Expand(np.ones((), x.dtype), size(op, x, a + 2))
            ones = padded(op, ones, pad[:1], pad[1:2], 1 if count_include_pad else 0)
            ones = padded(op, ones, [0], pad[2:], 0)
            y = op.Div(y, op.Reshape(total(op, taps(op, ones, 0, *window_of)), i64(*along)))
    if (fixed == 1).all():
        return y
    same = fixed.size and (fixed == fixed.flat[0]).all()
    return op.Div(y, np.asarray(fixed.flat[0] if same else fixed, x.dtype))


def total(op: Builder, values: Sequence[Value]) -> Value:
    made = values[0]
    for v in values[1:]:
        made = op.Add(made, v)
    return made


def _power(op: Builder, x: Value, p: int) -> tuple[Value, Callable[[Value], Value]]:
    """|x|^p, and what undoes it."""
    if p == 1:
        return op.Abs(x), lambda y: y
    if p == 2:
        return op.Mul(x, x), lambda y: op.Sqrt(y)
    return op.Pow(op.Abs(x), np.array(p, x.dtype)), lambda y: op.Pow(y, np.array(1 / p, x.dtype))


@rules("LpPool")
def lp_pool(op: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
            auto_pad: str = "NOTSET", ceil_mode: int = 0, p: int = 2) -> Any:
    """The mean of |x|^p over windows that pads fill up, times their size."""
    n = len(kernel_shape)
    around = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    y, root = _power(op, x, p)
    y = padded(op, y, [a for a, _, _ in around], [b + c for _, b, c in around], 0)
    y = op.AveragePool(y, kernel_shape=kernel_shape, strides=strides or [1] * n, dilations=dilations or [1] * n,
                       pads=[0] * (2 * n))
    return root(op.Mul(y, np.array(np.prod(kernel_shape), x.dtype)))


@rules("GlobalLpPool")
def global_lp_pool(op: Builder, x: Value, *, p: int = 2) -> Any:
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    y, root = _power(op, x, p)
    return root(op.ReduceSum(y, i64(*range(2, x.rank)), keepdims=1))


@rules("GlobalAveragePool")
def global_average_pool(op: Builder, x: Value) -> Any:
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    return op.ReduceMean(x, i64(*range(2, x.rank)), keepdims=1)


@rules("GlobalMaxPool")
def global_max_pool(op: Builder, x: Value) -> Any:
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    return op.ReduceMax(x, i64(*range(2, x.rank)), keepdims=1)


@rules("MaxUnpool")
def max_unpool(op: Builder, x: Value, index: Value, shape: Value | None = None, *, kernel_shape: Ints,
               strides: Ints = (), pads: Ints = ()) -> Any:
    """Zeros, with the values scattered by their number; a stated shape says how many more follow.

    (The numbers are those of the shape that the pads imply, as in ONNX's reference.)"""
    n = len(kernel_shape)
    if x.rank != n + 2:
        raise Unsupported("of a value of unknown rank")
    quick = eager(op)
    strides, pads = strides or (1,) * n, pads or (0,) * (2 * n)
    grow = [k - s - a - b for k, s, a, b in zip(kernel_shape, strides, pads[:n], pads[n:], strict=True)]
    inferred = quick.Add(quick.Mul(quick.Shape(x), i64(1, 1, *strides)), i64(0, 0, *grow))
    zeros = op.Expand(np.zeros((), x.dtype), quick.ReduceProd(inferred, keepdims=1))
    flat = op.ScatterElements(zeros, op.Reshape(index, i64(-1)), op.Reshape(x, i64(-1)), axis=0)
    y = op.Reshape(flat, inferred)
    if shape is None:
        return y
    after = quick.Sub(shape, inferred)
    return op.Pad(y, quick.Concat(i64(*(0,) * (n + 2)), after, axis=0), np.zeros((), x.dtype))
