"""Where two models begin to differ: first the stage of the conversion, then the layer, and a small repro of it."""
from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs.limits import DEFAULT, Limits
from ..errors import ModelportError, Unsupported, printable
from ..hub.layout import first_to_last, last_to_first
from ..ir.graph import Graph, Node, Value
from ..ir.tensor import Array
from ..ir.types import STRING, is_float
from . import compare as cmp
from .inputs import PLANS, Feed, Plan, suite
from .precision import bar_for, step
from .sides import Runners, Side, match, side, write_onnx
from .views import View, exposed, named, native, onnx_session

FEEDS = 4
"""Feeds that differ are looked into until one of them shows the layer, at most so many."""


@dataclass(frozen=True)
class Finding:
    """The first place where source and target differ.

    ``stage`` is ``reader`` (the source's runtime against the hub), ``passes`` or ``writer`` (the hub against the
    target); ``layer`` the name of the layer in the source, ``value`` the first value that differs; ``error`` its
    difference as a share of the range, ``before`` that of what goes in; ``nodes`` the operators between the last equal
    values and it."""

    stage: str
    layer: str
    op: str
    value: str
    error: float
    before: float
    feed: str
    nodes: tuple[str, ...] = ()
    repro: tuple[str, ...] = field(default=())

    def text(self) -> str:
        """A few lines for people."""
        lines = [(f"first difference at layer '{printable(self.layer)}' ({printable(self.op)}), value "
                  f"'{printable(self.value)}': {_share(self.error)} of the range, {_share(self.before)} before it"),
                 f"  stage: {self.stage}; feed: {self.feed}"]
        lines += [f"  {printable(n, 300)}" for n in self.nodes]
        if self.repro:
            lines.append(f"  repro: {', '.join(self.repro)}")
        return "\n".join(lines)


def _share(x: float) -> str:
    return f"{x:.2g}" if math.isfinite(x) else "all"


def bisect(source: Any, target: Any, *, hub: Graph | None = None, seed: int = 0, suite_level: str = "cheap",
           sample: Mapping[str, Array] | None = None, plan: Plan = PLANS[0], repro: Path | None = None,
           isolated: bool = True, threads: int = 1,
           timeout: float = 120, limits: Limits = DEFAULT) -> Finding | None:
    """The first layer at which ``target`` differs from ``source``; ``None`` if no feed of the suite shows a difference.

    Arguments are those of :func:`modelport.proof.verify`; ``repro`` is a folder for the smallest model that shows the
    difference, its inputs and the outputs expected.  Raises :class:`RuntimeFailed` where the values in between cannot
    be had from either runtime."""
    mine, other = side(source, limits), side(target, limits)
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        runners = Runners(Path(folder), isolated, threads, "cpu", timeout)
        try:
            return _Search(mine, other, hub or mine.graph, runners, repro).run(
                suite(mine.graph, level=suite_level, seed=seed, sample=sample, plan=plan,
                      types={k: v.type for k, v in (hub or mine.graph).inputs.items()}).feeds)
        finally:
            runners.close()


