"""Elementwise arithmetic, comparison and logic."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DTYPE
from .common import BOOL, F32, I32, NONE, carry, cast, from_onnx, rank, together

BINARY: dict[str, tuple[str, str]] = {
    "Add": ("ADD", "f4 i4 i8"), "Sub": ("SUB", "f4 i4 i8"), "Mul": ("MUL", "f4 i4 i8"), "Div": ("DIV", "f4 i4"),
    "Pow": ("POW", "f4"), "Equal": ("EQUAL", "f4 i4 i8 ?"), "Less": ("LESS", "f4 i4 i8"),
    "LessOrEqual": ("LESS_EQUAL", "f4 i4 i8"), "Greater": ("GREATER", "f4 i4 i8"),
    "GreaterOrEqual": ("GREATER_EQUAL", "f4 i4 i8"), "And": ("LOGICAL_AND", "?"), "Or": ("LOGICAL_OR", "?"),
    "Xor": ("NOT_EQUAL", "?")}
"""ONNX operator: the builtin operator and the element types that its kernel computes."""
_FUSED = frozenset({"ADD", "SUB", "MUL", "DIV"})
_RANKS = 4  # what every broadcasting kernel takes


def _binary(name: str, kinds: str) -> Callable[..., Any]:
    def rule(tfl: Builder, a: Value, b: Value) -> Any:
        a, b = together(tfl, [a, b], kinds)
        if max(rank(a), rank(b)) > _RANKS and a.shape != b.shape:
            raise Unsupported(f"broadcasting over {max(rank(a), rank(b))} axes")
        return tfl.add(name, a, b, **(NONE if name in _FUSED else {}))
    return rule


for _op, (_name, _kinds) in BINARY.items():
    from_onnx(_op)(_binary(_name, _kinds))

UNARY: dict[str, tuple[str, str]] = {
    "Abs": ("ABS", "f4 i4"), "Ceil": ("CEIL", "f4"), "Cos": ("COS", "f4"), "Exp": ("EXP", "f4"),
    "Floor": ("FLOOR", "f4"), "Log": ("LOG", "f4"), "Neg": ("NEG", "f4 i4"), "Not": ("LOGICAL_NOT", "?"),
    "Round": ("ROUND", "f4"), "Sign": ("SIGN", "f4 i4"), "Sin": ("SIN", "f4"), "Sqrt": ("SQRT", "f4")}


def _unary(name: str, kinds: str) -> Callable[..., Any]:
    def rule(tfl: Builder, x: Value) -> Any:
        return tfl.add(name, carry(tfl, x, kinds))
    return rule


for _op, (_name, _kinds) in UNARY.items():
    from_onnx(_op)(_unary(_name, _kinds))


@from_onnx("Reciprocal")
def reciprocal(tfl: Builder, x: Value) -> Any:
    return tfl.DIV(constant(1, F32), x, **NONE)


@from_onnx("Max", "Min")
def maximum(tfl: Builder, *values: Value) -> Any:
    assert tfl.node is not None
    name = "MAXIMUM" if tfl.node.op == "Max" else "MINIMUM"
    same = together(tfl, values, "f4 i4 i8")
    made = same[0]
    for v in same[1:]:
        made = tfl.add(name, made, v)
    return made


@from_onnx("Where")
def where(tfl: Builder, condition: Value, x: Value, y: Value) -> Any:
    x, y = together(tfl, [x, y], "f4 i4 i8 ? i1 u1 i2")
    return tfl.SELECT_V2(condition, x, y)


@from_onnx("Cast")
def cast_(tfl: Builder, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    target = DTYPE[to]
    if x.dtype.kind not in "fiub" or target.kind not in "fiub":
        raise Unsupported(f"a cast from {x.dtype} to {target}")
    if target == BOOL and x.dtype != BOOL:
        return tfl.NOT_EQUAL(carry(tfl, x, "f4 i4 i8"), constant(0, x.dtype if x.dtype in (F32, I32) else None))
    return cast(tfl, x, tfl.out.dtype)
