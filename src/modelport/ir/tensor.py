"""Constant data that stays where it is until somebody needs it."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

import numpy as np

from .types import BITS, STRING, Type

Array = np.ndarray[Any, Any]


class Stored(Protocol):
    """Bytes in a file that can be seen through a memory map and copied without being read."""

    @property
    def view(self) -> memoryview: ...

    def copy_to(self, out: BinaryIO) -> None: ...


class Tensor:
    """Constant data of a static type: an array, or a function that makes it when it is first needed.

    Data that lies unchanged in a file is a view of its memory map; ``raw``, where given, are the bytes of the
    elements as ONNX and the file store them (little-endian, row-major, 4-bit types packed), at hand or in a file, so
    that a writer can copy them without decoding."""

    __slots__ = ("_data", "_raw", "type")

    def __init__(self, data: Array | Callable[[], Array], type: Type | None = None,
                 raw: memoryview | Stored | None = None) -> None:
        if type is None:
            if callable(data):
                raise TypeError("a tensor that is made later needs its type now")
            type = Type(data.dtype, data.shape)
        self.type, self._data, self._raw = type, data, raw

    def numpy(self) -> Array:
        """The elements as an array of ``type``; read-only where it is a view of a file."""
        if callable(self._data):
            self._data = self._data()
        return self._data

    def fresh(self) -> Array:
        """The same elements; what a function makes of them is not kept."""
        return self._data() if callable(self._data) else self._data

    @property
    def raw(self) -> memoryview | None:
        """The stored bytes if they are at hand without decoding, else ``None``."""
        return self._raw if self._raw is None or isinstance(self._raw, memoryview) else self._raw.view

    @property
    def nbytes(self) -> int:
        """Bytes of the elements as a file stores them; for text the length of the UTF-8 elements."""
        if self.type.dtype == STRING:
            return sum(len(str(s).encode()) for s in self.numpy().ravel())
        n = math.prod(d for d in self.type.shape or () if isinstance(d, int))
        bits = BITS.get(self.type.dtype)
        return n * self.type.dtype.itemsize if bits is None else (n * bits + 7) // 8

    def copy_to(self, file: BinaryIO) -> None:
        """Writes the stored bytes to ``file``, a piece at a time, without keeping a copy of the whole."""
        if self._raw is not None:
            if isinstance(self._raw, memoryview):
                file.write(self._raw)
            else:
                self._raw.copy_to(file)
            return
        array = self.fresh()
        bits = BITS.get(self.type.dtype)
        if bits is not None:
            file.write(pack(array, bits).data)
            return
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        if array.flags.c_contiguous:
            if array.nbytes:
                file.write(array.reshape(-1).view(np.uint8).data)
            return
        step = max(1, (1 << 22) // max(1, array[:1].nbytes)) if array.ndim else 1
        file.writelines(contiguous(array[start:start + step]).reshape(-1).view(np.uint8).data
                        for start in range(0, len(array), step))


_TILE = 128


def contiguous(array: Array) -> Array:
    """``np.ascontiguousarray``, of a transposed matrix a tile at a time: less than half the time where the matrix does
    not fit into the processor's cache."""
    flat = array[tuple(0 if d == 1 else slice(None) for d in array.shape)]
    if flat.ndim != 2 or abs(flat.strides[0]) >= abs(flat.strides[1]):
        return np.ascontiguousarray(array)
    out = np.empty(array.shape, array.dtype)
    into = out.reshape(flat.shape)
    for i in range(0, flat.shape[0], _TILE):
        for j in range(0, flat.shape[1], _TILE):
            into[i:i + _TILE, j:j + _TILE] = flat[i:i + _TILE, j:j + _TILE]
    return out


def pack(array: Array, bits: int) -> Array:
    """Elements of 2, 4 or 6 bits as one stream of bits, the first element in the lowest bits of the first byte."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8) & np.uint8((1 << bits) - 1)
    if 8 % bits:
        stream = np.unpackbits(flat[:, None], axis=1, count=bits, bitorder="little")
        return np.packbits(stream.reshape(-1), bitorder="little")
    per = 8 // bits
    flat = np.concatenate([flat, np.zeros(-len(flat) % per, np.uint8)]).reshape(-1, per)
    out = np.zeros(len(flat), np.uint8)
    for k in range(per):
        out |= (flat[:, k] << (bits * k)).astype(np.uint8)
    return out


def unpack(raw: Array, bits: int, type: Type) -> Array:
    """The inverse of :func:`pack`: an array of ``type`` with a byte for each element."""
    shape = tuple(d for d in type.shape or () if isinstance(d, int))
    if 8 % bits:
        count = math.prod(shape)
        stream = np.unpackbits(raw, count=count * bits, bitorder="little").reshape(count, bits)
        return np.packbits(stream, axis=1, bitorder="little").reshape(-1).view(type.dtype).reshape(shape)
    per = 8 // bits
    out = np.empty((len(raw), per), np.uint8)
    for k in range(per):
        out[:, k] = (raw >> (bits * k)) & ((1 << bits) - 1)
    flat = out.reshape(-1)[:math.prod(shape)]
    if type.dtype.name.startswith("int"):  # sign-extend
        half = 1 << (bits - 1)
        flat = ((flat.astype(np.int16) ^ half) - half).astype(np.int8)
        return flat.astype(type.dtype).reshape(shape)
    return flat.view(type.dtype).reshape(shape) if type.dtype.itemsize == 1 and "float" in type.dtype.name \
        else flat.astype(type.dtype).reshape(shape)
