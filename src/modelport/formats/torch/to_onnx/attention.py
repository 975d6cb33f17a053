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
from .math import number


@aten("scaled_dot_product_attention")
def attention(op: Builder, query: Value, key: Value, value: Value, attn_mask: Value | None = None,
              dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
              enable_gqa: bool = False) -> Any:
    """softmax(q k^T * scale + mask) v over the last two axes."""
    if dropout_p:
        raise Unsupported("attention with dropout as in training")
    width = size(op, query, -1)
    if isinstance(width, Sym):
        raise Unsupported("attention over vectors whose length is known at run time only")
    factor = 1 / math.sqrt(width) if scale is None else scale
    if enable_gqa:
        key, value = (_shared(op, query, x) for x in (key, value))
    n = rank(key)
    turned = op.Transpose(key, perm=[*range(n - 2), n - 1, n - 2])
    root = number(query, math.sqrt(factor)) if factor > 0 else None
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
