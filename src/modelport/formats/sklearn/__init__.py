"""Pickles of scikit-learn and of the libraries that work like it: ``.pkl``, ``.joblib``, compressed or not."""
from __future__ import annotations

from . import to_onnx  # fills the tables of methods
from .container import read, sniff
from .contents import contents
from .translate import to_hub

__all__ = ["contents", "read", "sniff", "to_hub", "to_onnx"]
