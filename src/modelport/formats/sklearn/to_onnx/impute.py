"""What stands for missing values.  Sources: sklearn/impute/_base.py, _knn.py, _iterative.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....codecs.pickle import Record
from ....errors import Unsupported
from ....hub.strings import text as word
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import STRING
from ..estimator import Estimator, text
from ..methods import Table, call, columns, features, ints, like, matrix, method, real
from .compose import picked, stacked
from .encode import is_missing, side_by_side


def blanks(op: Builder, x: Any, missing: Any) -> Value:
    """(rows, features): where a value is missing, which ``missing`` stands for: NaN, None, a number or a text."""
    if isinstance(x, Table):
        return side_by_side(op, [blanks(op, c, missing) for c in columns(op, x)])
    if x.dtype == STRING:
        if is_missing(missing):
            op.note("info", "a missing text (None or NaN) is the empty text")
            missing = ""
        out: Value = op.Equal(x, word(str(missing))) if isinstance(missing, str) else nowhere(op, x)
    elif is_missing(missing) or missing == "NaN":
        out = op.IsNaN(x) if x.dtype.kind == "f" else nowhere(op, x)
    elif isinstance(missing, str):
        out = nowhere(op, x)
    else:
        out = op.Equal(x, like(x, missing))
    return out


def nowhere(op: Builder, x: Value) -> Value:
    out: Value = op.Expand(np.zeros((1, 1), bool), op.Shape(x))
    return out


def with_indicator(op: Builder, y: Any, missing: Value, e: Estimator) -> Any:
    """``y``, and a column for each feature that may be missing, if the imputer adds them."""
    indicator = e.get("indicator_")
    if not e.get("add_indicator") or not isinstance(indicator, Estimator):
        return y
    at = np.asarray(indicator["features_"], np.int64).ravel()
    if not len(at):
        return y
    flags = op.Gather(missing, at, axis=1)
    return stacked(op, [y, flags], e.path)


@method("transform", "SimpleImputer", "Imputer")
def simple(op: Builder, x: Any, e: Estimator) -> Any:
    """Another value for missing ones; features that had no value are left out."""
    if e.get("axis", 0):
        raise Unsupported(f"{e.path}: means along rows")
    fill = np.asarray(e["statistics_"], object).ravel().tolist()
    missing = blanks(op, x, e.get("missing_values", np.nan))
    kept = [k for k, v in enumerate(fill) if e.get("keep_empty_features") or not is_missing(v)]
    if not kept:
        raise Unsupported(f"{e.path}: no feature is left")
    if isinstance(x, Table):
        parts = columns(op, x)
        flags = columns(op, missing)
        made = [_filled(op, parts[k], flags[k], fill[k:k + 1], e) for k in kept]
        y: Any = stacked(op, made, e.path)
    else:
        every = len(kept) == len(fill)
        y = _filled(op, x if every else op.Gather(x, np.array(kept, np.int64), axis=1),
                    missing if every else op.Gather(missing, np.array(kept, np.int64), axis=1),
                    [fill[k] for k in kept], e)
    return with_indicator(op, y, missing, e)


def _filled(op: Builder, x: Value, missing: Value, fill: list[Any], e: Estimator) -> Value:
    if x.dtype == STRING:
        if not all(isinstance(v, str) for v in fill):
            raise Unsupported(f"{e.path}: a number for missing texts")
        out: Value = op.Where(missing, np.array([fill], object), x)
        return out
    if any(isinstance(v, str) for v in fill):
        raise Unsupported(f"{e.path}: a text for missing numbers")
    values = np.array([np.nan if is_missing(v) else v for v in fill], np.float64)
    if x.dtype.kind != "f" and not (values == np.floor(values)).all():
        x = real(op, x, np.float64)
    return op.Where(missing, like(x, values)[None], x)


@method("transform", "MissingIndicator")
def indicator(op: Builder, x: Any, e: Estimator) -> Value:
    if e.get("_precomputed"):
        raise Unsupported(f"{e.path}: rows that say where others are missing")
    missing = blanks(op, x, e.get("missing_values", np.nan))
    at = np.asarray(e["features_"], np.int64).ravel()
    if text(e.get("features")) == "missing-only" and e.get("error_on_new", True) and len(at) < features(x):
        op.note("changed", "values missing of features that had all, which scikit-learn refuses, are not indicated")
    out: Value = missing if len(at) == features(x) else op.Gather(missing, at, axis=1)
    return out


# -- neighbours


@method("transform", "KNNImputer")
def neighbours(op: Builder, x: Any, e: Estimator) -> Any:
    """The mean of a feature's values in those rows of the training set that are nearest, in the features both have."""
    x = matrix(op, x)
    weights = text(e.get("weights", "uniform"))
    if text(e.get("metric", "nan_euclidean")) != "nan_euclidean" or weights not in ("uniform", "distance"):
        raise Unsupported(f"{e.path}: a metric or weights of your own")
    missing = blanks(op, x, e.get("missing_values", np.nan))
    op.note("changed", "of rows that are equally near the first ones count; scikit-learn takes any of them")
    fitted, absent = e.array("_fit_X"), np.asarray(e["_mask_fit_X"], bool)
    valid = np.asarray(e.get("_valid_mask", ~absent.all(0)), bool)
    distance = _distances(op, x, missing, np.where(absent, 0, fitted), absent)
    parts, flags = columns(op, x), columns(op, missing)
    made = []
    for k in range(len(valid)):
        if not valid[k]:
            if e.get("keep_empty_features"):
                made.append(op.Mul(real(op, op.Not(flags[k]), x.dtype), like(x, 0)))
            continue
        donors = np.flatnonzero(~absent[:, k])
        values = fitted[donors, k]
        count = min(int(e["n_neighbors"]), len(donors))
        far = distance if len(donors) == len(fitted) else op.Gather(distance, donors.astype(np.int64), axis=1)
        near, at = op.add("TopK", op.Where(op.IsNaN(far), like(x, np.inf), far), ints(count), axis=1, largest=0,
                          sorted=1, outputs=2)
        weight = real(op, op.Less(near, like(x, np.inf)), x.dtype)
        if weights == "distance":  # where some are at no distance at all, only those count
            at_zero = op.Equal(near, like(x, 0))
            touching = op.ReduceMax(real(op, at_zero, x.dtype), ints(1), keepdims=1)
            weight = op.Where(op.Greater(touching, like(x, 0)), real(op, at_zero, x.dtype), op.Mul(
                op.Reciprocal(op.Where(at_zero, like(x, 1), near)), weight))
        total = op.ReduceSum(weight, ints(1), keepdims=1)
        mean = op.Div(op.ReduceSum(op.Mul(op.Gather(like(x, values), at, axis=0), weight), ints(1), keepdims=1), total)
        mean = op.Where(op.Equal(total, like(x, 0)), like(x, values.mean()), mean)
        made.append(op.Where(flags[k], mean, parts[k]))
    return with_indicator(op, side_by_side(op, made), missing, e)


