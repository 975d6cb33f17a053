"""Reductions."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ...writing import known
from ..raw import Calls
from .common import from_onnx, only, sizes


def _axes(x: Value, axes: Value | None, nothing: int) -> list[int]:
    found = known(axes, "axes") if axes is not None else []
    n = len(sizes(x))
    if not found and nothing:
        raise Unsupported("a reduction of no axis")
    return sorted(a % n for a in found) or list(range(n))


def _reduction(name: str, kernel: str, kinds: str, *more: Any) -> None:
    @from_onnx(name)
    def rule(op: Calls, x: Value, axes: Value | None = None, *, keepdims: int = 1,
             noop_with_empty_axes: int = 0) -> Any:
        only(x, kinds, name)
        if not sizes(x) or 0 in sizes(x):
            raise Unsupported("a reduction of a number, or of nothing")
        return op.call(kernel, x, _axes(x, axes, noop_with_empty_axes), bool(keepdims), *more)


_reduction("ReduceMean", "mean.out", "f", None)
_reduction("ReduceSum", "sum.IntList_out", "fi", None)
_reduction("ReduceMax", "amax.out", "fiu")
_reduction("ReduceMin", "amin.out", "fiu")


def _place(name: str, kernel: str) -> None:
    @from_onnx(name)
    def rule(op: Calls, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        only(x, "fiu", name)
        if select_last_index or not sizes(x):
            raise Unsupported("the last of several equal ones")
        return op.call(kernel, x, axis % len(sizes(x)), bool(keepdims))


_place("ArgMax", "argmax.out")
_place("ArgMin", "argmin.out")
