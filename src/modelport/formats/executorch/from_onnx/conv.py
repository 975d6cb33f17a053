"""Convolutions of one or two axes."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from ..raw import Calls
from .common import from_onnx, only, sizes


def padded(op: Calls, x: Value, pads: list[int], fill: float = 0) -> tuple[Any, list[int]]:
    """``x`` and the padding of its spatial axes that is the same on both sides; what is not, is made before."""
    count = len(pads) // 2
    begin, end = pads[:count], pads[count:]
    if begin == end:
        return x, begin
    if any(p < 0 for p in pads):
        raise Unsupported("padding that takes away")
    shape = sizes(x)
    for k in range(count):
        shape[2 + k] += begin[k] + end[k]
    pairs = [p for a in reversed(range(count)) for p in (begin[a], end[a])]
    return op.call("constant_pad_nd.out", x, pairs, fill, type=Type(x.dtype, tuple(shape))), [0] * count


@from_onnx("Conv")
def conv(op: Calls, x: Value, w: Value, b: Value | None = None, *, auto_pad: str = "NOTSET", dilations: Any = None,
         group: int = 1, kernel_shape: Any = None, pads: Any = None, strides: Any = None) -> Any:
    count = len(sizes(x)) - 2
    only(x, "f", "Conv")
    if count not in (1, 2) or auto_pad not in ("NOTSET", "VALID"):
        raise Unsupported(f"a convolution of {count} axes, or padding '{auto_pad}'")
    x, pad = padded(op, x, list(pads or [0] * 2 * count))
    return op.call("convolution.out", x, w, b, list(strides or [1] * count), pad, list(dilations or [1] * count), False,
                   [0] * count, group)


@from_onnx("ConvTranspose")
def conv_transpose(op: Calls, x: Value, w: Value, b: Value | None = None, *, auto_pad: str = "NOTSET",
                   dilations: Any = None, group: int = 1, kernel_shape: Any = None, output_padding: Any = None,
                   output_shape: Any = None, pads: Any = None, strides: Any = None) -> Any:
    count = len(sizes(x)) - 2
    only(x, "f", "ConvTranspose")
    pads = list(pads or [0] * 2 * count)
    if count not in (1, 2) or auto_pad not in ("NOTSET", "VALID") or output_shape is not None \
            or pads[:count] != pads[count:]:
        raise Unsupported("a transposed convolution with other padding at the end than at the beginning")
    steps, holes = list(strides or [1] * count), list(dilations or [1] * count)
    extra = list(output_padding or [0] * count)
    if any(e >= max(s, d) for e, s, d in zip(extra, steps, holes, strict=True)):
        raise Unsupported("output_padding as large as the stride")
    return op.call("convolution.out", x, w, b, steps, pads[:count], holes, True, extra, group)


