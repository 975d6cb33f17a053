"""From a file to a booster, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...codecs.limits import DEFAULT, Limits
from ...ir.graph import Graph
from ..booster import F64, LABELLED, OUTPUTS, Library, columns, labels, matrix
from .model import Model, parse


def sniff(head: bytes, path: Path) -> bool:
    start = head.lstrip()
    return start.startswith((b"tree\n", b"tree\r\n")) or \
        (start[:1] == b"{" and (b'"tree_info"' in head or b'"num_tree_per_iteration"' in head))


def read(path: Path, limits: Limits = DEFAULT, *, outputs: Sequence[str] = ()) -> Graph:
    """The booster of a file as a graph; ``outputs`` are "predict", "margin", "leaf"."""
    return LIGHTGBM.read(path, limits, outputs)


def _meta(model: Model) -> dict[str, str]:
    return {"lightgbm:objective": model.objective, **columns("lightgbm:columns", model.names),
            **labels("lightgbm:labels", model.labels)}


LIGHTGBM = Library("lightgbm.Booster", "booster", F64, OUTPUTS, parse,
                   lambda model: LABELLED if model.is_classifier else ["prediction"],
                   lambda model: matrix(model.features, F64), _meta)
