"""TreeEnsemble, TreeEnsembleRegressor and TreeEnsembleClassifier.

Source: tree_ensemble_common.h and tree_ensemble_aggregator.h of ONNX Runtime.  What its kernels do in one corner of the
operator's text and not in another (two base values for one score, labels that contradict the scores) is refused."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import CorruptFile, Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array, Tensor
from ....ir.types import NUMBER
from ... import trees as validity
from .forest import NAN, Forest, always, find_leaves, leaf_weights, same_length, total
from .linear import labels, of_one, of_two
from .table import array, f32, first_of_most, ints, ml, rows
from .table import post_transform as transformed

Ints = Sequence[int]
Floats = Sequence[float]


def _check(op: Builder) -> None:
    assert op.node is not None
    try:
        validity.check(op.node.op, op.node.attrs, None)
    except (CorruptFile, ValueError) as e:
        raise Unsupported(str(e)) from None


def _old_forest(x: Value, targets: int, ids: Ints, nodes: Ints, trees: Ints, weights: Array | None,
                values: Array | None, nodes_falsenodeids: Ints, nodes_featureids: Ints,
                nodes_missing_value_tracks_true: Ints, nodes_modes: Sequence[str], nodes_nodeids: Ints,
                nodes_treeids: Ints, nodes_truenodeids: Ints) -> Forest:
    """Rows of attributes, each about the node (tree, number); weights of leaves likewise."""
    if values is None or weights is None:
        raise Unsupported("without thresholds or weights")
    n = same_length(nodes_treeids=nodes_treeids, nodes_values=values, nodes_modes=nodes_modes)
    same_length(ids=ids, nodes=nodes, trees=trees, weights=weights)
    tree, mode = np.array(nodes_treeids, np.int64), np.array(nodes_modes, object)
    first = np.flatnonzero(np.concatenate([[True], tree[1:] != tree[:-1]])) if n else np.zeros(0, np.int64)
    if not n or len(np.unique(tree)) != len(first):
        raise Unsupported("no trees" if not n else "a tree whose nodes are not together")
    where = {key: i for i, key in enumerate(zip(nodes_treeids, nodes_nodeids, strict=True))}
    leaf = np.array([m == "LEAF" for m in nodes_modes], bool)
    own = np.arange(n)

    def child(side: Ints) -> Array:
        pairs = zip(nodes_treeids, side, strict=True)
        return np.array([i if leaf[i] else where[t, c] for i, (t, c) in enumerate(pairs)], np.int64)
    children = child(nodes_truenodeids), child(nodes_falsenodeids)
    for root in first:
        if any((c[own != c] == root).any() for c in children):
            raise Unsupported("a tree whose first node is not its root")
    place = np.cumsum(leaf) - 1
    at = np.array([where[key] for key in zip(trees, nodes, strict=True)], np.int64)
    kept = leaf[at]  # weights of inner nodes mean nothing
    ranks = values.dtype.kind == "i"  # the place of a number among all, see Forest
    dtype = np.result_type(np.float64 if x.dtype == np.float64 else np.float32, weights.dtype,
                           *([] if ranks else [values.dtype]))
    given, speaks = leaf_weights(place[at[kept]], np.array(ids, np.int64)[kept], weights[kept].astype(dtype),
                                 int(leaf.sum()), targets)
    missing = np.zeros(n, bool)
    tracks = np.array(nodes_missing_value_tracks_true, np.int64)[:n]
    missing[:len(tracks)] = tracks == 1
    return Forest(np.array(nodes_featureids, np.int64), values if ranks else values.astype(dtype), mode, *children,
                  missing & ~leaf, None, first.astype(np.int64), np.maximum(place, 0).astype(np.int64), given, speaks)


@ml("TreeEnsembleRegressor")
def tree_ensemble_regressor(
        op: Builder, x: Value, *, n_targets: int, aggregate_function: str = "SUM", post_transform: str = "NONE",
        base_values: Floats = (), base_values_as_tensor: Tensor | None = None, nodes_values: Floats = (),
        nodes_values_as_tensor: Tensor | None = None, nodes_hitrates: Floats = (),
        nodes_hitrates_as_tensor: Tensor | None = None, target_ids: Ints = (), target_nodeids: Ints = (),
        target_treeids: Ints = (), target_weights: Floats = (), target_weights_as_tensor: Tensor | None = None,
        nodes_missing_value_tracks_true: Ints = (), **nodes: Any) -> Value:
    """(batch, targets).  ``nodes_hitrates`` only say which branch is usual."""
    _check(op)
    x = rows(op, x)
    forest = _old_forest(x, n_targets, target_ids, target_nodeids, target_treeids,
                         array(target_weights, target_weights_as_tensor), array(nodes_values, nodes_values_as_tensor),
                         nodes_missing_value_tracks_true=nodes_missing_value_tracks_true, **_only(nodes))
    base = array(base_values, base_values_as_tensor)
    if base is not None and len(base) != n_targets:
        raise Unsupported(f"{len(base)} base values for {n_targets} targets")
    z = total(op, find_leaves(op, x, forest), forest, aggregate_function, base)
    return of_one(op, _to(op, z, np.float32), n_targets, post_transform)


_NODES = ("nodes_falsenodeids", "nodes_featureids", "nodes_modes", "nodes_nodeids", "nodes_treeids",
          "nodes_truenodeids")


def _only(nodes: dict[str, Any]) -> dict[str, Any]:
    """The attributes that every old ensemble has, and no others."""
    if other := set(nodes) - set(_NODES):
        raise Unsupported(f"attribute not supported: '{min(other)}'")
    if lacking := set(_NODES) - set(nodes):
        raise Unsupported(f"attribute missing: '{min(lacking)}'")
    return nodes


def _to(op: Builder, z: Value, dtype: Any) -> Value:
    return z if z.dtype == dtype else op.Cast(z, to=NUMBER[np.dtype(dtype)])


@ml("TreeEnsembleClassifier")
def tree_ensemble_classifier(
        op: Builder, x: Value, *, post_transform: str = "NONE", base_values: Floats = (),
        base_values_as_tensor: Tensor | None = None, nodes_values: Floats = (),
        nodes_values_as_tensor: Tensor | None = None, nodes_hitrates: Floats = (),
        nodes_hitrates_as_tensor: Tensor | None = None, class_ids: Ints = (), class_nodeids: Ints = (),
        class_treeids: Ints = (), class_weights: Floats = (), class_weights_as_tensor: Tensor | None = None,
        classlabels_int64s: Ints = (), classlabels_strings: Sequence[str] = (),
        nodes_missing_value_tracks_true: Ints = (), **nodes: Any) -> Any:
    """Label (batch) and scores (batch, classes)."""
    _check(op)
    x = rows(op, x)
    classes = len(classlabels_strings) or len(classlabels_int64s)
    forest = _old_forest(x, classes, class_ids, class_nodeids, class_treeids,
                         array(class_weights, class_weights_as_tensor), array(nodes_values, nodes_values_as_tensor),
                         nodes_missing_value_tracks_true=nodes_missing_value_tracks_true, **_only(nodes))
    base = array(base_values, base_values_as_tensor)
    leaf = find_leaves(op, x, forest)
    if classes > 2:
        if base is not None and len(base) != classes:
            raise Unsupported(f"{len(base)} base values for {classes} classes")
        z = total(op, leaf, forest, "SUM", base)
        seen = z
        if base is None and not always(forest).all():  # a class that was not spoken of is not chosen
            said = op.ReduceMax(op.Cast(op.Gather(forest.speaks, leaf), to=1), ints(1), keepdims=0)
            seen = op.Where(op.Greater(said, f32(0)), z, np.asarray(-np.inf, forest.weights.dtype))
        label = labels(op, first_of_most(op, seen), classlabels_int64s, classlabels_strings)
        return label, transformed(op, _to(op, z, np.float32), post_transform)
    return _few_classes(op, total(op, leaf, forest, "SUM", None), forest, base, post_transform, classlabels_int64s,
                        classlabels_strings)


def _few_classes(op: Builder, z: Value, forest: Forest, base: Array | None, post_transform: str,
                 numbers: Ints, strings: Sequence[str]) -> Any:
    """One score for one or two classes: above a half, if no weight is negative, else above zero, it is the second."""
    used = np.flatnonzero(forest.speaks.any(axis=0))
    if len(used) != 1:
        raise Unsupported("weights for both of two classes, where ONNX Runtime's label contradicts its scores")
    only, classes = int(used[0]), forest.weights.shape[1]
    if base is not None and (len(base) != 1 or only):
        raise Unsupported(f"{len(base)} base values for one score of class {only}")
    if classes == 1 and strings:
        raise Unsupported("a single label that is text")
    number = forest.weights.dtype.type
    s = op.Slice(z, ints(only), ints(only + 1), ints(1)) if classes == 2 else z
    s = s if base is None else op.Add(s, base.astype(number))
    positive = classes == 2 and not (forest.weights < 0).any()
    yes = op.Cast(op.Greater(op.Reshape(s, ints(-1)), number(0.5 if positive else 0)), to=7)
    if classes == 1:
        return labels(op, yes, (0, 1), ()), of_one(op, _to(op, s, np.float32), 1, post_transform)
    label = labels(op, yes, numbers, strings)
    if only == 1:
        return label, transformed(op, _to(op, z, np.float32), post_transform)
    return label, _to(op, of_two(op, s, post_transform, positive), np.float32)


_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


@ml("TreeEnsemble")
def tree_ensemble(
        op: Builder, x: Value, *, nodes_modes: Tensor, nodes_splits: Tensor, nodes_featureids: Ints,
        nodes_truenodeids: Ints, nodes_falsenodeids: Ints, nodes_trueleafs: Ints, nodes_falseleafs: Ints,
        tree_roots: Ints, leaf_weights: Tensor, leaf_targetids: Ints, n_targets: int = 1, aggregate_function: int = 1,
        post_transform: int = 0, nodes_hitrates: Tensor | None = None, nodes_missing_value_tracks_true: Ints = (),
        membership_values: Tensor | None = None) -> Value:
    """(batch, targets), in the type of ``x``; halves are compared and summed in 32 bits."""
    _check(op)
    modes = nodes_modes.numpy().ravel().astype(int)
    if not (modes >= 0).all() or not (modes < len(_MODES)).all() or not 0 <= aggregate_function < len(_AGGREGATES) \
            or not 0 <= post_transform < len(_TRANSFORMS):
        raise Unsupported("a mode, aggregate_function or post_transform of a number without a meaning")
    if post_transform in (1, 2) and n_targets > 1:
        raise Unsupported("post_transform 1 or 2: SOFTMAX and LOGISTIC, which ONNX Runtime takes for each other")
    inner, leaves = len(modes), len(leaf_targetids)
    given = leaf_weights.numpy().ravel()
    same_length(nodes_modes=modes, nodes_splits=nodes_splits.numpy().ravel(), nodes_featureids=nodes_featureids)
    same_length(leaf_weights=given, leaf_targetids=leaf_targetids)
    x, wanted, splits = rows(op, x), op.out.dtype, nodes_splits.numpy().ravel()
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    splits = splits if splits.dtype.kind == "i" else splits.astype(dtype)
    own = np.arange(inner, inner + leaves)
    true, false = (np.concatenate([np.array(side, np.int64) + inner * (np.array(ends, np.int64) != 0), own])
                   for side, ends in ((nodes_truenodeids, nodes_trueleafs), (nodes_falsenodeids, nodes_falseleafs)))
    mode = np.array([_MODES[m] for m in modes] + ["LEAF"] * leaves, object)
    missing = np.zeros(inner + leaves, bool)
    tracks = np.array(nodes_missing_value_tracks_true, np.int64)[:inner]
    missing[:len(tracks)] = tracks == 1
    weights, speaks = _one_each(given.astype(dtype), leaf_targetids, n_targets)

    def long(a: Any) -> Array:
        return np.concatenate([np.asarray(a), np.zeros(leaves, np.asarray(a).dtype)])
    forest = Forest(long(np.array(nodes_featureids, np.int64)), long(splits), mode,
                    true, false, missing, _members(mode, membership_values, dtype), np.array(tree_roots, np.int64),
                    np.maximum(np.arange(inner + leaves) - inner, 0), weights, speaks)
    z = total(op, find_leaves(op, x, forest), forest, _AGGREGATES[aggregate_function], None)
    return _to(op, of_one(op, z, n_targets, _TRANSFORMS[post_transform]), wanted)


def _one_each(weights: Array, targets: Ints, count: int) -> tuple[Array, Array]:
    return leaf_weights(np.arange(len(targets)), np.array(targets, np.int64), weights, len(targets), count)


def _members(mode: Array, values: Tensor | None, dtype: Any) -> Array | None:
    """The sets of the nodes that have one, each ended by NaN in ``values``, as rows filled up with NaN; of places in an
    order, each ended by that of NaN, filled up with what no number has for its place."""
    at = np.flatnonzero(mode == "BRANCH_MEMBER")
    if not at.size:
        return None
    if values is None:
        raise Unsupported("BRANCH_MEMBER without membership_values")
    flat = values.numpy().ravel()
    places = flat.dtype.kind == "i"
    flat = flat if places else flat.astype(dtype)
    ends = np.flatnonzero(flat == NAN if places else np.isnan(flat))
    if len(ends) == len(at) - 1:  # the last NaN may be left out
        ends = np.append(ends, len(flat))
    if len(ends) != len(at):
        raise Unsupported(f"{len(ends)} sets of membership_values for {len(at)} nodes")
    starts = np.concatenate([[0], ends[:-1] + 1])
    out = np.full((len(mode), max(1, int((ends - starts).max()))), NAN - 1 if places else np.nan, flat.dtype)
    for node, a, b in zip(at, starts, ends, strict=True):
        out[node, :b - a] = flat[a:b]
    return out
