"""One model of CatBoost, of a .cbm file or of JSON.

Sources: catboost/libs/model (flatbuffers/model.fbs, features.fbs, model_export/json_model_helpers.cpp, evaluation)."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ...codecs import ubjson
from ...codecs.flatbuffer import Reader, Table, schema
from ...codecs.limits import DEFAULT, Limits
from ...errors import CorruptFile, Unsupported, printable
from ...ir.tensor import Array
from .. import ensemble
from ..ensemble import LEQ, Ensemble
from . import ctr, hashing
from .ctr import Ctr, Lookup, Question

MAGIC = b"CBM1"
BINARY = ("Logloss", "CrossEntropy")
SEVERAL = ("MultiClass", "MultiClassOneVsAll")
LABELS = ("MultiLogloss", "MultiCrossEntropy")
DEEPEST = 20


@dataclass(frozen=True, eq=False)
class Model:
    """``trees`` give the raw scores, scale and bias included, of ``features`` and, behind them, the columns of
    ``lookups``.

    ``whole`` are the features that are categories, which are whole numbers here; ``texts`` those that are texts, with
    the texts, whose positions stand for them as numbers (-1: none of them); ``numbers`` tells what is behind the
    hashes of each of these features.  ``cut``: CatBoost itself (1.2.10) misreads the file, of JSON whose statistics
    have sums that are not whole."""

    loss: str
    trees: Ensemble
    names: Sequence[str]
    labels: Sequence[Any]
    features: int
    whole: Sequence[int] = ()
    texts: Mapping[int, Sequence[str]] = field(default_factory=dict)
    lookups: Sequence[Lookup] = ()
    numbers: Mapping[int, Mapping[int, Sequence[int]]] = field(default_factory=dict)
    cut: bool = False

    @property
    def outputs(self) -> int:
        return self.trees.outputs

    def used(self) -> list[int]:
        """The features that trees or statistics ask for."""
        asked = set(self.trees.feature[self.trees.left >= 0].tolist())
        asked |= {f for found in self.lookups for f in
                  (*(f for f, _ in found.categories), *(q.feature for q in found.questions))}
        return sorted(f for f in asked if f < self.features)

    @property
    def is_classifier(self) -> bool:
        return self.loss in BINARY + SEVERAL + LABELS


def parse(data: bytes, limits: Limits = DEFAULT) -> Model:
    """The model in the bytes of a file, or of a pickle."""
    data = bytes(data)
    try:
        return from_binary(data, limits) if data[:4] == MAGIC else from_json(ubjson.text_loads(data, limits))
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError) as e:
        raise CorruptFile(f"no CatBoost model: {type(e).__name__}: {printable(e, 100)}") from e


# -- .cbm


def from_binary(data: bytes, limits: Limits = DEFAULT) -> Model:
    """A model of ``save_model``: a FlatBuffer, and behind it what categories of hashes need."""
    size = int.from_bytes(data[4:8], "little")
    reader = Reader(memoryview(data)[8:8 + size], schema("catboost"), None, limits)
    if size != reader.size or size < 8:
        raise CorruptFile("a CatBoost model that is cut off")
    core = Table(reader, "TModelCore", reader.follow(0), 0)
    t = core["ModelTrees"]
    if t is None:
        raise CorruptFile("a CatBoost model without trees")
    _refuse(text=t.count("TextFeatures"), estimated=t.count("EstimatedFeatures"),
            embedding=t.count("EmbeddingFeatures"))
    info = {i["Key"]: i["Value"] for i in core["InfoMap"] or ()}
    floats, one_hot, categories = t["FloatFeatures"] or [], t["OneHotFeatures"] or [], t["CatFeatures"] or []
    flat = {c["Index"]: c["FlatIndex"] for c in categories}
    as_true = {f["Index"]: (f["FlatIndex"], f["NanValueTreatment"] == "AsTrue") for f in floats}
    splits = [Question(f["FlatIndex"], float(b), f["NanValueTreatment"] == "AsTrue")
              for f in floats for b in (f["Borders"] if f["Borders"] is not None else ())]
    splits += [Question(flat[f["Index"]], value=int(v))
               for f in one_hot for v in (f["Values"] if f["Values"] is not None else ())]
    names = {f["FlatIndex"]: f["FeatureId"] or "" for f in [*floats, *categories]}
    ctrs: list[Ctr] = []
    if t.count("CtrFeatures"):
        if list(core["ModelPartIds"] or ()) != ["static_provider_v1"]:
            raise Unsupported("statistics of categories (CTR) that the file does not hold")
        ctrs = ctr.binary(t["CtrFeatures"], ctr.parts(memoryview(data)[8 + size:], limits), flat, as_true)
        splits += _asked(ctrs, names)
    dimension = max(1, t["ApproxDimension"])
    which, sizes, leaves = (_array(t, k) for k in ("TreeSplits", "TreeSizes", "LeafValues"))
    if len(which) and not 0 <= which.min() <= which.max() < max(len(splits), 1):
        raise CorruptFile("a CatBoost model with a split that is not there")
    starts = np.cumsum([0, *sizes])
    if (sizes < 0).any() or starts[-1] != len(which):
        raise CorruptFile("a CatBoost model whose splits do not fit its trees")
    steps = _array(t, "NonSymmetricStepNodes")
    made, at = [], 0
    for start, end in pairwise(starts):
        own = which[start:end]
        if len(steps):
            made.append(_walked(own, steps[start:end], _array(t, "NonSymmetricNodeIdToLeafId")[start:end], splits,
                                leaves, dimension))
        else:
            made.append(_oblivious([splits[k] for k in own], leaves[at:], dimension))
            at += dimension << len(own)
    bias = t["MultiBias"] if t.count("MultiBias") else np.full(dimension, t["Bias"])
    return _model(made, t["Scale"], bias, names, info, dimension, ctrs, set(flat.values()))


def _asked(ctrs: Sequence[Ctr], names: Mapping[int, str]) -> list[Question]:
    """The questions about statistics, which are features behind all others."""
    start = max(names, default=-1) + 1
    return [Question(start + k, float(b)) for k, c in enumerate(ctrs) for b in c.borders]


def _array(t: Table, name: str) -> Array:
    found = t[name]
    return np.zeros(0, np.int64) if found is None else np.asarray(found, np.float64 if found.dtype.kind == "f"
                                                                  else np.int64)


def _refuse(**kinds: int) -> None:
    what = {"text": "text features", "embedding": "embeddings", "estimated": "features estimated from text"}
    for kind, count in kinds.items():
        if count:
            raise Unsupported(f"{what[kind]}, which CatBoost alone computes; train without these features")


def _oblivious(splits: Sequence[Question], values: Array, dimension: int) -> Ensemble:
    """A tree whose levels each ask one question: the answers are the bits of the leaf's number, the first the last."""
    depth = len(splits)
    if depth > DEEPEST or len(values) < dimension << depth:
        raise CorruptFile("a CatBoost tree whose leaves do not fit its depth")
    inner = (1 << depth) - 1
    place = np.arange(inner)
    level = np.floor(np.log2(place + 1)).astype(np.int64)
    number = np.arange(1 << depth)
    bits = sum(((number >> (depth - 1 - k)) & 1) << k for k in range(depth)) if depth else number
    left = np.concatenate([2 * place + 1, np.full(1 << depth, -1)])
    chosen = [splits[k] for k in level.tolist()]
    value = np.asarray(values[:dimension << depth], np.float64).reshape(-1, dimension)[bits]
    return _ensemble(chosen, left, np.where(left < 0, -1, left + 1), np.concatenate([np.zeros((inner, dimension)),
                                                                                       value]))


