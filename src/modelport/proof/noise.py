"""What float32 cannot decide: the noise floor, measured by a float64 evaluation of the source's operators, or, where
that is too much work, by how far the source's own outputs move when its inputs move by their last bit."""
from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from ..errors import ModelportError
from ..ir.graph import Graph, Node, Value, rebuild
from ..ir.tensor import Array, Tensor
from ..ir.types import is_float
from ..runtimes import Session
from . import compare as cmp
from .inputs import Feed, work
from .precision import precision
from .sides import Runners, write_onnx

BUDGET, PATIENCE = 1e9, 4e9
"""Multiplications that the float64 evaluator may spend on one verification: a few seconds; and with the thorough suite,
where nothing else explains a difference: half a minute.  On an image of one colour all places round alike, and a mean
over them does not average that: no move of a last bit shows how far it carries."""


_LAYERS = frozenset("Conv ConvTranspose MatMul Gemm LSTM GRU RNN".split())
NUDGES = 4
"""How often inputs are moved: a bit of one may happen to cancel that of another."""


_JUMPS = frozenset(
    "And ArgMax ArgMin Binarizer Ceil DequantizeLinear DynamicQuantizeLinear Equal Floor Greater GreaterOrEqual "
    "Hardmax IsInf IsNaN LabelEncoder Less LessOrEqual Mod NonMaxSuppression NonZero Not OneHot OneHotEncoder Or "
    "QuantizeLinear Round Sign SVMClassifier ThresholdedRelu TopK TreeEnsemble TreeEnsembleClassifier "
    "TreeEnsembleRegressor Unique Where Xor".split())
"""Operators that jump: where one does, the least move of an input may change everything, and measures no rounding."""


def smooth(graph: Graph) -> bool:
    """Whether moving inputs by their last bit says how far rounding may carry."""
    return not any(n.op.rpartition(".")[2] in _JUMPS for n in graph.walk())


def nudged(arrays: Mapping[str, Array], seed: str) -> dict[str, Array]:
    """Every real number moved by its last bit, up or down; a zero, which has none, by that of the average number
    around it."""
    rng = np.random.default_rng(zlib.crc32(seed.encode("utf-8", "replace")))
    return {k: _nudged(a, rng) if a.dtype in (np.float32, np.float64) else a for k, a in arrays.items()}


def _nudged(a: Array, rng: np.random.Generator) -> Array:
    up = rng.random(a.shape) < 0.5
    moved = np.nextafter(a, np.where(up, np.inf, -np.inf).astype(a.dtype))
    finite = np.abs(a[np.isfinite(a)])
    bit = np.spacing(finite.mean(dtype=np.float64).astype(a.dtype)) if finite.size else a.dtype.type(0)
    return np.where(a == 0, np.where(up, bit, -bit), moved).astype(a.dtype)


def reweighed(graph: Graph) -> Graph:
    """The graph with every real number of its weights moved by its last bit, when they are written."""
    moved: dict[Value, Value] = {}

    def twin(v: Value | None, k: int) -> Value | None:
        data = None if v is None else v.data
        if v is None or data is None or v.dtype not in (np.float32, np.float64) or (v.type.size or 0) < 2:
            return v
        if v not in moved:
            moved[v] = Value(v.type, v.name, data=Tensor(lambda: nudged({"": data.fresh()}, f"weight {k}")[""], v.type))
        return moved[v]

    def rule(node: Node) -> tuple[Value, ...] | None:
        inputs = [twin(v, k) for k, v in enumerate(node.inputs)]
        return None if all(a is b for a, b in zip(inputs, node.inputs, strict=True)) else \
            node.with_(inputs=inputs).outputs
    return rebuild(graph, rule, bodies=False)


def moves(made: Array, other: Array) -> Array:
    """How far ``other`` is from ``made``, row by row, as a share of the row's range; nothing where shapes differ."""
    scale = np.maximum(cmp.ranges(made), cmp.TINY)
    return cmp.row_errors(made, other, scale) if other.shape == made.shape else np.zeros(len(scale))


