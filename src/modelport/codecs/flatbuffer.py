"""FlatBuffers by a table of their schema: tables read lazily, nested dictionaries written.

A schema is data (``codecs/schemas/*.json``, made by ``tools/schemas.py``)::

    {"identifier": "TFL3", "root": "Model",
     "enums":  {"Padding": {"SAME": 0, "VALID": 1}},
     "unions": {"BuiltinOptions": ["NONE", "Conv2DOptions", ...]},        # the position is the number
     "tables": {"Conv2DOptions": [["padding", "b", 0, "Padding"], ...]}}  # the position is the slot

The kind of a field is a letter of :mod:`struct` for a number, ``s`` text, ``T:Name`` a table, ``U:Name`` a union (the
field before it is its number); ``[`` before a letter, ``s`` or ``T:`` makes it a vector.

Source: the FlatBuffers internals document (google/flatbuffers, docs/source/internals.md).
"""
from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, BinaryIO, Protocol

import numpy as np

from ..errors import CorruptFile
from .limits import DEFAULT, Limits

Array = np.ndarray[Any, Any]
_NUMBERS = {k: struct.Struct("<" + k) for k in "?bBhHiIqQfd"}
_DTYPES = {k: np.dtype({"?": "?"}.get(k, "<" + k)) for k in _NUMBERS}
_U32, _I32, _U16 = _NUMBERS["I"], _NUMBERS["i"], _NUMBERS["H"]
_TABLE_COST = 64  # honest files: reading each table once costs at most 3 times the bytes that are not payload
_SLACK = 8 << 20


@dataclass(frozen=True, slots=True)
class Field:
    """One slot of a table: where it is, its kind, the default of a number, the enumeration that names its values."""

    slot: int
    kind: str
    default: Any = None
    enum: str = ""


@dataclass(frozen=True, eq=False)
class Schema:
    """What a FlatBuffer may hold.  ``enums`` map names to numbers, ``names`` numbers to names."""

    identifier: bytes
    root: str
    tables: Mapping[str, Mapping[str, Field]]
    unions: Mapping[str, tuple[str, ...]]
    enums: Mapping[str, Mapping[str, int]]
    names: Mapping[str, Mapping[int, str]]


def schema_of(description: Mapping[str, Any]) -> Schema:
    """A schema from its description as data (see the head of this module)."""
    enums = description["enums"]
    return Schema(
        description["identifier"].encode(), description["root"],
        {name: {f[0]: Field(slot, *f[1:]) for slot, f in enumerate(fields)}
         for name, fields in description["tables"].items()},
        {name: tuple(members) for name, members in description["unions"].items()}, enums,
        {name: {v: k for k, v in reversed(members.items())} for name, members in enums.items()})


@cache
def schema(name: str) -> Schema:
    """The schema that ships with this package under that name, such as ``tflite``."""
    file = resources.files(__package__).joinpath("schemas").joinpath(f"{name}.json")
    return schema_of(json.loads(file.read_text("utf-8")))


# ---------------------------------------------------------------------------------------------------- reading