def _walked(which: Array, steps: Array, leaf: Array, splits: Sequence[Question], values: Array,
            dimension: int) -> Ensemble:
    """A tree of steps: each node says how far behind it the next one is; where it says zero, the node ends the walk."""
    count = len(which)
    diff = np.stack([steps & 0xffff, steps >> 16], 1)
    child = np.arange(count)[:, None] + diff
    if count == 0 or (child >= count).any():
        raise CorruptFile("a CatBoost tree with a step that leaves it")
    asks: Array = np.asarray(diff.any(1))
    ends = asks[:, None] & (diff == 0)  # one side goes on, the other ends here: a leaf of its own
    extra = np.flatnonzero(ends.any(1))
    child[ends] = count + np.arange(len(extra))
    left, right = (np.concatenate([np.where(asks, child[:, k], -1), np.full(len(extra), -1)]) for k in (0, 1))
    owner = np.concatenate([np.arange(count), extra])
    start = leaf[owner]
    is_leaf = left < 0
    if (start[is_leaf] + dimension > len(values)).any():
        raise CorruptFile("a CatBoost tree with a leaf that is not there")
    table = values[np.where(is_leaf, start, 0)[:, None] + np.arange(dimension)]
    chosen = [splits[k] for k in which[asks].tolist()]
    order = np.argsort(is_leaf, kind="stable")  # inner nodes first
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    moved = [np.where(s[order] < 0, -1, new[s[order]]) for s in (left, right)]
    return _ensemble(chosen, moved[0], moved[1], np.where(is_leaf[:, None], table, 0)[order])


