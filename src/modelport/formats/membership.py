"""Sets of categories, from one library of boosting into another.

Whole numbers from zero on mean the same everywhere.  Of other numbers the libraries think differently: LightGBM counts
those between -1 and 0 as category 0 and NaN as none, XGBoost counts both as none, and asks each node where NaN goes.
Where a tree decides otherwise than the target would, a question about the number itself is put before that node."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import Unsupported
from ..ir.tensor import Array
from .ensemble import LEQ, Ensemble

_DEEPEST = 300
_GROWTH = 32
"""How many times the nodes of an ensemble may become by questions that are put in."""


@dataclass(frozen=True)
class Meaning:
    """What a library makes of numbers that are no categories.

    ``zero``: those between -1 and 0 are category 0; ``free``: each node says where NaN goes (else NaN is in no set)."""

    zero: bool
    free: bool


XGBOOST, LIGHTGBM = Meaning(zero=False, free=True), Meaning(zero=True, free=False)


def features(trees: Ensemble) -> list[int]:
    """The features that are asked for membership in a set."""
    return sorted({int(trees.feature[n]) for n in trees.members})


def probes(trees: Ensemble, count: int, dtype: type | np.dtype[np.floating]) -> Array:
    """(rows, ``count``) numbers that show what is made of each feature: all columns have the same, in other orders."""
    rng = np.random.default_rng(8)
    whole = np.unique(np.concatenate([np.arange(40), *(np.asarray(m) for m in trees.members.values())]))
    inner = trees.threshold[(trees.left >= 0) & np.isfinite(trees.threshold)][:400].astype(np.float64)
    plain = [0.0, -0.0, 0.5, -0.5, 1.5, 2.75, -1.0, -1.5, -7.0, 1e-3, -1e-3, 1e-30, -1e-30, 1e30, -1e30, np.inf,
             -np.inf, np.nan]
    v = np.concatenate([plain, whole, whole + 0.5, inner, rng.normal(size=40)]).astype(dtype)
    return np.stack([v[rng.permutation(len(v))] for _ in range(count)], 1)


def meaning(given: Array, made: Array, trees: Ensemble) -> bool:
    """Whether numbers between -1 and 0 are category 0, from what trees see (``made``) of the rows ``given``.

    Raises :class:`Unsupported` where numbers are changed, but for those of categories, which are cut to whole ones."""
    of = features(trees)
    with np.errstate(invalid="ignore"):
        same = (given == made) | (np.isnan(given) & np.isnan(made))
        other = np.ones(given.shape[1], bool)
        other[of] = False
        if made.shape != given.shape or not same[:, other].all():
            raise Unsupported("what comes before the trees is not in the file's power")
        answers = set()
        for k in of:
            x, y = given[:, k], made[:, k]
            cut = (x >= 0) & (x < 1 << 24)
            between = (x > -1) & (x < 0)
            good = (y[cut] == np.floor(x[cut])).all() and (y[x <= -1] < 0).all() and np.isnan(y[np.isnan(x)]).all()
            if not good or (other_ := set((y[between] == 0).tolist())) == {True, False}:
                raise Unsupported("categories that are not whole numbers which are cut")
            answers |= other_
    if len(answers) > 1:
        raise Unsupported("categories of two kinds")
    return True in answers


def native(trees: Ensemble, zero: bool, target: Meaning) -> Ensemble:
    """The trees with sets that mean in the target what they mean in the source, where numbers between -1 and 0 are
    category 0 if ``zero``."""
    if not trees.members:
        return trees
    if trees.mode != LEQ:
        raise Unsupported("sets of categories beside thresholds that are strict")
    for m in trees.members.values():
        if len(m) and not (0 <= np.min(m) <= np.max(m) < 1 << 24 and (np.asarray(m) % 1 == 0).all()):
            raise Unsupported("categories that are not whole numbers from 0 to 2^24")
    grown = _Grown(trees, zero, target, limit=_GROWTH * len(trees.left) + 1000)
    roots = [grown.tree(int(r), 0) for r in trees.roots]
    return grown.ensemble(roots)


@dataclass
class _Grown:
    """New nodes, one list for each array of the record."""

    source: Ensemble
    zero: bool
    target: Meaning
    limit: int
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    missing: list[bool] = field(default_factory=list)
    value: list[Array] = field(default_factory=list)
    members: dict[int, Array] = field(default_factory=dict)

    def tree(self, n: int, depth: int) -> int:
        """A copy of the tree below a node of the source; its number."""
        s = self.source
        if depth > _DEEPEST:
            raise Unsupported(f"sets of categories in trees deeper than {_DEEPEST}")
        if s.left[n] < 0:
            return self._node(0, 0, False, s.value[n], None)
        if n not in s.members:
            at = self._node(int(s.feature[n]), float(s.threshold[n]), bool(s.missing_left[n]), s.value[n], None)
            self.left[at] = self.tree(int(s.left[n]), depth + 1)
            self.right[at] = self.tree(int(s.right[n]), depth + 1)
            return at
        return self._set(n, depth)

    def _set(self, n: int, depth: int) -> int:
        s, feature = self.source, int(self.source.feature[n])
        has_zero = bool((np.asarray(s.members[n]) == 0).any())
        lost = bool(s.missing_left[n])  # whether NaN goes with the set
        turns = not self.target.free and lost
        here = self._node(feature, 0, lost, s.value[n], s.members[n])
        if turns or (has_zero and self.zero != self.target.zero):
            del self.members[here]
            self.threshold[here] = self._before_zero()
            self.missing[here] = turns
            self.left[here] = self._below(n, feature, turns, has_zero and self.zero, depth)
            core = self._node(feature, 0, lost and self.target.free, s.value[n], s.members[n])
            self.right[here] = core
        else:
            core = here
        self.left[core] = self.tree(int(s.left[n]), depth + 1)
        self.right[core] = self.tree(int(s.right[n]), depth + 1)
        return here

    def _below(self, n: int, feature: int, turns: bool, inside: bool, depth: int) -> int:
        """Numbers below zero (and NaN, if it ``turns`` up here): those up to -1 leave the set, those between belong
        to it if they are ``inside``, NaN goes with the set."""
        s = self.source
        if not turns and not inside:
            return self.tree(int(s.right[n]), depth + 1)
        at = self._node(feature, -1.0 if inside else self._before_zero(), False, s.value[n], None)
        self.left[at] = self.tree(int(s.right[n]), depth + 1)
        self.right[at] = self.tree(int(s.left[n]), depth + 1)
        return at

    def _before_zero(self) -> float:
        kind = self.source.threshold.dtype.type
        return float(np.nextafter(kind(0), kind(-1)))

    def _node(self, feature: int, threshold: float, missing: bool, value: Array, members: Array | None) -> int:
        at = len(self.left)
        if at >= self.limit:
            raise Unsupported("sets of categories with so many missing values that the trees would become too large")
        self.left.append(-1)
        self.right.append(-1)
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.missing.append(missing)
        self.value.append(value)
        if members is not None:
            self.members[at] = members
        return at

    def ensemble(self, roots: Sequence[int]) -> Ensemble:
        s = self.source
        return replace(s, roots=np.array(roots), left=np.array(self.left), right=np.array(self.right),
                       feature=np.array(self.feature), threshold=np.array(self.threshold, s.threshold.dtype),
                       missing_left=np.array(self.missing, bool), value=np.stack(self.value),
                       members=dict(self.members)).checked()
