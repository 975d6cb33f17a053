"""DequantizeLinear of weights; all else that is quantized is arithmetic (:mod:`modelport.hub.decompose.simpler`)."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import static
from ....ir.tensor import Tensor
from ....ir.types import BITS, Type
from ...writing import along
from .common import F32, I8, I32, TF, U8, cast, from_onnx

_SMALL = 1 << 10  # elements below which integers save nothing


@from_onnx("DequantizeLinear")
def dequantize_linear(tf: TF, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0,
                      output_dtype: int = 0) -> Any:
    """Weights of 8 bits and fewer stay stored as such where the runtime folds constants; others become real numbers."""
    if (x.dtype.kind not in "iu" and x.dtype not in BITS) or tf.out.dtype != F32:
        raise Unsupported(f"element type {x.dtype}")
    if x.data is None:
        if x.dtype != I32:
            raise Unsupported(f"element type {x.dtype}")
        y = x if zero is None else tf.Sub(x, constant(along(static(zero), x, axis, block_size).astype(I32)))
        return tf.Mul(cast(tf, y, F32), constant(along(static(scale), x, axis, block_size).astype(F32)))
    s = along(static(scale, "the scale"), x, axis, block_size).astype(F32)
    z = np.zeros((), I32) if zero is None else along(static(zero), x, axis, block_size).astype(I32)
    data = x.data
    if tf.dialect.operators is not None or x.dtype == I32 or x.dtype.itemsize > 1 or (x.type.size or 0) < _SMALL:
        type = Type(F32, x.shape)
        return Value(type, x.name, data=Tensor(lambda: (data.numpy().astype(I32) - z).astype(F32) * s, type))
    stored = U8 if x.dtype.name.startswith("uint") else I8
    type = Type(stored, x.shape)
    small = Value(type, x.name, data=Tensor(lambda: data.numpy().astype(stored), type))
    real = cast_(tf, small, F32) if not z.any() else tf.Cast(tf.Sub(cast_(tf, small, I32), constant(z)), DstT=F32)
    return tf.Mul(real, constant(s))


def cast_(tf: TF, x: Value, dtype: Any) -> Value:
    """A constant cast when it runs, not before."""
    made: Value = tf.Cast(x, DstT=np.dtype(dtype))
    return made
