"""Words as numbers: lookups in a vocabulary, where ONNX says them exactly."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import STRING
from .common import I64, KerasBuilder, generation, i64, ints, rank, to_onnx
from .preprocess import encoded


def _tokens(vocabulary: Sequence[Any], mask: Any, oov: Any, oovs: int, mode: str) -> tuple[list[Any], int, int]:
    """The words without the special ones, the number of the first unknown one and of the first word."""
    start = 1 if mask is not None and mode == "int" else 0
    special = [mask] * start + [oov] * oovs
    words = list(vocabulary)
    return words[len(special):] if words[:len(special)] == special else words, start, len(special)


def looked_up(op: Builder, x: Value, *, vocabulary: Any, mask_token: Any, oov_token: Any, num_oov_indices: int,
              output_mode: str, invert: bool, max_tokens: Any, pad_to_max_tokens: bool, idf_weights: Any) -> Any:
    if not isinstance(vocabulary, (list, tuple)):
        raise Unsupported("its vocabulary is not in the file")
    words, unknown, first = _tokens(vocabulary, mask_token, oov_token, num_oov_indices, output_mode)
    text = any(isinstance(w, str) for w in (*words, oov_token if oov_token is not None else ""))
    if num_oov_indices > 1 and not invert:
        raise Unsupported(f"{num_oov_indices} numbers for unknown words, which a hash function chooses among")
    if len(set(words)) != len(words):
        raise Unsupported("a vocabulary with a word twice")
    numbers = list(range(first, first + len(words)))
    if not invert and mask_token is not None and output_mode == "int":
        words, numbers = [mask_token, *words], [0, *numbers]
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
    y = op.ml.LabelEncoder(x, **keys_, values_int64s=numbers, default_int64=unknown if num_oov_indices else -1)
    if output_mode == "int":
        return y
    depth = first + len(numbers)
    idf = None
    if output_mode in ("tf_idf", "tf-idf"):
        idf = np.asarray(idf_weights, np.float32)
        if len(idf) == len(numbers) and num_oov_indices:
            idf = np.concatenate([np.full(num_oov_indices, idf.mean(), np.float32), idf])
        if len(idf) != depth:
            raise Unsupported(f"{len(idf)} weights for {depth} words")
    if pad_to_max_tokens and max_tokens:
        idf = None if idf is None else np.pad(idf, [0, max_tokens - depth])
        depth = max_tokens
    if generation(op) == 3:  # whole numbers, whatever the policy of the layer says
        assert isinstance(op, KerasBuilder)
        op.compute = np.dtype(np.float32) if idf is not None else I64
    return encoded(op, y, output_mode, depth, idf=idf)


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
                     pad_to_max_tokens=pad_to_max_tokens, idf_weights=idf_weights)


@to_onnx("TextVectorization")
def text_vectorization(op: Builder, x: Value, *, vocabulary: Any = None, max_tokens: Any = None,
                       standardize: Any = None, split: Any = None, ngrams: Any = None, output_mode: str = "int",
                       output_sequence_length: Any = None, pad_to_max_tokens: bool = False, idf_weights: Any = None,
                       sparse: bool = False, ragged: bool = False, encoding: str = "utf-8",
                       special_tokens: bool = False, vocabulary_size: Any = None) -> Any:
    if standardize is not None:
        raise Unsupported(f"standardize '{standardize}': ONNX has no operator that takes characters out of text")
    if split not in (None, "whitespace") or ngrams is not None or ragged or sparse:
        raise Unsupported("a split by characters, n-grams, or ragged or sparse outputs")
    if output_mode != "int" and split is not None:
        raise Unsupported(f"output_mode {output_mode} of split text")
    if split is not None:
        if rank(x) == 2:
            x = op.Squeeze(x, ints([1]))
        x, _ = op.add("StringSplit", x, outputs=2)
    # the mask's word is the empty one, which also fills up shorter texts
    y = looked_up(op, x, vocabulary=vocabulary, mask_token="", oov_token="[UNK]", num_oov_indices=1,
                  output_mode=output_mode, invert=False, max_tokens=max_tokens, pad_to_max_tokens=pad_to_max_tokens,
                  idf_weights=idf_weights)
    if output_mode == "int" and output_sequence_length is not None:
        axis = rank(y) - 1
        y = op.Slice(y, ints([0]), ints([output_sequence_length]), ints([axis]))
        missing = op.Sub(ints([output_sequence_length]), op.Shape(y, start=axis))
        y = op.Pad(y, op.Concat(ints([0]), missing, axis=0), np.int64(0), ints([axis]))
    return y


