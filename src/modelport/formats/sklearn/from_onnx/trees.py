"""Ensembles of trees: forests, whose trees are averaged, and gradient boosting, whose trees are added up.

Sources: sklearn/tree/_tree.pyx (Tree.__setstate__), ensemble/_hist_gradient_boosting/common.pyx."""
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ....codecs.pickle import Name, Record
from ....errors import Unsupported
from ....hub import trees as validity
from ....ir.graph import Node, Value
from ....ir.tensor import Array
from ... import additive
from ...ensemble import Ensemble, below
from .common import Chain, Head, head, outputs, sample
from .linear import classes, shown
from .table import KINDS, estimator, loss

_NODE = np.dtype({"names": ["left_child", "right_child", "feature", "threshold", "impurity", "n_node_samples",
                            "weighted_n_node_samples", "missing_go_to_left"],
                  "formats": ["<i8", "<i8", "<i8", "<f8", "<f8", "<i8", "<f8", "u1"],
                  "offsets": [0, 8, 16, 24, 32, 40, 48, 56], "itemsize": 64})
_PREDICTOR = np.dtype([("value", "<f8"), ("count", "<u4"), ("feature_idx", "<i8"), ("num_threshold", "<f8"),
                       ("missing_go_to_left", "u1"), ("left", "<u4"), ("right", "<u4"), ("gain", "<f8"),
                       ("depth", "<u4"), ("is_leaf", "u1"), ("bin_threshold", "u1"), ("is_categorical", "u1"),
                       ("bitset_idx", "<u4")])
_OPS = (*validity.OLD, validity.NEW)


def found(chain: Chain, v: Value) -> Node | None:
    """The trees that look at a value, but for casts."""
    v = chain.through(v, "Cast", "Identity")
    node = chain.next(v)
    return node if node is not None and node.op in _OPS else None


def recognised(chain: Chain, node: Node) -> tuple[Ensemble, Head, bool]:
    """Trees, what is made of their sums, and whether they compare rows of 32 bits."""
    x = node.inputs[0]
    assert x is not None
    trees, post, shares = _parsed(node, x)
    narrow = _narrow(x)
    tabled = _tabled(chain, node, trees)
    if tabled is not None:
        trees, at = tabled
        trial = sample(trees.outputs)
        known = {at: trial}
    else:
        trial = sample(trees.outputs)
        silent = ~trees.value[trees.leaves].any(0) if trees.value.shape[1] > 1 else \
            np.zeros(trees.outputs, bool)
        if trees.value[trees.leaves].min() >= 0 and trees.base.min() >= 0:  # no sum is ever below zero
            trial = np.abs(trial)
        trial[:, silent] = trees.base[silent]
        answers = _shared(node, trial) if shares else additive._answers(node, post, trial, trees)
        known = dict(zip(node.outputs, answers, strict=True))
        if silent.any():
            kept = np.flatnonzero(~silent)
            shapes = [v.shape for v in chain.hub.outputs.values() if v.rank == 2 and v.shape is not None]
            if any(s is not None and s[1] == len(kept) for s in shapes):
                trial = trial[:, kept]
                trees = replace(trees, value=trees.value[:, kept], outputs=len(kept), base=trees.base[kept])
    made = outputs(chain.hub, known)
    wide = all(a.dtype != np.float32 for a in (*made.values(), *known.values()))
    return trees, head(made, trial, wide), narrow


def model(chain: Chain, node: Node) -> tuple[Record, tuple[str, ...]]:
    """The estimator that trees and what follows them are, and the methods whose results the graph has."""
    trees, h, narrow = recognised(chain, node)
    if h.kind in ("softmax", "logistic", "exponential"):
        return _boosted(trees, h, narrow)
    if h.kind in ("share", "scores"):
        return _classified(trees, h, narrow)
    if h.kind != "identity":
        raise Unsupported(f"the {h.kind} of sums of trees, without labels; scikit-learn can hold {KINDS}", node)
    if trees.outputs > 1:
        return _regressed(trees, h, narrow)
    alike = len(trees.roots) == 1 or (not trees.base.any() and _alike(trees))
    return _regressed(trees, h, narrow) if narrow and alike else _boosted(trees, h, narrow)


