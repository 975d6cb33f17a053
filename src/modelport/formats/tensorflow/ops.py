"""The operators' definitions and the element types of TensorFlow, from tables made of its own registry.

Source: tensorflow/core/framework/types.proto and op_def.proto; ``codecs/schemas/tensorflow_ops.json`` by
``tools/schemas.py``."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import ml_dtypes
import numpy as np

from ...ir.types import STRING, DType

DTYPE: Mapping[int, DType] = {
    k: np.dtype(v) for k, v in {
        1: "f4", 2: "f8", 3: "i4", 4: "u1", 5: "i2", 6: "i1", 8: "c8", 9: "i8", 10: "?", 11: "i1", 12: "u1", 13: "i4",
        14: ml_dtypes.bfloat16, 15: "i2", 16: "u2", 17: "u2", 18: "c16", 19: "f2", 22: "u4", 23: "u8",
        24: ml_dtypes.float8_e5m2, 25: ml_dtypes.float8_e4m3fn, 29: ml_dtypes.int4, 30: ml_dtypes.uint4}.items()
} | {7: STRING}
"""Numbers of the enumeration DataType and the element types; qint8 (11) to quint16 (16) are the integers they hold."""
NUMBER: Mapping[DType, int] = {v: k for k, v in reversed(list(DTYPE.items())) if k not in (11, 12, 13, 15, 16)}
RESOURCE, VARIANT = 20, 21
"""Numbers of the types that are no tensors: handles of variables and tables, lists of tensors."""


REQUIRED = object()


@dataclass(frozen=True)
class Argument:
    """An input or output: its type (a number of DataType, or the attribute that says it), and whether it stands for
    several tensors: ``several`` is the attribute with their number, or ``"*"`` where ``type`` is a list."""

    name: str
    type: int | str
    several: str = ""


@dataclass(frozen=True)
class Attribute:
    """An attribute: its kind (``t`` type, ``i`` int, ``f`` float, ``b`` bool, ``s`` string, ``S`` shape, ``T`` tensor,
    ``F`` function; ``[`` before it for a list), and its default (``REQUIRED`` if it has none)."""

    name: str
    kind: str
    default: Any = REQUIRED


@dataclass(frozen=True)
class Definition:
    """An operator of TensorFlow."""

    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    attributes: Mapping[str, Attribute]

    @property
    def derived(self) -> frozenset[str]:
        """The attributes that the inputs tell: their types and their numbers."""
        names = {x for a in self.inputs for x in (a.type, a.several) if isinstance(x, str)}
        return frozenset(names - {"", "*"})


@cache
def _table() -> Mapping[str, Any]:
    text = (files("modelport.codecs") / "schemas/tensorflow_ops.json").read_text("utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table


@cache
def definition(op: str) -> Definition | None:
    """The definition of an operator; ``None`` if the table lacks it."""
    found = _table().get(op)
    if found is None:
        return None
    ins, outs, attrs = found
    return Definition(tuple(Argument(*a) for a in ins), tuple(Argument(*a) for a in outs),
                      {a[0]: Attribute(*a) for a in attrs})


def counts(arguments: Sequence[Argument], attrs: Mapping[str, Any]) -> list[int]:
    """How many tensors each argument stands for; ``attrs`` hold the numbers and lists of types by name."""
    return [1 if not a.several else len(attrs[str(a.type)]) if a.several == "*" else int(attrs[a.several])
            for a in arguments]


def types(arguments: Sequence[Argument], attrs: Mapping[str, Any]) -> list[int]:
    """The number of DataType of every tensor, in order; ``attrs`` hold numbers of DataType."""
    out: list[int] = []
    for a, n in zip(arguments, counts(arguments, attrs), strict=True):
        if a.several == "*":
            out += [int(t) for t in attrs[str(a.type)]]
        else:
            out += [a.type if isinstance(a.type, int) else int(attrs[a.type])] * n
    return out
