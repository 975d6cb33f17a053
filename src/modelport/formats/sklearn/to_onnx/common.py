"""What several families need: distances, kernels, and functions that ONNX Runtime has not in double precision.

Sources: sklearn/metrics/pairwise.py, scipy.spatial.distance."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..methods import cosine as cos
from ..methods import ints, like, real

UNROLLED = 32
"""Up to how many features are gone through one by one, as scikit-learn does: the sums are then its own to the last
bit, and no array is larger than (rows, points)."""


def differences(op: Builder, x: Value, points: Array) -> Value:
    """(rows, points, features): rows minus points."""
    out: Value = op.Sub(op.Unsqueeze(x, ints(1)), like(x, points))
    return out


def squared(op: Builder, x: Value, points: Array) -> Value:
    """(rows, points): the squared euclidean distances.

    Of many features they are taken from the squares of both, which cancel; about the middle of the points, so that
    what is lost is 1e-16 of the extent of the points, not of their distance from zero.  The middle is a whole number:
    differences of whole numbers stay exact."""
    if points.shape[1] <= UNROLLED:
        return _folded(op, x, points, lambda d: op.Mul(d, d), op.Add)
    return _of_squares(op, x, points)


def _of_squares(op: Builder, x: Value, points: Array) -> Value:
    """(rows, points): the squared distances, by a product of matrices."""
    middle = np.rint(points.mean(0))
    x, points = op.Sub(x, like(x, middle)), points - middle
    own = op.ReduceSum(op.Mul(x, x), ints(1), keepdims=1)
    cross = matmul(op, x, -2 * points.T)
    out: Value = op.Relu(op.Add(op.Add(cross, like(x, (points * points).sum(1))), own))
    return out


def nearest_point(op: Builder, x: Value, points: Array) -> Value:
    """(rows): the number of the nearest of some points, the first of equals.  The squares of the rows, which are the
    same for all points, are left out."""
    middle = np.rint(points.mean(0))
    x, points = op.Sub(x, like(x, middle)), points - middle
    out: Value = op.ArgMin(op.Add(matmul(op, x, -2 * points.T), like(x, (points * points).sum(1))), axis=1, keepdims=0)
    return out


def _folded(op: Builder, x: Value, points: Array, term: Callable[[Value], Value], join: Callable[..., Value]) -> Value:
    """(rows, points): ``term`` of the difference of each feature, joined in their order."""
    total: Value | None = None
    for k in range(points.shape[1]):
        column = op.Gather(x, ints(k), axis=1) if points.shape[1] > 1 else x
        part = term(op.Sub(column, like(x, points[:, k])))
        total = part if total is None else join(total, part)
    if total is None:
        raise Unsupported("points without features")
    return total


_OF_FLAGS = ("jaccard", "dice", "rogerstanimoto", "russellrao", "sokalmichener", "sokalsneath", "yule")


def _of_flags(op: Builder, x: Value, points: Array, metric: str) -> Value:
    """(rows, points): distances by how many features are set (not zero) in both, in one of two, in none.

    Source: sklearn/metrics/_dist_metrics.pyx.tp; scipy, distance_metrics.h (yule)."""
    set_ = real(op, op.Not(op.Equal(x, like(x, 0))), x.dtype)
    flags, count = (points != 0).astype(np.float64), like(x, points.shape[1])
    both = matmul(op, set_, flags.T)
    mine = op.Sub(op.ReduceSum(set_, ints(1), keepdims=1), both)
    theirs = op.Sub(like(x, flags.sum(1)), both)
    apart = op.Add(mine, theirs)
    if metric == "russellrao":
        return op.Div(op.Sub(count, both), count)
    if metric in ("rogerstanimoto", "sokalmichener"):
        twice = op.Mul(apart, like(x, 2))
        return op.Div(twice, op.Add(op.Sub(count, apart), twice))
    if metric == "yule":
        half, none = op.Mul(mine, theirs), op.Sub(op.Sub(count, both), apart)
        under = op.Add(op.Mul(both, none), half)
        return op.Div(op.Mul(half, like(x, 2)), op.Where(op.Equal(half, like(x, 0)), like(x, 1), under))
    weight = {"jaccard": 1.0, "dice": 2.0, "sokalsneath": 0.5}[metric]
    under = op.Add(op.Mul(both, like(x, weight)), apart)
    none = op.Equal(under, like(x, 0))  # jaccard is zero there; the others are no number, and nobody's neighbors
    out: Value = op.Where(none, like(x, 0 if metric == "jaccard" else np.inf),
                          op.Div(apart, op.Where(none, like(x, 1), under)))
    return out


def distances(op: Builder, x: Value, points: Array, metric: str, p: float = 2, path: str = "") -> Value:
    """(rows, points): distances by a metric of scikit-learn's names."""
    if metric == "minkowski":
        if p <= 0:
            raise Unsupported(f"{path}: a metric of p={p}")
        metric = {1: "manhattan", 2: "euclidean", np.inf: "chebyshev"}.get(p, metric)
    out: Value
    if metric in ("euclidean", "l2"):
        return op.Sqrt(squared(op, x, points))
    if metric == "sqeuclidean":
        return squared(op, x, points)
    if metric == "cosine":
        out = op.Clip(op.Sub(like(x, 1), cosine(op, x, points)), like(x, 0), like(x, 2))
        return out
    if metric == "correlation":  # of rows that are constant it is none: they are nobody's neighbors
        x, points = op.Sub(x, op.ReduceMean(x, ints(1), keepdims=1)), points - points.mean(1, keepdims=True)
        still = op.Equal(op.ReduceMax(op.Abs(x), ints(1), keepdims=1), like(x, 0))
        none = op.Or(still, (points == 0).all(axis=1, keepdims=True).T)
        return op.Where(none, like(x, np.inf), distances(op, x, points, "cosine"))
    if metric in _OF_FLAGS:
        return _of_flags(op, x, points, metric)
    if metric not in ("manhattan", "l1", "cityblock", "chebyshev", "infinity", "minkowski", "canberra", "hamming",
                      "braycurtis"):
        raise Unsupported(f"{path}: the metric {metric!r}")
    if metric == "hamming":
        other = op.Not(op.Equal(op.Unsqueeze(x, ints(1)), like(x, points)))
        out = op.ReduceMean(op.Cast(other, to=11 if x.dtype == np.float64 else 1), ints(2), keepdims=0)
        return out
    if points.shape[1] <= UNROLLED and metric not in ("canberra", "braycurtis"):
        if metric in ("chebyshev", "infinity"):
            return _folded(op, x, points, op.Abs, op.Max)
        if metric == "minkowski":
            sums = _folded(op, x, points, lambda d: op.Pow(op.Abs(d), like(d, p)), op.Add)
            return op.Pow(sums, like(x, 1 / p))
        return _folded(op, x, points, op.Abs, op.Add)
    d = op.Abs(differences(op, x, points))
    if metric in ("chebyshev", "infinity"):
        out = op.ReduceMax(d, ints(2), keepdims=0)
    elif metric == "minkowski":
        out = op.Pow(op.ReduceSum(op.Pow(d, like(x, p)), ints(2), keepdims=0), like(x, 1 / p))
    elif metric == "braycurtis":
        both = op.Add(op.ReduceSum(op.Abs(x), ints(1), keepdims=1), like(x, np.abs(points).sum(1)))
        none = op.Equal(both, like(x, 0))
        out = op.Div(op.ReduceSum(d, ints(2), keepdims=0), op.Where(none, like(x, 1), both))
    elif metric == "canberra":
        both = op.Add(op.Abs(op.Unsqueeze(x, ints(1))), like(x, np.abs(points)))
        none = op.Equal(both, like(x, 0))
        out = op.ReduceSum(op.Div(d, op.Where(none, like(x, 1), both)), ints(2), keepdims=0)
    else:
        out = op.ReduceSum(d, ints(2), keepdims=0)
    return out