def _distances(op: Builder, x: Value, missing: Value, fitted: Array, absent: Array) -> Value:
    """(rows, rows of the training set), NaN where two have no feature in common."""
    x = op.Where(missing, like(x, 0), x)
    there = real(op, op.Not(missing), x.dtype)
    has = like(x, ~absent).T
    square = op.MatMul(op.Mul(x, x), has)
    both = op.MatMul(there, like(x, (fitted * fitted).T))
    cross = op.MatMul(x, like(x, fitted.T))
    total = op.Max(op.Add(op.Sub(square, op.Mul(cross, like(x, 2))), both), like(x, 0))
    common = op.MatMul(there, has)
    none = op.Equal(common, like(x, 0))
    mean = op.Mul(op.Div(total, op.Where(none, like(x, 1), common)), like(x, fitted.shape[1]))
    out: Value = op.Where(none, like(x, np.nan), op.Sqrt(mean))
    return out


# -- one feature of the others


@method("transform", "IterativeImputer")
def iterative(op: Builder, x: Any, e: Estimator) -> Any:
    """Each feature predicted of the others, in turn, as often as fitting took."""
    if e.get("sample_posterior"):
        raise Unsupported(f"{e.path}: values drawn at random")
    x = matrix(op, x)
    every = blanks(op, x, e.get("missing_values", np.nan))
    filled = matrix(op, call(op, "transform", e["initial_imputer_"], x))
    empty = e.get("_is_empty_feature")
    empty = np.zeros(features(x), bool) if empty is None else np.asarray(empty, bool)
    missing = every
    if empty.any() and e.get("keep_empty_features"):  # what the first imputer puts there stays
        missing = op.And(every, ~empty[None])
    if features(filled) != features(x):
        stays = e.get("initial_imputer_")
        kept = [k for k, v in enumerate(np.asarray(stays["statistics_"], object).tolist()) if not is_missing(v)]
        missing = op.Gather(every, np.array(kept, np.int64), axis=1)
    parts, flags = columns(op, filled), columns(op, missing)
    low, high = (np.broadcast_to(np.asarray(e.first(f"_{k}_value", f"{k}_value"), np.float64), (len(parts),))
                 for k in ("min", "max"))
    for k, others, model in map(_step, e["imputation_sequence_"]):
        if not isinstance(model, Record):
            raise Unsupported(f"{e.path}: an estimator of no kind")
        guess = call(op, "predict", Estimator(model, f"{e.path}.imputation_sequence_"),
                     picked(op, side_by_side(op, parts), others))
        guess = op.Unsqueeze(guess, ints(1)) if guess.rank == 1 else guess
        if np.isfinite(low[k]) or np.isfinite(high[k]):
            guess = op.Clip(guess, like(x, low[k]), like(x, high[k]))
        parts[k] = op.Where(flags[k], guess, parts[k])
    return with_indicator(op, side_by_side(op, parts), every, e)


def _step(triplet: Any) -> tuple[int, list[int], Any]:
    items = triplet.args if isinstance(triplet, Record) else triplet
    k, others, model = items
    return int(k), [int(n) for n in np.asarray(others).ravel()], model
