"""Safetensors: eight bytes for the length of a header, JSON of names, element types, shapes and places, then the bytes.

Source: the format's description in its repository (safetensors, README)."""
from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ..errors import CorruptFile, Unsupported, printable
from ..ir.tensor import Array, Tensor
from ..ir.types import DType, Type, dtype_name
from .limits import DEFAULT, Limits
from .mapped import Mapped, Slice

CODES: dict[str, DType] = {
    "F64": np.dtype("f8"), "F32": np.dtype("f4"), "F16": np.dtype("f2"), "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn), "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu), "I64": np.dtype("i8"), "I32": np.dtype("i4"), "I16": np.dtype("i2"),
    "I8": np.dtype("i1"), "U64": np.dtype("u8"), "U32": np.dtype("u4"), "U16": np.dtype("u2"), "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"), "C64": np.dtype("c8")}
_HEADER = 100_000_000
"""The longest header that other readers take."""


def write(path: str | os.PathLike[str], tensors: Mapping[str, Tensor],
          metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors by their names, one after the other, the header padded to a multiple of eight bytes.

    Raises :class:`Unsupported` for an element type that the format lacks."""
    names = {v: k for k, v in CODES.items()}
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, t in tensors.items():
        if t.type.dtype not in names:
            raise Unsupported(f"element type {dtype_name(t.type.dtype)} in safetensors")
        header[name] = {"dtype": names[t.type.dtype], "shape": list(t.type.shape or ()),
                        "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            t.copy_to(f)


def read(path: str | os.PathLike[str], limits: Limits = DEFAULT) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, which stay in the file until they are needed, and the metadata.

    Raises :class:`CorruptFile` if the header is not what the format says: every tensor must lie within the file, have
    the bytes that its type and shape need, and share none with another."""
    file = Mapped(path, limits)
    size = struct.unpack_from("<Q", file.view)[0] if file.size >= 8 else 0
    if not 2 <= size <= min(_HEADER, file.size - 8):
        raise CorruptFile("no header of safetensors", path=Path(path), offset=0)
    try:
        header = json.loads(bytes(file.view[8:8 + size]), object_pairs_hook=_once)
    except (ValueError, RecursionError) as e:
        raise CorruptFile(f"the header is no JSON: {printable(e, 100)}", path=Path(path), offset=8) from None
    if not isinstance(header, dict):
        raise CorruptFile("the header is no table", path=Path(path), offset=8)
    said = header.pop("__metadata__", None) or {}
    if not isinstance(said, dict) or not all(isinstance(v, str) for v in said.values()):
        raise CorruptFile("metadata that is no table of texts", path=Path(path), offset=8)
    out, spans = {}, []
    for name, entry in header.items():
        try:
            dtype, shape = CODES[entry["dtype"]], tuple(entry["shape"])
            start, end = entry["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise CorruptFile(f"the entry of '{printable(name, 60)}' is not as it should be", path=Path(path)) from None
        numbers = (*shape, start, end)
        if not all(type(n) is int and 0 <= n < 1 << 62 for n in numbers) or len(shape) > 64 or end < start \
                or end - start != math.prod(shape) * dtype.itemsize or end > file.size - 8 - size:
            raise CorruptFile(f"'{printable(name, 60)}' does not have the bytes of its shape", path=Path(path))
        spans.append((start, end))
        out[name] = _tensor(file.slice(8 + size + start, 8 + size + end), dtype, shape)
    spans.sort()
    if any(b[0] < a[1] for a, b in pairwise(spans)):
        raise CorruptFile("two tensors share bytes", path=Path(path))
    return out, said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table in which no name occurs twice."""
    if len({k for k, _ in pairs}) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _tensor(data: Slice, dtype: DType, shape: tuple[int, ...]) -> Tensor:
    def array() -> Array:
        return np.frombuffer(data.view, dtype.newbyteorder("<") if dtype.kind in "fiuc" and dtype.itemsize > 1
                             and dtype.name != "bfloat16" else dtype).reshape(shape)
    return Tensor(array, Type(dtype, shape), data)
