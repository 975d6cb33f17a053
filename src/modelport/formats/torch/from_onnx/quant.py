"""DequantizeLinear of weights and of sums; all else that is quantized is arithmetic
(:mod:`modelport.hub.decompose.simpler`)."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import static
from ....ir.tensor import Array
from ....ir.types import BITS
from .common import F32, I32, At, cast, computed, from_onnx, rank


@from_onnx("DequantizeLinear")
def dequantize_linear(at: At, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0,
                      output_dtype: int = 0) -> Any:
    """Weights become the real numbers that they stand for, which can be trained."""
    if (x.dtype.kind not in "iu" and x.dtype not in BITS) or at.out.dtype != F32:
        raise Unsupported(f"element type {x.dtype}")
    if x.data is None and x.dtype != I32:
        raise Unsupported(f"element type {x.dtype}")
    s = _along(static(scale, "the scale"), x, axis, block_size).astype(F32)
    z = np.zeros((), np.int64) if zero is None else _along(static(zero), x, axis, block_size).astype(np.int64)
    if x.data is not None:
        at.note("changed", "quantized weights are stored as float32")
        shape = [d for d in x.shape or () if isinstance(d, int)]
        return computed(x, lambda a: ((a.astype(np.int64) - z).astype(F32) * s).astype(F32), shape, F32)
    y = x if not z.any() else at("sub.Tensor", x, constant(z.astype(I32)), type=x.type)
    return at("mul.Tensor", cast(at, y, F32), constant(s), type=at.out)


def _along(array: Array, x: Value, axis: int, block_size: int) -> Array:
    """Parameters as they fit ``x``: of the whole, of slices along ``axis``, or of blocks."""
    n = rank(x)
    if array.size == 1:
        return array.reshape((1,) * n)
    axis %= n
    if block_size:
        length = x.shape[axis] if x.shape is not None else None
        if not isinstance(length, int):
            raise Unsupported("blocks along an unknown length")
        return np.take(array, np.arange(length) // block_size, axis=axis)
    return array.reshape([-1 if k == axis else 1 for k in range(n)])
