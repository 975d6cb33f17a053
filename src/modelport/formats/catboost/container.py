"""From a file to a model, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...codecs.limits import DEFAULT, Limits
from ...errors import Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.types import STRING, Type
from .model import MAGIC, Model, parse

F32, F64, I64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
OUTPUTS = {"predict": "prediction", "margin": "margins"}
"""What can be asked for beside what the loss says."""


def sniff(head: bytes, path: Path) -> bool:
    return head.startswith(MAGIC) or (head.lstrip()[:1] == b"{" and
                                      (b'"features_info"' in head or b'"ctr_data"' in head))


def read(path: Path, limits: Limits = DEFAULT, *, outputs: Sequence[str] = ()) -> Graph:
    """The model of a file as a graph; ``outputs`` are "predict", "margin"."""
    path = Path(path)
    limits.check("file_bytes", path.stat().st_size)
    try:
        return graph(parse(path.read_bytes(), limits), outputs)
    except Unsupported as e:
        e.node = e.node or Node("catboost.CatBoost", (), {}, (), origin="model")
        raise UnsupportedModel([e], "ONNX") from None


def graph(model: Model, wanted: Sequence[str] = ()) -> Graph:
    inputs = _inputs(model)
    for name in wanted:
        if name not in OUTPUTS:
            raise UsageError(f"a model of CatBoost has no output '{printable(name)}'",
                             hint=f"outputs: {', '.join(OUTPUTS)}")
    names = [OUTPUTS[n] for n in wanted] or (["label", "probabilities"] if model.is_classifier else ["prediction"])
    types = [Type(I64 if n == "label" else F64, None) for n in names]
    attrs = {"model": model, "options": {"outputs": tuple(wanted)} if wanted else {}}
    node = Node("catboost.CatBoost", list(inputs.values()), attrs, types, names, "model")
    meta = {"catboost:loss": model.loss}
    if any(model.names):
        meta["catboost:columns"] = ", ".join(printable(n, 60) for n in model.names[:1000])
    return Graph(inputs, dict(zip(names, node.outputs, strict=True)), "model", meta)


def _inputs(model: Model) -> dict[str, Value]:
    """One matrix; where some features are texts, one column for each feature that is used."""
    if not model.texts:
        return {"X": Value(Type(F32, ("batch", model.features)), "X")}
    names = [n or f"x{k}" for k, n in enumerate(model.names)]
    if len(set(names)) < len(names):
        names = [f"x{k}" for k in range(len(names))]
    kinds = {k: STRING if k in model.texts else I64 if k in model.whole else F32 for k in model.used()}
    return {names[k]: Value(Type(kind, ("batch", 1)), names[k]) for k, kind in kinds.items()}
