"""Activation functions, as layers, as attributes of layers and as operations."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import is_float
from .common import BOOL, axis_of, cast, generation, number, rank, real, to_onnx

SQRT1_2 = float(np.sqrt(0.5))


def hard_sigmoid(op: Builder, x: Value) -> Any:
    """Its slope was 0.2 before Keras 3, where it is 1/6."""
    return op.HardSigmoid(x, alpha=1 / 6 if generation(op) == 3 else 0.2, beta=0.5)


def softmax(op: Builder, x: Value) -> Any:
    return op.Softmax(x, axis=-1)


def log_sigmoid(op: Builder, x: Value) -> Any:
    return op.Neg(op.Softplus(op.Neg(x)))


def silu(op: Builder, x: Value) -> Any:
    return op.Mul(x, op.Sigmoid(x))


def hard_silu(op: Builder, x: Value) -> Any:
    return op.Mul(x, hard_sigmoid(op, x))


def clipped(op: Builder, x: Value, low: float, high: float) -> Any:
    return op.Clip(x, number(x, low), number(x, high))


def glu(op: Builder, x: Value, axis: int = -1) -> Any:
    a, b = op.add("Split", x, axis=axis_of(x, axis), num_outputs=2, outputs=2)
    return op.Mul(a, op.Sigmoid(b))


def sparse_plus(op: Builder, x: Value) -> Any:
    """0 up to -1, (x + 1)^2 / 4 up to 1, then x."""
    curve = op.Mul(op.Mul(op.Add(x, number(x, 1)), op.Add(x, number(x, 1))), number(x, 0.25))
    return op.Where(op.LessOrEqual(x, number(x, -1)), number(x, 0),
                    op.Where(op.Less(x, number(x, 1)), curve, x))


def sparsemax(op: Builder, x: Value, axis: int = -1) -> Any:
    """What exceeds a threshold that the sorted values give; the threshold is that of Keras, which sums the sums."""
    axis = axis_of(x, axis)
    size = op.Shape(x, start=axis, end=axis + 1)
    ordered, _ = op.add("TopK", x, size, axis=axis, outputs=2)
    sums = op.CumSum(ordered, np.int64(axis))
    steps = op.Range(np.int64(1), op.Add(op.Squeeze(size), np.int64(1)), np.int64(1))
    where = [1] * rank(x)
    where[axis] = -1
    k = cast(op, op.Reshape(steps, np.array(where, np.int64)), x.dtype)
    inside = op.Greater(op.Sub(ordered, op.Div(op.Sub(sums, number(x, 1)), k)), number(x, 0))
    count = op.ReduceSum(cast(op, inside, x.dtype), np.array([axis], np.int64), keepdims=1)
    total = op.ReduceSum(op.Where(inside, sums, number(x, 0)), np.array([axis], np.int64), keepdims=1)
    return op.Relu(op.Sub(x, op.Div(op.Sub(total, number(x, 1)), count)))


def squareplus(op: Builder, x: Value, b: float = 4) -> Any:
    return op.Mul(op.Add(x, op.Sqrt(op.Add(op.Mul(x, x), number(x, b)))), number(x, 0.5))


FUNCTIONS: dict[str, Callable[[Builder, Value], Any]] = {
    "linear": lambda op, x: x, "relu": lambda op, x: op.Relu(x), "relu6": lambda op, x: clipped(op, x, 0, 6),
    "sigmoid": lambda op, x: op.Sigmoid(x), "tanh": lambda op, x: op.Tanh(x), "softmax": softmax,
    "softplus": lambda op, x: op.Softplus(x), "softsign": lambda op, x: op.Softsign(x),
    "elu": lambda op, x: op.Elu(x), "selu": lambda op, x: op.Selu(x), "exponential": lambda op, x: op.Exp(x),
    "hard_sigmoid": hard_sigmoid, "gelu": lambda op, x: op.Gelu(x), "silu": silu, "swish": silu,
    "hard_silu": hard_silu, "hard_swish": hard_silu, "leaky_relu": lambda op, x: op.LeakyRelu(x, alpha=0.2),
    "mish": lambda op, x: op.Mul(x, op.Tanh(op.Softplus(x))), "log_softmax": lambda op, x: op.LogSoftmax(x, axis=-1),
    "log_sigmoid": log_sigmoid, "celu": lambda op, x: op.Celu(x, alpha=1.0), "glu": glu,
    "hard_tanh": lambda op, x: clipped(op, x, -1, 1), "hard_shrink": lambda op, x: op.Shrink(x, bias=0.0, lambd=0.5),
    "soft_shrink": lambda op, x: op.Shrink(x, bias=0.5, lambd=0.5), "tanh_shrink": lambda op, x: op.Sub(x, op.Tanh(x)),
    "squareplus": squareplus, "sparse_plus": sparse_plus, "sparsemax": sparsemax,
    "sparse_sigmoid": lambda op, x: clipped(op, op.Mul(op.Add(x, number(x, 1)), number(x, 0.5)), 0, 1),
}
"""The functions by their names in a configuration."""


def activated(op: Builder, x: Value, name: str) -> Any:
    """The activation function of that name, applied to ``x``."""
    if name not in FUNCTIONS:
        raise Unsupported(f"activation '{name}'")
    return FUNCTIONS[name](op, x)


@to_onnx("Activation")
def activation(op: Builder, x: Value, *, activation: str = "linear") -> Any:
    if activation in ("linear", "relu") and not is_float(x.dtype):
        return op.Identity(x) if activation == "linear" else op.Max(x, number(x, 0))
    return activated(op, real(op, x), activation)


@to_onnx("ReLU", "ops.relu6", "ops.relu")
def relu(op: Builder, x: Value, *, max_value: float | None = None, negative_slope: float = 0.0,
         threshold: float = 0.0) -> Any:
    assert op.node is not None
    if op.node.op == "ops.relu6":
        max_value = 6.0
    if not is_float(x.dtype):
        if max_value is None and not negative_slope and not threshold:
            return op.Max(x, number(x, 0))
        x = real(op, x)
    if threshold == 0:
        if negative_slope:
            y = op.LeakyRelu(x, alpha=negative_slope)
            return y if max_value is None else op.Min(y, number(x, max_value))
        return op.Relu(x) if max_value is None else clipped(op, x, 0, max_value)
    above = x if max_value is None else op.Min(x, number(x, max_value))
    below = op.Mul(op.Sub(x, number(x, threshold)), number(x, negative_slope)) if negative_slope else number(x, 0)
    return op.Where(op.Greater(x, number(x, threshold)), above, below)


@to_onnx("LeakyReLU")
def leaky_relu(op: Builder, x: Value, *, alpha: float | None = None, negative_slope: float | None = None) -> Any:
    slope = negative_slope if negative_slope is not None else alpha if alpha is not None else 0.3
    return op.LeakyRelu(real(op, x), alpha=float(slope))


@to_onnx("ELU", "ops.elu")
def elu(op: Builder, x: Value, *, alpha: float = 1.0) -> Any:
    return op.Elu(real(op, x), alpha=float(alpha))


@to_onnx("ThresholdedReLU")
def thresholded_relu(op: Builder, x: Value, *, theta: float = 1.0) -> Any:
    return op.ThresholdedRelu(real(op, x), alpha=float(theta))


@to_onnx("PReLU")
def prelu(op: Builder, x: Value, alpha: Value, *, shared_axes: Any = None) -> Any:
    return op.PRelu(x, alpha)


def masked(op: Builder, x: Value, mask: Value, added: bool = False) -> Any:
    """Scores of which those that are masked count for nothing: a large negative number in their place, or (in the older
    generation) added to them."""
    half = x.dtype == np.float16
    if added:
        away = op.Sub(number(x, 1), cast(op, mask, x.dtype))
        return op.Add(x, op.Mul(away, number(x, float(np.finfo(np.float16).min) if half else -1e9)))
    kept = mask if mask.dtype == BOOL else op.Greater(mask, number(mask, 0.5))
    return op.Where(kept, x, number(x, -3e4 if half else -1e9))


@to_onnx("Softmax")
def softmax_layer(op: Builder, x: Value, mask: Value | None = None, *, axis: Any = -1,
                  robust_masking: bool = False) -> Any:
    x = real(op, x)
    if mask is not None:
        x = masked(op, x, mask, added=generation(op) < 3 and not robust_masking)
    if isinstance(axis, (list, tuple)):
        if len(axis) == 1:
            axis = axis[0]
        else:
            axes = np.array([axis_of(x, a) for a in axis], np.int64)
            return op.Exp(op.Sub(x, op.ReduceLogSumExp(x, axes, keepdims=1)))
    return op.Softmax(x, axis=axis_of(x, axis))


def _operation(name: str) -> None:
    @to_onnx(f"ops.{name}")
    def rule(op: Builder, x: Value) -> Any:
        return activated(op, real(op, x), name)
    rule.__name__ = name


for _name in ("sigmoid", "tanh", "softplus", "softsign", "selu", "silu", "log_sigmoid", "hard_sigmoid", "hard_silu",
              "hard_tanh", "tanh_shrink", "sparse_plus", "sparse_sigmoid"):
    _operation(_name)


@to_onnx("ops.softmax", "ops.log_softmax", "ops.sparsemax")
def softmax_operation(op: Builder, x: Value, *, axis: Any = -1) -> Any:
    assert op.node is not None
    x, name = real(op, x), op.node.op
    if axis is None and name != "ops.sparsemax":
        axis = list(range(rank(x))) if generation(op) == 3 else -1
    if isinstance(axis, (list, tuple)):
        axes = np.array([axis_of(x, a) for a in axis], np.int64)
        y = op.Sub(x, op.ReduceLogSumExp(x, axes, keepdims=1))
        return op.Exp(y) if name == "ops.softmax" else y
    if name == "ops.sparsemax":
        return sparsemax(op, x, axis)
    return op.Softmax(x, axis=axis_of(x, axis)) if name == "ops.softmax" else op.LogSoftmax(x, axis=axis_of(x, axis))


@to_onnx("ops.leaky_relu")
def leaky_relu_operation(op: Builder, x: Value, *, negative_slope: float = 0.2) -> Any:
    return op.LeakyRelu(real(op, x), alpha=float(negative_slope))


@to_onnx("ops.gelu")
def gelu(op: Builder, x: Value, *, approximate: bool | None = None) -> Any:
    if approximate is None:
        approximate = generation(op) == 3  # keras.ops approximates by default, tf.nn does not
    return op.Gelu(real(op, x), approximate="tanh" if approximate else "none")


@to_onnx("ops.celu")
def celu(op: Builder, x: Value, *, alpha: float = 1.0) -> Any:
    return op.Celu(real(op, x), alpha=float(alpha))


@to_onnx("ops.glu")
def glu_operation(op: Builder, x: Value, *, axis: int = -1) -> Any:
    return glu(op, x, axis)


@to_onnx("ops.soft_shrink", "ops.hard_shrink")
def shrink(op: Builder, x: Value, *, threshold: float = 0.5) -> Any:
    assert op.node is not None
    return op.Shrink(real(op, x), bias=float(threshold) if op.node.op == "ops.soft_shrink" else 0.0,
                     lambd=float(threshold))


@to_onnx("ops.threshold")
def threshold(op: Builder, x: Value, *, threshold: float, default_value: float) -> Any:
    return op.Where(op.Greater(x, number(x, threshold)), x, number(x, default_value))


@to_onnx("ops.squareplus")
def squareplus_operation(op: Builder, x: Value, *, b: float = 4) -> Any:
    return squareplus(op, real(op, x), b)
