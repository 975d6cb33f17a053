"""The operators of the hub as TensorFlow Lite's: one function each, by families."""
from . import activation, control, conv, integer, math, matmul, norm, pool, quant, reduce, shape
from .common import from_onnx

__all__ = ["activation", "control", "conv", "from_onnx", "integer", "math", "matmul", "norm", "pool", "quant", "reduce", "shape"]
