"""Encoders of labels: numbers only, text stays with the operators that know it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array, Tensor
from ....ir.types import STRING, is_float
from .table import FLOAT, f32, ints, ml, no_text, no_text_in


def _one(*given: Array, tensor: Tensor | None) -> Array:
    """The one of several attributes that is there."""
    there = [a for a in (*given, *([] if tensor is None else [tensor.numpy().ravel()])) if len(a)]
    if len(there) != 1:
        raise Unsupported("keys or values that are missing, or given twice")
    return there[0]


@ml("LabelEncoder")
def label_encoder(op: Builder, x: Value, *, keys_floats: Sequence[float] = (), keys_int64s: Sequence[int] = (),
                  keys_strings: Sequence[str] = (), keys_tensor: Tensor | None = None,
                  values_floats: Sequence[float] = (), values_int64s: Sequence[int] = (),
                  values_strings: Sequence[str] = (), values_tensor: Tensor | None = None,
                  default_float: float = -0.0, default_int64: int = -1, default_string: str = "_Unused",
                  default_tensor: Tensor | None = None) -> Value:
    """Each element looked up among the keys, the first of equal ones; NaN is found where NaN is a key."""
    no_text(keys_strings, values_strings)
    no_text_in(x)
    keys = _one(f32(keys_floats), np.array(keys_int64s, np.int64), tensor=keys_tensor)
    values = _one(f32(values_floats), np.array(values_int64s, np.int64), tensor=values_tensor)
    if STRING in (keys.dtype, values.dtype) or len(keys) != len(values) or keys.dtype != x.dtype:
        raise Unsupported(f"{len(keys)} keys of {keys.dtype} and {len(values)} values of {values.dtype} for {x.dtype}")
    missing: Any = default_float if is_float(values.dtype) else default_int64
    if default_tensor is not None:
        missing = default_tensor.numpy().ravel()[0]
    one_by_one = op.Unsqueeze(x, ints(-1))
    same = op.Equal(one_by_one, keys)
    if is_float(keys.dtype) and np.isnan(keys).any():
        same = op.Or(same, op.And(op.IsNaN(one_by_one), np.isnan(keys)))
    hits = op.Cast(same, to=FLOAT)
    found = op.Greater(op.ReduceMax(hits, ints(-1), keepdims=0), f32(0))
    value = op.Gather(values, op.ArgMax(hits, axis=-1, keepdims=0))
    return op.Where(found, value, np.asarray(missing, values.dtype))


@ml("CategoryMapper")
def category_mapper(op: Builder, x: Value, *, cats_int64s: Sequence[int] = (), cats_strings: Sequence[str] = (),
                    default_int64: int = -1, default_string: str = "_Unused") -> Value:
    """Between text and numbers, so it can't be said."""
    no_text(cats_strings or ("",))
    raise Unsupported("without categories")
