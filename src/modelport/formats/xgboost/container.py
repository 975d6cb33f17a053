"""From a file to a booster, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...codecs.limits import DEFAULT, Limits
from ...errors import Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.types import Type
from .legacy import looks_like
from .model import Model, parse

F32, I64 = np.dtype(np.float32), np.dtype(np.int64)
OUTPUTS = {"predict": "prediction", "margin": "margins", "leaf": "leaves"}
"""What can be asked for beside what the objective says, as ``Booster.predict`` calls it."""


def sniff(head: bytes, path: Path) -> bool:
    start = head.lstrip(b" \t\r\n")
    if start[:2] == b"{L" or start[:2] in (b"{i", b"{U", b"{I"):
        return b"learner" in head or b"version" in head[:64] or b"Config" in head[:64]
    if start[:1] == b"{":
        return b'"learner"' in head
    return looks_like(head)


def read(path: Path, limits: Limits = DEFAULT, *, outputs: Sequence[str] = ()) -> Graph:
    """The booster of a file as a graph; ``outputs`` are "predict", "margin", "leaf"."""
    path = Path(path)
    limits.check("file_bytes", path.stat().st_size)
    try:
        return graph(parse(path.read_bytes(), limits), outputs)
    except Unsupported as e:
        e.node = e.node or Node("xgboost.Booster", (), {}, (), origin="booster")
        raise UnsupportedModel([e], "ONNX") from None


def graph(model: Model, wanted: Sequence[str] = ()) -> Graph:
    x = Value(Type(F32, ("batch", model.features)), "X")
    for name in wanted:
        if name not in OUTPUTS:
            raise UsageError(f"a booster has no output '{printable(name)}'", hint=f"outputs: {', '.join(OUTPUTS)}")
    names = [OUTPUTS[n] for n in wanted] or (["label", "probabilities"] if model.is_classifier and
                                             model.objective not in ("binary:hinge", "binary:logitraw") else
                                             ["prediction"])
    types = [Type(I64 if n in ("label", "leaves") else F32, None) for n in names]
    attrs = {"model": model, "options": {"outputs": tuple(wanted)} if wanted else {}}
    node = Node("xgboost.Booster", [x], attrs, types, names, "booster")
    meta = {"xgboost:objective": model.objective, "xgboost:version": ".".join(map(str, model.version))}
    if model.names:
        meta["xgboost:columns"] = ", ".join(printable(n, 60) for n in model.names[:1000])
    return Graph({"X": x}, dict(zip(names, node.outputs, strict=True)), "booster", meta)
