"""The operators of TensorFlow Lite in ONNX terms: one function each, by families."""
from . import activation, conv, detection, image, index, math, matmul, norm, pool, quant, reduce, shape
from .common import to_onnx

__all__ = ["activation", "conv", "detection", "image", "index", "math", "matmul", "norm", "pool", "quant", "reduce",
           "shape", "to_onnx"]
