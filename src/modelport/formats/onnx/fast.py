"""Trees and what follows them as one operator, in float32: the form that skl2onnx and onnxmltools write.

An operator costs ONNX Runtime half a microsecond, which is a tenth of a single row's time.  The price: sums of float32,
labels that are decided by them, and a regressor's prediction as a column (rows, 1)."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Builder
from ...ir.types import Type
from .. import ensemble
from ..ensemble import Ensemble
from ..sklearn.from_onnx.common import Chain, Head
from ..sklearn.from_onnx.trees import found, recognised
from .meta import COLUMN

TINY = 1e-30
"""Too small to change a sum of float32 that is not zero."""


def fast(hub: Graph) -> Graph:
    """The graph as one operator; :class:`UnsupportedModel` if it is no trees, or something else follows them."""
    x, chain = next(iter(hub.inputs.values())), Chain(hub)
    node = found(chain, x) if len(hub.inputs) == 1 else None
    try:
        if node is None:
            raise Unsupported("a model that is more than trees over one matrix of numbers", Node("input", [], {}, []))
        trees, h, _ = recognised(chain, node)
        base = trees.base if len(trees.base) else np.zeros(trees.outputs)
        trees = replace(trees, value=trees.value * h.scale, base=base * h.scale + h.shift)
        op = builder().at(node)
        rows = Value(Type(ensemble.F32, x.shape), x.name)
        made = _answers(op, rows, trees, h)
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "one operator (--fast)") from None
    op.note("approximated", "trees are added up in float32, and labels decided by these sums")
    outputs = dict(zip(hub.outputs, made, strict=True))
    meta = {**hub.meta, COLUMN: next(iter(outputs))} if h.flat else hub.meta
    if h.flat:
        op.note("changed", f"'{next(iter(outputs))}' is a column: (rows, 1)")
    return Graph(dict.fromkeys(hub.inputs, rows), outputs, hub.name, meta).noted(*hub.notes, *op.notes)


def _answers(op: Builder, x: Value, trees: Ensemble, h: Head) -> tuple[Value, ...]:
    """The outputs of the graph in their order."""
    if h.kind == "identity":
        return (ensemble.scores(op, x, trees),)
    if h.kind == "exponential":
        return (op.Exp(ensemble.scores(op, x, trees)),)
    labels = h.labels.tolist() if h.labels is not None else []
    if labels and h.kind in ("share", "scores") and not h.zero:
        if len(labels) == 2 and (second := _second(trees)) is not None:
            return ensemble.chances(op, x, second, labels)
        if trees.outputs == len(labels):
            return ensemble.classified(op, x, trees, labels)
    if labels and h.kind in ("logistic", "softmax"):
        answers = ensemble.likelihoods(op, x, _lifted(trees) if h.zero else trees, labels)
        if answers is not None:
            return answers
    raise Unsupported(f"the {h.kind} of sums of trees, which the operator itself does not answer")


def _lifted(trees: Ensemble) -> Ensemble:
    """With one tree more, whose leaves make a sum of zero positive and change no other: the operator takes zero for the
    first class, scikit-learn since 1.4 for the second."""
    nodes = np.array([1, -1, -1]), np.array([2, -1, -1])
    width = trees.value.shape[1]
    return ensemble.joined([trees, replace(
        trees, roots=np.array([0]), left=nodes[0], right=nodes[1], feature=np.zeros(3, np.int64),
        threshold=np.zeros(3, trees.threshold.dtype), missing_left=np.zeros(3, bool), target=np.zeros(1, np.int64),
        value=np.where(nodes[0][:, None] < 0, TINY, 0) * np.ones((1, width)), members={})])


def _second(trees: Ensemble) -> Ensemble | None:
    """Trees whose one sum is the probability of the second of two classes, none of whose leaves is negative; ``None``
    if the sums are no probabilities, or a tree is a leaf."""
    if len(ensemble.stumps(trees)) or trees.value.shape[1] != trees.outputs:
        return None
    value = trees.value + trees.base / len(trees.roots)
    value = np.where(np.abs(value) < 1e-15, 0, value)
    both = value if trees.outputs == 2 else np.concatenate([1 / len(trees.roots) - value, value], 1)
    own = both[trees.leaves]
    if own.min() < 0 or np.abs(own.sum(1) * len(trees.roots) - 1).max() > 1e-6:
        return None
    return replace(trees, value=value[:, -1:], base=np.zeros(1), outputs=1, target=trees.target * 0)
