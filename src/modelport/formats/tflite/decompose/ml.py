"""Operators of ``ai.onnx.ml`` without comparisons of doubles and without text.

What is computed is in :mod:`modelport.hub.decompose.ml`.  Here numbers of 64 bits are compared as integers, thresholds
of 64 bits are rounded so that every number of 32 bits goes where it went, and labels become their places in a list."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose import ml
from ....hub.decompose.ml.forest import NAN
from ....hub.infer import builder
from ....ir.graph import Graph, Made, Node, Value, rebuild
from ....ir.rules import Builder, apply
from ....ir.tensor import Array, Tensor
from ....ir.types import STRING, Type
from ....notes import Note
from ..from_onnx.trees import DOUBLE_BITS
from .table import replaces, rules

F32, F64, I64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
_OLD = ("ai.onnx.ml.TreeEnsembleRegressor", "ai.onnx.ml.TreeEnsembleClassifier")
_NEW = "ai.onnx.ml.TreeEnsemble"
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_LEAST, _INFINITY = np.iinfo(np.int64).min, int(np.array(np.inf).view(np.int64))

replaces(*_OLD, _NEW)


@rules(*_OLD)
def old_trees(op: Builder, x: Value, **attrs: Any) -> Any:
    """Sums in 32 bits; numbers of 64 bits are compared by their places in the order of all."""
    assert op.node is not None
    rule = ml.rules[op.node.op]
    tensors = {k: a.numpy().ravel() for k, a in attrs.items() if isinstance(a, Tensor) and a.type.dtype == F64}
    if x.dtype != F64 and not tensors:
        return apply(rule, op, op.node)
    values = tensors.pop("nodes_values_as_tensor", None)
    attrs.update({k: Tensor(a.astype(F32)) for k, a in tensors.items()})
    if x.dtype == F64:
        values = np.array(attrs.pop("nodes_values"), F32).astype(F64) if values is None else values
        attrs["nodes_values_as_tensor"] = Tensor(_places(values, attrs["nodes_modes"]))
        x = _ordered(op, x)
    elif values is not None:
        attrs["nodes_values_as_tensor"] = Tensor(_thresholds(values, attrs["nodes_modes"]))
    return rule(op, x, **attrs)


@rules(_NEW)
def trees(op: Builder, x: Value, **attrs: Any) -> Any:
    """Likewise."""
    assert op.node is not None
    rule, modes = ml.rules[_NEW], attrs["nodes_modes"].numpy().ravel().astype(int)
    if x.dtype != F64:
        return apply(rule, op, op.node)
    if (modes < 0).any() or (modes >= len(_MODES)).any():
        raise Unsupported("a mode of a number without a meaning")
    if "membership_values" in attrs:
        members = attrs["membership_values"].numpy().ravel().astype(F64)
        attrs["membership_values"] = Tensor(np.where(np.isnan(members), NAN, _places(members, [""] * len(members))))
    attrs["nodes_splits"] = Tensor(_places(attrs["nodes_splits"].numpy().ravel(), [_MODES[m] for m in modes]))
    attrs["leaf_weights"] = Tensor(attrs["leaf_weights"].numpy().ravel().astype(F32))
    return rule(op, _ordered(op, x), **attrs)


def _ordered(op: Builder, x: Value) -> Value:
    """Numbers of 64 bits by their places in the order of all, from their bits: both zeros are 0, NaN is the last.

    (The bits of a number are its place, those of a negative one count backward from the smallest integer.)"""
    bits = Node(DOUBLE_BITS, [x], {}, [Type(I64, x.shape)], origin="" if op.node is None else op.node.label).outputs[0]
    place = op.Where(op.Less(bits, np.int64(0)), op.Sub(np.array(_LEAST), op.Min(bits, np.int64(0))), bits)
    number = op.And(op.LessOrEqual(place, np.int64(_INFINITY)), op.GreaterOrEqual(place, np.int64(-_INFINITY)))
    made: Value = op.Where(number, place, np.array(NAN))
    return made


def _places(values: Array, modes: Sequence[str]) -> Array:
    """Thresholds as :func:`_ordered` has the features; nothing compares with a threshold that is NaN."""
    bits = values.astype(F64).view(np.int64)
    place = np.where(bits < 0, _LEAST - np.minimum(bits, 0), bits)
    upward = np.isin(np.array(modes, object), ("BRANCH_GT", "BRANCH_GTE"))
    return np.where(np.isnan(values), np.where(upward, NAN, _LEAST), place)


def _thresholds(values: Array, modes: Sequence[str]) -> Array:
    """Thresholds of 32 bits that part the numbers of 32 bits as those of 64 bits did.

    x <= t and x > t hold for the same x with the next lower number in the place of t, x < t and x >= t with the next
    higher one; nothing equals what 32 bits do not hold."""
    with np.errstate(over="ignore"):
        near = values.astype(F32)
    low = np.where(near.astype(F64) > values, np.nextafter(near, np.float32(-np.inf)), near)
    high = np.where(near.astype(F64) < values, np.nextafter(near, np.float32(np.inf)), near)
    kinds = np.array(modes, object)
    made = np.where(np.isin(kinds, ("BRANCH_LT", "BRANCH_GTE")), high, low)
    exact = np.where(near.astype(F64) == values, near, np.float32(np.nan))
    return np.where(np.isin(kinds, ("BRANCH_EQ", "BRANCH_NEQ")), exact, made).astype(F32)


# --------------------------------------------------------------------------------------------------------- labels

_CLASSIFIERS = {"ai.onnx.ml.TreeEnsembleClassifier": "classlabels_int64s", "ai.onnx.ml.LinearClassifier":
                "classlabels_ints", "ai.onnx.ml.SVMClassifier": "classlabels_ints"}
_MOVES = frozenset("Identity Reshape Squeeze Unsqueeze Flatten Transpose".split())


def labelled(graph: Graph) -> Graph:
    """The graph whose outputs are the numbers of labels where they were labels: TensorFlow Lite has no table of text.

    The labels, in the order of their numbers, are in ``meta`` as ``tflite:labels``, one a line."""
    texts = [v for v in graph.outputs.values() if v.dtype == STRING]
    if not texts:
        return graph
    sources = {_source(v) for v in texts}
    wanted = {s for s in sources if s is not None and all(_source(v) is s for v in _ends(graph, s))}
    lists: list[list[str]] = []
    notes: list[Note] = []
    moved: set[Value] = set()

    def rule(node: Node) -> Made:
        op = builder().at(node)
        if node in wanted:
            names, made = _numbered(op, node)
            lists.append(names)
            moved.update(v for v in made if v.dtype != STRING)
            notes.append(Note("changed", f"the output is the number of the label, from 0; the {len(names)} labels are "
                                         "in the metadata, tflite:labels", node.label))
            return made
        if node.op in _MOVES and node.inputs[0] in moved:
            again = op.add(node.op, *node.inputs, outputs=1, **node.attrs)
            moved.update(again)
            return again
        return None
    made = rebuild(graph, rule, bodies=False)
    if not lists:
        return graph
    meta = dict(made.meta)
    meta.setdefault("tflite:labels", "\n".join(name.replace("\n", " ") for name in lists[0]))
    return made.with_(meta=meta).noted(*notes)


def _source(v: Value) -> Node | None:
    """The node that makes labels of numbers, if nothing but moves lies between it and ``v``."""
    while v.node is not None and v.op in _MOVES and v.node.inputs[0] is not None:
        v = v.node.inputs[0]
    node = v.node
    if node is None or v is not node.outputs[0]:
        return None
    if node.op in _CLASSIFIERS and node.attrs.get("classlabels_strings"):
        return node
    table = node.inputs[0] if node.inputs else None
    if node.op in ("Gather", "ai.onnx.ml.ArrayFeatureExtractor") and table is not None and table.data is not None \
            and (table.rank == 1 or (table.rank == 2 and table.shape is not None and table.shape[0] == 1)):
        return node
    if node.op == "ai.onnx.ml.LabelEncoder" and node.inputs[0] is not None and node.inputs[0].dtype != STRING \
            and node.attrs.get("values_strings"):
        return node
    return None


def _ends(graph: Graph, source: Node) -> list[Value]:
    """The values made of the labels of ``source`` that are outputs of the graph or inputs of anything but a move."""
    carried, found = {source.outputs[0]}, []
    for node in graph.nodes:
        if node.op in _MOVES and node.inputs[0] in carried:
            carried.add(node.outputs[0])
        else:
            found += [node.outputs[0] for v in node.inputs if v in carried]
    return [*found, *(v for v in graph.outputs.values() if v in carried)]


def _numbered(op: Builder, node: Node) -> tuple[list[str], Sequence[Value]]:
    """The labels, and the node that gives their numbers."""
    attrs = dict(node.attrs)
    if node.op in _CLASSIFIERS:
        names = [str(s) for s in attrs.pop("classlabels_strings")]
        attrs[_CLASSIFIERS[node.op]] = tuple(range(len(names)))
        return names, op.add(node.op, *node.inputs, outputs=len(node.outputs), **attrs)
    if node.op == "ai.onnx.ml.LabelEncoder":
        names = [str(s) for s in attrs.pop("values_strings")]
        other = str(attrs.pop("default_string", "_Unused"))
        names = list(dict.fromkeys([*names, other]))
        given = [names.index(str(s)) for s in node.attrs["values_strings"]]
        return names, op.add(node.op, *node.inputs, outputs=1, values_int64s=tuple(given),
                             default_int64=names.index(other), **attrs)
    table = node.inputs[0]
    assert table is not None
    names = [str(s) for s in table.numpy().ravel()]
    numbers = np.arange(len(names), dtype=np.int64).reshape(table.numpy().shape)
    return names, op.add(node.op, numbers, *node.inputs[1:], outputs=1, **attrs)
