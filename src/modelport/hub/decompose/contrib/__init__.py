"""ONNX Runtime's contributed operators (domain ``com.microsoft``) in ONNX's own terms.

Its optimizers, quantizers and exporters write them.  Source: ContribOperators.md of ONNX Runtime, and its CPU kernels,
against which every rule is tested.  What has no rule stays a located ``Unsupported``."""
from __future__ import annotations

from . import attention, elementwise, grouped_attention, misc, norm, products, quant
from .table import rules

__all__ = ["attention", "elementwise", "grouped_attention", "misc", "norm", "products", "quant", "rules"]
