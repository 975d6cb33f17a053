"""What float32 cannot decide: the noise floor, measured by a float64 evaluation of the source's operators."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ModelportError
from ..ir.graph import Graph
from ..ir.tensor import Array
from ..ir.types import is_float
from ..runtimes import Session
from . import compare as cmp
from .inputs import Feed, work
from .precision import precision
from .sides import Runners, write_onnx

BUDGET = 1e9
"""Multiplications that the float64 evaluator may spend on one verification: a few seconds."""


class Exact:
    """The source's graph in float64, made when the first doubtful output asks for it."""

    def __init__(self, graph: Graph, runners: Runners) -> None:
        self.graph, self._runners = graph, runners
        self._session: Session | None = None
        self._cache: tuple[str, dict[str, Array]] | None = None
        self._left = BUDGET
        self._dead = precision(graph) == "int8"  # a float64 evaluation flips other roundings: no measure of noise
        self.notes: list[str] = []

    def outputs(self, feed: Feed) -> dict[str, Array]:
        """The outputs in float64 for a feed; empty if that cannot be had."""
        if self._cache is not None and self._cache[0] == feed.name:
            return self._cache[1]
        cost = work(self.graph) * max(1, feed.rows)
        if self._dead or cost > self._left:
            return {}
        self._left -= cost
        try:
            if self._session is None:
                path = write_onnx(self.graph, self._runners.folder / "float64.onnx")
                self._session = self._runners.open("reference", path, float64=True)
            got = self._session.run({k: a.astype(np.float64) if is_float(a.dtype) else a
                                     for k, a in feed.arrays.items()})
        except ModelportError as e:
            self._dead = True
            self.notes.append(f"no float64 evaluation to measure rounding by: {e.message[:200]}")
            return {}
        self._cache = (feed.name, got)
        return got

    def excuse(self, name: str, feed: Feed, source: Array, target: Array, bar: cmp.Bar,
               d: cmp.Difference) -> cmp.Difference:
        """``d`` again, without the rows that differ by rounding alone."""
        if feed.kind == "nonfinite":
            return d
        exact = self.outputs(feed).get(name)
        if exact is None or exact.shape != source.shape:
            return d
        out = cmp.excused(source, target, exact, bar)
        if not out.any():
            return d
        rest = cmp.compare(cmp.without(out, source), cmp.without(out, target), bar)
        return replace(rest, limited=int(out.sum()), elements=rest.elements)
