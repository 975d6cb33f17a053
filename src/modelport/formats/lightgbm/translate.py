"""A booster as ONNX: its raw scores, and what its objective makes of them, in double precision as LightGBM computes.

Source: LightGBM/src/objective/*.hpp (ConvertOutput)."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from .. import booster, ensemble
from ..ensemble import Ensemble
from .model import NOTHING, Model

IDENTITY = ("regression", "regression_l1", "l1", "l2", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg",
            "custom", "none", "")


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators."""
    return booster.to_hub(raw, lambda op, inputs, model, wanted: results(op, inputs[0], model, wanted))


def results(op: Builder, x: Value, model: Model, wanted: list[str]) -> dict[str, Value]:
    """Each of the outputs asked for, by its name in the graph."""
    made: dict[str, Value] = {}
    if "leaves" in wanted:
        made["leaves"] = leaves(op, x, model)
    if set(wanted) - {"leaves"}:
        raw = sums(op, x, model)
        if "margins" in wanted:  # of a random forest too, LightGBM's raw scores are sums
            made["margins"] = flat(op, raw)
        raw = mean(op, raw, model)
        if "prediction" in wanted:
            made["prediction"] = prediction(op, raw, model)
        if {"label", "probabilities"} & set(wanted):
            made["probabilities"] = probabilities(op, raw, model)
            made["label"] = label(op, made["probabilities"])
    return {k: made[k] for k in wanted}


def like(x: Value, array: Any) -> Any:
    return np.asarray(array, x.dtype)


def rows(op: Builder, x: Value, model: Model) -> tuple[Value, Ensemble]:
    """The rows that trees take, and the trees: categories are cut to integers, zeros that are missing values become
    NaN."""
    if model.zero_missing:
        zero = op.And(op.LessOrEqual(op.Abs(x), like(x, NOTHING)), _mask(model, model.zero_missing))
        x = op.Where(zero, like(x, np.nan), x)
    return booster.cut(op, x, model.trees, model.categorical, lambda op, x: op.Mul(op.Sign(x), op.Floor(op.Abs(x))))


def _mask(model: Model, features: Any) -> Any:
    mask = np.zeros((1, model.features), bool)
    mask[0, list(features)] = True
    return mask


def sums(op: Builder, x: Value, model: Model) -> Value:
    """(rows, outputs): the sums over all trees."""
    return ensemble.scores(op, *rows(op, x, model)) if model.linear is None else _linear(op, x, model)


def mean(op: Builder, y: Value, model: Model) -> Value:
    """What a random forest makes of the sums."""
    return op.Div(y, like(y, model.average)) if model.average > 1 else y


def _linear(op: Builder, x: Value, model: Model) -> Value:
    """Leaves that are linear functions of the row, or their plain value where a feature they use is NaN."""
    assert model.linear is not None
    number = np.where(model.trees.leaves, np.cumsum(model.trees.leaves) - 1, 0)
    found = ensemble.leaves(op, *rows(op, x, model), number)
    lost = op.IsNaN(x)
    known = op.Unsqueeze(op.Where(lost, like(x, 0), x), np.array([1]))
    lost = op.Unsqueeze(op.Cast(lost, to=11 if x.dtype == np.float64 else 1), np.array([1]))

    def of_leaf(table: Any) -> Value:
        return op.Gather(np.ascontiguousarray(table).astype(x.dtype), found, axis=0)
    line = op.Add(op.ReduceSum(op.Mul(of_leaf(model.linear.coefficients), known), np.array([2]), keepdims=0),
                  of_leaf(model.linear.constants))
    gone = op.ReduceSum(op.Mul(of_leaf(model.linear.used), lost), np.array([2]), keepdims=0)
    plain = of_leaf(model.trees.value[model.trees.leaves, 0])
    value = op.Where(op.Greater(gone, like(x, 0)), plain, line)
    if model.outputs > 1:  # a round grows a tree for each
        value = op.Reshape(value, np.array([0, len(model.trees.roots) // model.outputs, model.outputs]))
        return op.ReduceSum(value, np.array([1]), keepdims=0)
    return op.ReduceSum(value, np.array([1]), keepdims=1)


def leaves(op: Builder, x: Value, model: Model) -> Value:
    """(rows, trees): the number of each row's leaf, as ``pred_leaf`` numbers them."""
    starts = np.repeat(model.trees.roots, np.diff([*model.trees.roots, len(model.trees.left)]))
    local = np.arange(len(starts)) - starts
    inner = np.array([(~model.trees.leaves[s:e]).sum() for s, e in
                      zip(model.trees.roots, [*model.trees.roots[1:], len(starts)], strict=True)])
    first = np.repeat(inner, np.diff([*model.trees.roots, len(starts)]))
    return ensemble.leaves(op, *rows(op, x, model), np.where(model.trees.leaves, local - first, 0))


def flat(op: Builder, y: Value) -> Value:
    """(rows) of one output."""
    return op.Squeeze(y, np.array([1], np.int64)) if y.shape is not None and y.shape[1] == 1 else y


def logistic(op: Builder, y: Value, scale: float = 1.0) -> Value:
    if scale != 1:
        y = op.Mul(y, like(y, scale))
    return op.Reciprocal(op.Add(op.Exp(op.Neg(y)), like(y, 1)))


def probabilities(op: Builder, raw: Value, model: Model) -> Value:
    """(rows, classes)."""
    if model.converted and model.task != "binary":
        return raw
    if model.task == "binary":
        p = raw if model.converted else logistic(op, raw, model.parameter("sigmoid", 1.0))
        return op.Concat(op.Sub(like(p, 1), p), p, axis=1)
    if model.task in ("multiclass", "softmax"):
        return op.Softmax(raw, axis=1)
    if model.task in ("multiclassova", "ova"):
        return logistic(op, raw, model.parameter("sigmoid", 1.0))
    raise Unsupported(f"probabilities of the objective '{model.objective}'")


def label(op: Builder, p: Value) -> Value:
    return op.ArgMax(p, axis=1, keepdims=0)


def prediction(op: Builder, raw: Value, model: Model) -> Value:
    """What ``Booster.predict`` answers."""
    task = model.task
    if model.is_classifier:
        p = probabilities(op, raw, model)
        return op.Gather(p, np.array(1, np.int64), axis=1) if task == "binary" else p
    if model.converted:
        return flat(op, raw)
    if task in ("poisson", "gamma", "tweedie"):
        return flat(op, op.Exp(raw))
    if task in ("cross_entropy", "xentropy"):
        return flat(op, logistic(op, raw))
    if task in ("cross_entropy_lambda", "xentlambda"):
        return flat(op, op.Log(op.Add(op.Exp(raw), like(raw, 1))))
    if "sqrt" in model.objective.split():
        return flat(op, op.Mul(op.Sign(raw), op.Mul(raw, raw)))
    if task in IDENTITY:
        return flat(op, raw)
    raise Unsupported(f"the objective '{model.objective}'; --outputs margin gives what it would transform")
