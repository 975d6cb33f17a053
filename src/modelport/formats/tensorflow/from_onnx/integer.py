"""Integers bit by bit."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Node, Value, constant
from ....ir.types import DTYPE, Type
from .common import BOOL, INTS, TF, U8, carry, cast, from_onnx, room, together

_BITWISE = {"BitwiseAnd": "BitwiseAnd", "BitwiseOr": "BitwiseOr", "BitwiseXor": "BitwiseXor"}


@from_onnx(*_BITWISE)
def bitwise(tf: TF, a: Value, b: Value) -> Any:
    assert tf.node is not None
    return tf.add(_BITWISE[tf.node.op], *together(tf, room(tf, [a, b]), INTS))


@from_onnx("BitwiseNot")
def bitwise_not(tf: TF, x: Value) -> Any:
    if not tf.has("Invert") and x.dtype.kind == "i":
        x = carry(tf, x, INTS)
        return tf.Sub(constant(-1, x.dtype), x)
    return tf.Invert(carry(tf, room(tf, [x])[0], INTS))


@from_onnx("BitShift")
def shift(tf: TF, x: Value, by: Value, *, direction: str) -> Any:
    """By a negative number or by all bits and more, a shift leaves what the sign bit fills in; the kernel's is open."""
    x, by = together(tf, room(tf, [x, by]), INTS)
    name = "LeftShift" if direction == "LEFT" else "RightShift"
    size = 8 * x.dtype.itemsize
    low, high = ranges.of(by)
    if low >= 0 and high < size:
        return tf.add(name, x, by)
    whole = constant(size, by.dtype)
    far = tf.GreaterEqual(by, whole)
    if by.dtype.kind == "i":
        far = tf.LogicalOr(far, tf.Less(by, constant(0, by.dtype)))
    if name == "RightShift" and x.dtype.kind == "i":  # the sign is left
        return tf.RightShift(x, tf.SelectV2(far, constant(size - 1, by.dtype), by))
    near = tf.add(name, x, tf.SelectV2(far, constant(0, by.dtype), by))
    return tf.SelectV2(far, constant(0, x.dtype), near)


@from_onnx("BitCast")
def bit_cast(tf: TF, x: Value, *, to: int) -> Any:
    target = DTYPE[to]
    if x.dtype == BOOL:
        x = cast(tf, x, U8)
    if target == BOOL and x.dtype.itemsize == 1:
        return tf.NotEqual(x, constant(0, x.dtype))
    if x.dtype.itemsize != target.itemsize or target.kind not in "fiu" or x.dtype.kind not in "fiu":
        raise Unsupported(f"the bits of {x.dtype} as {target}")
    if x.data is not None:
        return constant(np.ascontiguousarray(x.numpy()).view(target).reshape(x.numpy().shape))
    if not tf.has("Bitcast"):
        raise Unsupported(f"{tf.dialect.name} has no operator Bitcast")
    made = Node("Bitcast", [x], {"type": target}, [Type(target, x.shape)],  # its attribute has the builder's word
                origin="" if tf.node is None else tf.node.label)
    return made.outputs[0]
