"""What kernels of a .tflite file do that no operator of the hub says, as texts in ``Graph.meta``.

==========================  ==================================================================================
``tflite:hybrid``           constants of 8 bits that kernels of real activations read as they are, each with the
                            ``asymmetric_quantize_inputs`` of its kernels, which round the activations to 8 bits
``tflite:nonnegative``      the values that kernels read as indices (:mod:`modelport.hub.promises`)
==========================  ==================================================================================

An .onnx file keeps them, so that the way back finds the same kernels."""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...hub import ranges
from ...hub.promises import NONNEGATIVE, integers, once, said
from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.rules import Builder

HYBRID = "tflite:hybrid"
_WEIGHTED: Mapping[str, tuple[int | None, ...]] = {
    "CONV_2D": (None, 0), "DEPTHWISE_CONV_2D": (3,), "FULLY_CONNECTED": (None, 0), "BATCH_MATMUL": (None,)}
"""Operators with hybrid kernels, and the axes along which their weights, the second input, may have scales."""
_ASYMMETRIC = frozenset({"FULLY_CONNECTED", "BATCH_MATMUL"})
_INDICES = {"GATHER": 1, "GATHER_ND": 1, "EMBEDDING_LOOKUP": 0, "SCATTER_ND": 0}
_F32, _I8 = np.dtype(np.float32), np.dtype(np.int8)


def of(raw: Graph) -> dict[str, str]:
    """What there is to say about a graph that was read from a .tflite file."""
    indices = {v for n in raw.nodes for k, v in enumerate(n.inputs) if _INDICES.get(n.op) == k}
    nonnegative = [name for name, v in integers(raw).items() if v in indices]
    reads: dict[Value, set[Any]] = {}  # how each constant is read: None, or the rounding of a hybrid kernel
    for n in raw.walk():
        rounds = n.op in _WEIGHTED and n.inputs[0] is not None and n.inputs[0].dtype == _F32
        for k, v in enumerate(n.inputs):
            if v is not None and v.data is not None:
                rounded = rounds and k == 1 and v.dtype == _I8 and v.type.quant is not None
                reads.setdefault(v, set()).add(n.attrs.get("asymmetric_quantize_inputs", False) if rounded else None)
    weights = {name: next(iter(reads[v])) for name, v in once((v.name, v) for v in raw.constants).items()
               if reads.get(v) in ({True}, {False})}
    return {key: json.dumps(names) for key, names in ((HYBRID, weights), (NONNEGATIVE, nonnegative)) if names}


def bound(v: Value) -> None:
    """States that the elements of an index are not negative."""
    low, high = ranges.of(v)
    ranges.state(v, (max(low, 0), max(high, 0)))


def hybrid(hub: Graph) -> dict[str, bool]:
    """The constants of the hub graph that the source's kernels read as they are, by name."""
    names, there = said(hub.meta, HYBRID), once((v.name, v) for v in hub.constants)
    return {k: a for k, a in names.items() if k in there and isinstance(a, bool)} if isinstance(names, dict) else {}


def kernels(graph: Graph, weights: Mapping[str, bool], op: Builder) -> Graph:
    """The raw graph in which the kernels read these weights as they are again."""
    def rule(node: Node) -> Made:
        w = node.inputs[1].node if node.op in _WEIGHTED and node.inputs[1] is not None else None
        q = w.inputs[0] if w is not None and w.op == "DEQUANTIZE" else None
        if q is None or q.data is None or q.name not in weights or q.dtype != _I8:
            return None
        x, quant = node.inputs[0], q.type.quant
        if x is None or x.dtype != _F32 or node.outputs[0].dtype != _F32 or quant is None \
                or np.any(quant.zero_point) or quant.axis not in _WEIGHTED[node.op]:
            return None
        op.at(node).note("approximated", "integer weights with real activations: the kernel rounds the activations "
                                         "to 8 bits, as it did in the TensorFlow Lite file that the model comes from")
        attrs = {"asymmetric_quantize_inputs": weights[q.name]} if node.op in _ASYMMETRIC else {}
        return node.with_(inputs=[x, q, *node.inputs[2:]], attrs={**node.attrs, **attrs}).outputs
    return rebuild(graph, rule) if weights else graph
