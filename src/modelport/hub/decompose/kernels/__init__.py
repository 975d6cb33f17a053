"""Hub operators in the narrower forms of them that the kernels of channels-last runtimes have.

What any target without the operator wants is in the package above; here is what TensorFlow, TensorFlow Lite and
TensorFlow.js have in common (a window without pads on the left, the largest elements along the last axis only)."""
from __future__ import annotations

from . import conv, image, index, integers, matmul, pad, rank, twins
from .table import rules

__all__ = ["conv", "image", "index", "integers", "matmul", "pad", "rank", "rules", "twins"]
