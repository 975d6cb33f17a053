"""Diagonals, products of sets, turns: tensors put together from the places of others.

Source: aten/src/ATen/native/TensorShape.cpp, TensorTransformations.cpp, LinearAlgebra.cpp."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as chosen
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ..machine import aten
from ..values import I64, affordable, axis_of, ints, known, promoted, rank, size, tensor, whole
from .math import mul, number, sub
from .shape import cat, diagonal, flip, meshgrid, transpose, view


@aten("trace")
def trace(op: Builder, self: Value) -> Any:
    from .reduce import sum_
    return sum_(op, diagonal(op, self))


@aten("diag_embed")
def diag_embed(op: Builder, self: Value, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """The last axis on a diagonal, zeros around."""
    n = rank(self) + 1
    a, b = axis_of(self, dim1, 1), axis_of(self, dim2, 1)
    count = whole(size(op, self, -1), "the length of a diagonal")
    side = count + abs(offset)
    rows, columns = np.arange(side)[:, None], np.arange(side)[None]
    held = (columns - rows == offset)
    at = np.clip(rows - max(0, -offset), 0, max(count - 1, 0))
    wide = op.Gather(self, np.broadcast_to(at, (side, side)).copy(), axis=n - 2)
    made = op.Where(held, wide, number(self, 0))
    rest = [k for k in range(n) if k not in (a, b)]
    perm = [0] * n
    for k, place in enumerate([*rest, a, b]):
        perm[place] = k
    return op.Transpose(made, perm=perm) if perm != list(range(n)) else made


@aten("diag")
def diag(op: Builder, self: Value, diagonal: int = 0) -> Any:
    from .shape import diagonal as taken
    return diag_embed(op, self, diagonal) if rank(self) == 1 else taken(op, self, diagonal)


@aten("diagflat")
def diagflat(op: Builder, self: Value, offset: int = 0) -> Any:
    return diag_embed(op, op.Reshape(self, np.array([-1])), offset)


@aten("block_diag")
def block_diag(op: Builder, tensors: Sequence[Value]) -> Any:
    made = [op.Unsqueeze(x, np.arange(2 - rank(x))) if rank(x) < 2 else x for x in promoted(op, *tensors)]
    sizes = [(whole(size(op, x, 0)), whole(size(op, x, 1))) for x in made]
    wide, at, out = sum(w for _, w in sizes), 0, []
    for x, (_, w) in zip(made, sizes, strict=True):
        out.append(op.Pad(x, np.array([0, at, 0, wide - at - w]), number(x, 0)))
        at += w
    return op.Concat(*out, axis=0)


@aten("kron")
def kron(op: Builder, self: Value, other: Value) -> Any:
    n = max(rank(self), rank(other))
    a, b = (op.Unsqueeze(x, np.arange(n - rank(x))) if rank(x) < n else x for x in (self, other))
    left = op.Unsqueeze(a, np.arange(1, 2 * n, 2))
    right = op.Unsqueeze(b, np.arange(0, 2 * n, 2))
    sizes = [(size(op, a, k), size(op, b, k)) for k in range(n)]
    if not all(isinstance(x, int) and isinstance(y, int) for x, y in sizes):
        raise Unsupported("a product of sizes that are known at run time only")
    return op.Reshape(mul(op, left, right), ints(op, [whole(x) * whole(y) for x, y in sizes]))


@aten("cross", "linalg_cross")
def cross(op: Builder, self: Value, other: Value, dim: Any = None) -> Any:
    a, b = promoted(op, self, other)
    if dim is None:
        node = op.node
        dim = -1 if node is not None and "linalg" in node.op else next(
            k for k, n in enumerate(a.shape or ()) if n == 3)
    axis = axis_of(a, dim)

    def turned(x: Value, by: int) -> Value:
        made: Value = op.Gather(x, np.roll(np.arange(3), by), axis=axis)
        return made
    return sub(op, mul(op, turned(a, -1), turned(b, 1)), mul(op, turned(a, 1), turned(b, -1)))


@aten("vander", "linalg_vander")
def vander(op: Builder, x: Value, N: Any = None, increasing: bool = False) -> Any:
    from .math import pow_
    node = op.node
    linear = node is not None and "linalg" in node.op
    count = size(op, x, -1) if N is None else known(N)
    powers = np.arange(whole(count, "the number of powers"))
    powers = powers if increasing or linear else powers[::-1].copy()
    return pow_(op, op.Unsqueeze(x, np.array([-1])), constant(powers))


@aten("rot90")
def rot90(op: Builder, self: Value, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    a, b = (axis_of(self, d) for d in dims)
    k %= 4
    if k == 0:
        return op.Identity(self)
    if k == 2:
        return flip(op, self, [a, b])
    return transpose(op, flip(op, self, [b]), a, b) if k == 1 else flip(op, transpose(op, self, a, b), [b])


@aten("cartesian_prod")
def cartesian_prod(op: Builder, tensors: Sequence[Value]) -> Any:
    if len(tensors) == 1:
        return tensors[0]
    parts = [op.Reshape(x, np.array([-1, 1])) for x in meshgrid(op, tensors)]
    return cat(op, parts, 1)


@aten("combinations")
def combinations(op: Builder, self: Value, r: int = 2, with_replacement: bool = False) -> Any:
    n = whole(size(op, self, 0), "the number of elements")
    places = list((combinations_with_replacement if with_replacement else chosen)(range(n), r))
    return op.Gather(self, np.array(places, np.int64).reshape(-1, r), axis=0)


@aten("atleast_1d")
def atleast_1d(op: Builder, self: Value) -> Any:
    return self if rank(self) else op.Reshape(self, np.array([1]))


@aten("atleast_2d")
def atleast_2d(op: Builder, self: Value) -> Any:
    n = rank(self)
    return self if n >= 2 else view(op, self, [1, 1]) if not n else op.Unsqueeze(self, np.array([0]))


@aten("dstack")
def dstack(op: Builder, tensors: Sequence[Value]) -> Any:
    made = []
    for x in tensors:
        y = atleast_2d(op, x)
        made.append(op.Unsqueeze(y, np.array([2])) if rank(y) == 2 else y)
    return cat(op, made, 2)


@aten("unravel_index")
def unravel_index(op: Builder, indices: Value, shape: Any) -> Any:
    out, rest = [], tensor(op, indices, I64)
    for n in reversed([whole(s) for s in shape]):
        out.append(op.Mod(rest, np.int64(n)))
        rest = op.Div(rest, np.int64(n))
    return out[::-1]


@aten("as_strided", "as_strided_copy")
def as_strided(op: Builder, self: Value, size: Any, stride: Any, storage_offset: Any = None) -> Any:
    """Elements by their place in memory, which is known of tensors that lie there in order."""
    node = self.node
    if self.data is not None or (node is not None and node.op not in ("Pad", "Concat", "MatMul", "Gemm")):
        raise Unsupported("as_strided of a tensor whose place in memory is not known")
    sizes, steps = [whole(n, "a size") for n in size], [whole(n, "a stride") for n in stride]
    affordable(*sizes)
    at = np.full(sizes, whole(storage_offset or 0, "an offset"), np.int64)
    for axis, (n, step) in enumerate(zip(sizes, steps, strict=True)):
        at += (np.arange(n) * step).reshape([-1 if k == axis else 1 for k in range(len(sizes))])
    return op.Gather(op.Reshape(self, np.array([-1])), at, axis=0)
