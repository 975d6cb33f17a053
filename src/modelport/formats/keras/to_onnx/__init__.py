"""The layers and operations of Keras in ONNX terms: one function each, by families."""
from . import (
    activation,
    attention,
    conv,
    image,
    index,
    loss,
    math,
    matmul,
    norm,
    numeric,
    place,
    pool,
    preprocess,
    quant,
    recurrent,
    reduce,
    shape,
    signal,
    tensorflow,
    text,
)
from .common import to_onnx

__all__ = ["activation", "attention", "conv", "image", "index", "loss", "math", "matmul", "norm", "numeric", "place",
           "pool", "preprocess", "quant", "recurrent", "reduce", "shape", "signal", "tensorflow", "text",
           "to_onnx"]
