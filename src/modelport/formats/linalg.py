"""Linear algebra that is a plain loop over columns: elimination, Cholesky, Householder.

What iterates until it has converged (eigenvalues, singular values) has no such form.
Source: tensorflow/core/kernels/linalg/, Eigen/src/LU, Eigen/src/Householder."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import Unsupported
from ..hub.bodies import own_outputs
from ..ir.graph import Graph, Value, constant
from ..ir.rules import Builder
from ..ir.types import DType, Type
from .reading import cast, dims, ints, rank

BOOL, I32, I64 = (np.dtype(t) for t in (np.bool_, np.int32, np.int64))


def one(x: Value, value: float = 1) -> Value:
    """A number of the element type of ``x``."""
    return constant(np.asarray(value).astype(x.dtype))


Step = Callable[[Value, Sequence[Value], Sequence[Value]], "tuple[Sequence[Value], Sequence[Value]]"]
"""The number of a turn, the states and what does not change -> the next states, and what is put side by side."""


def _looped(op: Builder, count: Value, states: Sequence[Value], fixed: Sequence[Value], items: int, step: Step) -> Any:
    """A loop of ``count`` turns: its last states, then what its turns put side by side."""
    inner = [Value(Type(v.dtype, v.shape), f"state_{k}") for k, v in enumerate(states)]
    given = [Value(Type(v.dtype, v.shape), f"fixed_{k}") for k, v in enumerate(fixed)]
    turn = Value(Type(I64, ()), "turn")
    after, out = step(turn, inner, given)
    go = op.Identity(constant(True, BOOL))
    body = Graph({"turn": turn, "go_in": Value(Type(BOOL, ()), "go_in"), **{v.name: v for v in (*inner, *given)}},
                 {"go": go, **{f"next_{k}": v for k, v in enumerate(after)},
                  **{f"item_{k}": v for k, v in enumerate(out)}}, "columns")
    return op.add("Loop", count, constant(True, BOOL), *states, *fixed, body=own_outputs(op, body),
                  captures=len(fixed) or None, outputs=len(states) + items)


def _size(op: Builder, x: Value, axis: int) -> Any:
    """A size as a scalar; ``axis`` counts from behind."""
    n = rank(x)
    return op.Squeeze(op.Shape(x, start=n + axis, end=n + axis + 1 if axis != -1 else None), ints([0]))


def _batched(op: Builder, x: Value) -> Any:
    """[..., rows, columns] as [batch, rows, columns]."""
    if rank(x) < 2:
        raise Unsupported("a matrix of less than two axes")
    if x.dtype.name not in ("float32", "float64"):
        raise Unsupported(f"matrices of {x.dtype}")
    n = rank(x)
    if n == 3:
        return x
    return op.Unsqueeze(x, ints([0])) if n == 2 else op.Reshape(
        x, op.Concat(ints([-1]), op.Shape(x, start=n - 2), axis=0))


def _like(op: Builder, y: Value, x: Value, axes: int = 2) -> Any:
    """[batch, ...] with the axes of ``x`` in front; ``axes`` are those behind the batch."""
    n = rank(x)
    if n == 3:
        return y
    if n == 2:
        return op.Squeeze(y, ints([0]))
    lead = op.Shape(x, start=0, end=n - 2)
    return op.Reshape(y, op.Concat(lead, op.Shape(y, start=1), axis=0) if axes else lead)


def _flipped(op: Builder, x: Value) -> Any:
    return op.Transpose(x, perm=[*range(rank(x) - 2), rank(x) - 1, rank(x) - 2])


def _column(op: Builder, x: Value, k: Value) -> Any:
    """[batch, rows] of [batch, rows, columns]."""
    return op.Gather(x, k, axis=2)


def _entry(op: Builder, column: Value, k: Value) -> Any:
    """[batch, 1] of [batch, rows]."""
    return op.Unsqueeze(op.Gather(column, k, axis=1), ints([1]))


def _rows(op: Builder, x: Value) -> Any:
    return op.Range(constant(0, I64), _size(op, x, -2), constant(1, I64))


def _outer(op: Builder, a: Value, b: Value) -> Any:
    return op.Mul(op.Unsqueeze(a, ints([2])), op.Unsqueeze(b, ints([1])))


def _pivoted(op: Builder, x: Value, k: Value, rows: Value) -> tuple[Value, Value]:
    """The matrix with the row of the greatest entry of column ``k`` from row ``k`` on in its place, and the order of
    the rows ([batch, rows])."""
    size = op.Where(op.Less(rows, k), one(x, -1), op.Abs(_column(op, x, k)))
    best = op.ArgMax(size, axis=1, keepdims=1)  # [batch, 1]
    order = op.Where(op.Equal(rows, k), best, op.Where(op.Equal(rows, best), k, rows))
    at = op.Expand(op.Unsqueeze(order, ints([2])), op.Shape(x))
    return op.GatherElements(x, at, axis=1), order


def _solved(op: Builder, a: Value, b: Value) -> Any:
    """What ``a`` takes to ``b``: both are eliminated, with the greatest pivots ([batch, n, n], [batch, n, m])."""
    count = _size(op, a, -1)
    rows = _rows(op, a)

    def step(k: Value, states: Sequence[Value], fixed: Sequence[Value]) -> Any:
        x, _ = _pivoted(op, states[0], k, fixed[0])
        column = _column(op, x, k)
        here = op.Equal(fixed[0], k)
        row = op.Div(op.Gather(x, k, axis=1), _entry(op, column, k))
        left = op.Sub(x, _outer(op, column, row))
        after = op.Where(op.Unsqueeze(here, ints([1])), op.Unsqueeze(row, ints([1])), left)
        return [after], []
    made = _looped(op, count, [op.Concat(a, b, axis=2)], [rows], 0, step)[0]
    return op.Slice(made, op.Unsqueeze(count, ints([0])), ints([np.iinfo(np.int64).max]), ints([2]))


def determinant(op: Builder, x: Value) -> Any:
    """One number for each matrix."""
    return op.Det(x)


def solve(op: Builder, a: Value, b: Value, *, adjoint: bool = False) -> Any:
    """What ``a``, or its transpose, takes to ``b`` ([..., n, n] and [..., n, m])."""
    x = _batched(op, a)
    return _like(op, _solved(op, _flipped(op, x) if adjoint else x, _batched(op, b)), a)


def inverse(op: Builder, x: Value, *, adjoint: bool = False) -> Any:
    """By cofactors where the matrices are small, else by elimination."""
    if (x.shape or ())[-2:] in ((1, 1), (2, 2), (3, 3)):
        return _cofactors(op, _flipped(op, x) if adjoint else x)
    a = _batched(op, x)
    a = _flipped(op, a) if adjoint else a
    unit = op.EyeLike(op.Squeeze(op.Slice(a, ints([0]), ints([1]), ints([0])), ints([0])))
    return _like(op, _solved(op, a, op.Expand(unit, op.Shape(a))), x)


def _cofactors(op: Builder, a: Value) -> Any:
    n = dims(a, [-1])[0]

    def at(i: int, j: int) -> Any:
        return op.Slice(a, ints([i, j]), ints([i + 1, j + 1]), ints([rank(a) - 2, rank(a) - 1]))

    def det2(r: list[int], c: list[int]) -> Any:
        return op.Sub(op.Mul(at(r[0], c[0]), at(r[1], c[1])), op.Mul(at(r[0], c[1]), at(r[1], c[0])))
    if n == 1:
        return op.Reciprocal(a)
    whole = op.Unsqueeze(op.Det(a), ints([-1, -2]))
    rows = []
    for i in range(n):
        row = []
        for j in range(n):
            r, c = [k for k in range(n) if k != j], [k for k in range(n) if k != i]
            minor = at(r[0], c[0]) if n == 2 else det2(r, c)
            row.append(op.Neg(minor) if (i + j) % 2 else minor)
        rows.append(op.Concat(*row, axis=-1))
    return op.Div(op.Concat(*rows, axis=-2), whole)


def triangular_solve(op: Builder, a: Value, b: Value, *, lower: bool = True, adjoint: bool = False) -> Any:
    """From the row with one entry on; the other triangle is not looked at."""
    n = rank(a)
    if n != rank(b):
        raise Unsupported("matrices with different numbers of axes")
    if n > 2:  # batches are broadcast
        lead = op.Max(op.Shape(a, start=0, end=n - 2), op.Shape(b, start=0, end=n - 2))
        a, b = (op.Expand(v, op.Concat(lead, op.Shape(v, start=n - 2), axis=0)) for v in (a, b))
    x = _batched(op, a)
    x = _flipped(op, x) if adjoint else x
    count = _size(op, x, -1)
    last = op.Sub(count, constant(1, I64))
    forward = lower != adjoint

    def step(turn: Value, states: Sequence[Value], fixed: Sequence[Value]) -> Any:
        k = turn if forward else op.Sub(fixed[1], turn)
        column = _column(op, fixed[0], k)
        row = op.Div(op.Gather(states[0], k, axis=1), _entry(op, column, k))
        return [op.Sub(states[0], _outer(op, column, row))], [row]
    _, rows = _looped(op, count, [_batched(op, b)], [x, last], 1, step)  # [n, batch, m]
    made = op.Transpose(rows, perm=[1, 0, 2])
    if not forward:
        made = op.Slice(made, ints([-1]), ints([np.iinfo(np.int64).min]), ints([1]), ints([-1]))
    return _like(op, made, b)


def cholesky(op: Builder, a: Value) -> Any:
    """Column by column; the upper triangle is not looked at."""
    x = _batched(op, a)
    rows = _rows(op, x)

    def step(k: Value, states: Sequence[Value], fixed: Sequence[Value]) -> Any:
        column = _column(op, states[0], k)
        scaled = op.Div(column, op.Sqrt(_entry(op, column, k)))
        column = op.Where(op.Less(fixed[0], k), one(a, 0), scaled)
        return [op.Sub(states[0], _outer(op, column, column))], [column]
    columns = _looped(op, _size(op, x, -1), [x], [rows], 1, step)[1]  # [n, batch, n]
    return _like(op, op.Transpose(columns, perm=[1, 2, 0]), a)


def _lu(op: Builder, x: Value) -> tuple[Value, Value]:
    """Both factors in one matrix ([batch, n, n]), and the order of the rows ([batch, n])."""
    rows = _rows(op, x)
    order = op.Expand(rows, op.Shape(x, start=0, end=2))

    def step(k: Value, states: Sequence[Value], fixed: Sequence[Value]) -> Any:
        y, moved = _pivoted(op, states[0], k, fixed[0])
        places = op.GatherElements(states[1], moved, axis=1)
        column = _column(op, y, k)
        below = op.Greater(fixed[0], k)
        factors = op.Where(below, op.Div(column, _entry(op, column, k)), one(x, 0))
        right = op.Where(below, op.Gather(y, k, axis=1), one(x, 0))
        left = op.Sub(y, _outer(op, factors, right))
        mine = op.And(op.Unsqueeze(below, ints([1])), op.Equal(op.Unsqueeze(fixed[0], ints([0])), k))
        return [op.Where(mine, op.Unsqueeze(factors, ints([2])), left), places], []
    made: tuple[Value, Value] = _looped(op, _size(op, x, -1), [x, order], [rows], 0, step)
    return made


def lu(op: Builder, a: Value, *, output_idx_type: DType = I32) -> Any:
    """Both triangular factors in one matrix, and the order of the rows."""
    made, order = _lu(op, _batched(op, a))
    n = rank(a)
    if n == 2:
        order = op.Squeeze(order, ints([0]))
    elif n > 3:
        order = op.Reshape(order, op.Shape(a, start=0, end=n - 1))
    return _like(op, made, a), cast(op, order, output_idx_type)


def log_determinant(op: Builder, a: Value) -> Any:
    """The sign of the determinant and the logarithm of its size, of the factors' diagonal."""
    x = _batched(op, a)
    made, order = _lu(op, x)
    rows = _rows(op, x)
    diagonal = op.ReduceSum(op.Where(op.Equal(op.Unsqueeze(rows, ints([1])), op.Unsqueeze(rows, ints([0]))), made,
                                     one(x, 0)), ints([2]), keepdims=0)
    # an order is odd if an odd number of pairs is
    pairs = op.And(op.Greater(op.Unsqueeze(order, ints([2])), op.Unsqueeze(order, ints([1]))),
                   op.Less(op.Unsqueeze(rows, ints([1])), op.Unsqueeze(rows, ints([0]))))
    odd = op.Mod(op.ReduceSum(cast(op, pairs, I64), ints([1, 2]), keepdims=0), constant(2, I64))
    sign = op.Mul(op.ReduceProd(op.Sign(diagonal), ints([1]), keepdims=0),
                  cast(op, op.Sub(constant(1, I64), op.Mul(odd, constant(2, I64))), x.dtype))
    size = op.ReduceSum(op.Log(op.Abs(diagonal)), ints([1]), keepdims=0)
    return _like(op, sign, a, 0), _like(op, size, a, 0)


