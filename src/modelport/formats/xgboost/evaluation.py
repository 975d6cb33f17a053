"""A booster of XGBoost evaluated with numpy, in float32 as XGBoost computes."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import Unsupported
from ...ir.tensor import Array
from ..evaluation import added, cut, flat, logistic, reached, softmax, two
from .model import LOG, Model
from .translate import IDENTITY


def results(model: Model, inputs: Sequence[Array], wanted: Sequence[str]) -> dict[str, Array]:
    """Each of the outputs named."""
    x = inputs[0].astype(np.float32)
    made = {"leaves": _leaves(x, model)} if "leaves" in wanted else {}
    if set(wanted) - {"leaves"}:
        m = _margins(x, model)
        made["margins"] = flat(m)
        if "prediction" in wanted:
            made["prediction"] = _prediction(m, model)
        if {"label", "probabilities"} & set(wanted):
            p = made["probabilities"] = _probabilities(m, model)
            several = model.objective == "binary:logistic" and model.outputs > 1
            made["label"] = (p > 0.5).astype(np.int64) if several else \
                (p[:, 1] > 0.5).astype(np.int64) if model.outputs == 1 else p.argmax(1)
    return {k: made[k] for k in wanted}


def _margins(x: Array, model: Model) -> Array:
    if model.trees is not None:
        return added(*cut(x, model.trees, model.categorical, np.floor), model.base, np.float32)
    assert model.weights is not None
    known = np.where(np.isnan(x), 0, x).astype(np.float64)
    made: Array = (known @ model.weights[:-1] + model.weights[-1] + model.base).astype(np.float32)
    return made


def _leaves(x: Array, model: Model) -> Array:
    if model.trees is None:
        raise Unsupported("leaves of a linear booster")
    return reached(*cut(x, model.trees, model.categorical, np.floor)) - model.trees.roots


def _probabilities(m: Array, model: Model) -> Array:
    if model.outputs == 1 and model.objective in ("binary:hinge", "binary:logitraw"):
        return two((m > 0).astype(np.float32) if model.objective == "binary:hinge" else m)
    if model.objective in ("binary:logistic", "reg:logistic"):
        return two(logistic(m)) if model.outputs == 1 else logistic(m)
    if model.objective.startswith("multi:"):
        return softmax(m)
    raise Unsupported(f"probabilities of the objective '{model.objective}'")


def _prediction(m: Array, model: Model) -> Array:
    o = model.objective
    if o == "multi:softprob":
        return softmax(m)
    if o == "multi:softmax":
        return m.argmax(1).astype(np.float32)
    if o in ("binary:logistic", "reg:logistic"):
        return flat(logistic(m))
    if o == "binary:hinge":
        return flat((m > 0).astype(np.float32))
    if o in LOG:
        return flat(np.exp(m))
    if o in IDENTITY:
        return flat(m)
    raise Unsupported(f"the objective '{o}'")