class Reader:
    """A FlatBuffer in ``data``.  Nothing is read before it is asked for, nothing outside of ``data`` ever.

    What is read is charged to a budget in proportion to the file, so that tables and vectors that many offsets share
    cannot cost more than the file could honestly hold: :class:`CorruptFile` beyond it."""

    def __init__(self, data: memoryview, schema: Schema, path: object = None, limits: Limits = DEFAULT) -> None:
        self.data, self.schema, self.path, self.limits = data, schema, path, limits
        self.size = len(data)
        self._budget = 4 * self.size + _SLACK
        self._vtables: dict[int, tuple[int, tuple[int, ...]]] = {}

    def root(self) -> Table:
        """The root table; the identifier must be the schema's."""
        if self.size < 8 or bytes(self.data[4:8]) != self.schema.identifier:
            raise self.corrupt(f"no FlatBuffer with identifier '{self.schema.identifier.decode()}'", 4)
        return Table(self, self.schema.root, self.follow(0), 0)

    def corrupt(self, reason: str, at: int | None = None) -> CorruptFile:
        return CorruptFile(reason, path=self.path, offset=at)

    def number(self, kind: struct.Struct, at: int) -> Any:
        if at < 0 or at + kind.size > self.size:
            raise self.corrupt(f"a number at {at} is outside of the file's {self.size} bytes", at)
        return kind.unpack_from(self.data, at)[0]

    def follow(self, at: int) -> int:
        """Where the offset stored at ``at`` points to."""
        step: int = self.number(_U32, at)
        if step == 0 or at + step + 4 > self.size:
            raise self.corrupt(f"an offset of {step} leaves the file's {self.size} bytes", at)
        return at + step

    def charge(self, cost: int, at: int) -> None:
        self._budget -= cost
        if self._budget < 0:
            raise self.corrupt("tables or vectors are shared far beyond what the size of the file allows", at)

    def vtable(self, at: int) -> tuple[int, tuple[int, ...]]:
        """Size of the table at ``at``, and the offset of each of its slots (0: absent)."""
        where = at - self.number(_I32, at)
        if where not in self._vtables:
            length = self.number(_U16, where)
            size = self.number(_U16, where + 2)
            if length < 4 or length % 2 or size < 4 or where + length > self.size:
                raise self.corrupt(f"a table's layout of {length} bytes for {size} bytes is invalid", where)
            self.charge(length, where)
            slots = struct.unpack_from(f"<{length // 2 - 2}H", self.data, where + 4)
            self._vtables[where] = (size, slots)
        size, slots = self._vtables[where]
        if at + size > self.size:
            raise self.corrupt(f"a table of {size} bytes leaves the file's {self.size} bytes", at)
        return size, slots

    def vector(self, at: int, item: int) -> tuple[int, int]:
        """First byte and length of the vector at ``at`` of items of that many bytes."""
        n: int = self.number(_U32, at)
        if at + 4 + n * item > self.size:
            raise self.corrupt(f"a vector of {n} x {item} bytes leaves the file's {self.size} bytes", at)
        return at + 4, n

    def text(self, at: int) -> str:
        start, n = self.vector(at, 1)
        self.limits.check("name_bytes", n)
        self.charge(n, at)
        return bytes(self.data[start:start + n]).decode("utf-8", "backslashreplace")


