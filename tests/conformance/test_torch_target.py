"""ONNX -> hub -> PyTorch over every case of the onnx package, as programs and as source, compared with the tables on
record.

``MODELPORT_UPDATE=1`` and ``-m oracle`` write them anew; a change is a diff in review.  wrong, crash and error are
0."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from onnx_target import Record, cases
from torch_target import LACKING, verdicts

RECORDS = {"pt2": Record("torch"), "source": Record("torch-source"), "script": Record("torch-script")}


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", RECORDS)
def test_every_case(form: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is the oracle")
    RECORDS[form].holds(dict(verdicts(cases(), form)))


@pytest.mark.parametrize("form", RECORDS)
def test_nothing_on_record_is_wrong(form: str) -> None:
    RECORDS[form].nothing_is_wrong()


@pytest.mark.parametrize("form", RECORDS)
def test_most_of_what_pytorch_can_hold_passes(form: str) -> None:
    """Of the cases of inference whose element types it has, at least 85 of 100."""
    RECORDS[form].most_pass(LACKING, 0.85, 1700)
