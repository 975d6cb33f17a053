"""Which bar each output must reach: what the source and the target compute in, read from their graphs."""
from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from ..hub.opset import split
from ..ir.graph import Graph, Node, Value
from ..ir.types import BITS, is_float
from .compare import BARS, EXACT, UNIT, Bar

ORDER = list(BARS)
"""Precisions from the finest to the coarsest."""
_INTEGER_ARITHMETIC = {"QuantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv",
                       "QLinearMatMul"}
_MOVES = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Flatten", "Slice", "Split", "Concat", "MaxPool",
          "Gather", "DepthToSpace", "SpaceToDepth", "Expand", "Tile"}
_AVERAGES = {"ReduceMean", "ReduceMax", "ReduceMin", "Max", "Min", "GlobalAveragePool", "GlobalMaxPool", "AveragePool"}


def live(graph: Graph) -> list[Node]:
    """The nodes that depend on an input; the others are constants still to be folded."""
    depends: set[Value] = set(graph.inputs.values())
    out = []
    for node in graph.nodes:
        if any(v in depends for v in node.inputs if v is not None):
            depends.update(node.outputs)
            out.append(node)
    return out


@lru_cache(maxsize=8)
def precision(graph: Graph) -> str:
    """The coarsest arithmetic in the graph: a key of :data:`BARS`."""
    found = "float64"
    moving = live(graph)
    depends = {o for n in moving for o in n.outputs} | set(graph.inputs.values())
    for node in moving:
        for o in node.outputs:
            if is_float(o.dtype) and o.dtype != np.float64:
                name = o.dtype.name if o.dtype.name in BARS else "float32" if o.dtype.itemsize > 1 else "int8"
                found = coarser(found, name)
        if split(node.op)[1] in _INTEGER_ARITHMETIC:
            found = coarser(found, "int8")
        if any(v is not None and v not in depends and weights(v) for v in node.inputs):
            found = coarser(found, "float32")
    return found


def weights(value: Value) -> str:
    """How a weight is stored: ``int8 weights``, ``int4 weights`` for a dequantized constant, else empty."""
    node = value.node
    if node is None or split(node.op)[1] != "DequantizeLinear" or node.inputs[0] is None:
        return ""
    return "int4 weights" if node.inputs[0].dtype in BITS else "int8 weights"


def stored(graph: Graph) -> set[str]:
    """The ways in which the graph stores dequantized weights, and ``float16`` for weights in half precision."""
    out = set()
    for node in graph.nodes:
        for v in node.inputs:
            if v is None:
                continue
            if v.node is not None and (how := weights(v)) and v.node.inputs[0] is not None \
                    and v.node.inputs[0].data is not None:
                out.add(how)
            if v.data is not None and v.dtype.name in ("float16", "bfloat16"):
                out.add(v.dtype.name)
    return out


def coarser(a: str, b: str) -> str:
    return max(a, b, key=ORDER.index)


def bar_for(name: str, source: Graph, target: Graph | None, asked: str | None = None) -> tuple[Bar, bool]:
    """The bar of a source output, and whether the target was made in a lower precision than the source.

    ``asked`` is the precision that the conversion was asked to lower to, if any."""
    value = source.outputs[name]
    if not is_float(value.dtype) and value.dtype.kind != "c":
        return (Bar("quantized", quantum=1.0), False) if step(value) is not None else (EXACT, False)
    mine = precision(source)
    other = mine if target is None else precision(target)
    lowered = False
    if target is not None:
        new = stored(target) - stored(source)
        for how in new:
            if mine in ("float64", "float32"):
                other, lowered = coarser(other, how), True
    if asked is not None:
        other, lowered = coarser(other, asked), asked != mine
    lowered = lowered or ORDER.index(other) > max(ORDER.index(mine), ORDER.index("float32"))
    if not lowered and mine == "int8":
        quantum = step(value)
        if quantum is not None:
            return Bar("quantized", quantum=quantum), False
    if mine == "float64" and other == "float64" and value.dtype != np.float64:
        mine = "float32"
    bar = BARS[coarser(mine, other)]
    return (replace(bar, floor=UNIT) if bar.name == "float32" and bounded(value) else bar), lowered


def bounded(value: Value) -> bool:
    """Whether a value is that of a function onto [0, 1] or [-1, 1], moved, averaged or chosen perhaps.

    Each of these is off by no more than the worst of what it is made of; branches count where all of them do."""
    Around = dict[Value, tuple[Value | None, Any]]  # what the inputs of a body are in the graph around it
    top: Around = {}
    inside: dict[tuple[Node, int], list[tuple[Graph, Around]]] = {}
    todo: list[tuple[Value | None, Around]] = [(value, top)]
    seen: set[tuple[Value | None, int]] = set()
    for v, around in todo:
        if (v, id(around)) in seen:
            continue
        seen.add((v, id(around)))
        node = None if v is None else v.node
        if v is not None and v in around:
            todo.append(around[v])
        elif v is None or node is None:
            return False
        elif node.op == "If":
            key = (node, id(around))
            if key not in inside:
                inside[key] = [(b, {i: (u, around) for i, u in zip(b.inputs.values(), node.inputs[1:], strict=True)})
                               for b in node.bodies.values()]
            k = node.outputs.index(v)
            todo += [(list(b.outputs.values())[k], inner) for b, inner in inside[key]]
        elif node.op in _MOVES or node.op in _AVERAGES:
            todo += [(u, around) for u in (node.inputs if node.op in ("Concat", "Max", "Min") else node.inputs[:1])]
        elif node.op not in ("Sigmoid", "Tanh"):
            return False
    return True


def step(value: Value) -> float | None:
    """One step of a quantized output: 1 for its integers, the scale for what was dequantized; ``None`` for others."""
    todo, seen, steps = [value], {value}, []
    for v in todo:
        node = v.node
        if node is None:
            return None
        name = split(node.op.removeprefix("nhwc."))[1]
        if name in ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"):
            steps.append(1.0)
        elif name == "DequantizeLinear":
            scale = node.inputs[1]
            if scale is None or scale.data is None:
                return None
            steps.append(float(np.max(np.abs(scale.numpy().astype(np.float64)))))
        elif name in _MOVES or (name == "Cast" and not is_float(v.dtype)):
            for u in node.inputs if name == "Concat" else node.inputs[:1]:
                if u is not None and u not in seen:
                    seen.add(u)
                    todo.append(u)
        else:
            return None
    return max(steps) if steps else None
