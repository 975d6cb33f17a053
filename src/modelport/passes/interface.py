"""The order of axes of a model's inputs and outputs, changed where the user asks."""
from __future__ import annotations

from collections.abc import Mapping

from ..errors import UsageError, printable
from ..hub import infer
from ..hub.agnostic import NARY, UNARY
from ..hub.layout import BOUND, first_to_last, last_to_first
from ..hub.opset import NHWC
from ..ir.graph import Graph, Node, Value, rebuild
from ..ir.types import Type
from ..notes import Note

ORDERS = {"nhwc": first_to_last, "nchw": last_to_first}
_THROUGH = UNARY | NARY | {"Pad", "QuantizeLinear", "DequantizeLinear", "Concat", "Softmax", "LogSoftmax"}


def with_layout(graph: Graph, asked: Mapping[str, str]) -> tuple[Graph, dict[str, list[int]]]:
    """The graph with inputs and outputs in another order of axes, and the permutation of each that changed.

    ``asked`` maps names to ``nhwc`` or ``nchw`` (any rank from 3: channels last or first); the name ``""`` stands for
    every input that flows into an operator of images in the other order.  A permutation leads from the model's axes to
    the new ones, as in ``Transpose``.  Raises :class:`UsageError` for a name or an order that is not there."""
    perms: dict[str, list[int]] = {}
    for name, order in asked.items():
        if order not in ORDERS:
            raise UsageError(f"layout '{printable(order)}' is neither nhwc nor nchw")
        if name and name not in graph.inputs and name not in graph.outputs:
            raise UsageError(f"the model has no input or output '{printable(name)}'",
                             hint=f"it has {', '.join(map(printable, [*graph.inputs, *graph.outputs]))}")
        for key, v in graph.inputs.items() if not name else [(name, graph.inputs.get(name) or graph.outputs[name])]:
            now = layout_of(graph, v) or ("" if not name else "nchw" if order == "nhwc" else "nhwc")
            if v.rank is not None and v.rank > 2 and now and now != order:
                perms[key] = ORDERS[order](v.rank)
            elif name and (v.rank or 0) < 3:
                raise UsageError(f"'{printable(name)}' is {v.type}: it has no channels and axes of space")
    return (moved(graph, perms), perms) if perms else (graph.noted(Note("info", "every input had the layout asked for, "
                                                                      "or flows into no operator of images")), {})


def moved(graph: Graph, perms: Mapping[str, list[int]]) -> Graph:
    """The graph with the axes of the inputs and outputs named permuted."""
    op = infer.op
    inputs, inside = {}, {}
    for key, v in graph.inputs.items():
        inputs[key] = inside[key] = v
        if key in perms and v.shape is not None:
            perm = perms[key]
            inputs[key] = Value(Type(v.dtype, tuple(v.shape[p] for p in perm)), v.name)
            inside[key] = op.Transpose(inputs[key], perm=[perm.index(k) for k in range(len(perm))])
    made = rebuild(graph, lambda node: None, inside)
    outputs = {k: op.Transpose(v, perm=perms[k]) if k in perms and k in graph.outputs else v
               for k, v in made.outputs.items()}
    return made.with_(inputs=inputs, outputs=outputs)


def layout_of(graph: Graph, value: Value) -> str:
    """``nchw`` or ``nhwc`` if an input or output is next to an operator of images that says so, else empty."""
    users: dict[Value, list[Node]] = {}
    for node in graph.nodes:
        for v in node.inputs:
            if v is not None:
                users.setdefault(v, []).append(node)
    back = value.node is not None
    todo, seen = [value], {value}
    for v in todo:
        near = [v.node] if back and v.node is not None else [] if back else users.get(v, [])
        for node in near:
            if node is None:
                continue
            if node.op.removeprefix(NHWC) in BOUND and (back or node.inputs[0] is v):
                return "nhwc" if node.op.startswith(NHWC) else "nchw"
            if node.op in _THROUGH:
                for u in (node.inputs if back else node.outputs):
                    if u is not None and u.rank == value.rank and u not in seen:
                        seen.add(u)
                        todo.append(u)
    return ""
