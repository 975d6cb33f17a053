"""Unsigned activations made signed, where the weights are: TensorFlow Lite has 8-bit kernels of one kind or the other.

ONNX Runtime quantizes activations to uint8 and weights to int8 by default; a shift of the zero point by 128 is the same
real number."""
from __future__ import annotations

import numpy as np

from ...hub import infer
from ...hub.opset import NHWC
from ...ir.graph import Graph, Made, Node, Value, constant, rebuild
from .carriers import MOVES, parameters, quantizations

U8, I8 = np.dtype(np.uint8), np.dtype(np.int8)


def signed(graph: Graph) -> Graph:
    """The graph with int8 in place of uint8 from QuantizeLinear to DequantizeLinear, if it has int8 weights."""
    if not any(_weight(n) for n in graph.nodes):
        return graph
    chosen = _shiftable(graph)
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)
        op = infer.op.at(node)
        if old.op == "QuantizeLinear" and old.outputs[0] in chosen:
            made: Value = op.QuantizeLinear(node.inputs[0], node.inputs[1], _shifted(old))
            return made
        if old.op == "DequantizeLinear" and old.inputs[0] in chosen:
            real: Value = op.DequantizeLinear(node.inputs[0], node.inputs[1], _shifted(old))
            return real
        if any(o in chosen for o in old.outputs):
            outs: tuple[Value, ...] = op.add(node.op, *node.inputs, outputs=len(node.outputs), **node.attrs)
            return outs
        return None
    return rebuild(graph, rule, keep_types=False) if chosen else graph


def _shiftable(graph: Graph) -> set[Value]:
    """The computed uint8 values that are quantized numbers to everything that makes or reads them."""
    chosen = {v for v in quantizations(graph) if v.dtype == U8 and v.node is not None} - set(graph.outputs.values())
    users: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for v in node.inputs:
            if v is not None:
                users.setdefault(v, []).append(node)

    def moves(node: Node) -> bool:
        """Whether a node that moves elements has them shifted on both sides."""
        ends = [v for v in (*node.inputs, *node.outputs) if v is not None and v.dtype == U8]
        return node.op.removeprefix(NHWC) in MOVES and node.op != "Pad" and all(v in chosen for v in ends)

    def fits(v: Value) -> bool:
        return v.node is not None and (v.op == "QuantizeLinear" or moves(v.node)) and all(
            n.op == "DequantizeLinear" or moves(n) for n in users.get(v, ()))
    while left := {v for v in chosen if not fits(v)}:
        chosen -= left
    return chosen


def _weight(node: Node) -> bool:
    q = node.inputs[0] if node.op == "DequantizeLinear" else None
    return q is not None and q.data is not None and q.dtype == I8 and (q.rank or 0) > 1


def _shifted(node: Node) -> Value:
    """The zero point of a QuantizeLinear or DequantizeLinear of uint8, for int8."""
    quant = parameters(node)
    assert quant is not None
    return constant(np.asarray(int(quant.zero_point) - 128, I8))
