"""Categories as numbers.  Sources: sklearn/preprocessing/_encoders.py, _target_encoder.py, _label.py, utils/_encode.py.

A text that is missing (None or NaN in a table) is the empty text in ONNX."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....codecs.pickle import Name
from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array, Tensor
from ....ir.types import STRING
from ..estimator import Estimator, text
from ..interface import keys
from ..methods import columns, ints, method, real

F64 = np.dtype(np.float64)


def is_missing(value: Any) -> bool:
    """Whether a category or a setting says "no value": None, NaN, or pandas.NA."""
    return value is None or (isinstance(value, float) and value != value) or \
        str(getattr(value, "path", "")).endswith("NAType") or str(value) == "pandas._libs.missing.NA"


def lookup(op: Builder, x: Value, keys: Any, values: Sequence[int], unknown: int = -1, path: str = "") -> Value:
    """The integer that belongs to each element of ``x``, ``unknown`` where it is none of the keys."""
    found = [None if is_missing(k) else k for k in np.asarray(keys, object).ravel().tolist()]
    numbers_ = [int(v) for v in values]
    if x.dtype == STRING:
        missing = [v for k, v in zip(found, numbers_, strict=True) if k is None]
        if missing and (len(missing) > 1 or "" in found):
            raise Unsupported(f"{path}: categories that are missing texts and empty ones, or None and NaN: ONNX can't "
                              "tell them apart")
        if missing:
            op.note("info", "a missing text (None or NaN) is the empty text")
        words = ["" if k is None else str(k) for k in found]
        if any(k is not None and not isinstance(k, str) for k in found):
            raise Unsupported(f"{path}: categories that are numbers for a column of texts")
        out: Value = op.ml.LabelEncoder(x, keys_strings=words, values_int64s=numbers_, default_int64=unknown)
        return out
    if any(isinstance(k, str) for k in found):
        raise Unsupported(f"{path}: categories that are texts for a column of numbers")
    if x.dtype.kind in "iub":
        whole = [(int(k), v) for k, v in zip(found, numbers_, strict=True) if k is not None and k == int(k)]
        if not whole:
            return constant_column(op, x, unknown)
        return op.ml.LabelEncoder(
            real(op, x, np.int64), keys_int64s=[k for k, _ in whole], values_int64s=[v for _, v in whole],
            default_int64=unknown)
    table = np.array([np.nan if k is None else k for k in found], F64)
    places, other = (Tensor(np.array(n, np.int64)) for n in (numbers_, [unknown]))
    return op.ml.LabelEncoder(
        real(op, x, F64), keys_tensor=Tensor(table), values_tensor=places, default_tensor=other)


def constant_column(op: Builder, x: Value, value: int) -> Value:
    out: Value = op.Expand(np.array([[value]], np.int64), op.Shape(x))
    return out


def categories(e: Estimator, x: Any) -> list[Array]:
    found = e["categories_"]
    if not isinstance(found, (list, tuple)):
        raise Unsupported(f"{e.path}: categories that are a {type(found).__name__}")
    return [np.asarray(c) for c in found]


def split(op: Builder, x: Any, count: int, path: str) -> list[Value]:
    """The columns, as many as the estimator was fitted on."""
    parts = columns(op, x)
    if len(parts) != count:
        raise Unsupported(f"{path}: {len(parts)} columns, and categories of {count}")
    return parts


def side_by_side(op: Builder, parts: list[Value]) -> Value:
    out: Value = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)
    return out


def grouping(e: Estimator, k: int, count: int) -> tuple[list[int], int | None]:
    """The number of each category of column ``k`` after infrequent ones were grouped, and the number of their group."""
    mapping = (e.get("_default_to_infrequent_mappings") or {k: None})[k] if _infrequent(e) else None
    if mapping is None:
        return list(range(count)), None
    where = [int(v) for v in np.asarray(mapping)]
    rare = np.asarray(e["_infrequent_indices"][k]).ravel()
    return where, where[int(rare[0])]


def _infrequent(e: Estimator) -> bool:
    return bool(e.get("_infrequent_enabled")) and e.get("_default_to_infrequent_mappings") is not None


def dropped(e: Estimator, k: int) -> int | None:
    """The number of the category of column ``k`` that has no column of its own, after grouping."""
    found = e.get("_drop_idx_after_grouping")
    if found is None:
        found = e.get("drop_idx_")
    if found is None:
        return None
    at = np.asarray(found, object).ravel().tolist()[k]
    return None if at is None else int(at)


def element_type(e: Estimator, name: str = "dtype") -> Any:
    """The element type that a setting asks for, by the name of a class of numpy."""
    found = e.get(name)
    if isinstance(found, np.dtype):
        return found
    if isinstance(found, Name):
        short = {"float": "float64", "int": "int64", "bool": "bool"}.get(found.name, found.name)
        if short in ("float64", "float32", "int64", "int32", "bool"):
            return np.dtype(short)
        if found.name in ("uint8", "int8", "int16", "float16", "uint16", "uint32"):
            return np.dtype(np.int64 if "float" not in found.name else np.float32)
    if isinstance(found, str):
        return np.dtype(found)
    return F64


@method("transform", "OneHotEncoder")
def one_hot(op: Builder, x: Any, e: Estimator) -> Value:
    """A column of zeros and ones for each category, or each group of infrequent ones."""
    if "categories_" not in e:
        raise Unsupported(f"{e.path}: an encoder of scikit-learn's legacy mode (numbers below n_values)")
    cats = categories(e, x)
    unknown = text(e.get("handle_unknown")) or "error"
    if unknown == "error":
        op.note("changed", "unknown categories, which scikit-learn refuses, become zeros")
    codes, column, number = [], list[int](), list[int]()
    for k, (part, values) in enumerate(zip(split(op, x, len(cats), e.path), cats, strict=True)):
        where, rare = grouping(e, k, len(values))
        other = rare if rare is not None and unknown in ("infrequent_if_exist", "warn") else -1
        codes.append(lookup(op, part, values, where, other, e.path))
        without = dropped(e, k)
        kept = [n for n in range(max(where, default=-1) + 1) if n != without]
        column += [k] * len(kept)
        number += kept
    if not number:
        raise Unsupported(f"{e.path}: no column is left")
    code = side_by_side(op, codes)
    if len(codes) > 1:
        code = op.Gather(code, np.array(column, np.int64), axis=1)
    hits = op.Equal(code, np.array(number, np.int64)[None])
    return real(op, hits, element_type(e))


@method("inverse_transform", "OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
def decoded(op: Builder, x: Any, e: Estimator) -> Value:
    raise Unsupported(f"{e.path}: the way back from numbers to categories")


@method("transform", "OrdinalEncoder")
def ordinal(op: Builder, x: Any, e: Estimator) -> Value:
    """The number of each category; others and missing ones have values of their own."""
    cats = categories(e, x)
    use = text(e.get("handle_unknown")) == "use_encoded_value"
    if not use:
        op.note("changed", "unknown categories, which scikit-learn refuses, become -1")
    unknown = e.get("unknown_value") if use else -1
    missing_at = e.get("_missing_indices") or {}
    missing_value = e.get("encoded_missing_value", np.nan)
    want = element_type(e)
    made = []
    for k, (part, values) in enumerate(zip(split(op, x, len(cats), e.path), cats, strict=True)):
        blank = missing_at.get(k)
        blank = None if blank is None else int(blank)
        where, _ = grouping(e, k, len(values))
        results = [float(where[i]) if i < len(where) else float(i) for i in range(len(values))]
        if blank is not None:  # grouping counts without the missing one, which is the last
            results[blank] = float("nan") if is_missing(missing_value) else float(missing_value)
        results.append(float("nan") if is_missing(unknown) else float(unknown))
        code = lookup(op, part, values, range(len(values)), len(values), e.path)
        if results[:-1] == list(range(len(values))) and results[-1] == -1:  # the numbers are the codes
            code = lookup(op, part, values, range(len(values)), -1, e.path)
            made.append(real(op, code, want))
        else:
            table = np.array(results, want if want.kind == "f" else np.int64)
            made.append(real(op, op.Gather(table, code, axis=0), want))
    return side_by_side(op, made)


@method("transform", "TargetEncoder")
def target(op: Builder, x: Any, e: Estimator) -> Value:
    """What was learned of the target for each category; its mean for others."""
    cats = categories(e, x)
    encodings = [np.asarray(v, np.float64).ravel() for v in e["encodings_"]]
    means = np.atleast_1d(e.array("target_mean_"))
    each = len(means) if e["target_type_"] == "multiclass" else 1
    if len(encodings) != each * len(cats):
        raise Unsupported(f"{e.path}: {len(encodings)} encodings of {len(cats)} columns")
    made = []
    for k, (part, values) in enumerate(zip(split(op, x, len(cats), e.path), cats, strict=True)):
        code = lookup(op, part, values, range(len(values)), len(values), e.path)
        table = np.stack([np.append(encodings[k * each + c], means[c]) for c in range(each)], 1)
        made.append(op.Gather(table, op.Squeeze(code, ints(1)), axis=0))
    return side_by_side(op, made)


@method("transform", "LabelEncoder")
def label_encoder(op: Builder, x: Any, e: Estimator) -> Value:
    op.note("changed", "unknown labels, which scikit-learn refuses, become -1")
    classes = np.asarray(e["classes_"])
    part, = split(op, x, 1, e.path)
    out: Value = op.Squeeze(lookup(op, part, classes, range(len(classes)), -1, e.path), ints(1))
    return out


@method("transform", "LabelBinarizer")
def label_binarizer(op: Builder, x: Any, e: Estimator) -> Value:
    """A column for each label, one column if there are two."""
    if text(e.get("y_type_", "binary")) not in ("binary", "multiclass"):
        raise Unsupported(f"{e.path}: rows of several labels")
    classes = np.asarray(e["classes_"])
    part, = split(op, x, 1, e.path)
    low, high = int(e.get("neg_label", 0)), int(e.get("pos_label", 1))
    if len(classes) == 1:
        return constant_column(op, part, low)
    code = lookup(op, part, classes, range(len(classes)), -1, e.path)
    wanted = np.arange(len(classes))[None] if len(classes) > 2 else np.array([[1]])
    out: Value = op.Where(op.Equal(code, wanted.astype(np.int64)), np.int64(high), np.int64(low))
    return out


@method("transform", "MultiLabelBinarizer")
def multi_label(op: Builder, x: Value, e: Estimator) -> Value:
    """(rows, classes): whether a label is among those of the row (rows, items); others are left out."""
    classes = np.asarray(e["classes_"], object)
    op.note("info", "shorter lists of labels are filled up with labels that are none, such as the empty text")
    code = op.Pad(lookup(op, x, classes, range(len(classes)), -1, e.path), ints(0, 0, 0, 1), np.int64(-1))
    hits = op.Equal(op.Unsqueeze(code, ints(2)), np.arange(len(classes), dtype=np.int64))
    out: Value = op.ReduceMax(real(op, hits, np.int64), ints(1), keepdims=0)
    return out


@method("transform", "DictVectorizer")
def dictionaries(op: Builder, x: Any, e: Estimator) -> Value:
    """A column for each number and for each text that a key can have."""
    op.note("info", "a key that is missing is an empty text, or the number 0")
    found, made, order, want = keys(e), [], list[int](), element_type(e)
    for part, values in zip(split(op, x, len(found), e.path), found.values(), strict=True):
        if "" in values:
            raise Unsupported(f"{e.path}: an empty text, which ONNX can't tell from a key that is missing")
        if None not in values:
            code = lookup(op, part, list(values), range(len(values)), -1, e.path)
            part = op.Equal(code, np.arange(len(values), dtype=np.int64))
        made.append(real(op, part, want))
        order += values.values()
    y = side_by_side(op, made)
    out: Value = y if order == list(range(len(order))) else op.Gather(y, np.argsort(order), axis=1)
    return out
