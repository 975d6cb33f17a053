"""Which element type a hub value has in a raw graph of a dialect.

TensorFlow's kernels for the CPU round half precision after every operator, some after every term of a sum: it is
carried as float32, as elsewhere, and weights stay stored as they were.  Every other type is computed as such.  A
dialect with fewer types (TensorFlow.js) carries doubles as float32 too, integers of any width as int32 (see
:mod:`modelport.formats.tfjs.lower`)."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...hub import ranges
from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.tensor import Tensor
from ...ir.types import DType, Type

Carrier = Callable[[Value], DType]
"""The element type that carries a value."""


_HALF = frozenset({"float16", "bfloat16"})


def widened(v: Value) -> DType:
    """The element type, half precision as float32."""
    return np.dtype(np.float32) if v.dtype.name in _HALF else v.dtype


def stated(v: Value | None, carrier: Carrier) -> Value | None:
    """A value of the type that a rule will see."""
    if v is None:
        return None
    dtype = carrier(v)
    if v.data is not None:
        return constant(v, dtype)
    made = Value(Type(dtype, v.shape), v.name)
    made.elements = v.elements
    if v.dtype.kind in "iu":
        ranges.state(made, ranges.of(v))
    return made


def constant(v: Value, dtype: DType) -> Value:
    """A constant in another element type, made when it is needed."""
    data = v.data
    if data is None or v.dtype == dtype:
        return v
    type = Type(dtype, v.shape)
    return Value(type, v.name, data=Tensor(lambda: data.numpy().astype(dtype), type))


def carried(graph: Graph, carrier: Carrier) -> Graph:
    """The hub graph with every value typed as it is carried; its operators are the same."""
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        types = [Type(carrier(o), o.shape) for o in next(olds).outputs]
        attrs = {k: carried(a, carrier) if isinstance(a, Graph) else a for k, a in node.attrs.items()}
        ins = [v if v is None or v.data is None else constant(v, carrier(v)) for v in node.inputs]
        made = Node(node.op, ins, attrs, types, [o.name for o in node.outputs], node.name, node.origin)
        for new, old in zip(made.outputs, node.outputs, strict=True):
            new.elements = old.elements
            if old.dtype.kind in "iu":
                ranges.state(new, ranges.of(old))
        return made.outputs

    inputs = {k: Value(Type(carrier(v), v.shape), v.name) for k, v in graph.inputs.items()}
    for new, old in zip(inputs.values(), graph.inputs.values(), strict=True):
        new.elements = old.elements
        ranges.state(new, ranges.of(old))
    made = rebuild(graph, rule, inputs, bodies=False, keep_types=False)
    return made.with_(outputs={k: v if v.data is None else constant(v, carrier(v)) for k, v in made.outputs.items()})
