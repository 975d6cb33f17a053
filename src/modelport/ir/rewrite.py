"""A pass as a table of small rewrites: functions of a node's inputs and attributes, like the rules of a translation.

A rewrite returns what replaces the node, or ``None`` where it does not apply.  An attribute that its signature does
not name means that it does not apply."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..errors import Unsupported
from .graph import Graph, Made, Node, Value, rebuild
from .rules import Builder, misfit


class Site(Builder):
    """The builder that a rewrite gets: it also knows how often the values at hand are read."""

    uses: Counter[Value]

    def once(self, value: Value | None) -> bool:
        """Whether nothing but this node reads ``value``."""
        return value is not None and self.uses[value] <= 1


class Rewrites:
    """Operator name -> the rewrites that are tried on its nodes, in order of definition."""

    def __init__(self, builder: Callable[[], Builder]) -> None:
        self._builder = builder
        self._rules: dict[str, list[Callable[..., Any]]] = {}

    def __call__(self, *ops: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator that adds a rewrite for the operators named."""
        def register(rule: Callable[..., Any]) -> Callable[..., Any]:
            for name in ops:
                self._rules.setdefault(name, []).append(rule)
            return rule
        return register

    def run(self, graph: Graph) -> Graph:
        """The graph after one walk from its inputs to its outputs; the same object if nothing applied."""
        base = self._builder()
        return self._run(graph, base).noted(*base.notes)

    def _run(self, graph: Graph, base: Builder) -> Graph:
        uses: Counter[Value] = Counter()

        def rule(node: Node) -> Made:
            made: Made = None
            rules = self._rules.get(node.op, ())
            if rules:
                here = base.at(node)
                here.uses = uses  # type: ignore[attr-defined]  # the builder given is a Site
                for rewrite in rules:
                    if misfit(rewrite, node):
                        continue
                    try:
                        made = rewrite(here, *node.inputs, **node.attrs)
                    except Unsupported:  # what it would have built does not hold here
                        made = None
                    if made is not None:
                        break
            return made

        def counted(node: Node, old: Node) -> Made:
            made = rule(node)
            outs = node.outputs if made is None else (made,) if isinstance(made, Value) else tuple(made)
            for out, before in zip(outs, old.outputs, strict=False):
                uses[out] += graph.uses[before]
            return made

        for v in (*graph.inputs.values(), *graph.constants):
            uses[v] = graph.uses[v]
        olds = iter(graph.nodes)
        bodies: dict[Graph, Graph] = {}

        def each(node: Node) -> Made:
            old = next(olds)
            if any(isinstance(a, Graph) for a in node.attrs.values()):
                for body in node.bodies.values():
                    if body not in bodies:
                        bodies[body] = self._run(body, base)
                attrs = {k: bodies[a] if isinstance(a, Graph) else a for k, a in node.attrs.items()}
                if any(attrs[k] is not a for k, a in node.attrs.items()):
                    node = node.with_(attrs=attrs)
                    made = counted(node, old)
                    return node.outputs if made is None else made
            return counted(node, old)

        return rebuild(graph, each, bodies=False)
