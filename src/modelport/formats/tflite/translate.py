"""From the raw graph to the hub: what has to hold for the rules of :mod:`.to_onnx` to be right."""
from __future__ import annotations

from collections.abc import Iterator

from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...hub.qdq import translate_quantized
from ...ir.graph import Graph, Node, Value
from . import hints
from .tensors import OPAQUE
from .to_onnx import to_onnx

COMPLEX = frozenset({"RFFT2D", "RESHAPE", "COMPLEX_ABS", "REAL", "IMAG"})
"""The operators whose rules know that a complex value has one more dimension in the hub."""
STORED = frozenset({"CAST", "BITCAST", "SHAPE", "RANK", "ZEROS_LIKE"})
"""The operators that look at what a quantized tensor stores, not at what it stands for."""


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators, or :class:`UnsupportedModel` with all that is in the way."""
    problems = [*_handles(raw), *_complex(raw)]
    if problems:
        raise UnsupportedModel(problems, to_onnx.target)
    hub = translate_quantized(raw, to_onnx, builder(), STORED)
    return hub.with_(meta={**hub.meta, **hints.of(raw)})


def _handles(raw: Graph) -> Iterator[Unsupported]:
    for name, v in [*raw.inputs.items(), *raw.outputs.items()]:
        if v.dtype == OPAQUE:
            yield Unsupported("a handle or an effect flows out of or into the model",
                              v.node or Node(f"input '{name}'", [], {}, []))


def _complex(raw: Graph) -> Iterator[Unsupported]:
    def is_complex(v: Value | None) -> bool:
        return v is not None and v.dtype.kind == "c"
    for node in raw.walk():
        if node.op not in COMPLEX and any(map(is_complex, (*node.inputs, *node.outputs))):
            yield Unsupported("complex numbers", node)
        elif any(v is not None and v.data is not None and is_complex(v) for v in node.inputs):
            yield Unsupported("a complex constant", node)
    for name, v in [*raw.inputs.items(), *raw.outputs.items()]:
        if is_complex(v):
            yield Unsupported("complex numbers flow into or out of the model",
                              v.node or Node(f"input '{name}'", [], {}, []))
