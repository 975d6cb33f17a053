"""Text."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import STRING, Type
from .common import BOOL, TF, from_onnx


@from_onnx("StringConcat")
def string_concat(tf: TF, a: Value, b: Value) -> Any:
    return tf.StringJoin(a, b, separator="")


@from_onnx("RegexFullMatch")
def regex_full_match(tf: TF, x: Value, *, pattern: str) -> Any:
    """RE2 on both sides."""
    return tf.RegexFullMatch(x, constant(np.array(pattern, STRING)), type=Type(BOOL, x.shape))


@from_onnx("StringNormalizer")
def string_normalizer(tf: TF, x: Value, *, case_change_action: str = "NONE", is_case_sensitive: int = 0,
                      locale: str = "", stopwords: Sequence[str] = ()) -> Any:
    """Letters beyond ASCII too; what is left of nothing is one empty text, for which there is no plain operator."""
    if stopwords:
        raise Unsupported("words that are left out")
    if case_change_action == "NONE":
        return x
    return tf.add("StringLower" if case_change_action == "LOWER" else "StringUpper", x, encoding="utf-8")


@from_onnx("StringSplit")
def string_split(tf: TF, x: Value, **attrs: Any) -> Any:
    raise Unsupported("parts of a number that is only known at run time")
