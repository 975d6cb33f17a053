"""Loop as the while of a runtime of TensorFlow's family: a condition and a body, over a count of turns, whether to go
on, what flows round, what is stacked, and what is captured.  A format says how it writes the parts (:class:`While`)."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ..errors import Unsupported
from ..ir.graph import Graph, Value, constant, rebuild
from ..ir.types import Dim, DType, Type
from .writing import I32, I64, INT32

BOOL = np.dtype(bool)
Flow = dict[str, Value]


@dataclass
class Rows:
    """What a loop stacks, one ``element`` a turn: the values that hold it when the loop begins, the first of them the
    elements themselves.  ``grows``: it is a vector, to which every turn adds."""

    element: Type
    start: list[Value]
    grows: bool


R = TypeVar("R", bound=Rows)


class While(ABC, Generic[R]):
    """The parts of a loop in the operators of a format."""

    @abstractmethod
    def cast(self, x: Value, dtype: DType) -> Value: ...

    @abstractmethod
    def scalar(self, x: Value) -> Value:
        """One element as a value without axes."""

    @abstractmethod
    def sizes(self, x: Value, axis: int) -> Value:
        """One size of ``x``, as a vector."""

    @abstractmethod
    def op(self, name: str, *inputs: Value) -> Value:
        """``Less``, ``LogicalAnd`` or ``Add``."""

    @abstractmethod
    def loop(self, flow: Sequence[Value], cond: Graph, body: Graph, types: Sequence[Type]) -> Sequence[Value]: ...

    @abstractmethod
    def rows(self, element: Value, bound: Value | None, sizes: Sequence[Any]) -> R:
        """Where elements go: a place for ``bound`` of them, if that and their sizes are known when it begins."""

    @abstractmethod
    def stacked(self, row: R, before: Sequence[Value], v: Value, turn: Value) -> list[Value]:
        """The stack with one element more."""

    @abstractmethod
    def finished(self, row: R, ends: Sequence[Value], turns: Value, whole: bool) -> Value:
        """The stack as it stands after so many turns; ``whole``: after all that there are to be."""


def always(body: Graph) -> bool:
    """Whether a body of Loop never ends the loop."""
    go_in, go_out = list(body.inputs.values())[1], next(iter(body.outputs.values()))
    return go_out is go_in or (go_out.data is not None and bool(go_out.numpy().all()))


def written(w: While[R], trips: Value | None, condition: Value | None, values: Sequence[Value], body: Graph,
            captures: int, narrow: bool = False) -> list[Value]:
    """What a Loop gives.  ``narrow``: there are no integers of 64 bits."""
    states = len(values) - captures
    count_in, _, *formals = body.inputs.values()
    _, *outs = body.outputs.values()
    if len(formals) != len(values) or states < 0 or len(outs) < states:
        raise Unsupported("its body does not fit")
    through = always(body)
    if trips is not None and trips.data is not None and int(trips.numpy().reshape(())) > INT32[1]:
        trips = None  # more turns than there will ever be
    short = narrow or (trips is not None and (trips.dtype == I32 or trips.data is not None))
    count = I32 if short else I64
    flow: Flow = {"turn": constant(0, count)}
    if trips is not None and trips.data is None:
        flow["turns"] = w.scalar(trips)
    if not through:
        flow["going"] = constant(True) if condition is None else w.scalar(condition)
    elif condition is not None and not (condition.data is not None and condition.numpy().all()):
        flow["going"] = w.scalar(condition)
    bound = flow.get("turns") or (None if trips is None else constant(max(0, int(trips.numpy().reshape(()))), count))
    for k, (v, formal) in enumerate(zip(values, formals, strict=True)):
        flow[f"state_{k}" if k < states else f"captured_{k - states}"] = w.cast(v, formal.dtype)
    rows = []
    for v in outs[states:]:
        if v.shape is None:
            raise Unsupported("it stacks values of unknown rank")
        rows.append(w.rows(v, bound if through else None, [_size(w, d, flow) for d in v.shape]))
    for k, row in enumerate(rows):
        flow.update({f"rows_{k}_{i}": v for i, v in enumerate(row.start)})

    def inputs() -> Flow:
        made = {key: Value(Type(v.dtype, v.shape), key) for key, v in flow.items()}
        for k, formal in enumerate(formals):
            made[f"state_{k}" if k < states else f"captured_{k - states}"].type = Type(formal.dtype, formal.shape)
        for k, row in enumerate(rows):
            if row.grows:
                made[f"rows_{k}_0"].type = Type(row.element.dtype, (None,))
        return made

    def of(k: int, row: Rows, where: Mapping[str, Value]) -> list[Value]:
        return [where[f"rows_{k}_{i}"] for i in range(len(row.start))]

    test = inputs()
    goes = [w.op("Less", test["turn"], test.get("turns", bound))] if bound is not None else []
    goes += [test["going"]] if "going" in test else []
    if not goes:
        raise Unsupported("it never ends")
    go = goes[0] if len(goes) == 1 else w.op("LogicalAnd", *goes)
    cond = Graph(test, {"go": go}, f"{body.name}_condition")

    ins = inputs()
    given = [w.cast(ins["turn"], count_in.dtype), constant(True), *(ins[f"state_{k}"] for k in range(states)),
             *(ins[f"captured_{k}"] for k in range(captures))]
    step = rebuild(body, lambda node: None, dict(zip(body.inputs, given, strict=True)))
    more, *news = step.outputs.values()
    after = {**ins, "turn": w.op("Add", ins["turn"], constant(1, count))}
    if not through:
        after["going"] = w.scalar(w.cast(more, BOOL))
    for k in range(states):
        after[f"state_{k}"] = news[k]
    for k, (row, v) in enumerate(zip(rows, news[states:], strict=True)):
        new = w.stacked(row, of(k, row, ins), w.cast(v, row.element.dtype), ins["turn"])
        after.update({f"rows_{k}_{i}": v for i, v in enumerate(new)})
    turning = Graph(ins, {key: w.cast(v, ins[key].dtype) for key, v in after.items()}, f"{body.name}_body")

    types = [Type(v.dtype, v.shape) for v in ins.values()]
    ends = dict(zip(flow, w.loop(list(flow.values()), cond, turning, types), strict=True))
    stacks = [w.finished(row, of(k, row, ends), ends["turn"], "going" not in flow) for k, row in enumerate(rows)]
    return [*(ends[f"state_{k}"] for k in range(states)), *stacks]


def _size(w: While[R], d: Dim, flow: Mapping[str, Value]) -> Any:
    """A size of an element: a number, or read from a value of that symbolic size that flows in."""
    if isinstance(d, int) or d is None:
        return d
    for v in flow.values():
        if v.shape is not None and d in v.shape:
            return w.sizes(v, v.shape.index(d))
    return None
