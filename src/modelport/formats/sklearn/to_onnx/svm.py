"""Support vector machines of LIBSVM.  Sources: sklearn/svm/_base.py, svm/src/libsvm/svm.cpp, utils/multiclass.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import Type
from ..estimator import Estimator, text
from ..methods import ints, like, matrix, method, real, when
from .common import kernel, matmul


def _gamma(e: Estimator) -> float:
    """The number that a file keeps; files of the oldest versions may hold what it was computed from."""
    found = e.first("_gamma", "gamma")
    if isinstance(found, str):
        raise Unsupported(f"{e.path}: gamma={found!r}, and the file does not hold its value")
    return float(found)


def vectors(e: Estimator) -> Array:
    """(vectors, features)"""
    return e.array("support_vectors_")


def _kernel(op: Builder, x: Any, e: Estimator) -> Value:
    kind = e["kernel"]
    if not isinstance(kind, str):
        raise Unsupported(f"{e.path}: the kernel {kind}, whose code is not in the file")
    if kind == "precomputed":  # the rows are those of the kernel matrix, a column for each row of the fit
        out: Value = op.Gather(real(op, matrix(op, x), np.float64), np.asarray(e["support_"], np.int64), axis=1)
        return out
    gamma = _gamma(e) if kind in ("poly", "rbf", "sigmoid") else 0.0
    return kernel(op, real(op, matrix(op, x), np.float64), vectors(e), kind, gamma, float(e["coef0"]),
                  float(e["degree"]), e.path, fast=True)


def _dual(e: Estimator) -> tuple[Array, Array]:
    """The coefficients and constants as LIBSVM has them: those of two classes are shown with the other sign."""
    if "_dual_coef_" in e:
        return e.array("_dual_coef_"), e.array("_intercept_")
    return e.array("dual_coef_"), e.array("intercept_")


@method("predict", "SVR", "NuSVR")
def regress(op: Builder, x: Any, e: Estimator) -> Value:
    w, b = _dual(e)
    if not w.size:  # all rows are within the margin
        x = matrix(op, x)
        return op.Expand(b.reshape(1), op.Shape(x, start=0, end=1))
    out: Value = op.Squeeze(op.Add(matmul(op, _kernel(op, x, e), w.reshape(1, -1).T), b.reshape(1)), ints(1))
    return out


method("decision_function", "OneClassSVM")(regress)


@method("score_samples", "OneClassSVM")
def one_class_score(op: Builder, x: Any, e: Estimator) -> Value:
    """The decision function without its offset; ``offset_`` is minus the constant."""
    y = regress(op, x, e)
    offset = np.asarray(e["offset_"]).reshape(()) if "offset_" in e else -_dual(e)[1].reshape(())
    out: Value = op.Add(y, like(y, offset))
    return out


@method("predict", "OneClassSVM")
def one_class(op: Builder, x: Any, e: Estimator) -> Value:
    y = regress(op, x, e)
    out: Value = op.Where(op.Greater(y, like(y, 0)), np.int64(1), np.int64(-1))
    return out


# -- classes


def pairs(classes: int) -> list[tuple[int, int]]:
    """The pairs in which one-against-one compares classes, in their order."""
    return [(i, j) for i in range(classes) for j in range(i + 1, classes)]


def scores(op: Builder, x: Any, e: Estimator) -> tuple[Value, int]:
    """(rows, pairs): positive where the first of two classes wins; and the number of classes."""
    per_class = [int(n) for n in np.asarray(e.first("_n_support", "n_support_")).ravel()]
    w, b = _dual(e)
    count, at = len(per_class), np.concatenate([[0], np.cumsum(per_class)])
    if count < 2 or w.shape != (count - 1, at[-1]) or b.size != len(pairs(count)):
        raise Unsupported(f"{e.path}: coefficients of {list(w.shape)} for classes of {per_class} support vectors")
    table = np.zeros((at[-1], len(pairs(count))))
    for k, (i, j) in enumerate(pairs(count)):
        table[at[i]:at[i + 1], k] = w[j - 1, at[i]:at[i + 1]]
        table[at[j]:at[j + 1], k] = w[i, at[j]:at[j + 1]]
    if not len(table):  # no row of the fit counts
        rows = op.Shape(matrix(op, x), start=0, end=1)
        return op.Expand(b.reshape(1, -1), op.Concat(rows, np.array([1]), axis=0)), count
    return op.Add(matmul(op, _kernel(op, x, e), table), b.ravel()), count


def votes(op: Builder, first_wins: Value, classes: int, dtype: Any) -> Value:
    """(rows, classes): how many of its pairs a class wins."""
    won = np.array([[(c == i) - (c == j) for c in range(classes)] for i, j in pairs(classes)], dtype)
    base = np.array([sum(j == c for _, j in pairs(classes)) for c in range(classes)], dtype)
    out: Value = op.Add(op.MatMul(real(op, first_wins, dtype), won), base)
    return out


def of_pairs(op: Builder, second_wins: Value, confidence: Value, classes: int) -> Value:
    """(rows, classes): the votes, and for ties the sums of the confidences in the second of each pair, squeezed."""
    sums = matmul(op, confidence, [[float(c == j) - (c == i) for c in range(classes)] for i, j in pairs(classes)])
    squeezed = op.Div(sums, op.Mul(op.Add(op.Abs(sums), like(sums, 1)), like(sums, 3)))
    out: Value = op.Add(votes(op, op.Not(second_wins), classes, sums.dtype), squeezed)
    return out


@method("decision_function", "SVC", "NuSVC")
def decision(op: Builder, x: Any, e: Estimator) -> Value:
    s, count = scores(op, x, e)
    if count == 2:
        out: Value = op.Neg(op.Squeeze(s, ints(1)))
        return out
    shape = text(e.get("decision_function_shape", "ovr"))
    if shape == "ovo" or shape is None:
        return s
    if e.version < (0, 21):
        op.note("changed", "the scores of the classes are those of scikit-learn 0.21 and newer: before, those of a row "
                           "depended on the other rows")
    return of_pairs(op, op.Less(s, like(s, 0)), op.Neg(s), count)


@method("predict", "SVC", "NuSVC")
def classify(op: Builder, x: Any, e: Estimator) -> Value:
    """The class with most votes, the first of several; a score of zero is a vote for the second of a pair."""
    s, count = scores(op, x, e)
    if e.get("break_ties", False) and count > 2:
        out: Value = op.ArgMax(of_pairs(op, op.Less(s, like(s, 0)), op.Neg(s), count), axis=1, keepdims=0)
    else:
        won = votes(op, op.Greater(s, like(s, 0)), count, np.float32)
        out = op.ArgMax(won, axis=1, keepdims=0)
    return out


def _probable(e: Estimator) -> bool:
    asked = e.get("probability")
    return isinstance(asked, (bool, np.bool_)) and bool(asked)


@method("predict_proba", "SVC", "NuSVC")
@when(_probable)
def probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    s, count = scores(op, x, e)
    a, b = (np.asarray(e.first(*names), np.float64).ravel() for names in (("_probA", "probA_"), ("_probB", "probB_")))
    if not a.size == b.size == len(pairs(count)):
        raise Unsupported(f"{e.path}: it was fitted without probabilities")
    z = op.Add(op.Mul(s, like(s, a)), like(s, b))
    p = op.Reciprocal(op.Add(op.Exp(z), like(s, 1)))
    return coupled(op, op.Clip(p, like(s, 1e-7), like(s, 1 - 1e-7)), count)


def coupled(op: Builder, p: Value, classes: int) -> Value:
    """Probabilities of the classes from those of the pairs (rows, pairs), by the iteration of Wu, Lin and Weng (2004):
    it stops for each row where LIBSVM stops."""
    n, both = classes, op.Concat(p, op.Sub(like(p, 1), p), axis=1)
    both = op.Concat(both, op.Mul(op.Slice(p, ints(0), ints(1), ints(1)), like(p, 0)), axis=1)
    pick = np.full((n, n), 2 * len(pairs(n)), np.int64)  # [i, j]: how probably i beats j
    for k, (i, j) in enumerate(pairs(n)):
        pick[i, j], pick[j, i] = k, k + len(pairs(n))
    r = op.Reshape(op.Gather(both, pick.reshape(-1), axis=1), ints(-1, n, n))
    back = op.Transpose(r, perm=[0, 2, 1])
    own = op.Unsqueeze(op.ReduceSum(op.Mul(r, r), ints(1), keepdims=0), ints(1))
    q = op.Sub(op.Mul(own, like(p, np.eye(n))), op.Mul(r, back))
    first = op.Expand(like(p, np.full((1, n), 1 / n)), op.Concat(op.Shape(p, start=0, end=1), ints(1), axis=0))
    out: Value = op.Loop(np.int64(max(100, n)), np.array(True), first, q, body=_iteration(op, q.type, first.type, n),
                         captures=1)
    return out


def _iteration(op: Builder, q_type: Type, p_type: Type, n: int) -> Graph:
    turn, going = Value(Type(np.dtype(np.int64), ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    p, q = Value(p_type, "p"), Value(q_type, "q")
    qp = op.Squeeze(op.MatMul(q, op.Unsqueeze(p, ints(2))), ints(2))
    pqp = op.ReduceSum(op.Mul(p, qp), ints(1), keepdims=1)
    error = op.ReduceMax(op.Abs(op.Sub(qp, pqp)), ints(1), keepdims=1)
    open_ = op.GreaterOrEqual(error, like(p, 0.005 / n))
    new = p
    for i in range(n):
        row = op.Gather(q, np.int64(i), axis=1)
        own, mine = (op.Slice(v, ints(i), ints(i + 1), ints(1)) for v in (row, qp))
        step = op.Div(op.Sub(pqp, mine), own)
        scale = op.Add(step, like(p, 1))
        pqp = op.Div(op.Div(op.Add(pqp, op.Mul(step, op.Add(op.Mul(step, own), op.Mul(mine, like(p, 2))))), scale),
                     scale)
        qp = op.Div(op.Add(qp, op.Mul(step, row)), scale)
        new = op.Div(op.Add(new, op.Mul(step, like(p, np.eye(n)[i:i + 1]))), scale)
    more = op.Greater(op.ReduceMax(op.Cast(open_, to=1), keepdims=0), np.float32(0))
    return Graph({"turn": turn, "going": going, "p": p, "q": q}, {"more": more, "next": op.Where(open_, new, p)})
