"""A hub graph followed from its rows on, and what it makes of the sums in it.

What follows the sums is told by what it does: it is computed for a sample of sums, by ONNX's own reference, and
compared with each function that estimators have; a graph that is none of them is refused."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ....errors import Unsupported
from ....hub.evaluate import evaluate
from ....ir.graph import Graph, Node, Value, constant
from ....ir.tensor import Array
from ....ir.types import STRING, is_float


class Chain:
    """The nodes of a graph by what they read."""

    def __init__(self, hub: Graph) -> None:
        self.hub = hub
        self._readers: dict[Value, list[Node]] = {}
        for node in hub.nodes:
            for v in {v for v in node.inputs if v is not None}:
                self._readers.setdefault(v, []).append(node)
        for v in hub.outputs.values():
            self._readers.setdefault(v, []).append(Node("output", [v], {}, ()))

    def readers(self, v: Value) -> list[Node]:
        return self._readers.get(v, [])

    def next(self, v: Value) -> Node | None:
        """The one node that reads a value, past what changes neither numbers nor their places."""
        found = self.readers(v)
        return found[0] if len(found) == 1 and found[0].op != "output" else None

    def through(self, v: Value, *ops: str) -> Value:
        """The value after nodes of these operators, if nothing else reads what comes before."""
        while (node := self.next(v)) is not None and node.op in ops and is_float(node.outputs[0].dtype):
            v = node.outputs[0]
        return v


def number(v: Value | None) -> float | None:
    """The one element of a constant."""
    return float(v.numpy().ravel()[0]) if v is not None and v.data is not None and v.type.size == 1 else None


def other(node: Node, v: Value) -> tuple[Array, bool] | None:
    """The constant of a node of two inputs, and whether it is the second; ``None`` where there is none."""
    a, b = node.inputs
    if a is v and b is not None and b.data is not None:
        return b.numpy(), True
    if b is v and a is not None and a.data is not None:
        return a.numpy(), False
    return None


# -- what follows the sums


@dataclass(frozen=True, eq=False)
class Head:
    """``kind`` is what is made of ``scale * sums + shift``: "identity", "exponential", "softmax", "logistic" (of two
    classes), "sigmoid" (of each sum), "share" (probabilities as they are) or "scores" (with labels).

    ``labels``: the classes in the order of the sums, where the graph answers with labels; ``flat``: numbers (rows);
    ``zero``: of one sum, a zero is the second class, not the first."""

    kind: str
    scale: float
    shift: Array
    labels: Array | None
    flat: bool
    zero: bool = False


def sample(count: int) -> Array:
    """(rows, count) sums, among them zeros, and one that is greater than the others, each in turn."""
    rng = np.random.default_rng(5)
    made = rng.normal(size=(48, count)) * rng.choice([0.3, 1, 2], (48, 1))
    own = np.eye(count) * 3
    return np.round(1024 * np.concatenate([made, np.zeros((1, count)), own, -own, own / 4 + 0.5])) / 1024  # of 32 bits


def outputs(hub: Graph, known: Mapping[Value, Array]) -> dict[str, Array]:
    """The outputs of the graph where these values are those arrays."""
    found: dict[Value, Value] = {v: constant(a.astype(object) if v.dtype == STRING else a.astype(v.dtype))
                                 for v, a in known.items()}
    for n in hub.nodes:
        if all(v in known for v in n.outputs) or not any(v in found for v in n.inputs if v is not None):
            continue
        ins = [None if v is None else found.get(v, v) for v in n.inputs]
        if any(v is not None and v.data is None for v in ins):
            raise Unsupported("what follows the sums takes the rows too", n)
        made = evaluate(Node(n.op, ins, n.attrs, [v.type for v in n.outputs]))
        if made is None:
            raise Unsupported(f"{n.op} after the sums", n)
        found.update((v, constant(a)) for v, a in zip(n.outputs, made, strict=True))
    if missing := [k for k, v in hub.outputs.items() if v not in found]:
        raise Unsupported(f"the output '{missing[0]}', which does not come from the sums")
    return {k: found[v].numpy() for k, v in hub.outputs.items()}


def head(made: Mapping[str, Array], sums: Array, wide: bool) -> Head:
    """What the outputs are of the sums (rows, outputs); ``wide`` says that they were computed in 64 bits."""
    label = next((k for k, a in made.items() if a.ndim == 1 and a.dtype.kind not in "fb"), None)
    numbers = [k for k in made if k != label]
    if len(numbers) != 1 or made[numbers[0]].dtype.kind != "f" or made[numbers[0]].ndim > 2:
        raise Unsupported("outputs other than one of numbers, and of a classifier one of labels before it; --outputs "
                          "picks some")
    if label is not None and next(iter(made)) != label:
        raise Unsupported("labels after the numbers")
    y = made[numbers[0]].astype(np.float64)
    flat, y = y.ndim == 1, y[:, None] if y.ndim == 1 else y
    kind, scale, shift = _kind(sums, y, label is not None, *((1e-12, 1e-10) if wide else (2e-6, 2e-5)))
    if label is None:
        return Head(kind, scale, shift, None, flat)
    margins = sums * scale + shift - (0.5 if kind == "share" else 0)
    for zero in (False, True)[:1 + (sums.shape[1] == 1)]:
        if (names := _labels(made[label], margins, zero)) is not None:
            return Head(kind, scale, shift, names, flat, zero)
    raise Unsupported("labels that are chosen by another rule than the greatest sum")


def _kind(sums: Array, y: Array, labelled: bool, bar: float, logs: float) -> tuple[str, float, Array]:
    """``bar``: how near numbers of that precision are to a line, ``logs`` their logarithms."""
    rows, k = sums.shape
    whole = bool(np.abs(y.sum(1) - 1).max() < 4 * bar) and y.shape[1] > 1
    with np.errstate(all="ignore"):
        if y.shape == (rows, k):
            if (fit := _line(sums, y, bar)) is not None:
                return "scores" if labelled else "identity", *fit
            if whole and y.min() >= 0 and (fit := _line(sums - sums.mean(1, keepdims=True),
                                       np.log(y) - np.log(y).mean(1, keepdims=True), logs)) is not None:
                return "softmax", *fit
            if not labelled and (fit := _line(sums, np.log(y / (1 - y)), logs)) is not None:
                return "sigmoid", *fit
            if not labelled and (fit := _line(sums, np.log(y), logs)) is not None:
                return "exponential", *fit
        if k == 1 and y.shape == (rows, 2) and whole:
            if (fit := _line(sums, y[:, 1:], bar)) is not None:
                return "share", *fit
            if (fit := _line(sums, np.log(y[:, 1:] / y[:, :1]), logs)) is not None:
                return "logistic", *fit
    raise Unsupported("what follows the sums is nothing that an estimator of scikit-learn computes: neither the sums, "
                      "nor their exponential, logistic function or softmax")


def _line(x: Array, y: Array, bar: float) -> tuple[float, Array] | None:
    """Scale and shift of ``y = scale * x + shift``, one shift for each column; ``None`` if it is no such line."""
    if not np.isfinite(y).all():
        return None
    middle = x - x.mean(0)
    scale = _near(float((middle * (y - y.mean(0))).sum() / (middle ** 2).sum()), bar)
    shift = np.array([_near(float(s), bar) for s in (y - scale * x).mean(0)])
    good = np.abs(scale * x + shift - y).max() <= bar * max(1.0, float(np.abs(y).max()))
    return (scale, shift) if good and scale else None


def _near(v: float, bar: float) -> float:
    """The whole or half number, or the part of one, that a number is but for rounding."""
    options = [round(2 * v) / 2, *([1 / round(1 / v)] if v and 0.5 < abs(1 / v) < 1e6 else [])]
    return next((float(o) for o in options if abs(v - o) <= bar / 2 * max(abs(o), 0.1)), v)


def _labels(got: Array, margins: Array, zero: bool) -> Array | None:
    """The classes in the order of the sums: the greatest is chosen, of one sum whether it is above zero (or zero);
    ``None`` if that is not the rule."""
    one = margins.shape[1] == 1
    index = (margins[:, 0] >= 0 if zero else margins[:, 0] > 0).astype(int) if one else margins.argmax(1)
    classes = [sorted(set(got[index == k].tolist())) for k in range(2 if one else margins.shape[1])]
    if any(len(c) != 1 for c in classes) or len({c[0] for c in classes if c}) < len(classes):
        return None
    names = [c[0] for c in classes]
    return np.array(names, np.str_ if isinstance(names[0], str) else np.int64)