class Table:
    """One table: ``table["field"]`` is a number, text, an array, a :class:`Table` or a list of them.

    An absent number is its default, anything else absent is ``None``.  A number of an enumeration is its name, or
    ``unknown(n)`` if the schema has none for it."""

    __slots__ = ("_depth", "_reader", "_size", "_slots", "at", "name")

    def __init__(self, reader: Reader, name: str, at: int, depth: int) -> None:
        reader.limits.check("depth", depth)
        reader.charge(_TABLE_COST, at)
        self._reader, self.name, self.at, self._depth = reader, name, at, depth
        self._size, self._slots = reader.vtable(at)

    def _offset(self, slot: int, size: int) -> int:
        """Where the field in that slot is stored; 0 if it is absent."""
        offset = self._slots[slot] if slot < len(self._slots) else 0
        # it begins within the table; flatc counts the last field of 8 bytes as 4 in some files of ExecuTorch
        if offset and (offset < 4 or offset >= self._size or self.at + offset + size > self._reader.size):
            raise self._reader.corrupt(f"a field of {self.name} at {offset} leaves its {self._size} bytes", self.at)
        return self.at + offset if offset else 0

    def __getitem__(self, key: str) -> Any:
        f = self._reader.schema.tables[self.name][key]
        kind = _NUMBERS.get(f.kind)
        if kind is None:
            at = self._offset(f.slot, 4)
            return self._object(key, f, self._reader.follow(at)) if at else None
        at = self._offset(f.slot, kind.size)
        value = self._reader.number(kind, at) if at else f.default
        return self._reader.schema.names[f.enum].get(value, f"unknown({value})") if f.enum else value

    def number(self, key: str) -> int:
        """A number as it is stored, enumerated or not."""
        f = self._reader.schema.tables[self.name][key]
        kind = _NUMBERS[f.kind]
        at = self._offset(f.slot, kind.size)
        return int(self._reader.number(kind, at) if at else f.default)

    def location(self, key: str) -> int:
        """First byte of the vector or text in a field, its length in front of it left out; 0 if it is absent."""
        at = self._offset(self._reader.schema.tables[self.name][key].slot, 4)
        return self._reader.follow(at) + 4 if at else 0

    def count(self, key: str) -> int:
        """Length of the vector in a field, 0 if it is absent; nothing else of it is read."""
        at = self._offset(self._reader.schema.tables[self.name][key].slot, 4)
        return int(self._reader.number(_U32, self._reader.follow(at))) if at else 0

    def _object(self, key: str, f: Field, at: int) -> Any:
        reader, kind = self._reader, f.kind
        if kind == "s":
            return reader.text(at)
        if kind.startswith("T:"):
            return Table(reader, kind[2:], at, self._depth + 1)
        if kind.startswith("U:"):
            number = self.number(key + "_type")
            members = reader.schema.unions[kind[2:]]
            if number == 0:
                return None
            return Table(reader, members[number] if number < len(members) else _UNKNOWN, at, self._depth + 1)
        item = kind[1:]
        if item in _DTYPES:
            start, n = reader.vector(at, _DTYPES[item].itemsize)
            if item != "B":  # bytes are payload: a view of any length costs the same
                reader.charge(n * _DTYPES[item].itemsize, at)
            return np.frombuffer(reader.data, _DTYPES[item], n, start)
        start, n = reader.vector(at, 4)
        reader.charge(4 * n, at)
        places = range(start, start + 4 * n, 4)
        if item == "s":
            return [reader.text(reader.follow(p)) for p in places]
        return [Table(reader, item[2:], reader.follow(p), self._depth + 1) for p in places]

    def fields(self) -> dict[str, Any]:
        """Every field that is present or has a default, tables within as dictionaries, arrays as they are.

        Slots that the schema has given up (``removed_n``) are left out."""
        out: dict[str, Any] = {}
        for key in self._reader.schema.tables.get(self.name, {}):
            if key.startswith("removed_"):
                continue
            value = self[key]
            if isinstance(value, Table):
                out[key] = value.fields()
            elif isinstance(value, list):
                out[key] = [v.fields() if isinstance(v, Table) else v for v in value]
            elif value is not None:
                out[key] = value
        return out


_UNKNOWN = "unknown"  # the name of a table whose union number the schema does not know: it has no fields


# ---------------------------------------------------------------------------------------------------- writing


class Payload(Protocol):
    """Bytes that are copied into the file when it is written, never held in memory."""

    @property
    def nbytes(self) -> int: ...

    def copy_to(self, file: BinaryIO) -> None: ...


