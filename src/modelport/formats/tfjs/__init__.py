"""TensorFlow.js: graph models, a folder with ``model.json`` and the weights in shards."""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "write"]


def from_hub(hub: Graph, *, float32: bool = False, quantize: str = "") -> Graph:
    """The graph in operators of TensorFlow.js (:mod:`.lower`)."""
    from .lower import from_hub
    return from_hub(hub, float32=float32, quantize=quantize)


def write(raw: Graph, path: Path) -> None:
    """Writes the folder ``path`` (:mod:`.writer`)."""
    from .writer import write
    write(raw, path)
