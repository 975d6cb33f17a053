"""The inputs of a proof: deterministic, chosen to hurt, within a budget of rows and work.

Random numbers of one scale in a batch of one find half of the usual converter bugs; the edge suite finds all of a study
of 49 (several batch sizes, scales, rounding and saturation points, ties, lanes that are not finite, tree
thresholds)."""
from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelportError, UsageError, printable
from ..hub.opset import split
from ..ir.graph import Graph
from ..ir.tensor import Array
from ..ir.types import STRING, Dim, Type, is_float
from . import domains as dom
from .draw import (
    Make,
    Rng,
    around,
    choose,
    constant,
    discrete,
    lane,
    neighbours,
    normal,
    rows_of,
    saturated,
    ties,
    uniform,
)

MODERATE = (0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 1.0, -1.0, 3.0, -3.0, 2.0, -2.0, 6.0, 6.5, -6.5, 7.0, 20.0,
            -20.0, 21.0, 3.5, -3.5, 0.999999, 1.000001, 1e-6, -1e-6)
"""Where rounding, comparisons, sign and the bounded activations change their mind."""
LARGE = (88.0, -88.0, 89.0, -89.0, 104.0, -104.0, 710.0, 65504.0, 65520.0, -65504.0, 16777217.0, 1e-20, -1e-20, 1e10,
         -1e10, 2147483648.0, -2147483648.0, 255.5, 256.0, 32768.0)
"""Where exponentials, float16 and integer casts overflow."""
SCALES = (1.0, 30.0, 1e-3, 1e4)
BATCHES = (3, 1, 2, 7)
HEAVY = (2, 1, 1, 1)
"""Batches of a network so large that a few rows are all there is time for."""
SPATIAL = (32, 33, 48, 17)
LENGTHS = (5, 8, 1, 12)
ALIGNED = ((32, 64, 96, 160), (8, 16, 32, 64))


@dataclass(frozen=True)
class Plan:
    """How symbolic dimensions are given numbers.

    ``size``: one number for all but the batch; ``aligned``: multiples of 32 (images) or 8; ``batched``: unknown
    dimensions of all inputs but the first are the batch, in place of being equal where their axis is."""

    size: int | None = None
    aligned: bool = False
    batched: bool = False


PLANS = (Plan(), Plan(aligned=True), Plan(batched=True), Plan(32), Plan(64), Plan(128), Plan(512, batched=True),
         Plan(224), Plan(256), Plan(300), Plan(512), Plan(1), Plan(2), Plan(4), Plan(16), Plan(1, batched=True),
         Plan(256, batched=True), Plan(576, batched=True))
"""Tried in turn until the source accepts: networks want sizes that halve evenly, or one size only."""


@dataclass(frozen=True)
class Feed:
    """One run.  ``kind``: ``ordinary`` (numbers about one), ``normal`` (of any scale), ``special``, ``nonfinite``,
    ``threshold`` or ``sample``."""

    name: str
    kind: str
    arrays: Mapping[str, Array]
    rows: int

    @property
    def sha256(self) -> str:
        """A digest of names, types and elements."""
        h = hashlib.sha256()
        for name, a in sorted(self.arrays.items()):
            h.update(f"{name}\0{a.dtype.name}\0{a.shape}\0".encode())
            h.update("\0".join(map(str, a.ravel())).encode("utf-8", "surrogateescape") if a.dtype == STRING
                     else np.ascontiguousarray(a).tobytes())
        return h.hexdigest()


@dataclass(frozen=True)
class Suite:
    """The feeds of a proof and how they were chosen."""

    feeds: tuple[Feed, ...]
    seed: int
    level: str
    left_out: tuple[str, ...] = field(default=())


