"""The archives of PyTorch: zips whose records lie unpacked, and tensors in them as views of the mapped file.

Sources: torch/serialization.py, caffe2/serialize/inline_container.h, torch/_utils.py."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...codecs import pickle
from ...codecs.archive import Archive
from ...codecs.limits import DEFAULT, Limits
from ...codecs.mapped import Mapped, Slice
from ...codecs.pickle import Name, Record
from ...errors import CorruptFile, UnsafeModel, Unsupported, printable
from ...ir.tensor import Array, Tensor
from ...ir.types import DType, Type
from .elements import of_storage

Bytes = Slice | memoryview


class Records:
    """The records of a zip archive, named as they are within its one folder."""

    def __init__(self, path: Path, limits: Limits = DEFAULT) -> None:
        self.path, self.limits = path, limits
        self._archive = Archive(path, limits)
        try:
            names = self._archive.names()
            self._map = Mapped(path, limits)
        except BaseException:
            self._archive.close()
            raise
        first = names[0].partition("/")[0] if names else ""
        self.root = f"{first}/" if first and all(n.startswith(f"{first}/") for n in names) else ""
        self.names = tuple(n.removeprefix(self.root) for n in names)
        self._have = frozenset(self.names)

    def __contains__(self, name: str) -> bool:
        return name in self._have

    def read(self, name: str) -> bytes:
        return self._archive.read(self.root + name)

    def bytes_of(self, name: str) -> Bytes:
        """The bytes of a record, mapped where they lie unpacked."""
        place = self._archive.stored(self.root + name) if name in self else None
        return memoryview(self.read(name)) if place is None else self._map.slice(*place)

    def text(self, name: str) -> str:
        try:
            return self.read(name).decode()
        except UnicodeDecodeError:
            raise CorruptFile(f"'{printable(name)}' is no text", path=self.path) from None

    @property
    def big_endian(self) -> bool:
        return "byteorder" in self and self.read("byteorder").strip() == b"big"

    def close(self) -> None:
        self._archive.close()

    def unpickled(self, name: str, folder: str, checked: bool = True) -> pickle.Pickled:
        """The objects of a pickle, their storages the records of ``folder``.  Raises :class:`UnsafeModel` if it names
        what a model has no business with, unless that is not to be ``checked``."""
        def persistent(key: Any) -> Any:
            return self._storage(key, folder)
        found = pickle.read(self.read(name), self.limits, persistent=persistent)
        if checked and (bad := suspicious(found.names)):
            raise refused(bad)
        return found

    def _storage(self, key: Any, folder: str) -> Any:
        if not (isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage" and isinstance(key[1], Name)):
            return pickle.Persistent(key)
        kind, record = key[1:3]
        name = f"{folder}/{record}"
        if name not in self:
            raise CorruptFile(f"has no record '{printable(name)}'", path=self.path)
        return Storage(self.bytes_of(name), of_storage(kind.name), self.big_endian)


_HARMLESS = frozenset("pathlib types uuid logging".split())
"""Modules of Python that checkpoints name for what they say of the training."""


def suspicious(names: Any) -> list[Name]:
    """The names in a pickle that a model has no business with."""
    from ..sklearn.container import dangerous
    return [n for n in dangerous(names) if n.module.partition(".")[0] not in _HARMLESS
            and not (n.module.startswith("torch") and "." in n.name)]


def refused(bad: Sequence[Name]) -> UnsafeModel:
    return UnsafeModel(f"the pickle names {', '.join(printable(n, 60) for n in bad[:3])}: opening it with PyTorch "
                       "could run that; nothing was run here", hint="modelport inspect lists all that it names")


@dataclass(eq=False)
class Storage:
    """The bytes that tensors are views of, and the element type they were saved with."""

    data: Bytes
    dtype: DType
    big_endian: bool = False


def tensor(storage: Storage, dtype: DType, offset: int, shape: Sequence[int], strides: Sequence[int]) -> Tensor:
    """The view of a storage: ``offset`` and ``strides`` in elements.  Raises :class:`CorruptFile` where it reaches
    outside."""
    said = (shape, strides, (offset,))
    if not all(isinstance(x, (list, tuple)) and all(isinstance(n, int) for n in x) for x in said):
        raise CorruptFile("a tensor whose sizes are no whole numbers")
    shape, strides = tuple(shape), tuple(strides)
    if len(shape) != len(strides) or offset < 0 or any(n < 0 for n in (*shape, *strides)):
        raise CorruptFile(f"a tensor of shape {list(shape)} with strides {list(strides)} at {offset}")
    count = math.prod(shape)
    DEFAULT.check("elements", count)
    size = dtype.itemsize
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if count else offset - 1
    if (last + 1) * size > len(storage.data):
        raise CorruptFile(f"a tensor of shape {list(shape)} needs {(last + 1) * size} bytes, its storage has "
                          f"{len(storage.data)}")
    if count * size > max(1 << 20, 4 * len(storage.data)):
        DEFAULT.check("expanded_bytes", count * size)
    type = Type(dtype, shape)
    order = dtype.newbyteorder(">") if storage.big_endian else dtype

    def made() -> Array:
        view = storage.data.view if isinstance(storage.data, Slice) else storage.data
        flat = np.frombuffer(view, order, count=len(view) // size) if len(view) >= size else np.zeros(0, order)
        if not count:
            return np.zeros(shape, dtype)
        out = np.lib.stride_tricks.as_strided(flat[offset:], shape, [s * size for s in strides], writeable=False)
        return cast(Array, out.astype(dtype)) if storage.big_endian else out
    if _contiguous(shape, strides) and not storage.big_endian and count:
        start, end = offset * size, (offset + count) * size
        raw: Bytes = storage.data.file.slice(storage.data.start + start, storage.data.start + end) \
            if isinstance(storage.data, Slice) else storage.data[start:end]
        return Tensor(made, type, raw)
    return Tensor(made, type)


def _contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    want = 1
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and s != want:
            return False
        want *= n
    return True


MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""How a pickle says 0x1950a86a20f9469cfc6c, with which files of torch.save began before 1.6."""


