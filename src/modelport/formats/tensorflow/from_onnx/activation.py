"""Activation functions."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import is_float
from ...writing import rank
from .common import FLOATS, NUMBERS, TF, carry, from_onnx, scalar, together, transpose

_SIMPLE = {"Sigmoid": "Sigmoid", "Tanh": "Tanh", "Softsign": "Softsign"}


@from_onnx(*_SIMPLE)
def simple(tf: TF, x: Value) -> Any:
    assert tf.node is not None
    return tf.add(_SIMPLE[tf.node.op], carry(tf, x, FLOATS))


@from_onnx("Relu")
def relu(tf: TF, x: Value) -> Any:
    return tf.Relu(carry(tf, x, NUMBERS))


@from_onnx("Clip")
def clip(tf: TF, x: Value, low: Value, high: Value) -> Any:
    kind = tf.out.dtype
    x, low, high = together(tf, [x, scalar(tf, low), scalar(tf, high)], NUMBERS)
    if is_float(x.dtype) and low.data is not None and high.data is not None:
        bounds = float(low.numpy()), float(high.numpy())
        if bounds in ((0.0, 6.0), (0.0, np.inf)):
            return tf.Relu6(x) if bounds[1] == 6 else tf.Relu(x)
    least, most = (-np.inf, np.inf) if is_float(x.dtype) else (np.iinfo(kind).min, np.iinfo(kind).max)
    if low.data is None or low.numpy() > least:
        x = tf.Maximum(x, low)
    if high.data is None or high.numpy() < most:
        x = tf.Minimum(x, high)
    return x


@from_onnx("Elu")
def elu(tf: TF, x: Value, *, alpha: float = 1.0) -> Any:
    x = carry(tf, x, FLOATS)
    if alpha == 1:
        return tf.Elu(x)
    zero = constant(0, x.dtype)
    below = tf.Mul(tf.Elu(tf.Minimum(x, zero)), constant(alpha, x.dtype))
    return tf.SelectV2(tf.Less(x, zero), below, x)


@from_onnx("Selu")
def selu(tf: TF, x: Value, *, alpha: float = 1.6732631921768188, gamma: float = 1.0507010221481323) -> Any:
    """The kernel's factors are those of the paper."""
    if abs(alpha - 1.6732632423543772) > 1e-6 or abs(gamma - 1.0507009873554805) > 1e-6:
        raise Unsupported("factors of one's own")
    return tf.Selu(carry(tf, x, FLOATS))


@from_onnx("LeakyRelu")
def leaky_relu(tf: TF, x: Value, *, alpha: float = 0.01) -> Any:
    x = carry(tf, x, FLOATS)
    if not 0 <= alpha <= 1:  # the kernel takes the larger of x and alpha x
        zero = constant(0, x.dtype)
        return tf.SelectV2(tf.Less(x, zero), tf.Mul(x, constant(alpha, x.dtype)), x)
    return tf.LeakyRelu(x, alpha=alpha)


@from_onnx("Softmax", "LogSoftmax")
def softmax(tf: TF, x: Value, *, axis: int = -1) -> Any:
    """The kernel works along the last axis."""
    assert tf.node is not None
    n = rank(x)
    if not n:
        raise Unsupported("of a scalar")
    axis %= n
    perm = [k for k in range(n) if k != axis] + [axis]
    moved = transpose(tf, carry(tf, x, FLOATS), perm)
    return transpose(tf, tf.add(tf.node.op, moved), [perm.index(k) for k in range(n)])


@from_onnx("PRelu")
def prelu(tf: TF, x: Value, slope: Value) -> Any:
    """What is below zero times the slope, which is broadcast as ONNX does."""
    if not is_float(x.dtype):
        raise Unsupported(f"element type {x.dtype}")
    x, slope = together(tf, [x, slope], FLOATS)
    zero = constant(0, x.dtype)
    return tf.SelectV2(tf.Less(x, zero), tf.Mul(slope, x), x)
