"""ONNX -> hub -> TensorFlow Lite -> LiteRT over the cases of the onnx package (see :mod:`onnx_target`).

``python tests/conformance/tflite_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
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
LACKING = re.compile(r"(?i)float8|float6|float4|uint2|uint4|e8m0|string|complex")
"""Element types that LiteRT's files lack, or have no kernels for at all, in the name of a case or in its verdict."""


def verdict(case: Case, folder: Path, worker: isolated.Worker) -> str:
    target = folder / "target.tflite"
    what, hub = converted(case, target, "tflite")
    if what:
        return what
    for kernels in ("builtin", "plain"):  # with XNNPACK, which applications get, and without, which others do
        if (what := _run(case, target, worker, kernels, list(hub.outputs))) != "pass":
            return what
    return "pass"


def _run(case: Case, target: Path, worker: isolated.Worker, kernels: str, names: list[str]) -> str:
    try:
        session = worker.open("tflite", target, kernels=kernels, signature="serving_default")
        feeds = {k: np.asarray(v) for k, v in case.inputs.items() if k in session.inputs}
        ran = session.run(feeds)
        got = [ran[name] for name in names]  # a signature has them in alphabetical order
    except ModelportError as e:
        return failed(e, kernels)
    if kernels == "plain":
        got = [_infinite(g, e) for g, e in zip(got, case.expected, strict=False)]
    return "pass" if agrees(got, case) else f"wrong {kernels}"


def _infinite(got: Any, expected: Any) -> Any:
    """The largest finite number as infinity where infinity is expected: without XNNPACK the kernels of ADD, SUB, MUL
    and DIV clip to the finite numbers, whatever a file says
    (kernels/internal/common.h, CalculateActivationRange of NONE)."""
    g, e = np.asarray(got), np.asarray(expected)
    if g.dtype != np.float32 or g.shape != e.shape or e.dtype != np.float32:
        return got
    return np.where(np.isinf(e) & (np.abs(g) == np.finfo(np.float32).max), np.copysign(np.float32(np.inf), g), g)


def verdicts(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    return judged(cases, verdict)


if __name__ == "__main__":
    raise SystemExit(main(verdicts))
