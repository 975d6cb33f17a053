"""The methods of estimators as graphs: one table for each method, with an entry for each class.

A rule takes the builder, the rows (a matrix, or :class:`Table`) and the estimator, and returns what the method of
scikit-learn returns, but for ``predict`` of a classifier, whose rule returns the *numbers* of the classes (rows).

``predict_proba`` (rows, classes); ``decision_function`` (rows) of two classes, else (rows, classes); ``predict`` (rows)
or (rows, outputs); ``transform`` (rows, features)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Node, Value
from ...ir.rules import Builder
from ...ir.types import STRING
from .estimator import Estimator
from .sparse import transformed

Rule = Callable[..., Any]
METHODS: dict[str, dict[str, Rule]] = {}
PACKAGES = ("sklearn", "xgboost", "lightgbm", "catboost", "imblearn")
"""Classes of other packages are the user's own."""


def method(name: str, *classes: str) -> Callable[[Rule], Rule]:
    """A decorator that makes a function the rule for the method ``name`` of these classes."""
    def register(rule: Rule) -> Rule:
        table = METHODS.setdefault(name, {})
        for c in classes:
            if c in table:
                raise ValueError(f"two rules for {c}.{name}")
            table[c] = rule
        return rule
    return register


def has(e: Any, name: str) -> bool:
    """Whether an estimator has a method, as far as the rules know."""
    if not isinstance(e, Estimator):
        return False
    known = _rule(name, e)
    able = getattr(known, "able", None)
    return known is not None and (able is None or bool(able(e)))


def _rule(name: str, e: Estimator) -> Rule | None:
    """The rule for a method of an estimator; classes of the user's own go by their whole name."""
    if e.package in PACKAGES:
        return METHODS.get(name, {}).get(e.name)
    _plugins()
    return METHODS.get(name, {}).get(e.record.path)


@cache
def _plugins() -> None:
    """Imports the modules of rules that installed packages offer; a class that is no library's asks for them."""
    from importlib.metadata import entry_points
    for point in entry_points(group="modelport.sklearn"):
        point.load()


def when(able: Callable[[Estimator], bool]) -> Callable[[Rule], Rule]:
    """A decorator: the method is there only if ``able`` says so of an estimator (SVC with ``probability``)."""
    def mark(rule: Rule) -> Rule:
        rule.able = able  # type: ignore[attr-defined]
        return rule
    return mark


def call(op: Builder, name: str, e: Any, x: Any) -> Any:
    """What method ``name`` of an estimator makes of rows."""
    if not isinstance(e, Estimator):
        raise Unsupported(f"'{e}' where an estimator was expected")
    rule = _rule(name, e)
    if rule is None and e.package not in PACKAGES:
        raise Unsupported(f"{e.path} is a {e.record.path}: a class of your own, whose code is not in the file; convert "
                          "the steps before it with --split-at, or give a rule for it (docs/tabular.md)")
    if rule is None:
        raise Unsupported(f"{e.path}: no translation of {e.name}.{name}")
    here = op.at(Node(f"sklearn.{e.name}", (), {}, (), origin=e.path))
    made = rule(here, x, e)
    return transformed(here, e, x, made) if name == "transform" else made


class Table:
    """Columns of several element types: values of (rows, 1), each with its name.

    ``names`` are those of all columns, with those that nothing uses and that are no inputs therefore."""

    def __init__(self, columns: dict[str, Value], names: Sequence[str] = ()) -> None:
        self.columns = columns
        self.names = tuple(names) or tuple(columns)

    def __len__(self) -> int:
        return len(self.names)


def columns(op: Builder, x: Any) -> list[Value]:
    """Each column by itself, (rows, 1)."""
    if isinstance(x, Table):
        return list(x.columns.values())
    width = features(x)
    if width == 1:
        return [x]
    return [op.Gather(x, np.array([k], np.int64), axis=1) for k in range(width)]


def features(x: Any) -> int:
    """The number of columns."""
    if isinstance(x, Table):
        return len(x)
    shape = x.shape
    if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        raise Unsupported("rows of an unknown number of features")
    return shape[1]


def matrix(op: Builder, x: Any, dtype: Any = None) -> Value:
    """The rows as one matrix of real numbers, in ``dtype`` or else float64 where they are not real."""
    if isinstance(x, Table):
        kinds = {v.dtype for v in x.columns.values()}
        if STRING in kinds:
            raise Unsupported("text where numbers are wanted")
        want = np.dtype(np.float32) if kinds == {np.dtype(np.float32)} else np.dtype(np.float64)
        parts = [real(op, v, want) for v in x.columns.values()]
        x = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=1)
    if x.dtype == STRING:
        raise Unsupported("text where numbers are wanted")
    if dtype is None and x.dtype.kind != "f":
        dtype = np.float64
    return x if dtype is None else real(op, x, dtype)


def real(op: Builder, x: Value, dtype: Any) -> Value:
    """``x`` in another element type."""
    want = np.dtype(dtype)
    if x.dtype == want:
        return x
    codes = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(bool): 9, np.dtype(np.float64): 11,
             np.dtype(np.int32): 6}
    out: Value = op.Cast(x, to=codes[want])
    return out


def sigmoid(op: Builder, x: Value) -> Value:
    """1 / (1 + exp(-x)), also where that is tiny: ONNX Runtime's Sigmoid is exact to the last digits of one."""
    out: Value = op.Reciprocal(op.Add(op.Exp(op.Neg(x)), like(x, 1)))
    return out


def cosine(op: Builder, x: Value) -> Value:
    """cos(x) to a last bit of one: 1 - 2 sin(x / 2) ** 2, as ONNX Runtime before 1.24 has no Cos of float64."""
    half = op.Sin(op.Mul(x, like(x, 0.5)))
    out: Value = op.Sub(like(x, 1), op.Mul(op.Mul(half, half), like(x, 2))) if x.dtype == np.float64 else op.Cos(x)
    return out


def logistic_pair(op: Builder, x: Value) -> Value:
    """(rows, 2): the logistic function of minus ``x`` (rows, 1) and of ``x``: the likelihood of two classes."""
    out: Value = op.Reciprocal(op.Add(op.Exp(op.Mul(x, like(x, [[1, -1]]))), like(x, 1)))
    return out


def like(x: Value, array: Any) -> Any:
    """An array in the element type of ``x``."""
    return np.asarray(array, x.dtype)


def ints(*n: int) -> Any:
    return np.array(n, np.int64)
