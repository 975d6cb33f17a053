"""Elementwise kernels."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import is_float
from ..raw import Calls
from .common import BOOL, F32, cast, from_onnx, only, sizes

_UNARY = {"Abs": "abs", "Acos": "acos", "Acosh": "acosh", "Asin": "asin", "Asinh": "asinh", "Atan": "atan",
          "Atanh": "atanh", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf", "Exp": "exp",
          "Floor": "floor", "Log": "log", "Neg": "neg", "Reciprocal": "reciprocal", "Relu": "relu",
          "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Sqrt": "sqrt",
          "Tan": "tan", "Tanh": "tanh", "IsNaN": "isnan"}
_REAL = frozenset(_UNARY) - {"Abs", "Neg", "Relu", "Sign"}


def _unary(name: str, kernel: str) -> None:
    @from_onnx(name)
    def rule(op: Calls, x: Value) -> Any:
        only(x, "f" if name in _REAL else "fiu", name)
        return op.call(f"{kernel}.out", x)


for _name, _kernel in _UNARY.items():
    _unary(_name, _kernel)


@from_onnx("Identity")
def identity(op: Calls, x: Value) -> Any:
    return x


@from_onnx("Cast")
def cast_(op: Calls, x: Value, *, to: int, saturate: int = 1, round_mode: Any = None) -> Any:
    if is_float(x.dtype) and op.out.dtype.kind in "iu" and op.out.dtype.itemsize < 4:
        raise Unsupported("reals as integers of less than 32 bits, which no standard defines beyond their range")
    return op.call("_to_copy.out", x, False, None)


def _binary(name: str, kernel: str, *more: Any) -> None:
    @from_onnx(name)
    def rule(op: Calls, a: Value, b: Value) -> Any:
        only(a, "fiu", name)
        return op.call(kernel, a, b, *more)


_binary("Add", "add.out", 1)
_binary("Sub", "sub.out", 1)
_binary("Mul", "mul.out")


@from_onnx("Div")
def div(op: Calls, a: Value, b: Value) -> Any:
    only(a, "fiu", "Div")
    return op.call("div.out", a, b) if is_float(a.dtype) else op.call("div.out_mode", a, b, "trunc")


@from_onnx("Pow")
def pow_(op: Calls, a: Value, b: Value) -> Any:
    only(a, "f", "Pow")
    return op.call("pow.Tensor_Tensor_out", a, cast(op, b, a.dtype))


@from_onnx("Mod")
def mod(op: Calls, a: Value, b: Value, *, fmod: int = 0) -> Any:
    only(a, "fiu", "Mod")
    if fmod:
        return op.call("fmod.Tensor_out", a, b)
    if is_float(a.dtype):
        raise Unsupported("Mod of reals without fmod")
    # the kernel of remainder has the sign of the dividend
    return op.call("sub.out", a, op.call("mul.out", b, op.call("div.out_mode", a, b, "floor")), 1)


@from_onnx("Max")
def maximum(op: Calls, *xs: Value) -> Any:
    return _folded(op, "maximum.out", xs)


@from_onnx("Min")
def minimum(op: Calls, *xs: Value) -> Any:
    return _folded(op, "minimum.out", xs)


def _folded(op: Calls, kernel: str, xs: tuple[Value, ...]) -> Any:
    if len(xs) != 2:
        raise Unsupported(f"{kernel} of {len(xs)}")
    only(xs[0], "fiu", kernel)
    return op.call(kernel, *xs)


def _logic(name: str, kernel: str) -> None:
    @from_onnx(name)
    def rule(op: Calls, a: Value, b: Value) -> Any:
        return op.call(kernel, a, b)


for _name, _kernel in (("And", "logical_and.out"), ("Or", "logical_or.out"), ("Xor", "logical_xor.out"),
                       ("Equal", "eq.Tensor_out"), ("Less", "lt.Tensor_out"), ("Greater", "gt.Tensor_out"),
                       ("LessOrEqual", "le.Tensor_out"), ("GreaterOrEqual", "ge.Tensor_out"),
                       ("BitwiseAnd", "bitwise_and.Tensor_out"), ("BitwiseOr", "bitwise_or.Tensor_out"),
                       ("BitwiseXor", "bitwise_xor.Tensor_out")):
    _logic(_name, _kernel)


@from_onnx("Not")
def not_(op: Calls, x: Value) -> Any:
    return op.call("logical_not.out", x)


@from_onnx("BitwiseNot")
def bitwise_not(op: Calls, x: Value) -> Any:
    return op.call("bitwise_not.out", x)


@from_onnx("IsInf")
def isinf(op: Calls, x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    only(x, "f", "IsInf")
    if not (detect_negative and detect_positive):
        raise Unsupported("IsInf of one sign")
    return op.call("isinf.out", x)


@from_onnx("Where")
def where(op: Calls, condition: Value, x: Value, y: Value) -> Any:
    return op.call("where.self_out", condition, x, y)


@from_onnx("Clip")
def clip(op: Calls, x: Value, low: Value | None = None, high: Value | None = None) -> Any:
    only(x, "fiu", "Clip")
    if low is None and high is None:
        return x
    return op.call("clamp.Tensor_out", x, low, high)


@from_onnx("LeakyRelu")
def leaky_relu(op: Calls, x: Value, *, alpha: float = 0.01) -> Any:
    only(x, "f", "LeakyRelu")
    return op.call("leaky_relu.out", x, alpha)


@from_onnx("Elu")
def elu(op: Calls, x: Value, *, alpha: float = 1.0) -> Any:
    only(x, "f", "Elu")
    return op.call("elu.out", x, alpha, 1.0, 1.0)


@from_onnx("Gelu")
def gelu(op: Calls, x: Value, *, approximate: str = "none") -> Any:
    if x.dtype != F32:
        raise Unsupported(f"Gelu of {x.dtype}")
    return op.call("gelu.out", x, approximate)


@from_onnx("Softmax")
def softmax(op: Calls, x: Value, *, axis: int = -1) -> Any:
    only(x, "f", "Softmax")
    return op.call("_softmax.out", x, axis % len(sizes(x)), False)


@from_onnx("LogSoftmax")
def log_softmax(op: Calls, x: Value, *, axis: int = -1) -> Any:
    only(x, "f", "LogSoftmax")
    return op.call("_log_softmax.out", x, axis % len(sizes(x)), False)


@from_onnx("CumSum")
def cumsum(op: Calls, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Any:
    if exclusive or reverse or axis.data is None or x.dtype == BOOL:
        raise Unsupported("CumSum backwards, exclusive, or along an axis known at run time only")
    return op.call("cumsum.out", x, int(np.ravel(axis.numpy())[0]) % len(sizes(x)), None)
