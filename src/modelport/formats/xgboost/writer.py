"""A booster as JSON or UBJSON, from trees and what is made of their sums.

Source: xgboost/doc/model.schema, src/tree/tree_model.cc (SaveModel)."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs import ubjson
from ...errors import UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.types import Type
from .. import additive, membership
from ..booster import F32, I64
from ..ensemble import Ensemble

OBJECTIVES = {"identity": "reg:squarederror", "logistic": "binary:logistic", "softmax": "multi:softprob",
              "exponential": "count:poisson"}
NEUTRAL = {"identity": "0E0", "logistic": "5E-1", "softmax": "0E0", "exponential": "1E0"}
"""The base score that adds nothing: bases are in the leaves."""
NO_PARENT = 2147483647


def from_hub(hub: Graph, *, schema: str = "2.1.0") -> Graph:
    """The graph as a booster of one node; :class:`UnsupportedModel` if it is none.

    ``schema`` is the version of XGBoost whose form of the file is written, from 1.6 on."""
    version = [int(p) for p in schema.split(".")] if schema.replace(".", "").isdigit() else []
    version += [0] * (3 - len(version))
    if not (1, 6) <= tuple(version[:2]) < (3, 1):
        raise UsageError(f"no schema of XGBoost '{printable(schema, 20)}' is known", hint="versions: 1.6 to 3.0")
    found = additive.recognised(hub, "XGBoost", membership.XGBOOST)
    x = Value(Type(F32, ("batch", found.trees.features)), "X")
    names = ["label", "probabilities"] if found.labelled else ["prediction"]
    types = [Type(I64 if n == "label" else F32, None) for n in names]
    node = Node("xgboost.Booster", [x], {"document": document(found, version)}, types, names, "booster")
    return Graph({"X": x}, dict(zip(names, node.outputs, strict=True)), "booster").noted(*hub.notes, *found.noted())


def document(found: additive.Additive, version: list[int]) -> dict[str, Any]:
    """The file as nested dictionaries."""
    trees = additive.single(found.trees)
    outputs, features = found.trees.outputs, found.trees.features
    classes, targets = (str(outputs), "1") if found.kind == "softmax" else ("0", str(outputs))
    objective: dict[str, Any] = {"name": OBJECTIVES[found.kind]}
    if found.kind == "softmax":
        objective["softmax_multiclass_param"] = {"num_class": classes}
    elif found.kind == "exponential":
        objective["poisson_regression_param"] = {"max_delta_step": "0.7"}
    else:
        objective["reg_loss_param"] = {"scale_pos_weight": "1"}
    each = max(1, len(trees))
    model = {"gbtree_model_param": {"num_parallel_tree": str(each) if outputs == 1 else "1",
                                    "num_trees": str(len(trees))},
             "iteration_indptr": [0, len(trees)], "tree_info": [k for _, k in trees],
             "trees": [_tree(t, k, features) for k, (t, _) in enumerate(trees)]}
    return {"learner": {
        "attributes": {"labels": json.dumps(found.labels)} if found.labels else {},
        "feature_names": [], "feature_types": [],
        "gradient_booster": {"model": model, "name": "gbtree"},
        "learner_model_param": {"base_score": NEUTRAL[found.kind], "boost_from_average": "1", "num_class": classes,
                                "num_feature": str(features), "num_target": targets},
        "objective": objective}, "version": version}


def _tree(t: Ensemble, number: int, features: int) -> dict[str, Any]:
    t = _beside(t)
    count, leaf = len(t.left), t.leaves
    parents = np.full(count, NO_PARENT, np.int32)
    inner = np.flatnonzero(~leaf)
    parents[t.left[inner]] = parents[t.right[inner]] = inner
    value = t.value[:, 0].astype(np.float32)
    nodes = sorted(t.members)
    sizes = [len(t.members[n]) for n in nodes]
    is_set = np.zeros(count, bool)
    is_set[nodes] = True  # a category of the set goes right
    left, right = np.where(is_set, t.right, t.left), np.where(is_set, t.left, t.right)
    real = np.zeros(count, np.float32)
    return {"base_weights": value,
            "categories": np.concatenate([np.zeros(0), *(np.sort(t.members[n]) for n in nodes)]).astype(np.int32),
            "categories_nodes": np.array(nodes, np.int32),
            "categories_segments": np.cumsum([0, *sizes])[:-1].astype(np.int64),
            "categories_sizes": np.array(sizes, np.int64),
            "default_left": (t.missing_left ^ is_set).astype(np.uint8), "id": number,
            "left_children": left.astype(np.int32), "loss_changes": real, "parents": parents,
            "right_children": right.astype(np.int32),
            "split_conditions": np.where(leaf, value, np.where(is_set, 0, additive.strictly(t))).astype(np.float32),
            "split_indices": t.feature.astype(np.int32), "split_type": is_set.astype(np.uint8), "sum_hessian": real,
            "tree_param": {"num_deleted": "0", "num_feature": str(features), "num_nodes": str(count),
                           "size_leaf_vector": "1"}}


def _beside(t: Ensemble) -> Ensemble:
    """The tree level by level: XGBoost finds a right child behind its left one.  Of a set that is the one for its
    categories."""
    order = [0]
    for node in order:
        if t.left[node] >= 0:
            pair = [int(t.left[node]), int(t.right[node])]
            order += pair[::-1] if node in t.members else pair
    kept = np.array(order)
    new = np.full(len(kept) + 1, -1, np.int64)
    new[kept] = np.arange(len(kept))
    return replace(t, left=new[t.left[kept]], right=new[t.right[kept]], feature=t.feature[kept],
                   threshold=t.threshold[kept], missing_left=t.missing_left[kept], value=t.value[kept],
                   members={int(new[n]): m for n, m in t.members.items()})


def write(raw: Graph, path: Path) -> None:
    """Writes ``path``, as UBJSON if its suffix is .ubj, else as JSON."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    made = node.attrs["document"]
    data = ubjson.dumps(made) if path.suffix.lower() == ".ubj" else \
        json.dumps(made, default=_plain, separators=(",", ":")).encode()
    path.write_bytes(data)


def _plain(array: Any) -> Any:
    """Numbers of 32 bits in the shortest decimals that come back as they were."""
    return [float(v) for v in array.astype(str)] if array.dtype.kind == "f" else array.tolist()
