"""Raw ONNX graphs of any operator set into the hub: one rule per operator and change of meaning."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ....errors import Unsupported, UnsupportedModel
from ....hub import trees
from ....hub.decompose.contrib import rules as contributed
from ....hub.infer import builder
from ....hub.opset import OPSET, split
from ....ir.graph import Graph, Node, Value
from ....ir.rules import Builder, Rules, apply, translate
from ....ir.types import Type
from .. import meta
from ..bodies import body_types
from ..container import UNKNOWN
from ..functions import has_body, preview
from . import control, elementwise, ml, nn, reduce, shape, table

__all__ = ["to_hub"]

FAMILIES = (control, elementwise, ml, nn, reduce, shape)
"""The files of rules; importing them fills the table."""


PLAIN = "ONNX's own operators"
"""What can't be read can't be expressed as these, in the words of an error."""


def to_hub(raw: Graph) -> Graph:
    """The hub graph of a raw ONNX graph; inputs keep their stated types, symbols too.

    What the file states of the values inside is used where inference knows nothing, unless it contradicts inference
    anywhere: then it is stale, and none of it is believed.  Raises :class:`UnsupportedModel`."""
    for name, value in raw.inputs.items():
        if value.type == UNKNOWN:
            raise UnsupportedModel([Unsupported("its type is not stated", Node("input", (), {}, (), name=name))],
                                   PLAIN)
    rules, versions = _rules(raw), meta.imports(raw.meta)
    stale: list[str] = []

    def around(op: Builder, node: Node, rule: Callable[..., Any]) -> Any:
        made = _checked(op, node, rule, versions)
        for new, old in zip((made,) if isinstance(made, Value) else made or (), node.outputs, strict=False):
            if new is not None and _contradicts(new.type, old.type):
                stale.append(old.name)
        return made

    try:
        hub = translate(raw, rules, builder(), around, enter=_enter)
    except UnsupportedModel as e:  # perhaps because of what was stated
        if not stale:
            if any(p.op.startswith("com.microsoft.nchwc.") for p in e.problems):
                e.hint = ("ONNX Runtime optimized this file for one kind of processor: convert the model it was made "
                          "from, or optimize at level ORT_ENABLE_EXTENDED")
            raise
    if stale:
        hub = translate(raw, rules, builder(), partial(_checked, versions=versions), enter=_enter, keep_types=False)
    keep = {k: v for k, v in meta.with_imports(raw.meta, {}).items() if k != "onnx:ir_version"}
    return hub.with_(meta=keep)


def _checked(op: Builder, node: Node, rule: Callable[..., Any], versions: Mapping[str, int]) -> Any:
    """The rule on a node whose attributes are of the right kinds; numbers that make no sense are ``Unsupported``."""
    table.check_attributes(node, versions.get(split(node.op)[0], 1))
    if node.op.startswith(trees.NEW):
        features = node.inputs[0].shape if node.inputs and node.inputs[0] is not None else None
        trees.check(node.op, node.attrs, features[-1] if features and isinstance(features[-1], int) else None)
    try:
        return apply(rule, op, node)
    except (ArithmeticError, IndexError, ValueError) as e:
        raise Unsupported(f"invalid here: {str(e).splitlines()[0] if str(e) else type(e).__name__}") from None


def translated(raw: Graph, op: Builder, inputs: Mapping[str, Value]) -> Graph:
    """The nodes of a raw graph in the hub, on the values given for its inputs: for bodies of functions."""
    return translate(raw, _rules(raw), op, inputs={k: inputs[k] for k in raw.inputs}, enter=_enter, keep_types=False)


def _rules(raw: Graph) -> Rules:
    """The rules for the operators of this graph, in the versions it imports."""
    versions = meta.imports(raw.meta)
    rules = Rules("ONNX", PLAIN)
    for name in dict.fromkeys(n.op for n in raw.walk()):
        domain, _ = split(name)
        if name in contributed:
            rules[name] = contributed[name]
        elif domain == "ai.onnx.preview" and has_body(name):
            rules[name] = preview
        elif domain in OPSET:
            rules[name] = table.find(name, versions[domain]) if domain in versions else table.refuse(
                f"the file does not say which version of '{domain or 'ai.onnx'}' it means")
    return rules


def _enter(node: Node, body: Graph) -> Mapping[str, Value]:
    return {k: Value(t, v.name) for (k, v), t in zip(body.inputs.items(), body_types(node, body), strict=True)}


def _contradicts(found: Type, stated: Type) -> bool:
    """Whether a file states of a value what inference knows to be wrong."""
    if stated == UNKNOWN:
        return False
    if found.dtype != stated.dtype:
        return True
    if found.shape is None or stated.shape is None:
        return False
    return len(found.shape) != len(stated.shape) or any(
        f is not None and isinstance(s, int) and f != s for f, s in zip(found.shape, stated.shape, strict=True))
