"""From the hub to layers: simpler operators until each has a rule, channels last, then the rules."""
from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel, printable
from ...hub import infer
from ...hub.bodies import shaped
from ...hub.canonical import canonical
from ...hub.decompose import decompose, kernels
from ...hub.layout import channels_last
from ...ir.graph import Graph, Made, Node, Value, constant
from ...ir.rewrite import Rewrites, Site
from ...ir.rules import Builder, Rules, apply, translate
from ...ir.types import NUMBER, Type, is_float, merge
from ...passes.clean import clean
from ...passes.fold import fold
from ..onnx.functions import expand
from ..writing import last, with_bias
from .from_onnx import from_onnx
from .from_onnx.common import cast
from .from_onnx.common import infer as raw_infer
from .from_onnx.math import steps
from .from_onnx.recurrent import LAYER, STATES, narrowed, sizes
from .net import spelled

TARGET = "Keras"
rewrite = Rewrites(infer.site)
simpler = Rules("the hub", "what layers have")
simpler.update({k: v for k, v in kernels.rules.items() if k not in ("DequantizeLinear", "Range")})


def from_hub(hub: Graph) -> Graph:
    """The graph as layers and functions, or :class:`UnsupportedModel` with all that is in the way."""
    graph = clean(fold(layers.run(canonical(fold(shaped(hub))))))
    try:
        graph = decompose(graph, _legal, simpler, partial(expand, version=28), target=TARGET, why=_why)
        return _raw(canonical(clean(fold(channels_last(rewrite.run(graph))))))
    except UnsupportedModel as e:
        sizes_ = [k for k, v in hub.inputs.items() if v.shape is not None and not v.type.static]
        if sizes_ and any("run time" in p.reason or "known" in p.reason or p.reason == "no translation"
                          for p in e.problems):
            raise UnsupportedModel(e.problems, e.target, hint="a net of layers cannot compute with sizes that are "
                                   f"symbols; give numbers: --shape {printable(sizes_[0])}=...") from None
        raise


def _raw(graph: Graph) -> Graph:
    op = _builder()
    inputs = {k: Value(v.type, v.name) for k, v in graph.inputs.items()}
    for new, old in zip(inputs.values(), graph.inputs.values(), strict=True):
        new.elements = old.elements
    raw = translate(graph, from_onnx, op, _around, inputs)
    for key in (*graph.inputs, *graph.outputs):
        if spelled(key) != key:
            op.note("changed", f"'{printable(key)}' is named '{spelled(key)}', as every backend of Keras takes it")
    return narrowed(raw).noted(*op.notes)


def _builder() -> Builder:
    return Builder(raw_infer)


def _around(op: Builder, node: Node, rule: Any) -> Made:
    """Calls a rule, and casts what it makes to the element types of the node's outputs."""
    try:
        made = apply(rule, op, node)
    except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError) as e:
        raise Unsupported(f"not as its layer wants it ({type(e).__name__}: {e})") from e
    outs = [cast(op, v, old.dtype) for v, old in zip((made,) if isinstance(made, Value) else made, node.outputs,
                                                      strict=False)]
    return tuple(outs)


def _trial(op: str, node: Node, inputs: list[Value | None], types: list[Type]) -> str:
    """Why the rule of ``op`` refuses a node of that kind; empty if it does not."""
    if op not in from_onnx:
        return "no translation"
    probe = Node(op, inputs, node.attrs, types, origin=node.label)
    for new, old in zip(probe.outputs, node.outputs, strict=True):
        new.elements = old.elements
    try:
        _around(_builder().at(probe), probe, from_onnx[op])
    except Unsupported as e:
        return e.reason
    return ""


def _why(node: Node) -> str:
    """Why a hub node has no translation as it stands; empty if it has one."""
    if node.op == "DequantizeLinear" and node.inputs[0] is not None and node.inputs[0].data is not None:
        return "stored integers"
    op, ins, types = last(node, node.inputs, [o.type for o in node.outputs])
    return _trial(op, node, ins, types)


def _legal(node: Node) -> bool:
    return node.op == "Shape" or not _why(node)  # nobody asks for most of them in the end; the others are refused then


@simpler("Expand")
def expanded(op: Builder, x: Value, shape: Value) -> Any:
    """As large as a batch: by adding zeros, of which there are as many as a value has rows.

    Layers do not know the size of a batch, but what they compute from a row is there for every one."""
    out = op.out.shape
    if out is None or None in out or x.shape is None or not (is_float(x.dtype) or x.dtype.kind in "iub"):
        raise Unsupported(_LATE)
    own = (1,) * (len(out) - len(x.shape)) + x.shape
    known = [d if isinstance(d, int) else e if e != 1 else 1 for d, e in zip(out, own, strict=True)]
    made = op.Expand(x, np.array(known)) if all(isinstance(d, int) for d in known) else x
    for axis, d in enumerate(out):
        if isinstance(d, str) and own[axis] != d:
            never = op.Reshape(_never(op, d, shape), np.array([-1] + [1] * (len(out) - axis - 1)))
            made = op.Or(made, never) if x.dtype == bool else op.Add(made, op.Cast(never, to=NUMBER[x.dtype]))
    return made