def work(graph: Graph) -> int:
    """Multiplications of one run, roughly; an unknown dimension counts as 16 (batch: 1)."""
    def size(shape: tuple[Dim, ...] | None) -> int:
        return math.prod(d if isinstance(d, int) else 1 if k == 0 else 16 for k, d in enumerate(shape or ()))
    total = 0
    for node in graph.walk():
        name, ins = split(node.op)[1], [v for v in node.inputs if v is not None]
        amount = sum(size(o.shape) for o in node.outputs)
        if name in ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv") and len(ins) > 1 and ins[1].shape:
            amount *= max(1, size(ins[1].shape[1:]))
            if name == "ConvTranspose" and ins[0].shape:
                amount = size(ins[0].shape) * size(ins[1].shape[1:])
        elif name in ("MatMul", "Gemm", "MatMulInteger") and ins[0].shape:
            last = ins[0].shape[-1]
            amount *= last if isinstance(last, int) else 16
        elif name in ("LSTM", "GRU", "RNN") and ins[0].shape:
            amount = size(ins[0].shape[:1]) * sum(size(v.shape) for v in ins[1:3])
        total += amount
    return max(1, total)


def suite(graph: Graph, *, level: str = "cheap", seed: int = 0, sample: Mapping[str, Array] | None = None,
          speed: float = 1.0, plan: Plan = PLANS[0], ranges: Mapping[str, tuple[float, float]] | None = None,
          types: Mapping[str, Type] | None = None) -> Suite:
    """The feeds for a hub graph.

    ``level`` is ``cheap`` (a second or two for a small network) or ``thorough``; ``speed`` scales the budget for
    runtimes slower than ONNX Runtime; ``plan`` gives symbolic dimensions their numbers; ``ranges`` are declared ranges
    of float inputs, ``types`` those of inputs where the target has made dimensions static.  ``sample`` are rows of the
    user's own."""
    if level not in ("cheap", "thorough"):
        raise UsageError(f"there is no suite '{printable(level)}'; there are cheap and thorough")
    made = _Maker(graph, seed, level == "thorough", speed, plan, ranges or {}, types)
    feeds: list[Feed] = list(made.sampled(sample)) if sample else []
    left: list[str] = []
    rows = elements = 0
    skipped, least = 0, made.elements
    for feed in made.all():
        amount = sum(a.size for a in feed.arrays.values())
        must, least = len(feeds) < 6, min(least, amount)
        if skipped > 2 and least > made.elements // 20:
            left.append("what more the suite has, for want of budget: inputs are large")
            break  # making a feed takes longer than leaving it out
        if not must and (rows + feed.rows > made.rows or elements + amount > made.elements):
            skipped += 1
            continue
        rows, elements = rows + feed.rows, elements + amount
        feeds.append(feed)
    if skipped:
        left.append(f"{skipped} feeds of the suite, for want of budget" + ("" if level == "thorough" else
                    " (the thorough suite runs more)"))
    return Suite(tuple(feeds), seed, level, tuple(left))


LARGEST = 1 << 25
"""Elements of one input that the suite makes at most, where its sizes are free."""


def probes(graph: Graph, plan: Plan, seed: int = 0, types: Mapping[str, Type] | None = None) -> Iterator[Feed]:
    """The first feeds of the suite of that plan, one for each choice of sizes, and three more; none where they would be
    too large."""
    maker = _Maker(graph, seed, False, 1.0, plan, {}, types)
    if any(math.prod(maker.shape(k, b)) > LARGEST for b in maker.bindings for k in maker.inputs):
        return iter(())
    return islice(maker.all(), len(BATCHES) + 3)


def probed(run: Callable[[Feed], object], feeds: Iterator[Feed]) -> list[Any]:
    """What ``run`` answers to one feed for each choice of sizes; if it is errors alone, to the next ones, too: some
    models take known categories only, or no negative numbers."""
    answers = [run(f) for f in islice(feeds, len(BATCHES))]
    return answers + [run(f) for f in feeds] if all(isinstance(a, ModelportError) for a in answers) else answers


def ordinary(graph: Graph, rows: int, image: int, length: int, seed: int = 0,
             types: Mapping[str, Type] | None = None) -> Feed:
    """One feed of numbers about one, with ``rows`` in the batch where that is free: symbolic sizes of images (inputs of
    rank 4) are ``image``, all others ``length``."""
    maker = _Maker(graph, seed, False, 1.0, PLANS[0], {}, types)
    binding = {maker.symbol(k, axis, d): image if t.rank == 4 else length for k, t in maker.inputs.items()
               for axis, d in enumerate(t.shape or ()) if not isinstance(d, int)}
    if maker.batch:
        binding[maker.batch] = rows
    made = maker.feed("ordinary", "ordinary", binding, normal(1.0))
    fixed = next((t.shape[0] for t in maker.inputs.values() if t.shape and isinstance(t.shape[0], int)), 1)
    return Feed(made.name, made.kind, made.arrays, rows if maker.batch else fixed)


