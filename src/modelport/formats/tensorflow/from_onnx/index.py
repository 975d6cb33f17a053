"""Reading and writing elements by index: gathering, scattering, sorting, counting."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.types import Type
from ...writing import INT32, rank
from .common import (
    BOOL,
    F32,
    I32,
    I64,
    NUMBERS,
    TF,
    alike,
    carry,
    cast,
    concat,
    from_onnx,
    i32,
    index,
    ints,
    room,
    scalar,
    sizes,
    together,
)

_ANY = f"{NUMBERS} ? O"


def wrapped(tf: TF, where: Value, lengths: Value) -> Value:
    """Indices counted from the front; those of the kernels do not count from the end."""
    if where.data is not None:
        found = where.numpy()
        if not (found < 0).any():
            return index(tf, where)
        if lengths.data is not None:
            return constant((found % lengths.numpy()).astype(I32), name=where.name)
    elif ranges.of(where)[0] >= 0:
        return index(tf, where)
    where, lengths = alike(tf, [index(tf, where), lengths])
    below = tf.Less(where, constant(0, where.dtype))
    made: Value = tf.SelectV2(below, tf.AddV2(where, lengths), where)  # one that lies outside is not made to fit
    return made


@from_onnx("Gather")
def gather(tf: TF, x: Value, where: Value, *, axis: int = 0) -> Any:
    axis %= rank(x)
    at = wrapped(tf, where, scalar(tf, sizes(tf, x, axis, axis + 1)))
    if x.data is not None and x.dtype == I64 and tf.out.dtype == I32:  # stored as what it is carried as
        x = i32(tf, x)
    return tf.GatherV2(x, at, constant(axis, I32), batch_dims=0)


@from_onnx("GatherElements")
def gather_elements(tf: TF, x: Value, where: Value, *, axis: int = 0) -> Any:
    """Along the last axis of as many rows, each row is a batch of GatherV2."""
    last = rank(x) - 1
    rows = [] if x.shape is None or where.shape is None else [*zip(x.shape[:-1], where.shape[:-1], strict=True)]
    if axis % rank(x) != last or any(a is None or a != b for a, b in rows) or tf.dialect.operators is not None:
        raise Unsupported("rows that are not known to be as many, or another axis than the last")
    at = wrapped(tf, where, scalar(tf, sizes(tf, x, last, last + 1)))
    return tf.GatherV2(x, at, constant(last, I32), batch_dims=last)


@from_onnx("GatherND")
def gather_nd(tf: TF, x: Value, where: Value, *, batch_dims: int = 0) -> Any:
    if batch_dims:
        raise Unsupported("axes in common")
    return tf.GatherNd(x, wrapped(tf, where, sizes(tf, x, 0, _width(where))))


def _width(where: Value) -> int:
    if not rank(where) or where.shape is None or not isinstance(where.shape[-1], int):
        raise Unsupported("indices of a length that is only known at run time")
    return where.shape[-1]


_SCATTER = {"none": "TensorScatterUpdate", "add": "TensorScatterAdd", "max": "TensorScatterMax",
            "min": "TensorScatterMin"}


@from_onnx("ScatterND")
def scatter_nd(tf: TF, x: Value, where: Value, updates: Value, *, reduction: str = "none") -> Any:
    if reduction not in _SCATTER:
        raise Unsupported(f"reduction '{reduction}'")
    at = wrapped(tf, where, sizes(tf, x, 0, _width(where)))
    x, updates = together(tf, room(tf, [x, updates]), _ANY if reduction == "none" else NUMBERS)
    name = _SCATTER[reduction]
    if reduction == "add" and not tf.has(name):
        shape = sizes(tf, x, 0, rank(x))
        return tf.AddV2(x, tf.ScatterNd(at, updates, shape, type=x.type))
    if name == "TensorScatterUpdate" and tf.dialect.operators is not None:  # its kernel writes into what comes in
        if x.dtype == BOOL:
            return tf.NotEqual(tf.TensorScatterUpdate(tf.Mul(cast(tf, x, I32), constant(1, I32)), at,
                                                      cast(tf, updates, I32)), constant(0, I32))
        x = tf.Mul(x, constant(1, x.dtype))
    return tf.add(name, x, at, updates)


@from_onnx("OneHot")
def one_hot(tf: TF, where: Value, depth: Value, values: Value, *, axis: int = -1) -> Any:
    """What lies outside is off on both sides; negative indices count from the end."""
    n = rank(where)
    count = scalar(tf, i32(tf, depth))
    if where.dtype.kind not in "iu":
        raise Unsupported("indices that are no integers")
    where = where if where.dtype in (I32, I64) else cast(tf, where, I64 if where.dtype.itemsize > 2 else I32)
    if ranges.of(where)[0] < 0:
        lengths = cast(tf, count, where.dtype)
        where = tf.SelectV2(tf.Less(where, constant(0, where.dtype)), tf.AddV2(where, lengths), where)
    if values.data is not None:
        off, on = (constant(v, values.dtype) for v in values.numpy())
    else:
        off, on = (tf.GatherV2(values, constant(k, I32), constant(0, I32)) for k in (0, 1))
    axis = axis % (n + 1)
    if tf.dialect.operators is not None and (axis < n or count.data is None or int(count.numpy()) < 2):
        raise Unsupported("along another axis than the last, or not of two and more")  # TensorFlow.js wants both
    return tf.OneHot(where, count, on, off, axis=axis if axis < n else -1, type=Type(values.dtype, tf.out.shape))


@from_onnx("NonZero")
def non_zero(tf: TF, x: Value) -> Any:
    n = rank(x)
    if not n:
        raise Unsupported("of a scalar")
    if x.dtype != BOOL:
        x = tf.NotEqual(carry(tf, x, NUMBERS), constant(0, x.dtype))
    made = I64 if tf.dialect.holds(I64) else I32
    return tf.Transpose(tf.Where(x, type=Type(made, (None, n))), ints([1, 0]))


@from_onnx("TopK")
def top_k(tf: TF, x: Value, k: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    if not rank(x) or axis % rank(x) != rank(x) - 1 or not largest:
        raise Unsupported("not the largest along the last axis")
    assert tf.node is not None
    x = carry(tf, x, NUMBERS)
    shape = tf.node.outputs[0].shape
    return tf.TopKV2(x, scalar(tf, i32(tf, k)), sorted=True, outputs=2, type=[Type(x.dtype, shape), Type(I32, shape)])


@from_onnx("ArgMax", "ArgMin")
def arg_max(tf: TF, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    """The first of equals."""
    if select_last_index:
        raise Unsupported("the last of equals")
    assert tf.node is not None
    axis %= max(rank(x, 7), 1)
    made = I64 if tf.dialect.holds(I64) and tf.out.dtype == I64 else I32
    y = tf.add(tf.node.op, carry(tf, x, NUMBERS), constant(axis, I32), output_type=made)
    return tf.ExpandDims(y, constant(axis, I32)) if keepdims else y


@from_onnx("CumSum", "CumProd")
def cum_sum(tf: TF, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Any:
    assert tf.node is not None
    x = carry(tf, room(tf, [x])[0], NUMBERS)
    at = scalar(tf, i32(tf, axis))
    if at.data is not None and int(at.numpy()) < 0:
        at = constant(int(at.numpy()) % rank(x), I32)
    return tf.add("Cumsum" if tf.node.op == "CumSum" else "Cumprod", x, at, exclusive=bool(exclusive),
                  reverse=bool(reverse))


@from_onnx("ReverseSequence")
def reverse_sequence(tf: TF, x: Value, lengths: Value, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    return tf.ReverseSequence(x, index(tf, lengths), seq_dim=time_axis, batch_dim=batch_axis)


@from_onnx("NonMaxSuppression")
def non_max_suppression(tf: TF, boxes: Value, scores: Value, most: Value | None = None,
                        overlap: Value | None = None, least: Value | None = None, *, center_point_box: int = 0) -> Any:
    """Each batch and class in its turn.

    Among equal scores ONNX takes the first box, the kernel of older releases any: it gets the boxes in order, and their
    ranks as scores."""
    if scores.shape is None or not all(isinstance(d, int) for d in scores.shape[:2]):
        raise Unsupported("a number of batches or classes that is only known at run time")
    if center_point_box:
        raise Unsupported("boxes by their centres")
    if rank(boxes) != 3:
        raise Unsupported("boxes without a batch")
    batches, classes = (d for d in scores.shape[:2] if isinstance(d, int))
    boxes, scores = carry(tf, boxes, "f4"), carry(tf, scores, "f4")
    if most is None:
        return constant(np.zeros((0, 3), I32))
    many = scalar(tf, sizes(tf, boxes, 1, 2))
    limit = scalar(tf, tf.Minimum(many, scalar(tf, _narrowed(tf, most))))
    bounds = [constant(default, F32) if v is None else scalar(tf, carry(tf, v, "f4"))
              for v, default in ((overlap, 0.0), (least, -np.inf))]
    found = []
    places = tf.Range(constant(0, I32), many, constant(1, I32), type=Type(I32, boxes.shape and boxes.shape[1:2]))
    ranks = cast(tf, tf.Sub(many, places), F32)
    for b in range(batches):
        own = tf.GatherV2(boxes, constant(b, I32), constant(0, I32))
        one = tf.GatherV2(scores, constant(b, I32), constant(0, I32))
        for c in range(classes):
            score = tf.GatherV2(one, constant(c, I32), constant(0, I32))
            best, order = tf.TopKV2(score, many, sorted=True, outputs=2, type=[score.type, Type(I32, score.shape)])
            usable = tf.SelectV2(tf.Greater(best, bounds[1]), ranks, constant(-1, F32))
            sorted_boxes = tf.GatherV2(own, order, constant(0, I32))
            first = tf.NonMaxSuppressionV3(sorted_boxes, usable, limit, bounds[0], constant(0, F32),
                                           type=Type(I32, (None,)))
            first = tf.GatherV2(order, first, constant(0, I32))
            place = tf.Pad(tf.ExpandDims(first, constant(1, I32)), constant(np.array([[0, 0], [2, 0]], I32)),
                           type=Type(I32, (None, 3)))
            found.append(tf.AddV2(place, constant(np.array([[b, c, 0]], I32))) if b or c else place)
    return concat(tf, found) if found else constant(np.zeros((0, 3), I32))


def _narrowed(tf: TF, x: Value) -> Value:
    """A count as 32 bits, the largest number for any that is larger."""
    if x.data is not None:
        return constant(np.minimum(x.numpy(), INT32[1]).astype(I32))
    if x.dtype == I64:
        x = tf.Minimum(x, constant(INT32[1], I64))
    return i32(tf, x)


