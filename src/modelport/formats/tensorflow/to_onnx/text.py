"""Text, where ONNX's operators mean exactly the same.  Source: tensorflow/core/kernels/string_*.cc."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import hashes, letters, strings
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import STRING, DType
from ..interpret.text import pattern as compiled
from .common import F32, I32, I64, cast, i64, ints, known, name_of, to_onnx


@to_onnx("StringLower", "StringUpper")
def change_case(op: Builder, x: Value, *, encoding: str = "") -> Any:
    if encoding not in ("", "utf-8"):
        raise Unsupported(f"encoding {encoding}")
    return strings.cased(op, x, "LOWER" if name_of(op) == "StringLower" else "UPPER", "C.UTF-8" if encoding else "C")


@to_onnx("StringJoin")
def join(op: Builder, *values: Value, separator: str = "") -> Any:
    made = values[0]
    for v in values[1:]:
        if separator:
            made = op.StringConcat(made, constant(np.array(separator, object)))
        made = op.StringConcat(made, v)
    return op.Identity(made) if made is values[0] else made


@to_onnx("AsString")
def as_string(op: Builder, x: Value, *, precision: int = -1, scientific: bool = False, shortest: bool = False,
              width: int = -1, fill: str = "") -> Any:
    if x.dtype.kind not in "iu" or fill or width != -1:
        raise Unsupported(f"{x.dtype} as text, or in a width")
    return cast(op, x, STRING)


@to_onnx("StringToNumber")
def to_number(op: Builder, x: Value, *, out_type: DType = F32) -> Any:
    return cast(op, x, out_type)


@to_onnx("StaticRegexFullMatch")
def full_match(op: Builder, x: Value, *, pattern: str) -> Any:
    return op.RegexFullMatch(x, pattern=pattern)  # RE2 in both


@to_onnx("RegexFullMatch")
def full_match_v2(op: Builder, x: Value, pattern: Value) -> Any:
    return op.RegexFullMatch(x, pattern=str(static(pattern, "the pattern").reshape(-1)[0]))


CLASS = re.compile(r"(?P<class>\[\^?(?:[^\[\]\\]|\[:[a-z]+:\]|\\[^A-Za-z]|\\[stnrfvdw])+\]|\\[sdwSDW])(?P<runs>\+?)")
"""A set of characters of RE2's, and whether runs of them are meant."""
PLAIN = re.compile(r"(?:[^\\.+*?()|\[\]{}^$]|\\[^A-Za-z0-9])+")
"""A pattern that is a text, with signs that would mean something escaped."""


@to_onnx("StaticRegexReplace")
def replace(op: Builder, x: Value, *, pattern: str, rewrite: str, replace_global: bool = True) -> Any:
    """Texts, and characters that are or are not in a set of ASCII; ONNX has no operator that replaces more."""
    found = CLASS.fullmatch(pattern)
    if "\\" in rewrite or not pattern.isascii():
        raise Unsupported(f"the pattern {pattern!r} with {rewrite!r} instead")
    if PLAIN.fullmatch(pattern):
        old = re.sub(r"\\(.)", r"\1", pattern)
        return op.Identity(strings.replaced(op, x, old, rewrite, None if replace_global else 1))
    if found is None or not replace_global:
        raise Unsupported(f"the pattern {pattern!r}: only texts and sets of characters are replaced")
    named, runs = found["class"], bool(found["runs"])
    others = named.startswith("[^") or named in (r"\S", r"\D", r"\W")  # all characters but these
    if others:
        named = named.lower() if named[0] == "\\" else "[" + named[2:]
    members = compiled(named.replace(r"\s", r"\t\n\f\r ") if named != r"\s" else r"[\t\n\f\r ]")
    characters = "".join(chr(c) for c in range(1, 128) if members.fullmatch(chr(c)))
    if not others:
        return op.Identity(strings.without(op, x, characters, rewrite, runs))
    row = op.Reshape(x, ints([-1]))
    if rewrite and not runs:
        table, _ = letters.apart(op, row)
    else:  # cut at the characters that stay, the rest are runs of others, whatever these are
        table = letters.pieces(op, letters.unmarked(op, row), characters)
    other = op.Equal(letters.coded(op, table, letters.numbered(characters)), constant(-1, I64))
    kept = op.Where(other, strings.text(rewrite), table)
    return op.Reshape(letters.joined(op, kept), op.Shape(x), allowzero=1)