def _parsed(node: Node, x: Value) -> tuple[Ensemble, str, bool]:
    """The trees, the function that the operator has itself, and whether it takes the one sum for the probability of
    the second class, as ONNX Runtime does where there are two and no weight is negative."""
    a = node.attrs
    two = len(a.get("classlabels_strings") or a.get("classlabels_int64s") or ()) == 2
    weights = additive._numbers(a, "class_weights")
    if node.op != validity.OLD[0] or not two or len(set(a.get("class_ids", ()))) != 1 or (weights < 0).any():
        return *additive.parsed(node, x), False
    if a.get("post_transform", "NONE") != "NONE" or a.get("base_values") or a.get("base_values_as_tensor"):
        raise Unsupported("a function of two classes whose scores are never negative", node)
    moved = {k.replace("class_", "target_"): v for k, v in a.items() if k.startswith(("nodes_", "class_"))}
    moved["target_ids"] = tuple(0 for _ in a["class_ids"])
    same = Node(validity.OLD[1], [x], {**moved, "n_targets": 1}, [node.outputs[-1].type])
    return *additive.parsed(same, x), True


def _shared(node: Node, shares: Array) -> list[Array]:
    labels = node.attrs.get("classlabels_strings") or node.attrs.get("classlabels_int64s")
    index = (shares[:, 0] > 0.5).astype(int)
    return [np.array(labels, object)[index], np.concatenate([1 - shares, shares], 1)]


def _narrow(x: Value) -> bool:
    """Whether rows are of 32 bits when they are compared, perhaps in 64."""
    while x.dtype == np.float64 and x.node is not None and x.node.op == "Cast":
        source = x.node.inputs[0]
        if source is None:
            break
        x = source
    return x.dtype == np.float32


def _alike(trees: Ensemble) -> bool:
    """Whether the leaves of all trees span about as much, as those of a forest do: the trees of boosting mend what
    those before left over."""
    parts = additive.single(trees)
    spans = [float(np.ptp(t.value[t.leaves])) for t, _ in parts]
    return min(spans) >= 0.25 * max(spans) and any(a <= b for a, b in pairwise(spans))


def _tabled(chain: Chain, node: Node, trees: Ensemble) -> tuple[Ensemble, Value] | None:
    """Trees that answer with the numbers of their leaves, by which a table of values is looked up and added up."""
    v = node.outputs[-1]
    steps: list[Node] = []
    while (follow := chain.next(v)) is not None and len(steps) < 3:
        steps.append(follow)
        v = follow.outputs[0]
    if [n.op for n in steps] != ["Cast", "Gather", "ReduceSum"] or steps[0].outputs[0].dtype.kind != "i":
        return None
    table = steps[1].inputs[0]
    if table is None or table.data is None or table.rank != 2 or steps[1].attrs.get("axis", 0) or \
            steps[2].attrs.get("keepdims", 1) or trees.base.any():
        return None
    axes = steps[2].inputs[1] if len(steps[2].inputs) > 1 else None
    if axes is None or axes.data is None or axes.numpy().ravel().tolist() != [1] or trees.outputs != len(trees.roots):
        return None
    values = table.numpy().astype(np.float64)
    number = trees.value.sum(1)
    at = np.where(trees.leaves, number, 0).astype(np.int64)
    if (at != np.where(trees.leaves, number, 0)).any() or at.min() < 0 or at.max() >= len(values):
        return None
    width = values.shape[1]
    return replace(trees, value=np.where(trees.leaves[:, None], values[at], 0), outputs=width, base=np.zeros(width),
                   target=trees.target * 0), steps[2].outputs[0]


# -- forests


def _each(trees: Ensemble, scale: float, shift: Array) -> list[tuple[Ensemble, Array]]:
    """Each tree with what its leaves say (nodes, outputs): the forest is the mean of them."""
    trees = trees.in_order()
    factor = len(trees.roots) * scale
    factor = float(round(factor)) if abs(factor - round(factor)) < 1e-9 else factor
    wide = np.zeros((len(trees.left), trees.outputs))
    ends = [*trees.roots[1:], len(trees.left)]
    made = []
    for root, end, target in zip(trees.roots.tolist(), ends, trees.target.tolist(), strict=True):
        own = slice(root, end)
        if trees.value.shape[1] == trees.outputs:
            wide[own] = trees.value[own]
        else:
            wide[own, target] = trees.value[own, 0]
        base = trees.base if len(trees.base) else np.zeros(trees.outputs)
        said = np.where(trees.leaves[own, None], wide[own] * factor + (base * scale + shift), 0)
        left = trees.left[own]
        made.append((replace(trees, roots=np.array([0]), left=np.where(left < 0, -1, left - root),
                             right=np.where(left < 0, -1, trees.right[own] - root), feature=trees.feature[own],
                             threshold=trees.threshold[own], missing_left=trees.missing_left[own],
                             value=trees.value[own], target=np.array([0])), said))
    return made


