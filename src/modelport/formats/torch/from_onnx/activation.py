"""Activation functions."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import Type
from .common import FLOATS, INTS, At, from_onnx, held, rank, reshape, scalar
from .math import _kept


@from_onnx("Clip")
def clip(at: At, x: Value, low: Value | None = None, high: Value | None = None) -> Any:
    held([x])
    bounds = []
    for v, end in ((low, "min"), (high, "max")):
        k = scalar(v)
        nothing = {"min": -np.inf, "max": np.inf}[end] if x.dtype in FLOATS else getattr(np.iinfo(x.dtype), end)
        bounds.append(None if v is None or k == nothing else k if k is not None and _kept(k) else v)
    if any(isinstance(b, Value) for b in bounds):
        for b, name, number in zip(bounds, ("maximum", "minimum"), ("clamp_min", "clamp_max"), strict=True):
            if b is not None:
                x = at(name, x, reshape(at, b, ()), type=x.type) if isinstance(b, Value) else \
                    at(number, x, b, type=x.type)
        return x
    if bounds == [None, None]:
        return x
    if bounds == [0, None]:
        return at.relu(x, type=x.type)
    return at.clamp(x, *bounds, type=x.type)


@from_onnx("Elu")
def elu(at: At, x: Value, *, alpha: float = 1.0) -> Any:
    held([x], FLOATS)
    return at.elu(x, float(alpha), type=x.type) if alpha != 1 else at.elu(x, type=x.type)


@from_onnx("Celu")
def celu(at: At, x: Value, *, alpha: float = 1.0) -> Any:
    held([x], FLOATS)
    return at.celu(x, float(alpha), type=x.type)


@from_onnx("Selu")
def selu(at: At, x: Value, *, alpha: float = 1.6732631921768188, gamma: float = 1.0507010221481323) -> Any:
    """The kernel's factors are those of the paper."""
    held([x], FLOATS)
    if abs(alpha - 1.6732632423543772) > 1e-6 or abs(gamma - 1.0507009873554805) > 1e-6:
        raise Unsupported("factors of one's own")
    return at.selu(x, type=x.type)


@from_onnx("LeakyRelu")
def leaky_relu(at: At, x: Value, *, alpha: float = 0.01) -> Any:
    held([x], FLOATS)
    return at.leaky_relu(x, _short(alpha), type=x.type)


def _short(k: float) -> float:
    """A number of 32 bits by its shortest digits, which PyTorch rounds to the same."""
    short = float(str(np.float32(k)))
    return short if np.float32(short) == np.float32(k) else float(k)


@from_onnx("ThresholdedRelu")
def thresholded(at: At, x: Value, *, alpha: float = 1.0) -> Any:
    held([x], FLOATS)
    return at.threshold(x, _short(alpha), 0.0, type=x.type)


@from_onnx("HardSigmoid")
def hard_sigmoid(at: At, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    held([x], FLOATS)
    if np.float32(alpha) == np.float32(1 / 6) and beta == 0.5 and x.dtype == np.float32:
        return at.hardsigmoid(x, type=x.type)
    y = at("add.Tensor", at("mul.Tensor", x, _short(alpha), type=x.type), _short(beta), type=x.type)
    return at.clamp(y, 0.0, 1.0, type=x.type)


@from_onnx("Softplus")
def softplus(at: At, x: Value) -> Any:
    """The kernel gives x itself from 20 on, where they are the same in 32 bits."""
    held([x], FLOATS)
    if x.dtype == np.float64:
        raise Unsupported("element type float64")
    return at.softplus(x, type=x.type)


@from_onnx("Softsign")
def softsign(at: At, x: Value) -> Any:
    held([x], FLOATS)
    below = at("add.Tensor", at.abs(x, type=x.type), 1.0, type=x.type)
    return at("div.Tensor", x, below, type=x.type)


@from_onnx("Gelu")
def gelu(at: At, x: Value, *, approximate: str = "none") -> Any:
    held([x], FLOATS)
    if approximate == "none":
        return at.gelu(x, type=x.type)
    return at.gelu(x, approximate=approximate, type=x.type)


@from_onnx("Swish")
def swish(at: At, x: Value, *, alpha: float = 1.0) -> Any:
    held([x], FLOATS)
    if alpha != 1:
        raise Unsupported("a factor of one's own")
    return at.silu(x, type=x.type)


@from_onnx("torch.Silu")
def silu(at: At, x: Value) -> Any:
    """A value times its sigmoid (:mod:`..lower`)."""
    held([x], FLOATS)
    return at.silu(x, type=x.type)


@from_onnx("PRelu")
def prelu(at: At, x: Value, slope: Value) -> Any:
    """What is below zero times the slope; one slope for each channel is PyTorch's own."""
    held([x, slope], FLOATS | INTS)
    n = rank(x)
    if slope.data is not None and slope.shape is not None and x.dtype in FLOATS and n >= 2:
        own = [d for d in slope.shape if d != 1]
        place = n - len(slope.shape)
        if not own or (len(own) == 1 and place + slope.shape.index(own[0]) == 1 and x.shape is not None
                       and x.shape[1] == own[0]):
            return at.prelu(x, reshape(at, slope, [-1 if not own else int(own[0] or 0)] if own else [1]), type=x.type)
    below = at("lt.Scalar", x, 0, type=Type(np.dtype("?"), x.shape))
    return at("where.self", below, at("mul.Tensor", slope, x, type=x.type), x, type=at.out)


@from_onnx("Softmax", "LogSoftmax")
def softmax(at: At, x: Value, *, axis: int = -1) -> Any:
    assert at.node is not None
    held([x], FLOATS)
    if not rank(x):
        raise Unsupported("of a scalar")
    axis = axis % rank(x)
    last = -1 if axis == rank(x) - 1 else axis
    return at("softmax.int" if at.node.op == "Softmax" else "log_softmax.int", x, last, type=x.type)


@from_onnx("Identity")
def identity(at: At, x: Value) -> Any:
    return x


@from_onnx("Dropout")
def dropout(at: At, x: Value, ratio: Value | None = None, training: Value | None = None, *,
            seed: int | None = None) -> Any:
    assert at.node is not None
    if len(at.node.outputs) > 1 or (training is not None and (training.data is None or training.numpy().any())):
        raise Unsupported("in training")
    return x


@from_onnx("Shrink")
def shrink(at: At, x: Value, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    held([x])
    zero = constant(0, x.dtype)
    if x.dtype in INTS and float(bias) != int(bias):
        raise Unsupported("integers and a bias that is none")
    shift = float(bias) if x.dtype in FLOATS else int(bias)
    up = at("add.Tensor", x, shift, type=x.type)
    down = at("sub.Tensor", x, shift, type=x.type)
    kind = Type(np.dtype("?"), x.shape)
    over = at("where.self", at("gt.Scalar", x, float(lambd), type=kind), down, zero, type=x.type)
    return at("where.self", at("lt.Scalar", x, -float(lambd), type=kind), up, over, type=x.type)
