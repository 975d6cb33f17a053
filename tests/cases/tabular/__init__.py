"""Fitted estimators: each file of this package is a family, recorded by itself.

A case is an expression that makes an estimator, and the data that it is fitted on and asked about.  Cases are written
with ``add`` of a :class:`Family`; ``python tests/conformance/tabular_cases.py FAMILY [PATTERN]`` records them."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """``expression`` makes the estimator (all of scikit-learn's classes, np, pd, xgb, lgb, cb are there); ``data`` is
    a name of :data:`DATA` (whose functions return rows, targets, and further rows to ask about if they like);
    ``methods`` are what is compared, by default what converting asks for."""

    name: str
    expression: str
    data: str = "classes"
    methods: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    exact: bool = False
    """Compared without any tolerance."""
    near: bool = False
    """Asked about the rows that it was fitted on only: it refuses others (negative numbers, unknown categories)."""
    loose: float = 0.0
    """A tolerance relative to the largest, where the algorithm itself is iterative; say why beside the case."""


@dataclass
class Family:
    name: str
    cases: dict[str, Case] = field(default_factory=dict)

    def add(self, name: str, expression: str, data: str = "classes", **more: Any) -> None:
        if name in self.cases:
            raise ValueError(f"two cases {name}")
        self.cases[name] = Case(name, expression, data, **more)


def named(expression: str, *more: str) -> str:
    """A name for a case that fits into the table: the class, what else is said, and the settings."""
    name, _, settings = expression.partition("(")
    return "/".join([name, *more, settings.removesuffix(")")]).rstrip("/")[:55].rstrip()


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


def classes(count: int = 3, names: bool = False, width: int = 4) -> tuple[Any, Any]:
    """90 rows of numbers whose class depends on them, with some noise."""
    rng = _rng()
    x = np.round(rng.normal(size=(90, width)), 3)
    score = x @ np.linspace(1, -1, width) + np.round(rng.normal(size=90) / 4, 3)
    y = np.digitize(score, np.quantile(score, np.arange(1, count) / count))
    return x, np.array(["ant", "bee", "cat", "dog", "elk"])[y] if names else y


def numbers(outputs: int = 1, width: int = 4) -> tuple[Any, Any]:
    rng = _rng()
    x = np.round(rng.normal(size=(90, width)), 3)
    y = np.round(x @ rng.normal(size=(width, outputs)) + np.sin(x[:, :1] * 2) + rng.normal(size=(90, outputs)) / 8, 3)
    return x, y[:, 0] if outputs == 1 else y


def positive() -> tuple[Any, Any]:
    x, y = numbers()
    return np.abs(x), np.round(np.exp(y / 4), 3)


def counts() -> tuple[Any, Any]:
    rng = _rng()
    return rng.integers(0, 5, (90, 6)).astype(float), rng.integers(0, 3, 90)


def missing() -> tuple[Any, Any]:
    x, y = classes()
    x = x.copy()
    x[_rng().random(x.shape) < 0.15] = np.nan
    return x, y


def missing_numbers() -> tuple[Any, Any]:
    return missing()[0], numbers()[1]


def texts() -> tuple[Any, Any]:
    words = "the quick brown fox, jumps over a lazy dog! Caf\u00e9 na\u00efve it's A-b c_d 12 3rd e.g. UPPER".split()
    rng = _rng()
    made = [" ".join(words[int(k)] for k in rng.integers(0, len(words), int(n))) for n in rng.integers(1, 9, 60)]
    return np.array(made, object), rng.integers(0, 3, 60)


def table() -> tuple[Any, Any]:
    """A DataFrame of numbers, integers and text."""
    import pandas as pd
    rng = _rng()
    frame = pd.DataFrame({
        "age": np.round(rng.normal(40, 9, 90), 1), "rooms": rng.integers(1, 6, 90),
        "city": np.array(["Oslo", "Rom", "Lima"], object)[rng.integers(0, 3, 90)],
        "kind": np.array(["a", "b", "c", "d"], object)[rng.integers(0, 4, 90)],
        "price": np.round(rng.lognormal(3, 1, 90), 2)})
    return frame.astype({"city": object, "kind": object}), rng.integers(0, 2, 90)


def strings() -> tuple[Any, Any]:
    frame, y = table()
    return frame[["city", "kind"]].to_numpy(object), y


def labels(classes: int = 3) -> tuple[Any, Any]:
    """Several labels at once, each there or not."""
    x, y = numbers(classes)
    return x, (y > 0).astype(int)


def grid() -> tuple[Any, Any]:
    """Whole numbers, many of them twice: distances and scores have ties."""
    rng = _rng()
    return rng.integers(-2, 3, (90, 2)).astype(float), rng.integers(0, 3, 90)


def sparse(x: Any, y: Any) -> tuple[Any, Any]:
    """Rows as a sparse matrix, about half of it zero."""
    from scipy.sparse import csr_matrix
    return csr_matrix(np.where(x > 0, x, 0)), y


def precomputed() -> tuple[Any, Any]:
    x, y = classes()
    return x @ x.T, y


def categories() -> tuple[Any, Any]:
    """A table in which pandas knows which columns are categories."""
    import pandas as pd
    frame, y = table()
    frame["city"], frame["kind"] = (pd.Categorical(frame[k]) for k in ("city", "kind"))
    return frame, y


def numbered() -> tuple[Any, Any]:
    """A table of numbers, of which one column is whole."""
    frame, y = table()
    return frame[["age", "rooms", "price"]], y


def unknown_counts() -> tuple[Any, Any, Any]:
    """Whole numbers, and further rows of others, missing, negative and far ones among them."""
    x, y = counts()
    other = _rng().choice([0, 1, 4, 7, 200, -1, np.nan, 300, 2.5, 1e9], (60, x.shape[1]))
    return x, y, other


def shares() -> tuple[Any, Any]:
    x, y = numbers()
    return x, np.round(1 / (1 + np.exp(-y)), 3)


DATA: dict[str, Callable[[], tuple[Any, Any]]] = {
    "classes": classes, "two": lambda: classes(2), "named": lambda: classes(3, True), "two named": lambda: classes(2, True),
    "five": lambda: classes(5), "numbers": numbers, "two numbers": lambda: numbers(2), "positive": positive,
    "counts": counts, "missing": missing, "missing numbers": missing_numbers, "texts": texts, "table": table,
    "strings": strings, "wide": lambda: classes(3, width=12), "one": lambda: numbers(width=1),
    "labels": labels, "two labels": lambda: labels(2), "grid": grid, "categories": categories, "unknown counts": unknown_counts,
    "shares": shares, "numbered": numbered, "precomputed": precomputed,
    "offset": lambda: (classes()[0] + 1000, classes()[1]), "sparse": lambda: sparse(*classes()),
    "sparse five": lambda: sparse(*classes(5)), "sparse numbers": lambda: sparse(*numbers()),
    "two small": lambda: (classes(2)[0][:24], classes(2)[1][:24]),
    "small": lambda: (classes()[0][:24], classes()[1][:24]), "small numbers": lambda: (numbers()[0][:30], numbers()[1][:30]),
    "small wide": lambda: (classes(3, width=12)[0][:30], classes(3, width=12)[1][:30]),
    "small positive": lambda: (positive()[0][:30], np.asarray(positive()[1])[:30]),
    "two small numbers": lambda: (numbers(2)[0][:30], numbers(2)[1][:30]),
    "unit": lambda: (np.abs(np.sin(classes()[0])), classes()[1])}
