"""Models that add up weighted features, in one layer or several.

Sources: sklearn/linear_model/_base.py, _logistic.py, _glm/glm.py, _ridge.py, _ransac.py, _stochastic_gradient.py;
discriminant_analysis.py, neural_network/_multilayer_perceptron.py, isotonic.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..estimator import Estimator, text
from ..methods import call, ints, like, matrix, method, real, sigmoid, when
from .common import sign_label


def affine(op: Builder, x: Any, coefficients: Any, intercept: Any) -> Value:
    """(rows, outputs) = x @ coefficients.T + intercept; (rows) if the coefficients are one row."""
    x = matrix(op, x)
    w = np.asarray(coefficients, np.float64)
    b = np.asarray(intercept, np.float64)
    flat = w.ndim == 1
    y = _product(op, x, like(x, np.ascontiguousarray(np.atleast_2d(w).T)))
    if b.any():
        y = op.Add(y, like(x, b))
    out: Value = op.Squeeze(y, ints(1)) if flat else y
    return out


def _product(op: Builder, x: Value, w: Array) -> Value:
    """``x @ w``; where ``x`` is a few numbers among zeros (hashes of words) only their rows of ``w`` are looked at."""
    found = _few(x)
    out: Value
    if found is None:
        out = op.MatMul(x, w)
    else:
        column, weight = found
        out = op.ReduceSum(op.Mul(op.Gather(w, column, axis=0), op.Unsqueeze(weight, ints(2))), ints(1), keepdims=0)
    return out


def _few(x: Value) -> tuple[Value, Value] | None:
    """The columns (rows, numbers) and the numbers that were added to zeros, if ``x`` was made so."""
    made = x.node
    if made is None or made.op != "ScatterElements" or made.attrs.get("axis") != 1 or \
            made.attrs.get("reduction") != "add":
        return None
    zeros, column, weight = made.inputs
    blank = zeros.node.inputs[0] if zeros and zeros.node and zeros.node.op == "Expand" else None
    if blank is None or blank.data is None or blank.data.numpy().any() or column is None or weight is None:
        return None
    return column, weight


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
               "Perceptron", "PassiveAggressiveClassifier", "LinearSVC", "LinearDiscriminantAnalysis")


@method("decision_function", *CLASSIFIERS)
def decision(op: Builder, x: Any, e: Estimator) -> Value:
    if e.scores is not None and e.scores[0] is x:
        out: Value = e.scores[1]
        return out
    w, b = e.array("coef_"), np.asarray(e["intercept_"], np.float64)
    y = affine(op, x, np.atleast_2d(w), b)
    out = op.Squeeze(y, ints(1)) if len(np.atleast_2d(w)) == 1 else y
    e.scores = x, out
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


@method("predict_proba", "LinearDiscriminantAnalysis")
def discriminant(op: Builder, x: Any, e: Estimator) -> Value:
    scores = decision(op, x, e)
    if scores.rank == 1 or e.version < (0, 22):
        return one_vs_rest(op, scores)
    out: Value = op.Softmax(scores, axis=1)
    return out


def _several(e: Estimator) -> bool:
    """Whether a classifier says of each label whether it is there."""
    binarizer = e.get("_label_binarizer")
    return isinstance(binarizer, Estimator) and str(binarizer.get("y_type_", "")).startswith("multilabel")


@method("predict", "RidgeClassifier", "RidgeClassifierCV")
def ridge_class(op: Builder, x: Any, e: Estimator) -> Value:
    scores = decision(op, x, e)
    if scores.rank == 1 or (_several(e) and e.version >= (1, 1)):  # older ones took the greatest of several too
        return real(op, op.Greater(scores, like(scores, 0)), np.int64)
    out: Value = op.ArgMax(scores, axis=1, keepdims=0)
    return out


@method("predict", "RANSACRegressor")
def consensus(op: Builder, x: Any, e: Estimator) -> Any:
    return call(op, "predict", e["estimator_"], x)


# -- outliers


@method("score_samples", "SGDOneClassSVM")
def one_class_score(op: Builder, x: Any, e: Estimator) -> Value:
    return affine(op, x, e.array("coef_").ravel(), 0.0)


@method("decision_function", "SGDOneClassSVM")
def one_class_decision(op: Builder, x: Any, e: Estimator) -> Value:
    return affine(op, x, e.array("coef_").ravel(), -e.array("offset_").reshape(()))


@method("predict", "SGDOneClassSVM")
def one_class(op: Builder, x: Any, e: Estimator) -> Value:
    return sign_label(op, one_class_decision(op, x, e))


# -- several layers


def _activated(op: Builder, x: Value, kind: Any, path: str) -> Value:
    if kind == "logistic":
        return sigmoid(op, x)
    if kind == "softmax":
        return op.Softmax(x, axis=1)
    if kind == "identity":
        return x
    names = {"tanh": "Tanh", "relu": "Relu", "exp": "Exp"}
    if kind not in names:
        raise Unsupported(f"{path}: the activation {kind!r}")
    return op.add(names[kind], x)


def layers(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, outputs) of a multi-layer perceptron."""
    x, weights, biases = matrix(op, x), list(e["coefs_"]), list(e["intercepts_"])
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = affine(op, x, np.asarray(w).T, b)
        x = _activated(op, x, e["activation"] if k < len(weights) - 1 else e["out_activation_"], e.path)
    return x


