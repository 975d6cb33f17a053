"""A model as ONNX: its raw scores, in double precision, and what its loss makes of them.

Source: catboost/libs/eval_result, catboost/python-package/catboost/core.py (predict)."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from .. import ensemble
from .model import BINARY, LABELS, SEVERAL, Model

IDENTITY = ("RMSE", "MAE", "Quantile", "MultiQuantile", "MAPE", "Lq", "Huber", "Expectile", "MultiRMSE", "LogCosh",
            "MultiRMSEWithMissingValues", "NumErrors", "SMAPE", "R2", "MSLE", "MedianAbsoluteError", "YetiRank",
            "YetiRankPairwise", "PairLogit", "PairLogitPairwise", "QueryRMSE", "QuerySoftMax", "StochasticFilter",
            "LambdaMart", "StochasticRank", "GroupQuantile", "QueryCrossEntropy", "")
EXPONENT = ("Poisson", "Tweedie")


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    op = builder().at(node)
    x = Value(raw.inputs["X"].type, "X")
    try:
        outputs = results(op, x, node.attrs["model"], list(raw.outputs))
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    return Graph({"X": x}, outputs, raw.name, raw.meta).noted(*op.notes)


def results(op: Builder, x: Value, model: Model, wanted: Sequence[str]) -> dict[str, Value]:
    """Each of the outputs asked for, by its name in the graph."""
    raw = scores(op, x, model)
    made = {"margins": flat(op, raw)} if "margins" in wanted else {}
    if "prediction" in wanted:
        made["prediction"] = prediction(op, raw, model)
    if "label" in wanted or "probabilities" in wanted:
        made["label"], made["probabilities"] = label(op, raw, model), probabilities(op, raw, model)
    return {k: made[k] for k in wanted}


def scores(op: Builder, x: Value, model: Model) -> Value:
    """(rows, outputs) in float64; what is a category is cut to a whole number, as CatBoost's own text of it is."""
    return ensemble.scores(op, op.Cast(op.Cast(x, to=1), to=11), model.trees)


def flat(op: Builder, y: Value) -> Value:
    """(rows) of one output."""
    return op.Squeeze(y, np.array([1], np.int64)) if y.shape is not None and y.shape[1] == 1 else y


def logistic(op: Builder, y: Value) -> Value:
    return op.Reciprocal(op.Add(op.Exp(op.Neg(y)), np.float64(1)))


def probabilities(op: Builder, raw: Value, model: Model) -> Value:
    """(rows, classes)."""
    if model.loss in BINARY:
        p = logistic(op, raw)
        return op.Concat(op.Sub(np.float64(1), p), p, axis=1)
    if model.loss == "MultiClass":
        return op.Softmax(raw, axis=1)
    return logistic(op, raw)


def label(op: Builder, raw: Value, model: Model) -> Value:
    """The class of each row; of several labels at once, 0 or 1 for each."""
    if model.loss in LABELS:
        return op.Cast(op.Greater(raw, np.float64(0)), to=7)
    if model.loss in SEVERAL:
        index = op.ArgMax(raw, axis=1, keepdims=0)
    else:
        index = op.Cast(op.Greater(flat(op, raw), np.float64(0)), to=7)
    names = classes(model)
    if names == list(range(len(names))):
        return index
    return op.Gather(np.array(names, object if isinstance(names[0], str) else np.int64), index, axis=0)


def classes(model: Model) -> list[int] | list[str]:
    """The labels in the order of the probabilities."""
    names = list(model.labels) or list(range(max(2, model.outputs)))
    if all(isinstance(v, bool) for v in names):  # CatBoost answers with texts
        return [str(v) for v in names]
    if all(isinstance(v, str) for v in names):
        return [str(v) for v in names]
    if all(isinstance(v, (int, float)) and v == int(v) for v in names):
        return [int(v) for v in names]
    raise Unsupported("classes that are neither whole numbers nor texts")


def prediction(op: Builder, raw: Value, model: Model) -> Value:
    """What ``predict`` answers where there are no classes."""
    if model.loss in EXPONENT:
        return flat(op, op.Exp(raw))
    if model.loss == "RMSEWithUncertainty":  # the mean, and the variance of a logarithm
        mean, spread = op.Split(raw, axis=1, num_outputs=2, outputs=2)
        return op.Concat(mean, op.Exp(op.Mul(spread, np.float64(2))), axis=1)
    if model.loss in IDENTITY:
        return flat(op, raw)
    raise Unsupported(f"the loss '{model.loss}'; --outputs margin gives what it would transform")
