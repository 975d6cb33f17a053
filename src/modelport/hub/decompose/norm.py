"""Normalisations as means and products along axes, which work in any layout."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER
from .eager import eager, i64

rules = Rules("the hub", "simpler operators")


def _rank(x: Value) -> int:
    if x.rank is None:
        raise Unsupported("of a value of unknown rank")
    return x.rank


def along(op: Builder, v: Value, rank: int, axis: int = 1) -> Value:
    """A vector, shaped so that it goes along ``axis`` of a value of ``rank`` axes."""
    made: Value = eager(op).Reshape(v, i64(*(-1 if k == axis else 1 for k in range(rank))))
    return made


@rules("BatchNormalization")
def batch_normalization(op: Builder, x: Value, scale: Value, bias: Value, mean: Value, variance: Value, *,
                        epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0) -> Any:
    """One factor and one addend for each channel."""
    if training_mode:
        raise Unsupported("training mode")
    quick, n, wide, same = eager(op), _rank(x), NUMBER[variance.dtype], NUMBER[x.dtype]
    if n < 2:
        raise Unsupported("of a value without channels")
    scale, bias, mean, variance = (along(op, quick.Cast(v, to=wide), n) for v in (scale, bias, mean, variance))
    factor = quick.Div(scale, quick.Sqrt(quick.Add(variance, np.array(epsilon, variance.dtype))))
    addend = quick.Sub(bias, quick.Mul(mean, factor))
    return op.Add(op.Mul(x, quick.Cast(factor, to=same)), quick.Cast(addend, to=same))


def standardized(op: Builder, x: Value, axes: list[int], epsilon: float) -> tuple[Value, Value, Value]:
    """``x`` with mean 0 and variance 1 along ``axes``; the mean, and the inverse of the deviation."""
    mean = op.ReduceMean(x, i64(*axes), keepdims=1)
    centred = op.Sub(x, mean)
    variance = op.ReduceMean(op.Mul(centred, centred), i64(*axes), keepdims=1)
    inverse = op.Reciprocal(op.Sqrt(op.Add(variance, np.array(epsilon, x.dtype))))
    return op.Mul(centred, inverse), mean, inverse


@rules("InstanceNormalization")
def instance_normalization(op: Builder, x: Value, scale: Value, bias: Value, *, epsilon: float = 1e-5) -> Any:
    n = _rank(x)
    y, _, _ = standardized(op, x, list(range(2, n)), epsilon)
    return op.Add(op.Mul(y, along(op, scale, n)), along(op, bias, n))


@rules("GroupNormalization")
def group_normalization(op: Builder, x: Value, scale: Value, bias: Value, *, epsilon: float = 1e-5, num_groups: int,
                        stash_type: int = 1) -> Any:
    """Means of the channels, then of the groups: only vectors are reshaped, so the layout stays free."""
    n = _rank(x)
    channels = None if x.shape is None else x.shape[1]
    if not isinstance(channels, int) or channels % num_groups:
        raise Unsupported(f"{channels} channels in {num_groups} groups")
    wide, space, batch = np.dtype(np.float32), i64(*range(2, n)), eager(op).Shape(x, end=1)
    wide = x.dtype if x.dtype == np.float64 or stash_type != NUMBER[wide] else wide
    v = op.Cast(x, to=NUMBER[wide]) if x.dtype != wide else x

    def of_groups(y: Value) -> Value:
        mean = op.ReduceMean(y, space, keepdims=1) if n > 2 else y
        if channels != num_groups:
            shape = eager(op).Concat(batch, i64(num_groups, channels // num_groups), axis=0)
            mean = op.ReduceMean(op.Reshape(mean, shape), i64(2), keepdims=1)
            mean = op.Mul(mean, np.ones((1, 1, channels // num_groups), wide))
            mean = op.Reshape(mean, eager(op).Concat(batch, i64(channels, *(1,) * (n - 2)), axis=0))
        return mean
    centred = op.Sub(v, of_groups(v))
    inverse = op.Reciprocal(op.Sqrt(op.Add(of_groups(op.Mul(centred, centred)), np.array(epsilon, wide))))
    y = op.Mul(centred, inverse)
    y = op.Cast(y, to=NUMBER[x.dtype]) if x.dtype != wide else y
    return op.Add(op.Mul(y, along(op, scale, n)), along(op, bias, n))


@rules("LayerNormalization")
def layer_normalization(op: Builder, x: Value, scale: Value, bias: Value | None = None, *, axis: int = -1,
                        epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    n = _rank(x)
    return layer_normalization_along(op, x, scale, bias, list(range(axis % n, n)), epsilon=epsilon,
                                     stash_type=stash_type)


def layer_normalization_along(op: Builder, x: Value, scale: Value, bias: Value | None, axes: list[int], *,
                              epsilon: float = 1e-5, stash_type: int = 1) -> tuple[Value, Value, Value]:
    """The normalisation along any axes; ``scale`` and ``bias`` broadcast to ``x``."""
    wide = NUMBER[x.dtype] if x.dtype == np.float64 else stash_type
    v = x if wide == NUMBER[x.dtype] else op.Cast(x, to=wide)
    y, mean, inverse = standardized(op, v, axes, epsilon)
    y = y if wide == NUMBER[x.dtype] else op.Cast(y, to=NUMBER[x.dtype])
    y = op.Mul(y, scale)
    return (y if bias is None else op.Add(y, bias)), mean, inverse


@rules("RMSNormalization")
def rms_normalization(op: Builder, x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5,
                      stash_type: int = 1) -> Any:
    n = _rank(x)
    wide = NUMBER[x.dtype] if x.dtype == np.float64 else stash_type
    v = x if wide == NUMBER[x.dtype] else op.Cast(x, to=wide)
    mean = op.ReduceMean(op.Mul(v, v), i64(*range(axis % n, n)), keepdims=1)
    y = op.Div(v, op.Sqrt(op.Add(mean, np.array(epsilon, v.dtype))))
    y = y if wide == NUMBER[x.dtype] else op.Cast(y, to=NUMBER[x.dtype])
    return op.Mul(y, scale)


@rules("LRN")
def lrn(op: Builder, x: Value, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Any:
    """Squares of neighbouring channels; an even window has its odd one behind."""
    _rank(x)
    before = (size - 1) // 2
    square = op.Pad(op.Mul(x, x), i64(before, size - 1 - before), np.zeros((), x.dtype), i64(1))
    last = np.iinfo(np.int64).max
    near = [op.Slice(square, i64(k), i64(k - size + 1 or last), i64(1)) for k in range(size)]
    total = near[0]
    for v in near[1:]:
        total = op.Add(total, v)
    base = op.Add(op.Mul(total, np.array(alpha / size, x.dtype)), np.array(bias, x.dtype))
    if beta == 0.5:
        return op.Div(x, op.Sqrt(base))
    return op.Mul(x, op.Pow(base, np.array(-beta, x.dtype)))


@rules("MeanVarianceNormalization")
def mean_variance_normalization(op: Builder, x: Value, *, axes: Any = (0, 2, 3)) -> Any:
    """(The function body of the schema adds 1e-9 to the deviation.)"""
    mean = op.ReduceMean(x, i64(*axes), keepdims=1)
    centred = op.Sub(x, mean)
    deviation = op.Sqrt(op.ReduceMean(op.Mul(centred, centred), i64(*axes), keepdims=1))
    return op.Div(centred, op.Add(deviation, np.array(1e-9, x.dtype)))
