"""Layer by layer: every layer of the hub on the source's own inputs.

Two runtimes that round differently by one step in a layer may be many steps apart at the end of a deep network, and no
bar at the outputs tells that from a mistake.  So the graph is cut at every value that the source's runtime shows: each
layer gets what the source computed before it, and must deliver what the source computed, within one step or within
float32 rounding."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..errors import ModelportError, RuntimeFailed, printable
from ..hub.decompose import decompose, rules
from ..ir.graph import Graph, Node, Value, rebuild
from ..ir.tensor import Array
from ..ir.types import is_float
from ..runtimes import Session
from . import compare as cmp
from .inputs import Feed
from .noise import NUDGES, moves, nudged, smooth, unsettled
from .precision import bounded, precision, step, stored
from .sides import Runners, Side, attempt
from .views import PREFIX, View, as_type, named, native

END = "output "
"""Outputs of the model are among what is compared, under their own names with this before them."""
CUT = "cut/"
"""Inputs that stand for values of the source have this before the value's name."""


@dataclass(frozen=True)
class Layer:
    """What one cut value showed over all feeds."""

    value: str
    layer: str
    op: str
    bar: cmp.Bar
    passed: bool
    worst: float
    elements: int
    unequal: int
    sqnr: float


@dataclass(frozen=True)
class Layers:
    """The outcome: all layers, the rows run, and the elements ``beyond`` what the source's kernels define: numbers of
    2^31 steps and more, which they convert to integers as the processor happens to."""

    layers: tuple[Layer, ...]
    rows: int
    beyond: int = 0

    @property
    def passed(self) -> bool:
        return bool(self.layers) and all(x.passed for x in self.layers)

    def text(self, whose: str = "source") -> str:
        """One line: what held, or which layers did not; ``whose`` runtime gave the layers their inputs."""
        bad = [x for x in self.layers if not x.passed]
        if bad:
            worst = "; ".join(f"'{printable(x.layer or x.value, 80)}' ({x.op}): {_measure(x)}" for x in bad[:4])
            return f"{len(bad)} of {len(self.layers)} layers differ on the {whose}'s own inputs: {worst}"
        steps = [x for x in self.layers if x.bar.quantum is not None]
        if steps:
            equal = 1 - sum(x.unequal for x in steps) / max(1, sum(x.elements for x in steps))
            head = f"within one quantum ({100 * equal:.3f} % of elements equal)"
            rest = [x for x in self.layers if x.bar.quantum is None and not x.bar.exact]
            if rest:
                head += f", {len(rest)} of floats or with feedback {_worst_float(rest)}"
        else:
            head = _worst_float(list(self.layers))
        if self.beyond:
            head += f", {self.beyond} elements beyond 2^31 steps left out"
        return f"each of {len(self.layers)} layers, given the {whose}'s own inputs, agrees {head}"


def _worst_float(layers: list[Layer]) -> str:
    layers = [x for x in layers if not x.bar.exact]
    if not layers:
        return "exactly"
    if all(x.bar.error < 1 for x in layers):
        return f"within {max(x.worst for x in layers):.2g} of range"
    return f"to at least {min(x.sqnr for x in layers):.3g} dB"


def _measure(x: Layer) -> str:
    if x.bar.quantum is not None:
        return f"{x.worst:.3g} quanta, {100 * (1 - x.unequal / max(1, x.elements)):.2f} % equal"
    return f"{x.worst:.2g} of range, {x.sqnr:.3g} dB"


class _Shown:
    """What the source's runtime shows, under one list of names and for one feed at a time: enough to hold."""

    def __init__(self, source: Side, runners: Runners) -> None:
        self._source, self._runners = source, runners
        self._view: View | None = None
        self._names: list[str] = []
        self._answers: dict[str, dict[str, Array] | ModelportError] = {}

    def values(self, names: list[str], feed: Feed) -> dict[str, Array] | ModelportError:
        if self._view is None or names != self._names:
            self.close()
            self._view, self._names = native(self._source, names, self._runners), names
        if feed.name not in self._answers:
            self._answers.clear()
            self._answers[feed.name] = self._view.run(feed.arrays)
        return self._answers[feed.name]

    def close(self) -> None:
        self._answers.clear()
        if self._view is not None:
            self._runners.end(self._view.session)
            self._view = None


