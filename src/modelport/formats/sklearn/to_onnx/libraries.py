"""The estimators of XGBoost, LightGBM and CatBoost, and their boosters, in pickles.

Sources: xgboost/sklearn.py, core.py; lightgbm/sklearn.py, basic.py; catboost/core.py."""
from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...catboost import model as catboost_model
from ...catboost import translate as catboost
from ...lightgbm import model as lightgbm_model
from ...lightgbm import translate as lightgbm
from ...xgboost import model as xgboost_model
from ...xgboost import translate as xgboost
from ..estimator import Estimator
from ..interface import category_dtype, labelled
from ..interface import labels as classes
from ..methods import Table, columns, features, matrix, method, real
from ..sparse import sparse
from .boosting import codes

I64 = np.dtype(np.int64)
Categories = Sequence[Sequence[Any] | None]


def kinds(e: Estimator) -> list[Any] | None:
    """The element type of each column: text or integers where training saw a table with such categories."""
    if e.package == "catboost":
        model = cats(e)
        return [I64 if k in model.whole else None for k in range(model.features)] if model.whole else None
    known = categories(e)
    return [None if c is None else category_dtype(np.array(c, object) if isinstance(c[0], str) else np.array(c))
            for c in known] if any(c is not None for c in known) else None


def categories(e: Estimator) -> Categories:
    if e.package == "xgboost":
        return booster(e).categories
    return _pandas_categories(e) if e.package == "lightgbm" else ()


def width(e: Estimator) -> int:
    """The number of features of a row."""
    return (booster(e) if e.package == "xgboost" else rounds(e) if e.package == "lightgbm" else cats(e)).features


def names(e: Estimator) -> list[str] | None:
    """What the columns were called in training."""
    found = list((booster(e) if e.package == "xgboost" else rounds(e) if e.package == "lightgbm" else cats(e)).names)
    return found if found and all(found) and len(set(found)) == len(found) else None


def _coded(op: Builder, x: Any, e: Estimator, dtype: Any) -> Value:
    """Rows of numbers; the names of categories become their numbers."""
    known = categories(e)
    if not any(c is not None for c in known) or (not isinstance(x, Table) and x.dtype.kind == "f"):
        return real(op, matrix(op, x), dtype)
    if len(known) != features(x):
        raise Unsupported(f"{e.path}: categories of {len(known)} columns")
    made = [real(op, c, dtype) if own is None or c.dtype.kind == "f" else codes(op, c, own, dtype)
            for c, own in zip(columns(op, x), known, strict=True)]
    out: Value = op.Concat(*made, axis=1) if len(made) > 1 else made[0]
    return out


# -- XGBoost

XGB_CLASSIFIERS = ("XGBClassifier", "XGBRFClassifier")
XGB_OTHERS = ("XGBRegressor", "XGBRFRegressor", "XGBRanker")


@lru_cache(maxsize=1)
def _parsed(handle: bytes) -> xgboost_model.Model:
    return xgboost_model.parse(handle)


@lru_cache(maxsize=1)
def _parsed_text(handle: str, iterations: int | None) -> lightgbm_model.Model:
    return lightgbm_model.parse(handle.encode(), iterations=iterations)


def booster(e: Estimator) -> xgboost_model.Model:
    """The booster inside of an estimator of XGBoost, or that is one; of an estimator, with the rounds that it
    predicts with: those up to the best one, if it was fitted with early stopping."""
    is_booster = e.record.path.endswith(".core.Booster")
    inner = e if is_booster else e["_Booster"]
    handle = inner["handle"] if isinstance(inner, Estimator) else None
    if not isinstance(handle, (bytes, bytearray)):
        raise Unsupported(f"{e.path}: the pickle does not hold its trees")
    model = _parsed(bytes(handle))
    if is_booster:
        return model
    at = model.attributes.get("best_iteration", e.get("best_iteration", e.get("_best_iteration")))
    return model.until(int(at) + 1) if at is not None and str(at).isdigit() else model


def _xgb_labels(e: Estimator, model: xgboost_model.Model) -> list[int] | list[str]:
    if "classes_" in e:
        return classes(e)
    encoder = e.get("_le")
    if isinstance(encoder, Estimator) and "classes_" in encoder:
        return classes(encoder)
    return list(range(max(2, model.outputs)))


def _xgb_rows(op: Builder, x: Any, e: Estimator) -> Value:
    made = _coded(op, x, e, np.float32)
    gone = e.get("missing")
    if isinstance(gone, (int, float)) and gone == gone:
        made = op.Where(op.Equal(made, np.float32(gone)), np.float32(np.nan), made)
    if sparse(x):  # what is not stored is missing
        made = op.Where(op.Equal(made, np.float32(0)), np.float32(np.nan), made)
    return made