@to_onnx("RegexReplace")
def replace_v2(op: Builder, x: Value, pattern: Value, rewrite: Value, *, replace_global: bool = True) -> Any:
    old, new = (str(static(v, what).reshape(-1)[0]) for v, what in ((pattern, "the pattern"), (rewrite, "the rewrite")))
    return replace(op, x, pattern=old, rewrite=new, replace_global=replace_global)


@to_onnx("StringNGrams")
def grams(op: Builder, words: Value, splits: Value, *, separator: str, ngram_widths: Sequence[int], left_pad: str = "",
          right_pad: str = "", pad_width: int = 0, preserve_short_sequences: bool = False) -> Any:
    """Runs of neighbouring words: of each row first those of the first width, then those of the next."""
    if preserve_short_sequences:
        raise Unsupported("rows kept that are shorter than any run")
    blocks, owners, keys = [], [], []
    most = op.Add(op.Shape(words), op.Mul(op.Shape(splits), ints([2 * max(ngram_widths)])))
    for k, width in enumerate(ngram_widths):
        pad = min(width - 1, pad_width if pad_width >= 0 else width - 1)
        some, ends = (words, splits) if not pad else _padded(op, words, i64(op, splits), left_pad, right_pad, pad)
        count = op.Shape(some)
        rows = _rows(op, ends, count)
        room = op.Max(op.Squeeze(op.Sub(count, ints([width - 1])), ints([0])), constant(0, I64))
        begin = op.Range(constant(0, I64), room, constant(1, I64))
        last = op.Add(begin, constant(width - 1, I64))
        begin = op.Compress(begin, op.Equal(op.Gather(rows, begin, axis=0), op.Gather(rows, last, axis=0)), axis=0)
        run = op.Gather(some, begin, axis=0)
        for d in range(1, width):
            ahead = op.Gather(some, op.Add(begin, constant(d, I64)), axis=0)
            run = op.StringConcat(op.StringConcat(run, strings.text(separator)) if separator else run, ahead)
        blocks.append(run)
        owners.append(op.Gather(rows, begin, axis=0))
        block = op.Add(op.Mul(owners[-1], constant(len(ngram_widths), I64)), constant(k, I64))
        keys.append(op.Add(op.Mul(block, most), begin))  # by rows, then widths, then places
    key, owner = op.Concat(*keys, axis=0), op.Concat(*owners, axis=0)
    _, order = op.add("TopK", key, op.Shape(key), largest=0, outputs=2)
    many = op.ScatterND(op.Expand(constant(0, I64), op.Shape(splits)),
                        op.Unsqueeze(op.Add(owner, constant(1, I64)), ints([1])),
                        op.Expand(constant(1, I64), op.Shape(owner)), reduction="add")
    ends = cast(op, op.CumSum(many, constant(0, I64)), splits.dtype)
    return op.Gather(op.Concat(*blocks, axis=0), order, axis=0), ends


def _padded(op: Builder, words: Value, splits: Value, left: str, right: str, pad: int) -> tuple[Value, Value]:
    """Rows of words with so many of other words before and behind each, and where they end."""
    nth = op.Range(constant(0, I64), op.Squeeze(op.Shape(splits), ints([0])), constant(1, I64))
    ends = op.Add(splits, op.Mul(nth, constant(2 * pad, I64)))
    made = op.Expand(strings.text(right), op.Slice(ends, ints([-1]), ints([np.iinfo(np.int64).max]), ints([0])))
    first = op.Slice(ends, ints([0]), ints([-1]), ints([0]))
    before = op.Reshape(op.Add(op.Unsqueeze(first, ints([1])), constant(np.arange(pad), I64)), ints([-1, 1]))
    made = op.ScatterND(made, before, op.Expand(strings.text(left), op.Shape(before, end=1)))
    shift = op.Add(op.Mul(_rows(op, splits, op.Shape(words)), constant(2 * pad, I64)), constant(pad, I64))
    at = op.Range(constant(0, I64), op.Squeeze(op.Shape(words), ints([0])), constant(1, I64))
    return op.ScatterND(made, op.Unsqueeze(op.Add(at, shift), ints([1])), words), ends


