"""What the rules of several families share.

A rule sees values as the dialect carries them (:mod:`..carriers`) and makes raw nodes (:mod:`..raw`), whose last one
is cast to the type that carries the result, if it has another."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import Rules
from ....ir.tensor import Tensor
from ....ir.types import Dim, DType, Type, dtype_name
from ...writing import common_type, rank, small
from ..raw import RawBuilder

TF = RawBuilder
from_onnx = Rules("ONNX", "TensorFlow")
BOOL, F16, F32, F64, I8, U8, I16, I32, I64, U64 = map(np.dtype, ("?", "f2", "f4", "f8", "i1", "u1", "i2", "i4", "i8",
                                                                 "u8"))
BF16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = "f4 f8 f2 bf"
INTS = "i4 i8 u1 i1 i2 u2 u4 u8"
NUMBERS = f"{FLOATS} {INTS}"


def kinds_of(names: str) -> list[DType]:
    """Element types by short names, ``bf`` for bfloat16."""
    return [BF16 if k == "bf" else np.dtype(k) for k in names.split()]


def cast(tf: TF, x: Value, dtype: Any) -> Value:
    """``x`` in another element type; a constant stays one."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.data is not None and x.dtype != object:
        return constant(x.numpy().astype(dtype), name=x.name)
    made: Value = tf.Cast(x, DstT=dtype)
    if dtype.kind in "iu" and x.dtype.kind in "iu":
        made.elements = x.elements
        ranges.state(made, ranges.of(x) if ranges.fits(x, ranges.of(made)) else ranges.of(made))
    return made


def carry(tf: TF, x: Value, kinds: str) -> Value:
    """``x`` in the first of the element types named that holds all of its values and that the dialect has.

    The wrapper around the rules casts the result back to the type that the hub states."""
    allowed = [k for k in kinds_of(kinds) if tf.dialect.holds(k)]
    if x.dtype in allowed:
        return x
    for dtype in allowed:
        if _holds(x.dtype, dtype):
            return cast(tf, x, dtype)
    raise Unsupported(f"element type {dtype_name(x.dtype)}")


def _holds(a: DType, b: DType) -> bool:
    """Whether every number of type ``a`` is one of type ``b``, both real or both integers."""
    if a == BF16:
        return b in (F32, F64)
    if b == BF16 or "O" in (a.kind, b.kind) or a.name not in np.sctypeDict or b.name not in np.sctypeDict:
        return False
    return np.can_cast(a, b, "safe") and (a.kind == "f") == (b.kind == "f")


def together(tf: TF, values: Sequence[Value], kinds: str) -> list[Value]:
    """Inputs of one operator in one element type of those named."""
    dtype = common_type(values)
    return [carry(tf, cast(tf, v, dtype), kinds) for v in values]


def room(tf: TF, values: Sequence[Value]) -> list[Value]:
    """Integers in 64 bits where the result needs them: inputs in 32 would overflow before it is cast."""
    return [cast(tf, v, I64) if tf.out.dtype == I64 and v.dtype == I32 else v for v in values]


def i32(tf: TF, x: Value | None, what: str = "an input") -> Value:
    """An integer value as 32-bit integers: a constant that fits, or an index or size, which 32 bits hold."""
    if x is None:
        raise Unsupported(f"{what} is missing")
    if x.data is not None and x.dtype != I32:
        if not small(x):
            raise Unsupported(f"{what} does not fit 32 bits")
        return constant(x.numpy().astype(I32), name=x.name)
    return cast(tf, x, I32)


def index(tf: TF, x: Value | None, what: str = "an index") -> Value:
    """Indices, sizes or shapes: 32 or 64 bits wide, as they are; constants in 32 where they fit."""
    if x is None:
        raise Unsupported(f"{what} is missing")
    if x.data is not None:
        return constant(x.numpy().astype(I32), name=x.name) if small(x) else x
    return x if x.dtype in (I32, I64) else cast(tf, x, I32)


