"""Detection: non-maximum suppression and the post-processing of single-shot detectors.

Source: tensorflow/lite/kernels/non_max_suppression.cc, custom_ops / detection_postprocess.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....codecs import flexbuffer
from ....errors import CorruptFile, Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ...reading import cast, dims, i64, ints, scalar
from .common import to_onnx

I32, I64, F32 = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.float32)


@to_onnx("NON_MAX_SUPPRESSION_V4")
def nms_v4(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, score: Value) -> Any:
    chosen, count, _ = _selected(op, boxes, scores, most, iou, score)
    return chosen, count


@to_onnx("NON_MAX_SUPPRESSION_V5")
def nms_v5(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, score: Value, sigma: Value) -> Any:
    if scalar(sigma, "soft_nms_sigma") != 0:
        raise Unsupported("soft suppression")
    chosen, count, real = _selected(op, boxes, scores, most, iou, score)
    kept = op.Where(real, op.Gather(scores, chosen, axis=0), np.float32(0))
    return chosen, kept, count


def _selected(op: Builder, boxes: Value, scores: Value, most: Value, iou: Value, score: Value) -> Any:
    """Indices of the boxes kept, filled up with zeros to ``most``; their number; which of them are real."""
    limit = op.Reshape(i64(op, most), ints([1]))
    found = op.NonMaxSuppression(op.Unsqueeze(boxes, ints([0])), op.Unsqueeze(scores, ints([0, 1])), limit,
                                 op.Reshape(iou, ints([1])), op.Reshape(score, ints([1])))
    index = op.Reshape(op.Slice(found, ints([2]), ints([3]), ints([1])), ints([-1]))
    count = op.Shape(index)
    index = op.Pad(index, op.Concat(ints([0]), op.Sub(limit, count), axis=0))
    real = op.Less(op.Range(constant(0, I64), op.Squeeze(limit, ints([0])), constant(1, I64)), count)
    return cast(op, index, I32), cast(op, op.Squeeze(count, ints([0])), I32), real


@to_onnx("custom.TFLite_Detection_PostProcess")
def detection_postprocess(op: Builder, encodings: Value, scores: Value, anchors: Value, *,
                          custom_options: bytes = b"") -> Any:
    """Boxes from encodings and anchors, then suppression; outputs padded with zeros to ``max_detections``.

    The fast way keeps for each anchor its best ``max_classes_per_detection`` classes, suppresses by the best score
    across classes; the regular one suppresses class by class and keeps the best of all."""
    try:
        options = flexbuffer.read(custom_options)
    except CorruptFile as e:
        raise Unsupported(f"options: {e.reason}") from None
    if not isinstance(options, dict):
        raise Unsupported("options that are no map")
    batch, boxes_count, _ = dims(encodings, what="the box encodings")
    if batch != 1:
        raise Unsupported(f"a batch of {batch}: the kernel takes 1")
    detections, classes = int(options["max_detections"]), int(options["num_classes"])
    iou, threshold = float(options["nms_iou_threshold"]), float(options["nms_score_threshold"])
    boxes = _decoded(op, op.Squeeze(encodings, ints([0])), anchors, options)
    offset = dims(scores)[-1] - classes  # a background class in front
    by_class = op.Slice(op.Squeeze(scores, ints([0])), ints([offset]), ints([offset + classes]), ints([1]))
    if options.get("use_regular_nms", False):
        made = _regular(op, boxes, by_class, iou, threshold, detections,
                        int(options.get("detections_per_class", 100)), boxes_count)
    else:
        made = _fast(op, boxes, by_class, iou, threshold, detections,
                     min(int(options.get("max_classes_per_detection", 1)), classes))
    corners, labels, best, count = made
    return (op.Unsqueeze(corners, ints([0])), op.Unsqueeze(cast(op, labels, F32), ints([0])),
            op.Unsqueeze(best, ints([0])), cast(op, count, F32))


def _decoded(op: Builder, encodings: Value, anchors: Value, options: dict[str, Any]) -> Any:
    """Corners [boxes, (ymin, xmin, ymax, xmax)] of boxes that are encoded by centre and size against anchors."""
    y, x, h, w = (op.Slice(encodings, ints([k]), ints([k + 1]), ints([1])) for k in range(4))
    ya, xa, ha, wa = (op.Slice(anchors, ints([k]), ints([k + 1]), ints([1])) for k in range(4))
    yc = op.Add(op.Mul(op.Div(y, np.float32(options["y_scale"])), ha), ya)
    xc = op.Add(op.Mul(op.Div(x, np.float32(options["x_scale"])), wa), xa)
    half_h = op.Mul(np.float32(0.5), op.Mul(op.Exp(op.Div(h, np.float32(options["h_scale"]))), ha))
    half_w = op.Mul(np.float32(0.5), op.Mul(op.Exp(op.Div(w, np.float32(options["w_scale"]))), wa))
    return op.Concat(op.Sub(yc, half_h), op.Sub(xc, half_w), op.Add(yc, half_h), op.Add(xc, half_w), axis=1)


def _suppressed(op: Builder, boxes: Value, scores: Value, most: int, iou: float, threshold: float) -> Any:
    """ONNX's suppression of [boxes, 4] by [classes, boxes]: (class, box) of what is kept.

    The kernel keeps a score equal to the threshold, ONNX does not: the next smaller number makes them agree."""
    below = np.nextafter(np.float32(threshold), np.float32(-np.inf))
    found = op.NonMaxSuppression(op.Unsqueeze(boxes, ints([0])), op.Unsqueeze(scores, ints([0])), ints([most]),
                                 np.asarray([iou], np.float32), np.asarray([below], np.float32))
    return (op.Reshape(op.Slice(found, ints([k]), ints([k + 1]), ints([1])), ints([-1])) for k in (1, 2))


def _fill(op: Builder, x: Value, size: int, axis_count: int = 1) -> Any:
    """``x`` with zeros appended along its first axis up to ``size``."""
    room = op.Sub(ints([size]), op.Shape(x, start=0, end=1))
    if axis_count == 1:
        return op.Pad(x, op.Concat(ints([0]), room, axis=0))
    return op.Pad(x, op.Concat(ints([0, 0]), room, ints([0]), axis=0))


def _fast(op: Builder, boxes: Value, scores: Value, iou: float, threshold: float, detections: int,
          per_box: int) -> Any:
    best, order = op.add("TopK", scores, ints([per_box]), axis=1, outputs=2)
    top = op.Squeeze(op.Slice(best, ints([0]), ints([1]), ints([1])), ints([1]))
    _, kept = _suppressed(op, boxes, op.Unsqueeze(top, ints([0])), detections, iou, threshold)
    size = detections * per_box
    corners = op.Gather(boxes, kept, axis=0)
    if per_box > 1:  # each box stands once for each of its classes
        corners = op.Reshape(op.Tile(op.Unsqueeze(corners, ints([1])), ints([1, per_box, 1])), ints([-1, 4]))
    labels = op.Reshape(op.Gather(order, kept, axis=0), ints([-1]))
    values = op.Reshape(op.Gather(best, kept, axis=0), ints([-1]))
    count = op.Shape(kept)  # of boxes, not of rows
    return _fill(op, corners, size, 2), _fill(op, labels, size), _fill(op, values, size), count


def _regular(op: Builder, boxes: Value, scores: Value, iou: float, threshold: float, detections: int,
             per_class: int, boxes_count: int) -> Any:
    turned = op.Transpose(scores, perm=[1, 0])
    labels, kept = _suppressed(op, boxes, turned, min(per_class, boxes_count), iou, threshold)
    values = op.GatherND(turned, op.Concat(op.Unsqueeze(labels, ints([1])), op.Unsqueeze(kept, ints([1])), axis=1))
    count = op.Min(op.Shape(values), ints([detections]))
    values, order = op.add("TopK", values, count, axis=0, outputs=2)
    corners = op.Gather(boxes, op.Gather(kept, order, axis=0), axis=0)
    return (_fill(op, corners, detections, 2), _fill(op, op.Gather(labels, order, axis=0), detections),
            _fill(op, values, detections), count)
