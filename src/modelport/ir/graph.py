"""Values, nodes and graphs.

A graph is nothing but its named inputs and outputs.  Its nodes are whatever the outputs need, in topological order,
so dead nodes, stale orders and dangling names cannot exist.  A change is a new graph that shares every untouched node
and every constant with the old one.

The bodies of ``If``, ``Loop``, ``Scan`` and their raw counterparts are closed graphs in attributes: what a body
captures from around it is passed in, as the last ``captures`` inputs of the node and of each of its bodies.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import Unsupported
from ..notes import Note
from .tensor import Array, Tensor
from .types import DType, Shape, Type, merge

Element = int | str | None
"""What is known of one element of an integer value: a number, a symbolic expression, or nothing."""


class Value:
    """One tensor of a graph: a graph input, a constant (``data``), or an output of a node.

    ``name`` is a hint, made unique when a file is written.  ``elements`` are the elements, in row-major order, of a
    small integer value as far as they are known before run time (see :mod:`modelport.hub.shapes`)."""

    __slots__ = ("__weakref__", "data", "elements", "name", "node", "type")

    def __init__(self, type: Type, name: str = "", node: Node | None = None, data: Tensor | None = None) -> None:
        self.type, self.name, self.node, self.data = type, name, node, data
        self.elements: tuple[Element, ...] | None = None

    def numpy(self) -> Array:
        """The elements of a constant."""
        if self.data is None:
            raise ValueError(f"{self!r} is not a constant")
        return self.data.numpy()

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def rank(self) -> int | None:
        return self.type.rank

    @property
    def op(self) -> str:
        """The operator that computes this value; empty for inputs and constants."""
        return "" if self.node is None else self.node.op

    def __repr__(self) -> str:
        return f"%{self.name or hex(id(self))[-5:]}:{self.type}"


def constant(array: Any, dtype: Any = None, name: str = "") -> Value:
    """A constant value from anything numpy makes an array of."""
    tensor = Tensor(np.asarray(array, dtype))
    return Value(tensor.type, name, data=tensor)


class Node:
    """One operator applied to values.  Never changed after it is made.

    ``op`` is the operator's own name in its own dialect (``Conv``, ``nhwc.Conv``, ``ai.onnx.ml.TreeEnsemble``,
    ``CONV_2D``); ``name`` the node's name in its file; ``origin`` the name of the source's node it was made from."""

    __slots__ = ("attrs", "inputs", "name", "op", "origin", "outputs")

    def __init__(self, op: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any], types: Sequence[Type],
                 names: Sequence[str] = (), name: str = "", origin: str = "") -> None:
        self.op, self.inputs, self.attrs, self.name, self.origin = op, tuple(inputs), attrs, name, origin
        self.outputs = tuple(Value(t, n, self) for t, n in zip(types, names or [""] * len(types), strict=True))

    def with_(self, *, inputs: Sequence[Value | None] | None = None, attrs: Mapping[str, Any] | None = None) -> Node:
        """This node with other inputs or attributes; the types of its outputs stay."""
        made = Node(self.op, self.inputs if inputs is None else inputs, self.attrs if attrs is None else attrs,
                    [o.type for o in self.outputs], [o.name for o in self.outputs], self.name, self.origin)
        for new, old in zip(made.outputs, self.outputs, strict=True):
            new.elements = old.elements
        return made

    @property
    def bodies(self) -> dict[str, Graph]:
        """The attributes that are graphs."""
        return {k: a for k, a in self.attrs.items() if isinstance(a, Graph)}

    @property
    def label(self) -> str:
        """How a person finds this node in the source: its origin, its name, or its first output's name."""
        return self.origin or self.name or next((o.name for o in self.outputs if o.name), "")

    def __repr__(self) -> str:
        outs, ins = ", ".join(map(repr, self.outputs)), ", ".join(map(repr, self.inputs))
        return f"{outs} = {self.op}({ins})"


