"""The layers and operations of Keras in ONNX terms: one function each, by families."""
from . import (
    activation,
    attention,
    compare,
    conv,
    image,
    index,
    math,
    matmul,
    norm,
    pool,
    preprocess,
    quant,
    recurrent,
    reduce,
    select,
    shape,
    signal,
    tensorflow,
    text,
)
from .common import to_onnx

__all__ = ["activation", "attention", "compare", "conv", "image", "index", "math", "matmul", "norm", "pool",
           "preprocess", "quant", "recurrent", "reduce", "select", "shape", "signal", "tensorflow", "text", "to_onnx"]
