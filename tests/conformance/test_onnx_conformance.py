"""ONNX -> hub -> ONNX over every case of the onnx package, compared with the tables in ``expected/``.

``MODELPORT_UPDATE=1`` writes the tables anew; a change is a diff in review.  wrong and crash are 0, always."""
from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from onnx_cases import Case, node_cases, stored_cases, verdicts

EXPECTED = Path(__file__).parent / "expected"
OUTSIDE = re.compile(r"sequence|optional|training")
"""What the hub does not hold yet: sequences, optionals, training (the operators of ai.onnx.preview.training too)."""


def cases() -> tuple[Case, ...]:
    return tuple(sorted(node_cases() + stored_cases(), key=lambda c: c.name))


def table(name: str) -> dict[str, str]:
    lines = (EXPECTED / name).read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def check(name: str, opset: int | None, some: tuple[Case, ...]) -> dict[str, str]:
    found = {case: got[0] for case, got in verdicts(some, (opset,))}
    if os.environ.get("MODELPORT_UPDATE") and len(some) == len(cases()):
        (EXPECTED / name).write_text("".join(f"{case} {verdict}\n" for case, verdict in found.items()))
    expected = table(name)
    assert {k: v for k, v in found.items() if expected.get(k) != v} == {}
    return found


def test_every_case_at_the_usual_operator_set() -> None:
    found = check("onnx.txt", None, cases())
    assert found.keys() == table("onnx.txt").keys()
    kinds = Counter(v.split()[0] for v in found.values())
    assert kinds["wrong"] == kinds["crash"] == kinds["error"] == 0
    assert kinds["pass"] > 1900
    assert [k for k, v in found.items() if v.startswith("unsupported") and not OUTSIDE.search(v)] == []


@pytest.mark.slow
@pytest.mark.parametrize("opset", [13, 17, 20, 28])
def test_every_case_in_an_older_operator_set(opset: int) -> None:
    found = check(f"onnx-{opset}.txt", opset, cases())
    assert Counter(v.split()[0] for v in found.values() if v.split()[0] in ("wrong", "crash", "error")) == {}


@pytest.mark.parametrize("opset", [13, 17])
def test_some_cases_in_an_older_operator_set(opset: int) -> None:
    check(f"onnx-{opset}.txt", opset, cases()[::16])


def test_no_table_admits_a_wrong_result() -> None:
    for path in EXPECTED.glob("onnx*.txt"):
        assert not [line for line in path.read_text().splitlines()
                    if line.split()[1] in ("wrong", "crash", "error")], path.name