def _rows(op: Builder, splits: Value, count: Value) -> Value:
    """The row of each of ``count`` values, of rows that end where ``splits`` say."""
    at = op.Range(constant(0, I64), op.Squeeze(count, ints([0])), constant(1, I64))
    # how many rows end at or before it
    ends = op.Slice(i64(op, splits), ints([1]), ints([np.iinfo(np.int64).max]), ints([0]))
    before = op.LessOrEqual(op.Unsqueeze(ends, ints([0])), op.Unsqueeze(at, ints([1])))
    out: Value = op.ReduceSum(cast(op, before, I64), ints([1]), keepdims=0)
    return out


@to_onnx("RaggedBincount")
def ragged_bincount(op: Builder, splits: Value, values: Value, size: Value, weights: Value, *,
                    binary_output: bool = False) -> Any:
    """How often each number below ``size`` is in each row, or the sum of its weights, or whether it is there."""
    depth, limit = op.Reshape(i64(op, size), ints([1])), op.Reshape(i64(op, size), ints([]))
    rows, many = _rows(op, splits, op.Shape(values)), op.Sub(op.Shape(splits), ints([1]))
    start = op.Expand(constant(0, weights.dtype), op.Concat(many, op.Add(depth, ints([1])), axis=0))
    if weights.type.size == 0:
        weights = op.Expand(constant(1, weights.dtype), op.Shape(values))
    number = op.Min(i64(op, values), limit)  # what is too large is counted apart, and left out
    where = op.Concat(op.Unsqueeze(rows, ints([1])), op.Unsqueeze(number, ints([1])), axis=1)
    made = op.Slice(op.ScatterND(start, where, weights, reduction="add"), ints([0]), depth, ints([1]))
    return op.Min(made, constant(1, weights.dtype)) if binary_output else made


@to_onnx("StringSplitV2")
def split(op: Builder, x: Value, separator: Value, *, maxsplit: int = -1) -> Any:
    sep = str(static(separator, "the separator").reshape(-1)[0])
    row = op.Reshape(x, ints([-1]))
    if sep:
        table, count = op.add("StringSplit", row, delimiter=sep, maxsplit=None if maxsplit < 0 else maxsplit, outputs=2)
        # ONNX Runtime finds no piece in an empty text, TensorFlow one, which is empty
        count = op.Max(count, constant(1, I64))
        table = op.Concat(table, op.Expand(strings.text(""), op.Concat(op.Shape(row), ints([1]), axis=0)), axis=1)
    elif maxsplit < 0:
        table, count = strings.words(op, row)
    else:
        table, count = _limited(op, row, maxsplit)
    return _sparse(op, table, _real(op, table, count))


WHITE = " \t\n\v\f\r"


def _limited(op: Builder, row: Value, most: int) -> tuple[Value, Value]:
    """So many words and the rest of each text, taken apart at white space: a table, and how many there are of each."""
    if not 0 < most <= 16:
        raise Unsupported(f"{most} words and a rest")
    table, word = _words(op, row)
    alone = op.Where(_is_word(op, table), table, strings.text(""))
    groups = [op.Where(op.Equal(word, constant(k + 1, I64)), alone, strings.text("")) for k in range(most)]
    groups.append(op.Where(op.Greater(word, constant(most, I64)), table, strings.text("")))
    made = op.Concat(*(op.Unsqueeze(letters.joined(op, g), ints([1])) for g in groups), axis=1)
    count = op.ReduceMax(word, ints([1]), keepdims=0)
    # a rest is there even if nothing is left
    return made, op.Where(op.Less(count, constant(most, I64)), count, constant(most + 1, I64))


