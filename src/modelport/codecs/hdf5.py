"""HDF5 files read in pure Python: groups, attributes and datasets, as far as models use them.

A file is a view of bytes; nothing outside of it is ever opened: external and soft links, virtual and external datasets,
references and filters other than gzip, shuffle and Fletcher's checksum are refused by name.  Sizes are checked before
anything is made: the elements of a dataset must be there, or decompress within the budget.  A contiguous dataset is a
slice of the mapped file.  Format: "HDF5 File Format Specification Version 3.0"."""
from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import CorruptFile, LimitExceeded, UnsafeModel, printable
from ..ir.tensor import Array, Stored, Tensor
from ..ir.types import Type
from .hdf5_parts import (
    UNDEFINED,
    Buffer,
    Layout,
    Message,
    Space,
    datatype,
    header,
    layout_of,
    links_of,
    pipeline,
    space,
)
from .limits import DEFAULT, Limits
from .mapped import Mapped

MAGIC = b"\x89HDF\r\n\x1a\n"
_FREE = 1 << 20  # bytes that a dataset may decompress to, whatever its ratio


class File:
    """The root of an HDF5 file that lies between two offsets of a mapped file, or in memory."""

    def __init__(self, source: Mapped | bytes, start: int = 0, end: int | None = None,
                 limits: Limits = DEFAULT) -> None:
        """Checks the superblock.  Raises :class:`CorruptFile` if this is no HDF5 file."""
        mapped = None if isinstance(source, bytes) else source
        view = memoryview(source) if isinstance(source, bytes) else source.view
        self._mapped, self._start = mapped, start
        self.limits = limits
        self.buffer = Buffer(view[start:len(view) if end is None else end], limits)
        self.spent = 0
        self.root = Group(self, self._superblock(), "")

    def _superblock(self) -> int:
        b = self.buffer
        if bytes(b.view[:8]) != MAGIC:
            raise CorruptFile("not an HDF5 file: its signature is missing")
        version = b.byte(8)
        if version in (0, 1):
            sizes, base, root = (b.byte(13), b.byte(14)), 24 + 4 * version, 24 + 4 * version + 32 + 8
        elif version in (2, 3):
            sizes, base, root = (b.byte(9), b.byte(10)), 12, 36
        else:
            raise CorruptFile(f"version {version} of the HDF5 superblock", offset=8)
        if sizes != (8, 8):
            raise CorruptFile(f"offsets of {sizes[0]} and lengths of {sizes[1]} bytes, where 8 are read", offset=13)
        if b.u64(base) != 0:
            raise CorruptFile("an HDF5 file with a base address", offset=base)
        return b.u64(root)

    def stored(self, at: int, size: int) -> memoryview | Stored:
        """Bytes of the file, as a slice that the kernel can copy where the file is mapped."""
        view = self.buffer.span(at, size)
        return view if self._mapped is None else self._mapped.slice(self._start + at, self._start + at + size)

    def spend(self, made: int, stored: int) -> None:
        """Counts bytes that reading makes beyond those of the file."""
        self.spent = self.limits.check("expanded_bytes", self.spent + made)
        if made > _FREE and made > stored * self.limits.ratio:
            raise LimitExceeded(f"{made:,} bytes from {stored:,} stored are over {self.limits.ratio} times as many",
                                hint="raise it with --limit ratio=NUMBER if you trust the file")


