"""Texts as columns that are hashes of their words or characters.

Sources: sklearn/feature_extraction/text.py, _hash.py, _hashing_fast.pyx; MurmurHash3 (x86, 32 bits) by its description.

ONNX has no hash, and no operator that takes a character out of a text: texts are split at each letter of an alphabet,
letters become the bytes that they are in UTF-8 by a table, and whole numbers of 64 bits hold the hash's 32."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.letters import BEGIN, LETTERS, OTHERS, SPACE, SPACES, STRANGE, changed, lettered, utf8
from ....hub.strings import replaced
from ....hub.strings import text as word
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.types import STRING, Type
from ..estimator import Estimator, text
from ..methods import ints, like, method, real
from .encode import element_type
from .preprocess import normalized
from .text import (
    analyzed,
    documents,
    left,
    plain,
    spaced,
    split,
    stop_words,
    word_form,
    words,
)

MARKS = {c: chr(0xe001 + k) for k, c in enumerate(SPACES)} | {" ": SPACE}
"""What stands for white space among characters, which texts are split at."""
WORD = (1 << 32) - 1
I64 = np.dtype(np.int64)


@method("transform", "HashingVectorizer")
def hashing(op: Builder, x: Any, e: Estimator) -> Value:
    """(texts, n_features): how often each column is the hash of a term, or how often more with the sign plus."""
    there, hashes = _terms(op, documents(op, x, e), e)
    return columns(op, there, hashes, e)


@method("transform", "FeatureHasher")
def feature_hasher(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, n_features) of lists of texts (rows, items)."""
    if text(e.get("input_type", "dict")) != "string" or not isinstance(x, Value) or x.dtype != STRING:
        raise Unsupported(f"{e.path}: input_type={e.get('input_type', 'dict')!r}: names with values; lists of texts "
                          "(input_type='string') can be said")
    op.note("changed", "shorter lists of texts are filled up with empty texts, which count for nothing")
    _unknown(op)
    row = _marked(op, _unmarked(op, op.Reshape(x, ints(-1))))
    codes = _spelled(op, _one_more(op, op.Reshape(row, op.Shape(x), allowzero=1)), _everything(), lower=False)
    return columns(op, *_hashed(op, [codes]), e)


def columns(op: Builder, there: Value, hashes: Value, e: Estimator) -> Value:
    """(texts, n_features) of hashes (texts, terms) that count where ``there`` is one."""
    count = int(e["n_features"])
    above = op.Cast(op.Greater(hashes, np.int64(WORD >> 1)), to=7)
    signed = op.Sub(hashes, op.Mul(above, np.int64(1 << 32)))
    column = op.Mul(op.Mod(op.Abs(signed), np.int64(count)), there)
    weight = op.Mul(there, op.Sub(np.int64(1), op.Mul(above, np.int64(2)))) if e.get("alternate_sign", True) else there
    if e.get("binary"):  # also where the signs leave nothing
        weight = there
    column, weight = _summed(op, column, weight)
    weight = real(op, op.Min(weight, np.int64(1)) if e.get("binary") else weight, element_type(e))
    if e.get("non_negative"):
        weight = op.Abs(weight)
    norm = text(e.get("norm"))
    weight = weight if norm is None else normalized(op, weight, norm, e)
    none = op.Expand(like(weight, [[0]]), op.Concat(op.Shape(column, start=0, end=1), ints(count), axis=0))
    out: Value = op.ScatterElements(none, column, weight, axis=1, reduction="add")
    return out


def _summed(op: Builder, column: Value, weight: Value) -> tuple[Value, Value]:
    """Columns (rows, terms) of which none is there twice, but for zeros at the end, and the sums of their weights."""
    shape = op.Shape(column)
    column, order = op.add("TopK", column, op.Slice(shape, ints(1), ints(2)), axis=1, largest=0, sorted=1, outputs=2)
    weight = op.GatherElements(weight, order, axis=1)
    before = op.Pad(column, ints(0, 1, 0, -1), np.int64(-1))
    other = op.Cast(op.Not(op.Equal(column, before)), to=7)
    place = op.Sub(op.CumSum(other, np.int64(1)), np.int64(1))
    none = op.Expand(np.int64(0), shape)
    return (op.ScatterElements(none, place, column, axis=1, reduction="max"),
            op.ScatterElements(none, place, weight, axis=1, reduction="add"))


