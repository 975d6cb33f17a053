"""Reports: written and read back, as text, Markdown, CSV, JUnit and HTML; against a baseline; advice from them."""
from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from modelport.bench import Agreement, Latency, Measurement, Row, baseline, files, plots, read
from modelport.bench.machine import machine
from modelport.bench.page import headlines, page
from modelport.bench.recommend import BYTES, SHARES, SPANS, Limits, amount, recommend
from modelport.bench.targets import TARGETS
from modelport.bench.text import milliseconds, size, text
from modelport.errors import UsageError

YES = {t: (True, f"runs on {t}") for t in TARGETS}


def row(file: str, runtime: str, ms: float, *, bytes: int = 1000, noise: float = 0.03, error: float | None = 1e-6,
        deploys: dict[str, tuple[bool, str]] | None = None, labels: tuple[int, int] = (10, 10),
        command: str = "modelport convert a b", memory: int = 50_000_000) -> Row:
    return Row(file, file.rpartition(".")[2], "float32", runtime, f"The {runtime}", "1.0", "cpu, 1 thread",
               bytes=bytes, start=100.0, opening=60.0, first=40.0, memory=memory, shapes={"x": "1x8"},
               latency=(Latency(1, 100, ms, ms * 1.1, ms * 1.5, ms * 0.9, noise, ms, ms / 2, 0.01),
                        Latency(8, 10, ms * 4, ms * 5, None, ms * 3, noise, ms * 4)),
               agreement=None if error is None else Agreement("pass", "L3", error, labels, "proven (L3)"),
               deploys=YES if deploys is None else deploys, command=command)


MISSING = Row("m.onnx", "onnx", "float32", "openvino", "OpenVINO", status="missing", reason="pip install openvino")
FAILED = Row("m.pt2", "torch", "float32", "torch", "PyTorch", status="failed", reason="crashed | (SIGSEGV) <b>")


def report(*rows: Row, **more: object) -> Measurement:
    made = Measurement("modelport 0", "modelport compare 'm x.keras'", machine(), 1, 3.0, 0, 12.0, rows or (
        row("m.onnx", "onnxruntime", 2.0), row("m.tflite", "tflite", 4.0, bytes=500), MISSING, FAILED),
        model="m x.keras", summary={"macs": 1_000_000, "weights": 4000, "activations": 1000, "nodes": 3,
                                    "operators": {"Conv": 3}, "inputs": {"x": "float32[1, 8]"}, "parameters": 1000})
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_report_comes_back_from_json(tmp_path: Path) -> None:
    made = report()
    (tmp_path / "r.json").write_text(made.to_json())
    assert read(tmp_path / "r.json") == made


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": "other"}', '{"schema": "modelport/bench/v1"}',
                                  '{"schema": "modelport/bench/v1", "rows": 3}'])
def test_other_files_are_no_reports(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UsageError):
        read(tmp_path / "r.json")
    with pytest.raises(UsageError, match="cannot read"):
        read(tmp_path / "none.json")


def test_numbers_are_read_at_a_glance() -> None:
    assert [milliseconds(v) for v in (0.00123, 0.5, 1.5, 12.34, 999.4, 1234, None)] == \
        ["1.23 us", "500 us", "1.50 ms", "12.3 ms", "999 ms", "1.23 s", "-"]
    assert [size(v) for v in (5, 1500, 2_500_000, 3_000_000_000, None)] == ["5 B", "1.50 kB", "2.50 MB", "3.00 GB", "-"]


def test_what_is_within_the_noise_of_the_fastest() -> None:
    """By the medians and both noises, whatever the row was the fastest of when it was timed: another run, alone."""
    def alone(r: Row) -> Row:
        return replace(r, latency=(replace(r.latency[0], of_fastest=1.0, of_fastest_noise=0.01),))
    said = " ".join(headlines(report(row("a.onnx", "ort", 1.0), alone(row("b.onnx", "ort", 1.05)),
                                     alone(row("c.onnx", "ort", 3.0)))))
    assert "Within the noise of it: b.onnx in The ort." in said and "c.onnx" not in said


def test_batches_that_were_refused_are_told() -> None:
    partly = replace(row("m.onnx", "ort", 1.0), reason="8 rows: no memory")
    for said in (text(report(partly)), files.markdown(report(partly)), page(report(partly))):
        assert "m.onnx in The ort: measured in part: 8 rows: no memory" in said
    assert "in part" not in text(report())


def test_inputs_of_different_sizes_are_told() -> None:
    """Not of several models, nor where the same elements lie in another order or number of rows."""
    other = replace(row("m.tflite", "tflite", 4.0), shapes={"x": "1x16"})
    assert "do not compare" in text(report(row("m.onnx", "ort", 1.0), other))
    assert "do not compare" not in text(report(row("m.onnx", "ort", 1.0), other, model=""))
    same = [replace(other, shapes={"x": "2x4", "n": "scalar"}), replace(other, shapes={"y": "4x2", "n": "scalar"})]
    assert "do not compare" not in text(report(*same))


