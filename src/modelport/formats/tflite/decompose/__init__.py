"""Hub operators that no builtin operator says as they stand, in hub operators that one does.

What other targets want too is in :mod:`modelport.hub.decompose` and its ``kernels``; here is what only TensorFlow
Lite's kernels need (sums of trees in 32 bits, sequences step by step)."""
from __future__ import annotations

from . import ml, recurrent
from .table import rules

__all__ = ["ml", "recurrent", "rules"]
