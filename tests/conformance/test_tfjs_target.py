"""ONNX -> hub -> TensorFlow.js -> Node over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` writes it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from onnx_target import Record, cases, converted
from tfjs_target import LACKING, verdicts

from modelport.errors import MissingDependency

RECORD = Record("tfjs")


@pytest.mark.oracle
def test_every_case() -> None:
    if shutil.which("node") is None:
        pytest.skip("Node.js runs TensorFlow.js")
    try:
        found = dict(verdicts(cases()))
    except MissingDependency as e:
        pytest.skip(e.message)
    RECORD.holds(found)


def test_some_cases_are_written(tmp_path: Path) -> None:
    """Every 16th: what is refused, and nothing else, is refused again; without Node.js."""
    want = RECORD.read()
    for case in cases()[5::16]:
        what, _ = converted(case, tmp_path / case.name, "tfjs")
        assert what == (want[case.name] if want[case.name].startswith("unsupported") else ""), case.name


def test_nothing_on_record_is_wrong() -> None:
    RECORD.nothing_is_wrong()


def test_most_of_what_the_format_can_hold_passes() -> None:
    """Of the cases of inference whose element types the format has or carries, at least 70 of 100."""
    RECORD.most_pass(LACKING, 0.7, 1600)
