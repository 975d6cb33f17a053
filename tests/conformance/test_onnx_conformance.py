"""ONNX -> hub -> ONNX over every case of the onnx package, compared with the tables in ``expected/``.

There is a table for each operator set written and for each way through the hub: the canonical form, the passes, the
layouts, the decompositions.  ``MODELPORT_UPDATE=1`` and ``-m slow`` write them anew; a change is a diff in review.
wrong and crash are 0, always."""
from __future__ import annotations

import os
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from onnx_cases import WAYS, Case, Route, node_cases, stored_cases, verdicts

EXPECTED = Path(__file__).parent / "expected"
OUTSIDE = re.compile(r"sequence|optional|training")
"""What the hub does not hold yet: sequences, optionals, training (the operators of ai.onnx.preview.training too)."""


TABLES = {"onnx.txt": Route(), **{f"onnx-{n}.txt": Route(n) for n in (13, 17, 20, 28)},
          **{f"onnx-{way}.txt": Route(way=way) for way in WAYS if way}}


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    return tuple(sorted(node_cases() + stored_cases(), key=lambda c: c.name))


def table(name: str) -> dict[str, str]:
    lines = (EXPECTED / name).read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def differences(name: str, some: tuple[Case, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """What was found, and what of it is not on record."""
    found = {case: got[0] for case, got in verdicts(some, (TABLES[name],))}
    if os.environ.get("MODELPORT_UPDATE") and len(some) == len(cases()):
        (EXPECTED / name).write_text("".join(f"{case} {verdict}\n" for case, verdict in found.items()))
    expected = table(name)
    return found, {k: v for k, v in found.items() if expected.get(k) != v}


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_every_case(name: str) -> None:
    found, changed = differences(name, cases())
    assert changed == {}
    assert found.keys() == table(name).keys()


@pytest.mark.parametrize("name", TABLES)
def test_some_cases(name: str) -> None:
    """Every 24th, others for each table."""
    assert differences(name, cases()[sorted(TABLES).index(name)::24])[1] == {}


def test_no_table_admits_a_wrong_result() -> None:
    assert {p.name for p in EXPECTED.glob("onnx*.txt")} == TABLES.keys()
    for name in TABLES:
        kinds = Counter(v.split()[0] for v in table(name).values())
        assert kinds.keys() <= {"pass", "unsupported", "runtime"}, name


@pytest.mark.parametrize("name", [n for n, route in TABLES.items() if route.opset is None])
def test_what_is_refused_lies_outside(name: str) -> None:
    """At the usual operator set everything passes, whatever the way, but what the hub does not hold."""
    found = table(name)
    refused = [v for v in found.values() if v.startswith("unsupported") and not OUTSIDE.search(v)]
    assert refused == []
    assert sum(v == "pass" for v in found.values()) > 1900
