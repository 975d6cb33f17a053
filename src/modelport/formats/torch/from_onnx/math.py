"""Elementwise arithmetic, comparison and logic."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import DTYPE, Type
from .common import BOOL, FLOATS, I64, INTS, NUMERIC, U8, At, cast, from_onnx, held, scalar

UNARY: dict[str, tuple[str, Any]] = {
    "Abs": ("abs", NUMERIC), "Neg": ("neg", NUMERIC), "Sign": ("sign", NUMERIC), "Not": ("logical_not", {BOOL}),
    "BitwiseNot": ("bitwise_not", INTS | {BOOL}), "IsNaN": ("isnan", NUMERIC),
    **{k: (k.lower(), FLOATS) for k in ("Ceil Floor Round Exp Log Sqrt Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh "
                                        "Asinh Acosh Atanh Erf Tanh Sigmoid Relu Mish").split()},
    "HardSwish": ("hardswish", FLOATS)}
"""ONNX operator: ATen's, and the element types that its kernel computes.  Round is half to even on both sides."""


def _unary(name: str, kinds: Any) -> Callable[..., Any]:
    def rule(at: At, x: Value) -> Any:
        held([x], kinds)
        return at(name, x, type=Type(BOOL, x.shape) if name == "isnan" else x.type)
    return rule


for _op, (_name, _kinds) in UNARY.items():
    if _op != "Relu":
        from_onnx(_op)(_unary(_name, frozenset(_kinds)))


@from_onnx("Relu")
def relu(at: At, x: Value) -> Any:
    held([x])
    return at.relu(x, type=x.type)


ARITHMETIC = {"Add": "add", "Sub": "sub", "Mul": "mul"}
COMPARE = {"Equal": "eq", "Less": "lt", "LessOrEqual": "le", "Greater": "gt", "GreaterOrEqual": "ge"}


@from_onnx(*ARITHMETIC)
def arithmetic(at: At, a: Value, b: Value) -> Any:
    """A constant of one element is written as a number."""
    assert at.node is not None
    held([a, b])
    name = f"{ARITHMETIC[at.node.op]}.Tensor"
    if name != "sub.Tensor" and scalar(b, a) is None and scalar(a, b) is not None:
        a, b = b, a
    if (k := scalar(b, a)) is not None and _kept(k):
        return at(name, a, k, type=at.out)
    if name == "sub.Tensor" and (k := scalar(a, b)) is not None and _kept(k):
        return at("rsub.Scalar", b, k, type=at.out)
    return at(name, a, b, type=at.out)


def _kept(k: Any) -> bool:
    """Numbers that a file can say."""
    return not isinstance(k, float) or bool(np.isfinite(k))


@from_onnx("Div")
def div(at: At, a: Value, b: Value) -> Any:
    held([a, b])
    other = k if (k := scalar(b, a)) is not None and k != 0 and _kept(k) else b
    if a.dtype in INTS:
        return at("div.Tensor_mode", a, other, rounding_mode="trunc", type=at.out)
    if (k := scalar(a, b)) == 1.0:
        return at.reciprocal(b, type=at.out)
    return at("div.Tensor", a, b if isinstance(other, float) else other, type=at.out)


@from_onnx("Mod")
def mod(at: At, a: Value, b: Value, *, fmod: int = 0) -> Any:
    held([a, b])
    return at("fmod.Tensor" if fmod else "remainder.Tensor", a, b, type=at.out)


@from_onnx("Pow")
def pow_(at: At, a: Value, b: Value) -> Any:
    """The type is that of the base, whatever the exponent's."""
    held([a, b])
    k = scalar(b, a)
    if a.dtype in FLOATS:
        if k is not None and _kept(float(k)):
            return at("pow.Tensor_Scalar", a, int(k) if float(k).is_integer() else float(k), type=at.out)
        return at("pow.Tensor_Tensor", a, cast(at, b, a.dtype), type=at.out)
    if b.dtype in INTS and k is not None and 0 <= k < 64:
        return at("pow.Tensor_Scalar", a, int(k), type=at.out)
    if b.dtype in INTS and ((b.data is not None and (b.numpy() >= 0).all()) or b.dtype == U8):
        return at("pow.Tensor_Tensor", a, cast(at, b, a.dtype), type=at.out)
    wide = at("pow.Tensor_Tensor", cast(at, a, np.float64), cast(at, b, np.float64), type=Type(np.dtype("f8"),
                                                                                          at.out.shape))
    if a.dtype == I64:
        raise Unsupported("integers of 64 bits to a power that is only known at run time")
    return cast(at, cast(at, wide, I64), a.dtype)


@from_onnx(*COMPARE)
def compare(at: At, a: Value, b: Value) -> Any:
    assert at.node is not None
    held([a, b], NUMERIC | {BOOL})
    name = COMPARE[at.node.op]
    if a.dtype in NUMERIC and (k := scalar(b, a)) is not None and _kept(k):
        return at(f"{name}.Scalar", a, k, type=at.out)
    return at(f"{name}.Tensor", a, b, type=at.out)


