"""Normalisation.  Source: aten/src/ATen/native/Normalization.cpp, layer_norm.cpp, group_norm.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..machine import aten
from ..values import rank, wholes
from .math import number


def _channels(x: Value) -> int:
    c = (x.shape or ())[1] if rank(x) > 1 else None
    if not isinstance(c, int):
        raise Unsupported("a number of channels that is not known")
    return c


@aten("batch_norm", "cudnn_batch_norm", "native_batch_norm")
def batch_norm(op: Builder, input: Value, weight: Value | None, bias: Value | None, running_mean: Value | None,
               running_var: Value | None, training: bool, momentum: float, eps: float,
               cudnn_enabled: bool = False) -> Any:
    if training or running_mean is None or running_var is None:
        return _by_batch(op, input, weight, bias, eps)
    if weight is None or bias is None:
        count, = wholes(list(running_mean.shape or ()), 1, "the number of channels")
    scale = weight if weight is not None else np.ones(count, running_mean.dtype)
    shift = bias if bias is not None else np.zeros(count, running_mean.dtype)
    return op.BatchNormalization(input, scale, shift, running_mean, running_var, epsilon=eps)


def _by_batch(op: Builder, x: Value, weight: Value | None, bias: Value | None, eps: float) -> Any:
    """By the mean and variance of the batch itself, which the module is told to take (track_running_stats=False)."""
    axes = np.array([a for a in range(rank(x)) if a != 1])
    mean = op.ReduceMean(x, axes, keepdims=1)
    gap = op.Sub(x, mean)
    variance = op.ReduceMean(op.Mul(gap, gap), axes, keepdims=1)
    y = op.Div(gap, op.Sqrt(op.Add(variance, number(x, eps))))
    return _affine(op, y, weight, bias)


def _affine(op: Builder, y: Value, weight: Value | None, bias: Value | None) -> Any:
    """Times and plus one number a channel."""
    column = np.array([-1] + [1] * (rank(y) - 2))
    if weight is not None:
        y = op.Mul(y, op.Reshape(weight, column))
    return y if bias is None else op.Add(y, op.Reshape(bias, column))


@aten("_native_batch_norm_legit_no_training", "_batch_norm_no_update")
def core_batch_norm(op: Builder, input: Value, weight: Value | None, bias: Value | None, running_mean: Value,
                    running_var: Value, momentum: float, eps: float) -> Any:
    return [batch_norm(op, input, weight, bias, running_mean, running_var, False, momentum, eps), None, None]


@aten("_native_batch_norm_legit.no_stats")
def batch_norm_no_stats(op: Builder, input: Value, weight: Value | None, bias: Value | None, training: bool,
                        momentum: float, eps: float) -> Any:
    return [_by_batch(op, input, weight, bias, eps), None, None]


@aten("layer_norm")
def layer_norm(op: Builder, input: Value, normalized_shape: list[int], weight: Value | None = None,
               bias: Value | None = None, eps: float = 1e-5, cudnn_enable: bool = True) -> Any:
    scale = weight if weight is not None else np.ones(normalized_shape, input.dtype)
    return op.LayerNormalization(input, scale, bias, axis=-len(normalized_shape), epsilon=eps)


@aten("native_layer_norm")
def native_layer_norm(op: Builder, input: Value, normalized_shape: list[int], weight: Value | None,
                      bias: Value | None, eps: float) -> Any:
    return [layer_norm(op, input, normalized_shape, weight, bias, eps), None, None]


@aten("rms_norm", "_fused_rms_norm")
def rms_norm(op: Builder, input: Value, normalized_shape: list[int], weight: Value | None = None,
             eps: float | None = None) -> Any:
    eps = float(np.finfo(np.float32).eps) if eps is None else eps
    scale = weight if weight is not None else np.ones(normalized_shape, input.dtype)
    return op.RMSNormalization(input, scale, axis=-len(normalized_shape), epsilon=eps)


@aten("group_norm")
def group_norm(op: Builder, input: Value, num_groups: int, weight: Value | None = None, bias: Value | None = None,
               eps: float = 1e-5, cudnn_enabled: bool = True) -> Any:
    count = 0 if weight is not None and bias is not None else _channels(input)
    scale = weight if weight is not None else np.ones(count, input.dtype)
    shift = bias if bias is not None else np.zeros(count, input.dtype)
    return op.GroupNormalization(input, scale, shift, num_groups=num_groups, epsilon=eps)


@aten("native_group_norm")
def native_group_norm(op: Builder, input: Value, weight: Value | None, bias: Value | None, N: Any, C: Any, HxW: Any,
                      group: int, eps: float) -> Any:
    return [group_norm(op, input, group, weight, bias, eps), None, None]


@aten("instance_norm")
def instance_norm(op: Builder, input: Value, weight: Value | None, bias: Value | None, running_mean: Value | None,
                  running_var: Value | None, use_input_stats: bool, momentum: float, eps: float,
                  cudnn_enabled: bool = True) -> Any:
    if not use_input_stats:
        return batch_norm(op, input, weight, bias, running_mean, running_var, False, momentum, eps)
    count = 0 if weight is not None and bias is not None else _channels(input)
    scale = weight if weight is not None else np.ones(count, input.dtype)
    shift = bias if bias is not None else np.zeros(count, input.dtype)
    return op.InstanceNormalization(input, scale, shift, epsilon=eps)


@aten("_weight_norm", "_weight_norm_interface")
def weight_norm(op: Builder, v: Value, g: Value, dim: int = 0) -> Any:
    """v times g over the length of v along all axes but ``dim``."""
    axes = np.array([a for a in range(rank(v)) if a != dim % rank(v)]) if dim != -1 else None
    length = op.ReduceL2(v, axes, keepdims=1)
    return op.Mul(v, op.Div(g, length))


@aten("local_response_norm")
def local_response_norm(op: Builder, input: Value, size: int, alpha: float = 1e-4, beta: float = 0.75,
                        k: float = 1.0) -> Any:
    if size % 2 == 0:
        raise Unsupported("a response norm of an even number of channels")
    return op.LRN(input, size=size, alpha=alpha, beta=beta, bias=k)