def golden_feeds(graph: Graph, arrays: Mapping[str, Array]) -> list[Feed]:
    """The user's rows as feeds, in order."""
    return list(_Maker(graph, 0, False, 1.0, PLANS[0], {}).sampled(arrays))


class _Maker:
    """Builds feeds for one graph."""

    def __init__(self, graph: Graph, seed: int, thorough: bool, speed: float, plan: Plan,
                 ranges: Mapping[str, tuple[float, float]], types: Mapping[str, Type] | None = None) -> None:
        self.graph, self.seed, self.thorough, self.ranges, self.plan = graph, seed, thorough, ranges, plan
        self.inputs = {k: v.type if types is None else types.get(k, v.type) for k, v in graph.inputs.items()}
        self.domains = dom.domains(graph)
        self.known = dom.constants(graph)
        self.categories = dom.categories(graph)
        self.floats = [k for k, t in self.inputs.items() if is_float(t.dtype)]
        budget = (40e9 if thorough else 4e9) * speed
        self.rows = int(max(6, min(20_000 if thorough else 2_000, budget / work(graph))))
        self.batches = HEAVY if self.rows < 24 else BATCHES
        self.elements = 400_000_000 if thorough else 20_000_000
        self.per_row = max([1, *(math.prod(d if isinstance(d, int) else 16 for d in (t.shape or ())[1:])
                                 for t in self.inputs.values())])
        self.symbolic = any(not isinstance(d, int) for t in self.inputs.values() for d in t.shape or ())
        self.bindings = [self._binding(k) for k in range(len(BATCHES) if self.symbolic else 1)]

    def _binding(self, k: int) -> dict[str, int]:
        """A number for each symbol, the k-th choice: the same in all inputs, different between symbols."""
        bound: dict[str, int] = {}
        images, lengths = ALIGNED if self.plan.aligned else (SPATIAL, LENGTHS)
        for name, t in self.inputs.items():
            for axis, d in enumerate(t.shape or ()):
                key = self.symbol(name, axis, d)
                if isinstance(d, int) or key in bound:
                    continue
                table = images if t.rank == 4 else lengths
                others = len(bound) - (self.batch in bound)
                bound[key] = (self.batches[k] if key == self.batch else self.plan.size if self.plan.size is not None
                              else table[(k + others) % len(table)])
        return bound

    def symbol(self, name: str, axis: int, dim: Dim) -> str:
        """The name of a dimension; unknown ones of the same axis are taken to be one."""
        if isinstance(dim, str):
            return dim
        return f"?{0 if self.plan.batched and name != next(iter(self.inputs)) else axis}"

    def shape(self, name: str, binding: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(d if isinstance(d, int) else binding[self.symbol(name, a, d)]
                     for a, d in enumerate(self.inputs[name].shape or ()))

    @property
    def batch(self) -> str:
        """The symbol of the batch: that of the first symbolic first dimension, of a single input or of rank 2 or
        more."""
        return next((self.symbol(k, 0, t.shape[0]) for k, t in self.inputs.items() if t.shape
                     and not isinstance(t.shape[0], int) and (len(t.shape) > 1 or len(self.inputs) == 1)), "")

    def rng(self, *key: Any) -> Rng:
        """A generator of its own for each feed and input, so that one feed's change moves no other."""
        return np.random.default_rng([self.seed, *hashlib.sha256(repr(key).encode()).digest()[:16]])

    def feed(self, name: str, kind: str, binding: Mapping[str, int], how: Callable[[str], Make] | Make,
             style: str = "plain", only: str | None = None, rows: int | None = None) -> Feed:
        """A feed in which float inputs are made by ``how`` (only that input, if one is named; the rest are normal)
        and all others in the given style."""
        arrays: dict[str, Array] = {}
        if rows is not None and self.batch and binding.get(self.batch) is not None:
            binding = {**binding, self.batch: rows}
        for k, t in self.inputs.items():
            rng, shape = self.rng(name, k, sorted(binding.items())), self.shape(k, binding)
            if is_float(t.dtype):
                make: Any = how if only in (None, k) else normal(1.0)
                arrays[k] = saturated(make(rng, shape), t.dtype)
            else:
                arrays[k] = discrete(self.domains[k], t, style, rng, shape)
        return Feed(name + self._sizes(binding), kind, arrays, binding.get(self.batch, 1))

    def encoded(self, name: str, binding: Mapping[str, int], rows: int | None = None) -> Iterator[Feed]:
        """A feed of categories that encoders know, some of which refuse all others; none where nothing is encoded."""
        if not self.categories:
            return
        made = self.feed(f"known categories, {name}", "ordinary", binding, normal(1.0), rows=rows)
        for (k, column), known in self.categories.items():
            array = made.arrays[k]
            at = (..., slice(column, column + 1)) if array.ndim > 1 else ...
            drawn = self.rng(made.name, k, column).integers(0, len(known), array[at].shape)
            array[at] = np.array([*known, None], object)[drawn]
        yield made

    def _sizes(self, binding: Mapping[str, int]) -> str:
        return "".join(f", {printable(k, 40)}={v}" for k, v in binding.items())

    def all(self) -> Iterator[Feed]:
        """Every feed, the ones that find most first."""
        bound = self.bindings

        def at(k: int) -> dict[str, int]:
            return bound[k % len(bound)]

        known = [x for c in self.known for x in around(c)]
        special = list({(x, math.copysign(1, x)): x for x in (*MODERATE, *known)}.values())  # both zeros
        moderate, large = choose(special), choose(LARGE)
        enough = None
        if self.batch and self.per_row < len(special) * 2:
            enough = min(64, -(-len(special) * 2 // self.per_row))
        yield self.feed("normal, scale 1", "ordinary", at(0), normal(1.0))
        yield self.feed("special values", "special", at(1), moderate, "special", rows=enough)
        wide = self.per_row > 1 << 16  # a row is much of the budget, and where trees decide is what counts
        if wide:
            yield from self.thresholds()
        yield self.feed("normal, scale 30", "normal", at(2), normal(30.0))
        yield self.feed("tied small integers", "special", at(3), ties, "ties")
        yield from self.encoded("many rows", at(1), 64)
        yield self.feed("normal, scale 0.001", "normal", at(0), normal(1e-3), "small")
        yield self.feed("uniform 0 to 1", "ordinary", at(1), uniform(0.0, 1.0), "constant")
        for key, (low, high) in self.ranges.items():
            yield self.feed(f"declared range of {printable(key, 40)}", "normal", at(0), uniform(low, high), only=key)
        if not wide:
            yield from self.thresholds()
        yield self.feed("normal, scale 10000", "normal", at(2), normal(1e4), "large")
        yield self.feed("zeros", "special", at(1), constant(0.0), "zeros")
        yield self.feed("large values", "special", at(0), large, "large")
        yield self.feed("constant rows", "special", at(2), rows_of, "constant")
        for value in (math.nan, math.inf, -math.inf) if self.floats else ():
            yield self.feed(f"one lane {value}", "nonfinite", at(0), lane(value))
        for k in self.floats if len(self.floats) > 1 else ():
            yield self.feed(f"special values in {printable(k, 40)}", "special", at(1), moderate, "special", k, enough)
            yield self.feed(f"large values in {printable(k, 40)}", "special", at(0), large, "large", k)
        if any(d.index is not None for d in self.domains.values()):
            yield self.feed("negative indices", "special", at(0), normal(1.0), "negative")
        yield self.feed("uniform 0 to 255", "normal", at(3), uniform(0.0, 255.0), "special")
        repeats = 6 if self.thorough else 1 if self.per_row > 4096 else 2
        for turn in range(repeats):
            for number, binding in enumerate(bound):
                for scale, style in zip(SCALES, ("plain", "plain", "small", "large"), strict=True):
                    kind = "ordinary" if scale == 1 else "normal"
                    name = f"normal, scale {scale:g}, turn {turn}.{number}"
                    yield self.feed(name, kind, binding, normal(scale), style)
            yield from self.encoded(f"turn {turn}", at(turn))
            yield self.feed(f"special values, turn {turn}", "special", at(turn + 2), moderate, "special", rows=enough)
            yield self.feed(f"tied small integers, turn {turn}", "special", at(turn + 1), ties, "ties")
            yield self.feed(f"large values, turn {turn}", "special", at(turn + 1), large, "large")

    def thresholds(self) -> Iterator[Feed]:
        """Every comparison of the tree ensembles, at its threshold and one step to either side, on rows that reach
        it."""
        found = dom.splits(self.graph, 20_000 if self.thorough else 4_000)
        if not found:
            return
        pool: dict[tuple[str, int], list[float]] = {}
        for s in found:
            pool.setdefault(s.place, []).append(s.threshold)
        rng = self.rng("thresholds")
        table: list[dict[tuple[str, int], float]] = []
        for s in found:
            base = {p: ts[int(rng.integers(len(ts)))] + float(rng.choice([-1e-3, 0.0, 1e-3])) for p, ts in pool.items()}
            dtype = self.inputs[s.place[0]].dtype
            table.extend({**base, **s.path, s.place: x} for x in neighbours(s.threshold, dtype))
        for place in list(pool)[:200]:  # a missing value in each feature
            table.extend({**{p: q[int(rng.integers(len(q)))] for p, q in pool.items()}, place: x}
                         for x in (math.nan, 0.0, -0.0))
        static = next((t.shape[0] for t in self.inputs.values() if t.shape and isinstance(t.shape[0], int)), None)
        size = static or max(1, min(512, len(table), self.elements // (8 * self.per_row)))
        for start in range(0, len(table), size):
            part = table[start:start + size]
            made = self.feed(f"tree thresholds {start}", "threshold", self.bindings[0], normal(1.0), rows=size)
            arrays = {k: np.array(a) for k, a in made.arrays.items()}
            for r, row in enumerate(part):
                for (name, column), x in row.items():
                    if is_float(arrays[name].dtype):
                        arrays[name][r, column] = x
            yield Feed(made.name, made.kind, arrays, made.rows)

    def sampled(self, sample: Mapping[str, Array]) -> Iterator[Feed]:
        """The user's own rows: as they are where the shapes fit, else a row at a time."""
        missing = [k for k in self.inputs if k not in sample]
        unknown = [k for k in sample if k not in self.inputs]
        if missing or unknown:
            raise UsageError(f"the sample lacks the input '{printable(missing[0])}'" if missing else
                             f"the model has no input '{printable(unknown[0])}'")
        arrays = {k: np.asarray(sample[k]) for k in self.inputs}
        for k, a in arrays.items():
            shape = self.inputs[k].shape
            if shape is not None and len(shape) != a.ndim:
                raise UsageError(f"the sample's '{printable(k)}' has the shape {list(a.shape)}, "
                                 f"the model wants {self.inputs[k]}")
        arrays = {k: a.astype(self.inputs[k].dtype) for k, a in arrays.items()}
        fixed = {t.shape[0] for t in self.inputs.values() if t.shape and isinstance(t.shape[0], int)}
        lengths = {a.shape[0] for a in arrays.values() if a.ndim}
        if len(fixed) == 1 and len(lengths) == 1 and lengths != fixed:
            step, total = fixed.pop(), lengths.pop()
            for start in range(0, min(total, 64 * step) - step + 1, step):
                yield Feed(f"sample rows {start}", "sample", {k: a[start:start + step] for k, a in arrays.items()},
                           step)
        else:
            yield Feed("sample", "sample", arrays, max([1, *lengths]))


def arrays_of(sample: str | Path) -> dict[str, Array]:
    """The arrays of an .npz, which is read without pickles; :class:`UsageError` if it is none."""
    try:
        with np.load(sample, allow_pickle=False) as data:
            if not hasattr(data, "files"):
                raise UsageError(f"{printable(sample)} is no .npz of named arrays")
            return {k: data[k] for k in data.files}
    except OSError as e:
        raise UsageError(f"cannot read {printable(sample)}: {e.strerror or e}") from None
    except ValueError:
        raise UsageError(f"{printable(sample)} is no .npz of plain arrays",
                         hint="write one with numpy.savez(path, input_name=array, ...)") from None
