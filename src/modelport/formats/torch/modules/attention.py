"""torch.nn's attention and transformers.  Source: torch/nn/modules/activation.py, transformer.py, and
torch.nn.functional.multi_head_attention_forward."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import Unsupported
from ..machine import Box
from .run import Run, forward
from .tree import Module

_NEGATIVE = float("-inf")


def _additive(run: Run, mask: Any) -> Any:
    """A mask of truth values, where True is what must not be seen, as numbers that are added."""
    if isinstance(mask, Box) and mask.value.dtype == np.bool_:
        zero = run.call("to", mask, np.dtype(np.float32))
        return run.call("masked_fill", run.call("mul", zero, 0.0), mask, _NEGATIVE)
    return mask


@forward("torch.nn.MultiheadAttention")
def multihead(run: Run, m: Module, query: Any, key: Any, value: Any, key_padding_mask: Any = None,
              need_weights: bool = True, attn_mask: Any = None, average_attn_weights: bool = True,
              is_causal: bool = False) -> Any:
    """The output, and the weights averaged over the heads, which cost nothing where nobody uses them."""
    if m.get("bias_k") is not None or m.get("add_zero_attn", False):
        raise Unsupported("attention with a key that is added (add_bias_kv, add_zero_attn)", m.node)
    first, alone = bool(m.get("batch_first", False)), run.rank(query) == 2
    same = (key is query, value is key)
    if alone or not first:  # to [batch, sequence, width]
        def moved(x: Any) -> Any:
            return run.call("unsqueeze", x, 0) if alone else run.call("transpose", x, 0, 1)
        query = moved(query)
        key = query if same[0] else moved(key)
        value = key if same[1] else moved(value)
    heads, width = m.num_heads, m.embed_dim
    bias = m.get("in_proj_bias")
    packed = m.get("in_proj_weight")
    if packed is not None:
        w = run.call("chunk", packed, 3, 0)
    else:
        w = [m.q_proj_weight, m.k_proj_weight, m.v_proj_weight]
    b = run.call("chunk", bias, 3, 0) if bias is not None else [None] * 3
    q, k, v = (_heads(run, run.call("linear", x, w[n], b[n]), heads) for n, x in enumerate((query, key, value)))
    q = run.call("mul", q, 1 / math.sqrt(width // heads))
    scores = run.call("matmul", q, run.call("transpose", k, -2, -1))
    for mask, own in ((attn_mask, False), (key_padding_mask, True)):
        if mask is None:
            continue
        mask = _additive(run, mask)
        if own:  # [batch, sequence] of the keys
            mask = run.call("unsqueeze", run.call("unsqueeze", run.call("unsqueeze", mask, 0) if alone else mask, 1), 1)
        elif run.rank(mask) == 3:  # [batch * heads, queries, keys]
            mask = run.call("reshape", mask, [-1, heads, run.size(mask, 1), run.size(mask, 2)])
        scores = run.call("add", scores, mask)
    weights = run.call("softmax", scores, -1)
    y = run.call("flatten", run.call("transpose", run.call("matmul", weights, v), 1, 2), 2)
    y = run.call("linear", y, m.out_proj.weight, m.out_proj.get("bias"))
    if alone:
        y = run.call("squeeze", y, 0)
    elif not first:
        y = run.call("transpose", y, 0, 1)
    if not need_weights:
        return y, None
    seen = run.call("mean", weights, [1]) if average_attn_weights else weights
    return y, run.call("squeeze", seen, 0) if alone else seen


def _heads(run: Run, x: Any, heads: int) -> Any:
    return run.call("transpose", run.call("unflatten", x, 2, [heads, -1]), 1, 2)


def _activation(run: Run, m: Module, x: Any) -> Any:
    f = m.get("activation")
    return run.call("relu", x) if f is None else run.function(f, x)


def _feed_forward(run: Run, m: Module, x: Any) -> Any:
    return run(m.linear2, _activation(run, m, run(m.linear1, x)))


def _residual(run: Run, norm: Any, before: bool, x: Any, f: Any) -> Any:
    return run.call("add", x, f(run(norm, x))) if before else run(norm, run.call("add", x, f(x)))


@forward("torch.nn.TransformerEncoderLayer")
def encoder_layer(run: Run, m: Module, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None,
                  is_causal: bool = False) -> Any:
    before = bool(m.get("norm_first", False))

    def attend(x: Any) -> Any:
        return run(m.self_attn, x, x, x, src_key_padding_mask, False, src_mask)[0]
    x = _residual(run, m.norm1, before, src, attend)
    return _residual(run, m.norm2, before, x, lambda x: _feed_forward(run, m, x))


@forward("torch.nn.TransformerDecoderLayer")
def decoder_layer(run: Run, m: Module, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
                  tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None, tgt_is_causal: bool = False,
                  memory_is_causal: bool = False) -> Any:
    before = bool(m.get("norm_first", False))

    def attend(x: Any) -> Any:
        return run(m.self_attn, x, x, x, tgt_key_padding_mask, False, tgt_mask)[0]

    def look(x: Any) -> Any:
        return run(m.multihead_attn, x, memory, memory, memory_key_padding_mask, False, memory_mask)[0]
    x = _residual(run, m.norm1, before, tgt, attend)
    x = _residual(run, m.norm2, before, x, look)
    return _residual(run, m.norm3, before, x, lambda x: _feed_forward(run, m, x))


@forward("torch.nn.TransformerEncoder")
def encoder(run: Run, m: Module, src: Any, mask: Any = None, src_key_padding_mask: Any = None,
            is_causal: Any = None) -> Any:
    x = src
    for layer in m.layers.parts():
        x = run(layer, x, mask, src_key_padding_mask)
    return x if m.get("norm") is None else run(m.norm, x)


@forward("torch.nn.TransformerDecoder")
def decoder(run: Run, m: Module, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None,
            tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None, tgt_is_causal: Any = None,
            memory_is_causal: bool = False) -> Any:
    x = tgt
    for layer in m.layers.parts():
        x = run(layer, x, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
    return x if m.get("norm") is None else run(m.norm, x)


@forward("torch.nn.Transformer")
def transformer(run: Run, m: Module, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None,
                memory_mask: Any = None, src_key_padding_mask: Any = None, tgt_key_padding_mask: Any = None,
                memory_key_padding_mask: Any = None, **causal: Any) -> Any:
    memory = run(m.encoder, src, src_mask, src_key_padding_mask)
    return run(m.decoder, tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