@to_onnx("StringSplit")
def split_v1(op: Builder, x: Value, delimiter: Value, *, skip_empty: bool = True) -> Any:
    """Each of the characters is a delimiter."""
    characters = "".join(dict.fromkeys(str(static(delimiter, "the delimiter").reshape(-1)[0])))
    row = op.Reshape(x, ints([-1]))
    if not characters:
        table, count = letters.apart(op, row, letters.ASCII)  # into bytes
        return _sparse(op, table, _real(op, table, count))
    for c in characters[1:]:
        row = strings.replaced(op, row, c, characters[0])
    table, count = op.add("StringSplit", row, delimiter=characters[0], outputs=2)
    real = _real(op, table, count)
    if skip_empty:
        real = op.And(real, op.Not(op.Equal(table, strings.text(""))))
    return _sparse(op, table, real)


def _real(op: Builder, table: Value, count: Value) -> Value:
    """Which places of a table (texts, pieces) are pieces, if each text has so many."""
    width = op.Squeeze(op.Shape(table, start=1, end=2), ints([0]))
    column = op.Unsqueeze(op.Range(constant(0, I64), width, constant(1, I64)), ints([0]))
    out: Value = op.Less(column, op.Unsqueeze(count, ints([1])))
    return out


def _sparse(op: Builder, table: Value, real: Value) -> Any:
    """The pieces of a table as a sparse matrix: where each is, among those of its text, they themselves, the shape."""
    number = cast(op, real, I64)
    place = op.Sub(op.CumSum(number, constant(1, I64)), constant(1, I64))
    at = op.Transpose(op.NonZero(real), perm=[1, 0])
    row, nth = op.Slice(at, ints([0]), ints([1]), ints([1])), op.Unsqueeze(op.GatherND(place, at), ints([1]))
    counts = op.Concat(op.ReduceSum(number, ints([1]), keepdims=0), ints([0]), axis=0)
    most = op.ReduceMax(counts, ints([0]), keepdims=1)
    return op.Concat(row, nth, axis=1), op.GatherND(table, at), op.Concat(op.Shape(table, end=1), most, axis=0)


@to_onnx("RaggedTensorToTensor")
def ragged(op: Builder, shape: Value, values: Value, default: Value, *parts: Value,
           row_partition_types: Sequence[str]) -> Any:
    """Each value goes to its row and to its place in it; what does not fit is left out."""
    kinds = list(row_partition_types)
    if kinds == ["FIRST_DIM_SIZE", "VALUE_ROWIDS"]:
        rows, ids = op.Reshape(i64(op, parts[0]), ints([1])), i64(op, parts[1])
    elif kinds == ["ROW_SPLITS"]:
        splits = i64(op, parts[0])
        rows = op.Sub(op.Shape(splits), ints([1]))
        ids = _rows(op, splits, op.Shape(values, end=1))
    else:
        raise Unsupported("a ragged tensor of more than one ragged dimension")
    if values.rank != 1:
        raise Unsupported(f"ragged rows of {values.type}")
    ones = op.Expand(constant(1, I64), op.Shape(ids))
    count = op.ScatterND(op.Expand(constant(0, I64), rows), op.Unsqueeze(ids, ints([1])), ones, reduction="add")
    start = op.Sub(op.CumSum(count, constant(0, I64)), count)
    index = op.Range(constant(0, I64), op.Squeeze(op.Shape(values), ints([0])), constant(1, I64))
    column = op.Sub(index, op.Gather(start, ids, axis=0))
    wanted = [-1, -1] if shape.type.size in (0, 1) and shape.data is not None and not shape.rank else \
        known(shape, "the shape")
    widest = op.ReduceMax(op.Concat(count, ints([0]), axis=0), ints([0]), keepdims=1)
    width = widest if len(wanted) < 2 or wanted[1] < 0 else ints([wanted[1]])
    if wanted and wanted[0] >= 0:
        raise Unsupported("a ragged tensor cut to a number of rows")
    room = op.Max(widest, width)
    fill = default if default.rank == 0 else op.Reshape(default, ints([]))
    table = op.Expand(fill, op.Concat(rows, room, axis=0))
    where = op.Concat(op.Unsqueeze(ids, ints([1])), op.Unsqueeze(column, ints([1])), axis=1)
    made = op.ScatterND(table, where, values)
    return op.Slice(made, ints([0]), width, ints([1]))


