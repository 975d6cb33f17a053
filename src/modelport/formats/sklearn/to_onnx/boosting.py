"""Boosted trees of scikit-learn.  Sources: sklearn/ensemble/_gb.py, _hist_gradient_boosting, sklearn/_loss."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ....errors import CorruptFile, Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ... import ensemble
from ...ensemble import Ensemble
from ..estimator import Estimator, estimators
from ..interface import category_dtype, labelled, labels
from ..methods import Table, call, columns, features, ints, like, logistic_pair, matrix, method, real
from .trees import rows32, tree

EPS = float(np.finfo(np.float64).eps)


def start(e: Estimator, outputs: int, classifier: bool) -> Array | None:
    """(outputs) what every row starts from; ``None`` if that depends on the row."""
    init = e["init_"]
    if not isinstance(init, Estimator) or init.name == "ZeroEstimator":
        if isinstance(init, Estimator) or init == "zero":
            return np.zeros(outputs)
        raise Unsupported(f"{e.path}.init_: {init!r}")
    for name in ("prior", "priors", "mean", "quantile"):
        if name in init and init.name.endswith("Estimator"):  # of 0.20
            return np.broadcast_to(np.asarray(init[name], np.float64).ravel(), (outputs,))
    if init.name == "DummyRegressor":
        return init.array("constant_").ravel()
    if init.name == "DummyClassifier" and init.get("strategy") in ("prior", "most_frequent", "constant") and classifier:
        p = init.array("class_prior_").ravel()
        if init.get("strategy") != "prior":
            at = int(p.argmax()) if init.get("strategy") == "most_frequent" else \
                int(np.searchsorted(np.asarray(init["classes_"]), np.asarray(init["constant"]).ravel()[0]))
            p = np.eye(len(p))[at]
        return linked(e, p[None])[0]
    return None


def clipping(e: Estimator) -> float:
    """How near to zero a probability is taken for; before 1.4 in 32 bits."""
    return EPS if e.version >= (1, 4) else float(np.finfo(np.float32).eps)


def centred(e: Estimator) -> bool:
    """Whether logarithms of the probabilities of several classes add up to zero: from 1.4 on."""
    return e.version >= (1, 4)


def linked(e: Estimator, p: Array) -> Array:
    """(1, outputs) what a loss starts from, of probabilities (1, classes)."""
    low = clipping(e)
    p = np.clip(p, low, 1 - low)
    if p.shape[1] == 2:
        odds = np.log(p[:, 1:] / (1 - p[:, 1:]))
        return odds * (0.5 if e["loss"] == "exponential" else 1.0)
    logs = np.log(p)
    return logs - logs.mean(1, keepdims=True) if centred(e) else logs


def _started(op: Builder, x: Any, e: Estimator, classifier: bool, outputs: int) -> Value:
    """(rows, outputs) what each row starts from, in float64, as another estimator says."""
    init = e["init_"]
    if not classifier:
        y = real(op, call(op, "predict", init, x), np.float64)
        return op.Unsqueeze(y, ints(1)) if y.rank == 1 else y
    low = clipping(e)
    p = op.Clip(real(op, call(op, "predict_proba", init, x), np.float64), np.float64(low), np.float64(1 - low))
    if outputs == 1:
        p = op.Gather(p, ints(1), axis=1)
        odds = op.Log(op.Div(p, op.Sub(np.float64(1), p)))
        return op.Mul(odds, np.float64(0.5)) if e["loss"] == "exponential" else odds
    logs = op.Log(p)
    return op.Sub(logs, op.ReduceMean(logs, ints(1))) if centred(e) else logs


def boosted(e: Estimator) -> Ensemble:
    """The trees of gradient boosting, each with its output."""
    grid = np.asarray(e["estimators_"], object)
    rate, made = float(e["learning_rate"]), []
    width = grid.shape[1] if grid.ndim == 2 else 1
    for k, member in enumerate(estimators(e["estimators_"], f"{e.path}.estimators_")):
        t, values = tree(member)
        made.append(replace(t, value=rate * values[:, 0, :1], target=np.array([k % width]), outputs=width))
    if not made:
        raise Unsupported(f"{e.path}: no trees")
    return ensemble.joined(made)


def _raw(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, outputs) in float64."""
    grown = boosted(e)
    classifier = e.name.endswith("Classifier")
    base = start(e, grown.outputs, classifier)
    rows = rows32(op, x)
    if base is not None:
        return ensemble.sums(op, rows, replace(grown, base=base))
    out: Value = op.Add(_started(op, x, e, classifier, grown.outputs), ensemble.sums(op, rows, grown))
    return out


def _answered(op: Builder, raw: Value, e: Estimator, zero: bool) -> Value:
    """(rows): the number of the class; ``zero`` says whether a score of zero is the second one."""
    if raw.shape is None or raw.shape[1] != 1:
        out: Value = op.ArgMax(raw, axis=1, keepdims=0)
        return out
    flat = op.Squeeze(raw, ints(1))
    compare = op.GreaterOrEqual if zero else op.Greater
    return real(op, compare(flat, like(raw, 0)), np.int64)


