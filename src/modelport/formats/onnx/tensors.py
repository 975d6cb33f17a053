"""Tensors of an .onnx file: checked when the file is read, decoded when somebody needs them."""
from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...codecs.limits import Limits
from ...codecs.mapped import Mapped, Slice
from ...codecs.paths import open_beneath
from ...codecs.protobuf import LEN, Message, fields, header, varints
from ...errors import CorruptFile, Unsupported
from ...ir.tensor import Array, Tensor, unpack
from ...ir.types import BITS, DTYPE, STRING, DType, Type

INLINE = 1024
"""Bytes of a message up to which its payload is not worth leaving in the file."""

_FLOAT, _INT32, _STRING, _INT64, _RAW, _DOUBLE, _UINT64 = 4, 5, 6, 7, 9, 10, 11  # the data fields of TensorProto
_DATA = {_FLOAT, _INT32, _STRING, _INT64, _RAW, _DOUBLE, _UINT64}
_NAME = {_FLOAT: "float_data", _INT32: "int32_data", _INT64: "int64_data", _DOUBLE: "double_data",
         _UINT64: "uint64_data"}


def _field(dtype: DType) -> int:
    """The field of TensorProto that holds the elements of a type, where they are not raw (onnx.proto, TensorProto)."""
    return {"float32": _FLOAT, "complex64": _FLOAT, "float64": _DOUBLE, "complex128": _DOUBLE, "int64": _INT64,
            "uint32": _UINT64, "uint64": _UINT64}.get(dtype.name, _INT32)


