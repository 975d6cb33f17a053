"""Trees over rows of numbers, whose leaves are added up: one record for all libraries that grow them.

Sources: the operators TreeEnsemble (ai.onnx.ml 5), TreeEnsembleRegressor and TreeEnsembleClassifier (3) of ONNX and
their kernels in ONNX Runtime (core/providers/cpu/ml/tree_ensemble_common.h)."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import CorruptFile, Unsupported
from ..ir.graph import Value
from ..ir.rules import Builder
from ..ir.tensor import Array, Tensor

F32, F64, I64 = (np.dtype(t) for t in (np.float32, np.float64, np.int64))
LEQ, LT, MEMBER = 0, 1, 6
"""How ai.onnx.ml.TreeEnsemble numbers its comparisons."""
_OLD_MODES = {LEQ: "BRANCH_LEQ", LT: "BRANCH_LT"}


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The nodes of all trees, one behind the other.

    ``roots``: the number of each tree's first node.  ``left``, ``right``: the number of a child, -1 in leaves; left is
    where a row goes whose feature is below ``threshold`` (``mode`` LEQ or LT), or in ``members`` of the node, and a
    row whose feature is NaN if ``missing_left``.  ``value``: (nodes, n) what a leaf adds.  If n is one, it adds to
    output ``target`` of its tree; else n is ``outputs``.  ``base``: (outputs) what a row has before."""

    roots: Array
    left: Array
    right: Array
    feature: Array
    threshold: Array
    missing_left: Array
    value: Array
    target: Array
    outputs: int
    features: int
    mode: int = LEQ
    members: Mapping[int, Array] = field(default_factory=dict)
    base: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def leaves(self) -> Array:
        return self.left < 0

    def checked(self) -> Ensemble:
        """The ensemble without nodes that no row reaches, or :class:`CorruptFile` if it is none: a child that is not
        there or has two parents, a feature that is not there, a threshold that is NaN."""
        count = len(self.left)
        if not all(len(a) == count for a in (self.right, self.feature, self.threshold, self.missing_left, self.value)):
            raise CorruptFile("a tree ensemble whose arrays differ in length")
        if len(self.roots) != len(self.target) or (len(self.target) and not
                                                   0 <= self.target.min() <= self.target.max() < self.outputs):
            raise CorruptFile("a tree ensemble with a tree for an output that is not there")
        seen = np.zeros(count, np.int64)
        front = self.roots
        while len(front):
            if front.min() < 0 or front.max() >= count:
                raise CorruptFile("a tree ensemble with a node that is not there")
            np.add.at(seen, front, 1)
            if seen[front].max() > 1:
                raise CorruptFile("a tree ensemble with a node that has two parents")
            inner = front[self.left[front] >= 0]
            front = np.concatenate([self.left[inner], self.right[inner]])
        inner = np.flatnonzero(seen & (self.left >= 0))
        if len(inner) and not 0 <= self.feature[inner].min() <= self.feature[inner].max() < self.features:
            raise CorruptFile("a tree ensemble that asks for a feature that is not there")
        if np.isnan(self.threshold[inner]).any():
            raise CorruptFile("a tree ensemble with a threshold that is not a number")
        return self if seen.all() else self._kept(np.flatnonzero(seen))

    def _kept(self, kept: Array) -> Ensemble:
        new = np.full(len(self.left) + 1, -1, np.int64)
        new[kept] = np.arange(len(kept))
        return replace(self, roots=new[self.roots], left=new[self.left[kept]], right=new[self.right[kept]],
                       feature=self.feature[kept], threshold=self.threshold[kept],
                       missing_left=self.missing_left[kept], value=self.value[kept],
                       members={int(new[k]): m for k, m in self.members.items() if new[k] >= 0})

    def in_order(self) -> Ensemble:
        """With the nodes of each tree behind those of the tree before, each parent right before its left child: what
        a row meets lies together."""
        levels, front = [], self.roots
        while len(front):
            levels.append(front)
            inner = front[self.left[front] >= 0]
            front = np.concatenate([self.left[inner], self.right[inner]])
        size = np.ones(len(self.left), np.int64)
        for front in reversed(levels):
            inner = front[self.left[front] >= 0]
            size[inner] += size[self.left[inner]] + size[self.right[inner]]
        place = np.zeros(len(self.left), np.int64)
        place[self.roots] = np.cumsum([0, *size[self.roots][:-1]])
        for front in levels:
            inner = front[self.left[front] >= 0]
            place[self.left[inner]] = place[inner] + 1
            place[self.right[inner]] = place[inner] + 1 + size[self.left[inner]]
        return self if (place == np.arange(len(place))).all() else self._kept(np.argsort(place))


