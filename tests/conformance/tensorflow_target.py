"""ONNX -> hub -> TensorFlow over the cases of the onnx package, as frozen graphs (see :mod:`onnx_target`).

``python tests/conformance/tensorflow_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from onnx_cases import Case
from onnx_target import OUTSIDE, agrees, cases, converted, failed, judged, main

from modelport.errors import ModelportError
from modelport.formats.tensorflow.graphdef import legal
from modelport.runtimes import isolated

__all__ = ["LACKING", "OUTSIDE", "cases", "verdicts"]
LACKING = re.compile(r"(?i)float8|float6|float4|uint2|uint4|int4|int2|e8m0")
"""Element types that TensorFlow has no arithmetic for, in the name of a case or in its verdict."""


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    target = folder / "target.pb"
    what, hub = converted(case, target, "tensorflow")
    if what:
        return what
    try:
        if not case.inputs:  # by names there have to be some
            return _saved(case, folder, worker)
        session = worker.open("tensorflow", target, inputs=[legal(k) for k in case.inputs],
                              outputs=[legal(k) for k in hub.outputs])
        ran = session.run({legal(k): np.asarray(v) for k, v in case.inputs.items()})
    except ModelportError as e:
        return failed(e)
    return "pass" if agrees([ran[legal(name)] for name in hub.outputs], case) else "wrong"


def _saved(case: Case, folder: Path, worker: isolated.Worker) -> str:
    """The case as a SavedModel."""
    target = folder / "saved"
    shutil.rmtree(target, ignore_errors=True)
    _, hub = converted(case, target, "tensorflow")
    ran = worker.open("tensorflow", target).run({k: np.asarray(v) for k, v in case.inputs.items()})
    return "pass" if agrees([ran[k] for k in hub.outputs], case) else "wrong"


def verdicts(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    return judged(cases, verdict)


if __name__ == "__main__":
    raise SystemExit(main(verdicts))
