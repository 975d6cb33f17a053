"""Texts taken apart into their characters.

ONNX has no operator that takes a character out of a text: texts are split at each letter of an alphabet, and tables
say what each letter is.  A character that no alphabet has can be noticed, but not told from others."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ..ir.graph import Graph, Value
from ..ir.rules import Builder
from ..ir.types import Type
from .strings import I64, replaced, text

SPACES = "".join(map(chr, [*range(9, 14), *range(0x1c, 0x21), 0x85, 0xa0, 0x1680, *range(0x2000, 0x200b), 0x2028,
                           0x2029, 0x202f, 0x205f, 0x3000]))
"""What Python calls white space."""
COMMON = "".join(map(chr, [*range(0xa0, 0x100), *range(0x2010, 0x2028), 0x2030, *range(0x2032, 0x2037), 0x2039,
                           0x203a, 0x20ac, 0x2116, 0x2122, 0x2190, 0x2192, 0x2212,
                           *range(0x3000, 0x3004), *range(0x3008, 0x3012), 0xff01, 0xff08, 0xff09, 0xff0c, 0xff0e,
                           0xff1a, 0xff1b, 0xff1f, 0xfeff]))
"""Characters beyond ASCII that are looked at one by one: those of Latin-1, and punctuation."""
LETTERS = "".join(c for low, high in ((0xaa, 0x180), (0x386, 0x3cf), (0x400, 0x460)) for c in map(chr, range(low, high))
                  if c.isalnum()) + "\u212a"
"""Letters beyond ASCII that are told apart: of Latin, Greek and Cyrillic."""
OTHERS = "".join(c for c in COMMON if c not in LETTERS + SPACES) + "\u0307"
"""Characters beyond ASCII that are no letters, and told apart where they can be part of a term."""
ASCII = "".join(map(chr, range(128)))
EVERYTHING = "".join(dict.fromkeys(ASCII + LETTERS + OTHERS + SPACES))
"""All characters that are told apart."""
SPACE = "\ue000"
"""What can stand for the space among characters, where texts are split at spaces, too."""
OFTEN = "zqjxkvbpygfwmucldrhsnioate " + SPACE
"""Letters that texts have often, the most frequent last."""
BEGIN = "\uf8fe"
"""What stands before each text where all are one list of pieces."""
STRANGE = "\uf8ff"
"""What stands for characters of texts that are marks themselves."""
TOGETHER = 10
"""How many letters stand in one graph: the time that ONNX Runtime takes to load a graph grows with its square."""


def _ints(*values: int) -> np.ndarray:
    return np.array(values, I64)


def changed(op: Builder, row: Value, changes: Mapping[str, str]) -> Value:
    """Texts with other texts for some characters, in this order; only looked at where a text has any of them."""
    def change(part: Value, letters: Sequence[str]) -> Value:
        for c in letters:
            part = replaced(op, part, c, changes[c])
        return part
    return in_turn(op, row, list(changes), change)


def in_turn(op: Builder, row: Value, letters: Sequence[str], change: Callable[[Value, Sequence[str]], Value],
            within: Value | None = None) -> Value:
    """``change`` of a row of texts for a few letters at a time, where any text has any of them; or any text of
    ``within``, which has the same letters."""
    for k in range(0, len(letters), TOGETHER):
        some = letters[k:k + TOGETHER]
        inside, alike = Value(row.type, "texts"), Value(row.type, "texts")
        row = op.If(having(op, within or row, some), row,
                    then_branch=Graph({"texts": inside}, {"changed": change(inside, some)}),
                    else_branch=Graph({"texts": alike}, {"changed": op.Identity(alike)}), captures=1)
    return row


def having(op: Builder, row: Value, characters: Iterable[str]) -> Value:
    """Whether any text of a row has any of some characters, as one truth value."""
    some = op.RegexFullMatch(row, pattern="(?s).*[" + "".join(f"\\x{{{ord(c):x}}}" for c in characters) + "].*")
    # one more, so that there always is one
    there = op.Concat(op.Cast(some, to=6), np.zeros(1, np.int32), axis=0)
    out: Value = op.Greater(op.ReduceMax(there, keepdims=0), np.int32(0))
    return out


def pieces(op: Builder, row: Value, letters: Iterable[str]) -> Value:
    """(texts, pieces): each text (texts) cut at each of the letters: these, and runs of other characters, in
    order, filled up with empty texts; one piece at least.  No text may have the character ``BEGIN``.

    All texts become one list, each begun by a mark, and every letter cuts the pieces that hold it."""
    letters = sorted(letters, key=OFTEN.find)  # those that cut most come last, as each cut goes through all pieces
    texts = op.Unsqueeze(row, _ints(1))
    one = op.Reshape(op.Concat(op.Expand(text(BEGIN), op.Shape(texts)), texts, axis=1), _ints(-1))

    def cut(some: Value, few: Sequence[str]) -> Value:
        for c in few:
            some = _cut(op, some, c)
        return some
    one = in_turn(op, one, letters, cut, within=row)
    begins = op.Cast(op.Equal(one, text(BEGIN)), to=7)
    which = op.Sub(op.CumSum(begins, np.int64(0)), np.int64(1))
    count = op.Shape(one)
    start = op.Reshape(op.NonZero(begins), _ints(-1))
    place = op.Sub(op.Range(np.int64(0), op.Squeeze(count, _ints(0)), np.int64(1)), op.Gather(start, which, axis=0))
    width = op.Add(op.ReduceMax(op.Concat(place, _ints(1), axis=0), keepdims=1), np.int64(1))
    none = op.Expand(text(""), op.Concat(op.Shape(row), width, axis=0))
    at = op.Concat(op.Unsqueeze(which, _ints(1)), op.Unsqueeze(place, _ints(1)), axis=1)
    out: Value = op.ScatterND(none, at, one)
    return op.Slice(out, _ints(1), _ints(np.iinfo(np.int64).max), _ints(1))  # without the mark


def lettered(op: Builder, row: Value, codes: Mapping[str, int]) -> Value:
    """(texts, letters): what ``codes`` say of the letters of each text (texts), in order, filled up with zeros; -1 for
    a run of characters that have no code.  No text may have the character ``BEGIN``."""
    return coded(op, pieces(op, row, codes), {**codes, BEGIN: 0})


def alphabet(known: Iterable[str]) -> frozenset[str] | None:
    """The characters that :func:`lettered` tells apart, and those of ASCII, from the texts that a node knows; ``None``
    if the node is none of :func:`lettered`."""
    return frozenset(c for c in (*known, *ASCII) if len(c) == 1 and not "\ue000" <= c <= STRANGE) \
        if BEGIN in known else None


def coded(op: Builder, table: Value, codes: Mapping[str, int]) -> Value:
    """What ``codes`` say of pieces: 0 of empty ones, -1 of those that have no code."""
    out: Value = op.ml.LabelEncoder(table, keys_strings=["", *codes], values_int64s=[0, *codes.values()],
                                    default_int64=-1)
    return out


def _cut(op: Builder, pieces: Value, letter: str) -> Value:
    """Pieces of texts (pieces), each place of the letter a piece by itself."""
    table, count = op.add("StringSplit", pieces, delimiter=letter, outputs=2)
    most = op.Squeeze(op.Shape(table, start=1, end=2), _ints(0))
    following = op.Range(np.int64(1), op.Add(most, np.int64(1)), np.int64(1))
    there = op.Cast(op.Less(following, op.Unsqueeze(count, _ints(1))), to=6)
    between = op.Gather(np.array(["", letter], object), there, axis=0)
    both = op.Reshape(op.Concat(op.Unsqueeze(table, _ints(2)), op.Unsqueeze(between, _ints(2)), axis=2), _ints(-1))
    out: Value = op.Compress(both, op.Not(op.Equal(both, text(""))), axis=0)
    return out


def numbered(letters: str) -> dict[str, int]:
    """A number for each letter: one more than its code point."""
    return {c: ord(c) + 1 for c in letters}


def utf8(letter: str) -> int:
    """The bytes of a letter in UTF-8, four at most, the first of them last, and above 32 bits how many they are."""
    data = letter.encode()
    if len(data) > 4:
        raise ValueError(f"{letter!r} has more than four bytes")
    return len(data) << 32 | int.from_bytes(data, "little")


def encoded(letters: str) -> dict[str, int]:
    """What :func:`utf8` says of each letter."""
    return {c: utf8(c) for c in letters}


def characters(op: Builder, row: Value, codes: Mapping[str, int]) -> Value:
    """As :func:`lettered`, of any texts; one with a character that has no code stops the run, where it would else be
    taken for another."""
    op.note("changed", f"a text with other characters than {len(codes)} (of ASCII, Latin, Greek and Cyrillic) stops "
            "the run: ONNX can't tell them apart" if len(codes) > len(ASCII) else
            "a text with characters beyond ASCII stops the run: ONNX can't tell them apart")
    found = lettered(op, unmarked(op, row), codes)
    return op.Add(found, stop(op, op.Less(found, np.int64(0))))


def unmarked(op: Builder, row: Value) -> Value:
    """Texts without the character that marks where one begins."""
    return changed(op, row, {BEGIN: STRANGE})


def apart(op: Builder, row: Value, among: str = EVERYTHING) -> tuple[Value, Value]:
    """Each text of a row as its characters: a table (texts, characters) that is filled up with empty ones, and how
    many there are of each."""
    codes = numbered(among)
    found = characters(op, row, codes)
    count = op.ReduceSum(op.Cast(op.Greater(found, np.int64(0)), to=7), _ints(1), keepdims=0)
    return spelled(op, found, codes), count


def spelled(op: Builder, found: Value, codes: Mapping[str, int]) -> Value:
    """The letters of codes; an empty text for other numbers."""
    out: Value = op.ml.LabelEncoder(found, keys_int64s=list(codes.values()), values_strings=list(codes),
                                    default_string="")
    return out


def joined(op: Builder, table: Value) -> Value:
    """Texts of pieces (texts, pieces)."""
    turns = op.Squeeze(op.Shape(table, start=1, end=2), _ints(0))
    none = op.Expand(text(""), op.Shape(table, end=1))
    turn, going = Value(Type(I64, ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    before, inside = Value(none.type, "before"), Value(table.type, "pieces")
    body = Graph({"turn": turn, "going": going, "before": before, "pieces": inside},
                 {"more": op.Identity(going), "after": op.StringConcat(before, op.Gather(inside, turn, axis=1))})
    out: Value = op.Loop(turns, np.array(True), none, table, body=body, captures=1)
    return out


def stop(op: Builder, wrong: Value) -> Value:
    """Zero; or an index that is none where any of ``wrong`` is true, which ends the run with an error."""
    some = op.ReduceMax(op.Concat(op.Cast(op.Reshape(wrong, _ints(-1)), to=7), _ints(0), axis=0), keepdims=0)
    out: Value = op.Gather(_ints(0), some, axis=0)
    return out
