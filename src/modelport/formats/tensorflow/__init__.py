"""TensorFlow: SavedModel folders, frozen graphs, MetaGraphs with their checkpoint; neither needs TensorFlow."""
from __future__ import annotations

from .container import read, sniff
from .translate import to_hub

__all__ = ["read", "sniff", "to_hub"]
