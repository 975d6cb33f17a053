"""Boxes that overlap: what is left of them, by a loop over the boxes in the order of their scores."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.types import Type
from ..raw import size
from .common import BOOL, F32, I64, At, from_onnx, held, rank, reshape


@from_onnx("NonMaxSuppression")
def non_max_suppression(at: At, boxes: Value, scores: Value, most: Value | None = None, overlap: Value | None = None,
                        least: Value | None = None, *, center_point_box: int = 0) -> Any:
    """All batches and classes at once.  A box takes away those after it that it overlaps, if it is there itself.

    (ONNX operator NonMaxSuppression: corners in any order, the first of equal scores, at most so many a class.)"""
    held([boxes, scores], frozenset({F32}))
    if center_point_box or rank(boxes) != 3 or rank(scores) != 3 or scores.shape is None:
        raise Unsupported("boxes by their centres")
    if most is None:
        return constant(np.zeros((0, 3), I64))
    shape = scores.shape
    kind, truth = Type(F32, shape), Type(BOOL, shape)
    ranked, order = at("sort.stable", scores, stable=True, dim=2, descending=True, type=[kind, Type(I64, shape)])
    corners = []
    for a, b in ((0, 2), (1, 3)):
        sides = [reshape(at, at("select.int", boxes, 2, k, type=Type(F32, boxes.shape and boxes.shape[:2])),
                         [size(at, boxes, 0), 1, size(at, boxes, 1)]) for k in (a, b)]
        wide = [at.expand(s, [-1, size(at, scores, 1), -1], type=kind) for s in sides]
        sorted_ = [at.gather(w, 2, order, type=kind) for w in wide]
        corners.append((at.minimum(*sorted_, type=kind), at.maximum(*sorted_, type=kind)))
    lengths = [at("sub.Tensor", high, low, type=kind) for low, high in corners]
    area = at("mul.Tensor", *lengths, type=kind)
    pairs = Type(F32, (*shape, shape[2]))
    shared = []
    for low, high in corners:
        first, last = (at(name, at.unsqueeze(v, 3, type=Type(F32, (*shape, 1))), at.unsqueeze(
            v, 2, type=Type(F32, (*shape[:2], 1, shape[2]))), type=pairs)
            for name, v in (("maximum", low), ("minimum", high)))
        shared.append(at.clamp_min(at("sub.Tensor", last, first, type=pairs), 0.0, type=pairs))
    both = at("mul.Tensor", *shared, type=pairs)
    sums = at("add.Tensor", at.unsqueeze(area, 3, type=Type(F32, (*shape, 1))),
              at.unsqueeze(area, 2, type=Type(F32, (*shape[:2], 1, shape[2]))), type=pairs)
    union = at("sub.Tensor", sums, both, type=pairs)
    limit: Any = 0.0 if overlap is None else reshape(at, overlap, ())
    over = at("gt.Tensor", at("div.Tensor", both, union, type=pairs), limit, type=Type(BOOL, pairs.shape)) \
        if isinstance(limit, Value) else at("gt.Scalar", at("div.Tensor", both, union, type=pairs), limit,
                                            type=Type(BOOL, pairs.shape))
    over = at.logical_and(over, at("gt.Scalar", both, 0.0, type=Type(BOOL, pairs.shape)), type=Type(BOOL, pairs.shape))
    n = size(at, scores, 2)
    over = at.triu(over, 1, type=Type(BOOL, pairs.shape))
    kept = at("gt.Tensor", ranked, reshape(at, least, ()), type=truth) if least is not None else \
        at("eq.Tensor", ranked, ranked, type=truth)
    kept = _swept(at, kept, over, n)
    count = at.cumsum(at("to.dtype", kept, I64, type=Type(I64, shape)), 2, type=Type(I64, shape))
    kept = at.logical_and(kept, at("le.Tensor", count, reshape(at, most, ()), type=truth), type=truth)
    rows = at.nonzero(kept, type=Type(I64, (None, 3)))
    columns = [at("select.int", rows, 1, k, type=Type(I64, (None,))) for k in range(3)]
    chosen = at("index.Tensor", order, columns, type=Type(I64, (None,)))
    return at.stack([*columns[:2], chosen], 1, type=Type(I64, (None, 3)))


def _swept(at: At, kept: Value, over: Value, n: Any) -> Value:
    """What is kept when every box, in its turn, has taken away those that it overlaps."""
    turns = constant(n, I64) if isinstance(n, int) else at("scalar_tensor", n, dtype=I64, type=Type(I64, ()))

    def flow() -> dict[str, Value]:
        return {"turn": Value(Type(I64, ()), "turn"), "turns": Value(Type(I64, ()), "turns"),
                "kept": Value(kept.type, "kept"), "over": Value(over.type, "over")}
    test = flow()
    cond = Graph(test, {"go": at("lt.Tensor", test["turn"], test["turns"], type=BOOL)}, "condition")
    ins = flow()
    at_turn = reshape(at, ins["turn"], [1])
    assert kept.shape is not None
    row = at.index_select(ins["over"], 2, at_turn, type=Type(BOOL, (*kept.shape[:2], 1, kept.shape[2])))
    row = at("squeeze.dim", row, 2, type=kept.type)
    there = at.index_select(ins["kept"], 2, at_turn, type=Type(BOOL, (*kept.shape[:2], 1)))
    gone = at.logical_and(row, there, type=kept.type)
    after = {"turn": at("add.Tensor", ins["turn"], 1, type=Type(I64, ())),
             "turns": at.clone(ins["turns"], type=Type(I64, ())),
             "kept": at.logical_and(ins["kept"], at.logical_not(gone, type=kept.type), type=kept.type),
             "over": at.clone(ins["over"], type=over.type)}
    made = at("higher_order.while_loop", cond, Graph(ins, after, "body"), [constant(0, I64), turns, kept, over], [],
              type=[Type(I64, ()), Type(I64, ()), kept.type, over.type])
    left: Value = made[2]
    return left
