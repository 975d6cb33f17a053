"""Trees and what is grown of them.  Sources: sklearn/tree/_tree.pyx, ensemble/_forest.py, _gb.py."""
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
from ..interface import labelled, labels
from ..methods import ints, like, matrix, method, real


def tree(e: Estimator) -> tuple[Ensemble, Array]:
    """The ``tree_`` of an estimator, without values, and its values (nodes, outputs, classes)."""
    t = e["tree_"]
    if not isinstance(t, Estimator):
        raise Unsupported(f"{e.path}: its tree is a {type(t).__name__}")
    nodes, values = t["nodes"], t.array("values")
    count = len(nodes)
    names = nodes.dtype.names or ()
    if not {"left_child", "right_child", "feature", "threshold"} <= set(names) or len(values) != count or not count:
        raise CorruptFile(f"{e.path}: a tree that is none")
    features = int(t.record.args[0])
    missing = nodes["missing_go_to_left"].astype(bool) if "missing_go_to_left" in names else np.zeros(count, bool)
    left = nodes["left_child"].astype(np.int64)
    made = Ensemble(
        roots=np.array([0]), left=np.where(left < 0, -1, left),
        right=np.where(left < 0, -1, nodes["right_child"].astype(np.int64)),
        feature=nodes["feature"].astype(np.int64),
        threshold=np.where(left < 0, 0, nodes["threshold"].astype(np.float64)),
        missing_left=missing, value=np.zeros((count, 1)), target=np.array([0]), outputs=1, features=features)
    return made, values


def proportions(values: Array) -> Array:
    """Counts of classes (before scikit-learn 1.3) or proportions, as ``predict_proba`` returns them."""
    total = values.sum(-1, keepdims=True)
    return np.asarray(values / np.where(total == 0, 1.0, total))


def members(e: Estimator) -> list[Estimator]:
    """The trees of a forest; a tree is a forest of one."""
    if "estimators_" not in e:
        return [e]
    found = list(estimators(e["estimators_"], f"{e.path}.estimators_"))
    if not found:
        raise Unsupported(f"{e.path}: a forest without trees")
    return found


def forest(e: Estimator, kind: str) -> Ensemble:
    """All trees with what their leaves add: ``kind`` is "classes" or "outputs"."""
    made = []
    for member in members(e):
        t, values = tree(member)
        if kind == "classes":
            if values.shape[1] != 1:
                raise Unsupported(f"{e.path}: labels of several outputs")
            value = proportions(values[:, 0, :])
        else:
            value = values[:, :, 0]
        made.append(replace(t, value=value, outputs=value.shape[1]))
    return ensemble.joined(made)


FORESTS = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree")
CLASSIFIERS, REGRESSORS = ([f"{n}{kind}" for n in FORESTS] for kind in ("Classifier", "Regressor"))


def rows32(op: Builder, x: Any) -> Value:
    """Trees compare numbers of 32 bits, whatever they are given."""
    return real(op, matrix(op, x), np.float32)


@method("classify", *CLASSIFIERS)
def classify(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    grown = forest(e, "classes")
    count, x = len(grown.roots), rows32(op, x)
    if grown.outputs > 2:
        label, sums = ensemble.classified(op, x, grown, labels(e))
    else:  # TreeEnsembleClassifier decides between two classes by other rules
        sums = ensemble.scores(op, x, grown)
        label = labelled(op, op.ArgMax(sums, axis=1, keepdims=0), labels(e))
    return label, op.Div(sums, like(sums, count)) if count > 1 else sums


@method("predict_proba", *CLASSIFIERS)
def probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    grown = forest(e, "classes")
    x = rows32(op, x)
    sums = ensemble.scores(op, x, grown)
    out: Value = op.Div(sums, like(sums, len(grown.roots))) if len(grown.roots) > 1 else sums
    return out


@method("predict", *REGRESSORS)
def regress(op: Builder, x: Any, e: Estimator) -> Value:
    grown = forest(e, "outputs")
    sums = ensemble.scores(op, rows32(op, x), grown)
    count = len(grown.roots)
    mean = op.Div(sums, like(sums, count)) if count > 1 else sums
    out: Value = op.Squeeze(mean, ints(1)) if grown.outputs == 1 else mean
    return out