def layer_by_layer(source: Side, runners: Runners, feeds: list[Feed]) -> Layers:
    """Compares every layer of the source's hub graph with the source's own runtime, as many layers at a time as there
    is room for.

    Raises :class:`RuntimeFailed` where that runtime shows no values in between."""
    hub = source.graph
    feeds = [_fewer(f, hub) for f in feeds]
    shown = _Shown(source, runners)
    parts = _parts(hub)
    cuts: list[str] = []
    visible: set[str] = set()
    values = named(hub)
    for names in parts:
        seen = next((v for f in feeds if not isinstance(v := shown.values(names, f), ModelportError)), None)
        if seen is None:
            refusal = next(v.message for f in feeds if isinstance(v := shown.values(names, f), ModelportError))
            raise RuntimeFailed(f"the source refuses the feeds: {refusal}")
        visible |= seen.keys()
        cuts += [k for k in names if k in seen and _fits(values[k], seen[k])]
        del seen
    graph, outs = cut(hub, cuts)
    outs = {k: v for k, v in outs.items() if k in visible}
    missing = [k for k in hub.outputs if hub.outputs[k].node is not None and END + k not in outs]
    found: list[Layer] = []
    rows = beyond = 0
    for names in parts:
        last = names is parts[-1]
        chosen = {k: v for k, v in outs.items() if k in set(names) or (last and k.startswith(END))}
        if chosen:
            some, rows, out = _part(hub, _ends(graph, chosen), chosen, shown, names, runners, feeds)
            found, beyond = found + some, beyond + out
    shown.close()
    if missing:
        raise RuntimeFailed(f"the source does not show its output '{printable(missing[0])}'")
    return Layers(tuple(found), rows, beyond)


def _part(hub: Graph, graph: Graph, outs: dict[str, Value], shown: _Shown, names: list[str], runners: Runners,
          feeds: list[Feed]) -> tuple[list[Layer], int, int]:
    """Some layers, with the rows run and the elements beyond what the source's kernels define."""
    cuts = [k.removeprefix(CUT) for k in graph.inputs if k.startswith(CUT)]
    names = names + [k for k in cuts if k not in set(names)]
    session = runners.hub(graph)
    bars = {k: _bar(v, hub, recurrent(v)) for k, v in outs.items()}
    found: dict[str, list[cmp.Difference]] = {k: [] for k in outs}
    before = {k: q for k, v in outs.items() if (q := _quantized(v)) is not None}
    reals: Session | None = None
    rows = beyond = 0
    steady = smooth(hub)
    for feed in feeds:
        values = shown.values(names, feed)
        if isinstance(values, ModelportError):  # the outputs of this feed were compared, so its layers must be
            raise RuntimeFailed(f"the source refuses '{feed.name}' when its values are in sight: {values.message}")
        given = {k: np.asarray(a) for k, a in feed.arrays.items()}
        for k in cuts:
            given[CUT + k] = values[k].astype(graph.inputs[CUT + k].dtype, copy=False)
        fed = {k: as_type(a, session.inputs[k]) for k, a in given.items() if k in session.inputs}
        made = session.run(fed)
        noise: dict[str, Array] = {}
        rows += feed.rows
        for k in outs:
            got = made[PREFIX + k]
            want = values[k] if k.startswith(END) else values[k].astype(got.dtype)
            d = cmp.compare(want, got, bars[k])
            if not d.passed and bars[k].name == "float32" and want.shape == got.shape and steady:
                noise = noise or _noise(session, fed, made, feed.name)
                out = unsettled(got, want, noise[PREFIX + k])
                d = cmp.compare(cmp.without(out, want), cmp.without(out, got), bars[k])
            if not d.passed and k in before and want.shape == got.shape:
                if reals is None:
                    reals = runners.hub(Graph(graph.inputs, {PREFIX + n: v for n, (v, _) in before.items()}))
                real = attempt(reals, {n: a for n, a in given.items() if n in reals.inputs})
                if not isinstance(real, ModelportError):
                    inside = np.abs(real[PREFIX + k]) < LARGEST * before[k][1]
                    beyond += int((~inside).sum())
                    d = cmp.compare(np.where(inside, want, got), got, bars[k])
            found[k].append(d)
    for s in (session, reals):
        if s is not None:
            runners.end(s)
    return [_layer(k, outs[k], bars[k], found[k]) for k in outs if found[k]], rows, beyond


