"""LinearRegressor and LinearClassifier.  Source: linearregressor.cc and linearclassifier.cc of ONNX Runtime."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .table import INT64, as_float, f32, first_of_most, ints, ml, rows
from .table import post_transform as transformed

Floats = Sequence[float]


def _scores(op: Builder, x: Value, coefficients: Floats, intercepts: Floats, count: int) -> Value:
    """(batch, count) of ``x``: a row of coefficients for each."""
    if not count or len(coefficients) % count:
        raise Unsupported(f"{len(coefficients)} coefficients for {count} scores")
    weights = f32(coefficients).reshape(count, -1)
    return op.Gemm(as_float(op, rows(op, x)), weights, f32(intercepts) if len(intercepts) == count else None, transB=1)


@ml("LinearRegressor")
def linear_regressor(op: Builder, x: Value, *, coefficients: Floats = (), intercepts: Floats = (), targets: int = 1,
                     post_transform: str = "NONE") -> Value:
    return of_one(op, _scores(op, x, coefficients, intercepts, targets), targets, post_transform)


def of_one(op: Builder, z: Value, count: int, name: str) -> Value:
    """The transform of ``count`` scores; that of a single one is left out, all but PROBIT, as ONNX Runtime does."""
    if count == 1 and name not in ("NONE", "PROBIT"):
        op.note("dropped", f"post_transform '{name}' of a single score, which ONNX Runtime does not apply either")
        return z
    return transformed(op, z, name)


def labels(op: Builder, index: Value, numbers: Sequence[int], strings: Sequence[str]) -> Value:
    """The label at ``index``; a target without text refuses it where it is read."""
    return op.Gather(np.array(list(strings), object) if len(strings) else ints(*numbers), index)


def of_two(op: Builder, s: Value, name: str, positive: bool) -> Value:
    """Scores of two classes from that of the second: the first has 1 - s, or -s where scores may be negative."""
    if name == "PROBIT":
        raise Unsupported("post_transform 'PROBIT' of a single score for two classes")
    if name == "LOGISTIC":
        return op.Sigmoid(op.Concat(op.Neg(s), s, axis=1))
    if name != "NONE":
        op.note("dropped", f"post_transform '{name}' of a single score, which ONNX Runtime does not apply either")
    return op.Concat(op.Sub(np.ones((), s.dtype), s) if positive else op.Neg(s), s, axis=1)


@ml("LinearClassifier")
def linear_classifier(op: Builder, x: Value, *, coefficients: Floats, intercepts: Floats = (), multi_class: int = 0,
                      classlabels_ints: Sequence[int] = (), classlabels_strings: Sequence[str] = (),
                      post_transform: str = "NONE") -> Any:
    """Label and scores.  ``multi_class`` says how it was trained; no runtime reads it."""
    x = rows(op, x)
    features = None if x.shape is None else x.shape[1]
    count = len(intercepts)
    if not count:
        if not isinstance(features, int) or not features:
            raise Unsupported("without intercepts, on an unknown number of features")
        count = len(coefficients) // features
    z = _scores(op, x, coefficients, intercepts, count)
    if count > 1:
        return (labels(op, first_of_most(op, z), classlabels_ints, classlabels_strings),
                of_one(op, z, count, post_transform))
    if max(len(classlabels_ints), len(classlabels_strings)) != 2:
        raise Unsupported("a single score for other than two labels")
    second = op.Cast(op.Greater(op.Reshape(z, ints(-1)), f32(0)), to=INT64)
    return labels(op, second, classlabels_ints, classlabels_strings), of_two(op, z, post_transform, True)
