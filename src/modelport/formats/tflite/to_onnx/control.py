"""Branches, loops and graphs in graphs.  Source: tensorflow/lite/kernels/if.cc, while.cc, stablehlo_composite.cc.

The bodies have been translated when a rule sees them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.bodies import own_outputs
from ....ir.graph import Graph, Value, rebuild
from ....ir.rules import Builder
from ....ir.types import Type
from ...reading import ints
from .common import to_onnx

I64, BOOL = np.dtype(np.int64), np.dtype(np.bool_)


@to_onnx("IF")
def if_(op: Builder, condition: Value, *values: Value, then_branch: Graph, else_branch: Graph) -> Any:
    assert op.node is not None
    for body in (then_branch, else_branch):
        _check(op, body, values)
    return op.add("If", op.Reshape(condition, ints([])), *values, then_branch=own_outputs(op, then_branch),
                  else_branch=own_outputs(op, else_branch), captures=len(values), outputs=len(op.node.outputs))


@to_onnx("WHILE")
def while_(op: Builder, *values: Value, cond: Graph, body: Graph) -> Any:
    for graph in (cond, body):
        _check(op, graph, values)
    state = {f"state_{k}": Value(Type(v.dtype, v.shape), v.name) for k, v in enumerate(body.inputs.values())}
    after = _called(body, list(state.values()))
    go = op.Reshape(_called(cond, after)[0], ints([]))
    inner = Graph({"iteration": Value(Type(I64, ()), "iteration"), "go_in": Value(Type(BOOL, ()), "go_in"), **state},
                  {"go": go, **{f"next_{k}": v for k, v in enumerate(after)}}, body.name)
    first = op.Reshape(_called(cond, values)[0], ints([]))
    return op.add("Loop", None, first, *values, body=own_outputs(op, inner), outputs=len(values))


@to_onnx("STABLEHLO_COMPOSITE")
def composite(op: Builder, *values: Value, name: str = "", decomposition: Graph, version: int = 0,
              composite_attributes: bytes | tuple[int, ...] | None = None,
              composite_attributes_format: str = "FLEXBUFFERS") -> Any:
    _check(op, decomposition, values)
    return tuple(_called(decomposition, values))


def _check(op: Builder, body: Graph, values: Sequence[Value]) -> None:
    assert op.node is not None
    if len(body.inputs) != len(values):
        raise Unsupported(f"a body with {len(body.inputs)} inputs for {len(values)} values")
    if any(v.type.quant is not None for v in (*body.inputs.values(), *op.node.outputs)):
        raise Unsupported("quantized values flow into or out of a body")
    for outer, inner in zip(values, body.inputs.values(), strict=True):
        if outer.dtype != inner.dtype:
            raise Unsupported(f"a body takes {inner.dtype} where {outer.dtype} flows")


def _called(body: Graph, values: Sequence[Value]) -> list[Value]:
    """The body's outputs for these values, its nodes among those around it."""
    return list(rebuild(body, lambda node: None, dict(zip(body.inputs, values, strict=True))).outputs.values())
