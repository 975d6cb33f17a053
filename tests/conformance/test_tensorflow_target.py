"""ONNX -> hub -> TensorFlow over every case of the onnx package, compared with the table on record.

``MODELPORT_UPDATE=1`` writes it anew; a change is a diff in review.  wrong, crash and error are 0."""
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from onnx_cases import Case
from onnx_target import Record, agrees, cases, converted
from tensorflow_target import LACKING, verdicts

from modelport import runtimes
from modelport.formats.tensorflow.graphdef import legal
from modelport.runtimes import isolated

RECORD = Record("tensorflow")


@pytest.mark.oracle
def test_every_case() -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is the oracle")
    found = dict(verdicts(cases()))
    RECORD.holds(found)


@pytest.mark.oracle
@pytest.mark.parametrize("loader", ["v2", "v1"])
def test_some_cases_as_saved_models(loader: str, tmp_path: Path) -> None:
    """Every 29th that passes, by both loaders of SavedModels; a graph without inputs or with text too."""
    pytest.importorskip("tensorflow", reason="TensorFlow is the oracle")
    passing = {k for k, v in RECORD.read().items() if v == "pass"}
    with isolated.Worker() as worker:
        for k, case in enumerate([c for c in cases() if c.name in passing][::29]):
            what, hub = converted(case, tmp_path / f"{k}", "tensorflow")
            assert not what, case.name
            session = worker.open("tensorflow", tmp_path / f"{k}", loader=loader)
            ran = session.run({n: np.asarray(v) for n, v in case.inputs.items() if n in session.inputs})
            for name, want in zip(hub.outputs, case.expected, strict=True):
                _near(ran[name], want, case.name)


def _near(got: Any, want: Any, where: str) -> None:
    w = np.asarray(want)
    assert got.shape == w.shape, where
    if w.dtype.kind in "OUS":
        assert got.astype(str).tolist() == w.astype(str).tolist(), where
    else:
        kind = np.float64 if w.dtype.kind in "fV" else w.dtype
        np.testing.assert_allclose(got.astype(kind), w.astype(kind), rtol=1e-2 if w.dtype.itemsize == 2 else 1e-3,
                                   atol=1e-5, err_msg=where)


def interpreted(some: Sequence[Case], target: Path) -> dict[str, str]:
    """What becomes of cases whose graph is run by the interpreter of GraphDefs, an independent reading of TensorFlow's
    operators: no TensorFlow needed."""
    out = {}
    for case in some:
        what, hub = converted(case, target, "tensorflow")
        if not what and case.inputs:
            session = runtimes.start("graphdef", target, inputs=[legal(k) for k in case.inputs],
                                     outputs=[legal(k) for k in hub.outputs])
            ran = session.run({legal(k): np.asarray(v) for k, v in case.inputs.items()})
            what = "pass" if agrees([ran[legal(k)] for k in hub.outputs], case) else "wrong"
        out[case.name] = what or "pass"
    return out


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_some_cases_in_the_interpreter(tmp_path: Path) -> None:
    """Every 12th: what passes passes there too, what is refused is refused."""
    RECORD.agrees(interpreted(cases()[5::12], tmp_path / "a.pb"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_case_in_the_interpreter(tmp_path: Path) -> None:
    RECORD.agrees(interpreted(cases(), tmp_path / "a.pb"))


def test_nothing_on_record_is_wrong() -> None:
    RECORD.nothing_is_wrong()


def test_most_of_what_the_format_can_hold_passes() -> None:
    """Of the cases of inference whose element types the format has, at least 85 of 100."""
    RECORD.most_pass(LACKING, 0.85, 1700)
