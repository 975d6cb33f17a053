"""Rows as sums of a few parts, all of them not negative, found turn by turn.

Sources: sklearn/decomposition/_nmf.py, _cdnmf_fast.pyx.

The search ends when the rows *together* change little, so a row's result depends a little on the others, here as there:
each run is one call of ``transform``."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import Type
from ..estimator import Estimator
from ..methods import ints, like, matrix, method, real
from .common import matmul

EPSILON = float(np.finfo(np.float32).eps)
LOSSES = {"frobenius": 2.0, "kullback-leibler": 1.0, "itakura-saito": 0.0}
TURN = Type(np.dtype(np.int64), ())
TRUTH = Type(np.dtype(bool), ())


@method("transform", "NMF", "MiniBatchNMF")
def factorized(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, components) whose sums of the components are near the rows.  Negative numbers of any row give NaN for all
    (scikit-learn raises an error)."""
    x, h = matrix(op, x), e.array("components_")
    loss = _loss(e)
    l1, l2 = _penalties(e, h.shape[1])
    op.note("info", "a search for all rows of a run together: what a row becomes depends on the others a little")
    if e.name == "MiniBatchNMF":
        return _few_changes(op, x, h, loss, l1, l2, e)
    refused = op.Less(x, like(x, 0)) if loss > 0 else op.LessOrEqual(x, like(x, 0))
    if e.get("solver", "cd") == "mu":
        w = _multiplied(op, x, h, loss, l1, l2, e)
    elif e.get("solver", "cd") != "cd":
        raise Unsupported(f"{e.path}: solver={e.get('solver')!r}")
    else:
        w = _descended(op, x, h, l1, l2, e)
    any_ = op.Greater(op.ReduceSum(op.Cast(refused, to=7), keepdims=0), np.int64(0))
    out: Value = op.Where(any_, like(x, np.nan), w)
    return out


def _loss(e: Estimator) -> float:
    given = e.get("beta_loss", "frobenius")
    return LOSSES[given] if isinstance(given, str) else float(given)


def _penalties(e: Estimator, features: int) -> tuple[float, float]:
    """The weights of the sum and of half the squares of what is found; by the number of features since 1.0."""
    alpha, old, ratio = e.get("alpha_W", 0.0), e.get("alpha", 0.0), float(e.get("l1_ratio", 0.0))
    if isinstance(old, (int, float)) and old != 0 and alpha == 0 and e.get("alpha_H", "same") == "same":
        alpha = 0.0 if e.get("regularization", "both") in ("components", None) else float(old)
    else:
        alpha = features * float(alpha)
    return alpha * ratio, alpha * (1 - ratio)


def _even(op: Builder, x: Value, count: int) -> Value:
    """What the search begins with: as much of each component, by the mean of all rows."""
    mean = op.Sqrt(op.Div(op.ReduceMean(x, keepdims=0), like(x, count)))
    out: Value = op.Expand(mean, op.Concat(op.Shape(x, start=0, end=1), ints(count), axis=0))
    return out


# -- one component after the other


def _descended(op: Builder, x: Value, h: Array, l1: float, l2: float, e: Estimator) -> Value:
    """Coordinate descent: the best of one component while the others stay, in their order."""
    gram = h @ h.T + l2 * np.eye(len(h))
    fit = op.Sub(matmul(op, x, h.T), like(x, l1))
    start = op.Mul(fit, like(x, 0))
    turn, going = Value(TURN, "turn"), Value(TRUTH, "going")
    w, fit_, first = Value(start.type, "w"), Value(fit.type, "fit"), Value(Type(x.dtype, ()), "first")
    slope = op.Sub(matmul(op, w, gram), fit_)
    places = op.Gather(_orders(len(h), e), turn, axis=0) if e.get("shuffle", False) else \
        op.Identity(np.arange(len(h), dtype=np.int64))
    new, _, size = op.Loop(np.int64(len(h)), np.array(True), w, slope, like(x, 0), places,
                           body=_coordinate(op, w, places, gram), captures=1, outputs=3)
    begun = op.Where(op.Equal(turn, np.int64(0)), size, first)
    more = op.Greater(op.Div(size, begun), like(x, float(e["tol"])))  # not if nothing changed from the beginning
    body = Graph({"turn": turn, "going": going, "w": w, "first": first, "fit": fit_},
                 {"more": more, "new": new, "begun": begun})
    out: Value = op.Loop(np.int64(e["max_iter"]), np.array(True), start, like(x, 0), fit, body=body, captures=1,
                         outputs=2)[0]
    return out


