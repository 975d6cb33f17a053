"""SVDF layers seen as such: what reading one gives in hub operators, its state zeros as each run begins with.

Source: tensorflow/lite/kernels/svdf.cc; ``..to_onnx.recurrent`` says the layer."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ....hub import infer
from ....ir.graph import Made, Node, Value
from ....ir.rewrite import Rewrites, Site
from ....ir.types import Type
from ..carriers import parameters
from ..from_onnx.recurrent import SVDF

rewrite = Rewrites(infer.site)


class _Filter(NamedTuple):
    """A layer before its bias: input, feature weights, time weights, rank, and the step of an integer state or 0."""

    x: Value
    feature: Value
    time: Value
    rank: int
    step: float


def _match(v: Value) -> _Filter | None:
    """The layer whose sums a value is."""
    node = v.node
    if node is not None and node.op == SVDF and node.inputs[0] is not None:  # one with a rank of one, found before
        x, feature, time = node.inputs[:3]
        return None if feature is None or time is None or x is None else _Filter(x, feature, time, 1, 0.0)
    if node is None or node.op != "ReduceSum" or node.attrs.get("keepdims", 1) or node.inputs[0] is None \
            or len(node.inputs) < 2 or node.inputs[1] is None or node.inputs[1].data is None \
            or node.inputs[1].numpy().tolist() != [2]:
        return None
    before = node.inputs[0].node
    if before is not None and before.op == "Reshape" and before.inputs[0] is not None:  # several filters a unit
        inner, split = _match(before.inputs[0]), before.outputs[0].shape
        if inner is None or inner.rank != 1 or split is None or len(split) != 3 or not isinstance(split[2], int):
            return None
        return inner._replace(rank=split[2])
    joined, time = before.inputs if before is not None and before.op == "Mul" else (None, None)
    parts = joined.node if joined is not None and joined.op == "Concat" else None
    if parts is None or time is None or len(parts.inputs) != 2 or parts.attrs.get("axis") != 2 \
            or not _zeros(parts.inputs[0]) or _stored(time) is None:
        return None
    new, step = parts.inputs[1], 0.0
    if new is not None and new.op == "DequantizeLinear" and new.node is not None:
        quant, made = parameters(new.node), new.node.inputs[0]
        if quant is None or quant.zero_point or made is None or made.op != "QuantizeLinear" or made.dtype != np.int16 \
                or made.node is None:
            return None
        new, step = made.node.inputs[0], float(quant.scale)
    product = new.node.inputs[0] if new is not None and new.op == "Unsqueeze" and new.node is not None else None
    if product is None or product.op != "MatMul" or product.node is None or product.rank != 2:
        return None
    x, feature = product.node.inputs
    if x is None or feature is None or _stored(feature) is None or not x.type.static:
        return None
    return _Filter(x, feature, time, 1, step)


def _stored(v: Value) -> Value | None:
    """The constant behind a value, dequantized or not."""
    if v.data is not None:
        return v
    q = v.node.inputs[0] if v.node is not None and v.op == "DequantizeLinear" else None
    return q if q is not None and q.data is not None else None


def _zeros(v: Value | None) -> bool:
    """Whether a value is zero everywhere, whatever it is a part of."""
    while v is not None and v.node is not None and v.op in ("Slice", "Reshape", "DequantizeLinear"):
        if v.op == "DequantizeLinear" and ((quant := parameters(v.node)) is None or quant.zero_point):
            return False
        v = v.node.inputs[0]
    return v is not None and v.data is not None and not np.any(v.numpy())


@rewrite("ReduceSum")
def real(op: Site, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Made:
    """In real numbers: bias and activation are fused later."""
    assert op.node is not None
    found = _match(op.node.outputs[0])
    if found is None or found.step:
        return None
    made: Value = op.add(SVDF, found.x, found.feature, found.time, rank=found.rank, type=op.out)
    return made


@rewrite("QuantizeLinear")
def integer(op: Site, x: Value, scale: Value, zero: Value | None = None, **others: int) -> Made:
    """In integers: bias, Relu and rounding belong to the kernel."""
    assert op.node is not None
    quant = parameters(op.node)
    relu = x.op == "Relu" and x.node is not None
    y = x.node.inputs[0] if relu and x.node is not None else x
    bias: Value | None = None
    if y is not None and y.op == "Add" and y.node is not None:
        y, bias = _parted(y.node)
    found = None if y is None else _match(y)
    given = [None if v is None or v.op != "DequantizeLinear" or v.node is None else v.node
             for v in ((found.x, found.feature, found.time, bias) if found is not None else ())]
    if found is None or not found.step or quant is None or op.out.dtype != np.int8 or None in given[:3] \
            or (bias is not None and given[3] is None):
        return None
    quants = [None if n is None else parameters(n) for n in given]
    if any(q is None for q, n in zip(quants, given, strict=True) if n is not None):
        return None
    scales = [0.0 if q is None else float(q.scale) for q in quants]
    made: Value = op.add(SVDF, found.x, *(None if n is None else n.inputs[0] for n in given[1:]), rank=found.rank,
                         relu=int(relu), type=Type(op.out.dtype, op.out.shape), quants=(
                             *scales, int(quants[0].zero_point) if quants[0] is not None else 0, found.step,
                             float(quant.scale), int(quant.zero_point)))
    return made


def _parted(node: Node) -> tuple[Value | None, Value | None]:
    """The sum and the constant that an Add adds."""
    a, b = node.inputs
    return (a, b) if b is not None and _stored(b) is not None else (b, a)