def qr(op: Builder, a: Value, *, full_matrices: bool = False) -> Any:
    """By reflections, each of which makes a column end at the diagonal, with the sign that cancels nothing."""
    x = _batched(op, a)
    rows = _rows(op, x)
    count = op.Min(_size(op, x, -2), _size(op, x, -1))
    unit = op.EyeLike(op.MatMul(op.Squeeze(op.Slice(x, ints([0]), ints([1]), ints([0])), ints([0])),
                                _flipped(op, op.Squeeze(op.Slice(x, ints([0]), ints([1]), ints([0])), ints([0])))))
    zero = one(x, 0)

    def step(k: Value, states: Sequence[Value], fixed: Sequence[Value]) -> Any:
        r, q = states
        column = op.Where(op.Less(fixed[0], k), zero, _column(op, r, k))
        first = _entry(op, column, k)
        tail = op.ReduceSum(op.Mul(op.Where(op.Equal(fixed[0], k), zero, column), column), ints([1]), keepdims=1)
        size = op.Sqrt(op.Add(op.Mul(first, first), tail))
        beta = op.Where(op.GreaterOrEqual(first, zero), op.Neg(size), size)
        v = op.Where(op.Equal(fixed[0], k), op.Sub(first, beta), column)
        length = op.ReduceSum(op.Mul(v, v), ints([1]), keepdims=1)
        nothing = op.LessOrEqual(tail, constant(np.finfo(x.dtype).tiny, x.dtype))
        by = op.Where(nothing, zero, op.Div(one(x, 2), op.Where(nothing, one(x), length)))
        wide = op.Unsqueeze(op.Mul(v, by), ints([1]))  # [batch, 1, rows]
        down = op.Unsqueeze(v, ints([2]))
        return [op.Sub(r, op.MatMul(down, op.MatMul(wide, r))), op.Sub(q, op.MatMul(op.MatMul(q, down), wide))], []
    start = op.Expand(unit, op.Concat(op.Shape(x, start=0, end=1), op.Shape(unit), axis=0))
    r, q = _looped(op, count, [x, start], [rows], 0, step)
    columns = op.Range(constant(0, I64), _size(op, x, -1), constant(1, I64))
    r = op.Where(op.Greater(op.Unsqueeze(rows, ints([1])), op.Unsqueeze(columns, ints([0]))), zero, r)
    if not full_matrices:
        end = op.Unsqueeze(count, ints([0]))
        q, r = op.Slice(q, ints([0]), end, ints([2])), op.Slice(r, ints([0]), end, ints([1]))
    return _like(op, q, a), _like(op, r, a)
