"""Pooling of two axes; of one axis as of two."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from ..raw import Calls
from .common import I64, from_onnx, only, sizes, viewed
from .conv import padded


@from_onnx("MaxPool")
def max_pool(op: Calls, x: Value, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0,
             dilations: Any = None, pads: Any = None, storage_order: int = 0, strides: Any = None) -> Any:
    assert op.node is not None
    count = len(kernel_shape)
    only(x, "f", "MaxPool")
    if count not in (1, 2) or auto_pad not in ("NOTSET", "VALID") or len(op.node.outputs) > 1:
        raise Unsupported("a pooling of other than one or two axes, or with places")
    kernel, steps, holes = list(kernel_shape), list(strides or [1] * count), list(dilations or [1] * count)
    x, pad = padded(op, x, list(pads or [0] * 2 * count), float("-inf"))
    if any(p > k // 2 for p, k in zip(pad, kernel, strict=True)):
        raise Unsupported("padding of more than half of the window")
    shape = [d for d in op.out.shape or () if isinstance(d, int)]
    if count == 1:
        x = viewed(op, x, [*sizes(x)[:2], 1, sizes(x)[2]])
        kernel, steps, holes, pad, shape = [1, *kernel], [1, *steps], [1, *holes], [0, *pad], [*shape[:2], 1, shape[2]]
    t = Type(x.dtype, tuple(shape))
    y, _ = op.call("max_pool2d_with_indices.out", x, kernel, steps, pad, holes, bool(ceil_mode),
                   type=[t, Type(I64, t.shape)])
    return viewed(op, y, [d for d in op.out.shape or () if isinstance(d, int)])


@from_onnx("AveragePool")
def average_pool(op: Calls, x: Value, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0,
                 count_include_pad: int = 0, dilations: Any = None, pads: Any = None, strides: Any = None) -> Any:
    count = len(kernel_shape)
    only(x, "f", "AveragePool")
    kernel, steps = list(kernel_shape), list(strides or [1] * count)
    pads = list(pads or [0] * 2 * count)
    if count not in (1, 2) or auto_pad not in ("NOTSET", "VALID") or any(d != 1 for d in dilations or ()) \
            or (pads[:count] != pads[count:]) or ceil_mode:
        raise Unsupported("an average over windows that no kernel has")
    pad = pads[:count]
    if any(p > k // 2 for p, k in zip(pad, kernel, strict=True)):
        raise Unsupported("padding of more than half of the window")
    shape = [d for d in op.out.shape or () if isinstance(d, int)]
    if count == 1:
        x = viewed(op, x, [*sizes(x)[:2], 1, sizes(x)[2]])
        kernel, steps, pad, shape = [1, *kernel], [1, *steps], [0, *pad], [*shape[:2], 1, shape[2]]
    y = op.call("avg_pool2d.out", x, kernel, steps, pad, False, bool(count_include_pad), None,
                type=Type(x.dtype, tuple(shape)))
    return viewed(op, y, [d for d in op.out.shape or () if isinstance(d, int)])


@from_onnx("GlobalAveragePool")
def global_average(op: Calls, x: Value) -> Any:
    only(x, "f", "GlobalAveragePool")
    return op.call("mean.out", x, [int(a) for a in np.arange(2, len(sizes(x)))], True, None)


@from_onnx("GlobalMaxPool")
def global_max(op: Calls, x: Value) -> Any:
    only(x, "f", "GlobalMaxPool")
    return op.call("amax.out", x, [int(a) for a in np.arange(2, len(sizes(x)))], True)
