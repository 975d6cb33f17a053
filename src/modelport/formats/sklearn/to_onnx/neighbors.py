"""Models that keep the rows they were fitted on.

Sources: sklearn/neighbors/_base.py, _classification.py, _regression.py, _lof.py, _kde.py, _binary_tree.pxi.tp,
_nearest_centroid.py.

The nearest of all rows are found by comparing with each.  Of rows that are equally far the first are taken; what
scikit-learn takes of them depends on how its search tree is built, or how its queue was filled."""
from __future__ import annotations

from collections.abc import Callable
from math import lgamma, log, pi
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..estimator import Estimator, numbers, text
from ..interface import EACH, labelled, labels
from ..methods import ints, like, matrix, method, real, when
from .bayes import of_two, softmax
from .common import arc, distances, half_chord, matmul, nearest_point, sign_label, squared


def rows64(op: Builder, x: Any) -> Value:
    """Distances are measured in double precision, whatever the rows are of."""
    return real(op, matrix(op, x), np.float64)


def measured(op: Builder, x: Value, e: Estimator, points: Array) -> tuple[Value, Callable[[Value], Value]]:
    """(rows, points): numbers in the order of the distances, and what makes distances of them."""
    metric = e.get("effective_metric_", e.get("metric", "minkowski"))
    options = dict(e.get("effective_metric_params_") or e.get("metric_params") or {})
    if not isinstance(metric, str):
        raise Unsupported(f"{e.path}: the metric {metric}, whose code is not in the file")
    if metric == "precomputed":  # a row holds its distances
        return x, lambda d: d
    p = float(options.pop("p", None) or (e.get("p") if metric != "p" else 2) or 2)  # by "p" it does not pass its own
    metric = "minkowski" if metric == "p" else metric
    p = {"euclidean": 2.0, "manhattan": 1.0, "chebyshev": np.inf}.get(metric, p)
    if metric == "minkowski" and options.get("w") is not None:
        scale = numbers(options.pop("w"), np.float64, e.path) ** (1 / p)
        x, points = op.Mul(x, like(x, scale)), points * scale
    elif metric == "seuclidean" and options.get("V") is not None:
        scale = numbers(options.pop("V"), np.float64, e.path) ** -0.5
        x, points, metric = op.Mul(x, like(x, scale)), points * scale, "euclidean"
    elif metric == "mahalanobis" and options.get("VI") is not None:
        factor = np.linalg.cholesky(numbers(options.pop("VI"), np.float64, e.path))
        options.pop("V", None)
        x, points, metric = matmul(op, x, factor), points @ factor, "euclidean"
    if any(v is not None for v in options.values()):
        raise Unsupported(f"{e.path}: metric_params {sorted(options)} of the metric {metric!r}")
    if metric in ("euclidean", "l2") or (metric == "minkowski" and p == 2):
        return squared(op, x, points), lambda d: op.Sqrt(d)
    if metric == "haversine":
        return half_chord(op, x, points), lambda d: arc(op, d)
    if metric == "braycurtis" and e.get("_fit_method") not in ("ball_tree", "kd_tree") and e.version < (1, 3):
        raise Unsupported(f"{e.path}: the metric 'braycurtis' by scipy, which took it otherwise")
    return distances(op, x, points, metric, p, e.path), lambda d: d


def nearest(op: Builder, x: Value, e: Estimator, count: int) -> tuple[Value, Value]:
    """(rows, count): the distances of the nearest rows, and their numbers."""
    points = e.array("_fit_X")
    if count > len(points):
        raise Unsupported(f"{e.path}: {count} neighbors of {len(points)} rows")
    op.note("changed", "of rows that are equally far the first are the nearest; which of them scikit-learn takes "
                       "depends on its search tree")
    order, finish = measured(op, x, e, points)
    d, at = op.TopK(order, ints(count), axis=1, largest=0, sorted=1, outputs=2)
    return finish(d), at


def _weights(op: Builder, d: Value, e: Estimator, inside: Value | None = None) -> Value | None:
    """(rows, neighbors): how much a neighbor counts; ``None`` if all count the same.  One at no distance counts
    alone.  ``inside`` says which are neighbors at all."""
    how = e.get("weights", "uniform")
    if how in (None, "uniform"):
        return None
    if how != "distance":
        raise Unsupported(f"{e.path}: weights by {how}, whose code is not in the file")
    same = real(op, op.Equal(d, like(d, 0)), d.dtype)
    any_ = op.Greater(op.ReduceMax(same, ints(1), keepdims=1), like(d, 0))
    if inside is not None:
        d = op.Where(inside, d, like(d, np.inf))
    out: Value = op.Where(any_, same, op.Reciprocal(d))
    return out


