"""A fitted object as ONNX: its methods are put together from the rules of :mod:`.methods`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import CorruptFile, Unsupported, UnsupportedModel
from ...hub.infer import builder
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from .estimator import Estimator
from .interface import BATCH, EACH, ODD, is_classifier, labelled, labels
from .methods import Table, call, has
from .to_onnx.compose import SELECTORS, class_number, entered


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators; raises :class:`UnsupportedModel`."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    op = builder().at(node)
    e, names, methods = (node.attrs[k] for k in ("estimator", "names", "methods"))
    inputs = {k: Value(v.type, k) for k, v in raw.inputs.items()}
    first = next(iter(inputs.values()))
    x: Any = first if len(inputs) == 1 and first.shape in ((BATCH, len(names)), (BATCH, "items")) else \
        Table({n: inputs[n] for n in names if n in inputs}, names)
    try:
        with np.errstate(all="ignore"):  # what a file holds may overflow: the numbers are the file's
            made = results(op, e, x, methods)
    except (Unsupported, CorruptFile) as problem:
        if isinstance(problem, CorruptFile):
            raise
        problem.node = problem.node or node
        raise UnsupportedModel([problem], "ONNX") from None
    except ODD as problem:  # attributes may hold anything: a rule that meets what it never means says so
        odd = Unsupported(f"attributes that make no sense ({type(problem).__name__}: {problem})", node)
        raise UnsupportedModel([odd], "ONNX") from problem
    outputs = {k: op.Identity(v) if v.node is None else v for k, v in zip(raw.outputs, made, strict=True)}
    return Graph(inputs, outputs, raw.name, raw.meta).noted(*op.notes)


def results(op: Builder, e: Estimator, x: Any, methods: Sequence[str]) -> list[Value]:
    """The results of several methods of one estimator; the steps of a pipeline are gone through once for all."""
    while not (e.name in SELECTORS and "transform" in methods) and (inside := entered(op, e, x)) is not None:
        e, x = inside
    if set(methods) <= {"predict", "predict_proba"} and has(e, "classify"):
        label, probabilities = call(op, "classify", e, x)
        found = {"predict": label, "predict_proba": probabilities}
        return [found[m] for m in methods]
    made: dict[str, Any] = {}
    for m in methods:
        if m == "predict" and is_classifier(e):
            index = class_number(op, e, x, made)
            made[m] = index if index.rank == 2 else labelled(op, index, labels(e))  # several labels are no numbers
        elif m == "predict_log_proba" and not has(e, m):
            made["predict_proba"] = made.get("predict_proba") or call(op, "predict_proba", e, x)
            made[m] = op.Log(made["predict_proba"])
        elif m not in made:
            several = m == "predict_proba" and not has(e, m) and has(e, EACH)
            made[m] = call(op, EACH if several else m, e, x)
    return [v for m in methods for v in (made[m] if isinstance(made[m], list) else [made[m]])]
