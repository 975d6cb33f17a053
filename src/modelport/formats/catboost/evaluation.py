"""A model of CatBoost evaluated with numpy: rows of 32 bits, sums of 64, as CatBoost computes."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import Unsupported
from ...ir.tensor import Array
from ..evaluation import added, flat, logistic, softmax, two
from .ctr import Lookup
from .model import BINARY, LABELS, SEVERAL, Model
from .translate import EXPONENT, IDENTITY, classes


def results(model: Model, inputs: Sequence[Array], wanted: Sequence[str]) -> dict[str, Array]:
    """Each of the outputs named."""
    x = _rows(model, inputs)
    x = np.concatenate([x, *(_statistics(x, found, model) for found in model.lookups)], 1)
    raw = added(x, model.trees, model.trees.base, np.float64)
    made = {"margins": flat(raw)}
    if "prediction" in wanted:
        made["prediction"] = _prediction(raw, model)
    if "label" in wanted or "probabilities" in wanted:
        made["label"], made["probabilities"] = _label(raw, model), _probabilities(raw, model)
    return {k: made[k] for k in wanted}


def _rows(model: Model, inputs: Sequence[Array]) -> Array:
    """(rows, features); what is no category known is NaN in the columns of categories."""
    if not model.texts:
        x = inputs[0].astype(np.float32)
    else:
        x = np.zeros((len(inputs[0]), model.features), np.float32)
        for k, column in zip(model.used(), inputs, strict=True):
            codes = {w: n for n, w in enumerate(model.texts.get(k, ()))}
            x[:, k] = [codes.get(w, np.nan) for w in column[:, 0].tolist()] if k in model.texts else column[:, 0]
    x = x.astype(np.float64)
    for k, hashes in model.numbers.items():
        known = [n for numbers in hashes.values() for n in numbers]
        x[~np.isin(x[:, k], known), k] = np.nan
    return x


def _statistics(x: Array, found: Lookup, model: Model) -> Array:
    digits = []
    for feature, place in found.categories:
        known = {float(n): p for h, p in place.items() for n in model.numbers[feature][h]}
        digits.append([known.get(v, len(place)) for v in x[:, feature].tolist()])
    for q in found.questions:
        v = x[:, q.feature]
        with np.errstate(invalid="ignore"):
            yes = np.isin(v, model.numbers[q.feature][q.value]) if q.value is not None else \
                (v > q.border) | (np.isnan(v) & q.missing)
        digits.append(yes.astype(int).tolist())
    rows = []
    for row in zip(*digits, strict=True):
        key = 0
        for digit, base in zip(row, found.bases, strict=True):
            key = key * base + digit
        rows.append(found.rows.get(key, len(found.table) - 1))
    made: Array = found.table[np.array(rows, np.int64)].astype(np.float64)
    return made


def _probabilities(raw: Array, model: Model) -> Array:
    if model.loss in BINARY:
        return two(logistic(raw))
    return softmax(raw) if model.loss == "MultiClass" else logistic(raw)


def _label(raw: Array, model: Model) -> Array:
    if model.loss in LABELS:
        return (raw > 0).astype(np.int64)
    index = raw.argmax(1) if model.loss in SEVERAL else (raw[:, 0] > 0).astype(np.int64)
    names = classes(model)
    return np.array(names, object if isinstance(names[0], str) else np.int64)[index]


def _prediction(raw: Array, model: Model) -> Array:
    if model.loss in EXPONENT:
        return flat(np.exp(raw))
    if model.loss == "RMSEWithUncertainty":
        return np.stack([raw[:, 0], np.exp(2 * raw[:, 1])], 1)
    if model.loss in IDENTITY:
        return flat(raw)
    raise Unsupported(f"the loss '{model.loss}'")
