"""GroupQueryAttention: a decoder's attention with its cache of keys and values."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .attention import additive, heads, merged
from .table import contrib, dim, ints, like


@contrib("GroupQueryAttention")
def group_query_attention(op: Builder, query: Value, key: Value | None, value: Value | None, past_key: Value | None,
                          past_value: Value | None, seqlens_k: Value, total: Value, cos: Value | None = None,
                          sin: Value | None = None, position_ids: Value | None = None,
                          attention_bias: Value | None = None, head_sink: Value | None = None, *, num_heads: int,
                          kv_num_heads: int, scale: float = 0.0, softcap: float = 0.0, do_rotary: int = 0,
                          rotary_interleaved: int = 0, local_window_size: int = -1, smooth_softmax: int = 0,
                          causal: int = 1) -> Any:
    """New keys and values stand behind the past ones of their row, of which there are ``seqlens_k + 1 - length``."""
    assert op.node is not None
    if smooth_softmax > 0 or head_sink is not None:
        raise Unsupported("smooth softmax")
    if (key is None) != (value is None):
        raise Unsupported("keys without values")
    if key is None or value is None:
        width = query.shape[2] if query.shape is not None else None
        if not isinstance(width, int):
            raise Unsupported("a hidden size that is not known")
        each = width // (num_heads + 2 * kv_num_heads)
        query, key, value = op.Split(query, ints(num_heads * each, kv_num_heads * each, kv_num_heads * each), axis=2,
                                     outputs=3)
    q, k, v = heads(op, query, num_heads), heads(op, key, kv_num_heads), heads(op, value, kv_num_heads)
    length = dim(op, q, 2)
    lengths = op.Cast(op.Reshape(seqlens_k, ints(-1)), to=7)
    before = op.Max(op.Sub(op.Add(lengths, np.int64(1)), length), np.int64(0))  # (batch,) past tokens
    steps = op.Range(np.int64(0), op.Squeeze(length, ints(0)), np.int64(1))
    place = op.Add(op.Unsqueeze(before, ints(1)), op.Unsqueeze(steps, ints(0)))  # (batch, length)
    if do_rotary:
        if cos is None or sin is None:
            raise Unsupported("rotary positions without tables")
        where = place if position_ids is None else position_ids
        q, k = (op.RotaryEmbedding(x, cos, sin, where, interleaved=rotary_interleaved,
                                   rotary_embedding_dim=_rotary_size(cos, x)) for x in (q, k))
    if past_key is not None and past_value is not None:
        k, v = (_appended(op, old, new, before, total) for old, new in ((past_key, k), (past_value, v)))
    size = q.shape[3] if q.shape is not None else None
    if not isinstance(size, int):
        raise Unsupported("a head size that is not known")
    repeat = num_heads // kv_num_heads
    wide_k, wide_v = (_repeated(op, x, repeat) for x in (k, v))
    scores = op.Mul(op.MatMul(q, op.Transpose(wide_k, perm=[0, 1, 3, 2])), like(scale or 1 / np.sqrt(size), q))
    if softcap:
        scores = op.Mul(op.Tanh(op.Div(scores, like(softcap, q))), like(softcap, q))
    if attention_bias is not None:
        scores = op.Add(scores, attention_bias)
    columns = op.Unsqueeze(op.Range(np.int64(0), op.Squeeze(dim(op, k, 2), ints(0)), np.int64(1)), ints(0, 1))
    rows = op.Unsqueeze(place, ints(2))
    end = op.Unsqueeze(op.Add(before, length), ints(1, 2))
    keep = op.LessOrEqual(columns, rows) if causal else op.Less(columns, end)
    if local_window_size > 0:
        keep = op.And(keep, op.Greater(columns, op.Sub(rows, np.int64(local_window_size))))
    low = float(np.finfo(np.float32).min) if q.dtype == np.float32 else -65504.0
    scores = op.Add(scores, additive(op, op.Unsqueeze(keep, ints(1)), low, q))
    y = merged(op, op.MatMul(op.Softmax(scores, axis=-1), wide_v))
    if len(op.node.outputs) > 3:
        raise Unsupported("the output of scores")
    return (y, k, v)[:len(op.node.outputs)]


def _rotary_size(cos: Value, x: Value) -> int | None:
    """The rotated part of a head if it is not the whole."""
    if cos.shape is None or x.shape is None or not isinstance(cos.shape[1], int):
        raise Unsupported("a head size that is not known")
    return None if 2 * cos.shape[1] == x.shape[3] else 2 * cos.shape[1]


def _repeated(op: Builder, x: Value, times: int) -> Value:
    """Every head ``times`` times in a row."""
    if times == 1:
        return x
    assert x.shape is not None
    count, size = x.shape[1], x.shape[3]
    if not isinstance(count, int) or not isinstance(size, int):
        raise Unsupported("a head size that is not known")
    shape = op.Concat(dim(op, x, 0), ints(count, times), dim(op, x, 2), ints(size), axis=0)
    wide = op.Expand(op.Unsqueeze(x, ints(2)), shape)
    return op.Reshape(wide, op.Concat(dim(op, x, 0), ints(count * times), dim(op, x, 2), ints(size), axis=0))


def _appended(op: Builder, past: Value, new: Value, before: Value, total: Value) -> Value:
    """(batch, heads, max(past, total), size): the first ``before`` of ``past``, then ``new``, then the rest of it."""
    room = op.Max(dim(op, past, 2), op.Reshape(op.Cast(total, to=7), ints(-1)))
    at = op.Unsqueeze(op.Range(np.int64(0), op.Squeeze(room, ints(0)), np.int64(1)), ints(0))  # (1, room)
    start = op.Unsqueeze(before, ints(1))
    old_count, new_count = dim(op, past, 2), dim(op, new, 2)
    offset = op.Sub(at, start)
    from_new = op.And(op.GreaterOrEqual(offset, np.int64(0)), op.Less(offset, new_count))
    both = op.Concat(past, new, axis=2)
    old_index = op.Min(at, op.Max(op.Sub(old_count, np.int64(1)), np.int64(0)))
    index = op.Where(from_new, op.Add(offset, old_count), old_index)  # (batch, room)
    index = op.Unsqueeze(index, ints(1, 3))
    shape = op.Concat(dim(op, new, 0), dim(op, new, 1), room, dim(op, new, 3), axis=0)
    return op.GatherElements(both, op.Expand(index, shape), axis=2)
