"""Convolutions: channels last, weights from ONNX's (out, in / group, ...) to the kernels' orders."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.kernels.windows import padding_word, transposed_cuts, transposed_growth
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Dim, Type
from ...writing import Axes, dims, rank
from .common import F32, NONE, carry, from_onnx, ints, reshape, reshaped_weight, transpose

Ints = Sequence[int]


def padded(tfl: Builder, x: Value, pads: Ints, fill: float | None = None) -> Value:
    """``x``, channels last, with ``pads`` (all beginnings, then all ends) around its middle axes."""
    n = len(pads) // 2
    if not any(pads):
        return x
    pairs = np.array([(0, 0), *zip(pads[:n], pads[n:], strict=True), (0, 0)], np.int32)
    if fill is None:
        made: Value = tfl.PAD(x, pairs)
        return made
    value = constant(fill, x.dtype)
    value.type = Type(x.dtype, (), x.type.quant)  # the kernel wants it stored as the input is
    filled: Value = tfl.PADV2(x, pairs, value)
    return filled


def padding(tfl: Builder, x: Value, kernel: Ints, strides: Ints, dilations: Ints, pads: Ints, auto_pad: str,
            fill: float | None = None) -> tuple[Value, str]:
    """The input, padded if need be, and the word for the padding of the kernel."""
    assert x.shape is not None
    word = padding_word(x.shape[1:-1], kernel, strides, dilations, pads, auto_pad)
    return (x, word) if word else (padded(tfl, x, pads, fill), "VALID")


class Flat(Axes):
    """A value of one spatial axis as one of two, the first of length one."""

    def ins(self, tfl: Builder, x: Value) -> Value:
        return unsqueezed(tfl, x, 1) if self.one else x

    def out(self, tfl: Builder, y: Value) -> Value:
        return squeezed(tfl, y, 1) if self.one else y


def unsqueezed(tfl: Builder, x: Value, axis: int) -> Value:
    """``x`` with a new axis of length one."""
    assert x.shape is not None
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    if sum(not isinstance(d, int) for d in shape) <= 1:
        return reshape(tfl, x, shape)
    made: Value = tfl.EXPAND_DIMS(x, ints([axis]), type=Type(x.dtype, shape, x.type.quant))
    return made


def squeezed(tfl: Builder, x: Value, axis: int) -> Value:
    """``x`` without an axis of length one."""
    if x.shape is None:
        raise Unsupported("of a value of unknown rank")
    shape = (*x.shape[:axis], *x.shape[axis + 1:])
    if sum(not isinstance(d, int) for d in shape) <= 1:
        return reshape(tfl, x, shape)
    made: Value = tfl.SQUEEZE(x, squeeze_dims=[axis], type=Type(x.dtype, shape, x.type.quant))
    return made


def inner(tfl: Builder, flat: Flat) -> Type:
    """The type of the result before the axis that was added is taken away."""
    out = tfl.out
    return out if not flat.one or out.shape is None else Type(out.dtype, (out.shape[0], 1, *out.shape[1:]), out.quant)


def _bias(tfl: Builder, b: Value | None, n: int) -> Value:
    """The kernels, and some delegates, want one."""
    return constant(np.zeros(n, np.float32)) if b is None else carry(tfl, b, "f4")


@from_onnx("nhwc.Conv")
def conv(tfl: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
         dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET") -> Any:
    n = rank(x) - 2
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    out, part, *kernel = dims(w, "the weight")
    if min(dims(w)) < 1 or x.shape is None or x.shape[-1] == 0:
        raise Unsupported("an empty weight or no channels")
    strides, dilations, pads = strides or (1,) * n, dilations or (1,) * n, pads or (0,) * (2 * n)
    x, w, bias = carry(tfl, x, "f4"), carry(tfl, w, "f4"), _bias(tfl, b, out)
    if n == 3:
        return _conv_3d(tfl, x, w, bias, strides, pads, dilations, group, auto_pad)
    flat = Flat(n == 1)
    kernel, strides, dilations = flat.pair(kernel), flat.pair(strides), flat.pair(dilations)
    x, word = padding(tfl, flat.ins(tfl, x), kernel, strides, dilations, flat.pads(pads), auto_pad)
    options = {"padding": word, "stride_h": strides[0], "stride_w": strides[1], "dilation_h_factor": dilations[0],
               "dilation_w_factor": dilations[1], **NONE, "type": inner(tfl, flat)}
    if group > 1 and part == 1:
        moved = transpose(tfl, w, [*range(1, n + 2), 0])
        y = tfl.DEPTHWISE_CONV_2D(x, reshaped_weight(tfl, moved, (1, *kernel, out), 3), bias, **options,
                                  depth_multiplier=out // group)
    else:  # the kernel takes the number of groups from the channels
        moved = transpose(tfl, w, [0, *range(2, n + 2), 1])
        y = tfl.CONV_2D(x, reshaped_weight(tfl, moved, (out, *kernel, part), 0) if flat.one else moved, bias, **options)
    return flat.out(tfl, y)


def _conv_3d(tfl: Builder, x: Value, w: Value, bias: Value, strides: Ints, pads: Ints, dilations: Ints, group: int,
             auto_pad: str) -> Any:
    """CONV_3D; in groups, which it does not take, the sum of convolutions of two axes over the slices of the weight."""
    out, part, *kernel = dims(w, "the weight")
    if group == 1:
        x, word = padding(tfl, x, kernel, strides, dilations, pads, auto_pad)
        d, h, v = dilations
        return tfl.CONV_3D(x, transpose(tfl, w, [2, 3, 4, 1, 0]), bias, padding=word, stride_d=strides[0],
                           stride_h=strides[1], stride_w=strides[2], dilation_d_factor=d, dilation_h_factor=h,
                           dilation_w_factor=v, **NONE, type=tfl.out)
    shape, result = x.shape, tfl.out.shape
    assert shape is not None
    if result is None or any(not isinstance(d, int) for d in (*shape[1:], *result[1:])) or w.data is None:
        raise Unsupported("three axes in groups, of sizes or with a weight only known at run time")
    x, word = padding(tfl, x, kernel, strides, dilations, pads, auto_pad)
    if word == "SAME":
        x = padded(tfl, x, pads)
    assert x.shape is not None
    high, wide, channels = [d for d in x.shape[2:] if isinstance(d, int)]
    sizes = [d for d in result[1:] if isinstance(d, int)]
    options = {"padding": "VALID", "stride_h": strides[1], "stride_w": strides[2], "dilation_h_factor": dilations[1],
               "dilation_w_factor": dilations[2], **NONE}
    total: Value | None = None
    batch = None if not isinstance(shape[0], int) else shape[0] * sizes[0]
    for tap in range(kernel[0]):
        first = tap * dilations[0]
        plane = strided(tfl, x, 1, first, first + (sizes[0] - 1) * strides[0] + 1, strides[0], sizes[0])
        plane = reshape(tfl, plane, (batch, high, wide, channels))
        kind = Type(F32, (batch, *sizes[1:]))
        weight, zero = w.numpy()[:, :, tap], bias if tap == 0 else constant(np.zeros(out, np.float32))
        if part == 1:
            y = tfl.DEPTHWISE_CONV_2D(plane, constant(weight.transpose(1, 2, 3, 0)), zero, **options,
                                      depth_multiplier=out // group, type=kind)
        else:
            y = tfl.CONV_2D(plane, constant(weight.transpose(0, 2, 3, 1)), zero, **options, type=kind)
        total = y if total is None else tfl.ADD(total, y, **NONE)
    assert total is not None
    return reshape(tfl, total, (shape[0], *sizes))


def strided(tfl: Builder, x: Value, axis: int, first: int, last: int | None, step: int, size: Dim) -> Value:
    """Every ``step``-th element of ``x`` along ``axis`` from ``first`` to before ``last`` (``None``: the end)."""
    n = rank(x)
    assert x.shape is not None
    begin, end, steps = [0] * n, [0] * n, [1] * n
    begin[axis], end[axis], steps[axis] = first, last or 0, step
    every = (1 << n) - 1
    made: Value = tfl.STRIDED_SLICE(
        x, ints(begin), ints(end), ints(steps), begin_mask=every & ~(1 << axis),
        end_mask=every if last is None else every & ~(1 << axis), ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0,
        offset=False, type=Type(x.dtype, (*x.shape[:axis], size, *x.shape[axis + 1:]), x.type.quant))
    return made


@from_onnx("nhwc.ConvTranspose")
def conv_transpose(tfl: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
                   dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET",
                   output_padding: Ints = (), output_shape: Ints = ()) -> Any:
    """SAME where the kernel cuts off what ONNX cuts off; else the whole result, and a cut."""
    n = rank(x) - 2
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    if group != 1 or any(d != 1 for d in dilations):
        raise Unsupported("groups or dilations")
    assert x.shape is not None
    channels, out, *kernel = dims(w, "the weight")
    strides = strides or (1,) * n
    cuts = transposed_cuts(x.shape[1:-1], kernel, strides, pads, auto_pad, output_padding, output_shape)
    flat = Flat(n == 1)
    kernel, strides = flat.pair(kernel), flat.pair(strides)
    cuts = [(0, 0), *cuts] if flat.one else cuts
    same, growth = transposed_growth(cuts, kernel, strides)
    x = flat.ins(tfl, carry(tfl, x, "f4"))
    assert x.shape is not None
    whole = (x.shape[0], *(d * s + g if isinstance(d, int) else None
                           for d, s, g in zip(x.shape[1:-1], strides, growth, strict=True)), out)
    if all(isinstance(d, int) for d in whole):
        shape: Any = ints([d for d in whole if isinstance(d, int)])
    else:  # batch, sizes and channels from those of the input
        shape = tfl.ADD(tfl.MUL(tfl.SHAPE(x, out_type="INT32"), ints([1, *strides, 0]), **NONE),
                        ints([0, *growth, out]), **NONE)
    order = transpose(tfl, carry(tfl, w, "f4"), [2, 3, 4, 1, 0] if n == 3 else [1, *range(2, n + 2), 0])
    options: dict[str, Any] = {"padding": "SAME" if same else "VALID", **NONE, "type": Type(F32, whole)}
    bias = _bias(tfl, b, out)
    if n == 3:
        y = tfl.CONV_3D_TRANSPOSE(shape, order, x, bias, stride_d=strides[0], stride_h=strides[1], stride_w=strides[2],
                                  dilation_d_factor=1, dilation_h_factor=1, dilation_w_factor=1, **options)
    else:
        order = reshaped_weight(tfl, order, (out, *kernel, channels), 0) if flat.one else order
        y = tfl.TRANSPOSE_CONV(shape, order, x, bias, stride_h=strides[0], stride_w=strides[1], **options)
    if not same:
        for axis, ((before, grown), whole_growth) in enumerate(zip(cuts, growth, strict=True), 1):
            after = whole_growth - grown - before
            if before or after:
                size = y.shape[axis]
                y = strided(tfl, y, axis, before, -after if after else None, 1,
                            size - before - after if isinstance(size, int) else None)
    return flat.out(tfl, y)
