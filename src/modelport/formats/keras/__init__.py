"""Keras: ``.keras`` archives, ``.h5`` files of Keras 1, 2 and 3, architectures in JSON with a file of weights."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .translate import to_hub

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def from_hub(hub: Graph) -> Graph:
    """The graph as layers and functions (:mod:`.lower`, which reading does not need)."""
    from .lower import from_hub
    return from_hub(hub)


def write(raw: Graph, path: Path) -> None:
    """Writes ``.keras``, or ``.h5`` where the path says so."""
    from .writer import write
    write(raw, path)
