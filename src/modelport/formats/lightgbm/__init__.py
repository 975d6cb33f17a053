"""LightGBM: models as text, and as the JSON that ``dump_model`` makes."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .translate import to_hub

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def from_hub(hub: Graph) -> Graph:
    """The graph as a booster (:mod:`.writer`)."""
    from .writer import from_hub
    return from_hub(hub)


def write(raw: Graph, path: Path) -> None:
    """Writes ``path`` (:mod:`.writer`)."""
    from .writer import write
    write(raw, path)
