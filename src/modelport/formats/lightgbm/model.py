"""One booster, of text or of JSON.

Sources: LightGBM/src/boosting/gbdt_model_text.cpp, src/io/tree.cpp, include/LightGBM/tree.h (decisions)."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...codecs import ubjson
from ...codecs.limits import DEFAULT, Limits
from ...errors import CorruptFile, Unsupported, printable
from ...ir.tensor import Array
from .. import ensemble
from ..ensemble import LEQ, Ensemble

NOTHING = float(np.float32(1e-35))
"""Numbers of this magnitude and less are zeros to LightGBM when it predicts (kZeroThreshold)."""
NONE, ZERO, NAN = 0, 1, 2
"""What counts as a missing value: nothing (a NaN is a zero), zeros and NaN, NaN."""
_MISSING = {"None": NONE, "Zero": ZERO, "NaN": NAN}


@dataclass(frozen=True, eq=False)
class Linear:
    """Leaves that are linear functions: (leaves, features) and (leaves); where a feature of a leaf is NaN, the leaf
    is its plain value."""

    coefficients: Array
    used: Array
    constants: Array


@dataclass(frozen=True, eq=False)
class Model:
    """``objective`` is its name with its parameters; ``zero_missing`` are the features whose zeros are missing values,
    ``categorical`` those that are categories; ``converted``: the leaves are of the forests of LightGBM 2.2 and older
    (``version=v2``), which hold predictions: nothing is made of their mean.  LightGBM 2.3 and newer read such a file
    as if it did not, and answer with the sigmoid of a probability."""

    objective: str
    outputs: int
    features: int
    trees: Ensemble
    names: Sequence[str]
    average: int
    zero_missing: Sequence[int] = ()
    categorical: Sequence[int] = ()
    linear: Linear | None = None
    converted: bool = False
    labels: str = ""
    """What modelport wrote of the classes' names."""

    @property
    def task(self) -> str:
        return (self.objective.split() or [""])[0]

    def parameter(self, name: str, default: float) -> float:
        found = re.search(rf"\b{name}:(\S+)", self.objective)
        return float(found[1]) if found else default

    @property
    def is_classifier(self) -> bool:
        return self.task in ("binary", "multiclass", "multiclassova", "softmax", "ova")


def parse(data: bytes, limits: Limits = DEFAULT, iterations: int | None = None) -> Model:
    """The booster in the bytes of a file; ``iterations`` are how many rounds of it are used."""
    try:
        if data.lstrip()[:1] == b"{":
            return from_json(ubjson.text_loads(data, limits), iterations)
        return from_text(data.decode("utf-8", "replace"), iterations)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, AttributeError, ZeroDivisionError) as e:
        raise CorruptFile(f"no LightGBM model: {type(e).__name__}: {printable(e, 100)}") from e


def from_text(text: str, iterations: int | None = None) -> Model:
    """A model of ``save_model``: a head, then a block of lines for each tree."""
    blocks = [b for b in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")) if b.strip()]
    first = next((k for k, b in enumerate(blocks) if b.lstrip().startswith("Tree=")), len(blocks))
    head = _lines("\n".join(blocks[:first]))
    features = int(head["max_feature_idx"]) + 1
    outputs = int(head.get("num_tree_per_iteration", head.get("num_class", 1)))
    trees = [_from_lines(_lines(b), features) for b in blocks[first:] if b.lstrip().startswith("Tree=")]
    average = "average_output" in head
    made = _model(head.get("objective", ""), outputs, features, trees, head.get("feature_names", "").split(), average,
                  iterations)
    return replace(made, converted=average and head.get("version", "v2") == "v2", labels=head.get("labels", ""))


def _lines(block: str) -> dict[str, str]:
    made = {}
    for line in block.strip().split("\n"):
        key, _, value = line.partition("=")
        made[key.strip()] = value
    return made


@dataclass(frozen=True, eq=False)
class _Tree:
    """A tree with what only LightGBM has: how missing values are meant at each node, and linear leaves."""

    nodes: Ensemble
    missing: Array
    linear: tuple[Array, Array, Array] | None = None


def _from_lines(t: Mapping[str, str], features: int) -> _Tree:
    def numbers(name: str, dtype: Any) -> Array:
        return np.array(t.get(name, "").split(), dtype)
    leaves = int(t["num_leaves"])
    value = numbers("leaf_value", np.float64)
    if leaves != len(value) or leaves < 1:
        raise CorruptFile("a tree whose leaves do not fit their number")
    if leaves == 1:
        made = _assembled(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64),
                          np.zeros(0, np.int64), value, {}, features)
    else:
        decision = numbers("decision_type", np.int64) if "decision_type" in t else np.full(leaves - 1, 2)
        threshold, sets = numbers("threshold", np.float64), {}
        bounds, words = numbers("cat_boundaries", np.int64), numbers("cat_threshold", np.int64)
        for node in np.flatnonzero(decision & 1):
            k = int(threshold[node])
            sets[int(node)] = _members(words[bounds[k]:bounds[k + 1]])
        made = _assembled(numbers("split_feature", np.int64), threshold, decision, numbers("left_child", np.int64),
                          numbers("right_child", np.int64), value, sets, features)
    if t.get("is_linear", "0").strip() != "1":
        return made
    counts, used = numbers("num_features", np.int64), numbers("leaf_features", np.int64)
    weights = numbers("leaf_coeff", np.float64)
    coefficients, mask = np.zeros((leaves, features)), np.zeros((leaves, features), bool)
    owner = np.repeat(np.arange(leaves), counts)
    coefficients[owner, used], mask[owner, used] = weights, True
    return replace(made, linear=(coefficients, mask, numbers("leaf_const", np.float64)))


