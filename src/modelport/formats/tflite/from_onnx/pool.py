"""Pooling, channels last."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.pool import flattened, lowest, shares, windows
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...writing import rank
from .common import NONE, carry, from_onnx, ints
from .conv import Flat, inner, padded, padding
from .reduce import halfway

Ints = Sequence[int]


def _plain(x: Value, dilations: Ints) -> int:
    n = rank(x) - 2
    if n not in (1, 2) or any(d != 1 for d in dilations):
        raise Unsupported(f"{n} spatial axes, or dilations")
    return n


@from_onnx("nhwc.MaxPool")
def max_pool(tfl: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (),
             dilations: Ints = (), auto_pad: str = "NOTSET", ceil_mode: int = 0, storage_order: int = 0) -> Any:
    assert tfl.node is not None
    n = _plain(x, dilations)
    if len(tfl.node.outputs) > 1:
        raise Unsupported("the indices of the largest values")
    x, flat = carry(tfl, x, "f4 i1 u1"), Flat(n == 1)
    kernel, strides = flat.pair(kernel_shape), flat.pair(strides or (1,) * n)
    pads, x, word = flat.pads(pads or (0,) * (2 * n)), flat.ins(tfl, x), "SAME"
    if auto_pad != "SAME_UPPER" or ceil_mode:
        around = windows(x, kernel, strides, (), pads, auto_pad, ceil_mode, last=True)
        x, word = padding(tfl, x, kernel, strides, (1, 1), flattened(around), "NOTSET", lowest(x))
    return flat.out(tfl, tfl.MAX_POOL_2D(x, **_options(kernel, strides, word), type=inner(tfl, flat)))


def _options(kernel: Ints, strides: Ints, word: str) -> dict[str, Any]:
    return {"padding": word, "stride_h": strides[0], "stride_w": strides[1], "filter_height": kernel[0],
            "filter_width": kernel[1], **NONE}


@from_onnx("nhwc.AveragePool")
def average_pool(tfl: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (),
                 dilations: Ints = (), auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0) -> Any:
    """SAME leaves its pads out of the average; where others do too, zeros are averaged and their number made good."""
    n = _plain(x, dilations)
    x, flat = carry(tfl, x, "f4"), Flat(n == 1)
    kernel, strides = flat.pair(kernel_shape), flat.pair(strides or (1,) * n)
    pads, x = flat.pads(pads or (0,) * (2 * n)), flat.ins(tfl, x)
    assert x.shape is not None
    same = {**_options(kernel, strides, "SAME"), "type": inner(tfl, flat)}
    if auto_pad == "SAME_UPPER" and not ceil_mode and not count_include_pad:
        return flat.out(tfl, tfl.AVERAGE_POOL_2D(x, **same))
    around = windows(x, kernel, strides, (), pads, auto_pad, ceil_mode, last=True)
    whole = flattened(around)
    if not count_include_pad and any(whole) and min(whole) >= 0 \
            and padding(tfl, x, kernel, strides, (1, 1), whole, "NOTSET")[1] == "SAME":
        return flat.out(tfl, tfl.AVERAGE_POOL_2D(x, **same))
    if min(whole) < 0:
        raise Unsupported("windows that leave out the last values")
    share = shares(x.shape[1:-1], kernel, strides, around, count_include_pad)
    y = tfl.AVERAGE_POOL_2D(padded(tfl, x, whole), **{**same, "padding": "VALID"})
    if not (share == 1).all():
        y = tfl.MUL(y, constant(share.astype(np.float32)), **NONE)
    return flat.out(tfl, y)


@from_onnx("nhwc.GlobalAveragePool")
def global_average_pool(tfl: Builder, x: Value) -> Any:
    axes = ints(range(1, rank(x) - 1))
    return tfl.MEAN(halfway(tfl, carry(tfl, x, "f4"), axes), axes, keep_dims=True)


@from_onnx("nhwc.GlobalMaxPool")
def global_max_pool(tfl: Builder, x: Value) -> Any:
    return tfl.REDUCE_MAX(carry(tfl, x, "f4 i4 i8 i1 u1"), ints(range(1, rank(x) - 1)), keep_dims=True)
