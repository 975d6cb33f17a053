"""Reductions, sorting and counting.  Source: tensorflow/lite/kernels/reduce.cc, arg_min_max.cc, topk_v2.cc, ..."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import axis_of, cast, dims, i64, ints, known, rank, scalar
from .common import to_onnx

I32, I64 = np.dtype(np.int32), np.dtype(np.int64)
REDUCE = {"SUM": "ReduceSum", "MEAN": "ReduceMean", "REDUCE_PROD": "ReduceProd", "REDUCE_MAX": "ReduceMax",
          "REDUCE_MIN": "ReduceMin"}


@to_onnx(*REDUCE)
def reduce(op: Builder, x: Value, axes: Value, *, keep_dims: bool = False) -> Any:
    assert op.node is not None
    over = ints(sorted({axis_of(x, a) for a in known(axes, "the axes")}))  # the kernel takes a repeated axis once
    if op.node.op == "MEAN" and x.dtype.kind in "iu":  # a sum, then a division that truncates
        total = op.ReduceSum(cast(op, x, I64), over, keepdims=int(keep_dims), noop_with_empty_axes=1)
        sizes = op.Gather(op.Shape(x), over)
        return cast(op, op.Div(total, op.ReduceProd(sizes, ints([0]), keepdims=0)), x.dtype)
    return op.add(REDUCE[op.node.op], x, over, keepdims=int(keep_dims), noop_with_empty_axes=1)


@to_onnx("REDUCE_ANY", "REDUCE_ALL")
def reduce_bool(op: Builder, x: Value, axes: Value, *, keep_dims: bool = False) -> Any:
    assert op.node is not None
    over = ints(sorted({axis_of(x, a) for a in known(axes, "the axes")}))
    name = "ReduceMax" if op.node.op == "REDUCE_ANY" else "ReduceMin"
    return cast(op, op.add(name, cast(op, x, I32), over, keepdims=int(keep_dims), noop_with_empty_axes=1), x.dtype)


@to_onnx("ARG_MAX", "ARG_MIN")
def arg_max(op: Builder, x: Value, axis: Value, *, output_type: str | None = None) -> Any:
    assert op.node is not None
    name = "ArgMax" if op.node.op == "ARG_MAX" else "ArgMin"
    if x.dtype.kind == "b":
        x = cast(op, x, I32)
    return cast(op, op.add(name, x, axis=axis_of(x, scalar(axis, "the axis")), keepdims=0), op.out.dtype)


@to_onnx("CUMSUM")
def cumsum(op: Builder, x: Value, axis: Value, *, exclusive: bool = False, reverse: bool = False) -> Any:
    return op.CumSum(x, constant(axis_of(x, scalar(axis, "the axis")), I64), exclusive=int(exclusive),
                     reverse=int(reverse))


@to_onnx("TOPK_V2")
def top_k(op: Builder, x: Value, k: Value) -> Any:
    assert op.node is not None
    values, indices = op.add("TopK", x, op.Reshape(i64(op, k), ints([1])), axis=-1, outputs=2)
    return values, cast(op, indices, op.node.outputs[1].dtype)


@to_onnx("UNIQUE")
def unique(op: Builder, x: Value, *, idx_out_type: str = "INT32") -> Any:
    assert op.node is not None
    values, _, inverse, _ = op.add("Unique", x if x.dtype.kind == "f" else cast(op, x, I64), sorted=0, outputs=4)
    return cast(op, values, x.dtype), cast(op, inverse, op.node.outputs[1].dtype)


@to_onnx("SEGMENT_SUM")
def segment_sum(op: Builder, x: Value, ids: Value) -> Any:
    last = op.ReduceMax(i64(op, ids), ints([0]), keepdims=1)
    return _segments(op, x, ids, op.Add(last, ints([1])), "add", 0)


@to_onnx("UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN")
def unsorted_segment(op: Builder, x: Value, ids: Value, count: Value) -> Any:
    assert op.node is not None
    limits: Any = np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
    how, first = {"SUM": ("add", 0), "PROD": ("mul", 1), "MAX": ("max", limits.min), "MIN": ("min", limits.max)}[
        op.node.op.rpartition("_")[2]]
    n = op.Reshape(i64(op, count), ints([1]))
    # a negative id leaves its row out: it goes to one row more, which is cut off
    ids = op.Where(op.Less(i64(op, ids), ints([0])), n, i64(op, ids))
    return op.Slice(_segments(op, x, ids, op.Add(n, ints([1])), how, first), ints([0]), n, ints([0]))


def _segments(op: Builder, x: Value, ids: Value, count: Value, how: str, first: Any) -> Any:
    if ids.rank != 1:
        raise Unsupported(f"segment ids of {ids.rank} dimensions")
    shape = op.Concat(count, op.Shape(x, start=1), axis=0)
    start = op.Expand(constant(first, x.dtype), shape)
    return op.ScatterND(start, op.Unsqueeze(i64(op, ids), ints([1])), x, reduction=how)


@to_onnx("WHERE")
def where(op: Builder, condition: Value) -> Any:
    return op.Transpose(op.NonZero(condition), perm=[1, 0])


@to_onnx("MATRIX_DIAG")
def matrix_diag(op: Builder, x: Value) -> Any:
    eye = constant(np.eye(dims(x, [-1])[0], dtype=bool))
    return op.Where(eye, op.Unsqueeze(x, ints([-1])), constant(0, x.dtype))


@to_onnx("MATRIX_SET_DIAG")
def matrix_set_diag(op: Builder, x: Value, diagonal: Value) -> Any:
    rows, columns = dims(x, [rank(x) - 2, rank(x) - 1])
    if diagonal.shape is None or diagonal.shape[-1] != min(rows, columns):
        raise Unsupported(f"a diagonal of {diagonal.type} for {x.type}")
    if columns > rows:
        diagonal = op.Pad(diagonal, ints([0] * (rank(diagonal)) + [0] * (rank(diagonal) - 1) + [columns - rows]))
    return op.Where(constant(np.eye(rows, columns, dtype=bool)), op.Unsqueeze(diagonal, ints([-2])), x)
