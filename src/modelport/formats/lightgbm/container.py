"""From a file to a booster, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...codecs.limits import DEFAULT, Limits
from ...errors import Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.types import Type
from .model import Model, parse

F64, I64 = np.dtype(np.float64), np.dtype(np.int64)
OUTPUTS = {"predict": "prediction", "margin": "margins", "leaf": "leaves"}
"""What can be asked for beside what the objective says."""


def sniff(head: bytes, path: Path) -> bool:
    start = head.lstrip()
    return start.startswith((b"tree\n", b"tree\r\n")) or \
        (start[:1] == b"{" and (b'"tree_info"' in head or b'"num_tree_per_iteration"' in head))


def read(path: Path, limits: Limits = DEFAULT, *, outputs: Sequence[str] = ()) -> Graph:
    """The booster of a file as a graph; ``outputs`` are "predict", "margin", "leaf"."""
    path = Path(path)
    limits.check("file_bytes", path.stat().st_size)
    try:
        return graph(parse(path.read_bytes(), limits), outputs)
    except Unsupported as e:
        e.node = e.node or Node("lightgbm.Booster", (), {}, (), origin="booster")
        raise UnsupportedModel([e], "ONNX") from None


def graph(model: Model, wanted: Sequence[str] = ()) -> Graph:
    x = Value(Type(F64, ("batch", model.features)), "X")
    for name in wanted:
        if name not in OUTPUTS:
            raise UsageError(f"a booster has no output '{printable(name)}'", hint=f"outputs: {', '.join(OUTPUTS)}")
    names = [OUTPUTS[n] for n in wanted] or (["label", "probabilities"] if model.is_classifier else ["prediction"])
    types = [Type(I64 if n in ("label", "leaves") else F64, None) for n in names]
    attrs = {"model": model, "options": {"outputs": tuple(wanted)} if wanted else {}}
    node = Node("lightgbm.Booster", [x], attrs, types, names, "booster")
    meta = {"lightgbm:objective": model.objective}
    if model.names:
        meta["lightgbm:columns"] = ", ".join(printable(n, 60) for n in model.names[:1000])
    return Graph({"X": x}, dict(zip(names, node.outputs, strict=True)), "booster", meta)