def half_chord(op: Builder, x: Value, points: Array) -> Value:
    """(rows, points): the square of the sine of half the way between places on a sphere, (latitude, longitude)."""
    def sine(k: int) -> Value:
        half = op.Sin(op.Mul(op.Sub(op.Gather(x, ints(k), axis=1), like(x, points[:, k])), like(x, 0.5)))
        out: Value = op.Mul(half, half)
        return out
    across = op.Mul(cos(op, op.Gather(x, ints(0), axis=1)), like(x, np.cos(points[:, 0])))
    out: Value = op.Add(sine(0), op.Mul(across, sine(1)))
    return out


def arc(op: Builder, r: Value) -> Value:
    """The way on the sphere: twice the arc whose sine is the root of ``r``.  ONNX Runtime has that function in single
    precision only; two steps of Newton mend it, where the sine is no larger than the cosine."""
    s, c = op.Sqrt(r), op.Sqrt(op.Relu(op.Sub(like(r, 1), r)))
    least = op.Min(s, c)
    y = op.Cast(op.Asin(op.Cast(least, to=1)), to=11)
    for _ in range(2):
        y = op.Sub(y, op.Div(op.Sub(op.Sin(y), least), cos(op, y)))
    out: Value = op.Mul(op.Where(op.Greater(s, c), op.Sub(like(r, np.pi / 2), y), y), like(r, 2))
    return out


