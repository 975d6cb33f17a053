"""ONNX -> hub -> .keras -> Keras over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` and ``-m oracle`` write it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from keras_target import verdicts
from onnx_target import Record, cases

RECORD = Record("keras")


@pytest.mark.oracle
def test_every_case() -> None:
    pytest.importorskip("keras", reason="Keras is the oracle")
    found = dict(verdicts(cases()))
    RECORD.holds(found)


def test_nothing_on_record_is_wrong() -> None:
    RECORD.nothing_is_wrong()
    assert sum(v == "pass" for v in RECORD.read().values()) > 1150
