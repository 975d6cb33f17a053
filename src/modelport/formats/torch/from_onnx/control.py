"""Branches and loops: torch.cond and torch.while_loop, whose bodies are closed graphs.

The bodies have been translated when a rule sees them; what flows round is a tensor of the type of the body's input."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.types import DType, Type
from ...loops import Rows, While, written
from ..raw import ints, size, stack
from .common import BOOL, I64, At, cast, from_onnx, reshape


def _own(at: At, body: Graph, types: Sequence[Type]) -> Graph:
    """The body with outputs of these types, each a tensor of its own: PyTorch takes no input for one."""
    outs: dict[str, Value] = {}
    for (k, v), t in zip(body.outputs.items(), types, strict=True):
        v = cast(at, v, t.dtype)
        if v.rank != t.rank or v.rank is None:
            raise Unsupported("branches of different ranks")
        outs[k] = at.clone(v, type=v.type) if v.node is None or v in list(outs.values()) else v
    return body.with_(outputs=outs)


@from_onnx("If")
def if_(at: At, condition: Value, *values: Value, then_branch: Graph, else_branch: Graph, captures: int = 0) -> Any:
    assert at.node is not None
    types = [o.type for o in at.node.outputs]
    branches = [_own(at, body, types) for body in (then_branch, else_branch)]
    condition = reshape(at, condition, ()) if condition.shape != () else condition
    return at("higher_order.cond", condition, *branches, list(values), type=types)


@from_onnx("Loop")
def loop(at: At, trips: Value | None, condition: Value | None, *values: Value, body: Graph, captures: int = 0) -> Any:
    return written(_While(at), trips, condition, values, body, captures)


@dataclass
class _Rows(Rows):
    """A tensor made before the loop, or one that grows; ``lengths``: whether the shape of an element is carried."""

    lengths: bool


@dataclass
class _While(While[_Rows]):
    at: At

    def cast(self, x: Value, dtype: DType) -> Value:
        return cast(self.at, x, dtype)

    def scalar(self, x: Value) -> Value:
        return x if x.shape == () else reshape(self.at, x, ())

    def sizes(self, x: Value, axis: int) -> Value:
        return stack(self.at, [size(self.at, x, axis)])

    def op(self, name: str, *inputs: Value) -> Value:
        name, kind = {"Less": ("lt.Tensor", BOOL), "LogicalAnd": ("logical_and", BOOL), "Add": ("add.Tensor", None)}[
            name]
        made: Value = self.at(name, *inputs, type=kind)
        return made

    def loop(self, flow: Sequence[Value], cond: Graph, body: Graph, types: Sequence[Type]) -> Sequence[Value]:
        at = self.at
        if any(t.rank is None for t in types):
            raise Unsupported("a value of unknown rank that goes round")
        flow = [at.clone(v, type=v.type) if v in flow[:k] else v for k, v in enumerate(flow)]
        made: Sequence[Value] = at("higher_order.while_loop", _own(at, cond, [Type(BOOL, ())]), _own(at, body, types),
                                   flow, [], type=types)
        return made

    def rows(self, element: Value, bound: Value | None, sizes: Sequence[Any]) -> _Rows:
        at, shape = self.at, element.shape or ()
        if bound is None or any(s is None for s in sizes):
            start = [constant(np.zeros(0, element.dtype))]
            known = all(isinstance(d, int) for d in shape)
            if not known:
                start.append(constant([d if isinstance(d, int) else 0 for d in shape], I64))
            return _Rows(element.type, start, True, not known)
        turns = ints(at, bound)[0]
        turns = max(turns, 0) if isinstance(turns, int) else at("torch.sym_max", turns, 0, type=Type(I64, ()))
        fill = 0.0 if element.dtype.kind in "fV" else 0
        whole = Type(element.dtype, (turns if isinstance(turns, int) else None, *shape))
        lengths = [s if isinstance(s, int) else ints(at, s)[0] for s in sizes]
        return _Rows(element.type, [at.full([turns, *lengths], fill, dtype=element.dtype, type=whole)], False, False)

    def stacked(self, row: _Rows, before: Sequence[Value], v: Value, turn: Value) -> list[Value]:
        at = self.at
        if row.grows:
            flat = reshape(at, v, [-1])
            whole = at.cat([before[0], flat], 0, type=Type(v.dtype, (None,)))
            shape = [stack(at, [size(at, v, k) for k in range(v.rank or 0)])] if row.lengths else []
            return [whole, *shape]
        return [at.index_put(before[0], [cast(at, turn, I64)], v, False, type=before[0].type)]

    def finished(self, row: _Rows, ends: Sequence[Value], turns: Value, whole: bool) -> Value:
        at, shape = self.at, row.element.shape or ()
        if not row.grows and whole:
            return ends[0]
        count = ints(at, turns)[0]
        made: Value
        if not row.grows:
            made = at("slice.Tensor", ends[0], 0, 0, count, 1, type=Type(row.element.dtype, (None, *shape)))
            return made
        lengths: list[Any] = ints(at, ends[1]) if row.lengths else list(shape)
        made = at.reshape(ends[0], [count, *lengths], type=Type(row.element.dtype, (None, *shape)))
        return made