def _tree(t: Ensemble, values: Array) -> Record:
    """``values``: (nodes, outputs, classes)."""
    count, leaf = len(t.left), t.leaves
    nodes = np.zeros(count, _NODE)
    nodes["left_child"], nodes["right_child"] = np.where(leaf, -1, t.left), np.where(leaf, -1, t.right)
    nodes["feature"] = np.where(leaf, -2, t.feature)
    nodes["threshold"] = np.where(leaf, -2.0, t.threshold)
    nodes["n_node_samples"] = nodes["weighted_n_node_samples"] = 1
    nodes["missing_go_to_left"] = t.missing_left
    outputs_, width = values.shape[1:]
    return Record(Name("sklearn.tree._tree", "Tree"), (t.features, np.full(outputs_, width, np.int64), outputs_),
                  state={"max_depth": _depth(t), "node_count": count, "nodes": nodes,
                         "values": np.ascontiguousarray(values)})


def _depth(t: Ensemble) -> int:
    depth, front = 0, t.roots
    while len(front := front[t.left[front] >= 0]):
        front, depth = np.concatenate([t.left[front], t.right[front]]), depth + 1
    return depth


def _forest(kind: str, trees: Ensemble, members: list[Record], own: dict[str, Any]) -> Record:
    if len(members) == 1:
        return estimator(f"DecisionTree{kind}", tree_=members[0], **own, max_features_=trees.features)
    each = {**own, "classes_": np.arange(float(own["n_classes_"]))} if "classes_" in own else own
    grown = [estimator(f"DecisionTree{kind}", tree_=t, **each, max_features_=trees.features) for t in members]
    plain = estimator(f"DecisionTree{kind}")
    params = ("criterion", "max_depth", "min_samples_split", "min_samples_leaf", "min_weight_fraction_leaf",
              "max_features", "max_leaf_nodes", "min_impurity_decrease", "random_state", "ccp_alpha", "monotonic_cst")
    return estimator(f"RandomForest{kind}", estimator=plain, estimator_=plain, estimator_params=params,
                     n_estimators=len(grown), estimators_=grown, **own)


def _regressed(trees: Ensemble, h: Head, narrow: bool) -> tuple[Record, tuple[str, ...]]:
    _compared(narrow)
    members = [_tree(t, said[:, :, None]) for t, said in _each(trees, h.scale, h.shift)]
    return _forest("Regressor", trees, members, {"n_features_in_": trees.features, "n_outputs_": trees.outputs}), \
        ("predict",)


def _classified(trees: Ensemble, h: Head, narrow: bool) -> tuple[Record, tuple[str, ...]]:
    """Probabilities that are the mean of what leaves say."""
    _compared(narrow)
    made = []
    if h.zero:
        raise Unsupported("labels of which an even share is the second class")
    for t, said in _each(trees, h.scale, h.shift):
        values = np.concatenate([1 - said, said], 1) if trees.outputs == 1 else said
        leaves = values[t.leaves]
        if h.labels is None or leaves.min() < -1e-6 or np.abs(leaves.sum(1) - 1).max() > 1e-5:
            raise Unsupported(f"scores of classes that are sums of trees; scikit-learn can hold {KINDS}")
        made.append(_tree(t, np.where(t.leaves[:, None], values, 0)[:, None, :]))
    own = {"n_features_in_": trees.features, "n_outputs_": 1, "classes_": h.labels,
           "n_classes_": len(h.labels) if h.labels is not None else 0}
    return _forest("Classifier", trees, made, own), ("predict", "predict_proba")


def _compared(narrow: bool) -> None:
    if not narrow:
        raise Unsupported("trees that compare in 64 bits and are averaged, or have several outputs: those of "
                          "scikit-learn compare in 32 bits")


# -- boosting


