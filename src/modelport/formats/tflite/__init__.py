"""TensorFlow Lite: ``.tflite`` files of the FlatBuffers schema version 3."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .translate import to_hub
from .writer import write

if TYPE_CHECKING:
    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]


def from_hub(hub: Graph, *, float16: bool = False, float32: bool = False, recurrent: str = "exact") -> Graph:
    """The graph in builtin operators (:mod:`.lower`, which reading does not need)."""
    from .lower import from_hub
    return from_hub(hub, float16=float16, float32=float32, recurrent=recurrent)
