"""Python source of an nn.Module as a format to write: code, which is never read."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...codecs.limits import DEFAULT, Limits
from ...errors import UnsafeModel, printable
from . import from_hub, to_hub

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "places", "read", "sniff", "to_hub", "write"]


def sniff(head: bytes, path: Path) -> bool:
    """Never: a file of Python is no model."""
    return False


def read(path: Path, limits: Limits = DEFAULT) -> Graph:
    """Refuses: the model would have to be run to be known."""
    raise UnsafeModel(f"{printable(path.name)} is Python code, which modelport does not run; export the model with "
                      "torch.export.save")


def write(raw: Graph, path: Path) -> None:
    """Writes code and weights (:mod:`.source_writer`)."""
    from .source_writer import write
    write(raw, path)


def places(raw: Graph) -> dict[str, str]:
    """The variables that hold the values of the hub graph, by the names of these (:mod:`.source_writer`)."""
    from .source_writer import places
    return places(raw)
