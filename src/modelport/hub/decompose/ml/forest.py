"""One record of trees for the three operators that hold them, and how rows find their leaves."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import NUMBER
from .table import FLOAT, INT64, ints

DEEPEST = 1024
"""Steps of one path; each is some ten nodes."""

COMPARE = {"BRANCH_LEQ": "LessOrEqual", "BRANCH_LT": "Less", "BRANCH_GTE": "GreaterOrEqual", "BRANCH_GT": "Greater",
           "BRANCH_EQ": "Equal", "BRANCH_NEQ": "Equal", "BRANCH_MEMBER": "Equal"}


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees, the inner ones and the leaves; a leaf is its own child.

    ``true`` and ``false`` are the children, ``missing`` says that NaN goes to the true one, ``members`` (nodes, most)
    what BRANCH_MEMBER looks for, filled up with NaN.  ``leaf`` is the place of a node among the leaves, ``weights``
    (leaves, targets) what these give and ``speaks`` which of it is stated.

    ``value`` may be integers of 64 bits, and the features with it: places in the order of all numbers, the largest one
    that of NaN."""

    feature: Array
    value: Array
    mode: Array
    true: Array
    false: Array
    missing: Array
    members: Array | None
    roots: Array
    leaf: Array
    weights: Array
    speaks: Array

    @property
    def is_leaf(self) -> Array:
        return np.asarray(self.mode == "LEAF")

    @property
    def depth(self) -> int:
        """Steps from a root to the deepest leaf."""
        level: Array = self.roots[~self.is_leaf[self.roots]]
        steps = 0
        while level.size:
            if steps == DEEPEST:
                raise Unsupported(f"trees deeper than {DEEPEST}")
            level = np.concatenate([self.true[level], self.false[level]])
            level, steps = level[~self.is_leaf[level]], steps + 1
        return steps


def leaf_weights(at: Array, target: Array, weight: Array, leaves: int, targets: int) -> tuple[Array, Array]:
    """(leaves, targets) of weights and of whether they are stated, from one entry a weight."""
    if target.size and (target.min() < 0 or target.max() >= targets):
        raise Unsupported("a weight for a target that is not there")
    flat = at * targets + target
    if len(np.unique(flat)) != len(flat):
        raise Unsupported("a leaf with two weights for one target")
    weights, speaks = np.zeros(leaves * targets, weight.dtype), np.zeros(leaves * targets, bool)
    weights[flat], speaks[flat] = weight, True
    shape = leaves, targets
    if not speaks.reshape(shape).any(axis=1).all():
        raise Unsupported("a leaf without a weight")
    return weights.reshape(shape), speaks.reshape(shape)


def find_leaves(op: Builder, x: Value, forest: Forest) -> Value:
    """(batch, trees): the leaf that each row of ``x`` (batch, features) comes to in each tree.

    All trees go down one step at a time; a comparison is the operator that the node's mode names, in the precision of
    the thresholds, so that equal numbers and NaN go where they went."""
    dtype = forest.value.dtype
    x = x if x.dtype == dtype else op.Cast(x, to=NUMBER[dtype])
    inner = ~forest.is_leaf
    modes = sorted(set(forest.mode[inner].tolist()))
    if unknown := set(modes) - COMPARE.keys():
        raise Unsupported(f"the mode '{min(unknown)}'")
    features = x.shape[1] if x.shape else None
    if inner.any() and (forest.feature[inner].min() < 0
                        or (isinstance(features, int) and forest.feature[inner].max() >= features)):
        raise Unsupported(f"a feature that is not there: {forest.feature[inner].max()} of {features}")
    if not inner.any():
        alone = op.Expand(forest.roots[None], op.Concat(op.Shape(x, start=0, end=1), ints(1), axis=0))
        return op.Gather(forest.leaf, alone)
    full = _filled_up(forest)
    walked = forest if full is None else full
    inner = ~walked.is_leaf
    feature, missing, children = map(constant, (
        np.where(inner, walked.feature, 0), walked.missing, np.stack([walked.false, walked.true], axis=1).ravel()))
    tests = [_test(walked, mode, alone=len(modes) == 1) for mode in modes]
    at: Any = walked.roots  # the same for every row
    place: Any = 0
    for step in range(walked.depth):
        if step:
            v = op.GatherElements(x, op.Gather(feature, at), axis=1)
        else:
            v = op.Gather(x, feature.numpy()[walked.roots], axis=1)
        found = [test(op, v, at) for test in tests]
        if walked.missing[inner].any():
            found.append(op.And(_nan(op, v), _table(op, missing, at)))
        yes = found[0]
        for more in found[1:]:
            yes = op.Or(yes, more)
        side = op.Cast(yes, to=INT64)
        if full is not None:  # the places of the children follow from that of the node
            below = op.Add(side, np.int64(1))
            place = below if not step else op.Add(op.Mul(place, np.int64(2)), below)
            at = op.Add(place, walked.roots)
        elif step:
            at = op.Gather(children, op.Add(op.Mul(at, np.int64(2)), side))
        else:
            at = op.Where(yes, walked.true[walked.roots], walked.false[walked.roots])
    return at if np.array_equal(walked.leaf, np.arange(len(inner))) else op.Gather(walked.leaf, at)


_WIDER = 4
"""How many times its nodes a forest may take up as full trees, whose children are found without looking them up."""


