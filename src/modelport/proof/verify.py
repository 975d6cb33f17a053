"""Feeding the same inputs to a source and a target, and judging what comes out."""
from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..codecs.limits import DEFAULT, Limits
from ..errors import MissingDependency, ModelportError, RuntimeFailed, UsageError, printable
from ..formats.onnx.meta import COLUMN
from ..hub.evaluate import RANDOM
from ..hub.promises import nonnegative
from ..ir.graph import Graph
from ..ir.tensor import Array
from ..ir.types import Type, merge
from ..runtimes import Session
from . import applied
from . import compare as cmp
from .domains import takes_nan
from .flips import Flips, possible
from .inputs import PLANS, Feed, Plan, Suite, arrays_of, golden_feeds, probed, probes, suite, work
from .layers import Layers, in_reals, layer_by_layer
from .noise import Exact, too_far
from .precision import bar_for, precision
from .report import FeedRecord, OutputRecord, Report, digest
from .resized import BATCH, OTHER, ByRows, change
from .rows import FLAT, taken
from .sides import Runners, Side, attempt, framework_of, labelled, match, moved_back, original, participant, side, unfit

LAYER_FEEDS = 3
"""Least number of feeds of a comparison layer by layer; every feed on which the outputs differ is one of them."""
LEVELS = ("auto", "prove", "L0", "L1", "L2", "L3")


def verify(source: Any, target: Any, *, level: str = "auto", suite_level: str | None = None, seed: int = 0,
           sample: Mapping[str, Array] | str | Path | None = None,
           golden: tuple[str | Path, str | Path] | None = None, hub: Graph | None = None,
           lower: str | None = None, retyped: bool = False, shown: Path | None = None, threads: int = 1,
           device: str = "cpu", timeout: float = 0, isolated: bool = True, optimize: bool = False,
           limits: Limits = DEFAULT,
           perms: Mapping[str, list[int]] | None = None) -> Report:
    """Compares ``target`` with ``source`` on inputs chosen to hurt.

    Both are paths, hub graphs, or models (objects with ``graph``, ``raw``, ``path`` and ``format``).  ``level``:
    ``auto`` takes the highest level that is installed, with the cheap suite; ``prove`` the same with the thorough
    suite; ``L0`` to ``L3`` no higher than that. ``hub`` is the graph that the target was written from, whose inputs
    may have fewer free dimensions than the source's (by default the target's own graph); ``lower`` the precision that
    it was asked to lower to (a key of ``compare.BARS``); ``retyped`` says that its interface has other element types,
    in which the same numbers are compared by the same bars; ``sample`` an .npz of the user's own inputs; ``optimize``
    runs the target with ONNX Runtime's graph rewrites, as applications do; ``golden`` an .npz of inputs and one of
    outputs (level L3); ``shown`` the name that the target will have; ``timeout`` the seconds for one answer (0: 120, to
    prove 1,200); ``perms`` the order of axes of those of the target's inputs and outputs that have another.  Raises
    :class:`UsageError` where the interfaces have nothing in common, and whatever reading a file raises; a runtime that
    refuses the target is a verdict."""
    if level not in LEVELS:
        raise UsageError(f"there is no level '{printable(level)}'; there are {', '.join(LEVELS)}")
    began = time.perf_counter()
    mine, other = side(source, limits), moved_back(side(target, limits, shown, opaque=True), perms or {})
    if level == "L3" and golden is None and not framework_of(mine):
        raise UsageError("level L3 compares with golden outputs, or runs the source in its own framework: none are "
                         "given, and there is none")
    options = {"level": level, "suite": suite_level or ("thorough" if level == "prove" else "cheap"), "seed": seed,
               "lower": lower or "", "retyped": retyped, "threads": threads, "device": device, "optimize": optimize}
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        runners = Runners(Path(folder), isolated, threads, device, timeout or (1200 if level == "prove" else 120),
                          optimize, level in ("prove", "L3"))
        try:
            given = None if sample is None else dict(sample) if isinstance(sample, Mapping) else arrays_of(sample)
            run = _Run(mine, other, mine.graph, hub or other.graph, runners, options, given)
            report = run.golden(*golden) if golden is not None and level in ("auto", "prove", "L3") else run.report()
        finally:
            runners.close()
    unsigned = {"seconds": round(time.perf_counter() - began, 3), "host": platform.platform(),
                "python": platform.python_version(), "numpy": np.__version__,
                "paths": {"source": str(mine.path or ""), "target": str(shown or other.path or ""),
                          "sample": str(sample) if isinstance(sample, (str, Path)) else "",
                          "golden": [str(g) for g in golden or ()]}}
    return replace(report, unsigned=unsigned)


