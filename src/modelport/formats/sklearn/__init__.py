"""Pickles of scikit-learn and of the libraries that work like it: ``.pkl``, ``.joblib``, compressed or not."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .contents import contents

if TYPE_CHECKING:
    from ...ir.graph import Graph

__all__ = ["contents", "read", "sniff", "to_hub"]


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators (:mod:`.translate`, which recognising a file does not need)."""
    from .translate import to_hub
    return to_hub(raw)
