"""Universal Binary JSON as XGBoost writes it (draft 12; big-endian, typed arrays), and JSON without surprises."""
from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from ..errors import CorruptFile, LimitExceeded
from .limits import DEFAULT, Limits

_TYPES = {"i": (">b", ">i1"), "U": (">B", ">u1"), "I": (">h", ">i2"), "l": (">i", ">i4"), "L": (">q", ">i8"),
          "d": (">f", ">f4"), "D": (">d", ">f8")}
_WORDS = {"T": True, "F": False, "Z": None}


def loads(data: bytes, limits: Limits = DEFAULT) -> Any:
    """The document in ``data``.  Raises :class:`CorruptFile` with the offset, or :class:`LimitExceeded`."""
    reader = _Reader(data, limits)
    try:
        return reader.value(reader.marker(), 0)
    except (struct.error, IndexError, KeyError, ValueError) as e:
        raise CorruptFile(f"no UBJSON: {e}", offset=reader.at) from e


def dumps(value: Any) -> bytes:
    """Dictionaries, lists, texts, integers and arrays of one dimension as XGBoost writes them."""
    parts: list[bytes] = []
    _put(value, parts)
    return b"".join(parts)


def _put(value: Any, parts: list[bytes]) -> None:
    if isinstance(value, dict):
        parts.append(b"{")
        for key, item in value.items():
            name = key.encode()
            parts.append(b"L" + struct.pack(">q", len(name)) + name)
            _put(item, parts)
        parts.append(b"}")
    elif isinstance(value, np.ndarray):
        kind = {"f4": "d", "f8": "D", "i4": "l", "i8": "L", "u1": "U"}[value.dtype.str[1:]]
        parts.append(b"[$" + kind.encode() + b"#L" + struct.pack(">q", len(value)))
        parts.append(value.astype(_TYPES[kind][1]).tobytes())
    elif isinstance(value, (list, tuple)):
        parts.append(b"[#L" + struct.pack(">q", len(value)))
        for item in value:
            _put(item, parts)
    elif isinstance(value, str):
        text = value.encode()
        parts.append(b"SL" + struct.pack(">q", len(text)) + text)
    elif isinstance(value, int) and not isinstance(value, bool):
        parts.append(b"l" + struct.pack(">i", value) if abs(value) < 1 << 31 else b"L" + struct.pack(">q", value))
    else:
        raise TypeError(f"{type(value).__name__} in UBJSON")


def text_loads(data: bytes, limits: Limits = DEFAULT) -> Any:
    """A JSON document, in which no name of an object is there twice.  Raises :class:`CorruptFile`."""
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise CorruptFile("JSON with the same name twice in an object")
        return made
    try:
        return json.loads(data, object_pairs_hook=once)
    except RecursionError as e:
        raise LimitExceeded("JSON that is nested too deep") from e
    except ValueError as e:  # what the text cannot be, and integers of too many digits
        raise CorruptFile(f"no JSON: {e}") from e


class _Reader:
    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data, self.at, self.limits = data, 0, limits

    def marker(self) -> str:
        while True:
            mark = chr(self.data[self.at])
            self.at += 1
            if mark != "N":
                return mark

    def number(self, kind: str) -> Any:
        layout = _TYPES[kind][0]
        (made,) = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return made

    def length(self) -> int:
        count = int(self.number(self.marker()))
        if not 0 <= count <= len(self.data) - self.at:
            raise CorruptFile(f"a length of {count} where {len(self.data) - self.at} bytes are left", offset=self.at)
        return count

    def text(self) -> str:
        count = self.length()
        made = self.data[self.at:self.at + count].decode("utf-8", "surrogateescape")
        self.at += count
        return made

    def value(self, mark: str, depth: int) -> Any:
        if depth > self.limits.depth:
            raise LimitExceeded(f"UBJSON that is nested more than {self.limits.depth} deep")
        if mark == "{":
            return self.object(depth)
        if mark == "[":
            return self.array(depth)
        if mark in ("S", "H"):
            return self.text()
        if mark == "C":
            return chr(self.number("U"))
        return _WORDS[mark] if mark in _WORDS else self.number(mark)

    def object(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while self.data[self.at] != 0x7D:
            name = self.text()
            if name in made:
                raise CorruptFile(f"the name '{name[:60]}' twice in an object", offset=self.at)
            made[name] = self.value(self.marker(), depth + 1)
        self.at += 1
        return made

    def array(self, depth: int) -> Any:
        kind = ""
        if self.data[self.at] == 0x24:  # $, the type of all elements
            kind = chr(self.data[self.at + 1])
            self.at += 2
        if self.data[self.at] == 0x23:  # #, their number
            self.at += 1
            if kind:
                count, element = int(self.number(self.marker())), np.dtype(_TYPES[kind][1])
                if not 0 <= count * element.itemsize <= len(self.data) - self.at:
                    raise CorruptFile(f"an array of {count} elements, which the file has not", offset=self.at)
                made = np.frombuffer(self.data, element, count, self.at)
                self.at += made.nbytes
                return made.astype(element.newbyteorder("="))
            return [self.value(self.marker(), depth + 1) for _ in range(self.length())]
        items = []
        while self.data[self.at] != 0x5D:
            items.append(self.value(self.marker(), depth + 1))
        self.at += 1
        return items
