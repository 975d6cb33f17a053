"""Symbolic shapes (placeholder while being written)."""
from __future__ import annotations
from collections.abc import Mapping, Sequence
from typing import Any
from ..ir.graph import Node, Value
from ..ir.types import Type


def refine(op: str, here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any], types: tuple[Type, ...]) -> tuple[Type, ...]:
    return types


def note_elements(node: Node) -> None:
    pass
