"""A fitted object as ONNX: its methods are put together from the rules of :mod:`.methods`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import CorruptFile, Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from .estimator import Estimator
from .interface import is_classifier, labelled, labels
from .methods import Table, call, has
from .to_onnx.compose import entered

_ODD = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, ArithmeticError)


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators; raises :class:`UnsupportedModel`."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    op = builder().at(node)
    e, names, methods = (node.attrs[k] for k in ("estimator", "names", "methods"))
    inputs = {k: Value(v.type, k) for k, v in raw.inputs.items()}
    x: Any = next(iter(inputs.values())) if len(inputs) == 1 else Table(dict(zip(names, inputs.values(), strict=True)))
    try:
        made = results(op, e, x, methods)
    except (Unsupported, CorruptFile) as problem:
        if isinstance(problem, CorruptFile):
            raise
        problem.node = problem.node or node
        raise UnsupportedModel([problem], "ONNX") from None
    except _ODD as problem:  # attributes may hold anything: a rule that meets what it never means says so
        odd = Unsupported(f"attributes that make no sense ({type(problem).__name__}: {problem})", node)
        raise UnsupportedModel([odd], "ONNX") from problem
    outputs = {k: op.Identity(v) if v.node is None else v for k, v in zip(raw.outputs, made, strict=True)}
    return Graph(inputs, outputs, raw.name, raw.meta).noted(*op.notes)


def results(op: Builder, e: Estimator, x: Any, methods: Sequence[str]) -> list[Value]:
    """The results of several methods of one estimator; the steps of a pipeline are gone through once for all."""
    while (inside := entered(op, e, x)) is not None:
        e, x = inside
    if set(methods) <= {"predict", "predict_proba"} and has(e, "classify"):
        label, probabilities = call(op, "classify", e, x)
        found = {"predict": label, "predict_proba": probabilities}
        return [found[m] for m in methods]
    made: dict[str, Any] = {}
    for m in methods:
        if m == "predict" and is_classifier(e):
            index = _class_index(op, e, x, made)
            made[m] = index if index.rank == 2 else labelled(op, index, labels(e))  # several labels are no numbers
        elif m == "predict_log_proba" and not has(e, m):
            made["predict_proba"] = made.get("predict_proba") or call(op, "predict_proba", e, x)
            made[m] = op.Log(made["predict_proba"])
        elif m not in made:
            made[m] = call(op, m, e, x)
    return [made[m] for m in methods]


def _class_index(op: Builder, e: Estimator, x: Any, made: dict[str, Any]) -> Value:
    """(rows): the number of each row's class.  What is computed on the way is kept for the other results."""
    if has(e, "predict"):
        out: Value = call(op, "predict", e, x)
        return out
    for m in ("decision_function", "predict_proba"):
        if has(e, m):
            made[m] = made.get(m) or call(op, m, e, x)
            return most(op, made[m])
    raise Unsupported(f"{e.path}: no translation of {e.name}.predict")


def most(op: Builder, scores: Value) -> Value:
    """The number of the greatest of (rows, classes), the first if several are; of scores (rows) whether it is above
    zero."""
    if scores.rank == 1:
        out: Value = op.Cast(op.Greater(scores, np.zeros((), scores.dtype)), to=7)
    else:
        out = op.ArgMax(scores, axis=1, keepdims=0)
    return out