def test_axes_have_ticks_however_near_the_values_are() -> None:
    for times in ((2.0, 2.2), (2.0, 2.0), (0.002, 900.0)):
        made = plots.scatter([row("m.onnx", "ort", times[0], bytes=5432), row("n.onnx", "ort", times[1], bytes=5432)],
                             [1, 2])
        ends = [re.findall(rf'text-anchor="{a}">([\d.,]+ \w+)<', made) for a in ("middle", "end")]
        assert all(3 <= len(set(e)) == len(e) <= 12 for e in ends), ends


def test_colours_are_told_where_there_are_any() -> None:
    assert "Colour is" in page(report()) and "Colour is" not in page(report(row("m.onnx", "ort", 1.0, error=None)))


def test_a_latency_of_several_rows_says_so() -> None:
    eight = row("m.onnx", "ort", 2.0)
    said = text(report(replace(eight, latency=(replace(eight.latency[0], rows=8),))))
    assert "2.00 ms of 8 rows" in said and "of 1 row" not in said


def test_the_terminal() -> None:
    said = text(report())
    lines = said.splitlines()
    assert lines[0].split()[:3] == ["file", "runtime", "precision"]
    assert lines[1].startswith("m.onnx") and lines[2].startswith("m.tflite")
    assert "500/s at 1" not in said and "1,000/s at 8" in lines[1]
    assert "m.onnx in OpenVINO: not here: pip install openvino" in said
    assert "m.pt2 in PyTorch: failed: crashed" in said


def test_markdown_and_csv(tmp_path: Path) -> None:
    said = files.markdown(report())
    cells = [line.count(" | ") for line in said.splitlines() if line.startswith("|")]
    assert len(set(cells)) == 1 and len(cells) == 4
    assert r"crashed | (SIGSEGV)" in said  # in a list, not in the table
    rows = list(csv.DictReader(io.StringIO(files.table(report()))))
    assert len(rows) == 6 and rows[0]["median_ms"] == "2.0" and rows[1]["rows"] == "8"
    assert rows[-1]["status"] == "failed" and rows[-1]["reason"] == FAILED.reason


