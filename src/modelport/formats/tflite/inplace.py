"""Copies where LiteRT would overwrite a value that is still read.

LiteRT lets an operator write its result over an input that nothing else reads, and gives the output of RESHAPE and its
like the memory of their input.  It looks at the readers of the input and of the first value in that memory, not of
those between (IdentifyInPlaceTensors in arena_planner.cc): with ``t = DIV(a, s)`` in the memory of ``s``, ``r =
RESHAPE(t)`` and ``y = MUL(x, r)``, the product is written over ``t`` although ``t`` has other readers."""
from __future__ import annotations

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, constant, rebuild
from .raw import builder

ALIASES = frozenset("RESHAPE EXPAND_DIMS SQUEEZE BROADCAST_TO BITCAST".split())
"""Operators whose output may lie in the memory of their input."""
APART = frozenset(
    "CONV_2D DEPTHWISE_CONV_2D CONV_3D TRANSPOSE_CONV CONV_3D_TRANSPOSE FULLY_CONNECTED BATCH_MATMUL TRANSPOSE GATHER "
    "GATHER_ND CONCATENATION PACK UNPACK SPLIT SPLIT_V SLICE STRIDED_SLICE PAD PADV2 MIRROR_PAD TILE MEAN SUM "
    "REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ANY REDUCE_ALL ARG_MAX ARG_MIN MAX_POOL_2D AVERAGE_POOL_2D L2_POOL_2D "
    "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR DEPTH_TO_SPACE SPACE_TO_DEPTH SHAPE RANGE FILL TOPK_V2 CUMSUM ONE_HOT "
    "SELECT SELECT_V2 EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL QUANTIZE DEQUANTIZE SOFTMAX".split())
"""Operators that write their results elsewhere."""


def guarded(graph: Graph) -> Graph:
    """The graph in which no RESHAPE hands a value that others read to an operator that may overwrite it."""
    readers: dict[Value, list[Node]] = {}
    for reader in graph.nodes:
        for v in dict.fromkeys(v for v in reader.inputs if v is not None):
            readers.setdefault(v, []).append(reader)
    made = builder()
    olds = iter(graph.nodes)

    def overwritten(v: Value) -> bool:
        """Whether a reader of ``v``, or of what has its memory, may write there."""
        return any(overwritten(n.outputs[0]) if n.op in ALIASES else n.op not in APART for n in readers.get(v, ()))

    def rule(node: Node) -> Made:
        old = next(olds)
        source = old.inputs[0] if old.inputs else None
        if node.bodies:
            bodies = {k: guarded(b) for k, b in node.bodies.items()}
            same = all(node.attrs[k] is b for k, b in bodies.items())
            return None if same else node.with_(attrs={**node.attrs, **bodies}).outputs
        if node.op not in ALIASES or source is None or source.node is None or source.node.op in APART:
            return None
        if graph.uses[source] < 2 or not overwritten(old.outputs[0]):
            return None
        x = node.inputs[0]
        if x is None or x.rank is None or not 0 < x.rank <= 5 or x.dtype.kind not in "fiub":
            return None
        n = x.rank
        copy = made.at(node).SLICE(x, constant(np.zeros(n, np.int32)), constant(np.full(n, -1, np.int32)), type=x.type)
        return node.with_(inputs=[copy, *node.inputs[1:]]).outputs
    return rebuild(graph, rule, bodies=False)
