"""Elements chosen by index."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import (
    F32,
    I32,
    INT_MAX,
    INT_MIN,
    axis_of,
    cast,
    generation,
    i64,
    ints,
    numpy_dtype,
    rank,
    room,
    tensor,
    to_onnx,
)


@to_onnx("ops.get_item")
def get_item(op: Builder, x: Value, *, key: Any) -> Any:
    """``x[key]`` of whole numbers, slices, new axes and an ellipsis."""
    parts = [_part(k) for k in (key if isinstance(key, (list, tuple)) else [key])]
    taken = sum(p is not None and p is not Ellipsis for p in parts)
    n = rank(x)
    if taken > n or parts.count(Ellipsis) > 1:
        raise Unsupported(f"an index of {taken} axes of {n}")
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at:at + 1] = [slice(None)] * (n - taken)
    starts: list[int] = []
    ends: list[int] = []
    axes: list[int] = []
    steps: list[int] = []
    gone: list[int] = []
    new: list[int] = []
    axis = 0
    for p in parts:
        if p is None:
            new.append(axis - len(gone) + len(new))
            continue
        if isinstance(p, Value):
            if x.node is not None and gone:
                raise Unsupported("an index that is computed behind others")
            if rank(p) or any(isinstance(q, Value) for q in parts if q is not p) or len(parts) > 1:
                raise Unsupported("an index that is a tensor")
            return op.Gather(x, i64(op, p), axis=axis)
        if isinstance(p, int):
            size = (x.shape or ())[axis]
            if isinstance(size, int) and not -size <= p < size:
                raise Unsupported(f"element {p} of {size}")
            starts.append(p)
            ends.append(INT_MAX if p == -1 else p + 1)
            axes.append(axis)
            steps.append(1)
            gone.append(axis)
        elif isinstance(p, slice):
            step = 1 if p.step is None else p.step
            if not all(v is None or isinstance(v, int) for v in (p.start, p.stop, p.step)) or step == 0:
                raise Unsupported("a slice whose bounds are computed")
            if (p.start, p.stop, step) != (None, None, 1):
                starts.append(p.start if p.start is not None else 0 if step > 0 else -1)
                ends.append(p.stop if p.stop is not None else INT_MAX if step > 0 else INT_MIN)
                axes.append(axis)
                steps.append(step)
        axis += 1
    if axes:
        x = op.Slice(x, ints(starts), ints(ends), ints(axes), ints(steps))
    if gone:
        x = op.Squeeze(x, ints(gone))
    if new:
        x = op.Unsqueeze(x, ints(new))
    return x if axes or gone or new else op.Identity(x)


def _part(k: Any) -> Any:
    if isinstance(k, dict) and set(k) <= {"start", "stop", "step"}:
        return slice(k.get("start"), k.get("stop"), k.get("step"))
    if (isinstance(k, dict) and k.get("value") == "...") or k == "...":
        return Ellipsis
    if isinstance(k, np.ndarray) and k.ndim == 0 and k.dtype.kind in "iu":
        return int(k)
    if k is None or k is Ellipsis or isinstance(k, (slice, Value)) or (isinstance(k, int) and not isinstance(k, bool)):
        return k
    raise Unsupported(f"an index of the type {type(k).__name__}")


@to_onnx("ops.tf_strided_slice")
def strided_slice(op: Builder, x: Value, *, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0,
                  end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0,
                  var: Any = None) -> Any:
    if not all(isinstance(v, list) and all(isinstance(d, int) for d in v) for v in (begin, end, strides or [])):
        raise Unsupported("bounds that are computed")
    key: list[Any] = []
    for k, (a, b) in enumerate(zip(begin, end, strict=True)):
        bit = 1 << k
        if ellipsis_mask & bit:
            key.append(Ellipsis)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            key.append(a)
        else:
            key.append(slice(None if begin_mask & bit else a, None if end_mask & bit else b,
                             strides[k] if strides else None))
    return get_item(op, x, key=key)


@to_onnx("ops.tf_slice")
def slice_of_tensorflow(op: Builder, x: Value, *, begin: Any, size: Any) -> Any:
    if not all(isinstance(v, list) and all(isinstance(d, int) for d in v) for v in (begin, size)):
        raise Unsupported("bounds that are computed")
    return op.Slice(x, ints(begin), ints([INT_MAX if s == -1 else b + s for b, s in zip(begin, size, strict=True)]),
                    ints(range(len(begin))))


@to_onnx("ops.slice")
def slice_operation(op: Builder, x: Value, start: Value, *, shape: Any) -> Any:
    begin = i64(op, start)
    return op.Slice(x, begin, op.Add(begin, ints(shape)), ints(range(rank(x))))


@to_onnx("ops.take")
def take(op: Builder, x: Value, indices: Value, *, axis: Any = None) -> Any:
    if axis is None and generation(op) == 3:  # TensorFlow's function takes along the first axis
        x = op.Reshape(x, ints([-1]))
    return op.Gather(x, i64(op, tensor(op, indices)), axis=axis_of(x, axis or 0))


@to_onnx("ops.take_along_axis")
def take_along_axis(op: Builder, x: Value, indices: Value, *, axis: Any = None) -> Any:
    if axis is None:
        return op.GatherElements(op.Reshape(x, ints([-1])), op.Reshape(i64(op, indices), ints([-1])), axis=0)
    return op.GatherElements(x, i64(op, indices), axis=axis_of(x, axis))


@to_onnx("ops.one_hot")
def one_hot(op: Builder, x: Value, *, num_classes: int, axis: int = -1, dtype: Any = None,
            sparse: bool = False) -> Any:
    """A row without a one where the class does not exist, also if it is negative."""
    want = F32 if dtype is None else numpy_dtype(dtype)
    room(num_classes)
    x = i64(op, x)
    shape = [1] * (rank(x) + 1)
    at = axis_of(x, axis, 1)
    shape[at] = num_classes
    classes = constant(np.arange(num_classes, dtype=np.int64).reshape(shape))
    return cast(op, op.Equal(op.Unsqueeze(x, ints([at])), classes), want)


@to_onnx("ops.multi_hot")
def multi_hot(op: Builder, x: Value, *, num_classes: int, axis: int = -1, dtype: Any = None,
              sparse: bool = False) -> Any:
    if axis != -1:
        raise Unsupported(f"axis {axis}")
    hot = one_hot(op, x, num_classes=num_classes, dtype=dtype)
    over = 1 if rank(x) == 2 else 0
    return op.ReduceMax(hot, ints([over]), keepdims=0)


@to_onnx("ops.digitize")
def digitize(op: Builder, x: Value, bins: Value) -> Any:
    n = rank(x)
    at_least = op.GreaterOrEqual(op.Unsqueeze(x, ints([n])), cast(op, bins, x.dtype))
    return op.ReduceSum(cast(op, at_least, I32), ints([n]), keepdims=0)


@to_onnx("ops.diff")
def diff(op: Builder, x: Value, *, n: int = 1, axis: int = -1) -> Any:
    at = axis_of(x, axis)
    for _ in range(n):
        later = op.Slice(x, ints([1]), ints([INT_MAX]), ints([at]))
        x = op.Sub(later, op.Slice(x, ints([0]), ints([-1]), ints([at])))
    return x


