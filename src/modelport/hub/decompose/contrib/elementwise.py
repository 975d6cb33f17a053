"""Gelu in its variants, biases and the like."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .table import contrib, like


@contrib("Gelu")
def gelu(op: Builder, x: Value) -> Any:
    return op.Gelu(x)


@contrib("BiasGelu")
def bias_gelu(op: Builder, x: Value, bias: Value) -> Any:
    return op.Gelu(op.Add(x, bias))


@contrib("FastGelu")
def fast_gelu(op: Builder, x: Value, bias: Value | None = None) -> Any:
    """The tanh form."""
    return op.Gelu(x if bias is None else op.Add(x, bias), approximate="tanh")


@contrib("QuickGelu")
def quick_gelu(op: Builder, x: Value, *, alpha: float = 1.702) -> Any:
    """``x sigmoid(alpha x)``."""
    return op.Mul(x, op.Sigmoid(op.Mul(x, like(alpha, x)) if alpha != 1 else x))


@contrib("BiasAdd")
def bias_add(op: Builder, x: Value, bias: Value, skip: Value) -> Any:
    return op.Add(op.Add(x, bias), skip)


@contrib("BiasSplitGelu")
def bias_split_gelu(op: Builder, x: Value, bias: Value) -> Any:
    """The last axis in halves: the first times Gelu of the second."""
    left, right = op.Split(op.Add(x, bias), axis=-1, num_outputs=2, outputs=2)
    return op.Mul(left, op.Gelu(right))


@contrib("BiasDropout")
def bias_dropout(op: Builder, x: Value, bias: Value, residual: Value | None = None, ratio: Value | None = None,
                 training_mode: Value | None = None, *, seed: int = 0) -> Any:
    if training_mode is not None and (training_mode.data is None or bool(training_mode.numpy())):
        raise Unsupported("training mode")
    y = op.Add(x, bias)
    if residual is not None:
        y = op.Add(y, residual)
    assert op.node is not None
    if len(op.node.outputs) == 1:
        return y
    return y, op.Expand(np.array(True), op.Shape(y))


@contrib("BiasSoftmax")
def bias_softmax(op: Builder, x: Value, bias: Value, *, is_inner_broadcast: int, axis: int = 1) -> Any:
    if x.rank is None or axis % x.rank != x.rank - 1 or (not is_inner_broadcast and bias.rank != x.rank):
        raise Unsupported("an axis other than the last")
    return op.Softmax(op.Add(x, bias), axis=-1)
