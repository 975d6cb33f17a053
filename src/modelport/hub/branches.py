"""Ifs whose branches give values of different ranks, as exporters write the squeezing of an axis that may be one long.

Types are inferred anew where a condition turns out to be known.  What an If of unknown rank is read by moves into both
of its branches: there the rank is known, and with it, as a rule, every condition that follows."""
from __future__ import annotations

from ..errors import Unsupported
from ..ir.graph import Graph, Made, Node, Value, rebuild
from ..ir.types import merge
from ..notes import Note
from . import shapes
from .bodies import own_outputs
from .infer import builder

_DEEP = 6  # Ifs within Ifs: each doubles what follows it


class _Impossible(Exception):
    """A node that inference refuses for its ranks: whoever comes here fails, in the source too."""


def ranked(graph: Graph) -> Graph:
    """The graph with as many ranks known as its branches allow; what it computes is the same.

    A branch that leads to a node that can't be run is left out, with a note."""
    if all(o.rank is not None for n in graph.walk() for o in n.outputs):
        return graph
    notes: list[Note] = []
    return _ranked(graph, _DEEP, notes, strict=False).noted(*notes)


def _ranked(graph: Graph, deep: int, notes: list[Note], strict: bool) -> Graph:
    """All nodes inferred anew: what was folded after reading, and what is decided here, makes more known."""
    def rule(node: Node) -> Made:
        if node.op == "If":
            made = _decided(node, strict)
            if made is not None:
                return made
            bodies = {k: _ranked(b, deep, notes, strict=False) for k, b in node.bodies.items()}
            if any(node.attrs[k] is not b for k, b in bodies.items()):
                node = node.with_(attrs={**node.attrs, **bodies})
        return _again(node, strict)
    graph = rebuild(graph, rule, bodies=False)
    split = next((n for n in graph.nodes if n.op == "If" and any(o.rank is None for o in n.outputs)), None)
    if split is None or not deep:
        return graph
    return _split(graph, split, deep - 1, notes, strict)


def _again(node: Node, strict: bool) -> Made:
    """The node with the types that its inputs now give."""
    try:
        made: tuple[Value, ...] = builder().at(node).add(node.op, *node.inputs, outputs=len(node.outputs),
                                                         **node.attrs)
    except Unsupported as e:
        if strict and e.reason.startswith("invalid here"):
            raise _Impossible from None
        return node.outputs
    return made if any(a.type != b.type or a.elements != b.elements
                       for a, b in zip(made, node.outputs, strict=True)) else None


def _decided(node: Node, strict: bool) -> Made:
    """The branch that is taken, if that is known."""
    condition = node.inputs[0]
    known = None if condition is None else shapes.known(condition)
    if known is None or known.size != 1:
        return None
    body = node.bodies["then_branch" if known.ravel()[0] else "else_branch"]
    return _placed(body, node, strict)


def _placed(body: Graph, node: Node, strict: bool) -> tuple[Value, ...]:
    """The outputs of a branch of ``node`` among the nodes around it, inferred anew."""
    inputs = dict(zip(body.inputs, [v for v in node.inputs[1:] if v is not None], strict=True))
    return tuple(rebuild(body, lambda n: (_decided(n, strict) if n.op == "If" else None) or _again(n, strict), inputs,
                         bodies=False).outputs.values())


def _split(graph: Graph, node: Node, deep: int, notes: list[Note], strict: bool) -> Graph:
    """The graph in which what reads the outputs of ``node``, an If, is in both of its branches."""
    reached = set(node.outputs)
    for n in graph.nodes:
        if any(v in reached for v in n.inputs):
            reached.update(n.outputs)
    after = {k: v for k, v in graph.outputs.items() if v in reached}
    before = set(graph.nodes)
    made: list[Graph] = []
    for body in (node.bodies["then_branch"], node.bodies["else_branch"]):
        def rule(n: Node, body: Graph = body) -> Made:
            if n is node:
                return _placed(body, n, strict=True)
            if n in before:
                return None
            return (_decided(n, True) if n.op == "If" else None) or _again(n, True)
        try:
            made.append(_ranked(rebuild(graph.with_(outputs=after), rule, bodies=False, keep_types=False), deep, notes,
                                strict=True))
        except _Impossible:
            continue
    if not made:
        if strict:
            raise _Impossible
        return graph
    if len(made) == 1:
        notes.append(Note("changed", "one of two branches is taken as it stands: the other leads to a node that can't "
                                     "be run", node.label))
        return graph.with_(outputs={**graph.outputs, **made[0].outputs})
    outer: dict[Value, None] = {}
    for g in made:
        for n in g.nodes:
            if n not in before:
                outer.update(dict.fromkeys(v for v in n.inputs if v is not None and _outside(v, before)))
        outer.update(dict.fromkeys(v for v in g.outputs.values() if _outside(v, before)))
    op = builder().at(node)
    bodies = [own_outputs(op, _closed(g, list(outer))) for g in made]
    outs = op.add("If", node.inputs[0], *outer, then_branch=bodies[0], else_branch=bodies[1],
                  captures=len(outer) or None, outputs=len(after))
    new = dict(zip(after, outs, strict=True))
    for k, v in new.items():
        v.type = merge(v.type, graph.outputs[k].type)
    return graph.with_(outputs={k: new.get(k, v) for k, v in graph.outputs.items()})


def _outside(v: Value, before: set[Node]) -> bool:
    return v.data is None and (v.node is None or v.node in before)


def _closed(graph: Graph, outer: list[Value]) -> Graph:
    """The part of a graph behind the values ``outer``, which become its inputs."""
    part = graph.with_(inputs={f"captured_{k}": v for k, v in enumerate(outer)}, meta={}, notes=())
    inputs = {f"captured_{k}": Value(v.type, v.name) for k, v in enumerate(outer)}
    for new, old in zip(inputs.values(), outer, strict=True):
        new.elements = old.elements
    entries = dict(zip(outer, inputs.values(), strict=True))
    olds = iter(part.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)  # what is handed in is not computed again
        return [entries.get(v, v) for v in old.outputs] if any(v in entries for v in old.outputs) else None
    return rebuild(part, rule, inputs, bodies=False)
