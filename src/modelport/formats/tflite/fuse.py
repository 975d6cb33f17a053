"""Several raw operators as one: activations and biases that kernels compute on the way, movements after movements."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ir.graph import Made, Node, Value, constant
from ...ir.rewrite import Rewrites, Site
from ...ir.types import Type
from .raw import infer

_ACTIVATED = frozenset("CONV_2D DEPTHWISE_CONV_2D CONV_3D FULLY_CONNECTED ADD SUB MUL DIV AVERAGE_POOL_2D MAX_POOL_2D "
                       "TRANSPOSE_CONV".split())
"""Operators whose kernels clip their result; CONCATENATION and L2_POOL_2D have the option too, and rarely the need."""
_BIASED = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2}
_NAMES = {"RELU": "RELU", "RELU6": "RELU6", "RELU_N1_TO_1": "RELU_N1_TO_1"}
_ACT = "fused_activation_function"


class RawSite(Site):
    """The builder of raw nodes inside a pass."""


def site() -> RawSite:
    return RawSite(infer)


rewrite = Rewrites(site)


def changed(op: Site, node: Node, inputs: Sequence[Value | None], type: Type, **attrs: Any) -> Value:
    """``node`` with other inputs, another type or other options."""
    made: Value = op.at(node).add(node.op, *inputs, type=type, **{**node.attrs, **attrs})
    return made


@rewrite(*_NAMES)
def activation(op: Site, x: Value) -> Made:
    assert op.node is not None
    if x.node is None or x.op not in _ACTIVATED or not op.once(x) or x.dtype != np.float32 \
            or x.node.attrs.get(_ACT, "NONE") != "NONE":
        return None
    return changed(op, x.node, x.node.inputs, op.out, **{_ACT: _NAMES[op.node.op]})


def _stored(v: Value) -> bool:
    """Whether a value is a constant, as it is or dequantized."""
    return v.data is not None or (v.op == "DEQUANTIZE" and v.node is not None and v.node.inputs[0] is not None
                                  and v.node.inputs[0].data is not None)


@rewrite("ADD")
def bias(op: Site, a: Value, b: Value, *, fused_activation_function: str = "NONE") -> Made:
    """A constant for each channel added to what a layer without a bias makes."""
    x, c = (a, b) if _stored(b) else (b, a)
    if x.node is None or not _stored(c) or x.op not in _BIASED or not op.once(x) or x.dtype != np.float32 \
            or x.node.attrs.get(_ACT, "NONE") != "NONE" or x.shape is None or c.shape is None \
            or c.type.size != x.shape[-1] or c.shape[-1:] != x.shape[-1:] or len(c.shape) > len(x.shape):
        return None
    ins = [*x.node.inputs, None, None][:3]
    old = ins[2]
    if old is not None and (old.data is None or np.any(old.numpy())):
        return None
    if c.data is not None:
        c = constant(c.numpy().reshape(-1), name=c.name)
    elif c.rank != 1:
        return None
    ins[2] = c
    return changed(op, x.node, ins, op.out, **{_ACT: fused_activation_function})


@rewrite("FULLY_CONNECTED")
def flattened(op: Site, x: Value, *others: Value | None, **attrs: Any) -> Made:
    """The kernel flattens its input itself (kernels/fully_connected.cc: the batch is what the weights leave)."""
    before = x.node.inputs[0] if x.node is not None and x.op == "RESHAPE" else None
    if op.node is None or before is None or attrs.get("keep_num_dims") or not op.once(x) or x.rank != 2 \
            or before.shape is None or not all(isinstance(d, int) for d in before.shape[1:]) or before.rank == 0 \
            or not (before.type.static or before.shape[0] == x.shape[0]):  # type: ignore[index]  # of rank 2
        return None
    return changed(op, op.node, [before, *others], op.out)


@rewrite("RESHAPE")
def reshape(op: Site, x: Value, shape: Value, *, new_shape: tuple[int, ...] = ()) -> Made:
    """To the shape that it has, or of what was reshaped before."""
    if x.type.static and op.out.static and x.shape == op.out.shape:
        return x
    before = x.node.inputs[0] if x.node is not None and x.op == "RESHAPE" else None
    if before is None or shape.data is None:
        return None
    if before.type.static and before.shape == op.out.shape:
        return before
    made: Value = op.RESHAPE(before, shape, new_shape=new_shape, type=op.out)
    return made


@rewrite("TRANSPOSE")
def transpose(op: Site, x: Value, perm: Value) -> Made:
    """Twice is once or not at all; one that only moves axes of one is a reshape, which costs nothing."""
    if perm.data is None:
        return None
    order = [int(p) for p in perm.numpy()]
    if x.node is not None and x.op == "TRANSPOSE" and x.node.inputs[1] is not None \
            and x.node.inputs[1].data is not None and x.node.inputs[0] is not None:
        first = [int(p) for p in x.node.inputs[1].numpy()]
        both = [first[p] for p in order]
        if both == sorted(both):
            return x.node.inputs[0]
        made: Value = op.TRANSPOSE(x.node.inputs[0], constant(both, np.int32), type=op.out)
        return made
    if x.shape is None or sum(not isinstance(d, int) for d in x.shape) > 1:
        return None
    long = [p for p in order if x.shape[p] != 1]
    if long == sorted(long) and op.out.shape is not None:
        sizes = [d if isinstance(d, int) else -1 for d in op.out.shape]
        moved: Value = op.RESHAPE(x, constant(sizes, np.int32), new_shape=sizes, type=op.out)
        return moved
    return None


@rewrite("RESHAPE")
def shrunk(op: Site, x: Value, shape: Value, *, new_shape: tuple[int, ...] = ()) -> Made:
    """A slice of one element along axes that are then dropped: the slice itself drops them."""
    node, out = x.node, op.out
    if node is None or node.op != "STRIDED_SLICE" or not op.once(x) or x.shape is None or out.shape is None \
            or any(node.attrs.get(k) for k in ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask")):
        return None
    begin, end, stride = (None if v is None or v.data is None else v.numpy() for v in node.inputs[1:4])
    if begin is None or end is None or stride is None:
        return None
    single = [k for k, d in enumerate(x.shape) if d == 1 and stride[k] == 1 and end[k] == begin[k] + 1 and end[k] != 0
              and not (node.attrs["begin_mask"] | node.attrs["end_mask"]) >> k & 1]
    left = list(out.shape)
    mask = 0
    for k in reversed(range(len(x.shape))):  # from behind: which of the axes of one are gone
        if left and left[-1] == x.shape[k] and not (k in single and len(left) <= k):
            left.pop()
        elif k in single:
            mask |= 1 << k
        else:
            return None
    if left or not mask:
        return None
    return changed(op, node, node.inputs, out, shrink_axis_mask=mask)


@rewrite("LOGICAL_NOT")
def negated(op: Site, x: Value) -> Made:
    """NOT_EQUAL; of integers, which NaN is none of, the other comparisons too."""
    other = {"EQUAL": "NOT_EQUAL", "LESS": "GREATER_EQUAL", "GREATER": "LESS_EQUAL"}.get(x.op)
    node = x.node
    if node is None or other is None or not op.once(x) or node.inputs[0] is None \
            or (other != "NOT_EQUAL" and node.inputs[0].dtype.kind not in "iu"):
        return None
    made: Value = op.add(other, *node.inputs, type=op.out)
    return made


@rewrite("CONCATENATION")
def packed(op: Site, *values: Value, axis: int, fused_activation_function: str = "NONE") -> Made:
    """Values that were each given the axis of one along which they are joined."""
    before = []
    for v in values:
        x = v.node.inputs[0] if v.node is not None and v.op in ("RESHAPE", "EXPAND_DIMS") else None
        if x is None or v.shape is None or x.shape is None or v.shape[axis] != 1 \
                or x.shape != (*v.shape[:axis], *v.shape[axis + 1:]) or None in x.shape:
            if v.data is None or v.shape is None or v.shape[axis] != 1 or v.type.quant is not None:
                return None
            x = constant(v.numpy().squeeze(axis), name=v.name)
        before.append(x)
    if len(values) < 2 or all(x.data is not None for x in before) or any(
            x.shape != before[0].shape or x.type.quant is not None for x in before) or op.out.quant is not None:
        return None
    made: Value = op.PACK(*before, axis=axis, values_count=len(before), type=op.out)
    return made


@rewrite("DIV")
def floor_div(op: Site, x: Value, y: Value, *, fused_activation_function: str = "NONE") -> Made:
    """The quotient of integers rounded down: what is left over taken away first."""
    node = x.node
    rest = None if node is None or x.op != "SUB" or node.inputs[1] is None else node.inputs[1].node
    if node is None or rest is None or rest.op != "FLOOR_MOD" or x.dtype.kind != "i" or x.dtype.itemsize > 4 \
            or rest.inputs[0] is not node.inputs[0] or not _same(rest.inputs[1], y):
        return None
    made: Value = op.FLOOR_DIV(node.inputs[0], y, type=op.out)
    return made


def _same(a: Value | None, b: Value | None) -> bool:
    return a is b or (a is not None and b is not None and a.data is not None and b.data is not None
                      and a.type == b.type and np.array_equal(a.numpy(), b.numpy()))


@rewrite("CAST")
def cast(op: Site, x: Value, *, in_data_type: str, out_data_type: str) -> Made:
    """Of a constant; back to the type before where the one between held every value."""
    if x.dtype == op.out.dtype:
        return x
    if x.data is not None and x.dtype.kind in "fiub" and op.out.dtype.kind in "fiub":
        with np.errstate(all="ignore"):
            return constant(x.numpy().astype(op.out.dtype), name=x.name)
    before = x.node.inputs[0] if x.node is not None and x.op == "CAST" else None
    if before is not None and before.dtype == op.out.dtype and np.can_cast(before.dtype, x.dtype, "safe"):
        return before
    return None