# -- terms


def _terms(op: Builder, row: Value, e: Estimator) -> tuple[Value, Value]:
    """(texts, terms) twice: 1 where there is a term, and its hash."""
    analyzer, lower = analyzed(e), bool(e.get("lowercase", True))
    low, high = (int(n) for n in e.get("ngram_range", (1, 1)))
    if not 1 <= low <= high:
        raise Unsupported(f"{e.path}: ngram_range={(low, high)}")
    row = plain(op, _unmarked(op, row), set("".join(stop_words(e)) if analyzer == "word" else "") | set(
        LETTERS if e.get("strip_accents") else ""), lower, e)
    _unknown(op)
    if analyzer == "word":
        letter, least = word_form(e)
        table = _one_more(op, left(op, words(op, row, e, LETTERS), least, stop_words(e)))
        alphabet = [c for c in _everything() if letter.match(c.lower() if lower else c)]
        codes = _spelled(op, table, alphabet, lower)
        return _hashed(op, _windows(op, codes, low, high, " "))
    if analyzer == "char":
        codes = op.Unsqueeze(_characters(op, row, lower), ints(2))
        return _hashed(op, _windows(op, codes, low, high))
    table = _one_more(op, split(op, spaced(op, row, SPACES)))
    end = op.Where(op.Equal(table, word("")), word(""), word(SPACE))
    codes = _spelled(op, op.StringConcat(op.StringConcat(end, table), end), _everything(), lower)
    by_word = op.Unsqueeze(op.Flatten(codes, axis=2), ints(2))
    terms = _windows(op, by_word, low, high)
    for n in range(3, low):  # a word that is shorter than all terms is a term itself
        terms += [op.Where(_whole(op, window), window, np.int64(0)) for window in _windows(op, by_word, n, n)]
    there, hashes = _hashed(op, terms)
    shape = op.Concat(op.Shape(codes, start=0, end=1), ints(-1), axis=0)
    return op.Reshape(there, shape), op.Reshape(hashes, shape)


def _unknown(op: Builder) -> None:
    op.note("approximated", "terms with characters other than Latin, Greek and Cyrillic ones are left out: ONNX can't "
            "tell their bytes")


def _whole(op: Builder, window: Value) -> Value:
    """(words, places, 1): whether a sequence of characters is a word with the spaces around it."""
    space = np.int64(utf8(" "))
    first, final = (op.Slice(window, ints(a), ints(b), ints(2)) for a, b in ((0, 1), (-1, np.iinfo(np.int64).max)))
    out: Value = op.And(op.Equal(first, space), op.Equal(final, space))
    return out


def _windows(op: Builder, codes: Value, low: int, high: int, between: str = "") -> list[Value]:
    """(rows, places, letters) for each length: as many neighbors of ``codes`` (rows, pieces, letters) one after the
    other, zeros where there are not as many."""
    shape, made = op.Shape(codes), list[Value]()
    count = op.Slice(shape, ints(1), ints(2))
    filled = op.Pad(codes, ints(0, 0, 0, 0, high - 1, 0), np.int64(0)) if high > 1 else codes
    gap = op.Expand(np.int64(utf8(between)), op.Concat(op.Slice(shape, ints(0), ints(2)), ints(1), axis=0)) \
        if between and high > 1 else None
    for n in range(low, high + 1):
        parts = []
        for k in range(n):
            parts += [gap] if gap is not None and k else []
            parts.append(op.Slice(filled, ints(k), op.Add(count, np.int64(k)), ints(1)) if high > 1 else codes)
        # the pieces of a row have no gaps: if there is the last, there are all
        there = op.ReduceMax(op.Abs(parts[-1]), ints(2), keepdims=1)
        joined = op.Concat(*parts, axis=2) if n > 1 else parts[0]
        made.append(op.Where(op.Greater(there, np.int64(0)), joined, np.int64(0)))
    return made


