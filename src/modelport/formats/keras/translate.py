"""From the raw graph to the hub: what has to hold for the rules of :mod:`.to_onnx` to be right."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel, printable
from ...hub.infer import builder
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Builder, apply, translate
from ...ir.types import is_float
from .to_onnx import to_onnx
from .to_onnx.common import KerasBuilder, cast, numpy_dtype

MISMADE = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError)


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
    if computed == "string":  # what takes text in Keras 2 calls that its type; its numbers are of the usual one
        computed = "float32"
    here = op.at(node)
    assert isinstance(here, KerasBuilder)
    here.legacy, here.bfloat16 = legacy, computed == "bfloat16"
    inputs = list(node.inputs)
    if not node.op.startswith(("ops.", "mask.", "TimeDistributed.")):
        small, want = computed == "bfloat16", numpy_dtype(computed)
        here.compute = np.dtype(np.float32) if small else want
        if is_float(want):
            inputs = [v if v is None or not is_float(v.dtype) or v.dtype == want else cast(here, v, want)
                      for v in inputs]
        if small:  # no runtime computes in it: values are rounded to it, and computed with in 32 bits
            inputs = [v if v is None or v.dtype != want else cast(here, v, here.compute) for v in inputs]
    if quantized:
        mode = quantized.partition("/")[0]
        if f"{mode}.{node.op}" in to_onnx:
            rule = to_onnx[f"{mode}.{node.op}"]
        elif len(node.inputs) > 1:
            raise Unsupported(f"the quantization '{quantized}'")
    seen = Node(node.op, inputs, attrs, [v.type for v in node.outputs], name=node.name, origin=node.origin)
    try:
        made = apply(rule, here, seen)
    except MISMADE as e:  # a configuration may hold anything: a rule that meets what it never means says so
        raise Unsupported(f"a configuration that makes no sense ({type(e).__name__}: {printable(e, 80)})") from e
    if computed != "bfloat16" or node.op.startswith("ops."):
        return made
    outs = [made] if isinstance(made, Value) else list(made)
    return [cast(here, v, want) if v.dtype == here.compute else v for v in outs]

