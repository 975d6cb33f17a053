"""Element types as PyTorch numbers them.

Sources: torch/_export/serde/schema.py (ScalarType, of .pt2), c10/core/ScalarType.h (of everything else)."""
from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ...errors import Unsupported, printable
from ...ir.types import DType

_EXPORT = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
           10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn",
           30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32",
           35: "uint64"}
_C10 = {0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64",
        9: "complex64", 10: "complex128", 11: "bool", 15: "bfloat16", 23: "float8_e5m2", 24: "float8_e4m3fn",
        25: "float8_e5m2fnuz", 26: "float8_e4m3fnuz", 27: "uint16", 28: "uint32", 29: "uint64", 44: "float8_e8m0fnu"}
_NAMES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32",
          "short": "int16", "char": "int8", "byte": "uint8", "cfloat": "complex64", "cdouble": "complex128",
          "complexfloat": "complex64", "complexdouble": "complex128"}


def dtype(name: str) -> DType:
    """The element type of a name such as "bfloat16"."""
    return np.dtype(getattr(ml_dtypes, name, name))


def of_export(code: int) -> DType:
    """The element type of a number in a .pt2 file."""
    if code not in _EXPORT:
        raise Unsupported(f"element type {code} of torch.export")
    return dtype(_EXPORT[code])


def of_c10(code: int) -> DType:
    """The element type of a number in TorchScript."""
    if code not in _C10:
        raise Unsupported(f"element type {code} of PyTorch")
    return dtype(_C10[code])


def to_c10(kind: DType) -> int:
    """The number of an element type in TorchScript."""
    for code, name in _C10.items():
        if dtype(name) == kind:
            return code
    raise Unsupported(f"element type {kind} in TorchScript")


def of_any(x: Any) -> DType | None:
    """What a rule was given as ``dtype``: an element type, a number of TorchScript, or nothing."""
    return x if x is None or isinstance(x, np.dtype) else of_c10(int(x))


QUANTIZED = {"qint8": 12, "quint8": 13, "qint32": 14}
"""Element types of quantized tensors, and their numbers in TorchScript."""


def of_quantized(code: Any) -> DType:
    """The element type that a quantized tensor of the type with this number stores."""
    name = next((n for n, own in QUANTIZED.items() if own == code), "")
    if not name:
        raise Unsupported(f"quantization to the element type {printable(code, 40)} of PyTorch")
    return dtype(name.removeprefix("q"))


def of_storage(name: str) -> DType:
    """The element type of a class such as "FloatStorage"; of an untyped storage bytes."""
    short = name.removesuffix("Storage").lower()
    short = {"qint8": "int8", "quint8": "uint8", "qint32": "int32"}.get(short, short)
    if short == "untyped":
        return np.dtype(np.uint8)
    known = _NAMES.get(short, short)
    if known not in _EXPORT.values():
        raise Unsupported(f"tensors of {name}")
    return dtype(known)


def to_export(kind: DType) -> int:
    """The number of an element type in a .pt2 file."""
    for code, name in _EXPORT.items():
        if dtype(name) == kind:
            return code
    raise Unsupported(f"element type {kind} in PyTorch")


def storage_name(kind: DType) -> str:
    """The class that an element type is stored as, such as "FloatStorage"; :class:`KeyError` if it has none."""
    names = {v: k for k, v in _NAMES.items()}
    return {"bool": "Bool", "bfloat16": "BFloat16", "complex64": "ComplexFloat", "complex128": "ComplexDouble"}.get(
        kind.name, names.get(kind.name, "").capitalize()) + "Storage" if kind.name in (
        "bool", "bfloat16") or kind.name in names else {}[kind.name]
