"""Pooling as layers, channels last."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.pool import counts, lowest, window
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from .common import Ints, call, floating, from_onnx, rank
from .conv import padded, padding


def _layer(k: Builder, kind: str, x: Value, kernel: Ints, strides: Ints, word: str, type: Type) -> Value:
    made: Value = k.add(f"{kind}{len(kernel)}D", x, pool_size=tuple(kernel), strides=tuple(strides), padding=word,
                        data_format="channels_last", type=type)
    return made


def _spatial(x: Value, dilations: Ints) -> int:
    n = rank(x) - 2
    if n not in (1, 2, 3) or any(d != 1 for d in dilations):
        raise Unsupported(f"{n} spatial axes, or dilations")
    floating(x)
    return n


def _positive(x: Value) -> bool:
    """Whether no number of ``x`` is below zero: zeros around it are not the largest of any window, then."""
    return x.op == "ReLU" or (x.node is not None and x.op == "Activation" and x.node.attrs["activation"] in (
        "relu", "sigmoid", "softplus"))


@from_onnx("nhwc.MaxPool")
def max_pool(k: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
             auto_pad: str = "NOTSET", ceil_mode: int = 0, storage_order: int = 0) -> Any:
    assert k.node is not None and x.shape is not None
    n = _spatial(x, dilations)
    if len(k.node.outputs) > 1:
        raise Unsupported("the indices of the largest values")
    strides, pads, word = strides or (1,) * n, pads or (0,) * (2 * n), "same"
    if auto_pad != "SAME_UPPER" or ceil_mode:
        around = [window(d, w, s, 1, a, b, auto_pad, ceil_mode) for d, w, s, a, b in zip(
            x.shape[1:n + 1], kernel_shape, strides, pads[:n], pads[n:], strict=True)]
        x, word = padding(k, x, kernel_shape, strides, (1,) * n,
                          [a for a, _, _ in around] + [b + c for _, b, c in around], "NOTSET",
                          None if _positive(x) else lowest(x))
    return _layer(k, "MaxPooling", x, kernel_shape, strides, word, k.out)


@from_onnx("nhwc.AveragePool")
def average_pool(k: Builder, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (),
                 dilations: Ints = (), auto_pad: str = "NOTSET", ceil_mode: int = 0,
                 count_include_pad: int = 0) -> Any:
    """``same`` leaves its pads out of the average; where others do too, zeros are averaged and made good."""
    assert x.shape is not None
    n = _spatial(x, dilations)
    strides, pads = strides or (1,) * n, pads or (0,) * (2 * n)
    if auto_pad == "SAME_UPPER" and not ceil_mode and not count_include_pad:
        return _layer(k, "AveragePooling", x, kernel_shape, strides, "same", k.out)
    around = [window(d, w, s, 1, a, b, auto_pad, ceil_mode) for d, w, s, a, b in zip(
        x.shape[1:n + 1], kernel_shape, strides, pads[:n], pads[n:], strict=True)]
    pairs = tuple((a, b + c) for a, b, c in around)
    flat = [a for a, _ in pairs] + [b for _, b in pairs]
    if min(flat) < 0:
        raise Unsupported("windows that leave out the last values")
    if not any(flat):
        return _layer(k, "AveragePooling", x, kernel_shape, strides, "valid", k.out)
    if not count_include_pad and padding(k, x, kernel_shape, strides, (1,) * n, flat, "NOTSET")[1] == "same":
        return _layer(k, "AveragePooling", x, kernel_shape, strides, "same", k.out)
    share: Any = np.ones((1,) * (n + 2))
    for axis, (w, s, pad) in enumerate(zip(kernel_shape, strides, around, strict=True), 1):
        size = x.shape[axis]
        if any(pad) and not (count_include_pad and not pad[2]):
            if not isinstance(size, int):
                raise Unsupported("pads that do not count, of sizes that are only known at run time")
            number = counts(size, w, s, 1, pad, bool(count_include_pad))
            if not number.all():
                raise Unsupported("windows of pads alone")
            share = share * (w / number).reshape([-1 if b == axis else 1 for b in range(n + 2)])
    y = _layer(k, "AveragePooling", padded(k, x, pairs), kernel_shape, strides, "valid", k.out)
    return y if (share == 1).all() else call(k, "multiply", y, constant(share.astype(x.dtype)), type=k.out)


@from_onnx("nhwc.GlobalAveragePool", "nhwc.GlobalMaxPool")
def global_pool(k: Builder, x: Value) -> Any:
    assert k.node is not None
    n = _spatial(x, ())
    kind = "Average" if "Average" in k.node.op else "Max"
    return k.add(f"Global{kind}Pooling{n}D", x, data_format="channels_last", keepdims=True, type=k.out)