@dataclass(frozen=True, eq=False)
class Graph:
    """Named inputs and outputs, and whatever the outputs reach.

    ``meta`` is text about the model (producer, labels, doc strings; keys as ``onnx:doc_string``), ``notes`` what has
    happened to it so far."""

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    name: str = "main"
    meta: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node the outputs need, producers before users."""
        order: list[Node] = []
        done: set[int] = set()
        for out in self.outputs.values():
            stack = [] if out.node is None or id(out.node) in done else [(out.node, iter(out.node.inputs))]
            while stack:
                node, needs = stack[-1]
                for v in needs:
                    if v is not None and v.node is not None and id(v.node) not in done:
                        stack.append((v.node, iter(v.node.inputs)))
                        break
                else:
                    stack.pop()
                    if id(node) not in done:
                        done.add(id(node))
                        order.append(node)
        return tuple(order)

    @cached_property
    def uses(self) -> Counter[Value]:
        """How often each value is read, a graph output counting once."""
        count = Counter(v for n in self.nodes for v in n.inputs if v is not None)
        count.update(self.outputs.values())
        return count

    @cached_property
    def constants(self) -> tuple[Value, ...]:
        """Every constant that is read, those of closed bodies included, once each."""
        found = dict.fromkeys(v for v in self.uses if v.data is not None)
        for node in self.nodes:
            for body in node.bodies.values():
                found.update(dict.fromkeys(body.constants))
        return tuple(found)

    def walk(self) -> Iterator[Node]:
        """Every node, those inside bodies too."""
        for node in self.nodes:
            yield node
            for body in node.bodies.values():
                yield from body.walk()

    def with_(self, **changes: Any) -> Graph:
        """This graph with other ``inputs``, ``outputs``, ``name``, ``meta`` or ``notes``."""
        return replace(self, **changes)

    def noted(self, *notes: Note) -> Graph:
        """This graph with more notes, each said once."""
        new = tuple(dict.fromkeys((*self.notes, *notes)))
        return self if new == self.notes else replace(self, notes=new)

    def __str__(self) -> str:
        from .text import text
        return text(self)


Made = Value | Sequence[Value] | None
Rule = Callable[[Node], Made]
Enter = Callable[[Node, Graph], Mapping[str, Value]]
"""The inputs that a body of a node is to be rebuilt with, in the order of its old ones."""


def rebuild(graph: Graph, rule: Rule, inputs: Mapping[str, Value] | None = None, *, bodies: bool = True,
            keep_types: bool = True, enter: Enter | None = None) -> Graph:
    """The graph in which ``rule`` had its say on each node, seen with its inputs already rebuilt.

    ``None`` from the rule keeps the node; what nothing above it changed stays the same object.  ``inputs`` are
    the new graph's inputs, in the order of the old ones.  With ``bodies`` the closed graphs in attributes are rebuilt
    first, on the inputs that ``enter`` gives them (default: their own).  With ``keep_types`` what was known of an old
    value's shape fills the gaps of its replacement's."""
    inputs = graph.inputs if inputs is None else inputs
    new: dict[Value, Value] = {a: b for a, b in zip(graph.inputs.values(), inputs.values(), strict=True) if a is not b}
    for node in graph.nodes:
        here = node
        ins = tuple(new.get(v, v) if v is not None else None for v in node.inputs) if new else node.inputs
        attrs = node.attrs
        if bodies and any(isinstance(a, Graph) for a in attrs.values()):
            seen = node.with_(inputs=ins)
            attrs = {k: rebuild(a, rule, None if enter is None else enter(seen, a), keep_types=keep_types, enter=enter)
                     if isinstance(a, Graph) else a for k, a in attrs.items()}
            if all(attrs[k] is a for k, a in node.attrs.items()):
                attrs = node.attrs
        if attrs is not node.attrs or any(a is not b for a, b in zip(ins, node.inputs, strict=True)):
            here = node.with_(inputs=ins, attrs=attrs)
        made = rule(here)
        outs = here.outputs if made is None else (made,) if isinstance(made, Value) else tuple(made)
        if len(outs) < len(node.outputs) and any(graph.uses[v] for v in node.outputs[len(outs):]):
            raise Unsupported(f"output {len(outs)} is used, and its translation has {len(outs)} outputs", here)
        for old, out in zip(node.outputs, outs, strict=False):
            if old is not out:
                new[old] = out
                out.name = out.name or old.name  # a hint, kept through changes
                if keep_types and out.data is None:
                    out.type = merge(out.type, old.type)
                    out.elements = out.elements or old.elements
    if not new and inputs is graph.inputs:
        return graph
    return replace(graph, inputs=inputs, outputs={k: new.get(v, v) for k, v in graph.outputs.items()})
