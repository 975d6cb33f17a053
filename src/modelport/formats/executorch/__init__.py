"""ExecuTorch programs (``.pte``): kernels of ATen on tensors whose memory is planned."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators (:mod:`.translate`)."""
    from .translate import to_hub
    return to_hub(raw)


def from_hub(hub: Graph) -> Graph:
    """The graph in kernels of ExecuTorch (:mod:`.lower`)."""
    from .lower import from_hub
    return from_hub(hub)


def write(raw: Graph, path: Path) -> None:
    """Writes ``path``."""
    from .writer import write
    write(raw, path)
