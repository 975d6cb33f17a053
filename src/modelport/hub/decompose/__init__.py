"""Operators said with simpler operators: contributed ones on reading, what a target lacks before writing.

``rules`` says the operators of the hub, ``ai.onnx.ml`` too, in others of the hub; :func:`decompose` applies them, and
the function bodies of the schemas, until a target has every operator of a graph."""
from __future__ import annotations

from ...ir.rules import Rules
from . import (
    attention,
    einsum,
    elementwise,
    index,
    ml,
    norm,
    pool,
    products,
    recurrent,
    reduce,
    regions,
    resize,
    sample,
    shape,
    signal,
    simpler,
)
from .engine import Expand, decompose

__all__ = ["Expand", "decompose", "rules"]

rules = Rules("the hub", "simpler operators")
rules.update(simpler.rules)
for _family in (elementwise, einsum, index, reduce, shape):
    rules.update(_family.rules)
rules.update(ml.rules)
rules.update(norm.rules)
rules.update(pool.rules)
rules.update(recurrent.rules)
rules.update(resize.rules)
rules.update(products.rules)
rules.update(attention.rules)
rules.update(sample.rules)
rules.update(signal.rules)
rules.update(regions.rules)
