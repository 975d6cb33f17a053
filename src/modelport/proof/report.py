"""What a proof found: as data, as canonical JSON, and in words."""
from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError, printable

SCHEMA = "modelport/verification/v1"
LISTED = 6
"""How many of the things that were not tested are printed."""
LEVELS = {"L0": "reads back", "L1": "hub against target: proves the writer, not the reader",
          "L2": "an independent runtime of the source's format against the target",
          "L3": "the original framework, or golden outputs, against the target"}


@dataclass(frozen=True)
class FileRecord:
    """One file of a model: its name and digest."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Participant:
    """Source or target: its files, its format, and what ran it."""

    format: str
    files: tuple[FileRecord, ...]
    runtime: str = ""
    version: str = ""
    settings: str = ""


@dataclass(frozen=True)
class FeedRecord:
    """One set of inputs: what it is, how many rows, the digest of its arrays, and what came of it."""

    name: str
    kind: str
    rows: int
    sha256: str
    outcome: str
    """``equal`` (within the bars), ``different``, ``undefined`` (the source refuses or overflows) or ``differs on
    values that are not finite``."""


@dataclass(frozen=True)
class OutputRecord:
    """The worst that one output showed in all feeds, and the bar it was held to."""

    name: str
    target: str
    dtype: str
    bar: Mapping[str, Any]
    passed: bool
    error: float
    sqnr: float
    elements: int
    unequal: int
    limited: int
    labels: tuple[int, int]
    worst: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """A verification: ``verdict`` is ``pass``, ``fail`` or ``inconclusive``, ``level`` how much it proves.

    ``layers`` says how the layers agree one by one, where the outputs alone cannot decide (quantized and deep models
    whose runtimes round differently).  ``unsigned`` holds what differs between machines: paths, seconds, the host."""

    verdict: str
    level: str
    why_not_higher: str
    source: Participant
    target: Participant
    suite: Mapping[str, Any]
    feeds: tuple[FeedRecord, ...]
    outputs: tuple[OutputRecord, ...]
    not_tested: tuple[str, ...]
    notes: tuple[str, ...]
    tool: str
    layers: str = ""
    unsigned: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing spoke against the conversion."""
        return self.verdict != "fail"

    @property
    def proven(self) -> bool:
        """Whether an independent runtime or golden outputs agree with the target."""
        return self.verdict == "pass" and self.level in ("L2", "L3")

    def headline(self) -> str:
        """The whole in one line."""
        tested = [f for f in self.feeds if f.outcome != "undefined"]
        rows = sum(f.rows for f in tested)
        where = f"{rows} row{'s' * (rows != 1)} in {len(tested)} feed{'s' * (len(tested) != 1)}"
        if self.verdict == "fail":
            bad = next((o for o in self.outputs if not o.passed), None)
            what = "" if bad is None else f": output '{printable(bad.name)}' " + (bad.reason or _measure(bad))
            feed = "" if bad is None else bad.worst.get("feed", "")
            return f"DIFFERENT ({self.level}){what}" + (f", in feed '{feed}'" if feed else "")
        if self.verdict == "inconclusive":
            return f"not verified ({self.level}): {self.why_not_higher or 'nothing could be compared'}"
        if self.level == "L0":
            return f"reads back (L0), not run: {self.why_not_higher}"
        word = "proven" if self.proven else "consistent, not proven"
        if self.layers:
            return f"{word} ({self.level}, layer by layer): {where}; {self.layers}"
        labels = (sum(o.labels[0] for o in self.outputs), sum(o.labels[1] for o in self.outputs))
        parts = [where]
        if (worst := self._worst()) is not None:
            parts.append(_measure(worst))
        if labels[1]:
            parts.append(f"labels {labels[0]}/{labels[1]}")
        return f"{word} ({self.level}): " + ", ".join(parts)

    def _worst(self) -> OutputRecord | None:
        def badness(o: OutputRecord) -> float:
            bound = o.bar.get("error")
            return o.error / bound if isinstance(bound, float) and bound and math.isfinite(bound) else o.error
        return max(self.outputs, key=badness, default=None)

    def text(self) -> str:
        """The headline, then what was run, what was found for each output, and what was not tested."""
        lines = [self.headline()]
        if self.why_not_higher and self.verdict == "pass" and self.level != "L0":
            lines.append(f"  why not higher: {self.why_not_higher}")
        for title, p in (("source", self.source), ("target", self.target)):
            first, slash, _ = p.files[0].name.partition("/") if p.files else ("in memory", "", "")
            name = printable(first + slash)  # of a folder the files inside are recorded
            lines.append(f"  {title}: {name}" + (f" on {p.runtime} {p.version} ({p.settings})" if p.runtime else ""))
        for o in self.outputs:
            mark = "ok" if o.passed else "DIFFERENT"
            extra = f", {o.limited} rows limited by float32 rounding" if o.limited else ""
            name = printable(o.name) + ("" if o.name == o.target else f" ~ {printable(o.target)}")
            lines.append(f"  {mark}: {name} ({o.dtype}): {o.reason or _measure(o)}{extra}")
            if not o.passed and o.worst:
                lines.append("    worst: " + ", ".join(f"{k} {v}" for k, v in o.worst.items()))
        lines += [f"  not tested: {x}" for x in self.not_tested[:LISTED]]
        if len(self.not_tested) > LISTED:
            lines.append(f"  not tested: {len(self.not_tested) - LISTED} more, which the report as JSON lists")
        lines += [f"  note: {x}" for x in self.notes]
        return "\n".join(lines)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no tokens outside of JSON; ``unsigned`` apart from the rest."""
        data = asdict(self)
        unsigned = data.pop("unsigned")
        return json.dumps({"signed": {"schema": SCHEMA, **_clean(data)}, "unsigned": _clean(unsigned)}, sort_keys=True,
                          indent=1, allow_nan=False, ensure_ascii=True) + "\n"


def _measure(o: OutputRecord) -> str:
    if o.bar["name"] == "quantized":
        share = 100 * (1 - o.unequal / max(1, o.elements))
        return f"at most {o.error:.3g} quantum apart, {share:.2f} % equal"
    if o.bar["name"] == "exact":
        return "all equal" if not o.unequal else f"{o.unequal} of {o.elements} differ"
    bound = o.bar["error"]
    if isinstance(bound, float) and math.isfinite(bound):
        head = f"worst error {o.error:.2g} of range (bar {bound:g})"
        return head if o.passed else head + f", {o.sqnr:.3g} dB (bar {o.bar['sqnr']:g})"
    return f"{o.sqnr:.3g} dB (bar {o.bar['sqnr']:g}, {o.bar['name']})"


def _clean(value: Any) -> Any:
    """The value with what JSON lacks as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    return value


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A report as :meth:`Report.to_json` wrote it, or :class:`UsageError`."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
        if data["signed"]["schema"] != SCHEMA:
            raise UsageError(f"{printable(path)} is a report of another kind: {printable(data['signed']['schema'])}")
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise UsageError(f"{printable(path)} is no verification report ({type(e).__name__})") from None
    result: dict[str, Any] = data
    return result


def record(path: Path, shown: str | None = None) -> FileRecord:
    """Name, size and digest of a file."""
    h, size = hashlib.sha256(), 0
    with open(path, "rb") as f:
        while piece := f.read(1 << 20):
            h.update(piece)
            size += len(piece)
    return FileRecord(shown or path.name, size, h.hexdigest())


def digest(items: Sequence[str]) -> str:
    """One digest of several."""
    return hashlib.sha256("\n".join(items).encode()).hexdigest()
