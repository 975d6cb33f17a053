"""Gaussian processes and mixtures.

Sources: sklearn/gaussian_process/_gpr.py, _gpc.py, kernels.py; mixture/_base.py, _gaussian_mixture.py,
_bayesian_mixture.py."""
from __future__ import annotations

from math import log, sqrt
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..estimator import Estimator, estimators, text
from ..methods import ints, like, matrix, method, real, when
from .common import erf, kernel, log_sum_exp, matmul, power, squared
from .svm import of_pairs, pairs

# -- kernels


def covariance(op: Builder, x: Value, points: Array, k: Any) -> Value | float:
    """(rows, points): a kernel between rows and points; a number where it is the same everywhere."""
    if not isinstance(k, Estimator):
        raise Unsupported("a kernel that is none")
    if k.name in ("Sum", "Product"):
        a, b = (covariance(op, x, points, k[n]) for n in ("k1", "k2"))
        if isinstance(a, float) and isinstance(b, float):
            return a + b if k.name == "Sum" else a * b
        left, right = (like(x, v) if isinstance(v, float) else v for v in (a, b))
        out: Value = op.Add(left, right) if k.name == "Sum" else op.Mul(left, right)
        return out
    if k.name == "Exponentiation":
        base = covariance(op, x, points, k["kernel"])
        return base ** float(k["exponent"]) if isinstance(base, float) else power(op, base, float(k["exponent"]))
    if k.name == "ConstantKernel":
        return float(k["constant_value"])
    if k.name == "WhiteKernel":  # of two sets of points
        return 0.0
    if k.name == "DotProduct":
        return op.Add(matmul(op, x, points.T), like(x, float(k["sigma_0"]) ** 2))
    if k.name == "PairwiseKernel":
        more = k.get("pairwise_kernels_kwargs") or {}
        if set(more) - {"coef0", "degree"}:
            raise Unsupported(f"{k.path}: pairwise_kernels_kwargs {sorted(more)}")
        return kernel(op, x, points, k["metric"], float(k["gamma"]), float(more.get("coef0", 1)),
                      float(more.get("degree", 3)), k.path)
    return _stationary(op, x, points, k)


def _stationary(op: Builder, x: Value, points: Array, k: Estimator) -> Value:
    if k.name not in ("RBF", "Matern", "RationalQuadratic", "ExpSineSquared"):
        raise Unsupported(f"{k.path}: no translation of the kernel {k.name}")
    length = np.asarray(k["length_scale"], np.float64)
    out: Value
    if k.name == "ExpSineSquared":
        angle = op.Mul(op.Sqrt(squared(op, x, points)), like(x, np.pi / float(k["periodicity"])))
        sine = op.Div(op.Sin(angle), like(x, length))
        out = op.Exp(op.Mul(op.Mul(sine, sine), like(x, -2)))
        return out
    if k.name == "RationalQuadratic":
        alpha = float(k["alpha"])
        base = op.Add(op.Div(squared(op, x, points), like(x, 2 * alpha * length ** 2)), like(x, 1))
        out = op.Pow(base, like(x, -alpha))
        return out
    far = squared(op, op.Div(x, like(x, length)), points / length)
    nu = float(k["nu"]) if k.name == "Matern" else np.inf
    if nu == np.inf:
        out = op.Exp(op.Mul(far, like(x, -0.5)))
        return out
    if nu not in (0.5, 1.5, 2.5):
        raise Unsupported(f"{k.path}: nu={nu}, which needs a Bessel function")
    d = op.Mul(op.Sqrt(far), like(x, sqrt(2 * nu)))
    fade = op.Exp(op.Neg(d))
    if nu == 0.5:
        return fade
    factor = op.Add(d, like(x, 1))
    if nu == 2.5:
        factor = op.Add(factor, op.Div(op.Mul(d, d), like(x, 3)))
    out = op.Mul(factor, fade)
    return out


def diagonal(op: Builder, x: Value, k: Any) -> Value | float:
    """(rows): the kernel of each row with itself; a number where it is the same everywhere."""
    if k.name in ("Sum", "Product"):
        a, b = (diagonal(op, x, k[n]) for n in ("k1", "k2"))
        if isinstance(a, float) and isinstance(b, float):
            return a + b if k.name == "Sum" else a * b
        left, right = (like(x, v) if isinstance(v, float) else v for v in (a, b))
        out: Value = op.Add(left, right) if k.name == "Sum" else op.Mul(left, right)
        return out
    if k.name == "Exponentiation":
        base = diagonal(op, x, k["kernel"])
        return base ** float(k["exponent"]) if isinstance(base, float) else power(op, base, float(k["exponent"]))
    if k.name == "ConstantKernel":
        return float(k["constant_value"])
    if k.name == "WhiteKernel":
        return float(k["noise_level"])
    if k.name == "DotProduct":
        y = op.ReduceSum(op.Mul(x, x), ints(1), keepdims=0)
        return op.Add(y, like(x, float(k["sigma_0"]) ** 2))
    if k.name == "PairwiseKernel" and k["metric"] not in ("rbf", "laplacian", "cosine", "chi2"):
        return _own(op, x, k)
    return 1.0


