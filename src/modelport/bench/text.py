"""A measurement in words: the table of a terminal."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..errors import printable
from .report import Latency, Measurement, Row

_STATUS = {"measured": "measured in part", "missing": "not here", "failed": "failed", "unsupported": "not possible",
           "skipped": "skipped"}


def milliseconds(ms: float | None) -> str:
    """Three digits, in the unit that suits."""
    if ms is None:
        return "-"
    for factor, unit in ((1e3, "us"), (1.0, "ms")):
        if ms * factor < 1000:
            return f"{digits(ms * factor)} {unit}"
    return f"{digits(ms / 1e3)} s"


def digits(x: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def size(n: int | None) -> str:
    """Bytes in decimal units."""
    if n is None:
        return "-"
    if n < 1000:
        return f"{n} B"
    for unit in ("kB", "MB"):
        n /= 1000  # type: ignore[assignment]
        if n < 1000:
            return f"{digits(n)} {unit}"
    return f"{digits(n / 1000)} GB"


def percent(x: float) -> str:
    return f"{x * 100:.0f} %" if x >= 0.01 else f"{x * 100:.1f} %"


def throughput(latency: Sequence[Latency]) -> str:
    """The best of all batch sizes, and which it was."""
    best = max(latency, key=lambda x: x.rows_per_second, default=None)
    if best is None:
        return "-"
    return f"{digits(best.rows_per_second)}/s" + (f" at {best.rows}" if len(latency) > 1 else "")


def agreement(row: Row) -> tuple[str, str, str]:
    """Level of the proof, largest error, agreement of labels."""
    a = row.agreement
    if a is None:
        return "-", "-", "-"
    same, of = a.labels
    level = a.level if a.verdict == "pass" else f"{a.verdict} ({a.level})"
    return level, "-" if a.error is None else f"{a.error:.1e}", f"{same}/{of}" if of else "-"


def _of(rows: int) -> str:
    """What a latency is of, where that is more than a row."""
    return f" of {rows} rows" if rows > 1 else ""


COLUMNS: dict[str, Callable[[Row], str]] = {
    "file": lambda r: r.file, "runtime": lambda r: r.title, "precision": lambda r: r.precision or "-",
    "latency": lambda r: milliseconds(r.latency[0].median) + _of(r.latency[0].rows),
    "noise": lambda r: percent(r.latency[0].noise),
    "p90": lambda r: milliseconds(r.latency[0].p90), "p99": lambda r: milliseconds(r.latency[0].p99),
    "throughput": lambda r: throughput(r.latency), "CPU": lambda r: milliseconds(r.latency[0].cpu),
    "size": lambda r: size(r.bytes), "memory": lambda r: size(r.memory), "start": lambda r: milliseconds(r.start),
    "proof": lambda r: agreement(r)[0], "error": lambda r: agreement(r)[1], "labels": lambda r: agreement(r)[2],
    "deploys on": lambda r: " ".join(t for t, (able, _) in r.deploys.items() if able)}
"""What the columns say of a measured row."""
_PROOF = ("proof", "error", "labels", "deploys on")
_WORDS = ("file", "runtime", "precision", "deploys on")


def columns(m: Measurement, *, short: bool = False) -> list[str]:
    """The columns that a table of this report has: those of the proof where there is one; with ``short`` no more than
    a terminal has room for."""
    proof = any(r.agreement is not None or r.deploys for r in m.rows)
    leave = {*(() if proof else _PROOF), *(("p90", "p99", "CPU") if short and proof else ())}
    return [c for c in COLUMNS if c not in leave]


def rest(m: Measurement) -> list[tuple[str, str, str]]:
    """The rows without figures, or without some of them: what, in which way it lacks them, and why."""
    seen: dict[tuple[str, str, str], None] = {}
    for r in m.rows:
        if not r.latency or r.reason:
            seen[r.name if r.title else r.file, _STATUS.get(r.status, r.status), r.reason] = None
    return list(seen)


def setting(m: Measurement) -> list[str]:
    """The machine and how it was measured, in sentences."""
    where = m.machine
    lines = [f"{where.processor}, {where.cores} core{'s' * (where.cores != 1)}"
             + (f", {size(where.memory)}" if where.memory else "")
             + (f", {' '.join(where.extensions)}" if where.extensions else "") + f"; {where.system}, Python "
             f"{where.python}"]
    inputs = {tuple(r.shapes.values()): r.shapes for r in m.measured}
    first = next(iter(inputs.values()), {})
    shapes = ", ".join(f"{printable(k, 40)} {v}" for k, v in first.items())
    others = " and others" if len(inputs) > 1 else ""
    counts = {sum(math.prod(int(d) for d in s.split("x")) if s != "scalar" else 1 for s in r.shapes.values()) /
              r.latency[0].rows for r in m.measured}
    lines.append(f"{m.threads} thread{'s' * (m.threads != 1)}, {m.seconds:g} s of timing for each line, in rounds that "
                 f"alternate, over several starts; inputs {shapes or 'none'}{others}")
    if m.model and len(counts) > 1:
        lines.append("the lines had inputs of different sizes, as not all take the same: their times do not compare "
                     "(the JSON report has the sizes; --shape sets them)")
    if where.load is not None and where.load > 0.7 * where.cores:
        lines.append(f"the machine was busy when this began (load {where.load:g} on {where.cores} cores): read the "
                     "noise with the figures")
    if where.unsteady > 0.2:
        lines.append(f"the machine's pace changed by {percent(where.unsteady)} meanwhile (a fixed piece of work that "
                     "was timed between the rounds)")
    return lines


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width; words begin at the left, figures end at the right."""
    safe = [[printable(c, 80) for c in r] for r in rows]
    widths = [max(len(r[k]) for r in [list(header), *safe]) for k in range(len(header))]
    return ["  ".join(c.ljust(w) if h in _WORDS else c.rjust(w) for h, c, w in zip(header, r, widths, strict=True))
            .rstrip() for r in [list(header), *safe]]


def text(m: Measurement) -> str:
    """The report as a terminal shows it."""
    lines, header = [], columns(m, short=True)
    if m.measured:
        lines += table(header, [[COLUMNS[c](r) for c in header] for r in m.measured])
    lines += [f"{printable(a, 100)}: {state}: {printable(why, 300)}" for a, state, why in rest(m)]
    return "\n".join([*lines, *setting(m), *(printable(n, 300) for n in m.notes)])
