"""A report as one HTML file that needs no network: plots, a table that sorts, and all that is needed to repeat it."""
from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence

from . import plots
from .baseline import Change
from .report import Measurement, Row, even
from .targets import TARGETS
from .text import COLUMNS, columns, milliseconds, percent, rest, setting, size

_STYLE = """
:root{color-scheme:light dark}
:root{--page:#fcfcfb;--ink:#1f2328;--dim:#6a737d;--line:#dcdfe3;--e0:#2f6fb0;--e1:#3c9a8f;--e2:#d39a2d;--e3:#c1453b;
--en:#8b929a;--yes:#2b8a57;--no:#b0b6bd}
@media(prefers-color-scheme:dark){:root{--page:#15181c;--ink:#e4e7ea;--dim:#99a2ab;--line:#333a42;--e0:#6ba6e0;
--e1:#5cc2b5;--e2:#e3b65c;--e3:#e5756b;--en:#848c95;--yes:#55c08a;--no:#555d66}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1440px;margin:2em auto;
padding:0 1.2em}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}p{max-width:75ch}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.88em;font-variant-numeric:tabular-nums}
th,td{padding:.3em .7em;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{position:sticky;top:0;background:var(--page)}th button{all:unset;cursor:pointer;font-weight:600}
th[aria-sort=ascending] button::after{content:" \\25B2"}th[aria-sort=descending] button::after{content:" \\25BC"}
td.w,th.w{text-align:left;white-space:normal}td.w{min-width:9em}
svg{width:100%;max-width:760px;height:auto;display:block}svg text{font-size:11px;fill:var(--ink)}
svg .dim{fill:var(--dim)}svg .num{font-weight:600}.grid{stroke:var(--line);fill:none}
.e0{fill:var(--e0);stroke:var(--e0)}.e1{fill:var(--e1);stroke:var(--e1)}.e2{fill:var(--e2);stroke:var(--e2)}
.e3{fill:var(--e3);stroke:var(--e3)}.en{fill:var(--en);stroke:var(--en)}svg line{stroke-width:2}
.mark{stroke-width:2}.key{margin-right:1.2em;font-size:.88em;white-space:nowrap}
.key i{display:inline-block;width:.8em;height:.8em;
border-radius:50%;margin-right:.4em}i.e0{background:var(--e0)}i.e1{background:var(--e1)}i.e2{background:var(--e2)}
i.e3{background:var(--e3)}i.en{background:var(--en)}
.yes{color:var(--yes)}.no{color:var(--dim)}.dim{color:var(--dim)}code{font-size:.9em}
h1,p,li,dt,dd{overflow-wrap:anywhere}
dt{font-weight:600}dd{margin:0 0 .4em 1em}
"""
_SCRIPT = """
for (const table of document.querySelectorAll("table.sort")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, k) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((h) => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = (row) => row.cells[k].dataset.v, number = (v) => v !== "" && !isNaN(v);
    [...body.rows].sort((a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = number(x) && number(y) ? x - y : x.localeCompare(y);
      return up ? order : -order;
    }).forEach((row) => body.appendChild(row));
  }));
}
"""


def page(m: Measurement, changes: Sequence[Change] = ()) -> str:
    """The whole report as HTML."""
    rows, name = m.measured, html.escape(m.model or ", ".join(dict.fromkeys(r.file for r in m.rows)))
    numbers = list(range(1, len(rows) + 1))
    parts = [f"<h1>{name}</h1>", *(f"<p>{html.escape(s)}</p>" for s in headlines(m))]
    if rows:
        parts += ["<h2>Measured</h2>", _table(m, rows, numbers), '<h2 id="plots">At a glance</h2>',
                  f"<p>Numbers are those of the table.{plots.legend(rows)}</p>", plots.scatter(rows, numbers),
                  "<h2>Latency</h2>",
                  ('<p class="dim">From the fastest run to the 99th percentile; the dot is the median, the mark the '
                  "90th percentile.</p>"), plots.percentiles(rows, numbers), "<h2>Memory</h2>",
                  '<p class="dim">The most that a process with its library had at once.</p>', plots.bars(rows, numbers)]
    if any(r.deploys for r in rows):
        parts += ["<h2>Where each can be deployed</h2>", _deploys(rows)]
    if changes:
        parts += ["<h2>Against the baseline</h2>", _list(c.text() for c in changes)]
    if others := rest(m):
        parts += ["<h2>Not measured</h2>", _list(f"{a}: {state}: {why}" for a, state, why in others)]
    if m.summary:
        parts += ["<h2>The model</h2>", _summary(m)]
    made = [r for r in m.rows if r.command.startswith("modelport ")]
    parts += ["<h2>Machine and method</h2>", _list([*setting(m), *m.notes]), _versions(rows), "<h2>To repeat it</h2>",
              f"<p><code>{html.escape(m.command)}</code></p>",
              _list(f"{r.file}: {r.command}" for r in {r.file: r for r in made}.values()),
              f'<p class="dim">Written by {html.escape(m.tool)} in {m.took:.0f} s.</p>']
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width='
            f'device-width,initial-scale=1"><title>{name}: measured</title><style>{_STYLE}</style></head><body>'
            f'{"".join(parts)}<script>{_SCRIPT}</script></body></html>\n')


