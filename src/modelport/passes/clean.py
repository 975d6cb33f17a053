"""Takes away what computes nothing: identities, pairs that cancel, the same thing computed twice."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..hub import infer, shapes
from ..hub.agnostic import REDUCE
from ..hub.evaluate import NEVER
from ..ir.graph import Graph, Made, Node, Value, constant, rebuild
from ..ir.rewrite import Rewrites, Site
from ..ir.tensor import Tensor
from ..ir.types import STRING, is_float

rewrite = Rewrites(infer.site)

_RESHAPES = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten"})


def clean(graph: Graph) -> Graph:
    """The graph without operators that change nothing, equal nodes merged; the result is computed bit for bit alike."""
    return share(rewrite.run(graph))


@rewrite("Identity")
def identity(op: Site, x: Value) -> Made:
    return x


@rewrite("Dropout")
def dropout(op: Site, x: Value, ratio: Value | None = None, training: Value | None = None, *, seed: int = 0) -> Made:
    """At inference Dropout hands its input on (ONNX operator Dropout, "training_mode")."""
    assert op.node is not None
    if len(op.node.outputs) > 1 or (training is not None and (training.data is None or bool(training.numpy()))):
        return None
    return x


@rewrite("Cast")
def cast(op: Site, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Made:
    """No change of type, or back from a wider type that held every value."""
    if x.dtype == op.out.dtype:
        return x
    before = x.node.inputs[0] if x.node is not None and x.op == "Cast" else None
    if before is not None and before.dtype == op.out.dtype and _widens(before.dtype, x.dtype):
        return before
    return None


def _widens(a: np.dtype[Any], b: np.dtype[Any]) -> bool:
    plain = "biuf"
    return a.kind in plain and b.kind in plain and bool(np.can_cast(a, b, "safe"))


@rewrite("Transpose")
def transpose(op: Site, x: Value, *, perm: tuple[int, ...] | None = None) -> Made:
    """Two transposes are one or none; a transposed quantized constant is stored transposed."""
    if perm is None:
        if x.rank is None:
            return None
        perm = tuple(reversed(range(x.rank)))
    if perm == tuple(range(len(perm))):
        return x
    if x.node is None:
        return None
    if x.op == "Transpose" and x.node.attrs.get("perm") is not None:
        inner = x.node.inputs[0]
        both = [x.node.attrs["perm"][p] for p in perm]
        assert inner is not None
        return inner if both == sorted(both) else op.Transpose(inner, perm=both)
    if x.op == "DequantizeLinear" and x.node.inputs[0] is not None and x.node.inputs[0].data is not None:
        q, scale = x.node.inputs[0], x.node.inputs[1]
        if x.node.attrs.get("block_size", 0) or scale is None:
            return None
        attrs = dict(x.node.attrs)
        if scale.rank == 1:
            attrs["axis"] = perm.index(attrs.get("axis", 1) % len(perm))
        turned = constant(q.numpy().transpose(perm), name=q.name)
        made: Value = op.DequantizeLinear(turned, *x.node.inputs[1:], **attrs)
        return made
    if all(d == 1 for d in (x.shape or (0,))):
        return x if x.rank is not None and op.out.shape == x.shape else None
    return None


@rewrite(*_RESHAPES)
def reshape_chain(op: Site, x: Value, *others: Value | None, axis: int = 1, allowzero: int = 0) -> Made:
    """A chain of reshapes that ends in the shape it began with is nothing; two in a row are the last one."""
    assert op.node is not None
    shape = op.out.shape
    root = x
    while root.node is not None and root.op in _RESHAPES and root.node.inputs[0] is not None:
        root = root.node.inputs[0]
        if shape is not None and None not in shape and root.shape == shape:
            return root
    if shape is not None and None not in shape and x.shape == shape:
        return x
    if op.node.op == "Reshape" and x.op in _RESHAPES and op.once(x) and x.node is not None:
        want = shapes.elements(others[0])
        inner = x.node.inputs[0]
        if want is not None and inner is not None and (allowzero or 0 not in want) and None not in want:
            return op.Reshape(inner, others[0], allowzero=allowzero)
    return None


@rewrite("Reshape")
def plain_shape(op: Site, x: Value, shape: Value, *, allowzero: int = 0) -> Made:
    """A computed shape that is known but for one size, or whose unknown sizes are the input's own, is written down.

    -1 stands for one size, 0 for a size of the input; both only where there was a -1 before, because with an empty
    batch it can't be inferred."""
    want, out = shapes.elements(shape), op.out.shape
    if shape.data is not None or want is None or 0 in want or out is None or len(out) != len(want):
        return None
    sizes = [out[k] if e == -1 else e for k, e in enumerate(want)]
    unknown = [k for k, e in enumerate(sizes) if not isinstance(e, int)]
    if len(unknown) > 1:
        given = () if allowzero or x.shape is None else x.shape
        left = [k for k in unknown if k >= len(given) or given[k] is None or given[k] != sizes[k]]
        sizes = [0 if k in unknown and k not in left else e for k, e in enumerate(sizes)]
        unknown = left
        if len(left) > 1 or (left and want[left[0]] != -1):
            return None
    if 0 in out:
        return None
    return op.Reshape(x, np.array([-1 if k in unknown else e for k, e in enumerate(sizes)], np.int64))


