"""Losses.  Source: aten/src/ATen/native/Loss.cpp, LossNLL.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import cast
from ..machine import aten
from ..values import I64, known, promoted, rank, size
from .activation import log_sigmoid, log_softmax
from .linear import cosine_similarity, pairwise_distance
from .math import number
from .special import xlogy


def _reduced(op: Builder, x: Value, reduction: int) -> Any:
    """Each (0), their mean (1) or sum (2)."""
    return x if reduction == 0 else (op.ReduceMean if reduction == 1 else op.ReduceSum)(x, keepdims=0)


@aten("mse_loss")
def mse_loss(op: Builder, self: Value, target: Value, reduction: int = 1) -> Any:
    gap = op.Sub(*promoted(op, self, target))
    return _reduced(op, op.Mul(gap, gap), reduction)


@aten("l1_loss")
def l1_loss(op: Builder, self: Value, target: Value, reduction: int = 1) -> Any:
    return _reduced(op, op.Abs(op.Sub(*promoted(op, self, target))), reduction)


@aten("huber_loss")
def huber_loss(op: Builder, self: Value, target: Value, reduction: int = 1, delta: float = 1.0) -> Any:
    gap = op.Abs(op.Sub(*promoted(op, self, target)))
    d, half = number(gap, delta), number(gap, 0.5)
    inner = op.Mul(op.Mul(half, gap), gap)
    outer = op.Mul(d, op.Sub(gap, op.Mul(half, d)))
    return _reduced(op, op.Where(op.LessOrEqual(gap, d), inner, outer), reduction)


@aten("smooth_l1_loss")
def smooth_l1_loss(op: Builder, self: Value, target: Value, reduction: int = 1, beta: float = 1.0) -> Any:
    if not beta:
        return l1_loss(op, self, target, reduction)
    gap = op.Abs(op.Sub(*promoted(op, self, target)))
    half = number(gap, 0.5)
    inner = op.Div(op.Mul(op.Mul(half, gap), gap), number(gap, beta))
    return _reduced(op, op.Where(op.Less(gap, number(gap, beta)), inner, op.Sub(gap, op.Mul(half, number(gap, beta)))),
                    reduction)


@aten("binary_cross_entropy")
def binary_cross_entropy(op: Builder, self: Value, target: Value, weight: Value | None = None,
                         reduction: int = 1) -> Any:
    """Logarithms are no less than -100."""
    low, one = number(self, -100), number(self, 1)
    yes, no = op.Max(op.Log(self), low), op.Max(op.Log(op.Sub(one, self)), low)
    loss = op.Sub(op.Mul(op.Sub(target, one), no), op.Mul(target, yes))
    return _reduced(op, loss if weight is None else op.Mul(loss, weight), reduction)


@aten("binary_cross_entropy_with_logits")
def bce_with_logits(op: Builder, self: Value, target: Value, weight: Value | None = None,
                    pos_weight: Value | None = None, reduction: int = 1) -> Any:
    one = number(self, 1)
    log = log_sigmoid(op, self)
    if pos_weight is not None:
        log = op.Mul(log, op.Add(op.Mul(op.Sub(pos_weight, one), target), one))
    loss = op.Sub(op.Mul(op.Sub(one, target), self), log)
    return _reduced(op, loss if weight is None else op.Mul(loss, weight), reduction)


@aten("kl_div")
def kl_div(op: Builder, self: Value, target: Value, reduction: int = 1, log_target: bool = False) -> Any:
    if log_target:
        return _reduced(op, op.Mul(op.Exp(target), op.Sub(target, self)), reduction)
    return _reduced(op, op.Sub(xlogy(op, target, target), op.Mul(target, self)), reduction)


@aten("soft_margin_loss")
def soft_margin_loss(op: Builder, self: Value, target: Value, reduction: int = 1) -> Any:
    from .math import log1p
    return _reduced(op, log1p(op, op.Exp(op.Neg(op.Mul(target, self)))), reduction)


@aten("poisson_nll_loss")
def poisson_nll_loss(op: Builder, input: Value, target: Value, log_input: bool, full: bool, eps: float,
                     reduction: int) -> Any:
    if full:
        raise Unsupported("the full Poisson loss")
    loss = op.Sub(op.Exp(input), op.Mul(target, input)) if log_input else \
        op.Sub(input, op.Mul(target, op.Log(op.Add(input, number(input, eps)))))
    return _reduced(op, loss, reduction)


@aten("hinge_embedding_loss")
def hinge_embedding_loss(op: Builder, self: Value, target: Value, margin: float = 1.0, reduction: int = 1) -> Any:
    far = op.Max(op.Sub(number(self, margin), self), number(self, 0))
    zero, one = number(target, 0), number(target, 1)
    away = op.Where(op.Equal(target, one), number(self, 0), far)
    near = op.Where(op.Equal(target, op.Sub(zero, one)), number(self, 0), self)
    return _reduced(op, op.Add(away, near), reduction)


@aten("margin_ranking_loss")
def margin_ranking_loss(op: Builder, input1: Value, input2: Value, target: Value, margin: float = 0.0,
                        reduction: int = 1) -> Any:
    gap = op.Mul(op.Neg(target), op.Sub(input1, input2))
    return _reduced(op, op.Max(op.Add(gap, number(gap, margin)), number(gap, 0)), reduction)


@aten("cosine_embedding_loss")
def cosine_embedding_loss(op: Builder, input1: Value, input2: Value, target: Value, margin: float = 0.0,
                          reduction: int = 1) -> Any:
    cos = cosine_similarity(op, input1, input2, rank(input1) - 1)
    same = op.Sub(number(cos, 1), cos)
    other = op.Max(op.Sub(cos, number(cos, margin)), number(cos, 0))
    zero = number(cos, 0)
    loss = op.Where(op.Equal(target, number(target, 1)), same,
                    op.Where(op.Equal(target, number(target, -1)), other, zero))
    return _reduced(op, loss, reduction)


@aten("triplet_margin_loss")
def triplet_margin_loss(op: Builder, anchor: Value, positive: Value, negative: Value, margin: float = 1.0,
                        p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: int = 1) -> Any:
    near, far = (pairwise_distance(op, anchor, v, p, eps) for v in (positive, negative))
    if swap:
        far = op.Min(far, pairwise_distance(op, positive, negative, p, eps))
    return _reduced(op, op.Max(op.Add(op.Sub(near, far), number(near, margin)), number(near, 0)), reduction)


def _nll(op: Builder, log: Value, target: Value, weight: Value | None, reduction: int, ignore: int,
         axis: int) -> list[Any]:
    """Minus the number of the true class, whose weight also counts in the mean."""
    at = cast(op, target, I64)
    kept = op.Not(op.Equal(at, np.int64(ignore)))
    safe = op.Where(kept, at, np.int64(0))
    own = op.GatherElements(log, op.Unsqueeze(safe, np.array([axis])), axis=axis)
    own = op.Neg(op.Squeeze(own, np.array([axis])))
    w = op.Gather(weight, safe, axis=0) if weight is not None else op.Expand(number(log, 1), op.Shape(own))
    w = op.Where(kept, w, number(log, 0))
    loss = op.Where(kept, op.Mul(own, w), number(log, 0))
    total = op.ReduceSum(w, keepdims=0)
    if reduction == 0:
        return [loss, total]
    made = op.ReduceSum(loss, keepdims=0)
    return [op.Div(made, total) if reduction == 1 else made, total]


@aten("nll_loss_forward", "nll_loss2d_forward")
def nll_loss_forward(op: Builder, self: Value, target: Value, weight: Value | None, reduction: int,
                     ignore_index: Any) -> Any:
    return _nll(op, self, target, weight, reduction, known(ignore_index), 1 if rank(self) > 1 else 0)


@aten("nll_loss", "nll_loss2d", "nll_loss_nd")
def nll_loss(op: Builder, self: Value, target: Value, weight: Value | None = None, reduction: int = 1,
             ignore_index: Any = -100) -> Any:
    return nll_loss_forward(op, self, target, weight, reduction, ignore_index)[0]


@aten("cross_entropy_loss")
def cross_entropy_loss(op: Builder, self: Value, target: Value, weight: Value | None = None, reduction: int = 1,
                       ignore_index: Any = -100, label_smoothing: float = 0.0) -> Any:
    """The target is a class, or a share for each class."""
    axis = 1 if rank(self) > 1 else 0
    log = log_softmax(op, self, axis)
    count = size(op, self, axis)
    if target.dtype.kind == "f":
        shares = target
        if label_smoothing:
            if not isinstance(count, int):
                raise Unsupported("label_smoothing over classes whose number is known at run time only")
            shares = op.Add(op.Mul(target, number(target, 1 - label_smoothing)),
                            number(target, label_smoothing / count))
        terms = op.Mul(log, shares)
        if weight is not None:
            terms = op.Mul(terms, op.Reshape(weight, np.array([-1] + [1] * (rank(self) - axis - 1))))
        loss = op.Neg(op.ReduceSum(terms, np.array([axis]), keepdims=0))
        if reduction != 1:
            return _reduced(op, loss, reduction)
        return op.Div(op.ReduceSum(loss, keepdims=0), cast(op, op.Size(loss), loss.dtype))
    made, total = _nll(op, log, target, weight, reduction, known(ignore_index), axis)
    if not label_smoothing:
        return made
    if weight is not None:
        raise Unsupported("label_smoothing with weights")
    if not isinstance(count, int):
        raise Unsupported("label_smoothing over classes whose number is known at run time only")
    kept = op.Not(op.Equal(cast(op, target, I64), np.int64(known(ignore_index))))
    smooth = op.Where(kept, op.Neg(op.ReduceSum(log, np.array([axis]), keepdims=0)), number(log, 0))
    if reduction:
        smooth = op.ReduceSum(smooth, keepdims=0)
        smooth = op.Div(smooth, total) if reduction == 1 else smooth
    return op.Add(op.Mul(made, number(log, 1 - label_smoothing)), op.Mul(smooth, number(log, label_smoothing / count)))
