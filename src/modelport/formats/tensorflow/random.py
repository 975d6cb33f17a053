"""Random numbers whose value does not matter: dropout that keeps everything.

A graph exported with its dropout still computes ``floor(keep_prob + u)`` or ``u >= rate`` of uniform numbers ``u``;
where the probability is a constant 1 (the rate 0), that is the same for every ``u``."""
from __future__ import annotations

import math

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, constant, rebuild

Interval = tuple[float, float]
"""From the first number (included) to the second (excluded)."""


def settled(raw: Graph) -> Graph:
    """The graph with what does not depend on its random numbers as constants."""
    if not any(n.op == "RandomUniform" for n in raw.walk()):
        return raw

    def rule(node: Node) -> Made:
        if node.op == "Floor":
            found = _range(node.inputs[0])
            if found is not None and math.floor(found[0][0]) == math.ceil(found[0][1]) - 1:
                return _filled(node, found[1], math.floor(found[0][0]))
        if node.op == "GreaterEqual":
            found, limit = _range(node.inputs[0]), node.inputs[1]
            if found is not None and limit is not None and limit.data is not None and limit.type.size == 1 \
                    and float(limit.numpy().reshape(())) <= found[0][0]:
                return _filled(node, found[1], True)
        return None
    return rebuild(raw, rule)


def _filled(node: Node, shape: Value, value: float) -> Made:
    out = node.outputs[0]
    return Node("Fill", [shape, constant(np.asarray(value, out.dtype))], {}, [out.type], [out.name], node.name,
                node.origin).outputs


def _range(v: Value | None) -> tuple[Interval, Value] | None:
    """The range of a value made of uniform numbers, and the shape of those."""
    if v is None or v.node is None:
        return None
    node = v.node
    if node.op == "RandomUniform" and node.inputs[0] is not None:
        return (0.0, 1.0), node.inputs[0]
    if node.op in ("Mul", "Add", "AddV2") and len(node.inputs) == 2:
        for a, b in (node.inputs, node.inputs[::-1]):
            found = _range(a)
            if found is not None and b is not None and b.data is not None and b.type.size == 1:
                (low, high), shape = found
                by = float(b.numpy().reshape(()))
                if node.op == "Mul":
                    return ((low * by, high * by), shape) if by > 0 else None
                return (low + by, high + by), shape
    return None
