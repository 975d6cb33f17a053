"""Products of matrices."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from .common import FLOATS, NUMERIC, At, from_onnx, held, permute, rank


def transposed(at: At, w: Value) -> Value:
    """A matrix the other way round; a constant is stored so."""
    return permute(at, w, [1, 0])


@from_onnx("MatMul")
def matmul(at: At, a: Value, b: Value) -> Any:
    """By a constant matrix: a linear layer."""
    held([a, b], NUMERIC)
    if b.data is not None and rank(b) == 2 and rank(a) >= 2 and b.dtype in FLOATS:
        return at.linear(a, transposed(at, b), type=at.out)
    return at.matmul(a, b, type=at.out)


@from_onnx("torch.Linear")
def linear(at: At, x: Value, w: Value, b: Value) -> Any:
    """A product with a constant matrix, and a vector added to it (:mod:`..lower`)."""
    held([x], FLOATS)
    return at.linear(x, transposed(at, w), b, type=at.out)


@from_onnx("Gemm")
def gemm(at: At, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Any:
    if alpha != 1 or (c is not None and beta != 1):
        raise Unsupported("factors")
    held([a, b], FLOATS)
    if transA:
        a = at("transpose.int", a, 0, 1, type=Type(a.dtype, (a.shape or (None, None))[::-1]))
    n = at.out.shape[1] if at.out.shape is not None else None
    if b.data is not None and (c is None or (c.data is not None and c.shape == (n,))):
        return at.linear(a, b if transB else transposed(at, b), c, type=at.out)
    if transB:
        b = transposed(at, b)
    y = at.matmul(a, b, type=at.out)
    return y if c is None else at("add.Tensor", y, c, type=at.out)


@from_onnx("Einsum")
def einsum(at: At, *values: Value, equation: str) -> Any:
    raise Unsupported("sums over letters")
