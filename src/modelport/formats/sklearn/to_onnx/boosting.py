"""Boosted trees: scikit-learn's own, and the estimators of XGBoost.

Sources: sklearn/ensemble/_gb.py, _hist_gradient_boosting; xgboost/sklearn.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...xgboost import model as xgboost_model
from ...xgboost import translate as xgboost
from ..estimator import Estimator
from ..interface import labelled
from ..interface import labels as classes
from ..methods import matrix, method, real


def booster(e: Estimator) -> xgboost_model.Model:
    """The booster inside of an estimator of XGBoost, or that is one."""
    inner = e if e.name == "Booster" else e["_Booster"]
    handle = inner["handle"] if isinstance(inner, Estimator) else None
    if not isinstance(handle, (bytes, bytearray)):
        raise Unsupported(f"{e.path}: the pickle does not hold its trees")
    return xgboost_model.parse(bytes(handle))


def best(e: Estimator, model: xgboost_model.Model) -> xgboost_model.Model:
    """The rounds that an estimator predicts with: those up to the best one, if it was fitted with early stopping."""
    from dataclasses import replace
    at = e.get("best_iteration", e.get("_best_iteration"))
    if model.trees is None or not isinstance(at, (int, np.integer)):
        return model
    count = (int(at) + 1) * model.trees_per_round * model.outputs
    trees = model.trees
    return replace(model, trees=replace(trees, roots=trees.roots[:count], target=trees.target[:count]).checked())


def labels(e: Estimator, model: xgboost_model.Model) -> list[int] | list[str]:
    if "classes_" in e:
        return classes(e)
    encoder = e.get("_le")
    if isinstance(encoder, Estimator) and "classes_" in encoder:
        return classes(encoder)
    return list(range(max(2, model.outputs)))


@method("classify", "XGBClassifier", "XGBRFClassifier")
def classify(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    model = best(e, booster(e))
    p = xgboost.probabilities(op, xgboost.margins(op, _rows(op, x, model), model), model)
    return labelled(op, xgboost.label(op, p, model), labels(e, model)), p


@method("predict_proba", "XGBClassifier", "XGBRFClassifier")
def probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    return classify(op, x, e)[1]


@method("predict", "XGBRegressor", "XGBRFRegressor", "XGBRanker", "Booster")
def regress(op: Builder, x: Any, e: Estimator) -> Value:
    model = best(e, booster(e))
    return xgboost.prediction(op, xgboost.margins(op, _rows(op, x, model), model), model)


@method("apply", "XGBClassifier", "XGBRFClassifier", "XGBRegressor", "XGBRFRegressor", "XGBRanker")
def leaves(op: Builder, x: Any, e: Estimator) -> Value:
    model = best(e, booster(e))
    return xgboost.leaves(op, _rows(op, x, model), model)


def _rows(op: Builder, x: Any, model: xgboost_model.Model) -> Value:
    return real(op, matrix(op, x), np.float32)
