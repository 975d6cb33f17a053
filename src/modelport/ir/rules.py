"""Building nodes, and translating one operator set into another with tables of plain functions.

A rule's positional parameters are the node's inputs, its keyword-only parameters the node's attributes: the signature
is the schema.  An attribute that the rule does not name fails to bind and becomes a located ``Unsupported``.
"""
from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from ..errors import Unsupported, UnsupportedModel
from ..notes import Note
from .graph import Enter, Graph, Made, Node, Value, constant, rebuild
from .tensor import Array
from .types import Type

Infer = Callable[[str, Sequence[Value | None], Mapping[str, Any], int], "tuple[Sequence[Type], Mapping[str, Any]]"]
"""Operator, inputs, attributes, number of outputs -> types of the outputs, and the attributes to store."""


class Builder:
    """Makes nodes: ``op.Conv(x, w, strides=[2, 2])`` adds a Conv and returns its output.

    Inputs may be values, ``None`` (absent) or anything that numpy makes an array of; an attribute that is ``None`` is
    left out.  ``outputs=n`` asks for n outputs (a tuple), ``type=`` states the output's type instead of inferring it.
    """

    def __init__(self, infer: Infer | None = None, node: Node | None = None, domain: str = "",
                 notes: list[Note] | None = None) -> None:
        self._infer, self.node, self._domain = infer, node, domain
        self._notes: list[Note] = [] if notes is None else notes

    def at(self, node: Node) -> Builder:
        """The same builder, its nodes remembering that they come from ``node``."""
        return type(self)(self._infer, node, self._domain, self._notes)

    def within(self, domain: str) -> Builder:
        """The same builder for the operators of another domain, such as ``ai.onnx.ml.``."""
        return type(self)(self._infer, self.node, domain, self._notes)

    @property
    def nhwc(self) -> Builder:
        """Operators of the same meaning on channels-last activations; weights stay as ONNX has them."""
        return self.within("nhwc.")

    @property
    def ml(self) -> Builder:
        return self.within("ai.onnx.ml.")

    @property
    def out(self) -> Type:
        """The type that the translation at hand must deliver."""
        if self.node is None:
            raise ValueError("the builder is not at a node")
        return self.node.outputs[0].type

    def note(self, kind: str, message: str) -> None:
        """Records what the translation changed or dropped, located at the node at hand."""
        self._notes.append(Note(kind, message, "" if self.node is None else self.node.label))

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(self._notes)

    def add(self, op: str, *inputs: Any, outputs: int | None = None, type: Type | Sequence[Type] | None = None,
            **attrs: Any) -> Any:
        """One node of operator ``op``; its output, or the tuple of its ``outputs`` if their number was given."""
        ins = tuple(v if v is None or isinstance(v, Value) else constant(v) for v in inputs)
        while ins and ins[-1] is None:
            ins = ins[:-1]
        attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items() if v is not None}
        kept: Mapping[str, Any] = attrs
        if type is not None:
            types: Sequence[Type] = [type] if isinstance(type, Type) else type
        elif self._infer is not None:
            types, kept = self._infer(op, ins, attrs, outputs or 1)
        else:
            raise ValueError(f"{op}: this dialect has no inference, the type must be given")
        made = Node(op, ins, kept, types, origin="" if self.node is None else self.node.label)
        self._made(made)
        return made.outputs if outputs is not None else made.outputs[0]

    def _made(self, node: Node) -> None:
        """A hook for what else is to be known about a new node."""

    def __getattr__(self, op: str) -> Callable[..., Any]:
        if op.startswith("_"):
            raise AttributeError(op)
        return partial(self.add, self._domain + op)


