"""Reading and writing elements by index: gathering, scattering, sorting, counting."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from ...writing import INT32, rank
from ..raw import type_name
from .common import BOOL, F32, I32, I64, NONE, carry, cast, from_onnx, i32, index, ints, reshape, room, together
from .integer import bits

_MOVED = "f4 i4 i8 i1 u1 i2 ?"  # what the kernels that move elements by index take


def sizes(tfl: Builder, x: Value, first: int, last: int) -> Value:
    """The sizes of axes ``first`` to ``last`` of ``x``, the latter not included."""
    rank(x)
    assert x.shape is not None
    some = x.shape[first:last]
    if all(isinstance(d, int) for d in some):
        return ints([d for d in some if isinstance(d, int)])
    whole = tfl.SHAPE(x, out_type="INT32")
    made: Value = whole if (first, last) == (0, len(x.shape)) else \
        tfl.SLICE(whole, ints([first]), ints([last - first]))
    return made


def _wrapped(tfl: Builder, where: Value, lengths: Value) -> Value:
    """Indices counted from the front; those of the kernels do not count from the end."""
    if where.data is not None:
        found = where.numpy()
        if not (found < 0).any():
            return cast(tfl, where, I32)
        if lengths.data is not None:
            return constant((found % lengths.numpy()).astype(I32), name=where.name)
    elif ranges.of(where)[0] >= 0:
        return index(tfl, where)
    made: Value = tfl.FLOOR_MOD(index(tfl, where), lengths)
    return made if rank(where) else reshape(tfl, made, ())


@from_onnx("Gather")
def gather(tfl: Builder, x: Value, where: Value, *, axis: int = 0) -> Any:
    axis %= rank(x)
    at = _wrapped(tfl, where, scalar(tfl, sizes(tfl, x, axis, axis + 1)))
    if x.data is not None and tfl.out.dtype == I32:  # a table of integers is stored as what it is carried as
        x = i32(tfl, x)
    return tfl.GATHER(carry(tfl, x, _MOVED), at, axis=axis, batch_dims=0)


@from_onnx("GatherElements")
def gather_elements(tfl: Builder, x: Value, where: Value, *, axis: int = 0) -> Any:
    """Along the last axis of as many rows, each row is a batch of GATHER."""
    last = rank(x) - 1
    rows = [] if x.shape is None or where.shape is None else [*zip(x.shape[:-1], where.shape[:-1], strict=True)]
    if axis % rank(x) != last or any(a is None or a != b for a, b in rows):
        raise Unsupported("rows that are not known to be as many, or another axis than the last")
    at = _wrapped(tfl, where, sizes(tfl, x, last, last + 1))
    return tfl.GATHER(carry(tfl, x, _MOVED), at, axis=last, batch_dims=last)


@from_onnx("GatherND")
def gather_nd(tfl: Builder, x: Value, where: Value, *, batch_dims: int = 0) -> Any:
    if batch_dims:
        raise Unsupported("axes in common")
    return tfl.GATHER_ND(carry(tfl, x, _MOVED), _wrapped(tfl, where, sizes(tfl, x, 0, _width(where))))


def _width(where: Value) -> int:
    if not rank(where) or where.shape is None or not isinstance(where.shape[-1], int):
        raise Unsupported("indices of a length that is only known at run time")
    return where.shape[-1]


@from_onnx("ScatterND")
def scatter_nd(tfl: Builder, x: Value, where: Value, updates: Value, *, reduction: str = "none") -> Any:
    """The kernel adds updates to zeros: what is touched is found by adding ones."""
    if reduction not in ("none", "add"):
        raise Unsupported(f"reduction '{reduction}'")
    k, n = _width(where), rank(x)
    at = _wrapped(tfl, where, sizes(tfl, x, 0, k))
    assert x.shape is not None
    if reduction == "add":
        x, updates = together(tfl, room(tfl, [x, updates]), "f4 i4 i8")
        return tfl.ADD(x, tfl.SCATTER_ND(at, updates, sizes(tfl, x, 0, n), type=Type(x.dtype, x.shape)), **NONE)
    x, updates = together(tfl, [x, updates], "f4 i4 i8 ?")
    moved = updates if updates.dtype != BOOL else cast(tfl, updates, I32)
    new = tfl.SCATTER_ND(at, moved, sizes(tfl, x, 0, n), type=Type(moved.dtype, x.shape))
    new = tfl.NOT_EQUAL(new, constant(0, I32)) if updates.dtype == BOOL else new
    one = tfl.FILL(sizes(tfl, at, 0, rank(at) - 1), constant(1, I32)) if not at.type.static else \
        constant(np.ones([d for d in (at.shape or ())[:-1] if isinstance(d, int)], I32))
    shape = x.shape or ()
    touched = tfl.SCATTER_ND(at, one, sizes(tfl, x, 0, k), type=Type(I32, shape[:k]))
    if n > k:
        touched = tfl.RESHAPE(touched, _followed(tfl, sizes(tfl, x, 0, k), n - k),
                              type=Type(I32, (*shape[:k], *[1] * (n - k))))
    return tfl.SELECT_V2(tfl.NOT_EQUAL(touched, constant(0, I32)), new, x)


def _followed(tfl: Builder, shape: Value, ones: int) -> Value:
    """A shape with axes of one behind."""
    if shape.data is not None:
        return ints([*shape.numpy(), *[1] * ones])
    made: Value = tfl.CONCATENATION(shape, ints([1] * ones), axis=0, **NONE)
    return made


def scalar(tfl: Builder, x: Value) -> Value:
    """One element as a value without axes."""
    return reshape(tfl, x, ()) if x.rank != 0 else x


@from_onnx("OneHot")
def one_hot(tfl: Builder, where: Value, depth: Value, values: Value, *, axis: int = -1) -> Any:
    """What lies outside is off on both sides; negative indices count from the end."""
    n = rank(where)
    count = scalar(tfl, index(tfl, depth))
    if where.dtype == I64 and where.data is None and not ranges.fits(where):
        where = tfl.MAXIMUM(constant(INT32[0], I64), tfl.MINIMUM(constant(INT32[1], I64), where))
    at = index(tfl, where)
    if ranges.of(at)[0] < 0:
        at = tfl.SELECT_V2(tfl.LESS(at, constant(0, I32)), tfl.ADD(at, count, **NONE), at)
    values = carry(tfl, values, "f4 i4 i8 ?")
    if values.data is not None:
        off, on = (constant(v, values.dtype) for v in values.numpy())
    else:
        off, on = (tfl.GATHER(values, constant(k, I32), axis=0, batch_dims=0) for k in (0, 1))
    axis = axis % (n + 1)
    return tfl.ONE_HOT(at, count, on, off, axis=axis if axis < n else -1, type=Type(values.dtype, tfl.out.shape))


@from_onnx("NonZero")
def non_zero(tfl: Builder, x: Value) -> Any:
    n = rank(x)
    if not n:
        raise Unsupported("of a scalar")
    found = tfl.WHERE(carry(tfl, x, "? f4 i4 i8"), type=Type(I64, (None, n)))
    return tfl.TRANSPOSE(found, ints([1, 0]))


@from_onnx("TopK")
def top_k(tfl: Builder, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    if axis % max(rank(x), 1) != rank(x) - 1 or not largest:
        raise Unsupported("not the largest along the last axis")
    assert tfl.node is not None
    x = carry(tfl, x, "f4 i4 i8")
    shape = tfl.node.outputs[0].shape
    return tfl.TOPK_V2(x, scalar(tfl, index(tfl, k)), outputs=2, type=[Type(x.dtype, shape), Type(I32, shape)])


@from_onnx("ArgMax", "ArgMin")
def arg_max(tfl: Builder, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """The first of equals."""
    if select_last_index:
        raise Unsupported("the last of equals")
    assert tfl.node is not None
    name = "ARG_MAX" if tfl.node.op == "ArgMax" else "ARG_MIN"
    axis %= max(rank(x), 1)
    y = tfl.add(name, carry(tfl, x, "f4 i4"), constant(axis, I32), output_type=type_name(I32))
    return tfl.EXPAND_DIMS(y, ints([axis])) if keepdims else y


@from_onnx("CumSum")
def cum_sum(tfl: Builder, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Any:
    x = carry(tfl, room(tfl, [x])[0], "f4 i4 i8")
    return tfl.CUMSUM(x, scalar(tfl, index(tfl, axis)), exclusive=bool(exclusive), reverse=bool(reverse))


@from_onnx("ReverseSequence")
def reverse_sequence(tfl: Builder, x: Value, lengths: Value, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    return tfl.REVERSE_SEQUENCE(carry(tfl, x, "f4 i4 i8"), index(tfl, lengths), seq_dim=time_axis, batch_dim=batch_axis,
                                type=Type(carry(tfl, x, "f4 i4 i8").dtype, x.shape))


@from_onnx("NonMaxSuppression")
def non_max_suppression(tfl: Builder, boxes: Value, scores: Value, most: Value | None = None,
                        overlap: Value | None = None, least: Value | None = None, *, center_point_box: int = 0) -> Any:
    """Each batch and class in its turn: the kernel pads its output, and says how many of it count.

    Among equal scores ONNX takes the first box, the kernel any: it gets the boxes in order, ranks as their scores."""
    if scores.shape is None or not all(isinstance(d, int) for d in scores.shape[:2]):
        raise Unsupported("a number of batches or classes that is only known at run time")
    if center_point_box:
        raise Unsupported("boxes by their centres")
    if rank(boxes) != 3:
        raise Unsupported("boxes without a batch")
    batches, classes = (d for d in scores.shape[:2] if isinstance(d, int))
    boxes, scores = carry(tfl, boxes, "f4"), carry(tfl, scores, "f4")
    if most is None:
        return constant(np.zeros((0, 3), I32))
    limit = tfl.MINIMUM(sizes(tfl, boxes, 1, 2), reshape(tfl, _narrowed(tfl, most), (1,)))
    limit = scalar(tfl, limit)
    bounds = [constant(default, F32) if v is None else scalar(tfl, carry(tfl, v, "f4"))
              for v, default in ((overlap, 0.0), (least, -np.inf))]
    bounds[0] = _above(tfl, bounds[0])
    found = []
    many = scalar(tfl, sizes(tfl, boxes, 1, 2))
    places = tfl.RANGE(constant(0, I32), many, constant(1, I32), type=Type(I32, boxes.shape and boxes.shape[1:2]))
    ranks = cast(tfl, tfl.SUB(many, places, **NONE), F32)
    for b in range(batches):
        own = tfl.GATHER(boxes, constant(b, I32), axis=0, batch_dims=0)
        one = tfl.GATHER(scores, constant(b, I32), axis=0, batch_dims=0)
        for c in range(classes):
            score = tfl.GATHER(one, constant(c, I32), axis=0, batch_dims=0)
            best, order = tfl.TOPK_V2(score, many, outputs=2, type=[score.type, Type(I32, score.shape)])
            usable = tfl.SELECT_V2(tfl.GREATER(best, bounds[1]), ranks, constant(-1, F32))
            sorted_boxes = tfl.GATHER(own, order, axis=0, batch_dims=0)
            chosen, count = tfl.NON_MAX_SUPPRESSION_V4(sorted_boxes, usable, limit, bounds[0], constant(0, F32),
                                                       outputs=2, type=[Type(I32, (None,)), Type(I32, ())])
            first = tfl.SLICE(chosen, ints([0]), tfl.RESHAPE(count, ints([1]), new_shape=[1]),
                              type=Type(I32, (None,)))
            first = tfl.GATHER(order, first, axis=0, batch_dims=0)
            place = tfl.PAD(tfl.EXPAND_DIMS(first, ints([1])), constant(np.array([[0, 0], [2, 0]], I32)),
                            type=Type(I32, (None, 3)))
            found.append(tfl.ADD(place, constant(np.array([[b, c, 0]], I32)), **NONE) if b or c else place)
    return found[0] if len(found) == 1 else tfl.CONCATENATION(*found, axis=0, **NONE)


def _above(tfl: Builder, x: Value) -> Value:
    """The next number of float32 above one that is not negative: the kernel also drops boxes that overlap by just the
    threshold."""
    if x.data is not None:
        return constant(np.nextafter(x.numpy().astype(F32), F32.type(np.inf)))
    return bits(tfl, tfl.ADD(bits(tfl, x, I32), constant(1, I32), **NONE), F32)


def _narrowed(tfl: Builder, x: Value) -> Value:
    """A count as 32 bits, the largest number for any that is larger."""
    if x.dtype == I64 and x.data is None:
        x = tfl.MINIMUM(constant(INT32[1], I64), x)
    elif x.data is not None:
        return constant(np.minimum(x.numpy(), INT32[1]).astype(I32))
    return index(tfl, x)