@to_onnx("StringToHashBucketFast", "StringToHashBucketStrong")
def hash_bucket(op: Builder, x: Value, *, num_buckets: int, key: Sequence[int] = ()) -> Any:
    return hashes.bucket(op, x, num_buckets, (key[0], key[1]) if key else None)


@to_onnx("StringLength")
def length(op: Builder, x: Value, *, unit: str = "BYTE") -> Any:
    found = letters.characters(op, op.Reshape(x, ints([-1])), letters.encoded(letters.EVERYTHING))
    many = op.Div(found, constant(1 << 32, I64))
    many = op.Min(many, constant(1, I64)) if unit != "BYTE" else many
    return cast(op, op.Reshape(op.ReduceSum(many, ints([1]), keepdims=0), op.Shape(x), allowzero=1), I32)


@to_onnx("Substr")
def substr(op: Builder, x: Value, pos: Value, count: Value, *, unit: str = "BYTE") -> Any:
    """Parts of texts by the place of their first character, from the end where that is negative."""
    # parts of a letter are no text: bytes are cut in ASCII only
    codes = letters.numbered(letters.ASCII if unit == "BYTE" else letters.EVERYTHING)
    pos, count = i64(op, pos), i64(op, count)
    if pos.rank or count.rank:
        x = op.Expand(x, op.Shape(pos)) if not x.rank else x
        pos, count = (op.Reshape(op.Expand(v, op.Shape(x)), ints([-1, 1])) for v in (pos, count))
    found = letters.characters(op, op.Reshape(x, ints([-1])), codes)
    there = cast(op, op.Greater(found, constant(0, I64)), I64)
    size = op.ReduceSum(there, ints([1]), keepdims=1)
    start = op.Where(op.Less(pos, constant(0, I64)), op.Add(size, pos), pos)
    outside = op.Or(op.Less(start, constant(0, I64)), op.Greater(start, size))
    place = op.Add(op.Unsqueeze(op.Range(constant(0, I64), op.Squeeze(op.Shape(found, start=1), ints([0])),
                                         constant(1, I64)), ints([0])), letters.stop(op, outside))
    inside = op.And(op.GreaterOrEqual(place, start), op.Less(place, op.Add(start, count)))
    kept = op.Where(inside, found, constant(0, I64))
    return op.Reshape(letters.joined(op, letters.spelled(op, kept, codes)), op.Shape(x), allowzero=1)


@to_onnx("StringStrip")
def strip(op: Builder, x: Value) -> Any:
    table, word = _words(op, op.Reshape(x, ints([-1])))
    last = op.ReduceMax(word, ints([1]), keepdims=1)
    # behind the last word is as little as before the first one
    after = op.And(op.Equal(word, last), op.Not(_is_word(op, table)))
    kept = op.Where(op.Or(op.Less(word, constant(1, I64)), after), strings.text(""), table)
    return op.Reshape(letters.joined(op, kept), op.Shape(x), allowzero=1)


def _is_word(op: Builder, table: Value) -> Value:
    out: Value = op.Less(letters.coded(op, table, letters.numbered(WHITE)), constant(0, I64))
    return out


def _words(op: Builder, row: Value) -> tuple[Value, Value]:
    """(texts, pieces) twice: words and the white space between them, and the number of the word that each piece is or
    follows, from 1."""
    table = letters.pieces(op, letters.unmarked(op, row), WHITE)
    return table, op.CumSum(cast(op, _is_word(op, table), I64), constant(1, I64))


