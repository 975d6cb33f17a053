"""Reports as files: Markdown for a pull request, CSV for a spreadsheet, JUnit for a build server; HTML and JSON."""
from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as xml

from ..codecs.atomic import writing
from ..errors import UsageError, printable
from .baseline import Change
from .page import headlines, page
from .report import Measurement
from .text import COLUMNS, columns, rest, setting


def markdown(m: Measurement, changes: Sequence[Change] = ()) -> str:
    """Headlines, the table, what is missing, the machine."""
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"
    names = columns(m)
    out = [f"## {printable(m.model)}: measured" if m.model else "## Measured", "", *headlines(m), ""]
    if m.measured:
        out += [line(names), line(["---" if c in ("file", "runtime", "precision", "deploys on") else "---:"
                                   for c in names]),
                *(line([COLUMNS[c](r) for c in names]) for r in m.measured), ""]
    if changes:
        out += ["Against the baseline:", "", *(f"* {c.text()}" for c in changes), ""]
    out += [f"* {a}: {state}: {why}" for a, state, why in rest(m)]
    return "\n".join([*out, "", *setting(m), *m.notes, "", f"`{m.command}`", ""])


def table(m: Measurement, changes: Sequence[Change] = ()) -> str:
    """Every row and batch size, in plain numbers: milliseconds, bytes."""
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(["file", "format", "precision", "runtime", "version", "status", "rows", "median_ms", "noise",
                    "p90_ms", "p99_ms", "least_ms", "cpu_ms", "rows_per_second", "runs", "start_ms", "memory_bytes",
                    "bytes", "proof", "error", "labels_equal", "labels", "reason"])
    for r in m.rows:
        a = r.agreement
        proof = [a.level if a.verdict == "pass" else a.verdict, a.error, *a.labels] if a is not None else [""] * 4
        head = [r.file, r.format, r.precision, r.title, r.version, r.status]
        tail = [r.start, r.memory, r.bytes, *proof, r.reason]
        for x in r.latency:
            write.writerow([*head, x.rows, x.median, x.noise, x.p90, x.p99, x.least, x.cpu, x.rows_per_second, x.runs,
                            *tail])
        if not r.latency:
            write.writerow([*head, *[""] * 9, *tail])
    return out.getvalue()


def junit(m: Measurement, changes: Sequence[Change] = ()) -> str:
    """A test for each row; failures are rows that failed and lines that became slower."""
    slower = {c.name: c for c in changes if c.slower}
    suite = xml.Element("testsuite", name="modelport", tests="0")
    failures = skipped = 0
    for r in m.rows:
        time = str(r.latency[0].median / 1e3) if r.latency else "0"
        case = xml.SubElement(suite, "testcase", classname=r.file or "modelport", name=r.title or r.file, time=time)
        if (c := slower.pop(r.name, None)) is not None:
            failures += 1
            xml.SubElement(case, "failure", message=printable(c.text(), 500))
        elif r.status == "failed":
            failures += 1
            xml.SubElement(case, "failure", message=printable(r.reason, 500))
        elif not r.latency:
            skipped += 1
            xml.SubElement(case, "skipped", message=printable(r.reason, 500))
    for c in slower.values():  # measured once, not now
        failures += 1
        xml.SubElement(xml.SubElement(suite, "testcase", classname="baseline", name=c.name, time="0"), "failure",
                       message=printable(c.text(), 500))
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(failures))
    suite.set("skipped", str(skipped))
    xml.indent(suite)
    return xml.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


WRITERS: Mapping[str, Callable[[Measurement, Sequence[Change]], str]] = {
    ".html": page, ".md": markdown, ".csv": table, ".xml": junit, ".json": lambda m, _: m.to_json() + "\n"}
"""By the suffix of the file."""


def check(path: str | Path) -> None:
    """Refuses a report that could not be written, before the work is done."""
    p = Path(path)
    if p.suffix.lower() not in WRITERS:
        raise UsageError(f"--report {printable(p)}: reports are {', '.join(WRITERS)}")
    if not p.parent.is_dir():
        raise UsageError(f"there is no folder {printable(p.parent)}", hint="--report writes there")


def write(path: str | Path, m: Measurement, changes: Sequence[Change] = ()) -> None:
    """Writes the report in the form of the suffix."""
    with writing(path, force=True) as f:
        f.write(WRITERS[Path(path).suffix.lower()](m, changes).encode("utf-8"))
