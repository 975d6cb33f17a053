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
    integer,
    linear,
    loss,
    math,
    norm,
    numbers,
    pool,
    quant,
    ragged,
    recurrent,
    reduce,
    select,
    shape,
    signal,
    sorting,
    special,
)

__all__ = ["activation", "aten", "attention", "compare", "conv", "create", "image", "index", "integer", "linear",
           "loss", "math", "norm", "numbers", "pool", "quant", "ragged", "recurrent", "reduce", "select", "shape",
           "signal", "sorting", "special"]
