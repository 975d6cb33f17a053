"""The operators of the hub as TensorFlow's: one function each, by families.

One table serves SavedModels, frozen graphs and TensorFlow.js: a rule asks the builder what the dialect has, and what
it lacks is refused here and said in simpler operators (:mod:`modelport.hub.decompose`)."""
from . import activation, control, conv, image, index, integer, math, matmul, norm, pool, quant, reduce, shape, text
from .common import from_onnx

__all__ = ["activation", "control", "conv", "from_onnx", "image", "index", "integer", "math", "matmul", "norm", "pool",
           "quant", "reduce", "shape", "text"]
