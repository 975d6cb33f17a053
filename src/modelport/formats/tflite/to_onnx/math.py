"""Arithmetic, comparisons, logic and bits.  Source: the kernels of the same names in tensorflow/lite/kernels."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import cast, ints
from .common import activation, number, to_onnx

BOOL, I64 = np.dtype(np.bool_), np.dtype(np.int64)

UNARY = {"ABS": "Abs", "NEG": "Neg", "EXP": "Exp", "LOG": "Log", "SQRT": "Sqrt", "SIN": "Sin", "COS": "Cos",
         "FLOOR": "Floor", "CEIL": "Ceil", "ROUND": "Round", "SIGN": "Sign", "LOGICAL_NOT": "Not"}
BINARY = {"POW": "Pow", "MAXIMUM": "Max", "MINIMUM": "Min", "LOGICAL_AND": "And", "LOGICAL_OR": "Or",
          "EQUAL": "Equal", "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "GREATER": "Greater",
          "GREATER_EQUAL": "GreaterOrEqual"}
ARITHMETIC = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div"}


def _name(op: Builder) -> str:
    assert op.node is not None
    return op.node.op


@to_onnx(*UNARY)
def unary(op: Builder, x: Value) -> Any:
    return op.add(UNARY[_name(op)], x)  # Round is half to even in both


@to_onnx(*BINARY)
def binary(op: Builder, x: Value, y: Value) -> Any:
    return op.add(BINARY[_name(op)], x, y)


@to_onnx("ADD", "SUB")
def add(op: Builder, x: Value, y: Value, *, fused_activation_function: str = "NONE",
        pot_scale_int16: bool = True) -> Any:
    return activation(op, op.add(ARITHMETIC[_name(op)], x, y), fused_activation_function)


@to_onnx("MUL", "DIV")
def multiply(op: Builder, x: Value, y: Value, *, fused_activation_function: str = "NONE") -> Any:
    return activation(op, op.add(ARITHMETIC[_name(op)], x, y), fused_activation_function)


@to_onnx("NOT_EQUAL")
def not_equal(op: Builder, x: Value, y: Value) -> Any:
    return op.Not(op.Equal(x, y))


@to_onnx("ADD_N")
def add_n(op: Builder, *values: Value) -> Any:
    made = values[0]
    for v in values[1:]:  # Sum is for floating point only
        made = op.Add(made, v)
    return made


@to_onnx("SQUARE")
def square(op: Builder, x: Value) -> Any:
    return op.Mul(x, x)


@to_onnx("SQUARED_DIFFERENCE")
def squared_difference(op: Builder, x: Value, y: Value) -> Any:
    d = op.Sub(x, y)
    return op.Mul(d, d)


@to_onnx("RSQRT")
def rsqrt(op: Builder, x: Value) -> Any:
    return op.Reciprocal(op.Sqrt(x))


@to_onnx("FLOOR_DIV")
def floor_div(op: Builder, x: Value, y: Value) -> Any:
    if x.dtype.kind == "f":
        return op.Floor(op.Div(x, y))
    return op.Div(op.Sub(x, op.Mod(x, y)), y)  # Mod has the divisor's sign, so the division is exact


@to_onnx("FLOOR_MOD")
def floor_mod(op: Builder, x: Value, y: Value) -> Any:
    if x.dtype.kind != "f":
        return op.Mod(x, y)
    r = op.Mod(x, y, fmod=1)
    zero = constant(0, x.dtype)
    wrong = op.And(op.Not(op.Equal(r, zero)), op.Xor(op.Less(y, zero), op.Less(r, zero)))
    return op.Where(wrong, op.Add(r, y), r)


@to_onnx("ATAN2")
def atan2(op: Builder, y: Value, x: Value) -> Any:
    zero, pi = constant(0, x.dtype), constant(np.pi, x.dtype)
    base = op.Atan(op.Div(y, x))
    left = op.Add(base, op.Where(op.GreaterOrEqual(y, zero), pi, op.Neg(pi)))
    upright = op.Mul(op.Sign(y), constant(np.pi / 2, x.dtype))
    # on the negative axis y is -0 or +0, which comparisons do not tell apart; the sign of 1/y does
    return op.Where(op.Equal(x, zero),
                    op.Where(op.Equal(y, zero), _zero_over_zero(op, y, x), upright),
                    op.Where(op.Less(x, zero), op.Where(op.Equal(y, zero), _signed(op, y, pi), left), base))


def _signed(op: Builder, zero: Value, size: Value) -> Any:
    """``size`` with the sign of ``zero``, which is +0 or -0."""
    return op.Where(op.Less(op.Reciprocal(zero), constant(0, zero.dtype)), op.Neg(size), size)


def _zero_over_zero(op: Builder, y: Value, x: Value) -> Any:
    behind = op.Less(op.Reciprocal(x), constant(0, x.dtype))
    return _signed(op, y, op.Where(behind, constant(np.pi, x.dtype), constant(0, x.dtype)))


@to_onnx("BITWISE_XOR")
def bitwise_xor(op: Builder, x: Value, y: Value) -> Any:
    return op.Xor(x, y) if x.dtype == BOOL else op.BitwiseXor(x, y)


@to_onnx("RIGHT_SHIFT")
def right_shift(op: Builder, x: Value, y: Value) -> Any:
    # BitShift is for unsigned numbers only; a shift of a signed one is a division that rounds down
    most = 8 * x.dtype.itemsize - 1
    by = op.Clip(cast(op, y, I64), constant(0, I64), constant(most, I64))
    power = op.Gather(constant([1 << k for k in range(most + 1)], I64), by)
    wide = cast(op, x, I64)
    return cast(op, op.Div(op.Sub(wide, op.Mod(wide, power)), power), x.dtype)


@to_onnx("BITCAST")
def bitcast(op: Builder, x: Value) -> Any:
    if op.out.dtype.itemsize != x.dtype.itemsize:
        raise Unsupported("a change of the size of elements")
    from ....ir.types import NUMBER
    return op.BitCast(x, to=NUMBER[op.out.dtype])


@to_onnx("CAST")
def cast_(op: Builder, x: Value, *, in_data_type: str | None = None, out_data_type: str | None = None) -> Any:
    # what the options say is not what the kernel does: it looks at the tensors
    assert op.node is not None
    for name in (in_data_type, out_data_type):
        if name is not None:
            number(name)
    return cast(op, x, op.out.dtype)


@to_onnx("BUCKETIZE")
def bucketize(op: Builder, x: Value, *, boundaries: tuple[float, ...] = ()) -> Any:
    edges = constant(np.asarray(boundaries, np.float32))
    last = ints([-1])
    above = op.GreaterOrEqual(op.Unsqueeze(cast(op, x, np.dtype(np.float32)), last), edges)
    return op.ReduceSum(cast(op, above, np.dtype(np.int32)), last, keepdims=0)


@to_onnx("COMPLEX_ABS")
def complex_abs(op: Builder, x: Value) -> Any:
    # a complex value is a real one with a last dimension of 2, as ONNX's DFT has it
    return op.ReduceL2(x, ints([-1]), keepdims=0)


@to_onnx("REAL", "IMAG")
def part(op: Builder, x: Value) -> Any:
    return op.Gather(x, constant(0 if _name(op) == "REAL" else 1, I64), axis=-1)
