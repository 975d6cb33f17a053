"""Models that add up weighted features.  Sources: sklearn/linear_model/_base.py, _logistic.py, _glm/glm.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..estimator import Estimator, text
from ..methods import ints, like, matrix, method, sigmoid, when


def affine(op: Builder, x: Any, coefficients: Any, intercept: Any) -> Value:
    """(rows, outputs) = x @ coefficients.T + intercept; (rows) if the coefficients are one row."""
    x = matrix(op, x)
    w = np.asarray(coefficients, np.float64)
    b = np.asarray(intercept, np.float64)
    flat = w.ndim == 1
    y = op.MatMul(x, like(x, np.ascontiguousarray(np.atleast_2d(w).T)))
    if b.any():
        y = op.Add(y, like(x, b))
    out: Value = op.Squeeze(y, ints(1)) if flat else y
    return out


REGRESSORS = ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars",
              "LarsCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "OrthogonalMatchingPursuit",
              "OrthogonalMatchingPursuitCV",
              "BayesianRidge", "ARDRegression", "SGDRegressor", "PassiveAggressiveRegressor", "HuberRegressor",
              "TheilSenRegressor", "MultiTaskLasso", "MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV",
              "LinearSVR", "QuantileRegressor", "RandomizedLasso")


@method("predict", *REGRESSORS)
def linear(op: Builder, x: Any, e: Estimator) -> Value:
    w, b = e.array("coef_"), np.asarray(e.get("intercept_", 0.0), np.float64)
    if w.ndim == 1:
        b = b.reshape(-1)[:1].reshape(()) if b.size == 1 else b
    return affine(op, x, w, b)


CLASSIFIERS = ("LogisticRegression", "LogisticRegressionCV", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier",
               "Perceptron", "PassiveAggressiveClassifier", "LinearSVC")


@method("decision_function", *CLASSIFIERS)
def decision(op: Builder, x: Any, e: Estimator) -> Value:
    w, b = e.array("coef_"), np.asarray(e["intercept_"], np.float64)
    y = affine(op, x, np.atleast_2d(w), b)
    out: Value = op.Squeeze(y, ints(1)) if len(np.atleast_2d(w)) == 1 else y
    return out


def sigmoid_pair(op: Builder, score: Value) -> Value:
    """(rows, 2) of scores (rows): the probabilities of the two classes, whose sum is one."""
    p = op.Unsqueeze(sigmoid(op, score), ints(1))
    out: Value = op.Concat(op.Sub(like(score, 1), p), p, axis=1)
    return out


def one_vs_rest(op: Builder, scores: Value) -> Value:
    """(rows, classes): the sigmoid of each score, divided by their sum."""
    if scores.rank == 1:
        return sigmoid_pair(op, scores)
    p = sigmoid(op, scores)
    out: Value = op.Div(p, op.ReduceSum(p, ints(1), keepdims=1))
    return out


@method("predict_proba", "LogisticRegression", "LogisticRegressionCV")
def logistic(op: Builder, x: Any, e: Estimator) -> Value:
    scores = decision(op, x, e)
    how = text(e.get("multi_class", "deprecated"))
    binary = scores.rank == 1
    if how == "auto":
        how = "ovr" if binary or e.get("solver") == "liblinear" else "multinomial"
    elif how in ("deprecated", "warn", None):
        how = "ovr" if e.get("solver") == "liblinear" or how == "warn" else "multinomial"
        how = "ovr" if binary else how
    if how == "ovr":
        return one_vs_rest(op, scores)
    if how != "multinomial":
        raise Unsupported(f"{e.path}: multi_class={how!r}")
    if binary:  # softmax of the score and its opposite
        column = op.Unsqueeze(scores, ints(1))
        scores = op.Concat(op.Neg(column), column, axis=1)
    out: Value = op.Softmax(scores, axis=1)
    return out


@method("predict_proba", "SGDClassifier")
@when(lambda e: e.get("loss") in ("log", "log_loss", "modified_huber"))
def sgd(op: Builder, x: Any, e: Estimator) -> Value:
    scores = decision(op, x, e)
    if e["loss"] != "modified_huber":
        return one_vs_rest(op, scores)
    p = op.Div(op.Add(op.Clip(scores, like(scores, -1), like(scores, 1)), like(scores, 1)), like(scores, 2))
    if p.rank == 1:
        column = op.Unsqueeze(p, ints(1))
        out: Value = op.Concat(op.Sub(like(p, 1), column), column, axis=1)
        return out
    total = op.ReduceSum(p, ints(1), keepdims=1)
    none = op.Equal(total, like(p, 0))  # all classes are as improbable
    p = op.Where(none, like(p, 1), p)
    return op.Div(p, op.Where(none, like(p, p.shape[1]), total))


@method("predict", "PoissonRegressor", "GammaRegressor", "TweedieRegressor")
def glm(op: Builder, x: Any, e: Estimator) -> Value:
    y = linear(op, x, e)
    link = text(e.get("link")) or ("auto" if e.name == "TweedieRegressor" else "log")
    if link == "auto":
        link = "identity" if float(e["power"]) <= 0 else "log"
    out: Value = op.Exp(y) if link == "log" else y
    return out
