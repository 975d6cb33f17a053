"""What a measurement found: plain records, as data and as JSON."""
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..errors import UsageError, printable
from .machine import Machine

SCHEMA = "modelport/bench/v1"


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one run with ``rows`` in the batch.

    ``noise`` is half of what lies between the fast and the slow rounds, relative to the median (see
    :func:`.measure.spread`): two measurements of the same thing may lie as far apart as their noises together.
    ``p90`` and ``p99`` need 10 and 100 runs.  ``cpu`` is processor time of all threads, ``of_fastest`` how many times
    the time of the fastest row of the report, round by round, and ``of_fastest_noise`` the noise of that; ``None`` in
    a report whose rows were not all timed side by side."""

    rows: int
    runs: int
    median: float
    p90: float | None
    p99: float | None
    least: float
    noise: float
    cpu: float
    of_fastest: float | None = None
    of_fastest_noise: float | None = None

    @property
    def rows_per_second(self) -> float:
        """Throughput of one caller that waits for each result."""
        return self.rows / self.median * 1e3 if self.median else math.inf


@dataclass(frozen=True)
class Agreement:
    """The proof of a conversion: see :class:`modelport.proof.Report`.  ``error`` is relative to the output's range,
    ``labels`` how many rows of how many have the same label."""

    verdict: str
    level: str
    error: float | None
    labels: tuple[int, int]
    headline: str


@dataclass(frozen=True)
class Row:
    """One file in one runtime.

    ``status`` is ``measured``, ``missing`` (``reason`` says how to get the runtime), ``failed`` (``reason`` is what the
    runtime said), ``unsupported`` (the format can't hold the model) or ``skipped`` (no time was left).  ``start`` are
    milliseconds from an empty process to the first result: loading the library, opening the file, the first run.
    ``memory`` is the most that the process of the runtime had at once, in bytes, its library included; ``bytes`` the
    size of the file or folder.  ``latency`` has an entry for each batch size, ``deploys`` one for each target: whether
    and why."""

    file: str
    format: str
    precision: str
    runtime: str
    title: str
    version: str = ""
    settings: str = ""
    status: str = "measured"
    reason: str = ""
    bytes: int = 0
    start: float | None = None
    opening: float | None = None
    first: float | None = None
    memory: int | None = None
    shapes: Mapping[str, str] = field(default_factory=dict)
    latency: tuple[Latency, ...] = ()
    agreement: Agreement | None = None
    deploys: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    command: str = ""

    @property
    def name(self) -> str:
        """File and runtime, which a row of another report is found by."""
        return f"{self.file} in {self.title}"


def even(row: Row, other: Row) -> bool:
    """Whether what lies between the times of two rows for one row of the batch is within their noises together."""
    a, b = row.latency[0], other.latency[0]
    low, high = sorted((a.median / a.rows, b.median / b.rows))
    return high <= low * (1 + a.noise + b.noise)


@dataclass(frozen=True)
class Measurement:
    """A table of rows, and all that is needed to repeat and to judge it."""

    tool: str
    command: str
    machine: Machine
    threads: int
    seconds: float
    seed: int
    took: float
    rows: tuple[Row, ...]
    model: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    schema: str = SCHEMA

    @property
    def measured(self) -> list[Row]:
        """The rows that have figures, the fastest first."""
        return sorted((r for r in self.rows if r.latency), key=lambda r: r.latency[0].median / r.latency[0].rows)

    def to_json(self) -> str:
        """The report as JSON, which :func:`read` reads back."""
        return json.dumps(asdict(self), indent=2)


def read(path: str | Path) -> Measurement:
    """A report that was written as JSON; :class:`UsageError` if the file is no such report."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise UsageError(f"{printable(path)} is of the schema {printable(data['schema'], 60)}, not {SCHEMA}")
        found: Measurement = _made(Measurement, data)
        return found
    except OSError as e:
        raise UsageError(f"cannot read {printable(path)}: {e.strerror or e}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{printable(path)} is no report of modelport bench or compare",
                         hint="such reports are written with --report FILE.json") from None


def row_of(data: Any) -> Row:
    """A row from its JSON."""
    made: Row = _made(Row, data)
    return made


def _made(kind: Any, data: Any) -> Any:
    """A record from its JSON, its fields as their types say."""
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    return kind(**{k: _value(hints[k], v) for k, v in data.items() if k in known})


def _value(hint: Any, v: Any) -> Any:
    inner = [a for a in get_args(hint) if is_dataclass(a)]
    if v is None:
        return None
    if is_dataclass(hint):
        return _made(hint, v)
    if isinstance(v, list):
        return tuple(_made(inner[0], x) if inner else x for x in v)
    if inner and isinstance(v, dict):
        return _made(inner[0], v)
    if isinstance(v, dict):
        return {k: tuple(x) if isinstance(x, list) else x for k, x in v.items()}
    return v
