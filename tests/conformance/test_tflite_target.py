"""ONNX -> hub -> TensorFlow Lite -> LiteRT over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` and ``-m slow`` write it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
sys.path.insert(0, str(Path(__file__).parent))
from onnx_target import Record, cases
from tflite_target import LACKING, verdicts

RECORD = Record("tflite")


@pytest.mark.slow
def test_every_case() -> None:
    found = dict(verdicts(cases()))
    RECORD.holds(found)


def test_some_cases() -> None:
    """Every 16th."""
    RECORD.agrees(dict(verdicts(cases()[5::16])))


def test_nothing_on_record_is_wrong() -> None:
    RECORD.nothing_is_wrong()


def test_most_of_what_the_format_can_hold_passes() -> None:
    """Of the cases of inference whose element types the format has, at least 85 of 100."""
    RECORD.most_pass(LACKING, 0.85, 1700)
