"""Elementwise arithmetic, comparison and logic."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DTYPE, STRING
from ...writing import INT32, rank
from .common import BOOL, F32, I32, I64, NONE, carry, cast, from_onnx, room, together
from .integer import bits

BINARY: dict[str, tuple[str, str]] = {
    "Add": ("ADD", "f4 i4 i8"), "Sub": ("SUB", "f4 i4 i8"), "Mul": ("MUL", "f4 i4 i8"), "Div": ("DIV", "f4 i4"),
    "Less": ("LESS", "f4 i4 i8"),
    "LessOrEqual": ("LESS_EQUAL", "f4 i4 i8"), "Greater": ("GREATER", "f4 i4 i8"),
    "GreaterOrEqual": ("GREATER_EQUAL", "f4 i4 i8"), "And": ("LOGICAL_AND", "?"), "Or": ("LOGICAL_OR", "?"),
    "Xor": ("NOT_EQUAL", "?")}
"""ONNX operator: the builtin operator and the element types that its kernel computes.

Narrower integers are computed in wider ones and cast back, which wraps around.  (The kernels of 8-bit integers want
scales and die without.)"""
_FUSED = frozenset({"ADD", "SUB", "MUL", "DIV"})
_RANKS = 6  # what every broadcasting kernel takes; of one shape they take any


def checked(values: list[Value]) -> list[Value]:
    """Inputs of an elementwise kernel, if it broadcasts over so many axes."""
    n = max(rank(v) for v in values)
    if n > _RANKS and len({v.shape for v in values if v.type.size != 1}) > 1:
        raise Unsupported(f"broadcasting over {n} axes")
    return values


def _binary(name: str, kinds: str) -> Callable[..., Any]:
    def rule(tfl: Builder, a: Value, b: Value) -> Any:
        a, b = checked(together(tfl, room(tfl, [a, b]), kinds))
        options: dict[str, Any] = dict(NONE) if name in _FUSED else {}
        return tfl.add(name, a, b, **options)
    return rule


for _op, (_name, _kinds) in BINARY.items():
    from_onnx(_op)(_binary(_name, _kinds))

UNARY: dict[str, tuple[str, str]] = {
    "Abs": ("ABS", "f4 i4"), "Ceil": ("CEIL", "f4"), "Cos": ("COS", "f4"), "Exp": ("EXP", "f4"),
    "Floor": ("FLOOR", "f4"), "Log": ("LOG", "f4"), "Neg": ("NEG", "f4 i4 i8"), "Not": ("LOGICAL_NOT", "?"),
    "Round": ("ROUND", "f4"), "Sign": ("SIGN", "f4 i4"), "Sin": ("SIN", "f4"), "Sqrt": ("SQRT", "f4")}


def _unary(name: str, kinds: str) -> Callable[..., Any]:
    def rule(tfl: Builder, x: Value) -> Any:
        return tfl.add(name, carry(tfl, room(tfl, [x])[0], kinds))
    return rule


for _op, (_name, _kinds) in UNARY.items():
    from_onnx(_op)(_unary(_name, _kinds))


@from_onnx("Reciprocal")
def reciprocal(tfl: Builder, x: Value) -> Any:
    return tfl.DIV(constant(1, F32), carry(tfl, x, "f4"), **NONE)


@from_onnx("Atan")
def atan(tfl: Builder, x: Value) -> Any:
    """The angle of (1, x); the kernel does not broadcast, and the minimum and maximum of a number with one is one."""
    x, one = carry(tfl, x, "f4"), constant(1, F32)
    ones = tfl.MAXIMUM(tfl.MINIMUM(x, one), one) if not x.type.static else constant(np.ones(x.shape or (), F32))
    return tfl.ATAN2(x, ones)


@from_onnx("Pow")
def power(tfl: Builder, a: Value, b: Value) -> Any:
    """Of real numbers, or with an exponent that is one: ONNX casts the result to the type of the base."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        raise Unsupported("integers to the power of integers")
    a, b = checked([_real(tfl, v) for v in (a, b)])
    return tfl.POW(a, b)


@from_onnx("Mod")
def modulo(tfl: Builder, a: Value, b: Value, *, fmod: int = 0) -> Any:
    """The kernel's remainder has the sign of the divisor, that of ``fmod`` the sign of the dividend."""
    if a.dtype == b.dtype == I32 and ranges.of(a)[0] <= INT32[0] and ranges.of(b)[0] <= -1 <= ranges.of(b)[1]:
        a, b = cast(tfl, a, I64), cast(tfl, b, I64)  # the least number modulo -1 kills the process
    a, b = checked(together(tfl, [a, b], "f4 i4 i8"))
    if not fmod:
        return tfl.FLOOR_MOD(a, b)
    if a.dtype == F32:
        r = tfl.FLOOR_MOD(tfl.ABS(a), tfl.ABS(b))
        return tfl.SELECT_V2(tfl.LESS(a, constant(0, F32)), tfl.NEG(r), r)
    r = tfl.FLOOR_MOD(a, b)
    zero = constant(0, a.dtype)
    below = constant(b.numpy() < 0) if b.data is not None else tfl.LESS(b, zero)
    other = tfl.LOGICAL_AND(tfl.NOT_EQUAL(r, zero), tfl.NOT_EQUAL(tfl.LESS(a, zero), below))
    return tfl.SELECT_V2(other, tfl.SUB(r, b, **NONE), r)


