"""Operators that compute the same on transposed tensors, and how their attributes follow the axes.

With ``perm`` such that ``moved = Transpose(x, perm)``, axis ``a`` of ``x`` is axis ``perm.index(a)`` of ``moved``."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Node, Value, constant
from ..ir.rules import Builder

Perm = Sequence[int]

UNARY = frozenset(
    "Abs Acos Acosh Asin Asinh Atan Atanh BitCast BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor "
    "Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink "
    "Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu".split())
NARY = frozenset(
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min "
    "Mod Mul Or PRelu Pow Sub Sum Where Xor".split())
ONE_AXIS = frozenset("Softmax LogSoftmax Hardmax LpNormalization".split())
REDUCE = frozenset("ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
                   "ReduceSum ReduceSumSquare".split())


@dataclass(frozen=True)
class Free:
    """How a node goes along: which inputs and outputs move, and how to make the moved node.

    ``extra`` is what the moved node takes longer, in transposes of its output."""

    inputs: frozenset[int]
    outputs: frozenset[int]
    make: Callable[[Builder, list[Value | None], Perm], Sequence[Value]]
    extra: float = 0


def free(node: Node, rank: int) -> Free | None:
    """How ``node`` computes on tensors of ``rank`` axes in another order, or ``None`` if it can't."""
    x = node.inputs[0] if node.inputs else None
    if x is None:
        return None
    name, attrs = node.op, dict(node.attrs)
    if name in NARY:
        return _nary(node, rank)
    if name in ("QuantizeLinear", "DequantizeLinear"):
        return _quantize(node, rank)
    if x.rank != rank or node.outputs[0].rank is None:
        return None
    if name in UNARY:
        return _like(node, lambda perm: attrs)
    if name in ONE_AXIS:
        axis = attrs.get("axis", -1)
        return _like(node, lambda perm: {**attrs, "axis": perm.index(axis % rank)})
    if name in ("Concat", "GatherElements", "ScatterElements"):
        if any(v is None or v.rank != rank for v in node.inputs):
            return None
        axis = attrs.get("axis", 0)
        return _like(node, lambda perm: {**attrs, "axis": perm.index(axis % rank)}, every=True)
    if name == "Split":
        axis = attrs.get("axis", 0)
        return _like(node, lambda perm: {**attrs, "axis": perm.index(axis % rank)})
    if name == "Gather":
        axis, index = attrs.get("axis", 0), node.inputs[1]
        if index is None or index.rank != 1:
            return None
        return _like(node, lambda perm: {**attrs, "axis": perm.index(axis % rank)})
    if name in ("ArgMax", "ArgMin"):
        axis = attrs.get("axis", 0) % rank
        if attrs.get("keepdims", 1):
            return _like(node, lambda perm: {**attrs, "axis": perm.index(axis)})
        return None
    if name in REDUCE:
        return _reduce(node, rank)
    if name in ("Pad", "Slice", "Tile", "CumSum"):
        return _constant_axes(node, rank)
    return None


def _like(node: Node, attrs: Callable[[Perm], dict[str, Any]], every: bool = False) -> Free:
    """The first input (or every input) and all outputs move, the other inputs stay as they are."""
    def make(op: Builder, ins: list[Value | None], perm: Perm) -> Sequence[Value]:
        made: Sequence[Value] = op.add(node.op, *ins, outputs=len(node.outputs), **attrs(perm))
        return made
    moved = range(len(node.inputs)) if every else (0,)
    return Free(frozenset(moved), frozenset(range(len(node.outputs))), make)


def _nary(node: Node, rank: int) -> Free | None:
    """Inputs of fewer axes are first given leading axes of one, as broadcasting does."""
    if node.outputs[0].rank != rank or any(v is None or v.rank is None for v in node.inputs):
        return None
    def make(op: Builder, ins: list[Value | None], perm: Perm) -> Sequence[Value]:
        made = []
        for v, old in zip(ins, node.inputs, strict=True):
            assert v is not None and old is not None and old.rank is not None
            if 0 < old.rank < rank:
                lead = rank - old.rank
                if v.data is not None:
                    v = constant(v.numpy().reshape((1,) * lead + v.numpy().shape).transpose(perm), name=v.name)
                else:
                    v = op.Transpose(op.Unsqueeze(v, np.arange(lead)), perm=list(perm))
            made.append(v)
        return [op.add(node.op, *made, **node.attrs)]
    return Free(frozenset(k for k, v in enumerate(node.inputs) if v is not None and v.rank == rank), frozenset([0]),
                make)


