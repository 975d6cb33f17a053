"""What the rules of several families share.

A rule makes raw nodes of the Keras dialect: a layer by its class (``Conv2D``; its weights behind its tensors, its
configuration as attributes), or ``ops.NAME`` for the function ``keras.ops.NAME``, as :mod:`..operations` reads them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, Rules
from ....ir.types import Dim, Type, is_float

Ints = Sequence[int]
from_onnx = Rules("ONNX", "Keras")
BOOL, F32, I32, I64 = map(np.dtype, ("?", "f4", "i4", "i8"))
BOOLEAN = frozenset("equal not_equal greater greater_equal less less_equal logical_and logical_or logical_not "
                    "logical_xor isnan isinf isfinite any all".split())
LARGEST = 1 << 22
"""Elements of a constant that is no weight of a layer: it stands in the configuration as text."""


def infer(op: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any],
          outputs: int) -> tuple[Sequence[Type], Mapping[str, Any]]:
    """Element types, as far as the rules need them; shapes come from the hub."""
    name = op.removeprefix("ops.")
    given = [v for v in inputs if v is not None]
    dtype = given[1].dtype if name == "where" else given[0].dtype
    if name in BOOLEAN:
        dtype = BOOL
    elif name == "cast":
        dtype = np.dtype(attrs["dtype"])
    elif name in ("argmax", "argmin"):
        dtype = I32
    return [Type(dtype, None)] * outputs, attrs


def call(k: Builder, name: str, /, *inputs: Any, **options: Any) -> Any:
    """A node of the function ``keras.ops.NAME``."""
    return k.add(f"ops.{name}", *inputs, **options)


def cast(k: Builder, x: Value, dtype: Any) -> Value:
    """``x`` in another element type; a constant stays one."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.data is not None:
        return constant(x.numpy().astype(dtype), name=x.name)
    made: Value = call(k, "cast", x, dtype=dtype.name)
    return made


def rank(x: Value) -> int:
    if x.rank is None:
        raise Unsupported("the rank of an input is not known")
    return x.rank


def dims(x: Value, what: str = "an input") -> list[int]:
    """The static sizes of ``x``."""
    rank(x)
    if not x.type.static or x.shape is None:
        raise Unsupported(f"the shape of {what} has to be known and is {x.type}")
    return [d for d in x.shape if isinstance(d, int)]


def known(x: Value | None, what: str) -> list[int]:
    """The elements of an integer value that the translation needs at conversion time."""
    if x is None:
        raise Unsupported(f"{what} is missing")
    if x.data is not None:
        return [int(e) for e in x.numpy().reshape(-1)]
    if x.elements is not None and all(isinstance(e, int) for e in x.elements):
        return [e for e in x.elements if isinstance(e, int)]
    raise Unsupported(f"{what} is computed at run time and is needed as a constant")


def array(x: Value | None, what: str = "a weight") -> np.ndarray[Any, Any]:
    """The elements of a weight."""
    if x is None or x.data is None:
        raise Unsupported(f"{what} is computed at run time and is needed as a constant")
    return x.numpy()


def floating(*values: Value | None) -> None:
    """Refuses what the layers do not compute in."""
    for v in values:
        if v is not None and not is_float(v.dtype):
            raise Unsupported(f"element type {v.dtype}: layers compute in real numbers")


def reshape(k: Builder, x: Value, shape: Sequence[Dim], dtype: Any = None) -> Value:
    """``x`` in another shape, of which one size may be unknown besides that of the batch."""
    unknown = [d for d in shape if not isinstance(d, int)]
    out = Type(x.dtype, tuple(shape))
    if x.shape == tuple(shape):
        return x
    if x.shape and shape and len(shape) > 1 and shape[0] is not None and shape[0] == x.shape[0] and is_float(x.dtype) \
            and sum(not isinstance(d, int) for d in shape[1:]) <= 1:  # a layer leaves the batch alone
        return k.Reshape(x, target_shape=tuple(d if isinstance(d, int) else -1 for d in shape[1:]), type=out)
    if len(unknown) <= 1:
        made: Value = call(k, "reshape", x, newshape=tuple(d if isinstance(d, int) else -1 for d in shape), type=out)
        return made
    raise Unsupported(f"a shape of which several sizes are not known: {out}")


def transpose(k: Builder, x: Value, perm: Ints) -> Value:
    if list(perm) == list(range(len(perm))):
        return x
    if x.data is not None:
        return constant(np.ascontiguousarray(x.numpy().transpose(perm)), name=x.name)
    shape = None if x.shape is None else tuple(x.shape[p] for p in perm)
    if perm[0] == 0 and len(perm) > 1 and is_float(x.dtype):
        made: Value = k.Permute(x, dims=tuple(perm[1:]), type=Type(x.dtype, shape))
        return made
    return call(k, "transpose", x, axes=tuple(perm), type=Type(x.dtype, shape))
