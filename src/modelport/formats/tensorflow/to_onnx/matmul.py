"""Products of matrices, and linear algebra (:mod:`modelport.formats.linalg`).

Source: tensorflow/core/kernels/matmul_op_impl.h, kernels/linalg/."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from ... import linalg
from .common import BOOL, I64, cast, i64, ints, one, rank, to_onnx, transposed
from .conv import finish


def _turned(op: Builder, x: Value) -> Value:
    n = rank(x)
    return transposed(op, x, [*range(n - 2), n - 1, n - 2])


def _product(op: Builder, a: Value, b: Value) -> Any:
    if a.dtype.kind in "iu" and a.dtype.itemsize < 4:
        raise Unsupported(f"a product of {a.dtype}")
    return op.MatMul(a, b)


@to_onnx("MatMul", "SparseMatMul")
def matmul(op: Builder, a: Value, b: Value, *, transpose_a: bool = False, transpose_b: bool = False,
           a_is_sparse: bool = False, b_is_sparse: bool = False, grad_a: bool = False, grad_b: bool = False) -> Any:
    return _product(op, transposed(op, a, [1, 0]) if transpose_a else a,
                    transposed(op, b, [1, 0]) if transpose_b else b)


@to_onnx("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(op: Builder, a: Value, b: Value, *, adj_x: bool = False, adj_y: bool = False,
                 Tout: DType | None = None, grad_x: bool = False, grad_y: bool = False) -> Any:
    if Tout is not None and Tout != a.dtype:
        a, b = cast(op, a, Tout), cast(op, b, Tout)
    return _product(op, _turned(op, a) if adj_x else a, _turned(op, b) if adj_y else b)


@to_onnx("_FusedMatMul")
def fused_matmul(op: Builder, a: Value, b: Value, *args: Value, transpose_a: bool = False, transpose_b: bool = False,
                 fused_ops: Sequence[str] = (), epsilon: float = 9.999999747378752e-05,
                 leakyrelu_alpha: float = 0.20000000298023224, num_args: int = 0) -> Any:
    y = matmul(op, a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return finish(op, y, list(args), fused_ops, epsilon, leakyrelu_alpha)


@to_onnx("Einsum")
def einsum(op: Builder, *values: Value, equation: str) -> Any:
    return op.Einsum(*values, equation=equation.replace(" ", ""))


@to_onnx("MatrixBandPart", "BatchMatrixBandPart")
def band_part(op: Builder, x: Value, lower: Value, upper: Value) -> Any:
    zero, none, step = one(x, 0), constant(0, I64), constant(1, I64)
    n = rank(x)
    rows, columns = (op.Range(none, op.Squeeze(op.Shape(x, start=k, end=k + 1), ints([0])), step)
                     for k in (n - 2, n - 1))
    low, high = (op.Reshape(i64(op, v), ints([])) for v in (lower, upper))
    below = op.Sub(op.Unsqueeze(rows, ints([1])), op.Unsqueeze(columns, ints([0])))
    keep = op.And(op.Or(op.Less(low, none), op.LessOrEqual(below, low)),
                  op.Or(op.Less(high, none), op.LessOrEqual(op.Neg(below), high)))
    return op.And(x, keep) if x.dtype == BOOL else op.Where(keep, x, zero)


to_onnx("MatrixDeterminant", "BatchMatrixDeterminant")(linalg.determinant)
to_onnx("MatrixSolve", "BatchMatrixSolve")(linalg.solve)
to_onnx("MatrixInverse", "BatchMatrixInverse")(linalg.inverse)
to_onnx("MatrixTriangularSolve", "BatchMatrixTriangularSolve")(linalg.triangular_solve)
to_onnx("Cholesky", "BatchCholesky")(linalg.cholesky)
to_onnx("Lu")(linalg.lu)
to_onnx("LogMatrixDeterminant")(linalg.log_determinant)
to_onnx("Qr")(linalg.qr)
