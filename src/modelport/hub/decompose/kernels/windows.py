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


def padding_word(sizes: Sequence[Dim], kernel: Ints, strides: Ints, dilations: Ints, pads: Ints,
                 auto_pad: str) -> str:
    """The word for the padding of a kernel, SAME or VALID, on axes of these sizes; empty if it knows none, so that the
    input has to be padded.  SAME puts the odd one at the end."""
    n = len(kernel)
    if auto_pad == "SAME_UPPER":
        return "SAME"
    if auto_pad not in ("NOTSET", "VALID"):
        raise Unsupported(f"auto_pad {auto_pad} of sizes that are only known at run time")
    if min(pads) < 0:
        raise Unsupported("negative pads")
    if not any(pads):
        return "VALID"
    same = [same_window(d, k, s, r) for d, k, s, r in zip(sizes, kernel, strides, dilations, strict=True)]
    return "SAME" if same == list(zip(pads[:n], pads[n:], strict=True)) else ""


def transposed_growth(cuts: Sequence[tuple[int, int]], kernel: Ints, strides: Ints) -> tuple[bool, list[int]]:
    """Whether SAME cuts off a transposed convolution what :func:`transposed_cuts` says, and how much longer than size
    times stride its kernel's result is along each axis: with SAME as long as it is to be, else the whole.

    The kernels centre what they cut, the odd one at the end."""
    same = all(-s < grown <= 0 and before == max(0, k - s - grown) // 2
               for (before, grown), k, s in zip(cuts, kernel, strides, strict=True))
    growth = [grown if same else max(k - s, grown + before)
              for (before, grown), k, s in zip(cuts, kernel, strides, strict=True)]
    if not same and any(g - (k - s) >= s for g, k, s in zip(growth, kernel, strides, strict=True)):
        raise Unsupported("an output longer than all that its windows reach")
    return same, growth


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
