"""From the raw graph to the hub: what has to hold for the rules of :mod:`.to_onnx` to be right."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...ir.graph import Graph, Node
from ...ir.rules import Builder, apply, translate
from ...ir.types import is_float
from .to_onnx import to_onnx
from .to_onnx.common import KerasBuilder, cast


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators, or :class:`UnsupportedModel` with all that is in the way."""
    if why := [Unsupported("is an output and nothing else", Node(f"input '{k}'", [], {}, []))
               for k, v in raw.outputs.items() if v.node is None and v.data is None and v not in raw.inputs.values()]:
        raise UnsupportedModel(why, to_onnx.target)
    return translate(raw, to_onnx, KerasBuilder(builder()._infer), around=_around)


def _around(op: Builder, node: Node, rule: Callable[..., Any]) -> Any:
    """Takes off what any layer may have, and gives it the element type that its policy computes in."""
    attrs = dict(node.attrs)
    legacy, quantized = attrs.pop("legacy", 0), attrs.pop("quantization", "")
    computed = attrs.pop("compute_dtype", "float32")
    here = op.at(node)
    assert isinstance(here, KerasBuilder)
    here.legacy = legacy
    inputs = list(node.inputs)
    if not node.op.startswith(("ops.", "mask.", "TimeDistributed.")):
        import ml_dtypes
        want = np.dtype(ml_dtypes.bfloat16) if computed == "bfloat16" else np.dtype(computed)
        here.compute = want
        inputs = [v if v is None or not is_float(v.dtype) or v.dtype == want else cast(here, v, want) for v in inputs]
    if quantized:
        if f"{quantized}.{node.op}" not in to_onnx:
            raise Unsupported(f"the quantization '{quantized}'")
        rule = to_onnx[f"{quantized}.{node.op}"]
    seen = Node(node.op, inputs, attrs, [v.type for v in node.outputs], name=node.name, origin=node.origin)
    return apply(rule, here, seen)

