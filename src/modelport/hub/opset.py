"""The one opset of the hub, and its schemas."""
from __future__ import annotations

from functools import cache

import onnx
from onnx import defs

OPSET = {"": 28, "ai.onnx.ml": 5}
"""The hub's operator sets: the newest that the oldest supported onnx package knows, so that every model of today fits
and older files need upgrading only.  Writers lower to what the target reads."""

NHWC = "nhwc."
"""Prefix of the channels-last twins: ``nhwc.Conv(x, ...)`` is ``Conv`` on ``x`` moved to channels first, and back."""

UNHELD = {
    "sequences": {"ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase",
                  "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence"},
    "optionals": {"Optional", "OptionalGetElement", "OptionalHasElement"},
    "maps": {"CastMap", "DictVectorizer"},
    "training": {"Adagrad", "Adam", "Gradient", "Momentum"},
}
"""Operators whose values are no tensors; a graph that has them is a located ``Unsupported``."""


def split(op: str) -> tuple[str, str]:
    """The domain and the name of an operator: ``ai.onnx.ml.Scaler`` is ``("ai.onnx.ml", "Scaler")``."""
    domain, _, name = op.rpartition(".")
    return domain, name


@cache
def schema(op: str) -> onnx.defs.OpSchema | None:
    """The schema of a hub operator (twins: that of the ONNX operator), or ``None`` if the hub has no such operator."""
    domain, name = split(op.removeprefix(NHWC))
    if domain not in OPSET:
        return None
    try:
        found = defs.get_schema(name, OPSET[domain], domain)
        if found.deprecated and domain == "ai.onnx.ml":  # TreeEnsembleClassifier and -Regressor: the hub keeps them
            return defs.get_schema(name, found.since_version - 1, domain)
        return found
    except defs.SchemaError:
        return None


def unheld(op: str) -> str:
    """Why the hub can't hold an ONNX operator yet: ``sequences``, ``optionals``, ...; empty if it can."""
    name = split(op)[1]
    return next((why for why, names in UNHELD.items() if name in names), "")