@simpler("Range")
def counted(op: Builder, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Any:
    """As many numbers as a batch has rows: sums of ones."""
    size = op.out.shape[0] if op.out.shape else None
    if not isinstance(size, str) or start.dtype.kind not in "iu":
        return kernels.rules["Range"](op, start, limit, delta, stash_type=stash_type)
    ones = op.Add(op.Cast(_never(op, size, limit), to=NUMBER[start.dtype]), np.array(1, start.dtype))
    index = op.Sub(op.CumSum(ones, np.array(0)), np.array(1, start.dtype))
    return op.Add(op.Mul(index, delta), start)


_LATE = "a shape that is computed at run time"


def _never(op: Builder, size: str, asked: Value) -> Value:
    """A vector of so many that are false, whatever the value holds whose axis is said to be of that size."""
    rows = next((v for v in _asked(asked) if v.shape is not None and v.shape.count(size) == 1 and all(
        isinstance(e, int) and e for e in v.shape if e != size)), None)
    if rows is None or rows.shape is None:
        raise Unsupported(_LATE)
    others = np.array([a for a, e in enumerate(rows.shape) if e != size])
    one = op.Reshape(op.Slice(rows, others * 0, others * 0 + 1, others), np.array([-1])) if others.size else rows
    same = op.Equal(one, one)
    made: Value = op.And(same, op.Not(same))
    return made


def _asked(v: Value | None) -> Iterator[Value]:
    """The values whose sizes an integer is computed from."""
    if v is not None and v.node is not None:
        for x in v.node.inputs:
            if v.op != "Shape":
                yield from _asked(x)
            elif x is not None:
                yield x


@simpler("DequantizeLinear")
def dequantized(op: Builder, q: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0,
                output_dtype: int = 0) -> Any:
    """Weights that are stored as integers, as the real numbers that layers hold."""
    s, z, _ = steps(q, scale, zero, axis, block_size, q.dtype)
    if q.data is None or op.out.dtype != np.float32:
        raise Unsupported("integers that are computed")
    op.note("changed", "quantized weights are stored as float32")
    return constant(((q.numpy().astype(np.int64) - z).astype(np.float32) * s).astype(np.float32), name=q.name)


@rewrite("Add")
def biased(op: Site, a: Value, b: Value) -> Made:
    """A product with a constant matrix and the addition of a vector: a dense layer."""
    return with_bias(op, a, b, "keras.Dense")


layers = Rewrites(infer.site)


@layers("LSTM", "GRU", "RNN")
def recurrent(op: Site, x: Value, w: Value, r: Value, b: Value | None = None, lengths: Value | None = None,
              *states: Value | None, hidden_size: int = 0, direction: str = "forward", activations: Any = (),
              linear_before_reset: int = 0, layout: int = 0, input_forget: int = 0) -> Made:
    """A layer of batches first between transposes, which those of the source cancel."""
    assert op.node is not None
    kind = op.node.op
    if lengths is not None or layout or input_forget or len(states) > STATES[kind] or w.data is None or r.data is None \
            or (b is not None and b.data is None) or x.rank != 3:
        return None
    n, _, units = r.numpy().shape
    first = []
    for s in states:
        if s is None or (s.data is not None and not np.any(s.numpy())):
            continue
        first += [op.Squeeze(part, np.array([0])) for part in (
            op.Split(s, axis=0, num_outputs=n, outputs=n) if n > 1 else [s])]
    if n > 1 and len(first) == 2 * STATES[kind]:  # each direction's own, not each state's
        first = [first[d + n * s] for d in range(n) for s in range(STATES[kind])]
    moved = op.Transpose(x, perm=(1, 0, 2))
    types = sizes(moved, units, n, STATES[kind])
    outs = op.add(LAYER, moved, w, r, b, *first, kind=kind, direction=direction, activations=tuple(
        a.decode() if isinstance(a, bytes) else a for a in activations), linear_before_reset=linear_before_reset,
        type=types, outputs=len(types))
    every = op.Transpose(outs[0], perm=(1, 0, 2))
    if n > 1:
        shape = np.array([0, 0, n, units], np.int64)
        every = op.Transpose(op.Reshape(every, shape), perm=(0, 2, 1, 3))
    else:
        every = op.Unsqueeze(every, np.array([1]))
    last = [op.Concat(*(op.Unsqueeze(outs[1 + s + d * STATES[kind]], np.array([0])) for d in range(n)), axis=0) if n > 1
            else op.Unsqueeze(outs[1 + s], np.array([0])) for s in range(STATES[kind])]
    made = (every, *last)
    for new, old in zip(made, op.node.outputs, strict=False):
        new.type = merge(new.type, old.type)
    return made[:len(op.node.outputs)]
