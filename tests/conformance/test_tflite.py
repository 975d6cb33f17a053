"""The reader's verdict on every TensorFlow Lite case is the one on record; wrong and crash do not occur."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
sys.path.insert(0, str(Path(__file__).parent))
from tflite_cases import CASES, run

from modelport.formats.tflite.to_onnx import to_onnx

EXPECTED = Path(__file__).parent / "expected" / "tflite.txt"


@pytest.mark.slow
def test_verdicts_are_those_on_record() -> None:
    recorded = {line[:56].strip(): line[57:] for line in EXPECTED.read_text().splitlines()}
    verdicts = dict(run())
    assert verdicts == recorded, "python tests/conformance/tflite_cases.py writes the new table"


def test_nothing_on_record_is_wrong() -> None:
    lines = EXPECTED.read_text().splitlines()
    assert len(lines) == len(CASES) > 600
    assert not [line for line in lines if line[57:].split(":")[0] not in ("pass", "unsupported")]


def test_every_rule_passes_a_case() -> None:
    passed = {line[:56].strip().split("/")[0] for line in EXPECTED.read_text().splitlines() if line[57:] == "pass"}
    passed |= {case.graph.nodes[-1].op for case in CASES.values()}  # the second operator of a case
    not_run = {"DENSIFY"}  # its input is a sparse constant, see test_container.py
    assert set(to_onnx) - passed == not_run
