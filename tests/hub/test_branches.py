"""Ifs whose branches give different ranks: what the graphs look like after."""
from __future__ import annotations

import numpy as np

from modelport.hub.branches import ranked
from modelport.hub.infer import op
from modelport.ir.graph import Graph, Value
from modelport.ir.types import Type

F32 = np.dtype(np.float32)


def squeezed(x: Value) -> Value:
    """x without its last axis, if that is one long."""
    one = op.Equal(op.Shape(x, start=2, end=3), np.array([1], np.int64))
    a, b = Value(x.type, "a"), Value(x.type, "b")
    made: Value = op.If(one, x, then_branch=Graph({"a": a}, {"p": op.Squeeze(a, np.array([2], np.int64))}),
                        else_branch=Graph({"b": b}, {"q": op.Identity(b)}), captures=1)
    return made


def test_what_follows_is_in_both_branches() -> None:
    x = Value(Type(F32, ("n", 3, "k")), "x")
    graph = Graph({"x": x}, {"y": op.Tanh(squeezed(x)), "z": op.Neg(x)})
    made = ranked(graph)
    assert [n.op for n in made.nodes].count("Tanh") == 0
    node = next(n for n in made.nodes if n.op == "If")
    assert [[n.op for n in b.nodes] for b in node.bodies.values()] == [["Squeeze", "Tanh"], ["Identity", "Tanh"]]
    assert [b.outputs["y"].rank for b in node.bodies.values()] == [2, 3]
    assert made.outputs["z"] is graph.outputs["z"]


def test_a_known_size_decides() -> None:
    x = Value(Type(F32, ("n", 3, 1)), "x")
    made = ranked(Graph({"x": x}, {"y": op.Tanh(squeezed(x))}))
    assert [n.op for n in made.nodes] == ["Squeeze", "Tanh"]
    assert made.outputs["y"].shape == ("n", 3)
    assert not made.notes


def test_a_branch_that_can_not_be_run_is_left_out() -> None:
    x = Value(Type(F32, ("n", 3, "k")), "x")
    made = ranked(Graph({"x": x}, {"y": op.Gemm(squeezed(x), np.ones((3, 2), np.float32))}))
    assert [n.op for n in made.nodes] == ["Squeeze", "Gemm"]
    assert [n.kind for n in made.notes] == ["changed"]


def test_the_same_ranks_are_left_alone() -> None:
    x = Value(Type(F32, ("n", 3)), "x")
    a = Value(x.type, "a")
    body = Graph({"a": a}, {"p": op.Neg(a)})
    graph = Graph({"x": x}, {"y": op.If(op.ReduceMax(op.Cast(x, to=9), keepdims=0), x, then_branch=body,
                                        else_branch=body, captures=1)})
    assert ranked(graph) is graph