def _ensemble(splits: Sequence[Question], left: Array, right: Array, value: Array) -> Ensemble:
    """Inner nodes with their questions first, then leaves; a row that answers yes goes right."""
    count = len(left)

    def column(get: Any, dtype: Any) -> Array:
        return np.array([get(s) for s in splits] + [0] * (count - len(splits)), dtype)
    members = {k: np.array([s.value]) for k, s in enumerate(splits) if s.value is not None}
    sides = [left.copy(), right.copy()]
    at = list(members)
    sides[0][at], sides[1][at] = right[at], left[at]  # the record's sets go left
    return Ensemble(np.array([0]), sides[0], sides[1], column(lambda s: s.feature, np.int64),
                    column(lambda s: s.border, np.float32), column(lambda s: s.value is None and not s.missing, bool)
                    & (left >= 0), value, np.array([0]), value.shape[1], 0, LEQ, members)


# -- JSON


def from_json(document: Mapping[str, Any]) -> Model:
    """A model of ``save_model(format="json")``."""
    features = document["features_info"]
    _refuse(text=len(features.get("text_features") or ()), embedding=len(features.get("embedding_features") or ()))
    floats, categories = features.get("float_features") or [], features.get("categorical_features") or []
    as_true = {f["feature_index"]: (f["flat_feature_index"], f.get("nan_value_treatment") == "AsTrue") for f in floats}
    flat_of = {f["feature_index"]: f["flat_feature_index"] for f in categories}
    names = {f["flat_feature_index"]: str(f.get("feature_id") or f.get("feature_name") or "")
             for f in [*floats, *categories]}
    described = features.get("ctrs") or []
    ctrs = ctr.from_json(described, document.get("ctr_data") or {}, flat_of, as_true)
    before = sum(len(f.get("borders") or ()) for f in floats) + sum(len(f.get("values") or ()) for f in categories)
    asked = _asked(ctrs, names)

    def split(s: Mapping[str, Any]) -> Question:
        if s["split_type"] == "FloatFeature":
            feature, missing = as_true[s["float_feature_index"]]
            return Question(feature, float(np.float32(s["border"])), missing)
        if s["split_type"] == "OnlineCtr":
            at = s["split_index"] - before
            if not 0 <= at < len(asked) or asked[at].border != float(np.float32(s["border"])):
                raise CorruptFile("a CatBoost model with a question about a statistic that is not there")
            return asked[at]
        if s["split_type"] == "OneHotFeature":
            return Question(flat_of[s["cat_feature_index"]], value=int(s["value"]))
        raise Unsupported(f"splits of the type '{printable(s['split_type'], 40)}'")
    scale, bias = document.get("scale_and_bias", [1, [0]])
    bias = np.atleast_1d(np.asarray(bias, np.float64))
    made = []
    dimension = 1
    for tree in document.get("oblivious_trees") or ():
        own = [split(s) for s in tree.get("splits") or ()]
        dimension = len(tree["leaf_values"]) >> len(own)
        made.append(_oblivious(own, np.asarray(tree["leaf_values"], np.float64), max(dimension, 1)))
    for tree in document.get("trees") or ():
        made.append(_nested(tree, split))
        dimension = made[-1].outputs
    info = {k: v if isinstance(v, str) else json.dumps(v) for k, v in document.get("model_info", {}).items()}
    texts: dict[int, list[str]] = {}
    for entry in features.get("cat_features_hash") or ():
        h = int(entry["hash"])
        texts.setdefault(h - (1 << 32) if h >> 31 else h, []).append(str(entry["value"]))
    model = _model(made, float(scale), bias, names, info, max(dimension, 1), ctrs, set(flat_of.values()), texts)
    return replace(model, cut=any((c.counts.found % 1).any() for c in ctrs))


def _nested(root: Mapping[str, Any], split: Any) -> Ensemble:
    inner: list[Question] = []
    leaves: list[Array] = []
    links: list[tuple[int, int, int]] = []
    stack: list[tuple[Mapping[str, Any], int, int]] = [(root, -1, 0)]
    while stack:
        node, parent, side = stack.pop()
        if "split" in node:
            links.append((parent, side, len(inner)))
            stack += [(node["right"], len(inner), 1), (node["left"], len(inner), 0)]
            inner.append(split(node["split"]))
        else:
            leaves.append(np.atleast_1d(np.asarray(node["value"], np.float64)))
            links.append((parent, side, -len(leaves)))
    sides = np.full((2, len(inner) + len(leaves)), -1)
    for parent, side, child in links:
        if parent >= 0:
            sides[side, parent] = child if child >= 0 else len(inner) - child - 1
    value = np.concatenate([np.zeros((len(inner), len(leaves[0]))), np.stack(leaves)])
    return _ensemble(inner, sides[0], sides[1], value)


