"""Pooling, channels last."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....hub.decompose.pool import flattened, lowest, shares, windows
from ....ir.graph import Value, constant
from ...writing import rank
from .common import FLOATS, NUMBERS, TF, carry, from_onnx, ints
from .conv import Flat, inner, padded, padding

Ints = Sequence[int]


def _plain(x: Value, dilations: Ints) -> int:
    n = rank(x) - 2
    if n not in (1, 2, 3) or any(d != 1 for d in dilations):
        raise Unsupported(f"{n} spatial axes, or dilations")
    return n


def _options(kernel: Ints, strides: Ints, word: str) -> dict[str, Any]:
    return {"padding": word, "ksize": [1, *kernel, 1], "strides": [1, *strides, 1]}


@from_onnx("nhwc.MaxPool")
def max_pool(tf: TF, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
             auto_pad: str = "NOTSET", ceil_mode: int = 0, storage_order: int = 0) -> Any:
    assert tf.node is not None
    n = _plain(x, dilations)
    if len(tf.node.outputs) > 1:
        raise Unsupported("the indices of the largest values")
    x, flat = carry(tf, x, "f4" if n == 3 else NUMBERS), Flat(n == 1)
    kernel, strides = flat.pair(kernel_shape), flat.pair(strides or (1,) * n)
    pads, x, word = flat.pads(pads or (0,) * (2 * n)), flat.ins(tf, x), "SAME"
    if auto_pad != "SAME_UPPER" or ceil_mode:
        around = windows(x, kernel, strides, (), pads, auto_pad, ceil_mode, last=True)
        x, word = padding(tf, x, kernel, strides, (1,) * len(kernel), flattened(around), "NOTSET", lowest(x))
    name = "MaxPool3D" if n == 3 else "MaxPool"
    return flat.out(tf, tf.add(name, x, **_options(kernel, strides, word), type=inner(tf, flat, x.dtype)))


@from_onnx("nhwc.AveragePool")
def average_pool(tf: TF, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
                 auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0) -> Any:
    """SAME leaves its pads out of the average; where others do too, zeros are averaged and their number made good."""
    n = _plain(x, dilations)
    name = "AvgPool3D" if n == 3 else "AvgPool"
    x, flat = carry(tf, x, "f4" if n == 3 else FLOATS), Flat(n == 1)
    kernel, strides = flat.pair(kernel_shape), flat.pair(strides or (1,) * n)
    pads, x = flat.pads(pads or (0,) * (2 * n)), flat.ins(tf, x)
    assert x.shape is not None
    same = {**_options(kernel, strides, "SAME"), "type": inner(tf, flat, x.dtype)}
    if auto_pad == "SAME_UPPER" and not ceil_mode and not count_include_pad:
        return flat.out(tf, tf.add(name, x, **same))
    around = windows(x, kernel, strides, (), pads, auto_pad, ceil_mode, last=True)
    whole = flattened(around)
    ones = (1,) * len(kernel)
    if not count_include_pad and any(whole) and min(whole) >= 0 \
            and padding(tf, x, kernel, strides, ones, whole, "NOTSET")[1] == "SAME":
        return flat.out(tf, tf.add(name, x, **same))
    if min(whole) < 0:
        raise Unsupported("windows that leave out the last values")
    share = shares(x.shape[1:-1], kernel, strides, around, count_include_pad)
    y = tf.add(name, padded(tf, x, whole), **{**same, "padding": "VALID"})
    if not (share == 1).all():
        y = tf.Mul(y, constant(share.astype(x.dtype)))
    return flat.out(tf, y)


@from_onnx("nhwc.GlobalAveragePool")
def global_average_pool(tf: TF, x: Value) -> Any:
    return tf.Mean(carry(tf, x, FLOATS), ints(range(1, rank(x) - 1)), keep_dims=True)


@from_onnx("nhwc.GlobalMaxPool")
def global_max_pool(tf: TF, x: Value) -> Any:
    return tf.Max(carry(tf, x, NUMBERS), ints(range(1, rank(x) - 1)), keep_dims=True)
