"""The bars, and the rounding they allow for."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from graphs import ROWS, graph, w

from modelport.ir.graph import Graph, Value
from modelport.ir.types import Type
from modelport.proof.compare import BARS, EXACT, UNIT, Bar, agreement, compare, excused
from modelport.proof.precision import bar_for, bounded, precision, step

F32 = BARS["float32"]
RNG = np.random.default_rng(0)


def test_equal_arrays_pass_with_no_error() -> None:
    x = RNG.standard_normal((4, 5)).astype(np.float32)
    d = compare(x, x.copy(), F32)
    assert d.passed
    assert (d.error, d.unequal, d.sqnr) == (0.0, 0, math.inf)


@pytest.mark.parametrize(("share", "passes"), [(5e-7, True), (2e-5, False)])
def test_the_bar_is_a_share_of_the_rows_range(share: float, passes: bool) -> None:
    x = np.array([[1e6, 1.0, 0.0], [1.0, 0.5, -1.0]], np.float64)
    y = x.copy()
    y[1, 2] += share  # the first row's range must not cover for the second
    assert compare(x.astype(np.float64), y, F32).passed is passes


def test_a_shape_or_type_is_never_passed() -> None:
    x = np.ones((2, 3), np.float32)
    assert "shape [3, 2]" in compare(x, x.T, F32).reason
    assert "float64" in compare(x, x.astype(np.float64), F32).reason
    assert not compare(x, x[:1], F32).passed  # no broadcasting


@pytest.mark.parametrize(("a", "b", "lost"), [(math.nan, 1.0, 1), (1.0, math.inf, 1), (math.inf, -math.inf, 0),
                                              (math.nan, math.inf, 0)])
def test_nan_and_infinity_must_be_at_the_same_places(a: float, b: float, lost: int) -> None:
    d = compare(np.array([a, 0.0]), np.array([b, 0.0]), F32)
    assert not d.passed
    assert d.lost == lost


def test_same_nan_and_infinity_pass_and_do_not_hide_the_rest() -> None:
    x = np.array([[math.nan, math.inf, 1.0]], np.float32)
    assert compare(x, x.copy(), F32).passed
    y = x.copy()
    y[0, 2] = 1.1
    assert not compare(x, y, F32).passed


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, object])
def test_discrete_outputs_are_exact(dtype: type) -> None:
    x = np.array([0, 1, 1]).astype(dtype)
    y = np.array([0, 1, 0]).astype(dtype)
    assert compare(x, x.copy(), EXACT).passed
    assert not compare(x, y, EXACT).passed


@pytest.mark.parametrize(("apart", "passes"), [(0, True), (1, True), (2, False)])
def test_quantized_outputs_within_one_step(apart: int, passes: bool) -> None:
    x = np.arange(10, dtype=np.int8)
    d = compare(x, (x + apart).astype(np.int8), Bar("quantized", quantum=1.0))
    assert d.passed is passes
    assert d.unequal == (10 if apart else 0)
    real = (x * 0.1).astype(np.float32)
    assert compare(real, ((x + apart) * 0.1).astype(np.float32), Bar("quantized", quantum=0.1)).passed is passes


def test_unsigned_integers_do_not_wrap() -> None:
    assert not compare(np.array([0], np.uint8), np.array([255], np.uint8), Bar("quantized", quantum=1.0)).passed


def test_denormals_flushed_to_zero_are_equal() -> None:
    assert compare(np.array([[1e-40, 0.0]], np.float32), np.zeros((1, 2), np.float32), F32).passed


def test_labels_leave_out_rows_that_do_not_decide() -> None:
    a = np.array([[1.0, 0.0], [1.0, 1.0 - 1e-9], [0.0, 1.0]])
    b = np.array([[1.0, 0.0], [1.0 - 1e-9, 1.0], [1.0, 0.0]])
    assert agreement(a, b, 1e-8) == (1, 2)


def test_a_real_difference_is_never_rounding() -> None:
    exact = RNG.standard_normal((3, 50))
    near = exact * (1 + 1e-4 * RNG.standard_normal(exact.shape))
    other = exact * (1 + 1e-4 * RNG.standard_normal(exact.shape))
    assert excused(near, other, exact, F32).all()  # both as far from float64: float32 decides no more
    assert not excused(exact, near, exact, F32).any()  # the target alone is far
    assert not excused(near, exact, exact, F32).any()  # the source alone is far: the reader may be wrong
    assert not excused(near, exact * 1.1, exact, F32).any()
    hole = near.copy()
    hole[:, 0] = np.nan
    assert not excused(near, hole, exact, F32).any()


def test_an_overflow_of_the_source_alone_is_undefined() -> None:
    exact = np.array([[1.0, 2.0]])
    assert excused(np.array([[np.nan, 2.0]]), exact * (1 + 1e-7), exact, F32).all()
    assert not excused(np.array([[np.nan, 2.0]]), exact * 1.5, exact, F32).any()


def test_precisions_and_bars_by_graph() -> None:
    plain = graph(lambda op, x: op.MatMul(x, w(6, 4)), x=ROWS)
    half = graph(lambda op, x: op.Cast(op.MatMul(op.Cast(x, to=10), w(6, 4).astype(np.float16)), to=1), x=ROWS)
    scale, zero = np.float32(0.1), np.int8(0)
    eight = graph(lambda op, x: op.DequantizeLinear(op.QuantizeLinear(op.MatMul(x, w(6, 4)), scale, zero), scale, zero),
                  x=ROWS)
    weights = graph(lambda op, x: op.MatMul(x, op.DequantizeLinear(np.ones((6, 4), np.int8), np.float32(0.1))), x=ROWS)
    double = graph(lambda op, x: op.MatMul(x, w(6, 4).astype(np.float64)), x=(np.float64, ROWS))
    found = [precision(g) for g in (plain, half, eight, weights, double)]
    assert found == ["float32", "float16", "int8", "float32", "float64"]
    assert bar_for("out", plain, plain) == (F32, False)
    assert bar_for("out", plain, half) == (BARS["float16"], True)
    assert bar_for("out", plain, weights) == (BARS["int8 weights"], True)
    assert bar_for("out", weights, weights) == (F32, False)
    assert bar_for("out", double, double) == (BARS["float64"], False)
    assert bar_for("out", double, plain)[0] == F32
    assert bar_for("out", eight, eight)[0].quantum == pytest.approx(0.1)
    assert step(eight.outputs["out"]) == pytest.approx(0.1)
    index = graph(lambda op, x: op.ArgMax(x, axis=1), x=ROWS)
    assert bar_for("out", index, index) == (EXACT, False)


def test_what_is_made_of_values_of_bounded_functions_is_as_far_off_as_they_are() -> None:
    def of(*ops: str) -> Graph:
        def make(op: Any, x: Any) -> Any:
            for name in ops:
                axes = [np.array([1])] if name in ("ReduceMean", "ReduceSum", "Unsqueeze") else []
                x = op.Concat(x, x, axis=0) if name == "Concat" else op.add(name, x, *axes)
            return x
        return graph(make, x=ROWS)
    for moved in ((), ("ReduceMean",), ("ReduceMean", "Unsqueeze"), ("Concat", "Concat"), ("Max",)):
        assert bar_for("out", of("Sigmoid", *moved), None)[0].floor == UNIT, moved
    for other in (("Exp",), ("Sigmoid", "ReduceSum"), ("Sigmoid", "Exp"), ("Tanh", "Reciprocal")):
        assert bar_for("out", of(*other), None)[0].floor == 0, other


@pytest.mark.parametrize(("one", "other", "is_bounded"), [("Identity", "Sigmoid", True), ("Identity", "Exp", False)])
def test_branches_are_bounded_if_all_of_them_are(one: str, other: str, is_bounded: bool) -> None:
    """Nested branches, that hand on what is computed around them."""
    flag = Type(np.dtype(bool), ())

    def branches(op: Any, cond: Any, x: Any, depth: int) -> Any:
        bodies = []
        for name in (one, other):
            inside = Value(Type(np.dtype(np.float32), (2, 6)), "x"), Value(flag, "c")
            y = branches(op, inside[1], inside[0], depth - 1) if depth and name == one else op.add(name, inside[0])
            bodies.append(Graph({"x": inside[0], "c": inside[1]}, {"y": y}))
        return op.add("If", cond, x, cond, then_branch=bodies[0], else_branch=bodies[1])
    made = graph(lambda op, x, c: branches(op, c, op.Tanh(x), 1), x=(2, 6), c=(bool, ()))
    assert bounded(made.outputs["out"]) is is_bounded
    assert not bounded(graph(lambda op, x, c: branches(op, c, x, 1), x=(2, 6), c=(bool, ())).outputs["out"])
