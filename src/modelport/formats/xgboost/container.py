"""From a file to a booster, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...codecs.limits import DEFAULT, Limits
from ...ir.graph import Graph
from ..booster import F32, LABELLED, OUTPUTS, Library, columns, labels, matrix
from .legacy import looks_like
from .model import Model, parse


def sniff(head: bytes, path: Path) -> bool:
    start = head.lstrip(b" \t\r\n")
    if start[:2] == b"{L" or start[:2] in (b"{i", b"{U", b"{I"):
        return b"learner" in head or b"version" in head[:64] or b"Config" in head[:64]
    if start[:1] == b"{":
        return b'"learner"' in head
    return looks_like(head)


def read(path: Path, limits: Limits = DEFAULT, *, outputs: Sequence[str] = ()) -> Graph:
    """The booster of a file as a graph; ``outputs`` are "predict", "margin", "leaf"."""
    return XGBOOST.read(path, limits, outputs)


def _default(model: Model) -> Sequence[str]:
    scores = model.objective in ("binary:hinge", "binary:logitraw")
    return LABELLED if model.is_classifier and not scores else ["prediction"]


def _meta(model: Model) -> dict[str, str]:
    return {"xgboost:objective": model.objective, "xgboost:version": ".".join(map(str, model.version)),
            **columns("xgboost:columns", model.names),
            **labels("xgboost:labels", model.attributes.get("labels", ""))}


XGBOOST = Library("xgboost.Booster", "booster", F32, OUTPUTS, parse, _default,
                  lambda model: matrix(model.features, F32), _meta)
