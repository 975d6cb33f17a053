"""ONNX -> hub -> TensorFlow.js -> Node over the cases of the onnx package (see :mod:`onnx_target`).

``python tests/conformance/tfjs_target.py [PATTERN]`` prints the verdicts of the cases whose name matches."""
from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx_cases import Case
from onnx_target import OUTSIDE, agrees, cases, converted, failed, main

from modelport.errors import RuntimeFailed
from modelport.runtimes import tfjs

LACKING = re.compile(r"(?i)float8|float6|float4|uint2|uint4|int4|int2|e8m0|uint32|uint64|element type float64|"
                     r"float64, which|complex")
"""Element types that TensorFlow.js neither has nor carries, in the name of a case or in its verdict."""
__all__ = ["LACKING", "OUTSIDE", "cases", "verdicts"]


class Node(tfjs.TensorFlowJs):
    """One process for many models."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._session: tfjs.TensorFlowJs | None = None

    def open(self, path: Path) -> tfjs.TensorFlowJs:
        if self._session is None:
            self._session = tfjs.TensorFlowJs(path, self._backend)
            return self._session
        s = self._session
        answer = s._request({"do": "open", "path": str(path), "backend": self._backend})[0]
        s.inputs = {str(k): tfjs._type(d, dims) for k, d, dims in answer["inputs"]}
        s.outputs = {str(k): tfjs._type(d, dims) for k, d, dims in answer["outputs"]}
        return s

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def verdict(case: Case, folder: Path, node: Node) -> str:
    target = folder / "target"
    shutil.rmtree(target, ignore_errors=True)
    what, hub = converted(case, target, "tfjs")
    if what:
        return what
    try:
        session = node.open(target / "model.json")
        ran = session.run({k: _carried(case.inputs[k], t.dtype) for k, t in session.inputs.items()})
    except RuntimeFailed as e:
        if "ended" in e.message:
            node.close()
            return f"crash: {e.message.splitlines()[0]}"
        return failed(e)
    return "pass" if agrees([_back(ran[name], e) for name, e in zip(hub.outputs, case.expected, strict=True)], case) \
        else "wrong"


def _carried(array: Any, dtype: Any) -> Any:
    """A feed in the element type that carries it; what does not fit is no case for this runtime."""
    array = np.asarray(array)
    return array if array.dtype == dtype else array.astype(dtype)


def _back(got: Any, expected: Any) -> Any:
    """Integers and real numbers in the type that they were carried for."""
    e = np.asarray(expected)
    kinds = {got.dtype.kind, e.dtype.kind}
    return got.astype(e.dtype) if got.dtype != e.dtype and (kinds <= set("iu") or kinds <= set("fV")) else got


def verdicts(cases: Sequence[Case]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case."""
    node = Node("cpu")
    try:
        with tempfile.TemporaryDirectory() as folder:
            for case in cases:
                yield case.name, verdict(case, Path(folder), node)
    finally:
        node.close()


if __name__ == "__main__":
    raise SystemExit(main(verdicts))
