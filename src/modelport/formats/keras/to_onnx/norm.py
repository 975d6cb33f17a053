"""Normalisation over batches (with their recorded statistics), layers, groups."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from .common import axes_of, axis_of, cast, dims, ints, number, once, rank, real, reshaped, to_onnx


def _spread(op: Builder, w: Value, n: int, axes: Sequence[int]) -> Value:
    """A weight along some axes of ``n``, the others of size one."""
    if list(axes) == list(range(n - len(axes), n)):
        return w
    shape = [1] * n
    for a, d in zip(axes, dims(w, what="a weight"), strict=True):
        shape[a] = d
    made: Value = op.Reshape(w, ints(shape))
    return made


@to_onnx("BatchNormalization")
def batch_normalization(op: Builder, x: Value, gamma: Value | None, beta: Value | None, mean: Value, variance: Value, *,
                        axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
                        renorm: bool = False, renorm_clipping: Any = None, virtual_batch_size: Any = None) -> Any:
    x = real(op, x)
    if virtual_batch_size is not None:  # the layer has counted an axis in front, for its small batches
        axis = [a - 1 for a in (axis if isinstance(axis, (list, tuple)) else [axis])]
    n, axes = rank(x), axes_of(x, axis)
    if len(mean.shape or ()) > 1:  # statistics along several axes have the others too, of size one
        size_ = dims(x, axes)
        gamma, beta = (v if v is None else reshaped(op, v, size_) for v in (gamma, beta))
        mean, variance = reshaped(op, mean, size_), reshaped(op, variance, size_)
    size = mean.shape or ()
    if len(axes) == 1 and len(size) == 1 and n > 1:
        shape = [d for d in size if isinstance(d, int)]
        one = once(op, ("ones", size, x.dtype), lambda: constant(np.ones(shape, x.dtype)))
        none = once(op, ("zeros", size, x.dtype), lambda: constant(np.zeros(shape, x.dtype)))
        weights = (one if gamma is None else gamma, none if beta is None else beta, mean, variance)
        if axes == [1]:
            return op.BatchNormalization(x, *weights, epsilon=epsilon)
        if axes == [n - 1] and (n > 3 or x.op == "nhwc.Conv"):
            return op.nhwc.BatchNormalization(x, *weights, epsilon=epsilon)
    if any(w.data is None for w in (mean, variance)):  # a policy of half precision: cast weights
        by: Any = op.Reciprocal(op.Sqrt(op.Add(variance, number(x, epsilon))))
        by = by if gamma is None else op.Mul(by, gamma)
        shift: Any = op.Neg(op.Mul(mean, by))
        shift = shift if beta is None else op.Add(shift, beta)
        return op.Add(op.Mul(x, _spread(op, by, n, axes)), _spread(op, shift, n, axes))

    def array(v: Value) -> Any:
        return v.numpy().astype(np.float64)
    factor = 1 / np.sqrt(array(variance) + epsilon) * (1 if gamma is None else array(gamma))
    offset = (0 if beta is None else array(beta)) - array(mean) * factor
    y = op.Mul(x, _spread(op, constant(factor.astype(x.dtype)), n, axes))
    return op.Add(y, _spread(op, constant(offset.astype(x.dtype)), n, axes))


def _standardized(op: Builder, x: Value, axes: Sequence[int], epsilon: float, centered: bool = True) -> Any:
    mean = op.ReduceMean(x, ints(axes), keepdims=1)
    away = op.Sub(x, mean)
    variance = op.ReduceMean(op.Mul(away, away), ints(axes), keepdims=1)
    return op.Div(away if centered else x, op.Sqrt(op.Add(variance, number(x, epsilon))))


def layer_norm(op: Builder, x: Value, gamma: Value | None, beta: Value | None, axes: Sequence[int],
               epsilon: float) -> Any:
    """Standardized over axes, then scaled and shifted along them."""
    n = rank(x)
    if list(axes) == list(range(n - len(axes), n)):
        if gamma is None:
            size = dims(x, axes, "the normalised axes")
            gamma = once(op, ("ones", tuple(size), x.dtype), lambda: constant(np.ones(size, x.dtype)))
        return op.LayerNormalization(x, gamma, beta, axis=n - len(axes), epsilon=epsilon)
    y = _standardized(op, x, axes, epsilon)
    y = y if gamma is None else op.Mul(y, _spread(op, gamma, n, axes))
    return y if beta is None else op.Add(y, _spread(op, beta, n, axes))


@to_onnx("LayerNormalization")
def layer_normalization(op: Builder, x: Value, gamma: Value | None = None, beta: Value | None = None, *, axis: Any = -1,
                        epsilon: float = 1e-3, center: bool = True, scale: bool = True,
                        rms_scaling: bool = False) -> Any:
    x = real(op, x)
    axes = axes_of(x, axis)
    if rms_scaling:  # of Keras 3.0 to 3.9: divided by the deviation from the mean, but the mean stays
        y = _standardized(op, x, axes, epsilon, centered=False)
        return y if gamma is None else op.Mul(y, _spread(op, gamma, rank(x), axes))
    return layer_norm(op, x, gamma, beta, axes, epsilon)


@to_onnx("ops.layer_norm", "ops.layer_normalization")
def layer_norm_operation(op: Builder, x: Value, gamma: Value | None = None, beta: Value | None = None, *,
                         axis: Any = -1, epsilon: float | None = None, rms_scaling: bool = False) -> Any:
    if rms_scaling:
        raise Unsupported("rms_scaling")
    return layer_norm(op, x, gamma, beta, axes_of(x, axis), 1e-7 if epsilon is None else epsilon)


@to_onnx("RMSNormalization", "ops.rms_norm", "ops.rms_normalization")
def rms_normalization(op: Builder, x: Value, scale: Value | None = None, *, axis: Any = -1,
                      epsilon: float | None = None) -> Any:
    x = real(op, x)
    axes = axes_of(x, axis)
    mean = op.ReduceMean(op.Mul(x, x), ints(axes), keepdims=1)
    default = 1e-6 if op.node is not None and op.node.op == "RMSNormalization" else 1e-7
    y = op.Mul(x, op.Reciprocal(op.Sqrt(op.Add(mean, number(x, default if epsilon is None else epsilon)))))
    return y if scale is None else op.Mul(y, _spread(op, scale, rank(x), axes))


@to_onnx("UnitNormalization")
def unit_normalization(op: Builder, x: Value, *, axis: Any = -1) -> Any:
    return _normalized(op, real(op, x), axes_of(x, axis), 1e-12)


def _normalized(op: Builder, x: Value, axes: Sequence[int], epsilon: float) -> Any:
    square = op.ReduceSum(op.Mul(x, x), ints(axes), keepdims=1)
    return op.Mul(x, op.Reciprocal(op.Sqrt(op.Max(square, number(x, epsilon)))))


@to_onnx("ops.tf_l2_normalize")
def l2_normalize(op: Builder, x: Value, *, axis: Any = None, epsilon: float = 1e-12) -> Any:
    return _normalized(op, x, axes_of(x, axis), epsilon)


@to_onnx("ops.normalize")
def normalize(op: Builder, x: Value, *, axis: Any = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    if order != 2:
        raise Unsupported(f"a norm of order {order}")
    square = op.ReduceSum(op.Mul(x, x), ints(axes_of(x, axis)), keepdims=1)
    small = 1e-7 if epsilon is None else epsilon  # below the norm, so its square below the sum
    return op.Mul(x, op.Reciprocal(op.Sqrt(op.Max(square, number(x, small ** 2)))))


@to_onnx("GroupNormalization")
def group_normalization(op: Builder, x: Value, gamma: Value | None = None, beta: Value | None = None, *,
                        groups: int = 32, axis: int = -1, epsilon: float = 1e-3, center: bool = True,
                        scale: bool = True) -> Any:
    """Channels cut into groups, each standardized with all of its positions."""
    x = real(op, x)
    n, at = rank(x), axis_of(x, axis)
    channels = dims(x, [at], "the channels")[0]
    groups = channels if groups == -1 else groups
    if groups < 1 or channels % groups:
        raise Unsupported(f"{groups} groups of {channels} channels")
    shape = [0] * at + [groups, channels // groups]
    rest = n - at - 1
    if rest:  # channels before other axes: their sizes are copied from the end
        cut = op.Reshape(x, op.Concat(op.Shape(x, start=0, end=at), ints([groups, channels // groups]),
                                      op.Shape(x, start=at + 1), axis=0))
    else:
        cut = op.Reshape(x, ints(shape))
    axes = [a for a in range(1, n + 1) if a != at]
    y = op.Reshape(_standardized(op, cut, axes, epsilon), op.Shape(x))
    y.type = Type(y.dtype, x.shape)
    y = y if gamma is None else op.Mul(y, _spread(op, gamma, n, [at]))
    return y if beta is None else op.Add(y, _spread(op, beta, n, [at]))


@to_onnx("LayerScale")
def layer_scale(op: Builder, x: Value, gamma: Value, *, init_values: Any = None, projection_dim: Any = None) -> Any:
    """A factor for each channel, of the ConvNeXt networks of keras.applications."""
    return op.Mul(x, gamma)


@to_onnx("ops.batch_norm")
def batch_norm(op: Builder, x: Value, mean: Value, variance: Value, offset: Value | None = None,
               scale: Value | None = None, *, axis: int, epsilon: float = 1e-3) -> Any:
    n, at = rank(x), axis_of(x, axis)
    by = op.Reciprocal(op.Sqrt(op.Add(variance, number(x, epsilon))))
    by = by if scale is None else op.Mul(by, scale)
    y = op.Mul(op.Sub(x, _spread(op, mean, n, [at])), _spread(op, cast(op, by, x.dtype), n, [at]))
    return y if offset is None else op.Add(y, _spread(op, offset, n, [at]))
