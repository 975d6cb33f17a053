"""The operators of ``ai.onnx.ml`` in tensor operators.

Sources: the operators' texts in ONNX (Operators-ml.md) and, where these say too little, ONNX Runtime's CPU kernels
(core/providers/cpu/ml), against which every rule is tested.  Text stays a located ``Unsupported``."""
from __future__ import annotations

from . import linear, preprocess, svm, text, trees
from .table import rules

__all__ = ["linear", "preprocess", "rules", "svm", "text", "trees"]