def joined(trees: Sequence[Ensemble]) -> Ensemble:
    """One ensemble of all trees; they agree in all but their nodes, targets and bases."""
    starts = np.cumsum([0, *(len(t.left) for t in trees)])
    first = trees[0]

    def moved(name: str) -> Array:
        return np.concatenate([np.where(getattr(t, name) >= 0, getattr(t, name) + s, -1)
                               for t, s in zip(trees, starts, strict=False)])

    def all_of(name: str) -> Array:
        return np.concatenate([getattr(t, name) for t in trees])
    return replace(first, roots=moved("roots"), left=moved("left"), right=moved("right"), feature=all_of("feature"),
                   threshold=all_of("threshold"), missing_left=all_of("missing_left"), value=all_of("value"),
                   target=all_of("target"),
                   members={k + int(s): m for t, s in zip(trees, starts, strict=False) for k, m in t.members.items()})


def below(threshold: Array, mode: int = LEQ) -> Array:
    """Thresholds of 64 bits as 32 bits with which numbers of 32 bits are decided alike: for ``x <= t`` the greatest
    number at or below t, for ``x < t`` the least at or above it."""
    wide = np.asarray(threshold, np.float64)
    with np.errstate(over="ignore"):
        near = wide.astype(np.float32)
    if mode == LEQ:
        return np.where(near > wide, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
    return np.where(near < wide, np.nextafter(near, np.float32(np.inf)), near).astype(np.float32)


def scores(op: Builder, x: Value, trees: Ensemble, wide: bool = False) -> Value:
    """(rows, outputs): the sums of the leaves that each row reaches, in the element type of ``x``, float32 or 64.

    ``wide``: leaves are added up in float64, whatever ``x`` is, and rounded once."""
    trees, base = _without_stumps(trees.checked())
    f = x.dtype
    if not len(trees.roots):
        rows = op.Shape(x, start=0, end=1)
        out: Value = op.Expand(base.astype(f)[None], op.Concat(rows, np.array([1]), axis=0))
        return out
    if trees.members or (f == F64):
        if trees.value.shape[1] > 1:
            return op.Add(_by_leaf(op, x, trees), base.astype(f)) if base.any() else _by_leaf(op, x, trees)
        out = op.ml.TreeEnsemble(_as(op, x, wide), **_new(trees, F64 if wide else f), n_targets=trees.outputs,
                                 aggregate_function=1)
        return _like(op, op.Add(out, base.astype(out.dtype)) if base.any() else out, f)
    trees, base = _with_base(trees, base, wide)
    out = op.ml.TreeEnsembleRegressor(_as(op, x, wide), **_old(trees, "target", wide), n_targets=trees.outputs,
                                      aggregate_function="SUM")
    return op.Add(out, base.astype(f)) if base.any() else out


def sums(op: Builder, x: Value, trees: Ensemble) -> Value:
    """(rows, outputs): the sums in float64, of leaves of one number."""
    out: Value = scores(op, _as(op, x, True), trees)
    return out


def _as(op: Builder, x: Value, wide: bool) -> Value:
    return op.Cast(x, to=11) if wide and x.dtype != F64 else x


def _like(op: Builder, y: Value, f: Any) -> Value:
    return y if y.dtype == f else op.Cast(y, to=1)


def _with_base(trees: Ensemble, base: Array, wide: bool) -> tuple[Ensemble, Array]:
    """What a row has before is added to the leaves of the first tree of each output: so it is added first, as the
    libraries do, and no operator is needed.  What is left is of outputs without trees."""
    if not base.any():
        return trees, base
    trees, base = trees.in_order(), base.copy()
    kind = np.float64 if wide else np.float32
    value = trees.value.astype(kind)
    ends = [*trees.roots[1:], len(trees.left)]
    firsts = [0] if value.shape[1] > 1 else np.unique(trees.target, return_index=True)[1].tolist()
    for k in firsts:
        own = slice(int(trees.roots[k]), int(ends[k]))
        added = base if value.shape[1] > 1 else base[[int(trees.target[k])]]
        value[own] = np.where(trees.leaves[own, None], value[own] + added.astype(kind), value[own])
        base[int(trees.target[k]) if value.shape[1] == 1 else slice(None)] = 0
    return replace(trees, value=value), base


def _started(trees: Ensemble, wide: bool) -> Ensemble:
    """What a row has before in the leaves of the trees, all of it."""
    trees, base = _with_base(trees, np.asarray(trees.base, np.float64), wide)
    if base.any():
        raise Unsupported("a class with a score before all trees, and no tree")
    return trees


def leaves(op: Builder, x: Value, trees: Ensemble, numbers: Array) -> Value:
    """(rows, trees): the number, of ``numbers`` by node, of the leaf that a row reaches in each tree."""
    one = replace(trees, value=np.asarray(numbers, np.float64).reshape(-1, 1),
                  target=np.arange(len(trees.roots)), outputs=len(trees.roots), base=np.zeros(0))
    out: Value = op.Cast(scores(op, x, one), to=7)
    return out


def classified(op: Builder, x: Value, trees: Ensemble, labels: Sequence[int] | Sequence[str],
               wide: bool = False, count: int = 1) -> tuple[Value, Value]:
    """The label whose sum is the greatest, the first of those that are, and the sums over ``count``, in float32.

    ``wide``: sums are compared in float64, before they are rounded.  The operator decides between two classes by
    other rules, so that there a third one, which no leaf speaks of, stands behind them."""
    trees = _started(trees.checked(), wide)
    few = len(labels) == 2
    names = [*labels, labels[-1]] if few else list(labels)
    key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
    attrs: dict[str, Any] = {**_old(trees, "class", wide), key: tuple(names), "post_transform": "NONE"}
    label, made = op.add("ai.onnx.ml.TreeEnsembleClassifier", _as(op, x, wide), outputs=2, **attrs)
    if few:  # one operator takes two columns and divides them
        return label, op.Gemm(made, (np.eye(3, 2) / count).astype(np.float32)) if count > 1 else op.Slice(
            made, np.array([0]), np.array([2]), np.array([1]))
    return label, op.Div(made, np.float32(count)) if count > 1 else made


def likelihoods(op: Builder, x: Value, trees: Ensemble, labels: Sequence[int] | Sequence[str],
                wide: bool = False) -> tuple[Value, Value] | None:
    """The label of the greatest sum (of one output: whether it is above zero), and the logistic function or the
    softmax of the sums (rows, classes), in one operator; ``None`` where that would decide by other rules, which
    ONNX Runtime has for two classes if no leaf is negative."""
    trees, base = _without_stumps(trees.checked())
    one = trees.outputs == 1
    if len(trees.roots):
        trees, base = _with_base(trees, base, wide)
    spoken = trees.value.any(0).sum() if trees.value.shape[1] > 1 else len(np.unique(trees.target))
    silent = base.any() or spoken < trees.outputs
    other_rule = not (trees.value[trees.leaves].astype(F64 if wide else F32) < 0).any() if one else trees.outputs < 3
    if x.dtype != F32 or trees.members or silent or other_rule or len(labels) != (2 if one else trees.outputs):
        return None
    attrs = {**_old(trees, "class", wide),
             "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s": tuple(labels),
             "post_transform": "LOGISTIC" if one else "SOFTMAX"}
    label, made = op.add("ai.onnx.ml.TreeEnsembleClassifier", _as(op, x, wide), outputs=2, **attrs)
    return label, made


def sided(op: Builder, x: Value, trees: Ensemble, labels: Sequence[int] | Sequence[str]) -> tuple[Value, Value]:
    """The second label if the sum of the one output, of leaves that are whole numbers, is above zero, else the first;
    and (rows, 2) the sum with its sign turned, and the sum."""
    key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
    trees = trees.checked()
    if not (trees.value[trees.leaves] < 0).any():  # the operator's other rule, which writes other scores
        sums = scores(op, x, trees)
        second = op.Cast(op.Greater(op.Squeeze(sums, np.array([1])), np.float32(0)), to=7)
        table = np.array(labels, object if isinstance(labels[0], str) else np.int64)
        return op.Gather(table, second, axis=0), op.Concat(op.Neg(sums), sums, axis=1)
    attrs: dict[str, Any] = {**_old(trees, "class"), key: tuple(labels), "post_transform": "NONE"}
    label, made = op.add("ai.onnx.ml.TreeEnsembleClassifier", x, outputs=2, **attrs)
    return label, made


def chances(op: Builder, x: Value, trees: Ensemble, labels: Sequence[int] | Sequence[str]) -> tuple[Value, Value]:
    """The second label where the one output, which is the chance of it, is above a half, else the first; and (rows, 2)
    one less the chance, and the chance.  The operator does that by itself if no leaf is negative."""
    key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
    attrs: dict[str, Any] = {**_old(_started(trees, False), "class"), key: tuple(labels), "post_transform": "NONE"}
    label, made = op.add("ai.onnx.ml.TreeEnsembleClassifier", x, outputs=2, **attrs)
    return label, made


def stumps(trees: Ensemble) -> Array:
    """The trees that are one leaf."""
    return np.flatnonzero(trees.left[trees.roots] < 0)


def _without_stumps(trees: Ensemble) -> tuple[Ensemble, Array]:
    """Trees that are one leaf are a number that is added always."""
    base = np.array(trees.base if len(trees.base) else np.zeros(trees.outputs), np.float64)
    single = trees.left[trees.roots] < 0
    if not single.any():
        return trees, base
    for root, target in zip(trees.roots[single], trees.target[single], strict=True):
        if trees.value.shape[1] == 1:
            base[target] += trees.value[root, 0]
        else:
            base += trees.value[root]
    return replace(trees, roots=trees.roots[~single], target=trees.target[~single]).checked(), base


def _by_leaf(op: Builder, x: Value, trees: Ensemble) -> Value:
    """Leaves of several numbers, which TreeEnsemble lacks: the number of each row's leaf in each tree, then a table."""
    which = np.cumsum(trees.leaves) - 1
    found = leaves(op, x, trees, np.where(trees.leaves, which, 0))
    table = np.ascontiguousarray(trees.value[trees.leaves]).astype(x.dtype)
    out: Value = op.ReduceSum(op.Gather(table, found, axis=0), np.array([1]), keepdims=0)
    return out


def _threshold(trees: Ensemble, f: Any) -> Array:
    return below(trees.threshold, trees.mode) if f == F32 else trees.threshold.astype(f)


def _old(trees: Ensemble, kind: str, wide: bool = False) -> dict[str, Any]:
    """The attributes of the operators of ai.onnx.ml 1 to 3.  What a leaf adds nothing to is left out of it."""
    trees = trees.in_order()
    sizes = np.diff([*trees.roots, len(trees.left)])
    tree = np.repeat(np.arange(len(trees.roots)), sizes)
    local = np.arange(len(tree)) - np.repeat(trees.roots, sizes)
    leaf = trees.leaves
    start = trees.roots[tree]
    value = trees.value if wide else trees.value.astype(np.float32)
    said = leaf[:, None] & (value != 0)
    said[:, 0] |= leaf & ~said.any(1)
    at, which = np.nonzero(said)
    made: dict[str, Any] = {
        "nodes_treeids": tree, "nodes_nodeids": local, "nodes_featureids": np.where(leaf, 0, trees.feature),
        "nodes_truenodeids": np.where(leaf, 0, trees.left - start),
        "nodes_falsenodeids": np.where(leaf, 0, trees.right - start),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, trees.missing_left),
        f"{kind}_treeids": tree[at], f"{kind}_nodeids": local[at],
        f"{kind}_ids": which if trees.value.shape[1] > 1 else trees.target[tree[at]]}
    made = {k: tuple(np.asarray(v, np.int64).tolist()) for k, v in made.items()}
    if not trees.missing_left.any():
        del made["nodes_missing_value_tracks_true"]
    name = _OLD_MODES[trees.mode]
    made["nodes_modes"] = tuple("LEAF" if k else name for k in leaf.tolist())
    splits, weights = np.where(leaf, 0, below(trees.threshold, trees.mode)), value[at, which]
    for key, numbers in (("nodes_values", splits), (f"{kind}_weights", weights)):
        if wide:
            made[f"{key}_as_tensor"] = Tensor(numbers.astype(np.float64))
        else:
            made[key] = tuple(numbers.astype(np.float32).tolist())
    return made


