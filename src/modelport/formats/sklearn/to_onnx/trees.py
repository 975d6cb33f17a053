"""Trees and what is grown of them.  Sources: sklearn/tree/_tree.pyx, ensemble/_forest.py, _gb.py."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ....codecs.pickle import Record
from ....errors import CorruptFile, Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ... import ensemble
from ...ensemble import Ensemble
from ..estimator import Estimator, estimators
from ..interface import EACH, labelled, labels
from ..methods import ints, like, matrix, method, real, when


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
    # proportions whose sum is one but for rounding are returned as they are
    return np.asarray(values / np.where((total == 0) | (np.abs(total - 1) < 1e-9), 1.0, total))


def members(e: Estimator) -> list[Estimator]:
    """The trees of a forest; a tree is a forest of one."""
    if "estimators_" not in e:
        return [e]
    found = list(estimators(e["estimators_"], f"{e.path}.estimators_"))
    if not found:
        raise Unsupported(f"{e.path}: a forest without trees")
    return found


def forest(e: Estimator, kind: str, output: int = 0) -> Ensemble:
    """All trees with what their leaves add: ``kind`` is "classes" (of one of the outputs) or "outputs"."""
    made = []
    for member in members(e):
        t, values = tree(member)
        if kind == "classes":
            count = np.atleast_1d(np.asarray(e.first("n_classes_"), np.int64))[output]
            value = proportions(values[:, output, :count])
        else:
            value = values[:, :, 0]
        made.append(replace(t, value=value, outputs=value.shape[1]))
    return ensemble.joined(made)


FORESTS = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree")
CLASSIFIERS, REGRESSORS = ([f"{n}{kind}" for n in FORESTS] for kind in ("Classifier", "Regressor"))


FEW = 100
"""So many numbers of 32 bits can be added up with an error below 1e-6 of the sum."""


def rows32(op: Builder, x: Any) -> Value:
    """Trees compare numbers of 32 bits, whatever they are given; from rows of 64 bits they answer in 64 bits."""
    x = matrix(op, x)
    narrow = real(op, x, np.float32)
    return real(op, narrow, np.float64) if x.dtype == np.float64 else narrow


def single(e: Estimator) -> bool:
    """Whether a classifier answers with one label for each row."""
    return int(e.get("n_outputs_", 1)) == 1


def voted(op: Builder, x: Value, e: Estimator, classes: list[int] | list[str], output: int = 0) -> tuple[Value, Value]:
    """The labels and the probabilities: the mean of what the trees' leaves say.

    scikit-learn adds up in float64.  Where leaves are pure, sums are whole numbers, and exact in float32 too."""
    grown = forest(e, "classes", output)
    count = len(grown.roots)
    pure = bool((grown.value[grown.leaves] == np.round(grown.value[grown.leaves])).all())
    if len(classes) == 1 or x.dtype == np.float64:  # as others need it who go on with the numbers
        made = ensemble.scores(op, x, grown)
        label: Value = labelled(op, op.ArgMax(made, axis=1, keepdims=0), classes)
    elif len(classes) == 2 and count == 1 and not len(ensemble.stumps(grown)) and _halved(grown.value[grown.leaves]):
        return ensemble.chances(op, x, replace(grown, value=grown.value[:, 1:], outputs=1), classes)
    elif len(classes) == 2 and pure and len(ensemble.stumps(grown)) == 0:
        votes = replace(grown, value=grown.value[:, 1:] - grown.value[:, :1], outputs=1, target=grown.target * 0)
        label, made = ensemble.sided(op, x, votes, classes)
        share = np.eye(2, dtype=np.float32) / np.float32(2 * count)
        return label, op.Gemm(made, share, np.full(2, 0.5, np.float32))
    else:
        return ensemble.classified(op, x, grown, classes, wide=not pure and count > 1, count=count)
    return label, op.Div(made, like(made, count)) if count > 1 else made


def _halved(value: Array) -> bool:
    """Whether the second of two proportions is above a half in float32 where it is the greater one."""
    narrow = value.astype(np.float32)
    return bool(((narrow[:, 1] > 0.5) == (value[:, 1] > value[:, 0])).all() and (narrow >= 0).all())


@method("classify", *CLASSIFIERS)
@when(single)
def classify(op: Builder, x: Any, e: Estimator) -> tuple[Value, Value]:
    return voted(op, rows32(op, x), e, labels(e))


@method("predict_proba", *CLASSIFIERS)
@when(single)
def probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    return classify(op, x, e)[1]


@method(EACH, *CLASSIFIERS)
@when(lambda e: not single(e))
def each_probabilities(op: Builder, x: Any, e: Estimator) -> list[Value]:
    """(rows, classes) for each of several outputs."""
    x = rows32(op, x)
    return [voted(op, x, e, list(range(len(own))), k)[1] for k, own in enumerate(e["classes_"])]


@method("predict", *CLASSIFIERS)
def predict(op: Builder, x: Any, e: Estimator) -> Value:
    """The number of the class; of several outputs (rows, outputs) the classes themselves."""
    x = rows32(op, x)
    if single(e):
        return voted(op, x, e, list(range(len(labels(e)))))[0]
    made = []
    for k, own in enumerate(e["classes_"]):
        names = labels(Estimator(Record(e.record.of, state={"classes_": own}), e.path))
        made.append(op.Unsqueeze(voted(op, x, e, names, k)[0], ints(1)))
    out: Value = op.Concat(*made, axis=1)
    return out


@method("predict", *REGRESSORS)
def regress(op: Builder, x: Any, e: Estimator) -> Value:
    grown = forest(e, "outputs")
    count = len(grown.roots)
    grown = replace(grown, value=grown.value / count)
    mean = ensemble.scores(op, rows32(op, x), grown, wide=count > FEW)
    out: Value = op.Squeeze(mean, ints(1)) if grown.outputs == 1 else mean
    return out


def leaf_numbers(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, trees): the number of the node that is each row's leaf."""
    grown = ensemble.joined([tree(m)[0] for m in members(e)])
    starts = np.repeat(grown.roots, np.diff([*grown.roots, len(grown.left)]))
    return ensemble.leaves(op, rows32(op, x), grown, np.arange(len(starts)) - starts)


