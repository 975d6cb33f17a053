"""Operators on the last axis that another one replaces where the channels come first: products and normalisations.

``MatMul`` and ``LayerNormalization`` count as free in the layout of a network that has its channels last, if they
save more than they cost."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir.graph import Node, Value, constant
from ..ir.rules import Builder
from .agnostic import Free, Perm
from .decompose.norm import along, layer_normalization_along

CONVOLVED = (np.dtype(np.float32), np.dtype(np.float16))
"""Runtimes have MatMul of float64 and of integers, but not Conv."""


def channelwise(node: Node, rank: int) -> Free | None:
    """How ``node``, of ``rank`` axes, computes where the last axis has moved to position 1; ``None`` if it can't."""
    x = node.inputs[0] if node.inputs else None
    if x is None or x.rank != rank:
        return None
    if node.op == "MatMul":
        return _product(node, rank)
    if node.op == "LayerNormalization" and node.attrs.get("axis", -1) in (-1, rank - 1) and len(node.outputs) == 1:
        return _normalization(node, rank)
    return None


def _product(node: Node, rank: int) -> Free | None:
    """``MatMul`` with a constant matrix is ``Conv`` with a window of one."""
    w = node.inputs[1]
    if w is None or w.data is None or w.rank != 2 or w.dtype not in CONVOLVED:
        return None
    ones = (1,) * (rank - 2)
    kernel = constant(w.numpy().T[(...,) + (None,) * (rank - 2)], name=w.name)
    def make(op: Builder, ins: list[Value | None], perm: Perm) -> Sequence[Value]:
        return [op.Conv(ins[0], kernel, kernel_shape=ones, strides=ones, dilations=ones, pads=(0, 0) * (rank - 2),
                        group=1)]
    return Free(frozenset([0]), frozenset([0]), make)


def _normalization(node: Node, rank: int) -> Free | None:
    """``LayerNormalization`` of the channels, spelled out.

    Alone that takes longer with ONNX Runtime 1.31, by one transpose of a large tensor and by six of a small one, but
    the products around it get faster in turn: biases and scales go into their convolutions.  Whole networks (ConvNeXt,
    PoolFormer) are as fast or faster without their transposes, so it counts as a little less than one: two
    normalisations are worth the two transposes of one block, and one at the edge of the graph is left alone."""
    def make(op: Builder, ins: list[Value | None], perm: Perm) -> Sequence[Value]:
        x, scale, *bias = ins
        assert x is not None and scale is not None
        shift = along(op, bias[0], rank) if bias and bias[0] is not None else None
        attrs = {k: v for k, v in node.attrs.items() if k != "axis"}
        return [layer_normalization_along(op, x, along(op, scale, rank), shift, [1], **attrs)[0]]
    return Free(frozenset([0]), frozenset([0]), make, extra=0.9)
