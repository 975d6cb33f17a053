"""Words as numbers: lookups in a vocabulary, where ONNX says them exactly."""
from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import hashes, letters, strings
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import STRING
from .common import I64, INT_MAX, KerasBuilder, cast, generation, i64, ints, rank, room, to_onnx
from .preprocess import encoded, salted


def _tokens(vocabulary: Sequence[Any], mask: Any, oov: Any, oovs: int, mode: str) -> tuple[list[Any], int, int]:
    """The words without the special ones, the number of the first unknown one and of the first word."""
    start = 1 if mask is not None and mode == "int" else 0
    special = [mask] * start + [oov] * oovs
    words = list(vocabulary)
    return words[len(special):] if words[:len(special)] == special else words, start, len(special)


def looked_up(op: Builder, x: Value, *, vocabulary: Any, mask_token: Any, oov_token: Any, num_oov_indices: int,
              output_mode: str, invert: bool, max_tokens: Any, pad_to_max_tokens: bool, idf_weights: Any,
              there: Value | None = None, oov_method: str = "floormod", salt: Any = None) -> Any:
    """The numbers of words, or rows of how often each number is there; ``there`` says which of the words count."""
    if not isinstance(vocabulary, (list, tuple)):
        raise Unsupported("its vocabulary is not in the file")
    words, unknown, first = _tokens(vocabulary, mask_token, oov_token, num_oov_indices, output_mode)
    text = any(isinstance(w, str) for w in (*words, oov_token if oov_token is not None else ""))
    if len(set(words)) != len(words):
        raise Unsupported("a vocabulary with a word twice")
    numbers = list(range(first, first + len(words)))
    depth = first + len(numbers)
    if not invert and mask_token is not None:  # before the unknown ones: without a place of its own in a row
        words, numbers = [mask_token, *words], [unknown - 1, *numbers]
    if invert:
        table = dict(zip(numbers, words, strict=True))
        for k in range(num_oov_indices):
            table[unknown + k] = oov_token
        if unknown:
            table[0] = mask_token
        keys = {"keys_int64s": list(table)}
        values = {"values_strings": [str(w) for w in table.values()], "default_string": str(oov_token)} if text else \
            {"values_int64s": [int(w) for w in table.values()], "default_int64": int(oov_token)}
        return op.ml.LabelEncoder(i64(op, x), **keys, **values)
    keys_: dict[str, Any] = {"keys_strings": [str(w) for w in words]} if text else \
        {"keys_int64s": [int(w) for w in words]}
    if text and x.dtype != STRING:
        raise Unsupported(f"words looked up by {x.dtype}")
    x = x if text else i64(op, x)
    y = op.ml.LabelEncoder(x, **keys_, values_int64s=numbers, default_int64=unknown if num_oov_indices == 1 else -1)
    if num_oov_indices > 1:
        without = op.Equal(y, np.int64(-1))
        if text or oov_method == "farmhash":
            some = op.Where(without, x, strings.text("") if text else np.int64(0))
            rest = hashes.bucket(op, some, num_oov_indices, salted(salt))
        else:
            rest = op.Mod(x, np.int64(num_oov_indices))
        y = op.Where(without, op.Add(rest, np.int64(unknown)), y)
    if output_mode == "int":
        return y
    idf = None
    if output_mode in ("tf_idf", "tf-idf"):
        idf = np.asarray(idf_weights, np.float32)
        if len(idf) == depth - first and num_oov_indices:
            idf = np.concatenate([np.full(num_oov_indices, idf.mean(), np.float32), idf])
        if len(idf) != depth:
            raise Unsupported(f"{len(idf)} weights for {depth} words")
    if pad_to_max_tokens and max_tokens:
        idf = None if idf is None else np.pad(idf, [0, max_tokens - depth])
        depth = max_tokens
    if generation(op) == 3:  # whole numbers, whatever the policy of the layer says
        assert isinstance(op, KerasBuilder)
        op.compute = np.dtype(np.float32) if idf is not None else I64
    if there is not None:
        return _bag(op, y, there, output_mode, depth, idf)
    return encoded(op, y, output_mode, depth, idf=idf)


def _bag(op: Builder, numbers: Value, there: Value, mode: str, depth: int, idf: Any) -> Any:
    """(rows, depth): how often each number is in a row, counted only where ``there``; no table of words by depth."""
    assert isinstance(op, KerasBuilder)
    room(depth)
    start = op.Expand(constant(0, op.compute), op.Concat(op.Shape(numbers, end=1), ints([depth]), axis=0))
    y = op.ScatterElements(start, numbers, cast(op, there, op.compute), axis=1, reduction="add")
    if mode in ("multi_hot", "binary"):
        return op.Min(y, constant(1, y.dtype))
    if mode == "count":
        return y
    if idf is not None:
        return op.Mul(y, np.asarray(idf).astype(y.dtype))
    raise Unsupported(f"output_mode {mode} of split text")


