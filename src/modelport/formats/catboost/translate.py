"""A model as ONNX: its raw scores, in double precision, and what its loss makes of them.

Source: catboost/libs/eval_result, catboost/python-package/catboost/core.py (predict)."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from .. import booster, ensemble
from .ctr import Lookup
from .model import BINARY, LABELS, SEVERAL, Model

IDENTITY = ("RMSE", "MAE", "Quantile", "MultiQuantile", "MAPE", "Lq", "Huber", "Expectile", "MultiRMSE", "LogCosh",
            "MultiRMSEWithMissingValues", "NumErrors", "SMAPE", "R2", "MSLE", "MedianAbsoluteError", "YetiRank",
            "YetiRankPairwise", "PairLogit", "PairLogitPairwise", "QueryRMSE", "QuerySoftMax", "StochasticFilter",
            "LambdaMart", "StochasticRank", "GroupQuantile", "QueryCrossEntropy", "")
EXPONENT = ("Poisson", "Tweedie")


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators."""
    return booster.to_hub(raw, lambda op, inputs, model, wanted: results(op, rows(op, inputs, model), model, wanted),
                          _notes)


def _notes(op: Builder, model: Model) -> None:
    if model.numbers:
        op.note("info", "a category that the file does not know counts as such; CatBoost, which knows hashes of 32 "
                "bits only, takes one in four billion of these for a known one")
    if model.cut:
        op.note("info", "CatBoost itself (1.2.10) cuts the sums of statistics to whole numbers when it loads JSON; the "
                "sums of the file are used, which are those of training")


def results(op: Builder, x: Value, model: Model, wanted: Sequence[str]) -> dict[str, Value]:
    """Each of the outputs asked for, by its name in the graph."""
    raw = scores(op, x, model)
    made = {"margins": flat(op, raw)} if "margins" in wanted else {}
    if "prediction" in wanted:
        made["prediction"] = prediction(op, raw, model)
    if "label" in wanted or "probabilities" in wanted:
        made["label"], made["probabilities"] = label(op, raw, model), probabilities(op, raw, model)
    return {k: made[k] for k in wanted}


def rows(op: Builder, columns: Sequence[Value], model: Model) -> Value:
    """(rows, features) of one matrix, or of one column for each feature that is used; texts become their numbers."""
    if not model.texts:
        return columns[0]
    made: dict[int, Value] = {}
    for k, c in zip(model.used(), columns, strict=True):
        if k in model.texts:
            words = list(model.texts[k])
            c = op.ml.LabelEncoder(c, keys_strings=words, values_int64s=list(range(len(words))), default_int64=-1)
        made[k] = op.Cast(c, to=1)
    any_ = next(iter(made.values()))  # in the place of those that nothing asks for
    all_ = [made.get(k, any_) for k in range(model.features)]
    return op.Concat(*all_, axis=1) if len(all_) > 1 else any_


def scores(op: Builder, x: Value, model: Model) -> Value:
    """(rows, outputs) in float64."""
    wide = op.Cast(op.Cast(x, to=1), to=11)
    if model.trees.members:  # numbers that are not whole are no category; ONNX Runtime would cut them
        category = np.isin(np.arange(model.features), list(model.numbers))[None]
        wide = op.Where(op.And(category, op.Not(op.Equal(op.Floor(wide), wide))), np.float64(np.nan), wide)
    if model.lookups:
        wide = op.Concat(wide, *(statistics(op, wide, found, model) for found in model.lookups), axis=1)
    return ensemble.scores(op, wide, model.trees)


_NONE = 1 << 53
"""A whole number that is no category."""


def statistics(op: Builder, x: Value, found: Lookup, model: Model) -> Value:
    """(rows, statistics) of one combination."""
    def column(feature: int) -> Value:
        return op.Slice(x, np.array([feature]), np.array([feature + 1]), np.array([1]))
    digits: list[Value] = []
    for feature, place in found.categories:
        v = column(feature)
        whole = op.And(op.Less(op.Abs(v), np.float64(_NONE)), op.Equal(op.Floor(v), v))  # NaN is none
        number = op.Cast(op.Where(whole, v, np.float64(_NONE)), to=7)
        known = {n: p for h, p in place.items() for n in model.numbers[feature][h]}
        digits.append(_encoded(op, number, known, len(place)))
    for q in found.questions:
        v = column(q.feature)
        if q.value is None:
            answer = op.Greater(v, np.float64(q.border))
            answer = op.Or(answer, op.IsNaN(v)) if q.missing else answer
        else:
            same = [op.Equal(v, np.float64(n)) for n in model.numbers[q.feature][q.value]]
            answer = same[0]
            for other in same[1:]:
                answer = op.Or(answer, other)
        digits.append(op.Cast(answer, to=7))
    key = digits[0]
    for digit, base in zip(digits[1:], found.bases[1:], strict=True):
        key = op.Add(op.Mul(key, np.array(base, np.int64)), digit)
    if len(digits) > 1 or found.rows != {k: k for k in range(len(found.rows))}:
        key = _encoded(op, key, found.rows, len(found.table) - 1)
    return op.Cast(op.Gather(found.table, op.Squeeze(key, np.array([1])), axis=0), to=11)


def _encoded(op: Builder, x: Value, known: Mapping[int, int], other: int) -> Value:
    """What whole numbers stand for."""
    return op.ml.LabelEncoder(x, keys_int64s=list(known) or [_NONE], values_int64s=list(known.values()) or [other],
                              default_int64=other)


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