def _own(op: Builder, x: Value, k: Estimator) -> Value:
    """(rows): a kernel of scalar products of each row with itself."""
    kind, more = k["metric"], k.get("pairwise_kernels_kwargs") or {}
    y = op.ReduceSum(op.Mul(x, x), ints(1), keepdims=0)
    if kind == "linear":
        return y
    y = op.Add(op.Mul(y, like(x, float(k["gamma"]))), like(x, float(more.get("coef0", 1))))
    if kind in ("poly", "polynomial"):
        return power(op, y, float(more.get("degree", 3)))
    if kind != "sigmoid":
        raise Unsupported(f"{k.path}: the variance of metric={kind!r}")
    out: Value = op.Tanh(y)
    return out


def _sized(k: Any, left: int = 200) -> int:
    """What is left of a number after as many steps as a kernel has parts: a file may say that one is inside itself."""
    if left <= 0:
        raise Unsupported("a kernel of more than 200 parts")
    for name in ("k1", "k2", "kernel"):
        if isinstance(k, Estimator) and isinstance(inner := k.get(name), Estimator):
            left = _sized(inner, left - 1)
    return left


def _covariance(op: Builder, x: Value, points: Array, k: Any) -> Value:
    """(rows, points)"""
    _sized(k)
    found = covariance(op, x, points, k)
    if not isinstance(found, float):
        return found
    out: Value = op.Expand(like(x, [[found]]), op.Concat(op.Shape(x, start=0, end=1), ints(len(points)), axis=0))
    return out


# -- processes


@method("predict", "GaussianProcessRegressor")
def process(op: Builder, x: Any, e: Estimator) -> Value:
    x = real(op, matrix(op, x), np.float64)
    if "X_train_" not in e:
        raise Unsupported(f"{e.path}: it was not fitted")
    alpha = e.array("alpha_")
    k = _covariance(op, x, e.array("X_train_"), e["kernel_"])
    y = matmul(op, k, alpha.reshape(len(alpha), -1))
    scale, mean = (np.asarray(e.first(*names) if any(n in e for n in names) else default, np.float64).ravel()
                   for names, default in ((("_y_train_std", "y_train_std"), 1.0),
                                          (("_y_train_mean", "y_train_mean"), 0.0)))
    if (scale != 1).any():
        y = op.Mul(y, scale)
    if mean.any():
        y = op.Add(y, mean)
    flat = alpha.ndim == 1 or (alpha.shape[1] == 1 and e.version >= (1, 0))
    out: Value = op.Squeeze(y, ints(1)) if flat else y
    return out


LAMBDAS = np.array([0.41, 0.4, 0.37, 0.44, 0.39])
COEFFICIENTS = np.array([-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654])
"""The sum of error functions that Williams and Barber (1998) put in the place of the logistic function."""


def _latent(op: Builder, x: Value, e: Estimator) -> tuple[Value, Value]:
    """(rows) what the sign of decides, and (rows, points) the kernel."""
    k = _covariance(op, x, e.array("X_train_"), e["kernel_"])
    mean = matmul(op, k, (e.array("y_train_") - e.array("pi_")).reshape(-1, 1))
    return op.Squeeze(mean, ints(1)), k


def _positive(op: Builder, x: Value, e: Estimator) -> Value:
    """(rows, 1): the probability of the second class."""
    mean, k = _latent(op, x, e)
    solved = np.linalg.solve(e.array("L_"), np.diag(e.array("W_sr_")))
    v = matmul(op, k, solved.T)
    own = diagonal(op, x, e["kernel_"])
    variance = op.Sub(like(x, own) if isinstance(own, float) else own, op.ReduceSum(op.Mul(v, v), ints(1), keepdims=0))
    variance, mean = op.Unsqueeze(variance, ints(1)), op.Unsqueeze(mean, ints(1))
    spread = op.Add(op.Mul(variance, like(x, 2 * LAMBDAS ** 2)), like(x, 1))
    parts = erf(op, op.Div(op.Mul(mean, like(x, LAMBDAS)), op.Sqrt(spread)))
    out: Value = op.Add(matmul(op, parts, COEFFICIENTS.reshape(-1, 1) / 2), like(x, 0.5 * COEFFICIENTS.sum()))
    return out


def _binary(e: Estimator) -> list[Estimator]:
    """The processes of two classes that a classifier is made of."""
    inner = e["base_estimator_"]
    return [inner] if "estimators_" not in inner else list(estimators(inner["estimators_"], f"{e.path}.estimators_"))


def _probable(e: Estimator) -> bool:
    inner = e.get("base_estimator_")
    return not (isinstance(inner, Estimator) and inner.name == "OneVsOneClassifier")