def targets(e: Estimator) -> Array:
    """(points, outputs): what the rows were fitted to, numbers of classes or values."""
    y = np.asarray(e["_y"])
    return y.reshape(len(y), -1)


# -- the nearest


def _votes(op: Builder, x: Any, e: Estimator) -> list[Value]:
    """(rows, classes) for each output: how much the neighbors speak for each class."""
    d, at = nearest(op, rows64(op, x), e, int(e["n_neighbors"]))
    weights, y, made = _weights(op, d, e), targets(e).astype(np.int64), []
    for k in range(y.shape[1]):
        member = np.eye(_counts(e)[k])[y[:, k]]  # (points, classes)
        chosen = op.Gather(member, at, axis=0)
        if weights is not None:
            chosen = op.Mul(chosen, op.Unsqueeze(weights, ints(2)))
        made.append(op.ReduceSum(chosen, ints(1), keepdims=0))
    return made


def _counts(e: Estimator) -> list[int]:
    """The number of classes of each output."""
    found = e["classes_"]
    return [len(c) for c in found] if e.get("outputs_2d_") else [len(found)]


@method("predict", "KNeighborsClassifier")
def neighbor_class(op: Builder, x: Any, e: Estimator) -> Value:
    made = [op.ArgMax(v, axis=1, keepdims=0 if not e.get("outputs_2d_") else 1) for v in _votes(op, x, e)]
    out: Value = made[0] if len(made) == 1 else op.Concat(*made, axis=1)
    return out


@method("predict_proba", "KNeighborsClassifier")
@when(lambda e: not e.get("outputs_2d_"))
def neighbor_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    if e.get("outputs_2d_"):
        raise Unsupported(f"{e.path}: probabilities of several outputs")
    return shares(op, _votes(op, x, e)[0])


@method(EACH, "KNeighborsClassifier")
@when(lambda e: bool(e.get("outputs_2d_")))
def each_neighbor_probabilities(op: Builder, x: Any, e: Estimator) -> list[Value]:
    return [shares(op, v) for v in _votes(op, x, e)]


def shares(op: Builder, votes: Value) -> Value:
    """(rows, classes) divided by the sum of the row; nothing stays nothing."""
    total = op.ReduceSum(votes, ints(1), keepdims=1)
    out: Value = op.Div(votes, op.Where(op.Equal(total, like(total, 0)), like(total, 1), total))
    return out


@method("predict", "KNeighborsRegressor")
def neighbor_mean(op: Builder, x: Any, e: Estimator) -> Value:
    d, at = nearest(op, rows64(op, x), e, int(e["n_neighbors"]))
    weights, y = _weights(op, d, e), op.Gather(targets(e).astype(np.float64), at, axis=0)  # (rows, k, outputs)
    out: Value
    if weights is None:
        out = op.ReduceMean(y, ints(1), keepdims=0)
    else:
        total = op.ReduceSum(weights, ints(1), keepdims=1)
        out = op.Div(op.ReduceSum(op.Mul(y, op.Unsqueeze(weights, ints(2))), ints(1), keepdims=0), total)
    return op.Squeeze(out, ints(1)) if np.asarray(e["_y"]).ndim == 1 else out


@method("transform", "KNeighborsTransformer")
def neighbor_graph(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, points): the distances of the nearest, or one, at their places; zero elsewhere."""
    far = e["mode"] == "distance"  # then each row of the fit counts as a neighbor of itself
    d, at = nearest(op, rows64(op, x), e, int(e["n_neighbors"]) + far)
    values = d if far else op.Add(op.Mul(d, like(d, 0)), like(d, 1))
    shape = op.Concat(op.Shape(d, start=0, end=1), ints(len(e.array("_fit_X"))), axis=0)
    out: Value = op.ScatterElements(op.Expand(like(d, 0), shape), at, values, axis=1)
    return out


# -- all within a radius


def _within(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, points): how much each row counts, nothing if it is too far."""
    order, finish = measured(op, rows64(op, x), e, e.array("_fit_X"))
    d = finish(order)
    inside = op.LessOrEqual(d, like(d, float(e["radius"])))
    weights = _weights(op, d, e, inside)
    return real(op, inside, d.dtype) if weights is None else weights


