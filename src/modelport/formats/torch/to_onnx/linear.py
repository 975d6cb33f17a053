"""Products of matrices.  Source: aten/src/ATen/native/Linear.cpp, LinearAlgebra.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import transposed
from ..machine import aten
from ..values import known, rank
from .math import number, scaled


@aten("linear")
def linear(op: Builder, input: Value, weight: Value, bias: Value | None = None) -> Any:
    """Weights (outputs, inputs)."""
    if rank(weight) == 1:
        y = op.MatMul(input, weight)
        return y if bias is None else op.Add(y, bias)
    if rank(input) == 2:
        return op.Gemm(input, weight, transB=1) if bias is None else op.Gemm(input, weight, bias, transB=1)
    y = op.MatMul(input, transposed(op, weight, [1, 0]))
    return y if bias is None else op.Add(y, bias)


@aten("matmul", "mm", "bmm", "mv", "dot", "linalg_matmul", "__matmul__")
def matmul(op: Builder, self: Value, other: Value) -> Any:
    return op.MatMul(self, other)


def _plus(op: Builder, self: Value, product: Value, beta: Any, alpha: Any) -> Any:
    product = scaled(op, product, alpha)
    if known(beta) == 0:
        return product
    return op.Add(scaled(op, self, beta), product)


@aten("addmm")
def addmm(op: Builder, self: Value, mat1: Value, mat2: Value, beta: Any = 1, alpha: Any = 1) -> Any:
    if isinstance(known(beta), (int, float)) and isinstance(known(alpha), (int, float)) and mat1.dtype.kind == "f":
        return op.Gemm(mat1, mat2, self, alpha=float(known(alpha)), beta=float(known(beta)))
    return _plus(op, self, op.MatMul(mat1, mat2), beta, alpha)


@aten("baddbmm")
def baddbmm(op: Builder, self: Value, batch1: Value, batch2: Value, beta: Any = 1, alpha: Any = 1) -> Any:
    return _plus(op, self, op.MatMul(batch1, batch2), beta, alpha)


@aten("addmv")
def addmv(op: Builder, self: Value, mat: Value, vec: Value, beta: Any = 1, alpha: Any = 1) -> Any:
    return _plus(op, self, op.MatMul(mat, vec), beta, alpha)


@aten("addbmm")
def addbmm(op: Builder, self: Value, batch1: Value, batch2: Value, beta: Any = 1, alpha: Any = 1) -> Any:
    total = op.ReduceSum(op.MatMul(batch1, batch2), np.array([0]), keepdims=0)
    return _plus(op, self, total, beta, alpha)


@aten("outer", "ger")
def outer(op: Builder, self: Value, vec2: Value) -> Any:
    return op.Mul(op.Unsqueeze(self, np.array([1])), op.Unsqueeze(vec2, np.array([0])))


@aten("einsum")
def einsum(op: Builder, equation: str, tensors: list[Value], path: Any = None) -> Any:
    if not isinstance(equation, str):
        raise Unsupported("einsum without an equation")
    return op.Einsum(*tensors, equation=equation.replace(" ", ""))


@aten("bilinear")
def bilinear(op: Builder, input1: Value, input2: Value, weight: Value, bias: Value | None = None) -> Any:
    """sum over i, j of x1[i] w[o, i, j] x2[j]."""
    y = op.Einsum(input1, weight, input2, equation="...i,oij,...j->...o")
    return y if bias is None else op.Add(y, bias)


@aten("tensordot")
def tensordot(op: Builder, self: Value, other: Value, dims_self: list[int], dims_other: list[int]) -> Any:
    a, b = rank(self), rank(other)
    letters = "abcdefghijklmnopqrstuvwxyz"
    left = list(letters[:a])
    right = list(letters[a:a + b])
    for i, j in zip(dims_self, dims_other, strict=True):
        right[j % b] = left[i % a]
    gone = {left[i % a] for i in dims_self}
    out = [c for c in left if c not in gone] + [c for c in right if c not in gone]
    return op.Einsum(self, other, equation=f"{''.join(left)},{''.join(right)}->{''.join(out)}")


@aten("cosine_similarity")
def cosine_similarity(op: Builder, x1: Value, x2: Value, dim: int = 1, eps: float = 1e-8) -> Any:
    """Of the vectors each divided by its own length, which is eps at least."""
    axes = np.array([dim])

    def unit(x: Value) -> Value:
        length = op.ReduceL2(x, axes, keepdims=1)
        made: Value = op.Div(x, op.Max(length, number(x, eps)))
        return made
    return op.ReduceSum(op.Mul(unit(x1), unit(x2)), axes, keepdims=0)


@aten("linalg_norm", "norm", "linalg_vector_norm", "norm.ScalarOpt_dim", "norm.ScalarOpt_dim_dtype", "norm.Scalar")
def vector_norm(op: Builder, self: Value, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None,
                p: Any = None) -> Any:
    """The norm of vectors: all elements of ``dim``, or of the tensor."""
    p = ord if p is None else p
    p = 2 if p is None else known(p)
    axes = None if dim is None or (isinstance(dim, list) and not dim) else np.array(
        dim if isinstance(dim, list) else [dim])
    if isinstance(p, str):
        raise Unsupported(f"the norm '{p}'")
    how = {"keepdims": int(keepdim)}
    if p == 2:
        return op.ReduceL2(self, axes, **how)
    if p == 1:
        return op.ReduceL1(self, axes, **how)
    if p == float("inf"):
        return op.ReduceMax(op.Abs(self), axes, **how)
    if p == -float("inf"):
        return op.ReduceMin(op.Abs(self), axes, **how)
    if p == 0:
        there = op.Where(op.Equal(self, number(self, 0)), number(self, 0), number(self, 1))
        return op.ReduceSum(there, axes, **how)
    powered = op.ReduceSum(op.Pow(op.Abs(self), number(self, p)), axes, **how)
    return op.Pow(powered, number(self, 1 / p))
