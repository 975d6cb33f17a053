"""The verdict on every fitted estimator is the one on record; wrong and crash do not occur."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from tabular_cases import FAMILIES, cases, expected, recorded, recording, run


def table(family: str) -> dict[str, str]:
    return {line[:56].strip(): line[56:].strip() for line in expected(family).read_text().splitlines()}


@pytest.mark.parametrize("family", FAMILIES)
def test_verdicts_are_those_on_record(family: str) -> None:
    """From pickles and answers that the libraries made; none of them is needed."""
    assert dict(run(family, recorded(family))) == table(family), \
        f"python tests/conformance/tabular_cases.py {family} --recorded writes the new table"


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_on_record_is_wrong(family: str) -> None:
    assert set(table(family)) == set(cases(family))
    assert not {k: v for k, v in table(family).items() if v != "pass" and not v.startswith("unsupported: ")}
    assert recording(family).stat().st_size < 400_000
