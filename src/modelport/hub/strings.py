"""Text taken apart and put together, with the few operators that ONNX has for it.

There is none that takes a character out of a text; ``StringSplit`` at it and ``StringConcat`` of the pieces does."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ir.graph import Graph, Value, constant
from ..ir.rules import Builder
from ..ir.types import Type

PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
"""What Keras and ``string.punctuation`` call so."""
I64 = np.dtype(np.int64)


def text(value: str) -> Value:
    """A text as a constant without dimensions."""
    return constant(np.array(value, object))


def flat(op: Builder, x: Value, change: Callable[[Value], Value]) -> Value:
    """``change``, which wants a row of texts, of texts of any shape."""
    if x.rank == 1:
        return change(x)
    out: Value = op.Reshape(change(op.Reshape(x, np.array([-1], I64))), op.Shape(x), allowzero=1)
    return out


def cased(op: Builder, x: Value, action: str, locale: str = "C") -> Value:
    """Texts in lower or upper case (``action`` LOWER or UPPER); the locale "C" changes letters of ASCII only."""
    return flat(op, x, lambda row: op.StringNormalizer(row, case_change_action=action, is_case_sensitive=1,
                                                       locale=locale))


def replaced(op: Builder, x: Value, old: str, new: str, most: int | None = None) -> Value:
    """Texts with ``new`` wherever ``old`` was, from left to right; the first ``most`` times only, if that is given."""
    return flat(op, x, lambda row: _replaced(op, row, old, new, most=most))


def without(op: Builder, x: Value, characters: str, new: str = "", runs: bool = False) -> Value:
    """Texts with ``new`` instead of each of the characters, or instead of each run of them."""
    first = characters[:1]

    def change(row: Value) -> Value:
        for c in characters[1:]:
            row = _replaced(op, row, c, first if new else "")
        return _replaced(op, row, first, new, runs=runs) if first else row
    return flat(op, x, change)


def words(op: Builder, x: Value) -> tuple[Value, Value]:
    """Each text, of a row of them, taken apart at white space of ASCII: a table (texts, words) that is filled up with
    empty ones, and how many there are of each."""
    # ONNX's specification only says "whitespace", and ONNX Runtime takes none but the space for it
    table, count = op.add("StringSplit", without(op, x, "\t\n\v\f\r", " "), outputs=2)
    return table, count


def _replaced(op: Builder, row: Value, old: str, new: str, most: int | None = None, runs: bool = False) -> Value:
    pieces, count = op.add("StringSplit", row, delimiter=old, maxsplit=most, outputs=2)
    # shorter rows of pieces end in empty texts, which change nothing
    turn, going = Value(Type(I64, ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    before, table, counts = Value(row.type, "before"), Value(pieces.type, "pieces"), Value(count.type, "count")
    piece: Any = op.Gather(table, turn, axis=1)
    captured = [(pieces, table)]
    if new:
        between = op.And(op.Greater(turn, np.int64(0)), op.Less(turn, counts))
        if runs:  # between two that stand together there is an empty piece, which counts only as the very first
            last = op.Gather(table, op.Max(op.Sub(turn, np.int64(1)), np.int64(0)), axis=1)
            ends = op.Or(op.Equal(turn, np.int64(1)), op.Not(op.Equal(last, text(""))))
            between = op.And(between, ends)
        piece = op.StringConcat(op.Where(between, text(new), text("")), piece)
        captured.append((count, counts))
    body = Graph({"turn": turn, "going": going, "before": before, **{v.name: v for _, v in captured}},
                 {"more": op.Identity(going), "after": op.StringConcat(before, piece)})
    turns = op.Squeeze(op.Shape(pieces, start=1, end=2), np.array([0], I64))
    out: Value = op.Loop(turns, np.array(True), op.Expand(text(""), op.Shape(row)), *(v for v, _ in captured),
                         body=body, captures=len(captured))
    return out