@dataclass
class _Search:
    source: Side
    target: Side
    hub: Graph
    runners: Runners
    repro: Path | None

    def run(self, feeds: Sequence[Feed]) -> Finding | None:
        stages = self._stages()
        found: Finding | None = None
        for feed in self._different(feeds)[:FEEDS]:
            for stage, left, right in stages:
                a, b = left.run(feed.arrays), right.run(feed.arrays)
                if isinstance(a, ModelportError):
                    continue
                if isinstance(b, ModelportError):
                    return Finding(stage, "", right.title, "", math.inf, 0.0, feed.name, (b.message,))
                if not self._ends_differ(left.graph, a, b):
                    continue
                here = self._layer(stage, left, right, a, b, feed)
                if here is not None:
                    return here
                found = found or self._at_the_end(stage, left.graph, a, b, feed)
                break
        return found

    def _different(self, feeds: Sequence[Feed]) -> list[Feed]:
        """The feeds on which source and target differ, ordinary numbers first."""
        try:
            a = self.runners.native(self.source)
        except ModelportError:
            a = self.runners.hub(self.source.graph)
        b = self.runners.target(self.target)
        ends = {k: v.type for k, v in self.hub.outputs.items()}
        ins = {k: v.type for k, v in self.hub.inputs.items()}
        out_a, out_b = match(ends, a.outputs, "output")[0], match(ends, b.outputs, "output")[0]
        in_a, in_b = match(ins, a.inputs, "input")[0], match(ins, b.inputs, "input")[0]
        bars = {k: bar_for(k, self.source.graph, self.target.graph)[0] for k in ends if k in self.source.graph.outputs}
        bad = []
        for feed in feeds:
            x, y = self.runners.pair(a, b, {in_a[k]: v for k, v in feed.arrays.items()},
                                     {in_b[k]: v for k, v in feed.arrays.items()})
            if isinstance(x, ModelportError):
                continue
            if isinstance(y, ModelportError) or any(
                    not cmp.compare(x[out_a[k]], y[out_b[k]], bar).passed for k, bar in bars.items()):
                bad.append(feed)
        order = {"sample": 0, "ordinary": 1, "normal": 2, "threshold": 3, "special": 4, "nonfinite": 5}
        return sorted(bad, key=lambda f: order[f.kind])

    def _stages(self) -> list[tuple[str, View, View]]:
        """The models between source and target, pair by pair."""
        out: list[tuple[str, View, View]] = []
        values = list(named(self.source.graph))
        hub = self._hub("hub", self.source.graph, values)
        # a graph in memory, or a runtime that shows nothing: the hub is the source then
        with contextlib.suppress(ModelportError):
            out.append(("reader", native(self.source, values, self.runners), hub))
        last = hub
        if self.hub is not self.source.graph:
            passed = self._hub("hub after the passes", self.hub, list(named(self.hub)))
            out.append(("passes", hub, passed))
            last = passed
        wanted = [n for n in named(self.target.graph) if n in named(last.graph)]
        if self.target.path is not None and self.target.format == "onnx":
            view = View("target", self.target.graph, onnx_session(self.target, wanted, self.runners))
        else:
            view = self._hub("target", self.target.graph, wanted)
        out.append(("writer", last, view))
        return out

    def _hub(self, title: str, graph: Graph, names: Sequence[str]) -> View:
        return View(title, graph, self.runners.hub(exposed(graph, names)))

    def _ends_differ(self, graph: Graph, a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
        for k in graph.outputs:
            x, y = a.get("output " + k), b.get("output " + k)
            if x is not None and y is not None and not cmp.compare(x, y, bar_for(k, graph, None)[0]).passed:
                return True
        return False

    def _layer(self, stage: str, left: View, right: View, a: Mapping[str, Array], b: Mapping[str, Array],
               feed: Feed) -> Finding | None:
        """The first node, producers before users, whose output differs ten times more than what goes in."""
        graph = left.graph if stage != "reader" else right.graph
        values = named(graph)
        here = {id(v): k for k, v in values.items() if k in a and k in b}
        ends = {id(v): "output " + k for k, v in graph.outputs.items() if "output " + k in a and "output " + k in b}
        error: dict[int, float] = {}
        for node in graph.nodes:
            before = max([0.0, *(error.get(id(v), 0.0) for v in node.inputs if v is not None)])
            for o in node.outputs:
                key = here.get(id(o)) or ends.get(id(o))
                error[id(o)] = before if key is None else min(
                    _error(o, a[key], seen) for seen in _orders(a[key], b[key]))
                if key is not None and error[id(o)] > _least(o) and error[id(o)] > 10 * before:
                    region = self._region(graph, node, set(here))
                    made = Finding(stage, node.label, node.op, o.name or key, error[id(o)], before, feed.name,
                                   tuple(str(n) for n in region[-12:]))
                    return made if self.repro is None else replace(
                        made, repro=self._write(region, o, a if stage != "reader" else b, a[key], feed))
        return None

    def _at_the_end(self, stage: str, graph: Graph, a: Mapping[str, Array], b: Mapping[str, Array],
                    feed: Feed) -> Finding:
        """No layer stands out: the output that differs."""
        for k, v in graph.outputs.items():
            x, y = a["output " + k], b["output " + k]
            if _error(v, x, y) > 0:
                return Finding(stage, v.node.label if v.node else k, v.op, k, _error(v, x, y), 0.0, feed.name)
        return Finding(stage, "", "", "", 0.0, 0.0, feed.name)

    @staticmethod
    def _region(graph: Graph, last: Node, known: set[int]) -> list[Node]:
        """The nodes between values that were compared and ``last``, in order."""
        wanted = {id(last)}
        for node in reversed(graph.nodes):
            if id(node) in wanted:
                wanted.update(id(v.node) for v in node.inputs
                              if v is not None and v.node is not None and id(v) not in known)
        return [n for n in graph.nodes if id(n) in wanted]

    def _write(self, region: Sequence[Node], out: Value, values: Mapping[str, Array], expected: Array,
               feed: Feed) -> tuple[str, ...]:
        """The region as a model of its own, its inputs and the outputs expected, in the folder of the repro."""
        assert self.repro is not None
        inside = {id(o) for n in region for o in n.outputs}
        new: dict[Value, Value] = {}
        inputs: dict[str, Value] = {}
        arrays: dict[str, Array] = {}
        for node in region:
            for v in node.inputs:
                if v is None or v.data is not None or id(v) in inside or v in new:
                    continue
                name = v.name or f"input{len(inputs)}"
                source = feed.arrays.get(name) if v.node is None else values.get(name)
                if source is None:
                    return ()
                new[v] = inputs[name] = Value(v.type.with_shape(source.shape), name)
                arrays[name] = source
            made = node.with_(inputs=[None if v is None else new.get(v, v) for v in node.inputs])
            new.update(zip(node.outputs, made.outputs, strict=True))
        graph = Graph(inputs, {"out": new[out]}, "repro")
        self.repro.mkdir(parents=True, exist_ok=True)
        try:
            write_onnx(graph, self.repro / "repro.onnx")
        except (ModelportError, Unsupported):
            return ()
        plain = {k: a.astype(np.str_) if a.dtype == STRING else a for k, a in arrays.items()}
        np.savez(self.repro / "inputs.npz", allow_pickle=False, **plain)
        np.savez(self.repro / "expected.npz", allow_pickle=False,
                 out=expected.astype(np.str_) if expected.dtype == STRING else expected)
        (self.repro / "README").write_text(
            "repro.onnx on inputs.npz should deliver expected.npz:\n"
            "python -c \"import numpy as n, onnxruntime as o; s = o.InferenceSession('repro.onnx'); "
            "print(s.run(None, dict(n.load('inputs.npz')))[0] - n.load('expected.npz')['out'])\"\n", encoding="utf-8")
        return tuple(str(self.repro / n) for n in ("repro.onnx", "inputs.npz", "expected.npz", "README"))


def _orders(a: Array, b: Array) -> list[Array]:
    """``b`` in the orders of axes that it may have been written in: as it is, and with the channels moved."""
    if a.ndim != b.ndim or b.ndim < 3:
        return [b]
    moved = [b.transpose(order(b.ndim)) for order in (first_to_last, last_to_first)]
    return [b, *(m for m in moved if m.shape == a.shape)]


def _error(value: Value, a: Array, b: Array) -> float:
    """How much two arrays differ: a share of the range for floats, one for anything else; infinite across NaN."""
    if a.shape != b.shape:
        return math.inf
    if a.size == 0:
        return 0.0
    if a.dtype == STRING or a.dtype == np.bool_ or not (is_float(a.dtype) or a.dtype.kind in "iuc"):
        return float((a != b).any())
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        quantum = step(value)
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64)).max()
        return float(apart / 128 if quantum is not None else apart > 0)
    x, y = (v.astype(np.float64) for v in (a, b))
    if cmp.nonfinite_mismatch(x, y).any():
        return 1e30
    return float(cmp.row_errors(x, y, cmp.ranges(x)).max())


def _least(value: Value) -> float:
    """The smallest difference that is not rounding: of quantized values more than one step of 255."""
    if step(value) is not None or value.op in ("QuantizeLinear", "DequantizeLinear"):
        return 1.5 / 128
    return 1e-5 if value.dtype.name != "float64" else 1e-12