# -- both


def _model(trees: Sequence[Ensemble], scale: float, bias: Array, names: Mapping[int, str], info: Mapping[str, str],
           dimension: int, ctrs: Sequence[Ctr], categories: Set[int],
           texts: Mapping[int, list[str]] | None = None) -> Model:
    features = max(names, default=-1) + 1
    if not trees:
        raise Unsupported("a model without trees")
    if any(t.outputs != dimension for t in trees) or len(bias) not in (1, dimension) or features > 1 << 24:
        raise CorruptFile("a CatBoost model whose leaves do not fit its outputs")
    whole = ensemble.joined([replace(t, features=features + len(ctrs)) for t in trees]).checked()
    value = whole.value * scale if scale != 1 else whole.value
    made = replace(whole, value=value, base=np.broadcast_to(bias, (dimension,)).astype(np.float64))
    known = _known(made, ctrs, categories, texts)
    numbers = known.numbers
    made = replace(made, members={k: np.array([n for h in m for n in numbers[int(made.feature[k])][int(h)]])
                                  for k, m in made.members.items()})
    if ctrs:
        column = np.concatenate([np.arange(features), features + np.array(known.columns)])
        made = replace(made, feature=column[made.feature])
    parameters = json.loads(info.get("params", "{}"))
    loss = str((parameters.get("loss_function") or {}).get("type", ""))
    classes = json.loads(info.get("class_params", "{}") or "{}") or {}
    labels = list(classes.get("class_names") or classes.get("class_to_label") or ())
    return Model(loss, made, [names.get(k) or "" for k in range(features)], labels, features,
                 sorted(numbers.keys() - known.texts.keys()), known.texts, known.lookups, numbers)


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of categories, as in :class:`Model`; ``columns``: the place of each statistic."""

    numbers: Mapping[int, Mapping[int, Sequence[int]]]
    texts: Mapping[int, Sequence[str]]
    lookups: Sequence[Lookup]
    columns: Sequence[int]


def _known(trees: Ensemble, ctrs: Sequence[Ctr], categories: Set[int],
           texts: Mapping[int, list[str]] | None) -> _Known:
    """The texts or whole numbers behind the hashes of categories."""
    told = ctr.told(ctrs)
    used = {f: set(hashes) for f, hashes in told.items()}
    asked = [(int(trees.feature[k]), int(h)) for k, m in trees.members.items() for h in m]
    for feature, h in [*asked, *((q.feature, q.value) for c in ctrs for q in c.of.questions if q.value is not None)]:
        used.setdefault(feature, set()).add(h)
    if any(f not in categories for f in used):
        raise CorruptFile("a CatBoost model that asks for the category of a number")
    hashes = set().union(*used.values())
    if not hashes and not ctrs:
        return _Known({}, {}, (), ())
    behind: Mapping[int, Sequence[Any]] = texts or hashing.few()
    if not texts and hashes - behind.keys():
        behind = hashing.many(hashes)
    if hashes - behind.keys():
        raise Unsupported(ctr.UNKNOWN)
    lookups, columns = ctr.lookups(ctrs, {f: np.array(sorted(h), np.int64) for f, h in told.items()},
                                   np.array(sorted(behind), np.int64))
    for found in lookups:
        for feature, place in found.categories:
            used.setdefault(feature, set()).update(place)
    if not texts:
        return _Known({f: {h: behind[h] for h in own} for f, own in used.items()}, {}, lookups, columns)
    words = {f: sorted(w for h in own for w in behind[h]) for f, own in used.items()}
    whole = {f for f, own in words.items() if all(_is_whole(w) for w in own)}
    code = {f: {w: int(w) if f in whole else k for k, w in enumerate(own)} for f, own in words.items()}
    numbers = {f: {h: [code[f][w] for w in behind[h]] for h in own} for f, own in used.items()}
    return _Known(numbers, {f: own for f, own in words.items() if f not in whole}, lookups, columns)


def _is_whole(text: str) -> bool:
    return text.lstrip("-").isascii() and text.lstrip("-").isdigit() and str(int(text)) == text and \
        abs(int(text)) <= 1 << 24
