"""Fused attention: Attention, MultiHeadAttention, QAttention, RotaryEmbedding."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .quant import real
from .table import contrib, dim, ints, like


def heads(op: Builder, x: Value, count: int) -> Value:
    """(batch, length, hidden) as (batch, heads, length, size)."""
    size = x.shape[2] if x.shape is not None else None
    if not isinstance(size, int):
        raise Unsupported("a hidden size that is not known")
    return op.Transpose(op.Reshape(x, ints(0, 0, count, size // count)), perm=[0, 2, 1, 3])


def merged(op: Builder, x: Value) -> Value:
    """The inverse of :func:`heads`."""
    assert x.shape is not None
    count, size = x.shape[1], x.shape[3]
    if not isinstance(count, int) or not isinstance(size, int):
        raise Unsupported("a head size that is not known")
    return op.Reshape(op.Transpose(x, perm=[0, 2, 1, 3]), ints(0, 0, count * size))


def additive(op: Builder, keep: Value, value: float, x: Value) -> Value:
    """Zero where ``keep`` is true, ``value`` elsewhere."""
    return op.Where(keep, like(0, x), like(value, x))


def causal(op: Builder, q: Value, k: Value, past: Value | None) -> Value:
    """(queries, keys) true where the key is not after the query; ``past`` (one int64) keys come before the first."""
    rows = op.Range(np.int64(0), op.Squeeze(dim(op, q, 2), ints(0)), np.int64(1))
    columns = op.Range(np.int64(0), op.Squeeze(dim(op, k, 2), ints(0)), np.int64(1))
    if past is not None:
        rows = op.Add(rows, past)
    return op.LessOrEqual(op.Unsqueeze(columns, ints(0)), op.Unsqueeze(rows, ints(1)))


def padding(op: Builder, mask: Value, k: Value, value: float, x: Value) -> Value:
    """A mask of keys as something to add to scores (batch, heads, queries, keys).

    (batch,): lengths; (2 batch,): ends, then starts; (batch, keys) and (batch, queries, keys): 0 or 1."""
    if mask.rank == 1:
        batch = k.shape[0] if k.shape is not None else None
        columns = op.Unsqueeze(op.Cast(op.Range(np.int64(0), op.Squeeze(dim(op, k, 2), ints(0)), np.int64(1)), to=6),
                               ints(0))
        if mask.shape is not None and mask.shape[0] == batch:
            keep = op.Less(columns, op.Unsqueeze(mask, ints(1)))
        elif mask.shape is not None and isinstance(batch, int) and mask.shape[0] == 2 * batch:
            end, start = op.Split(mask, axis=0, num_outputs=2, outputs=2)
            keep = op.And(op.Less(columns, op.Unsqueeze(end, ints(1))),
                          op.GreaterOrEqual(columns, op.Unsqueeze(start, ints(1))))
        else:
            raise Unsupported("a mask index whose form is not clear from its shape")
        return additive(op, op.Unsqueeze(keep, ints(1, 2)), value, x)
    keep = op.Greater(mask, like(0, mask))
    axes = {2: ints(1, 2), 3: ints(1)}.get(mask.rank or 0)
    if axes is None:
        raise Unsupported(f"a mask of rank {mask.rank}")
    return additive(op, op.Unsqueeze(keep, axes), value, x)


def core(op: Builder, q: Value, k: Value, v: Value, scale: float, *biases: Value | None) -> tuple[Value, Value]:
    """``Softmax(Q K^T scale + biases) V`` on (batch, heads, length, size), and the scores before Softmax."""
    size = q.shape[3] if q.shape is not None else None
    if not scale:
        if not isinstance(size, int):
            raise Unsupported("a head size that is not known")
        scale = 1 / float(np.sqrt(size))
    scores = op.Mul(op.MatMul(q, op.Transpose(k, perm=[0, 1, 3, 2])), like(scale, q))
    for bias in biases:
        if bias is not None:
            scores = op.Add(scores, bias)
    return op.MatMul(op.Softmax(scores, axis=-1), v), scores


def _attend(op: Builder, qkv: Value, sizes: tuple[int, ...], num_heads: int, mask: Value | None, past: Value | None,
            attention_bias: Value | None, unidirectional: int, scale: float, mask_filter_value: float) -> Any:
    """What Attention and QAttention share, from the projected (batch, length, q + k + v)."""
    assert op.node is not None
    q, k, v = (heads(op, part, num_heads) for part in op.Split(qkv, ints(*sizes), axis=-1, outputs=3))
    before = None
    if past is not None:
        past_k, past_v = (op.Squeeze(p, ints(0)) for p in op.Split(past, axis=0, num_outputs=2, outputs=2))
        k, v = op.Concat(past_k, k, axis=2), op.Concat(past_v, v, axis=2)
        before = op.Shape(past, start=3, end=4)
    biases = [None if mask is None else padding(op, mask, k, mask_filter_value, q), attention_bias]
    if unidirectional:
        low = float(np.finfo(np.float32).min) if q.dtype == np.float32 else -65504.0
        biases.append(additive(op, causal(op, q, k, before), low, q))
    y = merged(op, core(op, q, k, v, scale, *biases)[0])
    if len(op.node.outputs) == 1:
        return y
    return y, op.Concat(op.Unsqueeze(k, ints(0)), op.Unsqueeze(v, ints(0)), axis=0)


@contrib("Attention")
def attention(op: Builder, x: Value, weights: Value, bias: Value | None = None, mask_index: Value | None = None,
              past: Value | None = None, attention_bias: Value | None = None,
              past_sequence_length: Value | None = None, *, num_heads: int, unidirectional: int = 0, scale: float = 0.0,
              mask_filter_value: float = -10000.0, qkv_hidden_sizes: tuple[int, ...] | None = None,
              do_rotary: int = 0, rotary_embedding_dim: int = 0, past_present_share_buffer: int = 0) -> Any:
    """Self-attention with the projection of queries, keys and values in one matrix."""
    if do_rotary or past_present_share_buffer or past_sequence_length is not None:
        raise Unsupported("rotary positions" if do_rotary else "a buffer shared by past and present")
    width = weights.shape[1] if weights.shape is not None else None
    if not isinstance(width, int):
        raise Unsupported("weights of unknown size")
    sizes = tuple(qkv_hidden_sizes or (width // 3,) * 3)
    qkv = op.MatMul(x, weights)
    return _attend(op, qkv if bias is None else op.Add(qkv, bias), sizes, num_heads, mask_index, past, attention_bias,
                   unidirectional, scale, mask_filter_value)


@contrib("QAttention")
def qattention(op: Builder, x: Value, weight: Value, bias: Value, x_scale: Value, w_scale: Value,
               mask_index: Value | None = None, x_zero: Value | None = None, w_zero: Value | None = None,
               past: Value | None = None, *, num_heads: int, unidirectional: int = 0, scale: float = 0.0,
               mask_filter_value: float = -10000.0, do_rotary: int = 0, past_present_share_buffer: int = 0) -> Any:
    """Attention on integers; only the projection is integer arithmetic."""
    if do_rotary or past_present_share_buffer:
        raise Unsupported("rotary positions" if do_rotary else "a buffer shared by past and present")
    width = weight.shape[1] if weight.shape is not None else None
    if not isinstance(width, int):
        raise Unsupported("weights of unknown size")
    qkv = op.Add(op.MatMul(real(op, x, x_scale, x_zero), real(op, weight, w_scale, w_zero, 1)), bias)
    return _attend(op, qkv, (width // 3,) * 3, num_heads, mask_index, past, None, unidirectional, scale,
                   mask_filter_value)


@contrib("MultiHeadAttention")
def multi_head_attention(op: Builder, query: Value, key: Value | None = None, value: Value | None = None,
                         bias: Value | None = None, key_padding_mask: Value | None = None,
                         attention_bias: Value | None = None, past_key: Value | None = None,
                         past_value: Value | None = None, past_sequence_length: Value | None = None,
                         cache_indirection: Value | None = None, *, num_heads: int, scale: float = 0.0,
                         mask_filter_value: float = -10000.0, unidirectional: int = 0) -> Any:
    """Attention on projected queries, keys and values; keys may be packed, or come as (batch, heads, length, size)."""
    assert op.node is not None
    if past_sequence_length is not None or cache_indirection is not None:
        raise Unsupported("a buffer shared by past and present")
    if key is None or value is None:
        raise Unsupported("packed queries, keys and values")
    q_bias = k_bias = v_bias = None
    if bias is not None:
        hidden = query.shape[2] if query.shape is not None and query.rank == 3 else None
        if not isinstance(hidden, int) or bias.shape is None or not isinstance(bias.shape[0], int):
            raise Unsupported("a hidden size that is not known")
        q_bias, k_bias, v_bias = op.Split(bias, ints(hidden, hidden, bias.shape[0] - 2 * hidden), axis=0, outputs=3)
    q = heads(op, query if q_bias is None else op.Add(query, q_bias), num_heads)
    if key.rank == 4 and value.rank == 4:
        k, v = key, value
    elif key.rank == 3 and value.rank == 3:
        k = heads(op, key if k_bias is None else op.Add(key, k_bias), num_heads)
        v = heads(op, value if v_bias is None else op.Add(value, v_bias), num_heads)
    else:
        raise Unsupported("packed keys and values")
    before = None
    if past_key is not None and past_value is not None:
        before = dim(op, past_key, 2)
        k, v = op.Concat(past_key, k, axis=2), op.Concat(past_value, v, axis=2)
    biases = [None if key_padding_mask is None else padding(op, key_padding_mask, k, mask_filter_value, q),
              attention_bias]
    if unidirectional:
        biases.append(additive(op, causal(op, q, k, before), float(np.finfo(np.float32).min), q))
    y, scores = core(op, q, k, v, scale, *biases)
    return (merged(op, y), k, v, scores)[:len(op.node.outputs)]


@contrib("RotaryEmbedding")
def rotary_embedding(op: Builder, x: Value, position_ids: Value, cos: Value, sin: Value, *, interleaved: int = 0,
                     num_heads: int = 0, rotary_embedding_dim: int = 0, is_packed_batching: int = 0,
                     scale: float = 1.0) -> Any:
    """Rotary positions; one position id is the place of the first token."""
    if is_packed_batching or scale != 1:
        raise Unsupported("packed batches" if is_packed_batching else "a scale")
    if position_ids.shape == (1,) or position_ids.rank == 0:
        length = dim(op, x, 1 if x.rank == 3 else 2)
        place = op.Add(op.Range(np.int64(0), op.Squeeze(length, ints(0)), np.int64(1)), position_ids)
        position_ids = op.Expand(op.Unsqueeze(place, ints(0)), op.Concat(dim(op, x, 0), length, axis=0))
    if x.rank == 3 and not num_heads:
        size = cos.shape[1] if cos.shape is not None else None
        hidden = x.shape[2] if x.shape is not None else None
        if not isinstance(size, int) or not isinstance(hidden, int):
            raise Unsupported("a head size that is not known")
        num_heads = hidden // (2 * size)
    return op.RotaryEmbedding(x, cos, sin, position_ids, interleaved=interleaved,
                              num_heads=num_heads if x.rank == 3 else None,
                              rotary_embedding_dim=rotary_embedding_dim or None)