@to_onnx("UnicodeDecode", "UnicodeDecodeWithOffsets")
def decode(op: Builder, x: Value, *, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
           replace_control_characters: bool = False, Tsplits: DType = I64) -> Any:
    """Texts as code points, one text after the other: where each begins, the code points, the bytes before each."""
    if input_encoding.upper() not in ("UTF-8", "UTF8") or replace_control_characters:
        raise Unsupported(f"{input_encoding} to code points, or without control characters")
    assert op.node is not None
    codes = letters.numbered(letters.EVERYTHING)
    found = letters.characters(op, op.Reshape(x, ints([-1])), codes)
    there = op.Greater(found, constant(0, I64))
    count = op.ReduceSum(cast(op, there, I64), ints([1]), keepdims=0)
    splits = cast(op, op.Concat(ints([0]), op.CumSum(count, constant(0, I64)), axis=0), Tsplits)
    mask = op.Reshape(there, ints([-1]))
    points = cast(op, op.Sub(op.Compress(op.Reshape(found, ints([-1])), mask, axis=0), constant(1, I64)), I32)
    if op.node.op == "UnicodeDecode":
        return splits, points
    size = cast(op, there, I64)
    for bound in (0x80, 0x800):  # the first code points of two and of three bytes
        size = op.Add(size, cast(op, op.Greater(found, constant(bound, I64)), I64))
    before = op.CumSum(size, constant(1, I64), exclusive=1)
    return splits, points, op.Compress(op.Reshape(before, ints([-1])), mask, axis=0)


@to_onnx("UnicodeEncode")
def encode(op: Builder, points: Value, splits: Value, *, output_encoding: str, errors: str = "replace",
           replacement_char: int = 65533) -> Any:
    """Rows of code points, which end where ``splits`` say, as texts."""
    if output_encoding.upper() not in ("UTF-8", "UTF8"):
        raise Unsupported(f"code points to {output_encoding}")
    codes = letters.numbered(letters.EVERYTHING)
    op.note("changed", "code points beyond Latin, Greek and Cyrillic stop the run")
    number = op.Add(i64(op, points), constant(1, I64))
    letter = letters.spelled(op, number, codes)
    known = letters.stop(op, op.Equal(letter, strings.text("")))
    rows = op.Add(_rows(op, splits, op.Shape(points)), known)
    ends = i64(op, splits)
    at = op.Range(constant(0, I64), op.Squeeze(op.Shape(points), ints([0])), constant(1, I64))
    place = op.Sub(at, op.Gather(ends, rows, axis=0))
    width = op.ReduceMax(op.Concat(op.Add(place, constant(1, I64)), ints([0]), axis=0), keepdims=1)
    none = op.Expand(strings.text(""), op.Concat(op.Sub(op.Shape(splits), ints([1])), width, axis=0))
    where = op.Concat(op.Unsqueeze(rows, ints([1])), op.Unsqueeze(place, ints([1])), axis=1)
    return letters.joined(op, op.ScatterND(none, where, letter))


@to_onnx("SparseCross")
def sparse_cross(op: Builder, *inputs: Value, N: int = 0, hashed_output: bool = True, num_buckets: int, hash_key: int,
                 **others: Any) -> Any:
    """Features of one column each, together as one bucket: a sparse matrix of one column."""
    if N or not hashed_output or len(inputs) < 1 or any(x.rank != 2 or (x.shape or ())[1] != 1 for x in inputs):
        raise Unsupported("a cross of sparse features, of several columns, or as texts")
    made = hashes.crossed(op, [x if x.dtype == STRING else i64(op, x) for x in inputs], num_buckets, hash_key)
    count = op.Shape(made, end=1)
    row = op.Unsqueeze(op.Range(constant(0, I64), op.Squeeze(count, ints([0])), constant(1, I64)), ints([1]))
    at = op.Concat(row, op.Mul(row, constant(0, I64)), axis=1)
    return at, op.Reshape(made, ints([-1])), op.Concat(count, ints([1]), axis=0)
