"""From the hub to the raw graph: simpler operators until each has a rule, channels last, then the rules."""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel, UsageError, printable
from ...hub import ranges
from ...hub.bodies import shaped, trimmed
from ...hub.branches import ranked
from ...hub.canonical import canonical
from ...hub.decompose import decompose
from ...hub.layout import channels_last
from ...hub.promises import nonnegative
from ...ir.graph import Graph, Made, Node, Value
from ...ir.rules import Builder, Rules, apply, translate
from ...ir.types import Type
from ...passes.clean import clean
from ...passes.fold import fold
from ..onnx.functions import expand
from ..writing import last
from . import hints
from .carriers import carried, raw_constant, raw_dtype, standin
from .decompose import rules
from .decompose.fourier import rewrite as transforms
from .decompose.ml import labelled
from .decompose.recurrent import layers
from .decompose.svdf import rewrite as filters
from .decompose.wide import rewrite as wide
from .from_onnx import from_onnx
from .from_onnx.common import fused
from .from_onnx.control import owned
from .from_onnx.trees import DOUBLE_BITS
from .halve import halve
from .inplace import guarded
from .optimize import optimize
from .raw import builder, type_name
from .shuffle import rewrite as shuffle
from .signed import signed

F64 = np.dtype(np.float64)
TARGET = "TensorFlow Lite"


def from_hub(hub: Graph, *, float16: bool = False, float32: bool = False, recurrent: str = "exact") -> Graph:
    """The graph in builtin operators of TensorFlow Lite, or :class:`UnsupportedModel` with all that is in the way.

    With ``float16`` weights are stored in half precision; ``float32`` lets doubles that come in be computed in float32;
    ``recurrent="fused"`` takes the recurrent operators that keep their state between runs."""
    try:
        return _lowered(hub, float16, float32, recurrent)
    except UnsupportedModel as e:
        symbols = [f"{k}=" + ",".join("N" if not isinstance(d, int) else str(d) for d in v.shape)
                   for k, v in hub.inputs.items() if v.shape is not None and not v.type.static]
        if symbols and any("run time" in p.reason or "known" in p.reason for p in e.problems):
            raise UnsupportedModel(e.problems, e.target, hint="sizes that are symbols may be in the way; numbers for "
                                   f"them: --shape {printable(' --shape '.join(symbols), 300)}") from None
        raise


def _lowered(hub: Graph, float16: bool, float32: bool, recurrent: str) -> Graph:
    if recurrent not in ("exact", "fused"):
        raise UsageError(f"recurrent '{printable(recurrent)}' is neither 'exact' nor 'fused'")
    table = from_onnx
    if recurrent == "fused":
        table = Rules(from_onnx.source, from_onnx.target)
        table.update({**from_onnx, **fused})
    graph = layers(wide.run(filters.run(transforms.run(canonical(shuffle.run(fold(shaped(ranked(labelled(hub))))))))))
    graph = decompose(graph, partial(_legal, table), rules, partial(expand, version=28), target=TARGET,
                      why=partial(_why, table))
    graph = clean(fold(channels_last(signed(trimmed(graph)))))
    doubles = [] if float32 else [k for k, v in graph.inputs.items() if v.dtype == F64 and not _exact(graph, v)]
    if doubles:
        raise UnsupportedModel([Unsupported("float64, which the kernels do not compute",
                                            Node("input", [], {}, [], name=k))
                                for k in doubles], TARGET, hint="--float32 computes doubles in float32")
    typed = carried(canonical(graph))
    indices = nonnegative(typed)
    op = builder()
    if any(v.dtype == F64 for n in graph.walk() for v in n.outputs):
        op.note("approximated", "doubles are computed in float32")
    inputs = {k: Value(Type(v.dtype, v.shape, t.type.quant), v.name)
              for (k, v), t in zip(graph.inputs.items(), typed.inputs.values(), strict=True)}
    flows = {k: _cast(op, v, t.dtype) for (k, v), t in zip(inputs.items(), typed.inputs.values(), strict=True)}
    for k, flow in flows.items():
        ranges.state(flow, ranges.of(typed.inputs[k]))
        if k in indices:
            hints.bound(flow)
    raw = translate(typed, table, op, partial(_around, indices=indices), flows, _entered)
    outputs = {k: _output(op, v, graph.outputs[k].dtype, inputs) for k, v in raw.outputs.items()}
    raw = hints.kernels(optimize(raw.with_(inputs=inputs, outputs=outputs)), hints.hybrid(hub), op)
    raw = guarded(owned(raw, op)).noted(*op.notes)
    return halve(raw, lossless=not float16) if float16 or _halves(hub) else raw