def cosine(op: Builder, x: Value, points: Array) -> Value:
    """(rows, points): the cosine of the angle; that of a vector of zeros is zero."""
    unit = np.sqrt((points * points).sum(1, keepdims=True))
    length = op.Sqrt(op.ReduceSum(op.Mul(x, x), ints(1), keepdims=1))
    x = op.Div(x, op.Where(op.Equal(length, like(x, 0)), like(x, 1), length))
    return matmul(op, x, (points / np.where(unit == 0, 1, unit)).T)


def matmul(op: Builder, x: Value, weights: Any) -> Value:
    """``x @ weights`` of a constant."""
    out: Value = op.MatMul(x, like(x, np.ascontiguousarray(weights)))
    return out


SMOOTH = 20.0
"""An exponent of up to this is right to 1e-14 if it is taken from squares that cancel."""


def kernel(op: Builder, x: Value, points: Array, kind: Any, gamma: float | None, coef0: float = 1, degree: float = 3,
           path: str = "", fast: bool = False) -> Value:
    """(rows, points): a kernel of ``pairwise_kernels``; without ``gamma`` it is one over the number of features.

    ``fast`` allows for errors of 1e-14 of one, where what weighs the kernel is no larger than what comes out."""
    out: Value
    if not isinstance(kind, str):
        raise Unsupported(f"{path}: the kernel {kind}, whose code is not in the file")
    if kind == "precomputed":  # the rows are those of the kernel matrix
        return x
    if kind == "linear":
        return matmul(op, x, points.T)
    if kind == "cosine":
        return cosine(op, x, points)
    if kind in ("chi2", "additive_chi2"):
        d, both = differences(op, x, points), op.Add(op.Unsqueeze(x, ints(1)), like(x, points))
        parts = op.Div(op.Mul(d, d), op.Where(op.Equal(both, like(x, 0)), like(x, 1), both))
        out = op.Neg(op.ReduceSum(parts, ints(2), keepdims=0))
        return out if kind == "additive_chi2" else \
            op.Exp(op.Mul(out, like(x, 1 if gamma is None else gamma)))
    gamma = 1 / points.shape[1] if gamma is None else gamma
    if kind == "rbf":
        extent = np.abs(points - np.rint(points.mean(0))).max(0)
        smooth = fast and gamma * (extent * extent).sum() <= SMOOTH
        far = _of_squares(op, x, points) if smooth else squared(op, x, points)
        out = op.Exp(op.Mul(far, like(x, -gamma)))
    elif kind == "laplacian":
        out = op.Exp(op.Mul(distances(op, x, points, "manhattan"), like(x, -gamma)))
    elif kind in ("poly", "polynomial"):
        y = op.Add(op.Mul(matmul(op, x, points.T), like(x, gamma)), like(x, coef0))
        out = power(op, y, degree)
    elif kind == "sigmoid":
        out = op.Tanh(op.Add(op.Mul(matmul(op, x, points.T), like(x, gamma)), like(x, coef0)))
    else:
        raise Unsupported(f"{path}: the kernel {kind!r}")
    return out


def power(op: Builder, x: Value, exponent: float) -> Value:
    """``x ** exponent``; small whole powers as products."""
    if exponent not in (1, 2, 3, 4):
        return op.Pow(x, like(x, exponent))
    out: Value = x
    for _ in range(int(exponent) - 1):
        out = op.Mul(out, x)
    return out


def erf(op: Builder, x: Value) -> Value:
    """The error function, within rounding: ONNX Runtime has it in single precision only.

    erf(x) = 2 x / sqrt(pi) * the integral of exp(-(x u)^2) over u from 0 to 1, by the rule of Gauss and Legendre, whose
    error at 40 places is below 1e-17 wherever erf(x) is not one."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x = op.Clip(x, like(x, -6), like(x, 6))
    xu = op.Mul(op.Unsqueeze(x, ints(-1)), like(x, (nodes + 1) / 2))
    parts = op.Mul(op.Exp(op.Neg(op.Mul(xu, xu))), like(x, weights / np.sqrt(np.pi)))
    total = op.ReduceSum(parts, ints(-1), keepdims=0)
    out: Value = op.Mul(x, total)
    return out


def log_sum_exp(op: Builder, x: Value) -> Value:
    """(rows, 1): the logarithm of the sum of the exponentials of (rows, classes)."""
    top = op.ReduceMax(x, ints(1), keepdims=1)
    out: Value = op.Add(op.Log(op.ReduceSum(op.Exp(op.Sub(x, top)), ints(1), keepdims=1)), top)
    return out


def sign_label(op: Builder, score: Value) -> Value:
    """(rows): 1 where an outlier detector's score is not negative, -1 else."""
    out: Value = op.Where(op.GreaterOrEqual(score, like(score, 0)), np.int64(1), np.int64(-1))
    return out
