"""What the rules of several families share.

A rule makes nodes of the dialect of :mod:`..raw`; its result is cast to the type that the hub states."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Rules
from ....ir.tensor import Tensor
from ....ir.types import DType, Type, dtype_name, is_float
from ...writing import rank
from ..raw import At, is_number

from_onnx = Rules("ONNX", "PyTorch")
BOOL, F16, F32, F64, I8, U8, I16, I32, I64 = map(np.dtype, ("?", "f2", "f4", "f8", "i1", "u1", "i2", "i4", "i8"))
BF16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = frozenset({F16, F32, F64, BF16})
INTS = frozenset({I8, U8, I16, I32, I64})
NUMERIC = FLOATS | INTS


def held(values: Sequence[Value | None], kinds: frozenset[DType] = NUMERIC) -> None:
    """Refuses element types that the kernel does not compute."""
    for v in values:
        if v is not None and v.dtype not in kinds:
            raise Unsupported(f"element type {dtype_name(v.dtype)}")


def cast(at: At, x: Value, dtype: Any) -> Value:
    """``x`` in another element type; a constant stays one."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.data is not None and x.dtype != object:
        return constant(x.numpy().astype(dtype), name=x.name)
    made: Value = at("to.dtype", x, dtype, type=Type(dtype, x.shape))
    if dtype.kind in "iu" and x.dtype.kind in "iu":
        made.elements = x.elements
    return made


def scalar(v: Value | None, beside: Value | None = None) -> Any:
    """A constant of one element as a number of Python, if that changes no shape beside ``beside``; else ``None``."""
    if v is None or v.data is None or v.type.size != 1 or v.dtype == object:
        return None
    if beside is not None and (beside.rank is None or (v.rank or 0) > beside.rank):
        return None
    return plain(v.numpy().reshape(()))


def plain(a: Any) -> Any:
    """An array of one element as an int, float or bool."""
    kind = np.asarray(a).dtype
    if kind == BOOL:
        return bool(a)
    return int(a) if kind.kind in "iu" else float(a)


def computed(data: Value, make: Callable[[Any], Any], shape: Sequence[int], dtype: DType | None = None) -> Value:
    """A constant that is made of another one when it is written."""
    old = data.data
    assert old is not None
    type = Type(dtype or data.dtype, tuple(shape))
    return Value(type, data.name, data=Tensor(lambda: np.ascontiguousarray(make(old.numpy())), type))


def reshape(at: At, x: Value, shape: Sequence[Any], type: Type | None = None) -> Value:
    """``x`` in another shape of ints and numbers, one of which may be -1."""
    shape = list(shape)
    dims = tuple(d if isinstance(d, int) and d != -1 else None for d in shape)
    if x.data is not None and all(isinstance(d, int) for d in dims):
        return computed(x, lambda a: a.reshape(shape), [d for d in dims if isinstance(d, int)])
    made: Value = at("reshape", x, shape, type=type or Type(x.dtype, dims))
    return made


def permute(at: At, x: Value, perm: Sequence[int]) -> Value:
    """``x`` with its axes permuted; a constant is stored permuted."""
    perm = list(perm)
    if perm == sorted(perm):
        return x
    shape = tuple((x.shape or ())[p] for p in perm)
    if x.data is not None:
        return computed(x, lambda a: a.transpose(perm), [d for d in shape if isinstance(d, int)])
    made: Value = at("permute", x, perm, type=Type(x.dtype, shape))
    return made


def real(x: Value | None) -> bool:
    """Whether a value is one of real numbers."""
    return x is not None and is_float(x.dtype)


__all__ = ["BF16", "BOOL", "F16", "F32", "F64", "FLOATS", "I8", "I16", "I32", "I64", "INTS", "NUMERIC", "U8", "At",
           "cast", "computed", "from_onnx", "held", "is_number", "permute", "plain", "rank", "real", "reshape",
           "scalar"]
