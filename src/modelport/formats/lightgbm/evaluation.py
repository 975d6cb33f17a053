"""A booster of LightGBM evaluated with numpy, in float64 as LightGBM computes."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import Unsupported
from ...ir.tensor import Array
from ..evaluation import added, cut, flat, logistic, reached, softmax, two
from .model import NOTHING, Model
from .translate import IDENTITY


def results(model: Model, inputs: Sequence[Array], wanted: Sequence[str]) -> dict[str, Array]:
    """Each of the outputs named."""
    x = inputs[0].astype(np.float64)
    rows = x.copy()
    for k in model.zero_missing:
        rows[np.abs(rows[:, k]) <= NOTHING, k] = np.nan
    rows, trees = cut(rows, model.trees, model.categorical, np.trunc)
    leaf = reached(rows, trees) if "leaves" in wanted or model.linear is not None else None
    made: dict[str, Array] = {}
    if "leaves" in wanted:
        assert leaf is not None
        made["leaves"] = _numbers(model)[leaf]
    if set(wanted) - {"leaves"}:
        raw = added(rows, trees, trees.base, np.float64) if leaf is None or model.linear is None \
            else _linear(x, leaf, model)
        made["margins"] = flat(raw)
        raw = raw / model.average if model.average > 1 else raw
        if "prediction" in wanted:
            made["prediction"] = _prediction(raw, model)
        if {"label", "probabilities"} & set(wanted):
            made["probabilities"] = _probabilities(raw, model)
            made["label"] = made["probabilities"].argmax(1)
    return {k: made[k] for k in wanted}


def _numbers(model: Model) -> Array:
    """The number of each leaf within its tree, as LightGBM counts."""
    made = np.zeros(len(model.trees.left), np.int64)
    for start, end in zip(model.trees.roots, [*model.trees.roots[1:], len(made)], strict=True):
        own = np.flatnonzero(model.trees.leaves[start:end]) + start
        made[own] = np.arange(len(own))
    return made


def _linear(x: Array, leaf: Array, model: Model) -> Array:
    assert model.linear is not None
    number = np.cumsum(model.trees.leaves) - 1
    out = np.zeros((len(x), model.outputs))
    for k in range(leaf.shape[1]):
        at = number[leaf[:, k]]
        used = model.linear.used[at] != 0
        line = (model.linear.coefficients[at] * np.where(used, x, 0)).sum(1) + model.linear.constants[at]
        lost = (used & np.isnan(x)).any(1)
        out[:, k % model.outputs] += np.where(lost, model.trees.value[leaf[:, k], 0], line)
    return out


def _probabilities(raw: Array, model: Model) -> Array:
    sigmoid = model.parameter("sigmoid", 1.0)
    if model.task == "binary":
        return two(raw if model.converted else logistic(raw, sigmoid))
    if model.converted:
        return raw
    if model.task in ("multiclass", "softmax"):
        return softmax(raw)
    if model.task in ("multiclassova", "ova"):
        return logistic(raw, sigmoid)
    raise Unsupported(f"probabilities of the objective '{model.objective}'")


def _prediction(raw: Array, model: Model) -> Array:
    task = model.task
    if model.is_classifier:
        p = _probabilities(raw, model)
        return p[:, 1] if task == "binary" else p
    if model.converted:
        return flat(raw)
    if task in ("poisson", "gamma", "tweedie"):
        return flat(np.exp(raw))
    if task in ("cross_entropy", "xentropy"):
        return flat(logistic(raw))
    if task in ("cross_entropy_lambda", "xentlambda"):
        return flat(np.log1p(np.exp(raw)))
    if "sqrt" in model.objective.split():
        return flat(np.sign(raw) * raw * raw)
    if task in IDENTITY:
        return flat(raw)
    raise Unsupported(f"the objective '{model.objective}'")
