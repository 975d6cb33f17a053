"""Times files in runtimes, each in a process of its own, turn by turn.

A machine does not keep its pace: other programs run, clocks change, and every start of a process finds other addresses.
So each way is started several times (``STARTS``), all are timed in short rounds that alternate, and the noise of a
figure is what these rounds differ by."""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs.atomic import size
from ..errors import MissingDependency, ModelportError, RuntimeFailed, UsageError, printable
from ..ir.graph import Graph
from ..ir.tensor import Array
from ..ir.types import Type
from ..proof.inputs import Feed, golden_feeds, ordinary
from ..proof.precision import precision
from ..proof.sides import Side, match
from ..runtimes.isolated import IsolatedSession, Worker
from . import machine as machines
from .report import Agreement, Latency, Row
from .ways import Way, opening

STARTS = 3
ROUNDS = 5
SIZES = ((224, 128), (256, 64), (32, 16), (64, 8), (512, 32), (300, 1), (224, 512), (224, 16000))
"""Images and lengths that symbolic sizes are given, tried in turn until a runtime takes them."""
FLOOR = 0.02
"""What repetition does not show: another environment, other addresses and another caller move a time by a percent or
two (Mytkowicz et al., ASPLOS 2009; here an independent program was up to 2 % away, the rounds 0.5 % apart)."""
_LIBRARY = 400 << 20
"""Bytes that a runtime's process has of its own, at a guess; they stay open side by side only where there is room."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class How:
    """The settings of a measurement: ``seconds`` for the timing of each way, ``batches`` the rows of a run, the first
    of them for the latency; ``shapes`` replace those of inputs, ``sample`` the inputs themselves."""

    threads: int = 1
    seconds: float = 3.0
    batches: tuple[int, ...] = (1,)
    shapes: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    sample: Mapping[str, Array] | None = None
    seed: int = 0
    timeout: float = 300.0


@dataclass(eq=False)
class Subject:
    """A file in a runtime, and what has been seen of it so far."""

    side: Side
    way: Way
    feeds: dict[int, Feed]
    known: Row
    how: How
    session: IsolatedSession | None = None
    worker: Worker | None = None
    failure: ModelportError | None = None
    started: list[tuple[float, float]] = field(default_factory=list)
    samples: dict[int, list[Array]] = field(default_factory=dict)
    cpu: dict[int, list[float]] = field(default_factory=dict)
    memory: int | None = None
    refused: dict[int, str] = field(default_factory=dict)

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
        self.worker = self.session = None


def measure(subjects: Sequence[tuple[Side, Way, Agreement | None, str]], how: How, progress: Progress = lambda _: None,
            deadline: float = math.inf, named: Graph | None = None) -> tuple[list[Row], tuple[float, ...]]:
    """A row for each file and way, in order, and what the yardstick said between the rounds.

    Besides side and way there are the proof of the file and the command that makes it, which are passed on.  What
    begins after ``deadline`` (of ``time.monotonic``) is skipped.  ``named`` is the graph whose inputs the shapes and
    the sample of ``how`` name, by default the first one; files that call them otherwise are matched by their order.
    Raises :class:`UsageError` if it has no such inputs."""
    if named is None and subjects:
        named = subjects[0][0].graph
    if named is not None:
        check(how, named)
    all_ = [_subject(*s, how, named) for s in subjects]
    pace: list[float] = []
    groups = _groups(all_)
    for group in groups:
        for turn in range(STARTS):
            if time.monotonic() > deadline and turn:
                break
            live = [s for s in group if s.failure is None and _start(s, how, turn, progress, deadline)]
            try:
                _rounds(live, how, pace, progress)
            finally:
                for s in group:
                    s.close()
    rows = [_row(s) for s in all_]
    if len(groups) == 1:
        _compared(all_, rows)
    return rows, tuple(pace)


def check(how: How, graph: Graph) -> None:
    """Refuses shapes and samples that are not of this model, before anything is started."""
    for k in (*how.shapes, *(how.sample or ())):
        if k not in graph.inputs:
            raise UsageError(f"the model has no input '{printable(k)}'; it has "
                             f"{', '.join(printable(n) for n in graph.inputs)}")
    for k, shape in how.shapes.items():
        if graph.inputs[k].rank not in (None, len(shape)):
            raise UsageError(f"--shape {printable(k)}: the model wants {graph.inputs[k].type}")
        if any(isinstance(d, int) and d < 1 for d in shape):
            raise UsageError(f"--shape {printable(k)}: sizes are 1 or more")
    if how.sample is not None and not golden_feeds(graph, how.sample):
        raise UsageError("the sample has fewer rows than the model takes at once")


def _own(how: How, named: Graph, graph: Graph) -> How:
    """The settings with shapes and sample by the names that ``graph`` has for the inputs of ``named``."""
    if not how.shapes and how.sample is None:
        return how
    name = match({k: v.type for k, v in named.inputs.items()}, {k: v.type for k, v in graph.inputs.items()}, "input")[0]
    return replace(how, shapes={name[k]: v for k, v in how.shapes.items()},
                   sample=None if how.sample is None else {name[k]: v for k, v in how.sample.items()})


def _subject(side: Side, way: Way, proof: Agreement | None, command: str, how: How, named: Graph | None) -> Subject:
    assert side.path is not None
    known = Row(file=Path(side.shown or side.path).name, format=side.format, precision=precision(side.graph) or "",
                runtime=way.name, title=way.title, bytes=_bytes(side), agreement=proof, command=command)
    made = Subject(side, way, {}, known, how)
    try:
        made.how = how if named is None else _own(how, named, side.graph)
        made.feeds = _feeds(side, made.how, SIZES[0])
    except ModelportError as e:
        made.failure = e
    return made


def _bytes(s: Side) -> int:
    """Size of a model, what stands beside it included."""
    assert s.path is not None
    if s.format == "torch-source":
        return size(s.path) + size(s.path.with_suffix(".safetensors"))
    return sum(f.bytes for f in s.files()) if s.format == "onnx" else size(s.path)


def _feeds(side: Side, how: How, sizes: tuple[int, int]) -> dict[int, Feed]:
    """Inputs for each batch size, or those of the sample."""
    types = _types(side, how.shapes)
    if how.sample is not None:
        feed = next(iter(golden_feeds(side.graph, how.sample)))
        return {feed.rows: feed}
    made = [ordinary(side.graph, b, *sizes, how.seed, types) for b in how.batches]
    return {f.rows: f for f in made}


def _types(side: Side, shapes: Mapping[str, tuple[int | str, ...]]) -> dict[str, Type] | None:
    """The types of inputs with the shapes that were asked for."""
    if not shapes:
        return None
    inputs = {k: v.type for k, v in side.graph.inputs.items()}
    return {k: t.with_shape(shapes[k]) if k in shapes else t for k, t in inputs.items()}


def _groups(subjects: list[Subject]) -> list[list[Subject]]:
    """Those that are open side by side: all of them, where memory has room for that."""
    free = machines.memory()[1]
    needed = sum(_LIBRARY + 3 * s.known.bytes for s in subjects)
    return [subjects] if free is None or needed < free * 0.7 else [[s] for s in subjects]


def _start(s: Subject, how: How, turn: int, progress: Progress, deadline: float) -> bool:
    """Opens a file in a process of its own and runs it once; whether that went well."""
    if time.monotonic() > deadline:
        s.failure = s.failure or _Late()
        return False
    progress(f"{s.known.name}: start {turn + 1} of {STARTS}")
    environment = {"OMP_NUM_THREADS": str(how.threads), **s.way.environment}
    s.worker = Worker(timeout=how.timeout, environment=environment)
    try:
        assert s.side.path is not None
        s.session = s.worker.open(s.way.runtime, s.side.path, **opening(s.side, s.way, how.threads))
        first = _first(s, turn)
        for rows, feed in s.feeds.items():  # compilers of a runtime look at the first runs
            if rows not in s.refused:
                try:
                    _timed(s, feed, seconds=min(0.5, how.seconds / 8), warm=0)
                except RuntimeFailed as e:
                    if rows == next(iter(s.feeds)) or not s.worker.alive:
                        raise
                    s.refused[rows] = e.message
    except ModelportError as e:
        s.failure = e
        s.close()
        return False
    s.known = replace(s.known, version=s.session.version, settings=s.session.settings)
    s.started.append((s.session.opening * 1e3, first))
    return True


class _Late(RuntimeFailed):
    """No time was left."""

    def __init__(self) -> None:
        super().__init__("no time was left")


def _first(s: Subject, turn: int) -> float:
    """Milliseconds of the first run; symbolic sizes that the model does not take are replaced by others."""
    free = any(not isinstance(d, int) for t in (_types(s.side, s.how.shapes) or {
        k: v.type for k, v in s.side.graph.inputs.items()}).values() for d in t.shape or (None,))
    refused: RuntimeFailed | None = None
    for k, sizes in enumerate(SIZES if free and not turn and s.how.sample is None else SIZES[:1]):
        if k:
            s.feeds = _feeds(s.side, s.how, sizes)
        try:
            return float(_timed(s, next(iter(s.feeds.values())), seconds=0, first=True)[0][0]) / 1e6
        except RuntimeFailed as e:
            refused = refused or e
            if s.worker is None or not s.worker.alive:
                break
    assert refused is not None
    if free and not turn and s.how.sample is None and s.worker is not None and s.worker.alive:
        refused = RuntimeFailed(f"{refused.message}; --shape or --sample gives sizes that the model takes")
    raise refused  # what the runtime said of the usual sizes


def _timed(s: Subject, feed: Feed, **how: Any) -> tuple[Array, float, int | None]:
    assert s.session is not None
    names = match(dict(s.session.inputs), {k: v.type for k, v in s.side.graph.inputs.items()}, "input")[0]
    return s.session.measure({k: feed.arrays[v] for k, v in names.items()}, **how)


def _rounds(live: list[Subject], how: How, pace: list[float], progress: Progress) -> None:
    """The rounds between two starts: each way for a moment, then the next, beginning with another one each time."""
    span = how.seconds / (STARTS * ROUNDS)
    for r in range(ROUNDS):
        progress(f"timing: round {r + 1} of {ROUNDS}")
        pace.append(min(machines.yardstick() for _ in range(3)))
        for s in live[r % len(live):] + live[:r % len(live)] if live else ():
            for k, (rows, feed) in enumerate(s.feeds.items()):
                if (k and r) or rows in s.refused or s.session is None:
                    continue  # further batch sizes have one round for each start
                spent = sum(float(a.sum()) / 1e9 for a in s.samples.get(rows, ()))
                if spent > 3 * how.seconds and len(s.samples[rows]) >= STARTS * 2:
                    continue  # a slow model: a round is one run, and there were enough
                try:
                    taken, cpu, memory = _timed(s, feed, seconds=span * (2 if k else 1))
                except ModelportError as e:
                    if k == 0:
                        s.failure = e
                        s.close()
                    else:
                        s.refused[rows] = e.message
                    continue
                s.samples.setdefault(rows, []).append(taken)
                s.cpu.setdefault(rows, []).append(cpu)
                s.memory = memory


def _row(s: Subject) -> Row:
    row = s.known
    if s.failure is not None and not (isinstance(s.failure, _Late) and s.samples):
        status = "missing" if isinstance(s.failure, MissingDependency) else \
            "skipped" if isinstance(s.failure, _Late) else "failed"
        reason = s.failure.message + (f": {s.way.get}" if status == "missing" else "")
        return replace(row, status=status, reason=reason)
    assert s.started
    opened, first = (float(np.median([t[k] for t in s.started])) for k in (0, 1))
    latency = tuple(_latency(rows, s.samples[rows], s.cpu[rows]) for rows in s.feeds if rows in s.samples)
    shapes = {k: "x".join(map(str, a.shape)) or "scalar" for k, a in next(iter(s.feeds.values())).arrays.items()}
    return replace(row, start=opened + first, opening=opened, first=first, memory=s.memory, latency=latency,
                   shapes=shapes, reason="; ".join(f"{n} rows: {why}" for n, why in s.refused.items()))


def _latency(rows: int, rounds: list[Array], cpu: list[float]) -> Latency:
    runs = np.concatenate(rounds) / 1e6
    medians = np.array([np.median(r) for r in rounds]) / 1e6
    median = float(np.median(runs))

    def percentile(p: float, needed: int) -> float | None:
        return float(np.percentile(runs, p)) if len(runs) >= needed else None
    return Latency(rows=rows, runs=len(runs), median=median, p90=percentile(90, 10), p99=percentile(99, 100),
                   least=float(runs.min()), noise=spread(medians, median), cpu=float(np.median(cpu)) * 1e3)


def spread(values: Array, middle: float) -> float:
    """Half of what lies between the extremes, relative to the middle, and :data:`FLOOR` at least.  Of ten rounds or
    more the fastest and the slowest do not count: one is soon spoiled by another program, and moves no median."""
    inner = np.sort(values)[1:-1] if len(values) >= 10 else values
    return max(FLOOR, float((inner.max() - inner.min()) / 2 / middle)) if middle else FLOOR


def _compared(subjects: list[Subject], rows: list[Row]) -> None:
    """Enters into the rows how much slower than the fastest each is, of rounds that ran side by side."""
    found = [(s, r) for s, r in zip(subjects, rows, strict=True) if r.latency and r.status == "measured"]
    if not found:
        return
    best, row = min(found, key=lambda p: p[1].latency[0].median / p[1].latency[0].rows)
    base = [float(np.median(a)) for a in best.samples[row.latency[0].rows]]
    for s, r in found:
        mine = [float(np.median(a)) for a in s.samples[r.latency[0].rows]]
        scale = row.latency[0].rows / r.latency[0].rows
        ratios = np.array([m / b * scale for m, b in zip(mine, base, strict=False)])
        middle = float(np.median(ratios))
        first = replace(r.latency[0], of_fastest=middle, of_fastest_noise=spread(ratios, middle))
        rows[subjects.index(s)] = replace(r, latency=(first, *r.latency[1:]))