def _orders(count: int, e: Estimator) -> Array:
    """(turns, components): the order of each turn, which a number in ``random_state`` fixes."""
    seed, turns = e.get("random_state"), int(e["max_iter"])
    if not isinstance(seed, (int, np.integer)) or turns * count > 1 << 20:
        raise Unsupported(f"{e.path}: shuffle=True: the order of the components is drawn by chance")
    chance = np.random.RandomState(int(seed))
    return np.array([chance.permutation(count) for _ in range(turns)], np.int64)


def _coordinate(op: Builder, w_: Value, places_: Value, gram: Array) -> Graph:
    """The component of this turn; ``slope`` is the derivative, ``size`` how much of it could be followed."""
    turn, going = Value(TURN, "turn"), Value(TRUTH, "going")
    w, slope, size = Value(w_.type, "w"), Value(w_.type, "slope"), Value(Type(w_.dtype, ()), "size")
    places = Value(places_.type, "places")
    at = op.Gather(places, op.Unsqueeze(turn, ints(0)), axis=0)
    old, down = op.Gather(w, at, axis=1), op.Gather(slope, at, axis=1)
    curve = np.diag(gram)
    step = op.Div(down, op.Gather(like(w, np.where(curve == 0, np.inf, curve)), at, axis=0))
    new = op.Relu(op.Sub(old, step))
    free = op.Where(op.Equal(old, like(w, 0)), op.Min(down, like(w, 0)), down)
    here = op.Equal(np.arange(len(gram), dtype=np.int64), at)
    after = op.Add(slope, op.Mul(op.Sub(new, old), op.Gather(like(w, gram), at, axis=0)))
    return Graph({"turn": turn, "going": going, "w": w, "slope": slope, "size": size, "places": places},
                 {"more": op.Identity(going), "new": op.Where(here, new, w), "after": after,
                  "total": op.Add(size, op.ReduceSum(op.Abs(free), keepdims=0))})


# -- all components at once


