"""Normalisation.  Source: tensorflow/lite/kernels/l2norm.cc, local_response_norm.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import ints
from .common import activation, to_onnx


@to_onnx("L2_NORMALIZATION")
def l2_normalization(op: Builder, x: Value, *, fused_activation_function: str = "NONE") -> Any:
    norm = op.Max(op.Sqrt(op.ReduceSumSquare(x, ints([-1]), keepdims=1)), np.float32(1e-6))
    return activation(op, op.Div(x, norm), fused_activation_function)


@to_onnx("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(op: Builder, x: Value, *, radius: int = 0, bias: float = 0.0, alpha: float = 0.0,
                                 beta: float = 0.0) -> Any:
    size = 2 * radius + 1  # ONNX divides alpha by the size of the window
    return op.nhwc.LRN(x, size=size, alpha=alpha * size, beta=beta, bias=bias)
