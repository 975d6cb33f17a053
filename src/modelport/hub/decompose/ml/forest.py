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
from .table import FLOAT, ints

DEEPEST = 1024
"""Steps of one path; each is some ten nodes."""

COMPARE = {"BRANCH_LEQ": "LessOrEqual", "BRANCH_LT": "Less", "BRANCH_GTE": "GreaterOrEqual", "BRANCH_GT": "Greater",
           "BRANCH_EQ": "Equal", "BRANCH_NEQ": "Equal", "BRANCH_MEMBER": "Equal"}


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees, the inner ones and the leaves; a leaf is its own child.

    ``true`` and ``false`` are the children, ``missing`` says that NaN goes to the true one, ``members`` (nodes, most)
    what BRANCH_MEMBER looks for, filled up with NaN.  ``leaf`` is the place of a node among the leaves, ``weights``
    (leaves, targets) what these give and ``speaks`` which of it is stated."""

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
    at = op.Expand(forest.roots[None], op.Concat(op.Shape(x, start=0, end=1), ints(1), axis=0))
    feature, true, false, missing = (constant(a) for a in (
        np.where(inner, forest.feature, 0), forest.true, forest.false, forest.missing))
    tests = [_test(forest, mode, alone=len(modes) == 1) for mode in modes]
    for _ in range(forest.depth):
        v = op.GatherElements(x, op.Gather(feature, at), axis=1)
        found = [test(op, v, at) for test in tests]
        if forest.missing[inner].any():
            found.append(op.And(op.IsNaN(v), op.Gather(missing, at)))
        yes = found[0]
        for more in found[1:]:
            yes = op.Or(yes, more)
        at = op.Where(yes, op.Gather(true, at), op.Gather(false, at))
    return at if np.array_equal(forest.leaf, np.arange(len(inner))) else op.Gather(forest.leaf, at)


def _test(forest: Forest, mode: str, alone: bool) -> Callable[[Builder, Value, Value], Value]:
    """Whether the features at hand pass at nodes of one mode; ``alone``: no inner node has another."""
    value, own = constant(forest.value), constant(forest.mode == mode)
    rows = which = None
    if mode == "BRANCH_MEMBER":
        assert forest.members is not None
        sets, place = np.unique(forest.members, axis=0, return_inverse=True)
        rows, which = constant(sets), constant(place.reshape(-1).astype(np.int64))

    def test(op: Builder, v: Value, at: Value) -> Value:
        if rows is not None:
            hits = op.Cast(op.Equal(op.Unsqueeze(v, ints(2)), op.Gather(rows, op.Gather(which, at))), to=FLOAT)
            y = op.Greater(op.ReduceMax(hits, ints(2), keepdims=0), np.float32(0))
        else:
            y = op.add(COMPARE[mode], v, op.Gather(value, at))
            y = op.Not(y) if mode == "BRANCH_NEQ" else y
        return y if alone else op.And(y, op.Gather(own, at))
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
