"""Activation functions.  Source: tensorflow/core/kernels/relu_op_functor.h, softmax_op_functor.h, ..."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import one, to_onnx


@to_onnx("Relu")
def relu(op: Builder, x: Value) -> Any:
    return op.Relu(x) if x.dtype.kind != "i" and x.dtype.kind != "u" else op.Max(x, one(x, 0))


@to_onnx("Relu6")
def relu6(op: Builder, x: Value) -> Any:
    return op.Clip(x, one(x, 0), one(x, 6))


@to_onnx("LeakyRelu")
def leaky_relu(op: Builder, x: Value, *, alpha: float = 0.20000000298023224) -> Any:
    return op.LeakyRelu(x, alpha=alpha)


@to_onnx("Elu")
def elu(op: Builder, x: Value) -> Any:
    if x.dtype == np.float64:  # ONNX Runtime has the operator for float32 only, and so below
        return op.Where(op.Less(x, one(x, 0)), op.Sub(op.Exp(x), one(x)), x)
    return op.Elu(x, alpha=1.0)


@to_onnx("Selu")
def selu(op: Builder, x: Value) -> Any:
    if x.dtype == np.float64:
        low = op.Mul(one(x, 1.6732632423543772), op.Sub(op.Exp(x), one(x)))
        return op.Mul(one(x, 1.0507009873554805), op.Where(op.Less(x, one(x, 0)), low, x))
    return op.Selu(x)


@to_onnx("Sigmoid")
def sigmoid(op: Builder, x: Value) -> Any:
    return op.Sigmoid(x)


@to_onnx("Tanh")
def tanh(op: Builder, x: Value) -> Any:
    return op.Tanh(x)


@to_onnx("Softplus")
def softplus(op: Builder, x: Value) -> Any:
    return op.Softplus(x)


@to_onnx("Softsign")
def softsign(op: Builder, x: Value) -> Any:
    if x.dtype == np.float64:
        return op.Div(x, op.Add(op.Abs(x), one(x)))
    return op.Softsign(x)


@to_onnx("Softmax")
def softmax(op: Builder, x: Value) -> Any:
    return op.Softmax(x, axis=-1)


@to_onnx("LogSoftmax")
def log_softmax(op: Builder, x: Value) -> Any:
    return op.LogSoftmax(x, axis=-1)


@to_onnx("Prelu")
def prelu(op: Builder, x: Value, alpha: Value) -> Any:
    return op.Where(op.Less(x, one(x, 0)), op.Mul(x, alpha), x)


def function(op: Builder, x: Value, name: str, alpha: float = 0.2, slope: Value | None = None) -> Any:
    """The activation that Grappler and TensorFlow.js fuse into another operator, by its name."""
    if name in ("Linear", "LinearActivation", "Identity"):
        return x
    if name == "LeakyRelu":
        return op.LeakyRelu(x, alpha=alpha)
    if name == "Prelu" and slope is not None:
        return prelu(op, x, slope)
    if name == "GeluExact":
        return op.Gelu(x)
    if name == "GeluApproximate":
        return op.Gelu(x, approximate="tanh")
    table = {"Relu": relu, "Relu6": relu6, "Elu": elu, "Sigmoid": sigmoid, "Tanh": tanh, "Selu": selu}
    if name not in table:
        raise Unsupported(f"fused with {name}")
    return table[name](op, x)