class _Object:
    """What groups and datasets have in common: an object header, and attributes."""

    def __init__(self, file: File, address: int, name: str) -> None:
        self.file, self.address, self.name = file, address, name
        self._messages: list[Message] | None = None
        self._attrs: dict[str, Any] | None = None

    @property
    def messages(self) -> list[Message]:
        if self._messages is None:
            self._messages = header(self.file.buffer, self.address)
        return self._messages

    def first(self, kind: int) -> memoryview | None:
        return next((m.data for m in self.messages if m.kind == kind), None)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes by name: text as ``str``, numbers and lists of text as arrays or lists."""
        if self._attrs is None:
            self._attrs = {}
            for data in self.file.buffer.attributes(self.messages):
                name, value = self._attribute(data)
                if name in self._attrs:
                    raise CorruptFile(f"the attribute '{printable(name)}' is there twice")
                self._attrs[name] = value
        return self._attrs

    def _attribute(self, data: memoryview) -> tuple[str, Any]:
        b = Buffer(data, self.file.limits)
        version, flags = b.byte(0), b.byte(1)
        if version not in (1, 2, 3) or (version > 1 and flags & 3):
            raise CorruptFile(f"an attribute message of version {version}, flags {flags}")
        sizes, at = (b.u16(2), b.u16(4), b.u16(6)), 9 if version == 3 else 8
        parts = []
        for size in sizes:
            parts.append(b.span(at, size))
            at += size + (-size % 8 if version == 1 else 0)
        name = bytes(parts[0]).split(b"\0")[0].decode("utf-8", "replace")
        kind, shape = datatype(Buffer(parts[1], self.file.limits)), space(Buffer(parts[2], self.file.limits))
        if shape is None:
            return name, None
        count = self._count(shape)
        raw = b.span(at, kind.size * count)
        values: Any
        if kind.text:
            values = [self._text(kind.vlen, raw[k * kind.size:(k + 1) * kind.size]) for k in range(count)]
            return name, values[0] if shape.dims == () else values
        if kind.dtype is None:
            return name, None  # of a type that no model needs: references and compounds of other writers
        if kind.size != kind.dtype.itemsize:
            raise CorruptFile(f"numbers of {kind.dtype.itemsize} bytes that are stored in {kind.size}")
        values = np.frombuffer(raw, kind.dtype, count).reshape(shape.dims)
        return name, values[()] if shape.dims == () else values

    def _count(self, shape: Space) -> int:
        self.file.limits.check("rank", len(shape.dims))
        return self.file.limits.check("elements", math.prod(shape.dims))

    def _text(self, vlen: bool, raw: memoryview) -> str:
        if vlen:
            if len(raw) < 16:
                raise CorruptFile(f"a text of any length in {len(raw)} bytes, where 16 say where it is")
            size, address, index = struct.unpack_from("<IQI", raw)
            raw = self.file.buffer.global_heap(address, index)[:size] if size else raw[:0]
            self.file.spend(len(raw), len(raw))
        return bytes(raw).split(b"\0")[0].decode("utf-8", "surrogateescape")


class Dataset(_Object):
    """An array of the file: its type now, its elements when they are asked for."""

    def __init__(self, file: File, address: int, name: str) -> None:
        super().__init__(file, address, name)
        what, shape = self.first(3), self.first(1)
        if what is None or shape is None:
            raise CorruptFile(f"the dataset '{printable(name)}' has no type or no shape")
        if self.first(7) is not None:
            raise UnsafeModel(f"the dataset '{printable(name)}' lies in external files; nothing was opened")
        self.kind = datatype(Buffer(what, file.limits))
        dims = space(Buffer(shape, file.limits))
        self.shape: tuple[int, ...] = () if dims is None else dims.dims
        self.empty = dims is None
        self._count(Space(self.shape))
        dtype = self.kind.dtype
        marked = self.attrs.get("dtype")  # how Keras writes bfloat16, which HDF5 does not know
        if marked == "bfloat16" and self.kind.size == 2:
            import ml_dtypes
            dtype = np.dtype(ml_dtypes.bfloat16)
        if dtype is not None and dtype.itemsize != self.kind.size and not self.kind.text:
            raise CorruptFile(f"the dataset '{printable(name)}' stores {dtype.itemsize} bytes in {self.kind.size}")
        self.dtype = dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.kind.size

    def _layout(self) -> Layout:
        data = self.first(8)
        if data is None:
            raise CorruptFile(f"the dataset '{printable(self.name)}' has no data")
        return layout_of(Buffer(data, self.file.limits), self.name)

    def tensor(self) -> Tensor:
        """The elements as a tensor: a slice of the mapped file where they lie in one piece.

        Raises :class:`CorruptFile` or :class:`LimitExceeded` now, not later, where the file lacks them."""
        if self.dtype is None:
            raise CorruptFile(f"the dataset '{printable(self.name)}' is no array of numbers")
        layout = self._layout()
        if layout.kind == "contiguous" and self.dtype.byteorder != ">" and self.nbytes and layout.address != UNDEFINED:
            if layout.size < self.nbytes:
                raise CorruptFile(f"the dataset '{printable(self.name)}' has {layout.size} bytes of {self.nbytes}")
            raw = self.file.stored(layout.address, self.nbytes)
            type, dtype = Type(self.dtype, self.shape), self.dtype

            def make() -> Array:
                view = raw if isinstance(raw, memoryview) else raw.view
                return np.frombuffer(view, np.uint8).view(dtype).reshape(self.shape)
            return Tensor(make, type, raw)
        return Tensor(self.numpy())

    def numpy(self) -> Array:
        """The elements as an array."""
        if self.dtype is None:
            raise CorruptFile(f"the dataset '{printable(self.name)}' is no array of numbers")
        layout = self._layout()
        if layout.kind == "chunked":
            raw = self._chunks(layout)
        elif layout.kind == "compact":
            raw = np.frombuffer(layout.inline, np.uint8)
        elif layout.address == UNDEFINED:
            self.file.spend(self.nbytes, 0)
            raw = np.zeros(self.nbytes, np.uint8)
        else:
            raw = np.frombuffer(self.file.buffer.span(layout.address, layout.size), np.uint8)
        if len(raw) < self.nbytes:
            raise CorruptFile(f"the dataset '{printable(self.name)}' has {len(raw)} bytes of {self.nbytes}")
        out: Array = raw[:self.nbytes].view(self.dtype).reshape(self.shape)
        return out.astype(out.dtype.newbyteorder("<")) if out.dtype.byteorder == ">" else out

    def _chunks(self, layout: Layout) -> Array:
        """The pieces of a chunked dataset in their places; a piece that is not there is zero."""
        b, rank = self.file.buffer, len(self.shape)
        if len(layout.chunk) != rank + 1 or layout.chunk[-1] != self.kind.size or not all(layout.chunk):
            raise CorruptFile(f"the chunks of '{printable(self.name)}' do not fit its shape")
        data = self.first(11)
        filters = [] if data is None else pipeline(Buffer(data, self.file.limits), self.name)
        size = math.prod(layout.chunk)
        stored = list(b.chunks(layout, rank))
        self.file.spend(self.nbytes, sum(n for _, _, _, n in stored))
        self.file.limits.check("expanded_bytes", size)
        out = np.zeros((*self.shape, self.kind.size), np.uint8)
        for start, mask, address, length in stored:
            piece = self._unfiltered(bytes(b.span(address, length or size)), filters, mask, size)
            if any(s >= n for s, n in zip(start, self.shape, strict=True)):
                continue  # a chunk behind the end of a dataset that was made smaller
            box = np.frombuffer(piece, np.uint8, size).reshape(*layout.chunk[:-1], self.kind.size)
            where = tuple(slice(s, min(s + c, n)) for s, c, n in zip(start, layout.chunk[:-1], self.shape, strict=True))
            out[where] = box[tuple(slice(0, w.stop - w.start) for w in where)]
        return out.reshape(-1)

    def _unfiltered(self, piece: bytes, filters: list[tuple[int, tuple[int, ...]]], mask: int, size: int) -> bytes:
        for k, (number, values) in reversed(list(enumerate(filters))):
            if mask >> k & 1:
                continue
            if number == 1:
                unpack = zlib.decompressobj()
                try:
                    made = unpack.decompress(piece, size + 4)
                except zlib.error as e:
                    raise CorruptFile(f"the dataset '{printable(self.name)}': {e}") from None
                piece = made
            elif number == 2:
                width = values[0] if values else self.kind.size
                if width < 1:
                    raise CorruptFile(f"the dataset '{printable(self.name)}' is shuffled by {width} bytes")
                whole = len(piece) // width * width
                turned = np.frombuffer(piece, np.uint8, whole).reshape(width, -1).T.tobytes()
                piece = turned + piece[whole:]
            elif number == 3:
                piece = piece[:-4]
        if len(piece) < size:
            raise CorruptFile(f"a chunk of '{printable(self.name)}' has {len(piece)} bytes of {size}")
        return piece


class Group(_Object):
    """A folder of the file: groups and datasets by name, in the order of the file."""

    def __init__(self, file: File, address: int, name: str, above: tuple[int, ...] = ()) -> None:
        super().__init__(file, address, name)
        if address in above:
            raise CorruptFile(f"the group '{printable(name)}' contains itself")
        self._above = (*above, address)
        file.limits.check("depth", len(self._above))
        self._links: dict[str, int] | None = None
        self._groups: dict[str, Group] = {}  # opened before

    def _addresses(self) -> dict[str, int]:
        if self._links is None:
            self._links = {}
            for name, address in links_of(self.file.buffer, self.messages):
                if name in self._links:
                    raise CorruptFile(f"the name '{printable(name)}' is there twice")
                self._links[name] = address
        return self._links

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses())

    def get(self, path: str) -> Group | Dataset | None:
        """What is at a path below this group, or ``None``."""
        here: Group | Dataset = self
        for part in (p for p in path.split("/") if p):
            if not isinstance(here, Group):
                return None
            address = here._addresses().get(part)
            if address is None:
                return None
            here = here._open(part, address)
        return here

    def group(self, path: str) -> Group | None:
        found = self.get(path)
        return found if isinstance(found, Group) else None

    def _open(self, part: str, address: int) -> Group | Dataset:
        if part in self._groups:
            return self._groups[part]
        name = f"{self.name}/{part}"
        probe = _Object(self.file, address, name)
        if any(m.kind == 8 for m in probe.messages):
            return Dataset(self.file, address, name)
        self._groups[part] = Group(self.file, address, name, self._above)
        return self._groups[part]

    def datasets(self) -> Iterator[tuple[str, Dataset]]:
        """Every dataset below this group, with its path from here."""
        self.file.buffer.walked += 1
        self.file.limits.check("tensors", self.file.buffer.walked)
        for part in self:
            child = self.get(part)
            if isinstance(child, Dataset):
                yield part, child
            elif isinstance(child, Group):
                for path, found in child.datasets():
                    yield f"{part}/{path}", found
