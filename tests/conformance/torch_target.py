"""ONNX -> hub -> .pt2, source or TorchScript -> PyTorch over the cases of the onnx package (see :mod:`onnx_target`).

``python tests/conformance/torch_target.py [pt2|source|script] [PATTERN]`` prints the verdicts of the cases whose name
matches."""
from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from keras_target import halves
from onnx_cases import Case
from onnx_target import OUTSIDE, agrees, cases, converted, failed, judged, main

from modelport.errors import ModelportError
from modelport.runtimes import isolated

__all__ = ["LACKING", "OUTSIDE", "cases", "verdicts"]
LACKING = re.compile(r"(?i)float6|float4|uint2|uint4|int4|int2|e8m0|string|complex")
"""Element types that PyTorch has no arithmetic for, in the name of a case or in its verdict."""


def verdict(form: str, case: Case, folder: Path, worker: isolated.Worker) -> str:
    format, suffix = {"pt2": ("torch", ".pt2"), "source": ("torch-source", ".py"), "script": ("torch", ".pt")}[form]
    target = folder / f"target{suffix}"
    what, hub = converted(case, target, format)
    if what:
        return what
    try:
        if form == "pt2":
            session = worker.open("torch", target)
        else:
            session = worker.open("torch", target, inputs=[f"{k}:{v.type}" for k, v in hub.inputs.items()] or [""],
                                  outputs=list(hub.outputs))
        ran = session.run(dict(zip(session.inputs, (np.asarray(case.inputs[k]) for k in hub.inputs), strict=True)))
    except ModelportError as e:
        return failed(e)
    got = list(ran.values())
    return "pass" if agrees(got, case) or halves(got, case.expected) else "wrong"


def verdicts(cases: Sequence[Case], form: str = "pt2") -> Iterator[tuple[str, str]]:
    """Name and verdict of every case, as a program, as source or as TorchScript."""
    return judged(cases, partial(verdict, form))


if __name__ == "__main__":
    raise SystemExit(main(partial(verdicts, form=sys.argv.pop(1)) if sys.argv[1:2] and sys.argv[1] in (
        "pt2", "source", "script") else verdicts))
