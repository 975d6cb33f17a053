"""``compare``: one model in every format that can hold it, each proven and timed.

What was done is kept in the folder of the results (``state.json``), so that a comparison that was interrupted, or that
ran out of its budget, goes on where it stopped."""
from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .. import registry
from ..codecs.atomic import writing
from ..errors import ModelportError, UnsupportedModel, VerificationFailed, printable
from ..proof.report import Report
from ..proof.sides import Side, side
from . import targets
from .machine import Machine, machine
from .measure import How, Progress, check, measure
from .report import Agreement, Measurement, Row, row_of
from .run import finished, version
from .variants import Variant
from .ways import Way, absent, ways

SOURCE = "the model as it is"
"""What stands in the place of a command for rows of the source itself."""
PROOF_SHARE = 0.6
"""The part of a budget after which no further format is written: what is written should be timed, too."""


class Made(Protocol):
    """What a conversion answers: the proof, if there is one, and the result as it can be read back."""

    @property
    def report(self) -> Report | None:
        """The proof, if there is one."""

    def written(self) -> Any:
        """The path of the result, or a model that holds it."""


Shapes = Mapping[str, tuple[int | str, ...]]
Convert = Callable[[Path, Variant, "int | None", Shapes], Made]
"""Writes a variant at a path, with so many rows in the batch (``None``: as the source has it) and these shapes."""


def compare(source: Side, folder: Path, convert: Convert, variants: Sequence[Variant], *, how: How,
            summary: Mapping[str, Any], budget: float = 0.0, progress: Progress = lambda _: None,
            command: str = "", read: Mapping[str, Any] | None = None, prove: bool = False) -> Measurement:
    """A table of ``source`` as it is and of each of ``variants``, which ``convert`` writes into ``folder``.

    ``budget`` are seconds after which nothing new is begun (0: no end); ``read`` the options that the source was read
    with and ``prove`` whether proofs are the longest, both for the commands and for what an earlier run is good for."""
    assert source.path is not None
    began, here = time.monotonic(), machine()
    end = began + budget if budget else float("inf")
    check(how, source.graph)
    state = State(folder / "state.json", *_keys(source, how, here, read or {}, prove))
    subjects: list[tuple[Side, Way, Agreement | None, str]] = [(source, w, None, SOURCE) for w in ways(source)]
    free = targets.dynamic(source.graph)
    labels = {}
    rest: list[Row] = []
    for v in variants:
        if v.is_of(source) or (v.name.endswith("-static") and not free):
            continue
        path = folder / f"{_stem(source.path)}{v.suffix}"
        if path.name == source.path.name:  # which names its rows
            path = folder / f"{_stem(source.path)}.{v.name}{v.suffix}"
        labels[path.name] = v.precision
        batch, shapes = (1, how.shapes) if v.fixed and free else (None, {})
        shown = v.command(source.path, path.name, batch, shapes, read)
        blank = Row(path.name, v.format, v.precision, "", registry.named(v.format).title, command=shown)
        known = state.conversion(v, path)
        if known is None and time.monotonic() > began + (end - began) * PROOF_SHARE:
            rest.append(replace(blank, status="skipped", reason="no time was left"))
            continue
        try:
            if known is not None and known.status != "measured":
                rest.append(known)
                continue
            made = None if known is None else state.untouched(path)
            if made is not None and known is not None:
                proof = known.agreement
            else:
                progress(f"{registry.named(v.format).title}{' (' + v.precision + ')' if v.precision else ''}: "
                         "convert and prove")
                done = convert(path, v, batch, shapes)
                proof, made = _agreement(done.report), side(done.written(), shown=path)
                state.keep(v, replace(blank, agreement=proof), made)
        except ModelportError as e:
            rest.append(_refused(blank, e))
            if rest[-1].status == "unsupported":  # whatever else failed may go well the next time
                state.keep(v, rest[-1])
            continue
        found = list(ways(made))
        subjects += [(made, w, proof, shown) for w in found]
        if not found:
            rest.append(replace(blank, agreement=proof, status="missing", reason="no runtime of it is known"))
    rows, pace = _measured(subjects, state, how, progress, end, source)
    rows = [_finished(r, s, labels) for r, (s, *_) in zip(rows, subjects, strict=True)]
    notes = [f"measured in an earlier run: {state.old} of these lines"] if state.old else []
    skipped = sum(r.status == "skipped" for r in (*rows, *rest))
    if skipped:
        notes.append(f"left out for want of time: {skipped}; the same command goes on with them")
    notes += absent(s for s, *_ in subjects)
    return finished([*rows, *rest], pace, here, how, began, command, model=printable(source.path.name), summary=summary,
                    notes=tuple(notes))


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or "model"


def _measured(subjects: list[tuple[Side, Way, Agreement | None, str]], state: State, how: How, progress: Progress,
              end: float, source: Side) -> tuple[list[Row], tuple[float, ...]]:
    """A row for each subject, those measured before from the state."""
    known = [state.measured(s, w) for s, w, *_ in subjects]
    fresh, pace = measure([s for s, k in zip(subjects, known, strict=True) if k is None], how, progress, end,
                          source.graph)
    new = iter(fresh)
    rows = [k if k is not None else next(new) for k in known]
    for row in fresh:
        state.add(row)
    state.old = sum(k is not None for k in known)
    return [_alone(r) for r in rows] if state.old else rows, pace


