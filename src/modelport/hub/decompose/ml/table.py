"""The table that the families fill, and what they share."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder, Rules
from ....ir.tensor import Array, Tensor
from ....ir.types import STRING, is_float

rules = Rules("ai.onnx.ml operators", "tensor operators")
FLOAT, INT32, INT64, BOOL, DOUBLE = 1, 6, 7, 9, 11
"""Element types by ONNX's numbers."""


def ml(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a rule for operators of the domain."""
    return rules(*("ai.onnx.ml." + n for n in names))


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def f32(value: Any) -> Array:
    """Attributes of this domain are numbers of 32 bits."""
    return np.asarray(value, np.float32)


def rows(op: Builder, x: Value) -> Value:
    """``x`` as (batch, features): a single vector is a batch of one."""
    if x.rank == 2:
        return x
    if x.rank == 1:
        return op.Unsqueeze(x, ints(0))
    raise Unsupported("an input of unknown rank" if x.rank is None else f"an input of {x.rank} axes")


def as_float(op: Builder, x: Value) -> Value:
    return x if x.dtype == np.float32 else op.Cast(x, to=FLOAT)


def no_text(*what: Any) -> None:
    """Refuses labels, keys and categories that are text."""
    if any(w is not None and len(w) for w in what):
        raise Unsupported("text, which tensor operators can't make or look up")


def no_text_in(x: Value) -> None:
    if x.dtype == STRING:
        raise Unsupported("text, which tensor operators can't make or look up")


def array(values: Sequence[float] | None, tensor: Tensor | None) -> Array | None:
    """An attribute that is given as 32-bit numbers or, in another precision, as a tensor."""
    if tensor is not None and tensor.type.size:
        return tensor.numpy().ravel()
    return None if values is None or not len(values) else f32(values)


def post_transform(op: Builder, z: Value, name: str) -> Value:
    """What ``post_transform`` asks for, of scores (batch, n).  Source: ml_common.h of ONNX Runtime."""
    if name == "NONE":
        return z
    if not is_float(z.dtype):
        raise Unsupported(f"post_transform '{name}' of {z.dtype}")
    if name == "SOFTMAX":
        return op.Softmax(z, axis=1)
    if name == "LOGISTIC":
        return op.Sigmoid(z)
    if name == "SOFTMAX_ZERO":
        return _softmax_zero(op, z)
    if name == "PROBIT":
        return _probit(op, z)
    raise Unsupported(f"post_transform '{name}'")


def _softmax_zero(op: Builder, z: Value) -> Value:
    """The softmax that leaves zeros (up to 1e-7) out: they keep being next to nothing."""
    def number(v: float) -> Array:
        return np.asarray(v, z.dtype)
    top = op.ReduceMax(z, ints(1))
    zero = op.LessOrEqual(op.Abs(z), number(1e-7))
    e = op.Exp(op.Sub(z, top))
    total = op.ReduceSum(op.Where(zero, number(0), e), ints(1))
    return op.Div(op.Where(zero, op.Mul(z, op.Exp(op.Neg(top))), e), total)


def _probit(op: Builder, z: Value) -> Value:
    """sqrt(2) erfinv(2 z - 1), by the approximation (Winitzki 2008) that ONNX Runtime uses, in its constants."""
    x = op.Sub(op.Mul(as_float(op, z), f32(2)), f32(1))
    log = op.Log(op.Mul(op.Sub(f32(1), x), op.Add(f32(1), x)))
    a, pi = np.float32(0.147), np.float32(3.14159)
    v = op.Add(op.Mul(log, f32(0.5)), f32(np.float32(2) / (pi * a)))
    root = op.Sqrt(op.Sub(op.Mul(v, v), op.Mul(log, f32(np.float32(1) / a))))
    size = op.Sqrt(op.Sub(root, v))
    sign = op.Where(op.Less(x, f32(0)), f32(-1), f32(1))
    y = op.Mul(op.Mul(sign, size), f32(1.41421356))
    return op.Cast(y, to=DOUBLE) if z.dtype == np.float64 else y


def first_of_most(op: Builder, scores: Value) -> Value:
    """For each row the place of its greatest score, the first of equal ones."""
    return op.ArgMax(scores, axis=1, keepdims=0)
