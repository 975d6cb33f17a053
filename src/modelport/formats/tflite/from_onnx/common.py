"""What the rules of several families share.

A rule sees values as they are carried (:mod:`..carriers`): float32, int32 or int64, booleans, the small integers; it
makes raw nodes (:mod:`..raw`), whose last one is cast to the type that carries the result, if it has another."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import Builder, Rules
from ....ir.tensor import Tensor
from ....ir.types import Dim, DType, Quant, Type
from ...writing import common_type, rank, small
from ..raw import type_name

from_onnx = Rules("ONNX", "TensorFlow Lite")
fused = Rules("ONNX", "TensorFlow Lite")
"""Rules that ``recurrent="fused"`` puts in the place of those of ``from_onnx``: operators that keep a state."""
BOOL, F32, I8, U8, I16, I32, I64 = map(np.dtype, ("?", "f4", "i1", "u1", "i2", "i4", "i8"))
NONE = {"fused_activation_function": "NONE"}


def cast(tfl: Builder, x: Value, dtype: Any) -> Value:
    """``x`` in another element type; a constant stays one."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.data is not None:
        return constant(x.numpy().astype(dtype), name=x.name)
    made: Value = tfl.CAST(x, in_data_type=type_name(x.dtype), out_data_type=type_name(dtype))
    if dtype.kind in "iu" and x.dtype.kind in "iu":
        made.elements = x.elements
        ranges.state(made, ranges.of(x) if ranges.fits(x, ranges.of(made)) else ranges.of(made))
    return made


def i32(tfl: Builder, x: Value | None, what: str = "an input") -> Value:
    """An integer value as 32-bit integers: it is carried so, or a constant that fits, or refused.

    The ends of a Slice, which ONNX writes as the largest numbers there are, are cut to 32 bits by their rule."""
    if x is None:
        raise Unsupported(f"{what} is missing")
    if x.dtype == I32:
        return x
    if x.data is not None:
        if not small(x):
            raise Unsupported(f"{what} does not fit 32 bits")
        return constant(x.numpy().astype(I32), name=x.name)
    if x.dtype == I64:
        raise Unsupported(f"{what} is a 64-bit integer whose range is not known")
    return cast(tfl, x, I32)


def index(tfl: Builder, x: Value | None, what: str = "an index") -> Value:
    """An index into a tensor: no tensor has more than 2^31 elements along an axis, so 32 bits hold every valid one."""
    if x is None:
        raise Unsupported(f"{what} is missing")
    return cast(tfl, x, I32)


def ints(values: Sequence[int]) -> Value:
    """A constant list of 32-bit integers."""
    return constant(np.asarray(values, I32).reshape(-1))


def carry(tfl: Builder, x: Value, kinds: str) -> Value:
    """``x`` in the first of the element types named (``"f4 i4 i8"``) that holds all of its values.

    The wrapper around the rules casts the result back to the type that the hub states."""
    allowed = [np.dtype(k) for k in kinds.split()]
    if x.dtype in allowed:
        return x
    if x.dtype.name not in np.sctypeDict:
        raise Unsupported(f"element type {x.dtype}")
    for dtype in allowed:
        if np.can_cast(x.dtype, dtype, "safe") and (x.dtype.kind == "f") == (dtype.kind == "f"):
            return cast(tfl, x, dtype)
    raise Unsupported(f"element type {x.dtype}")


def together(tfl: Builder, values: Sequence[Value], kinds: str) -> list[Value]:
    """Inputs of one operator in one element type of those named."""
    dtype = common_type(values)
    return [carry(tfl, cast(tfl, v, dtype), kinds) for v in values]


def room(tfl: Builder, values: Sequence[Value]) -> list[Value]:
    """Integers in 64 bits where the result needs them: inputs in 32 would overflow before it is cast."""
    return [cast(tfl, v, I64) if tfl.out.dtype == I64 and v.dtype == I32 else v for v in values]


def reshape(tfl: Builder, x: Value, shape: Sequence[Dim], like: Value | None = None) -> Value:
    """``x`` in another shape; one dimension may be unknown, and is then what is left."""
    sizes = [d if isinstance(d, int) else -1 for d in shape]
    if sizes.count(-1) > 1:
        raise Unsupported(f"a shape with {sizes.count(-1)} sizes that are only known at run time")
    if x.data is not None and -1 not in sizes:
        return constant(x.numpy().reshape(sizes), name=x.name)
    made: Value = tfl.RESHAPE(x, ints(sizes), new_shape=sizes, type=Type(x.dtype, tuple(shape), x.type.quant))
    return made


def transpose(tfl: Builder, x: Value, perm: Sequence[int]) -> Value:
    """``x`` with its axes permuted.  A constant, dequantized or of half precision too, is stored permuted."""
    perm = list(perm)
    if perm == sorted(perm):
        return x
    if x.data is not None:
        return _view(x, perm)
    node = x.node
    if node is not None and node.op == "DEQUANTIZE" and node.inputs[0] is not None and node.inputs[0].data is not None:
        moved: Value = tfl.DEQUANTIZE(_view(node.inputs[0], perm))
        return moved
    made: Value = tfl.TRANSPOSE(x, ints(perm))
    return made


def _view(w: Value, perm: Sequence[int]) -> Value:
    """A constant transposed when it is needed."""
    data, quant = w.data, w.type.quant
    assert data is not None and w.shape is not None
    if quant is not None and quant.axis is not None:
        quant = Quant(quant.scale, quant.zero_point, list(perm).index(quant.axis))
    type = Type(w.dtype, tuple(w.shape[p] for p in perm), quant)
    return Value(type, w.name, data=Tensor(lambda: data.numpy().transpose(tuple(perm)), type))


def reshaped_weight(tfl: Builder, x: Value, shape: Sequence[int], axis: int | None = None) -> Value:
    """A constant weight, dequantized or not, in another shape; ``axis`` is where a scale for each channel now lies."""
    node = x.node
    inner = x if x.data is not None else node.inputs[0] if node is not None and node.op == "DEQUANTIZE" else None
    if inner is None or inner.data is None:
        return reshape(tfl, x, shape)
    data, quant = inner.data, inner.type.quant
    if quant is not None and quant.axis is not None:
        if axis is None or shape[axis] != len(quant.scale):
            raise Unsupported("a weight with a scale for each channel in another shape")
        quant = Quant(quant.scale, quant.zero_point, axis)
    type = Type(inner.dtype, tuple(shape), quant)
    made = Value(type, inner.name, data=Tensor(lambda: data.numpy().reshape(tuple(shape)), type))
    if x.data is not None:
        return made
    moved: Value = tfl.DEQUANTIZE(made)
    return moved


def broadcast_rank(tfl: Builder, x: Value, n: int) -> Value:
    """``x`` with leading axes of one, so that it has ``n``."""
    if rank(x) >= n:
        return x
    assert x.shape is not None
    return reshape(tfl, x, (1,) * (n - len(x.shape)) + x.shape)


def dtype_of(tfl: Builder) -> DType:
    """The element type that carries the result."""
    return tfl.out.dtype
