"""Elementwise arithmetic, comparison and logic."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.types import DTYPE, STRING, is_float
from .common import (
    BOOL,
    F32,
    F64,
    FLOATS,
    I32,
    I64,
    INTS,
    NUMBERS,
    TF,
    carry,
    cast,
    from_onnx,
    kinds_of,
    room,
    together,
)

BINARY: dict[str, tuple[str, str]] = {
    "Add": ("AddV2", NUMBERS), "Sub": ("Sub", NUMBERS), "Mul": ("Mul", NUMBERS), "Less": ("Less", NUMBERS),
    "LessOrEqual": ("LessEqual", NUMBERS), "Greater": ("Greater", NUMBERS), "GreaterOrEqual": ("GreaterEqual", NUMBERS),
    "And": ("LogicalAnd", "?"), "Or": ("LogicalOr", "?"), "Xor": ("NotEqual", "?")}
"""ONNX operator: TensorFlow's, and the element types that its kernel computes."""
_RANKS = 8  # over which kernels broadcast; of one shape they take any


def checked(values: list[Value]) -> list[Value]:
    """Inputs of an elementwise kernel, if it broadcasts over so many axes."""
    ranks = [v.rank for v in values]
    if any(r is None for r in ranks):
        raise Unsupported("the rank of an input is not known")
    n = max(r for r in ranks if r is not None)
    if n > _RANKS and len({v.shape for v in values if v.type.size != 1}) > 1:
        raise Unsupported(f"broadcasting over {n} axes")
    return values


def _binary(name: str, kinds: str) -> Callable[..., Any]:
    def rule(tf: TF, a: Value, b: Value) -> Any:
        return tf.add(name, *checked(together(tf, room(tf, [a, b]), kinds)))
    return rule


for _op, (_name, _kinds) in BINARY.items():
    from_onnx(_op)(_binary(_name, _kinds))

UNARY: dict[str, tuple[str, str]] = {
    "Ceil": ("Ceil", FLOATS), "Floor": ("Floor", FLOATS), "Round": ("Round", FLOATS), "Not": ("LogicalNot", "?"),
    "Neg": ("Neg", f"{FLOATS} i4 i8 i1 i2"), "Sign": ("Sign", f"{FLOATS} i4 i8 i1 i2"),
    **{k: (k, FLOATS) for k in ("Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Exp Log Reciprocal Sin Sinh Softplus "
                                "Sqrt Tan").split()}}
"""Round is half to even."""


def _unary(name: str, kinds: str) -> Callable[..., Any]:
    def rule(tf: TF, x: Value) -> Any:
        return tf.add(name, carry(tf, room(tf, [x])[0], kinds))
    return rule


for _op, (_name, _kinds) in UNARY.items():
    from_onnx(_op)(_unary(_name, _kinds))


@from_onnx("Abs")
def absolute(tf: TF, x: Value) -> Any:
    return x if x.dtype.kind == "u" else tf.Abs(carry(tf, room(tf, [x])[0], f"{FLOATS} i4 i8 i1 i2"))


@from_onnx("Div")
def divide(tf: TF, a: Value, b: Value) -> Any:
    """Integers towards zero."""
    a, b = checked(together(tf, room(tf, [a, b]), NUMBERS))
    if is_float(a.dtype):
        return tf.RealDiv(a, b)
    if tf.has("TruncateDiv"):
        return tf.TruncateDiv(a, b)
    down, zero = tf.FloorDiv(a, b), constant(0, a.dtype)
    left = tf.NotEqual(tf.Mul(down, b), a)
    other = tf.NotEqual(tf.Less(a, zero), tf.Less(b, zero))
    return tf.SelectV2(tf.LogicalAnd(left, other), tf.AddV2(down, constant(1, a.dtype)), down)


@from_onnx("Pow")
def power(tf: TF, a: Value, b: Value) -> Any:
    """Of real numbers, or with an exponent that is one: ONNX casts the result to the type of the base."""
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        raise Unsupported("integers to the power of integers")
    if is_float(a.dtype):
        wide = F64 if F64 in (a.dtype, b.dtype) else a.dtype
    else:
        wide = F64 if tf.dialect.holds(F64) else F32
    a, b = checked([carry(tf, cast(tf, v, wide), FLOATS) for v in (a, b)])
    return tf.Pow(a, b)