def _quantize(node: Node, rank: int) -> Free | None:
    x, scale = node.inputs[0], node.inputs[1]
    if x is None or scale is None or x.rank != rank or scale.rank is None or scale.rank > 1:
        return None
    def attrs(perm: Perm) -> dict[str, Any]:
        if scale.rank == 0 or scale.shape == (1,):
            return dict(node.attrs)
        return {**node.attrs, "axis": list(perm).index(node.attrs.get("axis", 1) % rank)}
    return _like(node, attrs)


def _reduce(node: Node, rank: int) -> Free | None:
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    if axes is None or axes.data is None or not axes.numpy().size:
        return None
    which = [int(a) % rank for a in axes.numpy()]
    keep = bool(node.attrs.get("keepdims", 1))
    def make(op: Builder, ins: list[Value | None], perm: Perm) -> Sequence[Value]:
        where = sorted(list(perm).index(a) for a in which)
        y = op.add(node.op, ins[0], np.array(where, np.int64), **node.attrs)
        if not keep:  # what is left stands in the order of the moved axes; bring it back
            left = [a for a in perm if a not in which]
            order = [left.index(a) for a in sorted(left)]
            if order != sorted(order):
                y = op.Transpose(y, perm=order)
        return [y]
    return Free(frozenset([0]), frozenset([0]) if keep else frozenset(), make)


def _constant_axes(node: Node, rank: int) -> Free | None:
    """Operators whose other inputs name axes or have an entry an axis: these must be known to be reordered."""
    ins = list(node.inputs)
    known = [None if v is None or v.data is None else v.numpy() for v in ins]

    def moved_axes(axes: Any, perm: Perm) -> Any:
        return np.array([list(perm).index(int(a) % rank) for a in np.ravel(axes)], np.int64)

    if node.op == "Pad":
        axes = known[3] if len(ins) > 3 else None
        if len(ins) > 3 and ins[3] is not None and axes is None:
            return None
        if axes is None and known[1] is None:
            return None
        def make_pad(op: Builder, new: list[Value | None], perm: Perm) -> Sequence[Value]:
            fill = new[2] if len(new) > 2 else None
            if axes is not None:
                return [op.Pad(new[0], new[1], fill, moved_axes(axes, perm), **node.attrs)]
            pads = np.asarray(known[1])
            order = np.array([*perm, *(p + rank for p in perm)])
            return [op.Pad(new[0], pads[order], fill, **node.attrs)]
        return Free(frozenset([0]), frozenset([0]), make_pad)
    if node.op == "Slice":
        axes = known[3] if len(ins) > 3 and ins[3] is not None else \
            None if ins[1] is None or ins[1].shape is None or not isinstance(ins[1].shape[0], int) \
            else np.arange(ins[1].shape[0])
        if axes is None:
            return None
        def make_slice(op: Builder, new: list[Value | None], perm: Perm) -> Sequence[Value]:
            step = new[4] if len(new) > 4 else None
            return [op.Slice(new[0], new[1], new[2], moved_axes(axes, perm), step)]
        return Free(frozenset([0]), frozenset([0]), make_slice)
    if known[1] is None:
        return None
    if node.op == "Tile":
        def make_tile(op: Builder, new: list[Value | None], perm: Perm) -> Sequence[Value]:
            return [op.Tile(new[0], np.asarray(known[1])[list(perm)])]
        return Free(frozenset([0]), frozenset([0]), make_tile)

    def make_cumsum(op: Builder, new: list[Value | None], perm: Perm) -> Sequence[Value]:
        axis = np.asarray(known[1]).reshape(())
        return [op.CumSum(new[0], moved_axes(axis, perm)[0], **node.attrs)]
    return Free(frozenset([0]), frozenset([0]), make_cumsum)
