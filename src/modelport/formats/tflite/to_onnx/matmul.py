"""Products of matrices and transforms.  Source: tensorflow/lite/kernels/batch_matmul.cc, rfft2d.cc."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import ints, known, rank, transposed
from .common import hybrid, to_onnx


@to_onnx("BATCH_MATMUL")
def batch_matmul(op: Builder, x: Value, y: Value, *, adj_x: bool = False, adj_y: bool = False,
                 asymmetric_quantize_inputs: bool = False) -> Any:
    hybrid(op, x, y)
    return op.MatMul(_adjoint(op, x) if adj_x else x, _adjoint(op, y) if adj_y else y)


def _adjoint(op: Builder, x: Value) -> Value:
    n = rank(x)
    return transposed(op, x, [*range(n - 2), n - 1, n - 2])


@to_onnx("RFFT2D")
def rfft2d(op: Builder, x: Value, length: Value) -> Any:
    """Complex values have a last dimension of 2 in the hub."""
    height, width = known(length, "the length of the transform")
    if x.dtype.name != "float32":
        raise Unsupported(f"a transform of {x.dtype}")
    n = rank(x)
    y = op.DFT(op.Unsqueeze(x, ints([-1])), constant(width, "int64"), constant(n - 1, "int64"), onesided=1)
    if height != 1:
        return op.DFT(y, constant(height, "int64"), constant(n - 2, "int64"))
    if x.shape is None or x.shape[-2] != 1:  # the transform takes the first row only
        y = op.Slice(y, ints([0]), ints([1]), ints([n - 2]))
    return y