@method("predict", "MLPRegressor")
def perceptron(op: Builder, x: Any, e: Estimator) -> Value:
    y = layers(op, x, e)
    out: Value = op.Squeeze(y, ints(1)) if y.shape and y.shape[1] == 1 else y
    return out


@method("predict_proba", "MLPClassifier")
def perceptron_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    y = layers(op, x, e)
    out: Value = op.Concat(op.Sub(like(y, 1), y), y, axis=1) if y.shape and y.shape[1] == 1 else y
    return out


@method("predict", "MLPClassifier")
def perceptron_class(op: Builder, x: Any, e: Estimator) -> Value:
    """More than a half of two classes, or of each of several labels; else the greatest."""
    y = layers(op, x, e)
    out: Value
    if _several(e) or (y.shape and y.shape[1] == 1):
        out = real(op, op.Greater(y, like(y, 0.5)), np.int64)
        return out if _several(e) else op.Squeeze(out, ints(1))
    out = op.ArgMax(y, axis=1, keepdims=0)
    return out


# -- one rising feature


@method("predict", "IsotonicRegression")
def isotonic(op: Builder, x: Any, e: Estimator) -> Value:
    """Between points on straight lines; outside NaN, or what is at the end."""
    x = op.Reshape(matrix(op, x, np.float64), ints(-1))
    at, value = (np.asarray(e.first(*names), np.float64) for names in
                 (("X_thresholds_", "_necessary_X_"), ("y_thresholds_", "_necessary_y_")))
    low, high = (like(x, float(e.get(n, end))) for n, end in (("X_min_", at[0]), ("X_max_", at[-1])))
    held = op.Clip(x, low, high)
    if len(at) == 1:
        y = op.Add(op.Mul(held, like(x, 0)), like(x, value[0]))
    else:
        above = real(op, op.GreaterOrEqual(op.Unsqueeze(held, ints(1)), like(x, at[1:-1])), np.int64)
        k = op.ReduceSum(above, ints(1), keepdims=0)
        slope = np.diff(value) / np.diff(at)
        y = op.Add(op.Mul(op.Gather(slope, k, axis=0), op.Sub(held, op.Gather(at[:-1], k, axis=0))),
                   op.Gather(value[:-1], k, axis=0))
    if e["out_of_bounds"] == "clip":
        return y
    if e["out_of_bounds"] == "raise":
        op.note("changed", "what is out of bounds gives NaN, where scikit-learn raises an error")
    out: Value = op.Where(op.Equal(x, held), y, like(x, np.nan))
    return out


method("transform", "IsotonicRegression")(isotonic)
