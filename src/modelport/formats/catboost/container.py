"""From a file to a model, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...codecs.limits import DEFAULT, Limits
from ...ir.graph import Graph, Value
from ...ir.types import STRING, Type
from ..booster import F32, F64, I64, LABELLED, OUTPUTS, Library, columns, matrix
from .model import MAGIC, Model, parse


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(MAGIC) or (head.lstrip()[:1] == b"{" and
                                      (b'"features_info"' in head or b'"ctr_data"' in head))


def read(path: Path, limits: Limits = DEFAULT, *, outputs: Sequence[str] = ()) -> Graph:
    """The model of a file as a graph; ``outputs`` are "predict", "margin"."""
    return CATBOOST.read(path, limits, outputs)


def _inputs(model: Model) -> dict[str, Value]:
    """One matrix; where some features are texts, one column for each feature that is used."""
    if not model.texts:
        return matrix(model.features, F32)
    names = [n or f"x{k}" for k, n in enumerate(model.names)]
    if len(set(names)) < len(names):
        names = [f"x{k}" for k in range(len(names))]
    kinds = {k: STRING if k in model.texts else I64 if k in model.whole else F32 for k in model.used()}
    return {names[k]: Value(Type(kind, ("batch", 1)), names[k]) for k, kind in kinds.items()}


def _meta(model: Model) -> dict[str, str]:
    return {"catboost:loss": model.loss, **columns("catboost:columns", model.names)}


CATBOOST = Library("catboost.CatBoost", "model", F64, {k: OUTPUTS[k] for k in ("predict", "margin")}, parse,
                   lambda model: LABELLED if model.is_classifier else ["prediction"], _inputs, _meta)
