"""Operators that came from StableHLO, as far as the runtime has kernels for them.

Source: tensorflow/lite/kernels: stablehlo_elementwise.cc, stablehlo_pad.cc, dilate.cc,
reduce_window.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import dims, ints, known, rank
from .common import to_onnx

_ELEMENTWISE = {"STABLEHLO_ADD": "Add", "STABLEHLO_MULTIPLY": "Mul", "STABLEHLO_MAXIMUM": "Max",
                "STABLEHLO_MINIMUM": "Min"}


@to_onnx(*_ELEMENTWISE)
def elementwise(op: Builder, x: Value, y: Value) -> Any:
    assert op.node is not None
    if op.out.quant is not None:
        raise Unsupported("quantized values")
    return op.add(_ELEMENTWISE[op.node.op], x, y)


@to_onnx("STABLEHLO_AND")
def and_(op: Builder, x: Value, y: Value) -> Any:
    return op.And(x, y) if x.dtype == np.bool_ else op.BitwiseAnd(x, y)


@to_onnx("STABLEHLO_SHIFT_LEFT")
def shift_left(op: Builder, x: Value, y: Value) -> Any:
    """ONNX shifts unsigned numbers only; a product with a power of two has the same low bits."""
    if x.dtype.kind != "i":
        raise Unsupported(f"element type {x.dtype}")
    bits = 8 * x.dtype.itemsize
    powers = constant(np.left_shift(np.ones(bits, np.int64), np.arange(bits)).astype(x.dtype))
    amount = op.Cast(y, to=7)
    inside = op.And(op.Not(op.Less(amount, np.int64(0))), op.Less(amount, np.int64(bits)))
    power = op.Gather(powers, op.Where(inside, amount, np.int64(0)))
    return op.Where(inside, op.Mul(x, power), np.zeros((), x.dtype))


@to_onnx("STABLEHLO_PAD")
def pad(op: Builder, x: Value, fill: Value, *, edge_padding_low: Sequence[int], edge_padding_high: Sequence[int],
        interior_padding: Sequence[int]) -> Any:
    """Between the elements first, then around them; a negative number cuts."""
    if not len(edge_padding_low) == len(edge_padding_high) == len(interior_padding) == rank(x):
        raise Unsupported("pads of other axes than the input has")
    fill = op.Reshape(fill, ints([]))
    if any(interior_padding):
        x = _spread(op, x, [p + 1 for p in interior_padding], fill)
    low, high = list(edge_padding_low), list(edge_padding_high)
    return op.Pad(x, ints([*low, *high]), fill) if any((*low, *high)) else x


@to_onnx("DILATE")
def dilate(op: Builder, x: Value, dilations: Value, fill: Value) -> Any:
    return _spread(op, x, known(dilations, "the dilations"), op.Reshape(fill, ints([])))


def _spread(op: Builder, x: Value, steps: Sequence[int], fill: Value) -> Any:
    """``x`` with ``steps[k] - 1`` elements of ``fill`` between two along axis k."""
    sizes = dims(x)
    if len(steps) != len(sizes) or min(steps, default=1) < 1:
        raise Unsupported(f"steps {list(steps)[:8]} for {len(sizes)} axes")
    for axis, step in enumerate(steps):
        if step == 1 or sizes[axis] < 2:
            continue
        wide = op.Unsqueeze(x, ints([axis + 1]))
        wide = op.Pad(wide, ints([0, step - 1]), fill, ints([axis + 1]))
        sizes[axis] *= step
        x = op.Reshape(wide, ints(sizes))
        sizes[axis] -= step - 1
        x = op.Slice(x, ints([0]), ints([sizes[axis]]), ints([axis]))
    return x


_FUNCTIONS = {"ADD": ("ReduceSum", "Add"), "MUL": ("ReduceProd", "Mul"), "MINIMUM": ("ReduceMin", "Min"),
              "MAXIMUM": ("ReduceMax", "Max"), "ALL": ("ReduceMin", "And"), "ANY": ("ReduceMax", "Or")}


@to_onnx("REDUCE_WINDOW")
def reduce_window(op: Builder, x: Value, start: Value, window: Value, strides: Value, dilations: Value, *,
                  reduce_function: str) -> Any:
    """Along one axis after the other: every function is associative and commutative."""
    if reduce_function not in _FUNCTIONS:
        raise Unsupported(f"reduction {reduce_function}")
    over, both = _FUNCTIONS[reduce_function]
    lists = [known(v, "the window") for v in (window, strides, dilations)]
    y = x
    for axis, (size, length, stride, dilation) in enumerate(zip(dims(x), *lists, strict=True)):
        count = (size - (length - 1) * dilation - 1) // stride + 1
        if count < 1:
            raise Unsupported("a window larger than the input")
        if (length, stride) == (1, 1):
            continue
        index = np.arange(count)[:, None] * stride + np.arange(length) * dilation
        y = op.add(over, op.Gather(y, index.astype(np.int64), axis=axis), ints([axis + 1]), keepdims=0)
    return op.add(both, op.Reshape(start, ints([])), y)
