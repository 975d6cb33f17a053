"""Operators of TensorFlow itself that converters leave in a file (``Flex``): those that are one function of numbers.

Their options are a FlexBuffer of a name and a NodeDef, which for these operators says their element types only.
Source: the TensorFlow operators of the same names."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import to_onnx

UNARY = {name: name for name in (
    "Erf Softplus Softsign Asin Acos Atan Tan Sinh Cosh Asinh Acosh Atanh Elu Selu Sigmoid Tanh Relu Abs Neg Exp Log "
    "Sqrt Sin Cos Floor Ceil Sign").split()}
UNARY.update({"Inv": "Reciprocal", "Reciprocal": "Reciprocal", "IsNan": "IsNaN", "IsInf": "IsInf", "LogicalNot": "Not",
              "Rint": "Round", "Round": "Round"})
BINARY = {"Add": "Add", "AddV2": "Add", "Sub": "Sub", "Mul": "Mul", "Div": "Div", "RealDiv": "Div", "Pow": "Pow",
          "Maximum": "Max", "Minimum": "Min", "LogicalAnd": "And", "LogicalOr": "Or", "Equal": "Equal", "Less": "Less",
          "LessEqual": "LessOrEqual", "Greater": "Greater", "GreaterEqual": "GreaterOrEqual"}


@to_onnx(*("flex." + k for k in UNARY))
def unary(op: Builder, x: Value, *, custom_options: bytes = b"") -> Any:
    assert op.node is not None
    return op.add(UNARY[op.node.op.removeprefix("flex.")], x)


@to_onnx(*("flex." + k for k in BINARY))
def binary(op: Builder, x: Value, y: Value, *, custom_options: bytes = b"") -> Any:
    assert op.node is not None
    if op.node.op == "flex.Div" and x.dtype.kind != "f":
        raise Unsupported(f"element type {x.dtype}")
    return op.add(BINARY[op.node.op.removeprefix("flex.")], x, y)


def _one(x: Value) -> Any:
    return np.ones((), x.dtype)


FORMULAS: dict[str, Callable[[Builder, Value], Any]] = {
    "Erfc": lambda op, x: op.Sub(_one(x), op.Erf(x)),
    "Square": lambda op, x: op.Mul(x, x),
    "Rsqrt": lambda op, x: op.Reciprocal(op.Sqrt(x)),
    "Relu6": lambda op, x: op.Clip(x, np.zeros((), x.dtype), 6 * _one(x)),
    "IsFinite": lambda op, x: op.Not(op.Or(op.IsNaN(x), op.IsInf(x))),
    "Identity": lambda op, x: op.Identity(x),
    "StopGradient": lambda op, x: op.Identity(x),
}


@to_onnx(*("flex." + k for k in FORMULAS))
def formula(op: Builder, x: Value, *, custom_options: bytes = b"") -> Any:
    assert op.node is not None
    return FORMULAS[op.node.op.removeprefix("flex.")](op, x)
