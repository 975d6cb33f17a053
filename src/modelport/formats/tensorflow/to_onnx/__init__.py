"""The operators of TensorFlow in ONNX terms: one function each, by families."""
from . import (
    activation,
    control,
    conv,
    detection,
    image,
    index,
    integer,
    math,
    matmul,
    norm,
    pool,
    quant,
    ragged,
    random,
    recurrent,
    reduce,
    shape,
    signal,
    text,
)
from .common import to_onnx

__all__ = ["activation", "control", "conv", "detection", "image", "index", "integer", "math", "matmul", "norm", "pool",
           "quant", "ragged", "random", "recurrent", "reduce", "shape", "signal", "text", "to_onnx"]
