"""From the raw graph to the hub: what has to hold for the rules of :mod:`.to_onnx` to be right."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import builder, join
from ...ir.graph import Graph, Node, Value, constant
from ...ir.rules import Builder, apply, translate
from ...ir.types import Type
from .attributes import OPAQUE, element_of
from .loops import stacked
from .random import settled
from .recurrent import recognised
from .to_onnx import to_onnx
from .to_onnx.signal import OWN, is_complex, knows, lifted, mark

_TURNS = 4


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators, or :class:`UnsupportedModel` with all that is in the way."""
    problems = [*_interface(raw), *_complex(raw)]
    if problems:
        raise UnsupportedModel(problems, to_onnx.target)
    op = builder()
    graph = stacked(recognised(settled(raw)))
    return translate(graph, to_onnx, op, _around, enter=lambda node, body: _entered(op, node, body))


def _interface(raw: Graph) -> Iterator[Unsupported]:
    for name, v in [*raw.inputs.items(), *raw.outputs.items()]:
        where = v.node or Node(f"input '{name}'", [], {}, [])
        if v.dtype == OPAQUE or v.dtype.names:
            yield Unsupported("no tensor flows into or out of the model", where)
        elif v.dtype.kind == "c":
            yield Unsupported("complex numbers flow into or out of the model", where)


def _complex(raw: Graph) -> Iterator[Unsupported]:
    for node in raw.walk():
        if not knows(node.op) and any(map(is_complex, (*node.inputs, *node.outputs))):
            yield Unsupported("complex numbers", node)


def _around(op: Builder, node: Node, rule: Callable[..., Any]) -> Any:
    """Calls the rule, and makes sure that it delivers the element types that TensorFlow states."""
    try:
        here = node
        made = None
        if any(map(is_complex, node.inputs)) or any(o.dtype.kind == "c" for o in node.outputs):
            here = node.with_(inputs=[_pairs(v) for v in node.inputs])
            if node.op not in OWN:
                made = lifted(op, list(here.inputs), dict(node.attrs))
        if made is None:
            made = apply(rule, op, here)
    except (ArithmeticError, LookupError, ValueError, TypeError, AttributeError) as e:
        # a node from a file: an absent input, a size of zero, fewer outputs than its attributes say
        raise Unsupported(f"the operator is not as its kernel wants it ({type(e).__name__}: {e})") from e
    outs = (made,) if isinstance(made, Value) else tuple(made)
    for out, raw in zip(outs, node.outputs, strict=False):
        if raw.dtype.kind == "c":
            mark(out)
        want = element_of(raw.dtype) or raw.dtype
        if out.dtype != want and want.kind != "c" and want != OPAQUE:
            raise Unsupported(f"a result of {out.dtype} where {want} is stated")
    return outs


def _pairs(v: Value | None) -> Value | None:
    """A complex constant as real numbers with a last dimension of 2."""
    if v is None or v.data is None or v.dtype.kind != "c":
        return v
    x = v.numpy()
    made = constant(np.stack([x.real, x.imag], -1), name=v.name)
    mark(made)
    return made


def _entered(op: Builder, node: Node, body: Graph) -> Mapping[str, Value]:
    """The inputs of a body, typed by what flows into it in every turn."""
    if node.op in ("If", "Case"):
        outer = node.inputs[1:]
        return {k: _like(v, raw) for (k, raw), v in zip(body.inputs.items(), outer, strict=True)}
    inputs = list(node.inputs)
    turn = node.attrs["body"]
    ins, outs = list(turn.inputs.values()), list(turn.outputs.values())
    fixed = {k for k, v in enumerate(ins) if outs[k] is v}
    types = [Type(v.dtype, v.shape) if v is not None else ins[k].type for k, v in enumerate(inputs)]
    for _ in range(_TURNS):
        given = {name: _like(inputs[k], raw) if k in fixed else Value(types[k], raw.name)
                 for k, (name, raw) in enumerate(turn.inputs.items())}
        try:
            made = _tried(turn, given)
        except (UnsupportedModel, Unsupported):
            break
        after = [types[k] if k in fixed else join(types[k], v.type)
                 for k, v in enumerate(list(made.outputs.values())[:len(types)])]
        if after == types:
            break
        types = after
    return {name: _like(inputs[k], raw) if k in fixed else Value(types[k], raw.name)
            for k, (name, raw) in enumerate(body.inputs.items())}


def _tried(body: Graph, given: Mapping[str, Value]) -> Graph:
    """A translation of a body for the sake of its types."""
    quiet = builder()
    return translate(body, to_onnx, quiet, _around, given, lambda n, b: _entered(quiet, n, b))


def _like(v: Value | None, raw: Value) -> Value:
    """An input of a body for a value that no turn changes."""
    if v is None:
        return raw
    made = Value(Type(v.dtype, v.shape), raw.name)
    made.elements = v.elements
    return made
