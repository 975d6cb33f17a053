"""ONNX -> hub -> .keras -> Keras over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` and ``-m oracle`` write it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from keras_target import cases, verdicts

EXPECTED = Path(__file__).parent / "expected" / "keras-target.txt"


def recorded() -> dict[str, str]:
    return dict(line.split(" ", 1) for line in EXPECTED.read_text().splitlines())


@pytest.mark.oracle
def test_every_case() -> None:
    pytest.importorskip("keras", reason="Keras is the oracle")
    found = dict(verdicts(cases()))
    if os.environ.get("MODELPORT_UPDATE"):
        EXPECTED.write_text("".join(f"{name} {what}\n" for name, what in found.items()))
    assert {k: (v, recorded().get(k)) for k, v in found.items() if recorded().get(k) != v} == {}
    assert found.keys() == recorded().keys()


def test_nothing_on_record_is_wrong() -> None:
    kinds = Counter(v.split()[0] for v in recorded().values())
    assert kinds.keys() <= {"pass", "unsupported"}
    assert kinds["pass"] > 1150
