"""Pooling, channels last."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import NONE, carry, from_onnx, ints, rank
from .conv import padded, padding


@from_onnx("nhwc.MaxPool")
def max_pool(tfl: Builder, x: Value, *, kernel_shape: Sequence[int], strides: Sequence[int], pads: Sequence[int] = (),
             dilations: Sequence[int] = (), auto_pad: str = "NOTSET", ceil_mode: int = 0, storage_order: int = 0) -> Any:
    assert tfl.node is not None
    if rank(x) != 4 or ceil_mode or any(d != 1 for d in dilations) or len(tfl.node.outputs) > 1:
        raise Unsupported("not two spatial axes, dilations, ceil_mode or indices")
    x = carry(tfl, x, "f4")
    moved, word = padding(tfl, x, kernel_shape, strides, (1, 1), pads or (0,) * 4, auto_pad)
    if moved is not x:
        moved = padded(tfl, x, pads, -np.inf)
    return tfl.MAX_POOL_2D(moved, padding=word, stride_h=strides[0], stride_w=strides[1], filter_height=kernel_shape[0],
                           filter_width=kernel_shape[1], **NONE, type=tfl.out)


@from_onnx("nhwc.AveragePool")
def average_pool(tfl: Builder, x: Value, *, kernel_shape: Sequence[int], strides: Sequence[int],
                 pads: Sequence[int] = (), dilations: Sequence[int] = (), auto_pad: str = "NOTSET", ceil_mode: int = 0,
                 count_include_pad: int = 0) -> Any:
    """SAME leaves its pads out of the average; pads that count are written as zeros."""
    if rank(x) != 4 or ceil_mode or any(d != 1 for d in dilations):
        raise Unsupported("not two spatial axes, dilations or ceil_mode")
    if count_include_pad and any(pads):
        moved, word = padded(tfl, x, pads), "VALID"
    else:
        moved, word = padding(tfl, x, kernel_shape, strides, (1, 1), pads or (0,) * 4, auto_pad)
        if moved is not x:
            raise Unsupported("pads that are not SAME and do not count")
    return tfl.AVERAGE_POOL_2D(moved, padding=word, stride_h=strides[0], stride_w=strides[1],
                               filter_height=kernel_shape[0], filter_width=kernel_shape[1], **NONE, type=tfl.out)


@from_onnx("nhwc.GlobalAveragePool")
def global_average_pool(tfl: Builder, x: Value) -> Any:
    return tfl.MEAN(carry(tfl, x, "f4"), ints(range(1, rank(x) - 1)), keep_dims=True)


@from_onnx("nhwc.GlobalMaxPool")
def global_max_pool(tfl: Builder, x: Value) -> Any:
    return tfl.REDUCE_MAX(carry(tfl, x, "f4 i4 i8"), ints(range(1, rank(x) - 1)), keep_dims=True)