def unsettled(made: Array, other: Array, noise: Array, layers: int = 1) -> Array:
    """Which rows rounding alone explains: those where ``other`` is no farther from ``made`` than eight times what
    ``made`` itself moves by when its inputs move by their last bit (``noise``).  Of several layers each one rounds, as
    the inputs were made to: independent roundings add up as the root of their number."""
    scale = np.maximum(cmp.ranges(made), cmp.TINY)
    return np.asarray(np.isfinite(noise) & (cmp.row_errors(made, other, scale) <= 8 * math.sqrt(layers) * noise))


Again = Callable[[Mapping[str, Array]], "dict[str, Array] | ModelportError"]
"""The outputs of one side by the hub's names, for arrays by the hub's names."""
ROUNDED, LAST = 170, 2.0 ** -24
"""How many last bits of float32 the bar of one layer is, 1e-5 of range; and such a bit."""
ROUNDED64, LAST64 = 9000, 2.0 ** -53
"""The same of float64, 1e-12 of range."""


def too_far(graph: Graph, outputs: Iterable[tuple[Feed, str]], again: Again, theirs: Again, runners: Runners) -> bool:
    """Whether one of these outputs of ``theirs`` is farther off from that of ``again`` than the roundings of its layers
    can carry, each within its bar: then layers that agree do not explain it (their order may differ: a variable that is
    read before it is written, or after).

    How far they carry is said by inputs that move by their last bit, as if each layer amplified its rounding so; and by
    weights that do, which is one rounding in every layer, in place of up to ``ROUNDED``: the first layer may swallow a
    last bit of the input (of a small number, to which it adds a large one).  Distances are shares of the whole output's
    range, so that rows of nearly nothing do not count."""
    twins = Twins(graph, runners)
    return smooth(graph) and any(_too_far(graph, feed, name, again, theirs, twins) for feed, name in outputs)


def _too_far(graph: Graph, feed: Feed, name: str, again: Again, theirs: Again, twins: Twins) -> bool:
    made = [again(feed.arrays), theirs(feed.arrays),
            *(again(nudged(feed.arrays, f"{feed.name} {n}")) for n in range(NUDGES))]
    outputs = [m[name].astype(np.float64) for m in made if not isinstance(m, ModelportError) and name in m]
    if len(outputs) < len(made) or any(o.shape != outputs[0].shape for o in outputs):
        return False
    pair = [o[name] for o in twins.outputs(feed) if name in o and o[name].shape == outputs[0].shape]
    rounded, last = (ROUNDED64, LAST64) if precision(graph) == "float64" else (ROUNDED, LAST)

    def farther(here: Array, there: Array, *moved: Array, pair: list[Array]) -> bool:
        far, reach = _apart(here, there), max(last, *(_apart(here, o) for o in moved))
        return far > sum(1 for _ in graph.walk()) * rounded * reach and (not pair or far > rounded * _apart(*pair))
    return all(farther(*map(see, outputs), pair=list(map(see, pair))) for see in _seen(graph, name))


def _seen(graph: Graph, name: str) -> tuple[Callable[[Array], Array], ...]:
    """How an output is looked at: as it is and, of a Softmax, by its logarithm, which is what it was given but for a
    constant.  Where one number is far above all others, a Softmax says 1 and 0 whatever rounding makes of them, until
    it puts another on top."""
    node = graph.outputs[name].node if name in graph.outputs else None
    return (_as_it_is, _logarithm) if node is not None and node.op == "Softmax" else (_as_it_is,)


def _as_it_is(a: Array) -> Array:
    return a


def _logarithm(a: Array) -> Array:
    return np.asarray(np.log(np.maximum(a.astype(np.float64), cmp.TINY)))


def _apart(a: Array, b: Array) -> float:
    """The largest difference as a share of the range of ``a``."""
    scale = max(float(np.ptp(a)) if a.size else 0.0, cmp.TINY)
    return float(np.nanmax(np.abs(b - a), initial=0)) / scale