def _one_more(op: Builder, table: Value) -> Value:
    """One more piece, so that there always is one."""
    shape = op.Concat(op.Shape(table, start=0, end=1), ints(1), axis=0)
    out: Value = op.Concat(table, op.Expand(word(""), shape), axis=1)
    return out


# -- letters


def _everything() -> list[str]:
    """The alphabet, and the marks of white space."""
    return [*(c for c in map(chr, range(128)) if c not in SPACES), *(MARKS[c] for c in SPACES if c != " "), *LETTERS,
            *OTHERS]


def _spelled(op: Builder, table: Value, alphabet: Iterable[str], lower: bool) -> Value:
    """(rows, pieces, letters): the codes of the letters of texts (rows, pieces), filled up with zeros; -1 for what is
    none of the alphabet.  Each text is taken apart once."""
    unique, _, back, _ = op.add("Unique", op.Reshape(table, ints(-1)), sorted=0, outputs=4)
    codes = op.Gather(lettered(op, unique, _codes(alphabet, lower)), back, axis=0)
    out: Value = op.Reshape(codes, op.Concat(op.Shape(table), ints(-1), axis=0))
    return out


def _codes(alphabet: Iterable[str], lower: bool) -> dict[str, int]:
    """The codes of letters; of none that ``lower`` leaves nowhere."""
    meant = {mark: c for c, mark in MARKS.items()}
    kept = [SPACE, *(c for c in alphabet if not (lower and c.isascii() and c != c.lower()))]
    return {c: utf8(meant.get(c, c.lower() if lower else c)) for c in kept}


def _unmarked(op: Builder, row: Value) -> Value:
    """Texts without the characters that stand for white space."""
    return changed(op, row, dict.fromkeys([BEGIN, *MARKS.values()], STRANGE))


def _marked(op: Builder, row: Value) -> Value:
    """Texts with marks for white space."""
    return changed(op, replaced(op, row, " ", SPACE), {c: mark for c, mark in MARKS.items() if c != " "})


def _characters(op: Builder, row: Value, lower: bool) -> Value:
    """(texts, characters): the codes of each character, several of white space together as one space."""
    codes = lettered(op, _marked(op, row), _codes(_everything(), lower))
    blank = op.ml.LabelEncoder(codes, keys_int64s=[utf8(c) for c in SPACES], values_int64s=[1] * len(SPACES),
                               default_int64=0)
    again = op.Mul(blank, op.Pad(blank, ints(0, 1, 0, -1), np.int64(0)))
    several = op.Mul(blank, op.Pad(blank, ints(0, -1, 0, 1), np.int64(0)))
    codes = op.Where(op.Greater(several, np.int64(0)), np.int64(utf8(" ")), codes)
    count = op.Shape(codes, start=1, end=2)
    place = op.Range(np.int64(0), op.Squeeze(count, ints(0)), np.int64(1))
    order = op.Add(op.Mul(again, count), op.Unsqueeze(place, ints(0)))
    _, at = op.add("TopK", order, count, axis=1, largest=0, sorted=1, outputs=2)
    out: Value = op.GatherElements(op.Where(op.Greater(again, np.int64(0)), np.int64(0), codes), at, axis=1)
    return out


# -- the hash


