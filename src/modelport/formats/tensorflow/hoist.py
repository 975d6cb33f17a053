"""Weights of the bodies of loops and branches handed in from outside, where they can be variables."""
from __future__ import annotations

from collections.abc import Mapping

from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.types import STRING, Type

WORTH = 1 << 10
"""Bytes from which a constant is a weight."""


def hoisted(graph: Graph) -> Graph:
    """The graph whose bodies have no constants of many bytes: they come in behind what the body has captured."""
    def rule(node: Node) -> Made:
        bodies = {k: hoisted(b) for k, b in node.bodies.items()}
        weights = list(dict.fromkeys(v for b in bodies.values() for v in _weights(b)))
        if not weights:
            return None if all(node.attrs[k] is b for k, b in bodies.items()) else \
                node.with_(attrs={**node.attrs, **bodies}).outputs
        loop = node.op == "StatelessWhile"
        attrs = {**node.attrs, **{k: _handed(b, weights, loop and k == "body") for k, b in bodies.items()}}
        types = [o.type for o in node.outputs] + ([Type(w.dtype, w.shape) for w in weights] if loop else [])
        names = [o.name for o in node.outputs] + [w.name for w in weights] * loop
        made = Node(node.op, [*node.inputs, *weights], attrs, types, names, node.name, node.origin)
        return made.outputs[:len(node.outputs)]
    if not any(n.bodies for n in graph.nodes):
        return graph
    return rebuild(graph, rule, bodies=False)


def _weights(body: Graph) -> list[Value]:
    """The constants that are read outside of further bodies and are worth it."""
    return [v for v in body.uses if v.data is not None and v.dtype != STRING and v.data.nbytes >= WORTH]


def _handed(body: Graph, weights: list[Value], loop: bool) -> Graph:
    """The body with ``weights`` as its last inputs, which a loop's body hands on."""
    formals = {w: Value(Type(w.dtype, w.shape), w.name) for w in weights}

    def rule(node: Node) -> Made:
        if not any(v in formals for v in node.inputs if v is not None):
            return None
        return node.with_(inputs=[v if v is None else formals.get(v, v) for v in node.inputs]).outputs
    made = rebuild(body, rule, bodies=False)
    ins: Mapping[str, Value] = {**body.inputs, **{f"weight_{k}": v for k, v in enumerate(formals.values())}}
    outs = {k: formals.get(v, v) for k, v in made.outputs.items()}
    if loop:
        outs |= {f"weight_{k}": v for k, v in enumerate(formals.values())}
    return made.with_(inputs=ins, outputs=outs)
