"""Comparisons, logic, bits, choices."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import is_float
from ...reading import cast, where
from ..machine import aten
from ..values import BOOL, promoted, result_type, tensor

_I32 = np.dtype(np.int32)


def _ordered(op: Builder, a: Any, b: Any) -> list[Value]:
    """Both in one type that ONNX compares by order."""
    made = promoted(op, a, b)
    return [cast(op, v, _I32) for v in made] if made[0].dtype == BOOL else made


def _comparison(name: str, also: str, onnx: str) -> None:
    @aten(name, also)
    def rule(op: Builder, self: Any, other: Any) -> Any:
        return getattr(op, onnx)(*_ordered(op, self, other))


for _name, _also, _onnx in (("lt", "less", "Less"), ("le", "less_equal", "LessOrEqual"), ("gt", "greater", "Greater"),
                            ("ge", "greater_equal", "GreaterOrEqual")):
    _comparison(_name, _also, _onnx)


@aten("eq", "__eq__")
def eq(op: Builder, self: Any, other: Any) -> Any:
    return op.Equal(*promoted(op, self, other))


@aten("ne", "not_equal")
def ne(op: Builder, self: Any, other: Any) -> Any:
    return op.Not(eq(op, self, other))


def truth(op: Builder, x: Any) -> Value:
    """Whether it is not zero."""
    return cast(op, tensor(op, x), BOOL)


@aten("logical_not")
def logical_not(op: Builder, self: Value) -> Any:
    return op.Not(truth(op, self))


@aten("logical_and")
def logical_and(op: Builder, self: Value, other: Value) -> Any:
    return op.And(truth(op, self), truth(op, other))


@aten("logical_or")
def logical_or(op: Builder, self: Value, other: Value) -> Any:
    return op.Or(truth(op, self), truth(op, other))


@aten("logical_xor")
def logical_xor(op: Builder, self: Value, other: Value) -> Any:
    return op.Xor(truth(op, self), truth(op, other))


def _bits(names: tuple[str, ...], logic: str, bits: str) -> None:
    @aten(*names)
    def rule(op: Builder, self: Any, other: Any) -> Any:
        a, b = promoted(op, self, other)
        return getattr(op, logic if a.dtype == BOOL else bits)(a, b)


_bits(("bitwise_and", "__and__"), "And", "BitwiseAnd")
_bits(("bitwise_or", "__or__"), "Or", "BitwiseOr")
_bits(("bitwise_xor", "__xor__"), "Xor", "BitwiseXor")


@aten("bitwise_not")
def bitwise_not(op: Builder, self: Value) -> Any:
    return op.Not(self) if self.dtype == BOOL else op.BitwiseNot(self)


@aten("bitwise_left_shift", "__lshift__")
def left_shift(op: Builder, self: Any, other: Any) -> Any:
    a, b = promoted(op, self, other)
    return op.Mul(a, op.Pow(np.asarray(2, a.dtype), b))


@aten("bitwise_right_shift", "__rshift__")
def right_shift(op: Builder, self: Any, other: Any) -> Any:
    """Rounded down, as shifting a negative number is."""
    a, b = promoted(op, self, other)
    by = op.Pow(np.asarray(2, a.dtype), b)
    return op.Div(op.Sub(a, op.Mod(a, by)), by)


@aten("where", "where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar")
def where_(op: Builder, condition: Value, self: Any = None, other: Any = None) -> Any:
    if self is None:
        raise Unsupported("where with a condition alone: its result has a size of its own")
    to = result_type(self, other)
    return where(op, truth(op, condition), tensor(op, self, to), tensor(op, other, to))


@aten("masked_fill", "masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(op: Builder, self: Value, mask: Value, value: Any) -> Any:
    return where(op, truth(op, mask), tensor(op, value, self.dtype), self)


@aten("isnan")
def isnan(op: Builder, self: Value) -> Any:
    return op.IsNaN(self) if is_float(self.dtype) else _none(op, self)


@aten("isinf")
def isinf(op: Builder, self: Value) -> Any:
    return op.IsInf(self) if is_float(self.dtype) else _none(op, self)


@aten("isfinite")
def isfinite(op: Builder, self: Value) -> Any:
    return op.Not(op.Or(isnan(op, self), isinf(op, self)))


def _none(op: Builder, x: Value) -> Value:
    out: Value = op.Not(op.Equal(x, x))
    return out


@aten("isclose")
def isclose(op: Builder, self: Value, other: Value, rtol: float = 1e-5, atol: float = 1e-8,
            equal_nan: bool = False) -> Any:
    if equal_nan:
        raise Unsupported("equal_nan")
    a, b = promoted(op, self, other, real=True)
    allowed = op.Add(op.Mul(op.Abs(b), np.asarray(rtol, a.dtype)), np.asarray(atol, a.dtype))
    return op.Or(op.Equal(a, b), op.And(op.Not(op.IsInf(b)), op.LessOrEqual(op.Abs(op.Sub(a, b)), allowed)))