def _boosted(trees: Ensemble, h: Head, narrow: bool) -> tuple[Record, tuple[str, ...]]:
    """Histograms: they compare in 64 bits."""
    base = (trees.base if len(trees.base) else np.zeros(trees.outputs)) * h.scale + h.shift
    trees = replace(trees, value=trees.value * h.scale, base=np.zeros(0))
    if narrow:
        trees = replace(trees, threshold=_widened(trees.threshold))
    by_output: list[list[Ensemble]] = [[] for _ in range(trees.outputs)]
    for t, k in additive.single(trees):
        by_output[k].append(t)
    if h.kind == "softmax" and trees.outputs == 2:
        raise Unsupported("two classes with a sum of trees for each, where scikit-learn has one sum")
    rounds = max(map(len, by_output))
    spare = additive.stump(trees, 0.0)
    grid = [[_predictor(own[n] if n < len(own) else spare) for own in by_output] for n in range(rounds)]
    if h.zero:  # a last leaf, too small to change any other sum, makes it positive
        grid.append([_predictor(additive.stump(trees, 5e-324))])
    features = trees.features
    bins = estimator("_BinMapper", is_categorical_=np.zeros(features, np.uint8), missing_values_bin_idx_=255,
                     bin_thresholds_=[np.zeros(0)] * features, n_bins_non_missing_=np.ones(features, np.uint32))
    state = {"max_iter": len(grid), "is_categorical_": None, "_preprocessor": None, "_is_categorical_remapped": None,
             "n_features_in_": features, "_n_features": features, "n_trees_per_iteration_": trees.outputs,
             "do_early_stopping_": False, "_use_validation_data": True, "_bin_mapper": bins, "_scorer": None,
             "_baseline_prediction": base.reshape(1, -1).astype(np.float64), "_predictors": grid,
             "train_score_": np.zeros(0), "validation_score_": np.zeros(0)}
    if h.kind in ("identity", "exponential"):
        poisson = h.kind == "exponential"
        return estimator("HistGradientBoostingRegressor", **state, loss="poisson" if poisson else "squared_error",
                         _loss=loss("HalfPoissonLoss" if poisson else "HalfSquaredError")), ("predict",)
    own = classes(h, max(2, trees.outputs))
    lost = loss("HalfMultinomialLoss", len(own)) if len(own) > 2 else loss("HalfBinomialLoss", 2)
    return estimator("HistGradientBoostingClassifier", **state, _loss=lost, classes_=own,
                     _label_encoder=estimator("LabelEncoder", classes_=own)), shown(h)


def _widened(threshold: Array) -> Array:
    """Thresholds of 64 bits at or below which lie all numbers that round to one at or below them in 32 bits."""
    with np.errstate(over="ignore", invalid="ignore"):
        near = below(threshold)
        above = np.nextafter(near, np.float32(np.inf)).astype(np.float64)
        most = float(np.finfo(np.float32).max)
        above = np.where(near == np.float32(most), most + 2.0 ** 104, above)
        middle = (near.astype(np.float64) + above) / 2
        middle = np.where(np.isinf(near), np.where(near > 0, np.inf, -(most + 2.0 ** 103)), middle)
        inside = middle.astype(np.float32) <= near
        return np.where(inside, middle, np.nextafter(middle, -np.inf))


def _predictor(t: Ensemble) -> Record:
    nodes = np.zeros(len(t.left), _PREDICTOR)
    leaf = t.leaves
    nodes["value"] = np.where(leaf, t.value[:, 0], 0)
    nodes["count"], nodes["is_leaf"] = 1, leaf
    nodes["feature_idx"], nodes["num_threshold"] = np.where(leaf, 0, t.feature), np.where(leaf, 0, t.threshold)
    nodes["missing_go_to_left"] = t.missing_left
    nodes["left"], nodes["right"] = np.where(leaf, 0, t.left), np.where(leaf, 0, t.right)
    front, depth = t.roots, 0
    while len(front):
        nodes["depth"][front] = depth
        front, depth = front[t.left[front] >= 0], depth + 1
        front = np.concatenate([t.left[front], t.right[front]])
    none = np.zeros((0, 8), np.uint32)
    return Record(Name("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor"),
                  state={"nodes": nodes, "binned_left_cat_bitsets": none, "raw_left_cat_bitsets": none})
