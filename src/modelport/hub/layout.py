"""Channels first or last, decided once for the whole graph: the fewest transposed bytes there can be.

Layout-bound operators (``Conv`` and its twin ``nhwc.Conv``) must see one order of axes, most operators don't care,
the rest (and the graph's interface) keep the source's order.  Which tensors to transpose is a minimum cut: every node
is on one side, a tensor whose producer and consumer differ pays its size once, and so does a node that is slower in
the other order.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import Unsupported, UnsupportedModel
from ..ir.graph import Graph, Node, Value, constant
from ..ir.types import merge
from . import infer
from .agnostic import Free, free
from .channelwise import channelwise
from .mincut import INFINITE, Network
from .opset import NHWC

BOUND = frozenset(
    "AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool "
    "GridSample InstanceNormalization LRN LpPool MaxPool Resize SpaceToDepth".split())
"""Operators that fix the channels as axis 1; each has an ``nhwc.`` twin, whose first input and output are channels
last while its attributes, weights and other inputs are those of the ONNX operator."""


def last_to_first(rank: int) -> list[int]:
    """The permutation that moves the last axis to position 1."""
    return [0, rank - 1, *range(1, rank - 1)]


def first_to_last(rank: int) -> list[int]:
    """The permutation that moves axis 1 to the end."""
    return [0, *range(2, rank), 1]


def channels_first(graph: Graph) -> Graph:
    """The graph without ``nhwc.`` operators; its inputs and outputs stay as they are."""
    return _relayout(graph, lambda op: op.removeprefix(NHWC) if op.startswith(NHWC) else None, last_to_first)


def channels_last(graph: Graph) -> Graph:
    """The graph with every layout-bound operator as its ``nhwc.`` twin; inputs and outputs stay as they are."""
    return _relayout(graph, lambda op: NHWC + op if op in BOUND else None, first_to_last)


Rename = Callable[[str], "str | None"]
Order = Callable[[int], "list[int]"]


def _relayout(graph: Graph, rename: Rename, order: Order) -> Graph:
    if not any(rename(n.op) for n in graph.walk()):
        return graph
    problems = [Unsupported("the number of axes of its input is not known" if axes is None else f"{axes} axes", n)
                for n in graph.nodes if rename(n.op) for axes in [_axes(n)] if axes is None or axes < 2]
    if problems:
        raise UnsupportedModel(problems, "a graph with its channels " + ("first" if order is last_to_first else "last"))
    frees: dict[Node, Free | None] = {}
    for node in graph.nodes:
        rank = max((v.rank or 0 for v in (*node.outputs[:1], *node.inputs[:1]) if v is not None), default=0)
        if rank > 2 and not rename(node.op):
            frees[node] = free(node, rank) or (channelwise(node, rank) if order is last_to_first else None)
        else:
            frees[node] = None
    return _Relayout(graph, rename, order, frees, _moved_nodes(graph, rename, frees, order)).result()


def _axes(node: Node) -> int | None:
    """How many axes the image has that a layout-bound operator works on: stated, or told by its weights or window."""
    told = [v.rank for v in (node.inputs[0], node.outputs[0]) if v is not None]
    kind = node.op.removeprefix(NHWC)
    if kind in ("Conv", "ConvTranspose") and len(node.inputs) > 1 and node.inputs[1] is not None:
        told.append(node.inputs[1].rank)
    if kind in ("DepthToSpace", "SpaceToDepth"):
        told.append(4)
    if "kernel_shape" in node.attrs:
        told.append(len(node.attrs["kernel_shape"]) + 2)
    return next((r for r in told if r is not None), None)


def _weight(v: Value) -> int:
    """What a transpose of this value costs: its bytes, symbols counted as 8; next to nothing if one axis is long."""
    dims = [d if isinstance(d, int) else 8 for d in v.shape or ()]
    size = v.dtype.itemsize
    for d in dims:
        size *= max(d, 1)
    middle = dims[1:]
    return 1 + (size if sum(d > 1 for d in middle) > 1 else 0)


def _is_transpose(node: Node | None, order: Order, inverse: bool = False) -> bool:
    """Whether a node is the very Transpose that moves the axes, or the one that moves them back."""
    if node is None or node.op != "Transpose" or (node.outputs[0].rank or 0) < 3:
        return False
    perm = order(node.outputs[0].rank or 0)
    return list(node.attrs.get("perm", ())) == ([perm.index(k) for k in range(len(perm))] if inverse else perm)


def _moved_nodes(graph: Graph, rename: Rename, frees: Mapping[Node, Free | None], order: Order) -> set[Node]:
    """The nodes that work on moved axes, by minimum cut (source side: moved, sink side: as in the file).

    A Transpose of the file that moves just these axes is gone if its input is moved, or its output."""
    net = Network()
    vertex: dict[Node, int] = {}
    for node in graph.nodes:
        vertex[node] = 0 if rename(node.op) else net.vertex() if frees[node] is not None else 1
        if (f := frees[node]) and f.extra:
            net.edge(vertex[node], 1, round(f.extra * _weight(node.outputs[0])))

    def moves_out(node: Node, k: int) -> bool:
        f = frees[node]
        return k == 0 if f is None else k in f.outputs

    consumers: dict[Value, list[int]] = {}
    for node in graph.nodes:
        f = frees[node]
        for k, v in enumerate(node.inputs):
            if v is None or v.data is not None:
                continue
            if _is_transpose(node, order):
                consumers.setdefault(v, []).append(0)
                continue
            along = k in f.inputs if f is not None else vertex[node] == 0 and k == 0
            small = f is not None and not along
            if small:  # an index or a vector that is prepared on its own: it stays as it is
                consumers.setdefault(v, []).append(1)
            else:
                consumers.setdefault(v, []).append(vertex[node] if along else 1)
    for v in graph.outputs.values():
        consumers.setdefault(v, []).append(1)
    for v, users in consumers.items():
        if v.node is None:
            producer = 1
        elif _is_transpose(v.node, order, inverse=True):
            producer = 0
        else:
            producer = vertex[v.node] if moves_out(v.node, v.node.outputs.index(v)) else 1
        others = {u for u in users if u != producer}
        if not others:
            continue
        cost = _weight(v)
        out, back = net.vertex(), net.vertex()
        net.edge(producer, out, cost)
        net.edge(back, producer, cost)
        for u in others:
            net.edge(out, u, INFINITE)
            net.edge(u, back, INFINITE)
    side = net.source_side()
    return {node for node, v in vertex.items() if v in side}


class _Relayout:
    """The rebuilt graph: every value in one order, in the other where somebody wants it."""

    def __init__(self, graph: Graph, rename: Rename, order: Order, frees: Mapping[Node, Free | None],
                 moved: set[Node]) -> None:
        self.graph, self.rename, self.order, self.frees, self.moved = graph, rename, order, frees, moved
        self.plain: dict[Value, Value] = {}
        self.turned: dict[Value, Value] = {}
        self.axes = {v: _axes(n) for n in graph.nodes if rename(n.op) for v in (n.inputs[0], n.outputs[0])
                     if v is not None and v.rank is None}

    def _perm(self, v: Value) -> list[int]:
        rank = self.axes[v] if v.rank is None else v.rank
        assert rank is not None
        return self.order(rank)

    def as_is(self, v: Value) -> Value:
        """The value in the source's order of axes."""
        if v not in self.plain:
            if v not in self.turned:
                return v
            perm = self._perm(v)
            back = [perm.index(k) for k in range(len(perm))]
            self.plain[v] = self._transpose(self.turned[v], back, v)
        return self.plain[v]

    def as_moved(self, v: Value) -> Value:
        """The value with its axes moved."""
        if v not in self.turned:
            self.turned[v] = self._transpose(self.as_is(v), self._perm(v), v)
        return self.turned[v]

    def _transpose(self, v: Value, perm: list[int], hint: Value) -> Value:
        if v.data is not None:
            return constant(v.numpy().transpose(perm), name=v.name)  # a view: nothing is copied before it is written
        op = infer.op if v.node is None else infer.op.at(v.node)
        made: Value = op.Transpose(v, perm=perm)
        return made

    def result(self) -> Graph:
        for node in self.graph.nodes:
            self._node(node)
        outputs = {k: self.as_is(v) for k, v in self.graph.outputs.items()}
        for (_, old), new in zip(self.graph.outputs.items(), outputs.values(), strict=True):
            new.name = new.name or old.name
        return self.graph.with_(outputs=outputs)

    def _node(self, node: Node) -> None:
        new_name, f = self.rename(node.op), self.frees[node]
        op = infer.op.at(node)
        outs: Any
        if node in self.moved and (new_name or f):
            along = frozenset([0]) if f is None else f.inputs
            ins = [None if v is None else self.as_moved(v) if k in along else self.as_is(v)
                   for k, v in enumerate(node.inputs)]
            if new_name:
                outs, out_moved = op.add(new_name, *ins, outputs=len(node.outputs), **node.attrs), frozenset([0])
            else:
                assert f is not None
                outs, out_moved = f.make(op, ins, self._perm_of(node, along)), f.outputs
            for k, (old, made) in enumerate(zip(node.outputs, outs, strict=True)):
                made.name = made.name or old.name
                hint = old.type if k not in out_moved or old.shape is None else \
                    old.type.with_shape(tuple(old.shape[p] for p in self._perm(old)))
                made.type = merge(made.type, hint)
                (self.turned if k in out_moved else self.plain)[old] = made
            return
        bodies = {k: _relayout(b, self.rename, self.order) for k, b in node.bodies.items()}
        ins = [None if v is None else self.as_is(v) for v in node.inputs]
        if all(a is b for a, b in zip(ins, node.inputs, strict=True)) \
                and all(node.attrs[k] is b for k, b in bodies.items()):
            return
        made_node = node.with_(inputs=ins, attrs={**node.attrs, **bodies} if bodies else None)
        self.plain.update(zip(node.outputs, made_node.outputs, strict=True))

    def _perm_of(self, node: Node, along: frozenset[int]) -> list[int]:
        k = next(iter(sorted(along)), None)
        v = node.outputs[0] if k is None else node.inputs[k]
        assert v is not None
        return self._perm(v)
