"""Symbolic dimensions, checked against numbers put in for the symbols."""
from __future__ import annotations

import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.hub import symbols
from modelport.hub.infer import op
from modelport.ir import Graph, Type, Value
from modelport.passes import DEFAULT, named, run

NAMES = ("batch", "seq", "h")


def at(element: object, **numbers: int) -> int:
    assert element is not None
    return int(eval(compile(ast.parse(str(element), mode="eval"), "", "eval"), {"min": min}, dict(numbers)))


expressions = st.recursive(
    st.one_of(st.integers(-5, 9), st.sampled_from(NAMES)),
    lambda inner: st.tuples(st.sampled_from(["add", "sub", "mul"]), inner, inner), max_leaves=6)
numbers = st.fixed_dictionaries({n: st.integers(1, 50) for n in NAMES})


def build(e: object) -> object:
    if isinstance(e, tuple):
        return getattr(symbols, e[0])(build(e[1]), build(e[2]))
    return e


def evaluate(e: object, values: dict[str, int]) -> int:
    if isinstance(e, tuple):
        a, b = evaluate(e[1], values), evaluate(e[2], values)
        return a + b if e[0] == "add" else a - b if e[0] == "sub" else a * b
    return values[e] if isinstance(e, str) else e


@given(expressions, numbers)
def test_arithmetic(e: object, values: dict[str, int]) -> None:
    got = build(e)
    if got is not None:
        assert at(got, **values) == evaluate(e, values)
        assert symbols.text(symbols.poly(got)) == got  # one canonical form


@given(expressions, expressions, numbers)
def test_exact_division(a: object, b: object, values: dict[str, int]) -> None:
    x, y = build(a), build(b)
    product = symbols.mul(x, y)
    quotient = symbols.exact_div(product, y)
    if quotient is not None and at(y, **values):
        assert at(quotient, **values) == at(x, **values)
    if x is not None and y not in (None, 0) and product is not None:
        assert quotient == x


@given(expressions, st.integers(1, 7), numbers)
def test_floor_division(a: object, b: int, values: dict[str, int]) -> None:
    x = build(a)
    got = symbols.floor_div(x, b)
    if got is not None:
        assert at(got, **values) == at(x, **values) // b


@given(expressions, numbers)
def test_signs(a: object, values: dict[str, int]) -> None:
    x = build(a)
    if symbols.nonnegative(x):
        assert at(x, **values) >= 0
    if symbols.positive_constant(x):
        assert at(x, **values) > 0
    if symbols.surely_size(x):
        assert at(x, **values) >= 0


@pytest.mark.parametrize("name", ["input.1", "a b", "2x", "", "y" * 600 + " z"])
def test_odd_names_stand_alone(name: str) -> None:
    """A name that is no expression stays what it is; what is calculated with it is unknown."""
    assert symbols.mul(name, 1) == name
    assert symbols.add(name, 0) == name
    assert symbols.mul(name, 2) is None
    assert symbols.exact_div(name, name) == 1


def value(*shape: int | str, dtype: type = np.float32) -> Value:
    return Value(Type(np.dtype(dtype), shape), "x")


def test_reshape_of_heads_keeps_symbols() -> None:
    x = value("batch", "seq", 64)
    shape = op.Shape(x)
    batch, seq = (op.Unsqueeze(op.Gather(shape, np.int64(k)), np.array([0])) for k in (0, 1))
    heads = op.Transpose(op.Reshape(x, op.Concat(batch, seq, np.array([4]), np.array([-1]), axis=0)), perm=[0, 2, 1, 3])
    assert heads.shape == ("batch", 4, "seq", 16)
    flat = op.Reshape(heads, np.array([-1, 64]))
    assert flat.shape == ("batch*seq", 64)
    assert op.Reshape(flat, op.Concat(batch, seq, np.array([64]), axis=0)).shape == ("batch", "seq", 64)


def test_shapes_of_slices_pads_and_pools() -> None:
    x = value("b", 3, "h", "w")
    assert op.Concat(x, x, axis=2).shape == ("b", 3, "2*h", "w")
    assert op.Slice(x, np.array([1]), np.array([2**63 - 1]), np.array([2])).shape == ("b", 3, "h - 1", "w")
    assert op.Pad(x, np.array([0, 0, 1, 2, 0, 0, 1, 2])).shape == ("b", 3, "h + 2", "w + 4")
    conv = op.Conv(x, np.zeros((8, 3, 3, 3), np.float32), strides=[2, 2], pads=[1, 1, 1, 1])
    assert conv.shape == ("b", 8, "(h + 1) // 2", "(w + 1) // 2")
    assert op.Resize(x, None, np.array([1, 1, 2, 2], np.float32)).shape == ("b", 3, "2*h", "2*w")


def test_pads_and_cuts_computed_at_run_time_leave_the_other_axes() -> None:
    x, cut = value("b", 3, "h", "w"), Value(Type(np.dtype(np.int64), (4,)), "cut")
    assert op.Pad(x, cut, None, np.array([2, 3])).shape == ("b", 3, None, None)
    one = op.Slice(cut, np.array([0]), np.array([1]))
    assert op.Slice(x, one, np.array([9]), np.array([1])).shape == ("b", None, "h", "w")
    assert op.Slice(x, np.array([0]), one, np.array([-1])).shape == ("b", 3, "h", None)
    assert op.Slice(x, np.array([0]), np.array([2]), np.array([1]), one).shape == ("b", None, "h", "w")


def test_a_slice_up_to_a_symbol_broadcasts_with_it() -> None:
    table, x = np.zeros((1, 16, 8), np.float32), value("batch", "seq", 8)
    end = op.Unsqueeze(op.Gather(op.Shape(x), np.int64(1)), np.array([0]))
    part = op.Slice(table, np.array([0]), end, np.array([1]))
    assert part.shape == (1, "min(16, seq)", 8)
    assert op.Add(x, part).shape == ("batch", "seq", 8)


def test_known_shapes_fold_to_constants() -> None:
    x = value(2, 5, 4)
    n = op.Gather(op.Shape(x), np.int64(1))
    y = op.Mul(x, op.Cast(n, to=1))
    g = run(Graph({"x": x}, {"y": y}), named("default"))
    assert [n.op for n in g.nodes] == ["Mul"]
    assert DEFAULT[0] == "fold"
