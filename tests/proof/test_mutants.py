"""The verifier's own test: it catches every seeded bug, and flags no correct conversion."""
from __future__ import annotations

from pathlib import Path

import pytest
from equals import EQUALS
from mutants import MUTANTS, Mutant
from planted import planted

from modelport.errors import UnsupportedModel
from modelport.formats import onnx as onnx_format
from modelport.proof import bisect, verify

IDS = [m.name for m in MUTANTS]
LOSSY = {"scale per tensor for per channel", "scale along the other axis"}
"""Graphs that ONNX Runtime's own rewrites change: it multiplies dequantized int8 weights in 8 bits (18 dB)."""


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 150
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_bug_is_caught(mutant: Mutant) -> None:
    right, wrong = mutant.graphs()
    report = verify(right, wrong, isolated=False)
    assert report.verdict == "fail", report.text()
    assert any(f.outcome == "different" for f in report.feeds)
    assert not any("refuses" in o.reason or "fails" in o.reason for o in report.outputs), report.text()


@pytest.mark.parametrize("mutant", MUTANTS, ids=IDS)
def test_correct_graph_passes_in_other_opsets_and_optimised(mutant: Mutant, tmp_path: Path) -> None:
    right, _ = mutant.graphs()
    ran = 0
    if mutant.name not in LOSSY:
        report = verify(right, right, isolated=False, optimize=True)
        assert report.verdict == "pass", report.text()
        ran += 1
    for opset in (13, 22):
        try:
            raw = onnx_format.from_hub(right, opset=opset)
        except UnsupportedModel:
            continue
        path = tmp_path / f"{opset}.onnx"
        onnx_format.write(raw, path)
        report = verify(right, path, isolated=False)
        assert report.verdict == "pass", f"opset {opset}: {report.text()}"
        ran += 1
    assert ran


@pytest.mark.parametrize("pair", EQUALS, ids=[m.name for m in EQUALS])
def test_equal_formulas_pass(pair: Mutant) -> None:
    report = verify(*pair.graphs(), isolated=False)
    assert report.verdict == "pass", report.text()


def test_bisect_names_the_planted_layer(tmp_path: Path) -> None:
    """At least 95 % of the bugs, planted in a network of fifteen layers, are found at their layer."""
    missed = []
    for mutant in MUTANTS:
        found = bisect(*planted(mutant), isolated=False)
        if found is None or not found.value.startswith("bug"):
            missed.append(mutant.name)
    assert len(missed) <= 0.05 * len(MUTANTS), missed
