"""Rows that trees in 32 bits decide otherwise: told apart from mistakes, and counted.

A row of 64 bits is one where the target differs, and where the source answers as the target does once the row is
rounded to 32 bits: then the row lies between a threshold and its neighbour of 32 bits, and no file of 32 bits can
decide as the source does.  Rows that are numbers of 32 bits are never excused so.

A label may differ where the source's own two best classes are as near to each other as sums of 32 bits are to those of
64 (``NEAR``), if the target's is one of the two, and all other outputs agree there."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ModelportError
from ..ir.graph import Graph
from ..ir.tensor import Array
from . import compare as cmp
from .domains import splits
from .inputs import Feed

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
Again = Callable[[Mapping[str, Array]], dict[str, Array] | ModelportError]
Judge = Callable[[str, Array, Array], cmp.Difference]


NEAR = 1e-6
"""How far probabilities in 32 bits may be from those in 64, the bar of docs/tabular.md."""


def possible(source: Graph) -> bool:
    """Whether the source has trees."""
    return bool(splits(source, 1))


@dataclass
class Flips:
    """What has been seen so far: rows asked about, and the rows decided otherwise in each feed."""

    rows: int = 0
    flipped: dict[str, int] = field(default_factory=dict)
    tied: dict[str, int] = field(default_factory=dict)

    def excuse(self, feed: Feed, source: Mapping[str, Array], target: Mapping[str, Array],
               found: Mapping[str, cmp.Difference], judge: Judge, again: Again) -> Mapping[str, cmp.Difference]:
        """``found`` without the rows that 32 bits decide otherwise; arrays are by the hub's names of outputs."""
        self.rows += feed.rows
        if all(d.passed for d in found.values()):
            return found
        found = self._ties(feed, source, target, found, judge)
        if feed.kind != "threshold" or all(d.passed for d in found.values()):
            return found
        whole = all(a.ndim and len(a) == feed.rows for a in (*source.values(), *target.values(), *feed.arrays.values()))
        rounded = {k: a.astype(F32).astype(F64) if a.dtype == F64 else a for k, a in feed.arrays.items()}
        moved = np.zeros(feed.rows, bool)
        for k, a in feed.arrays.items():
            if whole and a.dtype == F64:
                moved |= ((a != rounded[k]) & ~np.isnan(a)).reshape(feed.rows, -1).any(1)
        other = again(rounded) if moved.any() else {}
        if isinstance(other, ModelportError) or not other:
            return found

        def equal(a: Mapping[str, Array], row: int) -> bool:
            return all(judge(k, a[k][row:row + 1], target[k][row:row + 1]).passed for k in found)
        out = moved & ~np.array([equal(source, r) for r in range(feed.rows)])
        mixed = {k: np.concatenate([np.where(out[r], other[k][r:r + 1], source[k][r:r + 1]) for r in range(feed.rows)])
                 for k in found}
        if not all(judge(k, mixed[k], target[k]).passed for k in found):  # on the scale of all rows
            out &= np.array([equal(other, r) for r in range(feed.rows)])
        if not out.any():
            return found
        self.flipped[feed.name] = int(out.sum())
        made = {}
        for k, d in found.items():
            rest = judge(k, source[k][~out], target[k][~out])
            made[k] = replace(rest, limited=d.limited + int(out.sum())) if not d.passed else d
        return made

    def _ties(self, feed: Feed, source: Mapping[str, Array], target: Mapping[str, Array],
              found: Mapping[str, cmp.Difference], judge: Judge) -> Mapping[str, cmp.Difference]:
        """``found`` without labels of rows whose two best classes are the same but for rounding."""
        tables = [k for k, a in source.items() if a.ndim == 2 and a.dtype.kind == "f" and a.shape[1] > 1]
        labels = [k for k, a in source.items() if a.ndim == 1 and a.dtype.kind in "iuO"]
        if len(tables) != 1 or len(labels) != 1 or len(source) != 2 or not found[tables[0]].passed:
            return found
        table, said = source[tables[0]].astype(np.float64), source[labels[0]]
        best = np.sort(table, axis=1)[:, -2:]
        near = best[:, 1] - best[:, 0] <= NEAR
        place = dict(zip(said[~near].tolist(), table[~near].argmax(1).tolist(), strict=True))
        unseen = set(range(table.shape[1])) - set(place.values())

        def among(row: int, label: object) -> bool:
            """Whether a class is one of the row's two best; which column is whose is seen in the other rows."""
            tops = set(np.flatnonzero(table[row] >= best[row, 0]).tolist())
            return place[label] in tops if label in place else bool(tops & unseen)
        out = near & (said != target[labels[0]])
        out &= np.array([bool(o) and among(r, v) for r, (o, v) in enumerate(zip(out, target[labels[0]].tolist(),
                                                                              strict=True))])
        rest = judge(labels[0], said[~out], target[labels[0]][~out])
        if not out.any() or not rest.passed:
            return found
        self.tied[feed.name] = int(out.sum())
        return {**found, labels[0]: replace(rest, limited=found[labels[0]].limited + int(out.sum()))}

    def notes(self) -> list[str]:
        """For the report; none if nothing was seen."""
        seen = ((self.flipped, "beside thresholds, where the source answers the same for the row rounded to 32 bits"),
                (self.tied, "whose two best classes are equal but for rounding"))
        return [f"float32 decides otherwise in {sum(of.values())} of {self.rows} rows {what}: {_named(of)}"
                for of, what in seen if of]


def _named(counts: Mapping[str, int]) -> str:
    more = f" and {len(counts) - 6} more feeds" if len(counts) > 6 else ""
    return ", ".join(f"{n} in '{name}'" for name, n in list(counts.items())[:6]) + more
