"""What a source promises of its values that no operator of the hub says: texts in ``Graph.meta``, names in JSON.

They are read from files that anybody may have written: a name that is not there, or there twice, promises nothing."""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..ir.graph import Graph, Value

NONNEGATIVE = "tflite:nonnegative"
"""Integers that the source's kernels read as indices; they fail where ONNX's operators count from the end."""


def nonnegative(graph: Graph) -> dict[str, Value]:
    """The values of a graph that are promised not to be negative."""
    names = said(graph.meta, NONNEGATIVE)
    if not isinstance(names, list):
        return {}
    wanted = {n for n in names if isinstance(n, str)}
    return {name: v for name, v in integers(graph).items() if name in wanted}


def integers(graph: Graph) -> dict[str, Value]:
    """Integers that come in or that a node outside of bodies computes, by names that a file keeps."""
    ends = {v: k for k, v in graph.outputs.items()}
    outside = {*graph.inputs.values(), *(v for n in graph.nodes for v in n.outputs)}
    found = once([*graph.inputs.items(), *((v.name, v) for n in graph.walk() for v in n.outputs)])
    return {k: v for k, v in found.items() if v.dtype.kind == "i" and v in outside and ends.get(v, k) == k}


def once(named: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """Those whose name no other has."""
    found = list(named)
    counts = Counter(name for name, _ in found)
    return {name: v for name, v in found if name and counts[name] == 1}


def said(meta: Mapping[str, str], key: str) -> Any:
    """What stands under a key; ``None`` if that is nothing, or no JSON."""
    try:
        return json.loads(meta.get(key, "null"))
    except (ValueError, RecursionError):
        return None
