"""Classes by their densities.  Sources: sklearn/naive_bayes.py, discriminant_analysis.py, dummy.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..estimator import Estimator
from ..methods import features, ints, like, matrix, method, real, when
from .common import log_sum_exp, matmul

NAIVE = ("GaussianNB", "BernoulliNB", "MultinomialNB", "ComplementNB", "CategoricalNB")


def joint(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, classes): the logarithms of what the probabilities of the classes are proportional to."""
    rule = {"GaussianNB": _gaussian, "BernoulliNB": _bernoulli, "CategoricalNB": _categorical}.get(e.name, _multinomial)
    return rule(op, real(op, matrix(op, x), np.float64), e)


def _gaussian(op: Builder, x: Value, e: Estimator) -> Value:
    mean = e.array("theta_")
    variance = np.asarray(e.first("var_", "sigma_"), np.float64)
    prior = np.log(e.array("class_prior_")) - 0.5 * np.log(2 * np.pi * variance).sum(1)
    d = op.Sub(op.Unsqueeze(x, ints(1)), like(x, mean))
    far = op.ReduceSum(op.Div(op.Mul(d, d), like(x, variance)), ints(2), keepdims=0)
    out: Value = op.Add(op.Mul(far, like(x, -0.5)), like(x, prior))
    return out


def _multinomial(op: Builder, x: Value, e: Estimator) -> Value:
    y = matmul(op, x, e.array("feature_log_prob_").T)
    if e.name == "ComplementNB" and len(e["classes_"]) > 1:
        return y
    out: Value = op.Add(y, like(x, e.array("class_log_prior_")))
    return out


def _bernoulli(op: Builder, x: Value, e: Estimator) -> Value:
    threshold = e.get("binarize", 0.0)
    if threshold is not None:
        x = real(op, op.Greater(x, like(x, threshold)), x.dtype)
    present = e.array("feature_log_prob_")
    absent = np.log(1 - np.exp(present))
    out: Value = op.Add(matmul(op, x, (present - absent).T), like(x, e.array("class_log_prior_") + absent.sum(1)))
    return out


def _categorical(op: Builder, x: Value, e: Estimator) -> Value:
    """A category that was not met fails here as it does there: no index is right for it."""
    total = None
    tables = [np.asarray(t, np.float64) for t in e["feature_log_prob_"]]
    if len(tables) != features(x):
        raise Unsupported(f"{e.path}: {len(tables)} tables for {features(x)} columns")
    codes = op.Cast(x, to=7)
    for k, table in enumerate(tables):
        code = op.Gather(codes, np.int64(k), axis=1)
        code = op.Where(op.Less(code, np.int64(0)), np.int64(table.shape[1]), code)
        part = op.Gather(like(x, np.ascontiguousarray(table.T)), code, axis=0)
        total = part if total is None else op.Add(total, part)
    out: Value = op.Add(total, like(x, e.array("class_log_prior_")))
    return out


@method("predict", *NAIVE)
def naive_class(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.ArgMax(joint(op, x, e), axis=1, keepdims=0)
    return out


@method("predict_log_proba", *NAIVE)
def naive_log(op: Builder, x: Any, e: Estimator) -> Value:
    y = joint(op, x, e)
    out: Value = op.Sub(y, log_sum_exp(op, y))
    return out


@method("predict_proba", *NAIVE)
def naive_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.Exp(naive_log(op, x, e))
    return out


# -- quadratic discriminants


def _quadratic(op: Builder, x: Any, e: Estimator) -> Value:
    x, parts = matrix(op, x), []
    means, rotations, scalings = e.array("means_"), list(e["rotations_"]), list(e["scalings_"])
    for mean, r, s in zip(means, rotations, scalings, strict=True):
        s = np.asarray(s, np.float64)
        y = matmul(op, op.Sub(x, like(x, mean)), np.asarray(r, np.float64) * s ** -0.5)
        parts.append(op.ReduceSum(op.Mul(y, y), ints(1), keepdims=1))
    spread = np.array([np.log(np.asarray(s, np.float64)).sum() for s in scalings])
    constant = np.log(e.array("priors_")) - 0.5 * spread
    out: Value = op.Add(op.Mul(op.Concat(*parts, axis=1), like(x, -0.5)), like(x, constant))
    return out


def softmax(op: Builder, y: Value) -> Value:
    """(rows, classes)"""
    out: Value = op.Softmax(y, axis=1)
    return out


def of_two(op: Builder, y: Value) -> Value:
    """The scores of several classes; of two the difference (rows)."""
    out: Value = op.Squeeze(matmul(op, y, [[-1.0], [1.0]]), ints(1)) if y.shape and y.shape[1] == 2 else y
    return out


@method("decision_function", "QuadraticDiscriminantAnalysis")
def quadratic_decision(op: Builder, x: Any, e: Estimator) -> Value:
    return of_two(op, _quadratic(op, x, e))


@method("predict", "QuadraticDiscriminantAnalysis")
def quadratic_class(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.ArgMax(_quadratic(op, x, e), axis=1, keepdims=0)
    return out


@method("predict_proba", "QuadraticDiscriminantAnalysis")
def quadratic_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    return softmax(op, _quadratic(op, x, e))


# -- estimators that do not look


def _constant(op: Builder, x: Any, row: Any) -> Value:
    """The same for every row."""
    row = np.asarray(row)
    rows = op.Shape(next(iter(x.columns.values())) if hasattr(x, "columns") else x, start=0, end=1)
    shape = op.Concat(rows, ints(*row.shape), axis=0) if row.ndim else rows
    out: Value = op.Expand(row, shape)
    return out


def _steady(e: Estimator) -> bool:
    strategy = e.get("_strategy", e.get("strategy"))
    return strategy in ("most_frequent", "prior", "constant") and int(e.get("n_outputs_", 1)) == 1


def _checked(e: Estimator) -> None:
    if not _steady(e):
        raise Unsupported(f"{e.path}: strategy={e.get('strategy')!r} of {e.get('n_outputs_', 1)} outputs: its labels "
                          "are drawn by chance, or there are several")


def _dummy_class(e: Estimator) -> int:
    _checked(e)
    if e["strategy"] != "constant":
        return int(e.array("class_prior_").argmax())
    wanted = np.asarray(e["constant"]).ravel().tolist()[0]
    return int(np.asarray(e["classes_"]).tolist().index(wanted))


@method("predict", "DummyClassifier")
def dummy_class(op: Builder, x: Any, e: Estimator) -> Value:
    return _constant(op, x, np.int64(_dummy_class(e)))


@method("predict_proba", "DummyClassifier")
@when(_steady)
def dummy_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    _checked(e)
    prior = e.array("class_prior_")
    return _constant(op, x, prior if e["strategy"] == "prior" else np.eye(len(prior))[_dummy_class(e)])


@method("predict", "DummyRegressor")
def dummy_number(op: Builder, x: Any, e: Estimator) -> Value:
    value = e.array("constant_").ravel()
    return _constant(op, x, value[0] if value.size == 1 else value)