def _likely(op: Builder, raw: Value, e: Estimator) -> Value:
    """(rows, classes): probabilities of scores."""
    if raw.shape is None or raw.shape[1] != 1:
        out: Value = op.Softmax(raw, axis=1)
        return out
    return logistic_pair(op, op.Mul(raw, like(raw, 2)) if e.get("loss") == "exponential" else raw)


GB = "GradientBoosting"


def _zero_is_second(e: Estimator) -> bool:
    return e.version >= (1, 4)


@method("classify", f"{GB}Classifier")
def classify(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    grown, names = boosted(e), labels(e)
    base = start(e, grown.outputs, True)
    if base is not None and base.all() and e["loss"] != "exponential":  # a sum that is exactly zero is none of these
        found = ensemble.likelihoods(op, rows32(op, x), replace(grown, base=base), names, wide=True)
        if found is not None:
            return found
    raw = _raw(op, x, e)
    return labelled(op, _answered(op, raw, e, _zero_is_second(e)), names), real(op, _likely(op, raw, e), np.float32)


@method("predict", f"{GB}Classifier")
def predict(op: Builder, x: Any, e: Estimator) -> Value:
    return _answered(op, _raw(op, x, e), e, _zero_is_second(e))


@method("predict_proba", f"{GB}Classifier")
def probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    return real(op, _likely(op, _raw(op, x, e), e), np.float32)


@method("decision_function", f"{GB}Classifier")
def decisions(op: Builder, x: Any, e: Estimator) -> Value:
    return _flat(op, real(op, _raw(op, x, e), np.float32))


@method("predict", f"{GB}Regressor")
def regress(op: Builder, x: Any, e: Estimator) -> Value:
    grown = boosted(e)
    base = start(e, 1, False)
    if base is not None:
        return _flat(op, ensemble.scores(op, rows32(op, x), replace(grown, base=base), wide=True))
    return _flat(op, real(op, _raw(op, x, e), np.float32))


def _flat(op: Builder, y: Value) -> Value:
    return op.Squeeze(y, ints(1)) if y.shape is not None and y.shape[1] == 1 else y


# -- histograms

HGB = "HistGradientBoosting"


def _members(words: Array) -> Array:
    """The numbers whose bits are set, of 8 words of 32."""
    return np.flatnonzero((words.astype(np.int64)[:, None] >> np.arange(32)) & 1)


def grown(e: Estimator) -> Ensemble:
    """All trees.  Categories that a node does not send left go right; what is none is missing by then."""
    made = []
    rounds = e["_predictors"]
    for n, group in enumerate(rounds):
        for k, predictor in enumerate(estimators(group, f"{e.path}._predictors[{n}]")):
            nodes = predictor["nodes"]
            names = nodes.dtype.names or ()
            leaf = nodes["is_leaf"].astype(bool)
            split = nodes["num_threshold" if "num_threshold" in names else "threshold"].astype(np.float64)
            members = {}
            if "is_categorical" in names:
                sets = np.asarray(predictor["raw_left_cat_bitsets"])
                members = {int(i): _members(sets[int(nodes["bitset_idx"][i])])
                           for i in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)}
                split[list(members)] = 0
            if members and not all(len(m) for m in members.values()):
                raise CorruptFile(f"{e.path}: a split by no category")
            missing = nodes["missing_go_to_left"].astype(bool) if "missing_go_to_left" in names else leaf & False
            made.append(Ensemble(
                np.array([0]), np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)), np.where(leaf, 0, nodes["feature_idx"]),
                np.where(leaf, 0, split), missing & ~leaf, np.where(leaf, nodes["value"], 0)[:, None], np.array([k]),
                len(group), int(e.first("_n_features", "n_features_in_", "n_features_")), members=members))
    base = np.asarray(e["_baseline_prediction"], np.float64).ravel()
    if not made:
        raise Unsupported(f"{e.path}: no trees")
    return replace(ensemble.joined(made), base=base)


def _categorical(e: Estimator) -> Array:
    found = e.get("is_categorical_")
    return np.zeros(0, bool) if found is None else np.asarray(found, bool)


def encoder(e: Estimator) -> Estimator | None:
    """What makes numbers of categories (1.4 and newer)."""
    before = e.get("_preprocessor")
    if not isinstance(before, Estimator):
        return None
    return next((Estimator(t, f"{e.path}._preprocessor.{n}") for n, t, _ in before["transformers_"] if n == "encoder"),
                None)


def kinds(e: Estimator, count: int) -> list[Any]:
    """The element type of each column: that of its categories, or ``None`` for any number."""
    made: list[Any] = [None] * count
    known = encoder(e)
    if known is not None:
        for k, own in zip(np.flatnonzero(_categorical(e)), known["categories_"], strict=True):
            made[int(k)] = category_dtype(own)
    return made


