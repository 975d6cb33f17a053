"""Pooling."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.pool import lowest, windows
from ....ir.graph import Value
from ....ir.types import Type
from .common import FLOATS, I64, NUMERIC, At, from_onnx, held, rank
from .conv import around

Ints = Sequence[int]


def _plain(x: Value) -> int:
    n = rank(x) - 2
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    return n


@from_onnx("MaxPool")
def max_pool(at: At, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
             auto_pad: str = "NOTSET", ceil_mode: int = 0, storage_order: int = 0) -> Any:
    """Pads are at most half of the window in PyTorch; what ceil_mode adds is padded where it is known."""
    assert at.node is not None
    n = _plain(x)
    held([x], FLOATS)
    strides, dilations = list(strides or (1,) * n), list(dilations or (1,) * n)
    pads = list(pads or (0,) * (2 * n))
    same = pads[:n] == pads[n:] and all(2 * p <= k for p, k in zip(pads[:n], kernel_shape, strict=True))
    if len(at.node.outputs) > 1:
        if not same or storage_order or ceil_mode or auto_pad != "NOTSET" or not x.type.static:
            raise Unsupported("the places of the largest values")
        types = [at.node.outputs[0].type, Type(I64, at.node.outputs[1].shape)]
        y, place = at(f"max_pool{n}d_with_indices", x, list(kernel_shape), strides, pads[:n], dilations, type=types)
        area = int(np.prod([d for d in (x.shape or ())[2:] if isinstance(d, int)]))
        batch, channels = (d for d in (x.shape or ())[:2] if isinstance(d, int))
        if batch * channels > 1:  # places are counted in the whole tensor
            from ....ir.graph import constant
            start = np.arange(batch * channels).reshape(batch, channels, *[1] * n) * area
            place = at("add.Tensor", place, constant(start, I64), type=types[1])
        return y, place
    if auto_pad == "NOTSET" and same and not ceil_mode:
        return at(f"max_pool{n}d", x, list(kernel_shape), strides, pads[:n], dilations, type=at.out)
    if auto_pad == "NOTSET" and same and all(s <= k for s, k in zip(strides, kernel_shape, strict=True)) \
            and set(dilations) == {1}:
        return at(f"max_pool{n}d", x, list(kernel_shape), strides, pads[:n], dilations, True, type=at.out)
    whole = windows(x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    x, left = around(at, x, [a for a, _, _ in whole] + [b + c for _, b, c in whole], lowest(x))
    if any(2 * p > k for p, k in zip(left, kernel_shape, strict=True)):
        flat = [p for p in reversed(left) for _ in range(2)]
        x, left = at.constant_pad_nd(x, flat, lowest(x), type=Type(x.dtype, (None,) * rank(x))), [0] * n
    return at(f"max_pool{n}d", x, list(kernel_shape), strides, left, dilations, type=at.out)


@from_onnx("AveragePool")
def average_pool(at: At, x: Value, *, kernel_shape: Ints, strides: Ints = (), pads: Ints = (), dilations: Ints = (),
                 auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0) -> Any:
    held([x], FLOATS)
    n = _plain(x)
    strides, pads = list(strides or (1,) * n), list(pads or (0,) * (2 * n))
    if any(d != 1 for d in dilations) or ceil_mode:
        raise Unsupported("dilations, or ceil_mode")
    if auto_pad.startswith("SAME"):
        whole = windows(x, kernel_shape, strides, (), pads, auto_pad, 0)
        pads = [a for a, _, _ in whole] + [b for _, b, _ in whole]
    if pads[:n] != pads[n:] or any(2 * p > k for p, k in zip(pads[:n], kernel_shape, strict=True)):
        if not count_include_pad:
            raise Unsupported("pads that differ and do not count")
        x, pads = around(at, x, pads)
        if any(2 * p > k for p, k in zip(pads[:n], kernel_shape, strict=True)):
            raise Unsupported("pads of more than half of the window")
    return at(f"avg_pool{n}d", x, list(kernel_shape), strides, pads[:n], False, bool(count_include_pad), type=at.out)


@from_onnx("GlobalAveragePool")
def global_average_pool(at: At, x: Value) -> Any:
    held([x], FLOATS)
    n = rank(x) - 2
    if n not in (1, 2, 3):
        return at("mean.dim", x, list(range(2, n + 2)), True, type=at.out)
    return at(f"adaptive_avg_pool{n}d", x, [1] * n, type=at.out)


@from_onnx("GlobalMaxPool")
def global_max_pool(at: At, x: Value) -> Any:
    held([x], NUMERIC)
    return at.amax(x, list(range(2, rank(x))), True, type=at.out)
