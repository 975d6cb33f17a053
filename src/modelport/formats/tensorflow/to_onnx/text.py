"""Text, where ONNX's operators mean exactly the same.  Source: tensorflow/core/kernels/string_*.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from .common import I64, cast, i64, ints, known, name_of, to_onnx


@to_onnx("StringLower", "StringUpper")
def change_case(op: Builder, x: Value, *, encoding: str = "") -> Any:
    if encoding not in ("", "utf-8"):
        raise Unsupported(f"encoding {encoding}")
    flat = op.Reshape(x, ints([-1]))
    made = op.StringNormalizer(flat, case_change_action="LOWER" if name_of(op) == "StringLower" else "UPPER",
                               is_case_sensitive=1, locale="C" if encoding == "" else "C.UTF-8")  # C: ASCII only
    return op.Reshape(made, op.Shape(x))


@to_onnx("StringJoin")
def join(op: Builder, *values: Value, separator: str = "") -> Any:
    made = values[0]
    for v in values[1:]:
        if separator:
            made = op.StringConcat(made, constant(np.array(separator, object)))
        made = op.StringConcat(made, v)
    return op.Identity(made) if made is values[0] else made


@to_onnx("StaticRegexFullMatch")
def full_match(op: Builder, x: Value, *, pattern: str) -> Any:
    return op.RegexFullMatch(x, pattern=pattern)  # RE2 in both


@to_onnx("RegexFullMatch")
def full_match_v2(op: Builder, x: Value, pattern: Value) -> Any:
    return op.RegexFullMatch(x, pattern=str(static(pattern, "the pattern").reshape(-1)[0]))


@to_onnx("StringSplitV2")
def split(op: Builder, x: Value, separator: Value, *, maxsplit: int = -1) -> Any:
    sep = str(static(separator, "the separator").reshape(-1)[0])
    table, count = op.add("StringSplit", op.Reshape(x, ints([-1])), delimiter=sep,
                          maxsplit=None if maxsplit < 0 else maxsplit, outputs=2)
    width = op.Shape(table, start=1, end=2)
    column = op.Unsqueeze(op.Range(constant(0, I64), op.Squeeze(width, ints([0])), constant(1, I64)), ints([0]))
    real = op.Less(column, op.Unsqueeze(count, ints([1])))
    index = op.Transpose(op.NonZero(real), perm=[1, 0])
    return index, op.GatherND(table, index), op.Concat(op.Shape(table, end=1), width, axis=0)


@to_onnx("RaggedTensorToTensor")
def ragged(op: Builder, shape: Value, values: Value, default: Value, *parts: Value,
           row_partition_types: Sequence[str]) -> Any:
    """Each value goes to its row and to its place in it; what does not fit is left out."""
    kinds = list(row_partition_types)
    if kinds == ["FIRST_DIM_SIZE", "VALUE_ROWIDS"]:
        rows, ids = op.Reshape(i64(op, parts[0]), ints([1])), i64(op, parts[1])
    elif kinds == ["ROW_SPLITS"]:
        splits = i64(op, parts[0])
        rows = op.Sub(op.Shape(splits), ints([1]))
        at = op.Range(constant(0, I64), op.Squeeze(op.Shape(values, end=1), ints([0])), constant(1, I64))
        # the row of a value: how many rows end at or before it
        ends = op.Slice(splits, ints([1]), ints([np.iinfo(np.int64).max]), ints([0]))
        before = op.LessOrEqual(op.Unsqueeze(ends, ints([0])), op.Unsqueeze(at, ints([1])))
        ids = op.ReduceSum(cast(op, before, I64), ints([1]), keepdims=0)
    else:
        raise Unsupported("a ragged tensor of more than one ragged dimension")
    if values.rank != 1:
        raise Unsupported(f"ragged rows of {values.type}")
    ones = op.Expand(constant(1, I64), op.Shape(ids))
    count = op.ScatterND(op.Expand(constant(0, I64), rows), op.Unsqueeze(ids, ints([1])), ones, reduction="add")
    start = op.Sub(op.CumSum(count, constant(0, I64)), count)
    index = op.Range(constant(0, I64), op.Squeeze(op.Shape(values), ints([0])), constant(1, I64))
    column = op.Sub(index, op.Gather(start, ids, axis=0))
    wanted = [-1, -1] if shape.type.size in (0, 1) and shape.data is not None and not shape.rank else \
        known(shape, "the shape")
    widest = op.ReduceMax(op.Concat(count, ints([0]), axis=0), ints([0]), keepdims=1)
    width = widest if len(wanted) < 2 or wanted[1] < 0 else ints([wanted[1]])
    if wanted and wanted[0] >= 0:
        raise Unsupported("a ragged tensor cut to a number of rows")
    room = op.Max(widest, width)
    fill = default if default.rank == 0 else op.Reshape(default, ints([]))
    table = op.Expand(fill, op.Concat(rows, room, axis=0))
    where = op.Concat(op.Unsqueeze(ids, ints([1])), op.Unsqueeze(column, ints([1])), axis=1)
    made = op.ScatterND(table, where, values)
    return op.Slice(made, ints([0]), width, ints([1]))
