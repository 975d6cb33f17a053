"""Shapes of what flows through the bodies of If, Loop and Scan, where a file does not state them.

What a loop carries may change its shape from turn to turn: its type is what the first value and the values that the
body makes of it have in common, found by inferring the body again until nothing changes."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import Unsupported
from ..ir.graph import Graph, Made, Node, Value, rebuild
from ..ir.rules import Builder
from ..ir.types import Type, merge
from . import ranges
from .infer import builder, join

_TURNS = 12  # a rank that differs is unknown, then one size a turn may be: no value here has more axes


def shaped(graph: Graph) -> Graph:
    """The graph with the inputs of its bodies typed by what flows into them."""
    if not any(n.bodies for n in graph.nodes):
        return graph
    return rebuild(graph, _typed, bodies=False)


def trimmed(graph: Graph) -> Graph:
    """The graph whose loops do not stack what nobody reads."""
    if not any(n.bodies for n in graph.nodes):
        return graph
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)
        if not node.bodies:
            return None
        attrs: dict[str, Any] = {k: trimmed(a) if isinstance(a, Graph) else a for k, a in node.attrs.items()}
        states = len(node.outputs)
        if node.op == "Loop":
            states = len(node.inputs) - 2 - attrs.get("captures", 0)
        elif node.op == "Scan" and not (attrs.get("scan_output_axes") or attrs.get("scan_output_directions")):
            states = len(node.inputs) - attrs["num_scan_inputs"] - attrs.get("captures", 0)
        kept = [k for k, v in enumerate(old.outputs) if k < states or graph.uses[v]]
        if len(kept) < len(node.outputs):
            ahead = int(node.op == "Loop")
            outs = [o for k, o in enumerate(attrs["body"].outputs.items()) if k < ahead or k - ahead in kept]
            attrs["body"] = attrs["body"].with_(outputs=dict(outs))
        if all(attrs[k] is a for k, a in node.attrs.items()):
            return None
        made = Node(node.op, node.inputs, attrs, [node.outputs[k].type for k in kept],
                    [node.outputs[k].name for k in kept], node.name, node.origin)
        new = dict(zip(kept, made.outputs, strict=True))
        return [new.get(k, v) for k, v in enumerate(node.outputs)]
    return rebuild(graph, rule, bodies=False)


def own_outputs(op: Builder, body: Graph) -> Graph:
    """The body, each output made by a node of its own, as ONNX wants it."""
    seen: set[Value] = set()
    outputs = {}
    for k, v in body.outputs.items():
        outputs[k] = op.Identity(v) if v.node is None or v in seen else v
        seen.add(v)
    return body.with_(outputs=outputs)


def _typed(node: Node) -> Made:
    """The node with bodies that know the shapes of their inputs, or ``None`` if they knew them."""
    if not node.bodies:
        return None
    try:
        bodies = {k: _settled(node, b) for k, b in node.bodies.items()}
    except (Unsupported, ValueError, IndexError):  # the rule for the node will say what is wrong with it
        return None
    if all(node.attrs[k] is b for k, b in bodies.items()):
        return None
    made: Sequence[Value] = builder().at(node).add(node.op, *node.inputs, outputs=len(node.outputs),
                                                   **{**node.attrs, **bodies})
    return made


def _settled(node: Node, body: Graph) -> Graph:
    """A body whose inputs have the types of what flows into them in every turn."""
    body = _filled(node, body)
    if node.op == "Loop" and body.inputs:
        trips, turn = node.inputs[0], next(iter(body.inputs.values()))
        small = trips is not None and ranges.fits(trips)
        ranges.state(turn, ranges.COUNT if small else (0, (1 << 63) - 1))
    captures = node.attrs.get("captures", 0)
    skipped = 2 if node.op == "Loop" else 0  # the turn and the condition
    scans = node.attrs.get("num_scan_inputs", 0)
    outer = [Type(v.dtype, v.shape) if v is not None else None for v in node.inputs[1 if node.op == "If" else skipped:]]
    states = len(outer) - captures - scans
    stated = [v.type for v in body.inputs.values()]
    if len(outer) + skipped != len(stated):
        return body
    types = [*stated[:skipped], *(_known(a, b) for a, b in zip(outer, stated[skipped:], strict=True))]
    for k in range(states, states + scans):  # elements of sequences: the reader knows them
        types[skipped + k] = stated[skipped + k]
    first = types[skipped:skipped + states] if node.op != "If" else []
    made = _again(body, types)
    for _ in range(_TURNS):
        outs = list(made.outputs.values())[1 if node.op == "Loop" else 0:]
        after = [join(a, b.type) for a, b in zip(first, outs, strict=False)]
        if after == first:
            return made
        first = after
        types = [*types[:skipped], *first, *types[skipped + len(first):]]
        made = _again(body, types)
    return body


def _filled(node: Node, body: Graph) -> Graph:
    """The body with the constants that it captures in place of its inputs, which stay and are not read."""
    captures = node.attrs.get("captures", 0)
    captured = list(body.inputs.items())[len(body.inputs) - captures:]
    outer = node.inputs[len(node.inputs) - captures:]
    known = {k: v for (k, old), v in zip(captured, outer, strict=True)
             if v is not None and v.data is not None and v.dtype == old.dtype and body.uses[old]}
    if not known:
        return body
    op = builder()

    def rule(inside: Node) -> Made:
        made: Sequence[Value] = op.at(inside).add(inside.op, *inside.inputs, outputs=len(inside.outputs),
                                                  **inside.attrs)
        return made
    made = rebuild(body, rule, {k: known.get(k, v) for k, v in body.inputs.items()}, bodies=False)
    return made.with_(inputs=body.inputs)


def _known(flows: Type | None, stated: Type) -> Type:
    return stated if flows is None or flows.dtype != stated.dtype else merge(flows, Type(stated.dtype))


def _again(body: Graph, types: Sequence[Type]) -> Graph:
    """The body inferred anew on inputs of these types."""
    if all(v.type == t for v, t in zip(body.inputs.values(), types, strict=True)) \
            and not any(n.bodies for n in body.nodes):
        return body
    op = builder()
    inputs: Mapping[str, Value] = {k: Value(t, v.name) for (k, v), t in zip(body.inputs.items(), types, strict=True)}
    for new, old in zip(inputs.values(), body.inputs.values(), strict=True):
        new.elements = old.elements
        if old.dtype.kind in "iu":
            ranges.state(new, ranges.of(old))

    def rule(node: Node) -> Made:
        bodies = {k: _settled(node, b) for k, b in node.bodies.items()}
        made: Sequence[Value] = op.at(node).add(node.op, *node.inputs, outputs=len(node.outputs),
                                                **{**node.attrs, **bodies})
        return made
    return rebuild(body, rule, inputs, bodies=False, keep_types=False)
