"""Arithmetic of integers that the kernels do not compute as they stand.

Unsigned 64-bit integers are computed by their bits as signed ones: sums, differences and products are the same, and
order is kept if the highest bit is flipped."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import NUMBER
from .table import rules

_I64, _U64, _F32 = (NUMBER[np.dtype(t)] for t in ("i8", "u8", "f4"))
_LEAST = np.array(np.iinfo(np.int64).min)


def _signed(op: Builder, *values: Value) -> list[Value]:
    if any(v.dtype != np.uint64 for v in values):
        raise Unsupported(f"element type {values[0].dtype}")
    return [op.BitCast(v, to=_I64) for v in values]


def _same_bits(name: str) -> Callable[..., Value]:
    def rule(op: Builder, a: Value, b: Value) -> Value:
        made: Value = op.BitCast(op.add(name, *_signed(op, a, b)), to=_U64)
        return made
    return rule


def _order(name: str) -> Callable[..., Value]:
    def rule(op: Builder, a: Value, b: Value) -> Value:
        made: Value = op.add(name, *(op.Add(v, _LEAST) for v in _signed(op, a, b)))
        return made
    return rule


for _name in ("Add", "Sub", "Mul"):
    rules(_name)(_same_bits(_name))
for _name in ("Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
    rules(_name)(_order(_name))


@rules("Equal")
def equal(op: Builder, a: Value, b: Value) -> Value:
    made: Value = op.Equal(*_signed(op, a, b))
    return made


@rules("Max", "Min")
def extreme(op: Builder, *values: Value) -> Value:
    assert op.node is not None
    flipped = [op.Add(v, _LEAST) for v in _signed(op, *values)]
    made: Value = op.BitCast(op.Sub(op.add(op.node.op, *flipped), _LEAST), to=_U64)
    return made


@rules("Div")
def quotient(op: Builder, a: Value, b: Value) -> Any:
    """Of 64-bit integers, towards zero.

    What the division leaves is taken away first.  Then each round divides in float32 what the rounds before left, and
    reduces it by a factor of 2^-22 at least: the third is below 2^24 and comes out exactly."""
    if a.dtype == np.uint32:
        wide = op.Div(op.Cast(a, to=_I64), op.Cast(b, to=_I64))
        return op.Cast(wide, to=NUMBER[a.dtype])
    if a.dtype != np.int64:
        raise Unsupported(f"division of {a.dtype}")
    rest = op.Sub(a, op.Mod(a, b, fmod=1))
    real = op.Cast(b, to=_F32)
    total: Any = None
    for k in range(3):
        part = op.Cast(op.Round(op.Div(op.Cast(rest, to=_F32), real)), to=_I64)
        total = part if total is None else op.Add(total, part)
        rest = op.Sub(rest, op.Mul(part, b)) if k < 2 else rest
    return total


@rules("Abs")
def absolute(op: Builder, x: Value) -> Any:
    if x.dtype.kind == "u":
        return op.Identity(x)
    if x.dtype != np.int64:
        raise Unsupported(f"element type {x.dtype}")
    return op.Max(x, op.Neg(x))


@rules("Sign")
def sign(op: Builder, x: Value) -> Any:
    zero, to = np.zeros((), x.dtype), NUMBER[x.dtype]
    if x.dtype.kind == "u":
        return op.Cast(op.Not(op.Equal(x, zero)), to=to)
    if x.dtype != np.int64:
        raise Unsupported(f"element type {x.dtype}")
    return op.Sub(op.Cast(op.Greater(x, zero), to=to), op.Cast(op.Less(x, zero), to=to))


@rules("Pow")
def power(op: Builder, a: Value, b: Value) -> Value:
    """An integer to the power of an integer, by the binary digits of the exponent.

    Beyond 63 only powers of 0, 1 and -1 do not overflow, for which the lowest digits of the exponent decide."""
    if a.dtype.kind not in "iu" or b.dtype.kind not in "iu":
        raise Unsupported(f"element types {a.dtype} and {b.dtype}")
    number = NUMBER[a.dtype]
    one, two, zero = (np.array(k, np.int64) for k in (1, 2, 0))
    size = op.Cast(b, to=NUMBER[np.dtype(np.int64)])
    negative = op.Less(size, zero)
    size = op.Abs(size)
    size = op.Where(op.Greater(size, np.array(63, np.int64)), op.Add(np.array(62, np.int64), op.Mod(size, two)), size)
    made: Any = np.array(1, a.dtype)
    square = a
    for k in range(6):
        digit = op.Equal(op.Mod(op.Div(size, np.array(1 << k, np.int64)) if k else size, two), one)
        made = op.Mul(made, op.Where(digit, square, np.array(1, a.dtype)))
        square = op.Mul(square, square) if k < 5 else square
    if b.dtype.kind == "i":
        unit = op.Equal(op.Abs(op.Cast(a, to=NUMBER[np.dtype(np.int64)])), one)
        made = op.Where(op.And(negative, op.Not(unit)), np.array(0, a.dtype), made)
    whole: Value = op.Cast(made, to=number)
    return whole
