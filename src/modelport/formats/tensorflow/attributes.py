"""Attributes of a NodeDef as Python values, as raw graphs hold them.

Element types are numpy's, text is ``str``, shapes are tuples (``None`` for what is not known), functions are names.
Source: tensorflow/core/framework/attr_value.proto."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import CorruptFile, Unsupported
from ...ir.types import DType, Shape
from .ops import DTYPE, REQUIRED, Definition

OPAQUE: DType = np.dtype("V1")
"""The element type of handles, of effects, and of types that no tensor here can have."""

_FIELDS = {"t": "type", "i": "i", "f": "f", "b": "b", "s": "s", "S": "shape", "T": "tensor", "F": "func"}


def plain_number(number: int) -> int:
    """The number of an element type; a reference to a variable (100 more) is what it refers to."""
    return number - 100 if number > 100 else number


def dtype_of(number: int) -> DType:
    return DTYPE.get(plain_number(number), OPAQUE)


def shape_of(proto: Any) -> Shape:
    """A TensorShapeProto; sizes of -1 are unknown."""
    if proto.unknown_rank:
        return None
    return tuple(d.size if d.size >= 0 else None for d in proto.dim)


def list_dtype(element: DType) -> DType:
    """The element type of a value that is a list of tensors (a ``TensorList``) of that element type.

    The shape of such a value is that of the elements behind one dimension for the length of the list."""
    return np.dtype([("list", element)])


def element_of(dtype: DType) -> DType | None:
    """The element type of the tensors in a list, or ``None`` where a value is no list."""
    return dtype["list"] if dtype.names == ("list",) else None


class Attributes:
    """The attributes of one node: ``value(name)`` for those the reader needs, ``raw()`` for those of a raw graph."""

    def __init__(self, node: Any, definition: Definition | None, bound: Mapping[str, Any],
                 tensor: Callable[[Any, str], Any]) -> None:
        self.node, self.definition, self._bound, self._tensor = node, definition, bound, tensor
        self._numbers: dict[str, Any] | None = None

    def proto(self, name: str) -> Any:
        """The AttrValue of that name, a placeholder of a function replaced by what its call gives; or ``None``."""
        if name not in self.node.attr:
            return None
        found = self.node.attr[name]
        if found.WhichOneof("value") == "placeholder":
            return self._bound.get(found.placeholder)
        return found

    def number(self, name: str, default: int | None = None) -> int:
        """A number, or the number of an element type."""
        found = self.proto(name)
        if found is None:
            if default is None and self.definition is not None and name in self.definition.attributes:
                stated = self.definition.attributes[name].default
                if isinstance(stated, int):
                    return stated
                if isinstance(stated, dict) and "type" in stated:
                    return 0
            if default is None:
                raise CorruptFile(f"node '{self.node.name}' ({self.node.op}) lacks the attribute '{name}'")
            return default
        return plain_number(int(found.type)) if found.WhichOneof("value") == "type" else int(found.i)

    def numbers(self) -> dict[str, Any]:
        """The attributes that say types and numbers of inputs and outputs, as :func:`.ops.types` wants them."""
        if self._numbers is None:
            self._numbers = {} if self.definition is None else self._told(self.definition)
        return self._numbers

    def _told(self, definition: Definition) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for a in (*definition.inputs, *definition.outputs):
            for name in (a.type, a.several):
                if isinstance(name, str) and name not in ("", "*") and name not in out:
                    found = self.proto(name)
                    if found is not None and found.WhichOneof("value") == "list":
                        out[name] = [plain_number(int(t)) for t in found.list.type]
                    elif found is None:
                        if (stated := self._default_number(name)) is not None:
                            out[name] = stated
                    else:
                        out[name] = self.number(name)
        return out

    def _default_number(self, name: str) -> Any:
        assert self.definition is not None
        stated = self.definition.attributes[name].default if name in self.definition.attributes else REQUIRED
        return None if stated is REQUIRED else stated  # fusing leaves out what only inputs need

    def value(self, name: str, default: Any = None) -> Any:
        found = self.proto(name)
        if found is None:
            if self.definition is not None and name in self.definition.attributes:
                a = self.definition.attributes[name]
                if a.default is not REQUIRED:
                    return dtype_of(a.default) if a.kind == "t" else a.default
            return default
        return self._python(found, name)

    def _python(self, v: Any, name: str) -> Any:
        kind = v.WhichOneof("value")
        if kind is None:
            return None
        if kind == "list":
            lst = v.list
            for field in ("s", "i", "f", "b", "type", "shape", "tensor", "func"):
                items = getattr(lst, field)
                if len(items):
                    return tuple(self._item(field, x, name) for x in items)
            return ()
        return self._item(kind, getattr(v, kind), name)

    def _item(self, kind: str, x: Any, name: str) -> Any:
        if kind == "s":
            return x.decode("utf-8", "surrogateescape")
        if kind == "type":
            return dtype_of(x)
        if kind == "shape":
            return shape_of(x)
        if kind == "tensor":
            return self._tensor(x, f"attribute '{name}' of node '{self.node.name}'")
        if kind == "func":
            return x.name
        if kind in ("i", "f", "b"):
            return x
        raise Unsupported(f"attribute '{name}' of an unknown kind")

    def raw(self) -> dict[str, Any]:
        """The attributes that the inputs do not tell and that differ from their defaults."""
        out: dict[str, Any] = {}
        derived = self.definition.derived if self.definition is not None else frozenset()
        for name in self.node.attr:
            if name.startswith("_") or name in derived:
                continue
            value = self.value(name)
            if self.definition is not None and name in self.definition.attributes:
                a = self.definition.attributes[name]
                if a.default is not REQUIRED and same(value, a.default, a.kind):
                    continue
            out[name] = value
        return dict(sorted(out.items()))


def same(value: Any, default: Any, kind: str) -> bool:
    """Whether an attribute is its default, as the table of operators writes that."""
    if kind == "t":
        return bool(value == dtype_of(default))
    if kind == "[t":
        return bool(list(value) == [dtype_of(d) for d in default])
    if kind.startswith("["):
        return list(value or ()) == list(default)
    if kind == "S":
        return bool(value is None and isinstance(default, dict) and default.get("unknownRank"))
    if kind == "f":
        return bool(np.float32(value) == np.float32(default))
    return bool(value == default)
