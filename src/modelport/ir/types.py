"""Element types, shapes and quantization of one value."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np

Dim = int | str | None
"""A dimension: a number, a symbol or expression such as ``"batch"`` or ``"2*seq+1"``, or unknown."""
Shape = tuple[Dim, ...] | None
DType = np.dtype[Any]

STRING: DType = np.dtype(object)
"""The element type of text; elements are ``str``."""

_NUMBER = {  # the numbers that onnx.TensorProto gives to element types
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "object": 8, "bool": 9,
    "float16": 10, "float64": 11, "uint32": 12, "uint64": 13, "complex64": 14, "complex128": 15, "bfloat16": 16,
    "float8_e4m3fn": 17, "float8_e4m3fnuz": 18, "float8_e5m2": 19, "float8_e5m2fnuz": 20, "uint4": 21, "int4": 22,
    "float4_e2m1fn": 23, "float8_e8m0fnu": 24, "uint2": 25, "int2": 26, "float6_e2m3fn": 27, "float6_e3m2fn": 28}
NUMBER: dict[DType, int] = {np.dtype(getattr(ml_dtypes, name, name)): number for name, number in _NUMBER.items()}
DTYPE: dict[int, DType] = {number: dtype for dtype, number in NUMBER.items()}
BITS = {**dict.fromkeys(map(np.dtype, (ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float4_e2m1fn)), 4),
        **dict.fromkeys(map(np.dtype, (ml_dtypes.int2, ml_dtypes.uint2)), 2),
        **dict.fromkeys(map(np.dtype, (ml_dtypes.float6_e2m3fn, ml_dtypes.float6_e3m2fn)), 6)}
"""Element types that files pack several to a byte, and their size in bits; in memory each element has a byte."""


def dtype_name(dtype: DType) -> str:
    """The name of an element type as this project prints it: ``float32``, ``int4``, ``string``."""
    return "string" if dtype == STRING else dtype.name


def is_float(dtype: DType) -> bool:
    """Whether the element type is a real floating-point type, the small ones of ml_dtypes included."""
    return dtype.kind == "f" or (dtype.kind == "V" and "float" in dtype.name)


@dataclass(frozen=True, slots=True, eq=False)
class Quant:
    """Affine quantization ``real = (stored - zero_point) * scale``; raw graphs only, the hub says it with QDQ.

    ``scale`` and ``zero_point`` are 0-D (per tensor) or 1-D along ``axis`` (per channel)."""

    scale: np.ndarray[Any, Any]
    zero_point: np.ndarray[Any, Any]
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Type:
    """Element type, shape (``None``: rank unknown) and, in raw graphs, quantization of a value."""

    dtype: DType
    shape: Shape = None
    quant: Quant | None = None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def static(self) -> bool:
        """Whether every dimension is a number."""
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @property
    def size(self) -> int | None:
        """Number of elements, or ``None`` where it is not known."""
        if self.shape is None:
            return None
        n = 1
        for d in self.shape:
            if not isinstance(d, int):
                return None
            n *= d
        return n

    def with_shape(self, shape: Shape) -> Type:
        return replace(self, shape=shape)

    def __str__(self) -> str:
        dims = ["..."] if self.shape is None else ["?" if d is None else str(d) for d in self.shape]
        return f"{dtype_name(self.dtype)}[{', '.join(dims)}]"


def merge(known: Type, hint: Type) -> Type:
    """``known`` with the gaps of its shape filled from ``hint``; what both say differently stays as ``known`` says.

    A number beats a symbol, a symbol beats nothing."""
    if hint.shape is None or known.dtype != hint.dtype:
        return known
    if known.shape is None:
        return replace(known, shape=hint.shape)
    if len(known.shape) != len(hint.shape):
        return known
    dims = tuple(k if isinstance(k, int) or h is None else h if k is None or isinstance(h, int) else k
                 for k, h in zip(known.shape, hint.shape, strict=True))
    return known if dims == known.shape else replace(known, shape=dims)
