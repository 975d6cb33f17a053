"""Hub graphs that are standard estimators, as those."""
from __future__ import annotations

import numpy as np

from ....codecs.pickle import Record
from ....errors import Unsupported, UnsupportedModel
from ....hub import decompose
from ....ir.graph import Graph
from ..estimator import Estimator
from ..interface import default_dtype
from ..interface import graph as read_graph
from . import linear, trees
from .common import Chain
from .preprocess import scalers
from .table import KINDS, estimator

TARGET = "scikit-learn"
_WRITTEN_OUT = frozenset(f"ai.onnx.ml.{n}" for n in ("LinearClassifier", "LinearRegressor", "Scaler"))


def from_hub(hub: Graph) -> Graph:
    """The graph as an estimator, or a pipeline of scalers and one; :class:`UnsupportedModel` if it is none."""
    plain = decompose.decompose(hub, lambda n: n.op not in _WRITTEN_OUT, decompose.rules, target=TARGET)
    try:
        record, methods = _recognised(plain)
    except Unsupported as e:
        e.node = e.node or next(iter(hub.outputs.values())).node
        raise UnsupportedModel([e], TARGET) from None
    made = Estimator(record)
    (x,) = plain.inputs.values()
    narrow = all(v.dtype != np.float64 for v in (x, *plain.outputs.values()))
    kind = np.dtype(np.float32 if narrow else np.float64)
    inputs = () if kind == default_dtype(made) else (kind.name,)
    raw = read_graph(made, inputs=inputs)
    if len(raw.outputs) != len(methods):
        raw = read_graph(made, inputs=inputs, outputs=methods)
    return raw.noted(*hub.notes)


def _recognised(hub: Graph) -> tuple[Record, tuple[str, ...]]:
    if len(hub.inputs) != 1:
        raise Unsupported("a model of several inputs; one matrix of numbers can be written")
    (x,) = hub.inputs.values()
    if x.dtype not in (np.float32, np.float64):
        raise Unsupported(f"rows of {x.dtype.name}; real numbers can be written")
    chain = Chain(hub)
    before, v = scalers(chain, x)
    if (node := trees.found(chain, v)) is not None:
        last, methods = trees.model(chain, node)
    elif (found := linear.layers(chain, v)) is not None:
        last, methods = linear.model(chain, *found)
    else:
        follow = chain.readers(v)
        what = " and ".join(sorted({n.op for n in follow}))
        raise Unsupported(f"{what} of the rows; scikit-learn can hold {KINDS}", follow[0] if follow else None)
    if not before:
        return last, methods
    steps = [*before, last]
    names = [str(s.path).rpartition(".")[2].lower() for s in steps]
    named = [(n if names.count(n) == 1 else f"{n}-{names[:k].count(n) + 1}", s)
             for k, (n, s) in enumerate(zip(names, steps, strict=True))]
    return estimator("Pipeline", steps=named), methods
