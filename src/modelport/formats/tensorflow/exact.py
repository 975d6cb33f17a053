"""Divisions by constants that have to be divisions.

TensorFlow's optimizer (grappler, constant_folding.cc, ReduceDivToReciprocalMul) multiplies by the reciprocal of a
constant instead, which rounds twice.  Where the quotient is rounded to an integer then, it may end one step aside.  A
division that gives zero for a divisor of zero is left alone."""
from __future__ import annotations

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.tensor import Array
from ...ir.types import is_float
from .raw import builder

_STEPS = frozenset("Round Floor Ceil FloorMod TruncateMod Cast".split())
_THROUGH = frozenset("AddV2 Sub Mul Neg Maximum Minimum Relu Relu6 SelectV2 Reshape Transpose ConcatV2 Pad ExpandDims "
                     "Squeeze StridedSlice Slice BroadcastTo Tile GatherV2".split())
_DEEP = 8


def exact(graph: Graph) -> Graph:
    """The graph in which what is rounded to integers is divided, not multiplied."""
    found: set[Node] = set()
    for node in graph.nodes:
        if node.op in _STEPS and (node.op != "Cast" or (node.outputs[0].dtype.kind in "iu" and _real(node.inputs[0]))):
            for v in node.inputs:
                _collect(v, found, _DEEP)
    if not found and not any(n.bodies for n in graph.nodes):
        return graph
    op = builder()
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)
        if node.bodies:
            return node.with_(attrs={**node.attrs, **{k: exact(b) for k, b in node.bodies.items()}}).outputs
        if old not in found:
            return None
        made: Value = op.at(node).add("DivNoNan", *node.inputs, type=node.outputs[0].type)
        return made
    return rebuild(graph, rule, bodies=False)


def _real(v: Value | None) -> bool:
    return v is not None and is_float(v.dtype)


def _collect(v: Value | None, found: set[Node], deep: int) -> None:
    """The divisions by constants that ``v`` is computed from by steps that keep its last bit."""
    node = None if v is None else v.node
    if node is None or not deep or not _real(v):
        return
    if node.op == "RealDiv":
        by = node.inputs[1]
        if by is not None and by.data is not None and by.numpy().all() and not _powers(by.numpy()):
            found.add(node)
        _collect(node.inputs[0], found, deep - 1)
    elif node.op in _THROUGH:
        for u in node.inputs:
            _collect(u, found, deep - 1)


def _powers(array: Array) -> bool:
    """Whether all are powers of two, whose reciprocals are exact."""
    return bool((np.abs(np.frexp(array.astype(np.float64))[0]) == 0.5).all())
