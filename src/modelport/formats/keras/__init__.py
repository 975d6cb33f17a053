"""Keras: ``.keras`` archives, ``.h5`` files of Keras 1, 2 and 3, architectures in JSON with a file of weights."""
from __future__ import annotations

from .container import read, sniff
from .translate import to_hub

__all__ = ["read", "sniff", "to_hub"]