def _hashed(op: Builder, terms: Sequence[Value]) -> tuple[Value, Value]:
    """(rows, terms) twice: 1 where there is a term whose letters are all known, and the hash of its bytes."""
    there, hashes = list[Value](), list[Value]()
    for codes in terms:
        least, most = (op.Squeeze(f(codes, ints(2), keepdims=1), ints(2)) for f in (op.ReduceMin, op.ReduceMax))
        there.append(op.Cast(op.And(op.Greater(most, np.int64(0)), op.GreaterOrEqual(least, np.int64(0))), to=7))
        hashes.append(op.Reshape(murmur(op, op.Flatten(op.Max(codes, np.int64(0)), axis=2)), op.Shape(least)))
    if len(terms) == 1:
        return there[0], hashes[0]
    return op.Concat(*there, axis=1), op.Concat(*hashes, axis=1)


def murmur(op: Builder, codes: Value) -> Value:
    """(texts): MurmurHash3 of 32 bits, no sign, with the seed zero, of the bytes in ``codes`` (texts, letters)."""
    count = op.Div(codes, np.int64(1 << 32))
    length = op.ReduceSum(count, ints(1), keepdims=0)
    at = op.CumSum(count, np.int64(1), exclusive=1)
    block, shift = op.Div(at, np.int64(4)), op.Mod(at, np.int64(4))
    wide = op.Mul(_low(op, codes), op.Gather(np.int64(1) << ints(0, 8, 16, 24), shift, axis=0))
    blocks = op.Add(op.Div(op.ReduceMax(length, keepdims=1), np.int64(4)), np.int64(2))
    data = op.Expand(np.int64(0), op.Concat(op.Shape(codes, start=0, end=1), blocks, axis=0))
    data = op.ScatterElements(data, block, _low(op, wide), axis=1, reduction="add")
    over = op.Div(wide, np.int64(1 << 32))
    data = op.ScatterElements(data, op.Add(block, np.int64(1)), over, axis=1, reduction="add")
    mixed = _times(op, _turned(op, _times(op, data, 0xcc9e2d51), 15), 0x1b873593)
    whole = op.Div(length, np.int64(4))
    turns = op.Squeeze(op.Sub(blocks, np.int64(1)), ints(0))
    seed = op.Mul(length, np.int64(0))
    h = op.Loop(turns, np.array(True), seed, mixed, whole, body=_block(op, mixed, whole), captures=2)
    h = op.BitwiseXor(h, length)
    for bits, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35), (16, 1)):
        h = op.BitwiseXor(h, op.Div(h, np.int64(1 << bits)))
        h = _times(op, h, factor) if factor != 1 else h
    out: Value = h
    return out


def _block(op: Builder, mixed_: Value, whole_: Value) -> Graph:
    """One block of four bytes; the last, which has fewer, is mixed in without the turn."""
    turn, going = Value(Type(I64, ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    h, mixed, whole = (Value(v.type, n) for v, n in ((whole_, "h"), (mixed_, "mixed"), (whole_, "whole")))
    new = op.BitwiseXor(h, op.Gather(mixed, turn, axis=1))
    full = _low(op, op.Add(op.Mul(_turned(op, new, 13), np.int64(5)), np.int64(0xe6546b64)))
    after = op.Where(op.Less(turn, whole), full, op.Where(op.Equal(turn, whole), new, h))
    return Graph({"turn": turn, "going": going, "h": h, "mixed": mixed, "whole": whole},
                 {"more": op.Identity(going), "after": after})


def _low(op: Builder, x: Value) -> Value:
    """The lower 32 bits."""
    out: Value = op.BitwiseAnd(x, np.int64(WORD))
    return out


def _times(op: Builder, x: Value, factor: int) -> Value:
    """The lower 32 bits of a product; by halves, so that no step needs more than 63."""
    high = op.Mul(op.BitwiseAnd(op.Mul(x, np.int64(factor >> 16)), np.int64(0xffff)), np.int64(1 << 16))
    return _low(op, op.Add(op.Mul(x, np.int64(factor & 0xffff)), high))


def _turned(op: Builder, x: Value, bits: int) -> Value:
    """32 bits turned to the left."""
    out: Value = op.Add(_low(op, op.Mul(x, np.int64(1 << bits))), op.Div(x, np.int64(1 << (32 - bits))))
    return out
