"""Branches and loops: StatelessIf and StatelessWhile, their bodies closed graphs.

The bodies have been translated when a rule sees them; what flows round has the type of the body's input."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....ir.graph import Graph, Value, constant
from ....ir.types import STRING, DType, Type
from ...loops import Rows, While, always, written
from ...writing import INT32
from ..attributes import OPAQUE
from .common import BOOL, I32, I64, TF, cast, concat, from_onnx, ints, reshape, sizes


@from_onnx("If")
def if_(tf: TF, condition: Value, *values: Value, then_branch: Graph, else_branch: Graph, captures: int = 0) -> Any:
    assert tf.node is not None
    types = [o.type for o in tf.node.outputs]
    branches = [body.with_(outputs={k: cast(tf, v, t.dtype) for (k, v), t in zip(body.outputs.items(), types,
                                                                                strict=True)})
                for body in (then_branch, else_branch)]
    ins = [cast(tf, v, i.dtype) for v, i in zip(values, then_branch.inputs.values(), strict=True)]
    return tf.StatelessIf(reshape(tf, condition, ()), *ins, then_branch=branches[0], else_branch=branches[1],
                          type=types, outputs=len(types))


@from_onnx("Loop")
def loop(tf: TF, trips: Value | None, condition: Value | None, *values: Value, body: Graph, captures: int = 0) -> Any:
    """A list is as long as there are turns: these are counted in 32 bits then."""
    stacks = len(body.outputs) - 1 > len(values) - captures
    if tf.dialect.operators is None and stacks and always(body) and trips is not None and trips.data is None:
        trips = tf.Maximum(trips, constant(0, trips.dtype))
        trips = trips if trips.dtype == I32 else cast(tf, tf.Minimum(trips, constant(INT32[1], trips.dtype)), I32)
    return written(_While(tf), trips, condition, values, body, captures, narrow=not tf.dialect.holds(I64))


@dataclass
class _Rows(Rows):
    """A list or tensor made before the loop or a tensor that grows.

    ``lengths`` is the shape of an element, if it is known when the loop begins.  A list is written to in place, where
    TensorScatterUpdate may copy the whole each turn and fails on rows of no elements; TensorFlow.js has tensors."""

    lengths: Value | None

    @property
    def listed(self) -> bool:
        return self.start[0].dtype == OPAQUE


@dataclass
class _While(While[_Rows]):
    tf: TF

    def cast(self, x: Value, dtype: DType) -> Value:
        return cast(self.tf, x, dtype)

    def scalar(self, x: Value) -> Value:
        return reshape(self.tf, x, ())

    def sizes(self, x: Value, axis: int) -> Value:
        return sizes(self.tf, x, axis, axis + 1)

    def op(self, name: str, *inputs: Value) -> Value:
        made: Value = self.tf.add({"Add": "AddV2"}.get(name, name), *inputs)
        return made

    def loop(self, flow: Sequence[Value], cond: Graph, body: Graph, types: Sequence[Type]) -> Sequence[Value]:
        made: Sequence[Value] = self.tf.StatelessWhile(*flow, cond=cond, body=body, type=types, outputs=len(types))
        return made

    def rows(self, element: Value, bound: Value | None, sizes: Sequence[Any]) -> _Rows:
        tf, shape = self.tf, element.shape or ()
        if bound is None or any(s is None for s in sizes):
            start = [_zeros(tf, [0], element.dtype)]
            if any(not isinstance(d, int) for d in shape):
                start.append(ints([d if isinstance(d, int) else 0 for d in shape]))
            return _Rows(element.type, start, True, None)
        lengths = concat(tf, [ints([s]) if isinstance(s, int) else s for s in sizes])
        if tf.dialect.operators is None:
            reserved = tf.TensorListReserve(lengths, bound, element_dtype=element.dtype, type=Type(OPAQUE, ()))
            return _Rows(element.type, [reserved], False, lengths)
        turns: Any = int(bound.numpy()) if bound.data is not None else reshape(
            tf, cast(tf, tf.Maximum(bound, constant(0, bound.dtype)), I32), (1,))
        return _Rows(element.type, [_zeros(tf, [turns, *sizes], element.dtype)], False, lengths)

    def stacked(self, row: _Rows, before: Sequence[Value], v: Value, turn: Value) -> list[Value]:
        tf = self.tf
        if row.listed:
            return [tf.TensorListSetItem(before[0], turn, v, element_dtype=v.dtype, type=Type(OPAQUE, ()))]
        if row.grows:
            whole = tf.ConcatV2(before[0], reshape(tf, v, (None,)), constant(0, I32))
            return [whole, *([tf.Shape(v, out_type=I32)] if len(before) > 1 else [])]
        at, one = reshape(tf, cast(tf, turn, I32), (1, 1)), tf.ExpandDims(v, constant(0, I32))
        if v.dtype == BOOL and tf.dialect.operators is not None:
            made = tf.TensorScatterUpdate(cast(tf, before[0], I32), at, cast(tf, one, I32))
            return [tf.NotEqual(made, constant(0, I32))]
        return [tf.TensorScatterUpdate(before[0], at, one)]

    def finished(self, row: _Rows, ends: Sequence[Value], turns: Value, whole: bool) -> Value:
        tf, shape = self.tf, row.element.shape or ()
        stack, type_ = ends[0], Type(row.element.dtype, (None, *shape))
        if row.listed:
            stack = tf.TensorListStack(stack, row.lengths, element_dtype=row.element.dtype, type=type_)
        if not row.grows and whole:
            return stack
        count = reshape(tf, cast(tf, turns, I32), (1,))
        made: Value
        if not row.grows:
            n = len(shape)
            made = tf.Slice(stack, ints([0] * (n + 1)), concat(tf, [count, ints([-1] * n)]), type=type_)
            return made
        lengths = ends[1] if len(ends) > 1 else ints([d for d in shape if isinstance(d, int)])
        made = tf.Reshape(stack, concat(tf, [count, lengths]), type=type_)
        return made


def _zeros(tf: TF, lengths: Sequence[Any], dtype: DType) -> Value:
    """Zeros, or empty texts; sizes are numbers or vectors of one."""
    shape = tuple(s if isinstance(s, int) else None for s in lengths)
    dims = concat(tf, [ints([s]) if isinstance(s, int) else s for s in lengths])
    made: Value = tf.Fill(dims, constant("" if dtype == STRING else 0, dtype), type=Type(dtype, shape))
    return made