def _multiplied(op: Builder, x: Value, h: Array, loss: float, l1: float, l2: float, e: Estimator) -> Value:
    """Multiplicative updates, until ten of them lessen the divergence little."""
    most, tol = int(e["max_iter"]), float(e["tol"])
    start = _even(op, x, len(h))
    before = _divergence(op, x, start, h, loss)
    turn, going = Value(TURN, "turn"), Value(TRUTH, "going")
    w, last, x_, first = (Value(t, n) for t, n in ((start.type, "w"), (Type(x.dtype, ()), "last"), (x.type, "x"),
                                                   (Type(x.dtype, ()), "first")))
    done = op.Mul(turn, np.int64(10))
    left = op.Min(np.int64(10), op.Sub(np.int64(most), done))
    new = op.Loop(left, np.array(True), w, x_, done, body=_step(op, x_, w, h, loss, l1, l2), captures=2)
    error = _divergence(op, x_, new, h, loss)
    gain = op.Div(op.Sub(last, error), first)
    more = op.Not(op.Less(gain, like(x, tol))) if tol > 0 else op.Identity(going)
    body = Graph({"turn": turn, "going": going, "w": w, "last": last, "x": x_, "first": first},
                 {"more": more, "new": new, "error": error})
    out: Value = op.Loop(np.int64(-(-most // 10)), np.array(True), start, before, x, before, body=body, captures=2,
                         outputs=2)[0]
    return out


def _few_changes(op: Builder, x: Value, h: Array, loss: float, l1: float, l2: float, e: Estimator) -> Value:
    """Multiplicative updates, until one changes little."""
    wanted, tol = e.get("transform_max_iter"), float(e["tol"])
    start = _even(op, x, len(h))
    turn, going, w, x_ = Value(TURN, "turn"), Value(TRUTH, "going"), Value(start.type, "w"), Value(x.type, "x")
    new = _updated(op, x_, w, h, loss, l1, l2)
    change = op.Div(_length(op, op.Sub(new, w)), _length(op, new))
    more = op.Not(op.LessOrEqual(change, like(x, tol))) if tol > 0 else op.Identity(going)
    body = Graph({"turn": turn, "going": going, "w": w, "x": x_}, {"more": more, "new": new})
    out: Value = op.Loop(np.int64(e["max_iter"] if wanted is None else wanted), np.array(True), start, x, body=body,
                         captures=1)
    return out


def _length(op: Builder, x: Value) -> Value:
    out: Value = op.Sqrt(op.ReduceSum(op.Mul(x, x), keepdims=0))
    return out


def _step(op: Builder, x_: Value, w_: Value, h: Array, loss: float, l1: float, l2: float) -> Graph:
    """One update of ten.  With the loss 1, scikit-learn adds ``l1`` in place to a sum that it keeps: it counts once in
    the first update, twice in the second, and so on."""
    turn, going, done = Value(TURN, "turn"), Value(TRUTH, "going"), Value(TURN, "done")
    w, x = Value(w_.type, "w"), Value(x_.type, "x")
    count = real(op, op.Add(op.Add(turn, done), np.int64(1)), x.dtype)
    new = _updated(op, x, w, h, loss, op.Mul(count, like(x, l1)) if loss == 1 and l1 > 0 else l1, l2)
    if loss < 1:
        new = op.Where(op.Less(new, like(x, np.finfo(np.float64).eps)), like(x, 0), new)
    return Graph({"turn": turn, "going": going, "w": w, "x": x, "done": done}, {"more": op.Identity(going), "new": new})


def _updated(op: Builder, x: Value, w: Value, h: Array, loss: float, l1: Value | float, l2: float) -> Value:
    """One multiplicative update of (rows, components)."""
    if loss == 2:
        up, down = matmul(op, x, h.T), matmul(op, w, h @ h.T)
    else:
        near = matmul(op, w, h)
        safe = _least(op, near) if loss < 2 else near
        if loss == 1:
            part = op.Div(x, safe)
        elif loss == 0:
            part = op.Mul(op.Reciprocal(op.Mul(safe, safe)), x)
        else:
            part = op.Mul(op.Pow(safe, like(x, loss - 2)), x)
        up = matmul(op, part, h.T)
        if loss == 1:
            down = op.Expand(like(x, h.sum(1)[None]), op.Shape(w))
        else:
            down = matmul(op, op.Pow(safe if loss < 1 else near, like(x, loss - 1)), h.T)
    if isinstance(l1, Value) or l1 > 0:
        down = op.Add(down, l1 if isinstance(l1, Value) else like(x, l1))
    down = op.Add(down, op.Mul(w, like(x, l2))) if l2 > 0 else down
    factor = op.Div(up, op.Where(op.Equal(down, like(x, 0)), like(x, EPSILON), down))
    gamma = 1 / (2 - loss) if loss < 1 else 1 / (loss - 1) if loss > 2 else 1.0
    out: Value = op.Mul(w, factor if gamma == 1 else op.Pow(factor, like(x, gamma)))
    return out


def _least(op: Builder, x: Value) -> Value:
    """Numbers, but no smaller ones than :data:`EPSILON`."""
    out: Value = op.Where(op.Less(x, like(x, EPSILON)), like(x, EPSILON), x)
    return out


def _divergence(op: Builder, x: Value, w: Value, h: Array, loss: float) -> Value:
    """The root of twice the beta-divergence between the rows and the sums of their parts, as one number."""
    near = matmul(op, w, h)
    if loss == 2:
        return _length(op, op.Sub(x, near))

    def total(y: Value) -> Value:
        out: Value = op.ReduceSum(y, keepdims=0)
        return out
    some, none = op.Greater(x, like(x, EPSILON)), like(x, 0)
    safe, whole = _least(op, near), op.Where(some, x, like(x, 1))
    if loss == 1:
        parts = op.Where(some, op.Mul(whole, op.Log(op.Div(whole, safe))), none)
        y = op.Add(total(parts), op.Sub(total(near), total(op.Where(some, x, none))))
    elif loss == 0:
        ratio = op.Where(some, op.Div(whole, safe), like(x, 1))  # whose logarithm is zero where there is none
        y = op.Sub(op.Sub(total(op.Where(some, ratio, none)), real(op, op.Size(x), x.dtype)), total(op.Log(ratio)))
    else:
        cross = total(op.Where(some, op.Mul(whole, op.Pow(safe, like(x, loss - 1))), none))
        own = total(op.Where(some, op.Pow(whole, like(x, loss)), none))
        y = op.Add(op.Sub(own, op.Mul(cross, like(x, loss))),
                   op.Mul(total(op.Pow(near, like(x, loss))), like(x, loss - 1)))
        y = op.Div(y, like(x, loss * (loss - 1)))
    out: Value = op.Sqrt(op.Mul(op.Relu(y), like(x, 2)))
    return out
