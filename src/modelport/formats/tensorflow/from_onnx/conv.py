"""Convolutions: channels last, weights from ONNX's (out, in / group, ...) to TensorFlow's (..., in, out)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.kernels.windows import padding_word, transposed_cuts, transposed_growth
from ....ir.graph import Value, constant
from ....ir.types import Dim, DType, Type
from ...writing import Axes, dims, rank
from .common import FLOATS, TF, carry, expanded, from_onnx, ints, reshape, sizes, squeezed, transpose

Ints = Sequence[int]


def padded(tf: TF, x: Value, pads: Ints, fill: Any = None) -> Value:
    """``x``, channels last, with ``pads`` (all beginnings, then all ends) around its middle axes."""
    n = len(pads) // 2
    if not any(pads):
        return x
    pairs = np.array([(0, 0), *zip(pads[:n], pads[n:], strict=True), (0, 0)], np.int32)
    made: Value = tf.Pad(x, pairs) if fill is None else tf.PadV2(x, pairs, constant(np.asarray(fill, x.dtype)))
    return made


def padding(tf: TF, x: Value, kernel: Ints, strides: Ints, dilations: Ints, pads: Ints, auto_pad: str,
            fill: Any = None) -> tuple[Value, str]:
    """The input, padded if need be, and the word for the padding of the kernel."""
    assert x.shape is not None
    word = padding_word(x.shape[1:-1], kernel, strides, dilations, pads, auto_pad)
    return (x, word) if word else (padded(tf, x, pads, fill), "VALID")


class Flat(Axes):
    """A value of one spatial axis as one of two, the first of length one."""

    def ins(self, tf: TF, x: Value) -> Value:
        return expanded(tf, x, 1) if self.one else x

    def out(self, tf: TF, y: Value) -> Value:
        return squeezed(tf, y, 1) if self.one else y


def inner(tf: TF, flat: Flat, dtype: DType) -> Type:
    """The type of the result before the axis that was added is taken away."""
    shape = tf.out.shape
    return Type(dtype, shape if not flat.one or shape is None else (shape[0], 1, *shape[1:]))


@from_onnx("nhwc.Conv")
def conv(tf: TF, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
         dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET") -> Any:
    n = rank(x) - 2
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    out, part, *kernel = dims(w, "the weight")
    if min(dims(w)) < 1 or x.shape is None or x.shape[-1] == 0:
        raise Unsupported("an empty weight or no channels")
    depthwise = group > 1 and part == 1
    if group > 1 and (not depthwise or n == 3):  # kernels for the CPU take groups in some releases only
        raise Unsupported(f"{group} groups")
    strides, dilations, pads = strides or (1,) * n, dilations or (1,) * n, pads or (0,) * (2 * n)
    x, w = carry(tf, x, FLOATS), carry(tf, w, FLOATS)
    if n == 3:
        if any(d != 1 for d in dilations):
            raise Unsupported("dilations of three axes")
        x, word = padding(tf, x, kernel, strides, dilations, pads, auto_pad)
        y = tf.Conv3D(x, transpose(tf, w, [2, 3, 4, 1, 0]), strides=[1, *strides, 1], padding=word,
                      type=Type(x.dtype, tf.out.shape))
        return _with_bias(tf, y, b)
    flat = Flat(n == 1)
    kernel, strides, dilations = flat.pair(kernel), flat.pair(strides), flat.pair(dilations)
    dilated = any(d != 1 for d in dilations)
    if dilated and (depthwise or any(s != 1 for s in strides)):
        raise Unsupported("strides and dilations" if not depthwise else "dilations of each channel")
    if depthwise and strides[0] != strides[1]:
        if not flat.one:
            raise Unsupported("each channel by strides that differ")
        strides = [strides[1]] * 2  # the axis that is added has one place
    x, word = padding(tf, flat.ins(tf, x), kernel, strides, dilations, flat.pads(pads), auto_pad)
    options = {"strides": [1, *strides, 1], "padding": word, "dilations": [1, *dilations, 1],
               "type": inner(tf, flat, x.dtype)}
    if depthwise:
        channels = x.shape[-1] if x.shape is not None else None
        if channels != group:
            raise Unsupported("another number of channels than groups")
        moved = transpose(tf, w, [*range(2, n + 2), 1, 0])  # out is channel times multiplier
        y = tf.DepthwiseConv2dNative(x, reshape(tf, moved, (*kernel, group, out // group)), **options)
    else:
        moved = transpose(tf, w, [*range(2, n + 2), 1, 0])
        y = tf.Conv2D(x, reshape(tf, moved, (*kernel, part, out)) if flat.one else moved, **options)
    return flat.out(tf, _with_bias(tf, y, b))


def _with_bias(tf: TF, y: Value, b: Value | None) -> Value:
    if b is None:
        return y
    made: Value = tf.BiasAdd(y, carry(tf, b, FLOATS)) if b.dtype == y.dtype else tf.AddV2(y, carry(tf, b, FLOATS))
    return made


@from_onnx("nhwc.ConvTranspose")
def conv_transpose(tf: TF, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
                   dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET",
                   output_padding: Ints = (), output_shape: Ints = ()) -> Any:
    """SAME where the kernel cuts off what ONNX cuts off; else the whole result, and a cut."""
    n = rank(x) - 2
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    if group != 1 or any(d != 1 for d in dilations):
        raise Unsupported("groups or dilations")
    assert x.shape is not None
    _, out, *kernel = dims(w, "the weight")
    strides = strides or (1,) * n
    cuts = transposed_cuts(x.shape[1:-1], kernel, strides, pads, auto_pad, output_padding, output_shape)
    flat = Flat(n == 1)
    kernel, strides = flat.pair(kernel), flat.pair(strides)
    cuts = [(0, 0), *cuts] if flat.one else cuts
    same, growth = transposed_growth(cuts, kernel, strides)
    x = flat.ins(tf, carry(tf, x, FLOATS))
    assert x.shape is not None
    whole = (x.shape[0], *(d * s + g if isinstance(d, int) else None
                           for d, s, g in zip(x.shape[1:-1], strides, growth, strict=True)), out)
    if all(isinstance(d, int) for d in whole):
        shape: Any = ints([d for d in whole if isinstance(d, int)])
    else:  # batch, sizes and channels from those of the input
        shape = tf.AddV2(tf.Mul(sizes(tf, x, 0, len(whole)), ints([1, *strides, 0])), ints([0, *growth, out]))
    order = transpose(tf, carry(tf, w, x.dtype.str[1:] if x.dtype.kind == "f" else FLOATS), [*range(2, n + 2), 1, 0])
    if flat.one:
        order = reshape(tf, order, (*kernel, *dims(order)[-2:]))
    options: dict[str, Any] = {"padding": "SAME" if same else "VALID", "strides": [1, *strides, 1],
                               "type": Type(x.dtype, whole)}
    y = tf.add("Conv3DBackpropInputV2" if n == 3 else "Conv2DBackpropInput", shape, order, x, **options)
    if not same:
        for axis, ((before, grown), whole_growth) in enumerate(zip(cuts, growth, strict=True), 1):
            after = whole_growth - grown - before
            if before or after:
                size = y.shape[axis]
                y = strided(tf, y, axis, before, -after if after else None, 1,
                            size - before - after if isinstance(size, int) else None)
    return flat.out(tf, _with_bias(tf, y, b))


def strided(tf: TF, x: Value, axis: int, first: int, last: int | None, step: int, size: Dim) -> Value:
    """Every ``step``-th element of ``x`` along ``axis`` from ``first`` to before ``last`` (``None``: the end)."""
    n = rank(x)
    assert x.shape is not None
    begin, end, steps = [0] * n, [0] * n, [1] * n
    begin[axis], end[axis], steps[axis] = first, last or 0, step
    every = (1 << n) - 1
    made: Value = tf.StridedSlice(
        x, ints(begin), ints(end), ints(steps), begin_mask=every & ~(1 << axis),
        end_mask=every if last is None else every & ~(1 << axis),
        type=Type(x.dtype, (*x.shape[:axis], size, *x.shape[axis + 1:])))
    return made