def _parts(graph: Graph) -> list[list[str]]:
    """The named values, in order, in as few parts as there is room for one row of."""
    parts: list[list[str]] = [[]]
    size = 0
    for name, value in named(graph).items():
        own = _row(value)
        if parts[-1] and size + own > ROOM:
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += own
    return parts


def _row(value: Value) -> int:
    """The bytes of one row of a value, as far as is known."""
    return 0 if value.shape is None else math.prod(d if isinstance(d, int) else 1 for d in value.shape) * 4


_INTEGER = frozenset({"QLinearConv", "QLinearMatMul"})


def in_reals(graph: Graph) -> Graph:
    """The graph with operators on quantized numbers as DequantizeLinear, the operator on reals, QuantizeLinear; the
    same object if it has none."""
    if not any(n.op in _INTEGER for n in graph.walk()):
        return graph
    return decompose(graph, lambda n: n.op not in _INTEGER, rules, target="real numbers")


LARGEST = 2.0 ** 31
"""Steps above which converting a float to a 32-bit integer is undefined in C++, and in LiteRT."""


def _quantized(value: Value) -> tuple[Value, float] | None:
    """The real value that a cut value is the rounding of, and the step; ``None`` for other values."""
    node = value.node
    if node is not None and node.op == "DequantizeLinear" and node.inputs[0] is not None:
        node = node.inputs[0].node
    if node is None or node.op != "QuantizeLinear" or node.inputs[0] is None or node.inputs[1] is None:
        return None
    scale = node.inputs[1]
    if scale.data is None or node.inputs[0].data is not None:
        return None
    return node.inputs[0], float(np.max(np.abs(scale.numpy().astype(np.float64))))


def _fits(value: Value, array: Array) -> bool:
    """Whether what the source shows under a name can be the value of that name."""
    kinds = [("f" if is_float(d) else "i" if d.kind in "iu" else d.kind) for d in (value.dtype, array.dtype)]
    return kinds[0] == kinds[1] and value.rank in (None, array.ndim) and array.size > 0


def _layer(name: str, value: Value, bar: cmp.Bar, seen: list[cmp.Difference]) -> Layer:
    node = value.node
    return Layer(name, node.label if node else name, value.op, bar, all(d.passed for d in seen),
                 max(d.error for d in seen), sum(d.elements for d in seen), sum(d.unequal for d in seen),
                 min(d.sqnr for d in seen))


def recurrent(value: Value) -> bool:
    """Whether the layer that computes a cut value feeds its own output back."""
    ends = Graph({}, {"": value})
    return any(n.bodies or n.op in ("LSTM", "GRU", "RNN") for n in ends.nodes)


def _bar(value: Value, graph: Graph, loops: bool) -> cmp.Bar:
    """One step for quantized values; float32 rounding for floats, dynamic quantization where weights are stored as
    int8.

    In a recurrent quantized layer one step of rounding is fed back at each time step, so no number of steps bounds it:
    the field's bar for whole int8 networks (20 dB) holds there."""
    quantum = step(value)
    if quantum is not None and precision(graph) == "int8":
        if loops:
            return cmp.Bar("int8", sqnr=cmp.BARS["int8"].sqnr)
        return cmp.Bar("quantized", quantum=quantum)
    if not is_float(value.dtype):
        return cmp.EXACT
    if any(how.startswith("int") for how in stored(graph)):
        return cmp.Bar("int8 weights", sqnr=cmp.BARS["int8 weights"].sqnr)
    bar = cmp.BARS["float16" if value.dtype.itemsize == 2 else "float32"]
    if bar.name != "float32":
        return bar
    share = _summed(value) * 2.0 ** -24
    if share > bar.error:
        return cmp.Bar(bar.name, share, min(bar.sqnr, -20 * math.log10(share)))
    return replace(bar, floor=cmp.UNIT if bounded(value) else 0.0)