def _new(trees: Ensemble, f: Any) -> dict[str, Any]:
    """The attributes of TreeEnsemble, whose leaves have one number."""
    trees = trees.in_order()
    inner, leaf = np.flatnonzero(~trees.leaves), np.flatnonzero(trees.leaves)
    number = np.empty(len(trees.left), np.int64)
    number[inner], number[leaf] = np.arange(len(inner)), np.arange(len(leaf))
    leaf = leaf[_turned(trees, number)]
    number[leaf] = np.arange(len(leaf))
    sizes = np.diff([*trees.roots, len(trees.left)])
    tree = np.repeat(np.arange(len(trees.roots)), sizes)
    modes = np.full(len(inner), trees.mode, np.uint8)
    splits = _threshold(trees, f)[inner]
    sets: list[Array] = []
    place = {int(n): k for k, n in enumerate(inner)}
    for node in sorted(trees.members):
        modes[place[node]] = MEMBER
        splits[place[node]] = 0
        sets += [np.asarray(trees.members[node], f), np.array([np.nan], f)]

    def ints(a: Array) -> tuple[int, ...]:
        return tuple(np.asarray(a, np.int64).tolist())
    made: dict[str, Any] = {
        "tree_roots": ints(number[trees.roots]), "nodes_featureids": ints(trees.feature[inner]),
        "nodes_splits": Tensor(splits), "nodes_modes": Tensor(modes),
        "nodes_truenodeids": ints(number[trees.left[inner]]), "nodes_trueleafs": ints(trees.leaves[trees.left[inner]]),
        "nodes_falsenodeids": ints(number[trees.right[inner]]),
        "nodes_falseleafs": ints(trees.leaves[trees.right[inner]]),
        "leaf_targetids": ints(trees.target[tree[leaf]]), "leaf_weights": Tensor(trees.value[leaf, 0].astype(f))}
    if trees.missing_left.any():
        made["nodes_missing_value_tracks_true"] = ints(trees.missing_left[inner])
    if sets:
        made["membership_values"] = Tensor(np.concatenate(sets))
    return made


