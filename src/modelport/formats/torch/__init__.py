"""PyTorch: programs of torch.export (.pt2)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff

if TYPE_CHECKING:
    from ...ir.graph import Graph

__all__ = ["read", "sniff", "to_hub"]


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators (:mod:`.translate`, which recognising a file does not need)."""
    from .translate import to_hub
    return to_hub(raw)
