"""TorchScript as a format to write, whatever the suffix; files of it are read as PyTorch's (:mod:`.container`)."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...codecs.limits import DEFAULT, Limits
from . import from_hub, to_hub

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def sniff(head: bytes, path: Path) -> bool:
    """Never: a file is one of PyTorch's, which its own format recognises."""
    return False


def read(path: Path, limits: Limits = DEFAULT, *, inputs: Sequence[str] = ()) -> Graph:
    """The program of a file (:func:`.container.read`)."""
    from .container import read
    return read(path, limits, inputs=inputs)


def write(raw: Graph, path: Path) -> None:
    """Writes an archive of TorchScript (:mod:`.script_writer`)."""
    from .script_writer import write
    write(raw, path)
