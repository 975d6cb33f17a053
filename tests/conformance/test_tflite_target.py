"""ONNX -> hub -> TensorFlow Lite -> LiteRT over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` and ``-m slow`` write it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
sys.path.insert(0, str(Path(__file__).parent))
from tflite_target import LACKING, OUTSIDE, cases, verdicts

EXPECTED = Path(__file__).parent / "expected" / "tflite-target.txt"


def recorded() -> dict[str, str]:
    return dict(line.split(" ", 1) for line in EXPECTED.read_text().splitlines())


@pytest.mark.slow
def test_every_case() -> None:
    found = dict(verdicts(cases()))
    if os.environ.get("MODELPORT_UPDATE"):
        EXPECTED.write_text("".join(f"{name} {what}\n" for name, what in found.items()))
    assert {k: (v, recorded().get(k)) for k, v in found.items() if recorded().get(k) != v} == {}
    assert found.keys() == recorded().keys()


def test_some_cases() -> None:
    """Every 16th."""
    found = dict(verdicts(cases()[5::16]))
    assert {k: v for k, v in found.items() if recorded()[k] != v} == {}


def test_nothing_on_record_is_wrong() -> None:
    kinds = Counter(v.split()[0] for v in recorded().values())
    assert kinds.keys() <= {"pass", "unsupported"}


def test_most_of_what_the_format_can_hold_passes() -> None:
    """Of the cases of inference whose element types the format has, at least 85 of 100."""
    held = [v for k, v in recorded().items() if not OUTSIDE.search(v) and not LACKING.search(k + v)]
    passed = sum(v == "pass" for v in held)
    assert len(held) > 1700
    assert passed >= 0.85 * len(held), f"{passed} of {len(held)}"