@dataclass
class _Output:
    """What has been seen of one output so far."""

    target: str
    dtype: str
    bar: cmp.Bar
    passed: bool = True
    worst: cmp.Difference | None = None
    feed: str = ""
    sqnr: float = float("inf")
    error: float = 0.0
    elements: int = 0
    unequal: int = 0
    limited: int = 0
    labels: tuple[int, int] = (0, 0)

    def add(self, feed: str, d: cmp.Difference) -> None:
        self.elements += d.elements
        self.unequal += d.unequal
        self.limited += d.limited
        self.labels = (self.labels[0] + d.labels[0], self.labels[1] + d.labels[1])
        self.sqnr = min(self.sqnr, d.sqnr)
        self.error = max(self.error, d.error)
        if self.worst is None or (self.passed, d.error) > (d.passed, self.worst.error):
            self.worst, self.feed = d, feed
        self.passed = self.passed and d.passed


@dataclass
class _Run:
    """One verification."""

    source: Side
    target: Side
    hub: Graph
    written: Graph
    runners: Runners
    options: Mapping[str, Any]
    sample: dict[str, Array] | None
    notes: list[str] = field(default_factory=list)
    not_tested: list[str] = field(default_factory=list)
    feeds: list[FeedRecord] = field(default_factory=list)
    outputs: dict[str, _Output] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    sha: str = ""
    tested: list[Feed] = field(default_factory=list)
    layers: str = ""
    empty: list[str] = field(default_factory=list)
    first: bool = True
    rewritten: bool = False
    resized: str = ""
    batch: int = 0
    refused: int = 0
    flips: Flips | None = None

    def report(self) -> Report:
        level = self.options["level"]
        fit = self._interface()
        if fit:
            return self._done("fail", "L0", None, None, fit)
        if level == "L0":
            self.why.append("level L0 was asked for")
            return self._done("pass", "L0", None, None)
        drawn = sorted({n.op for n in self.source.graph.walk() if n.op in RANDOM})
        if drawn:
            self.why.append(f"the model draws random numbers ({', '.join(drawn)}); no two runs are alike")
            return self._done("inconclusive", "L0", None, None)
        a: Session | None = None
        reached = "L1"
        refused = False
        try:
            if level == "L1":
                raise UsageError("level L1 was asked for")
            if self.resized == OTHER:
                raise UsageError("sizes were changed that the source fixes")
            native = self.runners.native(self.source)
            a, reached = self._sized(native), "L3" if original(self.source, native) else "L2"
        except ModelportError as e:
            refused = isinstance(e, RuntimeFailed) and self.source.format == self.target.format
            self.why.append(e.message + (f" ({e.hint})" if e.hint else ""))
        try:
            b = self.runners.target(self.target)
        except MissingDependency as e:
            self.why.append(f"{e.message} ({e.hint})")
            try:
                b, reached = self.runners.hub(self.target.graph), "L1"
            except ModelportError:  # nor can it be read back as a graph that runs
                return self._done("pass", "L0", None, None)
            self.why[-1] += ": the target was judged as read back"
        except ModelportError as e:
            if type(e) is not RuntimeFailed:
                self.why.append(e.message)
                return self._done("pass", "L0", None, None)
            if refused:  # one runtime refuses both: nothing speaks against the target
                self.why.append(f"the target: {e.message}")
                return self._done("inconclusive", "L0", None, None)
            return self._done("fail", reached, a, None, [f"the runtime refuses the target: {e.message}"])
        if self.target.path is not None and self.runners.unrun(self.target):
            title, reached = registry.named(self.target.format).title, "L1"
            self.why.append(f"{title} is not started unasked: the target was judged as read back, in {b.name} (--prove "
                            f"runs it in {title})")
        if a is not None and not self._compare(a, b, reached):
            a = None
        if a is not None and self._verdict() == "fail" and (other := self._default_kernels(a, b)) is not None:
            a = other
        rounds = a is not None and (a.name != b.name or precision(self.source.graph) == "int8")
        if a is not None and rounds and self._verdict() == "fail" and not self._by_layers(a, b):
            said = len(self.notes)
            self._compare(a, b, reached)
            if self._verdict() == "pass" and said:
                self.notes[said - 1] += "; a float64 evaluation shows that it is rounding (the rows named as limited)"
        if a is None:
            reached = "L1"
            try:
                a = self._hub()
            except ModelportError as e:
                self.why.append(e.message)
                return self._done("inconclusive", "L0", None, b)
            self.first = False  # nothing is compared layer by layer here, so rounding is measured at once
            if not self._compare(a, b, reached):
                return self._done("inconclusive", reached, a, b)
        verdict = self._verdict()
        if verdict == "pass" and self.target.format == "onnx" and self.target.path and not self.runners.optimize:
            told = applied.trouble(
                self.source.graph, [f for f, r in zip(self.tested, self.feeds, strict=True) if r.outcome == "equal"],
                partial(self._again, b, b=True),
                lambda: partial(self._again, self.runners.rewritten(self.target, b), b=True),
                {k: o.bar for k, o in self.outputs.items()}, self.runners)
            self.notes += [told] if told else []
        return self._done(verdict, reached, a, b)

    def _other_types(self) -> bool:
        """Whether the target's inputs and outputs may have other element types than the source's."""
        return bool(self.options["lower"] or self.options["retyped"])

    def _sized(self, session: Session) -> Session:
        """A session of the source that takes the sizes of the target."""
        return ByRows(session, self.batch) if self.resized == BATCH else session

    def _hub(self) -> Session:
        """The hub graph of the source in a runtime; the one of other sizes where sizes were changed."""
        if self.resized == OTHER and self.written is self.target.graph:
            raise RuntimeFailed("the sizes of source and target are not the same")
        if self.resized == OTHER:
            return self.runners.hub(self.written, self.target)
        return self._sized(self.runners.hub(self.source.graph, self.target))

    def _default_kernels(self, a: Session, b: Session) -> Session | None:
        """The source with the kernels that applications get, if its outputs agree there and the reference kernels
        merely round otherwise; else ``None``, and everything is as it was."""
        if "builtin kernels" in a.settings or precision(self.source.graph) != "int8" or self.source.format != "tflite":
            return None
        before = self.feeds, self.outputs, self.not_tested, self.tested, self.sha, list(self.notes)
        try:
            session = self._sized(self.runners.native(self.source, kernels="builtin"))
            agrees = self._compare(session, b, "L2") and self._verdict() == "pass"
        except ModelportError:
            agrees = False
        if agrees:
            apart = [f"'{printable(k)}' {_apart(o)}" for k, o in before[1].items() if not o.passed]
            kernels = "reference" if "reference kernels" in a.settings else "plain"
            self.notes.append(f"the {kernels} kernels of {a.name} round otherwise than its default kernels, which the "
                              f"outputs listed are compared with: {', '.join(apart)}")
            return session
        self.feeds, self.outputs, self.not_tested, self.tested, self.sha, self.notes = before
        return None

    def _by_layers(self, a: Session, b: Session) -> bool:
        """Judges two runtimes that round differently: each file that is no ONNX layer by layer in its own runtime,
        against its own hub graph; then the hub graphs in place of those files, in ONNX Runtime.

        Of two .onnx files, whose operator sets may have other kernels, the source is taken so."""
        own = self.target.inside or self.target.graph
        parts = {"source": self.source} if self.source.format != "onnx" or self.target.format == "onnx" else {}
        if self.target.format != "onnx" and own is not self.target.raw:
            parts["target"] = replace(self.target, graph=own, perms={})
        if not parts or any(o.worst is not None and o.worst.reason and not o.worst.reason.startswith("NaN")
                            for o in self.outputs.values()):
            return False
        chosen = self._telling()
        real = self.source if "source" in parts else replace(self.source, graph=in_reals(self.source.graph))
        said: dict[str, Layers] = {}
        try:
            for whose, part in parts.items():
                said[whose] = layer_by_layer(part, self.runners, self._feeds_of(whose, chosen))
            if real.graph is not self.source.graph:
                said["source"] = layer_by_layer(real, self.runners, chosen)
        except ModelportError as e:
            self.notes.append(f"no comparison layer by layer: {printable(e.message, 300)}")
            return False
        if not all(layers.passed for layers in said.values()):
            self.notes += [layers.text(whose) for whose, layers in said.items() if not layers.passed]
            return False
        apart = [f"'{printable(k)}' {_apart(o)}" for k, o in self.outputs.items() if not o.passed]
        failed = [(f, k) for k, o in self.outputs.items() for f in chosen if not o.passed and f.name == o.feed]
        if too_far(self.source.graph, failed, partial(self._again, a), partial(self._again, b, b=True), self.runners):
            self.notes.append(f"layers that agree do not explain how far apart they end: {', '.join(apart)}")
            return False
        undefined = list(self.not_tested)
        try:
            if "source" in parts:
                a = self._hub()
            elif real.graph is not self.source.graph:
                a = self.runners.hub(real.graph, self.source)
            if "target" in parts:
                b, self.rewritten = self.runners.hub(self.target.graph, self.source), True
        except ModelportError as e:
            self.notes.append(f"no comparison of the graphs in one runtime: {printable(e.message, 300)}")
            return False
        self._compare(a, b, "L2")
        self.not_tested = [*dict.fromkeys([*undefined, *self.not_tested])]
        self.layers = "; ".join(layers.text(whose) for whose, layers in said.items())
        for whose, layers in said.items():
            if layers.beyond:
                self.not_tested.append(f"{layers.beyond} elements of 2^31 quantization steps and more, which one "
                                       f"runtime saturates and the {whose}'s kernels leave undefined")
        names = " and ".join(f"the {whose} as read" for whose in parts)
        self.notes.append(f"end to end the roundings of the layers add up: {', '.join(apart)}; the outputs listed "
                          f"compare with {names} in one runtime")
        return True

    def _telling(self) -> list[Feed]:
        """The feeds on which the outputs differ, and a few that agree, where the worst may hide below the bar."""
        failed = {f.name for f in self.feeds if f.outcome == "different"}
        chosen = [f for f in self.tested if f.name in failed]
        return chosen + [f for f in self.tested if f.name not in failed and f.kind == "ordinary"][
            :max(0, LAYER_FEEDS - len(chosen))]

    def _feeds_of(self, whose: str, feeds: list[Feed]) -> list[Feed]:
        """Feeds by the names of one side; the layers of a source of a fixed batch take that batch."""
        if whose == "target":
            perms = self.target.perms
            return [replace(f, arrays={name: np.ascontiguousarray(v.transpose(perms[name])) if name in perms else v
                                       for k, v in f.arrays.items() for name in [self.in_b[k]]}) for f in feeds]
        if self.resized == BATCH:
            return [replace(f, arrays={k: a[:self.batch] for k, a in f.arrays.items()}) for f in feeds]
        return feeds

    def _interface(self) -> list[str]:
        """What of the interfaces of hub and target graph cannot be paired."""
        to = self.target.graph
        ins, theirs = ({k: v.type for k, v in g.inputs.items()} for g in (self.hub, to))
        try:
            pairs, notes = match(ins, theirs, "input")
            _, more = match({k: v.type for k, v in self.hub.outputs.items()},
                            {k: v.type for k, v in to.outputs.items()}, "output")
        except UsageError as e:
            return [e.message]
        self.notes += [*notes, *more]
        self.resized, self.batch = change(ins, theirs, pairs)
        return [] if self._other_types() else list(unfit(ins, theirs, pairs))

    def _compare(self, a: Session, b: Session, level: str) -> bool:
        """Runs the suite; false if not one feed could be run by the source."""
        self.feeds, self.outputs, self.not_tested = [], {}, []
        plan = self._plan(a)
        if plan is None:
            return False
        speed = 0.25 if "reference kernels" in a.settings else 1.0  # measured: 1.5 against 6 GMAC/s
        chosen = suite(self.hub, level=self.options["suite"], seed=self.options["seed"], sample=self.sample,
                       speed=speed, plan=plan, types=self._types())
        self.not_tested += chosen.left_out
        self._pairs(a, b)
        self.flips = Flips() if self.options["lower"] == "float32" and possible(self.source.graph) else None
        self.tested = tested = self._kinds(chosen)
        # where the runtimes differ, the first pass is plain: comparing layer by layer says more than a noise floor
        graph = self.written if self.resized else self.source.graph
        exact = None if a.name != b.name and self.first else Exact(graph, self.runners, partial(self._again, a),
                                                                   self.options["suite"] == "thorough")
        self.first, self.empty, self.refused = False, [], 0
        for feed in tested:
            self._feed(feed, a, b, exact)
        if self.empty:
            self.not_tested.append(f"{len(self.empty)} feeds to which the source answers with NaN alone and which the "
                                   f"target refuses, such as '{self.empty[0]}'")
        if self.refused:
            self.not_tested.append(f"{self.refused} rows with numbers that are not finite or very large, which "
                                   f"{b.name} refuses")
        self.notes += [*(exact.notes if exact is not None else []), *(self.flips.notes() if self.flips else [])]
        self.sha = digest([f.sha256 for f in tested])
        return any(f.outcome != "undefined" for f in self.feeds)

    def _types(self) -> dict[str, Type]:
        """The inputs with the dimensions that source or target fix."""
        ins = {k: v.type for k, v in self.hub.inputs.items()}
        theirs = {k: v.type for k, v in self.written.inputs.items()}
        pairs, _ = match(ins, theirs, "input")
        return {k: theirs[pairs[k]] if self.resized else merge(t, theirs[pairs[k]]) for k, t in ins.items()}

    def _plan(self, a: Session) -> Plan | None:
        """The first plan of sizes whose probes the source accepts, or the one of which it accepts most."""
        dynamic = any(not isinstance(d, int) for t in self._types().values() for d in t.shape or ())
        best, most, message = None, 0, ""
        for plan in PLANS if dynamic else PLANS[:1]:
            results = probed(partial(self._source, a), probes(self.hub, plan, self.options["seed"], self._types()))
            accepted = sum(isinstance(r, dict) for r in results)
            message = message or next((r.message for r in results if isinstance(r, ModelportError)), "")
            if accepted > most:
                best, most = plan, accepted
            if results and accepted == len(results):
                break
        if best is None:
            self.why.append(f"{a.name} refuses every input tried: {printable(message, 300)}")
        return best

    def _source(self, a: Session, feed: Feed) -> dict[str, Array] | ModelportError:
        names, _ = match({k: v.type for k, v in self.hub.inputs.items()}, a.inputs, "input")
        return attempt(a, {names[k]: v for k, v in feed.arrays.items()})

    def _pairs(self, a: Session, b: Session) -> None:
        """The names of the hub's inputs and outputs on both runtimes."""
        ins = {k: v.type for k, v in self.hub.inputs.items()}
        outs = {k: v.type for k, v in self.hub.outputs.items()}
        self.in_a, _ = match(ins, a.inputs, "input")
        self.in_b, _ = match(ins, b.inputs, "input")
        self.out_a, _ = match(outs, a.outputs, "output")
        self.out_b, _ = match(outs, b.outputs, "output")
        lowered = self.options["lower"] or None
        self.lowered = False
        for k, t in outs.items():
            bar, low = bar_for(k, self.hub, self.target.graph, lowered)
            self.lowered = self.lowered or low
            self.outputs[k] = _Output(self.out_b[k], "string" if t.dtype == object else t.dtype.name, bar)

    def _kinds(self, chosen: Suite) -> list[Feed]:
        """The feeds that say something: in a lowered precision only ordinary numbers do."""
        if not self.lowered:
            return list(chosen.feeds)
        beside = ("threshold",) if self.flips is not None else ()
        kept = [f for f in chosen.feeds if f.kind in ("sample", "ordinary", *beside)]
        if len(kept) < len(chosen.feeds):
            self.not_tested.append("numbers far from one: the target's precision is lower than the source's")
        return kept

    def _feed(self, feed: Feed, a: Session, b: Session, exact: Exact | None) -> None:
        got, made = self.runners.pair(a, b, {self.in_a[k]: v for k, v in feed.arrays.items()},
                                      {self.in_b[k]: self._cast(k, v, b) for k, v in feed.arrays.items()})
        kept = taken(feed, made) if isinstance(made, ModelportError) and isinstance(got, dict) else None
        if kept is not None:
            self.refused += int((~kept).sum())
        if kept is not None and kept.any():
            arrays = {k: v[kept] for k, v in feed.arrays.items()}
            self._feed(replace(feed, arrays=arrays, rows=int(kept.sum())), a, b, exact)
            return
        outcome = "equal"
        if isinstance(got, ModelportError):
            self.not_tested.append(f"'{feed.name}': undefined in the source ({printable(got.message, 160)})")
            outcome = "undefined"
        else:
            found: Mapping[str, cmp.Difference] = {k: self._judge(k, feed, got, made, exact) for k in self.outputs}
            if self.flips is not None and not isinstance(made, ModelportError):
                found = self.flips.excuse(feed, {k: got[n] for k, n in self.out_a.items()},
                                          {k: made[n] for k, n in self.out_b.items()}, found,
                                          lambda k, x, y: cmp.compare(x, self._alike(x, y), self.outputs[k].bar),
                                          lambda x: self._again(a, x))
            failed = any(not d.passed for d in found.values())
            ran = not isinstance(made, ModelportError)
            if failed and ran and feed.kind == "nonfinite" and self._undefined(a, b, found):
                outcome = "differs on values that are not finite"
                self.not_tested.append(f"'{feed.name}': source and target differ there, and no format defines it")
            elif kept is not None:
                outcome = "undefined"
            elif not ran and feed.kind != "nonfinite" and cmp.nothing(got[self.out_a[k]] for k in self.outputs):
                outcome = "undefined"
                self.empty.append(feed.name)
            elif not ran and (broken := self._promised(feed)):
                outcome = "undefined"
                self.not_tested.append(f"'{feed.name}': '{printable(broken)}' is negative there, and the source says "
                                       "that it never is")
            else:
                outcome = "different" if failed else "equal"
                for k, d in found.items():
                    self.outputs[k].add(feed.name, d)
        self.feeds.append(FeedRecord(feed.name, feed.kind, feed.rows, feed.sha256, outcome))

    def _again(self, s: Session, arrays: Mapping[str, Array], b: bool = False) -> dict[str, Array] | ModelportError:
        """The outputs of the source, or with ``b`` of the target, by the hub's names, for arrays by those."""
        ins, outs = (self.in_b, self.out_b) if b else (self.in_a, self.out_a)
        got = attempt(s, {ins[k]: self._cast(k, v, s) if b else v for k, v in arrays.items()})
        return got if isinstance(got, ModelportError) else {k: got[outs[k]] for k in self.outputs}

    def _promised(self, feed: Feed) -> str:
        """The first value that the source promises not to be negative, and that is for this feed."""
        graph = self.source.graph
        values = nonnegative(graph)
        shown = {k: feed.arrays[k] for k in values if k in feed.arrays}
        inner = {k: v for k, v in values.items() if k not in graph.inputs}
        if inner and self.resized != OTHER:
            try:
                session = self.runners.hub(graph.with_(outputs=inner), self.source)
                shown.update(session.run({k: v for k, v in feed.arrays.items() if k in session.inputs}))
            except ModelportError:  # then nothing is said about them
                pass
        return next((k for k, v in shown.items() if (v < 0).any()), "")

    def _undefined(self, a: Session, b: Session, found: Mapping[str, cmp.Difference]) -> bool:
        """Whether differences on inputs that are not finite are no fault of the conversion.

        They are where the runtimes are not the same and the model does not say what a missing value means: kernels
        compare with NaN in either order.  In the same runtime only NaN for infinity is let pass, which any other
        order of the same sum makes; a NaN that is lost or made is a different formula: unless the target was written
        for another runtime, whose operators are other formulas, and only stands in here as it was read back."""
        if takes_nan(self.source.graph):
            return False
        return (a.name, a.settings) != (b.name, b.settings) or self.rewritten or all(
            d.passed or (d.reason.startswith("NaN") and not d.lost) for d in found.values())

    def _cast(self, name: str, array: Array, b: Session) -> Array:
        want = b.inputs[self.in_b[name]].dtype
        return array.astype(want) if self._other_types() and want != array.dtype else array

    def _judge(self, k: str, feed: Feed, got: Mapping[str, Array], made: Mapping[str, Array] | ModelportError,
               exact: Exact | None) -> cmp.Difference:
        if isinstance(made, ModelportError):
            return cmp.Difference(False, error=float("inf"), reason=f"the target fails: {printable(made.message, 300)}")
        bar = self.outputs[k].bar
        x = got[self.out_a[k]]
        d = cmp.compare(x, y := self._alike(x, made[self.out_b[k]]), bar)
        if d.passed or exact is None or bar.exact or bar.quantum is not None or (
                d.reason and not d.reason.startswith("NaN")):
            return d
        return exact.excuse(k, feed, x, y, bar, d)

    def _alike(self, x: Array, y: Array) -> Array:
        """An output of the target as the source would have given it: its labels, element type and axes."""
        y = labelled(self.target, x, y, self._other_types())
        if COLUMN in self.target.graph.meta and y.shape == (*x.shape, 1):
            return y[:, 0]
        return y[:, None] if self.target.format in FLAT and x.shape == (*y.shape, 1) else y

    def _verdict(self) -> str:
        if any(not o.passed for o in self.outputs.values()):
            return "fail"
        judged = [f for f in self.feeds if f.outcome == "equal"]
        if not judged or (any(o.elements == 0 for o in self.outputs.values()) and not any(
                o.elements for o in self.outputs.values())):
            self.why.append("no feed could be compared")
            return "inconclusive"
        return "pass"

    def golden(self, inputs: str | Path, outputs: str | Path) -> Report:
        """The target against outputs that the user vouches for."""
        given, wanted = arrays_of(inputs), arrays_of(outputs)
        try:
            b = self.runners.target(self.target)
        except RuntimeFailed as e:
            return self._done("fail", "L3", None, None, [f"the runtime refuses the target: {e.message}"])
        outs, notes = match({k: v.type for k, v in self.hub.outputs.items()},
                            {k: _type(a) for k, a in wanted.items()}, "golden output")
        self.notes += notes
        names, notes = match({k: v.type for k, v in self.hub.inputs.items()}, {k: _type(a) for k, a in given.items()},
                             "golden input")
        self.notes += notes
        self._pairs(b, b)
        exact = Exact(self.source.graph, self.runners)
        done = 0
        for feed in golden_feeds(self.hub, {k: given[n] for k, n in names.items()}):
            made = self.runners.pair(b, b, {self.in_b[k]: v for k, v in feed.arrays.items()}, {})[0]
            got = {self.out_a[k]: np.asarray(wanted[n][done:done + feed.rows] if "rows" in feed.name else wanted[n])
                   for k, n in outs.items()}
            got = {k: v.astype(object) if v.dtype.kind == "U" else v for k, v in got.items()}
            done += feed.rows
            found = {k: self._judge(k, feed, got, made, exact) for k in self.outputs}
            for k, d in found.items():
                self.outputs[k].add(feed.name, d)
            outcome = "equal" if all(d.passed for d in found.values()) else "different"
            self.feeds.append(FeedRecord(feed.name, feed.kind, feed.rows, feed.sha256, outcome))
        self.sha = digest([f.sha256 for f in self.feeds])
        return self._done(self._verdict(), "L3", None, b)

    def _done(self, verdict: str, level: str, a: Session | None, b: Session | None,
              reasons: list[str] | None = None) -> Report:
        records = [OutputRecord(
            k, o.target, o.dtype, {"name": o.bar.name, "error": o.bar.error, "sqnr": o.bar.sqnr, "labels": o.bar.labels,
                                   "quantum": o.bar.quantum}, o.passed, o.error, o.sqnr, o.elements, o.unequal,
            o.limited, o.labels, _worst(o), "" if o.passed or o.worst is None else o.worst.reason)
            for k, o in self.outputs.items()]
        if reasons:
            empty = {"name": "exact", "error": float("inf"), "sqnr": float("-inf"), "labels": 0.0, "quantum": None}
            records = [OutputRecord(k, k, v.dtype.name, empty, False, 0.0, 0.0, 0, 0, 0, (0, 0), {}, reasons[0])
                       for k, v in self.hub.outputs.items()]
        from importlib.metadata import PackageNotFoundError, version
        try:
            tool = "modelport " + version("modelport")
        except PackageNotFoundError:
            tool = "modelport"
        why = "" if level in ("L2", "L3") else "; ".join(dict.fromkeys(self.why))
        return Report(verdict, level, why, participant(self.source, a), participant(self.target, b),
                      {**self.options, "feeds_sha256": self.sha, "work": work(self.hub),
                       "precision": precision(self.source.graph)},
                      tuple(self.feeds), tuple(records), tuple(dict.fromkeys(self.not_tested)),
                      tuple(dict.fromkeys((*self.notes, *(reasons or [])[1:]))), tool, self.layers)


def _worst(o: _Output) -> dict[str, Any]:
    d = o.worst
    if d is None or not d.unequal:
        return {}
    return {"feed": o.feed, "index": list(d.index), "source": d.source, "target": d.target}


def _apart(o: _Output) -> str:
    if o.bar.quantum is not None:
        return f"at most {o.error:.3g} quanta, {100 * (1 - o.unequal / max(1, o.elements)):.2f} % equal"
    return f"{o.error:.2g} of range, {o.sqnr:.3g} dB"


def _type(a: Array) -> Type:
    return Type(np.dtype(object) if a.dtype.kind == "U" else a.dtype, a.shape)
