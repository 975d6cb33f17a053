"""The operators of the hub as TensorFlow Lite's: one function each, by families."""
from . import activation, conv, math, matmul, pool, quant, reduce, shape
from .common import from_onnx

__all__ = ["activation", "conv", "from_onnx", "math", "matmul", "pool", "quant", "reduce", "shape"]
