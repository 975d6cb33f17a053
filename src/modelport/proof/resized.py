"""A source whose sizes are fixed, compared with a target whose sizes were changed."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..ir.tensor import Array
from ..ir.types import Type
from ..runtimes import Session

BATCH, OTHER = "batch", "other"


def change(mine: Mapping[str, Type], theirs: Mapping[str, Type], pairs: Mapping[str, str]) -> tuple[str, int]:
    """How the target's input sizes depart from those that the source fixes: not (``""``), in the first dimension of
    every input alone (``batch``, with the source's), or otherwise (``other``)."""
    batches, kept = set(), True
    for a, b in pairs.items():
        x, y = mine[a].shape, theirs[b].shape
        if x is None or y is None:
            continue
        if any(isinstance(d, int) and isinstance(e, int) and d != e for d, e in zip(x[1:], y[1:], strict=True)) or any(
                isinstance(d, int) and not isinstance(e, int) for d, e in zip(x[1:], y[1:], strict=True)):
            return OTHER, 0
        first, now = (x[0], y[0]) if x else (None, None)
        if isinstance(first, int) and now != first:
            batches.add(first)
            kept = kept and (first == 1 or (isinstance(now, int) and now % first == 0))
        else:
            batches.add(0)
    if batches <= {0}:
        return "", 0
    if len(batches) > 1 or not kept:
        return OTHER, 0
    return BATCH, batches.pop()


class ByRows(Session):
    """A session of a fixed batch that takes more rows: it runs on ``size`` of them at a time."""

    def __init__(self, inner: Session, size: int) -> None:
        self._inner, self._size = inner, size
        self.name, self.version, self.settings = inner.name, inner.version, f"{inner.settings}, {size} row a run" \
            if size == 1 else f"{inner.settings}, {size} rows a run"
        free = {k: Type(t.dtype, None if not t.shape else (None, *t.shape[1:])) for k, t in inner.inputs.items()}
        self.inputs: Mapping[str, Type] = free
        self.outputs = inner.outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        rows = {len(a) for a in feeds.values() if a.ndim}
        if len(rows) != 1 or (total := rows.pop()) % self._size or not total:
            return self._inner.run(feeds)
        made = [self._inner.run({k: a[at:at + self._size] if a.ndim else a for k, a in feeds.items()})
                for at in range(0, total, self._size)]
        return {k: np.concatenate([m[k] for m in made]) if made[0][k].ndim else made[0][k] for k in made[0]}

    def close(self) -> None:
        self._inner.close()
