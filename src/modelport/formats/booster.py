"""Files that hold one ensemble of trees and what is made of its sums (XGBoost, LightGBM, CatBoost): from a file to a
graph of one node, and from that to ONNX."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..codecs.limits import Limits
from ..errors import Unsupported, UnsupportedModel, UsageError, printable
from ..hub.infer import builder
from ..ir.graph import Graph, Node, Value
from ..ir.rules import Builder
from ..ir.types import DType, Type
from .ensemble import Ensemble

F32, F64, I64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
LABELLED = ("label", "probabilities")
INTEGERS = ("label", "leaves")
OUTPUTS = {"predict": "prediction", "margin": "margins", "leaf": "leaves"}
"""What can be asked for beside what the objective says, as a booster's ``predict`` calls it."""
M = TypeVar("M")
Results = Callable[[Builder, Sequence[Value], M, list[str]], Mapping[str, Value]]
"""The outputs named, from the inputs, by the rules of one library."""


@dataclass(frozen=True)
class Library(Generic[M]):
    """How one library keeps a model.

    ``op`` is the operator of the graph's one node, ``origin`` what its files are called; ``real`` the element type of
    its numbers; ``choices`` what can be asked for beside what the model itself says (``default``), with the names of
    these outputs.  ``parse`` reads the bytes of a file; ``inputs`` and ``meta`` are those of the graph."""

    op: str
    origin: str
    real: DType
    choices: Mapping[str, str]
    parse: Callable[[bytes, Limits], M]
    default: Callable[[M], Sequence[str]]
    inputs: Callable[[M], dict[str, Value]]
    meta: Callable[[M], dict[str, str]]

    def read(self, path: Path, limits: Limits, wanted: Sequence[str] = ()) -> Graph:
        """The model of a file as a graph; ``wanted`` are keys of ``choices``."""
        path = Path(path)
        limits.check("file_bytes", path.stat().st_size)
        try:
            return self.graph(self.parse(path.read_bytes(), limits), wanted)
        except Unsupported as e:
            e.node = e.node or Node(self.op, (), {}, (), origin=self.origin)
            raise UnsupportedModel([e], "ONNX") from None

    def graph(self, model: M, wanted: Sequence[str] = ()) -> Graph:
        for name in wanted:
            if name not in self.choices:
                raise UsageError(f"a {self.origin} of {self.op.partition('.')[0]} has no output '{printable(name)}'",
                                 hint=f"outputs: {', '.join(self.choices)}")
        names = [self.choices[n] for n in wanted] or list(self.default(model))
        types = [Type(I64 if n in INTEGERS else self.real, None) for n in names]
        attrs = {"model": model, "options": {"outputs": tuple(wanted)} if wanted else {}}
        inputs = self.inputs(model)
        node = Node(self.op, list(inputs.values()), attrs, types, names, self.origin)
        return Graph(inputs, dict(zip(names, node.outputs, strict=True)), self.origin, self.meta(model))


def matrix(features: int, dtype: DType) -> dict[str, Value]:
    """The one input of most models."""
    return {"X": Value(Type(dtype, ("batch", features)), "X")}


def columns(key: str, names: Iterable[str]) -> dict[str, str]:
    """What the columns were called in training, to be looked at."""
    named = list(names)[:1000]
    return {key: ", ".join(printable(n, 60) for n in named)} if any(named) else {}


def labels(key: str, told: str) -> dict[str, str]:
    """What the numbers of the classes stand for, where modelport wrote it into the file."""
    try:
        found = json.loads(told)
    except ValueError:
        return {}
    good = isinstance(found, list) and all(isinstance(v, (str, int)) and "\n" not in str(v) for v in found)
    return {key: "\n".join(map(str, found))} if good and found else {}


def to_hub(raw: Graph, results: Results[Any], notes: Callable[[Builder, Any], None] | None = None) -> Graph:
    """The graph of :meth:`Library.graph` in ONNX's operators; ``notes`` says what is to be known of the model."""
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    op = builder().at(node)
    inputs = {k: Value(v.type, k) for k, v in raw.inputs.items()}
    model = node.attrs["model"]
    if notes is not None:
        notes(op, model)
    try:
        outputs = results(op, list(inputs.values()), model, list(raw.outputs))
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    return Graph(inputs, outputs, raw.name, raw.meta).noted(*op.notes)


def cut(op: Builder, x: Value, trees: Ensemble, categories: Sequence[int],
        whole: Callable[[Builder, Value], Value]) -> tuple[Value, Ensemble]:
    """Rows whose categories are whole numbers, as ``whole`` cuts them, and the trees that take these rows.

    Where trees ask about the number of a category too, which is not cut, sets are asked of a column of their own."""
    if not len(categories):
        return x, trees
    at, moved = beside(trees, categories)
    if moved is trees:
        mask = np.zeros((1, trees.features), bool)
        mask[0, at] = True
        return op.Where(mask, whole(op, x), x), trees
    return op.Concat(x, whole(op, op.Gather(x, np.array(at, np.int64), axis=1)), axis=1), moved


def beside(trees: Ensemble, categories: Sequence[int]) -> tuple[list[int], Ensemble]:
    """The features that are categories; and trees whose sets are asked of as many features behind all others, if any
    of these features is asked for its number, else the trees themselves."""
    at = list(categories)
    sets = np.zeros(len(trees.left), bool)
    sets[list(trees.members)] = True
    if not np.isin(trees.feature[(trees.left >= 0) & ~sets], at).any():
        return at, trees
    place = np.zeros(trees.features, np.int64)
    place[at] = trees.features + np.arange(len(at))
    return at, replace(trees, feature=np.where(sets, place[trees.feature], trees.feature),
                       features=trees.features + len(at))
