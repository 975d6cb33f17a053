"""From the hub to TensorFlow's operators: simpler ones until each has a rule, channels last, then the rules.

A :class:`Target` is what a runtime of these operators knows; TensorFlow is one, TensorFlow.js another."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...errors import Unsupported, UnsupportedModel, printable
from ...hub import decompose as general
from ...hub import ranges
from ...hub.bodies import shaped, trimmed
from ...hub.branches import ranked
from ...hub.canonical import canonical
from ...hub.decompose import decompose, kernels
from ...hub.layout import channels_last
from ...ir.graph import Graph, Made, Node, Value
from ...ir.rules import Builder, Rules, apply, translate
from ...ir.types import Type, dtype_name
from ...notes import Note
from ...passes.clean import clean
from ...passes.fold import fold
from ..onnx.functions import expand
from ..writing import last
from .carriers import Carrier, carried, constant, stated, widened
from .exact import exact
from .from_onnx import from_onnx
from .from_onnx.common import cast
from .graphdef import Names, ends
from .halve import F16, halve
from .raw import RawBuilder, builder

rules = Rules("the hub", "what TensorFlow has")
"""Decompositions, tried where :mod:`.from_onnx` has no rule or refuses the node."""
rules.update(kernels.rules)
rules["Range"] = general.rules["Range"]  # of real numbers, the count in doubles

@dataclass(frozen=True)
class Target:
    """What hub graphs are lowered to: the operators (of the builder's dialect), the decompositions, how element types
    are carried inside and what they are at the interface, and what is done with the hub graph before it is carried."""

    name: str
    builder: Callable[[], RawBuilder]
    rules: Rules
    carrier: Carrier = widened
    outside: Carrier = lambda v: v.dtype
    ready: Callable[[Graph], Graph] = lambda graph: graph


TENSORFLOW = Target("TensorFlow", builder, rules)


def from_hub(hub: Graph, *, trainable: bool = False) -> Graph:
    """The graph in TensorFlow's operators, or :class:`UnsupportedModel` with all that is in the way.

    With ``trainable`` a SavedModel keeps its weights as variables that can be trained on."""
    raw = exact(lowered(hub, TENSORFLOW))
    if any(v.dtype == F16 for v in hub.constants):
        raw = halve(raw)
    raw = raw.noted(*(Note("info", f"a frozen graph has '{name}' for '{k}', as TensorFlow names nodes")
                      for named in ends(raw, Names()) for k, name in named.items() if name != k))
    return raw.with_(meta={**raw.meta, "tensorflow:trainable": "1"}) if trainable else raw


def lowered(hub: Graph, target: Target) -> Graph:
    """The graph in the target's operators."""
    try:
        return _lowered(hub, target)
    except UnsupportedModel as e:
        symbols = [f"{k}=" + ",".join("N" if not isinstance(d, int) else str(d) for d in v.shape)
                   for k, v in hub.inputs.items() if v.shape is not None and not v.type.static]
        if symbols and any("run time" in p.reason or "known" in p.reason for p in e.problems):
            raise UnsupportedModel(e.problems, e.target, hint="sizes that are symbols may be in the way; numbers for "
                                   f"them: --shape {printable(' --shape '.join(symbols), 300)}") from None
        raise


def _lowered(hub: Graph, target: Target) -> Graph:
    graph = canonical(fold(shaped(ranked(hub))))
    graph = decompose(graph, partial(_legal, target), target.rules, partial(expand, version=28), target=target.name,
                      why=partial(_why, target))
    graph = clean(fold(channels_last(trimmed(graph))))
    typed = carried(canonical(target.ready(graph)), target.carrier)
    op = target.builder()
    inputs = {k: Value(Type(target.outside(v), v.shape), v.name) for k, v in graph.inputs.items()}
    flows = {k: cast(op, v, t.dtype) for (k, v), t in zip(inputs.items(), typed.inputs.values(), strict=True)}
    for k, flow in flows.items():
        if flow.dtype.kind in "iu":
            ranges.state(flow, ranges.of(typed.inputs[k]))
    raw = translate(typed, from_onnx, op, partial(_around, target), flows, lambda node, body: body.inputs)
    outputs = {k: cast(op, v, target.outside(graph.outputs[k])) for k, v in raw.outputs.items()}
    return raw.with_(inputs=inputs, outputs=outputs).noted(*op.notes)


def _around(target: Target, op: Builder, node: Node, rule: Callable[..., Any]) -> Made:
    """Calls a rule, and casts what it makes to the element types that carry the node's outputs."""
    assert isinstance(op, RawBuilder)
    try:
        made = apply(rule, op, node)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as e:
        raise Unsupported(f"not as its kernel wants it ({type(e).__name__}: {e})") from e
    outs = []
    for v, old in zip((made,) if isinstance(made, Value) else made, node.outputs, strict=False):
        if not op.dialect.holds(old.dtype):
            raise Unsupported(f"element type {dtype_name(old.dtype)}")
        v = constant(v, target.carrier(v)) if v.data is not None else v
        outs.append(cast(op, v, old.dtype))
    for v, old in zip(outs, node.outputs, strict=False):
        if v.data is None and v.dtype.kind in "iu":
            ranges.state(v, ranges.of(old))
    return tuple(outs)


def _trial(target: Target, op: str, node: Node, inputs: list[Value | None], types: list[Type]) -> str:
    """Why the rule of ``op`` refuses a node of that kind; empty if it does not."""
    if op not in from_onnx:
        return "no translation"
    attrs = {k: carried(a, target.carrier) if isinstance(a, Graph) else a for k, a in node.attrs.items()}
    probe = Node(op, inputs, attrs, types, origin=node.label)
    for new, old in zip(probe.outputs, node.outputs, strict=True):
        new.elements = old.elements
        if old.dtype.kind in "iu":
            ranges.state(new, ranges.of(old))
    try:
        _around(target, target.builder().at(probe), probe, from_onnx[op])
    except Unsupported as e:
        return e.reason
    return ""


def _why(target: Target, node: Node) -> str:
    """Why a hub node has no translation as it stands; empty if it has one."""
    ins = [stated(v, target.carrier) for v in node.inputs]
    types = [Type(target.carrier(o), o.shape) for o in node.outputs]
    op, ins, types = last(node, ins, types)
    return _trial(target, op, node, ins, types)


def _legal(target: Target, node: Node) -> bool:
    return not _why(target, node)