def headlines(m: Measurement) -> list[str]:
    """What the figures say, in a few sentences."""
    rows = m.measured
    if not rows:
        return ["Nothing could be measured."]
    best = rows[0]
    out = [(f"The fastest is {best.name}: {milliseconds(best.latency[0].median)} a run "
           f"(\u00b1{percent(best.latency[0].noise)}).")]
    near = [r for r in rows[1:] if even(r, best)]
    if near:
        out.append(f"Within the noise of it: {', '.join(r.name for r in near)}.")
    small = min(rows, key=lambda r: r.bytes)
    lean = min(rows, key=lambda r: r.memory or 1 << 62)
    out.append(f"The smallest file is {small.file} ({size(small.bytes)}); the least memory takes {lean.name} "
               f"({size(lean.memory)}).")
    return out


_KEYS: dict[str, Callable[[Row], float | None]] = {
    "latency": lambda r: r.latency[0].median, "noise": lambda r: r.latency[0].noise,
    "p90": lambda r: r.latency[0].p90, "p99": lambda r: r.latency[0].p99,
    "throughput": lambda r: max(x.rows_per_second for x in r.latency), "CPU": lambda r: r.latency[0].cpu,
    "size": lambda r: r.bytes, "memory": lambda r: r.memory, "start": lambda r: r.start,
    "error": lambda r: None if r.agreement is None else r.agreement.error}
"""What numeric columns are sorted by; the others by their words."""


def _table(m: Measurement, rows: Sequence[Row], numbers: Sequence[int]) -> str:
    names = [c for c in columns(m) if c != "deploys on"]
    words = ("file", "runtime", "precision")
    head = "".join(f'<th class="{"w" if c in words else ""}"><button>{c}</button></th>' for c in ("#", *names))
    lines = []
    for r, n in zip(rows, numbers, strict=True):
        cells = [f'<td data-v="{n}">{n}</td>']
        for c in names:
            value = _KEYS[c](r) if c in _KEYS else COLUMNS[c](r)
            key = html.escape("" if value is None else str(value))
            cells.append(f'<td class="{"w" if c in words else ""}" data-v="{key}">{html.escape(COLUMNS[c](r))}</td>')
        lines.append(f'<tr>{"".join(cells)}</tr>')
    return (f'<div class="wide"><table class="sort"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody>'
            "</table></div>")


def _deploys(rows: Sequence[Row]) -> str:
    """One line for each file: yes or no with the reason at the pointer, and all reasons below."""
    files = {r.file: r for r in rows}
    head = "".join(f"<th>{html.escape(t)}</th>" for t in TARGETS.values())
    lines, reasons = [], []
    for r in files.values():
        cells = "".join(f'<td class="{"yes" if able else "no"}" title="{html.escape(why)}">{"yes" if able else "no"}'
                        "</td>" for able, why in (r.deploys.get(t, (False, "")) for t in TARGETS))
        lines.append(f'<tr><td class="w">{html.escape(r.file)}</td>{cells}</tr>')
        said = (f"{title}: {'yes' if r.deploys[t][0] else 'no'}, {r.deploys[t][1]}"
                for t, title in TARGETS.items() if t in r.deploys)
        reasons.append(f"<dt>{html.escape(r.file)}</dt>" + "".join(f"<dd>{html.escape(s)}</dd>" for s in said))
    return (f'<div class="wide"><table><thead><tr><th class="w">file</th>{head}</tr></thead><tbody>{"".join(lines)}'
            f'</tbody></table></div><details><summary>The reasons</summary><dl>{"".join(reasons)}</dl></details>')


def _summary(m: Measurement) -> str:
    s = m.summary
    kinds = ", ".join(f"{k} {n}" for k, n in list(s.get("operators", {}).items())[:12])
    said = {"inputs": ", ".join(f"{k}: {t}" for k, t in s.get("inputs", {}).items()),
            "outputs": ", ".join(f"{k}: {t}" for k, t in s.get("outputs", {}).items()),
            "operators": f"{s.get('nodes', 0)}: {kinds}", "parameters": f"{s.get('parameters', 0):,}",
            "multiply-accumulates": "" if s.get("macs") is None else f"{s['macs']:,} a run (free sizes as 1)"}
    return f"<dl>{''.join(f'<dt>{k}</dt><dd>{html.escape(v)}</dd>' for k, v in said.items() if v)}</dl>"


def _versions(rows: Iterable[Row]) -> str:
    return _list(dict.fromkeys(f"{r.title}: {r.version}, {r.settings}" for r in rows if r.version))


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(i)}</li>' for i in items)}</ul>"
