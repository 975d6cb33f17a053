"""ONNX -> hub -> TensorFlow.js -> Node over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` writes it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tfjs_target import LACKING, OUTSIDE, cases, converted, verdicts

from modelport.errors import MissingDependency

EXPECTED = Path(__file__).parent / "expected" / "tfjs-target.txt"


def recorded() -> dict[str, str]:
    return dict(line.split(" ", 1) for line in EXPECTED.read_text().splitlines())


@pytest.mark.oracle
def test_every_case() -> None:
    if shutil.which("node") is None:
        pytest.skip("Node.js runs TensorFlow.js")
    try:
        found = dict(verdicts(cases()))
    except MissingDependency as e:
        pytest.skip(e.message)
    if os.environ.get("MODELPORT_UPDATE"):
        EXPECTED.write_text("".join(f"{name} {what}\n" for name, what in found.items()))
    assert {k: (v, recorded().get(k)) for k, v in found.items() if recorded().get(k) != v} == {}
    assert found.keys() == recorded().keys()


def test_some_cases_are_written(tmp_path: Path) -> None:
    """Every 16th: what is refused, and nothing else, is refused again; without Node.js."""
    want = recorded()
    for case in cases()[5::16]:
        what, _ = converted(case, tmp_path / case.name, "tfjs")
        assert what == (want[case.name] if want[case.name].startswith("unsupported") else ""), case.name


def test_nothing_on_record_is_wrong() -> None:
    kinds = Counter(v.split()[0] for v in recorded().values())
    assert kinds.keys() <= {"pass", "unsupported"}


def test_most_of_what_the_format_can_hold_passes() -> None:
    """Of the cases of inference whose element types the format has or carries, at least 70 of 100."""
    held = [v for k, v in recorded().items() if not OUTSIDE.search(v) and not LACKING.search(k + v)]
    passed = sum(v == "pass" for v in held)
    assert len(held) > 1600
    assert passed >= 0.7 * len(held), f"{passed} of {len(held)}"
