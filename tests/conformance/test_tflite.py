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


def recorded() -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in EXPECTED.read_text().splitlines())


@pytest.mark.slow
def test_verdicts_are_those_on_record() -> None:
    assert dict(run()) == recorded(), "python tests/conformance/tflite_cases.py writes the new table"


def test_nothing_on_record_is_wrong() -> None:
    assert len(recorded()) == len(CASES) > 600
    assert not {k: v for k, v in recorded().items() if v != "pass" and not v.startswith("unsupported: ")}


def test_every_rule_passes_a_case() -> None:
    passed = {name.split("/")[0] for name, verdict in recorded().items() if verdict == "pass"}
    passed |= {case.graph.nodes[-1].op for name, case in CASES.items() if recorded()[name] == "pass"}
    # the first has a sparse constant, the second a filled table: see test_container.py and test_custom.py
    not_run = {"DENSIFY", "HASHTABLE_FIND"}
    others = {op for op in to_onnx if op.startswith(("custom.", "flex."))}  # LiteRT lacks them: see test_custom.py
    assert set(to_onnx) - passed - others == not_run