def is_tar(path: Path) -> bool:
    """Whether a file is a tar archive, which torch.save wrote before 0.1.10."""
    with open(path, "rb") as f:
        return f.read(262)[257:] == b"ustar"


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins so is one of safetensors: the length of a header in JSON, and its first byte."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100_000_000


class Legacy:
    """A file of torch.save before 1.6: pickles of the magic number, the protocol, facts of the system, the object and
    the keys of its storages, and then these, each behind its number of elements.  ``sources`` are the texts of the
    classes, by their dotted names, which such files hold for those who want to compare them."""

    def __init__(self, path: Path, limits: Limits = DEFAULT) -> None:
        self.path, self.limits = path, limits
        self.sources: dict[str, str] = {}
        self._storages: dict[str, Storage] = {}
        self._views: list[tuple[Storage, str, int, int]] = []
        self._map = Mapped(path, limits)
        found = pickle.read(self._map.view, limits, persistent=self._persistent, count=5)
        self.names = found.names
        if len(found.objects) < 5 or not isinstance(found.objects[2], dict) or not isinstance(found.objects[4], list):
            raise CorruptFile("ends before its storages", path=path)
        big = found.objects[2].get("little_endian") is False
        self.root = found.objects[3]
        self._filled(found.objects[4], found.end, big)

    def _persistent(self, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) >= 4 and key[0] == "module" and isinstance(key[1], Name):
            if isinstance(key[3], str):
                self.sources[str(key[1])] = key[3]
            return key[1]
        if not (isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage" and isinstance(key[1], Name)):
            return pickle.Persistent(key)
        kind, own = of_storage(key[1].name), str(key[2])
        storage = self._storages.setdefault(own, Storage(memoryview(b""), kind))
        view = key[5] if len(key) > 5 else None
        if not (isinstance(view, tuple) and len(view) == 3):
            return storage
        part = Storage(memoryview(b""), kind)
        if not all(isinstance(n, int) for n in view[1:]):
            raise CorruptFile("a part of a storage whose places are no whole numbers")
        self._views.append((part, own, *view[1:]))
        return part

    def _filled(self, keys: Sequence[Any], at: int, big: bool) -> None:
        for key in keys:
            storage = self._storages.get(str(key))
            if storage is None:
                raise CorruptFile(f"a storage {printable(key, 40)} that nothing refers to", path=self.path, offset=at)
            count = int.from_bytes(self._map.slice(at, at + 8).view, "big" if big else "little", signed=True)
            size = count * storage.dtype.itemsize
            if count < 0:
                raise CorruptFile(f"a storage of {count} elements", path=self.path, offset=at)
            storage.data, storage.big_endian = self._map.slice(at + 8, at + 8 + size), big
            at += 8 + size
        for part, own, first, count in self._views:
            base = self._storages[own]
            size = base.dtype.itemsize
            if not 0 <= first <= first + count <= len(base.data) // size:
                raise CorruptFile(f"elements {first} to {first + count} of a storage that has not so many",
                                  path=self.path)
            assert isinstance(base.data, Slice) or not len(base.data)
            if isinstance(base.data, Slice):
                start = base.data.start + first * size
                part.data, part.big_endian = self._map.slice(start, start + count * size), big


_REBUILT = frozenset(f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3"))


def as_tensor(x: Any) -> Tensor | None:
    """The tensor that a record of a pickle describes; ``None`` for other objects."""
    if not isinstance(x, Record) or not isinstance(x.of, Name):
        return None
    args = x.args
    if x.path in _REBUILT and len(args) >= 4 and isinstance(args[0], Storage):
        kind = args[0].dtype
        if x.path.endswith("_v3"):
            kind = next((of_name(a) for a in args[4:] if isinstance(a, Name)), kind)
        elif isinstance(args[0].dtype, np.dtype) and len(args) > 4 and isinstance(args[-1], Name):
            kind = of_name(args[-1])
        return tensor(args[0], kind, args[1], args[2], args[3])
    if x.path in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state") and args:
        return as_tensor(args[0])
    if x.path == "torch._tensor._rebuild_from_type_v2" and len(args) >= 3 and isinstance(args[2], tuple):
        return as_tensor(Record(args[0], args[2])) if isinstance(args[0], Name) else None
    if x.path == "torch._utils._rebuild_qtensor":
        return _dequantized(x)
    if x.path.startswith("torch._utils._rebuild_"):
        raise Unsupported(f"a tensor made by {x.path}")
    return None


_BY_CHANNEL = ("torch.per_channel_affine", "torch.per_channel_affine_float_qparams")


def quantized(x: Record) -> tuple[Tensor, Array, Array, int | None]:
    """The whole numbers of a quantized tensor that a record describes, with the scale and zero point of all of it, or
    with those of each part along an axis; zero points of embeddings are reals."""
    if len(x.args) < 5 or not isinstance(x.args[0], Storage):
        raise CorruptFile("a quantized tensor without its numbers")
    q, how = tensor(x.args[0], x.args[0].dtype, *x.args[1:4]), x.args[4]
    if q.type.dtype.kind not in "iu":
        raise Unsupported(f"a quantized tensor of {q.type.dtype}")
    scheme = str(how[0]) if isinstance(how, tuple) and how else ""
    if scheme == "torch.per_tensor_affine" and len(how) == 3 and all(isinstance(v, (int, float)) for v in how[1:]):
        return q, np.asarray(how[1], np.float32), np.asarray(how[2], np.int64), None
    if scheme in _BY_CHANNEL and len(how) == 4 and isinstance(how[3], int):
        found = [as_tensor(v) for v in how[1:3]]
        shape = q.type.shape or ()
        if None in found or not 0 <= how[3] < len(shape) or any(t.type.shape != (shape[how[3]],) for t in found if t):
            raise CorruptFile("scales of channels that are not as many as these")
        scale, zero = (t.numpy() for t in found if t is not None)
        return q, scale.astype(np.float32), zero.astype(np.float32 if zero.dtype.kind == "f" else np.int64), how[3]
    raise Unsupported(f"a tensor quantized by {printable(scheme, 60)}")


def _dequantized(x: Record) -> Tensor:
    """The reals that a quantized tensor stands for."""
    q, scale, zero, axis = quantized(x)
    if axis is not None:
        along = [-1 if k == axis else 1 for k in range(len(q.type.shape or ()))]
        scale, zero = scale.reshape(along), zero.reshape(along)

    def made() -> Array:
        steps = q.numpy().astype(np.float32) - zero if zero.dtype.kind == "f" else q.numpy().astype(np.int64) - zero
        return cast(Array, (steps.astype(np.float32) * scale).astype(np.float32))
    return Tensor(made, Type(np.dtype(np.float32), q.type.shape))


def of_name(name: Name) -> DType:
    """The element type that ``torch.float32`` names."""
    return of_storage(name.name.capitalize() + "Storage") if name.module == "torch" else np.dtype(np.uint8)
