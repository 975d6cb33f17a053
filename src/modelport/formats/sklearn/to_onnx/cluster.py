"""Clusters.  Sources: sklearn/cluster/_kmeans.py, _bisect_k_means.py, _mean_shift.py, _affinity_propagation.py,
_birch.py, _feature_agglomeration.py; semi_supervised/_label_propagation.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..estimator import Estimator, function
from ..methods import features, ints, like, matrix, method
from .common import kernel, matmul, nearest_point, squared
from .neighbors import nearest, rows64


def _nearest_center(op: Builder, x: Any, centers: Array) -> Value:
    """(rows): the number of the nearest center."""
    return nearest_point(op, rows64(op, x), centers)


@method("predict", "KMeans", "MiniBatchKMeans", "MeanShift")
def cluster(op: Builder, x: Any, e: Estimator) -> Value:
    return _nearest_center(op, x, e.array("cluster_centers_"))


@method("transform", "KMeans", "MiniBatchKMeans", "BisectingKMeans")
def cluster_distances(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.Sqrt(squared(op, rows64(op, x), e.array("cluster_centers_")))
    return out


@method("predict", "BisectingKMeans")
def bisected(op: Builder, x: Any, e: Estimator) -> Value:
    """Down the tree of splits, by the nearer of two centers."""
    x = rows64(op, x)
    mean = e.array("_X_mean") if "_X_mean" in e else 0.0
    left = 2 * len(e["cluster_centers_"])  # a file may say that a node is inside itself

    def label(node: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if not isinstance(node, Estimator) or depth > 200 or left < 0:
            raise Unsupported(f"{e.path}: a tree of clusters that is none")
        if node.get("left") is None:
            return np.int64(node["label"])
        centers = np.stack([node["left"].array("center"), node["right"].array("center")]) + mean
        side = op.Cast(nearest_point(op, x, centers), to=9)
        return op.Where(side, label(node["right"], depth + 1), label(node["left"], depth + 1))
    root = e["_bisecting_tree"]
    if isinstance(root, Estimator) and root.get("left") is None:
        return _nearest_center(op, x, e.array("cluster_centers_"))
    out: Value = label(root, 0)
    return out


@method("predict", "AffinityPropagation")
def exemplar(op: Builder, x: Any, e: Estimator) -> Value:
    centers = e.get("cluster_centers_")
    if centers is None:
        raise Unsupported(f"{e.path}: affinity='precomputed', which predicts nothing")
    if not np.asarray(centers).size:  # it did not converge
        raise Unsupported(f"{e.path}: it found no clusters: every label is -1")
    return _nearest_center(op, x, e.array("cluster_centers_"))


@method("predict", "Birch")
def birch(op: Builder, x: Any, e: Estimator) -> Value:
    at = _nearest_center(op, x, e.array("subcluster_centers_"))
    out: Value = op.Gather(np.asarray(e["subcluster_labels_"], np.int64), at, axis=0)
    return out


@method("transform", "Birch")
def birch_distances(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.Sqrt(squared(op, rows64(op, x), e.array("subcluster_centers_")))
    return out


@method("transform", "FeatureAgglomeration")
def pooled(op: Builder, x: Any, e: Estimator) -> Value:
    """Each cluster of columns as one."""
    x, groups = matrix(op, x), np.asarray(e["labels_"], np.int64)
    how = function(e.get("pooling_func")).rpartition(".")[2] or "mean"
    member = (groups[:, None] == np.arange(groups.max() + 1)).astype(np.float64)
    if how == "mean":
        out: Value = op.Div(matmul(op, x, member), like(x, member.sum(0)))
        return out
    reduce = {"max": op.ReduceMax, "amax": op.ReduceMax, "min": op.ReduceMin, "amin": op.ReduceMin,
              "sum": op.ReduceSum}.get(how)
    if (reduce is None and how != "median") or not function(e["pooling_func"]).startswith("numpy"):
        raise Unsupported(f"{e.path}: pooling_func {e['pooling_func']}, whose code is not in the file")
    columns = [op.Gather(x, np.flatnonzero(groups == k), axis=1) for k in np.unique(groups).tolist()]
    parts = [_median(op, c) if reduce is None else reduce(c, ints(1), keepdims=1) for c in columns]
    return parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)


def _median(op: Builder, x: Value) -> Value:
    """(rows, 1): the middle of the numbers of each row, or of the two in the middle."""
    count = features(x)
    ranked, _ = op.TopK(x, ints(count // 2 + 1), axis=1, largest=0, sorted=1, outputs=2)
    middle = op.Gather(ranked, ints(*range((count - 1) // 2, count // 2 + 1)), axis=1)
    out: Value = op.ReduceMean(middle, ints(1), keepdims=1)
    return out


# -- labels that spread


@method("predict_proba", "LabelPropagation", "LabelSpreading")
def spread(op: Builder, x: Any, e: Estimator) -> Value:
    """A row that is far from all has no probabilities (NaN)."""
    x, known = rows64(op, x), e.array("label_distributions_")
    if e["kernel"] == "knn":
        at = nearest(op, x, e["nn_fit"], int(e["n_neighbors"]))[1]
        sums = op.ReduceSum(op.Gather(known, at, axis=0), ints(1), keepdims=0)
    elif e["kernel"] == "rbf":
        sums = matmul(op, kernel(op, x, e.array("X_"), "rbf", float(e["gamma"])), known)
    else:
        raise Unsupported(f"{e.path}: the kernel {e['kernel']}, whose code is not in the file")
    out: Value = op.Div(sums, op.ReduceSum(sums, ints(1), keepdims=1))
    return out


@method("predict", "LabelPropagation", "LabelSpreading")
def spread_class(op: Builder, x: Any, e: Estimator) -> Value:
    """The first class where there are no probabilities."""
    p = spread(op, x, e)
    out: Value = op.ArgMax(op.Where(op.IsNaN(p), like(p, 0), p), axis=1, keepdims=0)
    return out
