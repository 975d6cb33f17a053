"""Convolutions take in the affine operators around them: BatchNormalization, Mul, Add and zero Pad."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..hub import infer
from ..ir.graph import Graph, Made, Node, Value, constant
from ..ir.rewrite import Rewrites, Site
from ..ir.tensor import Array, Tensor
from ..ir.types import Type

rewrite = Rewrites(infer.site)


def fuse_conv(graph: Graph) -> Graph:
    """Conv and ConvTranspose with constant weights absorb what follows them; equal up to rounding of the weights."""
    return rewrite.run(graph)


def _conv(op: Site, y: Value) -> Node | None:
    """The convolution that computes ``y``, if it can be changed: weights constant, read by nobody else."""
    n = y.node
    if n is None or n.op not in ("Conv", "ConvTranspose") or not op.once(y):
        return None
    w, b = n.inputs[1], n.inputs[2] if len(n.inputs) > 2 else None
    if w is None or w.data is None or w.dtype.kind != "f" or (b is not None and b.data is None):
        return None
    return n


def _rescaled(op: Site, conv: Node, scale: Array, shift: Array) -> Value | None:
    """``conv * scale + shift`` by channel, as one convolution; computed in float64, stored in the weight's type."""
    w_value, x = conv.inputs[1], conv.inputs[0]
    assert w_value is not None and w_value.data is not None and x is not None
    w = w_value.data.fresh()
    group = conv.attrs.get("group", 1)
    channels = w.shape[0] if conv.op == "Conv" else w.shape[1] * group
    scale, shift = (np.broadcast_to(np.asarray(a, np.float64).ravel(), (channels,)) for a in (scale, shift))
    b_value = conv.inputs[2] if len(conv.inputs) > 2 else None
    b = np.zeros(channels) if b_value is None else b_value.numpy().astype(np.float64)
    if conv.op == "Conv":
        factor = scale.reshape((-1,) + (1,) * (w.ndim - 1))
    else:  # weights (in, out/group, ...): the output channels of group g are rows g of the inputs' groups
        factor = np.repeat(scale.reshape(group, w.shape[1]), w.shape[0] // group, axis=0)
        factor = factor.reshape(w.shape[:2] + (1,) * (w.ndim - 2))
    with np.errstate(over="ignore"):
        bias = (b * scale + shift).astype(w.dtype)
        if (scale == 1).all():  # an addend alone: the weight stays where it is stored
            weight = w_value
        else:
            same = factor.astype(w.dtype)
            if (same == factor).all():  # one rounding either way
                factor = same
            weight = _times(w_value, factor)
    bound = float(max(w.max(initial=0), -w.min(initial=0))) * float(np.abs(factor).max(initial=0)) * 1.01
    if not (np.isfinite(bias).all() and (weight is w_value or bound < float(np.finfo(w.dtype).max)
                                         or np.isfinite(weight.numpy()).all())) and np.isfinite(w).all():
        return None
    made: Value = op.add(conv.op, x, weight, constant(bias), **conv.attrs)
    return made


def _times(w: Value, factor: Array) -> Value:
    """A product with constant weights, made when it is written: at no time are all weights of a network in memory."""
    data = w.data
    assert data is not None
    type = Type(w.dtype, w.shape)

    def made() -> Array:
        with np.errstate(over="ignore"):
            array: Array = (data.fresh() * factor).astype(w.dtype, copy=False)
        return array
    return Value(type, w.name, data=Tensor(made, type))


@rewrite("BatchNormalization")
def batch_norm(op: Site, y: Value, scale: Value, bias: Value, mean: Value, var: Value, *, epsilon: float = 1e-5,
               momentum: float = 0.9, training_mode: int = 0) -> Made:
    conv = _conv(op, y)
    if conv is None or training_mode or any(v.data is None for v in (scale, bias, mean, var)):
        return None
    s, b, m, v = (t.numpy().astype(np.float64) for t in (scale, bias, mean, var))
    if (v + epsilon <= 0).any():
        return None
    factor = s / np.sqrt(v + epsilon)
    return _rescaled(op, conv, factor, b - m * factor)


def _by_channel(conv: Node, c: Value) -> Array | None:
    """A constant as one number a channel, if it broadcasts along channels only."""
    rank = conv.outputs[0].rank
    if c.data is None or rank is None or c.rank is None or c.rank > rank or c.dtype != conv.outputs[0].dtype:
        return None
    array = c.numpy()
    array = array.reshape((1,) * (rank - array.ndim) + array.shape)
    channels = conv.outputs[0].shape[1] if conv.outputs[0].shape is not None else None
    if array.size == 1:
        return array.ravel()
    fits = array.shape[1] == channels == array.size
    return array.ravel() if fits else None


@rewrite("Mul", "Div", "Add", "Sub")
def affine(op: Site, a: Value, b: Value) -> Made:
    assert op.node is not None
    kind = op.node.op
    for y, c in ((a, b), (b, a)):
        conv = _conv(op, y)
        if conv is None or (kind == "Div" and y is b):
            continue
        number = _by_channel(conv, c)
        if number is None:
            continue
        number = number.astype(np.float64)
        one, zero = np.ones(1), np.zeros(1)
        if kind == "Mul":
            return _rescaled(op, conv, number, zero)
        if kind == "Div":
            return None if (number == 0).any() else _rescaled(op, conv, 1 / number, zero)
        if kind == "Add":
            return _rescaled(op, conv, one, number)
        return _rescaled(op, conv, one, -number) if y is a else _rescaled(op, conv, -one, number)
    return None


@rewrite("Conv")
def padded(op: Site, x: Value, w: Value, b: Value | None = None, *, pads: tuple[int, ...] | None = None,
           auto_pad: str = "NOTSET", **attrs: Any) -> Made:
    """Conv of a tensor padded with zeros pads by itself."""
    n = x.node
    if n is None or n.op != "Pad" or n.attrs.get("mode", "constant") != "constant" \
            or auto_pad not in ("NOTSET", "VALID"):
        return None
    inner, by = n.inputs[0], n.inputs[1]
    fill = n.inputs[2] if len(n.inputs) > 2 else None
    axes = n.inputs[3] if len(n.inputs) > 3 else None
    if inner is None or by is None or by.data is None or inner.rank is None or axes is not None \
            or (fill is not None and (fill.data is None or fill.numpy().ravel()[0] != 0)):
        return None
    amount = by.numpy()
    rank = inner.rank
    before, after = amount[:rank], amount[rank:]
    if before[:2].any() or after[:2].any() or (amount < 0).any():
        return None
    own = np.array(pads or (0,) * (2 * (rank - 2))) if auto_pad == "NOTSET" else np.zeros(2 * (rank - 2), int)
    total = own + np.concatenate([before[2:], after[2:]])
    return op.Conv(inner, w, b, pads=[int(p) for p in total], **attrs)