def _turned(trees: Ensemble, number: Array) -> Array:
    """An order of the leaves in which no root has a leaf and a node of the same number below it: ONNX Runtime up to
    1.23 takes such a root for a leaf (its issue 24679).  A tree spoils one rotation at most, and has two leaves."""
    below_root = np.stack([trees.left[trees.roots], trees.right[trees.roots]], 1)
    is_leaf = trees.leaves[below_root]
    mixed = is_leaf.sum(1) == 1
    at, is_leaf = number[below_root[mixed]], is_leaf[mixed]
    count = int(trees.leaves.sum())
    spoilt = np.unique((at[~is_leaf] - at[is_leaf]) % max(count, 1))
    shift = int(np.setdiff1d(np.arange(len(spoilt) + 1), spoilt)[0])
    return (np.arange(count) - shift) % max(count, 1)


def evaluate(x: Array, trees: Ensemble) -> Array:
    """(rows, outputs): the sums in float64, computed with numpy, comparing in the element type of the thresholds."""
    x = np.asarray(x, trees.threshold.dtype)
    out = np.zeros((len(x), trees.outputs)) + (trees.base if len(trees.base) else 0.0)
    rows = np.arange(len(x))
    for root, target in zip(trees.roots, trees.target, strict=True):
        node = np.full(len(x), root)
        while (inner := trees.left[node] >= 0).any():
            v = x[rows, np.where(inner, trees.feature[node], 0)]
            with np.errstate(invalid="ignore"):
                goes = v <= trees.threshold[node] if trees.mode == LEQ else v < trees.threshold[node]
            for n in {int(k) for k in node[inner]} & trees.members.keys():
                at = node == n
                goes[at] = np.isin(v[at], trees.members[n])
            goes = np.where(np.isnan(v), trees.missing_left[node], goes)
            node = np.where(inner, np.where(goes, trees.left[node], trees.right[node]), node)
        if trees.value.shape[1] == 1:
            out[:, target] += trees.value[node, 0]
        else:
            out += trees.value[node]
    return out
