"""Padding, cutting and making tensors by shape."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.tensor import Tensor
from ...ir.types import NUMBER
from . import sizes
from .sizes import ints, number, rank

rules = Rules("the hub", "simpler operators")


@rules("Split")
def split(op: Builder, x: Value, parts: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Any:
    """Slices one behind the other; without lengths all are the length divided and rounded up, but the last."""
    assert op.node is not None
    many = len(op.node.outputs)
    if parts is None:
        length = sizes.size(op, x, axis)
        each = op.Div(op.Add(length, ints(many - 1)), ints(many)) if length.data is None else \
            ints(-(-int(length.numpy()[0]) // many))
        ends = [op.Mul(each, ints(k + 1)) for k in range(many)]
    else:
        total = op.CumSum(parts, number(0))
        ends = [op.Gather(total, ints(k), axis=0) for k in range(many)]
    starts = [ints(0), *ends[:-1]]
    return tuple(op.Slice(x, a, b, ints(axis % rank(x))) for a, b in zip(starts, ends, strict=True))


@rules("EyeLike")
def eye_like(op: Builder, x: Value, *, k: int = 0, dtype: int | None = None) -> Value:
    """Rows and columns are numbered; those with the difference ``k`` are one."""
    rows, columns = (sizes.count(op, sizes.size(op, x, axis)) for axis in (0, 1))
    same = op.Equal(op.Sub(op.Unsqueeze(columns, ints(0)), op.Unsqueeze(rows, ints(1))), number(k))
    made: Value = op.Cast(same, to=NUMBER[op.out.dtype])
    return made


@rules("Flatten")
def flatten(op: Builder, x: Value, *, axis: int = 1) -> Value:
    n = rank(x)
    axis = axis + n if axis < 0 else axis
    ahead = op.ReduceProd(sizes.shape(op, x, 0, axis), ints(0), keepdims=1) if axis else ints(1)
    made: Value = op.Reshape(x, op.Concat(ahead, ints(-1), axis=0))
    return made


@rules("Size")
def size(op: Builder, x: Value) -> Value:
    made: Value = op.ReduceProd(op.Shape(x), ints(0), keepdims=0)
    return made


@rules("ConstantOfShape")
def constant_of_shape(op: Builder, shape: Value, *, value: Tensor | None = None) -> Value:
    fill = np.zeros((), np.float32) if value is None else value.numpy().reshape(())
    made: Value = op.Expand(constant(fill), shape)
    return made


@rules("ReverseSequence")
def reverse_sequence(op: Builder, x: Value, lengths: Value, *, batch_axis: int = 1, time_axis: int = 0) -> Value:
    """Element t of a sequence of length n comes from n - 1 - t, what lies behind stays."""
    n = rank(x)
    time = sizes.along(op, sizes.count(op, sizes.size(op, x, time_axis)), time_axis, n)
    length = sizes.along(op, sizes.wide(op, lengths), batch_axis, n)
    place = op.Where(op.Less(time, length), op.Sub(op.Sub(length, number(1)), time), time)
    made: Value = op.GatherElements(x, op.Expand(place, sizes.shape(op, x)), axis=time_axis)
    return made
