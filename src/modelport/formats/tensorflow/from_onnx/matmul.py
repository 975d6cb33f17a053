"""Products of matrices."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ...writing import rank
from .common import FLOATS, TF, from_onnx, room, together, transpose

_KINDS = f"{FLOATS} i4 i8"


@from_onnx("MatMul")
def matmul(tf: TF, a: Value, b: Value) -> Any:
    a, b = together(tf, room(tf, [a, b]), _KINDS)
    if rank(a) < 2 or rank(b) < 2:
        raise Unsupported("a vector")
    if rank(a) == rank(b) == 2:
        return tf.MatMul(a, b, transpose_a=False, transpose_b=False)
    if tf.dialect.operators is not None and not _alike(a, b):  # TensorFlow.js counts the smaller batch round and round
        raise Unsupported("batches that are broadcast")
    return tf.BatchMatMulV2(a, b, adj_x=False, adj_y=False)


def _alike(a: Value, b: Value) -> bool:
    """Whether the batches of two matrices are as many, or one of them is one."""
    one, other = (tuple(v.shape or ())[:-2] for v in (a, b))
    return all(d == 1 for d in one) or all(d == 1 for d in other) or (one == other and None not in one)


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
