"""Scaler, Normalizer, Binarizer, Imputer, OneHotEncoder and what picks and joins features."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import NUMBER, is_float
from .table import FLOAT, INT64, as_float, f32, ints, ml, no_text, no_text_in, rows


def _per_feature(x: Value, values: Sequence[float], what: str) -> None:
    """One value for all features, or one for each of the last axis of at most two."""
    if len(values) == 1:
        return
    if x.rank is None or x.rank > 2:
        raise Unsupported(f"{what} for each feature, of a value of more than two axes")
    features = x.shape[-1] if x.shape else None
    if isinstance(features, int) and features != len(values):
        raise Unsupported(f"{len(values)} numbers as {what}, for {features} features")


@ml("Scaler")
def scaler(op: Builder, x: Value, *, offset: Sequence[float] = (), scale: Sequence[float] = ()) -> Value:
    """(x - offset) * scale; doubles are computed as such."""
    if not scale or len(scale) != len(offset):
        raise Unsupported(f"{len(offset)} offsets and {len(scale)} scales")
    _per_feature(x, scale, "scale and offset")
    if x.dtype == np.float64:
        y = op.Mul(op.Sub(x, f32(offset).astype(np.float64)), f32(scale).astype(np.float64))
        return op.Cast(y, to=FLOAT)
    return op.Mul(op.Sub(as_float(op, x), f32(offset)), f32(scale))


@ml("Normalizer")
def normalizer(op: Builder, x: Value, *, norm: str = "MAX") -> Value:
    """Each row divided by its greatest element, its sum of sizes or its length; unchanged where that is zero.

    The greatest element is that with its sign, and NaN does not count, as in ONNX Runtime."""
    if x.rank is None or x.rank > 2:
        raise Unsupported("an input of unknown rank" if x.rank is None else f"an input of {x.rank} axes")
    x, axis, zero = as_float(op, x), ints(-1), f32(0)
    lowest = f32(np.finfo(np.float32).min)
    if norm == "MAX":
        by = op.Max(op.ReduceMax(op.Where(op.IsNaN(x), lowest, x), axis), lowest)
        y = op.Div(x, by)
    elif norm == "L1":
        by = op.ReduceSum(op.Abs(x), axis)
        y = op.Div(x, by)
    elif norm == "L2":
        square = op.Mul(x, x)
        by = op.ReduceSum(square, axis)
        size = op.Sqrt(op.Div(square, by))
        y = op.Where(op.Less(x, zero), op.Neg(size), size)
    else:
        raise Unsupported(f"norm '{norm}'")
    return op.Where(op.Equal(by, zero), x, y)


@ml("Binarizer")
def binarizer(op: Builder, x: Value, *, threshold: float = 0.0) -> Value:
    if is_float(x.dtype):
        limit = np.asarray(f32(threshold), x.dtype)
    elif not math.isfinite(threshold) or not np.iinfo(x.dtype).min <= threshold < np.iinfo(x.dtype).max:
        raise Unsupported(f"a threshold of {threshold} for {x.dtype}")
    else:
        limit = np.asarray(math.floor(threshold), x.dtype)  # no integer lies between
    return op.Cast(op.Greater(x, limit), to=NUMBER[x.dtype])


@ml("Imputer")
def imputer(op: Builder, x: Value, *, imputed_value_floats: Sequence[float] = (),
            imputed_value_int64s: Sequence[int] = (), replaced_value_float: float = 0.0,
            replaced_value_int64: int = 0) -> Value:
    """Elements equal to one value (NaN, if that is it) replaced by another, or by one for each feature."""
    real = is_float(x.dtype)
    values: Sequence[float] = imputed_value_floats if real else imputed_value_int64s
    if not values:
        raise Unsupported(f"nothing to impute into {x.dtype}")
    _per_feature(x, values, "the imputed value")
    old = replaced_value_float if real else replaced_value_int64
    missing = op.IsNaN(x) if real and math.isnan(old) else op.Equal(x, np.asarray(f32(old) if real else old, x.dtype))
    new = f32(values) if real else np.array(values)
    return op.Where(missing, new.astype(x.dtype) if len(new) > 1 else new[0].astype(x.dtype), x)


@ml("ArrayFeatureExtractor")
def array_feature_extractor(op: Builder, x: Value, index: Value) -> Value:
    """Some places of the last axis; a vector becomes a batch of one."""
    if x.rank is None or x.rank == 0:
        raise Unsupported("an input of unknown rank or of none")
    picked = op.Gather(x, op.Reshape(index, ints(-1)), axis=x.rank - 1)
    return op.Unsqueeze(picked, ints(0)) if x.rank == 1 else picked


@ml("FeatureVectorizer")
def feature_vectorizer(op: Builder, *inputs: Value, inputdimensions: Sequence[int] = ()) -> Value:
    """Features side by side, each input cut or filled with zeros to its stated number of them."""
    if len(inputdimensions) != len(inputs):
        raise Unsupported(f"{len(inputs)} inputs and {len(inputdimensions)} inputdimensions")
    parts = []
    for x, size in zip(inputs, inputdimensions, strict=True):
        x = as_float(op, op.Flatten(x, axis=1) if x.rank is not None and x.rank > 2 else rows(op, x))
        features = x.shape[1] if x.shape else None
        if not isinstance(features, int) or features < size:
            x = op.Pad(x, ints(0, 0, 0, size - features if isinstance(features, int) else size), f32(0))
        if not isinstance(features, int) or features > size:
            x = op.Slice(x, ints(0), ints(size), ints(1))
        parts.append(x)
    return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)


@ml("OneHotEncoder")
def one_hot_encoder(op: Builder, x: Value, *, cats_int64s: Sequence[int] = (), cats_strings: Sequence[str] = (),
                    zeros: int = 1) -> Value:
    """A last axis with a one at the place of the category; real numbers are cut to integers first."""
    no_text(cats_strings)
    no_text_in(x)
    if len(set(cats_int64s)) != len(cats_int64s) or not cats_int64s:
        raise Unsupported("a category that is named twice" if cats_int64s else "no categories")
    if not zeros:
        op.note("dropped", "unknown categories become zeros, where the operator would fail")
    whole = op.Unsqueeze(x if x.dtype == np.int64 else op.Cast(x, to=INT64), ints(-1))
    return op.Cast(op.Equal(whole, ints(*cats_int64s)), to=FLOAT)


