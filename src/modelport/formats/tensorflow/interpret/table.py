"""The table of operators in numpy: an independent reading of their meaning, for folding, probing and checking.

An operator is a function: positional parameters are tensors, keyword-only parameters are attributes with the defaults
of the operator's definition.  It answers with an array, a list (:class:`TensorList`), or a tuple of those.
Source: tensorflow/core/ops (what operators promise) and tensorflow/core/kernels (what they do)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....ir.tensor import Array

OPS: dict[str, Callable[..., Any]] = {}
UNFOLDED: set[str] = set()
"""Operators that folding leaves alone: random ones, heavy ones, those that hold state or bodies."""


class Refused(Exception):
    """An operator that the interpreter does not compute as asked."""


class TensorList:
    """A list of tensors (``None``: not written yet), as TensorFlow's list operators see it."""

    def __init__(self, items: Sequence[Array | None], dtype: Any, shape: tuple[int, ...] | None) -> None:
        self.items, self.dtype, self.shape = tuple(items), np.dtype(dtype), shape


def op(*names: str, fold: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that enters a function for the operators named."""
    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            OPS[name] = f
            if not fold:
                UNFOLDED.add(name)
        return f
    return register


_budget = [1 << 33]


def bounded(shape: Any, itemsize: int = 8) -> tuple[int, ...]:
    """A shape whose array the budget allows."""
    dims = tuple(int(d) for d in np.ravel(shape))
    size = itemsize
    for d in dims:
        if d < 0:
            raise Refused(f"a shape of {dims}")
        size *= max(d, 1)
    if size > _budget[0]:
        raise Refused(f"an array of {dims}: {size} bytes")
    return dims


def evaluate(name: str, inputs: Sequence[Any], attrs: Any, outputs: int, limit: int = 1 << 33) -> list[Any]:
    """The results of one operator.  Raises :class:`Refused`, or whatever numpy raises on inputs that do not fit."""
    f = OPS.get(name)
    if f is None:
        raise Refused(f"the interpreter has no {name}")
    before, _budget[0] = _budget[0], limit
    try:
        made = f(*inputs, **attrs)
    finally:
        _budget[0] = before
    outs = list(made) if isinstance(made, (tuple, list)) else [made]
    return [o if isinstance(o, TensorList) else np.asarray(o) for o in outs][:outputs] if len(outs) >= outputs else outs
