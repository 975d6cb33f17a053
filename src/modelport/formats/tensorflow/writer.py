"""Writes SavedModels, and frozen graphs where the path ends in .pb or .pbtxt."""
from __future__ import annotations

from pathlib import Path

from ...ir.graph import Graph
from .graphdef import Encoder, graph_def
from .tensors import message

FROZEN = (".pb", ".pbtxt")


def write(raw: Graph, path: Path) -> None:
    """Writes ``raw`` as the SavedModel in the folder ``path``, or as a frozen graph (.pb, .pbtxt)."""
    if path.suffix.lower() in FROZEN:
        frozen(raw, path)
        return
    from .saver import write as saved
    saved(raw, path)


def frozen(raw: Graph, path: Path) -> None:
    """One GraphDef; inputs and outputs are the nodes of their names."""
    encoder = Encoder()
    items, _, _ = encoder.graph(raw)
    parts = graph_def(items, encoder.library)
    if path.suffix.lower() == ".pb":
        with open(path, "wb") as file:
            parts.write(file)
        return
    from io import BytesIO

    from google.protobuf import text_format
    whole = BytesIO()
    parts.write(whole)
    path.write_text(text_format.MessageToString(message("GraphDef").FromString(whole.getvalue())), "utf-8")