def _exact(graph: Graph, v: Value) -> bool:
    """Whether doubles that come in are only compared by their bits, or rounded to float32 by the model itself."""
    return all(n.op == DOUBLE_BITS or (n.op == "Cast" and n.outputs[0].dtype == np.float32)
               for n in graph.nodes if v in n.inputs) and v not in graph.outputs.values()


def _halves(hub: Graph) -> bool:
    """Whether the model stores weights in half precision already."""
    return any(v.dtype.name == "float16" for v in hub.constants)


def _around(op: Builder, node: Node, rule: Callable[..., Any], indices: Collection[str] = ()) -> Made:
    """Calls a rule, and casts what it makes to the element types that carry the node's outputs."""
    for old in node.outputs:
        if old.name in indices:
            hints.bound(old)
    try:
        made = apply(rule, op, node)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as e:
        raise Unsupported(f"not as its kernel wants it ({type(e).__name__}: {e})") from e
    outs = [_cast(op, raw_constant(v), old.dtype)
            for v, old in zip((made,) if isinstance(made, Value) else made, node.outputs, strict=False)]
    for v, old in zip(outs, node.outputs, strict=False):
        if v.data is None and v.dtype.kind in "iu":
            ranges.state(v, ranges.of(old))
        if v.type.quant is None and old.type.quant is not None and v.node is not None:  # moved integers
            v.type = old.type if v.shape is None else Type(v.dtype, v.shape, old.type.quant)
    return tuple(outs)


def _cast(op: Builder, v: Value, dtype: Any) -> Value:
    if v.dtype == dtype:
        return v
    made: Value = op.CAST(v, in_data_type=type_name(v.dtype), out_data_type=type_name(np.dtype(dtype)))
    made.elements = v.elements
    return made


def _output(op: Builder, v: Value, dtype: Any, inputs: Mapping[str, Value]) -> Value:
    """A value as an output of the model: computed by an operator, in the source's element type."""
    v = _cast(op, v, dtype)
    if v.node is not None:
        return v
    dims = [d if isinstance(d, int) else -1 for d in v.shape or ()]
    if dims.count(-1) > 1:
        made: Value = op.RESHAPE(v, op.SHAPE(v, out_type="INT32"), type=v.type)
    else:
        made = op.RESHAPE(v, np.array(dims, np.int32), new_shape=dims, type=v.type)
    return made


def _entered(node: Node, body: Graph) -> Mapping[str, Value]:
    return body.inputs


def _trial(table: Rules, op: str, node: Node, inputs: list[Value | None], types: list[Type]) -> str:
    """Why the rule of ``op`` refuses a node of that kind; empty if it does not."""
    if op not in table:
        return "no translation"
    attrs = {k: carried(a) if isinstance(a, Graph) else a for k, a in node.attrs.items()}
    probe = Node(op, inputs, attrs, types, origin=node.label)
    for new, old in zip(probe.outputs, node.outputs, strict=True):
        new.elements = old.elements
    try:
        _around(builder().at(probe), probe, table[op])
    except Unsupported as e:
        return e.reason
    return ""


def _why(table: Rules, node: Node) -> str:
    """Why a hub node has no translation as it stands; empty if it has one."""
    ins = [standin(v) for v in node.inputs]
    types = [Type(raw_dtype(o), o.shape) for o in node.outputs]
    op, ins, types = last(node, ins, types)
    return _trial(table, op, node, ins, types)


def _legal(table: Rules, node: Node) -> bool:
    return not _why(table, node)