def _filled_up(forest: Forest) -> Forest | None:
    """The forest as full binary trees of one depth, node ``k`` of a tree with the false child ``2 k + 1`` and the true
    one ``2 k + 2``, or ``None`` if it were much larger.  Below a leaf there is nothing but that leaf."""
    depth, nodes = forest.depth, len(forest.feature)
    if depth > 16 or len(forest.roots) << (depth + 1) > max(_WIDER * nodes, 4096):
        return None
    level, rows = forest.roots[:, None], [forest.roots[:, None]]
    for _ in range(depth):
        level = np.stack([forest.false[level], forest.true[level]], axis=2).reshape(len(level), -1)
        rows.append(level)
    slots = np.concatenate(rows, axis=1)
    count = slots.shape[1]
    old = slots.ravel()
    place = np.arange(len(old)).reshape(slots.shape)
    last = np.arange(count) >= count // 2
    inside = np.arange(count)[None] * np.ones((len(slots), 1), np.int64)
    base = place[:, :1]
    true, false = ((np.where(last, inside, 2 * inside + k) + base).ravel() for k in (2, 1))
    mode = forest.mode[old].copy()
    ends = forest.mode[old] == "LEAF"
    mode[ends & ~np.tile(last, len(slots))] = _any(forest)
    return Forest(forest.feature[old], forest.value[old], mode, true, false, forest.missing[old] & ~ends,
                  None if forest.members is None else forest.members[old], place[:, 0].copy(), forest.leaf[old],
                  forest.weights, forest.speaks)


NAN = np.iinfo(np.int64).max
"""The place of NaN in the order of numbers."""


def _nan(op: Builder, v: Value) -> Value:
    made: Value = op.Equal(v, np.array(NAN)) if v.dtype.kind == "i" else op.IsNaN(v)
    return made


def _any(forest: Forest) -> str:
    """A mode that the forest has: below a leaf it does not matter."""
    return str(forest.mode[~forest.is_leaf][0])


def _table(op: Builder, table: Value, at: Any) -> Any:
    """The entries of a table at places that are computed, or known."""
    return op.Gather(table, at) if isinstance(at, Value) else constant(table.numpy()[at])


def _test(forest: Forest, mode: str, alone: bool) -> Callable[[Builder, Value, Value], Value]:
    """Whether the features at hand pass at nodes of one mode; ``alone``: no inner node has another."""
    value, own = constant(forest.value), constant(forest.mode == mode)
    rows: Value | None = None
    which = own
    if mode == "BRANCH_MEMBER":
        assert forest.members is not None
        sets, place = np.unique(forest.members, axis=0, return_inverse=True)
        rows, which = constant(sets), constant(place.reshape(-1).astype(np.int64))

    def test(op: Builder, v: Value, at: Any) -> Value:
        if rows is not None:
            hits = op.Cast(op.Equal(op.Unsqueeze(v, ints(2)), op.Gather(rows, _table(op, which, at))), to=FLOAT)
            y = op.Greater(op.ReduceMax(hits, ints(2), keepdims=0), np.float32(0))
        else:
            y = op.add(COMPARE[mode], v, _table(op, value, at))
            if value.dtype.kind == "i" and mode in ("BRANCH_GT", "BRANCH_GTE"):
                y = op.And(y, op.Not(_nan(op, v)))
            y = op.Not(y) if mode == "BRANCH_NEQ" else y
        return y if alone else op.And(y, _table(op, own, at))
    return test


def total(op: Builder, leaf: Value, forest: Forest, aggregate: str, base: Array | None) -> Value:
    """(batch, targets): what the leaves give, put together.

    Sums run through the trees in their order, as a loop over them would: equal scores stay equal."""
    trees, weights = len(forest.roots), forest.weights
    if aggregate in ("MIN", "MAX"):
        if not np.isfinite(weights).all():
            raise Unsupported(f"infinite weights under {aggregate}")
        none = np.asarray(np.inf if aggregate == "MIN" else -np.inf, weights.dtype)
        given = op.Gather(np.where(forest.speaks, weights, none), leaf)
        y = (op.ReduceMin if aggregate == "MIN" else op.ReduceMax)(given, ints(1), keepdims=0)
        if not forest.speaks.all():  # of a target that no leaf speaks of
            y = op.Where(op.Equal(y, none), np.zeros((), weights.dtype), y)
    elif aggregate in ("SUM", "AVERAGE"):
        given = op.Gather(weights, leaf)
        sums = op.CumSum(given, np.array(1, np.int64)) if trees > 1 else given
        y = op.Gather(sums, np.array(trees - 1, np.int64), axis=1)
        if aggregate == "AVERAGE":
            y = op.Div(y, np.asarray(trees, weights.dtype))
    else:
        raise Unsupported(f"aggregate_function '{aggregate}'")
    return y if base is None or not base.any() else op.Add(y, base.astype(weights.dtype))


def always(forest: Forest) -> Array:
    """Which targets every row gets a weight for: those that all leaves of some tree speak of."""
    found = np.zeros(forest.weights.shape[1], bool)
    for root in forest.roots:
        said = np.ones_like(found)
        level: Array = np.array([root])
        while level.size:
            ends = forest.is_leaf[level]
            said &= forest.speaks[forest.leaf[level[ends]]].all(axis=0)
            inner = level[~ends]
            level = np.concatenate([forest.true[inner], forest.false[inner]])
        found |= said
    return found


def same_length(**given: Sequence[Any] | Array) -> int:
    """The one length of attributes that go together."""
    sizes = {len(a) for a in given.values()}
    if len(sizes) != 1:
        raise Unsupported("arrays of different lengths: " + ", ".join(f"{k} {len(a)}" for k, a in given.items()))
    return sizes.pop()
