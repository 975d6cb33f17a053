"""The operators of TensorFlow Lite in ONNX terms: one function each, by families."""
from . import (
           activation,
           control,
           conv,
           detection,
           flex,
           hlo,
           image,
           index,
           math,
           matmul,
           mediapipe,
           norm,
           pool,
           quant,
           recurrent,
           reduce,
           shape,
)
from .common import to_onnx

__all__ = ["activation", "control", "conv", "detection", "flex", "hlo", "image", "index", "math",
           "matmul", "mediapipe", "norm", "pool", "quant",
           "recurrent", "reduce", "shape", "to_onnx"]
