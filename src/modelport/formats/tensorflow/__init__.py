"""TensorFlow: SavedModel folders, frozen graphs, MetaGraphs with their checkpoint; neither needs TensorFlow."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .translate import to_hub

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def from_hub(hub: Graph, *, trainable: bool = False) -> Graph:
    """The graph in TensorFlow's operators (:mod:`.lower`, which reading does not need)."""
    from .lower import from_hub
    return from_hub(hub, trainable=trainable)


def write(raw: Graph, path: Path) -> None:
    """Writes a SavedModel, or a frozen graph where the path ends in .pb or .pbtxt (:mod:`.writer`)."""
    from .writer import write
    write(raw, path)
