"""From the hub to kernels of ExecuTorch: simpler operators until each has a rule, then the rules."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import Unsupported, UnsupportedModel, printable
from ...hub.bodies import shaped, trimmed
from ...hub.branches import ranked
from ...hub.canonical import canonical
from ...hub.decompose import decompose, kernels
from ...hub.decompose import rules as general
from ...ir.graph import Graph, Made, Node, Value
from ...ir.rules import Builder, Rules, apply, translate
from ...ir.types import STRING, dtype_name
from ...passes.clean import clean
from ...passes.fold import fold
from ..onnx.functions import expand
from .from_onnx import from_onnx
from .raw import Calls

TARGET = "ExecuTorch"
_TYPES = frozenset("bool uint8 int8 int16 int32 int64 float16 float32 float64".split())
"""Element types that the portable kernels compute."""
simpler = Rules("the hub", "what ExecuTorch has")
simpler.update(kernels.rules)
simpler["Range"] = general["Range"]


def from_hub(hub: Graph) -> Graph:
    """The graph in kernels, or :class:`UnsupportedModel` with all that is in the way."""
    free = [f"{k}={','.join(str(d) if isinstance(d, int) else 'N' for d in v.shape or ())}"
            for k, v in hub.inputs.items() if not v.type.static]
    if free:
        raise UnsupportedModel([Unsupported("a size that is not known: memory is planned when the file is written",
                                            Node("input", (), {}, (), name=k)) for k in hub.inputs
                                if not hub.inputs[k].type.static], TARGET,
                               hint=f"numbers for them: --shape {printable(' --shape '.join(free), 300)}")
    graph = canonical(fold(shaped(ranked(hub))))
    graph = decompose(graph, _legal, simpler, partial(expand, version=28), target=TARGET, why=_why)
    graph = canonical(clean(fold(trimmed(graph))))
    for k, v in graph.inputs.items():
        if v.dtype == STRING:
            raise UnsupportedModel([Unsupported(f"the input '{k}' of text")], TARGET)
    op = Calls()
    made = translate(graph, from_onnx, op, _around)
    outputs: dict[str, Value] = {}
    for k, v in made.outputs.items():  # an output is a tensor of its own
        taken = any(v is o for o in outputs.values())
        outputs[k] = op.call("clone.out", v, None, type=v.type) if v.node is None or taken else v
    return made.with_(outputs=outputs)


def _around(op: Builder, node: Node, rule: Callable[..., Any]) -> Made:
    for v in (*node.inputs, *node.outputs):
        if v is not None:
            if not v.type.static:
                raise Unsupported(f"a tensor of {v.type}: memory is planned for sizes that are known")
            if v.dtype.name not in _TYPES:
                raise Unsupported(f"element type {dtype_name(v.dtype)}")
    try:
        made: Made = apply(rule, op, node)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as e:
        raise Unsupported(f"not as its kernel wants it ({type(e).__name__}: {printable(e, 100)})") from e
    return made


def _why(node: Node) -> str:
    """Why a hub node has no translation as it stands; empty if it has one."""
    if node.op not in from_onnx:
        return "no translation"
    probe = Node(node.op, node.inputs, node.attrs, [o.type for o in node.outputs], origin=node.label)
    for new, old in zip(probe.outputs, node.outputs, strict=True):
        new.elements = old.elements
    try:
        _around(Calls().at(probe), probe, from_onnx[node.op])
    except Unsupported as e:
        return e.reason
    return ""


def _legal(node: Node) -> bool:
    return not _why(node)
