"""PyTorch: programs of torch.export (.pt2), TorchScript, pickled modules, state dicts and safetensors."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...codecs.limits import DEFAULT, Limits
from .container import read, sniff

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["contents", "read", "sniff", "to_hub"]


def contents(path: Path, limits: Limits = DEFAULT) -> dict[str, str]:
    """What a file holds, a program or not (:mod:`.modules.contents`)."""
    from .modules.contents import contents
    return contents(path, limits)


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators (:mod:`.translate`, which recognising a file does not need)."""
    from .translate import to_hub
    return to_hub(raw)


def from_hub(hub: Graph) -> Graph:
    """The graph in ATen's operators (:mod:`.lower`, which reading does not need)."""
    from .lower import from_hub
    return from_hub(hub)


def write(raw: Graph, path: Path) -> None:
    """Writes a program of torch.export (:mod:`.pt2_writer`)."""
    from .pt2_writer import write
    write(raw, path)
