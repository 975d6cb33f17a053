"""ONNX -> hub -> .keras -> Keras over the cases of the onnx package (see :mod:`onnx_target`).

``python tests/conformance/keras_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx_cases import Case
from onnx_target import OUTSIDE, agrees, cases, converted, failed, judged, main

from modelport.errors import ModelportError
from modelport.runtimes import isolated

__all__ = ["LACKING", "OUTSIDE", "cases", "verdicts"]
LACKING = re.compile(r"(?i)float8|float6|float4|int2|int4|e8m0|string|complex")
"""Element types that nets of Keras lack, in the name of a case or in its verdict."""


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    target = folder / "target.keras"
    what, hub = converted(case, target, "keras")
    if what:
        return what
    try:
        session = worker.open("keras", target)
        ran = session.run(dict(zip(session.inputs, (np.asarray(case.inputs[k]) for k in hub.inputs), strict=True)))
    except ModelportError as e:
        return failed(e)
    got = list(ran.values())
    return "pass" if agrees(got, case) or halves(got, case.expected) else "wrong"


def halves(got: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Whether numbers of 16 bits are the same within the roundings of a few operators, each of which rounds to 16 bits
    here, where the reference rounds once: four units in the last place of the largest."""
    for g, e in zip(got, expected, strict=True):
        a, b = np.asarray(g), np.asarray(e)
        if a.shape != b.shape or a.dtype != b.dtype or a.dtype.name not in ("float16", "bfloat16"):
            return False
        x, y = a.astype(np.float64), b.astype(np.float64)
        step = 2.0 ** (-10 if a.dtype == np.float16 else -7)
        if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.abs(x - y).max(initial=0) > 4 * step * np.abs(
                y).max(initial=0):
            return False
    return True


def verdicts(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    return judged(cases, verdict)


if __name__ == "__main__":
    raise SystemExit(main(verdicts))
