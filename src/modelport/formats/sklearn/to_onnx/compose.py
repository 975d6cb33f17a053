"""Estimators made of estimators: rows go through them one after the other, or side by side.

Sources: sklearn/pipeline.py, compose/_column_transformer.py, compose/_target.py, model_selection/_search.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import STRING
from ..estimator import Estimator, text
from ..interface import DELEGATES, EACH, feature_names, picks
from ..methods import Table, call, columns, features, has, like, matrix, method, when
from ..sparse import formed, sparse

METHODS = ("predict", "predict_proba", "decision_function", "predict_log_proba", "transform", "classify",
           "score_samples", "apply", EACH)


def _steps(e: Estimator) -> list[Estimator]:
    """The steps of a pipeline without those that do nothing."""
    return [Estimator(step, f"{e.path}.{name}") for name, step in e["steps"]
            if step is not None and text(step) != "passthrough"]


def entered(op: Builder, e: Estimator, x: Any) -> tuple[Estimator, Any] | None:
    """What a compound estimator leaves its whole answer to, and the rows that reach it: the last step of a pipeline,
    what a search found, the model behind a choice of features; ``None`` for all others."""
    if e.name == "Pipeline" and _steps(e):
        *before, final = _steps(e)
        for step in before:
            x = call(op, "transform", step, x)
        return final, x
    if e.name in SELECTORS:
        return _inner(e), call(op, "transform", e, x)
    return (_inner(e), x) if e.name in DELEGATES and e.name not in THRESHOLDS else None


SELECTORS = ("RFE", "RFECV")
THRESHOLDS = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


def _delegates(name: str) -> None:
    @method(name, "Pipeline")
    @when(lambda e: bool(_steps(e)) and (has(_steps(e)[-1], name)))
    def pipeline(op: Builder, x: Any, e: Estimator) -> Any:
        final, reached = entered(op, e, x) or (e, x)
        return call(op, name, final, reached)

    @method(name, *(c for c in DELEGATES if not (c in SELECTORS and name == "transform") and
                    not (c in THRESHOLDS and name in ("predict", "classify"))))
    @when(lambda e: has(_inner(e), name))
    def search(op: Builder, x: Any, e: Estimator) -> Any:
        inner, reached = entered(op, e, x) or (_inner(e), x)
        return call(op, name, inner, reached)


def _inner(e: Estimator) -> Any:
    for key in ("best_estimator_", "estimator_", "base_estimator_", "estimator"):
        if isinstance(found := e.get(key), Estimator):
            return found
    return None


def class_number(op: Builder, e: Estimator, x: Any, made: dict[str, Any] | None = None) -> Value:
    """(rows): the number of each row's class; of several outputs (rows, outputs) the classes themselves.  What is
    computed on the way is put into ``made``, for other results."""
    while (inside := entered(op, e, x)) is not None:
        e, x = inside
    made = {} if made is None else made
    if has(e, "predict"):
        out: Value = call(op, "predict", e, x)
        return out
    for m in ("decision_function", "predict_proba"):
        if has(e, m):
            made[m] = made.get(m) or call(op, m, e, x)
            return most(op, made[m])
    raise Unsupported(f"{e.path}: no translation of {e.name}.predict")


def most(op: Builder, scores: Value) -> Value:
    """The number of the greatest of (rows, classes), the first if several are; of scores (rows) whether it is above
    zero."""
    if scores.rank == 1:
        out: Value = op.Cast(op.Greater(scores, np.zeros((), scores.dtype)), to=7)
    else:
        out = op.ArgMax(scores, axis=1, keepdims=0)
    return out


for _name in METHODS:
    _delegates(_name)


def _weighted(op: Builder, e: Estimator, name: str, y: Value) -> Value:
    weight = (e.get("transformer_weights") or {}).get(name)
    if weight is None:
        return y
    out: Value = op.Mul(y, like(y, weight))
    return out


def stacked(op: Builder, parts: list[Any], path: str) -> Any:
    """Matrices side by side; a :class:`Table` if their element types differ."""
    if not parts:
        raise Unsupported(f"{path}: no column is left")
    if len(parts) == 1:
        return parts[0]
    kinds = {v.dtype for p in parts for v in (columns(op, p) if isinstance(p, Table) else [p])}
    if STRING in kinds and len(kinds) > 1:
        flat = [c for p in parts for c in columns(op, p)]
        return Table({f"x{k}": c for k, c in enumerate(flat)})
    if STRING in kinds:
        return op.Concat(*parts, axis=1)
    made = [matrix(op, p) for p in parts]
    wide = np.float64 if any(m.dtype == np.float64 for m in made) else made[0].dtype
    return op.Concat(*(matrix(op, m, wide) for m in made), axis=1)


@method("transform", "FeatureUnion")
def feature_union(op: Builder, x: Any, e: Estimator) -> Any:
    parts, any_sparse = [], False
    for name, step in e["transformer_list"]:
        if step is None or text(step) == "drop":
            continue
        y = matrix(op, x) if text(step) == "passthrough" else \
            call(op, "transform", Estimator(step, f"{e.path}.{name}"), x)
        any_sparse = any_sparse or sparse(y)
        parts.append(_weighted(op, e, name, y))
    return formed(op, stacked(op, parts, e.path), any_sparse, x)


@method("transform", "ColumnTransformer")
def column_transformer(op: Builder, x: Any, e: Estimator) -> Any:
    parts = []
    for transformer, at in picks(e, features(x), feature_names(e)):
        part = picked(op, x, at)
        if isinstance(transformer, Estimator):
            name = transformer.path.rpartition(".")[2]
            parts.append(_weighted(op, e, name, call(op, "transform", transformer, part)))
        elif transformer == "passthrough":
            parts.append(part)
        else:
            raise Unsupported(f"{e.path}: the transformer {transformer!r}")
    return stacked(op, parts, e.path)


def picked(op: Builder, x: Any, at: list[int]) -> Any:
    """Some columns: a matrix where their element types agree."""
    if not isinstance(x, Table):
        return x if at == list(range(features(x))) else op.Gather(x, np.array(at, np.int64), axis=1)
    chosen = {x.names[k]: x.columns[x.names[k]] for k in at}
    if len({v.dtype for v in chosen.values()}) > 1:
        return Table(chosen)
    parts = list(chosen.values())
    return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)


@method("predict", "TransformedTargetRegressor")
def transformed_target(op: Builder, x: Any, e: Estimator) -> Any:
    y = call(op, "predict", e["regressor_"], x)
    y = y if y.rank == 2 else op.Unsqueeze(y, np.array([1], np.int64))
    y = call(op, "inverse_transform", e["transformer_"], y)
    return op.Squeeze(y, np.array([1], np.int64)) if int(e.get("_training_dim", 1)) == 1 else y


@method("inverse_transform", "Pipeline")
def back(op: Builder, x: Any, e: Estimator) -> Any:
    for step in reversed(_steps(e)):
        x = call(op, "inverse_transform", step, x)
    return x