def prepared(op: Builder, x: Any, e: Estimator) -> Value:
    """Rows of numbers as the trees take them: since 1.4 categories, by number, come before all else."""
    which = _categorical(e)
    if not which.any():
        return matrix(op, x)
    known = encoder(e)
    if known is None:
        return _known_only(op, matrix(op, x), e, which)
    if len(which) != features(x):
        raise CorruptFile(f"{e.path}: categories of {len(which)} columns")
    if isinstance(x, Table):
        each = list(zip(which.tolist(), x.columns.values(), strict=True))
    else:
        each = list(zip(which.tolist(), columns(op, x), strict=True))
    wide = any(c.dtype.kind != "f" or c.dtype == np.float64 for _, c in each)
    dtype = np.float64 if wide else np.float32
    categories = [c for is_one, c in each if is_one]
    coded = [codes(op, c, own, dtype) for c, own in zip(categories, known["categories_"], strict=True)]
    return op.Concat(*coded, *(real(op, c, dtype) for is_one, c in each if not is_one), axis=1)


def codes(op: Builder, x: Value, categories: Any, dtype: Any) -> Value:
    """(rows, 1): the places of values among categories; NaN of what is none."""
    own = np.asarray(categories, object).ravel().tolist()
    if x.dtype.kind not in "fiub":
        pairs = [(v, float(k)) for k, v in enumerate(own) if isinstance(v, str)]
        made = op.ml.LabelEncoder(x, keys_strings=tuple(k for k, _ in pairs), values_floats=tuple(v for _, v in pairs),
                                  default_float=float("nan"))
        return real(op, made, dtype)
    table = np.array([np.nan if v is None or isinstance(v, str) else float(v) for v in own])
    x = real(op, x, np.float64)
    same = op.Equal(x, table[None])
    at = real(op, op.ArgMax(real(op, same, np.int32), axis=1, keepdims=1), dtype)
    some = op.Greater(op.ReduceMax(real(op, same, np.int32), ints(1), keepdims=1), np.int32(0))
    out: Value = op.Where(some, at, np.array(np.nan, dtype))
    return out


def _known_only(op: Builder, x: Value, e: Estimator, which: Array) -> Value:
    """Before 1.4 categories are numbers; those that were not there in training count as missing."""
    lists = e["_bin_mapper"]["known_categories"]
    at = np.flatnonzero(which)
    known = np.zeros((len(at), 256), bool)
    for row, k in zip(known, at, strict=True):
        row[np.asarray(lists[int(k)], np.float64).astype(np.int64)] = True
    mine = op.Gather(x, at, axis=1)
    whole = op.Mul(op.Sign(mine), op.Floor(op.Abs(mine)))
    fits = op.And(op.GreaterOrEqual(mine, like(x, 0)), op.Less(whole, like(x, 256)))
    place = op.Add(real(op, op.Where(fits, whole, like(x, 0)), np.int64), (np.arange(len(at)) * 256)[None])
    there = op.And(fits, op.Gather(known.ravel(), place, axis=0))
    cleaned = op.Where(there, whole, like(x, np.nan))
    order = np.concatenate([np.flatnonzero(~which), at])
    both = op.Concat(op.Gather(x, np.flatnonzero(~which), axis=1), cleaned, axis=1)
    return op.Gather(both, np.argsort(order), axis=1)


def _margins(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, outputs), in the element type of the rows, added up in float64."""
    return ensemble.scores(op, prepared(op, x, e), grown(e), wide=True)


@method("classify", f"{HGB}Classifier")
def classify_by_histograms(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    names, rows, trees = labels(e), prepared(op, x, e), grown(e)
    if trees.base.all():
        found = ensemble.likelihoods(op, rows, trees, names, wide=True)
        if found is not None:
            return found
    raw = ensemble.sums(op, rows, trees)
    return labelled(op, _answered(op, raw, e, False), names), real(op, _likely(op, raw, e), rows.dtype)


@method("predict", f"{HGB}Classifier")
def predict_by_histograms(op: Builder, x: Any, e: Estimator) -> Value:
    return _answered(op, ensemble.sums(op, prepared(op, x, e), grown(e)), e, False)


@method("predict_proba", f"{HGB}Classifier")
def probabilities_by_histograms(op: Builder, x: Any, e: Estimator) -> Value:
    return classify_by_histograms(op, x, e)[1]


@method("decision_function", f"{HGB}Classifier")
def decisions_by_histograms(op: Builder, x: Any, e: Estimator) -> Value:
    return _flat(op, _margins(op, x, e))


@method("predict", f"{HGB}Regressor")
def regress_by_histograms(op: Builder, x: Any, e: Estimator) -> Value:
    y = _flat(op, _margins(op, x, e))
    loss = str(e["loss"])
    if loss in ("poisson", "gamma"):
        return op.Exp(y)
    if loss not in ("squared_error", "least_squares", "absolute_error", "least_absolute_deviation", "quantile"):
        raise Unsupported(f"{e.path}: the loss '{loss}'")
    return y
