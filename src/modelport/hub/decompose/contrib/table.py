"""The table that the families fill, and what they share."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder, Rules

DOMAIN = "com.microsoft."
rules = Rules("com.microsoft operators", "ONNX operators")


def contrib(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a rule for operators of the domain."""
    return rules(*(DOMAIN + n for n in names))


def like(value: Any, x: Value) -> np.ndarray[Any, Any]:
    """A number as an array of ``x``'s element type."""
    return np.asarray(value, x.dtype)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def dim(op: Builder, x: Value, axis: int) -> Value:
    """The size of one axis of ``x`` as a tensor of one int64."""
    assert x.rank is not None
    start = axis % x.rank
    return op.Shape(x, start=start, end=start + 1)


def activation(op: Builder, y: Value, name: str, params: Sequence[float] = ()) -> Value:
    """The activation that a fused operator names, with its parameters in the kernel's order."""
    if name == "":
        return y
    if name in ("Relu", "Sigmoid", "Tanh"):
        return op.add(name, y)
    if name == "LeakyRelu":
        return op.LeakyRelu(y, alpha=params[0] if params else 0.01)
    if name == "HardSigmoid":
        return op.HardSigmoid(y, alpha=params[0] if params else 0.2, beta=params[1] if len(params) > 1 else 0.5)
    if name == "Clip":
        return op.Clip(y, like(params[0], y), like(params[1], y))
    raise Unsupported(f"activation '{name}'")
