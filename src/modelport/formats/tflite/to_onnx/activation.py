"""Activation functions.  Source: tensorflow/lite/kernels/activations.cc, elementwise.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import activation, to_onnx


@to_onnx("RELU", "RELU6", "RELU_N1_TO_1")
def relu(op: Builder, x: Value) -> Any:
    assert op.node is not None
    return activation(op, x, op.node.op)


@to_onnx("RELU_0_TO_1")
def relu_0_to_1(op: Builder, x: Value) -> Any:
    return op.Clip(x, constant(0, x.dtype), constant(1, x.dtype))


@to_onnx("LOGISTIC")
def logistic(op: Builder, x: Value) -> Any:
    return op.Sigmoid(x)


@to_onnx("TANH")
def tanh(op: Builder, x: Value) -> Any:
    return op.Tanh(x)


@to_onnx("ELU")
def elu(op: Builder, x: Value) -> Any:
    return op.Elu(x, alpha=1.0)


@to_onnx("HARD_SWISH")
def hard_swish(op: Builder, x: Value) -> Any:
    return op.HardSwish(x)


@to_onnx("LEAKY_RELU")
def leaky_relu(op: Builder, x: Value, *, alpha: float = 0.0) -> Any:
    return op.LeakyRelu(x, alpha=alpha)


@to_onnx("PRELU")
def prelu(op: Builder, x: Value, alpha: Value) -> Any:
    return op.PRelu(x, alpha)


@to_onnx("GELU")
def gelu(op: Builder, x: Value, *, approximate: bool = False) -> Any:
    return op.Gelu(x, approximate="tanh" if approximate else "none")


@to_onnx("SOFTMAX")
def softmax(op: Builder, x: Value, *, beta: float = 0.0) -> Any:
    return op.Softmax(x if beta == 1 else op.Mul(x, np.float32(beta)), axis=-1)


@to_onnx("LOG_SOFTMAX")
def log_softmax(op: Builder, x: Value) -> Any:
    return op.LogSoftmax(x, axis=-1)
