"""The operators of TensorFlow in ONNX terms: one function each, by families."""
from . import (
    activation,
    control,
    conv,
    detection,
    image,
    index,
    integers,
    linalg,
    math,
    matmul,
    norm,
    pairs,
    pool,
    quant,
    ragged,
    random,
    recurrent,
    reduce,
    shape,
    signal,
    text,
    warp,
)
from .common import to_onnx

__all__ = ["activation", "control", "conv", "detection", "image", "index", "integers", "linalg", "math", "matmul",
           "norm", "pairs", "pool", "quant", "ragged", "random", "recurrent", "reduce", "shape", "signal", "text",
           "to_onnx", "warp"]
