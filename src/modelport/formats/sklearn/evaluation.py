"""Decision trees and forests of scikit-learn evaluated with numpy, as scikit-learn computes: rows of 32 bits, means of
64."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...ir.graph import Graph
from ...ir.tensor import Array
from ..evaluation import added
from .estimator import Estimator
from .interface import labels
from .to_onnx.trees import CLASSIFIERS, REGRESSORS, forest


def evaluable(raw: Graph) -> bool:
    """Whether the graph is one tree or forest with one output, which takes one matrix."""
    node = next(iter(raw.outputs.values())).node
    e = node.attrs["estimator"] if node is not None else None
    if not isinstance(e, Estimator) or e.package != "sklearn" or len(raw.inputs) != 1 or node is None:
        return False
    methods = {"predict", "predict_proba"} if e.name in CLASSIFIERS else {"predict"} if e.name in REGRESSORS else set()
    return bool(methods) and set(node.attrs["methods"]) <= methods and int(e.get("n_outputs_", 1)) == 1


def results(e: Estimator, inputs: Sequence[Array], methods: Sequence[str]) -> dict[str, Array]:
    """What each of the methods answers."""
    x = inputs[0].astype(np.float32)
    grown = forest(e, "classes" if e.name in CLASSIFIERS else "outputs")
    mean = added(x, grown, grown.base, np.float64) / len(grown.roots)
    if e.name in REGRESSORS:
        return {"predict": mean[:, 0]}
    names = labels(e)
    table = np.array(names, object if isinstance(names[0], str) else np.int64)
    made = {"predict": table[mean.argmax(1)], "predict_proba": mean}
    return {m: made[m] for m in methods}
