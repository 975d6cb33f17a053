"""The tensor bundle: the variables of a checkpoint, by name (``variables.index`` and its ``.data`` shards).

The index is a sorted string table of LevelDB; keys of slices are ordered codes.
Source: tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table_format.txt, strings/ordered_code.cc."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs import protobuf
from ...codecs.limits import Limits
from ...codecs.mapped import Mapped, Slice
from ...codecs.messages import parse
from ...codecs.paths import open_beneath
from ...errors import CorruptFile
from ...ir.tensor import Array, Tensor
from ...ir.types import STRING, Type
from . import crc
from .tensors import Tensors, message

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_CHECKED = 1 << 16
"""Bytes of the small entries whose checksums are verified: more would cost more than reading them."""


class Bundle:
    """The tensors of one checkpoint ``folder/prefix``: nothing is decoded before it is asked for."""

    def __init__(self, folder: Path, prefix: str, limits: Limits) -> None:
        self.folder, self.prefix, self.limits = folder, prefix, limits
        index = Mapped(folder / f"{prefix}.index", limits, fd=open_beneath(folder, f"{prefix}.index"))
        self.path = index.path
        self._tensors = Tensors(None, limits, self.path)
        self._shards: dict[int, Mapped] = {}
        entries = dict(self._table(index.view))
        head = parse(message("BundleHeaderProto"), entries.pop(b"", b""), self.path)
        if head.endianness != 0:  # type: ignore[attr-defined]
            raise self._corrupt("a checkpoint of a big-endian machine")
        self.shards = int(head.num_shards)  # type: ignore[attr-defined]
        self._entries: dict[str, bytes] = {}
        self._slices: dict[str, list[tuple[list[tuple[int, int]], bytes]]] = {}
        for key, value in entries.items():
            if key[:1] == b"\0":
                name, extents = self._slice_key(key)
                self._slices.setdefault(name, []).append((extents, value))
            else:
                self._entries[key.decode("utf-8", "surrogateescape")] = value
        self._made: dict[str, Tensor] = {}
        self._checked = 0

    def _corrupt(self, reason: str) -> CorruptFile:
        return CorruptFile(reason, path=self.path)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        return list(self._entries)

    # ------------------------------------------------------------------------------------------------ the index

    def _table(self, view: memoryview) -> Iterator[tuple[bytes, bytes]]:
        if len(view) < _FOOTER or int.from_bytes(view[-8:], "little") != _MAGIC:
            raise self._corrupt("no index of a tensor bundle")
        footer = view[-_FOOTER:-8]
        pos = 0
        for _ in range(2):  # the handle of the meta index
            _, pos = protobuf.varint(footer, pos, len(footer))
        start, pos = protobuf.varint(footer, pos, len(footer))
        size, pos = protobuf.varint(footer, pos, len(footer))
        seen: set[tuple[int, int]] = set()
        last = b""
        for _, handle in self._block(view, start, size):
            h = memoryview(handle)
            at, q = protobuf.varint(h, 0, len(h))
            length, q = protobuf.varint(h, q, len(h))
            if (at, length) in seen:
                raise self._corrupt("two entries of the index are one block")
            seen.add((at, length))
            for key, value in self._block(view, at, length):
                if key <= last and last:
                    raise self._corrupt("the keys of the index are not in order")
                last = key
                yield key, value

    def _block(self, view: memoryview, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
        if start + size + 5 > len(view) - _FOOTER:
            raise self._corrupt(f"a block of {size} bytes at {start} leaves the index")
        block = view[start:start + size]
        kind = view[start + size]
        stored = int.from_bytes(view[start + size + 1:start + size + 5], "little")
        if crc.masked(crc.crc32c(view[start:start + size + 1])) != stored:
            raise self._corrupt(f"the block at {start} of the index does not have its checksum")
        if kind == 1:
            block = memoryview(_unsnapped(bytes(block), self.limits, self._corrupt))
            size = len(block)
        elif kind:
            raise self._corrupt(f"a block with compression {kind}")
        if size < 4:
            raise self._corrupt("a block without restarts")
        end = size - 4 * (int.from_bytes(block[-4:], "little") + 1)
        pos, key = 0, b""
        while pos < end:
            shared, pos = protobuf.varint(block, pos, end)
            own, pos = protobuf.varint(block, pos, end)
            length, pos = protobuf.varint(block, pos, end)
            if shared > len(key) or pos + own + length > end:
                raise self._corrupt("an entry of the index leaves its block")
            self.limits.check("name_bytes", shared + own)
            key = key[:shared] + bytes(block[pos:pos + own])
            pos += own
            yield key, bytes(block[pos:pos + length])
            pos += length

    def _slice_key(self, key: bytes) -> tuple[str, list[tuple[int, int]]]:
        """The name and the extents (start, length; length -1 is all) of a slice's key."""
        try:
            _, at = _number(key, 0)
            name, at = _text(key, at)
            count, at = _number(key, at)
            extents = []
            for _ in range(self.limits.check("rank", count)):
                start, at = _signed(key, at)
                length, at = _signed(key, at)
                extents.append((start, length))
        except IndexError:
            raise self._corrupt("a key of a slice that ends too early") from None
        if at != len(key):
            raise self._corrupt("a key of a slice with bytes behind it")
        return name.decode("utf-8", "surrogateescape"), extents

    # ----------------------------------------------------------------------------------------------- the tensors

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name.  Raises :class:`CorruptFile` if there is none or its bytes are not right."""
        if name not in self._made:
            if name not in self._entries:
                raise self._corrupt(f"the checkpoint has no tensor '{name}'")
            entry = parse(message("BundleEntryProto"), self._entries[name], self.path)
            self._made[name] = self._joined(name, entry) if len(entry.slices) else self._entry(  # type: ignore[attr-defined]
                entry, f"tensor '{name}'")
        return self._made[name]

    def _entry(self, entry: Any, what: str) -> Tensor:
        type = self._tensors.type(entry.dtype, (d.size for d in entry.shape.dim), what)
        piece = self._piece(entry, what)
        if type.dtype == STRING:
            return self._strings(piece.view, type, entry.crc32c, what)
        made = self._tensors.stored(piece, type, what)
        self._checked += len(piece) if len(piece) <= 1 << 12 else 0
        if len(piece) <= 1 << 12 and self._checked <= _CHECKED and crc.masked(crc.crc32c(piece.view)) != entry.crc32c:
            raise self._corrupt(f"{what} does not have its checksum")
        return made

    def _piece(self, entry: Any, what: str) -> Slice:
        k = entry.shard_id
        if not 0 <= k < self.shards <= 99999:
            raise self._corrupt(f"{what} is in shard {k} of {self.shards}")
        if k not in self._shards:
            name = f"{self.prefix}.data-{k:05d}-of-{self.shards:05d}"
            self._shards[k] = Mapped(self.folder / name, self.limits, fd=open_beneath(self.folder, name))
        if entry.offset < 0 or entry.size < 0:
            raise self._corrupt(f"{what} has a negative place")
        return self._shards[k].slice(entry.offset, entry.offset + entry.size)

    def _strings(self, raw: memoryview, type: Type, checksum: int, what: str) -> Tensor:
        """Lengths as varints, their masked checksum, then the bytes."""
        count = type.size or 0
        if count > len(raw):
            raise self._corrupt(f"{what} of {count} texts has {len(raw)} bytes")
        lengths, at = [], 0
        for _ in range(count):
            n, at = protobuf.varint(raw, at, len(raw))
            lengths.append(n)
        if at + 4 + sum(lengths) != len(raw):
            raise self._corrupt(f"{what} has {len(raw)} bytes, its texts need {at + 4 + sum(lengths)}")
        wide = any(n > 0xFFFFFFFF for n in lengths)
        summed = crc.crc32c(np.array(lengths, "<u8" if wide else "<u4").tobytes())
        if crc.masked(summed) != int.from_bytes(raw[at:at + 4], "little") or \
                crc.masked(crc.crc32c(raw[at:], summed)) != checksum:
            raise self._corrupt(f"{what} does not have its checksum")
        at += 4
        array = np.empty(count, object)
        for k, n in enumerate(lengths):
            array[k] = bytes(raw[at:at + n]).decode("utf-8", "surrogateescape")
            at += n
        return Tensor(array.reshape(tuple(d for d in type.shape or () if isinstance(d, int))), type)

    def bytes_of(self, name: str) -> bytes:
        """The only element of a tensor of bytes."""
        flat = self.tensor(name).numpy().ravel()
        if len(flat) != 1 or not isinstance(flat[0], str):
            raise self._corrupt(f"'{name}' is not one text")
        return flat[0].encode("utf-8", "surrogateescape")

    def _joined(self, name: str, entry: Any) -> Tensor:
        """A variable that was saved in parts."""
        type = self._tensors.type(entry.dtype, (d.size for d in entry.shape.dim), f"tensor '{name}'")
        shape = tuple(d for d in type.shape or () if isinstance(d, int))
        parts: list[tuple[tuple[slice, ...], Tensor]] = []
        covered = 0
        for extents, raw in self._slices.get(name, []):
            if len(extents) != len(shape):
                raise self._corrupt(f"a slice of '{name}' has {len(extents)} dimensions of {len(shape)}")
            where = tuple(slice(0, d) if n < 0 else slice(a, a + n) for (a, n), d in zip(extents, shape, strict=True))
            if any(not 0 <= w.start <= w.stop <= d for w, d in zip(where, shape, strict=True)):
                raise self._corrupt(f"a slice of '{name}' leaves it")
            part = self._entry(parse(message("BundleEntryProto"), raw, self.path), f"a slice of '{name}'")
            if part.type.shape != tuple(w.stop - w.start for w in where) or part.type.dtype != type.dtype:
                raise self._corrupt(f"a slice of '{name}' is {part.type}")
            covered += math.prod(w.stop - w.start for w in where)
            parts.append((where, part))
        if covered != math.prod(shape):
            raise self._corrupt(f"the slices of '{name}' have {covered} of {math.prod(shape)} elements")
        self.limits.check("expanded_bytes", math.prod(shape) * type.dtype.itemsize)

        def whole() -> Array:
            out = np.empty(shape, type.dtype)
            for where, part in parts:
                out[where] = part.numpy()
            return out
        return Tensor(whole, type)


def _unsnapped(data: bytes, limits: Limits, corrupt: Callable[[str], CorruptFile]) -> bytes:
    """A block that was compressed with Snappy (its format_description.txt): literals and copies of what was written."""
    view = memoryview(data)
    size, at = protobuf.varint(view, 0, len(view))
    if size > len(data) * limits.ratio + (1 << 20):
        raise corrupt(f"a compressed block of {len(data)} bytes that claims {size}")
    out = bytearray()
    try:
        while at < len(data):
            tag = data[at]
            at += 1
            kind = tag & 3
            if kind == 0:
                n = tag >> 2
                if n >= 60:
                    more = n - 59
                    n = int.from_bytes(data[at:at + more], "little")
                    at += more
                n += 1
                if at + n > len(data):
                    raise IndexError
                out += data[at:at + n]
                at += n
            else:
                if kind == 1:
                    n, back = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
                    at += 1
                else:
                    width = 2 if kind == 2 else 4
                    n, back = (tag >> 2) + 1, int.from_bytes(data[at:at + width], "little")
                    at += width
                if not 0 < back <= len(out):
                    raise IndexError
                for _ in range(n):
                    out.append(out[-back])
            if len(out) > size:
                raise IndexError
    except IndexError:
        raise corrupt("a compressed block that is malformed") from None
    if len(out) != size:
        raise corrupt("a compressed block that ends too early")
    return bytes(out)


def _number(b: bytes, at: int) -> tuple[int, int]:
    n = b[at]
    if n > 8:
        raise IndexError
    return int.from_bytes(b[at + 1:at + 1 + n], "big"), at + 1 + n


def _text(b: bytes, at: int) -> tuple[bytes, int]:
    out = bytearray()
    while True:
        c = b[at]
        if c == 0:
            if b[at + 1] == 1:
                return bytes(out), at + 2
            out.append(0)
            at += 2
        elif c == 0xFF:
            out.append(0xFF)
            at += 2
        else:
            out.append(c)
            at += 1


def _signed(b: bytes, at: int) -> tuple[int, int]:
    """As many leading ones (for a negative number: zeros) as there are bytes, then a zero, then the number."""
    c = b[at]
    negative = not c & 0x80
    x = c ^ 0xFF if negative else c
    n = 1
    while n < 8 and x & (0x80 >> n):
        n += 1
    if n == 8:
        raise IndexError  # 2**55 elements
    if at + n > len(b):
        raise IndexError
    v = int.from_bytes(b[at:at + n], "big")
    mask = (1 << (7 * n - 1)) - 1
    return (-(~v & mask) - 1 if negative else v & mask), at + n
