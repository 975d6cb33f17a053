"""Reading and writing elements by index: gathering, scattering, sorting."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.types import Type
from ...writing import rank
from ..raw import dim, ints, size, tensor
from .common import BOOL, FLOATS, I32, I64, NUMERIC, At, cast, from_onnx, held, permute, reshape


def _wide(at: At, where: Value) -> Value:
    return where if where.dtype == I64 else cast(at, where, I64)


def _front(at: At, where: Value, length: Any) -> Value:
    """Indices counted from the front, for kernels that do not count from the end."""
    if where.data is not None:
        found = where.numpy()
        if not (found < 0).any():
            return _wide(at, where)
        if isinstance(length, int):
            return constant(np.where(found < 0, found + length, found).astype(I64), name=where.name)
    elif ranges.of(where)[0] >= 0:
        return _wide(at, where)
    where = _wide(at, where)
    below = at("lt.Scalar", where, 0, type=Type(BOOL, where.shape))
    made: Value = at("where.self", below, at("add.Tensor", where, length, type=where.type), where, type=where.type)
    return made


@from_onnx("Gather")
def gather(at: At, x: Value, where: Value, *, axis: int = 0) -> Any:
    axis %= rank(x)
    if where.data is not None and where.type.size == 1 and where.shape in ((), (1,)):
        k = int(where.numpy().reshape(()))
        if where.shape == ():
            return at("select.int", x, axis, k, type=at.out)
        if k >= 0:
            return at("slice.Tensor", x, axis, k, k + 1, 1, type=at.out)
    if axis == 0 and x.data is not None and rank(x) == 2 and x.dtype in FLOATS and where.data is None \
            and ranges.of(where)[0] >= 0:  # it does not count from the end
        return at.embedding(x, where if where.dtype in (I32, I64) else cast(at, where, I64), type=at.out)
    if where.shape is not None and len(where.shape) == 1 and (
            (where.data is not None and not (where.numpy() < 0).any()) or ranges.of(where)[0] >= 0):
        return at.index_select(x, axis, _wide(at, where), type=at.out)
    if axis:
        turned = permute(at, x, [axis, *(k for k in range(rank(x)) if k != axis)])
        n = rank(where)
        found = at("index.Tensor", turned, [_wide(at, where)], type=Type(
            x.dtype, (*(where.shape or ()), *(turned.shape or ())[1:])))
        return permute(at, found, [*range(n, n + axis), *range(n), *range(n + axis, rank(found))])
    return at("index.Tensor", x, [_wide(at, where)], type=at.out)


@from_onnx("GatherElements")
def gather_elements(at: At, x: Value, where: Value, *, axis: int = 0) -> Any:
    axis %= rank(x)
    return at.gather(x, axis, _front(at, where, size(at, x, axis)), type=at.out)


@from_onnx("GatherND")
def gather_nd(at: At, x: Value, where: Value, *, batch_dims: int = 0) -> Any:
    if batch_dims:
        raise Unsupported("axes in common")
    return at("index.Tensor", x, _columns(at, where), type=at.out)


def _columns(at: At, where: Value) -> list[Value]:
    n = where.shape[-1] if where.shape else None
    if not isinstance(n, int) or not n:
        raise Unsupported("indices of a length that is only known at run time")
    where = _wide(at, where)
    last = rank(where) - 1
    return [at("select.int", where, last, k, type=Type(I64, (where.shape or ())[:-1])) for k in range(n)]


@from_onnx("ScatterElements")
def scatter_elements(at: At, x: Value, where: Value, updates: Value, *, axis: int = 0, reduction: str = "none") -> Any:
    axis %= rank(x)
    index = _front(at, where, size(at, x, axis))
    if reduction == "none":
        return at("scatter.src", x, axis, index, updates, type=at.out)
    held([x])
    how = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}[reduction]
    return at("scatter_reduce.two", x, axis, index, updates, how, type=at.out)


@from_onnx("ScatterND")
def scatter_nd(at: At, x: Value, where: Value, updates: Value, *, reduction: str = "none") -> Any:
    if reduction not in ("none", "add"):
        raise Unsupported(f"reduction '{reduction}'")
    if reduction == "add":
        held([x])
    return at.index_put(x, _columns(at, where), updates, reduction == "add", type=at.out)


@from_onnx("NonZero")
def non_zero(at: At, x: Value) -> Any:
    if not rank(x):
        raise Unsupported("of a scalar")
    found = at.nonzero(x, type=Type(I64, (None if at.out.shape is None else at.out.shape[1], rank(x))))
    return permute(at, found, [1, 0])


@from_onnx("Compress")
def compress(at: At, x: Value, condition: Value, *, axis: int | None = None) -> Any:
    """The condition may be shorter than the axis."""
    if axis is None:
        x, axis = reshape(at, x, [-1]), 0
    axis %= rank(x)
    found = at.nonzero(condition, type=Type(I64, (None, 1)))
    found = at("squeeze.dim", found, 1, type=Type(I64, (None,)))
    return at.index_select(x, axis, found, type=at.out)


@from_onnx("TopK")
def top_k(at: At, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    """The first of equals, which topk does not promise."""
    assert at.node is not None
    held([x])
    axis %= rank(x)
    kinds = [Type(x.dtype, x.shape), Type(I64, x.shape)]
    outs = at("sort.stable", x, stable=True, dim=axis, descending=bool(largest), type=kinds)
    many = ints(at, k if k.data is not None else reshape(at, k, ()), x)[0]
    return tuple(at("slice.Tensor", v, axis, 0, many, 1, type=Type(v.dtype, o.shape))
                 for v, o in zip(outs, at.node.outputs, strict=True))


@from_onnx("ArgMax", "ArgMin")
def arg_max(at: At, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """The first of equals, or the last, looking from the other end."""
    assert at.node is not None
    held([x])
    n = rank(x)
    axis = axis % max(n, 1)
    name = at.node.op.lower()
    if not select_last_index:
        return at(name, x, axis, bool(keepdims), type=at.out)
    if not n:
        raise Unsupported("of a scalar")
    turned = at.flip(x, [axis], type=x.type)
    place = at(name, turned, axis, bool(keepdims), type=at.out)
    last = size(at, x, axis)
    last = last - 1 if isinstance(last, int) else at("_operator.sub", last, 1, type=Type(I64, ()))
    return at("rsub.Scalar", place, last, type=at.out)


@from_onnx("CumSum", "CumProd")
def cumulative(at: At, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Any:
    assert at.node is not None
    held([x])
    n = rank(x)
    if axis.data is None:  # that of several which it turns out to be
        axis, out = reshape(at, axis, ()), None
        for k in range(n):
            one = _running(at, x, k, exclusive, reverse)
            found = at.logical_or(at("eq.Scalar", axis, k, type=Type(BOOL, ())),
                                  at("eq.Scalar", axis, k - n, type=Type(BOOL, ())), type=Type(BOOL, ()))
            out = one if out is None else at("where.self", found, one, out, type=x.type)
        return x if out is None else out
    return _running(at, x, int(axis.numpy().reshape(())) % max(n, 1), exclusive, reverse)


def _running(at: At, x: Value, a: int, exclusive: int, reverse: int) -> Value:
    assert at.node is not None
    n = rank(x)
    if reverse:
        x = at.flip(x, [a], type=x.type)
    y = at(at.node.op.lower(), x, a, dtype=x.dtype, type=x.type)
    if exclusive:
        start = 0 if at.node.op == "CumSum" else 1
        cut = [0, 0] * (n - 1 - a) + [1, -1]
        y = at.constant_pad_nd(y, cut, float(start) if x.dtype in FLOATS else start, type=x.type)
    made: Value = at.flip(y, [a], type=x.type) if reverse else y
    return made


@from_onnx("OneHot")
def one_hot(at: At, where: Value, depth: Value, values: Value, *, axis: int = -1) -> Any:
    """What lies outside is off; negative indices count from the end."""
    n = rank(where)
    held([values, where], NUMERIC | {BOOL})
    count = ints(at, cast(at, depth, I64) if depth.data is not None or depth.dtype != I64 else depth)[0]
    where = cast(at, where, I64)
    below = at("lt.Scalar", where, 0, type=Type(BOOL, where.shape))
    where = at("where.self", below, at("add.Tensor", where, count, type=where.type), where, type=where.type)
    axis %= n + 1
    d = at.out.shape[axis] if at.out.shape is not None else None
    places = at("arange.start_step", 0, count, 1, dtype=I64, type=Type(I64, (d,)))
    places = reshape(at, places, [-1, *[1] * (n - axis)], Type(I64, (d, *[1] * (n - axis))))
    hot = at("eq.Tensor", at.unsqueeze(where, axis, type=Type(I64, None if where.shape is None else (
        *where.shape[:axis], 1, *where.shape[axis:]))), places, type=Type(BOOL, at.out.shape))
    off, on = (at("select.int", values, 0, k, type=Type(values.dtype, ())) for k in (0, 1))
    return at("where.self", hot, on, off, type=at.out)


__all__ = ["dim", "tensor"]
