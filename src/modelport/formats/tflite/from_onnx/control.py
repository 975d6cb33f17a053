"""Branches and loops.  Source: tensorflow/lite/kernels/if.cc, while.cc, dynamic_update_slice.cc.

The bodies have been translated when a rule sees them; what flows round has the type of the body's input."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....ir.graph import Graph, Made, Node, Value, constant, rebuild
from ....ir.rules import Builder
from ....ir.types import DType, Type
from ...loops import Rows, While, written
from .common import BOOL, F32, I32, I64, NONE, cast, from_onnx, ints, reshape

_FILLED = (F32, I32, I64, BOOL, np.dtype("i1"))
"""What FILL makes."""


@from_onnx("If")
def if_(tfl: Builder, condition: Value, *values: Value, then_branch: Graph, else_branch: Graph,
        captures: int = 0) -> Any:
    assert tfl.node is not None
    types = [o.type for o in tfl.node.outputs]
    branches = [body.with_(outputs={k: cast(tfl, v, t.dtype) for (k, v), t in zip(body.outputs.items(), types,
                                                                                strict=True)})
                for body in (then_branch, else_branch)]
    ins = [cast(tfl, v, i.dtype) for v, i in zip(values, then_branch.inputs.values(), strict=True)]
    return tfl.IF(condition, *ins, then_branch=branches[0], else_branch=branches[1], type=types, outputs=len(types))


def owned(graph: Graph, tfl: Builder) -> Graph:
    """The graph in which every output of a body is made by an operator of its own, or is the input in its place.

    (The kernels copy outputs to inputs one after the other: an output that is another input would be overwritten.)"""
    def rule(node: Node) -> Made:
        if not node.bodies:
            return None
        attrs = dict(node.attrs)
        late = node.op == "IF" and _by_shape(node.inputs[0])
        for key, body in node.bodies.items():
            inner, seen, outputs = owned(_late(tfl, body) if late else body, tfl), set[Value](), {}
            flows = list(inner.inputs.values()) if node.op == "WHILE" and key == "body" else []
            for k, (name, v) in enumerate(inner.outputs.items()):
                if v in seen or (v.node is None and not (flows and v is flows[k])):
                    v = copied(tfl, v)
                seen.add(v)
                outputs[name] = v
            if any(outputs[name] is not v for name, v in inner.outputs.items()):
                inner = inner.with_(outputs=outputs)
            attrs[key] = inner
        return None if all(attrs[k] is b for k, b in node.bodies.items()) else node.with_(attrs=attrs).outputs
    return rebuild(graph, rule, bodies=False)


def _by_shape(condition: Value | None) -> bool:
    """Whether a condition is computed from sizes."""
    stack, seen = [condition], set[Value]()
    while stack:
        v = stack.pop()
        if v is None or v.node is None or v in seen:
            continue
        if v.op == "SHAPE":
            return True
        seen.add(v)
        stack += v.node.inputs
    return False


def _late(tfl: Builder, body: Graph) -> Graph:
    """A branch for some sizes, prepared when it is taken: both branches are prepared with the sizes at hand, and one
    may not hold for them.  What follows a shape that is computed waits for it."""
    def waiting(v: Value) -> Value:
        if not v.rank:
            return v
        sizes = tfl.ADD(tfl.SHAPE(v, out_type="INT32"), ints([0] * v.rank), **NONE)
        made: Value = tfl.RESHAPE(v, sizes, type=v.type)
        return made
    inside = Graph({k: Value(v.type, v.name) for k, v in body.inputs.items()}, {})
    made = rebuild(body, lambda node: None, {k: waiting(v) for k, v in inside.inputs.items()}, bodies=False)
    return made.with_(inputs=inside.inputs)


def copied(tfl: Builder, v: Value) -> Value:
    """The same elements in a tensor of its own."""
    known = v.type.static and v.shape is not None
    shape = ints([int(d or 0) for d in v.shape or ()]) if known else tfl.SHAPE(v, out_type="INT32")
    made: Value = tfl.RESHAPE(v, shape, type=v.type)
    return made


@from_onnx("Loop")
def loop(tfl: Builder, trips: Value | None, condition: Value | None, *values: Value, body: Graph,
         captures: int = 0) -> Any:
    return written(_While(tfl), trips, condition, values, body, captures)


@dataclass
class _While(While[Rows]):
    tfl: Builder

    def cast(self, x: Value, dtype: DType) -> Value:
        return cast(self.tfl, x, dtype)

    def scalar(self, x: Value) -> Value:
        return reshape(self.tfl, x, ())

    def sizes(self, x: Value, axis: int) -> Value:
        made: Value = self.tfl.SLICE(self.tfl.SHAPE(x, out_type="INT32"), ints([axis]), ints([1]))
        return made

    def op(self, name: str, *inputs: Value) -> Value:
        made: Value = self.tfl.ADD(*inputs, **NONE) if name == "Add" else self.tfl.add(
            {"Less": "LESS", "LogicalAnd": "LOGICAL_AND"}[name], *inputs)
        return made

    def loop(self, flow: Sequence[Value], cond: Graph, body: Graph, types: Sequence[Type]) -> Sequence[Value]:
        made: Sequence[Value] = self.tfl.WHILE(*flow, cond=cond, body=body, type=types, outputs=len(types))
        return made

    def rows(self, element: Value, bound: Value | None, sizes: Sequence[Any]) -> Rows:
        """A tensor of zeros for all turns, or one that grows."""
        tfl, shape = self.tfl, element.shape or ()
        if bound is None or any(s is None for s in sizes):
            start = [_zeros(tfl, [0], element.dtype)]
            if any(not isinstance(d, int) for d in shape):
                start.append(ints([d if isinstance(d, int) else 0 for d in shape]))
            return Rows(element.type, start, grows=True)
        # a row at least: DYNAMIC_UPDATE_SLICE is prepared with an update even where there are no turns
        turns: Any = max(1, int(bound.numpy())) if bound.data is not None else reshape(
            tfl, cast(tfl, tfl.MAXIMUM(bound, constant(1, bound.dtype)), I32), (1,))
        return Rows(element.type, [_zeros(tfl, [turns, *sizes], element.dtype)], grows=False)

    def stacked(self, row: Rows, before: Sequence[Value], v: Value, turn: Value) -> list[Value]:
        tfl, n = self.tfl, len(row.element.shape or ())
        if row.grows:
            whole = tfl.CONCATENATION(before[0], reshape(tfl, v, (None,)), axis=0, **NONE)
            return [whole, *([tfl.SHAPE(v, out_type="INT32")] if len(before) > 1 else [])]
        at = cast(tfl, turn, I32)
        start = tfl.PACK(at, *[constant(0, I32)] * n, axis=0, values_count=n + 1) if n else reshape(tfl, at, (1,))
        return [tfl.DYNAMIC_UPDATE_SLICE(before[0], tfl.EXPAND_DIMS(v, ints([0])), start)]

    def finished(self, row: Rows, ends: Sequence[Value], turns: Value, whole: bool) -> Value:
        tfl, shape = self.tfl, row.element.shape or ()
        n, type_ = len(shape), Type(row.element.dtype, (None, *shape))
        count = reshape(tfl, cast(tfl, turns, I32), (1,))
        made: Value
        if row.grows:
            sizes = ends[1] if len(ends) > 1 else ints([d for d in shape if isinstance(d, int)])
            made = tfl.RESHAPE(ends[0], tfl.CONCATENATION(count, sizes, axis=0, **NONE) if n else count, type=type_)
            return made
        length = ends[0].shape[0] if ends[0].shape is not None else None
        if whole and isinstance(length, int) and length > 1:
            return ends[0]
        size = tfl.CONCATENATION(count, ints([-1] * n), axis=0, **NONE) if n else count
        made = tfl.SLICE(ends[0], ints([0] * (n + 1)), size, type=type_)
        return made


def _zeros(tfl: Builder, sizes: Sequence[Any], dtype: DType) -> Value:
    """Zeros; sizes are numbers or vectors of one."""
    kind = dtype if dtype in _FILLED else F32 if dtype.kind == "f" else I32
    shape = tuple(s if isinstance(s, int) else None for s in sizes)
    if None in shape:
        dims = tfl.CONCATENATION(*(ints([s]) if isinstance(s, int) else s for s in sizes), axis=0, **NONE)
    else:
        dims = ints(list(sizes))
    return cast(tfl, tfl.FILL(dims, constant(0, kind), type=Type(kind, shape)), dtype)
