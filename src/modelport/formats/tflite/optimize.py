"""Rewrites of the raw graph: what the rules, one operator at a time, can't see."""
from __future__ import annotations

from ...ir.graph import Graph
from . import fold_qdq, fuse


def optimize(graph: Graph) -> Graph:
    """The graph with fewer operators that compute the same: fused ones, integer kernels between quantized values."""
    for _ in range(3):
        before = graph
        graph = fold_qdq.rewrite.run(fuse.rewrite.run(graph))
        if graph is before:
            break
    return fold_qdq.finish.run(graph)
