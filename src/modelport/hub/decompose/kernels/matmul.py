"""Products of matrices in the ranks that the kernels take."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import is_float
from ..eager import eager, i64
from .table import rules


@rules("MatMul")
def matmul(op: Builder, a: Value, b: Value) -> Any:
    """Vectors as matrices, many leading axes as one."""
    if a.rank is None or b.rank is None:
        raise Unsupported("the rank of an input is not known")
    if a.rank == 1 or b.rank == 1:
        y = op.MatMul(op.Unsqueeze(a, i64(0)) if a.rank == 1 else a, op.Unsqueeze(b, i64(1)) if b.rank == 1 else b)
        gone = [k for k, v in ((-2, a), (-1, b)) if v.rank == 1]
        return op.Squeeze(y, i64(*gone))
    if not is_float(a.dtype):  # products, and their sums
        return op.ReduceSum(op.Mul(op.Unsqueeze(a, i64(a.rank)), op.Unsqueeze(b, i64(b.rank - 2))), i64(-2), keepdims=0)
    quick = eager(op)
    if max(a.rank, b.rank) <= 2 or (b.data is not None and b.rank == 2 and a.rank <= 5):
        raise Unsupported(f"element type {a.dtype}")
    last = quick.Shape(b, start=b.rank - 1)
    if b.rank == 2:
        flat = op.Reshape(a, quick.Concat(i64(-1), quick.Shape(a, start=a.rank - 1), axis=0))
        return op.Reshape(op.MatMul(flat, b), quick.Concat(quick.Shape(a, end=a.rank - 1), last, axis=0))
    ahead = [v.shape[:-2] if v.shape else () for v in (a, b)]
    if ahead[0] != ahead[1] and "Expand" not in (a.op, b.op):  # each in the batch of both
        one = i64(1, 1)
        wide = [op.Expand(v, quick.Concat(quick.Shape(u, end=-2), one, axis=0)) for v, u in ((a, b), (b, a))]
        return op.MatMul(*wide)
    if max(a.rank, b.rank) <= 5 or ahead[0] != ahead[1] or any(d is None for d in ahead[0]):
        raise Unsupported(f"{max(a.rank, b.rank)} axes that are broadcast")
    x, y = (op.Reshape(v, quick.Concat(i64(-1), quick.Shape(v, start=a.rank - 2), axis=0)) for v in (a, b))
    return op.Reshape(op.MatMul(x, y), quick.Concat(quick.Shape(a, end=a.rank - 1), last, axis=0))
