"""Losses and measures of images, as functions in a model."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value
from ....ir.rules import Builder
from .common import axis_of, cast, i64, ints, number, rank, real, to_onnx

EPSILON = 1e-7


def _probabilities(op: Builder, x: Value) -> Any:
    return op.Clip(x, number(x, EPSILON), number(x, 1 - EPSILON))


@to_onnx("ops.binary_crossentropy")
def binary_crossentropy(op: Builder, target: Value, output: Value, *, from_logits: bool = False) -> Any:
    output = real(op, output)
    target = cast(op, target, output.dtype)
    one = number(output, 1)
    if from_logits:
        lost = op.Log(op.Add(op.Exp(op.Neg(op.Abs(output))), one))
        return op.Add(op.Sub(op.Relu(output), op.Mul(output, target)), lost)
    p = _probabilities(op, output)
    return op.Neg(op.Add(op.Mul(target, op.Log(p)), op.Mul(op.Sub(one, target), op.Log(op.Sub(one, p)))))


def _logarithms(op: Builder, output: Value, from_logits: bool, at: int) -> Any:
    if from_logits:
        return op.LogSoftmax(output, axis=at)
    return op.Log(_probabilities(op, op.Div(output, op.ReduceSum(output, ints([at]), keepdims=1))))


@to_onnx("ops.categorical_crossentropy")
def categorical_crossentropy(op: Builder, target: Value, output: Value, *, from_logits: bool = False,
                             axis: int = -1) -> Any:
    output = real(op, output)
    at = axis_of(output, axis)
    logarithms = _logarithms(op, output, from_logits, at)
    return op.Neg(op.ReduceSum(op.Mul(cast(op, target, output.dtype), logarithms), ints([at]), keepdims=0))


@to_onnx("ops.sparse_categorical_crossentropy")
def sparse_categorical_crossentropy(op: Builder, target: Value, output: Value, *, from_logits: bool = False,
                                    axis: int = -1) -> Any:
    output = real(op, output)
    at = axis_of(output, axis)
    if rank(target) == rank(output):
        target = op.Squeeze(target, ints([at]))
    logarithms = _logarithms(op, output, from_logits, at)
    return op.Neg(op.Squeeze(op.GatherElements(logarithms, op.Unsqueeze(i64(op, target), ints([at])), axis=at),
                             ints([at])))


@to_onnx("ops.psnr")
def psnr(op: Builder, a: Value, b: Value, *, max_val: float) -> Any:
    """The noise in decibels below the largest value."""
    away = op.Sub(a, b)
    mean = op.ReduceMean(op.Mul(away, away), ints(range(rank(away))), keepdims=0)
    return op.Sub(number(mean, 20 * np.log10(max_val)), op.Mul(op.Log(mean), number(mean, 10 / np.log(10))))
