"""The reader's verdict on every TensorFlow case is the one on record; wrong and crash do not occur."""
from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import tensorflow_cases
from dear import quick
from tensorflow_cases import CASES, EXPECTED, difference, recorded, run, write

from modelport.errors import RuntimeFailed
from modelport.formats.tensorflow.to_onnx import to_onnx
from modelport.runtimes import start

UNREACHED = {
    # spelled by the reader for what it resolves, or by rewrites: their meaning is tested with whole models
    "If", "Case", "While", "WhileStacked", "LookupTableFindV2"} | {op for op in to_onnx if op.startswith("TensorList")}


def table() -> dict[str, str]:
    return dict(line.split(maxsplit=1) for line in EXPECTED.read_text().splitlines())


def agree(names: set[str]) -> None:
    wanted = table()
    assert dict(run(names)) == {k: wanted[k] for k in names}, \
        "python tests/conformance/tensorflow_cases.py --write makes the new table"


def test_verdicts_are_those_on_record() -> None:
    assert set(table()) == CASES.keys() & recorded().keys()
    agree(quick(table()))


@pytest.mark.slow
def test_verdicts_of_dear_cases() -> None:
    agree(set(table()) - quick(table()))


def test_nothing_on_record_is_wrong() -> None:
    assert len(table()) > 380
    assert not {k: v for k, v in table().items() if v != "pass" and not v.startswith("unsupported: ")}


def test_the_interpreter_computes_every_case() -> None:
    """What it refuses it refuses; what it computes is what TensorFlow computes (``run`` compares)."""
    refused = []
    with tempfile.TemporaryDirectory() as folder:
        for name, want in recorded().items():
            case = CASES[name]
            path = write(case, Path(folder))
            session = start("graphdef", path, inputs=list(case.feeds), outputs=list(case.outputs))
            try:
                assert not difference(want, session.run(case.feeds)), name
            except RuntimeFailed:
                refused.append(case.op)
    assert set(refused) <= {"Zeta", "Polygamma", "Igamma", "Igammac", "Betainc", "Dilation2D"}


def test_rules_are_tried() -> None:
    passed = {name.partition("/")[0] for name, verdict in table().items() if verdict == "pass"}
    tried = set(to_onnx) & passed
    assert len(tried) >= 200, sorted(set(to_onnx) - passed - UNREACHED)


@pytest.mark.oracle
def test_the_record_is_what_tensorflow_computes() -> None:
    pytest.importorskip("tensorflow")
    known = recorded()
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES.values():
            if case.name in known and (case.op in tensorflow_cases.ONEDNN) == tensorflow_cases.onednn():
                path = write(case, Path(folder))
                got = start("tensorflow", path, inputs=list(case.feeds), outputs=list(case.outputs)).run(case.feeds)
                assert not tensorflow_cases.difference(known[case.name], got), case.name
