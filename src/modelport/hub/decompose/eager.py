"""A builder for rules that compute shapes, indices and weights: what is known at conversion time becomes a constant."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.graph import Node, Value, constant
from ...ir.rules import Builder
from ..evaluate import evaluate
from ..infer import HubBuilder, infer


class Eager(HubBuilder):
    """Evaluates the nodes whose inputs are constants, and integers whose elements are known, as it makes them."""

    def add(self, op: str, *inputs: Any, outputs: int | None = None, type: Any = None, **attrs: Any) -> Any:
        made = super().add(op, *inputs, outputs=outputs, type=type, **attrs)
        values = (made,) if isinstance(made, Value) else made
        known = _known(values[0].node, values)
        return made if known is None else known[0] if isinstance(made, Value) else known


def _known(node: Node | None, values: tuple[Value, ...]) -> tuple[Value, ...] | None:
    if node is None:
        return None
    if node.inputs and all(v is None or v.data is not None for v in node.inputs):
        arrays = evaluate(node)
        return None if arrays is None else tuple(constant(a) for a in arrays)
    v = values[0]
    if len(values) == 1 and v.elements is not None and v.shape is not None and v.type.static \
            and all(isinstance(e, int) for e in v.elements):
        return (constant(np.array(v.elements, v.dtype).reshape([d for d in v.shape if isinstance(d, int)])),)
    return None


def eager(op: Builder) -> Eager:
    """The builder of a rule, evaluating what it can."""
    return Eager(infer, op.node, "", op._notes)


def size(op: Builder, x: Value, axis: int) -> Value:
    """The length of ``x`` along ``axis``, a vector of one number."""
    made: Value = op.Shape(x, start=axis, end=axis + 1)
    return made


def i64(*values: int) -> Value:
    """A constant vector of integers."""
    return constant(np.array(values, np.int64))
