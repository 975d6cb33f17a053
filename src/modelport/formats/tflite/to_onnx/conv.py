"""Convolutions and fully connected layers.  Source: tensorflow/lite/kernels/conv.cc and its neighbours.

Weights are brought into ONNX's order; activations stay channels last (``nhwc.Conv``)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import Unsupported
from ....hub import symbols
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import dims, known, padded, rank, transposed
from .common import activation, hybrid, to_onnx


@to_onnx("CONV_2D")
def conv_2d(op: Builder, x: Value, w: Value, b: Value | None = None, *, padding: str = "SAME", stride_w: int = 0,
            stride_h: int = 0, fused_activation_function: str = "NONE", dilation_w_factor: int = 1,
            dilation_h_factor: int = 1, quantized_bias_type: str = "FLOAT32") -> Any:
    hybrid(op, x, w)
    o, kh, kw, i = dims(w, what="the weight")
    strides, dilations = [stride_h, stride_w], [dilation_h_factor, dilation_w_factor]
    channels = dims(x, [-1])[0]
    if not i or not channels or channels % i or o % (channels // i):
        raise Unsupported(f"{channels} channels with a weight for {i}")
    x, pads = padded(op, x, padding, [kh, kw], strides, dilations)
    y = op.nhwc.Conv(x, transposed(op, w, [0, 3, 1, 2]), b, kernel_shape=[kh, kw], strides=strides,
                     dilations=dilations, group=channels // i, **pads)
    return activation(op, y, fused_activation_function)


@to_onnx("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(op: Builder, x: Value, w: Value, b: Value | None = None, *, padding: str = "SAME",
                      stride_w: int = 0, stride_h: int = 0, depth_multiplier: int = 0,
                      fused_activation_function: str = "NONE", dilation_w_factor: int = 1,
                      dilation_h_factor: int = 1) -> Any:
    # depth_multiplier is redundant and in some files wrong; the kernel too takes it from the shapes
    hybrid(op, x, w)
    one, kh, kw, o = dims(w, what="the weight")
    strides, dilations = [stride_h, stride_w], [dilation_h_factor, dilation_w_factor]
    channels = dims(x, [-1])[0]
    if one != 1 or channels == 0 or o % channels:
        raise Unsupported(f"{channels} channels with a weight of {w.type}")
    x, pads = padded(op, x, padding, [kh, kw], strides, dilations)
    y = op.nhwc.Conv(x, transposed(op, w, [3, 0, 1, 2]), b, kernel_shape=[kh, kw], strides=strides,
                     dilations=dilations, group=channels, **pads)
    return activation(op, y, fused_activation_function)


@to_onnx("CONV_3D")
def conv_3d(op: Builder, x: Value, w: Value, b: Value | None = None, *, padding: str = "SAME", stride_d: int = 0,
            stride_w: int = 0, stride_h: int = 0, fused_activation_function: str = "NONE", dilation_d_factor: int = 1,
            dilation_w_factor: int = 1, dilation_h_factor: int = 1) -> Any:
    hybrid(op, x, w)
    *kernel, _, _ = dims(w, what="the weight")
    strides, dilations = [stride_d, stride_h, stride_w], [dilation_d_factor, dilation_h_factor, dilation_w_factor]
    x, pads = padded(op, x, padding, kernel, strides, dilations)
    y = op.nhwc.Conv(x, transposed(op, w, [4, 3, 0, 1, 2]), b, kernel_shape=kernel, strides=strides,
                     dilations=dilations, **pads)
    return activation(op, y, fused_activation_function)


@to_onnx("TRANSPOSE_CONV")
def transpose_conv(op: Builder, shape: Value, w: Value, x: Value, b: Value | None = None, *, padding: str = "SAME",
                   stride_w: int = 0, stride_h: int = 0, fused_activation_function: str = "NONE",
                   quantized_bias_type: str = "FLOAT32") -> Any:
    hybrid(op, x, w)
    _, *kernel, _ = dims(w, what="the weight")
    y = _transposed_conv(op, shape, transposed(op, w, [3, 0, 1, 2]), x, b, kernel, [stride_h, stride_w], padding)
    return activation(op, y, fused_activation_function)


@to_onnx("CONV_3D_TRANSPOSE")
def conv_3d_transpose(op: Builder, shape: Value, w: Value, x: Value, b: Value | None = None, *, padding: str = "SAME",
                      stride_d: int = 0, stride_w: int = 0, stride_h: int = 0, fused_activation_function: str = "NONE",
                      dilation_d_factor: int = 1, dilation_w_factor: int = 1, dilation_h_factor: int = 1) -> Any:
    if (dilation_d_factor, dilation_h_factor, dilation_w_factor) != (1, 1, 1):
        raise Unsupported("dilations")
    hybrid(op, x, w)
    *kernel, _, _ = dims(w, what="the weight")
    strides = [stride_d, stride_h, stride_w]
    y = _transposed_conv(op, shape, transposed(op, w, [4, 3, 0, 1, 2]), x, b, kernel, strides, padding)
    return activation(op, y, fused_activation_function)


def _transposed_conv(op: Builder, shape: Value, w: Value, x: Value, b: Value | None, kernel: Sequence[int],
                     strides: Sequence[int], padding: str) -> Any:
    """The pads are those of the convolution that this one is the gradient of: from the output to the input."""
    if padding not in ("SAME", "VALID") or any(s < 1 for s in strides):
        raise Unsupported(f"padding {padding}, strides {list(strides)}")
    spatial = known(shape, "the output shape")[1:-1] if shape.data is not None else (shape.elements or ())[1:-1]
    sizes = (x.shape or ())[1:-1]
    if not len(sizes) == len(spatial) == len(kernel):
        raise Unsupported("the spatial output shape is computed at run time")
    begin, end, more = [], [], []
    for size, out, k, s in zip(sizes, spatial, kernel, strides, strict=True):
        over = symbols.sub(symbols.add(symbols.mul(symbols.sub(size, 1), s), k), out)  # of all that windows reach
        if not isinstance(over, int):
            raise Unsupported("the spatial output shape is computed at run time")
        if not 0 < (k if padding == "SAME" else 1) - over <= s:  # the convolution would make another size of it
            raise Unsupported(f"output size {out} for input size {size}, kernel {k} and stride {s}")
        begin.append(max(0, over) // 2)
        end.append(max(0, over) - begin[-1])
        more.append(max(0, -over))
    return op.nhwc.ConvTranspose(x, w, b, kernel_shape=list(kernel), strides=list(strides),
                                     pads=begin + end, output_padding=more if any(more) else None)


@to_onnx("FULLY_CONNECTED")
def fully_connected(op: Builder, x: Value, w: Value, b: Value | None = None, *,
                    fused_activation_function: str = "NONE", weights_format: str = "DEFAULT",
                    keep_num_dims: bool = False, asymmetric_quantize_inputs: bool = False,
                    quantized_bias_type: str = "FLOAT32", quant_spec: object = None) -> Any:
    if weights_format != "DEFAULT":
        raise Unsupported(f"weights stored as {weights_format}")
    if quant_spec is not None:
        raise Unsupported("a quantization specification in the options")
    hybrid(op, x, w)
    _, inner = dims(w, what="the weight")
    if keep_num_dims and x.rank != 2:
        y = op.MatMul(x, transposed(op, w, [1, 0]))
        y = y if b is None else op.Add(y, b)
    else:
        if rank(x) != 2 or x.shape is None or x.shape[-1] != inner:
            x = op.Reshape(x, [-1, inner])
        y = op.Gemm(x, w, b, transB=1)
    return activation(op, y, fused_activation_function)
