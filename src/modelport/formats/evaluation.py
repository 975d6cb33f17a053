"""Trees evaluated with numpy, straight from their record: nothing of what is written as ONNX takes part.

Rows walk down all trees at once, a level at a time; leaves are added up one tree after the other in the element type
that the library adds in."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..ir.tensor import Array
from .booster import beside
from .ensemble import LEQ, Ensemble

ROWS = 1 << 18
"""How many pairs of a row and a tree are walked at once."""


def reached(x: Array, trees: Ensemble) -> Array:
    """(rows, trees): the number of the leaf that each row comes to in each tree."""
    step = max(1, ROWS // max(1, len(trees.roots)))
    parts = [_walked(x[k:k + step], trees) for k in range(0, len(x), step)]
    return np.concatenate(parts) if parts else np.zeros((0, len(trees.roots)), np.int64)


def _walked(x: Array, trees: Ensemble) -> Array:
    node = np.broadcast_to(trees.roots, (len(x), len(trees.roots))).astype(np.int64)
    inside = np.zeros(len(trees.left), bool)
    inside[list(trees.members)] = True
    while True:
        row, tree = np.nonzero(trees.left[node] >= 0)
        if not len(row):
            return node
        at = node[row, tree]
        v = x[row, trees.feature[at]]
        with np.errstate(invalid="ignore"):
            left = v <= trees.threshold[at] if trees.mode == LEQ else v < trees.threshold[at]
        for k in np.flatnonzero(inside[at]).tolist():
            left[k] = v[k] in _set(trees, int(at[k]))
        left = np.where(np.isnan(v), trees.missing_left[at], left)
        node[row, tree] = np.where(left, trees.left[at], trees.right[at])


def _set(trees: Ensemble, node: int) -> frozenset[float]:
    return frozenset(np.asarray(trees.members[node], np.float64).tolist())


def added(x: Array, trees: Ensemble, base: Array, dtype: Any) -> Array:
    """(rows, outputs): ``base`` and the leaves that are reached, added in the order of the trees."""
    leaf = reached(x, trees)
    value = trees.value.astype(dtype)
    out = np.broadcast_to(np.asarray(base if len(base) else np.zeros(trees.outputs), dtype),
                          (len(x), trees.outputs)).copy()
    for k, target in enumerate(trees.target.tolist()):
        if value.shape[1] == 1:
            out[:, target] += value[leaf[:, k], 0]
        else:
            out += value[leaf[:, k]]
    return out


def flat(y: Array) -> Array:
    """(rows) of one output."""
    return y[:, 0] if y.shape[1] == 1 else y


def logistic(y: Array, scale: float = 1.0) -> Array:
    with np.errstate(over="ignore"):
        made: Array = 1 / (1 + np.exp(-y * y.dtype.type(scale)))
    return made


def softmax(y: Array) -> Array:
    e = np.exp(y - y.max(1, keepdims=True))
    made: Array = e / e.sum(1, keepdims=True)
    return made


def two(p: Array) -> Array:
    """Both probabilities, from that of the second class."""
    return np.concatenate([1 - p, p], 1)


def cut(x: Array, trees: Ensemble, categories: Sequence[int],
        whole: Callable[[Array], Array]) -> tuple[Array, Ensemble]:
    """As :func:`.booster.cut`."""
    if not len(categories):
        return x, trees
    at, moved = beside(trees, categories)
    made = x.copy()
    if moved is not trees:
        return np.concatenate([x, whole(x[:, at])], 1), moved
    made[:, at] = whole(made[:, at])
    return made, trees
