"""Rows of different lengths.  Source: tensorflow/core/kernels/ragged_*_op.cc, ctc_decoder_ops.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import Refused, bounded, op


@op("RaggedGather")
def gather(splits: Array, values: Array, *rest: Array, OUTPUT_RAGGED_RANK: int = 1,
           PARAMS_RAGGED_RANK: int = 1) -> Any:
    if len(rest) != 1 or rest[0].ndim != 1:
        raise Refused("ragged rows in ragged rows")
    rows = [values[splits[k]:splits[k + 1]] for k in rest[0]]
    return np.cumsum([0, *map(len, rows)]).astype(splits.dtype), np.concatenate([values[:0], *rows])


@op("RaggedTensorToSparse")
def to_sparse(splits: Array, values: Array, *rest: Array, RAGGED_RANK: int = 1) -> Any:
    if rest or values.ndim != 1:
        raise Refused("ragged rows in ragged rows")
    lengths = np.diff(splits)
    index = [(row, k) for row, n in enumerate(lengths) for k in range(n)]
    return (np.array(index, np.int64).reshape(-1, 2), values,
            np.array([len(lengths), lengths.max(initial=0)], np.int64))


@op("CTCGreedyDecoder", fold=False)
def greedy(x: Array, lengths: Array, *, merge_repeated: bool = False, blank_index: int = -1) -> Any:
    blank = blank_index % x.shape[2]
    index, values, longest = [], [], 0
    scores = np.zeros((x.shape[1], 1), x.dtype)
    for b, steps in enumerate(lengths):
        before, place = -1, 0
        for t in range(int(steps)):
            best = int(x[t, b].argmax())
            scores[b] -= x[t, b, best]
            if best != blank and not (merge_repeated and best == before):
                index.append((b, place))
                values.append(best)
                place += 1
            before = best
        longest = max(longest, place)
    return (np.array(index, np.int64).reshape(-1, 2), np.array(values, np.int64),
            np.array([x.shape[1], longest], np.int64), scores)


@op("RaggedRange")
def ragged_range(starts: Array, limits: Array, deltas: Array, *, Tsplits: Any = np.int64) -> Any:
    starts, limits, deltas = np.broadcast_arrays(starts, limits, deltas)
    rows = [np.arange(a, b, d) for a, b, d in zip(starts.ravel(), limits.ravel(), deltas.ravel(), strict=True)]
    return np.cumsum([0, *map(len, rows)]).astype(Tsplits), np.concatenate(rows).astype(starts.dtype)


@op("RaggedTensorToTensor")
def ragged_to_dense(s: Array, values: Array, default: Array, *parts: Array, row_partition_types: Any,
                    num_row_partition_tensors: Any = None) -> Any:
    kinds = list(row_partition_types)
    if kinds == ["FIRST_DIM_SIZE", "VALUE_ROWIDS"]:
        rows, ids = int(parts[0]), parts[1]
    elif kinds == ["ROW_SPLITS"]:
        rows = len(parts[0]) - 1
        ids = np.repeat(np.arange(rows), np.diff(parts[0]))
    else:
        raise Refused("a ragged tensor of more than one ragged dimension")
    count = np.bincount(ids, minlength=rows) if rows else np.zeros(0, np.int64)
    wanted = [int(d) for d in np.ravel(s)] if np.ndim(s) else []
    height = wanted[0] if wanted and wanted[0] >= 0 else rows
    width = wanted[1] if len(wanted) > 1 and wanted[1] >= 0 else int(count.max(initial=0))
    out = np.full((*bounded([height, width]), *values.shape[1:]), default, values.dtype)
    at: dict[int, int] = {}
    for row, v in zip(ids.tolist(), values, strict=True):
        j = at.get(row, 0)
        at[row] = j + 1
        if j < width and row < height:
            out[row, j] = v
    return out