@method("classify", "RadiusNeighborsClassifier")
def radius_classes(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    if e.get("outputs_2d_"):
        raise Unsupported(f"{e.path}: labels of several outputs")
    count, y = _counts(e)[0], targets(e).astype(np.int64)[:, 0]
    votes = matmul(op, _within(op, x, e), np.eye(count)[y])
    none = op.Equal(op.ReduceMax(votes, ints(1), keepdims=0), like(votes, 0))
    index, p = op.ArgMax(votes, axis=1, keepdims=0), shares(op, votes)
    names: list[Any] = list(labels(e))
    given = e.get("outlier_label_", e.get("outlier_label"))
    other = np.asarray(given).ravel().tolist()[0] if given is not None else None
    if other is None:  # it raises an error for a row without neighbors: no index is right for it
        index = op.Gather(np.arange(count), op.Where(none, np.int64(count), index), axis=0)
    elif other in names:
        index = op.Where(none, np.int64(names.index(other)), index)
        p = op.Where(op.Unsqueeze(none, ints(1)), like(p, np.eye(count)[names.index(other)]), p)
    else:
        if isinstance(other, str) != isinstance(names[0], str) or (isinstance(other, str) and e.version < (0, 22)):
            raise Unsupported(f"{e.path}: the label {other!r} of outliers beside {names[0]!r}")
        index, names = op.Where(none, np.int64(count), index), [*names, other]
    return labelled(op, index, names), p


@method("predict_proba", "RadiusNeighborsClassifier")
def radius_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    return radius_classes(op, x, e)[1]


@method("predict", "RadiusNeighborsRegressor")
def radius_mean(op: Builder, x: Any, e: Estimator) -> Value:
    """A row without neighbors has no mean (NaN)."""
    weights = _within(op, x, e)
    y = op.Div(matmul(op, weights, targets(e).astype(np.float64)), op.ReduceSum(weights, ints(1), keepdims=1))
    out: Value = op.Squeeze(y, ints(1)) if np.asarray(e["_y"]).ndim == 1 else y
    return out


@method("transform", "RadiusNeighborsTransformer")
def radius_graph(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, points): the distances of those within the radius, or one; zero elsewhere."""
    order, finish = measured(op, rows64(op, x), e, e.array("_fit_X"))
    d = finish(order)
    inside = op.LessOrEqual(d, like(d, float(e["radius"])))
    out: Value = op.Where(inside, d, like(d, 0)) if e["mode"] == "distance" else real(op, inside, d.dtype)
    return out


# -- centroids


def _even(e: Estimator) -> bool:
    """Whether the classes are as probable as each other, as they all were before scikit-learn 1.6."""
    prior = e.get("class_prior_")
    return prior is None or bool(np.isclose(np.asarray(prior), 1 / len(e["classes_"])).all())


def _scores(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, classes): minus the squared distances in units of the deviations, with the priors."""
    x = rows64(op, x)
    deviation = e.array("within_class_std_dev_")
    unit = np.where(deviation == 0, 1, deviation)
    d = distances(op, op.Div(x, like(x, unit)), e.array("centroids_") / unit, e["metric"], 2, e.path)
    out: Value = op.Sub(like(x, 2 * np.log(e.array("class_prior_"))), op.Mul(d, d))
    return out


@method("predict", "NearestCentroid")
def centroid_class(op: Builder, x: Any, e: Estimator) -> Value:
    metric = text(e["metric"])
    out: Value
    if _even(e):
        points = e.array("centroids_")
        if metric == "euclidean":
            return nearest_point(op, rows64(op, x), points)
        out = op.ArgMin(distances(op, rows64(op, x), points, metric or str(e["metric"]), 2, e.path), axis=1, keepdims=0)
    else:
        out = op.ArgMax(_scores(op, x, e), axis=1, keepdims=0)
    return out


def _scored(e: Estimator) -> bool:
    return e.get("metric") == "euclidean" and "class_prior_" in e


@method("decision_function", "NearestCentroid")
@when(_scored)
def centroid_decision(op: Builder, x: Any, e: Estimator) -> Value:
    return of_two(op, _scores(op, x, e))


@method("predict_proba", "NearestCentroid")
@when(_scored)
def centroid_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    return softmax(op, _scores(op, x, e))


# -- outliers and densities


def _novel(e: Estimator) -> bool:
    return bool(e.get("novelty"))


@method("score_samples", "LocalOutlierFactor")
@when(_novel)
def outlier_factor(op: Builder, x: Any, e: Estimator) -> Value:
    if not _novel(e):
        raise Unsupported(f"{e.path}: novelty=False, which judges the rows of the fit only")
    k, kept = int(e["n_neighbors_"]), e.array("_distances_fit_X_")
    d, at = nearest(op, rows64(op, x), e, k)
    reach = op.Max(d, op.Gather(kept[:, k - 1], at, axis=0))
    density = op.Add(op.ReduceMean(reach, ints(1), keepdims=1), like(d, 1e-10))
    ratios = op.Mul(op.Gather(e.array("_lrd"), at, axis=0), density)
    out: Value = op.Neg(op.ReduceMean(ratios, ints(1), keepdims=0))
    return out


@method("decision_function", "LocalOutlierFactor")
@when(_novel)
def outlier_score(op: Builder, x: Any, e: Estimator) -> Value:
    y = outlier_factor(op, x, e)
    out: Value = op.Sub(y, like(y, float(e["offset_"])))
    return out


@method("predict", "LocalOutlierFactor")
def outlier(op: Builder, x: Any, e: Estimator) -> Value:
    return sign_label(op, outlier_score(op, x, e))


def _log_norm(kind: str, h: float, d: int) -> float:
    """The logarithm of what makes the integral of a kernel of ``d`` dimensions one."""
    def ball(n: int) -> float:
        return 0.5 * n * log(pi) - lgamma(0.5 * n + 1)

    def sphere(n: int) -> float:
        return log(2 * pi) + ball(n - 1)
    if kind == "cosine":
        total, part = 0.0, 2 / pi
        for k in range(1, d + 1, 2):
            total += part
            part *= -(d - k) * (d - k - 1) * (2 / pi) ** 2
        factor = (log(total) if total > 0 else np.nan) + sphere(d - 1)  # of 4 dimensions it is no number there either
    else:
        factor = {"gaussian": 0.5 * d * log(2 * pi), "tophat": ball(d), "epanechnikov": ball(d) + log(2 / (d + 2)),
                  "exponential": sphere(d - 1) + lgamma(d), "linear": ball(d) - log(d + 1)}[kind]
    return -factor - d * log(h)


@method("score_samples", "KernelDensity")
def kernel_density(op: Builder, x: Any, e: Estimator) -> Value:
    """The sum over all rows.  That of scikit-learn cancels where the density is below 1e-16 of the bound that it
    starts from: far from all rows its logarithm is noise, and here it is right."""
    x, kind = rows64(op, x), str(e["kernel"])
    points, weights = _tree(e)
    h = float(e.get("bandwidth_", e.get("bandwidth")))
    options = e.get("metric_params") or {}
    d = distances(op, x, points, e["metric"], float(options.get("p", 2)), e.path)
    if set(options) - {"p"}:
        raise Unsupported(f"{e.path}: metric_params {sorted(options)}")
    if e.get("atol") or e.get("rtol"):
        op.note("changed", f"densities are exact; scikit-learn's may be off by atol={e.get('atol')} and "
                           f"rtol={e.get('rtol')} of this model")
    r = op.Div(d, like(x, h))
    near = op.Less(r, like(x, 1))
    none = like(x, -np.inf)
    if kind == "gaussian":
        y = op.Mul(op.Mul(r, r), like(x, -0.5))
    elif kind == "exponential":
        y = op.Neg(r)
    elif kind == "tophat":
        y = op.Where(near, like(x, 0), none)
    elif kind == "epanechnikov":
        y = op.Where(near, op.Log(op.Sub(like(x, 1), op.Mul(r, r))), none)
    elif kind == "linear":
        y = op.Where(near, op.Log(op.Sub(like(x, 1), r)), none)
    elif kind == "cosine":
        y = op.Where(near, op.Log(op.Sin(op.Mul(op.Sub(like(x, 1), r), like(x, pi / 2)))), none)
    else:
        raise Unsupported(f"{e.path}: kernel={kind!r}")
    if weights is not None:
        y = op.Add(y, like(x, np.log(weights)))
    top = op.ReduceMax(y, ints(1), keepdims=1)
    top = op.Where(op.Equal(top, none), like(x, 0), top)
    total = op.Add(op.Log(op.ReduceSum(op.Exp(op.Sub(y, top)), ints(1), keepdims=0)), op.Squeeze(top, ints(1)))
    count = len(points) if weights is None else float(weights.sum())
    out: Value = op.Add(total, like(x, _log_norm(kind, h, points.shape[1]) - log(count)))
    return out


def _tree(e: Estimator) -> tuple[Array, Array | None]:
    """The rows in a search tree, and their weights if they have some."""
    tree = e["tree_"]
    state = tree.record.state if isinstance(tree, Estimator) else None
    if not isinstance(state, tuple) or len(state) < 10:
        raise Unsupported(f"{e.path}: a search tree of an unknown form")
    arrays = [v for v in state if isinstance(v, np.ndarray)]
    points = numbers(arrays[0], np.float64, e.path)
    last = state[-1]
    weights = numbers(last, np.float64, e.path).ravel() if isinstance(last, np.ndarray) and last.ndim == 1 and \
        len(last) == len(points) else None
    return points, weights


@method("transform", "NeighborhoodComponentsAnalysis")
def components(op: Builder, x: Any, e: Estimator) -> Value:
    return matmul(op, matrix(op, x), e.array("components_").T)