@to_onnx("StringLookup", "IntegerLookup")
def lookup(op: Builder, x: Value, *, vocabulary: Any = None, mask_token: Any = None, oov_token: Any = None,
           num_oov_indices: int = 1, output_mode: str = "int", invert: bool = False, max_tokens: Any = None,
           pad_to_max_tokens: bool = False, idf_weights: Any = None, sparse: bool = False, encoding: str = "utf-8",
           vocabulary_dtype: Any = None, special_tokens: bool = False, salt: Any = None, oov_method: str = "floormod",
           vocabulary_size: Any = None, max_values: Any = None, oov_value: Any = None, mask_value: Any = None) -> Any:
    assert op.node is not None
    if sparse:
        raise Unsupported("sparse outputs")
    if op.node.op == "IntegerLookup" and num_oov_indices and x.dtype == STRING:
        raise Unsupported("numbers looked up by words")
    return looked_up(op, x, vocabulary=vocabulary, mask_token=mask_token, oov_token=oov_token,
                     num_oov_indices=num_oov_indices, output_mode=output_mode, invert=invert, max_tokens=max_tokens,
                     pad_to_max_tokens=pad_to_max_tokens, idf_weights=idf_weights, oov_method=oov_method, salt=salt)


STANDARDS = (None, "lower", "strip_punctuation", "lower_and_strip_punctuation")


@to_onnx("TextVectorization")
def text_vectorization(op: Builder, x: Value, *, vocabulary: Any = None, max_tokens: Any = None,
                       standardize: Any = None, split: Any = None, ngrams: Any = None, output_mode: str = "int",
                       output_sequence_length: Any = None, pad_to_max_tokens: bool = False, idf_weights: Any = None,
                       sparse: bool = False, ragged: bool = False, encoding: str = "utf-8",
                       special_tokens: bool = False, vocabulary_size: Any = None) -> Any:
    if standardize not in STANDARDS:
        raise Unsupported(f"standardize {standardize!r}")
    if split not in (None, "whitespace", "character") or ragged or sparse or (ngrams is not None and split is None):
        raise Unsupported("a split by a function, n-grams of what is not split, or ragged or sparse outputs")
    if standardize in ("lower", "lower_and_strip_punctuation"):
        x = strings.cased(op, x, "LOWER")
    if standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
        x = strings.without(op, x, strings.PUNCTUATION)
    length = output_sequence_length if output_mode == "int" else None
    # the mask's word is the empty one, which also fills up shorter texts
    look = functools.partial(
        looked_up, op, vocabulary=vocabulary, mask_token="", oov_token="[UNK]", num_oov_indices=1, invert=False,
        max_tokens=max_tokens, pad_to_max_tokens=pad_to_max_tokens, idf_weights=idf_weights)
    if split is None:
        y = look(x, output_mode=output_mode)
    else:
        if rank(x) == 2:
            x = op.Squeeze(x, ints([1]))
        listed = vocabulary if isinstance(vocabulary, (list, tuple)) else ()
        own = [w for w in listed if isinstance(w, str) and len(w) == 1]
        words, count = strings.words(op, x) if split == "whitespace" else \
            letters.apart(op, x, "".join(dict.fromkeys([*letters.EVERYTHING, *own])))
        if ngrams is not None:
            words, count = _grams(op, words, count, range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams)
        if output_mode == "int":
            y = look(words, output_mode="int")
        else:
            there = op.Less(_columns(op, words), op.Unsqueeze(count, ints([1])))
            y = look(words, output_mode=output_mode, there=there)
    if length is not None:
        axis = rank(y) - 1
        y = op.Slice(y, ints([0]), ints([length]), ints([axis]))
        missing = op.Sub(ints([length]), op.Shape(y, start=axis))
        y = op.Pad(y, op.Concat(ints([0]), missing, axis=0), np.int64(0), ints([axis]))
    return y


def _columns(op: Builder, table: Value) -> Value:
    """(1, columns): the number of each column."""
    width = op.Squeeze(op.Shape(table, start=1, end=2), ints([0]))
    out: Value = op.Unsqueeze(op.Range(np.int64(0), width, np.int64(1)), ints([0]))
    return out


def _grams(op: Builder, words: Value, count: Value, sizes: Iterable[int]) -> tuple[Value, Value]:
    """Of rows of words, so many each, all runs of the sizes, size by size: rows of runs, and how many each."""
    tables, real, counts = [], [], []
    for size in sizes:
        runs = words
        for k in range(1, size):  # the word k places on, or the empty one behind the last
            ahead = op.Slice(words, ints([k]), ints([INT_MAX]), ints([1]))
            room = op.Expand(strings.text(""), op.Concat(op.Shape(words, end=1), ints([k]), axis=0))
            ahead = op.Concat(ahead, room, axis=1)
            ahead = op.Slice(ahead, ints([0]), op.Shape(words, start=1, end=2), ints([1]))
            runs = op.StringConcat(op.StringConcat(runs, strings.text(" ")), ahead)
        many = op.Max(op.Sub(count, ints([size - 1])), ints([0]))
        tables.append(runs)
        counts.append(many)
        real.append(op.Less(_columns(op, words), op.Unsqueeze(many, ints([1]))))
    table, there = op.Concat(*tables, axis=1), op.Concat(*real, axis=1)
    total = op.ReduceSum(op.Concat(*(op.Unsqueeze(c, ints([1])) for c in counts), axis=1), ints([1]), keepdims=0)
    # those that are there first, in their order; TopK wants a number that is never equal to another
    column = op.Neg(_columns(op, table))
    width = op.Shape(table, start=1, end=2)
    _, order = op.add("TopK", op.Where(there, column, op.Sub(column, width)), width, outputs=2)
    table = op.GatherElements(op.Where(there, table, strings.text("")), order, axis=1)
    widest = op.ReduceMax(op.Concat(total, ints([0]), axis=0), ints([0]), keepdims=1)
    return op.Slice(table, ints([0]), widest, ints([1])), total
