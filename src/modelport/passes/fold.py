"""What is known before run time becomes a constant, where that does not make the file much larger."""
from __future__ import annotations

import numpy as np

from ..codecs.limits import DEFAULT, Limits
from ..hub import shapes
from ..hub.evaluate import evaluate
from ..ir.graph import Graph, Made, Node, Value, constant, rebuild
from ..ir.types import BITS, STRING

_GROWTH = 4096  # bytes that folding one node may add to the file
_KEPT = frozenset({"DequantizeLinear", "QuantizeLinear"})  # quantized constants stay quantized


def fold(graph: Graph, limits: Limits = DEFAULT) -> Graph:
    """The graph with every node whose value is known replaced by a constant.

    Left alone: quantized constants, random operators, and what would grow the file by more than a few KB
    (an expanded mask, float16 weights cast to float32)."""
    def rule(node: Node) -> Made:
        known = [_computed(out) for out in node.outputs]
        if known and all(k is not None for k in known):
            return tuple(constant(k) for k in known)
        if node.outputs and all(out.type.size == 0 and out.dtype != STRING for out in node.outputs):  # kernels crash
            return tuple(constant(np.zeros([d for d in out.shape or () if isinstance(d, int)], out.dtype))
                         for out in node.outputs)
        if node.op in _KEPT or (not node.inputs and node.op != "Range") \
                or any(v is not None and v.data is None for v in node.inputs):
            return None
        out = node.outputs[0].type
        before = sum(v.data.nbytes for v in set(node.inputs) if v is not None and v.data is not None)
        size = out.size
        if size is not None and out.dtype != STRING:
            after = size * out.dtype.itemsize * BITS.get(out.dtype, 8 * out.dtype.itemsize) // (8 * out.dtype.itemsize)
            if (after > limits.fold_bytes and node.op not in _MOVES) or after > before + _GROWTH:
                return None
        made = evaluate(node)
        if made is None or (sum(m.nbytes for m in made) > before + _GROWTH and size is None):
            return None
        return tuple(constant(m) for m in made)

    return rebuild(graph, rule)


_MOVES = frozenset("Transpose Reshape Squeeze Unsqueeze Identity Slice Flatten".split())  # views: nothing is computed


def _computed(value: Value) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None:
    """The elements of a node's output that shape arithmetic knows."""
    if value.elements is None or value.dtype.kind not in "iub":
        return None
    return shapes.known(value)
