"""Convolutions.  Source: tensorflow/core/kernels/conv_ops.cc, conv_grad_input_ops.h, the fused ones of Grappler's
remapper and of TensorFlow.js.

Weights are brought into ONNX's order; activations stay channels last (``nhwc.Conv``)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import symbols
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import same_pads
from .activation import function
from .common import dims, first, ints, known, last, name_of, reshaped, spatial, to_onnx, transposed, window

Numbers = Sequence[int]


@to_onnx("Conv2D", "Conv3D")
def conv(op: Builder, x: Value, w: Value, *, strides: Numbers, padding: str, explicit_paddings: Numbers = (),
         data_format: str = "", dilations: Numbers | None = None, use_cudnn_on_gpu: bool = True) -> Any:
    f = data_format or ("NHWC" if name_of(op) == "Conv2D" else "NDHWC")
    return first(op, _conv(op, last(op, x, f), w, None, strides, padding, explicit_paddings, f, dilations), f)


def _conv(op: Builder, x: Value, w: Value, b: Value | None, strides: Numbers, padding: str, explicit: Numbers,
          data_format: str, dilations: Numbers | None) -> Any:
    """A convolution, channels last, of a weight of [space..., inputs, outputs]."""
    *kernel, inputs, outputs = dims(w, what="the weight")
    n = len(kernel)
    channels = (x.shape or (None,))[-1]
    groups = 1
    if isinstance(channels, int):
        if not inputs or channels % inputs or outputs % max(1, channels // inputs):
            raise Unsupported(f"{channels} channels with a weight for {inputs}")
        groups = channels // inputs
    s, d = spatial(strides, data_format), spatial(dilations or [1] * (n + 2), data_format)
    x, pads = window(op, x, padding, explicit, data_format, kernel, s, d)
    return op.nhwc.Conv(x, transposed(op, w, [n + 1, n, *range(n)]), b, kernel_shape=kernel, strides=s, dilations=d,
                        group=groups, **pads)


@to_onnx("FusedPadConv2D")
def padded_conv(op: Builder, x: Value, paddings: Value, w: Value, *, mode: str, strides: Numbers,
                padding: str) -> Any:
    from .shape import mirror_pad
    return _conv(op, mirror_pad(op, x, paddings, mode=mode), w, None, strides, padding, (), "NHWC", None)


@to_onnx("DepthwiseConv2dNative")
def depthwise(op: Builder, x: Value, w: Value, *, strides: Numbers, padding: str, explicit_paddings: Numbers = (),
              data_format: str = "NHWC", dilations: Numbers = (1, 1, 1, 1)) -> Any:
    f = data_format
    return first(op, _depthwise(op, last(op, x, f), w, None, strides, padding, explicit_paddings, f, dilations), f)


def _depthwise(op: Builder, x: Value, w: Value, b: Value | None, strides: Numbers, padding: str, explicit: Numbers,
               data_format: str, dilations: Numbers) -> Any:
    h, v, channels, multiplier = dims(w, what="the weight")
    s, d = spatial(strides, data_format), spatial(dilations, data_format)
    x, pads = window(op, x, padding, explicit, data_format, [h, v], s, d)
    return op.nhwc.Conv(x, _depthwise_weight(op, w, h, v, channels, multiplier), b, kernel_shape=[h, v], strides=s,
                        dilations=d, group=channels, **pads)


def _depthwise_weight(op: Builder, w: Value, h: int, v: int, channels: int, multiplier: int) -> Value:
    """[space, channels, multiplier] as ONNX has the weights of as many groups as there are channels."""
    size = [channels * multiplier, 1, h, v]
    made = reshaped(w, size, [2, 3, 0, 1])
    return op.Reshape(op.Transpose(w, perm=[2, 3, 0, 1]), ints(size)) if made is None else made


@to_onnx("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def conv_transposed(op: Builder, sizes: Value, w: Value, x: Value, *, strides: Numbers, padding: str,
                    explicit_paddings: Numbers = (), data_format: str = "", dilations: Numbers | None = None,
                    use_cudnn_on_gpu: bool = True) -> Any:
    f = data_format or ("NHWC" if name_of(op) == "Conv2DBackpropInput" else "NDHWC")
    *kernel, _, _ = dims(w, what="the weight")
    n = len(kernel)
    s, d = spatial(strides, f), spatial(dilations or [1] * (n + 2), f)
    weight = transposed(op, w, [n + 1, n, *range(n)])
    return first(op, _transposed(op, sizes, weight, last(op, x, f), kernel, s, d, padding, explicit_paddings, f, 1), f)


@to_onnx("DepthwiseConv2dNativeBackpropInput")
def depthwise_transposed(op: Builder, sizes: Value, w: Value, x: Value, *, strides: Numbers, padding: str,
                         explicit_paddings: Numbers = (), data_format: str = "NHWC",
                         dilations: Numbers = (1, 1, 1, 1)) -> Any:
    f = data_format
    h, v, channels, multiplier = dims(w, what="the weight")
    s, d = spatial(strides, f), spatial(dilations, f)
    weight = _depthwise_weight(op, w, h, v, channels, multiplier)
    return first(op, _transposed(op, sizes, weight, last(op, x, f), [h, v], s, d, padding, explicit_paddings, f,
                                 channels), f)


def _transposed(op: Builder, sizes: Value, w: Value, x: Value, kernel: Numbers, strides: Numbers, dilations: Numbers,
                padding: str, explicit: Numbers, data_format: str, group: int) -> Any:
    """The gradient of a convolution: its pads are those of the convolution from the wanted size to that of ``x``."""
    elements = tuple(known(sizes, "the size")) if sizes.data is not None else sizes.elements or ()
    n = len(kernel)
    wanted = elements if len(elements) == n else elements[2:] if data_format.startswith("NC") else elements[1:-1]
    have = (x.shape or ())[1:-1]
    if not len(wanted) == len(have) == n:
        raise Unsupported("the size of the result is computed at run time")
    begin, end, more = [], [], []
    pairs = list(zip(explicit[::2], explicit[1::2], strict=True))
    pairs = pairs[2:] if data_format.startswith("NC") else pairs[1:-1]
    for k, (size, out, extent, s, d) in enumerate(zip(have, wanted, kernel, strides, dilations, strict=True)):
        reach = (extent - 1) * d + 1
        over = symbols.sub(symbols.add(symbols.mul(symbols.sub(size, 1), s), reach), out)  # of all that windows reach
        if not isinstance(over, int):
            raise Unsupported("the size of the result is computed at run time")
        if padding == "EXPLICIT":
            a, b = pairs[k]
            begin.append(a)
            end.append(max(0, over - a))
            more.append(max(0, a - over))
            if over - a > b or b - (over - a) >= s:
                raise Unsupported(f"size {out} for {size}, kernel {extent}, stride {s} and pads {a} and {b}")
            continue
        if not 0 < (reach if padding == "SAME" else 1) - over <= s:
            raise Unsupported(f"size {out} for {size}, kernel {extent} and stride {s}")
        before = max(0, over) // 2
        begin.append(before)
        end.append(max(0, over) - before)
        more.append(max(0, -over))
    return op.nhwc.ConvTranspose(x, w, kernel_shape=list(kernel), strides=list(strides), dilations=list(dilations),
                                 group=group, pads=begin + end, output_padding=more if any(more) else None)


@to_onnx("Dilation2D")
def dilation(op: Builder, x: Value, w: Value, *, strides: Numbers, rates: Numbers, padding: str) -> Any:
    """The greatest sum of a pixel and a weight: one shifted slice of the input for each place of the kernel."""
    h, v, _ = dims(w, what="the filter")
    s, d = spatial(strides, "NHWC"), spatial(rates, "NHWC")
    size = dims(x, [1, 2])
    if padding == "SAME":
        pads = same_pads(size, [h, v], s, d)
        x = op.Pad(x, ints(pads[:2] + pads[2:]), constant(np.asarray(-np.inf, x.dtype)), ints([1, 2]))
        size = [a + pads[k] + pads[2 + k] for k, a in enumerate(size)]
    elif padding != "VALID":
        raise Unsupported(f"padding {padding}")
    out = [(a - (k - 1) * r - 1) // t + 1 for a, k, r, t in zip(size, [h, v], d, s, strict=True)]
    best: Any = None
    for i in range(h):
        for j in range(v):
            starts = [i * d[0], j * d[1]]
            ends = [a + (n - 1) * t + 1 for a, n, t in zip(starts, out, s, strict=True)]
            part = op.Slice(x, ints(starts), ints(ends), ints([1, 2]), ints(s))
            row = op.Reshape(op.Slice(w, ints([i, j]), ints([i + 1, j + 1]), ints([0, 1])), ints([-1]))
            part = op.Add(part, row)
            best = part if best is None else op.Max(best, part)
    return best


@to_onnx("_FusedConv2D", "FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedDepthwiseConv2dNative")
def fused(op: Builder, x: Value, w: Value, *args: Value, strides: Numbers, padding: str,
          fused_ops: Sequence[str] = (), explicit_paddings: Numbers = (), data_format: str = "NHWC",
          dilations: Numbers = (1, 1, 1, 1), epsilon: float = 9.999999747378752e-05,
          leakyrelu_alpha: float = 0.20000000298023224, num_args: int = 0, num_host_args: int = 0,
          use_cudnn_on_gpu: bool = True, filter_format: str = "HWIO") -> Any:
    if filter_format != "HWIO":
        raise Unsupported(f"a weight of {filter_format}")
    f = data_format
    rest = list(args)
    bias = rest.pop(0) if fused_ops and fused_ops[0] == "BiasAdd" else None
    how = _depthwise if "Depthwise" in name_of(op) else _conv
    y = how(op, last(op, x, f), w, bias, strides, padding, explicit_paddings, f, dilations)
    return first(op, finish(op, y, rest, fused_ops[1:] if bias is not None else fused_ops, epsilon, leakyrelu_alpha),
                 f)


def finish(op: Builder, y: Value, args: list[Value], fused_ops: Sequence[str], epsilon: float, alpha: float) -> Any:
    """What is fused behind a product, channels last."""
    for name in fused_ops:
        if name == "BiasAdd":
            y = op.Add(y, args.pop(0))
        elif name == "FusedBatchNorm":
            scale, offset, mean, variance = (args.pop(0) for _ in range(4))
            y = op.nhwc.BatchNormalization(y, scale, offset, mean, variance, epsilon=epsilon)
        elif name == "Add":
            y = op.Add(y, args.pop(0))
        else:
            y = function(op, y, name, alpha, args.pop(0) if name == "Prelu" else None)
    return y
