"""Branches: torch.cond, whose branches are closed graphs."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Graph, Value
from .common import At, cast, from_onnx, reshape


@from_onnx("If")
def if_(at: At, condition: Value, *values: Value, then_branch: Graph, else_branch: Graph, captures: int = 0) -> Any:
    """Both branches deliver the same types; an output is never an input as it is."""
    assert at.node is not None
    types = [o.type for o in at.node.outputs]
    branches = []
    for body in (then_branch, else_branch):
        outs = {}
        for (k, v), t in zip(body.outputs.items(), types, strict=True):
            v = cast(at, v, t.dtype)
            if v.rank != t.rank:
                raise Unsupported("branches of different ranks")
            outs[k] = at.clone(v, type=v.type)
        branches.append(body.with_(outputs=outs))
    condition = reshape(at, condition, ()) if condition.shape != () else condition
    made = at("higher_order.cond", condition, *branches, list(values), type=types)
    return made
