"""Attention: products, a softmax, and masks that never meet arithmetic with infinities, which some kernels clamp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER
from .eager import eager, i64, size

rules = Rules("the hub", "simpler operators")
BOOL, F32 = np.dtype(np.bool_), np.dtype(np.float32)


def heads(op: Builder, x: Value, number: int | None) -> Value:
    """(batch, length, heads * size) as (batch, heads, length, size)."""
    if x.rank == 4:
        return x
    if x.rank != 3 or not number:
        raise Unsupported("a number of heads that is not stated")
    shape = eager(op).Concat(eager(op).Shape(x, end=2), i64(number, -1), axis=0)
    made: Value = op.Transpose(op.Reshape(x, shape), perm=[0, 2, 1, 3])
    return made


def _index(op: Builder, count: Value) -> Value:
    made: Value = eager(op).Range(np.array(0, np.int64), eager(op).Squeeze(count, i64(0)), np.array(1, np.int64))
    return made


def _both(op: Builder, a: Value | None, b: Value) -> Value:
    return b if a is None else eager(op).And(a, b)


def _allowed(op: Builder, rows: Value, columns: Value, past: Value | None, nonpad: Value | None, causal: int, left: int,
             right: int) -> Value | None:
    """Which keys a query may see by its place: (queries, keys), or with the batch and an axis of heads before.

    (ONNX operator Attention: query i stands at i plus the number of keys before all queries.)"""
    quick = eager(op)
    j, found = _index(op, columns), None
    if causal or left >= 0 or right >= 0:
        place = quick.Unsqueeze(_index(op, rows), i64(1))
        if past is not None:
            place = quick.Add(place, size(quick, past, 2))
        elif nonpad is not None:
            ahead = quick.Sub(nonpad, rows)
            place = quick.Add(place, quick.Reshape(ahead, i64(-1, 1, 1, 1)))
        far = quick.Sub(place, j)
        if causal:
            found = _both(op, found, quick.Not(quick.Less(far, i64(0))))
        if left >= 0:
            found = _both(op, found, quick.Not(quick.Greater(far, i64(left))))
        if right >= 0:
            found = _both(op, found, quick.Not(quick.Less(far, i64(-right))))
    if nonpad is not None:
        found = _both(op, found, quick.Less(j, quick.Reshape(nonpad, i64(-1, 1, 1, 1))))
    return found


def _padded(op: Builder, mask: Value, columns: Value) -> tuple[Value, Value | None]:
    """A mask as long as the keys, and which of its columns are its own, where some are not."""
    quick = eager(op)
    own = size(quick, mask, (mask.rank or 1) - 1)
    same = mask.shape is not None and own.elements is not None and own.elements == columns.elements
    if same or (own.data is not None and columns.data is not None and own.numpy() == columns.numpy()):
        return mask, None
    if own.data is not None and int(own.numpy()[0]) == 1:
        return mask, None
    more = quick.Concat(i64(0), quick.Sub(columns, own), axis=0)
    zero = np.zeros((), mask.dtype)
    kind = mask.dtype == BOOL
    wide = op.Cast(mask, to=NUMBER[F32]) if kind else mask
    wide = op.Pad(wide, more, np.zeros((), wide.dtype), i64((mask.rank or 1) - 1))
    if kind:
        return op.Greater(wide, np.float32(zero)), None
    return wide, quick.Less(_index(op, columns), own)


@rules("Attention")
def attention(op: Builder, q: Value, k: Value, v: Value, mask: Value | None = None, past_key: Value | None = None,
              past_value: Value | None = None, nonpad: Value | None = None, *, is_causal: int = 0,
              kv_num_heads: int | None = None, q_num_heads: int | None = None, qk_matmul_output_mode: int = 0,
              scale: float | None = None, softcap: float = 0.0, softmax_precision: int = 0,
              left_window_size: int = -1, right_window_size: int = -1) -> Any:
    assert op.node is not None
    quick, flat, kind, outputs = eager(op), q.rank == 3, q.dtype, op.node.outputs
    q, k, v = heads(op, q, q_num_heads), heads(op, k, kv_num_heads), heads(op, v, kv_num_heads)
    if past_key is not None and past_value is not None:
        k, v = op.Concat(past_key, k, axis=2), op.Concat(past_value, v, axis=2)
    many, few = (None if t.shape is None else t.shape[1] for t in (q, k))
    width = None if q.shape is None else q.shape[3]
    if not isinstance(many, int) or not isinstance(few, int) or not few or many % few:
        raise Unsupported(f"{many} heads of queries for {few} of keys")
    if scale is None and not isinstance(width, int):
        raise Unsupported("heads of a size that is only known at run time")
    factor = scale if scale is not None else 1 / np.sqrt(width or 1)
    rows, columns, batch = size(quick, q, 2), size(quick, k, 2), size(quick, q, 0)
    group = many // few
    y = op.Mul(q, np.array(factor, kind))
    if group > 1:  # the queries of one head of keys as rows of one product
        y = op.Reshape(y, quick.Concat(batch, i64(few, -1), size(quick, q, 3), axis=0))
    y = op.MatMul(y, op.Transpose(k, perm=[0, 1, 3, 2]))

    def grouped(t: Value, back: bool) -> Value:
        if group == 1:
            return t
        return op.Reshape(t, quick.Concat(batch, i64(few, -1) if back else quick.Concat(i64(many), rows, axis=0),
                                          size(quick, t, 3), axis=0))
    y = grouped(y, False)
    seen = [y]
    if softcap:
        y = op.Mul(op.Tanh(op.Div(y, np.array(softcap, kind))), np.array(softcap, kind))
    seen.append(y)
    allowed = _allowed(op, rows, columns, past_key, nonpad, is_causal, left_window_size, right_window_size)
    empty = nonpad is not None or left_window_size >= 0 or right_window_size >= 0  # rows may be without keys
    added: Value | None = None
    if mask is not None:
        mask, own = _padded(op, mask, columns)
        empty, allowed = True, allowed if own is None else _both(op, allowed, own)
        if mask.dtype == BOOL:
            allowed = _both(op, allowed, mask)
        else:
            added = mask
            y = op.Add(y, mask if mask.dtype == kind else op.Cast(mask, to=NUMBER[kind]))
    if allowed is not None:
        y = op.Where(allowed, y, np.array(-np.inf, kind))
    seen.append(y)
    if softmax_precision and softmax_precision != NUMBER[kind]:
        y = op.Cast(op.Softmax(op.Cast(y, to=softmax_precision), axis=-1), to=NUMBER[kind])
    else:
        y = op.Softmax(y, axis=-1)
    some = _some(op, allowed, added) if empty else None
    zero = np.zeros((), kind)
    if some is not None and len(outputs) > 3 and qk_matmul_output_mode == 3:
        y = op.Where(some, y, zero)
    seen.append(y)
    y = grouped(op.MatMul(grouped(y, True), v), False)
    if some is not None:  # a row that sees nothing is zero; its softmax was no number
        y = op.Where(some, y, zero)
    if flat:
        y = op.Transpose(y, perm=[0, 2, 1, 3])
        y = op.Reshape(y, quick.Concat(batch, rows, i64(-1), axis=0))
    return (y, k, v, seen[qk_matmul_output_mode])[:len(outputs)]


def _some(op: Builder, allowed: Value | None, added: Value | None) -> Value | None:
    """Whether a row sees any key; ``None`` if every row is known to."""
    quick = eager(op)
    low = np.float32(-np.inf)
    if added is not None:
        value = quick.Cast(added, to=NUMBER[F32])
        value = value if allowed is None else quick.Where(allowed, value, low)
    elif allowed is not None:
        value = quick.Where(allowed, np.float32(0), low)
    else:
        return None
    found: Value = quick.Greater(quick.ReduceMax(value, i64(-1), keepdims=1), low)
    return None if found.data is not None and found.numpy().all() else found
