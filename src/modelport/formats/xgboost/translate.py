"""A booster as ONNX: its margins, and what its objective makes of them.

Source: xgboost/src/objective/*.cu (PredTransform)."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from .. import booster, ensemble
from ..ensemble import Ensemble
from .model import LOG, Model

IDENTITY = ("reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
            "reg:quantileerror", "rank:pairwise", "rank:ndcg", "rank:map", "binary:logitraw", "reg:expectileerror")


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators."""
    return booster.to_hub(raw, lambda op, inputs, model, wanted: results(op, inputs[0], model, wanted), _notes)


def _notes(op: Builder, model: Model) -> None:
    best = model.attributes.get("best_iteration", "")
    if best.isdigit() and model.until(int(best) + 1) is not model:
        op.note("info", f"all rounds are used, as Booster.predict does; the file names {best} as the best iteration, "
                "which estimators of XGBoost stop at")


def results(op: Builder, x: Value, model: Model, wanted: list[str]) -> dict[str, Value]:
    """Each of the outputs asked for, by its name in the graph."""
    made: dict[str, Value] = {}
    if wanted == ["leaves"]:
        return {"leaves": leaves(op, x, model)}
    if wanted == ["label", "probabilities"]:
        return dict(zip(wanted, classified(op, x, model), strict=True))
    m = margins(op, x, model)
    for name in wanted:
        if name == "margins":
            made[name] = flat(op, m)
        elif name == "leaves":
            made[name] = leaves(op, x, model)
        elif name == "prediction":
            made[name] = prediction(op, m, model)
        elif name == "label":
            p = made["probabilities"] = probabilities(op, m, model)
            made[name] = label(op, p, model)
    return {k: made[k] for k in wanted}


def rows(op: Builder, x: Value, model: Model) -> tuple[Value, Ensemble]:
    """The rows that trees take, and the trees: categories are cut to integers before they are looked for, so that
    below zero all are no category."""
    assert model.trees is not None
    return booster.cut(op, x, model.trees, model.categorical, lambda op, x: op.Floor(x))


def margins(op: Builder, x: Value, model: Model) -> Value:
    """(rows, outputs), before the objective's transformation."""
    if model.weights is not None:
        known = op.Where(op.IsNaN(x), np.float32(0), x)
        out: Value = op.Add(op.MatMul(known, np.ascontiguousarray(model.weights[:-1])),
                            (model.weights[-1] + model.base).astype(np.float32))
        return out
    seen, trees = rows(op, x, model)
    return ensemble.scores(op, seen, replace(trees, base=model.base))


def leaves(op: Builder, x: Value, model: Model) -> Value:
    """(rows, trees): the number of the node that is each row's leaf."""
    if model.trees is None:
        raise Unsupported("leaves of a linear booster")
    starts = np.repeat(model.trees.roots, np.diff([*model.trees.roots, len(model.trees.left)]))
    return ensemble.leaves(op, *rows(op, x, model), np.arange(len(starts)) - starts)


def flat(op: Builder, y: Value) -> Value:
    """(rows) of one output."""
    out: Value = op.Squeeze(y, np.array([1], np.int64)) if y.shape is not None and y.shape[1] == 1 else y
    return out


def logistic(op: Builder, m: Value) -> Value:
    out: Value = op.Reciprocal(op.Add(op.Exp(op.Neg(m)), np.float32(1)))
    return out


def classified(op: Builder, x: Value, model: Model) -> tuple[Value, Value]:
    """The number of each row's class (or, of several labels at once, 0 or 1 for each), and the probabilities."""
    if model.trees is not None and model.objective in ("binary:logistic", "multi:softprob", "multi:softmax"):
        names = list(range(max(2, model.outputs)))
        seen, trees = rows(op, x, model)
        found = ensemble.likelihoods(op, seen, replace(trees, base=model.base), names) \
            if model.objective != "binary:logistic" or model.outputs == 1 else None
        if found is not None:  # labels come from rounded probabilities, as they do in XGBoost
            return op.ArgMax(found[1], axis=1, keepdims=0), found[1]
    p = probabilities(op, margins(op, x, model), model)
    return label(op, p, model), p


def probabilities(op: Builder, m: Value, model: Model) -> Value:
    """(rows, classes)."""
    if model.outputs == 1 and model.objective in ("binary:hinge", "binary:logitraw"):
        p = op.Cast(op.Greater(m, np.float32(0)), to=1) if model.objective == "binary:hinge" else m
        both: Value = op.Concat(op.Sub(np.float32(1), p), p, axis=1)
        return both
    if model.outputs == 1 and model.objective in ("binary:logistic", "reg:logistic"):
        p = logistic(op, m)
        out: Value = op.Concat(op.Sub(np.float32(1), p), p, axis=1)
        return out
    if model.objective.startswith("multi:"):
        return op.Softmax(m, axis=1)
    if model.objective == "binary:logistic":  # several labels at once
        return logistic(op, m)
    raise Unsupported(f"probabilities of the objective '{model.objective}'")


def label(op: Builder, p: Value, model: Model) -> Value:
    if model.objective == "binary:logistic" and model.outputs > 1:
        out: Value = op.Cast(op.Greater(p, np.float32(0.5)), to=7)
        return out
    if model.outputs == 1:
        last = op.Gather(p, np.array(1, np.int64), axis=1)
        return op.Cast(op.Greater(last, np.float32(0.5)), to=7)
    return op.ArgMax(p, axis=1, keepdims=0)


def prediction(op: Builder, m: Value, model: Model) -> Value:
    """What ``Booster.predict`` answers."""
    o: Any = model.objective
    if o in ("binary:logistic", "reg:logistic"):
        return flat(op, logistic(op, m))
    if o in LOG:
        return flat(op, op.Exp(m))
    if o == "binary:hinge":
        return flat(op, op.Cast(op.Greater(m, np.float32(0)), to=1))
    if o == "multi:softprob":
        out: Value = op.Softmax(m, axis=1)
        return out
    if o == "multi:softmax":
        return op.Cast(op.ArgMax(m, axis=1, keepdims=0), to=1)
    if o in IDENTITY:
        return flat(op, m)
    raise Unsupported(f"the objective '{o}'; --outputs margin gives what it would transform")
