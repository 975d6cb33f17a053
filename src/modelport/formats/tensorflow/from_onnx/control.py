"""Branches and loops: StatelessIf and StatelessWhile, their bodies closed graphs.

The bodies have been translated when a rule sees them; what flows round has the type of the body's input."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant, rebuild
from ....ir.types import STRING, Dim, DType, Type
from ..attributes import OPAQUE
from .common import BOOL, I32, I64, INT32, TF, cast, concat, from_onnx, ints, reshape, sizes


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


@dataclass
class _Rows:
    """What a loop stacks: one element a turn, in a list or tensor made before the loop or in a tensor that grows.

    ``lengths`` is the shape of an element, if it is known when the loop begins.  A list is written to in place, where
    TensorScatterUpdate may copy the whole each turn and fails on rows of no elements; TensorFlow.js has tensors."""

    element: Type
    start: list[Value]
    lengths: Value | None

    @property
    def listed(self) -> bool:
        return self.start[0].dtype == OPAQUE


@from_onnx("Loop")
def loop(tf: TF, trips: Value | None, condition: Value | None, *values: Value, body: Graph, captures: int = 0) -> Any:
    """A while over the count of turns, whether to go on, what flows round, what is stacked, and what is captured."""
    states = len(values) - captures
    _, go_in, *formals = body.inputs.values()
    count_in = next(iter(body.inputs.values()))
    go_out, *outs = body.outputs.values()
    if len(formals) != len(values) or states < 0 or len(outs) < states:
        raise Unsupported("its body does not fit")
    always = go_out is go_in or (go_out.data is not None and bool(go_out.numpy().all()))
    if trips is not None and trips.data is not None and int(trips.numpy().reshape(())) > INT32[1]:
        trips = None  # more turns than there will ever be
    listed = always and tf.dialect.operators is None and len(outs) > states  # its number of turns is a list's length
    short = listed or not tf.dialect.holds(I64) or (
        trips is not None and (trips.dtype == I32 or trips.data is not None))
    count = I32 if short else I64
    one = constant(1, count)
    flow: dict[str, Value] = {"turn": constant(0, count)}
    if trips is not None and trips.data is None:
        if listed:
            trips = tf.Maximum(trips, constant(0, trips.dtype))
            trips = trips if trips.dtype == I32 else cast(tf, tf.Minimum(trips, constant(INT32[1], trips.dtype)), I32)
        flow["turns"] = reshape(tf, trips, ())
    if not always:
        flow["going"] = constant(True) if condition is None else reshape(tf, condition, ())
    elif condition is not None and not (condition.data is not None and condition.numpy().all()):
        flow["going"] = reshape(tf, condition, ())
    bound = flow.get("turns") or (None if trips is None else constant(max(0, int(trips.numpy().reshape(()))), count))
    for k, (v, formal) in enumerate(zip(values[:states], formals, strict=False)):
        flow[f"state_{k}"] = cast(tf, v, formal.dtype)
    for k, (v, formal) in enumerate(zip(values[states:], formals[states:], strict=True)):
        flow[f"captured_{k}"] = cast(tf, v, formal.dtype)
    rows = [_rows(tf, v, bound if always else None, flow) for v in outs[states:]]
    for k, row in enumerate(rows):
        flow.update({f"rows_{k}_{i}": v for i, v in enumerate(row.start)})

    def inputs() -> dict[str, Value]:
        made = {key: Value(Type(v.dtype, v.shape), key) for key, v in flow.items()}
        for k, formal in enumerate(formals):
            made[f"state_{k}" if k < states else f"captured_{k - states}"].type = Type(formal.dtype, formal.shape)
        for k, row in enumerate(rows):
            if row.lengths is None:
                made[f"rows_{k}_0"].type = Type(row.element.dtype, (None,))
        return made

    test = inputs()
    goes = [tf.Less(test["turn"], test.get("turns", bound))] if bound is not None else []
    goes += [test["going"]] if "going" in test else []
    if not goes:
        raise Unsupported("it never ends")
    go = goes[0] if len(goes) == 1 else tf.LogicalAnd(*goes)
    cond = Graph(test, {"go": go}, f"{body.name}_condition")

    ins = inputs()
    given = [cast(tf, ins["turn"], count_in.dtype), constant(True), *(ins[f"state_{k}"] for k in range(states)),
             *(ins[f"captured_{k}"] for k in range(captures))]
    step = rebuild(body, lambda node: None, dict(zip(body.inputs, given, strict=True)))
    more, *news = step.outputs.values()
    after = dict(ins)
    after["turn"] = tf.AddV2(ins["turn"], one)
    if not always:
        after["going"] = reshape(tf, cast(tf, more, BOOL), ())
    for k in range(states):
        after[f"state_{k}"] = news[k]
    for k, (row, v) in enumerate(zip(rows, news[states:], strict=True)):
        before = [ins[f"rows_{k}_{i}"] for i in range(len(row.start))]
        after.update({f"rows_{k}_{i}": new for i, new in enumerate(_stacked(tf, row, before, v, ins["turn"]))})
    turning = Graph(ins, {key: cast(tf, v, ins[key].dtype) for key, v in after.items()}, f"{body.name}_body")

    types = [Type(v.dtype, v.shape) for v in ins.values()]
    ends = dict(zip(flow, tf.StatelessWhile(*flow.values(), cond=cond, body=turning, type=types, outputs=len(types)),
                    strict=True))
    stacks = [_finished(tf, row, [ends[f"rows_{k}_{i}"] for i in range(len(row.start))], ends["turn"],
                        whole="going" not in flow) for k, row in enumerate(rows)]
    return [*(ends[f"state_{k}"] for k in range(states)), *stacks]


def _rows(tf: TF, element: Value, bound: Value | None, flow: dict[str, Value]) -> _Rows:
    """Where the elements go: a tensor of zeros for all turns, if their number and sizes are known when it begins."""
    if element.shape is None:
        raise Unsupported("it stacks values of unknown rank")
    known = [_size(tf, d, flow) for d in element.shape]
    if bound is None or any(s is None for s in known):
        start = [_zeros(tf, [0], element.dtype)]
        if any(not isinstance(d, int) for d in element.shape):
            start.append(ints([d if isinstance(d, int) else 0 for d in element.shape]))
        return _Rows(element.type, start, None)
    lengths = concat(tf, [ints([s]) if isinstance(s, int) else s for s in known])
    if tf.dialect.operators is None:
        reserved = tf.TensorListReserve(lengths, bound, element_dtype=element.dtype, type=Type(OPAQUE, ()))
        return _Rows(element.type, [reserved], lengths)
    turns: Any = int(bound.numpy()) if bound.data is not None else reshape(
        tf, cast(tf, tf.Maximum(bound, constant(0, bound.dtype)), I32), (1,))
    return _Rows(element.type, [_zeros(tf, [turns, *known], element.dtype)], lengths)


def _size(tf: TF, d: Dim, flow: dict[str, Value]) -> Any:
    """A size of an element: a number, or read from a value of that symbolic size that flows in."""
    if isinstance(d, int) or d is None:
        return d
    for v in flow.values():
        if v.shape is not None and d in v.shape:
            at = v.shape.index(d)
            return sizes(tf, v, at, at + 1)
    return None


def _zeros(tf: TF, lengths: Sequence[Any], dtype: DType) -> Value:
    """Zeros, or empty texts; sizes are numbers or vectors of one."""
    shape = tuple(s if isinstance(s, int) else None for s in lengths)
    dims = concat(tf, [ints([s]) if isinstance(s, int) else s for s in lengths])
    made: Value = tf.Fill(dims, constant("" if dtype == STRING else 0, dtype), type=Type(dtype, shape))
    return made


def _stacked(tf: TF, row: _Rows, before: Sequence[Value], v: Value, turn: Value) -> list[Value]:
    """The stack with one element more."""
    assert row.element.shape is not None
    v = cast(tf, v, row.element.dtype)
    if row.listed:
        return [tf.TensorListSetItem(before[0], turn, v, element_dtype=v.dtype, type=Type(OPAQUE, ()))]
    if row.lengths is None:
        whole = tf.ConcatV2(before[0], reshape(tf, v, (None,)), constant(0, I32))
        return [whole, *([tf.Shape(v, out_type=I32)] if len(before) > 1 else [])]
    at, one = reshape(tf, cast(tf, turn, I32), (1, 1)), tf.ExpandDims(v, constant(0, I32))
    if v.dtype == BOOL and tf.dialect.operators is not None:
        made = tf.TensorScatterUpdate(cast(tf, before[0], I32), at, cast(tf, one, I32))
        return [tf.NotEqual(made, constant(0, I32))]
    return [tf.TensorScatterUpdate(before[0], at, one)]


def _finished(tf: TF, row: _Rows, ends: Sequence[Value], turns: Value, whole: bool) -> Value:
    """The stack as it stands after so many turns; ``whole``: after all that there are to be."""
    assert row.element.shape is not None
    stack, type_ = ends[0], Type(row.element.dtype, (None, *row.element.shape))
    if row.listed:
        stack = tf.TensorListStack(stack, row.lengths, element_dtype=row.element.dtype, type=type_)
    if row.lengths is not None and whole:
        return stack
    count = reshape(tf, cast(tf, turns, I32), (1,))
    if row.lengths is not None:
        n = len(row.element.shape)
        cut: Value = tf.Slice(stack, ints([0] * (n + 1)), concat(tf, [count, ints([-1] * n)]), type=type_)
        return cut
    lengths = ends[1] if len(ends) > 1 else ints([d for d in row.element.shape if isinstance(d, int)])
    grown: Value = tf.Reshape(stack, concat(tf, [count, lengths]), type=type_)
    return grown
