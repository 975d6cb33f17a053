"""Pooling over windows, over whole images, and to a given size."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import cast, dims, first, ints, layout, listed, padding_of, rank, real, room, spatial, to_onnx


def pooled(op: Builder, x: Value, kind: str, pool_size: Any, strides: Any, padding: str, data_format: str) -> Any:
    n = rank(x) - 2
    size = listed(pool_size, n, "pool_size")
    steps = size if strides is None else listed(strides, n, "strides")
    window = {"kernel_shape": size, "strides": steps, **padding_of(x, padding, data_format, size, steps, [1] * n)}
    return layout(op, data_format).add(("" if first(data_format) else "nhwc.") + kind, x, **window)


@to_onnx("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
def max_pooling(op: Builder, x: Value, *, pool_size: Any = 2, strides: Any = None, padding: str = "valid",
                data_format: str = "channels_last") -> Any:
    return pooled(op, x, "MaxPool", pool_size, strides, padding, data_format)


@to_onnx("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")
def average_pooling(op: Builder, x: Value, *, pool_size: Any = 2, strides: Any = None, padding: str = "valid",
                    data_format: str = "channels_last") -> Any:
    return pooled(op, real(op, x), "AveragePool", pool_size, strides, padding, data_format)  # padding does not count


@to_onnx("ops.max_pool", "ops.average_pool")
def pool_operation(op: Builder, x: Value, *, pool_size: Any, strides: Any = None, padding: str = "valid",
                   data_format: str = "channels_last") -> Any:
    assert op.node is not None
    kind = "MaxPool" if op.node.op == "ops.max_pool" else "AveragePool"
    return pooled(op, x, kind, pool_size, strides, padding, data_format)


@to_onnx("ops.tf_max_pool", "ops.tf_avg_pool")
def pool_of_tensorflow(op: Builder, x: Value, *, ksize: Any, strides: Any, padding: str,
                       data_format: str = "NHWC") -> Any:
    assert op.node is not None
    kind = "MaxPool" if op.node.op == "ops.tf_max_pool" else "AveragePool"

    def two(v: Any) -> Any:
        return v[1:3] if isinstance(v, list) and len(v) == 4 else v
    if not isinstance(padding, str):
        raise Unsupported("explicit padding of a pooling")
    return pooled(op, x, kind, two(ksize), two(strides), padding,
                  "channels_first" if data_format == "NCHW" else "channels_last")


@to_onnx("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_max_pooling(op: Builder, x: Value, *, data_format: str = "channels_last", keepdims: bool = False) -> Any:
    return op.ReduceMax(x, ints(spatial(x, data_format)), keepdims=int(keepdims))


@to_onnx("GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_average_pooling(op: Builder, x: Value, *, data_format: str = "channels_last",
                           keepdims: bool = False) -> Any:
    return op.ReduceMean(real(op, x), ints(spatial(x, data_format)), keepdims=int(keepdims))


@to_onnx("GlobalAveragePooling1D")
def global_average_pooling_1d(op: Builder, x: Value, mask: Value | None = None, *, data_format: str = "channels_last",
                              keepdims: bool = False) -> Any:
    x = real(op, x)
    axes = ints(spatial(x, data_format))
    if mask is None:
        return op.ReduceMean(x, axes, keepdims=int(keepdims))
    m = op.Unsqueeze(cast(op, mask, x.dtype), ints([1 if first(data_format) else 2]))
    return op.Div(op.ReduceSum(op.Mul(x, m), axes, keepdims=int(keepdims)),
                  op.ReduceSum(m, axes, keepdims=int(keepdims)))


@to_onnx("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D",
         "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "ops.adaptive_average_pool", "ops.adaptive_max_pool")
def adaptive_pooling(op: Builder, x: Value, *, output_size: Any, data_format: str = "channels_last") -> Any:
    """Windows that cover the input evenly: piece i of n goes from floor(i * size / n) to ceil((i + 1) * size / n)."""
    assert op.node is not None
    reduce = "ReduceMean" if "average" in op.node.op.lower() else "ReduceMax"
    axes = spatial(x, data_format)
    sizes = dims(x, axes)
    wanted = listed(output_size, len(axes), "output_size")
    if all(old % new == 0 for old, new in zip(sizes, wanted, strict=True)):
        window = [old // new for old, new in zip(sizes, wanted, strict=True)]
        kind = "AveragePool" if reduce == "ReduceMean" else "MaxPool"
        return pooled(op, x, kind, window, window, "valid", data_format)
    for axis, old, new in zip(axes, sizes, wanted, strict=True):
        room(new, 4096)
        pieces = []
        for i in range(new):
            start, stop = i * old // new, -(-(i + 1) * old // new)
            part = op.Slice(x, ints([start]), ints([stop]), ints([axis]))
            pieces.append(op.add(reduce, part, ints([axis]), keepdims=1))
        x = op.Concat(*pieces, axis=axis) if new > 1 else pieces[0]
    return x


