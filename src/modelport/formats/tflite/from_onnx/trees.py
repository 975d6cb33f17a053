"""What the decompositions of ``ai.onnx.ml`` need besides ONNX's operators."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value
from ....ir.rules import Builder
from .common import I64, cast, from_onnx
from .integer import bits

DOUBLE_BITS = "tflite.DoubleBits"
"""Bits of doubles as integers: of an input of the model as it is, of what is computed as it is carried, in 32 bits."""


@from_onnx(DOUBLE_BITS)
def double_bits(tfl: Builder, x: Value) -> Any:
    """Doubles are carried as float32: an input of the model is read before it is cast."""
    before = x.node.inputs[0] if x.node is not None and x.op == "CAST" else None
    whole = before if before is not None and before.dtype == np.float64 else cast(tfl, x, np.float64)
    return bits(tfl, whole, I64)
