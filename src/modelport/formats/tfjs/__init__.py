"""TensorFlow.js: graph models, a folder with ``model.json`` and the weights in shards."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators: a graph model holds TensorFlow's, a layers model Keras's."""
    if raw.meta.get("tfjs:format") == "layers-model":
        from ..keras.translate import to_hub
    else:
        from ..tensorflow.translate import to_hub
    return to_hub(raw)


def from_hub(hub: Graph, *, float32: bool = False, quantize: str = "") -> Graph:
    """The graph in operators of TensorFlow.js (:mod:`.lower`)."""
    from .lower import from_hub
    return from_hub(hub, float32=float32, quantize=quantize)


def write(raw: Graph, path: Path) -> None:
    """Writes the folder ``path`` (:mod:`.writer`)."""
    from .writer import write
    write(raw, path)
