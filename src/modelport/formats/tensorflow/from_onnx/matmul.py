"""Products of matrices."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from .common import FLOATS, TF, from_onnx, rank, room, together, transpose

_KINDS = f"{FLOATS} i4 i8"


@from_onnx("MatMul")
def matmul(tf: TF, a: Value, b: Value) -> Any:
    a, b = together(tf, room(tf, [a, b]), _KINDS)
    if rank(a) < 2 or rank(b) < 2:
        raise Unsupported("a vector")
    if rank(a) == rank(b) == 2:
        return tf.MatMul(a, b, transpose_a=False, transpose_b=False)
    return tf.BatchMatMulV2(a, b, adj_x=False, adj_y=False)


@from_onnx("Gemm")
def gemm(tf: TF, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Any:
    if alpha != 1 or (beta != 1 and c is not None):
        raise Unsupported("factors")
    a, b = together(tf, [a, b], _KINDS)
    if b.data is not None and transB:  # TensorFlow's own layers keep them so
        b, transB = transpose(tf, b, [1, 0]), 0
    y = tf.MatMul(a, b, transpose_a=bool(transA), transpose_b=bool(transB))
    if c is None:
        return y
    c = together(tf, [y, c], _KINDS)[1]
    units = b.shape[0 if transB else 1] if b.shape is not None else None
    if c.rank == 1 and isinstance(units, int) and c.shape == (units,):
        return tf.BiasAdd(y, c)
    return tf.AddV2(y, c)
