"""The engine that lowers until a target has every operator, and the rules that need no domain of their own."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_models import session

from modelport.errors import Unsupported, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats.onnx.functions import expand
from modelport.hub.canonical import canonical
from modelport.hub.decompose import decompose, rules
from modelport.hub.infer import op
from modelport.ir.graph import Graph, Node, Value
from modelport.ir.rules import Builder, Rules
from modelport.ir.types import Type


def value(dtype: Any = np.float32, *shape: Any, name: str = "x") -> Value:
    return Value(Type(np.dtype(dtype), shape), name)


def legal(*names: str) -> Any:
    return lambda node: node.op in names


def ops(graph: Graph) -> set[str]:
    return {n.op for n in graph.walk()}


def test_own_rules_come_before_function_bodies() -> None:
    own = Rules("the hub", "the target")

    @own("Gelu")
    def gelu(op: Builder, x: Value, *, approximate: str = "none") -> Any:
        return op.Mul(x, op.Sigmoid(x))

    x = value(np.float32, "n", 4)
    g = Graph({"x": x}, {"y": op.Gelu(x), "z": op.Softplus(x)})
    made = decompose(g, lambda n: n.op not in ("Gelu", "Softplus"), own, expand, target="the target")
    assert {"Mul", "Sigmoid", "Exp", "Add", "Log"} <= ops(made)
    assert "Erf" not in ops(made)
    assert made.outputs["y"].shape == ("n", 4)
    assert made.inputs == g.inputs


def test_a_rule_that_refuses_leaves_it_to_the_body() -> None:
    own = Rules("the hub", "the target")

    @own("Relu")
    def relu(op: Builder, x: Value) -> Any:
        raise Unsupported("not today")

    x = value(np.float32, 4)
    g = Graph({"x": x}, {"y": op.Relu(x)})
    made = decompose(g, lambda n: n.op != "Relu", own, expand, target="t")
    assert "Max" in ops(made)
    with pytest.raises(UnsupportedModel, match="Relu: not today"):
        decompose(g, legal("Max"), own, target="t")


def test_what_decompositions_make_is_decomposed_too() -> None:
    x = value(np.float32, "n", 4)
    g = Graph({"x": x}, {"y": op.Swish(x, alpha=2.0)})
    own = Rules("the hub", "t")
    own.update(rules)
    own("Sigmoid")(lambda op, x: op.Reciprocal(op.Add(op.Exp(op.Neg(x)), np.float32(1))))
    assert ops(decompose(g, legal("Mul", "Reciprocal", "Add", "Exp", "Neg"), own, target="t")) \
        == {"Mul", "Reciprocal", "Add", "Exp", "Neg"}


def test_everything_in_the_way_is_named_at_once() -> None:
    x = value(np.float32, 2, 2)
    nodes = [op.at(Node("source", (), {}, (), name=name)) for name in ("first", "second", "third")]
    y = nodes[2].Neg(nodes[1].Cos(nodes[0].Sin(x)))
    with pytest.raises(UnsupportedModel) as e:
        decompose(Graph({"x": x}, {"y": y}), legal("Neg"), rules, expand, target="the target",
                  why=lambda n: f"no {n.op} there")
    assert [(p.op, p.where, p.reason) for p in e.value.problems] == [
        ("Sin", "first", "no Sin there"),
        ("Cos", "second", "no Cos there")]
    assert "the target" in str(e.value)


def test_the_nodes_of_a_function_body_are_found_where_the_operator_was() -> None:
    x = value(np.float32, 4)
    there = op.at(Node("source", (), {}, (), name="/layer3/act"))
    made = decompose(Graph({"x": x}, {"y": there.Gelu(x)}), lambda n: n.op != "Gelu", rules, expand, target="t")
    assert {n.label.rpartition("/")[0] for n in made.nodes} == {"/layer3/act"}


def test_a_decomposition_that_does_not_end_is_an_error() -> None:
    endless = Rules("the hub", "t")
    endless("Sin")(lambda op, x: op.Cos(x))
    endless("Cos")(lambda op, x: op.Sin(x))
    x = value(np.float32, 2)
    with pytest.raises(UnsupportedModel, match="does not end"):
        decompose(Graph({"x": x}, {"y": op.Sin(x)}), legal(), endless, target="t")


def test_bodies_and_notes() -> None:
    c, x, inner = value(np.bool_, name="c"), value(np.float32, 2), value(np.float32, 2, name="inner")
    noting = Rules("the hub", "t")

    @noting("Sin")
    def sin(op: Builder, x: Value) -> Any:
        op.note("approximated", "sine is the identity")
        return op.Identity(x)

    y = op.If(c, x, then_branch=Graph({"inner": inner}, {"r": op.Sin(inner)}),
              else_branch=Graph({"inner": inner}, {"r": op.Neg(inner)}), captures=1)
    made = decompose(Graph({"c": c, "x": x}, {"y": y}), legal("If", "Identity", "Neg"), noting, target="t")
    assert ops(made) == {"If", "Identity", "Neg"}
    assert [n.message for n in made.notes] == ["sine is the identity"]


def test_a_graph_that_is_legal_stays_the_same_object() -> None:
    x = value(np.float32, 2)
    g = Graph({"x": x}, {"y": op.Sin(x)})
    assert decompose(g, legal("Sin"), rules, expand, target="t") is g


def test_an_output_that_a_decomposition_lacks_is_unsupported() -> None:
    short = Rules("the hub", "t")
    short("TopK")(lambda op, x, k, **attrs: op.Neg(x))
    x = value(np.float32, 4)
    values, indices = op.TopK(x, np.array([2]), outputs=2)
    with pytest.raises(UnsupportedModel, match="output 1 is used"):
        decompose(Graph({"x": x}, {"y": values, "i": indices}), legal("Neg"), short, target="t")


@pytest.mark.parametrize(("dtype", "numbers"), [
    (np.int32, (10, -1, -3)), (np.int64, (0, 7, 2)), (np.int64, (5, 5, 1)), (np.int64, (3, 0, 1)),
    (np.float32, (0.0, 1.0, 0.1)), (np.float64, (1.5, -2.0, -0.25)), (np.int64, (2 ** 40, 2 ** 40 + 3, 1))])
def test_ranges(tmp_path: Path, dtype: Any, numbers: tuple[float, float, float]) -> None:
    """``start + i * delta``: numpy's arange rounds the same way."""
    given = [np.array(v, dtype) for v in numbers]
    ins = [value(dtype, name=n) for n in ("start", "limit", "delta")]
    g = decompose(Graph({v.name: v for v in ins}, {"y": op.Range(*ins)}), lambda n: n.op != "Range", rules, target="t")
    format_onnx.write(format_onnx.from_hub(g, 20), tmp_path / "r.onnx")
    feeds = dict(zip(("start", "limit", "delta"), given, strict=True))
    got = session((tmp_path / "r.onnx").read_bytes()).run(None, feeds)
    start, limit, delta = given
    count = max(0, int(np.ceil(float(limit - start) / float(delta))))
    np.testing.assert_array_equal(got[0], start + np.arange(count).astype(dtype) * delta)
    assert got[0].dtype == dtype


def test_the_kernel_of_a_quantized_convolution_is_that_of_its_weights() -> None:
    """They are its fourth input, behind scale and zero point."""
    x, zero, scale = value(np.uint8, 1, 3, 8, 8), np.array(0, np.uint8), np.array(0.1, np.float32)
    y = op.QLinearConv(x, scale, zero, np.ones((4, 3, 2, 5), np.uint8), scale, zero, scale, zero)
    node = canonical(Graph({"x": x}, {"y": y})).nodes[0]
    assert node.attrs["kernel_shape"] == (2, 5)


def test_a_cast_to_the_type_of_another_is_a_cast() -> None:
    x = value(np.float32, 3)
    node = canonical(Graph({"x": x}, {"y": op.CastLike(x, np.int8(1))})).nodes[0]
    assert (node.op, node.attrs["to"], len(node.inputs)) == ("Cast", 3, 1)
