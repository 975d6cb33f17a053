"""One booster, of whatever file.

Sources: xgboost/doc/model.schema, src/learner.cc, src/tree/tree_model.cc, src/gbm/gbtree.cc."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...codecs import ubjson
from ...codecs.limits import DEFAULT, Limits
from ...errors import CorruptFile, Unsupported, printable
from ...ir.tensor import Array
from .. import ensemble
from ..ensemble import LT, Ensemble

F32 = np.float32
LOGIT = ("binary:logistic", "reg:logistic", "binary:logitraw")
LOG = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")


@dataclass(frozen=True, eq=False)
class Model:
    """``base`` are the margins that every row starts from, one for each output; ``trees`` or, of a linear booster,
    ``weights`` (features and the bias, outputs) are added to them."""

    objective: str
    outputs: int
    features: int
    base: Array
    trees: Ensemble | None
    weights: Array | None
    names: Sequence[str]
    version: tuple[int, ...]
    categorical: Sequence[int] = ()
    trees_per_round: int = 1
    attributes: Mapping[str, str] = field(default_factory=dict)
    categories: Sequence[Sequence[Any] | None] = ()
    """What the values of each column were called in training, where that was a table of categories (3.1)."""

    @property
    def per_round(self) -> int:
        """The number of trees that one round of boosting adds."""
        vector = self.trees is not None and self.trees.value.shape[1] > 1
        return self.trees_per_round * (1 if vector else self.outputs)

    def until(self, rounds: int) -> Model:
        """With the trees of the first rounds alone."""
        if self.trees is None or rounds * self.per_round >= len(self.trees.roots):
            return self
        count, trees = rounds * self.per_round, self.trees
        return replace(self, trees=replace(trees, roots=trees.roots[:count], target=trees.target[:count]).checked())

    @property
    def is_classifier(self) -> bool:
        return self.objective in ("binary:logistic", "multi:softprob", "multi:softmax", "binary:hinge",
                                  "binary:logitraw")


def parse(data: bytes, limits: Limits = DEFAULT) -> Model:
    """The booster in the bytes of a file, or of the handle in a pickle."""
    from .legacy import parse as legacy
    data = bytes(data)
    if data[:14] == b"CONFIG-offset:":  # pickles of 1.0 to 1.5: the offset of the configuration, then the model
        size = int.from_bytes(data[14:22], "little")
        data = data[22:size] if 22 < size <= len(data) else data[22:]
    head = data.lstrip(b" \t\r\n")[:2]
    try:
        if head[:1] == b"{":
            document = ubjson.text_loads(data, limits) if head[1:] in (b'"', b"\n", b" ", b"\r", b"\t", b"}") else \
                ubjson.loads(data, limits)
            return from_document(document.get("Model", document) if isinstance(document, dict) else document)
        return legacy(data, limits)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError) as e:
        raise CorruptFile(f"no XGBoost model: {type(e).__name__}: {printable(e, 100)}") from e


def from_document(document: Mapping[str, Any]) -> Model:
    """A model of JSON or UBJSON (1.0 and newer)."""
    version = tuple(int(v) for v in document["version"])
    learner = document["learner"]
    parameters, objective = learner["learner_model_param"], str(learner["objective"]["name"])
    booster = learner["gradient_booster"]
    kind = str(booster["name"])
    features = int(parameters["num_feature"])
    outputs = max(int(parameters.get("num_class", 0)), int(parameters.get("num_target", 1)), 1)
    names = [str(n) for n in learner.get("feature_names") or ()]
    base = margins(objective, parameters["base_score"], outputs, version)
    if kind == "gblinear":
        weights = np.asarray(booster["model"]["weights"], F32)
        base = np.broadcast_to(base[:1], base.shape)  # of several it adds the first to all outputs (seen in 3.2)
        return Model(objective, outputs, features, base, None, _linear(weights, features, outputs), names, version)
    if kind not in ("gbtree", "dart"):
        raise Unsupported(f"the booster '{printable(kind)}'")
    inner = booster["gbtree"] if kind == "dart" else booster
    drop = np.asarray(booster["weight_drop"], F32) if kind == "dart" else None
    made, categorical = [], set[int]()
    groups = [int(g) for g in inner["model"]["tree_info"]]
    for k, (tree, group) in enumerate(zip(inner["model"]["trees"], groups, strict=True)):
        one = _tree(tree, group, outputs, features)
        categorical |= {int(one.feature[n]) for n in one.members}
        made.append(_scaled(one, drop[k]) if drop is not None else one)
    per_round = int(inner["model"].get("gbtree_model_param", {}).get("num_parallel_tree", 1) or 1)
    return Model(objective, outputs, features, base, _all(made, outputs, features), None, names, version,
                 sorted(categorical), per_round, {str(k): str(v) for k, v in (learner.get("attributes") or {}).items()},
                 _categories(inner["model"].get("cats") or {}, features))


def _categories(cats: Mapping[str, Any], features: int) -> list[Sequence[Any] | None]:
    """For each column its categories, texts or numbers, or ``None``."""
    made: list[Sequence[Any] | None] = []
    for one in cats.get("enc") or ():
        values = np.asarray(one["values"])
        if "offsets" in one:
            ends, raw = [int(k) for k in one["offsets"]], bytes(values.astype(np.uint8).tolist())
            made.append([raw[i:j].decode("utf-8", "replace") for i, j in pairwise(ends)] or None)
        else:
            made.append(values.tolist() or None)
    return made if len(made) == features else []


def _all(trees: list[Ensemble], outputs: int, features: int) -> Ensemble:
    if not trees:
        none, no_real = np.zeros(0, np.int64), np.zeros(0, F32)
        return Ensemble(none, none, none, none, no_real, none.astype(bool), no_real[:, None], none, outputs, features,
                        LT)
    if len({t.value.shape[1] for t in trees}) > 1:
        raise Unsupported("trees of one output beside trees of several")
    return ensemble.joined(trees).checked()


def _tree(tree: Mapping[str, Any], group: int, outputs: int, features: int) -> Ensemble:
    left, right = (np.asarray(tree[k], np.int64) for k in ("left_children", "right_children"))
    count, leaf = len(left), left < 0
    feature, threshold = np.asarray(tree["split_indices"], np.int64), np.asarray(tree["split_conditions"], F32)
    default_left = np.asarray(tree["default_left"]).astype(bool)
    width = max(1, int((tree.get("tree_param") or {}).get("size_leaf_vector", 1) or 1))
    if width > 1:
        value = _vectors(tree, width, leaf, right)
    else:
        value = np.where(leaf, threshold, F32(0))[:, None]
    members: dict[int, Array] = {}
    sets = np.asarray(tree.get("categories", ()), np.int64)
    rows = zip(tree.get("categories_nodes", ()), tree.get("categories_segments", ()),
               tree.get("categories_sizes", ()), strict=True)
    for node, start, size in rows:
        members[int(node)] = sets[int(start):int(start) + int(size)]
    if members:  # a category of the set goes right: turned round, so that it goes left
        turned = np.zeros(count, bool)
        turned[list(members)] = True
        left, right = np.where(turned, right, left), np.where(turned, left, right)
        default_left = default_left ^ turned
    return Ensemble(np.array([0]), np.where(leaf, -1, left), np.where(leaf, -1, right), np.where(leaf, 0, feature),
                    np.where(leaf, F32(0), threshold), default_left & ~leaf, value,
                    np.array([group if width == 1 else 0]), outputs, features, LT, members)


def _vectors(tree: Mapping[str, Any], width: int, leaf: Array, right: Array) -> Array:
    """Leaves of several numbers: the weights of the leaves, whose number is where the right child would be (3.1), or
    those of all nodes (2.0).  Files of today have both, and where leaves were set anew (quantiles, absolute error),
    the first ones count."""
    if not len(tree.get("leaf_weights", ())):
        return np.where(leaf[:, None], np.asarray(tree["base_weights"], F32).reshape(-1, width), F32(0))
    table = np.asarray(tree["leaf_weights"], F32).reshape(-1, width)
    return np.where(leaf[:, None], table[np.where(leaf, np.maximum(right, 0), 0)], F32(0))


def _scaled(tree: Ensemble, weight: Any) -> Ensemble:
    return replace(tree, value=(tree.value * F32(weight)).astype(F32))


def _linear(weights: Array, features: int, outputs: int) -> Array:
    if weights.size != (features + 1) * outputs:
        raise CorruptFile(f"{weights.size} weights of {features} features and {outputs} outputs")
    return weights.reshape(features + 1, outputs)


def margins(objective: str, base_score: Any, outputs: int, version: Sequence[int]) -> Array:
    """What every row starts from.  Files of 1.0 and newer hold it as a prediction; 3.1 and newer as a list."""
    import json
    if isinstance(base_score, str):
        base_score = json.loads(base_score)
    base = np.atleast_1d(np.asarray(base_score, F32))
    if len(base) not in (1, outputs):
        raise CorruptFile(f"{len(base)} base scores of {outputs} outputs")
    with np.errstate(divide="ignore"):
        if objective in LOGIT and not (objective == "binary:logitraw" and tuple(version[:2]) >= (1, 7)):
            base = -np.log((F32(1) / base - F32(1)).astype(np.float64)).astype(F32)  # as C's logf, but for 1 in 250
        elif objective in LOG:
            base = np.log(base.astype(np.float64)).astype(F32)
    if not np.isfinite(base).all():
        raise CorruptFile("a base score that is no number")
    return np.broadcast_to(base, (outputs,)).astype(F32)
