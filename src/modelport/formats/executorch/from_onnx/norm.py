"""Normalisation."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from ..raw import Calls
from .common import F32, from_onnx, sizes


@from_onnx("BatchNormalization")
def batch_norm(op: Calls, x: Value, scale: Value, bias: Value, mean: Value, var: Value, *, epsilon: float = 1e-5,
               momentum: float = 0.9, training_mode: int = 0) -> Any:
    if training_mode or x.dtype != F32 or len(sizes(x)) < 2:
        raise Unsupported("BatchNormalization as in training, or of other than float32")
    none = Type(F32, (0,))
    return op.call("_native_batch_norm_legit_no_training.out", x, scale, bias, mean, var, 0.1, epsilon,
                   type=[op.out, none, none])[0]


@from_onnx("LayerNormalization")
def layer_norm(op: Calls, x: Value, scale: Value, bias: Value | None = None, *, axis: int = -1,
               epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    assert op.node is not None
    shape = sizes(x)
    axis %= len(shape)
    if x.dtype != F32 or len(op.node.outputs) > 1 or sizes(scale) != shape[axis:] or \
            (bias is not None and sizes(bias) != shape[axis:]):
        raise Unsupported("LayerNormalization of other than float32, or by weights of other sizes")
    rest = Type(F32, (*shape[:axis], *[1] * (len(shape) - axis)))
    return op.call("native_layer_norm.out", x, shape[axis:], scale, bias, epsilon, type=[op.out, rest, rest])[0]


@from_onnx("GroupNormalization")
def group_norm(op: Calls, x: Value, scale: Value, bias: Value, *, num_groups: int, epsilon: float = 1e-5,
               stash_type: int = 1) -> Any:
    n, c, *rest = sizes(x)
    if x.dtype != F32 or sizes(scale) != [c]:
        raise Unsupported("GroupNormalization of other than float32")
    area = 1
    for d in rest:
        area *= d
    stat = Type(F32, (n, num_groups))
    return op.call("native_group_norm.out", x, scale, bias, n, c, area, num_groups, epsilon,
                   type=[op.out, stat, stat])[0]
