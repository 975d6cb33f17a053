"""Hub nodes that an older operator set lacks, in other hub operators or in the same one used otherwise."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import decompose
from ....ir.graph import Value
from ....ir.rules import Builder, Rules, static
from ....ir.types import NUMBER, is_float

rules = Rules("the hub", "older ONNX operators")
rules.update(decompose.rules)
for _op in ("RNN", "GRU", "LSTM"):  # every operator set has them: see batch_first
    del rules[_op]
_stable = rules.pop("ReduceLogSumExp")
_INT32, _UINT8, _BOOL = (NUMBER[np.dtype(t)] for t in (np.int32, np.uint8, np.bool_))


@rules("ReduceLogSumExp")
def log_sum_exp(op: Builder, x: Value, axes: Value | None = None, **attrs: Any) -> Value:
    """Axes that are only known at run time are those of ReduceSum alone, as the function body has it."""
    if axes is not None and axes.data is None:
        raise Unsupported("axes that are only known at run time")
    made: Value = _stable(op, x, axes, **attrs)
    return made


@rules("Shape")
def shape(op: Builder, x: Value, *, start: int = 0, end: int | None = None) -> Value:
    far = np.iinfo(np.int64).max if end is None else end
    made: Value = op.Slice(op.Shape(x), np.array([start], np.int64), np.array([far], np.int64))
    return made


@rules("Add", "Sub", "Mul", "Div")
def small_integers(op: Builder, a: Value, b: Value) -> Value:
    """8 and 16 bits, where the operator set computes 32 and 64 only: the low bits are the same."""
    assert op.node is not None
    if a.dtype.kind not in "iu" or a.dtype.itemsize > 2:
        raise Unsupported(f"element type {a.dtype}")
    made: Value = op.Cast(op.add(op.node.op, op.Cast(a, to=_INT32), op.Cast(b, to=_INT32)), to=NUMBER[a.dtype])
    return made


@rules("ReduceMax", "ReduceMin")
def reduce_bool(op: Builder, x: Value, axes: Value | None = None, **attrs: Any) -> Value:
    assert op.node is not None
    if x.dtype != np.bool_:
        raise Unsupported(f"element type {x.dtype}")
    made: Value = op.Cast(op.add(op.node.op, op.Cast(x, to=_UINT8), axes, **attrs), to=_BOOL)
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
