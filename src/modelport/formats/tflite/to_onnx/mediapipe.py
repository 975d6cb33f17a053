"""The custom operators of MediaPipe.

Source: mediapipe/util/tflite/operations: max_pool_argmax.cc, max_unpooling.cc, transpose_conv_bias.cc,
transform_tensor_bilinear.cc, transform_landmarks.cc.  The options of the first three are the C structures
TfLitePoolParams and TfLiteTransposeConvParams as they lie in memory (little-endian 32-bit numbers)."""
from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ....codecs import flexbuffer
from ....errors import CorruptFile, Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import dims, ints, rank, same_pads, transposed
from .common import function, to_onnx

F32, I64 = np.dtype(np.float32), np.dtype(np.int64)
_PADDING = {1: "SAME", 2: "VALID"}
_ACTIVATION = {0: "NONE", 1: "RELU", 2: "RELU_N1_TO_1", 3: "RELU6", 4: "TANH"}


def _numbers(options: bytes, count: int) -> tuple[int, ...]:
    if len(options) < 4 * count:
        raise Unsupported(f"options of {len(options)} bytes")
    return struct.unpack_from(f"<{count}i", options)


def _map(options: bytes) -> dict[str, Any]:
    try:
        found = flexbuffer.read(options)
    except CorruptFile as e:
        raise Unsupported(f"options that are no FlexBuffer: {e.message}") from None
    if not isinstance(found, dict):
        raise Unsupported("options that are no map")
    return found


@to_onnx("custom.MaxPoolingWithArgmax2D")
def max_pool(op: Builder, x: Value, *, custom_options: bytes) -> Any:
    """The largest of each window, and where in the window it lies, as a real number and a tenth."""
    word, stride_w, stride_h, width, height, act = _numbers(custom_options, 6)
    padding = _PADDING.get(word, "")
    _, h, w, _ = dims(x)
    if min(stride_w, stride_h, width, height) < 1 or not padding:
        raise Unsupported(f"padding {word}, a window of {height} x {width}")
    pads = same_pads([h, w], [height, width], [stride_h, stride_w], [1, 1]) if padding == "SAME" else [0, 0, 0, 0]
    y, flat = op.add("nhwc.MaxPool", x, kernel_shape=[height, width], strides=[stride_h, stride_w], pads=pads,
                     outputs=2)
    _, rows, columns, _ = dims(y)
    flat = op.Transpose(flat, perm=[0, 2, 3, 1])
    top = (np.arange(rows) * stride_h - pads[0]).reshape(1, rows, 1, 1).astype(I64)
    left = (np.arange(columns) * stride_w - pads[1]).reshape(1, 1, columns, 1).astype(I64)
    row = op.Sub(op.Mod(op.Div(flat, I64.type(w)), I64.type(h)), top)
    column = op.Sub(op.Mod(flat, I64.type(w)), left)
    where = op.Cast(op.Add(op.Mul(row, I64.type(width)), column), to=1)
    return function(op, y, _ACTIVATION.get(act, "?")), op.Add(where, np.float32(0.1))


@to_onnx("custom.MaxUnpooling2D")
def max_unpool(op: Builder, x: Value, where: Value, *, custom_options: bytes) -> Any:
    """Each element back at its place in its window, zeros elsewhere."""
    _, stride_w, stride_h, width, height = _numbers(custom_options, 5)
    if (stride_w, stride_h) != (width, height) or min(width, height) < 1:
        raise Unsupported("windows that overlap or leave gaps")
    n, h, w, c = dims(x)
    place = op.Cast(where, to=7)
    row = op.Add(op.Div(place, I64.type(width)), (np.arange(h) * height).reshape(1, h, 1, 1).astype(I64))
    column = op.Add(op.Mod(place, I64.type(width)), (np.arange(w) * width).reshape(1, 1, w, 1).astype(I64))
    # MaxUnpool numbers the elements of [n, c, rows, columns]
    channel = (np.arange(n)[:, None] * c + np.arange(c)).reshape(n, 1, 1, c).astype(I64)
    flat = op.Add(op.Mul(op.Add(op.Mul(channel, I64.type(h * height)), row), I64.type(w * width)), column)
    y = op.MaxUnpool(op.Transpose(x, perm=[0, 3, 1, 2]), op.Transpose(flat, perm=[0, 3, 1, 2]),
                     ints([n, c, h * height, w * width]), kernel_shape=[height, width], strides=[height, width])
    return op.Transpose(y, perm=[0, 2, 3, 1])


