"""Branches and loops.  Source: tensorflow/lite/kernels/if.cc, while.cc, dynamic_update_slice.cc.

The bodies have been translated when a rule sees them; what flows round has the type of the body's input."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Made, Node, Value, constant, rebuild
from ....ir.rules import Builder
from ....ir.types import Dim, DType, Type
from .common import BOOL, F32, I32, I64, INT32, NONE, cast, from_onnx, ints, reshape

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


@dataclass
class _Rows:
    """What a loop stacks: one element a turn, in a tensor made before the loop or in one that grows."""

    element: Type
    start: list[Value]
    reserved: bool


@from_onnx("Loop")
def loop(tfl: Builder, trips: Value | None, condition: Value | None, *values: Value, body: Graph,
         captures: int = 0) -> Any:
    """WHILE over the count of turns, whether to go on, what flows round, what is stacked, and what is captured."""
    states = len(values) - captures
    _, go_in, *formals = body.inputs.values()
    count_in = next(iter(body.inputs.values()))
    go_out, *outs = body.outputs.values()
    if len(formals) != len(values) or states < 0 or len(outs) < states:
        raise Unsupported("its body does not fit")
    always = go_out is go_in or (go_out.data is not None and bool(go_out.numpy().all()))
    if trips is not None and trips.data is not None and int(trips.numpy().reshape(())) > INT32[1]:
        trips = None  # more turns than there will ever be
    short = trips is not None and (trips.dtype == I32 or trips.data is not None)
    count = I32 if short else I64
    one = constant(1, count)
    flow: dict[str, Value] = {"turn": constant(0, count)}
    if trips is not None and trips.data is None:
        flow["turns"] = reshape(tfl, trips, ())
    if not always:
        flow["going"] = constant(True) if condition is None else reshape(tfl, condition, ())
    elif condition is not None and not (condition.data is not None and condition.numpy().all()):
        flow["going"] = reshape(tfl, condition, ())
    bound = flow.get("turns") or (None if trips is None else constant(trips.numpy().reshape(()), count))
    for k, (v, formal) in enumerate(zip(values[:states], formals, strict=False)):
        flow[f"state_{k}"] = cast(tfl, v, formal.dtype)
    for k, (v, formal) in enumerate(zip(values[states:], formals[states:], strict=True)):
        flow[f"captured_{k}"] = cast(tfl, v, formal.dtype)
    rows = [_rows(tfl, v, bound if always else None, flow, body) for v in outs[states:]]
    for k, row in enumerate(rows):
        flow.update({f"rows_{k}_{i}": v for i, v in enumerate(row.start)})

    def inputs() -> dict[str, Value]:
        made = {key: Value(Type(v.dtype, v.shape), key) for key, v in flow.items()}
        for k, formal in enumerate(formals):
            made[f"state_{k}" if k < states else f"captured_{k - states}"].type = Type(formal.dtype, formal.shape)
        for k, row in enumerate(rows):
            made[f"rows_{k}_0"].type = Type(row.element.dtype, row.start[0].shape if row.reserved else (None,))
        return made

    test = inputs()
    goes = [tfl.LESS(test["turn"], test.get("turns", bound))] if bound is not None else []
    goes += [test["going"]] if "going" in test else []
    if not goes:
        raise Unsupported("it never ends")
    go = goes[0] if len(goes) == 1 else tfl.LOGICAL_AND(*goes)
    cond = Graph(test, {"go": go}, f"{body.name}_condition")

    ins = inputs()
    given = [cast(tfl, ins["turn"], count_in.dtype), constant(True), *(ins[f"state_{k}"] for k in range(states)),
             *(ins[f"captured_{k}"] for k in range(captures))]
    step = rebuild(body, lambda node: None, dict(zip(body.inputs, given, strict=True)))
    more, *news = step.outputs.values()
    after = dict(ins)
    after["turn"] = tfl.ADD(ins["turn"], one, **NONE)
    if not always:
        after["going"] = reshape(tfl, cast(tfl, more, BOOL), ())
    for k in range(states):
        after[f"state_{k}"] = news[k]
    for k, (row, v) in enumerate(zip(rows, news[states:], strict=True)):
        before = [ins[f"rows_{k}_{i}"] for i in range(len(row.start))]
        after.update({f"rows_{k}_{i}": new for i, new in enumerate(_stacked(tfl, row, before, v, ins["turn"]))})
    turning = Graph(ins, {key: cast(tfl, v, ins[key].dtype) for key, v in after.items()}, f"{body.name}_body")

    types = [Type(v.dtype, v.shape) for v in ins.values()]
    ends = dict(zip(flow, tfl.WHILE(*flow.values(), cond=cond, body=turning, type=types, outputs=len(types)),
                    strict=True))
    stacks = [_finished(tfl, row, [ends[f"rows_{k}_{i}"] for i in range(len(row.start))], ends["turn"],
                        whole="going" not in flow)
              for k, row in enumerate(rows)]
    return [*(ends[f"state_{k}"] for k in range(states)), *stacks]


def _rows(tfl: Builder, element: Value, bound: Value | None, flow: dict[str, Value], body: Graph) -> _Rows:
    """Where the elements go: a tensor of zeros for all turns, if their number and sizes are known when it begins."""
    if element.shape is None:
        raise Unsupported("it stacks values of unknown rank")
    sizes = [_size(tfl, d, flow, body) for d in element.shape]
    if bound is None or any(s is None for s in sizes):
        start = [_zeros(tfl, [0], element.dtype)]
        if any(not isinstance(d, int) for d in element.shape):
            start.append(ints([d if isinstance(d, int) else 0 for d in element.shape]))
        return _Rows(element.type, start, reserved=False)
    # a row at least: DYNAMIC_UPDATE_SLICE is prepared with an update even where there are no turns
    turns: Any = max(1, int(bound.numpy())) if bound.data is not None else reshape(
        tfl, cast(tfl, tfl.MAXIMUM(bound, constant(1, bound.dtype)), I32), (1,))
    return _Rows(element.type, [_zeros(tfl, [turns, *sizes], element.dtype)], reserved=True)


def _size(tfl: Builder, d: Dim, flow: dict[str, Value], body: Graph) -> Any:
    """A size of an element: a number, or read from a value of that symbolic size that flows in."""
    if isinstance(d, int) or d is None:
        return d
    for v in flow.values():
        if v.shape is not None and d in v.shape:
            at = v.shape.index(d)
            return tfl.SLICE(tfl.SHAPE(v, out_type="INT32"), ints([at]), ints([1]))
    return None


def _zeros(tfl: Builder, sizes: Sequence[Any], dtype: DType) -> Value:
    """Zeros; sizes are numbers or vectors of one."""
    kind = dtype if dtype in _FILLED else F32 if dtype.kind == "f" else I32
    shape = tuple(s if isinstance(s, int) else None for s in sizes)
    if None in shape:
        dims = tfl.CONCATENATION(*(ints([s]) if isinstance(s, int) else s for s in sizes), axis=0, **NONE)
    else:
        dims = ints(list(sizes))
    return cast(tfl, tfl.FILL(dims, constant(0, kind), type=Type(kind, shape)), dtype)


def _stacked(tfl: Builder, row: _Rows, before: Sequence[Value], v: Value, turn: Value) -> list[Value]:
    """The stack with one element more."""
    assert row.element.shape is not None
    v = cast(tfl, v, row.element.dtype)
    if not row.reserved:
        whole = tfl.CONCATENATION(before[0], reshape(tfl, v, (None,)), axis=0, **NONE)
        return [whole, *([tfl.SHAPE(v, out_type="INT32")] if len(before) > 1 else [])]
    n = len(row.element.shape)
    at = cast(tfl, turn, I32)
    start = tfl.PACK(at, *[constant(0, I32)] * n, axis=0, values_count=n + 1) if n else reshape(tfl, at, (1,))
    one = tfl.EXPAND_DIMS(v, ints([0]))
    return [tfl.DYNAMIC_UPDATE_SLICE(before[0], one, start)]


def _finished(tfl: Builder, row: _Rows, ends: Sequence[Value], turns: Value, whole: bool) -> Value:
    """The stack as it stands after so many turns; ``whole``: after all that there are to be."""
    assert row.element.shape is not None
    n = len(row.element.shape)
    count = reshape(tfl, cast(tfl, turns, I32), (1,))
    if not row.reserved:
        sizes = ends[1] if len(ends) > 1 else ints([d for d in row.element.shape if isinstance(d, int)])
        to = tfl.CONCATENATION(count, sizes, axis=0, **NONE) if n else count
        grown: Value = tfl.RESHAPE(ends[0], to, type=Type(row.element.dtype, (None, *row.element.shape)))
        return grown
    length = ends[0].shape[0] if ends[0].shape is not None else None
    if whole and isinstance(length, int) and length > 1:
        return ends[0]
    size = tfl.CONCATENATION(count, ints([-1] * n), axis=0, **NONE) if n else count
    type_ = Type(row.element.dtype, (None, *row.element.shape))
    made: Value = tfl.SLICE(ends[0], ints([0] * (n + 1)), size, type=type_)
    return made