@method("predict", "GaussianProcessClassifier")
def process_class(op: Builder, x: Any, e: Estimator) -> Value:
    x, parts = real(op, matrix(op, x), np.float64), _binary(e)
    out: Value
    if len(parts) == 1:
        mean = _latent(op, x, parts[0])[0]
        return op.Cast(op.Greater(mean, like(x, 0)), to=7)
    if _probable(e):  # before 1.8 OneVsRestClassifier took the last of equals
        out = op.ArgMax(op.Concat(*(_positive(op, x, p) for p in parts), axis=1), axis=1, keepdims=0,
                        select_last_index=int(e.version < (1, 8)))
        return out
    count = len(e["classes_"])
    if len(parts) != len(pairs(count)):
        raise Unsupported(f"{e.path}: {len(parts)} pairs of {count} classes")
    wins = op.Concat(*(op.Unsqueeze(op.Greater(_latent(op, x, p)[0], like(x, 0)), ints(1)) for p in parts), axis=1)
    sure = op.Concat(*(_positive(op, x, p) for p in parts), axis=1)
    out = op.ArgMax(of_pairs(op, wins, sure, count), axis=1, keepdims=0)
    return out


@method("predict_proba", "GaussianProcessClassifier")
@when(_probable)
def process_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    x, parts = real(op, matrix(op, x), np.float64), _binary(e)
    y = [_positive(op, x, p) for p in parts]
    out: Value
    if len(y) == 1:
        out = op.Concat(op.Sub(like(x, 1), y[0]), y[0], axis=1)
    else:
        every = op.Concat(*y, axis=1)
        out = op.Div(every, op.ReduceSum(every, ints(1), keepdims=1))
    return out


# -- mixtures

MIXTURES = ("GaussianMixture", "BayesianGaussianMixture")


def weighted(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, components): the logarithms of weight times density."""
    x = matrix(op, x)
    means, chol, kind = e.array("means_"), e.array("precisions_cholesky_"), text(e["covariance_type"])
    count, width = means.shape
    if kind == "full":
        log_det = np.log(np.diagonal(chol, axis1=1, axis2=2)).sum(1)
        factors = list(chol)
    elif kind == "tied":
        log_det = np.log(np.diag(chol)).sum()
        factors = [chol] * count
    elif kind in ("diag", "spherical"):
        chol = chol if kind == "diag" else np.repeat(chol[:, None], width, 1)
        log_det, factors = np.log(chol).sum(1), []
    else:
        raise Unsupported(f"{e.path}: covariance_type={kind!r}")
    if factors:
        parts = []
        for mean, factor in zip(means, factors, strict=True):
            y = matmul(op, op.Sub(x, like(x, mean)), factor)
            parts.append(op.ReduceSum(op.Mul(y, y), ints(1), keepdims=1))
        far = op.Concat(*parts, axis=1)
    else:
        d = op.Mul(op.Sub(op.Unsqueeze(x, ints(1)), like(x, means)), like(x, chol))
        far = op.ReduceSum(op.Mul(d, d), ints(2), keepdims=0)
    constant = log_det - 0.5 * width * log(2 * np.pi) + _log_weights(e, width)
    out: Value = op.Add(op.Mul(far, like(x, -0.5)), like(x, constant))
    return out


def digamma(x: Any) -> Array:
    """The derivative of the logarithm of the gamma function, of positive numbers: by recurrence to above 10, and the
    asymptotic series from there."""
    x = np.array(x, np.float64)
    total = np.zeros_like(x)
    for _ in range(12):
        small = x < 12
        total -= np.where(small, 1 / x, 0)
        x = np.where(small, x + 1, x)
    y = 1 / (x * x)
    terms = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    series = np.polynomial.polynomial.polyval(y, terms) * y
    return np.asarray(total + np.log(x) - 0.5 / x - series)


def _log_weights(e: Estimator, width: int) -> Array:
    """(components): what the variational kind adds is constant too."""
    if e.name == "GaussianMixture":
        return np.asarray(np.log(e.array("weights_")))
    freedom, precision = e.array("degrees_of_freedom_"), e.array("mean_precision_")
    found = e["weight_concentration_"]
    if isinstance(found, tuple):
        a, b = (np.asarray(v, np.float64) for v in found)
        both = digamma(a + b)
        weights = digamma(a) - both + np.concatenate([[0], np.cumsum(digamma(b) - both)[:-1]])
    else:
        a = np.asarray(found, np.float64)
        weights = digamma(a) - digamma(a.sum())
    spread = width * log(2) + digamma(0.5 * (freedom - np.arange(width)[:, None])).sum(0)
    return np.asarray(weights - 0.5 * width * np.log(freedom) + 0.5 * (spread - width / precision))


@method("predict", *MIXTURES)
def component(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.ArgMax(weighted(op, x, e), axis=1, keepdims=0)
    return out


@method("predict_proba", *MIXTURES)
def responsibilities(op: Builder, x: Any, e: Estimator) -> Value:
    y = weighted(op, x, e)
    out: Value = op.Exp(op.Sub(y, log_sum_exp(op, y)))
    return out


@method("score_samples", *MIXTURES)
def log_density(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.Squeeze(log_sum_exp(op, weighted(op, x, e)), ints(1))
    return out
