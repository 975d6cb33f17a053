"""Pickles of scikit-learn and of the libraries that work like it: ``.pkl``, ``.joblib``, compressed or not."""
from __future__ import annotations

from . import to_onnx  # fills the tables of methods
from .container import read, sniff
from .translate import to_hub

__all__ = ["read", "sniff", "to_hub", "to_onnx"]
