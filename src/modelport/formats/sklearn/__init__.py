"""Pickles of scikit-learn and of the libraries that work like it: ``.pkl``, ``.joblib``, compressed or not."""
from __future__ import annotations

from typing import TYPE_CHECKING

from .container import read, sniff
from .contents import contents

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["contents", "from_hub", "read", "sniff", "to_hub", "write"]


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators (:mod:`.translate`, which recognising a file does not need)."""
    from .translate import to_hub
    return to_hub(raw)


def from_hub(hub: Graph) -> Graph:
    """The graph as a standard estimator (:mod:`.from_onnx`)."""
    from .from_onnx import from_hub
    return from_hub(hub)


def write(raw: Graph, path: Path) -> None:
    """Writes ``path``: a .skops, or else a pickle that names nothing but classes of scikit-learn and numpy."""
    from ...codecs import pickle_writer, skops
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    dumps = skops.dumps if path.suffix.lower() == ".skops" else pickle_writer.dumps
    path.write_bytes(dumps(node.attrs["estimator"].record))
