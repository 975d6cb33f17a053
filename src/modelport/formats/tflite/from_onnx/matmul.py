"""Products of matrices."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...writing import rank
from .common import NONE, carry, from_onnx, reshaped_weight, transpose

_FC = {**NONE, "weights_format": "DEFAULT"}


def constant_weight(w: Value) -> bool:
    """Whether a value is a constant, stored as it is or dequantized."""
    return w.data is not None or (w.node is not None and w.op == "DEQUANTIZE" and w.node.inputs[0] is not None
                                  and w.node.inputs[0].data is not None)


@from_onnx("MatMul")
def matmul(tfl: Builder, a: Value, b: Value) -> Any:
    a, b = carry(tfl, a, "f4"), carry(tfl, b, "f4")
    if rank(a) < 2 or rank(b) < 2:
        raise Unsupported("a vector")
    if constant_weight(b) and rank(b) == 2 and rank(a) <= 6:
        return tfl.FULLY_CONNECTED(a, transpose(tfl, b, [1, 0]), None, **_FC, keep_num_dims=rank(a) > 2, type=tfl.out)
    if max(rank(a), rank(b)) > 5:
        raise Unsupported("more than 5 axes")
    return tfl.BATCH_MATMUL(a, b, adj_x=False, adj_y=False)


@from_onnx("Gemm")
def gemm(tfl: Builder, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Any:
    if alpha != 1 or (beta != 1 and c is not None):
        raise Unsupported("factors")
    a, b = carry(tfl, a, "f4"), carry(tfl, b, "f4")
    if not constant_weight(b):
        y = tfl.BATCH_MATMUL(a, b, adj_x=bool(transA), adj_y=bool(transB))
        return y if c is None else tfl.ADD(y, carry(tfl, c, "f4"), **NONE)
    a = transpose(tfl, a, [1, 0]) if transA else a
    b = b if transB else transpose(tfl, b, [1, 0])
    units = b.shape[0] if b.shape is not None else None
    bias = c is not None and constant_weight(c) and c.type.size == units and (c.shape or (None,))[-1] == units
    bias_value = None if not bias or c is None or not isinstance(units, int) else \
        reshaped_weight(tfl, carry(tfl, c, "f4"), (units,), 0)
    y = tfl.FULLY_CONNECTED(a, b, bias_value, **_FC, keep_num_dims=False, type=tfl.out)
    return y if c is None or bias else tfl.ADD(y, carry(tfl, c, "f4"), **NONE)
