"""What the rules share."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Rules
from ....ir.types import DType, Type
from ..raw import Calls

from_onnx = Rules("the hub", "ExecuTorch")
F32, F64, I64, BOOL = (np.dtype(t) for t in (np.float32, np.float64, np.int64, np.bool_))


def sizes(x: Value) -> list[int]:
    return [d for d in x.shape or () if isinstance(d, int)]


def cast(op: Calls, x: Value, dtype: DType) -> Any:
    return x if x.dtype == dtype else op.call("_to_copy.out", x, False, None, type=Type(dtype, x.shape))


def viewed(op: Calls, x: Value, shape: Sequence[int]) -> Any:
    shape = [int(n) for n in shape]
    return x if sizes(x) == shape else op.call("view_copy.out", x, shape, type=Type(x.dtype, tuple(shape)))


def permuted(op: Calls, x: Value, perm: Sequence[int]) -> Any:
    perm = [int(p) for p in perm]
    if perm == list(range(len(perm))):
        return x
    shape = sizes(x)
    return op.call("permute_copy.out", x, perm, type=Type(x.dtype, tuple(shape[p] for p in perm)))


def expanded(op: Calls, x: Value, shape: Sequence[int]) -> Any:
    shape = [int(n) for n in shape]
    return x if sizes(x) == shape else op.call("expand_copy.out", x, shape, False, type=Type(x.dtype, tuple(shape)))


def sliced(op: Calls, x: Value, axis: int, start: int, end: int, step: int = 1) -> Any:
    shape = sizes(x)
    shape[axis] = len(range(start, end, step))
    return x if shape == sizes(x) and step == 1 else op.call("slice_copy.Tensor_out", x, axis, start, end, step,
                                                             type=Type(x.dtype, tuple(shape)))


def only(x: Value, kinds: str, what: str = "") -> None:
    """Refuses element types that a kernel does not compute: kinds of numpy."""
    if x.dtype.kind not in kinds:
        raise Unsupported(f"{what or 'a kernel'} of {x.dtype}")
