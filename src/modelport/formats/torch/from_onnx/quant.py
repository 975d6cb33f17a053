"""DequantizeLinear of weights and of sums; all else that is quantized is arithmetic
(:mod:`modelport.hub.decompose.simpler`)."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import static
from ....ir.types import BITS
from ...writing import along
from .common import F32, I32, At, cast, computed, from_onnx


@from_onnx("DequantizeLinear")
def dequantize_linear(at: At, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0,
                      output_dtype: int = 0) -> Any:
    """Weights become the real numbers that they stand for, which can be trained."""
    if (x.dtype.kind not in "iu" and x.dtype not in BITS) or at.out.dtype != F32:
        raise Unsupported(f"element type {x.dtype}")
    if x.data is None and x.dtype != I32:
        raise Unsupported(f"element type {x.dtype}")
    s = along(static(scale, "the scale"), x, axis, block_size).astype(F32)
    z = np.zeros((), np.int64) if zero is None else along(static(zero), x, axis, block_size).astype(np.int64)
    if x.data is not None:
        at.note("changed", "quantized weights are stored as float32")
        shape = [d for d in x.shape or () if isinstance(d, int)]
        return computed(x, lambda a: ((a.astype(np.int64) - z).astype(F32) * s).astype(F32), shape, F32)
    y = x if not z.any() else at("sub.Tensor", x, constant(z.astype(I32)), type=x.type)
    return at("mul.Tensor", cast(at, y, F32), constant(s), type=at.out)
