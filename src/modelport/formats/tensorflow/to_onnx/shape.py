"""Shapes: what moves, cuts and joins elements without computing with them.

Source: tensorflow/core/kernels of the same names, tensorflow/core/util/strided_slice_op.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.shapes import elements as known_elements
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import STRING, DType
from ...tflite.to_onnx import image as lite_image
from ...tflite.to_onnx import shape as lite
from .common import (
    I32,
    I64,
    axis_of,
    cast,
    dims,
    i64,
    ints,
    known,
    name_of,
    pads_of,
    rank,
    scalar,
    to_onnx,
    transposed,
    vector,
)


@to_onnx("Identity", "StopGradient", "Snapshot", "PreventGradient", "CheckNumerics", "EnsureShape")
def identity(op: Builder, x: Value, **_: Any) -> Any:
    return op.Identity(x)


@to_onnx("IdentityN")
def identity_n(op: Builder, *values: Value) -> Any:
    return tuple(op.Identity(v) for v in values)


@to_onnx("Reshape")
def reshape(op: Builder, x: Value, shape: Value) -> Any:
    wanted = vector(op, shape)
    elements = known_elements(wanted) or (None,)
    if 0 in elements and -1 in elements:
        raise Unsupported("a new shape with a 0 and a size to be found")
    if (made := _dense(op, x, elements)) is not None:
        return made
    return op.Reshape(x, wanted, allowzero=1 if 0 in elements or None in elements else None)


def _dense(op: Builder, y: Value, elements: Sequence[Any]) -> Any:
    """A tensor times a matrix along its last axis, which ``tf.tensordot`` computes as a product of two matrices with a
    Reshape before and after it; ``None`` if the product at hand is no such one."""
    if y.op != "MatMul" or y.node is None:
        return None
    a, w = y.node.inputs
    if a is None or w is None or a.op != "Reshape" or a.node is None or a.rank != 2 or w.rank != 2:
        return None
    x = a.node.inputs[0]
    if x is None or x.shape is None or w.shape is None or a.shape is None or len(x.shape) < 3:
        return None
    inner, outer = w.shape
    lead = x.shape[:-1]
    same = all(e == d or e == -1 for e, d in zip(elements, lead, strict=False)) and None not in lead
    if not isinstance(inner, int) or x.shape[-1] != inner or a.shape[-1] != inner or len(elements) != len(x.shape) \
            or elements[-1] != outer or not same or list(elements).count(-1) > 1:
        return None
    return op.MatMul(x, w)


@to_onnx("Transpose", "ConjugateTranspose")
def transpose(op: Builder, x: Value, perm: Value) -> Any:
    order = known(perm, "the permutation")
    return transposed(op, x, [p % len(order) for p in order]) if x.data is not None else \
        op.Transpose(x, perm=[p % len(order) for p in order])


@to_onnx("ExpandDims")
def expand_dims(op: Builder, x: Value, axis: Value) -> Any:
    return op.Unsqueeze(x, ints([scalar(axis, "the axis")]))


@to_onnx("Squeeze")
def squeeze(op: Builder, x: Value, *, squeeze_dims: Sequence[int] = ()) -> Any:
    if squeeze_dims:
        return op.Squeeze(x, ints(sorted({axis_of(x, a) for a in squeeze_dims}) if x.rank is not None
                                  else squeeze_dims))
    return lite.squeeze(op, x)


@to_onnx("ConcatV2", "Concat")
def concat(op: Builder, *values: Value) -> Any:
    axis, parts = (values[-1], values[:-1]) if name_of(op) == "ConcatV2" else (values[0], values[1:])
    at = scalar(axis, "the axis")
    known_rank = next((v for v in parts if v.rank is not None), None)
    return op.Concat(*parts, axis=axis_of(known_rank, at) if known_rank is not None else at)


@to_onnx("ParallelConcat")
def parallel_concat(op: Builder, *values: Value, shape: Any = None) -> Any:
    return op.Concat(*values, axis=0)


@to_onnx("ConcatOffset")
def concat_offset(op: Builder, axis: Value, *shapes: Value) -> Any:
    at, n = scalar(axis, "the axis"), dims(shapes[0])[0]
    hot = constant(np.arange(n) == at % n)
    outs, total = [], None
    for s in shapes:
        zero = constant(np.zeros(n), s.dtype)
        outs.append(zero if total is None else op.Where(hot, total, zero))
        total = s if total is None else op.Add(total, s)
    return tuple(op.Identity(v) for v in outs)


@to_onnx("Pack", "ParallelStack")
def pack(op: Builder, *values: Value, axis: int = 0, shape: Any = None) -> Any:
    if axis < 0:
        axis = axis_of(values[0], axis, 1)
    return op.Concat(*(op.Unsqueeze(v, ints([axis])) for v in values), axis=axis)


@to_onnx("Unpack")
def unpack(op: Builder, x: Value, *, num: int, axis: int = 0) -> Any:
    at = axis if axis >= 0 else axis_of(x, axis)
    if num == 0:
        return ()
    parts = op.add("Split", x, axis=at, num_outputs=num, outputs=num) if num > 1 else (x,)
    return tuple(op.Squeeze(p, ints([at])) for p in parts)


@to_onnx("Split")
def split(op: Builder, axis: Value, x: Value, *, num_split: int) -> Any:
    return lite.split(op, axis, x, num_splits=num_split)


@to_onnx("SplitV")
def split_v(op: Builder, x: Value, sizes: Value, axis: Value, *, num_split: int | None = None) -> Any:
    where = axis_of(x, scalar(axis, "the axis"))
    if sizes.data is None and (sizes.elements is None or not all(isinstance(e, int) for e in sizes.elements)):
        count = dims(sizes, what="the sizes")[0]
        return op.add("Split", x, i64(op, sizes), axis=where, outputs=count) if count > 1 else (op.Identity(x),)
    lengths = known(sizes, "the sizes")
    if lengths.count(-1) == 1 and not isinstance((x.shape or (None,) * 99)[where], int):
        rest = sum(lengths) + 1
        total = op.Shape(x, start=where, end=where + 1)
        parts = [op.Sub(total, ints([rest])) if n == -1 else ints([n]) for n in lengths]
        return op.add("Split", x, op.Concat(*parts, axis=0), axis=where, outputs=len(lengths)) \
            if len(lengths) > 1 else (op.Identity(x),)
    made = lite.split_v(op, x, ints(lengths), axis, num_splits=len(lengths))
    return made if len(lengths) > 1 else (op.Identity(x),)


@to_onnx("Slice")
def slice_(op: Builder, x: Value, begin: Value, size: Value) -> Any:
    return lite.slice_(op, x, begin, size)


@to_onnx("StridedSlice")
def strided_slice(op: Builder, x: Value, begin: Value, end: Value, strides: Value, *, begin_mask: int = 0,
                  end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0) -> Any:
    return lite.strided_slice(op, x, begin, end, strides, begin_mask=begin_mask, end_mask=end_mask,
                              ellipsis_mask=ellipsis_mask, new_axis_mask=new_axis_mask & ~ellipsis_mask,
                              shrink_axis_mask=shrink_axis_mask & ~(ellipsis_mask | new_axis_mask))


@to_onnx("Pad", "PadV2")
def pad(op: Builder, x: Value, paddings: Value, value: Value | None = None) -> Any:
    return lite.pad(op, x, paddings) if value is None else lite.pad_v2(op, x, paddings, value)


@to_onnx("MirrorPad")
def mirror_pad(op: Builder, x: Value, paddings: Value, *, mode: str) -> Any:
    return lite.mirror_pad(op, x, paddings, mode=mode)


@to_onnx("Tile")
def tile(op: Builder, x: Value, multiples: Value) -> Any:
    return op.Tile(x, vector(op, multiples))


@to_onnx("BroadcastTo")
def broadcast_to(op: Builder, x: Value, shape: Value) -> Any:
    return op.Expand(x, vector(op, shape))


@to_onnx("BroadcastArgs")
def broadcast_args(op: Builder, a: Value, b: Value) -> Any:
    return lite.broadcast_args(op, a, b)


@to_onnx("Shape")
def shape(op: Builder, x: Value, *, out_type: DType = I32) -> Any:
    return cast(op, op.Shape(x), out_type)


@to_onnx("ShapeN")
def shape_n(op: Builder, *values: Value, out_type: DType = I32) -> Any:
    return tuple(cast(op, op.Shape(v), out_type) for v in values)


@to_onnx("Size")
def size(op: Builder, x: Value, *, out_type: DType = I32) -> Any:
    return cast(op, op.Size(x), out_type)


@to_onnx("Rank")
def rank_(op: Builder, x: Value) -> Any:
    if x.rank is None:
        return cast(op, op.Squeeze(op.Shape(op.Shape(x)), ints([0])), I32)
    return constant(rank(x), I32)


@to_onnx("Fill")
def fill(op: Builder, shape: Value, value: Value) -> Any:
    return op.Expand(value, vector(op, shape))


@to_onnx("Empty")
def empty(op: Builder, shape: Value, *, dtype: DType, init: bool = False) -> Any:
    if not init:
        raise Unsupported("a tensor whose elements nobody sets")
    start = constant(np.array("", object)) if dtype == STRING else constant(0, dtype)
    return op.Expand(start, vector(op, shape))


@to_onnx("Reverse")
def reverse_v1(op: Builder, x: Value, which: Value) -> Any:
    return reverse(op, x, ints([k for k, turned in enumerate(static(which, "the axes").ravel()) if turned]))


@to_onnx("DataFormatVecPermute")
def vec_permute(op: Builder, x: Value, *, src_format: str = "NHWC", dst_format: str = "NCHW") -> Any:
    """Numbers for each axis in another order of axes; of the spatial axes alone where there are as many."""
    if rank(x) not in (1, 2):
        raise Unsupported("numbers for axes in more than two axes")
    if dims(x, [0])[0] == len(src_format) - 2:
        src_format, dst_format = ("".join(c for c in v if c not in "NC") for v in (src_format, dst_format))
    return op.Gather(x, ints([src_format.index(c) for c in dst_format]), axis=0)


@to_onnx("DataFormatDimMap")
def dim_map(op: Builder, x: Value, *, src_format: str = "NHWC", dst_format: str = "NCHW") -> Any:
    order = constant(np.array([dst_format.index(c) for c in src_format]).astype(x.dtype))
    return op.Gather(order, x, axis=0)


@to_onnx("UnravelIndex")
def unravel(op: Builder, index: Value, sizes: Value) -> Any:
    """Each digit of a number whose digits count as far as the sizes say."""
    n = dims(sizes, [0])[0]
    size = i64(op, sizes)
    parts, rest = [], i64(op, index)
    for k in range(n - 1, -1, -1):
        one_size = op.Gather(size, constant(k, I64), axis=0)
        parts.append(op.Unsqueeze(op.Mod(rest, one_size), ints([0])))
        rest = op.Div(rest, one_size)
    return cast(op, op.Concat(*parts[::-1], axis=0), index.dtype)


@to_onnx("ReverseV2")
def reverse(op: Builder, x: Value, axes: Value) -> Any:
    made = lite.reverse(op, x, axes)
    return op.Identity(made) if made is x else made


@to_onnx("ReverseSequence")
def reverse_sequence(op: Builder, x: Value, lengths: Value, *, seq_dim: int, batch_dim: int = 0) -> Any:
    return lite.reverse_sequence(op, x, lengths, seq_dim=seq_dim, batch_dim=batch_dim)


@to_onnx("Roll")
def roll(op: Builder, x: Value, shift: Value, axis: Value) -> Any:
    shifts, axes = known(shift, "the shift"), known(axis, "the axes")
    for by, at in zip(shifts, axes, strict=True):
        a = axis_of(x, at)
        size_here = (x.shape or ())[a]
        by = by % size_here if isinstance(size_here, int) and size_here else by
        if by == 0:
            continue
        if not isinstance(size_here, int):
            n = op.Squeeze(op.Shape(x, start=a, end=a + 1), ints([0]))
            index = op.Mod(op.Sub(op.Range(constant(0, I64), n, constant(1, I64)), constant(by, I64)), n)
            x = op.Gather(x, index, axis=a)
            continue
        head = op.Slice(x, ints([-by]), ints([np.iinfo(np.int64).max]), ints([a]))
        tail = op.Slice(x, ints([0]), ints([-by]), ints([a]))
        x = op.Concat(head, tail, axis=a)
    return op.Identity(x)


@to_onnx("SpaceToDepth", "DepthToSpace")
def blocks(op: Builder, x: Value, *, block_size: int, data_format: str = "NHWC") -> Any:
    more: dict[str, Any] = {"mode": "DCR"} if name_of(op) == "DepthToSpace" else {}
    if data_format not in ("NHWC", "NCHW"):
        raise Unsupported(f"data format {data_format}")
    prefix = "nhwc." if data_format == "NHWC" else ""
    return op.add(prefix + name_of(op), x, blocksize=block_size, **more)


@to_onnx("SpaceToBatchND")
def space_to_batch(op: Builder, x: Value, block: Value, paddings: Value) -> Any:
    sizes, n, m = known(block, "the block"), rank(x), dims(block)[0]
    if (n == 4 and m == 2 and sizes[0] == sizes[1]) or all(isinstance(d, int) for d in (x.shape or ())[1:]):
        return lite_image.space_to_batch(op, x, block, paddings)
    if paddings.data is None or paddings.numpy().any():
        x = op.Pad(x, pads_of(op, paddings), None, ints(range(1, 1 + m)))
    rows = op.Div(op.Shape(x, start=1, end=1 + m), ints(sizes))
    split = [v for k, s in enumerate(sizes) for v in (op.Slice(rows, ints([k]), ints([k + 1]), ints([0])), ints([s]))]
    y = op.Reshape(x, op.Concat(ints([-1]), *split, op.Shape(x, start=1 + m), axis=0))
    y = op.Transpose(y, perm=[*range(2, 2 * m + 1, 2), 0, *range(1, 2 * m, 2), *range(2 * m + 1, n + m)])
    return op.Reshape(y, op.Concat(ints([-1]), rows, op.Shape(x, start=1 + m), axis=0))


@to_onnx("BatchToSpaceND")
def batch_to_space(op: Builder, x: Value, block: Value, crops: Value) -> Any:
    sizes, n, m = known(block, "the block"), rank(x), dims(block)[0]
    if (n == 4 and m == 2 and sizes[0] == sizes[1]) or all(isinstance(d, int) for d in (x.shape or ())[1:]):
        return lite_image.batch_to_space(op, x, block, crops)
    y = op.Reshape(x, op.Concat(ints([*sizes, -1]), op.Shape(x, start=1), axis=0))
    y = op.Transpose(y, perm=[m, *(v for k in range(m) for v in (m + 1 + k, k)), *range(2 * m + 1, n + m)])
    room = op.Mul(op.Shape(x, start=1, end=1 + m), ints(sizes))
    y = op.Reshape(y, op.Concat(ints([-1]), room, op.Shape(x, start=1 + m), axis=0))
    if crops.data is not None and not crops.numpy().any():
        return y
    start, end = op.add("Split", pads_of(op, crops), axis=0, num_outputs=2, outputs=2)
    return op.Slice(y, start, op.Sub(room, end), ints(range(1, 1 + m)))


@to_onnx("SpaceToBatch", "BatchToSpace")
def space_to_batch_v1(op: Builder, x: Value, paddings: Value, *, block_size: int) -> Any:
    how = lite_image.space_to_batch if name_of(op) == "SpaceToBatch" else lite_image.batch_to_space
    return how(op, x, ints([block_size] * 2), paddings)