ROOM = 1 << 29
"""Bytes that the values of the layers compared together may take for one feed; they are held some three times."""


def _fewer(feed: Feed, graph: Graph) -> Feed:
    """The feed with as many rows as there is room for the values of all layers; as it is where rows are not known to
    be what a symbolic first axis counts."""
    row = sum(map(_row, named(graph).values()))
    shapes = [v.shape for v in graph.inputs.values()]
    most = max(1, ROOM // max(1, row))
    if feed.rows <= most or any(not s or isinstance(s[0], int) for s in shapes):
        return feed
    if {len(a) for a in feed.arrays.values()} != {feed.rows}:
        return feed
    return replace(feed, arrays={k: a[:most] for k, a in feed.arrays.items()}, rows=most)


def _noise(session: Session, fed: dict[str, Array], made: dict[str, Array], seed: str) -> dict[str, Array]:
    """How far each row of each layer's output moves when the layer's inputs move by their last bit; the outputs are
    held one run at a time, as those of all layers together are large."""
    noise: dict[str, Array] = {}
    for n in range(NUDGES):
        for k, other in session.run(nudged(fed, f"{seed} {n}")).items():
            moved_by = moves(made[k], other)
            noise[k] = np.maximum(noise[k], moved_by) if k in noise else moved_by
    return noise


_SUMS = frozenset({"ReduceMean", "ReduceSum", "GlobalAveragePool", "nhwc.GlobalAveragePool"})


def _summed(value: Value) -> int:
    """How many numbers each element is the plain sum of, where that is known.  Added up one after the other, as some
    kernels do (TensorFlow's mean over the rows and columns of an image), n numbers are off by n units of rounding at
    most (Higham, Accuracy and Stability of Numerical Algorithms, 4.2)."""
    x = value.node.inputs[0] if value.node is not None and value.op in _SUMS else None
    if x is None or x.shape is None or value.shape is None:
        return 0
    sizes = [[d for d in shape if isinstance(d, int)] for shape in (x.shape, value.shape)]
    if sum(not isinstance(d, int) for d in x.shape) != sum(not isinstance(d, int) for d in value.shape):
        return 0
    return math.prod(sizes[0]) // max(1, math.prod(sizes[1]))


def cut(graph: Graph, names: list[str]) -> tuple[Graph, dict[str, Value]]:
    """The graph with each named value computed from fresh inputs in place of the named values before it.

    Its outputs are ``value/NAME`` (``value/output NAME`` for those of the graph), its inputs those of the graph and
    ``cut/NAME``; the values come by name."""
    wanted = {id(v): k for k, v in named(graph).items() if k in set(names)}
    fresh: dict[str, Value] = {}
    computed: dict[str, Value] = {}
    order = {id(o): wanted[id(o)] for n in graph.nodes for o in n.outputs if id(o) in wanted}
    nodes = iter(graph.nodes)

    def rule(node: Node) -> tuple[Value, ...]:
        old = next(nodes)
        outs = []
        for before, now in zip(old.outputs, node.outputs, strict=True):
            name = order.get(id(before))
            if name is None:
                outs.append(now)
                continue
            computed[name] = now
            fresh[name] = Value(now.type, CUT + name)
            outs.append(fresh[name])
        return tuple(outs)

    rebuilt = rebuild(graph, rule, bodies=False)
    back = {id(fresh[k]): v for k, v in computed.items()}
    for k, v in rebuilt.outputs.items():
        if v.node is not None or id(v) in back:
            computed[END + k] = back.get(id(v), v)
    return _ends(Graph({**graph.inputs, **{CUT + k: v for k, v in fresh.items()}}, {}, graph.name), computed), computed


def _ends(graph: Graph, values: dict[str, Value]) -> Graph:
    """The graph that computes these values, ``value/NAME``, with the inputs that it needs."""
    inner = graph.with_(outputs={PREFIX + k: v for k, v in values.items()})
    used = inner.uses
    return inner.with_(inputs={k: v for k, v in inner.inputs.items() if used[v]})
