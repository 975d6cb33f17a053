"""The operators of the hub as TensorFlow Lite's: one function each, by families."""
from . import (
    activation,
    control,
    conv,
    image,
    index,
    integer,
    math,
    matmul,
    norm,
    pool,
    quant,
    recurrent,
    reduce,
    shape,
    signal,
    trees,
)
from .common import from_onnx

__all__ = ["activation", "control", "conv", "from_onnx", "image", "index", "integer", "math", "matmul", "norm",
           "pool", "quant", "recurrent", "reduce", "shape", "signal", "trees"]
