"""The operators of the hub as layers of Keras and functions of ``keras.ops``."""
from . import activation, conv, math, pool, recurrent, shape
from .common import from_onnx

__all__ = ["activation", "conv", "from_onnx", "math", "pool", "recurrent", "shape"]
