"""FlexBuffers, the schemaless cousin of FlatBuffers: how custom operators store their options.

Source: the FlexBuffers section of the FlatBuffers internals document."""
from __future__ import annotations

import struct
from typing import Any

from ..errors import CorruptFile

_INTS = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_UINTS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
_FLOATS = {2: "<e", 4: "<f", 8: "<d"}
_NULL, _INT, _UINT, _FLOAT, _KEY, _STRING, _INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _VECTOR = range(11)
_BLOB, _BOOL, _VECTOR_BOOL = 25, 26, 36
_DEPTH = 32


def read(data: bytes, path: object = None) -> Any:
    """The value that ``data`` holds: None, bool, int, float, str, bytes, list or dict.  CorruptFile otherwise."""
    try:
        if len(data) < 3:
            raise ValueError("too short")
        width = data[-1]
        if width not in _UINTS:
            raise ValueError(f"a root of {width} bytes")
        return _Reader(data).value(len(data) - 2 - width, width, data[-2], 0)
    except (ValueError, struct.error, IndexError, UnicodeDecodeError) as e:
        raise CorruptFile(f"not a FlexBuffer: {e}", path=path) from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = 4 * len(data) + 64  # values that an honest buffer of this size can hold

    def number(self, at: int, width: int, formats: dict[int, str]) -> Any:
        if at < 0 or width not in formats:
            raise ValueError("a number outside of the buffer")
        return struct.unpack_from(formats[width], self.data, at)[0]

    def follow(self, at: int, width: int) -> int:
        where: int = at - self.number(at, width, _UINTS)
        if not 0 <= where <= at:  # an empty vector at the end begins where its offset is stored
            raise ValueError("an offset outside of the buffer")
        return where

    def value(self, at: int, width: int, packed: int, depth: int) -> Any:
        kind, inner = packed >> 2, 1 << (packed & 3)
        self.left -= 1
        if depth > _DEPTH or self.left < 0:
            raise ValueError("nested too deeply or too large")
        if kind == _NULL:
            return None
        for plain, indirect, formats in ((_INT, _INDIRECT_INT, _INTS), (_UINT, _INDIRECT_UINT, _UINTS),
                                         (_FLOAT, _INDIRECT_FLOAT, _FLOATS)):
            if kind == plain:
                return self.number(at, width, formats)
            if kind == indirect:
                return self.number(self.follow(at, width), inner, formats)
        if kind == _BOOL:
            return bool(self.number(at, width, _UINTS))
        start = self.follow(at, width)
        if kind == _KEY:
            return self.key(start)
        if 16 <= kind <= 24:  # two, three or four numbers, without a length
            count, formats = (kind - 16) // 3 + 2, (_INTS, _UINTS, _FLOATS)[(kind - 16) % 3]
            return [self.number(start + k * inner, inner, formats) for k in range(count)]
        size = self.number(start - inner, inner, _UINTS)
        if size > len(self.data):
            raise ValueError(f"{size} elements")
        if kind in (_STRING, _BLOB):
            raw = self.data[start:start + size]
            return raw.decode() if kind == _STRING else raw
        if kind in (_MAP, _VECTOR):
            types = start + size * inner
            values = [self.value(start + k * inner, inner, self.data[types + k], depth + 1) for k in range(size)]
            return values if kind == _VECTOR else dict(zip(self.keys(start, inner, size), values, strict=True))
        if 11 <= kind <= 15:  # a vector whose elements have one type: int, uint, float, key, string
            return [self.value(start + k * inner, inner, (kind - 10) << 2, depth + 1) for k in range(size)]
        if kind == _VECTOR_BOOL:
            return [bool(self.number(start + k * inner, inner, _UINTS)) for k in range(size)]
        raise ValueError(f"type {kind}")

    def keys(self, start: int, width: int, size: int) -> list[str]:
        first = self.follow(start - 3 * width, width)
        inner = self.number(start - 2 * width, width, _UINTS)
        if self.number(first - inner, inner, _UINTS) != size:
            raise ValueError("a map with fewer keys than values")
        return [self.key(self.follow(first + k * inner, inner)) for k in range(size)]

    def key(self, start: int) -> str:
        end = self.data.index(b"\0", start)
        self.left -= (end - start) // 16
        return self.data[start:end].decode()
