"""Products of matrices."""
from __future__ import annotations

from math import prod
from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from ...reading import transposed
from ..raw import Calls
from .common import expanded, from_onnx, only, permuted, sizes, viewed


@from_onnx("MatMul")
def matmul(op: Calls, a: Value, b: Value) -> Any:
    only(a, "f", "MatMul")
    x, y = sizes(a), sizes(b)
    if not x or not y:
        raise Unsupported("MatMul of numbers")
    out = [d for d in op.out.shape or () if isinstance(d, int)]
    if len(x) == 1:
        a, x = viewed(op, a, [1, *x]), [1, *x]
    if len(y) == 1:
        b, y = viewed(op, b, [*y, 1]), [*y, 1]
    if b.data is not None and len(y) == 2:  # weights (outputs, inputs)
        made = op.call("linear.out", a, transposed(op, b, [1, 0]), None, type=Type(a.dtype, (*x[:-1], y[1])))
        return viewed(op, made, out)
    if len(x) == len(y) == 2:
        return viewed(op, op.call("mm.out", a, b, type=Type(a.dtype, (x[0], y[1]))), out)
    batch: list[int] = []
    for k in range(max(len(x), len(y)) - 2, 0, -1):
        p, q = (s[-2 - k] if len(s) - 2 >= k else 1 for s in (x, y))
        batch.append(max(p, q) if 0 not in (p, q) else 0)
    a = viewed(op, expanded(op, a, [*batch, *x[-2:]]), [prod(batch), *x[-2:]])
    b = viewed(op, expanded(op, b, [*batch, *y[-2:]]), [prod(batch), *y[-2:]])
    made = op.call("bmm.out", a, b, type=Type(a.dtype, (prod(batch), x[-2], y[-1])))
    return viewed(op, made, out)


@from_onnx("Gemm")
def gemm(op: Calls, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Any:
    only(a, "f", "Gemm")
    if transA:
        a = permuted(op, a, [1, 0])
    plain = alpha == 1 and (c is None or beta == 1)
    if plain and b.data is not None and (c is None or sizes(c) == [(op.out.shape or ())[-1]]):
        return op.call("linear.out", a, b if transB else transposed(op, b, [1, 0]), c)
    b = (transposed(op, b, [1, 0]) if b.data is not None else permuted(op, b, [1, 0])) if transB else b
    if c is None:
        if alpha != 1:
            raise Unsupported("Gemm with a factor")
        return op.call("mm.out", a, b)
    return op.call("addmm.out", expanded(op, c, [d for d in op.out.shape or () if isinstance(d, int)]), a, b,
                   float(beta), float(alpha))
