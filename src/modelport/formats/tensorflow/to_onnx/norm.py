"""Normalisation by batch statistics.  Source: tensorflow/core/kernels/fused_batch_norm_op.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import cast, first, ints, last, one, rank, to_onnx


@to_onnx("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def batch_norm(op: Builder, x: Value, scale: Value, offset: Value, mean: Value, variance: Value, *,
               epsilon: float = 9.999999747378752e-05, exponential_avg_factor: float = 1.0, data_format: str = "NHWC",
               is_training: bool = True) -> Any:
    made = _norm(op, last(op, x, data_format), scale, offset, mean, variance, epsilon, is_training)
    y = first(op, made[0], data_format)
    if is_training and exponential_avg_factor != 1:
        return (y,)
    return (y, *made[1:])


def _norm(op: Builder, x: Value, scale: Value, offset: Value, mean: Value, variance: Value, epsilon: float,
          training: bool) -> tuple[Any, ...]:
    zero = constant(np.zeros((), scale.dtype))
    if not training:
        y = op.nhwc.BatchNormalization(x, scale, offset, mean, variance, epsilon=epsilon)
        return y, mean, variance, mean, variance, zero
    # the statistics of the batch itself: how Keras 2 computes LayerNormalization
    axes = ints(range(rank(x) - 1))
    wide = cast(op, x, scale.dtype)
    middle = op.ReduceMean(wide, axes, keepdims=1)
    apart = op.Sub(wide, middle)
    spread = op.ReduceMean(op.Mul(apart, apart), axes, keepdims=1)
    y = op.Div(apart, op.Sqrt(op.Add(spread, one(spread, epsilon))))
    y = cast(op, op.Add(op.Mul(y, scale), offset), x.dtype)
    flat_mean, flat = op.Squeeze(middle, axes), op.Squeeze(spread, axes)
    count = op.ReduceProd(op.Shape(x, start=0, end=rank(x) - 1), keepdims=0)
    less = op.Max(op.Sub(count, constant(np.int64(1))), constant(np.int64(1)))
    unbiased = op.Mul(flat, op.Div(cast(op, count, scale.dtype), cast(op, less, scale.dtype)))
    return y, flat_mean, unbiased, flat_mean, unbiased, zero


@to_onnx("_FusedBatchNormEx")
def batch_norm_ex(op: Builder, x: Value, scale: Value, offset: Value, mean: Value, variance: Value, *side: Value,
                  epsilon: float = 9.999999747378752e-05, exponential_avg_factor: float = 1.0,
                  data_format: str = "NHWC", is_training: bool = True, activation_mode: str = "Identity",
                  num_side_inputs: int = 0) -> Any:
    made = _norm(op, last(op, x, data_format), scale, offset, mean, variance, epsilon, is_training)
    y = first(op, made[0], data_format)
    y = op.Add(y, side[0]) if side else y
    if activation_mode not in ("Identity", "Relu"):
        raise Unsupported(f"fused with {activation_mode}")
    return (op.Relu(y) if activation_mode == "Relu" else y,)


@to_onnx("BatchNormWithGlobalNormalization")
def batch_norm_global(op: Builder, x: Value, mean: Value, variance: Value, beta: Value, gamma: Value, *,
                      variance_epsilon: float, scale_after_normalization: bool) -> Any:
    scale = gamma if scale_after_normalization else op.Expand(one(gamma), op.Shape(mean))
    return op.nhwc.BatchNormalization(x, scale, beta, mean, variance, epsilon=variance_epsilon)
