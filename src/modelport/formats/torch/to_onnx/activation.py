"""Activations.  Source: torch.nn.functional, and the kernels of aten/src/ATen/native/Activation.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..machine import aten
from ..values import axis_of, rank, tensor
from .math import number


@aten("relu")
def relu(op: Builder, self: Value) -> Any:
    return op.Relu(self)


@aten("relu6")
def relu6(op: Builder, self: Value) -> Any:
    return op.Clip(self, number(self, 0), number(self, 6))


@aten("sigmoid", "special_expit")
def sigmoid(op: Builder, self: Value) -> Any:
    return op.Sigmoid(self)


@aten("silu")
def silu(op: Builder, self: Value) -> Any:
    return op.Mul(self, op.Sigmoid(self))


@aten("gelu")
def gelu(op: Builder, self: Value, approximate: str = "none") -> Any:
    return op.Gelu(self, approximate=approximate)


@aten("mish")
def mish(op: Builder, self: Value) -> Any:
    return op.Mul(self, op.Tanh(softplus(op, self)))


@aten("softplus")
def softplus(op: Builder, self: Value, beta: float = 1, threshold: float = 20) -> Any:
    """The line where ``beta * x`` is above the threshold."""
    x = self if beta == 1 else op.Mul(self, number(self, beta))
    soft = op.Softplus(x)
    out = op.Where(op.Greater(x, number(self, threshold)), x, soft)
    return out if beta == 1 else op.Div(out, number(self, beta))


@aten("log_sigmoid", "log_sigmoid_forward")
def log_sigmoid(op: Builder, self: Value) -> Any:
    """min(x, 0) - log(1 + exp(-|x|)), which nothing overflows."""
    return op.Sub(op.Min(self, number(self, 0)), op.Softplus(op.Neg(op.Abs(self))))


@aten("hardtanh")
def hardtanh(op: Builder, self: Value, min_val: float = -1, max_val: float = 1) -> Any:
    return op.Clip(self, number(self, min_val), number(self, max_val))


@aten("hardsigmoid")
def hardsigmoid(op: Builder, self: Value) -> Any:
    """min(max(x + 3, 0), 6) / 6."""
    return op.HardSigmoid(self, alpha=1 / 6, beta=0.5)


@aten("hardswish")
def hardswish(op: Builder, self: Value) -> Any:
    return op.HardSwish(self)


@aten("leaky_relu")
def leaky_relu(op: Builder, self: Value, negative_slope: float = 0.01) -> Any:
    return op.LeakyRelu(self, alpha=negative_slope)


@aten("elu")
def elu(op: Builder, self: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    """scale * x above zero, else scale * alpha * (exp(input_scale * x) - 1)."""
    if scale == 1 and input_scale == 1:
        return op.Elu(self, alpha=alpha)
    low = op.Elu(op.Mul(op.Min(self, number(self, 0)), number(self, input_scale)), alpha=alpha)
    return op.Mul(op.Add(op.Relu(self), low), number(self, scale))


@aten("celu")
def celu(op: Builder, self: Value, alpha: float = 1) -> Any:
    return op.Celu(self, alpha=alpha)


@aten("selu")
def selu(op: Builder, self: Value) -> Any:
    return op.Selu(self, alpha=1.6732632423543772848170429916717, gamma=1.0507009873554804934193349852946)


@aten("prelu", "_prelu_kernel")
def prelu(op: Builder, self: Value, weight: Value) -> Any:
    """One slope a channel, the second axis, or one for all."""
    if weight.rank == 1 and weight.shape != (1,) and rank(self) > 2:
        weight = op.Reshape(weight, np.array([-1] + [1] * (rank(self) - 2)))
    return op.PRelu(self, weight)


@aten("threshold")
def threshold(op: Builder, self: Value, threshold: float, value: float) -> Any:
    return op.Where(op.Greater(self, number(self, threshold)), self, number(self, value))


@aten("hardshrink")
def hardshrink(op: Builder, self: Value, lambd: float = 0.5) -> Any:
    return op.Where(op.LessOrEqual(op.Abs(self), number(self, lambd)), number(self, 0), self)


@aten("softshrink")
def softshrink(op: Builder, self: Value, lambd: float = 0.5) -> Any:
    return op.Shrink(self, lambd=lambd, bias=lambd)


@aten("softsign")
def softsign(op: Builder, self: Value) -> Any:
    return op.Softsign(self)


@aten("glu")
def glu(op: Builder, self: Value, dim: int = -1) -> Any:
    a, b = op.add("Split", self, outputs=2, axis=axis_of(self, dim), num_outputs=2)
    return op.Mul(a, op.Sigmoid(b))


@aten("softmax", "_softmax", "special_softmax")
def softmax(op: Builder, self: Value, dim: int, dtype: Any = None, **half: Any) -> Any:
    x = self if dtype is None or isinstance(dtype, bool) else tensor(op, self, _dtype(dtype))
    return op.Softmax(x, axis=axis_of(x, dim)) if rank(x) else op.Exp(op.Sub(x, x))


@aten("log_softmax", "_log_softmax", "special_log_softmax")
def log_softmax(op: Builder, self: Value, dim: int, dtype: Any = None, **half: Any) -> Any:
    x = self if dtype is None or isinstance(dtype, bool) else tensor(op, self, _dtype(dtype))
    return op.LogSoftmax(x, axis=axis_of(x, dim)) if rank(x) else op.Sub(x, x)


@aten("softmin")
def softmin(op: Builder, self: Value, dim: int, dtype: Any = None) -> Any:
    return softmax(op, op.Neg(self), dim, dtype)


@aten("logit", "special_logit")
def logit(op: Builder, self: Value, eps: float | None = None) -> Any:
    x = self if eps is None else op.Clip(self, number(self, eps), number(self, 1 - eps))
    return op.Log(op.Div(x, op.Sub(number(x, 1), x)))


@aten("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout")
def dropout(op: Builder, input: Value, p: float = 0.5, train: bool = False) -> Any:
    if train and p:
        raise Unsupported("dropout as in training; export the model after model.eval()")
    return input


@aten("rrelu")
def rrelu(op: Builder, self: Value, lower: float = 0.125, upper: float = 1 / 3, training: bool = False) -> Any:
    if training:
        raise Unsupported("rrelu as in training; export the model after model.eval()")
    return op.LeakyRelu(self, alpha=(lower + upper) / 2)


def _dtype(dtype: Any) -> Any:
    from ..elements import of_any
    return of_any(dtype)
