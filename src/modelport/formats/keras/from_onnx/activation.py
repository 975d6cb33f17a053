"""Activations as layers, normalisations along the last axis."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import F32, array, call, floating, from_onnx, rank

_NAMES = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Softsign": "softsign"}


@from_onnx(*_NAMES)
def named(k: Builder, x: Value) -> Any:
    assert k.node is not None
    floating(x)
    return k.Activation(x, activation=_NAMES[k.node.op], type=k.out)


@from_onnx("Gelu")
def gelu(k: Builder, x: Value, *, approximate: str = "none") -> Any:
    floating(x)
    if approximate == "none":
        return k.Activation(x, activation="gelu", type=k.out)
    return call(k, "gelu", x, approximate=True, type=k.out)


@from_onnx("LeakyRelu")
def leaky_relu(k: Builder, x: Value, *, alpha: float = 0.01) -> Any:
    floating(x)
    return k.LeakyReLU(x, negative_slope=alpha, type=k.out)


@from_onnx("Elu")
def elu(k: Builder, x: Value, *, alpha: float = 1.0) -> Any:
    floating(x)
    return k.ELU(x, alpha=alpha, type=k.out)


@from_onnx("HardSigmoid")
def hard_sigmoid(k: Builder, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    floating(x)
    if x.dtype == F32 and x.rank:
        line = k.Rescaling(x, scale=float(np.float32(alpha)), offset=float(np.float32(beta)))
        return k.ReLU(line, max_value=1.0, negative_slope=0.0, threshold=0.0, type=k.out)
    line = call(k, "add", call(k, "multiply", x, constant(alpha, x.dtype)), constant(beta, x.dtype))
    return call(k, "clip", line, x_min=0.0, x_max=1.0, type=k.out)


@from_onnx("Softmax", "LogSoftmax")
def softmax(k: Builder, x: Value, *, axis: int = -1) -> Any:
    assert k.node is not None
    floating(x)
    last = axis % rank(x)
    if rank(x) < 2:
        raise Unsupported("of a vector without a batch")
    if k.node.op == "Softmax":
        return k.Softmax(x, axis=-1 if last == rank(x) - 1 else last, type=k.out)
    return call(k, "log_softmax", x, axis=last, type=k.out)


@from_onnx("LayerNormalization")
def layer_normalization(k: Builder, x: Value, scale: Value, bias: Value | None = None, *, axis: int = -1,
                        epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    assert k.node is not None
    floating(x)
    gamma = array(scale)
    if len(k.node.outputs) > 1 or axis % rank(x) != rank(x) - 1 or gamma.ndim != 1 or rank(x) < 2 \
            or (bias is not None and array(bias).shape != gamma.shape) or not x.shape or x.shape[-1] != gamma.size:
        raise Unsupported("along several axes, or with the mean as an output")
    beta = bias if bias is not None else constant(np.zeros(gamma.shape, gamma.dtype))
    return k.LayerNormalization(x, scale, beta, axis=-1, epsilon=epsilon, center=True, scale=True, type=k.out)
