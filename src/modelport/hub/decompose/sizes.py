"""What the decompositions share: sizes of axes as numbers where they are known, as values where they are not."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder
from ...ir.types import NUMBER, Dim
from .. import ranges

I64 = NUMBER[np.dtype(np.int64)]


def ints(*values: int) -> Value:
    """A constant list of integers."""
    return constant(np.array(values, np.int64))


def number(value: int) -> Value:
    """A constant integer without axes."""
    return constant(np.array(value, np.int64))


def rank(x: Value) -> int:
    if x.rank is None:
        raise Unsupported("the rank of an input is not known")
    return x.rank


def dim(x: Value, axis: int) -> Dim:
    rank(x)
    assert x.shape is not None
    return x.shape[axis]


def size(op: Builder, x: Value, axis: int) -> Value:
    """The size of an axis, as a list of one."""
    axis %= rank(x)
    d = dim(x, axis)
    if isinstance(d, int):
        return ints(d)
    made: Value = op.Shape(x, start=axis, end=axis + 1)
    return made


def shape(op: Builder, x: Value, first: int = 0, last: int | None = None) -> Value:
    """The sizes of axes ``first`` to ``last``, the latter not included."""
    last = rank(x) if last is None else last
    some = [dim(x, k) for k in range(first, last)]
    if all(isinstance(d, int) for d in some):
        return ints(*(d for d in some if isinstance(d, int)))
    made: Value = op.Shape(x, start=first, end=last)
    return made


def one(op: Builder, x: Value) -> Value:
    """A value of one element without axes."""
    if x.rank == 0:
        return x
    if x.data is not None:
        return constant(x.numpy().reshape(()))
    made: Value = op.Reshape(x, ints())
    return made


def count(op: Builder, n: Value) -> Value:
    """0, 1, 2 ... n - 1, for n a list of one."""
    if n.data is not None and int(n.numpy()[0]) <= 4096:
        return constant(np.arange(int(n.numpy()[0]), dtype=np.int64))
    made: Value = op.Range(number(0), one(op, n), number(1))
    return made


def along(op: Builder, v: Value, axis: int, n: int) -> Value:
    """A list, as the only long axis of n."""
    axis %= n
    if n == 1:
        return v
    if v.data is not None:
        return constant(v.numpy().reshape([-1 if k == axis else 1 for k in range(n)]))
    made: Value = op.Unsqueeze(v, ints(*(k for k in range(n) if k != axis)))
    return made


def product(op: Builder, a: Value, b: Value) -> Value:
    """Of integers; of constants a constant."""
    if a.data is not None and b.data is not None:
        return constant(np.asarray(a.numpy() * b.numpy(), np.int64))
    if a.data is not None and a.type.size == 1 and a.numpy().item() == 1 and b.rank == a.rank:
        return b
    if b.data is not None and b.type.size == 1 and b.numpy().item() == 1 and b.rank == a.rank:
        return a
    made: Value = op.Mul(a, b)
    return made


def wide(op: Builder, x: Value) -> Value:
    """Integers as 64-bit ones."""
    if x.dtype == np.int64:
        return x
    made: Value = op.Cast(x, to=I64)
    return made


def from_front(op: Builder, index: Value, length: Value) -> Value:
    """Indices that count from the end as the same ones from the front."""
    index = wide(op, index)
    if ranges.of(index)[0] >= 0:
        return index
    made: Value = op.Mod(index, length)
    return made


def concat(op: Builder, parts: list[Any], axis: int = 0) -> Value:
    made: Value = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=axis)
    return made


def transposed(op: Builder, x: Value, a: int, b: int) -> Value:
    """With two axes exchanged."""
    perm = list(range(rank(x)))
    perm[a], perm[b] = perm[b], perm[a]
    if a == b:
        return x
    made: Value = op.Transpose(x, perm=perm)
    return made
