"""Operations over axes: sums, means, extremes, sorting, losses."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import BOOL, I32, I64, axes_of, axis_of, cast, generation, i64, ints, number, rank, real, to_onnx


@to_onnx("ops.mean")
def mean(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    return op.ReduceMean(real(op, x), ints(axes_of(x, axis)), keepdims=int(bool(keepdims)))


@to_onnx("ops.sum")
def sum_(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    if x.dtype == BOOL:
        x = cast(op, x, I32)
    return op.ReduceSum(x, ints(axes_of(x, axis)), keepdims=int(bool(keepdims)))


@to_onnx("ops.prod")
def prod(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    if dtype is not None:
        raise Unsupported(f"dtype {dtype}")
    return op.ReduceProd(x, ints(axes_of(x, axis)), keepdims=int(bool(keepdims)))


@to_onnx("ops.max", "ops.min", "ops.amax", "ops.amin")
def extreme(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    assert op.node is not None
    kind = "Max" if op.node.op.endswith("max") else "Min"
    y = op.add(f"Reduce{kind}", x, ints(axes_of(x, axis)), keepdims=int(bool(keepdims)))
    return y if initial is None else op.add(kind, y, number(y, initial))


@to_onnx("ops.any", "ops.all")
def quantifier(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    assert op.node is not None
    bits = cast(op, x if x.dtype == BOOL else cast(op, x, BOOL), I32)
    name = "ReduceMax" if op.node.op == "ops.any" else "ReduceMin"
    return cast(op, op.add(name, bits, ints(axes_of(x, axis)), keepdims=int(bool(keepdims))), BOOL)


def _variance(op: Builder, x: Value, axis: Any, keepdims: bool) -> Any:
    axes = ints(axes_of(x, axis))
    away = op.Sub(x, op.ReduceMean(x, axes, keepdims=1))
    return op.ReduceMean(op.Mul(away, away), axes, keepdims=int(bool(keepdims)))


@to_onnx("ops.var")
def var(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _variance(op, real(op, x), axis, keepdims)


@to_onnx("ops.std")
def std(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    return op.Sqrt(_variance(op, real(op, x), axis, keepdims))


@to_onnx("ops.moments")
def moments(op: Builder, x: Value, *, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    return (op.ReduceMean(x, ints(axes_of(x, axes)), keepdims=int(bool(keepdims))),
            _variance(op, x, axes, keepdims))


@to_onnx("ops.logsumexp")
def logsumexp(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    return op.ReduceLogSumExp(real(op, x), ints(axes_of(x, axis)), keepdims=int(bool(keepdims)))


@to_onnx("ops.norm")
def norm(op: Builder, x: Value, *, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    axes = axes_of(x, axis)
    if ord not in (None, 2, "euclidean", "fro", 1) or (ord in (1, 2) and len(axes) != 1):
        raise Unsupported(f"the norm {ord} over {len(axes)} axes")
    return op.add("ReduceL1" if ord == 1 else "ReduceL2", real(op, x), ints(axes), keepdims=int(bool(keepdims)))


@to_onnx("ops.argmax", "ops.argmin")
def arg_extreme(op: Builder, x: Value, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The first of equals; of whole numbers of 32 bits in Keras 3, of 64 in TensorFlow's function."""
    assert op.node is not None
    n = rank(x)
    if axis is None and generation(op) == 3:
        flat = op.Reshape(x, ints([-1]))
        y = op.add("ArgMax" if op.node.op == "ops.argmax" else "ArgMin", flat, axis=0, keepdims=0)
        y = op.Reshape(y, ints([1] * n)) if keepdims else y
    else:
        y = op.add("ArgMax" if op.node.op == "ops.argmax" else "ArgMin", x, axis=axis_of(x, axis or 0),
                   keepdims=int(bool(keepdims)))
    return cast(op, y, I32 if generation(op) == 3 else I64)


@to_onnx("ops.top_k")
def top_k(op: Builder, x: Value, *, k: int, sorted: bool = True) -> Any:
    values, indices = op.add("TopK", x, ints([k]), axis=rank(x) - 1, outputs=2)
    return values, cast(op, indices, I32)


@to_onnx("ops.sort", "ops.argsort")
def sort(op: Builder, x: Value, *, axis: Any = -1) -> Any:
    assert op.node is not None
    if axis is None:
        x, axis = op.Reshape(x, ints([-1])), 0
    at = axis_of(x, axis)
    values, indices = op.add("TopK", x, op.Shape(x, start=at, end=at + 1), axis=at, largest=0, outputs=2)
    return values if op.node.op == "ops.sort" else cast(op, indices, I32)


@to_onnx("ops.count_nonzero")
def count_nonzero(op: Builder, x: Value, *, axis: Any = None) -> Any:
    bits = cast(op, cast(op, x, BOOL), I32)
    return op.ReduceSum(bits, ints(axes_of(x, axis)), keepdims=0)


@to_onnx("ops.average")
def average(op: Builder, x: Value, weights: Value | None = None, *, axis: Any = None) -> Any:
    axes = axes_of(x, axis)
    x = real(op, x)
    if weights is None:
        return op.ReduceMean(x, ints(axes), keepdims=0)
    w = cast(op, weights, x.dtype)
    if rank(w) != rank(x):
        if rank(w) != 1 or len(axes) != 1:
            raise Unsupported("weights of another shape")
        shape = [1] * rank(x)
        shape[axes[0]] = -1
        w = op.Reshape(w, ints(shape))
    w = op.Expand(w, op.Shape(x))
    return op.Div(op.ReduceSum(op.Mul(x, w), ints(axes), keepdims=0), op.ReduceSum(w, ints(axes), keepdims=0))


# -- losses and measures, as functions in a model


def _probabilities(op: Builder, x: Value) -> Any:
    """Neither 0 nor 1, by as much as keras.backend.epsilon() says."""
    return op.Clip(x, number(x, 1e-7), number(x, 1 - 1e-7))


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