def _plain(t: _Tree, features: int) -> tuple[Array, Array, Array]:
    """A tree whose leaves are numbers, as one whose leaves are functions of nothing."""
    value = t.nodes.value[t.nodes.leaves, 0]
    none = np.zeros((len(value), features))
    return none, none.astype(bool), value


def _members(words: Array) -> Array:
    """The numbers whose bits are set."""
    bits = (words[:, None] >> np.arange(32)) & 1
    return np.flatnonzero(bits.ravel())


def _assembled(feature: Array, threshold: Array, decision: Array, left: Array, right: Array, value: Array,
               sets: Mapping[int, Array], features: int) -> _Tree:
    """Inner nodes first, then leaves; a negative child -k is leaf k - 1."""
    inner, leaves = len(feature), len(value)
    if not all(len(a) == inner for a in (threshold, decision, left, right)) or inner != leaves - 1:
        raise CorruptFile("a tree whose nodes do not fit their number")
    missing = (decision >> 2) & 3
    # the number itself is a zero, and not below this threshold
    threshold = np.where(threshold == -NOTHING, np.nextafter(-NOTHING, -np.inf), threshold)
    default_left = (decision & 2) > 0
    goes_left = np.where(missing == NONE, threshold >= 0, default_left)
    goes_left[list(sets)] = False  # NaN is in no set of categories, whatever counts as missing
    end, none = np.full(leaves, -1, np.int64), np.zeros(leaves)

    def child(c: Array) -> Array:
        return np.concatenate([np.where(c >= 0, c, inner + ~c), end])
    nodes = Ensemble(np.array([0]), child(left), child(right), np.concatenate([feature, none.astype(np.int64)]),
                     np.concatenate([threshold, none]), np.concatenate([goes_left, none.astype(bool)]).astype(bool),
                     np.concatenate([np.zeros(inner), value])[:, None], np.array([0]), 1, features, LEQ, dict(sets))
    return _Tree(nodes, np.concatenate([missing, none.astype(np.int64)]))


def from_json(document: Mapping[str, Any], iterations: int | None = None) -> Model:
    """A model of ``dump_model``."""
    features = int(document["max_feature_idx"]) + 1
    trees = [_from_structure(t["tree_structure"], features) for t in document["tree_info"]]
    outputs = int(document.get("num_tree_per_iteration", document.get("num_class", 1)))
    names = [str(n) for n in document.get("feature_names") or ()]
    return _model(str(document.get("objective") or ""), outputs, features, trees, names,
                  bool(document.get("average_output")), iterations)


def _walk(root: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Inner nodes in the order in which a stack meets them, without recursion."""
    stack, number = [root], 0
    while stack:
        node = stack.pop()
        if "split_feature" in node:
            yield number, node
            number += 1
            stack += [node["right_child"], node["left_child"]]


def _from_structure(root: Mapping[str, Any], features: int) -> _Tree:
    inner = [n for _, n in _walk(root)]
    place = {id(n): k for k, n in enumerate(inner)}
    value: list[float] = []
    sets: dict[int, Array] = {}

    def child(node: Mapping[str, Any]) -> int:
        if id(node) in place:
            return place[id(node)]
        value.append(float(node["leaf_value"]))
        if node.get("leaf_features"):
            raise Unsupported("linear leaves of a JSON dump; save the model as text")
        return -len(value)
    if not inner:
        value.append(float(root["leaf_value"]))
    rows = []
    for k, n in enumerate(inner):
        categorical = n["decision_type"] == "=="
        if categorical:
            sets[k] = np.array([int(c) for c in str(n["threshold"]).split("||") if c], np.int64)
        code = int(categorical) | 2 * bool(n["default_left"]) | _MISSING[str(n.get("missing_type", "None"))] << 2
        threshold = 0.0 if categorical else float(n["threshold"])
        rows.append((int(n["split_feature"]), threshold, code, child(n["left_child"]), child(n["right_child"])))
    table = np.array(rows, np.float64).reshape(-1, 5)
    whole = table.astype(np.int64)
    return _assembled(whole[:, 0], table[:, 1], whole[:, 2], whole[:, 3], whole[:, 4], np.array(value), sets, features)


def _model(objective: str, outputs: int, features: int, trees: list[_Tree], names: Sequence[str], average: bool,
           iterations: int | None) -> Model:
    if iterations:
        trees = trees[:iterations * outputs]
    if not trees or outputs < 1 or len(trees) % outputs:
        raise CorruptFile(f"{len(trees)} trees of {outputs} outputs")
    made = [replace(t.nodes, outputs=outputs, target=np.array([k % outputs])) for k, t in enumerate(trees)]
    whole = ensemble.joined(made).checked()
    zero, other = set[int](), set[int]()
    for t in trees:
        for node in np.flatnonzero(t.nodes.left >= 0):
            if int(node) not in t.nodes.members:
                kind = int(t.missing[node])
                (zero if kind == ZERO else other if kind == NAN else set()).add(int(t.nodes.feature[node]))
    if zero & other:
        raise Unsupported("a feature whose zeros are missing values in some trees only")
    linear = None
    if any(t.linear is not None for t in trees):
        parts = [t.linear or _plain(t, features) for t in trees]
        linear = Linear(*(np.concatenate([p[k] for p in parts]) for k in range(3)))
    categorical = sorted({int(t.nodes.feature[n]) for t in trees for n in t.nodes.members})
    return Model(objective, outputs, features, whole, names, len(trees) // outputs if average else 0, sorted(zero),
                 categorical, linear)