def test_junit() -> None:
    slow = baseline.changes(report(), report(row("m.onnx", "onnxruntime", 1.0)), 0.1)
    suite = xml.fromstring(files.junit(report(), slow))
    assert suite.attrib["tests"] == "4" and suite.attrib["failures"] == "2" and suite.attrib["skipped"] == "1"
    failed = {c.attrib["classname"] for c in suite if c.find("failure") is not None}
    assert failed == {"m.onnx", "m.pt2"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_needs_no_network_and_escapes_names() -> None:
    bad = row('<script>alert("x")</script>.onnx', "onnxruntime", 1.0)
    made = page(report(bad, FAILED, model="<img src=x>"))
    tags = _Tags()
    tags.feed(made)
    assert not [t for t, a in tags.found if a.get("src") or a.get("href") or t in ("link", "iframe", "object")]
    assert [t for t, _ in tags.found].count("script") == 1 and "<img" not in made and 'alert("x")' not in made
    assert not re.search(r"https?://|@import|url\(", made)
    assert [t for t, _ in tags.found].count("svg") == 3


def test_a_page_without_figures() -> None:
    made = page(report(MISSING, summary={}))
    assert "<svg" not in made and "Nothing could be measured" in made and "pip install openvino" in made


def test_headlines_name_what_is_even() -> None:
    first = row("a.onnx", "onnxruntime", 2.0)
    even = row("b.tflite", "tflite", 2.02, bytes=10)
    even = replace(even, latency=(replace(even.latency[0], of_fastest=1.01, of_fastest_noise=0.05),))
    said = " ".join(headlines(report(first, even)))
    for part in ("fastest is a.onnx", "Within the noise of it: b.tflite", "smallest file is b.tflite"):
        assert part in said


class TestBaseline:
    def test_slower_by_more_than_noise_and_bound(self) -> None:
        old = report(row("m.onnx", "onnxruntime", 2.0))
        for ms, slower, faster in ((2.05, False, False), (2.2, False, False), (2.4, True, False), (1.5, False, True)):
            (change,) = baseline.changes(report(row("m.onnx", "onnxruntime", ms)), old, 0.1)
            assert (change.slower, change.faster) == (slower, faster), ms
            assert ("SLOWER" in change.text()) is slower

    def test_a_line_that_is_gone_counts_as_slower(self) -> None:
        (change,) = baseline.changes(report(MISSING), report(row("m.tflite", "tflite", 2.0)))
        assert change.slower and change.gone and "not measured any more" in change.text()

    def test_other_machines_are_told(self) -> None:
        here = replace(machine(), yardstick=1.0)
        other = replace(here, processor="another", yardstick=2.0)
        said = baseline.warnings(report(machine=here, threads=2), report(machine=other))
        assert len(said) == 3 and "another processor" in said[0] and "50 % faster" in said[2]
        assert not baseline.warnings(report(machine=here), report(machine=here))
        (said,) = baseline.warnings(report(machine=here), report(row("o.onnx", "onnxruntime", 1.0), machine=here))
        assert "something else" in said


class TestAdvice:
    def test_the_fastest_that_fits(self) -> None:
        only = {**YES, "browser": (False, "no runtime there")}
        rows = (row("a.pt2", "torch", 1.0, deploys=only), row("b.onnx", "onnxruntime", 2.0),
                row("c.tflite", "tflite", 5.0))
        advice = recommend(report(*rows), "browser")
        assert advice.best is rows[1] and [r.file for r in advice.ranked] == ["b.onnx", "c.tflite"]
        said = advice.text().splitlines()
        assert said[0].startswith("for browser: b.onnx") and "2.50 times as fast as c.tflite" in said[0]
        assert "proven against the original framework" in said[1] and said[2] == "modelport convert a b"
        assert any("not measured on browser" in line for line in said)
        assert any(line.startswith("estimated: 1,000,000 multiply-accumulates") for line in said)

    def test_within_the_noise_the_smaller_file_wins(self) -> None:
        rows = (row("a.onnx", "onnxruntime", 2.00, bytes=900), row("b.tflite", "tflite", 2.05, bytes=100),
                row("c.tflite", "tflite", 2.01, bytes=95, error=1e-3))  # hardly smaller, less exact
        advice = recommend(report(*rows), "cloud")
        assert advice.best is rows[1] and "within the noise, and nearer to the source" in advice.text()
        assert "within the noise, and smaller" in recommend(report(*rows[:2]), "cloud").text()
        assert not advice.estimated

    def test_limits(self) -> None:
        rows = (row("a.onnx", "onnxruntime", 2.0, bytes=900), row("b.tflite", "tflite", 9.0, bytes=100),
                row("c.tflite", "tflite", 3.0, labels=(5, 10)))
        assert recommend(report(*rows), "cloud", Limits(size=500)).best is rows[1]
        (refused,) = recommend(report(*rows), "cloud", Limits(latency=5)).refused
        assert refused == ("b.tflite in The tflite", "9.00 ms, more than 5.00 ms a run")
        assert "labels 5 of 10" in recommend(report(*rows), "cloud", Limits(agreement=0.9)).text()
        none = recommend(report(*rows), "cloud", Limits(latency=0.1))
        assert none.best is None and "nothing that was measured fits cloud" in none.text()
        assert recommend(report(*rows), "android", Limits(latency=0.1)).best is not None  # not measured there ...
        assert "were not judged" in recommend(report(*rows), "android", Limits(latency=0.1)).text()  # ... and said

    def test_the_runtime_nearest_to_the_target_speaks_for_a_file(self) -> None:
        rows = (row("a.onnx", "openvino", 1.0), row("a.onnx", "onnxruntime", 2.0), row("b.tflite", "tflite", 1.5))
        assert [r.runtime for r in recommend(report(*rows), "android").ranked] == ["tflite", "onnxruntime"]
        assert recommend(report(*rows), "cloud").best is rows[0]

    @pytest.mark.parametrize(("given", "units", "number"), [
        ("10ms", SPANS, 10), ("2s", SPANS, 2000), ("500 us", SPANS, 0.5), ("5MB", BYTES, 5e6), ("5", BYTES, 5),
        ("99%", SHARES, 0.99), ("0.5", SHARES, 0.5), ("x", BYTES, None), ("5parsec", BYTES, None),
        ("-3MB", BYTES, None), ("nan", BYTES, None)])
    def test_amounts(self, given: str, units: dict[str, float], number: float | None) -> None:
        assert amount(given, units) == (None if number is None else pytest.approx(number))

    def test_as_json(self) -> None:
        data = json.loads(json.dumps(recommend(report(), "edge").as_data()))
        assert data["target"] == "edge" and data["ranked"][0]["file"] == "m.onnx"


@pytest.mark.parametrize("name", ["r.txt", "r", "nowhere/r.html"])
def test_reports_that_could_not_be_written_are_refused_early(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        files.check(tmp_path / name)


@pytest.mark.parametrize("suffix", list(files.WRITERS))
def test_every_form_is_written(suffix: str, tmp_path: Path) -> None:
    files.write(tmp_path / f"r{suffix}", report(), baseline.changes(report(), report()))
    assert (tmp_path / f"r{suffix}").stat().st_size > 400

    def test_only_comparisons_say_where_files_can_be_deployed(self) -> None:
        """The report of a bench says nothing of it; that is no yes."""
        with pytest.raises(UsageError, match="one of modelport bench"):
            recommend(report(row("m.onnx", "onnxruntime", 1.0, deploys={})), "mcu")

    def test_labels_that_do_not_exist_are_not_judged(self) -> None:
        numbers = report(row("m.onnx", "onnxruntime", 1.0, labels=(0, 0)))
        assert "least agreement was not judged" in recommend(numbers, "cloud", Limits(agreement=0.99)).text()

    def test_factors_are_of_one_row_of_the_batch(self) -> None:
        many = row("m.onnx", "onnxruntime", 8.0)
        many = replace(many, latency=(replace(many.latency[0], rows=8),))
        assert "2.00 times as fast as m.tflite" in recommend(report(many, row("m.tflite", "tflite", 2.0)),
                                                             "cloud").text()
