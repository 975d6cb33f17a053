"""What the rules of several families share.  Defaults in their signatures are those of TensorFlow's definitions."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, Rules, static
from ....ir.tensor import Tensor
from ....ir.types import DType, Type
from ...reading import (
    INT_MAX,
    INT_MIN,
    axis_of,
    cast,
    dims,
    i64,
    ints,
    known,
    padded,
    pads_of,
    rank,
    same_pads,
    scalar,
    transposed,
    where,
)

__all__ = ["BOOL", "F32", "I32", "I64", "INT_MAX", "INT_MIN", "axis_of", "cast", "dims", "first", "i64", "ints",
           "known", "last", "name_of", "one", "pads_of", "rank", "reshaped", "same_pads", "scalar", "spatial", "static",
           "to_onnx", "transposed", "vector", "where", "window"]

to_onnx = Rules("TensorFlow", "ONNX")
F32, I32, I64, BOOL = (np.dtype(t) for t in (np.float32, np.int32, np.int64, np.bool_))


def name_of(op: Builder) -> str:
    """The operator at hand."""
    assert op.node is not None
    return op.node.op


def one(x: Value, value: float = 1) -> Value:
    """A number of the element type of ``x``."""
    return constant(np.asarray(value).astype(x.dtype))


def is_first(data_format: str) -> bool:
    """Whether a data format has the channels in front."""
    if data_format not in ("NHWC", "NCHW", "NDHWC", "NCDHW", "NWC", "NCW", ""):
        raise Unsupported(f"data format {data_format}")
    return data_format.startswith("NC") and data_format != "NC"


def last(op: Builder, x: Value, data_format: str) -> Value:
    """``x`` with its channels last; the transpose cancels with that of :func:`first` when layouts are decided."""
    if not is_first(data_format):
        return x
    n = len(data_format)
    made: Value = op.Transpose(x, perm=[0, *range(2, n), 1])
    return made


def first(op: Builder, y: Value, data_format: str) -> Value:
    """The inverse of :func:`last`."""
    if not is_first(data_format):
        return y
    n = len(data_format)
    made: Value = op.Transpose(y, perm=[0, n - 1, *range(1, n - 1)])
    return made


def spatial(values: Sequence[int], data_format: str) -> list[int]:
    """Of numbers for each axis those of the axes that windows move along; the others must be 1."""
    listed = [int(v) for v in values]
    inner = listed[2:] if is_first(data_format) else listed[1:-1]
    if [*listed[:1], *(listed[1:2] if is_first(data_format) else listed[-1:])] != [1, 1]:
        raise Unsupported(f"windows of {listed}: along the batch or the channels")
    return inner


def window(op: Builder, x: Value, padding: str, explicit: Sequence[int], data_format: str, kernel: Sequence[int],
           strides: Sequence[int], dilations: Sequence[int], fill: Value | None = None) -> tuple[Value, dict[str, Any]]:
    """``x``, channels last, for an operator on windows, and the attributes that say its padding.

    SAME is ceil(size / stride) windows, the odd pad at the end; explicit where the sizes are known, else ONNX's
    ``auto_pad``, which with dilations ONNX Runtime does not take: then it is computed at run time, and padded with
    ``fill``, by default zero."""
    if padding == "EXPLICIT":
        pairs = list(zip(explicit[::2], explicit[1::2], strict=True))
        pairs = pairs[2:] if is_first(data_format) else pairs[1:-1]
        if len(pairs) != len(kernel):
            raise Unsupported(f"explicit paddings {list(explicit)}")
        return x, {"pads": [p[0] for p in pairs] + [p[1] for p in pairs]}
    return padded(op, x, padding, kernel, strides, dilations, fill)


def reshaped(w: Value, shape: Sequence[int], perm: Sequence[int] | None = None) -> Value | None:
    """A constant with its axes permuted, then reshaped: a view made when it is needed; ``None`` if computed."""
    data = w.data
    if data is None:
        return None
    type = Type(w.dtype, tuple(shape))

    def view() -> Any:
        array = data.numpy()
        return (array if perm is None else array.transpose(tuple(perm))).reshape(tuple(shape))
    return Value(type, w.name, data=Tensor(view, type))


def vector(op: Builder, x: Value) -> Value:
    """``x`` as a list of int64."""
    made: Value = i64(op, x)
    return made if made.rank == 1 else ints(made.numpy()) if made.data is not None else op.Reshape(made, ints([-1]))


def plain(op: Builder, x: Value, dtype: DType) -> Value:
    return cast(op, x, dtype)


Rule = Callable[..., Any]
