"""ONNX's operators in kernels of ExecuTorch: importing the families fills the table."""
from __future__ import annotations

from . import conv, index, math, matmul, norm, pool, reduce, shape
from .common import from_onnx

__all__ = ["conv", "from_onnx", "index", "math", "matmul", "norm", "pool", "reduce", "shape"]
