"""Convolutions.  Kernels are ``(spatial..., in, out)``; activations stay as the layer has them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import Type
from .activation import activated
from .common import (
    dims,
    first,
    generation,
    ints,
    layout,
    listed,
    padding_of,
    rank,
    real,
    reshaped,
    room,
    to_onnx,
    transposed,
)


def _biased(op: Builder, y: Value, bias: Value | None, data_format: str) -> Any:
    if bias is None:
        return y
    if first(data_format):
        bias = op.Reshape(bias, ints([-1, *[1] * (rank(y) - 2)]))
    return op.Add(y, bias)


def convolve(op: Builder, x: Value, kernel: Value, bias: Value | None, strides: Any, padding: str, data_format: str,
             dilation_rate: Any, groups: int = 1) -> Any:
    """A convolution of any number of dimensions."""
    n = rank(x) - 2
    if n < 1:
        raise Unsupported(f"an input of {rank(x)} dimensions")
    *size, _, _ = dims(kernel, what="the kernel")
    if len(size) != n:
        raise Unsupported(f"a kernel of {len(size)} dimensions for an input of {n}")
    strides, dilations = listed(strides, n, "strides"), listed(dilation_rate, n, "dilation_rate")
    w = transposed(op, kernel, [n + 1, n, *range(n)])
    return layout(op, data_format).Conv(
        x, w, bias, kernel_shape=size, strides=strides, dilations=dilations, group=groups,
        **padding_of(x, padding, data_format, size, strides, dilations))


@to_onnx("Conv1D", "Conv2D", "Conv3D")
def conv(op: Builder, x: Value, kernel: Value, bias: Value | None = None, *, filters: int, kernel_size: Any = None,
         strides: Any = 1, padding: str = "valid", data_format: str = "channels_last", dilation_rate: Any = 1,
         groups: int = 1, activation: str = "linear", use_bias: bool = True, rank: Any = None) -> Any:
    x = real(op, x)
    more = (x.rank or 0) - (kernel.rank or 0)
    if more > 0 and generation(op) < 3:  # further axes in front, which belong to the batch
        flat = op.Reshape(x, op.Concat(ints([-1]), op.Shape(x, start=more + 1), axis=0))
        flat.type = Type(x.dtype, (None, *(x.shape or ())[more + 1:]))
        y = convolve(op, flat, kernel, bias, strides, padding, data_format, dilation_rate, groups)
        y = op.Reshape(y, op.Concat(op.Shape(x, start=0, end=more + 1), op.Shape(y, start=1), axis=0))
        return activated(op, y, activation)
    y = convolve(op, x, kernel, bias, strides, padding, data_format, dilation_rate, groups)
    return activated(op, y, activation)


def depthwise(op: Builder, x: Value, kernel: Value, bias: Value | None, strides: Any, padding: str, data_format: str,
              dilation_rate: Any) -> Any:
    """A convolution of each channel by itself; the kernel is ``(spatial..., in, multiplier)``."""
    n = rank(x) - 2
    *size, channels, multiplier = dims(kernel, what="the kernel")
    if len(size) != n:
        raise Unsupported(f"a kernel of {len(size)} dimensions for an input of {n}")
    strides, dilations = listed(strides, n, "strides"), listed(dilation_rate, n, "dilation_rate")
    w = transposed(op, kernel, [n, n + 1, *range(n)], [channels * multiplier, 1, *size])
    return layout(op, data_format).Conv(
        x, w, bias, kernel_shape=size, strides=strides, dilations=dilations, group=channels,
        **padding_of(x, padding, data_format, size, strides, dilations))


@to_onnx("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise_conv(op: Builder, x: Value, kernel: Value, bias: Value | None = None, *, kernel_size: Any = None,
                   strides: Any = 1, padding: str = "valid", depth_multiplier: int = 1,
                   data_format: str = "channels_last", dilation_rate: Any = 1, activation: str = "linear",
                   use_bias: bool = True, rank: Any = None, filters: Any = None, groups: int = 1) -> Any:
    y = depthwise(op, real(op, x), kernel, bias, strides, padding, data_format, dilation_rate)
    return activated(op, y, activation)


@to_onnx("SeparableConv1D", "SeparableConv2D")
def separable_conv(op: Builder, x: Value, depthwise_kernel: Value, pointwise_kernel: Value, bias: Value | None = None,
                   *, filters: int, kernel_size: Any = None, strides: Any = 1, padding: str = "valid",
                   data_format: str = "channels_last", dilation_rate: Any = 1, depth_multiplier: int = 1,
                   activation: str = "linear", use_bias: bool = True, rank: Any = None, groups: int = 1) -> Any:
    if groups != 1:
        raise Unsupported("groups of a separable convolution")
    y = depthwise(op, real(op, x), depthwise_kernel, None, strides, padding, data_format, dilation_rate)
    y = convolve(op, y, pointwise_kernel, bias, 1, "valid", data_format, 1)
    return activated(op, y, activation)


@to_onnx("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def conv_transpose(op: Builder, x: Value, kernel: Value, bias: Value | None = None, *, filters: int,
                   kernel_size: Any = None, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
                   data_format: str = "channels_last", dilation_rate: Any = 1, activation: str = "linear",
                   use_bias: bool = True, groups: int = 1, rank: Any = None) -> Any:
    if groups != 1:
        raise Unsupported("groups of a transposed convolution")
    y = transposed_convolution(op, real(op, x), kernel, bias, strides, padding, output_padding, data_format,
                               dilation_rate)
    return activated(op, y, activation)


def transposed_convolution(op: Builder, x: Value, kernel: Value, bias: Value | None, strides: Any, padding: str,
                           output_padding: Any, data_format: str, dilation_rate: Any) -> Any:
    """The gradient of a convolution: what that would pad is cut off here; the kernel is ``(spatial..., out, in)``."""
    n = rank(x) - 2
    *size, _, _ = dims(kernel, what="the kernel")
    if len(size) != n:
        raise Unsupported(f"a kernel of {len(size)} dimensions for an input of {n}")
    strides, dilations = listed(strides, n, "strides"), listed(dilation_rate, n, "dilation_rate")
    given: Sequence[int | None] = [None] * n if output_padding is None else listed(output_padding, n, "output_padding")
    begin, end, more = [], [], []
    padding = str(padding).lower()
    for k, s, d, extra in zip(size, strides, dilations, given, strict=True):
        reach = (k - 1) * d + 1
        if padding == "valid":
            over = -(max(reach, s) - reach if extra is None else extra)
            begin.append(0)
            end.append(0)
        elif padding == "same":
            over = reach - s if extra is None else reach - reach % 2 - extra
            begin.append(max(0, over) // 2)
            end.append(max(0, over) - begin[-1])
        else:
            raise Unsupported(f"padding {padding}")
        more.append(max(0, -over))
        if more[-1] >= max(s, d, 1) and more[-1]:
            raise Unsupported(f"an output padding of {more[-1]} with the stride {s}")
    w = transposed(op, kernel, [n + 1, n, *range(n)])
    return layout(op, data_format).ConvTranspose(
        x, w, bias, kernel_shape=size, strides=strides, dilations=dilations, pads=begin + end,
        output_padding=more if any(more) else None)


@to_onnx("LocallyConnected1D", "LocallyConnected2D")
def locally_connected(op: Builder, x: Value, kernel: Value, bias: Value | None = None, *, filters: int,
                      kernel_size: Any, strides: Any = 1, padding: str = "valid", data_format: str = "channels_last",
                      activation: str = "linear", use_bias: bool = True) -> Any:
    """A kernel of its own for each position: pieces are gathered and multiplied."""
    if str(padding).lower() != "valid":
        raise Unsupported(f"padding {padding}")
    n = rank(x) - 2
    turned = first(data_format)
    if turned:  # the pieces of its kernels have the channels first too
        x = op.Transpose(x, perm=[0, *range(2, n + 2), 1])
    size, strides = listed(kernel_size, n, "kernel_size"), listed(strides, n, "strides")
    if kernel.rank != 3:
        raise Unsupported("another implementation than the first")
    *old, channels = dims(x, range(1, n + 2))
    new = [(o - k) // s + 1 for o, k, s in zip(old, size, strides, strict=True)]
    room(*new, *size)
    grid = [np.arange(m)[:, None] * s + np.arange(k)[None, :] for m, k, s in zip(new, size, strides, strict=True)]
    if n == 1:
        flat = grid[0].reshape(new[0], -1)
    else:
        rows, columns = grid
        flat = (rows[:, None, :, None] * old[1] + columns[None, :, None, :]).reshape(new[0] * new[1], -1)
    rows_of = op.Reshape(x, ints([0, -1, channels]))
    pieces = op.Gather(rows_of, flat.astype(np.int64), axis=1)  # batch, place, piece, channel
    width = int(np.prod(size)) * channels
    if turned:
        places = dims(kernel, what="the kernel")[0]
        apart = reshaped(op, kernel, [places, channels, width // channels, filters])
        kernel = transposed(op, apart, [0, 2, 1, 3], [places, width, filters])
    rows_ = op.Reshape(pieces, ints([0, flat.shape[0], 1, width]))
    y = op.Reshape(op.MatMul(rows_, kernel), ints([0, *new, filters]))
    if turned:
        y = op.Transpose(y, perm=[0, n + 1, *range(1, n + 1)])
        # the bias is kept with its channels last, and Keras takes its numbers in their order as if they came first
        bias = None if bias is None else reshaped(op, bias, [filters, *new])
    return activated(op, y if bias is None else op.Add(y, bias), activation)


@to_onnx("ops.conv")
def conv_operation(op: Builder, x: Value, kernel: Value, *, strides: Any = 1, padding: str = "valid",
                   data_format: str = "channels_last", dilation_rate: Any = 1) -> Any:
    at = 1 if first(data_format) else -1
    groups = dims(x, [at])[0] // dims(kernel, [-2])[0]
    return convolve(op, x, kernel, None, strides, padding, data_format, dilation_rate, groups)


@to_onnx("ops.depthwise_conv")
def depthwise_conv_operation(op: Builder, x: Value, kernel: Value, *, strides: Any = 1, padding: str = "valid",
                             data_format: str = "channels_last", dilation_rate: Any = 1) -> Any:
    return depthwise(op, x, kernel, None, strides, padding, data_format, dilation_rate)


@to_onnx("ops.separable_conv")
def separable_conv_operation(op: Builder, x: Value, depthwise_kernel: Value, pointwise_kernel: Value, *,
                             strides: Any = 1, padding: str = "valid", data_format: str = "channels_last",
                             dilation_rate: Any = 1) -> Any:
    y = depthwise(op, x, depthwise_kernel, None, strides, padding, data_format, dilation_rate)
    return convolve(op, y, pointwise_kernel, None, 1, "valid", data_format, 1)


@to_onnx("ops.conv_transpose")
def conv_transpose_operation(op: Builder, x: Value, kernel: Value, *, strides: Any = 1, padding: str = "valid",
                             output_padding: Any = None, data_format: str = "channels_last",
                             dilation_rate: Any = 1) -> Any:
    return transposed_convolution(op, x, kernel, None, strides, padding, output_padding, data_format, dilation_rate)


