"""Weights that the source had in half precision stored so again, each behind a Cast that runtimes compute once."""
from __future__ import annotations

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.tensor import Tensor
from ...ir.types import Type
from .raw import builder

_LEAST = 256
"""Elements from which a constant is worth an operator."""
F16, F32 = np.dtype(np.float16), np.dtype(np.float32)


def halve(graph: Graph) -> Graph:
    """The graph with large constants of float32, all of whose numbers float16 holds, as such."""
    op = builder()
    done: dict[Value, Value] = {}

    def half(v: Value | None) -> Value | None:
        if v is None or v.data is None or v.dtype != F32 or (v.type.size or 0) < _LEAST:
            return v
        if v not in done:
            done[v] = v
            array = v.numpy()
            with np.errstate(over="ignore"):
                small = array.astype(F16)
            if np.array_equal(small, array):
                done[v] = op.Cast(Value(Type(F16, v.shape), v.name, data=Tensor(small)), DstT=F32)
        return done[v]

    def rule(node: Node) -> Made:
        if node.bodies:
            node = node.with_(attrs={**node.attrs, **{k: halve(b) for k, b in node.bodies.items()}})
        ins = [half(v) for v in node.inputs]
        if all(a is b for a, b in zip(ins, node.inputs, strict=True)):
            return node.outputs
        return node.with_(inputs=ins).outputs
    return rebuild(graph, rule, bodies=False)
