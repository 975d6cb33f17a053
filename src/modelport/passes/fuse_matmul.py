"""Matrix products with a bias become Gemm; factors of Gemm go into its constants."""
from __future__ import annotations

import numpy as np

from ..hub import infer
from ..ir.graph import Graph, Made, Value, constant
from ..ir.rewrite import Rewrites, Site

rewrite = Rewrites(infer.site)


def fuse_matmul(graph: Graph) -> Graph:
    """MatMul and Add of a bias as one Gemm, for matrices; equal up to the order of one addition."""
    return rewrite.run(graph)


@rewrite("Add")
def bias(op: Site, a: Value, b: Value) -> Made:
    for y, c in ((a, b), (b, a)):
        n = y.node
        if n is None or not op.once(y) or c.data is None or c.rank not in (0, 1) or c.dtype != y.dtype \
                or y.dtype.kind != "f":
            continue
        if y.rank != 2 or y.shape is None or c.type.size not in (1, y.shape[1]):
            continue
        if n.op == "MatMul" and all(v is not None and v.rank == 2 for v in n.inputs):
            return op.Gemm(*n.inputs, c)
        if n.op == "Gemm" and len(n.inputs) == 2:
            return op.Gemm(*n.inputs, c, **{k: v for k, v in n.attrs.items() if k != "beta"})
    return None


@rewrite("Gemm")
def plain(op: Site, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
          transA: int = 0, transB: int = 0) -> Made:
    """``alpha`` and ``beta`` of constants are multiplied in; a transposed operand is a flag."""
    if alpha != 1 and b.data is not None and b.dtype.kind == "f":
        b, alpha, changed = constant((b.numpy() * np.float64(alpha)).astype(b.dtype), name=b.name), 1.0, True
    else:
        changed = False
    if beta != 1 and c is not None and c.data is not None and c.dtype.kind == "f":
        c, beta, changed = constant((c.numpy() * np.float64(beta)).astype(c.dtype), name=c.name), 1.0, True
    if b.node is not None and b.op == "Transpose" and b.rank == 2 and b.node.inputs[0] is not None \
            and b.node.attrs.get("perm", (1, 0)) == (1, 0):
        b, transB, changed = b.node.inputs[0], 1 - transB, True
    return op.Gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB) if changed else None
