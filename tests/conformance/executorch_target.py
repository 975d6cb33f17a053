"""ONNX -> hub -> .pte -> ExecuTorch over the cases of the onnx package (see :mod:`onnx_target`).

``python tests/conformance/executorch_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from keras_target import halves
from onnx_cases import Case
from onnx_target import OUTSIDE, agrees, cases, converted, failed, judged, main

from modelport.errors import ModelportError
from modelport.runtimes import isolated

__all__ = ["LACKING", "OUTSIDE", "cases", "verdicts"]
LACKING = re.compile(r"(?i)float[468]|bfloat16|u?int[24](?![0-9])|uint(16|32|64)|e8m0|string|complex")
"""Element types that ExecuTorch has no arithmetic for, in the name of a case or in its verdict."""


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    target = folder / "target.pte"
    what, hub = converted(case, target, "executorch")
    if what:
        return what
    try:
        session = worker.open("executorch", target)
        ran = session.run(dict(zip(session.inputs, (np.asarray(case.inputs[k]) for k in hub.inputs), strict=True)))
    except ModelportError as e:
        return failed(e)
    got = list(ran.values())
    return "pass" if agrees(got, case) or halves(got, case.expected) else "wrong"


def verdicts(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    return judged(cases, verdict)


if __name__ == "__main__":
    raise SystemExit(main(verdicts))