def alike(tf: TF, values: Sequence[Value]) -> list[Value]:
    """Indices of one width."""
    wide = any(v.dtype == I64 for v in values)
    return [cast(tf, v, I64 if wide else I32) for v in values]


def ints(values: Iterable[int]) -> Value:
    """A constant list of 32-bit integers."""
    return constant(np.asarray(list(values), I32).reshape(-1))


def sizes(tf: TF, x: Value, first: int, last: int) -> Value:
    """The sizes of axes ``first`` to ``last`` of ``x``, the latter not included, as 32-bit integers."""
    rank(x)
    assert x.shape is not None
    some = x.shape[first:last]
    if all(isinstance(d, int) for d in some):
        return ints([d for d in some if isinstance(d, int)])
    whole = tf.Shape(x, out_type=I32)
    made: Value = whole if (first, last) == (0, len(x.shape)) else \
        tf.Slice(whole, ints([first]), ints([last - first]))
    return made


def reshape(tf: TF, x: Value, shape: Sequence[Dim]) -> Value:
    """``x`` in another shape; one dimension may be unknown, and is then what is left."""
    wanted = [d if isinstance(d, int) else -1 for d in shape]
    if wanted.count(-1) > 1:
        raise Unsupported(f"a shape with {wanted.count(-1)} sizes that are only known at run time")
    if x.data is not None and -1 not in wanted:
        data, type = x.data, Type(x.dtype, tuple(wanted))
        return Value(type, x.name, data=Tensor(lambda: data.numpy().reshape(wanted), type))
    made: Value = tf.Reshape(x, ints(wanted), type=Type(x.dtype, tuple(shape)))
    return made


def expanded(tf: TF, x: Value, axis: int) -> Value:
    """``x`` with a new axis of length one."""
    assert x.shape is not None
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    if x.data is not None:
        return reshape(tf, x, shape)
    made: Value = tf.ExpandDims(x, constant(axis, I32), type=Type(x.dtype, shape))
    return made


def squeezed(tf: TF, x: Value, axis: int) -> Value:
    """``x`` without an axis of length one."""
    if x.shape is None:
        raise Unsupported("of a value of unknown rank")
    made: Value = tf.Squeeze(x, squeeze_dims=[axis], type=Type(x.dtype, (*x.shape[:axis], *x.shape[axis + 1:])))
    return made


def scalar(tf: TF, x: Value) -> Value:
    """One element as a value without axes."""
    return reshape(tf, x, ()) if x.rank != 0 else x


def transpose(tf: TF, x: Value, perm: Sequence[int]) -> Value:
    """``x`` with its axes permuted; a constant is stored permuted."""
    perm = list(perm)
    if perm == sorted(perm):
        return x
    if x.data is not None:
        data = x.data
        type = Type(x.dtype, tuple((x.shape or ())[p] for p in perm))
        return Value(type, x.name, data=Tensor(lambda: data.numpy().transpose(perm), type))
    made: Value
    if _stored(x) and x.node is not None:  # a weight of fewer bits: its parts are permuted where they are stored
        ins = [v if v is None or v.rank != len(perm) else transpose(tf, v, perm) for v in x.node.inputs]
        made = tf.add(x.op, *ins, **x.node.attrs)
        return made
    made = tf.Transpose(x, ints(perm))
    return made


def _stored(x: Value) -> bool:
    """Whether a value is computed from constants alone, by arithmetic of elements."""
    return x.data is not None or (x.node is not None and x.op in ("Mul", "Sub", "Cast") and all(
        v is not None and _stored(v) for v in x.node.inputs))


def concat(tf: TF, values: Sequence[Value], axis: int = 0) -> Value:
    """Several values joined; constants all of them as one."""
    values = [v for v in values if v.shape != (0,)]
    if not values:
        return ints([])
    if all(v.dtype.kind in "iu" for v in values):
        values = alike(tf, values)
    if all(v.data is not None for v in values):
        return constant(np.concatenate([v.numpy() for v in values], axis))
    made: Value = values[0] if len(values) == 1 else tf.ConcatV2(*values, constant(axis, I32))
    return made
