"""Attention: of heads, of groups of heads, by product and by addition."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .activation import masked
from .common import BOOL, cast, dims, generation, ints, number, rank, real, reshaped, to_onnx


def _causal(op: Builder, scores: Value) -> Any:
    """Which key each query may see: none that comes later."""
    shape = op.Shape(scores, start=-2)
    ones = op.Expand(constant(np.ones((1, 1), np.float32)), shape)
    return cast(op, op.Trilu(ones, upper=0), BOOL)


def _masked(op: Builder, scores: Value, mask: Value | None, robust: bool = True, scored: bool = False) -> Any:
    """Scores without those that are masked.  Today's layers call a function whose number is larger than that of the
    softmax layer, which they use where scores are asked for and the older generation always."""
    if mask is None:
        return scores
    if generation(op) < 3 or scored:
        return masked(op, scores, mask, added=not robust)
    far = -0.7 * (65500.0 if scores.dtype == np.float16 else 3.38953e38)
    return op.Where(cast(op, mask, BOOL), scores, number(scores, far))


def _both(op: Builder, a: Value | None, b: Value | None) -> Value | None:
    if a is None or b is None:
        return a if b is None else b
    made: Value = op.And(cast(op, a, BOOL), cast(op, b, BOOL))
    return made


def _padding(op: Builder, query_mask: Value | None, value_mask: Value | None, key_mask: Value | None,
             attention_mask: Value | None, window: Any, scores: Value, causal: bool) -> Value | None:
    """All masks as one of ``[batch, heads, queries, keys]`` (axes of one left out in front)."""
    out: Value | None = None
    for mask, axis in ((query_mask, 2), (value_mask, 1), (key_mask, 1)):
        if mask is not None:
            out = _both(op, out, op.Unsqueeze(cast(op, mask, BOOL), ints([axis])))
    if out is not None:
        out = op.Unsqueeze(out, ints([1]))
    if attention_mask is not None:
        m = cast(op, attention_mask, BOOL)
        out = _both(op, out, op.Unsqueeze(m, ints([1])) if rank(m) == 3 else m)
    if window is not None:
        queries = op.Range(np.int64(0), op.Squeeze(op.Shape(scores, start=-2, end=-1)), np.int64(1))
        keys = op.Range(np.int64(0), op.Squeeze(op.Shape(scores, start=-1)), np.int64(1))
        away = op.Abs(op.Sub(op.Unsqueeze(queries, ints([1])), keys))
        out = _both(op, out, op.Less(away, np.int64(window)))
    return _both(op, out, _causal(op, scores)) if causal else out


def _projected(op: Builder, x: Value, kernel: Value, bias: Value | None, heads: int, size: int) -> Any:
    """``[batch, steps, features]`` as ``[batch, heads, steps, size]``."""
    wide = dims(kernel, what="a kernel")[0]
    y = op.MatMul(x, reshaped(op, kernel, [wide, heads * size]))
    if bias is not None:
        y = op.Add(y, reshaped(op, bias, [heads * size]))
    return op.Transpose(op.Reshape(y, ints([0, 0, heads, size])), perm=[0, 2, 1, 3])


def _merged(op: Builder, y: Value, kernel: Value, bias: Value | None, inner: int) -> Any:
    y = op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), ints([0, 0, inner]))
    shape = dims(kernel, what="the output kernel")
    outer = int(np.prod(shape[2:]))
    y = op.MatMul(y, reshaped(op, kernel, [inner, outer]))
    if len(shape) > 3:
        y = op.Reshape(y, ints([0, 0, *shape[2:]]))
    return y if bias is None else op.Add(y, bias)


@to_onnx("MultiHeadAttention")
def multi_head_attention(
        op: Builder, query: Value, value: Value, key: Value | None, query_mask: Value | None, value_mask: Value | None,
        key_mask: Value | None, attention_mask: Value | None, wq: Value, bq: Value | None, wk: Value, bk: Value | None,
        wg: Value | None, bg: Value | None, wv: Value, bv: Value | None, wo: Value, bo: Value | None = None, *,
        num_heads: int, key_dim: int,
        value_dim: int | None = None, use_bias: bool = True, output_shape: Any = None, attention_axes: Any = None,
        sliding_window: Any = None, flash_attention: Any = None, use_gate: bool = False, use_causal_mask: bool = False,
        return_attention_scores: bool = False, query_shape: Any = None, key_shape: Any = None,
        value_shape: Any = None, softmax_robust_masking: Any = None) -> Any:
    key = value if key is None else key
    axes = [attention_axes] if isinstance(attention_axes, int) else attention_axes
    if rank(query) != 3 or (axes is not None and [a % 3 for a in axes] != [1]):
        def mask_of(scores: Value) -> Value | None:
            padded = any(m is not None for m in (query_mask, value_mask, key_mask))
            if padded and attention_mask is not None and rank(attention_mask) > 3:
                raise Unsupported("an attention_mask of more axes than the other masks")
            return _padding(op, query_mask, value_mask, key_mask, attention_mask, sliding_window, scores,
                            use_causal_mask)
        simple = all(m is None for m in (query_mask, value_mask, key_mask, sliding_window)) and not use_causal_mask
        return _over_axes(op, query, value, key, attention_mask, None if simple else mask_of, [wq, wk, wv, wo, wg],
                          [bq, bk, bv, bo, bg], key_dim, axes, softmax_robust_masking)
    q, k, v = (_projected(op, x, w, b, num_heads, dims(w)[2])
               for x, w, b in ((query, wq, bq), (key, wk, bk), (value, wv, bv)))
    scores = op.MatMul(op.Mul(q, number(q, 1 / np.sqrt(key_dim))), op.Transpose(k, perm=[0, 1, 3, 2]))
    mask = _padding(op, query_mask, value_mask, key_mask, attention_mask, sliding_window, scores, use_causal_mask)
    robust = generation(op) == 3 or bool(softmax_robust_masking)
    weights = op.Softmax(_masked(op, scores, mask, robust, return_attention_scores), axis=-1)
    y = op.MatMul(weights, v)
    if wg is not None:
        y = op.Mul(y, op.Sigmoid(_projected(op, query, wg, bg, num_heads, dims(wg)[2])))
    return _merged(op, y, wo, bo, num_heads * dims(wv)[2]), weights


def _over_axes(op: Builder, query: Value, value: Value, key: Value, mask: Value | None,
               more: Callable[[Value], Value | None] | None, kernels: Sequence[Any], biases: Sequence[Value | None],
               size: int, axes: Any, robust: Any) -> Any:
    """Attention along some axes of larger tensors: those axes are brought together, the others belong to the batch."""
    n = rank(query)
    wq, wk, wv, wo, wg = kernels
    bq, bk, bv, bo, bg = biases
    along = list(range(1, n - 1)) if axes is None else sorted(a % n for a in axes)
    apart = [a for a in range(1, n - 1) if a not in along]
    if len(along) > 1 and (more is not None or (mask is not None and (apart or rank(mask) != 1 + 2 * len(along)))):
        raise Unsupported("masks of an attention over several axes, but for an attention_mask of all of them")
    letters = "abcdefghijklmnop"

    def headed(x: Value, w: Value, b: Value | None) -> Any:
        left = letters[:n]
        y = op.Einsum(x, w, equation=f"{left},{left[-1]}yz->{left[:-1]}yz")
        return y if b is None else op.Add(y, b)

    def projected(x: Value, w: Value, b: Value | None) -> Any:
        y = headed(x, w, b)
        # batch, axes apart, heads, axes along as one, size
        return op.Transpose(y, perm=[0, *apart, n - 1, *along, n])

    def joined(y: Value) -> Any:
        head = op.Shape(y, start=0, end=2 + len(apart))
        return op.Reshape(y, op.Concat(head, ints([-1]), op.Shape(y, start=-1), axis=0))
    q4, k4, v4 = projected(query, wq, bq), projected(key, wk, bk), projected(value, wv, bv)
    q, k, v = joined(q4), joined(k4), joined(v4)
    m = 3 + len(apart)
    scores = op.MatMul(op.Mul(q, number(q, 1 / np.sqrt(size))), op.Transpose(k, perm=[*range(m - 1), m, m - 1]))
    flat = mask
    if mask is not None and len(along) > 1:
        flat = op.Reshape(mask, op.Concat(op.Shape(mask, start=0, end=1), ints([1]), op.Shape(scores, start=-2),
                                          axis=0))
    elif mask is not None or more is not None:
        flat = mask if more is None else more(scores)
        assert flat is not None
        while 2 < rank(flat) < m + 1:  # heads, and axes that the mask lacks
            flat = op.Unsqueeze(flat, ints([rank(flat) - 2]))
    scores = _masked(op, scores, flat, generation(op) == 3 or bool(robust), scored=True)
    weights = op.Softmax(scores, axis=-1)
    y = op.MatMul(weights, v)
    apart_and_heads = 2 + len(apart)
    y = op.Reshape(y, op.Concat(op.Shape(q4, start=0, end=apart_and_heads),
                                op.Shape(q4, start=apart_and_heads, end=apart_and_heads + len(along)),
                                op.Shape(y, start=-1), axis=0))
    perm = [0] * (n + 1)
    for at, axis in enumerate([0, *apart, n - 1, *along, n]):
        perm[axis] = at
    y = op.Transpose(y, perm=perm)
    if wg is not None:
        y = op.Mul(y, op.Sigmoid(headed(query, wg, bg)))
    left = letters[:n - 1]
    y = op.Einsum(y, wo, equation=f"{left}yz,yzq->{left}q")
    y = y if bo is None else op.Add(y, bo)
    return y, weights


@to_onnx("GroupQueryAttention")
def group_query_attention(
        op: Builder, query: Value, value: Value, key: Value | None, query_mask: Value | None, value_mask: Value | None,
        key_mask: Value | None, attention_mask: Value | None, wq: Value, bq: Value | None, wk: Value, bk: Value | None,
        wg: Value | None, bg: Value | None, wv: Value, bv: Value | None, wo: Value, bo: Value | None = None, *,
        head_dim: int, num_query_heads: int,
        num_key_value_heads: int, use_bias: bool = True, flash_attention: Any = None, use_gate: bool = False,
        sliding_window: Any = None, use_causal_mask: bool = False, return_attention_scores: bool = False) -> Any:
    key = value if key is None else key
    q = _projected(op, query, wq, bq, num_query_heads, head_dim)
    k, v = (_projected(op, x, w, b, num_key_value_heads, head_dim) for x, w, b in ((key, wk, bk), (value, wv, bv)))
    times = num_query_heads // num_key_value_heads
    if times > 1:
        each = np.repeat(np.arange(num_key_value_heads, dtype=np.int64), times)
        k, v = op.Gather(k, each, axis=1), op.Gather(v, each, axis=1)
    scores = op.MatMul(op.Mul(q, number(q, 1 / np.sqrt(head_dim))), op.Transpose(k, perm=[0, 1, 3, 2]))
    mask = _padding(op, query_mask, value_mask, key_mask, attention_mask, sliding_window, scores, use_causal_mask)
    weights = op.Softmax(_masked(op, scores, mask, scored=return_attention_scores), axis=-1)
    y = op.MatMul(weights, v)
    if wg is not None:
        y = op.Mul(y, op.Sigmoid(_projected(op, query, wg, bg, num_query_heads, head_dim)))
    return _merged(op, y, wo, bo, num_query_heads * head_dim), weights


def _attended(op: Builder, scores: Value, value: Value, query_mask: Value | None, value_mask: Value | None,
              causal: bool) -> Any:
    mask = None if value_mask is None else op.Unsqueeze(cast(op, value_mask, BOOL), ints([1]))
    if causal:
        mask = _both(op, mask, _causal(op, scores))
    if mask is not None:  # lowered rather than replaced, as the layer does
        low = 6.5e4 if scores.dtype == np.float16 else 1e9
        scores = op.Sub(scores, op.Mul(number(scores, low), cast(op, op.Not(mask), scores.dtype)))
    weights = op.Softmax(scores, axis=-1)
    y = op.MatMul(weights, value)
    if query_mask is not None:
        y = op.Where(op.Unsqueeze(cast(op, query_mask, BOOL), ints([rank(query_mask)])), y, number(y, 0))
    return y, weights


@to_onnx("Attention")
def attention(op: Builder, query: Value, value: Value, key: Value | None = None, query_mask: Value | None = None,
              value_mask: Value | None = None, scale: Value | None = None, concat: Value | None = None, *,
              use_scale: bool = False, score_mode: str = "dot", use_causal_mask: bool = False, causal: bool = False,
              return_attention_scores: bool = False) -> Any:
    query, value = real(op, query), real(op, value)
    key = value if key is None else key
    n = rank(key)
    if score_mode == "dot":
        scores = op.MatMul(query, op.Transpose(key, perm=[*range(n - 2), n - 1, n - 2]))
        scores = scores if scale is None else op.Mul(scores, scale)
    elif score_mode == "concat" and concat is not None:
        total = op.Add(op.Unsqueeze(query, ints([n - 1])), op.Unsqueeze(key, ints([n - 2])))
        total = total if scale is None else op.Mul(total, scale)
        scores = op.Mul(op.ReduceSum(op.Tanh(total), ints([n]), keepdims=0), concat)
    else:
        raise Unsupported(f"score_mode {score_mode}")
    return _attended(op, scores, value, query_mask, value_mask, use_causal_mask or causal)


@to_onnx("AdditiveAttention")
def additive_attention(op: Builder, query: Value, value: Value, key: Value | None = None,
                       query_mask: Value | None = None, value_mask: Value | None = None,
                       scale: Value | None = None, *, use_scale: bool = True,
                       use_causal_mask: bool = False, causal: bool = False,
                       return_attention_scores: bool = False, score_mode: str = "dot") -> Any:
    query, value = real(op, query), real(op, value)
    key = value if key is None else key
    n = rank(key)
    total = op.Tanh(op.Add(op.Unsqueeze(query, ints([n - 1])), op.Unsqueeze(key, ints([n - 2]))))
    scores = op.ReduceSum(total if scale is None else op.Mul(total, scale), ints([n]), keepdims=0)
    return _attended(op, scores, value, query_mask, value_mask, use_causal_mask or causal)


@to_onnx("ops.dot_product_attention")
def dot_product_attention(op: Builder, query: Value, key: Value, value: Value, bias: Value | None = None,
                          mask: Value | None = None, *, scale: float | None = None, is_causal: bool = False,
                          flash_attention: Any = None, attn_logits_soft_cap: float | None = None) -> Any:
    """``[batch, steps, heads, size]``; heads of keys may be fewer."""
    size = dims(query, [3])[0]
    q, k, v = (op.Transpose(x, perm=[0, 2, 1, 3]) for x in (query, key, value))
    heads, fewer = dims(query, [2])[0], dims(key, [2])[0]
    if heads != fewer:
        each = np.repeat(np.arange(fewer, dtype=np.int64), heads // fewer)
        k, v = op.Gather(k, each, axis=1), op.Gather(v, each, axis=1)
    scores = op.Mul(op.MatMul(q, op.Transpose(k, perm=[0, 1, 3, 2])), number(q, 1 / np.sqrt(size) if scale is None
                                                                           else scale))
    if attn_logits_soft_cap is not None:
        cap = number(scores, attn_logits_soft_cap)
        scores = op.Mul(op.Tanh(op.Div(scores, cap)), cap)
    scores = scores if bias is None else op.Add(scores, bias)
    mask = _both(op, mask, _causal(op, scores)) if is_causal else mask
    return op.Transpose(op.MatMul(op.Softmax(_masked(op, scores, mask), axis=-1), v), perm=[0, 2, 1, 3])
