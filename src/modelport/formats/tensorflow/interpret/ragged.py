"""Rows of different lengths.  Source: tensorflow/core/kernels/ragged_*_op.cc, ctc_decoder_ops.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import Refused, op


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
