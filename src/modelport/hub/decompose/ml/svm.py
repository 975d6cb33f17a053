"""SVMRegressor and SVMClassifier.  Source: svmregressor.cc, svmclassifier.cc/.h and ml_common.h of ONNX Runtime."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import Type
from .linear import labels, of_two
from .table import as_float, f32, first_of_most, ints, ml, rows
from .table import post_transform as transformed

Floats = Sequence[float]


def _kernel(op: Builder, x: Value, vectors: Array, kind: str, params: Floats) -> Value:
    """(batch, vectors): the kernel of each row with each vector, ``params`` being gamma, coef0 and degree."""
    gamma, coef0, degree = f32(params if len(params) else (0, 0, 0))
    if kind == "RBF":  # from the differences: squares of the whole would cancel
        difference = op.Sub(op.Unsqueeze(x, ints(1)), vectors)
        distance = op.ReduceSum(op.Mul(difference, difference), ints(2), keepdims=0)
        return op.Exp(op.Mul(distance, -gamma))
    y = op.MatMul(x, np.ascontiguousarray(vectors.T))
    if kind == "LINEAR":
        return y
    y = op.Add(op.Mul(y, gamma), coef0)
    if kind == "SIGMOID":
        return op.Tanh(y)
    if kind == "POLY":
        return op.Mul(y, y) if degree == 2 else op.Mul(op.Mul(y, y), y) if degree == 3 else op.Pow(y, degree)
    raise Unsupported(f"kernel_type '{kind}'")


def _input(op: Builder, x: Value, features: int) -> Value:
    x = as_float(op, rows(op, x))
    if x.shape is not None and isinstance(x.shape[1], int) and x.shape[1] != features:
        raise Unsupported(f"vectors of {features} features for an input of {x.shape[1]}")
    return x


@ml("SVMRegressor")
def svm_regressor(op: Builder, x: Value, *, coefficients: Floats = (), support_vectors: Floats = (), rho: Floats = (),
                  n_supports: int = 0, kernel_type: str = "LINEAR", kernel_params: Floats = (), one_class: int = 0,
                  post_transform: str = "NONE") -> Value:
    """(batch, 1).  Without support vectors the coefficients are those of the features."""
    if not coefficients or not rho:
        raise Unsupported("without coefficients or rho")
    weights = f32(coefficients)
    if n_supports > 0:
        if len(support_vectors) % n_supports or len(weights) < n_supports:
            raise Unsupported(f"{len(support_vectors)} numbers in {n_supports} support vectors")
        vectors = f32(support_vectors).reshape(n_supports, -1)
        k = _kernel(op, _input(op, x, vectors.shape[1]), vectors, kernel_type, kernel_params)
        weights = weights[:n_supports]
    else:
        k = _input(op, x, len(weights))
    y = op.Add(op.MatMul(k, weights[:, None]), f32(rho[0]))
    if post_transform != "NONE":
        op.note("dropped", f"post_transform '{post_transform}', which ONNX Runtime does not apply either")
    return op.Where(op.Greater(y, f32(0)), f32(1), f32(-1)) if one_class else y


@ml("SVMClassifier")
def svm_classifier(op: Builder, x: Value, *, coefficients: Floats, rho: Floats, classlabels_ints: Sequence[int] = (),
                   classlabels_strings: Sequence[str] = (), support_vectors: Floats = (),
                   vectors_per_class: Sequence[int] = (), prob_a: Floats = (), prob_b: Floats = (),
                   kernel_type: str = "LINEAR", kernel_params: Floats = (), post_transform: str = "NONE") -> Any:
    """Label (batch) and scores: of the classes, or of their pairs if there are no probabilities."""
    classes = len(classlabels_strings) or len(classlabels_ints)
    count = sum(vectors_per_class)
    if len(prob_a) != len(prob_b) or not rho or not classes:
        raise Unsupported("prob_a, prob_b, rho or labels that do not fit")
    if not count:
        return _liblinear(op, x, coefficients, rho, classlabels_ints, classlabels_strings, bool(prob_a), post_transform)
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    if len(vectors_per_class) != classes or classes < 2 or len(support_vectors) % count or len(rho) < len(pairs) \
            or len(coefficients) < (classes - 1) * count or 0 < len(prob_a) < len(pairs):
        raise Unsupported("arrays that do not fit the number of classes and vectors")
    vectors = f32(support_vectors).reshape(count, -1)
    k = _kernel(op, _input(op, x, vectors.shape[1]), vectors, kernel_type, kernel_params)
    s = op.Add(op.MatMul(k, _pair_weights(f32(coefficients)[:(classes - 1) * count].reshape(classes - 1, count),
                                          vectors_per_class, pairs)), f32(rho)[:len(pairs)])
    won = f32([[(c == i) - (c == j) for c in range(classes)] for i, j in pairs])
    votes = op.Add(op.MatMul(op.Cast(op.Greater(s, f32(0)), to=1), won),
                   f32([sum(j == c for _, j in pairs) for c in range(classes)]))
    label = labels(op, first_of_most(op, votes), classlabels_ints, classlabels_strings)
    if prob_a:
        p = op.Sigmoid(op.Neg(op.Add(op.Mul(s, f32(prob_a)[:len(pairs)]), f32(prob_b)[:len(pairs)])))
        return label, transformed(op, _coupled(op, op.Clip(p, f32(1e-7), f32(1 - 1e-7)), pairs, classes),
                                  post_transform)
    if classes > 2:
        return label, transformed(op, s, post_transform)
    return label, of_two(op, s, post_transform, positive=post_transform != "NONE")  # as ONNX Runtime has it


def _liblinear(op: Builder, x: Value, coefficients: Floats, rho: Floats, numbers: Sequence[int],
               strings: Sequence[str], probable: bool, post_transform: str) -> Any:
    """Without support vectors: a row of coefficients for each class.

    Of two classes the second is meant as soon as any score is positive (at least a half, if no coefficient is
    negative), unless there are probabilities."""
    classes = len(strings) or len(numbers)
    if len(coefficients) % classes:
        raise Unsupported(f"{len(coefficients)} coefficients for {classes} classes")
    weights = f32(coefficients).reshape(classes, -1)
    z = op.Add(op.MatMul(_input(op, x, weights.shape[1]), np.ascontiguousarray(weights.T)), f32(rho[0]))
    index = first_of_most(op, z)
    if classes == 2 and not probable:
        top = op.ReduceMax(z, ints(1), keepdims=0)
        second = op.GreaterOrEqual(top, f32(0.5)) if (weights >= 0).all() else op.Greater(top, f32(0))
        index = op.Where(second, np.int64(1), index)
    return labels(op, index, numbers, strings), transformed(op, z, post_transform) if classes > 1 else z


def _pair_weights(rows: Array, per_class: Sequence[int], pairs: Sequence[tuple[int, int]]) -> Array:
    """(vectors, pairs): the coefficients with which the vectors of the two classes of a pair vote."""
    start = np.concatenate([[0], np.cumsum(per_class)])
    out = np.zeros((rows.shape[1], len(pairs)), np.float32)
    for p, (i, j) in enumerate(pairs):
        out[start[i]:start[i + 1], p] = rows[j - 1, start[i]:start[i + 1]]
        out[start[j]:start[j + 1], p] = rows[i, start[j]:start[j + 1]]
    return out


def _coupled(op: Builder, p: Value, pairs: Sequence[tuple[int, int]], classes: int) -> Value:
    """Probabilities of the classes from those of the pairs (batch, pairs), by the iteration of Wu, Lin and Weng
    (2004), stopped for each row where LIBSVM and ONNX Runtime stop."""
    n, eye = classes, np.eye(classes, dtype=np.float32)
    both = op.Pad(op.Concat(p, op.Sub(f32(1), p), axis=1), ints(0, 0, 0, 1), f32(0))
    pick = np.full((n, n), 2 * len(pairs), np.int64)  # [j, i]: how probably j beats i
    for k, (i, j) in enumerate(pairs):
        pick[i, j], pick[j, i] = k, k + len(pairs)
    r = op.Reshape(op.Gather(both, pick.reshape(-1), axis=1), ints(-1, n, n))
    back = op.Transpose(r, perm=[0, 2, 1])
    q = op.Sub(op.Mul(op.ReduceSum(op.Mul(back, back), ints(2)), eye), op.Mul(r, back))
    first = op.Expand(f32(np.full((1, n), 1 / n)), op.Concat(op.Shape(p, start=0, end=1), ints(1), axis=0))
    body = _iteration(op, q.type, first.type, n)
    return op.Loop(np.int64(100), np.array(True), first, q, body=body, captures=1)


def _iteration(op: Builder, q_type: Type, p_type: Type, n: int) -> Graph:
    turn, going = Value(Type(np.dtype(np.int64), ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    p, q = Value(p_type, "p"), Value(q_type, "q")
    qp = op.Squeeze(op.MatMul(q, op.Unsqueeze(p, ints(2))), ints(2))
    pqp = op.ReduceSum(op.Mul(p, qp), ints(1))
    error = op.ReduceMax(op.Abs(op.Sub(qp, pqp)), ints(1))
    open_ = op.GreaterOrEqual(error, f32(0.005 / n))  # NaN stops, and leaves what there was
    new = p
    for i in range(n):
        row = op.Gather(q, np.int64(i), axis=1)
        own = op.Slice(row, ints(i), ints(i + 1), ints(1))
        mine = op.Slice(qp, ints(i), ints(i + 1), ints(1))
        step = op.Div(op.Sub(pqp, mine), own)
        scale = op.Add(step, f32(1))
        pqp = op.Div(op.Div(op.Add(pqp, op.Mul(step, op.Add(op.Mul(step, own), op.Mul(mine, f32(2))))), scale), scale)
        qp = op.Div(op.Add(qp, op.Mul(step, row)), scale)
        new = op.Div(op.Add(new, op.Mul(step, np.eye(n, dtype=np.float32)[i:i + 1])), scale)
    more = op.Greater(op.ReduceMax(op.Cast(open_, to=1), keepdims=0), f32(0))
    return Graph({"turn": turn, "going": going, "p": p, "q": q}, {"more": more, "next": op.Where(open_, new, p)})
