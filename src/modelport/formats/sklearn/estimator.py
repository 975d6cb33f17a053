"""Fitted objects of scikit-learn as a pickle describes them: a class by its name, and its attributes."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...codecs.pickle import Name, Record
from ...errors import Unsupported
from ...ir.tensor import Array

MOVED = {"Imputer": "SimpleImputer", "GradientBoostingMachine": "GradientBoosting"}


class Estimator:
    """One object: ``name`` is its class's name, which moved between modules less than anything else.

    Attributes are asked for by name: ``e["coef_"]`` is :class:`Unsupported` if the file lacks it, ``e.get("coef_")``
    is ``None``.  What is an object itself comes back as an :class:`Estimator`."""

    def __init__(self, record: Record, path: str = "") -> None:
        self.record = record
        module, _, self.name = record.path.rpartition(".")
        self.module = module
        self.path = path or self.name
        self.state: dict[str, Any] = record.state if isinstance(record.state, dict) else {}
        self.scores: tuple[Any, Any] | None = None
        """Rows and their scores, which labels and probabilities share: a million coefficients are written once."""

    @property
    def package(self) -> str:
        """The library that it is of: "sklearn", "xgboost"."""
        return self.module.partition(".")[0]

    @property
    def version(self) -> tuple[int, ...]:
        """That of scikit-learn, where the file says it (since 0.18); (0, 0) else."""
        text = str(self.state.get("_sklearn_version", "0.0"))
        return tuple(int(p) for p in text.split(".")[:2] if p.isdigit())

    def __contains__(self, name: str) -> bool:
        return name in self.state

    def __getitem__(self, name: str) -> Any:
        if name not in self.state:
            raise Unsupported(f"{self.path}: the file has no '{name}' of this {self.name}; it was not fitted, or is of "
                              "a version that is not known")
        return wrapped(self.state[name], f"{self.path}.{name}")

    def get(self, name: str, default: Any = None) -> Any:
        return wrapped(self.state[name], f"{self.path}.{name}") if name in self.state else default

    def first(self, *names: str) -> Any:
        """The first of some attributes that is there: their names changed between versions."""
        for name in names:
            if name in self.state:
                return self[name]
        return self[names[0]]

    def array(self, name: str, dtype: Any = np.float64) -> Array:
        """An attribute as an array of numbers."""
        return numbers(self[name], dtype, f"{self.path}.{name}")

    def __repr__(self) -> str:
        return f"<{self.name} at {self.path}>"


def wrapped(value: Any, path: str = "") -> Any:
    return Estimator(value, path) if isinstance(value, Record) else value


def estimators(value: Any, path: str) -> Iterator[Estimator]:
    """The objects of a list, an array or a dictionary of them."""
    items = list(value.values()) if isinstance(value, dict) else np.asarray(value, object).ravel().tolist()
    for k, item in enumerate(items):
        if not isinstance(item, Record):
            raise Unsupported(f"{path}[{k}] is no estimator")
        yield Estimator(item, f"{path}[{k}]")


def numbers(value: Any, dtype: Any, path: str) -> Array:
    """An array of numbers: a sparse matrix becomes a dense one, what is no number is :class:`Unsupported`."""
    if isinstance(value, (Record, Estimator)):
        record = value.record if isinstance(value, Estimator) else value
        return dense(record, path).astype(dtype)
    try:
        return np.asarray(value, dtype)
    except (TypeError, ValueError) as e:
        raise Unsupported(f"{path} is no array of numbers") from e


def dense(record: Record, path: str) -> Array:
    """A compressed matrix of scipy.sparse (rows or columns) as an array."""
    s: dict[str, Any] = record.state if isinstance(record.state, dict) else {}
    if not {"data", "indices", "indptr"} <= s.keys():
        raise Unsupported(f"{path} is a {record.path}, no array")
    shape = tuple(int(d) for d in s.get("_shape", s.get("shape", ())))
    by_column = "csc" in record.path.rpartition(".")[2]
    rows, columns = shape[::-1] if by_column else shape
    data, indices, starts = np.asarray(s["data"]), np.asarray(s["indices"]), np.asarray(s["indptr"])
    sound = rows * columns <= 1 << 28 and len(starts) == rows + 1 and len(data) == len(indices) and \
        (np.diff(starts) >= 0).all() and starts[0] == 0 and starts[-1] <= len(data)
    if not sound or (len(indices) and not 0 <= indices.min() <= indices.max() < columns):
        raise Unsupported(f"{path}: a sparse matrix that is none, or too large")
    out = np.zeros((rows, columns), data.dtype)
    used = int(starts[-1])
    np.add.at(out, (np.repeat(np.arange(rows), np.diff(starts)), indices[:used]), data[:used])
    return out.T if by_column else out


def text(value: Any) -> str | None:
    """A setting that is a text, or ``None``."""
    return value if isinstance(value, str) else None


def function(value: Any) -> str:
    """A function that the file names, such as "numpy.log1p"."""
    return str(value) if isinstance(value, Name) else ""
