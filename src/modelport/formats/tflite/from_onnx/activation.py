"""Activation functions."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ...writing import rank
from .common import F32, NONE, carry, from_onnx, reshape, together, transpose


@from_onnx("Relu")
def relu(tfl: Builder, x: Value) -> Any:
    x = carry(tfl, x, "f4 i4 i8")
    return tfl.RELU(x) if x.dtype == F32 else tfl.MAXIMUM(x, constant(0, x.dtype))


@from_onnx("Sigmoid")
def sigmoid(tfl: Builder, x: Value) -> Any:
    return tfl.LOGISTIC(carry(tfl, x, "f4"))


@from_onnx("Tanh")
def tanh(tfl: Builder, x: Value) -> Any:
    return tfl.TANH(carry(tfl, x, "f4"))


@from_onnx("Clip")
def clip(tfl: Builder, x: Value, low: Value, high: Value) -> Any:
    """Bounds come first: the kernel gives back its second input where one of the two is no number."""
    kind = x.dtype
    x, low, high = (reshape(tfl, v, ()) if v.type.size == 1 and v is not x and rank(v) else v
                    for v in together(tfl, [x, low, high], "f4 i4 i8"))
    if x.dtype == F32 and low.data is not None and high.data is not None:
        bounds = float(low.numpy()), float(high.numpy())
        name = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1", (0.0, np.inf): "RELU"}.get(bounds)
        if name:
            return tfl.add(name, x)
    least, most = (-np.inf, np.inf) if x.dtype == F32 else (np.iinfo(kind).min, np.iinfo(kind).max)
    if low.data is None or low.numpy() > least:
        x = tfl.MAXIMUM(low, x)
    if high.data is None or high.numpy() < most:
        x = tfl.MINIMUM(high, x)
    return x


@from_onnx("Elu")
def elu(tfl: Builder, x: Value, *, alpha: float = 1.0) -> Any:
    x = carry(tfl, x, "f4")
    if alpha == 1:
        return tfl.ELU(x)
    below = tfl.MUL(tfl.ELU(tfl.MINIMUM(constant(0, F32), x)), constant(alpha, F32), **NONE)
    return tfl.ADD(tfl.RELU(x), below, **NONE)


@from_onnx("HardSwish")
def hard_swish(tfl: Builder, x: Value) -> Any:
    return tfl.HARD_SWISH(carry(tfl, x, "f4"))


@from_onnx("LeakyRelu")
def leaky_relu(tfl: Builder, x: Value, *, alpha: float = 0.01) -> Any:
    return tfl.LEAKY_RELU(carry(tfl, x, "f4"), alpha=alpha)


@from_onnx("Gelu")
def gelu(tfl: Builder, x: Value, *, approximate: str = "none") -> Any:
    return tfl.GELU(carry(tfl, x, "f4"), approximate=approximate == "tanh")


@from_onnx("Softmax", "LogSoftmax")
def softmax(tfl: Builder, x: Value, *, axis: int = -1) -> Any:
    """The kernel works along the last axis."""
    assert tfl.node is not None
    n = rank(x, 6)  # XNNPACK fails on more
    axis %= n
    perm = [k for k in range(n) if k != axis] + [axis]
    moved = transpose(tfl, carry(tfl, x, "f4"), perm)
    y = tfl.SOFTMAX(moved, beta=1.0) if tfl.node.op == "Softmax" else tfl.LOG_SOFTMAX(moved)
    return transpose(tfl, y, [perm.index(k) for k in range(n)])


@from_onnx("PRelu")
def prelu(tfl: Builder, x: Value, slope: Value) -> Any:
    """The kernel's alpha lacks the first axis."""
    if slope.data is not None and slope.shape is not None and len(slope.shape) <= rank(x) and (
            len(slope.shape) < rank(x) or slope.shape[0] == 1):
        array = static(slope)
        array = array.reshape((1,) * (rank(x) - array.ndim) + array.shape)[0] if rank(x) > 1 else array
        return tfl.PRELU(x, constant(array))
    return tfl.ADD(tfl.RELU(x), tfl.MUL(slope, tfl.MINIMUM(x, constant(0, F32)), **NONE), **NONE)
