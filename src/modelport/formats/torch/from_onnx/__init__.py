"""The operators of the hub as calls of ATen's operators: one function each, by families."""
from . import (
    activation,
    attention,
    control,
    conv,
    detection,
    index,
    math,
    matmul,
    norm,
    pool,
    quant,
    recurrent,
    reduce,
    shape,
)
from .common import from_onnx

__all__ = ["activation", "attention", "control", "conv", "detection", "from_onnx", "index", "math", "matmul", "norm",
           "pool", "quant", "recurrent", "reduce", "shape"]
