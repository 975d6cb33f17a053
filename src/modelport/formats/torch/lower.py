"""From the hub to calls of ATen's operators: simpler operators until each has a rule, then the rules."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...hub import decompose as general
from ...hub import infer, ranges
from ...hub.bodies import shaped, trimmed
from ...hub.branches import ranked
from ...hub.canonical import canonical
from ...hub.decompose import decompose, kernels
from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.rewrite import Rewrites, Site
from ...ir.rules import Builder, Rules, apply, translate
from ...ir.types import STRING, DType, Type, dtype_name
from ...passes.clean import clean
from ...passes.fold import fold
from ..onnx.functions import expand
from ..writing import with_bias
from .from_onnx import from_onnx
from .from_onnx.common import cast
from .raw import At

TARGET = "PyTorch"
simpler = Rules("the hub", "what PyTorch has")
simpler.update(kernels.rules)
simpler["Range"] = general.rules["Range"]
rewrite = Rewrites(infer.site)

_WIDER: dict[DType, DType] = {np.dtype("u2"): np.dtype("i4"), np.dtype("u4"): np.dtype("i8")}
"""Unsigned types that most kernels lack are computed in wider ones, and cast back, which wraps as they do."""
_MOVES = frozenset("Identity Reshape Flatten Squeeze Unsqueeze Transpose Cast If Expand Slice Shape Size Loop".split())


def from_hub(hub: Graph) -> Graph:
    """The graph in ATen's operators, or :class:`UnsupportedModel` with all that is in the way."""
    graph = canonical(fold(shaped(ranked(hub))))
    graph = decompose(graph, _legal, simpler, partial(expand, version=28), target=TARGET, why=_why)
    graph = rewrite.run(canonical(clean(fold(trimmed(graph)))))
    for k, v in graph.inputs.items():
        if v.rank is None:
            raise UnsupportedModel([Unsupported(f"the input '{k}' of unknown rank")], TARGET)
        if v.dtype == STRING:
            raise UnsupportedModel([Unsupported(f"the input '{k}' of text")], TARGET)
    inputs = {k: Value(v.type, v.name) for k, v in graph.inputs.items()}
    for v, old in zip(inputs.values(), graph.inputs.values(), strict=True):
        v.elements = old.elements
        if v.dtype.kind in "iu":
            ranges.state(v, ranges.of(old))
    return tied(shared(translate(graph, from_onnx, At(), _around, inputs)))


def shared(graph: Graph) -> Graph:
    """The graph that computes the same thing once, and takes sizes from its inputs where these have them."""
    first: dict[str, tuple[Value, int]] = {}
    for v in graph.inputs.values():
        for axis, d in enumerate(v.shape or ()):
            if isinstance(d, str):
                first.setdefault(d, (v, axis))
    known: dict[Any, Node] = {}

    def rule(node: Node) -> Made:
        if node.bodies:
            return node.with_(attrs={k: shared(a) if isinstance(a, Graph) else a
                                     for k, a in node.attrs.items()}).outputs
        if node.op == "aten.sym_size.int":
            x = node.inputs[0]
            d = x.shape[node.attrs["dim"]] if x is not None and x.shape is not None else None
            if isinstance(d, str) and d in first and first[d][0] is not x:
                v, axis = first[d]
                node = Node(node.op, [v], {**node.attrs, "dim": axis}, [node.outputs[0].type], origin=node.origin)
        key = (node.op, tuple(map(id, node.inputs)), repr(node.attrs))
        same = known.setdefault(key, node)
        if any(a.shape != b.shape for a, b in zip(same.outputs, node.outputs, strict=True)):
            return node.outputs
        return same.outputs
    return rebuild(graph, rule, bodies=False)


def tied(graph: Graph) -> Graph:
    """The graph in which a table of embeddings that is also the matrix of a linear layer is one weight."""
    tables = {v for n in graph.walk() if n.op in ("aten.embedding.default", "aten.index.Tensor")
              and (v := n.inputs[0]) is not None and v.data is not None and v.rank == 2}

    def rule(node: Node) -> Made:
        if node.op != "aten.linear.default":
            return None
        w = node.inputs[1]
        same = next((t for t in tables if w is not None and w.data is not None and w is not t and t.type == w.type
                     and np.array_equal(t.numpy(), w.numpy())), None)
        return None if same is None else node.with_(inputs=[node.inputs[0], same, *node.inputs[2:]]).outputs
    return rebuild(graph, rule) if tables else graph


@rewrite("Add")
def biased(op: Site, a: Value, b: Value) -> Made:
    """A product with a constant matrix and the addition of a vector: a linear layer."""
    return with_bias(op, a, b, "torch.Linear")


@rewrite("Mul")
def gated(op: Site, a: Value, b: Value) -> Made:
    """A value times its sigmoid."""
    for x, gate in ((a, b), (b, a)):
        if gate.node is not None and gate.node.op == "Sigmoid" and gate.node.inputs[0] is x and op.once(gate):
            made: Value = op.add("torch.Silu", x, type=op.out)
            return made
    return None


def _around(op: Builder, node: Node, rule: Callable[..., Any]) -> Made:
    """Calls a rule, and casts what it makes to the element types of the node's outputs."""
    assert isinstance(op, At)
    if any(o.dtype == STRING for o in node.outputs):
        raise Unsupported("text")
    wide = node.op not in _MOVES and any(v is not None and v.dtype in _WIDER for v in (*node.inputs, *node.outputs))
    here, at = node, op
    if wide:
        types = [Type(_WIDER.get(o.dtype, o.dtype), o.shape) for o in node.outputs]
        here = Node(node.op, [v if v is None else cast(op, v, _WIDER.get(v.dtype, v.dtype)) for v in node.inputs],
                    node.attrs, types, [o.name for o in node.outputs], node.name, node.origin)
        for new, old in zip(here.outputs, node.outputs, strict=True):
            new.elements = old.elements
        again = op.at(here)
        assert isinstance(again, At)
        at = again
    try:
        made = apply(rule, at, here)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as e:
        raise Unsupported(f"not as its kernel wants it ({type(e).__name__}: {e})") from e
    outs = []
    for v, old in zip((made,) if isinstance(made, Value) else made, node.outputs, strict=False):
        if old.dtype.kind == "V" and old.dtype.name not in ("bfloat16", "float8_e4m3fn", "float8_e5m2",
                                                            "float8_e4m3fnuz", "float8_e5m2fnuz"):
            raise Unsupported(f"element type {dtype_name(old.dtype)}")
        outs.append(cast(op, v, old.dtype))
    for v, old in zip(outs, node.outputs, strict=False):
        if v.data is None and v.dtype.kind in "iu":
            ranges.state(v, ranges.of(old))
    return tuple(outs)


def _why(node: Node) -> str:
    """Why a hub node has no translation as it stands; empty if it has one."""
    if node.op not in from_onnx:
        return "no translation"
    probe = Node(node.op, node.inputs, node.attrs, [o.type for o in node.outputs], origin=node.label)
    for new, old in zip(probe.outputs, node.outputs, strict=True):
        new.elements = old.elements
        if old.dtype.kind in "iu":
            ranges.state(new, ranges.of(old))
    try:
        _around(At().at(probe), probe, from_onnx[node.op])
    except Unsupported as e:
        return e.reason
    return ""


def _legal(node: Node) -> bool:
    return not _why(node)
