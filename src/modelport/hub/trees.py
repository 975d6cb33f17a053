"""Whether a tree ensemble is one: trusted runtimes index by its numbers without looking.

Sources: ONNX operators TreeEnsembleRegressor, TreeEnsembleClassifier (ai.onnx.ml 3) and TreeEnsemble (5)."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import CorruptFile
from ..ir.tensor import Array, Tensor

OLD = ("ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.TreeEnsembleRegressor")
NEW = "ai.onnx.ml.TreeEnsemble"


def check(op: str, attrs: Mapping[str, Any], features: int | None) -> None:
    """Raises :class:`CorruptFile` unless the attributes of a tree ensemble are trees.

    Every child is a node or leaf of its own tree, used once; no node is its own ancestor; features exist, where their
    number is known; arrays that go together have one length."""
    if op in OLD:
        _check_old(attrs, "class" if op == OLD[0] else "target", features)
    elif op == NEW:
        _check_new(attrs, features)


def _ints(attrs: Mapping[str, Any], name: str) -> Array:
    value = attrs.get(name, ())
    return np.asarray(value.numpy().ravel() if isinstance(value, Tensor) else value, np.int64)


def _same_length(arrays: Mapping[str, int]) -> int:
    if len(set(arrays.values())) > 1:
        raise CorruptFile("a tree ensemble whose arrays differ in length: "
                          + ", ".join(f"{k} {n}" for k, n in arrays.items()))
    return next(iter(arrays.values()))


def _check_features(ids: Array, features: int | None) -> None:
    if ids.size and (ids.min() < 0 or (features is not None and ids.max() >= features)):
        raise CorruptFile(f"a tree ensemble that asks for feature {int(ids.min() if ids.min() < 0 else ids.max())}"
                          + ("" if features is None else f" of {features}"))


def _check_old(attrs: Mapping[str, Any], kind: str, features: int | None) -> None:
    names = ("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids")
    tree, node, feature, true, false = (_ints(attrs, n) for n in names)
    n = _same_length({k: len(a) for k, a in zip(names, (tree, node, feature, true, false), strict=True)}
                     | {"nodes_modes": len(attrs.get("nodes_modes", ()))})
    leaf = np.array([m == "LEAF" for m in attrs.get("nodes_modes", ())], bool)
    where = {(int(t), int(k)): i for i, (t, k) in enumerate(zip(tree, node, strict=True))}
    if len(where) != n:
        raise CorruptFile("a tree ensemble that numbers a node twice")
    children: list[tuple[int, ...]] = []
    for i in range(n):
        if leaf[i]:
            children.append(())
            continue
        pair = [where.get((int(tree[i]), int(c))) for c in (true[i], false[i])]
        if None in pair:
            raise CorruptFile(f"a tree ensemble whose node {int(node[i])} of tree {int(tree[i])} has a child that is "
                              "not there")
        children.append(tuple(c for c in pair if c is not None))
    _check_shape(children)
    _check_features(feature[~leaf], features)
    for t, k in zip(_ints(attrs, f"{kind}_treeids"), _ints(attrs, f"{kind}_nodeids"), strict=True):
        if (int(t), int(k)) not in where:
            raise CorruptFile(f"a tree ensemble with a weight for node {int(k)} of tree {int(t)}, which is not there")


def _check_new(attrs: Mapping[str, Any], features: int | None) -> None:
    names = ("nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs",
             "nodes_splits", "nodes_modes")
    n = _same_length({k: len(_ints(attrs, k)) for k in names if k not in ("nodes_splits", "nodes_modes")}
                     | {k: attrs[k].type.size for k in names[5:] if isinstance(attrs.get(k), Tensor)})
    leaves = _same_length({k: len(_ints(attrs, k)) for k in ("leaf_targetids",)}
                          | {"leaf_weights": attrs["leaf_weights"].type.size})
    children: list[tuple[int, ...]] = [()] * n
    used = np.zeros(leaves, np.int64)
    for side in ("true", "false"):
        child, is_leaf = _ints(attrs, f"nodes_{side}nodeids"), _ints(attrs, f"nodes_{side}leafs") != 0
        for i in range(n):
            c = int(child[i])
            if not 0 <= c < (leaves if is_leaf[i] else n):
                raise CorruptFile(f"a tree ensemble whose node {i} has a child that is not there")
            if is_leaf[i]:
                used[c] += 1
            else:
                children[i] = (*children[i], c)
    roots = _ints(attrs, "tree_roots")
    if roots.size and (roots.min() < 0 or roots.max() >= max(n, 1)):
        raise CorruptFile("a tree ensemble whose root is not there")
    _check_shape(children)
    _check_features(_ints(attrs, "nodes_featureids"), features)
    targets = _ints(attrs, "leaf_targetids")
    if targets.size and (targets.min() < 0 or targets.max() >= attrs.get("n_targets", 1)):
        raise CorruptFile("a tree ensemble with a leaf for a target that is not there")


def _check_shape(children: list[tuple[int, ...]]) -> None:
    """Every node has one parent at most and can be reached from a root: else there is a cycle."""
    parents = np.zeros(len(children), np.int64)
    for pair in children:
        for c in pair:
            parents[c] += 1
    if parents.size and parents.max() > 1:
        raise CorruptFile("a tree ensemble with a node that has two parents")
    stack = [i for i in range(len(children)) if parents[i] == 0]
    seen = 0
    while stack:
        seen += 1
        stack.extend(children[stack.pop()])
    if seen != len(children):
        raise CorruptFile("a tree ensemble with a node that is its own ancestor")
