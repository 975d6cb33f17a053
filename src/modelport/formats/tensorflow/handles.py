"""What flows through a TensorFlow graph and is no tensor: handles of variables, tables and arrays.

They are followed while a graph is read and leave no trace in the raw graph."""
from __future__ import annotations

from ...ir.graph import Value
from ...ir.tensor import Tensor
from ...ir.types import DType, Type


class Handle:
    """Something that operators refer to."""

    def __init__(self, name: str) -> None:
        self.name = name


class Variable(Handle):
    """A variable: ``value`` is what the checkpoint says of it."""

    def __init__(self, name: str, type: Type) -> None:
        super().__init__(name)
        self.type = type
        self.value: Value | None = None
        self.tried = False
        self.reference = False  # of the first generation: whatever reads it reads its value


class Table(Handle):
    """A lookup table, once it is filled: keys and values in one order."""

    def __init__(self, name: str, key: DType, value: DType) -> None:
        super().__init__(name)
        self.key, self.value = key, value
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self.default: Value | None = None


class Array(Handle):
    """A TensorArray of elements of one type and, if it is stated, one shape; ``dynamic`` ones grow.

    What it holds flows as a list through the second output of its operators."""

    def __init__(self, name: str, dtype: DType, shape: tuple[int | None, ...] | None, dynamic: bool) -> None:
        super().__init__(name)
        self.dtype, self.shape, self.dynamic = dtype, shape, dynamic


class Dead:
    """The output of a Switch that the other branch gets."""


class Other(Handle):
    """A handle of something that inference does not need: an iterator, a queue, a generator of random numbers."""


DEAD = Dead()
Result = Value | Handle | Dead | None
