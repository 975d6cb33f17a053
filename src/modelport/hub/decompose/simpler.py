"""Operators in simpler ones, where a target lacks them."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float

rules = Rules("the hub", "simpler operators")
"""No rule makes the operator that it is for."""


def _number(dtype: Any) -> int:
    return NUMBER[np.dtype(dtype)]


@rules("CastLike")
def cast_like(op: Builder, x: Value, like: Value, *, saturate: int = 1, round_mode: str = "up") -> Value:
    made: Value = op.Cast(x, to=NUMBER[like.dtype], saturate=saturate, round_mode=round_mode)
    return made


@rules("HardSwish")
def hard_swish(op: Builder, x: Value) -> Value:
    made: Value = op.Mul(x, op.HardSigmoid(x, alpha=1 / 6, beta=0.5))
    return made


@rules("Relu")
def relu(op: Builder, x: Value) -> Value:
    """Of integers."""
    made: Value = op.Max(x, np.zeros((), x.dtype))
    return made


@rules("Trilu")
def trilu(op: Builder, x: Value, k: Value | None = None, *, upper: int = 1) -> Value:
    """Rows and columns are numbered, and the elements on one side of the diagonal kept."""
    n = op.Shape(x)

    def count(axis: int) -> Value:
        last: Value = op.Squeeze(op.Slice(n, np.array([axis]), np.array([axis + 1 or np.iinfo(np.int64).max])),
                                 np.array([0]))
        made: Value = op.Range(np.array(0, np.int64), last, np.array(1, np.int64))
        return made
    offset = op.Sub(count(-1), op.Unsqueeze(count(-2), np.array([1])))
    k = constant(np.array(0, np.int64)) if k is None else op.Reshape(k, np.array([], np.int64))
    keep = op.Not(op.Less(offset, k)) if upper else op.Not(op.Greater(offset, k))
    made: Value = op.Where(keep, x, np.zeros((), x.dtype))
    return made


def _along(op: Builder, v: Value, x: Value, axis: int) -> Value:
    """A parameter for each slice of ``x`` along ``axis``, shaped so that it fits ``x``."""
    if v.rank in (0, None) or v.type.size == 1 or v.rank == x.rank:
        return v
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    axis %= x.rank
    made: Value = op.Unsqueeze(v, np.array([k for k in range(x.rank) if k != axis])) if x.rank > 1 else v
    return made


def _blocks(op: Builder, v: Value | None, x: Value, axis: int, block_size: int) -> Value | None:
    """Parameters of blocks, each repeated for the elements of its block."""
    if v is None or not block_size:
        return v
    length = None if x.shape is None else x.shape[axis]
    if not isinstance(length, int) or x.rank is None:
        raise Unsupported("blocks along an unknown length")
    index = np.arange(length, dtype=np.int64) // block_size
    made: Value = op.Gather(v, index, axis=axis)
    return made


@rules("DequantizeLinear")
def dequantize_linear(op: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1,
                      block_size: int = 0, output_dtype: int = 0) -> Value:
    """(x - zero) * scale, in the type of the scale."""
    if is_float(x.dtype) or x.dtype.itemsize > 2 or x.dtype.name.startswith(("int2", "int4", "uint2", "uint4")):
        raise Unsupported(f"element type {x.dtype}")
    wide = _number(np.int32)
    scale, zero = _blocks(op, scale, x, axis, block_size) or scale, _blocks(op, zero, x, axis, block_size)
    y = op.Cast(x, to=wide)
    if zero is not None:
        y = op.Sub(y, _along(op, op.Cast(zero, to=wide), x, axis))
    y = op.Mul(op.Cast(y, to=NUMBER[scale.dtype]), _along(op, scale, x, axis))
    if output_dtype and output_dtype != NUMBER[scale.dtype]:
        raise Unsupported("a result of another type than the scale")
    made: Value = y
    return made


@rules("QuantizeLinear")
def quantize_linear(op: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1,
                    block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = 1) -> Value:
    """x / scale, rounded half to even, plus the zero point, saturated."""
    out = op.out.dtype
    if out.kind not in "iu" or out.itemsize > 2 or precision or x.dtype != np.float32 or scale.dtype != np.float32 \
            or out.name.startswith(("int2", "int4", "uint2", "uint4")):
        raise Unsupported(f"element types {x.dtype} to {out}")
    float_ = _number(np.float32)
    scale, zero = _blocks(op, scale, x, axis, block_size) or scale, _blocks(op, zero, x, axis, block_size)
    y = op.Round(op.Div(x, _along(op, scale, x, axis)))
    if zero is not None:
        y = op.Add(y, _along(op, op.Cast(zero, to=float_), x, axis))
    info = np.iinfo(out)
    y = op.Clip(y, np.array(info.min, np.float32), np.array(info.max, np.float32))
    made: Value = op.Cast(op.Cast(y, to=_number(np.int32)), to=NUMBER[out])
    return made


@rules("Swish")
def swish(op: Builder, x: Value, *, alpha: float = 1.0) -> Value:
    inner = x if alpha == 1 else op.Mul(x, np.array(alpha, x.dtype))
    made: Value = op.Mul(x, op.Sigmoid(inner))
    return made


@rules("Range")
def range_(op: Builder, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Value:
    """``start + i * delta``, half precision in ``stash_type``; the count is the quotient, rounded up, in 64 bits.

    (The function body of the schema is a loop that adds ``delta`` again and again, and rounds as often.)"""
    out, scalar = start.dtype, np.array([], np.int64)
    wide = stash_type if out.name in ("float16", "bfloat16") else NUMBER[out]
    start, limit, delta = (op.Cast(op.Reshape(v, scalar), to=wide) for v in (start, limit, delta))
    turns = op.Ceil(op.Div(*(op.Cast(v, to=_number(np.float64)) for v in (op.Sub(limit, start), delta))))
    count = op.Cast(op.Max(turns, np.array(0.0)), to=_number(np.int64))
    ones = op.Expand(np.array([1], np.int64), op.Reshape(count, np.array([1], np.int64)))
    index = op.Sub(op.CumSum(ones, np.array(0, np.int64)), np.array([1], np.int64))
    made: Value = op.Cast(op.Add(start, op.Mul(op.Cast(index, to=wide), delta)), to=NUMBER[out])
    return made
