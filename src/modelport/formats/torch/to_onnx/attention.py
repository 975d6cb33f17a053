"""Attention.  Source: torch.nn.functional.scaled_dot_product_attention."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import cast
from ..machine import aten
from ..values import BOOL, I64, Sym, rank, size, tensor
from .activation import softmax
from .linear import linear
from .math import number
from .norm import layer_norm


@aten("scaled_dot_product_attention")
def attention(op: Builder, query: Value, key: Value, value: Value, attn_mask: Value | None = None,
              dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
              enable_gqa: bool = False) -> Any:
    """softmax(q k^T * scale + mask) v over the last two axes."""
    if dropout_p:
        raise Unsupported("attention with dropout as in training")
    factor = _factor(op, query) if scale is None else scale
    if enable_gqa:
        key, value = (_shared(op, query, x) for x in (key, value))
    n = rank(key)
    turned = op.Transpose(key, perm=[*range(n - 2), n - 1, n - 2])
    root = op.Sqrt(factor) if isinstance(factor, Value) else number(query, math.sqrt(factor)) if factor > 0 else None
    if root is None:
        scores = op.Mul(op.MatMul(query, turned), number(query, factor))
    else:  # half of it on each side, as the kernel does, so that halves do not overflow
        scores = op.MatMul(op.Mul(query, root), op.Mul(turned, root))
    if is_causal:
        rows, columns = size(op, query, -2), size(op, key, -2)
        mask = op.LessOrEqual(_range(op, columns), op.Unsqueeze(_range(op, rows), np.array([1])))
        scores = op.Where(mask, scores, number(scores, -np.inf))
    if attn_mask is not None:
        if attn_mask.dtype == BOOL:
            scores = op.Where(attn_mask, scores, number(scores, -np.inf))
            # a row that may look at nothing gets zeros
            weights = op.Softmax(scores, axis=-1)
            weights = op.Where(op.IsNaN(weights), number(weights, 0), weights)
            return op.MatMul(weights, value)
        scores = op.Add(scores, cast(op, attn_mask, scores.dtype))
    return op.MatMul(op.Softmax(scores, axis=-1), value)


def _factor(op: Builder, query: Value) -> Any:
    """One over the root of the length of the vectors."""
    width = size(op, query, -1)
    if isinstance(width, int):
        return 1 / math.sqrt(width)
    return op.Reciprocal(op.Sqrt(cast(op, width.value, query.dtype)))


@aten("_scaled_dot_product_flash_attention_for_cpu")
def flash(op: Builder, query: Value, key: Value, value: Value, dropout_p: float = 0.0, is_causal: bool = False,
          attn_mask: Value | None = None, scale: float | None = None) -> Any:
    return [attention(op, query, key, value, attn_mask, dropout_p, is_causal, scale), None]


@aten("_scaled_dot_product_attention_math")
def by_products(op: Builder, query: Value, key: Value, value: Value, attn_mask: Value | None = None,
                dropout_p: float = 0.0, is_causal: bool = False, dropout_mask: Any = None, scale: float | None = None,
                enable_gqa: bool = False) -> Any:
    return [attention(op, query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa), None]


@aten("_safe_softmax")
def safe_softmax(op: Builder, self: Value, dim: int, dtype: Any = None) -> Any:
    """Zeros where nothing is left to look at."""
    y = softmax(op, self, dim, dtype)
    nothing = op.Equal(op.ReduceMax(self, np.array([dim]), keepdims=1), number(self, -np.inf))
    return op.Where(nothing, number(y, 0), y)


@aten("_masked_softmax")
def masked_softmax(op: Builder, self: Value, mask: Value, dim: int | None = None, mask_type: int | None = None) -> Any:
    """Without those that the mask (0: of steps, 1: of examples, 2: of all) takes out: all that is not zero."""
    mask = cast(op, mask, BOOL)
    if mask_type == 0 and rank(mask) == 2 and rank(self) == 4:
        mask = op.Unsqueeze(mask, np.array([0, 1]))
    elif mask_type == 1 and rank(mask) == 2 and rank(self) == 4:
        mask = op.Unsqueeze(mask, np.array([1, 2]))
    return softmax(op, op.Where(mask, number(self, -np.inf), self), -1 if dim is None else dim)


@aten("_native_multi_head_attention")
def multi_head(op: Builder, query: Value, key: Value, value: Value, embed_dim: int, num_head: int, qkv_weight: Value,
               qkv_bias: Value, proj_weight: Value, proj_bias: Value, mask: Value | None = None,
               need_weights: bool = True, average_attn_weights: bool = True, mask_type: int | None = None) -> Any:
    """nn.MultiheadAttention in one call, batch first; the weights of q, k and v lie one under the other."""
    if key is not query or value is not query:
        raise Unsupported("the fused attention of different tensors")
    each = embed_dim // num_head
    flat = linear(op, query, qkv_weight, qkv_bias)
    parts = op.add("Split", flat, outputs=3, axis=-1, num_outputs=3)
    q, k, v = (op.Transpose(op.Reshape(p, np.array([0, 0, num_head, each])), perm=[0, 2, 1, 3]) for p in parts)
    q = op.Mul(q, number(q, 1 / math.sqrt(each)))
    scores = op.MatMul(q, op.Transpose(k, perm=[0, 1, 3, 2]))
    weights = op.Softmax(scores, axis=-1) if mask is None else masked_softmax(op, scores, mask, -1, mask_type)
    y = op.Reshape(op.Transpose(op.MatMul(weights, v), perm=[0, 2, 1, 3]), np.array([0, 0, embed_dim]))
    y = linear(op, y, proj_weight, proj_bias)
    shown = None
    if need_weights:
        shown = op.ReduceMean(weights, np.array([1]), keepdims=0) if average_attn_weights else weights
    return [y, shown]


@aten("_transformer_encoder_layer_fwd")
def encoder_layer(op: Builder, src: Value, embed_dim: int, num_heads: int, qkv_weight: Value, qkv_bias: Value,
                  proj_weight: Value, proj_bias: Value, use_gelu: bool, norm_first: bool, eps: float,
                  norm_weight_1: Value, norm_bias_1: Value, norm_weight_2: Value, norm_bias_2: Value,
                  ffn_weight_1: Value, ffn_bias_1: Value, ffn_weight_2: Value, ffn_bias_2: Value,
                  mask: Value | None = None, mask_type: int | None = None) -> Any:
    """nn.TransformerEncoderLayer in one call."""
    def first(x: Value) -> Any:
        return layer_norm(op, x, [embed_dim], norm_weight_1, norm_bias_1, eps)

    def second(x: Value) -> Any:
        return layer_norm(op, x, [embed_dim], norm_weight_2, norm_bias_2, eps)

    def attended(x: Value) -> Any:
        return multi_head(op, x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False,
                          True, mask_type)[0]

    def forward(x: Value) -> Any:
        inner = linear(op, x, ffn_weight_1, ffn_bias_1)
        return linear(op, op.Gelu(inner) if use_gelu else op.Relu(inner), ffn_weight_2, ffn_bias_2)
    if norm_first:
        x = op.Add(src, attended(first(src)))
        return op.Add(x, forward(second(x)))
    x = first(op.Add(src, attended(src)))
    return second(op.Add(x, forward(x)))


def _range(op: Builder, count: int | Sym) -> Value:
    if isinstance(count, int):
        return tensor(op, op.Range(np.int64(0), np.int64(count), np.int64(1)))
    made: Value = op.Range(np.int64(0), cast(op, count.value, I64), np.int64(1))
    return made


def _shared(op: Builder, query: Value, x: Value) -> Value:
    """Heads of keys or values, each repeated for the heads of queries that share it."""
    heads, have = size(op, query, -3), size(op, x, -3)
    if not isinstance(heads, int) or not isinstance(have, int):
        raise Unsupported("a number of heads that is known at run time only")
    if heads == have:
        return x
    out: Value = op.Gather(x, np.repeat(np.arange(have), heads // have), axis=rank(x) - 3)
    return out