class Writer:
    """Lays out nested dictionaries, as :meth:`Table.fields` makes them, from the root down.

    References of a FlatBuffer point forward, so tables are appended as they are met and the byte vectors given as a
    :class:`Payload` follow at the end, each aligned to 16 bytes as the kernels of TensorFlow Lite expect."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.head = bytearray(b"\0\0\0\0" + schema.identifier)
        self._vtables: dict[bytes, int] = {}
        self._payloads: list[tuple[int, Payload]] = []

    def write(self, root: Mapping[str, Any], file: BinaryIO) -> int:
        """Writes the FlatBuffer; its number of bytes."""
        places = self.layout(root)
        file.write(self.head)
        at = len(self.head)
        for start, payload in places:
            file.write(bytes(start - 4 - at) + _U32.pack(payload.nbytes))
            payload.copy_to(file)
            at = start + payload.nbytes
        return at

    def layout(self, root: Mapping[str, Any]) -> list[tuple[int, Payload]]:
        """Makes ``head``; where each payload goes.  ValueError if an offset does not fit 32 bits."""
        self._table(self.schema.root, root, 0)
        at = len(self.head)
        places = []
        for ref, payload in self._payloads:
            start = -(-(at + 4) // 16) * 16
            at = start + payload.nbytes
            if at >= 1 << 31:
                raise ValueError("a FlatBuffer holds less than 2 GiB")
            _U32.pack_into(self.head, ref, start - 4 - ref)
            places.append((start, payload))
        return places

    def _pad(self, align: int, extra: int = 0) -> None:
        self.head.extend(bytes(-(len(self.head) + extra) % align))

    def _refer(self, ref: int) -> None:
        _U32.pack_into(self.head, ref, len(self.head) - ref)

    def _stored(self, name: str, values: Mapping[str, Any]) -> list[tuple[int, str, Field, Any]]:
        """Size, name, field and value of what has to be stored: everything but absent values and defaults."""
        fields = self.schema.tables[name]
        if unknown := values.keys() - fields.keys():
            raise ValueError(f"{name} has no field {min(unknown)}")
        out = []
        for key, f in fields.items():
            value = values.get(key)
            if value is None:
                continue
            if f.kind in _NUMBERS:
                union = fields.get(key.removesuffix("_type"))
                if isinstance(value, str) and f.enum:
                    value = self.schema.enums[f.enum][value]
                elif isinstance(value, str) and union is not None and union.kind.startswith("U:"):
                    value = self.schema.unions[union.kind[2:]].index(value)
                if value != f.default:
                    out.append((_NUMBERS[f.kind].size, key, f, value))
            else:
                out.append((4, key, f, value))
        return sorted(out, key=lambda entry: -entry[0])

    def _table(self, name: str, values: Mapping[str, Any], ref: int) -> None:
        stored = self._stored(name, values)
        align = max((size for size, *_ in stored), default=4)
        at, places = max(4, align), {}
        for size, _, f, _ in stored:
            at = -(-at // size) * size
            places[f.slot] = at
            at += size
        slots = max(places, default=-1) + 1
        vtable = struct.pack(f"<{slots + 2}H", 4 + 2 * slots, at, *(places.get(k, 0) for k in range(slots)))
        if vtable not in self._vtables:
            self._pad(2)
            self._vtables[vtable] = len(self.head)
            self.head += vtable
        self._pad(max(align, 4))
        start = len(self.head)
        self._refer(ref)
        self.head += _I32.pack(start - self._vtables[vtable]) + bytes(at - 4)
        for _, key, f, value in stored:
            place = start + places[f.slot]
            if f.kind in _NUMBERS:
                _NUMBERS[f.kind].pack_into(self.head, place, value)
            elif f.kind.startswith("U:"):
                number = self.schema.unions[f.kind[2:]].index(values[key + "_type"]) \
                    if isinstance(values[key + "_type"], str) else values[key + "_type"]
                self._table(self.schema.unions[f.kind[2:]][number], value, place)
            else:
                self._object(f.kind, value, place)

    def _object(self, kind: str, value: Any, ref: int) -> None:
        if kind == "s":
            raw = value.encode("utf-8", "surrogateescape")
            self._pad(4)
            self._refer(ref)
            self.head += _U32.pack(len(raw)) + raw + b"\0"
        elif kind.startswith("T:"):
            self._table(kind[2:], value, ref)
        elif kind[1:] in _DTYPES:
            dtype = _DTYPES[kind[1:]]
            if kind == "[B" and hasattr(value, "copy_to"):
                self._payloads.append((ref, value))
                return
            data = value if isinstance(value, bytes) else np.ascontiguousarray(value, dtype).tobytes()
            self._pad(4)
            self._pad(max(4, 16 if kind == "[B" else dtype.itemsize), 4)
            self._refer(ref)
            self.head += _U32.pack(len(data) // dtype.itemsize) + data
        else:
            self._pad(4)
            self._refer(ref)
            self.head += _U32.pack(len(value))
            first = len(self.head)
            self.head += bytes(4 * len(value))
            for k, item in enumerate(value):
                self._object(kind[1:], item, first + 4 * k)
