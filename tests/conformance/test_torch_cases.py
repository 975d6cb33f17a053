"""The verdict on every case of PyTorch is the one on record; wrong and crash do not occur."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from torch_cases import FAMILIES, expected, recorded, run


def table(family: str) -> dict[str, str]:
    return {line[:56].strip(): line[56:].strip() for line in expected(family).read_text().splitlines()}


@pytest.mark.parametrize("family", FAMILIES)
def test_verdicts_are_those_on_record(family: str) -> None:
    """From files and answers that PyTorch made, which is not needed."""
    assert dict(run(family, recorded(family))) == table(family), \
        f"python tests/conformance/torch_cases.py {family} --recorded writes the new table"


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_wrong(family: str) -> None:
    assert {k: v for k, v in table(family).items() if v.startswith(("wrong", "crash", "error"))} == {}