@from_onnx("Max", "Min")
def maximum(tfl: Builder, *values: Value) -> Any:
    """Constants come first: the kernel gives back its second input where one of the two is no number."""
    assert tfl.node is not None
    name = "MAXIMUM" if tfl.node.op == "Max" else "MINIMUM"
    same = checked(together(tfl, values, "f4 i4 i8"))
    first, *others = sorted(same, key=lambda v: v.data is None)
    for v in others:
        first = tfl.add(name, first, v)
    return first


@from_onnx("Where")
def where(tfl: Builder, condition: Value, x: Value, y: Value) -> Any:
    x, y = together(tfl, [x, y], "f4 i4 i8 ? i1 u1 i2 u2 u4 u8")
    checked([condition, x, y])
    return tfl.SELECT_V2(condition, x, y)


@from_onnx("IsNaN")
def is_nan(tfl: Builder, x: Value) -> Any:
    x = carry(tfl, x, "f4")
    return tfl.NOT_EQUAL(x, x)


@from_onnx("IsInf")
def is_inf(tfl: Builder, x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    x = carry(tfl, x, "f4")
    if not detect_negative and not detect_positive:
        return tfl.LESS(tfl.ABS(x), constant(0, F32))
    return _infinite(tfl, tfl.ABS(x) if detect_negative and detect_positive else x, bool(detect_positive))


def _infinite(tfl: Builder, x: Value, positive: bool) -> Any:
    """Whether elements are infinite.

    Without XNNPACK the kernels of ADD, SUB, MUL and DIV end at the largest finite number: where a mask of infinities
    has come through them, that one counts as infinite too."""
    end = np.finfo(F32).max if _masked(x) else np.inf
    return tfl.GREATER_EQUAL(x, constant(end, F32)) if positive else tfl.LESS_EQUAL(x, constant(-end, F32))


def _masked(x: Value, depth: int = 8) -> bool:
    """Whether ``x`` is computed from a constant that is infinite somewhere."""
    if x.data is not None:
        return x.dtype == F32 and (x.type.size or 0) <= 1 << 16 and bool(np.isinf(x.numpy()).any())
    return x.node is not None and depth > 0 and any(_masked(v, depth - 1) for v in x.node.inputs if v is not None)


@from_onnx("Equal")
def equal(tfl: Builder, a: Value, b: Value) -> Any:
    if a.dtype == b.dtype == STRING:
        return tfl.EQUAL(*checked([a, b]))
    a, b = checked(together(tfl, [a, b], "f4 i4 i8 ?"))
    for x, limit in ((a, b), (b, a)):
        if limit.data is not None and limit.dtype == F32 and limit.type.size == 1 and np.isinf(limit.numpy()).all() \
                and (limit.rank or 0) <= rank(x):
            return _infinite(tfl, x, bool(limit.numpy().reshape(()) > 0))
    return tfl.EQUAL(a, b)


@from_onnx("Cast")
def cast_(tfl: Builder, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    """The kernel cuts fractions off, wraps integers around, and gives the nearest number that there is to others.

    It knows all types but unsigned 64-bit integers, whose bits are those of signed ones."""
    target = DTYPE[to]
    if x.dtype.name not in _PLAIN or target.name not in _PLAIN:
        raise Unsupported(f"a cast from {x.dtype} to {target}")
    if target == BOOL and x.dtype != BOOL:
        x = bits(tfl, x, I64) if x.dtype == _U64 else carry(tfl, x, "f4 i4 i8")
        return tfl.NOT_EQUAL(x, constant(0, x.dtype))
    if x.dtype == _U64 != target:
        return _real(tfl, x) if target.kind not in "iu" else cast(tfl, bits(tfl, x, I64), tfl.out.dtype)
    if target == _U64 != x.dtype:
        if x.dtype.kind != "f":
            return bits(tfl, cast(tfl, x, I64), _U64)
        half = constant(2.0 ** 63, F32)
        high = tfl.GREATER_EQUAL(x, half)
        low = cast(tfl, tfl.SELECT_V2(high, tfl.SUB(x, half, **NONE), x), I64)
        return bits(tfl, tfl.ADD(low, tfl.SELECT_V2(high, constant(-(1 << 63), I64), constant(0, I64)), **NONE), _U64)
    return cast(tfl, x, tfl.out.dtype)


def _real(tfl: Builder, x: Value) -> Value:
    """``x`` as float32."""
    if x.dtype != _U64:
        return cast(tfl, x, F32)
    signed = bits(tfl, x, I64)
    over = tfl.SELECT_V2(tfl.LESS(signed, constant(0, I64)), constant(2.0 ** 64, F32), constant(0, F32))
    made: Value = tfl.ADD(cast(tfl, signed, F32), over, **NONE)
    return made


_U64 = np.dtype("u8")
_PLAIN = frozenset("bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64".split())


@from_onnx("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
def random(tfl: Builder, *values: Value, **attrs: Any) -> Any:
    raise Unsupported("random numbers")


@from_onnx("StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch")
def text(tfl: Builder, *values: Value, **attrs: Any) -> Any:
    raise Unsupported("text, which no builtin operator changes")
