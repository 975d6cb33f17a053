"""The plots of a report as SVG: plain shapes, coloured by classes of the page's style sheet."""
from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable, Sequence

from .report import Row
from .text import milliseconds, size

WIDTH, LEFT, RIGHT, LINE = 760, 64, 20, 22
NAMES = 330
"""Room for the names of rows, where each has a line of its own."""
_MANTISSAS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), tuple(k / 10 for k in range(10, 100)))
"""Round values of axes, from the widest ranges to the narrowest."""
_ERRORS = ((1e-5, "e0", "up to 1e-5"), (1e-3, "e1", "up to 1e-3"), (1e-1, "e2", "up to 0.1"), (math.inf, "e3", "more"))
"""Classes of the largest error relative to the output's range, and what the legend calls them."""


def shade(row: Row) -> str:
    """The class of a row's colour, by its largest error."""
    error = None if row.agreement is None else row.agreement.error
    if error is None:
        return "en"
    return next(name for bound, name, _ in _ERRORS if error <= bound)


def legend(rows: Sequence[Row]) -> str:
    """What the colours mean, if they mean anything."""
    if all(shade(r) == "en" for r in rows):
        return ""
    return " Colour is the largest error, relative to the output's range: " + " ".join(
        f'<span class="key"><i class="{c}"></i>{text}</span>' for c, text in (
        *((c, t) for _, c, t in _ERRORS), ("en", "not compared (the source itself)")))


def scatter(rows: Sequence[Row], numbers: Sequence[int]) -> str:
    """Latency of a row against the size of the file, both logarithmic; a number stands at each point."""
    height = 340
    xs = _scale([max(r.bytes, 1) for r in rows], LEFT, WIDTH - RIGHT)
    ys = _scale([r.latency[0].median for r in rows], height - 40, 16)
    parts = [_axis(xs, height - 40, lambda v: size(int(v)), across=True), _axis(ys, LEFT, milliseconds, across=False),
             _text(WIDTH - RIGHT, height - 4, "size of the file", "end", "dim"),
             _text(4, 12, "latency of one run, median", "start", "dim")]
    taken: list[tuple[float, float]] = []
    for r, n in zip(rows, numbers, strict=True):
        x, y = xs(max(r.bytes, 1)), ys(r.latency[0].median)
        ly = y
        while any(abs(x + 11 - a) < 22 and abs(ly - b) < 11 for a, b in taken):
            ly -= 11  # numbers of points close together go upwards
        taken.append((x + 11, ly))
        if y - ly > 11:
            parts.append(f'<path class="grid" d="M{x:.1f} {y:.1f}L{x + 10:.1f} {ly:.1f}"/>')
        parts.append(f'<circle class="{shade(r)}" cx="{x:.1f}" cy="{y:.1f}" r="6"><title>{_title(r)}</title></circle>')
        parts.append(_text(x + 9, ly + 4, str(n), "start", "num"))
    return _svg(height, parts, "latency against size of the file")


def percentiles(rows: Sequence[Row], numbers: Sequence[int]) -> str:
    """A line for each row from the fastest run to the 99th percentile, with marks at the median and the 90th."""
    height = LINE * len(rows) + 40
    values = [v for r in rows for v in (r.latency[0].least, r.latency[0].p99 or r.latency[0].median)]
    xs = _scale(values, NAMES, WIDTH - RIGHT)
    parts = [_axis(xs, height - 30, milliseconds, across=True)]
    for k, (r, n) in enumerate(zip(rows, numbers, strict=True)):
        y, one = 14 + k * LINE, r.latency[0]
        end = one.p99 or one.p90 or one.median
        parts += [_name(r, n, y),
                  f'<line class="{shade(r)}" x1="{xs(one.least):.1f}" x2="{xs(end):.1f}" y1="{y}" y2="{y}"/>',
                  (f'<circle class="{shade(r)}" cx="{xs(one.median):.1f}" cy="{y}" r="5"><title>{_title(r)}</title>'
                  "</circle>")]
        if one.p90 is not None:
            parts.append(f'<path class="{shade(r)} mark" d="M{xs(one.p90):.1f} {y - 6}v12"/>')
    return _svg(height, parts, "latency: fastest run, median, 90th and 99th percentile")


def bars(rows: Sequence[Row], numbers: Sequence[int]) -> str:
    """The memory of each row's process."""
    height = LINE * len(rows) + 16
    most = max((r.memory or 0) for r in rows) or 1
    parts = []
    for k, (r, n) in enumerate(zip(rows, numbers, strict=True)):
        y, wide = 14 + k * LINE, (r.memory or 0) / most * (WIDTH - NAMES - RIGHT - 60)
        parts += [_name(r, n, y),
                  (f'<rect class="{shade(r)}" x="{NAMES}" y="{y - 7}" width="{wide:.1f}" height="14"><title>{_title(r)}'
                  "</title></rect>"), _text(NAMES + wide + 6, y + 4, size(r.memory), "start", "dim")]
    return _svg(height, parts, "memory of each process")


def _scale(values: Iterable[float], low: float, high: float) -> Callable[[float], float]:
    """A logarithmic scale from values to places, with some room at both ends."""
    found = [math.log10(v) for v in values if v > 0] or [0.0]
    a, b = min(found), max(found)
    pad = max(0.08 * (b - a), 0.05)
    a, b = a - pad, b + pad

    def place(v: float) -> float:
        return low + (math.log10(max(v, 1e-12)) - a) / (b - a) * (high - low)
    place.ends = (10 ** a, 10 ** b)  # type: ignore[attr-defined]
    return place


def _axis(scale: Callable[[float], float], at: float, words: Callable[[float], str], *, across: bool) -> str:
    """Ticks at round values."""
    low, high = scale.ends  # type: ignore[attr-defined]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in _MANTISSAS:
        ticks = [m * 10.0 ** e for e in powers for m in mantissas if low <= m * 10.0 ** e <= high]
        if len(ticks) >= 3:
            break
    out = []
    for t in ticks:
        p = scale(t)
        said = _round(words(t))
        out += [f'<path class="grid" d="M{p:.1f} 8V{at}"/>', _text(p, at + 16, said, "middle", "dim")] if across else \
            [f'<path class="grid" d="M{at} {p:.1f}H{WIDTH - RIGHT}"/>', _text(at - 6, p + 4, said, "end", "dim")]
    return "".join(out)


def _round(words: str) -> str:
    """Without zeros behind the point: ticks are round."""
    return re.sub(r"\.0+ ", " ", words)


def _name(r: Row, number: int, y: float) -> str:
    words = f"{r.file}, {r.title}"
    return (_text(18, y + 4, str(number), "end", "num")
            + _text(26, y + 4, words if len(words) < 52 else words[:50] + "\u2026", "start", "dim"))


def _text(x: float, y: float, words: str, anchor: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(words)}</text>'


def _title(r: Row) -> str:
    return html.escape(f"{r.name}: {milliseconds(r.latency[0].median)}, {size(r.bytes)}")


def _svg(height: float, parts: Iterable[str], label: str) -> str:
    return (f'<svg role="img" aria-label="{html.escape(label)}" viewBox="0 0 {WIDTH} {height}">{"".join(parts)}</svg>')
