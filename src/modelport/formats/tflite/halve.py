"""Weights in half precision: half the file, dequantized once when the model is loaded."""
from __future__ import annotations

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.tensor import Tensor
from ...ir.types import Type
from .raw import builder

_LEAST = 256
"""Elements from which a constant is worth an operator."""
F16 = np.dtype(np.float16)


def halve(graph: Graph, lossless: bool = False) -> Graph:
    """The graph with large float32 constants stored as float16 behind a DEQUANTIZE, which runtimes compute once.

    A constant with a number that half precision cannot hold (beyond 65504) stays as it is; with ``lossless`` every
    constant that would be rounded."""
    op = builder()
    done: dict[Value, Value] = {}

    def half(v: Value | None) -> Value | None:
        if v is None or v.data is None or v.dtype != np.float32 or (v.type.size or 0) < _LEAST:
            return v
        if v not in done:
            done[v] = v
            array = v.numpy()
            with np.errstate(over="ignore"):
                small = array.astype(F16)
            if np.array_equal(small, array) if lossless else np.isfinite(small).all():
                data, type = v.data, Type(F16, v.shape)
                stored = Value(type, v.name, data=Tensor(lambda: data.numpy().astype(F16), type))
                done[v] = op.DEQUANTIZE(stored)
        return done[v]

    def rule(node: Node) -> Made:
        if node.bodies:
            node = node.with_(attrs={**node.attrs, **{k: halve(b, lossless) for k, b in node.bodies.items()}})
        ins = [half(v) for v in node.inputs]
        if all(a is b for a, b in zip(ins, node.inputs, strict=True)):
            return node.outputs
        return node.with_(inputs=ins).outputs
    return rebuild(graph, rule, bodies=False)
