"""Features that are kept.  Sources: sklearn/feature_selection/."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..estimator import Estimator, estimators
from ..interface import last
from ..methods import features, method
from .compose import picked
from .encode import is_missing

Mask = Array


def _best(e: Estimator, count: Any) -> Mask:
    scores = e.array("scores_")
    if count == "all":
        return np.ones(len(scores), bool)
    mask = np.zeros(len(scores), bool)
    if int(count):  # of equal scores the last, as a stable sort leaves them; NaN is the least
        order = np.argsort(np.where(np.isnan(scores), np.finfo(scores.dtype).min, scores), kind="stable")
        mask[order[-int(count):]] = True
    return mask


def _percentile(e: Estimator, percent: Any) -> Mask:
    scores = e.array("scores_")
    if percent in (0, 100):
        return np.full(len(scores), percent == 100)
    scores = np.where(np.isnan(scores), np.finfo(scores.dtype).min, scores)
    edge = np.percentile(scores, 100 - percent)
    mask = scores > edge
    ties = np.flatnonzero(scores == edge)
    if len(ties):
        most = int(len(scores) * percent / 100)
        mask[ties[:most - int(mask.sum())]] = True
    return mask


def _fdr(e: Estimator, alpha: Any) -> Mask:
    p = e.array("pvalues_")
    ordered = np.sort(p)
    chosen = ordered[ordered <= float(alpha) / len(p) * np.arange(1, len(p) + 1)]
    return p <= chosen.max() if len(chosen) else np.zeros(len(p), bool)


def _fwe(e: Estimator, alpha: Any) -> Mask:
    p = e.array("pvalues_")
    return np.asarray(p < float(alpha) / len(p))


UNIVARIATE = {"SelectKBest": ("k", _best), "SelectPercentile": ("percentile", _percentile),
              "SelectFpr": ("alpha", lambda e, alpha: e.array("pvalues_") < alpha), "SelectFdr": ("alpha", _fdr),
              "SelectFwe": ("alpha", _fwe)}
MODES = {"k_best": "SelectKBest", "percentile": "SelectPercentile", "fpr": "SelectFpr", "fdr": "SelectFdr",
         "fwe": "SelectFwe"}


def support(e: Estimator) -> Mask:
    """Which features a selector keeps."""
    if e.name in UNIVARIATE:
        setting, mask = UNIVARIATE[e.name]
        return np.asarray(mask(e, e[setting]), bool)
    if e.name == "GenericUnivariateSelect":
        return np.asarray(UNIVARIATE[MODES[e["mode"]]][1](e, e["param"]), bool)
    if e.name == "VarianceThreshold":
        return e.array("variances_") > float(e.get("threshold", 0.0))
    if e.name == "SelectFromModel":
        return _from_model(e)
    return np.asarray(e["support_"], bool)


@method("transform", *UNIVARIATE, "GenericUnivariateSelect", "VarianceThreshold", "SelectFromModel", "RFE", "RFECV",
        "SequentialFeatureSelector")
def select(op: Builder, x: Any, e: Estimator) -> Any:
    return kept(op, x, support(e), e)


def kept(op: Builder, x: Any, mask: Mask, e: Estimator) -> Any:
    if len(mask) != features(x):
        raise Unsupported(f"{e.path}: a choice of {len(mask)} features for {features(x)}")
    if not mask.any():
        raise Unsupported(f"{e.path}: no feature is left")
    return picked(op, x, [int(k) for k in np.flatnonzero(mask)])


# -- by what a model makes of them


def _from_model(e: Estimator) -> Mask:
    model = e.get("estimator_")
    model = model if isinstance(model, Estimator) else e["estimator"]
    model = model["estimator"] if model.name == "FrozenEstimator" else model
    weights = importances(model, e.get("importance_getter", "auto"), e)
    scores = np.abs(weights) if weights.ndim == 1 else np.linalg.norm(weights, axis=0, ord=e.get("norm_order", 1))
    threshold = _threshold(e.get("threshold"), model, scores, e)
    most = e.get("max_features_", e.get("max_features"))
    mask = np.ones(len(scores), bool)
    if most is not None:
        if not isinstance(most, (int, np.integer)):
            raise Unsupported(f"{e.path}: max_features is a function")
        mask = np.zeros(len(scores), bool)
        mask[np.argsort(-scores, kind="stable")[:int(most)]] = True
    mask[scores < threshold] = False
    return mask


def _threshold(given: Any, model: Estimator, scores: Array, e: Estimator) -> float:
    if given is None:
        ratio = model.get("l1_ratio_") if model.name in ("ElasticNetCV", "LogisticRegressionCV") else \
            model.get("l1_ratio") if model.name in ("ElasticNet", "LogisticRegression") else None
        ratios = [] if ratio is None else np.ravel(np.asarray(ratio, object)).tolist()
        sparse = bool(ratios) and all(not is_missing(r) and np.isclose(float(r), 1.0) for r in ratios)
        if model.name.startswith("LogisticRegression") and e.version < (1, 8):
            sparse = False  # said by the penalty then
        if model.get("penalty") == "l1" or "Lasso" in model.name or sparse:
            return 1e-5
        given = "mean"
    if not isinstance(given, str):
        return float(given)
    scale, star, reference = given.rpartition("*")
    if reference.strip() not in ("mean", "median"):
        raise Unsupported(f"{e.path}: threshold={given!r}")
    value = float(np.mean(scores) if reference.strip() == "mean" else np.median(scores))
    return float(scale) * value if star else value


def importances(model: Estimator, getter: Any, e: Estimator) -> Array:
    """How much each feature matters to a model: its coefficients, or what its trees gain by it."""
    if not isinstance(getter, str):
        raise Unsupported(f"{e.path}: the function {getter}, whose code is not in the file")
    if getter != "auto":
        *way, name = getter.split(".")
        for step in way:
            if step in ("named_steps", "named_transformers_", "best_estimator_"):
                continue
            found = dict(model.get("steps") or ()).get(step)
            model = Estimator(found, f"{model.path}.{step}") if found is not None else last(model)
    else:
        name = "coef_" if "coef_" in model else "feature_importances_"
    if name in model:
        return model.array(name)
    if name == "feature_importances_":
        return _of_trees(model, e)
    raise Unsupported(f"{e.path}: the file does not hold '{name}' of {model.name}")


def _of_trees(model: Estimator, e: Estimator) -> Array:
    if isinstance(model.get("tree_"), Estimator):
        return _gains(model, True)[0]
    if "estimators_" not in model or model.name.startswith(("Bagging", "Voting", "Stacking", "Hist")):
        raise Unsupported(f"{e.path}: the importances of the features to a {model.name}")
    grown = list(estimators(model["estimators_"], f"{model.path}.estimators_"))
    if model.name.startswith("AdaBoost"):
        weights = model.array("estimator_weights_")
        total: Any = sum(w * _of_trees(t, e) for w, t in zip(weights, grown, strict=False))
        return np.asarray(total / weights.sum())
    found = [_gains(t, not model.name.startswith("GradientBoosting")) for t in grown]
    several = [g for g, nodes in found if nodes > 1]
    if not several:
        return np.zeros(len(found[0][0]))
    mean = np.mean(several, axis=0, dtype=np.float64)
    return np.asarray(mean / np.sum(mean))


def _gains(tree: Estimator, normal: bool) -> tuple[Array, int]:
    """What a tree's decisions by each feature gain, and how many nodes it has."""
    t = tree["tree_"]
    nodes = t["nodes"]
    out = np.zeros(int(t.record.args[0]))
    inner = np.flatnonzero(nodes["left_child"] >= 0)
    weight = nodes["weighted_n_node_samples"] * nodes["impurity"]
    np.add.at(out, nodes["feature"][inner], weight[inner] - weight[nodes["left_child"][inner]] -
              weight[nodes["right_child"][inner]])
    out /= nodes["weighted_n_node_samples"][0]
    total = float(np.sum(out))
    return (out / total if normal and total > 0 else out), len(nodes)


