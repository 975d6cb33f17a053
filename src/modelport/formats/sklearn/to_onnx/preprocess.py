"""Numbers scaled, bent and expanded.  Sources: sklearn/preprocessing/_data.py, _polynomial.py, _discretization.py."""
from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, combinations_with_replacement
from math import exp, pi, sqrt
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..estimator import Estimator, text
from ..methods import call, columns, features, ints, like, matrix, method, real
from ..sparse import sparse
from .curves import below, interpolated
from .encode import side_by_side
from .math import applied, expm1, log1p

# -- scaling


def scaled(op: Builder, x: Any, less: Any, by: Any) -> Value:
    """(x - less) / by, either of which may be ``None``."""
    x = matrix(op, x)
    x = x if less is None else op.Sub(x, like(x, less))
    return x if by is None else op.Div(x, like(x, by))


def unscaled(op: Builder, x: Any, more: Any, by: Any) -> Value:
    """x * by + more, either of which may be ``None``."""
    x = matrix(op, x)
    x = x if by is None else op.Mul(x, like(x, by))
    return x if more is None else op.Add(x, like(x, more))


def _standard(e: Estimator) -> tuple[Any, Any]:
    return (e.array("mean_") if e.get("with_mean", True) and e.get("mean_") is not None else None,
            e.array("scale_") if e.get("with_std", True) and e.get("scale_") is not None else None)


def _robust(e: Estimator) -> tuple[Any, Any]:
    return (e.array("center_") if e.get("with_centering", True) and e.get("center_") is not None else None,
            e.array("scale_") if e.get("with_scaling", True) and e.get("scale_") is not None else None)


SETTINGS: dict[str, Callable[[Estimator], tuple[Any, Any]]] = {"StandardScaler": _standard, "RobustScaler": _robust,
            "MaxAbsScaler": lambda e: (None, e.array("scale_"))}


@method("transform", *SETTINGS)
def scaler(op: Builder, x: Any, e: Estimator) -> Value:
    y = scaled(op, x, *SETTINGS[e.name](e))
    return op.Clip(y, like(y, -1), like(y, 1)) if e.name == "MaxAbsScaler" and e.get("clip") else y


@method("inverse_transform", *SETTINGS)
def unscaler(op: Builder, x: Any, e: Estimator) -> Value:
    return unscaled(op, x, *SETTINGS[e.name](e))


@method("transform", "MinMaxScaler")
def min_max(op: Builder, x: Any, e: Estimator) -> Value:
    y = unscaled(op, x, e.array("min_"), e.array("scale_"))
    if e.get("clip"):
        low, high = e["feature_range"]
        y = op.Clip(y, like(y, low), like(y, high))
    return y


@method("inverse_transform", "MinMaxScaler")
def min_max_back(op: Builder, x: Any, e: Estimator) -> Value:
    return scaled(op, x, e.array("min_"), e.array("scale_"))


@method("transform", "Normalizer")
def normalizer(op: Builder, x: Any, e: Estimator) -> Value:
    return normalized(op, matrix(op, x), text(e.get("norm", "l2")), e)


def normalized(op: Builder, x: Value, norm: str | None, e: Estimator) -> Value:
    """Rows divided by their norm, but for those that are nothing."""
    if norm == "l2":
        length = op.Sqrt(op.ReduceSum(op.Mul(x, x), ints(1), keepdims=1))
    elif norm in ("l1", "max"):
        each = op.Abs(x) if norm == "l1" or not (0, 0) < e.version < (0, 23) else x
        length = op.ReduceSum(each, ints(1), keepdims=1) if norm == "l1" else op.ReduceMax(each, ints(1), keepdims=1)
    else:
        raise Unsupported(f"{e.path}: norm={norm!r}")
    # since 1.0 what is nearly nothing counts as nothing
    least = 10 * np.finfo(x.dtype).eps if e.version >= (1, 0) or e.version == (0, 0) else 0
    none = op.Less(length, like(x, least)) if least else op.Equal(length, like(x, 0))
    out: Value = op.Div(x, op.Where(none, like(x, 1), length))
    return out


