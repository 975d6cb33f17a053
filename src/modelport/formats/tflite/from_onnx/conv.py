"""Convolutions: channels last, weights from ONNX's (out, in / group, ...) to the kernels' orders."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import Dim
from .common import NONE, constant, dims, from_onnx, rank, reshaped_weight, transpose


def padded(tfl: Builder, x: Value, pads: Sequence[int], fill: float | None = None) -> Value:
    """``x``, channels last, with ``pads`` (all beginnings, then all ends) around its middle axes."""
    n = len(pads) // 2
    if not any(pads):
        return x
    pairs = np.array([(0, 0), *zip(pads[:n], pads[n:], strict=True), (0, 0)], np.int32)
    made: Value = tfl.PAD(x, pairs) if fill is None else tfl.PADV2(x, pairs, constant(fill, x.dtype))
    return made


def padding(tfl: Builder, x: Value, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
            pads: Sequence[int], auto_pad: str) -> tuple[Value, str]:
    """The input, padded if need be, and the word for the padding of the kernel: SAME puts the odd one at the end."""
    n = len(kernel)
    if auto_pad == "SAME_UPPER":
        return x, "SAME"
    if auto_pad not in ("NOTSET", "VALID"):
        raise Unsupported(f"auto_pad {auto_pad} of sizes that are only known at run time")
    if min(pads) < 0:
        raise Unsupported("negative pads")
    if not any(pads):
        return x, "VALID"
    assert x.shape is not None
    same = [_same(d, k, s, r) for d, k, s, r in zip(x.shape[1:n + 1], kernel, strides, dilations, strict=True)]
    if all(p is not None and p == (a, b) for p, a, b in zip(same, pads[:n], pads[n:], strict=True)):
        return x, "SAME"
    return padded(tfl, x, pads), "VALID"


def _same(size: Dim, kernel: int, stride: int, dilation: int) -> tuple[int, int] | None:
    """The pads of SAME along an axis, if they are known: with a stride of one for every size.

    Source: kernels/padding.h."""
    reach = (kernel - 1) * dilation + 1
    if isinstance(size, int):
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    elif stride == 1:
        total = reach - 1
    else:
        return None
    return total // 2, total - total // 2


@from_onnx("nhwc.Conv")
def conv(tfl: Builder, x: Value, w: Value, b: Value | None = None, *, strides: Sequence[int], pads: Sequence[int] = (),
         dilations: Sequence[int], kernel_shape: Sequence[int], group: int = 1, auto_pad: str = "NOTSET") -> Any:
    n = rank(x) - 2
    if n != 2:
        raise Unsupported(f"{n} spatial axes")
    out, inner, *_ = dims(w, "the weight")
    if min(dims(w)) < 1:
        raise Unsupported("an empty weight")
    x, word = padding(tfl, x, kernel_shape, strides, dilations, pads or (0,) * 4, auto_pad)
    options = {"padding": word, "stride_h": strides[0], "stride_w": strides[1], "dilation_h_factor": dilations[0],
               "dilation_w_factor": dilations[1], **NONE}
    if group > 1 and inner == 1:
        kernel = transpose(tfl, w, [1, 2, 3, 0])
        kernel = reshaped_weight(tfl, kernel, (1, *kernel_shape, out), 3)
        return tfl.DEPTHWISE_CONV_2D(x, kernel, _bias(b, out), **options, depth_multiplier=out // group, type=tfl.out)
    return tfl.CONV_2D(x, transpose(tfl, w, [0, 2, 3, 1]), _bias(b, out), **options, type=tfl.out)


def _bias(b: Value | None, n: int) -> Value:
    """The kernels of some delegates want one."""
    return constant(np.zeros(n, np.float32)) if b is None else b
