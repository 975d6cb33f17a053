"""Integers bit by bit."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DTYPE, Type
from .common import BOOL, I32, I64, NONE, U8, cast, from_onnx, ints, room, together

_U32 = np.dtype("u4")


def bits(tfl: Builder, x: Value, dtype: Any) -> Value:
    """The same bits as elements of another type: one for one, several of a narrower type along a new last axis."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.shape is None:
        raise Unsupported("the rank of an input is not known")
    many, one = x.dtype.itemsize, dtype.itemsize
    shape = x.shape if many == one else (*x.shape, many // one) if many > one else x.shape[:-1]
    if x.data is not None:
        sizes = [d for d in shape if isinstance(d, int)]
        return constant(np.ascontiguousarray(x.numpy()).reshape(-1).view(dtype).reshape(sizes), name=x.name)
    made: Value = tfl.BITCAST(x, type=Type(dtype, shape))
    return made


@from_onnx("BitCast")
def bit_cast(tfl: Builder, x: Value, *, to: int) -> Any:
    target = DTYPE[to]
    if x.dtype == BOOL:
        x = cast(tfl, x, U8)
    if target == BOOL and x.dtype.itemsize == 1:
        return tfl.NOT_EQUAL(cast(tfl, x, I32), constant(0, I32))
    if {x.dtype.kind, target.kind} - set("fiu") or x.dtype.itemsize != target.itemsize:
        raise Unsupported(f"the bits of {x.dtype} as {target}: half precision and doubles are carried in 32 bits")
    return bits(tfl, x, target)


@from_onnx("BitwiseNot", "BitwiseXor")
def exclusive_or(tfl: Builder, a: Value, b: Value | None = None) -> Any:
    b = constant(~np.zeros((), a.dtype)) if b is None else b
    a, b = together(tfl, [a, b], "i1 u1 i2 u2 i4 u4 i8 u8")
    if a.dtype.itemsize < 8:
        return tfl.BITWISE_XOR(a, b)
    return bits(tfl, tfl.BITWISE_XOR(bits(tfl, a, I32), bits(tfl, b, I32)), a.dtype)


@from_onnx("BitwiseAnd", "BitwiseOr")
def both(tfl: Builder, a: Value, b: Value) -> Any:
    """``a + b = (a ^ b) + 2 (a & b)``, on 16 bits at a time, computed in 32."""
    assert tfl.node is not None
    a, b = together(tfl, [a, b], "i1 u1 i2 u2 i4 u4 i8 u8")
    whole = a.dtype
    if whole.itemsize > 2:
        a, b = bits(tfl, a, "i2"), bits(tfl, b, "i2")
    part = a.dtype
    a, b = cast(tfl, a, I32), cast(tfl, b, I32)
    other = tfl.BITWISE_XOR(a, b)
    y = tfl.RIGHT_SHIFT(tfl.SUB(tfl.ADD(a, b, **NONE), other, **NONE), ints([1]))
    if tfl.node.op == "BitwiseOr":
        y = tfl.ADD(y, other, **NONE)
    return bits(tfl, cast(tfl, y, part), whole)


_INTEGERS = "i1 u1 i2 u2 i4 u4 i8 u8"


@from_onnx("BitShift")
def shift(tfl: Builder, x: Value, by: Value, *, direction: str) -> Any:
    """By a negative number or by all bits and more, a shift leaves what the sign bit fills in."""
    x, by = together(tfl, room(tfl, [x, by]), _INTEGERS)
    size, signed = 8 * x.dtype.itemsize, x.dtype.kind == "i"
    if size == 64:  # what 32 bits do not hold is too far in any case
        by = tfl.MAXIMUM(tfl.MINIMUM(bits(tfl, by, I64), constant(64, I64)), constant(-1, I64))
    by = cast(tfl, by, I32)
    by = tfl.SELECT_V2(tfl.LESS(by, constant(0, I32)), constant(size, I32), tfl.MINIMUM(by, constant(size, I32)))
    if direction == "LEFT":
        wide = I64 if size == 64 else I32
        y = tfl.MUL(_bits_or_cast(tfl, x, wide), _power(tfl, by, size, wide), **NONE)
        return _bits_or_cast(tfl, y, x.dtype)
    most = tfl.MINIMUM(by, constant(size - 1, I32))
    y = _right_64(tfl, x, most, signed) if size == 64 else tfl.RIGHT_SHIFT(x, cast(tfl, most, x.dtype))
    return y if signed else tfl.SELECT_V2(tfl.EQUAL(by, constant(size, I32)), constant(0, x.dtype), y)


def _bits_or_cast(tfl: Builder, x: Value, dtype: Any) -> Value:
    return bits(tfl, x, dtype) if x.dtype.itemsize == np.dtype(dtype).itemsize else cast(tfl, x, dtype)


def _power(tfl: Builder, exponent: Value, size: int, dtype: Any) -> Value:
    """Two to the power of ``exponent`` out of a table; zero for ``size``."""
    table = np.array([1 << k for k in range(size)] + [0], np.uint64).astype(dtype)
    made: Value = tfl.GATHER(constant(table), exponent, axis=0, batch_dims=0)
    return made


def _right_64(tfl: Builder, x: Value, by: Value, signed: bool) -> Value:
    """A shift of 64-bit integers by 0 to 63 to the right, in halves: the lower one lies first."""
    halves = bits(tfl, x, I32)
    low, high = (tfl.GATHER(halves, constant(k, I32), axis=len(halves.shape or ()) - 1, batch_dims=0) for k in (0, 1))

    def right(half: Value, k: Value, signed: bool) -> Value:
        if signed:
            made: Value = tfl.RIGHT_SHIFT(half, k)
            return made
        return bits(tfl, tfl.RIGHT_SHIFT(bits(tfl, half, _U32), cast(tfl, k, _U32)), I32)
    near = tfl.LESS(by, constant(32, I32))
    few = tfl.MINIMUM(by, constant(31, I32))
    many = tfl.MAXIMUM(tfl.SUB(by, constant(32, I32), **NONE), constant(0, I32))
    carried = tfl.MUL(high, _power(tfl, tfl.SUB(constant(32, I32), few, **NONE), 32, I32), **NONE)
    below = tfl.SELECT_V2(near, tfl.ADD(right(low, few, False), carried, **NONE), right(high, many, signed))
    fill = tfl.RIGHT_SHIFT(high, ints([31])) if signed else constant(0, I32)
    above = tfl.SELECT_V2(near, right(high, few, signed), fill)
    return bits(tfl, tfl.PACK(below, above, values_count=2, axis=len(halves.shape or ()) - 1), x.dtype)
