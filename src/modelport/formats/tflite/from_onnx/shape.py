"""Moving elements: reshaping, transposing, joining, cutting."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import cast, from_onnx, i32, ints, known, rank, reshape, together, transpose


@from_onnx("Identity")
def identity(tfl: Builder, x: Value) -> Any:
    return x


@from_onnx("Reshape")
def reshape_(tfl: Builder, x: Value, shape: Value, *, allowzero: int = 0) -> Any:
    """The shape that is known of the result, one size left open; else what is computed at run time."""
    out = tfl.out.shape
    if out is not None and sum(not isinstance(d, int) for d in out) <= 1:
        return reshape(tfl, x, out)
    if shape.data is not None or allowzero or (shape.elements is not None and 0 in shape.elements):
        raise Unsupported("sizes copied from an input whose shape is only known at run time")
    return tfl.RESHAPE(x, i32(tfl, shape, "the shape"), type=tfl.out)


@from_onnx("Flatten")
def flatten(tfl: Builder, x: Value, *, axis: int = 1) -> Any:
    if tfl.out.shape is None:
        raise Unsupported("of a value of unknown rank")
    return reshape(tfl, x, tfl.out.shape)


@from_onnx("Squeeze", "Unsqueeze")
def squeeze(tfl: Builder, x: Value, axes: Value | None = None) -> Any:
    out = tfl.out.shape
    if out is None:
        raise Unsupported("of a value of unknown rank")
    if sum(not isinstance(d, int) for d in out) <= 1:
        return reshape(tfl, x, out)
    assert tfl.node is not None
    which = known(axes, "the axes")
    if tfl.node.op == "Squeeze":
        return tfl.SQUEEZE(x, squeeze_dims=[a % rank(x) for a in which])
    n = rank(x) + len(which)
    for a in sorted(a % n for a in which):
        x = tfl.EXPAND_DIMS(x, ints([a]))
    return x


@from_onnx("Transpose")
def transpose_(tfl: Builder, x: Value, *, perm: Sequence[int] = ()) -> Any:
    n = rank(x, 6)
    return transpose(tfl, x, list(perm) or list(range(n))[::-1])


@from_onnx("Concat")
def concat(tfl: Builder, *values: Value, axis: int) -> Any:
    same = together(tfl, values, "f4 i4 i8 ? i1 u1 i2")
    return same[0] if len(same) == 1 else tfl.CONCATENATION(*same, axis=axis % rank(same[0]),
                                                           fused_activation_function="NONE")


@from_onnx("Shape")
def shape_of(tfl: Builder, x: Value, *, start: int = 0, end: int | None = None) -> Any:
    n = rank(x)
    sizes = tfl.SHAPE(x, out_type="INT32")
    first, last, _ = slice(start, end).indices(n)
    if (first, last) == (0, n):
        return sizes
    return tfl.SLICE(sizes, ints([first]), ints([max(0, last - first)]))


@from_onnx("Gather")
def gather(tfl: Builder, x: Value, index: Value, *, axis: int = 0) -> Any:
    """Negative indices, which the kernel does not take, must be constants."""
    axis %= rank(x)
    length = x.shape[axis] if x.shape is not None else None
    if index.data is not None:
        where = index.numpy()
        if (where < 0).any():
            if not isinstance(length, int):
                raise Unsupported("negative indices along an axis whose length is only known at run time")
            where = where % length
        index = Value(index.type, index.name, data=index.data) if (where >= 0).all() and where is index.numpy() else \
            _constant(where, index)
    return tfl.GATHER(x, cast(tfl, index, "i4"), axis=axis, batch_dims=0)


def _constant(array: Any, like: Value) -> Value:
    from ....ir.graph import constant
    return constant(array, name=like.name)


@from_onnx("Slice")
def slice_(tfl: Builder, x: Value, starts: Value, ends: Value, axes: Value | None = None,
           steps: Value | None = None) -> Any:
    n = rank(x, 5)
    first, last = known(starts, "the starts"), known(ends, "the ends")
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(len(first)))
    stride = known(steps, "the steps") if steps is not None else [1] * len(first)
    begin, end, step = [0] * n, [0] * n, [1] * n
    begin_mask = end_mask = (1 << n) - 1
    big = (1 << 31) - 1
    for a, lo, hi, s in zip(which, first, last, stride, strict=True):
        if s <= 0:
            raise Unsupported("backwards")
        begin[a], end[a], step[a] = max(-big, min(lo, big)), max(-big, min(hi, big)), s
        begin_mask &= ~(1 << a)
        if hi < big:
            end_mask &= ~(1 << a)
    return tfl.STRIDED_SLICE(x, ints(begin), ints(end), ints(step), begin_mask=begin_mask, end_mask=end_mask,
                             ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0, offset=False, type=tfl.out)
