"""Convolutions as layers, channels last; weights from ONNX's order to Keras's (``H W in out``)."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose.kernels.windows import padding_word
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type, is_float
from .common import Ints, array, call, dims, floating, from_onnx, rank


def padding(k: Builder, x: Value, kernel: Ints, strides: Ints, dilations: Ints, pads: Ints, auto_pad: str,
            fill: Any = None) -> tuple[Value, str]:
    """The input, padded if need be, and the word for the padding of the layer."""
    assert x.shape is not None
    word = padding_word(x.shape[1:-1], kernel, strides, dilations, pads, auto_pad)
    n = len(kernel)
    return (x, word.lower()) if word else (padded(k, x, tuple(zip(pads[:n], pads[n:], strict=True)), fill), "valid")


def padded(k: Builder, x: Value, pairs: tuple[tuple[int, int], ...], fill: Any = None) -> Value:
    """``x``, channels last, with pads around its middle axes."""
    if min(p for pair in pairs for p in pair) < 0:
        raise Unsupported("negative pads")
    assert x.shape is not None
    sizes = [d + a + b if isinstance(d, int) else None for d, (a, b) in zip(x.shape[1:-1], pairs, strict=True)]
    out = Type(x.dtype, (x.shape[0], *sizes, x.shape[-1]))
    if fill is not None:
        made: Value = call(k, "pad", x, constant(np.asarray(fill, x.dtype)), mode="constant", type=out,
                           pad_width=((0, 0), *pairs, (0, 0)))
        return made
    name = f"ZeroPadding{len(pairs)}D"
    return k.add(name, x, padding=pairs[0] if len(pairs) == 1 else pairs, type=out, **_last(len(pairs)))


def _last(n: int) -> dict[str, Any]:
    """Channels last, said where the layer has a word for it: those of one axis have none."""
    return {} if n == 1 else {"data_format": "channels_last"}


def _spread(w: np.ndarray[Any, Any], dilations: Ints) -> np.ndarray[Any, Any]:
    """A weight (kernel axes first) with zeros between its elements: a dilation that no layer has beside strides."""
    n = len(dilations)
    shape = [(s - 1) * d + 1 for s, d in zip(w.shape[:n], dilations, strict=True)]
    out = np.zeros((*shape, *w.shape[n:]), w.dtype)
    out[tuple(slice(None, None, d) for d in dilations)] = w
    return out


@from_onnx("nhwc.Conv")
def conv(k: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
         dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET") -> Any:
    n = rank(x) - 2
    if n not in (1, 2, 3):
        raise Unsupported(f"{n} spatial axes")
    floating(x, w)
    strides, dilations, pads = strides or (1,) * n, dilations or (1,) * n, pads or (0,) * (2 * n)
    if w.data is None:
        return _computed(k, x, w, b, strides, pads, dilations, group, auto_pad)
    weight = array(w)
    out, part = weight.shape[:2]
    if min(weight.shape) < 1 or (b is not None and b.data is None):
        raise Unsupported("an empty weight, or a bias that is computed")
    weight = weight.transpose(*range(2, n + 2), 1, 0)  # H W in / group out
    if max(strides) > 1 and max(dilations) > 1:
        weight, dilations = _spread(weight, dilations), (1,) * n
    kernel = weight.shape[:n]
    x, word = padding(k, x, kernel, strides, dilations, pads, auto_pad)
    options: dict[str, Any] = {"kernel_size": tuple(kernel), "strides": tuple(strides), "padding": word,
               "data_format": "channels_last", "dilation_rate": tuple(dilations), "activation": "linear",
               "use_bias": b is not None, "type": k.out}
    if group > 1 and part == 1 and n < 3 and len(set(strides)) == 1:
        own = np.ascontiguousarray(weight.reshape(*kernel, group, out // group))
        return k.add(f"DepthwiseConv{n}D", x, constant(own, name=w.name), b, depth_multiplier=out // group, **options)
    return k.add(f"Conv{n}D", x, constant(np.ascontiguousarray(weight), name=w.name), b, filters=out, groups=group,
                 **options)


def _computed(k: Builder, x: Value, w: Value, b: Value | None, strides: Ints, pads: Ints, dilations: Ints, group: int,
              auto_pad: str) -> Any:
    """A convolution whose weight is computed: the function, not a layer."""
    n, kernel = rank(x) - 2, dims(w, "the weight")[2:]
    if group != 1 or (max(strides) > 1 and max(dilations) > 1):
        raise Unsupported("a computed weight in groups, or with strides and dilations")
    x, word = padding(k, x, kernel, strides, dilations, pads, auto_pad)
    y: Value = call(k, "conv", x, call(k, "transpose", w, axes=(*range(2, n + 2), 1, 0)), strides=tuple(strides),
                    padding=word, data_format="channels_last", dilation_rate=tuple(dilations), type=k.out)
    return y if b is None else call(k, "add", y, b, type=k.out)


@from_onnx("nhwc.ConvTranspose")
def conv_transpose(k: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Ints = (), pads: Ints = (),
                   dilations: Ints = (), kernel_shape: Ints = (), group: int = 1, auto_pad: str = "NOTSET",
                   output_padding: Ints = (), output_shape: Ints = ()) -> Any:
    """The layer delivers everything (``valid``); what the pads take away is cropped."""
    n = rank(x) - 2
    if n not in (1, 2, 3) or group != 1 or auto_pad != "NOTSET" or output_shape:
        raise Unsupported("groups, or a shape that is stated")
    floating(x, w)
    strides, dilations, pads = strides or (1,) * n, dilations or (1,) * n, pads or (0,) * (2 * n)
    more = output_padding or (0,) * n
    weight = array(w)
    weight = weight.transpose(*range(2, n + 2), 1, 0)  # H W out in
    if max(dilations) > 1:
        weight = _spread(weight, dilations)
    kernel = weight.shape[:n]
    crops, sames = [], True
    for a, c, o, size, s in zip(pads[:n], pads[n:], more, kernel, strides, strict=True):
        total = max(size - s, 0)
        sames = sames and size >= s and (a, c - o) == (total // 2, total - total // 2)
        end = c - o + max(s - size, 0)  # where strides exceed the kernel the layer delivers zeros at the end
        if end < 0 or a < 0:
            raise Unsupported("padding of the output beyond what the layer delivers")
        crops.append((a, end))
    crop = not sames and any(c for pair in crops for c in pair)
    y: Value = k.add(f"Conv{n}DTranspose", x, constant(np.ascontiguousarray(weight)), b, filters=weight.shape[-2],
                     kernel_size=tuple(kernel), strides=tuple(strides), padding="same" if sames else "valid",
                     data_format="channels_last", dilation_rate=(1,) * n, activation="linear", use_bias=b is not None,
                     type=Type(x.dtype, None) if crop else k.out)
    if not crop:
        return y
    return k.add(f"Cropping{n}D", y, cropping=crops[0] if n == 1 else tuple(crops), type=k.out, **_last(n))


@from_onnx("nhwc.BatchNormalization")
def batch_normalization(k: Builder, x: Value, scale: Value, bias: Value, mean: Value, variance: Value, *,
                        epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0) -> Any:
    if training_mode or rank(x) < 2:
        raise Unsupported("training mode, or a value without channels")
    floating(x)
    for v in (scale, bias, mean, variance):
        array(v)
    return k.BatchNormalization(x, scale, bias, mean, variance, axis=-1, epsilon=epsilon, momentum=0.99, center=True,
                                scale=True, type=k.out)


@from_onnx("keras.Dense")
def dense(k: Builder, x: Value, w: Value, b: Value | None = None) -> Any:
    """``..lower`` sees a product and the addition of its bias as one."""
    floating(x, w)
    return k.Dense(x, w, b, units=dims(w)[1], activation="linear", use_bias=b is not None, type=k.out)


@from_onnx("Gemm")
def gemm(k: Builder, x: Value, w: Value, b: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Any:
    if alpha != 1 or (b is not None and beta != 1) or transA:
        raise Unsupported("factors, or a transposed input")
    floating(x, w)
    weight = array(w)
    weight = np.ascontiguousarray(weight.T) if transB else weight
    if b is not None and (b.data is None or b.numpy().size not in (1, weight.shape[1])
                          or (b.numpy().ndim > 1 and b.numpy().shape[-1] != b.numpy().size)):
        raise Unsupported("an addend that is no bias")
    bias = None if b is None else constant(
        np.ascontiguousarray(np.broadcast_to(b.numpy().reshape(-1), (weight.shape[1],))), name=b.name)
    return k.Dense(x, constant(weight, name=w.name), bias, units=weight.shape[1], activation="linear",
                   use_bias=b is not None, type=k.out)


@from_onnx("MatMul")
def matmul(k: Builder, a: Value, b: Value) -> Any:
    if b.data is not None and a.data is None and b.rank == 2 and rank(a) >= 2 and is_float(a.dtype) and min(dims(b)):
        return k.Dense(a, b, units=dims(b)[1], activation="linear", use_bias=False, type=k.out)
    return call(k, "matmul", a, b, type=k.out)
