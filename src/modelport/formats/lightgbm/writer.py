"""A booster as text, from trees and what is made of their sums.

Source: LightGBM/src/boosting/gbdt_model_text.cpp, src/io/tree.cpp (ToString)."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Array
from ...ir.types import Type
from .. import additive, membership
from ..booster import F64, I64
from ..ensemble import Ensemble, below

OBJECTIVES = {"identity": "regression", "logistic": "binary sigmoid:1", "softmax": "multiclass num_class:{}",
              "exponential": "poisson"}
NAN = 2 << 2
"""The bits of a question that say that NaN is a missing value."""


def from_hub(hub: Graph) -> Graph:
    """The graph as a booster of one node; :class:`UnsupportedModel` if it is none."""
    found = additive.recognised(hub, "LightGBM", membership.LIGHTGBM)
    if found.kind != "softmax" and found.trees.outputs > 1:
        problem = Unsupported("several numbers for each row, which LightGBM has of classes only",
                              next(iter(hub.outputs.values())).node)
        raise UnsupportedModel([problem], "LightGBM")
    x = Value(Type(F64, ("batch", found.trees.features)), "X")
    names = ["label", "probabilities"] if found.labelled else ["prediction"]
    types = [Type(I64 if n == "label" else F64, None) for n in names]
    node = Node("lightgbm.Booster", [x], {"text": text(found)}, types, names, "booster")
    return Graph({"X": x}, dict(zip(names, node.outputs, strict=True)), "booster").noted(*hub.notes, *found.noted())


def text(found: additive.Additive) -> str:
    """The file."""
    outputs, features = found.trees.outputs, found.trees.features
    lists: list[list[Ensemble]] = [[] for _ in range(outputs)]
    for tree, k in additive.single(found.trees):
        lists[k].append(tree)
    rounds = max(len(trees) for trees in lists)
    for trees in lists:  # a round has a tree for each output
        trees += [additive.stump(found.trees, 0.0)] * (rounds - len(trees))
    blocks = [_block(lists[k][r], r * outputs + k, found.wide) for r in range(rounds) for k in range(outputs)]
    names = " ".join(f"Column_{k}" for k in range(features))
    head = ["tree", "version=v4", f"num_class={outputs}", f"num_tree_per_iteration={outputs}", "label_index=0",
            f"max_feature_idx={features - 1}", f"objective={OBJECTIVES[found.kind].format(outputs)}",
            *([_told(found.labels)] if found.labels else []), f"feature_names={names}",
            "feature_infos=" + " ".join(["[-1e+308:1e+308]"] * features),
            "tree_sizes=" + " ".join(str(len(b)) for b in blocks), "", ""]
    return "\n".join(head) + "".join(blocks) + "end of trees\n\nparameters:\nend of parameters\n"


def _told(labels: Sequence[Any]) -> str:
    """What the numbers of the classes stand for, in a line that LightGBM passes over."""
    return "labels=" + json.dumps(labels).replace("=", "\\u003d")


def _numbers(values: Any) -> str:
    return " ".join(repr(float(v)) if isinstance(v, (float, np.floating)) else str(int(v)) for v in values)


def _block(t: Ensemble, number: int, wide: bool) -> str:
    """One tree: inner nodes are numbered by themselves, leaves by themselves, a child -k is leaf k - 1."""
    leaf = t.leaves
    inner, leaves = np.flatnonzero(~leaf), np.flatnonzero(leaf)
    place = np.zeros(len(t.left), np.int64)
    place[inner], place[leaves] = np.arange(len(inner)), -1 - np.arange(len(leaves))
    value = t.value[leaves, 0].astype(np.float64)
    threshold = (t.threshold if wide else below(t.threshold))[inner].astype(np.float64)
    asked = [int(n) for n in inner if int(n) in t.members]
    is_set = np.isin(inner, asked)
    threshold[is_set] = np.arange(len(asked))  # of a set, its number
    words = [_bits(t.members[n]) for n in asked]
    lines: dict[str, Any] = {"num_leaves": len(leaves), "num_cat": len(asked)}
    if len(inner):
        zeros = np.zeros(len(inner))
        lines |= {"split_feature": _numbers(t.feature[inner]), "split_gain": _numbers(zeros),
                  "threshold": _numbers(_finite(threshold)),
                  "decision_type": _numbers(NAN | np.where(is_set, 1, np.where(t.missing_left[inner], 2, 0))),
                  "left_child": _numbers(place[t.left[inner]]), "right_child": _numbers(place[t.right[inner]]),
                  "leaf_value": _numbers(value), "leaf_weight": _numbers(value * 0),
                  "leaf_count": _numbers(leaves * 0), "internal_value": _numbers(zeros),
                  "internal_weight": _numbers(zeros), "internal_count": _numbers(inner * 0)}
        if asked:
            lines |= {"cat_boundaries": _numbers(np.cumsum([0, *(len(w) for w in words)])),
                      "cat_threshold": _numbers(np.concatenate(words))}
    else:
        lines["leaf_value"] = _numbers(value)
    lines |= {"is_linear": 0, "shrinkage": 1}
    return f"Tree={number}\n" + "".join(f"{k}={v}\n" for k, v in lines.items()) + "\n\n"


def _bits(members: Array) -> Array:
    """A set as words of 32 bits."""
    at = np.asarray(members, np.int64)
    words = np.zeros(int(at.max(initial=0)) // 32 + 1, np.int64)
    np.bitwise_or.at(words, at // 32, 1 << at % 32)
    return words


def _finite(threshold: Array) -> Array:
    """Infinite thresholds, which the text cannot say, as the greatest numbers."""
    most = np.finfo(np.float64).max
    return np.clip(threshold, -most, most)


def write(raw: Graph, path: Path) -> None:
    """Writes ``path``."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    path.write_text(node.attrs["text"], encoding="utf-8")
