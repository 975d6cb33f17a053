"""Integers of 8 and 16 bits in 32: computed there, and cast back, which wraps around."""
from __future__ import annotations

import numpy as np

from ...hub.infer import builder
from ...ir.graph import Graph, Made, Node, rebuild
from ...ir.types import NUMBER

NARROW = frozenset({"int8", "uint8", "int16", "uint16"})
_LEAVES = frozenset("Abs Add BitShift BitwiseNot CumProd CumSum Div Gemm MatMul Mul Neg Pow ReduceProd ReduceSum Sub "
                    "Sum".split())
"""Operators whose result may not fit the integers that go in; all others deliver what they were given."""
_I32 = NUMBER[np.dtype(np.int32)]


def widened(graph: Graph) -> Graph:
    """The graph in which every such operator works on 32 bits."""
    op = builder()

    def rule(node: Node) -> Made:
        out = node.outputs[0]
        if node.op not in _LEAVES or out.dtype.name not in NARROW:
            return None
        at = op.at(node)
        ins = [v if v is None or v.dtype != out.dtype else at.Cast(v, to=_I32) for v in node.inputs]
        return at.Cast(at.add(node.op, *ins, **node.attrs), to=NUMBER[out.dtype])
    return rebuild(graph, rule)
