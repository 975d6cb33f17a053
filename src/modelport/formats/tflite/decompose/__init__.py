"""Hub operators that no builtin operator says as they stand, in hub operators that one does.

What any target without the operator wants is in :mod:`modelport.hub.decompose`; here is what only TensorFlow Lite's
kernels need (a convolution of one axis as one of two, an index made non-negative)."""
from __future__ import annotations

from . import conv, image, index, integers, matmul, ml, pad, rank, recurrent
from .table import rules

__all__ = ["conv", "image", "index", "integers", "matmul", "ml", "pad", "rank", "recurrent", "rules"]
