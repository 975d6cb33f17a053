"""The bytes of HDF5: object headers, messages, trees and heaps; see :mod:`.hdf5`."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CorruptFile, UnsafeModel, printable
from .limits import Limits

UNDEFINED = (1 << 64) - 1
_PARTS = 1_000_000  # nodes of trees and pieces of headers that one file may have


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an object header."""

    kind: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class Space:
    """A shape; an empty dataspace is ``None`` instead."""

    dims: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """An element type: of numbers (``dtype``), or text, of a fixed size or in the heap."""

    size: int
    dtype: np.dtype[Any] | None = None
    text: bool = False
    vlen: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the elements of a dataset lie: ``contiguous``, ``compact`` or ``chunked``."""

    kind: str
    address: int = UNDEFINED
    size: int = 0
    inline: memoryview | bytes = b""
    chunk: tuple[int, ...] = ()
    single: tuple[int, int] | None = None  # the bytes and the filter mask of an only chunk


class Buffer:
    """Bounds-checked numbers out of bytes, and the trees and heaps that they make."""

    def __init__(self, view: memoryview, limits: Limits) -> None:
        self.view, self.limits = view, limits
        self.parts = self.walked = 0

    def span(self, at: int, size: int) -> memoryview:
        if at < 0 or size < 0 or at + size > len(self.view):
            raise CorruptFile(f"{size} bytes of HDF5 at {at} are outside of its {len(self.view)} bytes")
        return self.view[at:at + size]

    def byte(self, at: int) -> int:
        return self.span(at, 1)[0]

    def u16(self, at: int) -> int:
        return int.from_bytes(self.span(at, 2), "little")

    def u32(self, at: int) -> int:
        return int.from_bytes(self.span(at, 4), "little")

    def u64(self, at: int) -> int:
        return int.from_bytes(self.span(at, 8), "little")

    def uint(self, at: int, size: int) -> int:
        return int.from_bytes(self.span(at, size), "little")

    def signed(self, at: int, magic: bytes, what: str) -> int:
        """Checks a four-byte signature; the offset behind it."""
        self.parts += 1
        if self.parts > _PARTS:
            raise CorruptFile("the structure of the HDF5 file does not end")
        if bytes(self.span(at, 4)) != magic:
            raise CorruptFile(f"there is no {what} of HDF5", offset=at)
        return at + 4

    def tree(self, at: int, kind: int, key: int, level: int | None = None) -> Iterator[tuple[int, int]]:
        """Offset of the key, and child, of every leaf entry below a node of a B-tree of version 1."""
        self.signed(at, b"TREE", "tree node")
        here, count = self.byte(at + 5), self.u16(at + 6)
        if self.byte(at + 4) != kind or (level is not None and here != level):
            raise CorruptFile("a tree node of HDF5 of a wrong kind or level", offset=at)
        for k in range(count):
            entry = at + 24 + k * (key + 8)
            child = self.u64(entry + key)
            if here:
                yield from self.tree(child, kind, key, here - 1)  # levels fall, so it ends
            else:
                yield entry, child

    def chunks(self, layout: Layout, rank: int) -> Iterator[tuple[tuple[int, ...], int, int, int]]:
        """Start, filter mask, address and stored bytes of every chunk."""
        if layout.address == UNDEFINED:
            return
        if layout.single is not None:
            yield (0,) * rank, layout.single[1], layout.address, layout.single[0]
            return
        for entry, child in self.tree(layout.address, 1, 8 + 8 * (rank + 1)):
            start = tuple(self.u64(entry + 8 + 8 * k) for k in range(rank))
            yield start, self.u32(entry + 4), child, self.u32(entry)

    def global_heap(self, at: int, index: int) -> memoryview:
        """An object of the heap that holds text of any length."""
        self.signed(at, b"GCOL", "heap of texts")
        end, here = at + self.u64(at + 8), at + 16
        while here + 16 <= end:
            number, size = self.u16(here), self.u64(here + 8)
            if number == index:
                return self.span(here + 16, size)
            if number == 0:
                break
            here += 16 + size + -size % 8
        raise CorruptFile(f"text {index} of HDF5 is not there", offset=at)

    def attributes(self, messages: list[Message]) -> Iterator[memoryview]:
        """The attribute messages of an object, those in a heap of their own too."""
        for m in messages:
            if m.kind == 12:
                yield m.data
            elif m.kind == 21:
                b = Buffer(m.data, self.limits)
                at = 2 + 2 * (b.byte(1) & 1)
                heap, index = b.u64(at), b.u64(at + 8)
                if heap != UNDEFINED:
                    yield from self.heap_objects(heap, index, 8, 0, 8)

    def heap_objects(self, heap: int, index: int, kind: int, at: int, size: int) -> Iterator[memoryview]:
        """The objects of a fractal heap that a B-tree of version 2 lists; their ids are in its records."""
        read = _FractalHeap(self, heap)
        for record in self.records(index, kind):
            yield read(self.span(record + at, size))

    def records(self, at: int, kind: int) -> Iterator[int]:
        """The offset of each record of a B-tree of version 2."""
        self.signed(at, b"BTHD", "index")
        node, size, depth = self.u32(at + 6), self.u16(at + 10), self.u16(at + 12)
        root, count = self.u64(at + 16), self.u16(at + 24)
        if self.byte(at + 5) != kind or not size or node < 16:
            raise CorruptFile("an index of HDF5 of a wrong kind", offset=at)
        if depth > 1:
            raise CorruptFile("an index of HDF5 with more than two levels is not read", offset=at)
        if root != UNDEFINED:
            yield from self._node(root, count, size, depth, node)

    def _node(self, at: int, count: int, size: int, depth: int, node: int) -> Iterator[int]:
        self.signed(at, b"BTIN" if depth else b"BTLF", "node of an index")
        first = at + 6
        self.span(first, count * size)
        yield from range(first, first + count * size, size)
        if depth:
            width = _width((node - 10) // size)
            pointer = first + count * size
            for _ in range(count + 1):
                yield from self._node(self.u64(pointer), self.uint(pointer + 8, width), size, depth - 1, node)
                pointer += 8 + width


def _width(number: int) -> int:
    """Bytes that hold numbers up to ``number``."""
    return max(1, (number.bit_length() + 7) // 8)


class _FractalHeap:
    """The heap of links and attributes of newer files: blocks that double in size."""

    def __init__(self, b: Buffer, at: int) -> None:
        b.signed(at, b"FRHP", "heap")
        self.b = b
        if b.u16(at + 7):
            raise CorruptFile("a compressed heap of HDF5", offset=at)
        self.checked = bool(b.byte(at + 9) & 2)
        most = b.u32(at + 10)
        table = at + 110
        self.columns, self.start, self.direct = b.u16(table), b.u64(table + 2), b.u64(table + 10)
        self.offset = (b.u16(table + 18) + 7) // 8
        self.length = min(_width(self.direct), _width(most))
        self.root, self.rows = b.u64(table + 22), b.u16(table + 30)
        if not self.columns or not self.start or self.columns > 1024 or self.rows > 64 or not 1 <= self.offset <= 8:
            raise CorruptFile("a heap of HDF5 of an impossible form", offset=at)

    def __call__(self, heap_id: memoryview) -> memoryview:
        if heap_id[0] & 0xF0:
            raise CorruptFile("an object of HDF5 that is not in its heap")
        where = int.from_bytes(heap_id[1:1 + self.offset], "little")
        size = int.from_bytes(heap_id[1 + self.offset:1 + self.offset + self.length], "little")
        return self.b.span(self._address(self.root, self.rows, where, 0), size)

    def _address(self, block: int, rows: int, where: int, depth: int) -> int:
        """The address of an offset of the heap, below an indirect block of so many rows (0: a direct block)."""
        if depth > 32:
            raise CorruptFile("a heap of HDF5 that does not end")
        if not rows:
            self.b.signed(block, b"FHDB", "block of a heap")
            return block + where
        at = self.b.signed(block, b"FHIB", "block of a heap") + 9 + self.offset
        begin = 0
        for row in range(rows):
            size = self.start << max(0, row - 1)
            inside = where - begin
            if inside < size * self.columns:
                child = self.b.u64(at + 8 * (row * self.columns + inside // size))
                below = 0
                if size > self.direct:  # as many rows as a block of that size has room for
                    while below < 64 and self.columns * (self.start << max(0, below - 1)) * (2 if below else 1) <= size:
                        below += 1
                return self._address(child, below, inside % size, depth + 1)
            begin += size * self.columns
        raise CorruptFile("an object of HDF5 outside of its heap")


def header(b: Buffer, at: int) -> list[Message]:
    """The messages of an object header of either version."""
    out: list[Message] = []
    if bytes(b.span(at, 4)) == b"OHDR":
        flags = b.byte(at + 5)
        first = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        todo = [(first + width, b.uint(first, width))]
        head = 6 if flags & 4 else 4
        new = True
    else:
        if b.byte(at) != 1:
            raise CorruptFile("there is no object header of HDF5", offset=at)
        todo, head, new = [(at + 16, b.u32(at + 8))], 8, False
    seen = set()
    while todo:
        here, size = todo.pop(0)
        if here in seen:
            raise CorruptFile("an object header of HDF5 continues in itself", offset=here)
        seen.add(here)
        b.span(here, size)
        end = here + size
        while here + head <= end:
            b.parts += 1
            if b.parts > _PARTS:
                raise CorruptFile("the structure of the HDF5 file does not end")
            kind, length, flags = (b.byte(here), b.u16(here + 1), b.byte(here + 3)) if new else \
                (b.u16(here), b.u16(here + 2), b.byte(here + 4))
            data = b.span(here + head, length)
            here += head + length
            if kind == 0x10:
                if length < 16:
                    raise CorruptFile("an object header of HDF5 is cut off", offset=here)
                next_at, next_size = struct.unpack_from("<QQ", data)
                if new:
                    b.signed(next_at, b"OCHK", "continued object header")
                    next_at, next_size = next_at + 4, next_size - 8
                todo.append((next_at, next_size))
            elif kind in (1, 3, 8, 11) and flags & 2:
                raise CorruptFile("a message of HDF5 that several objects share", offset=here)
            elif kind:
                out.append(Message(kind, data))
    return out


def space(b: Buffer) -> Space | None:
    """The shape that a dataspace message states; ``None`` for an empty one."""
    version, rank = b.byte(0), b.byte(1)
    if version == 1:
        at = 8
    elif version == 2:
        at = 4
        if b.byte(3) == 2:
            return None
    else:
        raise CorruptFile(f"a dataspace of version {version}")
    b.limits.check("rank", rank)
    return Space(tuple(b.u64(at + 8 * k) for k in range(rank)))


def datatype(b: Buffer) -> Kind:
    """The element type that a datatype message states; what is no number and no text has no ``dtype``."""
    kind, bits, size = b.byte(0) & 15, b.uint(1, 3), b.u32(4)
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        return Kind(size, np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}"))
    if kind == 1 and size in (2, 4, 8):
        if (b.byte(13), b.byte(15)) not in ((5, 10), (8, 23), (11, 52), (8, 7)):
            raise CorruptFile(f"a floating-point type of HDF5 with {b.byte(13)} and {b.byte(15)} bits")
        if b.byte(13) == 8 and size == 2:
            import ml_dtypes
            return Kind(2, np.dtype(ml_dtypes.bfloat16))
        return Kind(size, np.dtype(f"{order}f{size}"))
    if kind == 3:
        return Kind(size, text=True)
    if kind == 9 and bits & 15 == 1:
        return Kind(size, text=True, vlen=True)
    if kind == 8:  # an enumeration of two: how truth values are written
        base = datatype(Buffer(b.view[8:], b.limits))
        return Kind(size, np.dtype(bool) if size == 1 and bits & 0xFFFF == 2 else base.dtype)
    return Kind(max(1, size))


def layout_of(b: Buffer, name: str) -> Layout:
    """Where a dataset lies.  Raises :class:`UnsafeModel` for what is put together from other files."""
    version = b.byte(0)
    if version in (1, 2):
        rank, kind = b.byte(1), b.byte(2)
        at = 8 if kind == 0 else 16
        dims = tuple(b.u32(at + 4 * k) for k in range(rank))
        if kind == 0:
            return Layout("compact", inline=b.span(at + 4 * rank + 4, b.u32(at + 4 * rank)))
        if kind == 1:
            size = 1
            for d in dims:
                size *= d
            return Layout("contiguous", b.u64(8), size)
        return Layout("chunked", b.u64(8), chunk=(*dims, b.u32(at + 4 * rank)) if version == 1 else dims)
    kind = b.byte(1)
    if version not in (3, 4):
        raise CorruptFile(f"a data layout of version {version}")
    if kind == 0:
        return Layout("compact", inline=b.span(4, b.u16(2)))
    if kind == 1:
        return Layout("contiguous", b.u64(2), b.u64(10))
    if kind == 3:
        raise UnsafeModel(f"the dataset '{printable(name)}' is put together from other files; nothing was opened")
    if kind != 2:
        raise CorruptFile(f"a data layout of class {kind}")
    if version == 3:
        rank = b.byte(2)
        return Layout("chunked", b.u64(3), chunk=tuple(b.u32(11 + 4 * k) for k in range(rank)))
    flags, rank, width = b.byte(2), b.byte(3), b.byte(4)
    if not 1 <= width <= 8:
        raise CorruptFile(f"chunks whose sizes have {width} bytes")
    chunk = tuple(b.uint(5 + width * k, width) for k in range(rank))
    at = 5 + width * rank
    if b.byte(at) != 1:
        raise CorruptFile(f"the chunks of '{printable(name)}' are indexed as only newer versions of HDF5 do; "
                          "save the model without libver='latest'")
    if flags & 2:
        return Layout("chunked", b.u64(at + 13), chunk=chunk, single=(b.u64(at + 1), b.u32(at + 9)))
    return Layout("chunked", b.u64(at + 1), chunk=chunk, single=(0, 0))


def pipeline(b: Buffer, name: str) -> list[tuple[int, tuple[int, ...]]]:
    """The filters of a dataset's chunks: number and parameters.  Others than three simple ones are refused."""
    version, count = b.byte(0), b.byte(1)
    at, out = 8 if version == 1 else 2, []
    if version not in (1, 2):
        raise CorruptFile(f"a filter pipeline of version {version}")
    for _ in range(count):
        number = b.u16(at)
        named = version == 1 or number >= 256
        length = b.u16(at + 2) if named else 0
        at += 4 if named else 2
        values = b.u16(at + 2)
        at += 4 + length + (-length % 8 if version == 1 else 0)
        out.append((number, tuple(b.u32(at + 4 * k) for k in range(values))))
        at += 4 * values + (4 if version == 1 and values % 2 else 0)
        if number not in (1, 2, 3):
            raise UnsafeModel(f"the dataset '{printable(name)}' needs the HDF5 filter {number}; filters other than "
                              "gzip, shuffle and fletcher32 are never loaded")
    return out


