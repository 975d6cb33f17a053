"""Probabilities as maps from classes to numbers (ai.onnx.ml.ZipMap), the form that older converters write.

A map is no tensor, and the hub has none: reading takes the numbers as they were before, (rows, classes)."""
from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.types import STRING, Type
from . import meta

ZIPMAP = "ai.onnx.ml.ZipMap"
F32 = np.dtype(np.float32)
_LABELS = ("classlabels_strings", "classlabels_int64s")


def zipped(raw: Graph) -> Graph:
    """A graph that is about to be written, with the probabilities of its classes as maps."""
    outputs = list(raw.outputs.items())
    try:
        if len(outputs) != 2 or outputs[0][1].dtype not in (STRING, np.int64) or outputs[0][1].rank != 1:
            raise Unsupported("no classifier: maps of probabilities need an output of labels, and one of probabilities")
        (_, label), (name, y) = outputs
        if y.rank != 2 or y.shape is None or not isinstance(y.shape[1], int) or y.dtype.kind != "f":
            raise Unsupported(f"'{name}' is {y.type}, no table of probabilities", y.node)
        classes = _classes(label, y.shape[1])
    except Unsupported as e:
        raise UnsupportedModel([e], "maps of probabilities") from None
    if y.dtype != F32:
        y = Node("Cast", [y], {"to": 1}, [Type(F32, y.shape)]).outputs[0]
    key = _LABELS[not isinstance(classes[0], str)]
    made = Node(ZIPMAP, [y], {key: classes}, [Type(F32, y.shape)], [name]).outputs[0]
    versions = {"ai.onnx.ml": 3, **meta.imports(raw.meta)}
    return raw.with_(outputs={**raw.outputs, name: made}, meta=meta.with_imports(raw.meta, versions))


def _classes(label: Value, count: int) -> tuple[Any, ...]:
    """The classes in the order of their probabilities, as the label is made of them."""
    node = label.node
    while node is not None and node.op in ("Identity", "Squeeze", "Reshape") and node.inputs[0] is not None:
        node = node.inputs[0].node
    if node is not None and any(node.attrs.get(k) for k in _LABELS):
        found = next(node.attrs[k] for k in _LABELS if node.attrs.get(k))
    elif node is not None and node.op == "Gather" and (table := node.inputs[0]) is not None and table.data is not None:
        found = tuple(table.numpy().ravel().tolist())
    elif node is not None and label.dtype == np.int64 and node.op in ("ArgMax", "Cast"):
        found = tuple(range(count))
    else:
        raise Unsupported("what classes the probabilities are of is not said by how labels are made", node)
    found = tuple(found)[:count]  # the last class of two stands there twice, where an operator needs three
    if len(found) != count or len(set(found)) != count:
        raise Unsupported(f"{len(found)} classes for {count} probabilities", node)
    return found


def info(found: onnx.ValueInfoProto, node: Node) -> None:
    """The type of what ZipMap answers: a sequence of maps."""
    inner = found.type.sequence_type.elem_type.map_type
    inner.key_type = onnx.TensorProto.STRING if node.attrs.get(_LABELS[0]) else onnx.TensorProto.INT64
    inner.value_type.tensor_type.elem_type = onnx.TensorProto.FLOAT


def labels(model: onnx.ModelProto) -> dict[str, list[Any]]:
    """The classes of each output that is a sequence of maps, in the order of the numbers."""
    made: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type == "ZipMap":
            for a in node.attribute:
                values: list[Any] = [s.decode("utf-8", "replace") for s in a.strings] or [*a.ints]
                if values:
                    made[node.output[0]] = values
    return made
