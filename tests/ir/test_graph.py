"""The immutable graph: order, sharing, rebuilding, and no recursion over its length."""
from __future__ import annotations

import sys

import numpy as np
import pytest

from modelport.errors import Unsupported, UnsupportedModel
from modelport.hub.infer import builder, op
from modelport.ir import Builder, Graph, Node, Rules, Tensor, Type, Value, constant, rebuild, translate
from modelport.ir.types import merge
from modelport.notes import Note

F32 = np.dtype(np.float32)


def value(*shape: int | str | None, dtype: type = np.float32, name: str = "x") -> Value:
    return Value(Type(np.dtype(dtype), shape), name)


def test_nodes_are_what_the_outputs_reach() -> None:
    x = value("batch", 4)
    y = op.Relu(x)
    op.Sigmoid(y)  # nobody asks for it
    z = op.Add(y, y)
    g = Graph({"x": x}, {"z": z})
    assert [n.op for n in g.nodes] == ["Relu", "Add"]
    assert g.uses[y] == 2
    assert g.uses[z] == 1


def test_rebuild_shares_what_it_does_not_change() -> None:
    x = value(2, 4)
    a, w = op.Relu(x), constant(np.ones((4, 3), np.float32))
    y = op.MatMul(a, w)
    g = Graph({"x": x}, {"y": op.Sigmoid(y)})
    assert rebuild(g, lambda n: None) is g
    h = rebuild(g, lambda n: op.Tanh(n.inputs[0]) if n.op == "Sigmoid" else None)
    assert [n.op for n in h.nodes] == ["Relu", "MatMul", "Tanh"]
    assert h.nodes[1] is g.nodes[1]
    assert [n.op for n in g.nodes] == ["Relu", "MatMul", "Sigmoid"]


def test_a_chain_of_200000_nodes() -> None:
    """Walking, rebuilding, printing and letting go of it must not recurse."""
    x = first = value(4)
    for _ in range(200_000):
        x = Node("Relu", [x], {}, [x.type]).outputs[0]
    g = Graph({"x": first}, {"y": x})
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        assert len(g.nodes) == 200_000
        h = rebuild(g, lambda n: Node("Abs", n.inputs, {}, [n.outputs[0].type]).outputs[0])
        assert len(h.nodes) == 200_000
        assert str(h).count("\n") == 200_001
        del g, h, x
    finally:
        sys.setrecursionlimit(limit)


def rules() -> Rules:
    table = Rules("test", "ONNX")

    @table("A")
    def a(op: Builder, x: Value, *, k: int = 1) -> Value:
        if k == 7:
            raise Unsupported("k is seven")
        op.note("info", "seen")
        return op.Mul(x, np.float32(k))

    return table


def raw(name: str, x: Value, **attrs: object) -> Value:
    return Node(name, [x], attrs, [x.type], [f"{name}_out"], f"{name}_node").outputs[0]


def test_translate_collects_everything_in_the_way() -> None:
    x = value(2)
    y = raw("A", raw("B", raw("A", x, k=7)), other=3)
    z = raw("A", x, wrong=1)
    with pytest.raises(UnsupportedModel) as e:
        translate(Graph({"x": x}, {"y": y, "z": z}), rules(), builder())
    reasons = {p.op: p.reason for p in e.value.problems}
    assert len(e.value.problems) == 3  # the first A, B without a rule, and z's A; what hangs on them is not repeated
    assert reasons["B"] == "no translation"
    assert "at 'A_node'" in str(e.value)


def test_translate_keeps_names_types_and_notes() -> None:
    x = value("n", 3)
    y = Node("A", [x], {"k": 2}, [Type(F32, (5, 3))], ["out"], "layer").outputs[0]
    g = translate(Graph({"x": x}, {"y": y}), rules(), builder())
    assert g.outputs["y"].name == "out"
    assert g.nodes[0].origin == "layer"
    assert g.notes == (Note("info", "seen", "layer"),)


def test_merge_prefers_numbers_then_symbols() -> None:
    a, b = Type(F32, (None, "n", 3, "k")), Type(F32, (2, None, 4, 5))
    assert merge(a, b).shape == (2, "n", 3, 5)
    assert merge(Type(F32, None), b).shape == b.shape
    assert merge(a, Type(np.dtype(np.int32), (1, 1, 1, 1))) is a


def test_tensor_is_lazy() -> None:
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros((3, 4), np.float32)

    t = Tensor(make, Type(F32, (3, 4)))
    assert t.nbytes == 48
    assert not made
    assert t.numpy().shape == (3, 4)
    assert t.numpy() is t.numpy()
    assert len(made) == 1


def test_text_escapes_names() -> None:
    x = value(2, name="a\x1b[31m\n")
    g = Graph({"x": x}, {"y": op.Relu(x)})
    assert "\x1b" not in str(g)
    assert str(g).count("\n") == 2