@from_onnx("Mod")
def modulo(tf: TF, a: Value, b: Value, *, fmod: int = 0) -> Any:
    """The remainder has the sign of the divisor, that of ``fmod`` the sign of the dividend."""
    a, b = checked(together(tf, [a, b], NUMBERS))
    if not fmod and (not is_float(a.dtype) or tf.has("TruncateMod")):
        return tf.FloorMod(a, b)
    if tf.has("TruncateMod") and a.dtype in (F32, F64, I32, I64):
        return tf.TruncateMod(a, b)
    if a.dtype.kind == "u":
        return tf.FloorMod(a, b)
    zero = constant(0, a.dtype)
    if is_float(a.dtype):
        r = tf.FloorMod(tf.Abs(a), tf.Abs(b))
        r = tf.SelectV2(tf.Less(a, zero), tf.Neg(r), r)
        if fmod:
            return r
        other = tf.LogicalAnd(tf.NotEqual(r, zero), tf.NotEqual(tf.Less(a, zero), tf.Less(b, zero)))
        return tf.SelectV2(other, tf.AddV2(r, b), r)
    r = tf.FloorMod(a, b)
    other = tf.LogicalAnd(tf.NotEqual(r, zero), tf.NotEqual(tf.Less(a, zero), tf.Less(b, zero)))
    return tf.SelectV2(other, tf.Sub(r, b), r)


@from_onnx("Max", "Min")
def maximum(tf: TF, *values: Value) -> Any:
    assert tf.node is not None
    name = "Maximum" if tf.node.op == "Max" else "Minimum"
    first, *others = checked(together(tf, values, NUMBERS))
    for v in others:
        first = tf.add(name, first, v)
    return first


@from_onnx("Where")
def where(tf: TF, condition: Value, x: Value, y: Value) -> Any:
    x, y = together(tf, [x, y], f"{NUMBERS} ? O")
    return tf.SelectV2(*checked([condition, x, y]))


@from_onnx("IsNaN")
def is_nan(tf: TF, x: Value) -> Any:
    return tf.IsNan(carry(tf, x, FLOATS))


@from_onnx("IsInf")
def is_inf(tf: TF, x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    x = carry(tf, x, FLOATS)
    if detect_negative and detect_positive:
        return tf.IsInf(x)
    if not detect_negative and not detect_positive:
        return tf.Less(tf.Abs(x), constant(0, x.dtype))
    end = constant(np.array(np.inf if detect_positive else -np.inf).astype(x.dtype))
    return tf.Equal(x, end)


@from_onnx("Equal")
def equal(tf: TF, a: Value, b: Value) -> Any:
    if a.dtype == b.dtype == STRING:
        return tf.Equal(*checked([a, b]))
    return tf.Equal(*checked(together(tf, [a, b], f"{NUMBERS} ?")))


_PLAIN = kinds_of(f"{NUMBERS} ?")


@from_onnx("Cast")
def cast_(tf: TF, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    """The kernel cuts fractions off, wraps integers around, and gives the nearest number that there is to others."""
    target = DTYPE[to]
    if x.dtype == target:
        return x
    if target == STRING and x.dtype.kind in "iu":
        return tf.AsString(carry(tf, x, INTS))
    if x.dtype not in _PLAIN or target not in _PLAIN:
        raise Unsupported(f"a cast from {x.dtype} to {target}")
    if target == BOOL:
        return tf.NotEqual(carry(tf, x, NUMBERS), constant(0, x.dtype))
    if target.kind not in "iu" or target.itemsize > 2:
        return cast(tf, x, tf.out.dtype)
    whole = cast(tf, x, I32) if is_float(x.dtype) else x  # ONNX Runtime wraps around where the kernel's result is open
    return cast(tf, whole, target) if tf.dialect.holds(target) else _wrapped(tf, cast(tf, whole, I32), target)


def _wrapped(tf: TF, x: Value, target: Any) -> Value:
    """Integers of 32 bits as those of fewer would have them."""
    low, high = int(np.iinfo(target).min), int(np.iinfo(target).max)
    if ranges.fits(x, (low, high)):
        return x
    span, least = constant(high - low + 1, I32), constant(low, I32)
    made: Value = tf.AddV2(tf.FloorMod(tf.Sub(x, least), span), least) if low else tf.FloorMod(x, span)
    return made


@from_onnx("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
def random(tf: TF, *values: Value, **attrs: Any) -> Any:
    raise Unsupported("random numbers")
