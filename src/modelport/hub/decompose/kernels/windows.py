"""What the windows of channels-last kernels cover: SAME, and what a transposed convolution cuts off."""
from __future__ import annotations

from collections.abc import Sequence

from ....errors import Unsupported
from ....ir.types import Dim

Ints = Sequence[int]


def same_window(size: Dim, kernel: int, stride: int, dilation: int) -> tuple[int, int] | None:
    """The pads of SAME along an axis, if they are known: with a stride of one for every size.

    Source: tensorflow/core/framework/kernel_shape_util.cc, tensorflow/lite/kernels/padding.h."""
    reach = (kernel - 1) * dilation + 1
    if isinstance(size, int):
        total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    elif stride == 1:
        total = reach - 1
    else:
        return None
    return total // 2, total - total // 2


def transposed_cuts(sizes: Sequence[Dim], kernel: Ints, strides: Ints, pads: Ints, auto_pad: str, more: Ints,
                    output_shape: Ints) -> list[tuple[int, int]]:
    """For each axis what is cut off at the beginning, and how much longer the result is than size times stride.

    (ONNX operator ConvTranspose; an odd pad is at the end for SAME_UPPER only.)"""
    n = len(kernel)
    more, pads = more or (0,) * n, pads or (0,) * (2 * n)
    cuts = []
    for a, (size, k, s, extra) in enumerate(zip(sizes, kernel, strides, more, strict=True)):
        full = k - s + extra  # what the whole result is longer
        if output_shape:
            if not isinstance(size, int):
                raise Unsupported("a stated output shape of sizes that are only known at run time")
            grown = output_shape[a - n] - size * s
        elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
            grown = 0
        else:
            if min(pads) < 0:
                raise Unsupported("negative pads")
            cuts.append((pads[a], full - pads[a] - pads[a + n]))
            continue
        total = max(0, full - grown)
        cuts.append((total // 2 if auto_pad == "SAME_UPPER" else total - total // 2, grown))
    return cuts
