"""Products of matrices.  Source: aten/src/ATen/native/Linear.cpp, LinearAlgebra.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ... import linalg
from ...reading import cast, transposed
from ..elements import of_any
from ..machine import aten
from ..values import I64, known, rank, size, tensor, whole
from .math import number, scaled
from .shape import m_t


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


@aten("matmul", "mm", "bmm", "mv", "dot", "vdot", "linalg_matmul", "__matmul__")
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


@aten("linalg_norm", "linalg_norm.ord_str")
def linalg_norm(op: Builder, self: Value, ord: Any = None, dim: Any = None, keepdim: bool = False,
                dtype: Any = None) -> Any:
    """Of vectors, or of matrices where there are two axes and the norm is said."""
    two = len(dim) == 2 if isinstance(dim, list) else dim is None and rank(self) == 2
    if ord is not None and two:
        return matrix_norm(op, self, ord, dim or [0, 1], keepdim, dtype)
    return vector_norm(op, self, 2 if ord is None else ord, dim, keepdim, dtype)


@aten("linalg_matrix_norm", "linalg_matrix_norm.str_ord")
def matrix_norm(op: Builder, self: Value, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False,
                dtype: Any = None) -> Any:
    """Frobenius, and the greatest (least) sum along an axis."""
    if ord == "fro":
        return vector_norm(op, self, 2, list(dim), keepdim, dtype)
    if isinstance(ord, str) or abs(ord) not in (1, float("inf")):
        raise Unsupported(f"the norm {ord} of matrices")
    rows, columns = (d % rank(self) for d in dim)
    summed, other = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(op, self, 1, [summed], True, dtype)
    made = (op.ReduceMax if ord > 0 else op.ReduceMin)(sums, np.array([other]), keepdims=1)
    return made if keepdim else op.Squeeze(made, np.array([rows, columns]))


@aten("frobenius_norm.dim")
def frobenius_norm(op: Builder, self: Value, dim: Any, keepdim: bool = False) -> Any:
    return vector_norm(op, self, 2, dim, keepdim)


@aten("norm", "linalg_vector_norm", "norm.ScalarOpt_dim", "norm.ScalarOpt_dim_dtype", "norm.Scalar")
def vector_norm(op: Builder, self: Value, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None,
                p: Any = None) -> Any:
    """The norm of vectors: all elements of ``dim``, or of the tensor."""
    p = ord if p is None else p
    p = 2 if p is None or p == "fro" else known(p)
    axes = None if dim is None or (isinstance(dim, list) and not dim) else np.array(
        dim if isinstance(dim, list) else [dim])
    if isinstance(p, str):
        raise Unsupported(f"the norm '{p}'")
    self = tensor(op, self, of_any(dtype)) if dtype is not None else self
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


@aten("pairwise_distance")
def pairwise_distance(op: Builder, x1: Value, x2: Value, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Any:
    gap = op.Add(op.Sub(x1, x2), number(x1, eps))
    return vector_norm(op, gap, p, [-1], keepdim)


@aten("cdist", "_cdist_forward", "_euclidean_dist")
def cdist(op: Builder, x1: Value, x2: Value, p: float = 2.0, compute_mode: Any = None) -> Any:
    """The distance of each row of one to each of the other, of their differences (never of products, which lose digits
    where rows are close)."""
    gap = op.Sub(op.Unsqueeze(x1, np.array([-2])), op.Unsqueeze(x2, np.array([-3])))
    return vector_norm(op, gap, p, [-1])


@aten("pdist", "_pdist_forward")
def pdist(op: Builder, self: Value, p: float = 2.0) -> Any:
    n = whole(size(op, self, 0), "the number of rows")
    one, two = np.triu_indices(n, 1)
    return vector_norm(op, op.Sub(op.Gather(self, one, axis=0), op.Gather(self, two, axis=0)), p, [-1])


@aten("_trilinear")
def trilinear(op: Builder, i1: Value, i2: Value, i3: Value, expand1: list[int], expand2: list[int],
              expand3: list[int], sumdim: list[int], unroll_dim: int = 1) -> Any:
    """The product of three tensors, with axes put in, summed up over some."""
    wide = [op.Unsqueeze(x, np.array(e)) if e else x for x, e in ((i1, expand1), (i2, expand2), (i3, expand3))]
    n = rank(wide[0])
    letters = "abcdefghijklmnopqrstuvwxyz"[:n]
    names = ["".join(c for k, c in enumerate(letters) if k not in e) for e in (expand1, expand2, expand3)]
    out = "".join(c for k, c in enumerate(letters) if k not in [d % n for d in sumdim])
    return op.Einsum(i1, i2, i3, equation=f"{','.join(names)}->{out}")


@aten("addr")
def addr(op: Builder, self: Value, vec1: Value, vec2: Value, beta: Any = 1, alpha: Any = 1) -> Any:
    return _plus(op, self, outer(op, vec1, vec2), beta, alpha)


@aten("linalg_multi_dot", "chain_matmul")
def multi_dot(op: Builder, tensors: list[Value]) -> Any:
    made = tensors[0]
    for x in tensors[1:]:
        made = op.MatMul(made, x)
    return made


@aten("linalg_matrix_power", "matrix_power")
def matrix_power(op: Builder, self: Value, n: int) -> Any:
    if n == 0:
        raise Unsupported("the power 0 of matrices")
    base = linalg.inverse(op, self) if n < 0 else self
    made = base
    for _ in range(abs(n) - 1):
        made = op.MatMul(made, base)
    return made


@aten("linalg_det", "det")
def det(op: Builder, A: Value) -> Any:
    return op.Det(A)


@aten("linalg_slogdet", "slogdet")
def slogdet(op: Builder, A: Value) -> Any:
    return list(linalg.log_determinant(op, A))


@aten("logdet")
def logdet(op: Builder, self: Value) -> Any:
    sign, log = linalg.log_determinant(op, self)
    return op.Where(op.Less(sign, number(sign, 0)), number(log, np.nan), log)


@aten("linalg_inv", "inverse")
def inv(op: Builder, A: Value) -> Any:
    return linalg.inverse(op, A)


@aten("linalg_inv_ex")
def inv_ex(op: Builder, A: Value, check_errors: bool = False) -> Any:
    return [linalg.inverse(op, A), None]


@aten("linalg_solve")
def solve(op: Builder, A: Value, B: Value, left: bool = True) -> Any:
    if not left:
        return m_t(op, linalg.solve(op, m_t(op, A), m_t(op, B)))
    alone = rank(B) == rank(A) - 1
    y = linalg.solve(op, A, op.Unsqueeze(B, np.array([-1])) if alone else B)
    return op.Squeeze(y, np.array([-1])) if alone else y


@aten("linalg_solve_ex", "_linalg_solve_ex")
def solve_ex(op: Builder, A: Value, B: Value, left: bool = True, check_errors: bool = False) -> Any:
    return [solve(op, A, B, left), None, None, None]


@aten("linalg_solve_triangular")
def solve_triangular(op: Builder, self: Value, B: Value, upper: bool, left: bool = True,
                     unitriangular: bool = False) -> Any:
    if unitriangular or not left:
        raise Unsupported("unitriangular, or from the right")
    return linalg.triangular_solve(op, self, B, lower=not upper)


@aten("linalg_cholesky", "cholesky")
def cholesky(op: Builder, self: Value, upper: bool = False) -> Any:
    made = linalg.cholesky(op, self)
    return m_t(op, made) if upper else made


@aten("linalg_cholesky_ex")
def cholesky_ex(op: Builder, self: Value, upper: bool = False, check_errors: bool = False) -> Any:
    return [cholesky(op, self, upper), None]


@aten("linalg_qr")
def qr(op: Builder, A: Value, mode: str = "reduced") -> Any:
    if mode == "r":
        raise Unsupported("qr without its first factor")
    return list(linalg.qr(op, A, full_matrices=mode == "complete"))


@aten("linalg_svd", "_linalg_svd", "linalg_eigh", "_linalg_eigh", "linalg_eig", "linalg_pinv", "linalg_matrix_rank",
      "linalg_lstsq", "linalg_svdvals", "linalg_eigvalsh", "linalg_matrix_exp", "svd", "linalg_cond")
def iterated(op: Builder, *args: Any, **named: Any) -> Any:
    raise Unsupported("what iterates until it has converged")


@aten("transformers::grouped_mm_fallback", "_grouped_mm")
def grouped_mm(op: Builder, input: Value, weight: Value, offs: Value | None = None, bias: Any = None,
               out_dtype: Any = None) -> Any:
    """Rows up to each offset times the matrix of their group."""
    if offs is None or bias is not None or rank(input) != 2 or rank(weight) != 3:
        raise Unsupported("products of groups that are no rows")
    groups = whole(size(op, weight, 0), "the number of groups")
    ends = cast(op, offs, I64)
    made = []
    begin: Any = np.array([0])
    for k in range(groups):
        end = op.Slice(ends, np.array([k]), np.array([k + 1]), np.array([0]))
        rows = op.Slice(input, begin, end, np.array([0]))
        made.append(op.MatMul(rows, op.Gather(weight, np.asarray(k), axis=0)))
        begin = end
    return op.Concat(*made, axis=0)