class Tensors:
    """Makes the tensors of one model: knows its file, the payloads left there, and the files beside it."""

    def __init__(self, path: Path | None, limits: Limits) -> None:
        """For the model in ``path``; without one, for a model in memory whose tensors are all inside of it."""
        self.path, self.limits = path, limits
        self.main = None if path is None else Mapped(path, limits)
        self.spent = 0 if self.main is None else self.main.size
        self._token = secrets.token_bytes(16)  # no file can guess what stands for a payload left out
        self._left: list[tuple[int, Slice]] = []
        self._files: dict[str, Mapped] = {}
        self._sparse = 0

    def scan(self) -> Message:
        """What to look into for tensors (onnx.proto), and how a tensor is made small."""
        tensor = Message("TensorProto", {}, self._leave)
        graph, function = Message("GraphProto", {}), Message("FunctionProto", {})
        attribute = Message("AttributeProto", {5: tensor, 10: tensor, 6: graph, 11: graph})
        node = Message("NodeProto", {5: attribute})
        graph.fields.update({1: node, 5: tensor})
        function.fields.update({7: node, 11: attribute})
        return Message("ModelProto", {7: graph, 25: function})

    def _leave(self, buf: memoryview, start: int, end: int) -> bytes | None:
        """A tensor's message with a token for its payload, if that is large and in one piece."""
        found = list(fields(buf, start, end)) if end - start > INLINE else []
        data = [f for f in found if f.number in _DATA]
        if len(data) != 1 or data[0].kind != LEN or data[0].number == _STRING or data[0].end - data[0].body <= INLINE:
            return None
        payload = data[0]
        assert self.main is not None
        token = self._token + len(self._left).to_bytes(8, "little")
        self._left.append((payload.number, self.main.slice(payload.body, payload.end)))
        return b"".join([buf[start:payload.start], header(_RAW, len(token)), token, buf[payload.end:end]])

    def type(self, dims: Any, number: int, what: str) -> Type:
        """A tensor's type; dimensions and their product are checked in exact integers."""
        if number not in DTYPE:
            raise CorruptFile(f"{what} has element type {number}, which does not exist", path=self.path)
        shape = tuple(int(d) for d in dims)
        self.limits.check("rank", len(shape))
        if any(d < 0 for d in shape):
            raise CorruptFile(f"{what} has a negative dimension", path=self.path)
        self.limits.check("elements", math.prod(d for d in shape if d))  # numpy wants even those of an empty array
        return Type(DTYPE[number], shape)

    def tensor(self, proto: onnx.TensorProto, what: str) -> Tensor:
        """The tensor, its size checked against the bytes that are there.  ``what`` names it in errors."""
        type = self.type(proto.dims, proto.data_type, what)
        if proto.HasField("segment"):
            raise CorruptFile(f"{what} is stored in segments", path=self.path)
        if proto.data_location == onnx.TensorProto.EXTERNAL:
            return self._stored(self._external(proto, type, what), type, what)
        if type.dtype == STRING:
            return self._strings(proto, type, what)
        if proto.HasField("raw_data"):
            raw = proto.raw_data
            if len(raw) == 24 and raw.startswith(self._token):
                field, piece = self._left[int.from_bytes(raw[16:], "little")]
                if field == _RAW or (field == _field(type.dtype) and field in (_FLOAT, _DOUBLE)):
                    return self._stored(piece, type, what)  # packed floats are stored as raw ones are
                return self._packed(field, piece, type, what)
            return self._stored(memoryview(raw), type, what)
        return self._typed(proto, type, what)

    def _stored(self, raw: memoryview | Slice, type: Type, what: str) -> Tensor:
        need = _bytes(type)
        if len(raw) != need:
            raise CorruptFile(f"{what} of type {type} needs {need} bytes and has {len(raw)}", path=self.path)
        bits = BITS.get(type.dtype)

        def decode() -> Array:
            flat = np.frombuffer(raw if isinstance(raw, memoryview) else raw.view, np.uint8 if bits else type.dtype)
            return unpack(flat, bits, type) if bits else flat.reshape(_static(type))
        return Tensor(decode, type, raw)

    def _strings(self, proto: onnx.TensorProto, type: Type, what: str) -> Tensor:
        if len(proto.string_data) != type.size:
            raise CorruptFile(f"{what} of type {type} has {len(proto.string_data)} elements", path=self.path)
        array = np.empty(_static(type), object)
        array.reshape(-1)[:] = [s.decode("utf-8", "surrogateescape") for s in proto.string_data]
        return Tensor(array, type)

    def _count(self, type: Type) -> int:
        n = type.size or 0
        bits = BITS.get(type.dtype, 6)
        return (n * bits + 7) // 8 if bits < 6 else n * 2 if type.dtype.kind == "c" else n

    def _packed(self, field: int, piece: Slice, type: Type, what: str) -> Tensor:
        """Numbers of variable length left in the file."""
        need = self._count(type)
        view = piece.view
        have = 0 if field in (_FLOAT, _DOUBLE) else sum(
            int(np.count_nonzero(np.frombuffer(view[k:k + (1 << 22)], np.uint8) < 0x80))
            for k in range(0, len(view), 1 << 22))
        if field != _field(type.dtype) or have != need:
            raise CorruptFile(f"{what} of type {type} needs {need} numbers in {_NAME[_field(type.dtype)]} and has "
                              f"{have} in {_NAME[field]}", path=self.path)
        self.limits.check("expanded_bytes", need * 8)
        return Tensor(lambda: _elements(varints(view, need).view(np.int64), type), type)

    def _typed(self, proto: onnx.TensorProto, type: Type, what: str) -> Tensor:
        field = _field(type.dtype)
        data = getattr(proto, _NAME[field])
        if len(data) != self._count(type):
            raise CorruptFile(f"{what} of type {type} needs {self._count(type)} numbers in {_NAME[field]} and has "
                              f"{len(data)}", path=self.path)
        kind = {_FLOAT: np.float32, _DOUBLE: np.float64, _UINT64: np.uint64}.get(field, np.int64)
        return Tensor(_elements(np.array(data, kind), type), type)

    def _external(self, proto: onnx.TensorProto, type: Type, what: str) -> Slice:
        entries: dict[str, str] = {}
        for e in proto.external_data:
            if not isinstance(e.key, str) or not isinstance(e.value, str):  # text that is not UTF-8
                raise CorruptFile(f"{what} names its file in no known text", path=self.path)
            if e.key in entries:
                raise CorruptFile(f"{what} states its {e.key!r} twice", path=self.path)
            entries[e.key] = e.value
        if type.dtype == STRING or "location" not in entries:
            raise CorruptFile(f"{what} is text in another file" if "location" in entries else
                              f"{what} is in another file, and no file is named", path=self.path)
        try:
            offset = int(entries.get("offset") or 0)
            length = int(entries["length"]) if entries.get("length") else _bytes(type)
        except ValueError:
            raise CorruptFile(f"{what} has an offset or length that is no number", path=self.path) from None
        name = entries["location"]
        if self.path is None:
            raise CorruptFile(f"{what} is in another file, and the model is in none")
        if name not in self._files:
            self._files[name] = Mapped(self.path.parent / name, self.limits, open_beneath(self.path.parent, name))
            self.spent = self.limits.check("file_bytes", self.spent + self._files[name].size)
        if offset < 0 or length < 0 or offset + length > self._files[name].size:
            raise CorruptFile(f"{what} is at bytes {offset} to {offset + length} of '{name}', which has "
                              f"{self._files[name].size}", path=self.path)
        return self._files[name].slice(offset, offset + length)

    def sparse(self, proto: onnx.SparseTensorProto, what: str) -> Tensor:
        """A sparse tensor as a dense one, made when it is needed."""
        if proto.values.data_type == onnx.TensorProto.STRING:
            raise Unsupported(f"{what}: a sparse tensor of text")
        type = self.type(proto.dims, proto.values.data_type, what)
        values, indices = self.tensor(proto.values, what), self.tensor(proto.indices, what)
        shape, count = _static(type), values.type.size or 0
        wanted = ((count,), (count, len(shape)))
        if values.type.rank != 1 or indices.type.dtype != np.int64 or indices.type.shape not in wanted:
            raise CorruptFile(f"{what} is sparse, with values {values.type} and indices {indices.type}",
                              path=self.path)
        self._sparse = self.limits.check("expanded_bytes", self._sparse + _bytes(type))
        at = indices.numpy()
        bound = np.array([math.prod(shape)] if at.ndim == 1 else shape, np.int64)
        if at.size and (at.min() < 0 or (at >= bound).any()):
            raise CorruptFile(f"{what} has an index outside of its shape", path=self.path)

        def dense() -> Array:
            out = np.zeros(shape, type.dtype)
            if at.ndim == 1:
                out.reshape(-1)[at] = values.numpy()
            else:
                out[tuple(at.T)] = values.numpy()
            return out
        return Tensor(dense, type)


def _static(type: Type) -> tuple[int, ...]:
    return tuple(d for d in type.shape or () if isinstance(d, int))


def _bytes(type: Type) -> int:
    n, bits = math.prod(_static(type)), BITS.get(type.dtype)
    return (n * bits + 7) // 8 if bits else n * type.dtype.itemsize


def _elements(numbers: Array, type: Type) -> Array:
    """The numbers of a typed field as elements: small floats are stored as their bits, small integers packed."""
    shape, dtype = _static(type), type.dtype
    bits = BITS.get(dtype, 6)
    if bits < 6:  # elements of 6 bits have an entry each
        return unpack(numbers.astype(np.uint8), bits, type)
    if dtype.kind == "c":
        return numbers.view(dtype).reshape(shape)
    if dtype == np.float16 or dtype.kind == "V" or "float8" in dtype.name or dtype.name == "bfloat16":
        return numbers.astype(np.uint16 if dtype.itemsize == 2 else np.uint8).view(dtype).reshape(shape)
    return numbers.astype(dtype, copy=False).reshape(shape)


