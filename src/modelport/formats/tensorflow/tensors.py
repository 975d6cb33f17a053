"""Tensors of TensorFlow's files: the messages, and the payloads that are left in the mapped file.

Source: tensorflow/core/framework/tensor.proto, tensor.cc (what a short list of values means)."""
from __future__ import annotations

import math
import secrets
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs import messages
from ...codecs.limits import Limits
from ...codecs.mapped import Mapped, Slice
from ...codecs.protobuf import LEN, Message, fields, header
from ...errors import CorruptFile, Unsupported
from ...ir.tensor import Array, Tensor
from ...ir.types import BITS, STRING, Type
from .ops import DTYPE

INLINE = 1024
"""Bytes of a tensor's message up to which its payload is not worth leaving in the file."""

_CONTENT = 4
_FIXED = {5: "<f4", 6: "<f8"}  # float_val and double_val, packed: the bytes of the elements
_VALUES = {1: "float_val", 2: "double_val", 7: "string_val", 8: "scomplex_val", 9: "int64_val", 10: "bool_val",
           14: "half_val", 18: "dcomplex_val", 19: "half_val", 22: "uint32_val", 23: "uint64_val", 24: "float8_val",
           25: "float8_val"}


@cache
def _pool() -> Any:
    return messages.pool((files("modelport.codecs") / "schemas/tensorflow.binpb").read_bytes())


@cache
def message(name: str) -> Any:
    """The class of a message of the package ``tensorflow``."""
    return _pool()(f"tensorflow.{name}")


class Tensors:
    """Makes the tensors of one file; knows the payloads left in it."""

    def __init__(self, file: Mapped | None, limits: Limits, path: Path | None = None) -> None:
        self.file, self.limits = file, limits
        self.path = path if file is None else file.path
        self._token = secrets.token_bytes(16)  # no file can guess what stands for a payload left out
        self._left: list[tuple[int, Slice]] = []
        self.count = 0

    def scan(self, root: str) -> Message:
        """What to look into for tensors in a ``GraphDef``, ``MetaGraphDef`` or ``SavedModel``."""
        tensor = Message("TensorProto", {}, self._leave)
        value = Message("AttrValue", {8: tensor})
        node = Message("NodeDef", {5: Message("AttrEntry", {2: value})})
        function = Message("FunctionDef", {3: node})
        graph = Message("GraphDef", {1: node, 2: Message("FunctionDefLibrary", {1: function})})
        meta = Message("MetaGraphDef", {2: graph})
        return {"GraphDef": graph, "MetaGraphDef": meta, "SavedModel": Message("SavedModel", {2: meta})}[root]

    def _leave(self, buf: memoryview, start: int, end: int) -> bytes | None:
        """A tensor's message with a token for its payload, if that is large and in one piece."""
        if end - start <= INLINE:
            return None
        large = [f for f in fields(buf, start, end) if f.kind == LEN and f.end - f.body > INLINE]
        if len(large) != 1 or large[0].number not in (_CONTENT, *_FIXED):
            return None
        payload = large[0]
        assert self.file is not None
        token = self._token + len(self._left).to_bytes(8, "little")
        self._left.append((payload.number, self.file.slice(payload.body, payload.end)))
        return b"".join([buf[start:payload.start], header(_CONTENT, len(token)), token, buf[payload.end:end]])

    def corrupt(self, reason: str) -> CorruptFile:
        return CorruptFile(reason, path=self.path)

    def type(self, number: int, dims: Any, what: str) -> Type:
        """A static type; dimensions and their product are checked in exact integers."""
        if number not in DTYPE:
            raise Unsupported(f"{what} has the element type {number}, which tensors here cannot have")
        shape = tuple(int(d) for d in dims)
        self.limits.check("rank", len(shape))
        if any(d < 0 for d in shape):
            raise self.corrupt(f"{what} has a negative dimension")
        self.limits.check("elements", math.prod(d for d in shape if d))
        return Type(DTYPE[number], shape)

    def tensor(self, proto: Any, what: str) -> Tensor:
        """The tensor, its size checked against the bytes that are there.  ``what`` names it in errors."""
        self.count = self.limits.check("tensors", self.count + 1)
        if proto.tensor_shape.unknown_rank:
            raise self.corrupt(f"{what} is a constant of unknown rank")
        type = self.type(proto.dtype, (d.size for d in proto.tensor_shape.dim), what)
        size = type.size or 0
        content = proto.tensor_content
        if content and type.dtype != STRING:
            if len(content) == 24 and content.startswith(self._token):
                number, piece = self._left[int.from_bytes(content[16:], "little")]
                if number != _CONTENT and np.dtype(_FIXED[number]) != type.dtype:
                    raise self.corrupt(f"{what} of type {type} has its elements in a field of another type")
                if number == _CONTENT or len(piece) == size * type.dtype.itemsize:
                    return self.stored(piece, type, what)
                return self._repeated(np.frombuffer(piece.view, type.dtype), type, what)
            return self.stored(memoryview(content), type, what)
        field = _VALUES.get(proto.dtype, "int_val")
        values = getattr(proto, field)
        if type.dtype == STRING:
            texts = [v.decode("utf-8", "surrogateescape") for v in values]
            if len(texts) > max(size, 1):
                raise self.corrupt(f"{what} of type {type} has {len(texts)} elements")
            array = np.empty(len(texts) or 1, object)
            array[:] = texts or [""]
            return self._repeated(array, type, what)
        try:
            if type.dtype.kind == "c":
                pairs = np.array(list(values), np.float64)
                flat = (pairs[0::2] + 1j * pairs[1::2]).astype(type.dtype)
            elif field == "half_val":
                flat = np.array(list(values), np.uint16).view(type.dtype)
            elif field == "float8_val":
                flat = np.frombuffer(values, type.dtype)
            else:
                flat = np.array(list(values), np.int64 if field == "int_val" else None).astype(type.dtype)
        except (ValueError, OverflowError):
            raise self.corrupt(f"{what} of type {type} has elements of another type") from None
        return self._repeated(flat, type, what)

    def _repeated(self, flat: Array, type: Type, what: str) -> Tensor:
        """Elements of which the last one stands for all that are missing; none at all are zeros."""
        size = type.size or 0
        if len(flat) > max(size, 1):
            raise self.corrupt(f"{what} of type {type} has {len(flat)} elements")
        shape = tuple(d for d in type.shape or () if isinstance(d, int))
        if len(flat) == size:
            return Tensor(flat.reshape(shape), type)
        last = flat[-1:] if len(flat) else np.zeros(1, type.dtype)
        if len(flat) <= 1:
            return Tensor(np.broadcast_to(last.reshape(()), shape), type)  # costs no memory
        self.limits.check("expanded_bytes", size * type.dtype.itemsize)
        return Tensor(np.concatenate([flat, np.broadcast_to(last, (size - len(flat),))]).reshape(shape), type)

    def stored(self, raw: memoryview | Slice, type: Type, what: str) -> Tensor:
        """A tensor whose elements are stored one after the other, small ones with a byte each."""
        need = (type.size or 0) * type.dtype.itemsize
        if len(raw) != need:
            raise self.corrupt(f"{what} of type {type} needs {need} bytes and has {len(raw)}")

        def decode() -> Array:
            view = raw if isinstance(raw, memoryview) else raw.view
            return np.frombuffer(view, type.dtype).reshape(tuple(d for d in type.shape or () if isinstance(d, int)))
        return Tensor(decode, type, raw if type.dtype not in BITS else None)
