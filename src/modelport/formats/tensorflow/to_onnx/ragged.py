"""Rows of different lengths: values, and where in them each row begins.

Source: tensorflow/core/kernels/ragged_*_op.cc, ctc_decoder_ops.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from .common import I64, cast, dims, i64, ints, one, rank, to_onnx


def _splits(op: Builder, lengths: Value) -> Any:
    return op.Concat(ints([0]), op.CumSum(lengths, constant(0, I64)), axis=0)


def _rows(op: Builder, splits: Value) -> tuple[Value, Value]:
    """The row of each value ([values]), and its place in that row."""
    total = op.Squeeze(op.Slice(splits, ints([-1]), ints([np.iinfo(np.int64).max]), ints([0])), ints([0]))
    place = op.Range(constant(0, I64), total, constant(1, I64))
    ends = op.Slice(splits, ints([1]), ints([np.iinfo(np.int64).max]), ints([0]))
    passed = op.GreaterOrEqual(op.Unsqueeze(place, ints([1])), op.Unsqueeze(ends, ints([0])))
    row = op.ReduceSum(cast(op, passed, I64), ints([1]), keepdims=0)
    return row, op.Sub(place, op.Gather(splits, row, axis=0))


@to_onnx("RaggedRange")
def ragged_range(op: Builder, starts: Value, limits: Value, deltas: Value, *, Tsplits: DType = I64) -> Any:
    kind = starts.dtype
    span = op.Sub(limits, starts)
    if kind.kind == "f":
        raw = cast(op, op.Ceil(op.Abs(op.Div(span, deltas))), I64)
    else:
        size = op.Abs(i64(op, deltas))
        raw = op.Div(op.Sub(op.Add(op.Abs(i64(op, span)), size), constant(1, I64)), size)
    zero = one(starts, 0)
    against = op.Or(op.And(op.Greater(deltas, zero), op.Less(span, zero)),
                    op.And(op.Less(deltas, zero), op.Greater(span, zero)))
    lengths = op.Reshape(op.Where(against, constant(0, I64), raw), ints([-1]))
    splits = _splits(op, lengths)
    row, place = _rows(op, splits)
    first, step = (op.Gather(op.Expand(v, op.Shape(lengths)), row, axis=0) for v in (starts, deltas))
    return cast(op, splits, Tsplits), op.Add(first, op.Mul(cast(op, place, kind), step))


@to_onnx("RaggedGather")
def ragged_gather(op: Builder, splits: Value, values: Value, *rest: Value, OUTPUT_RAGGED_RANK: int = 1,
                  PARAMS_RAGGED_RANK: int = 1) -> Any:
    if len(rest) != 1 or rank(rest[0]) != 1:
        raise Unsupported("ragged rows in ragged rows")
    s, index = i64(op, splits), i64(op, rest[0])
    begin = op.Gather(s, index, axis=0)
    lengths = op.Sub(op.Gather(s, op.Add(index, constant(1, I64)), axis=0), begin)
    made = _splits(op, lengths)
    row, place = _rows(op, made)
    return cast(op, made, splits.dtype), op.Gather(values, op.Add(op.Gather(begin, row, axis=0), place), axis=0)


@to_onnx("RaggedTensorToSparse")
def ragged_to_sparse(op: Builder, splits: Value, values: Value, *rest: Value, RAGGED_RANK: int = 1) -> Any:
    if rest or rank(values) != 1:
        raise Unsupported("ragged rows in ragged rows")
    s = i64(op, splits)
    row, place = _rows(op, s)
    lengths = op.Sub(op.Slice(s, ints([1]), ints([np.iinfo(np.int64).max]), ints([0])),
                     op.Slice(s, ints([0]), ints([-1]), ints([0])))
    longest = op.ReduceMax(op.Concat(lengths, ints([0]), axis=0), keepdims=1)
    index = op.Concat(op.Unsqueeze(row, ints([1])), op.Unsqueeze(place, ints([1])), axis=1)
    return index, op.Identity(values), op.Concat(op.Shape(lengths), longest, axis=0)


@to_onnx("CTCGreedyDecoder")
def greedy(op: Builder, x: Value, lengths: Value, *, merge_repeated: bool = False, blank_index: int = -1) -> Any:
    """The best class of each step; repeats (if asked) and blanks are left out."""
    count = dims(x, [2], "the number of classes")[0]
    blank = constant(blank_index % count, I64)
    best = op.Transpose(op.ArgMax(x, axis=2, keepdims=0), perm=[1, 0])  # [batch, time]
    steps = op.Range(constant(0, I64), op.Squeeze(op.Shape(x, start=0, end=1), ints([0])), constant(1, I64))
    within = op.Less(op.Unsqueeze(steps, ints([0])), op.Unsqueeze(i64(op, lengths), ints([1])))
    kept = op.And(within, op.Not(op.Equal(best, blank)))
    if merge_repeated:
        before = op.Slice(op.Pad(best, ints([1, 0]), constant(-1, I64), ints([1])), ints([0]), ints([-1]), ints([1]))
        kept = op.And(kept, op.Not(op.Equal(best, before)))
    at = op.Transpose(op.NonZero(kept), perm=[1, 0])  # row by row
    place = op.Sub(op.CumSum(cast(op, kept, I64), constant(1, I64)), constant(1, I64))
    index = op.Concat(op.Slice(at, ints([0]), ints([1]), ints([1])), op.Unsqueeze(op.GatherND(place, at), ints([1])),
                      axis=1)
    longest = op.ReduceMax(op.ReduceSum(cast(op, kept, I64), ints([1]), keepdims=0), keepdims=1)
    score = op.Where(within, op.Transpose(op.ReduceMax(x, ints([2]), keepdims=0), perm=[1, 0]), one(x, 0))
    return (index, op.GatherND(best, at), op.Concat(op.Shape(x, start=1, end=2), longest, axis=0),
            op.Neg(op.ReduceSum(score, ints([1]), keepdims=1)))