def _alone(row: Row) -> Row:
    """A row that was not timed beside all the others."""
    return replace(row, latency=tuple(replace(x, of_fastest=None, of_fastest_noise=None) for x in row.latency))


def _finished(row: Row, s: Side, labels: Mapping[str, str]) -> Row:
    label = "" if row.command == SOURCE else labels.get(row.file, "")
    return replace(row, precision=label or row.precision, deploys=targets.deploys(s, row.bytes))


def _agreement(report: Report | None) -> Agreement | None:
    if report is None:
        return None
    errors = [o.error for o in report.outputs if o.elements]
    same, of = (sum(o.labels[k] for o in report.outputs) for k in (0, 1))
    return Agreement(report.verdict, report.level, max(errors) if errors else None, (same, of), report.headline())


def _refused(row: Row, e: ModelportError) -> Row:
    if isinstance(e, UnsupportedModel):
        first = e.problems[0]
        more = f", and {len(e.problems) - 1} more" if len(e.problems) > 1 else ""
        return replace(row, status="unsupported", reason=f"{first.op}: {first.reason}{more}" if first.op else
                       f"{first.reason}{more}")
    if isinstance(e, VerificationFailed):
        return replace(row, status="failed", reason=f"the result differs, nothing was written: "
                       f"{e.message.splitlines()[0]}")
    return replace(row, status="failed", reason=e.message.splitlines()[0] if e.message else type(e).__name__)


def _keys(source: Side, how: How, here: Machine, read: Mapping[str, Any], prove: bool) -> tuple[str, str]:
    """What files and proofs of an earlier run are of: the tool, the bytes of the source and how they were read; and
    what its figures are of: the machine, the settings, the inputs."""
    made = hashlib.sha256(f"{version()} {sorted(read.items())} {prove} {sorted(how.shapes.items())} "
                          f"{_digest(source)}".encode())
    timed = hashlib.sha256(f"{here.processor} {here.cores} {how.threads} {how.seconds} {how.batches} "
                           f"{sorted(how.shapes.items())} {how.seed}".encode())
    for name, array in sorted((how.sample or {}).items()):
        timed.update(f"{name} {array.dtype} {array.shape}".encode())
        timed.update(repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes())
    return made.hexdigest(), timed.hexdigest()


def _digest(s: Side) -> str:
    return hashlib.sha256(" ".join(f"{f.name} {f.sha256}" for f in s.files()).encode()).hexdigest()


class State:
    """What an earlier run has done, kept in a file that each step renews.

    ``key`` says what the files in the folder are of, ``timing`` what the figures are of."""

    def __init__(self, path: Path, key: str, timing: str) -> None:
        self.path, self.old = path, 0
        self._data: dict[str, Any] = {"key": key, "timing": timing, "conversions": {}, "digests": {}, "rows": {}}
        try:
            found = json.loads(path.read_text("utf-8"))
            if found["key"] == key and all(isinstance(found[k], dict) for k in ("conversions", "digests", "rows")):
                self._data = {**found, "timing": timing, "rows": found["rows"] if found["timing"] == timing else {}}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # of another model, or none
        self._save()  # the folder is ours from now on

    def conversion(self, v: Variant, path: Path) -> Row | None:
        """What became of a variant; ``None`` if it has to be made (again)."""
        found = self._data["conversions"].get(v.name)
        row = row_of(found) if found is not None else None
        if row is not None and row.status == "measured" and (not path.exists() or v.format == "torch-source" or
                                                             v.format == "torchscript"):
            return None  # the last two say nothing of their inputs; they are written anew
        return row

    def keep(self, v: Variant, row: Row, made: Side | None = None) -> None:
        """Remembers what became of a variant, and the file if there is one; figures of an earlier file are dropped."""
        self._data["conversions"][v.name] = asdict(row)
        if made is not None:
            now = _digest(made)
            if self._data["digests"].get(row.file) != now:
                self._data["digests"][row.file] = now
                self._data["rows"] = {k: r for k, r in self._data["rows"].items() if r.get("file") != row.file}
        self._save()

    def untouched(self, path: Path) -> Side | None:
        """A file of an earlier run, if it is still the one that was proven."""
        try:
            made = side(path)
        except ModelportError:
            return None
        return made if self._data["digests"].get(path.name) == _digest(made) else None

    def measured(self, s: Side, way: Way) -> Row | None:
        """The row of an earlier run, if it has figures."""
        found = self._data["rows"].get(f"{Path(s.shown).name} {way.name}")
        return row_of(found) if found is not None else None

    def add(self, row: Row) -> None:
        """Remembers a row with figures."""
        if row.latency:
            self._data["rows"][f"{row.file} {row.runtime}"] = asdict(row)
            self._save()

    def _save(self) -> None:
        with writing(self.path, force=True) as f:
            f.write(json.dumps(self._data).encode())
