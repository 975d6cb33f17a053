"""Rows of 64 bits that trees in 32 bits decide otherwise: told apart from mistakes, and counted.

A row is one where the target differs, and where the source answers as the target does once the row is rounded to 32
bits: then the row lies between a threshold and its neighbour of 32 bits, and no file of 32 bits can decide as the
source does.  Rows that are numbers of 32 bits are never excused."""
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


def possible(source: Graph) -> bool:
    """Whether trees of the source see rows of 64 bits."""
    return any(v.dtype == F64 for v in source.inputs.values()) and bool(splits(source, 1))


@dataclass
class Flips:
    """What has been seen so far: rows asked about, and the rows decided otherwise in each feed."""

    rows: int = 0
    flipped: dict[str, int] = field(default_factory=dict)

    def excuse(self, feed: Feed, source: Mapping[str, Array], target: Mapping[str, Array],
               found: Mapping[str, cmp.Difference], judge: Judge, again: Again) -> Mapping[str, cmp.Difference]:
        """``found`` without the rows that 32 bits decide otherwise; arrays are by the hub's names of outputs."""
        self.rows += feed.rows
        if all(d.passed for d in found.values()):
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
        out = np.array([bool(moved[r]) and not equal(source, r) and equal(other, r) for r in range(feed.rows)])
        if not out.any():
            return found
        self.flipped[feed.name] = int(out.sum())
        made = {}
        for k, d in found.items():
            rest = judge(k, source[k][~out], target[k][~out])
            made[k] = replace(rest, limited=d.limited + int(out.sum())) if not d.passed else d
        return made

    def notes(self) -> list[str]:
        """For the report; none if nothing was seen."""
        if not self.flipped:
            return []
        named = ", ".join(f"{n} in '{name}'" for name, n in list(self.flipped.items())[:6])
        more = f" and {len(self.flipped) - 6} more feeds" if len(self.flipped) > 6 else ""
        text = f"float32 decides otherwise in {sum(self.flipped.values())} of {self.rows} rows beside thresholds, "
        return [f"{text}where the source answers the same for the row rounded to 32 bits: {named}{more}"]