@from_onnx("And", "Or", "Xor")
def logic(at: At, a: Value, b: Value) -> Any:
    assert at.node is not None
    held([a, b], frozenset({BOOL}))
    return at(f"logical_{at.node.op.lower()}", a, b, type=at.out)


@from_onnx("BitwiseAnd", "BitwiseOr", "BitwiseXor")
def bitwise(at: At, a: Value, b: Value) -> Any:
    assert at.node is not None
    held([a, b], INTS)
    return at(f"bitwise_{at.node.op.removeprefix('Bitwise').lower()}.Tensor", a, b, type=at.out)


@from_onnx("BitShift")
def shift(at: At, x: Value, by: Value, *, direction: str) -> Any:
    """By all bits and more nothing is left, which the kernel leaves open."""
    held([x, by], INTS)
    bits = 8 * x.dtype.itemsize
    name = f"bitwise_{direction.lower()}_shift.Tensor"
    if by.data is not None and ((by.numpy() >= 0) & (by.numpy() < bits)).all():
        return at(name, x, by, type=at.out)
    far = at("ge.Scalar", by, bits, type=Type(BOOL, by.shape))
    if by.dtype != U8:
        far = at.logical_or(far, at("lt.Scalar", by, 0, type=far.type), type=far.type)
    if direction == "RIGHT" and x.dtype != U8:  # the sign is left
        return at(name, x, at("where.self", far, constant(bits - 1, by.dtype), by, type=by.type), type=at.out)
    near = at(name, x, at("where.self", far, constant(0, by.dtype), by, type=by.type), type=at.out)
    return at("where.self", far, constant(0, x.dtype), near, type=at.out)


@from_onnx("Max", "Min")
def extreme(at: At, *values: Value) -> Any:
    """Not a number if one of them is."""
    assert at.node is not None
    held(values)
    name = "maximum" if at.node.op == "Max" else "minimum"
    out = values[0]
    for v in values[1:]:
        k = scalar(v, out)
        if k is not None and _kept(k) and out.dtype == v.dtype:
            out = at("clamp_min" if name == "maximum" else "clamp_max", out, k, type=out.type)
        else:
            out = at(name, out, v)
    return out


@from_onnx("Where")
def where(at: At, c: Value, a: Value, b: Value) -> Any:
    held([a, b], NUMERIC | {BOOL})
    for x, other, name in ((a, b, "where.ScalarOther"), (b, a, "where.ScalarSelf")):
        k = scalar(other, x)
        if k is not None and _kept(k) and x.data is None and not isinstance(k, bool):
            return at(name, c, x, k, type=at.out) if x is a else at(name, c, k, x, type=at.out)
    return at("where.self", c, a, b, type=at.out)


@from_onnx("IsInf")
def is_inf(at: At, x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    held([x], FLOATS)
    if not detect_negative and not detect_positive:
        return at("lt.Tensor", x, x, type=at.out)
    if detect_negative and detect_positive:
        return at.isinf(x, type=at.out)
    return at("eq.Tensor", x, constant(np.inf if detect_positive else -np.inf, x.dtype), type=at.out)


_LARGEST = {"float8_e4m3fn": 448.0, "float8_e5m2": 57344.0, "float8_e4m3fnuz": 240.0, "float8_e5m2fnuz": 57344.0}


@from_onnx("Cast")
def cast_(at: At, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    target = DTYPE[to]
    kinds = NUMERIC | {BOOL} | {np.dtype(getattr(ml_dtypes, k)) for k in _LARGEST} | set(map(np.dtype, ("u2", "u4",
                                                                                                     "u8")))
    held([x], kinds)
    if target not in kinds:
        raise Unsupported(f"element type {target}")
    if target.name in _LARGEST:
        most = _LARGEST[target.name]
        x = x if x.dtype in FLOATS else cast(at, x, np.float32)
        if not saturate and target.name == "float8_e4m3fn":
            raise Unsupported(f"{target} without saturation, which PyTorch rounds otherwise")
        if saturate:
            x = at.clamp(x, -most, most, type=x.type)
    if x.dtype.name in _LARGEST and target not in FLOATS:
        x = cast(at, x, np.float32)
    if x.dtype in FLOATS and target == BOOL:
        return at("ne.Scalar", x, 0.0, type=at.out)
    return at("to.dtype", x, target, type=Type(target, x.shape))


@from_onnx("BitCast")
def bit_cast(at: At, x: Value, *, to: int) -> Any:
    target = DTYPE[to]
    kinds = NUMERIC | {BOOL}
    held([x], kinds)
    if target not in kinds or target.itemsize != x.dtype.itemsize:
        raise Unsupported(f"the bits of {x.dtype} as {target}")
    if target == BOOL:
        return at("ne.Scalar", x, 0, type=at.out)
    return at("view.dtype", x, target, type=Type(target, x.shape))


@from_onnx("Det")
def det(at: At, x: Value) -> Any:
    held([x], frozenset({np.dtype("f4"), np.dtype("f8")}))
    return at.linalg_det(x, type=at.out)
