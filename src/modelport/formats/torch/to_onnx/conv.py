"""Convolutions.  Source: aten/src/ATen/native/Convolution.cpp."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..machine import aten
from ..values import rank, wholes


def convolution(op: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any,
                groups: int, transposed: bool = False, output_padding: Any = 0) -> Any:
    """Of any number of axes; an ``x`` without the axis of the batch gets one for as long as it takes."""
    count = rank(weight) - 2
    alone = rank(x) == count + 1
    if alone:
        x = op.Unsqueeze(x, np.array([0]))
    have, want = (x.shape or ())[1:2], (weight.shape or ())[:1] if transposed else (weight.shape or ())[1:2]
    if have and want and isinstance(have[0], int) and isinstance(want[0], int) and \
            have[0] != want[0] * (1 if transposed else groups):
        raise Unsupported(f"{have[0]} channels where the weights take {want[0] * (1 if transposed else groups)}")
    steps, holes = wholes(stride, count, "stride"), wholes(dilation, count, "dilation")
    kwargs: dict[str, Any] = {"strides": steps, "dilations": holes, "group": groups}
    if isinstance(padding, str):
        kwargs["pads"] = _named_padding(weight, padding, steps, holes)
    else:
        kwargs["pads"] = wholes(padding, count, "padding") * 2
    args = [x, weight] if bias is None else [x, weight, bias]
    if transposed:
        y = op.ConvTranspose(*args, output_padding=wholes(output_padding, count, "output_padding"), **kwargs)
    else:
        y = op.Conv(*args, **kwargs)
    return op.Squeeze(y, np.array([0])) if alone else y


def _named_padding(weight: Value, padding: str, strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    if padding == "valid":
        return [0] * 2 * len(strides)
    if padding != "same" or any(s != 1 for s in strides):
        raise Unsupported(f"padding '{padding}' with strides {list(strides)}")
    assert weight.shape is not None
    total = [d * (k - 1) for d, k in zip(dilations, wholes(list(weight.shape[2:]), None, "a kernel"), strict=True)]
    return [t // 2 for t in total] + [t - t // 2 for t in total]  # the odd one at the end, as _convolution_same has it


@aten("conv1d", "conv2d", "conv3d")
def conv(op: Builder, input: Value, weight: Value, bias: Value | None = None, stride: Any = 1, padding: Any = 0,
         dilation: Any = 1, groups: int = 1) -> Any:
    return convolution(op, input, weight, bias, stride, padding, dilation, groups)


@aten("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(op: Builder, input: Value, weight: Value, bias: Value | None = None, stride: Any = 1,
                   padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Any:
    return convolution(op, input, weight, bias, stride, padding, dilation, groups, True, output_padding)


@aten("convolution", "_convolution", "convolution_overrideable")
def any_convolution(op: Builder, input: Value, weight: Value, bias: Value | None, stride: Any, padding: Any,
                    dilation: Any, transposed: bool, output_padding: Any, groups: int, *how: Any, **named: Any) -> Any:
    return convolution(op, input, weight, bias, stride, padding, dilation, groups, transposed, output_padding)


@aten("_convolution_mode")
def convolution_mode(op: Builder, input: Value, weight: Value, bias: Value | None, stride: Any, padding: str,
                     dilation: Any, groups: int) -> Any:
    return convolution(op, input, weight, bias, stride, padding, dilation, groups)