class Twins:
    """A graph in one runtime, as it is and with every weight moved by its last bit: as if each layer rounded otherwise,
    not the first one only."""

    def __init__(self, graph: Graph, runners: Runners) -> None:
        self._graph, self._runners = graph, runners
        self._sessions: tuple[Session, Session] | None = None

    def outputs(self, feed: Feed) -> tuple[dict[str, Array], ...]:
        """Those of both by name; nothing where they can't be had."""
        try:
            if self._sessions is None:
                self._sessions = self._runners.hub(self._graph), self._runners.hub(reweighed(self._graph))
            return tuple(s.run({k: a for k, a in feed.arrays.items() if k in s.inputs}) for s in self._sessions)
        except ModelportError:
            return ()


class Exact:
    """The source's graph in float64, made when the first doubtful output asks for it."""

    def __init__(self, graph: Graph, runners: Runners,
                 again: Callable[[Mapping[str, Array]], dict[str, Array] | ModelportError] | None = None,
                 thorough: bool = False) -> None:
        """``again`` runs the source on the arrays of a feed, and names the outputs as the graph does."""
        self.graph, self._runners, self._again = graph, runners, again
        self._shaken: tuple[str, list[dict[str, Array]]] = "", []
        self._session: Session | None = None
        self._twins = Twins(graph, runners)
        self._cache: tuple[str, dict[str, Array]] | None = None
        self._spent, self._most = 0.0, PATIENCE if thorough else BUDGET
        self._dead = precision(graph) == "int8"  # a float64 evaluation flips other roundings: no measure of noise
        self.notes: list[str] = []

    def outputs(self, feed: Feed, budget: float = BUDGET) -> dict[str, Array]:
        """The outputs in float64 for a feed; empty if that cannot be had within a budget of multiplications."""
        if self._cache is not None and self._cache[0] == feed.name:
            return self._cache[1]
        cost = work(self.graph) * max(1, feed.rows)
        if self._dead or self._spent + cost > budget:
            return {}
        self._spent += cost
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
        seen = _seen(self.graph, name)
        out = self._excused(seen, name, feed, source, target, bar, BUDGET)

        def rest() -> cmp.Difference:
            return cmp.compare(cmp.without(out, source), cmp.without(out, target), bar)
        moved = [] if rest().passed else [s[name] for s in self._moved(feed) if name in s]
        layers = sum(n.op.rpartition(".")[2] in _LAYERS for n in self.graph.walk())
        for see in seen if moved else ():
            noise = np.max([moves(see(source), see(m)) for m in moved], 0)
            out = out | unsettled(see(source), see(target), noise, max(1, layers))
        pair = [o[name] for o in self._twins.outputs(feed)] if moved and not rest().passed else []
        for see in seen if pair else ():
            out = out | unsettled(see(source), see(target), moves(*map(see, pair)))
        if not rest().passed:
            out = out | self._excused(seen, name, feed, source, target, bar, self._most)
        return replace(rest(), limited=int(out.sum())) if out.any() else d

    def _excused(self, seen: Iterable[Callable[[Array], Array]], name: str, feed: Feed, source: Array, target: Array,
                 bar: cmp.Bar, budget: float) -> Array:
        """The rows that a float64 evaluation excuses."""
        exact, out = self.outputs(feed, budget).get(name), np.zeros(max(1, len(cmp.rows(source))), bool)
        for see in seen if exact is not None and exact.shape == source.shape else ():
            out = out | cmp.excused(see(source), see(target), see(np.asarray(exact)), bar)
        return out

    def _moved(self, feed: Feed) -> list[dict[str, Array]]:
        """The source's outputs for inputs moved by their last bit."""
        if self._again is None or self._dead or not smooth(self.graph):
            return []
        if self._shaken[0] != feed.name:
            made = [self._again(nudged(feed.arrays, f"{feed.name} {n}")) for n in range(NUDGES)]
            self._shaken = feed.name, [m for m in made if not isinstance(m, ModelportError)]
        return self._shaken[1]
