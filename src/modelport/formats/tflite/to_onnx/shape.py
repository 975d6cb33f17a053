"""Shapes: what moves, cuts and joins elements without computing with them.

Source: the kernels of the same names in tensorflow/lite/kernels, strided_slice_logic.h, mirror_pad.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.shapes import elements as known_elements
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import INT_MAX, INT_MIN, axis_of, cast, dims, i64, ints, known, pads_of, rank, scalar
from .common import activation, to_onnx

I64 = np.dtype(np.int64)


def _complex(op: Builder) -> bool:
    return op.out.dtype.kind == "c"


@to_onnx("RESHAPE")
def reshape(op: Builder, x: Value, shape: Value | None = None, *, new_shape: tuple[int, ...] | None = None) -> Any:
    if shape is None:
        if new_shape is None:
            raise Unsupported("neither an input nor an attribute has the new shape")
        # the converter of 2017 says a scalar by [0]
        shape = ints([] if tuple(new_shape) == (0,) and op.out.rank == 0 else new_shape)
    shape = i64(op, shape)
    if shape.rank == 0:
        shape = op.Reshape(shape, ints([1]))
    if _complex(op):
        shape = op.Concat(shape, ints([2]), axis=0)
    elements = known_elements(shape) or (None,)
    if 0 in elements and -1 in elements:
        raise Unsupported("a new shape with a 0 and a size to be found")
    # here a 0 is a size, in ONNX by default the size that the input has there
    return op.Reshape(x, shape, allowzero=1 if 0 in elements or None in elements else None)


@to_onnx("TRANSPOSE")
def transpose(op: Builder, x: Value, perm: Value) -> Any:
    order = known(perm, "the permutation")
    return op.Transpose(x, perm=[axis_of(x, p) for p in order])


@to_onnx("EXPAND_DIMS")
def expand_dims(op: Builder, x: Value, axis: Value) -> Any:
    return op.Unsqueeze(x, ints([axis_of(x, scalar(axis, "the axis"), 1)]))


@to_onnx("SQUEEZE")
def squeeze(op: Builder, x: Value, *, squeeze_dims: tuple[int, ...] = ()) -> Any:
    if squeeze_dims:
        return op.Squeeze(x, ints(sorted({axis_of(x, a) for a in squeeze_dims})))
    rank(x)
    shape = x.shape or ()
    ones = [k for k, d in enumerate(shape) if d == 1]
    if any(not isinstance(d, int) for d in shape) and op.out.rank != len(shape) - len(ones):
        raise Unsupported(f"which dimensions of {x.type} are 1 is known at run time only")
    return op.Squeeze(x, ints(ones)) if ones else x


@to_onnx("CONCATENATION")
def concatenation(op: Builder, *values: Value, axis: int = 0, fused_activation_function: str = "NONE") -> Any:
    return activation(op, op.Concat(*values, axis=axis_of(values[0], axis)), fused_activation_function)


@to_onnx("PACK")
def pack(op: Builder, *values: Value, axis: int = 0, values_count: int = 0) -> Any:
    where = ints([axis_of(values[0], axis, 1)])
    return op.Concat(*(op.Unsqueeze(v, where) for v in values), axis=int(where.numpy()[0]))


@to_onnx("UNPACK")
def unpack(op: Builder, x: Value, *, num: int = 0, axis: int = 0) -> Any:
    axis = axis_of(x, axis)
    parts = op.add("Split", x, axis=axis, num_outputs=num, outputs=num) if num > 1 else (x,)
    return tuple(op.Squeeze(p, ints([axis])) for p in parts)


@to_onnx("SPLIT")
def split(op: Builder, axis: Value, x: Value, *, num_splits: int = 0) -> Any:
    where = axis_of(x, scalar(axis, "the axis"))
    size = x.shape[where] if x.shape is not None else None
    if isinstance(size, int) and num_splits and size % num_splits:
        raise Unsupported(f"{size} elements in {num_splits} equal parts")
    return op.add("Split", x, axis=where, num_outputs=num_splits, outputs=num_splits) if num_splits > 1 else (x,)


@to_onnx("SPLIT_V")
def split_v(op: Builder, x: Value, sizes: Value, axis: Value, *, num_splits: int = 0) -> Any:
    where = axis_of(x, scalar(axis, "the axis"))
    lengths = known(sizes, "the sizes")
    if lengths.count(-1) == 1:
        rest = dims(x, [where])[0] - (sum(lengths) + 1)
        lengths[lengths.index(-1)] = rest
    if min(lengths, default=0) < 0:
        raise Unsupported(f"sizes {lengths}")
    return op.add("Split", x, ints(lengths), axis=where, outputs=len(lengths)) if len(lengths) > 1 else (x,)


@to_onnx("SLICE")
def slice_(op: Builder, x: Value, begin: Value, size: Value) -> Any:
    starts, sizes = i64(op, begin), i64(op, size)
    if starts.data is not None and sizes.data is not None:
        a, n = starts.numpy(), sizes.numpy()
        return op.Slice(x, starts, ints([INT_MAX if s == -1 else b + s for b, s in zip(a, n, strict=True)]),
                        ints(range(len(a))))
    ends = op.Where(op.Equal(sizes, ints([-1])), ints([INT_MAX]), op.Add(starts, sizes))
    return op.Slice(x, starts, ends, ints(range(rank(x))))


@to_onnx("STRIDED_SLICE")
def strided_slice(op: Builder, x: Value, begin: Value, end: Value, strides: Value, *, begin_mask: int = 0,
                  end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0,
                  offset: bool = False) -> Any:
    steps = known(strides, "the strides")
    if 0 in steps:
        raise Unsupported("a stride of 0")
    n = len(steps)
    ellipsis = [k for k in range(n) if ellipsis_mask >> k & 1]
    if len(ellipsis) > 1:
        raise Unsupported("several ellipses")
    new = [k for k in range(n) if new_axis_mask >> k & 1 and k not in ellipsis]
    covered = n - len(ellipsis) - len(new)
    axis, out = 0, 0
    axes: list[int] = []
    starts: list[Any] = []
    ends: list[Any] = []
    by: list[int] = []
    shrunk: list[int] = []
    added: list[int] = []
    for k in range(n):
        if k in ellipsis:
            skipped = rank(x) - covered
            axis, out = axis + skipped, out + skipped
            continue
        if k in new:
            added.append(out)
            out += 1
            continue
        first, last = _element(op, begin, k), _element(op, end, k)
        step = steps[k]
        if offset:
            last = op.Add(first, last) if isinstance(first, Value) or isinstance(last, Value) else first + last
        if shrink_axis_mask >> k & 1:  # one element, and no mask applies
            shrunk.append(axis)
            last = op.Where(op.Equal(first, ints([-1])), ints([INT_MAX]), op.Add(first, ints([1]))) \
                if isinstance(first, Value) else INT_MAX if first == -1 else first + 1
            step = 1
        else:
            first = (INT_MAX if step < 0 else 0) if begin_mask >> k & 1 else first
            last = (INT_MIN if step < 0 else INT_MAX) if end_mask >> k & 1 else last
            out += 1
        axes.append(axis)
        starts.append(first)
        ends.append(last)
        by.append(step)
        axis += 1
    if axis > rank(x):
        raise Unsupported(f"a slice of {axis} dimensions of {x.type}")
    y = x
    cut = [k for k, (a, b, s) in enumerate(zip(starts, ends, by, strict=True))
           if not (isinstance(a, int) and isinstance(b, int) and (a, b, s) == (0, INT_MAX, 1))]
    if cut:
        y = op.Slice(x, _joined(op, [starts[k] for k in cut]), _joined(op, [ends[k] for k in cut]),
                     ints([axes[k] for k in cut]), ints([by[k] for k in cut]))
    y = op.Squeeze(y, ints(shrunk)) if shrunk else y
    return op.Unsqueeze(y, ints(added)) if added else y


def _element(op: Builder, v: Value, k: int) -> Any:
    """Element ``k`` of a list: a number where it is known, else a list of one."""
    if v.data is not None:
        return int(v.numpy()[k])
    if v.elements is not None and isinstance(v.elements[k], int):
        return v.elements[k]
    return i64(op, op.Slice(v, ints([k]), ints([k + 1]), ints([0])))


def _joined(op: Builder, parts: Sequence[Any]) -> Any:
    if all(isinstance(p, int) for p in parts):
        return ints(parts)
    return op.Concat(*(p if isinstance(p, Value) else ints([p]) for p in parts), axis=0)


@to_onnx("PAD")
def pad(op: Builder, x: Value, paddings: Value) -> Any:
    return op.Pad(x, pads_of(op, paddings))


@to_onnx("PADV2")
def pad_v2(op: Builder, x: Value, paddings: Value, value: Value) -> Any:
    return op.Pad(x, pads_of(op, paddings), op.Reshape(value, ints([])) if value.rank != 0 else value)


@to_onnx("MIRROR_PAD")
def mirror_pad(op: Builder, x: Value, paddings: Value, *, mode: str = "REFLECT") -> Any:
    if mode == "REFLECT":
        return op.Pad(x, pads_of(op, paddings), mode="reflect")
    if mode != "SYMMETRIC":
        raise Unsupported(f"mode {mode}")
    pairs = np.asarray(known(paddings, "the paddings")).reshape(-1, 2)
    for axis, (before, after) in enumerate(pairs.tolist()):  # the edge itself is repeated: ONNX has no mode for it
        parts = [x]
        if before:
            parts.insert(0, op.Slice(x, ints([before - 1]), ints([INT_MIN]), ints([axis]), ints([-1])))
        if after:
            parts.append(op.Slice(x, ints([-1]), ints([-after - 1]), ints([axis]), ints([-1])))
        x = op.Concat(*parts, axis=axis) if len(parts) > 1 else x
    return x


@to_onnx("TILE")
def tile(op: Builder, x: Value, multiples: Value) -> Any:
    return op.Tile(x, i64(op, multiples))


@to_onnx("BROADCAST_TO")
def broadcast_to(op: Builder, x: Value, shape: Value) -> Any:
    return op.Expand(x, i64(op, shape))


@to_onnx("BROADCAST_ARGS")
def broadcast_args(op: Builder, a: Value, b: Value) -> Any:
    n, m = dims(a)[0], dims(b)[0]
    long, short = (a, b) if n >= m else (b, a)
    if n != m:
        short = op.Concat(constant(np.ones(abs(n - m)), short.dtype), short, axis=0)
    return op.Where(op.Equal(long, constant(1, long.dtype)), short, long)


@to_onnx("SHAPE")
def shape(op: Builder, x: Value, *, out_type: str | None = None) -> Any:
    return cast(op, op.Shape(x), op.out.dtype)


@to_onnx("RANK")
def rank_(op: Builder, x: Value) -> Any:
    return constant(rank(x), op.out.dtype)


@to_onnx("FILL")
def fill(op: Builder, shape: Value, value: Value) -> Any:
    return op.Expand(value, i64(op, shape))


@to_onnx("ZEROS_LIKE")
def zeros_like(op: Builder, x: Value) -> Any:
    return op.Expand(constant(0, x.dtype), op.Shape(x))


@to_onnx("RANGE")
def range_(op: Builder, start: Value, limit: Value, delta: Value) -> Any:
    return op.Range(*(v if v.rank == 0 else op.Reshape(v, ints([])) for v in (start, limit, delta)))


@to_onnx("REVERSE_V2")
def reverse(op: Builder, x: Value, axes: Value) -> Any:
    over = [axis_of(x, a) for a in known(axes, "the axes")]
    n = len(over)
    return op.Slice(x, ints([-1] * n), ints([INT_MIN] * n), ints(over), ints([-1] * n)) if over else x


@to_onnx("REVERSE_SEQUENCE")
def reverse_sequence(op: Builder, x: Value, lengths: Value, *, seq_dim: int = 0, batch_dim: int = 0) -> Any:
    seq, batch = axis_of(x, seq_dim), axis_of(x, batch_dim)
    rest = [k for k in range(rank(x)) if k not in (seq, batch)]
    perm = [batch, seq, *rest]
    straight = perm == sorted(perm)
    y = op.ReverseSequence(x if straight else op.Transpose(x, perm=perm), i64(op, lengths), batch_axis=0, time_axis=1)
    return y if straight else op.Transpose(y, perm=[perm.index(k) for k in range(len(perm))])
