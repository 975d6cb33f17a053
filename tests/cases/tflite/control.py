"""Branches and loops, whose bodies are graphs."""
from __future__ import annotations

import numpy as np
from flatbuffers import flexbuffers

from modelport.ir import Graph, Node, Tensor, Type, Value

from .case import BOOL, F32, I32, add, f, given, i, out


def value(dtype: object, *shape: int | None) -> Value:
    return Value(Type(np.dtype(dtype), shape), "x")  # type: ignore[call-overload]


def const(array: object, dtype: object) -> Value:
    t = Tensor(np.asarray(array, dtype))  # type: ignore[call-overload]
    return Value(t.type, "c", data=t)


def node(op: str, *inputs: Value, dtype: object = F32, **attrs: object) -> Value:
    return Node(op, inputs, attrs, [Type(np.dtype(dtype), None)], [op.lower()]).outputs[0]  # type: ignore[call-overload]


def graph(inputs: list[Value], *outputs: Value) -> Graph:
    return Graph({f"i{k}": v for k, v in enumerate(inputs)}, {f"o{k}": v for k, v in enumerate(outputs)}, "body")


NONE = {"fused_activation_function": "NONE"}
for truth in (True, False):
    x, y = value(F32, 2, 3), value(F32, 2, 3)
    a, b = value(F32, 2, 3), value(F32, 2, 3)
    add(str(truth), "IF", [given(truth, BOOL), f(2, 3), f(2, 3)],
        {"then_branch": graph([x, y], node("ADD", x, y, **NONE)), "else_branch": graph([a, b], node("NEG", a))})
x, a = value(F32, 3), value(F32, 3)
add("passed_through", "IF", [given(False, BOOL), f(3)],
    {"then_branch": graph([x], node("NEG", x)), "else_branch": graph([a], a)})
for count in (0, 1, 5):
    n, x = value(I32), value(F32, 3)
    m, y = value(I32), value(F32, 3)
    add(f"times={count}", "WHILE", [given(0, I32), f(3)],
        {"cond": graph([n, x], node("LESS", n, const(count, I32), dtype=BOOL)),
         "body": graph([m, y], node("ADD", m, const(1, I32), dtype=I32, **NONE), node("MUL", y, const(1.5, F32), **NONE))},
        [out(I32), out()])
n, total = value(I32, 1), value(I32, 4)
m, kept = value(I32, 1), value(I32, 4)
add("invariant", "WHILE", [given([7], I32), i(4)],
    {"cond": graph([n, total], node("GREATER", n, const([3], I32), dtype=BOOL)),
     "body": graph([m, kept], node("SUB", m, const([1], I32), dtype=I32, **NONE), kept)}, [out(I32), out(I32)])
x = value(F32, 2, 3)
add("", "STABLEHLO_COMPOSITE", [f(2, 3)], {"name": "test.square", "composite_attributes": tuple(flexbuffers.Dumps({"n": 1})),
     "decomposition": graph([x], node("MUL", x, x, **NONE))})
