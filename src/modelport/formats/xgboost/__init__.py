"""XGBoost: binary models (to 3.0), JSON and UBJSON, whatever the suffix says."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .translate import to_hub

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def from_hub(hub: Graph, *, schema: str = "2.1.0", float32: bool = True) -> Graph:
    """The graph as a booster (:mod:`.writer`), whose rows are of 32 bits in any case."""
    from .writer import from_hub
    return from_hub(hub, schema=schema)


def write(raw: Graph, path: Path) -> None:
    """Writes ``path`` (:mod:`.writer`)."""
    from .writer import write
    write(raw, path)
