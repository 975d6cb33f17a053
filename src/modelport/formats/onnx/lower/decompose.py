"""Hub nodes that an older operator set lacks, in other hub operators."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, Rules, static
from ....ir.types import NUMBER, is_float

rules = Rules("the hub", "older ONNX operators")
Ints = tuple[int, ...]


def _number(dtype: Any) -> int:
    return NUMBER[np.dtype(dtype)]


@rules("Shape")
def shape(op: Builder, x: Value, *, start: int = 0, end: int | None = None) -> Value:
    far = np.iinfo(np.int64).max if end is None else end
    made: Value = op.Slice(op.Shape(x), np.array([start], np.int64), np.array([far], np.int64))
    return made


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


@rules("Add", "Sub", "Mul", "Div")
def small_integers(op: Builder, a: Value, b: Value) -> Value:
    """8 and 16 bits, where the operator set computes 32 and 64 only: the low bits are the same."""
    assert op.node is not None
    if a.dtype.kind not in "iu" or a.dtype.itemsize > 2:
        raise Unsupported(f"element type {a.dtype}")
    wide = _number(np.int32)
    made: Value = op.Cast(op.add(op.node.op, op.Cast(a, to=wide), op.Cast(b, to=wide)), to=NUMBER[a.dtype])
    return made


@rules("ReduceMax", "ReduceMin")
def reduce_bool(op: Builder, x: Value, axes: Value | None = None, **attrs: Any) -> Value:
    assert op.node is not None
    if x.dtype != np.bool_:
        raise Unsupported(f"element type {x.dtype}")
    made: Value = op.Cast(op.add(op.node.op, op.Cast(x, to=_number(np.uint8)), axes, **attrs), to=_number(bool))
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


@rules("Pad")
def pad(op: Builder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Value:
    """Pads of some axes put in their places among zeros; wrapped, the far end before the near one and after it."""
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    if mode != "wrap":
        at = np.array([int(a) % x.rank for a in static(axes, "the axes")], np.int64)
        whole = op.ScatterElements(np.zeros(2 * x.rank, np.int64), np.concatenate([at, at + x.rank]), pads)
        made: Value = op.Pad(x, whole, value, mode=mode)
        return made
    return _wrap(op, x, pads, axes)


def _wrap(op: Builder, x: Value, pads: Value, axes: Value | None) -> Value:
    assert x.rank is not None
    amounts = static(pads, "the pads").reshape(2, -1)
    at = range(x.rank) if axes is None else [int(a) % x.rank for a in static(axes, "the axes")]
    y = x
    for a, before, after in zip(at, amounts[0], amounts[1], strict=True):
        before, after = int(before), int(after)
        n = None if x.shape is None else x.shape[a]
        if not isinstance(n, int) or before < 0 or after < 0 or max(before, after) > n:
            raise Unsupported("more than one turn around, or of an unknown length")
        ends = [op.Slice(y, np.array([n - before]), np.array([n]), np.array([a]))] if before else []
        ends.append(y)
        if after:
            ends.append(op.Slice(y, np.array([0]), np.array([after]), np.array([a])))
        y = op.Concat(*ends, axis=a) if len(ends) > 1 else y
    return y


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
    """Half precision, computed in ``stash_type``."""
    if start.dtype.name not in ("float16", "bfloat16"):
        raise Unsupported(f"element type {start.dtype}")
    made: Value = op.Cast(op.Range(*(op.Cast(v, to=stash_type) for v in (start, limit, delta))),
                          to=NUMBER[start.dtype])
    return made


@rules("RNN", "GRU", "LSTM")
def batch_first(op: Builder, x: Value, w: Value, r: Value, b: Value | None = None, lengths: Value | None = None,
                h: Value | None = None, c: Value | None = None, p: Value | None = None, *, layout: int = 0,
                **attrs: Any) -> Any:
    """``layout`` 1: the batch first, in inputs and outputs."""
    assert op.node is not None
    if not layout:
        raise Unsupported(f"element type {x.dtype}")

    def first(v: Value | None) -> Value | None:
        return None if v is None else op.Transpose(v, perm=(1, 0, 2))
    y, *last = op.add(op.node.op, first(x), w, r, b, lengths, first(h), first(c), p,
                      outputs=max(2, len(op.node.outputs)), **attrs)
    return op.Transpose(y, perm=(2, 0, 1, 3)), *(first(v) for v in last)


@rules("Mod")
def mod(op: Builder, a: Value, b: Value, *, fmod: int = 0) -> Value:
    """Of floats, as operator set 28 defines it: the remainder of C, moved by ``b`` where it has the other sign.

    ``a - floor(a / b) * b`` would be the same but for infinities and what the division rounds away."""
    if fmod or not is_float(a.dtype):
        raise Unsupported(f"element type {a.dtype}")
    zero = np.zeros((), a.dtype)
    rest = op.Mod(a, b, fmod=1)
    other = op.And(op.Not(op.Equal(rest, zero)), op.Xor(op.Less(rest, zero), op.Less(b, zero)))
    made: Value = op.Where(other, op.Add(rest, b), rest)
    return made
