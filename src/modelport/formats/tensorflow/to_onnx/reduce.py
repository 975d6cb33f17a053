"""Reductions, sorting, counting, segments.  Source: tensorflow/core/kernels/reduction_ops.h, topk_op.cc, segment_*."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from ...tflite.to_onnx import reduce as lite
from .common import BOOL, I32, I64, axis_of, cast, i64, ints, known, name_of, one, rank, scalar, to_onnx, vector

REDUCE = {"Sum": "ReduceSum", "Mean": "ReduceMean", "Prod": "ReduceProd", "Max": "ReduceMax", "Min": "ReduceMin",
          "EuclideanNorm": "ReduceL2"}


def _axes(op: Builder, x: Value, axes: Value) -> Value:
    if axes.data is None and axes.elements is None:
        return vector(op, axes)
    return ints(sorted({axis_of(x, a) for a in known(axes, "the axes")}) if x.rank is not None
                else known(axes, "the axes"))


@to_onnx(*REDUCE)
def reduce(op: Builder, x: Value, axes: Value, *, keep_dims: bool = False) -> Any:
    over, keep = _axes(op, x, axes), int(keep_dims)
    name = name_of(op)
    if name == "Mean" and x.dtype.kind in "iu":  # a sum, then a division that truncates
        total = op.ReduceSum(x, over, keepdims=keep, noop_with_empty_axes=1)
        count = op.ReduceProd(op.Gather(op.Shape(x), over), ints([0]), keepdims=0)
        return op.Div(total, cast(op, count, x.dtype))
    if name == "Mean" and any(d == 0 for d in x.shape or ()):  # ONNX leaves the mean of nothing open, here it is NaN
        total = op.ReduceSum(x, over, keepdims=keep, noop_with_empty_axes=1)
        return op.Div(total, cast(op, op.ReduceProd(op.Gather(op.Shape(x), over), ints([0]), keepdims=0), x.dtype))
    small = x.dtype.kind in "iu" and x.dtype.itemsize < 4
    y = cast(op, x, I32) if small and name in ("Sum", "Prod") else x
    return cast(op, op.add(REDUCE[name], y, over, keepdims=keep, noop_with_empty_axes=1), x.dtype)


@to_onnx("All", "Any")
def reduce_bool(op: Builder, x: Value, axes: Value, *, keep_dims: bool = False) -> Any:
    name = "ReduceMax" if name_of(op) == "Any" else "ReduceMin"
    made = op.add(name, cast(op, x, I32), _axes(op, x, axes), keepdims=int(keep_dims), noop_with_empty_axes=1)
    return cast(op, made, BOOL)


@to_onnx("ArgMax", "ArgMin")
def arg_max(op: Builder, x: Value, axis: Value, *, output_type: DType = I64) -> Any:
    if x.dtype.kind in "bu" or x.dtype == np.int16:
        x = cast(op, x, I64 if x.dtype.itemsize >= 4 else I32)
    return cast(op, op.add(name_of(op), x, axis=axis_of(x, scalar(axis, "the axis")), keepdims=0), output_type)


@to_onnx("Cumsum")
def cumsum(op: Builder, x: Value, axis: Value, *, exclusive: bool = False, reverse: bool = False) -> Any:
    return lite.cumsum(op, x, axis, exclusive=exclusive, reverse=reverse)


@to_onnx("Cumprod")
def cumprod(op: Builder, x: Value, axis: Value, *, exclusive: bool = False, reverse: bool = False) -> Any:
    """Products of the elements up to each one: of a square of copies in which the later ones are 1."""
    at = axis_of(x, scalar(axis, "the axis"))
    n = op.Shape(x, start=at, end=at + 1)
    index = op.Range(constant(0, I64), op.Squeeze(n, ints([0])), constant(1, I64))
    row, column = op.Unsqueeze(index, ints([1])), op.Unsqueeze(index, ints([0]))
    a, b = (row, column) if not reverse else (column, row)
    keep = op.Less(b, a) if exclusive else op.LessOrEqual(b, a)
    after = rank(x) - at - 1
    keep = op.Unsqueeze(keep, ints(range(2, 2 + after))) if after else keep
    return op.ReduceProd(op.Where(keep, op.Unsqueeze(x, ints([at])), one(x)), ints([at + 1]), keepdims=0)


@to_onnx("CumulativeLogsumexp")
def cumulative_logsumexp(op: Builder, x: Value, axis: Value, *, exclusive: bool = False,
                         reverse: bool = False) -> Any:
    if exclusive:
        raise Unsupported("exclusive")
    at = axis_of(x, scalar(axis, "the axis"))
    top = op.ReduceMax(x, ints([at]), keepdims=1)
    total = op.CumSum(op.Exp(op.Sub(x, top)), constant(at, I64), reverse=int(reverse))
    op.note("approximated", "CumulativeLogsumexp: sums relative to the greatest element lose the smallest ones")
    return op.Add(op.Log(total), top)


@to_onnx("TopKV2", "TopK")
def top_k(op: Builder, x: Value, k: Value | None = None, *, sorted: bool = True, index_type: DType = I32,
          **attrs: Any) -> Any:
    n = ints([int(attrs["k"])]) if k is None else op.Reshape(i64(op, k), ints([1]))
    if x.dtype in (np.uint8, np.int8, np.int16, np.uint16):
        values, index = op.add("TopK", cast(op, x, I32), n, axis=-1, outputs=2)
        values = cast(op, values, x.dtype)
    else:
        values, index = op.add("TopK", x, n, axis=-1, outputs=2)
    return values, cast(op, index, index_type)


@to_onnx("NthElement")
def nth_element(op: Builder, x: Value, n: Value, *, reverse: bool = False) -> Any:
    at = op.Reshape(i64(op, n), ints([1]))
    values, _ = op.add("TopK", x, op.Add(at, ints([1])), axis=-1, largest=int(reverse), outputs=2)
    return op.Squeeze(op.Gather(values, at, axis=-1), ints([-1]))


@to_onnx("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2")
def unique(op: Builder, x: Value, axis: Value | None = None, *, out_idx: DType = I32) -> Any:
    if axis is not None and axis.type.size != 0 and rank(x) != 1:
        raise Unsupported("unique rows")
    y = x if x.dtype.kind in "fO" or x.dtype == I64 else cast(op, x, I64)
    values, _, inverse, counts = op.add("Unique", y, sorted=0, outputs=4)
    return cast(op, values, x.dtype), cast(op, inverse, out_idx), cast(op, counts, out_idx)


@to_onnx("ListDiff")
def list_diff(op: Builder, x: Value, y: Value, *, out_idx: DType = I32) -> Any:
    same = op.Equal(op.Unsqueeze(x, ints([1])), op.Unsqueeze(y, ints([0])))
    # with no elements in y the sum over none is 0: all are kept
    found = op.ReduceSum(cast(op, same, I64), ints([1]), keepdims=0)
    keep = op.Equal(found, constant(0, I64))
    index = op.Squeeze(op.NonZero(keep), ints([0]))
    return op.Gather(x, index, axis=0), cast(op, index, out_idx)


@to_onnx("InvertPermutation")
def invert_permutation(op: Builder, x: Value) -> Any:
    n = op.Shape(x)
    index = op.Range(constant(0, I64), op.Squeeze(n, ints([0])), constant(1, I64))
    made = op.ScatterElements(op.Expand(constant(0, I64), n), i64(op, x), index, axis=0)
    return cast(op, made, x.dtype)


@to_onnx("LowerBound", "UpperBound")
def bound(op: Builder, sequence: Value, values: Value, *, out_type: DType = I32) -> Any:
    a, b = op.Unsqueeze(sequence, ints([1])), op.Unsqueeze(values, ints([2]))
    before = op.Less(a, b) if name_of(op) == "LowerBound" else op.LessOrEqual(a, b)
    return op.ReduceSum(cast(op, before, out_type), ints([2]), keepdims=0)


def segments(op: Builder, x: Value, ids: Value, count: Value, how: str, start: Any) -> Any:
    """Rows of ``x`` reduced by their segment; a negative id leaves its row out: it goes to one row more, cut off."""
    n = rank(ids)
    index = i64(op, ids)
    if n != 1:
        index = op.Reshape(index, ints([-1]))
        x = op.Reshape(x, op.Concat(ints([-1]), op.Shape(x, start=n), axis=0))
    index = op.Where(op.Less(index, constant(0, I64)), op.Squeeze(count, ints([0])), index)
    shape = op.Concat(op.Add(count, ints([1])), op.Shape(x, start=1), axis=0)
    first = op.Expand(constant(np.asarray(start).astype(x.dtype)), shape)
    made = op.ScatterND(first, op.Unsqueeze(index, ints([1])), x, reduction=how)
    return op.Slice(made, ints([0]), count, ints([0]))


def _limits(dtype: DType) -> tuple[Any, Any]:
    info: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return info.min, info.max


@to_onnx("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin")
def unsorted_segment(op: Builder, x: Value, ids: Value, count: Value) -> Any:
    kind = name_of(op).removeprefix("UnsortedSegment")
    low, high = _limits(x.dtype)
    how, start = {"Sum": ("add", 0), "Prod": ("mul", 1), "Max": ("max", low), "Min": ("min", high)}[kind]
    return segments(op, x, ids, op.Reshape(i64(op, count), ints([1])), how, start)


def _present(op: Builder, ids: Value, count: Value) -> Any:
    """How many rows each segment has."""
    ones = op.Expand(constant(1, I64), op.Shape(ids))
    return segments(op, ones, ids, count, "add", 0)


def _down(op: Builder, counts: Value, x: Value) -> Any:
    return op.Unsqueeze(counts, ints(range(1, rank(x)))) if rank(x) > 1 else counts


@to_onnx("SegmentSum", "SegmentProd", "SegmentMax", "SegmentMin", "SegmentMean")
def segment(op: Builder, x: Value, ids: Value) -> Any:
    kind = name_of(op).removeprefix("Segment")
    low, high = _limits(x.dtype)
    count = op.Add(op.ReduceMax(i64(op, ids), ints([0]), keepdims=1), ints([1]))
    how, start = {"Sum": ("add", 0), "Mean": ("add", 0), "Prod": ("mul", 1), "Max": ("max", low),
                  "Min": ("min", high)}[kind]
    made = segments(op, x, ids, count, how, start)
    if kind in ("Sum", "Prod"):
        return made
    counts = _down(op, _present(op, ids, count), x)
    if kind == "Mean":
        return op.Div(made, cast(op, op.Max(counts, constant(1, I64)), x.dtype))
    return op.Where(op.Equal(counts, constant(0, I64)), one(x, 0), made)  # an id that is missing has zeros


@to_onnx("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSumWithNumSegments",
         "SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtNWithNumSegments")
def sparse_segment(op: Builder, x: Value, index: Value, ids: Value, number: Value | None = None, *,
                   sparse_gradient: bool = False) -> Any:
    """Sums of the rows of a table that ``index`` picks: how embeddings of sparse features are looked up."""
    count = op.Reshape(i64(op, number), ints([1])) if number is not None else \
        op.Add(op.ReduceMax(i64(op, ids), ints([0]), keepdims=1), ints([1]))
    rows = op.Gather(x, i64(op, index), axis=0)
    total = segments(op, rows, ids, count, "add", 0)
    if "Sum" in name_of(op):
        return total
    counts = cast(op, op.Max(_present(op, ids, count), constant(1, I64)), x.dtype)
    return op.Div(total, _down(op, counts if "Mean" in name_of(op) else op.Sqrt(counts), x))
