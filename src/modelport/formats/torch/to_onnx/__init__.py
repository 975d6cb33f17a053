"""ATen's operators in ONNX's: importing the families fills the table."""
from __future__ import annotations

from ..machine import aten
from . import (
    activation,
    attention,
    compare,
    conv,
    create,
    image,
    index,
    linear,
    math,
    norm,
    numbers,
    pool,
    quant,
    recurrent,
    reduce,
    shape,
    signal,
)

__all__ = ["activation", "aten", "attention", "compare", "conv", "create", "image", "index", "linear", "math",
           "norm", "numbers", "pool", "quant", "recurrent", "reduce", "shape", "signal"]
