"""Normalisations with a skip connection, a bias or an embedding fused in."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .table import contrib, dim, ints, rules


def _count(op: Builder) -> int:
    assert op.node is not None
    return len(op.node.outputs)


@rules("SimplifiedLayerNormalization", "com.microsoft.SimplifiedLayerNormalization")
def simplified_layer_norm(op: Builder, x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5,
                          stash_type: int = 1) -> Any:
    """Root-mean-square normalisation; ONNX Runtime registers it in ONNX's own domain."""
    if _count(op) > 1:
        raise Unsupported("its second output")
    return op.RMSNormalization(x, scale, axis=axis, epsilon=epsilon, stash_type=stash_type)


def _skip_sum(op: Builder, x: Value, skip: Value, bias: Value | None) -> Value:
    total = op.Add(x, skip)
    return total if bias is None else op.Add(total, bias)


@contrib("SkipLayerNormalization")
def skip_layer_norm(op: Builder, x: Value, skip: Value, gamma: Value, beta: Value | None = None,
                    bias: Value | None = None, *, epsilon: float = 1e-12) -> Any:
    total = _skip_sum(op, x, skip, bias)
    if _count(op) == 1:
        return op.LayerNormalization(total, gamma, beta, axis=-1, epsilon=epsilon)
    return (*op.LayerNormalization(total, gamma, beta, axis=-1, epsilon=epsilon, outputs=3), total)[:_count(op)]


@contrib("SkipSimplifiedLayerNormalization")
def skip_simplified_layer_norm(op: Builder, x: Value, skip: Value, gamma: Value, bias: Value | None = None, *,
                               epsilon: float = 1e-12) -> Any:
    total = _skip_sum(op, x, skip, bias)
    y = op.RMSNormalization(total, gamma, axis=-1, epsilon=epsilon)
    if _count(op) == 1:
        return y
    # the kernel leaves mean and deviation empty at inference; total is what is read
    square = op.ReduceMean(op.Mul(total, total), ints(-1))
    inverse = op.Reciprocal(op.Sqrt(op.Add(square, np.asarray(epsilon, total.dtype))))
    return (y, op.Sub(inverse, inverse), inverse, total)[:_count(op)]


@contrib("EmbedLayerNormalization")
def embed_layer_norm(op: Builder, ids: Value, segments: Value | None, words: Value, positions: Value,
                     segment_table: Value | None, gamma: Value, beta: Value, mask: Value | None = None,
                     position_ids: Value | None = None, *, epsilon: float = 1e-12, mask_index_type: int = 1) -> Any:
    """Word, position and segment embeddings summed and normalised; the mask's row sums as lengths."""
    if position_ids is None:
        length = op.Squeeze(dim(op, ids, 1), ints(0))
        place = op.Gather(positions, op.Range(np.int64(0), length, np.int64(1)))
    else:
        place = op.Gather(positions, position_ids)
    total = op.Add(op.Gather(words, ids), place)
    if segments is not None and segment_table is not None:
        total = op.Add(total, op.Gather(segment_table, segments))
    y = op.LayerNormalization(total, gamma, beta, axis=-1, epsilon=epsilon)
    if _count(op) == 1:
        return y
    if mask is not None:
        lengths = op.ReduceSum(mask, ints(1), keepdims=0)
    else:
        lengths = op.Expand(np.int32(0), dim(op, ids, 0))
    return (y, lengths, total)[:_count(op)]


def _group_norm(op: Builder, x: Value, gamma: Value, beta: Value, groups: int, epsilon: float, activation: int,
                channels_last: int) -> Value:
    if x.rank is None:
        raise Unsupported("an input of unknown rank")
    rank = x.rank
    first = op.Transpose(x, perm=[0, rank - 1, *range(1, rank - 1)]) if channels_last else x
    y = op.GroupNormalization(first, op.CastLike(gamma, x), op.CastLike(beta, x), num_groups=groups, epsilon=epsilon)
    if activation:
        y = op.Mul(y, op.Sigmoid(y))
    return op.Transpose(y, perm=[0, *range(2, rank), 1]) if channels_last else y


@contrib("GroupNorm")
def group_norm(op: Builder, x: Value, gamma: Value, beta: Value, *, groups: int, activation: int,
               epsilon: float = 1e-5, channels_last: int = 1) -> Any:
    return _group_norm(op, x, gamma, beta, groups, epsilon, activation, channels_last)


@contrib("SkipGroupNorm")
def skip_group_norm(op: Builder, x: Value, gamma: Value, beta: Value, skip: Value, bias: Value | None = None, *,
                    groups: int, activation: int, epsilon: float = 1e-5, channels_last: int = 1) -> Any:
    if skip.rank != x.rank:
        axes = ints(1, 2) if channels_last else ints(2, 3)
        skip = op.Unsqueeze(skip, axes)
    total = op.Add(x, skip)
    if bias is not None:
        total = op.Add(total, bias if channels_last else op.Unsqueeze(bias, ints(1, 2)))
    y = _group_norm(op, total, gamma, beta, groups, epsilon, activation, channels_last)
    return (y, total) if _count(op) > 1 else y