@to_onnx("custom.Convolution2DTransposeBias")
def transpose_conv(op: Builder, x: Value, w: Value, b: Value, *, custom_options: bytes) -> Any:
    word, stride_w, stride_h = _numbers(custom_options, 3)
    _, *kernel, _ = dims(w, what="the weight")
    _, *size, _ = dims(x)
    if min(stride_w, stride_h) < 1 or word not in _PADDING:
        raise Unsupported(f"padding {word}, strides {stride_h} and {stride_w}")
    total = [max(0, k - (n - 1) % s - 1) if _PADDING[word] == "SAME" else 0
             for k, n, s in zip(kernel, size, (stride_h, stride_w), strict=True)]
    begin = [t // 2 for t in total]
    end = [t - p for t, p in zip(total, begin, strict=True)]
    return op.nhwc.ConvTranspose(x, transposed(op, w, [3, 0, 1, 2]), b, kernel_shape=kernel,
                                 strides=[stride_h, stride_w], pads=[*begin, *end])


@to_onnx("custom.TransformTensor", "custom.TransformTensorBilinear")
def transform_tensor(op: Builder, x: Value, matrix: Value, *, custom_options: bytes) -> Any:
    """An image seen through an affine map: bilinear within it, zero outside; the second version maps pixel centres."""
    assert op.node is not None
    options = _map(custom_options)
    if options.get("mode", "bilinear") != "bilinear":
        raise Unsupported(f"mode {options['mode']}")
    n, h, w, c = dims(x)
    shape = [d for d in op.out.shape or () if isinstance(d, int)]
    if n != 1 or len(shape) != 4 or shape[0] != 1 or shape[3] != c or min(h, w) < 2 or matrix.type.size != 16:
        raise Unsupported(f"an image of {x.type} to {op.out}")
    rows, columns = shape[1:3]
    centred = 0.5 if op.node.op == "custom.TransformTensorBilinear" else 0.0
    gy, gx = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    points = np.stack([gx + centred, gy + centred, np.ones_like(gx, float)], -1).reshape(-1, 3).astype(F32)
    rows_of = op.Slice(op.Reshape(matrix, ints([4, 4])), ints([0]), ints([2]), ints([0]))
    affine = op.Gather(rows_of, ints([0, 1, 3]), axis=1)
    at = op.Sub(op.MatMul(points, op.Transpose(affine, perm=[1, 0])), np.float32(centred))
    last = np.array([w - 1, h - 1], F32)
    inside = op.And(op.GreaterOrEqual(at, np.zeros(2, F32)), op.LessOrEqual(at, last))
    seen = op.ReduceMin(op.Cast(inside, to=6), ints([1]), keepdims=0)
    grid = op.Sub(op.Mul(at, (2 / last).astype(F32)), np.float32(1))
    y = op.nhwc.GridSample(x, op.Reshape(grid, ints([1, rows, columns, 2])), align_corners=1, mode="linear",
                           padding_mode="zeros")
    return op.Where(op.Reshape(op.Cast(seen, to=9), ints([1, rows, columns, 1])), y, np.float32(0))


@to_onnx("custom.TransformLandmarks")
def transform_landmarks(op: Builder, x: Value, matrix: Value, *, custom_options: bytes) -> Any:
    """The same map applied to points of two or three numbers, the third of which stays."""
    options = _map(custom_options)
    size, scale = options.get("dimensions", 3), options.get("scale", 1.0) if rank(x) == 4 else 1.0
    if size not in (2, 3) or matrix.type.size != 16:
        raise Unsupported(f"points of {size} numbers")
    points = op.Reshape(x, ints([-1, size]))
    rows = op.Slice(op.Reshape(matrix, ints([4, 4])), ints([0]), ints([2]), ints([0]))
    turn = op.Transpose(op.Gather(rows, ints([0, 1]), axis=1), perm=[1, 0])
    shift = op.Reshape(op.Gather(rows, ints([3]), axis=1), ints([2]))
    flat = op.Add(op.MatMul(_columns(op, points, 0, 2), turn), op.Mul(shift, np.float32(scale)))
    if size == 3:
        flat = op.Concat(flat, _columns(op, points, 2, 3), axis=1)
    return op.Reshape(flat, op.Shape(x))


def _columns(op: Builder, x: Value, start: int, end: int) -> Any:
    return op.Slice(x, ints([start]), ints([end]), ints([1]))

