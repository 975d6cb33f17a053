"""A graph as text, for people and for tests: deterministic, names escaped, constants summarised."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import printable
from .graph import Graph, Node, Value
from .tensor import Tensor


def text(graph: Graph, indent: str = "", names: dict[Value, str] | None = None) -> str:
    """``graph`` with a line a node; values without a name are numbered in order of appearance."""
    names = {} if names is None else names
    taken = dict.fromkeys(names.values(), 1)  # how many values asked for each name

    def name(v: Value | None) -> str:
        if v is None:
            return "_"
        if v not in names:
            hint = base = printable(v.name, 80) or f"{len(names)}"
            while hint in taken:
                hint = f"{base}.{taken[base]}"
                taken[base] += 1
            names[v] = hint
            taken[hint] = 1
        return "%" + names[v]

    def operand(v: Value | None) -> str:
        return name(v) if v is None or v.data is None else literal(v.data)

    def typed(v: Value) -> str:  # ONNX files need not state the types of what is inside
        unknown = v.dtype.type is np.void and v.shape is None
        return name(v) if unknown else f"{name(v)}: {v.type}"

    def line(n: Node) -> str:
        outs = ", ".join(map(typed, n.outputs))
        attrs = "".join(f", {k}={attribute(a)}" for k, a in sorted(n.attrs.items()) if not isinstance(a, Graph))
        bodies = "".join(f"\n{indent}    {k} = {text(b, indent + '    ')}" for k, b in sorted(n.bodies.items()))
        return f"{outs} = {printable(n.op)}({', '.join(map(operand, n.inputs))}{attrs}){bodies}"

    head = ", ".join(map(typed, graph.inputs.values()))
    body = [f"{indent}  {line(n)}" for n in graph.nodes]
    tail = ", ".join(f"{printable(k)}={operand(v)}" for k, v in graph.outputs.items())
    return "\n".join([f"{printable(graph.name)}({head})", *body, f"{indent}  return {tail}"])


def literal(tensor: Tensor) -> str:
    """A constant in a few characters: its elements if they are few, else its type."""
    size = tensor.type.size
    if size is not None and size <= 8:
        return printable(np.array2string(tensor.numpy(), separator=",", max_line_width=1000).replace("\n", ""), 120)
    return f"<{tensor.type}>"


def attribute(value: Any) -> str:
    if isinstance(value, Tensor):
        return literal(value)
    return printable(repr(value), 120)