class Rules(dict[str, Callable[..., Any]]):
    """Operator name -> function ``f(op, *inputs, **attributes)`` that builds its translation."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__()
        self.source, self.target = source, target

    def __call__(self, *ops: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """A decorator that registers a function for the operators named."""
        def register(rule: Callable[..., Any]) -> Callable[..., Any]:
            for name in ops:
                if name in self:
                    raise ValueError(f"two translations of {self.source} {name} to {self.target}")
                self[name] = rule
            return rule
        return register

    def missing(self, graph: Graph) -> Counter[str]:
        """Operators of the graph without a rule, and how often they occur."""
        return Counter(n.op for n in graph.walk() if n.op not in self)


@dataclass(frozen=True)
class _Signature:
    """What a rule takes: how many inputs (after the builder), which attributes, and which of those it must have."""

    least: int
    most: int | None
    names: frozenset[str] | None
    required: tuple[str, ...]


@lru_cache(maxsize=4096)
def _signature(rule: Callable[..., Any]) -> _Signature:
    parameters = list(inspect.signature(rule).parameters.values())
    kinds = inspect.Parameter
    inputs = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    attributes = [p for p in parameters if p.kind == kinds.KEYWORD_ONLY]
    return _Signature(
        least=sum(p.default is kinds.empty for p in inputs) - 1,
        most=None if any(p.kind == kinds.VAR_POSITIONAL for p in parameters) else len(inputs) - 1,
        names=None if any(p.kind == kinds.VAR_KEYWORD for p in parameters) else frozenset(p.name for p in attributes),
        required=tuple(p.name for p in attributes if p.default is kinds.empty))


def misfit(rule: Callable[..., Any], node: Node) -> str:
    """Why ``rule`` can't be called with the inputs and attributes of ``node``; empty if it can."""
    s, attrs = _signature(rule), node.attrs
    if len(node.inputs) < s.least or (s.most is not None and len(node.inputs) > s.most):
        return f"{len(node.inputs)} inputs, not {s.least}" + ("" if s.most == s.least else f" to {s.most or 'more'}")
    if s.names is not None:
        for name in attrs:
            if name not in s.names:
                return f"attribute not supported: '{name}'"
    for name in s.required:
        if name not in attrs:
            return f"attribute missing: '{name}'"
    return ""


def apply(rule: Callable[..., Any], op: Builder, node: Node) -> Any:
    """Calls ``rule`` with the node's inputs and attributes; what does not bind is ``Unsupported``."""
    if why := misfit(rule, node):
        raise Unsupported(why)
    return rule(op, *node.inputs, **node.attrs)


def static(value: Value | None, what: str = "an input") -> Array:
    """The value as an array, where the translation needs it at conversion time."""
    if value is None:
        raise Unsupported(f"{what} is missing")
    if value.data is None:
        raise Unsupported(f"{what} is computed at run time and is needed as a constant")
    return value.numpy()


Around = Callable[[Builder, Node, Callable[..., Any]], Any]


def plain(op: Builder, node: Node, rule: Callable[..., Any]) -> Any:
    return apply(rule, op, node)


def translate(graph: Graph, rules: Rules, op: Builder, around: Around = plain,
              inputs: Mapping[str, Value] | None = None, enter: Enter | None = None,
              keep_types: bool = True) -> Graph:
    """The graph in the target's operators, or :class:`UnsupportedModel` naming everything in the way at once.

    ``around(op, node, rule)`` calls the rule and may wrap what goes in and comes out (quantization); ``enter(node,
    body)`` gives the inputs, typed for the target, that a body is translated with."""
    problems: list[Unsupported] = []
    poison: set[Value] = set()

    def rule(node: Node) -> Made:
        if poison and any(v in poison for v in node.inputs if v is not None):
            if node.op not in rules:
                problems.append(Unsupported("no translation", node))
            poison.update(node.outputs)
            return None
        try:
            if node.op not in rules:
                raise Unsupported("no translation")
            made: Made = around(op.at(node), node, rules[node.op])
            return made
        except Unsupported as e:
            e.node = e.node or node
            problems.append(e)
            poison.update(node.outputs)
            return None

    def entered(node: Node, body: Graph) -> Mapping[str, Value]:
        given = body.inputs if enter is None else enter(node, body)
        if poison and any(v in poison for v in node.inputs if v is not None):
            poison.update(given.values())
        return given

    try:
        result = rebuild(graph, rule, inputs, enter=entered, keep_types=keep_types)
    except Unsupported as e:
        problems.append(e)
    if problems:
        raise UnsupportedModel(problems, rules.target)
    return result.noted(*op.notes)
