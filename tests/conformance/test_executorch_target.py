"""ONNX -> hub -> ExecuTorch over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` writes it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from executorch_target import LACKING, verdicts
from onnx_target import Record, agrees, cases, converted

from modelport.errors import RuntimeFailed
from modelport.formats import executorch as format_executorch
from modelport.formats import onnx as format_onnx
from modelport.runtimes import isolated

RECORD = Record("executorch")


@pytest.mark.oracle
def test_cases_in_executorch() -> None:
    """Every ninth, as all of them take minutes; all where the record is written anew."""
    if find_spec("executorch") is None:
        pytest.skip("ExecuTorch is the oracle")
    if os.environ.get("MODELPORT_UPDATE"):
        RECORD.holds(dict(verdicts(cases())))
    else:
        RECORD.agrees(dict(verdicts(cases()[4::9])))


def test_what_is_written_is_what_is_read_back(tmp_path: Path) -> None:
    """Every seventh case: what passes there passes here, by our reader of kernels and ONNX Runtime."""
    record = RECORD.read()
    with isolated.Worker() as worker:
        for case in cases()[2::7]:
            what, hub = converted(case, tmp_path / "a.pte", "executorch")
            assert (what or "pass") == record[case.name], case.name
            if what or any(np.asarray(v).dtype.name == "float16" for v in case.expected):
                continue
            again = format_executorch.to_hub(format_executorch.read(tmp_path / "a.pte"))
            format_onnx.write(format_onnx.from_hub(again), tmp_path / "a.onnx")
            try:
                session = worker.open("onnxruntime", tmp_path / "a.onnx", optimize=False)
            except RuntimeFailed as e:
                if "Could not find an implementation" in e.message:  # of 16 bits, most often
                    continue
                raise
            given = (np.asarray(case.inputs[k]) for k in hub.inputs)
            got = session.run(dict(zip(session.inputs, given, strict=True)))
            assert agrees(list(got.values()), case), case.name


def test_nothing_on_record_is_wrong() -> None:
    RECORD.nothing_is_wrong()


def test_most_of_what_the_format_can_hold_passes() -> None:
    """Of the cases of inference whose element types the format has, at least 65 of 100: sizes are fixed, and there
    are no loops."""
    RECORD.most_pass(LACKING, 0.65, 1500)