@method("apply", *CLASSIFIERS, *REGRESSORS, "RandomTreesEmbedding", "GradientBoostingRegressor",
        "GradientBoostingClassifier")
def apply(op: Builder, x: Any, e: Estimator) -> Value:
    found = leaf_numbers(op, x, e)
    if e.name in ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"):
        found = op.Squeeze(found, ints(1))
    elif e.name == "GradientBoostingClassifier":  # (rows, rounds, classes)
        found = op.Reshape(found, ints(0, *np.asarray(e["estimators_"]).shape))
    return real(op, found, np.float64) if e.name.startswith("Gradient") else found


@method("transform", "RandomTreesEmbedding")
def embed(op: Builder, x: Any, e: Estimator) -> Value:
    """One column for each leaf that a row of the training set reached, which are all."""
    encoder = e["one_hot_encoder_"]
    x = rows32(op, x)
    found = leaf_numbers(op, x, e)
    categories = [np.asarray(c, np.int64) for c in encoder["categories_"]]
    columns = np.repeat(np.arange(len(categories)), [len(c) for c in categories])
    same = op.Equal(op.Gather(found, columns, axis=1), np.concatenate(categories)[None])
    return real(op, same, np.float32)


def path_length(count: Array, e: Estimator) -> Array:
    """The mean length of a path to a leaf in a tree of so many rows that were not split further."""
    n = np.asarray(count, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        made = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    if (0, 0) < e.version < (0, 21):
        return np.where(n <= 1, 1.0, made)
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, made))


def depths(op: Builder, x: Any, e: Estimator) -> tuple[Value, float]:
    """(rows) how deep the trees of an isolation forest have to go, in float64, and what is divided by."""
    chosen, made = e.get("estimators_features_"), []
    features = e.get("n_features_in_", e.get("n_features_"))
    for k, member in enumerate(members(e)):
        t, _ = tree(member)
        nodes = member["tree_"]["nodes"]
        level, front, depth = np.zeros(len(nodes)), t.roots, 0
        t = t.checked()
        if len(t.left) != len(nodes):
            raise CorruptFile(f"{member.path}: nodes that no row reaches")
        while len(front):
            level[front] = depth
            inner = front[t.left[front] >= 0]
            front, depth = np.concatenate([t.left[inner], t.right[inner]]), depth + 1
        feature = t.feature
        if chosen is not None:
            own = np.asarray(chosen[k], np.int64)
            feature = np.where(t.leaves, 0, own[np.where(t.leaves, 0, feature)])
        value = np.where(t.leaves, (level + 1) + path_length(nodes["n_node_samples"], e) - 1, 0)[:, None]
        made.append(replace(t, value=value, feature=feature, features=int(features or t.features)))
    grown = ensemble.joined(made)
    grown = replace(grown, threshold=ensemble.below(grown.threshold).astype(np.float64))
    rows = e.get("_max_samples", e.get("max_samples_"))
    return op.Squeeze(ensemble.sums(op, rows32(op, x), grown), ints(1)), \
        float(len(grown.roots) * path_length(np.array([int(rows)]), e)[0])


def isolation(op: Builder, total: Value, per: float) -> Value:
    """(rows) the score of a sum of depths."""
    return op.Neg(op.Pow(np.float64(2), op.Neg(op.Div(total, np.float64(per))))) if per else \
        op.Sub(op.Mul(total, np.float64(0)), np.float64(0.5))


@method("score_samples", "IsolationForest")
def isolation_scores(op: Builder, x: Any, e: Estimator) -> Value:
    return real(op, isolation(op, *depths(op, x, e)), np.float32)


@method("decision_function", "IsolationForest")
def isolation_decisions(op: Builder, x: Any, e: Estimator) -> Value:
    return real(op, op.Sub(isolation(op, *depths(op, x, e)), np.float64(e["offset_"])), np.float32)


@method("predict", "IsolationForest")
def outliers(op: Builder, x: Any, e: Estimator) -> Value:
    """1 or, of outliers, -1: decided by the sum of depths, whose least one that is none is found here, because the
    power of a runtime may differ from numpy's in the last bit."""
    total, per = depths(op, x, e)
    offset, least = float(e["offset_"]), float(e.get("_threshold_", 0)) if e.get("behaviour") == "old" else 0.0

    def inside(d: int) -> bool:
        depth = np.array([d], np.int64).view(np.float64)
        return bool((-(2 ** -(depth / per if per else np.ones(1))) - offset >= least)[0])
    low, high = -1, int(np.array([np.inf]).view(np.int64)[0])  # the bits of numbers that are not negative are ordered
    if not inside(high):
        high += 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if inside(middle) else (middle, high)
    deepest = np.array([high], np.int64).view(np.float64)[0] if high <= 0x7ff0000000000000 else np.float64(np.nan)
    out: Value = op.Where(op.GreaterOrEqual(total, deepest), np.int64(1), np.int64(-1))
    return out