def links_of(b: Buffer, messages: list[Message]) -> Iterator[tuple[str, int]]:
    """Name and address of everything in a group; links that are not part of the file itself are refused."""
    for m in messages:
        here = Buffer(m.data, b.limits)
        if m.kind == 6:
            yield _link(here)
        elif m.kind == 2:
            at = 2 + 8 * (here.byte(1) & 1)
            heap, index = here.u64(at), here.u64(at + 8)
            if heap != UNDEFINED:
                for data in b.heap_objects(heap, index, 5, 4, 7):
                    yield _link(Buffer(data, b.limits))
        elif m.kind == 17:
            tree, heap = here.u64(0), here.u64(8)
            b.signed(heap, b"HEAP", "heap of names")
            names = b.span(b.u64(heap + 24), b.u64(heap + 8))
            for _, node in b.tree(tree, 0, 8):
                b.signed(node, b"SNOD", "symbol table")
                for k in range(b.u16(node + 6)):
                    entry = node + 8 + 40 * k
                    at = b.u64(entry)
                    end = bytes(names[at:at + 65536]).find(b"\0")
                    if at >= len(names) or end < 0:
                        raise CorruptFile("a name of HDF5 is cut off", offset=entry)
                    name = bytes(names[at:at + end]).decode("utf-8", "surrogateescape")
                    if b.u32(entry + 16) == 2:
                        raise UnsafeModel(f"'{printable(name)}' is a soft link inside the HDF5 file")
                    yield name, b.u64(entry + 8)


def _link(b: Buffer) -> tuple[str, int]:
    flags, at = b.byte(1), 2
    kind = 0
    if flags & 8:
        kind, at = b.byte(at), at + 1
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    width = 1 << (flags & 3)
    size = b.uint(at, width)
    b.limits.check("name_bytes", size)
    name = bytes(b.span(at + width, size)).decode("utf-8", "surrogateescape")
    if kind:
        what = {1: "a soft link", 64: "a link to another file"}.get(kind, "a link of a private kind")
        raise UnsafeModel(f"'{printable(name)}' is {what}; nothing was opened")
    return name, b.u64(at + width + size)
