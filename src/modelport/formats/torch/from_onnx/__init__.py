"""The operators of the hub as calls of ATen's operators: one function each, by families."""
from . import activation, attention, control, conv, index, math, matmul, norm, pool, quant, recurrent, reduce, shape
from .common import from_onnx

__all__ = ["activation", "attention", "control", "conv", "from_onnx", "index", "math", "matmul", "norm", "pool", "quant",
           "recurrent", "reduce", "shape"]
