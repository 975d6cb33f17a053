"""What a hub graph says about the values its inputs may take: tables that are indexed, categories, thresholds.

Everything here is read from the graph, nothing is run."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..hub.letters import alphabet
from ..hub.opset import split
from ..ir.graph import Graph, Node, Value
from ..ir.tensor import Tensor
from ..ir.types import is_float

# the position of the input that indexes, and where the bound of the index is found: an axis of input 0
INDEX = {"Gather": 1, "GatherElements": 1, "GatherND": 1, "ScatterElements": 1, "ScatterND": 1, "OneHot": 0}
EXTENT = {"Reshape": (1,), "Expand": (1,), "Range": (0, 1, 2), "TopK": (1,), "Tile": (1,), "ConstantOfShape": (0,),
          "Resize": (3,), "OneHot": (1,), "Loop": (0,), "Slice": (1, 2, 3, 4), "Pad": (1,), "Split": (1,),
          "NonMaxSuppression": (2,), "EyeLike": (0,), "Trilu": (1,), "CenterCropPad": (1,), "HannWindow": (0,),
          "HammingWindow": (0,), "BlackmanWindow": (0,), "MelWeightMatrix": (0, 1, 2), "STFT": (1, 3), "DFT": (1, 2)}
PASSING = {"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Concat", "Slice", "Split",
           "Expand", "Tile", "Gather", "Where"}
"""Operators that hand on the elements they get."""
CATEGORY_KEYS = ("keys_strings", "keys_int64s", "keys_floats", "keys_tensor", "cats_strings", "cats_int64s",
                 "classlabels_strings", "vocabulary", "pool_strings", "string_vocabulary", "int64_vocabulary",
                 "stopwords")


@dataclass
class Domain:
    """What is known of one input.

    ``index``: every element stays in [0, index); ``extent``: the elements are sizes, counts or axes; ``mask``: zeros
    and ones; ``categories``: values that an encoder knows; ``separator``: texts are taken apart at it, the empty one
    stands for any white space; ``alphabet``: the characters that texts are told apart by."""

    index: int | None = None
    extent: bool = False
    mask: bool = False
    categories: list[Any] = field(default_factory=list)
    separator: str | None = None
    alphabet: frozenset[str] | None = None


def domains(graph: Graph) -> dict[str, Domain]:
    """The domain of each input of a hub graph that is not a plain float."""
    readers: dict[Value, list[tuple[Node, int]]] = {}
    for node in graph.nodes:
        for k, v in enumerate(node.inputs):
            if v is not None:
                readers.setdefault(v, []).append((node, k))
    out = {}
    for name, value in graph.inputs.items():
        domain = out[name] = Domain()
        if "mask" in name.lower() and value.dtype.kind in "iu":
            domain.mask = True
        exact: dict[Value, bool] = {value: True}  # reached value -> still the input's own elements
        queue = [value]
        for v in queue:
            for node, k in readers.get(v, ()):
                _learn(domain, node, k, exact[v])
                keeps = split(node.op)[1] in PASSING
                for o in node.outputs:
                    # integers that arithmetic has made of the input may still end as an index
                    if o not in exact and (keeps or (not is_float(o.dtype) and not is_float(v.dtype))):
                        exact[o] = exact[v] and keeps
                        queue.append(o)
    return out


def _learn(domain: Domain, node: Node, k: int, exact: bool) -> None:
    name = split(node.op)[1]
    v = node.inputs[k]
    assert v is not None
    integer = v.dtype.kind in "iu"
    if integer and INDEX.get(name) == k:
        bound = _bound(node)
        # arithmetic between the input and the index: only zero and one are safe without knowing it
        bound = bound if exact else min(2, bound)
        domain.index = bound if domain.index is None else min(domain.index, bound)
    if integer and k in EXTENT.get(name, ()):
        domain.extent = True
    if name == "StringSplit" and (domain.separator is None or not node.attrs.get("delimiter")):
        domain.separator = str(node.attrs.get("delimiter") or "")
    if name == "Equal" and exact and v.dtype.kind in "iuO":  # the value of a switch, such as a sampling rate
        other = node.inputs[1 - k]
        if other is not None and other.data is not None:
            domain.categories.extend(other.numpy().ravel().tolist()[:256])
    letters = alphabet(node.attrs.get("keys_strings", ())) if name == "LabelEncoder" else None
    if letters is not None:
        domain.alphabet = letters & (domain.alphabet or letters)
    elif name in ("LabelEncoder", "OneHotEncoder", "CategoryMapper", "TfIdfVectorizer", "StringNormalizer"):
        for key in CATEGORY_KEYS:
            found = node.attrs.get(key)
            if isinstance(found, Tensor):
                found = found.numpy().ravel().tolist()
            if found:
                domain.categories.extend(list(found)[:256])


def _bound(node: Node) -> int:
    """The number of entries along the axis that ``node`` indexes; small where it is not known."""
    if node.op == "OneHot":
        depth = node.inputs[1]
        return int(depth.numpy().ravel()[0]) if depth is not None and depth.data is not None else 2
    table = node.inputs[0]
    if table is None or not table.shape:
        return 1
    if node.op in ("GatherND", "ScatterND"):
        first = node.attrs.get("batch_dims", 0)
        indices = node.inputs[1]
        depth_dim = indices.shape[-1] if indices is not None and indices.shape else None
        stop = first + depth_dim if isinstance(depth_dim, int) else len(table.shape)
        dims = table.shape[first:stop]
    else:
        dims = (table.shape[node.attrs.get("axis", 0)],)
    known = [d for d in dims if isinstance(d, int)]
    return max(1, min(known)) if len(known) == len(dims) and known else 1


BENDS = ("alpha", "beta", "lambd", "bias", "threshold", "replaced_value_float")
"""Attributes that say where an operator bends."""


def constants(graph: Graph) -> list[float]:
    """Scalar numbers that the graph compares or clips with: the places where behaviour changes."""
    found: dict[float, None] = {}
    for node in graph.walk():
        if len(found) > 64:
            break
        numbers = [float(a) for k, a in node.attrs.items() if isinstance(a, float) and k in BENDS]
        numbers += [float(v.numpy().ravel()[0]) for v in node.inputs
                    if v is not None and v.data is not None and v.type.size == 1 and is_float(v.dtype)]
        for x in numbers:
            if np.isfinite(x) and 1e-12 < abs(x) < 1e12:
                found.setdefault(x)
    return list(found)[:64]


@dataclass(frozen=True)
class Split:
    """One comparison of a tree ensemble, and a row that reaches it: feature values by (input, column)."""

    place: tuple[str, int]
    threshold: float
    path: Mapping[tuple[str, int], float]


def splits(graph: Graph, limit: int) -> list[Split]:
    """Comparisons of the tree ensembles that look at graph inputs, evenly chosen if there are more than ``limit``."""
    per: list[list[Split]] = []
    for node in graph.walk():
        first = node.inputs[0] if node.inputs else None
        if node.op.startswith("ai.onnx.ml.TreeEnsemble") and first is not None:
            places = columns(graph, first)
            if places:
                per.append(list(_splits(node, places)))
    every = [s for one in per for s in one]
    if len(every) <= limit:
        return every
    step = len(every) / limit
    return [every[int(k * step)] for k in range(limit)]


def columns(graph: Graph, value: Value) -> list[tuple[str, int]]:
    """Which input and column each feature of a [rows, features] value is; empty if something computes it."""
    names = {v: k for k, v in graph.inputs.items()}
    if value in names:
        width = value.shape[-1] if value.shape else None
        return [(names[value], c) for c in range(width if isinstance(width, int) else 1)]
    node = value.node
    if node is None:
        return []
    if node.op in ("Identity", "Cast") and node.inputs[0] is not None:
        return columns(graph, node.inputs[0])
    if node.op == "Concat" and node.attrs.get("axis") in (1, -1):
        parts = [columns(graph, v) for v in node.inputs if v is not None]
        return [p for part in parts for p in part] if all(parts) else []
    if node.op == "Gather" and node.attrs.get("axis", 0) in (1, -1) and node.inputs[0] is not None:
        picked, places = node.inputs[1], columns(graph, node.inputs[0])
        if picked is not None and picked.data is not None and picked.rank == 1:
            numbers = picked.numpy().tolist()
            return [places[k] for k in numbers] if all(-len(places) <= k < len(places) for k in numbers) else []
    return []


def categories(graph: Graph) -> dict[tuple[str, int], list[Any]]:
    """What encoders know of a column of an input, by input and column."""
    found: dict[tuple[str, int], list[Any]] = {}
    for node in graph.nodes:
        if node.op != "ai.onnx.ml.LabelEncoder" or node.inputs[0] is None:
            continue
        places = columns(graph, node.inputs[0])
        keys = next((v for k, v in node.attrs.items() if k.startswith("keys_")), ())
        keys = keys.numpy().ravel().tolist() if isinstance(keys, Tensor) else list(keys)
        if len(places) == 1 and keys and alphabet(keys) is None:
            both = [k for k in found.get(places[0], keys) if k in keys]  # of several encoders what all know
            found[places[0]] = both or keys
    return found


def _splits(node: Node, places: list[tuple[str, int]]) -> Iterator[Split]:
    """The comparisons of one ensemble, in the form of either operator generation."""
    a = node.attrs
    if node.op.endswith("TreeEnsemble"):  # ai.onnx.ml 5: children and roots by position
        thresholds = a["nodes_splits"].numpy().ravel()
        feature, yes, no = a["nodes_featureids"], a["nodes_truenodeids"], a["nodes_falsenodeids"]
        leaf_yes, leaf_no = a.get("nodes_trueleafs", ()), a.get("nodes_falseleafs", ())
        is_leaf = [False] * len(feature)
        starts = list(a["tree_roots"])
        children = [(-1 if leaf_yes and leaf_yes[k] else yes[k], -1 if leaf_no and leaf_no[k] else no[k])
                    for k in range(len(feature))]
    else:
        stored = a.get("nodes_values_as_tensor")
        thresholds = stored.numpy().ravel() if stored is not None else np.asarray(a.get("nodes_values", ()))
        feature = a["nodes_featureids"]
        where = {key: k for k, key in enumerate(zip(a["nodes_treeids"], a["nodes_nodeids"], strict=True))}
        is_leaf = [m in ("LEAF", b"LEAF") for m in a["nodes_modes"]]
        starts = [k for (_, n), k in where.items() if n == 0]
        children = [(where.get((t, y), -1), where.get((t, n), -1)) for t, y, n in
                    zip(a["nodes_treeids"], a["nodes_truenodeids"], a["nodes_falsenodeids"], strict=True)]
    seen: set[int] = set()
    stack: list[tuple[int, dict[tuple[str, int], tuple[float, float]]]] = [(r, {}) for r in reversed(starts)]
    while stack:
        k, bounds = stack.pop()
        if k < 0 or k in seen or is_leaf[k] or feature[k] >= len(places):
            continue
        seen.add(k)
        place, t = places[feature[k]], float(thresholds[k])
        yield Split(place, t, {p: _inside(*b) for p, b in bounds.items()})
        lo, hi = bounds.get(place, (-np.inf, np.inf))
        # true is taken by the smaller values for <= and <, by the larger for >= and >; both ways are walked, and
        # a path that the other mode would take only costs a row that reaches a sibling
        stack.append((children[k][1], {**bounds, place: (max(lo, t), hi)}))
        stack.append((children[k][0], {**bounds, place: (lo, min(hi, t))}))


def _inside(lo: float, hi: float) -> float:
    if np.isfinite(lo) and np.isfinite(hi):
        return lo + (hi - lo) / 2
    if np.isfinite(lo):
        return lo + abs(lo) * 0.125 + 1
    return hi - abs(hi) * 0.125 - 1 if np.isfinite(hi) else 0.0


def takes_nan(graph: Graph) -> bool:
    """Whether the graph says itself what a missing value means: trees, imputers, tests for NaN."""
    return any(split(n.op)[1] in ("IsNaN", "Imputer") or n.op.startswith("ai.onnx.ml.TreeEnsemble")
               for n in graph.walk())