@method("classify", *XGB_CLASSIFIERS)
def classify_xgb(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    model = booster(e)
    index, p = xgboost.classified(op, _xgb_rows(op, x, e), model)
    return index if index.rank == 2 else labelled(op, index, _xgb_labels(e, model)), p


@method("predict", *XGB_CLASSIFIERS)
def predict_xgb(op: Builder, x: Any, e: Estimator) -> Value:
    return xgboost.classified(op, _xgb_rows(op, x, e), booster(e))[0]


@method("predict_proba", *XGB_CLASSIFIERS)
def probabilities_xgb(op: Builder, x: Any, e: Estimator) -> Value:
    return classify_xgb(op, x, e)[1]


@method("predict", *XGB_OTHERS)
def regress_xgb(op: Builder, x: Any, e: Estimator) -> Value:
    model = booster(e)
    return xgboost.prediction(op, xgboost.margins(op, _xgb_rows(op, x, e), model), model)


@method("apply", *XGB_CLASSIFIERS, *XGB_OTHERS)
def leaves_xgb(op: Builder, x: Any, e: Estimator) -> Value:
    return xgboost.leaves(op, _xgb_rows(op, x, e), booster(e))


# -- LightGBM

LGBM = ("LGBMClassifier", "LGBMRegressor", "LGBMRanker")


def _lightgbm(e: Estimator) -> Estimator:
    inner = e if e.record.path.endswith(".basic.Booster") else e["_Booster"]
    if not isinstance(inner, Estimator):
        raise Unsupported(f"{e.path}: the pickle does not hold its trees")
    return inner


def _text(e: Estimator) -> str:
    handle = _lightgbm(e).first("_handle", "handle")
    if not isinstance(handle, (str, bytes)):
        raise Unsupported(f"{e.path}: the pickle does not hold its trees")
    return handle if isinstance(handle, str) else handle.decode("utf-8", "replace")


def rounds(e: Estimator) -> lightgbm_model.Model:
    """The booster inside of an estimator of LightGBM, or that is one, with the rounds that it predicts with."""
    best = _lightgbm(e).get("best_iteration")
    return _parsed_text(_text(e), int(best) if isinstance(best, (int, np.integer)) and best > 0 else None)


def _pandas_categories(e: Estimator) -> Categories:
    """What the values of each column were called in training, where that was a table of pandas."""
    known = _lightgbm(e).get("pandas_categorical")
    if not known:
        return ()
    found = re.search(r"^\[categorical_feature: ([\d,]*)\]", _text(e), re.MULTILINE)
    at = [int(k) for k in found[1].split(",") if k] if found else []
    if len(at) != len(known):
        raise Unsupported(f"{e.path}: {len(known)} columns of categories, and the file does not say which; give the "
                          "numbers of categories")
    made: list[Sequence[Any] | None] = [None] * rounds(e).features
    for k, own in zip(at, known, strict=True):
        made[k] = list(own) or None
    return made


def _lgbm_sums(op: Builder, x: Any, e: Estimator) -> tuple[Value, lightgbm_model.Model]:
    model = rounds(e)
    return lightgbm.mean(op, lightgbm.sums(op, _coded(op, x, e, np.float64), model), model), model


@method("classify", "LGBMClassifier")
def classify_lgbm(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    raw, model = _lgbm_sums(op, x, e)
    p = lightgbm.probabilities(op, raw, model)
    encoder = e.get("_le")
    own = classes(encoder) if isinstance(encoder, Estimator) else list(range(max(2, model.outputs)))
    return labelled(op, lightgbm.label(op, p), own), p


@method("predict", "LGBMClassifier")
def predict_lgbm(op: Builder, x: Any, e: Estimator) -> Value:
    raw, model = _lgbm_sums(op, x, e)
    return lightgbm.label(op, lightgbm.probabilities(op, raw, model))


@method("predict_proba", "LGBMClassifier")
def probabilities_lgbm(op: Builder, x: Any, e: Estimator) -> Value:
    return classify_lgbm(op, x, e)[1]


@method("predict", "LGBMRegressor", "LGBMRanker")
def regress_lgbm(op: Builder, x: Any, e: Estimator) -> Value:
    return lightgbm.prediction(op, *_lgbm_sums(op, x, e))


@method("predict", "Booster")
def regress_booster(op: Builder, x: Any, e: Estimator) -> Value:
    """What the booster of either library answers."""
    if e.package == "lightgbm":
        return regress_lgbm(op, x, e)
    return regress_xgb(op, x, e)


@method("apply", "Booster")
def leaves_booster(op: Builder, x: Any, e: Estimator) -> Value:
    return leaves_xgb(op, x, e) if e.package == "xgboost" else leaves_lgbm(op, x, e)


def leaves_lgbm(op: Builder, x: Any, e: Estimator) -> Value:
    return lightgbm.leaves(op, _coded(op, x, e, np.float64), rounds(e))


# -- CatBoost


@lru_cache(maxsize=1)
def _parsed_cats(handle: bytes) -> catboost_model.Model:
    return catboost_model.parse(handle)


def cats(e: Estimator) -> catboost_model.Model:
    """The model inside of an estimator of CatBoost."""
    handle = e.get("__model")
    if not isinstance(handle, (bytes, bytearray)):
        raise Unsupported(f"{e.path}: the pickle does not hold its trees")
    return _parsed_cats(bytes(handle))


def _cat_scores(op: Builder, x: Any, e: Estimator) -> tuple[Value, catboost_model.Model]:
    model = cats(e)
    return catboost.scores(op, matrix(op, x), model), model


@method("classify", "CatBoostClassifier")
def classify_cats(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    raw, model = _cat_scores(op, x, e)
    label = catboost.label(op, raw, model)
    if model.loss in catboost_model.SEVERAL:  # (rows, 1), as ``predict`` of that library
        label = op.Unsqueeze(label, np.array([1], np.int64))
    return label, catboost.probabilities(op, raw, model)


@method("predict_proba", "CatBoostClassifier")
def probabilities_cats(op: Builder, x: Any, e: Estimator) -> Value:
    return classify_cats(op, x, e)[1]


@method("predict", "CatBoostRegressor", "CatBoostRanker", "CatBoost")
def regress_cats(op: Builder, x: Any, e: Estimator) -> Value:
    """Of the plain class the raw scores, as there."""
    raw, model = _cat_scores(op, x, e)
    return catboost.flat(op, raw) if e.name == "CatBoost" else catboost.prediction(op, raw, model)