@method("transform", "Binarizer")
def binarizer(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    return real(op, op.Greater(x, like(x, float(e.get("threshold", 0.0)))), x.dtype)


@method("transform", "KernelCenterer")
def kernel_centerer(op: Builder, x: Any, e: Estimator) -> Value:
    x, rows = matrix(op, x), e.array("K_fit_rows_")
    mean = op.Div(op.ReduceSum(x, ints(1), keepdims=1), like(x, len(rows)))
    out: Value = op.Add(op.Sub(op.Sub(x, like(x, rows)), mean), like(x, float(e.array("K_fit_all_"))))
    return out


# -- bending


@method("transform", "PowerTransformer")
def power(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    bend = {"box-cox": _box_cox, "yeo-johnson": _yeo_johnson}[e["method"]]
    y = bend(op, x, e.array("lambdas_"))
    return call(op, "transform", e["_scaler"], y) if e.get("standardize", True) else y


def _by_lambda(op: Builder, x: Value, power: Array, bent: Value, straight: Value, special: Array) -> Value:
    """``straight`` for the features whose power is a ``special`` one, ``bent`` for others."""
    if special.all():
        return straight
    out: Value = bent if not special.any() else op.Where(special[None], straight, bent)
    return out


def _box_cox(op: Builder, x: Value, power: Array) -> Value:
    log = op.Log(x)
    zero = np.abs(power) < 1e-19
    safe = np.where(zero, 1, power)
    return _by_lambda(op, x, power, op.Div(expm1(op, op.Mul(log, like(x, safe))), like(x, safe)), log, zero)


def _yeo_johnson(op: Builder, x: Value, power: Array) -> Value:
    eps = np.finfo(np.float64).eps
    log = log1p(op, op.Abs(x))
    zero, two = np.abs(power) < eps, np.abs(power - 2) <= eps
    above, below_ = np.where(zero, 1, power), np.where(two, 1, 2 - power)
    up = _by_lambda(op, x, power, op.Div(expm1(op, op.Mul(log, like(x, above))), like(x, above)), log, zero)
    down = _by_lambda(op, x, power, op.Div(expm1(op, op.Mul(log, like(x, below_))), like(x, below_)), log, two)
    out: Value = op.Where(op.Less(x, like(x, 0)), op.Neg(down), up)
    return out


@method("inverse_transform", "PowerTransformer")
def power_back(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    if e.get("standardize", True):
        x = call(op, "inverse_transform", e["_scaler"], x)
    p = e.array("lambdas_")
    one, zero = like(x, 1), like(x, 0)
    eps = np.finfo(np.float64).eps
    if e["method"] == "box-cox":  # as expm1 and log1p do it: (x p + 1) ** (1 / p)
        none = p == 0
        safe = np.where(none, 1, p)
        bent = op.Exp(op.Div(log1p(op, op.Mul(x, like(x, safe))), like(x, safe)))
        return _by_lambda(op, x, p, bent, op.Exp(x), none)
    none, two = np.abs(p) < eps, np.abs(p - 2) <= eps
    above, below_ = np.where(none, 1, p), np.where(two, 1, 2 - p)
    up = op.Sub(op.Pow(op.Add(op.Mul(x, like(x, above)), one), like(x, 1 / above)), one)
    up = _by_lambda(op, x, p, up, op.Sub(op.Exp(x), one), none)
    down = op.Sub(one, op.Pow(op.Add(op.Mul(x, like(x, -below_)), one), like(x, 1 / below_)))
    down = _by_lambda(op, x, p, down, op.Sub(one, op.Exp(op.Neg(x))), two)
    out: Value = op.Where(op.Less(x, zero), down, up)
    return out


BOUND = 1e-7
"""So near to an end of the quantiles a value counts as there."""
_CENTRE = (  # Cephes' rational approximations of the inverse of the normal distribution: numerators, denominators
    (-59.9633501014107895267, 98.0010754185999661536, -56.6762857469070293439, 13.9312609387279679503,
     -1.23916583867381258016),
    (1.0, 1.95448858338141759834, 4.67627912898881538453, 86.3602421390890590575, -225.462687854119370527,
     200.260212380060660359, -82.0372256168333339912, 15.9056225126211695515, -1.18331621121330003142))
_TAIL = (
    (4.05544892305962419923, 31.5251094599893866154, 57.1628192246421288162, 44.0805073893200834700,
     14.6849561928858024014, 2.18663306850790267539, -0.140256079171354495875, -0.0350424626827848203418,
     -8.57456785154685413611e-4),
    (1.0, 15.7799883256466749731, 45.3907635128879210584, 41.3172038254672030440, 15.0425385692907503408,
     2.50464946208309415979, -0.142182922854787788574, -0.0380806407691578277194, -9.33259480895457427372e-4))


def _polynomial(op: Builder, x: Value, coefficients: tuple[float, ...]) -> Value:
    """Of one variable, the highest power first."""
    y: Any = like(x, coefficients[0])
    for c in coefficients[1:]:
        y = op.Add(op.Mul(y, x), like(x, c))
    out: Value = y
    return out


def normal_quantile(op: Builder, p: Value) -> Value:
    """The x that a normally distributed number is below with a probability of ``p``, which is in (1e-13, 1 - 1e-13)."""
    edge = exp(-2)
    upper = op.Greater(p, like(p, 1 - edge))
    q = op.Where(upper, op.Sub(like(p, 1), p), p)
    centre = op.Sub(q, like(p, 0.5))
    square = op.Mul(centre, centre)
    ratio = op.Div(_polynomial(op, square, _CENTRE[0]), _polynomial(op, square, _CENTRE[1]))
    middle = op.Mul(op.Add(centre, op.Mul(centre, op.Mul(square, ratio))), like(p, sqrt(2 * pi)))
    far = op.Sqrt(op.Mul(op.Log(op.Clip(q, None, like(p, edge))), like(p, -2)))
    z = op.Reciprocal(far)
    ratio = op.Div(_polynomial(op, z, _TAIL[0]), _polynomial(op, z, _TAIL[1]))
    tail = op.Sub(op.Sub(far, op.Div(op.Log(far), far)), op.Mul(z, ratio))
    tail = op.Where(upper, tail, op.Neg(tail))
    out: Value = op.Where(op.Greater(q, like(p, edge)), middle, tail)
    return out


@method("transform", "QuantileTransformer")
def quantile(op: Builder, x: Any, e: Estimator) -> Value:
    """The part of the training set that is below each number, or the normally distributed number of that rank."""
    x = matrix(op, x)
    points, ranks = e.array("quantiles_"), e.array("references_")
    up = interpolated(op, x, points, ranks)
    down = interpolated(op, op.Neg(x), -points[::-1], -ranks[::-1])
    y = op.Mul(op.Sub(up, down), like(x, 0.5))
    low, high = like(x, points[0]), like(x, points[-1])
    normal = text(e["output_distribution"]) == "normal"
    if normal:
        at_end, at_start = (op.Greater(op.Add(x, like(x, BOUND)), high), op.Less(op.Sub(x, like(x, BOUND)), low))
    else:
        at_end, at_start = op.Equal(x, high), op.Equal(x, low)
    out: Value
    if not normal:
        out = op.Where(at_start, like(x, 0), op.Where(at_end, like(x, 1), y))
        return _zeros_kept(op, x, out)
    least = BOUND - np.spacing(1)
    y = op.Where(at_start, like(x, least), op.Where(at_end, like(x, 1 - least), y))
    y = normal_quantile(op, op.Clip(y, like(x, least), like(x, 1 - least)))
    # a number that is missing is above and below nothing, and Clip may lose it
    return _zeros_kept(op, x, op.Where(op.IsNaN(x), x, y))


def _zeros_kept(op: Builder, x: Value, y: Value) -> Value:
    """Of a sparse matrix only what is stored is transformed."""
    return op.Where(op.Equal(x, like(x, 0)), x, y) if sparse(x) else y


@method("inverse_transform", "QuantileTransformer")
def quantile_back(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    if text(e["output_distribution"]) == "normal":
        raise Unsupported(f"{e.path}: the normal distribution's function in 64 bits, which ONNX has none for")
    points, ranks = e.array("quantiles_"), e.array("references_")
    y = interpolated(op, x, np.repeat(ranks[:, None], points.shape[1], 1), points)
    y = op.Where(op.Equal(x, like(x, 1)), like(x, points[-1]), y)
    out: Value = op.Where(op.Equal(x, like(x, 0)), like(x, points[0]), y)
    return out


@method("transform", "FunctionTransformer")
def function_transformer(op: Builder, x: Any, e: Estimator) -> Any:
    return applied(op, x, e, "func", "kw_args")


@method("inverse_transform", "FunctionTransformer")
def function_back(op: Builder, x: Any, e: Estimator) -> Any:
    return applied(op, x, e, "inverse_func", "inv_kw_args")


# -- expanding


@method("transform", "PolynomialFeatures")
def polynomial(op: Builder, x: Any, e: Estimator) -> Value:
    """Products of as many features as the degrees say."""
    x, degree = matrix(op, x), e["degree"]
    low, high = (int(d) for d in degree) if isinstance(degree, (list, tuple)) else (0, int(degree))
    count = features(x)
    choose = combinations if e.get("interaction_only") else combinations_with_replacement
    if sum(len(list(choose(range(count), d))) for d in range(high + 1)) > 1 << 20:
        raise Unsupported(f"{e.path}: more than a million products")
    parts: list[Value] = []
    if e.get("include_bias", True):
        parts.append(op.Expand(like(x, [[1]]), op.Concat(op.Shape(x, start=0, end=1), ints(1), axis=0)))
    level, known = x, dict[tuple[int, ...], int]({(k,): k for k in range(count)})
    for d in range(1, high + 1):
        if d > 1:
            terms = list(choose(range(count), d))
            if not terms:
                break
            before = np.array([known[t[:-1]] for t in terms], np.int64)
            level = op.Mul(op.Gather(level, before, axis=1),
                           op.Gather(x, np.array([t[-1] for t in terms], np.int64), axis=1))
            known = {t: k for k, t in enumerate(terms)}
        if d >= low:
            parts.append(level)
    if not parts:
        raise Unsupported(f"{e.path}: no feature is left")
    return side_by_side(op, parts)


@method("transform", "KBinsDiscretizer")
def bins(op: Builder, x: Any, e: Estimator) -> Value:
    """The number of the interval that each value is in, or a column for each interval."""
    x = matrix(op, x)
    edges = [np.asarray(b, np.float64) for b in np.asarray(e["bin_edges_"], object)]
    most = max(len(b) for b in edges) - 2
    counts = [len(b) - 1 for b in edges]
    table = np.full((max(most, 1), len(edges)), np.nan)
    for k, b in enumerate(edges):
        table[:len(b) - 2, k] = b[1:-1]
    if "float32" in str(e.get("dtype")):
        x = real(op, x, np.float32)
    at = real(op, x, np.float64)
    if (0, 0) < e.version < OLD_BINS:  # what is nearly at an edge counts as above it
        at = op.Add(at, op.Add(op.Mul(op.Abs(at), like(at, 1e-5)), like(at, 1e-8)))
    number = below(op, at, table)
    if text(e["encode"]) == "ordinal":
        return real(op, number, x.dtype)
    column = np.repeat(np.arange(len(edges)), counts)
    hits = op.Equal(op.Gather(number, column, axis=1), np.concatenate([np.arange(n) for n in counts])[None])
    return real(op, hits, x.dtype)


OLD_BINS = (1, 1)


@method("transform", "SplineTransformer")
def splines(op: Builder, x: Any, e: Estimator) -> Value:
    """The values of the basis splines of each feature: a polynomial for each interval between knots."""
    x, degree, how = matrix(op, x), int(e["degree"]), text(e.get("extrapolation", "constant"))
    if how not in ("error", "constant", "linear", "continue", "periodic"):
        raise Unsupported(f"{e.path}: extrapolation={how!r}")
    if how == "error":
        op.note("changed", "values beyond the knots, which scikit-learn refuses, are extrapolated")
    made = []
    found = list(e["bsplines_"])
    edge = degree
    for k, (column, item) in enumerate(zip(columns(op, x), found, strict=True)):
        s = Estimator(item, f"{e.path}.bsplines_[{k}]")
        knots, weights = (np.asarray(s.first(f"_{n}", n), np.float64) for n in ("t", "c"))
        ends, used = (knots[edge], knots[-edge - 1]), edge
        if how == "linear" and edge <= 1:  # scikit-learn counts on from one feature to the next
            edge, used = edge + 1, edge + 1
        made.append(_spline(op, column, knots, weights, degree, how, ends, used, bool(e.get("include_bias", True))))
    return side_by_side(op, made)


def _spline(op: Builder, x: Value, knots: Array, weights: Array, degree: int, how: str, ends: tuple[float, float],
            used: int, every: bool) -> Value:
    """(rows, splines) of (rows, 1).  Beyond ``ends`` only the ``used`` outermost splines are something."""
    first, last = ends
    count, splines_ = len(knots) - degree - 1, weights.shape[1]
    kept = splines_ if every else splines_ - 1
    missing = op.IsNaN(x)
    x = op.Where(missing, like(x, first), x)
    if how == "periodic":
        period = last - first
        rest = op.Mod(op.Sub(x, like(x, first)), like(x, period), fmod=1)
        rest = op.Where(op.Less(rest, like(x, 0)), op.Add(rest, like(x, period)), rest)
        at = op.Add(rest, like(x, first)) if period > 0 else op.Mul(x, like(x, 0))
    elif how in ("constant", "linear"):
        at = op.Clip(x, like(x, first), like(x, last))
    else:
        at = x
    table = pieces(knots, degree, count) @ weights[:, :kept].reshape(len(weights), kept)
    interval = op.Squeeze(below(op, at, knots[degree + 1:count, None]), ints(1))
    u = op.Sub(at, op.Unsqueeze(op.Gather(like(x, knots[degree:count]), interval, axis=0), ints(1)))
    rows = op.Gather(like(x, table), interval, axis=0)  # (rows, powers, splines)
    y: Any = op.Squeeze(op.Gather(rows, ints(degree), axis=1), ints(1))
    slope: Any = None
    for p in range(degree - 1, -1, -1):
        if how == "linear":
            slope = y if slope is None else op.Add(op.Mul(slope, u), y)
        y = op.Add(op.Mul(y, u), op.Squeeze(op.Gather(rows, ints(p), axis=1), ints(1)))
    if slope is not None:
        y = op.Add(y, op.Mul(slope, op.Sub(x, at)))
    if how in ("constant", "linear"):
        place = np.arange(kept)[None]
        for outside, some in ((op.Less(x, like(x, first)), place < used),
                              (op.Greater(x, like(x, last)), place >= splines_ - used)):
            y = op.Where(op.And(outside, ~some), like(x, 0), y)
    out: Value = op.Where(missing, like(x, 0), y)
    return out


def pieces(knots: Array, degree: int, count: int) -> Array:
    """(intervals, powers, splines): the polynomials of the basis splines between the knots ``degree`` ... ``count``, in
    the distance from the knot below, by the recursion of Cox and de Boor."""
    made = np.zeros((count - degree, degree + 1, count))
    for i in range(degree, count):
        basis = {i: np.ones(1)}
        for d in range(1, degree + 1):
            wider: dict[int, Array] = {}
            for j in range(i - d, i + 1):
                p = np.zeros(d + 1)
                left, right = knots[j + d] - knots[j], knots[j + d + 1] - knots[j + 1]
                if j in basis and left > 0:
                    p += np.convolve(basis[j], [knots[i] - knots[j], 1]) / left
                if j + 1 in basis and right > 0:
                    p += np.convolve(basis[j + 1], [knots[j + d + 1] - knots[i], -1]) / right
                wider[j] = p
            basis = wider
        for j, p in basis.items():
            made[i - degree, :len(p), j] = p
    return made
