"""Lowering a hub graph until a target has every operator in it."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.rules import Builder, Rules, apply
from ..bodies import shaped
from ..infer import builder

Expand = Callable[[Builder, Node], "Sequence[Value] | None"]
"""The outputs of a node by the function body of its schema, or ``None`` if it has none."""

_REFUSED = "it can't be decomposed"
_ROUNDS = 16  # decompositions of decompositions


def decompose(graph: Graph, legal: Callable[[Node], bool], rules: Rules, expand: Expand | None = None, *,
              target: str, why: Callable[[Node], str] | None = None) -> Graph:
    """The graph in which every node, those of bodies too, is ``legal``.

    A node that is not is said by its rule in ``rules``; if there is none or it refuses, by ``expand``; what these make
    is decomposed in its turn.  Raises :class:`UnsupportedModel`, which names everything in the way of ``target`` at
    once, each with what ``why`` says of the node and what kept it from being decomposed."""
    op = builder()
    problems: list[Unsupported] = []
    changed: list[Node] = []

    def simplify(node: Node) -> Made:
        if legal(node):
            return None
        try:
            made = _simpler(op.at(node), node, rules, expand)
        except Unsupported as e:
            problems.append(Unsupported(e.reason if why is None else _both(why(node), e.reason), node))
            return None
        changed.append(node)
        return made

    for _ in range(_ROUNDS):
        changed.clear()
        try:
            graph = shaped(rebuild(graph, simplify))  # function bodies state no shapes inside their loops
        except Unsupported as e:  # an output that its decomposition lacks is read
            problems.append(e)
        if problems:
            raise UnsupportedModel(problems, target)
        if not changed:
            return graph.noted(*op.notes)
    raise UnsupportedModel([Unsupported("its decomposition does not end", n) for n in changed], target)


def _both(here: str, simpler: str) -> str:
    """Why a node has no translation and no decomposition, said once."""
    if simpler in (_REFUSED, here):
        return here
    return simpler if here == "no translation" else f"{here}; {simpler}"


def _simpler(op: Builder, node: Node, rules: Rules, expand: Expand | None) -> Made:
    refused = _REFUSED
    if node.op in rules:
        try:
            made: Made = apply(rules[node.op], op, node)
            return made
        except Unsupported as e:
            refused = e.reason
    outs = None if expand is None else expand(op, node)
    if outs is None:
        raise Unsupported(refused)
    return outs