@rewrite("Unsqueeze")
def one_size(op: Site, x: Value, axes: Value) -> Made:
    """One element of a vector, made a vector of one again, is taken as a vector of one."""
    if x.node is None or x.op != "Gather" or x.rank != 0 or op.out.shape != (1,):
        return None
    sizes, index = x.node.inputs[0], x.node.inputs[1]
    if sizes is None or sizes.rank != 1 or index is None or index.data is None:
        return None
    return op.Gather(sizes, index.numpy().reshape(1), axis=0)


@rewrite("Expand", "Tile")
def expand(op: Site, x: Value, by: Value) -> Made:
    return x if op.out.shape is not None and None not in op.out.shape and op.out.shape == x.shape else None


@rewrite("Slice")
def whole_slice(op: Site, x: Value, starts: Value, ends: Value, axes: Value | None = None,
                steps: Value | None = None) -> Made:
    same = op.out.shape is not None and None not in op.out.shape and op.out.shape == x.shape
    forward = steps is None or (steps.data is not None and (steps.numpy() == 1).all())
    return x if same and forward else None


@rewrite("Pad")
def no_pad(op: Site, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
           mode: str = "constant") -> Made:
    return x if pads.data is not None and not pads.numpy().any() else None


@rewrite("Concat", "Sum", "Max", "Min", "Mean")
def alone(op: Site, *inputs: Value, axis: int = 0) -> Made:
    return inputs[0] if len(inputs) == 1 else None


