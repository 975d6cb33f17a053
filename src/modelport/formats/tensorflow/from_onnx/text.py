"""Text."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.tensor import Tensor
from ....ir.types import STRING, Type, is_float
from ...writing import rank
from .common import BOOL, F32, I32, I64, TF, concat, expanded, from_onnx, ints, reshape, sizes

EMPTY = np.array("", STRING)


def _spread(tf: TF, a: Value, b: Value) -> tuple[Value, Value]:
    """Both in the shape of the two: the kernel broadcasts single texts only."""
    if (a.type.static and a.shape == b.shape) or 0 in (a.rank, b.rank):
        return a, b
    shape = tf.BroadcastArgs(*(sizes(tf, v, 0, rank(v)) for v in (a, b)), type=Type(I32, (max(rank(a), rank(b)),)))
    return tf.BroadcastTo(a, shape, type=tf.out), tf.BroadcastTo(b, shape, type=tf.out)


@from_onnx("StringConcat")
def string_concat(tf: TF, a: Value, b: Value) -> Any:
    return tf.StringJoin(*_spread(tf, a, b), separator="", type=tf.out)


@from_onnx("RegexFullMatch")
def regex_full_match(tf: TF, x: Value, *, pattern: str) -> Any:
    """RE2 on both sides."""
    return tf.RegexFullMatch(x, constant(np.array(pattern, STRING)), type=Type(BOOL, x.shape))


_CASES = {"LOWER": "StringLower", "UPPER": "StringUpper"}


@from_onnx("StringNormalizer")
def string_normalizer(tf: TF, x: Value, *, case_change_action: str = "NONE", is_case_sensitive: int = 0,
                      locale: str = "", stopwords: Sequence[str] = ()) -> Any:
    """Words that are listed are left out, letters changed, those beyond ASCII too; of nothing, one empty text is left.

    Where case does not count, words are compared in the case that they are changed to."""
    if rank(x) not in (1, 2):
        raise Unsupported(f"of {rank(x)} axes")
    n = rank(x)
    if stopwords:
        compared, words = x, list(stopwords)
        if not is_case_sensitive:
            upper = case_change_action == "UPPER"
            compared = tf.add(_CASES["UPPER" if upper else "LOWER"], x, encoding="utf-8")
            words = [w.upper() if upper else w.lower() for w in words]
        flat = reshape(tf, compared, (None,))
        listed = np.empty(len(words), STRING)
        listed[:] = words
        hit = tf.Any(tf.Equal(expanded(tf, flat, 1), constant(listed)), ints([1]), keep_dims=False)
        kept = tf.Squeeze(tf.Where(tf.LogicalNot(hit), type=Type(I64, (None, 1))), squeeze_dims=[1])
        left = tf.GatherV2(reshape(tf, x, (None,)), kept, constant(0, I32))
        none = tf.Maximum(tf.Sub(constant(1, I32), tf.Size(left, out_type=I32)), constant(0, I32))
        whole = tf.ConcatV2(left, tf.Fill(reshape(tf, none, (1,)), constant(EMPTY)), constant(0, I32))
        x = tf.ExpandDims(whole, constant(0, I32)) if n == 2 else whole
    if case_change_action == "NONE":
        return x
    return tf.add(_CASES[case_change_action], x, encoding="utf-8")


@from_onnx("StringSplit")
def string_split(tf: TF, x: Value, *, delimiter: str = "", maxsplit: int | None = None) -> Any:
    """The parts side by side, empty texts behind those of fewer; and their numbers.

    With white space for a delimiter, the kernel counts an empty rest where parts are limited."""
    assert tf.node is not None
    if maxsplit is not None and not delimiter:
        raise Unsupported("so many parts between white space")
    flat = reshape(tf, x, (None,))
    index, parts, shape = tf.StringSplitV2(
        flat, constant(np.array(delimiter, STRING)), maxsplit=-1 if maxsplit is None else maxsplit, outputs=3,
        type=[Type(I64, (None, 2)), Type(STRING, (None,)), Type(I64, (2,))])
    dense = tf.ScatterNd(index, parts, shape, type=Type(STRING, (None, None)))
    own = tf.Shape(x, out_type=I64)
    whole = tf.Reshape(dense, concat(tf, [own, tf.Slice(shape, ints([1]), ints([1]))]),
                       type=tf.node.outputs[0].type)
    ones = tf.OnesLike(tf.Reshape(tf.Slice(index, ints([0, 0]), ints([-1, 1])), ints([-1]), type=Type(I64, (None,))))
    rows = tf.Slice(index, ints([0, 0]), ints([-1, 1]))
    count = tf.ScatterNd(rows, ones, tf.Slice(shape, ints([0]), ints([1])), type=Type(I64, (None,)))
    return whole, tf.Reshape(count, own, type=Type(I64, x.shape))


@from_onnx("ai.onnx.ml.LabelEncoder")
def label_encoder(tf: TF, x: Value, *, default_float: float = -0.0, default_int64: int = -1,
                  default_string: str = "_Unused", default_tensor: Tensor | None = None, **attrs: Any) -> Any:
    """Text looked up, or looked for: each element compared with all keys, the first of equal ones counts."""
    keys, values = (_listed(attrs, word) for word in ("keys", "values"))
    if STRING not in (keys.dtype, values.dtype):
        raise Unsupported("numbers for numbers")
    if len(keys) != len(values) or keys.dtype != x.dtype or not len(keys):
        raise Unsupported(f"{len(keys)} keys of {keys.dtype} and {len(values)} values of {values.dtype} for {x.dtype}")
    missing: Any = default_string if values.dtype == STRING else default_float if is_float(values.dtype) \
        else default_int64
    if default_tensor is not None:
        missing = default_tensor.numpy().ravel()[0]
    if values.dtype == I64:
        values = values.astype(tf.out.dtype)
    each = expanded(tf, x, rank(x))
    same = tf.Equal(each, constant(keys))
    if is_float(keys.dtype) and np.isnan(keys).any():
        same = tf.LogicalOr(same, tf.LogicalAnd(tf.IsNan(each), constant(np.isnan(keys))))
    last = constant(rank(x), I32)
    at = tf.ArgMax(tf.Cast(same, DstT=I32), last, output_type=I32)
    found = tf.Any(same, reshape(tf, last, (1,)), keep_dims=False)
    other = np.empty((), values.dtype)
    other[...] = missing
    return tf.SelectV2(found, tf.GatherV2(constant(values), at, constant(0, I32)), constant(other))


def _listed(attrs: dict[str, Any], word: str) -> Any:
    """The keys or the values, in whichever attribute they are."""
    kinds = {"floats": F32, "int64s": I64, "strings": STRING}
    found = [np.array(attrs[f"{word}_{k}"], d) for k, d in kinds.items() if attrs.get(f"{word}_{k}")]
    if attrs.get(f"{word}_tensor") is not None:
        found.append(attrs[f"{word}_tensor"].numpy().ravel())
    if len(found) != 1:
        raise Unsupported("keys or values that are missing, or given twice")
    return found[0]


@from_onnx("ai.onnx.ml.CategoryMapper")
def category_mapper(tf: TF, x: Value, *, cats_int64s: Sequence[int] = (), cats_strings: Sequence[str] = (),
                    default_int64: int = -1, default_string: str = "_Unused") -> Any:
    """Between text and numbers, in the direction that the input tells."""
    one, other = ("strings", "int64s") if x.dtype == STRING else ("int64s", "strings")
    cats = {"strings": cats_strings, "int64s": cats_int64s}
    return label_encoder(tf, x, default_int64=default_int64, default_string=default_string,
                         **{f"keys_{one}": cats[one], f"values_{other}": cats[other]})
