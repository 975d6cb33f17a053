"""Non-maximum suppression.  Source: tensorflow/core/kernels/image/non_max_suppression_op.cc.

ONNX's operator has the same rule (greedy, an overlap above the threshold goes, a score must be above the least)."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.bodies import own_outputs
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from .common import BOOL, F32, I32, I64, cast, dims, i64, ints, scalar, to_onnx


def _selected(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, least: Value | None) -> Any:
    found = op.NonMaxSuppression(
        op.Unsqueeze(cast(op, boxes, F32), ints([0])), op.Unsqueeze(cast(op, scores, F32), ints([0, 1])),
        op.Reshape(i64(op, most), ints([1])), op.Reshape(cast(op, iou, F32), ints([1])),
        None if least is None else op.Reshape(cast(op, least, F32), ints([1])))
    return op.Squeeze(op.Slice(found, ints([2]), ints([3]), ints([1])), ints([1]))


@to_onnx("NonMaxSuppression")
def nms(op: Builder, boxes: Value, scores: Value, most: Value, *, iou_threshold: float = 0.5) -> Any:
    return cast(op, _selected(op, boxes, scores, most, constant(iou_threshold, F32), None), I32)


@to_onnx("NonMaxSuppressionV2")
def nms_v2(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value) -> Any:
    return cast(op, _selected(op, boxes, scores, most, iou, None), I32)


@to_onnx("NonMaxSuppressionV3")
def nms_v3(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, least: Value) -> Any:
    return cast(op, _selected(op, boxes, scores, most, iou, least), I32)


def _filled(op: Builder, v: Value, most: Value) -> Any:
    lacks = op.Sub(op.Reshape(i64(op, most), ints([1])), op.Shape(v))
    return op.Pad(v, op.Concat(ints([0]), lacks, axis=0))


@to_onnx("NonMaxSuppressionV4")
def nms_v4(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, least: Value, *,
           pad_to_max_output_size: bool = False) -> Any:
    index = _selected(op, boxes, scores, most, iou, least)
    count = cast(op, op.Squeeze(op.Shape(index), ints([0])), I32)
    return cast(op, _filled(op, index, most) if pad_to_max_output_size else index, I32), count


@to_onnx("NonMaxSuppressionV5")
def nms_v5(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, least: Value, sigma: Value, *,
           pad_to_max_output_size: bool = False) -> Any:
    if (width := scalar(sigma, "soft_nms_sigma")) > 0:
        index, kept = _softly(op, boxes, scores, most, least, width)
    else:
        index = _selected(op, boxes, scores, most, iou, least)
        kept = op.Gather(scores, index, axis=0)
    count = cast(op, op.Squeeze(op.Shape(index), ints([0])), I32)
    if pad_to_max_output_size:
        index, kept = _filled(op, index, most), _filled(op, kept, most)
    return cast(op, index, I32), kept, count


def _one_by_one(op: Builder, scores: Value, most: Value, least: Value, similar: Callable[[Value, Value], Value],
                left: Callable[[Value, Value], Value], given: Value) -> tuple[Value, Value]:
    """The best score again and again, the others lessened by how similar they are to it: their places and scores.

    ``similar`` tells that of all to one place by what is ``given``, ``left`` what remains of scores."""
    fixed, floor = Value(Type(F32, given.shape), "given"), Value(Type(F32, ()), "floor")
    state = Value(Type(F32, scores.shape), "scores")
    at = op.ArgMax(state, axis=0, keepdims=0)
    place = op.Reshape(at, ints([1]))
    best = op.Gather(state, at, axis=0)
    after = op.ScatterElements(left(state, similar(fixed, at)), place, constant(np.array([-np.inf], np.float32)),
                               axis=0)
    more = op.Greater(op.ReduceMax(after, keepdims=0), floor)
    body = Graph({"iteration": Value(Type(I64, ()), "iteration"), "go_in": Value(Type(BOOL, ()), "go_in"),
                  "scores": state, "given": fixed, "floor": floor},
                 {"go": more, "scores_out": after, "place": at, "score": best}, "suppression")
    lowest = op.Reshape(least, ints([]))
    bounded = op.Concat(scores, constant(np.array([-np.inf], np.float32)), axis=0)  # there may be no boxes at all
    first = op.Greater(op.ReduceMax(bounded, keepdims=0), lowest)
    made = op.add("Loop", op.Reshape(i64(op, most), ints([])), first, scores, given, lowest,
                  body=own_outputs(op, body), captures=2, outputs=3)
    return made[1], made[2]


def _softly(op: Builder, boxes: Value, scores: Value, most: Value, least: Value, sigma: float) -> tuple[Value, Value]:
    if scores.dtype != F32:
        raise Unsupported(f"soft suppression of {scores.dtype}")

    def column(v: Value, k: int) -> Any:
        return op.Squeeze(op.Slice(v, ints([k]), ints([k + 1]), ints([1])), ints([1]))

    def overlap(b: Value, at: Value) -> Value:
        one = op.Gather(b, op.Reshape(at, ints([1])), axis=0)
        (y1, x1, y2, x2), (t, l, d, r) = ([column(v, k) for k in range(4)] for v in (b, one))
        high = op.Max(op.Sub(op.Min(y2, d), op.Max(y1, t)), constant(0, F32))
        wide = op.Max(op.Sub(op.Min(x2, r), op.Max(x1, l)), constant(0, F32))
        both = op.Mul(high, wide)
        area, mine = op.Mul(op.Sub(y2, y1), op.Sub(x2, x1)), op.Mul(op.Sub(d, t), op.Sub(r, l))
        whole = op.Sub(op.Add(area, mine), both)
        none = op.Or(op.LessOrEqual(area, constant(0, F32)), op.LessOrEqual(mine, constant(0, F32)))
        made: Value = op.Where(none, constant(0, F32), op.Div(both, op.Where(none, constant(1, F32), whole)))
        return made

    def left(v: Value, s: Value) -> Value:
        made: Value = op.Mul(v, op.Exp(op.Mul(op.Mul(constant(-0.5 / sigma, F32), s), s)))
        return made
    # whichever corners are given: the least ones first
    a, b = (op.Slice(boxes, ints([k]), ints([k + 2]), ints([1])) for k in (0, 2))
    sorted_ = op.Concat(op.Min(a, b), op.Max(a, b), axis=1)
    return _one_by_one(op, scores, most, least, overlap, left, sorted_)


@to_onnx("NonMaxSuppressionWithOverlaps")
def nms_overlaps(op: Builder, overlaps: Value, scores: Value, most: Value, threshold: Value, least: Value) -> Any:
    limit = scalar(threshold, "the threshold")

    def left(v: Value, s: Value) -> Value:
        gone = op.Greater(s, constant(limit, F32))
        made: Value = op.Where(gone, constant(-np.inf, F32), v)
        return made
    index, _ = _one_by_one(op, scores, most, least, lambda m, at: op.Gather(m, at, axis=1), left, overlaps)
    return cast(op, index, I32)


@to_onnx("CombinedNonMaxSuppression")
def combined(op: Builder, boxes: Value, scores: Value, per_class: Value, total: Value, iou: Value, least: Value, *,
             pad_per_class: bool = False, clip_boxes: bool = True) -> Any:
    """Suppression class by class, then the best of all classes of each picture, filled up with zeros."""
    count, shared = dims(boxes, [1, 2])
    classes = dims(scores, [2])[0]
    limit, each = int(scalar(total, "max_total_size")), int(scalar(per_class, "max_output_size_per_class"))
    size = min(limit, each * classes) if pad_per_class else limit
    batch = op.Shape(scores, end=1)
    turned = op.Transpose(scores, perm=[0, 2, 1])  # [batch, classes, boxes]
    if shared == 1:
        found = op.NonMaxSuppression(op.Squeeze(boxes, ints([2])), turned, ints([each]),
                                     op.Reshape(iou, ints([1])), op.Reshape(least, ints([1])))
        flat_scores = op.Reshape(turned, ints([-1]))
    else:
        if shared != classes:
            raise Unsupported(f"{shared} boxes for {classes} classes")
        by_class = op.Reshape(op.Transpose(boxes, perm=[0, 2, 1, 3]), ints([-1, count, 4]))
        found = op.NonMaxSuppression(by_class, op.Reshape(turned, ints([-1, 1, count])), ints([each]),
                                     op.Reshape(iou, ints([1])), op.Reshape(least, ints([1])))
        flat_scores = op.Reshape(turned, ints([-1]))
    b, c, k = (op.Squeeze(op.Slice(found, ints([j]), ints([j + 1]), ints([1])), ints([1])) for j in range(3))
    place = op.Add(op.Mul(op.Add(op.Mul(b, constant(classes if shared == 1 else 1, I64)), c),
                          constant(count, I64)), k)
    low = constant(np.float32(-np.inf))
    kept = op.ScatterElements(op.Expand(low, op.Shape(flat_scores)), place,
                              op.Gather(flat_scores, place, axis=0), axis=0)
    rows = op.Reshape(kept, op.Concat(batch, ints([classes * count]), axis=0))
    many = min(size, classes * count)
    best, order = op.add("TopK", rows, ints([many]), axis=1, outputs=2)
    real = op.Greater(best, low)
    valid = cast(op, op.ReduceSum(cast(op, real, I64), ints([1]), keepdims=0), I32)
    label = op.Div(order, constant(count, I64))
    if shared == 1:
        corners = op.GatherND(op.Squeeze(boxes, ints([2])), op.Unsqueeze(op.Mod(order, constant(count, I64)),
                                                                        ints([2])), batch_dims=1)
    else:
        corners = op.GatherND(op.Reshape(op.Transpose(boxes, perm=[0, 2, 1, 3]), ints([-1, classes * count, 4])),
                              op.Unsqueeze(order, ints([2])), batch_dims=1)
    corners = op.Clip(corners, constant(0, F32), constant(1, F32)) if clip_boxes else corners
    zero = constant(0, F32)
    outs = [op.Where(op.Unsqueeze(real, ints([2])), corners, zero), op.Where(real, best, zero),
            op.Where(real, cast(op, label, F32), zero)]
    if many < size:
        outs = [op.Pad(o, ints([0, size - many]), zero, ints([1])) for o in outs]
    return (*outs, valid)