@rewrite("Split")
def one_split(op: Site, x: Value, split: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Made:
    assert op.node is not None
    return x if len(op.node.outputs) == 1 else None


@rewrite("Gather")
def of_one_part(op: Site, x: Value, indices: Value, *, axis: int = 0) -> Made:
    """What is picked from several values one behind the other, but all from one of them, is picked from that."""
    if x.node is None or x.op != "Concat" or x.rank is None or indices.data is None or indices.rank != 1:
        return None
    axis, along = axis % x.rank, x.node.attrs["axis"] % x.rank
    parts = [v for v in x.node.inputs if v is not None]
    widths = [v.shape[axis] if v.shape else None for v in parts]
    if axis != along or not all(isinstance(w, int) for w in widths):
        return None
    ends = np.cumsum(np.array(widths, np.int64))
    picked = indices.numpy().astype(np.int64)
    picked = np.where(picked < 0, picked + ends[-1], picked)
    part = np.searchsorted(ends, picked, side="right")
    if not len(picked) or (part != part[0]).any() or picked.min() < 0 or picked.max() >= ends[-1]:
        return None
    one, width = parts[part[0]], widths[part[0]]
    places = picked - (ends[part[0]] - width)
    return one if np.array_equal(places, np.arange(width)) else op.Gather(one, places, axis=axis)


_MOVED = frozenset("Cast Expand Flatten Gather Identity Reshape Slice Split Squeeze Tile Transpose Unsqueeze".split())


def _zeros(v: Value | None) -> bool:
    """Whether a value is zeros, of whatever size."""
    if v is None or v.node is None:
        return v is not None and v.data is not None and is_float(v.dtype) and not v.numpy().any()
    if v.op == "ConstantOfShape":
        fill = v.node.attrs.get("value")
        return fill is None or not fill.numpy().any()
    return _zeros(v.node.inputs[0]) if v.op in _MOVED else v.op == "Concat" and all(map(_zeros, v.node.inputs))


@rewrite("LSTM", "GRU", "RNN")
def from_zero(op: Site, *inputs: Value | None, **_: Any) -> Made:
    """Zeros as the first state, which exporters of PyTorch make as large as the batch, are no state."""
    assert op.node is not None
    if not any(map(_zeros, inputs[5:7])):
        return None
    kept = [*inputs[:5], *(None if _zeros(v) else v for v in inputs[5:7]), *inputs[7:]]
    while kept[-1] is None:
        kept.pop()
    return op.node.with_(inputs=kept).outputs


@rewrite("Mul", "Div")
def by_one(op: Site, x: Value, y: Value) -> Made:
    """Times one, over one: exact for every number, infinity and NaN."""
    assert op.node is not None
    for a, b in ((x, y), (y, x)):
        if b.data is not None and b.type.size is not None and 0 < b.type.size <= 4096 and a.data is None \
                and op.out.shape is not None and op.out.shape == a.shape and None not in op.out.shape \
                and (op.node.op == "Mul" or b is y) and (b.numpy() == 1).all():
            return a
    return None


@rewrite("QuantizeLinear")
def requantize(op: Site, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, saturate: int = 1,
               block_size: int = 0, output_dtype: int = 0, precision: int = 0) -> Made:
    """Quantizing what was just dequantized with the same parameters gives the integers back."""
    if x.node is None or x.op != "DequantizeLinear" or block_size or x.node.attrs.get("block_size", 0):
        return None
    q = x.node.inputs[0]
    other = [*x.node.inputs[1:], None][:2]
    same = all(_equal(a, b) for a, b in zip(other, (scale, zero), strict=True))
    if q is None or not same or q.dtype != op.out.dtype or is_float(q.dtype):
        return None
    return q if scale.rank == 0 or axis == x.node.attrs.get("axis", 1) else None


def _equal(a: Value | None, b: Value | None) -> bool:
    if a is b:
        return True
    return a is not None and b is not None and a.data is not None and b.data is not None and a.type == b.type \
        and bool(np.array_equal(a.numpy(), b.numpy()))


@rewrite(*sorted(REDUCE))
def stated_axes(op: Site, x: Value, axes: Value, *, keepdims: int = 1, noop_with_empty_axes: int) -> Made:
    """What to do without axes does not matter where there are some."""
    assert op.node is not None
    if axes.data is None or not axes.numpy().size:
        return None
    return op.add(op.node.op, x, axes, keepdims=keepdims)


@rewrite("Not")
def not_not(op: Site, x: Value) -> Made:
    return x.node.inputs[0] if x.node is not None and x.op == "Not" else None


@rewrite("If")
def known_if(op: Site, condition: Value, *inputs: Value, then_branch: Graph, else_branch: Graph,
             captures: int = 0) -> Made:
    """A condition that is known leaves one branch, put in place of the If."""
    known = shapes.known(condition)
    if known is None:
        return None
    body = then_branch if bool(np.ravel(known)[0]) else else_branch
    placed = rebuild(body, lambda node: None, dict(zip(body.inputs, inputs, strict=True)))
    return tuple(placed.outputs.values())


def share(graph: Graph) -> Graph:
    """The graph in which equal operators on equal inputs, constants by their elements, are one node."""
    seen: dict[Any, list[Node]] = {}
    sizes_seen: dict[Any, Node] = {}

    def kind(v: Value | None) -> Any:
        return v if v is None or v.data is None or v.dtype == STRING else v.type

    def rule(node: Node) -> Made:
        if node.op in NEVER or any(isinstance(a, Graph) for a in node.attrs.values()):
            return None
        sizes = node.outputs[0].elements
        if len(node.outputs) == 1 and sizes and None not in sizes:  # the same sizes, wherever they were read
            first = sizes_seen.setdefault((node.outputs[0].type, sizes), node)
            if first is not node:
                return first.outputs
        attrs = tuple(sorted((k, id(a) if isinstance(a, Tensor) else a) for k, a in node.attrs.items()))
        try:
            like = seen.setdefault((node.op, tuple(map(kind, node.inputs)), attrs, len(node.outputs)), [])
        except TypeError:
            return None
        for first in like[:8]:  # the many convolutions of one image are no candidates for long
            if all(map(_alike, first.inputs, node.inputs)):
                return first.outputs
        like.append(node)
        return None

    return rebuild(graph, rule, bodies=False)


def _alike(a: Value | None, b: Value | None) -> bool:
    """Whether two values are one, or constants of the same elements that are quickly compared."""
    if a is b or a is None or b is None or a.data is None or b.data is None or a.dtype == STRING:
        return a is b
    return a.data.nbytes <= 1 << 20 and a.numpy().tobytes() == b.numpy().tobytes()
