"""Pooling.  Source: aten/src/ATen/native/Pool.h, AdaptiveAveragePooling.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ..machine import aten
from ..values import known, rank, size, whole, wholes


def _batched(op: Builder, x: Value, count: int) -> tuple[Value, bool]:
    """``x`` with an axis for the batch, and whether that was added."""
    if rank(x) == count + 2:
        return x, False
    return op.Unsqueeze(x, np.array([0])), True


def _unbatched(op: Builder, y: Any, alone: bool) -> Any:
    return op.Squeeze(y, np.array([0])) if alone else y


def _max_pool(op: Builder, x: Value, count: int, kernel: Any, stride: Any, padding: Any, dilation: Any,
              ceil_mode: bool, indices: bool = False) -> Any:
    x, alone = _batched(op, x, count)
    window = wholes(kernel, count, "kernel")
    how: dict[str, Any] = {
        "kernel_shape": window, "strides": wholes(stride, count, "stride") if _said(stride) else window,
        "pads": wholes(padding, count, "padding") * 2, "dilations": wholes(dilation, count, "dilation"),
        "ceil_mode": int(ceil_mode)}
    if not indices:
        return _unbatched(op, op.MaxPool(x, **how), alone)
    y, places = op.add("MaxPool", x, outputs=2, **how)
    # ONNX counts through the whole tensor, PyTorch within each channel
    plane = op.ReduceProd(op.Shape(x, start=2), keepdims=0)
    return [_unbatched(op, y, alone), _unbatched(op, op.Mod(places, plane), alone)]


def _said(stride: Any) -> bool:
    return not (stride is None or (isinstance(stride, (list, tuple)) and not stride))


def _max_pools(count: int) -> None:
    @aten(f"max_pool{count}d")
    def pool(op: Builder, self: Value, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
             ceil_mode: bool = False) -> Any:
        return _max_pool(op, self, count, kernel_size, stride, padding, dilation, ceil_mode)

    @aten(f"max_pool{count}d_with_indices")
    def with_indices(op: Builder, self: Value, kernel_size: Any, stride: Any = (), padding: Any = 0,
                     dilation: Any = 1, ceil_mode: bool = False) -> Any:
        return _max_pool(op, self, count, kernel_size, stride, padding, dilation, ceil_mode, True)

    @aten(f"avg_pool{count}d")
    def average(op: Builder, self: Value, kernel_size: Any, stride: Any = (), padding: Any = 0,
                ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None) -> Any:
        return _avg_pool(op, self, count, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)

    @aten(f"adaptive_avg_pool{count}d", *([f"_adaptive_avg_pool{count}d"] if count > 1 else []))
    def adaptive(op: Builder, self: Value, output_size: Any) -> Any:
        return _adaptive(op, self, count, output_size, False)

    @aten(f"adaptive_max_pool{count}d")
    def adaptive_max(op: Builder, self: Value, output_size: Any) -> Any:
        return [_adaptive(op, self, count, output_size, True), _adaptive_places(op, self, count, output_size)]


for _count in (1, 2, 3):
    _max_pools(_count)


def _avg_pool(op: Builder, x: Value, count: int, kernel: Any, stride: Any, padding: Any, ceil_mode: bool,
              include: bool, divisor: int | None) -> Any:
    x, alone = _batched(op, x, count)
    window = wholes(kernel, count, "kernel")
    how = {"kernel_shape": window, "strides": wholes(stride, count, "stride") if _said(stride) else window,
           "pads": wholes(padding, count, "padding") * 2, "ceil_mode": int(ceil_mode)}
    y = op.AveragePool(x, count_include_pad=int(include or divisor is not None), **how)
    if divisor is not None:
        if ceil_mode:
            raise Unsupported("divisor_override with ceil_mode: windows at the end count fewer elements")
        y = op.Mul(y, np.asarray(float(np.prod(window)) / divisor, x.dtype))
    return _unbatched(op, y, alone)


def _adaptive(op: Builder, x: Value, count: int, output_size: Any, largest: bool) -> Any:
    """Windows from floor(i * n / m) to ceil((i + 1) * n / m): of equal size where m divides n; else each axis by its
    own windows, one after the other (means of windows that are boxes are means of means)."""
    x, alone = _batched(op, x, count)
    wanted = [known(o) for o in (output_size if isinstance(output_size, (list, tuple)) else [output_size] * count)]
    assert x.shape is not None
    if all(o == 1 for o in wanted):
        axes = np.arange(2, count + 2)
        if largest:
            return _unbatched(op, op.ReduceMax(x, axes, keepdims=1), alone)
        return _unbatched(op, op.GlobalAveragePool(x), alone)
    have = list(x.shape[2:])
    out = [h if o is None else whole(o, "an output size") for h, o in zip(have, wanted, strict=True)]
    if not all(isinstance(n, int) for n in have):
        fixed = [n for n, o, h in zip(have, out, wanted, strict=True) if h is not None and o != 1]
        if not all(isinstance(n, int) for n in fixed):
            raise Unsupported("adaptive pooling of a size that is known at run time only")
    for k, (n, m) in enumerate(zip(have, out, strict=True)):
        axis = k + 2
        if m == n:
            continue
        reduce = op.ReduceMax if largest else op.ReduceMean
        if m == 1:
            x = reduce(x, np.array([axis]), keepdims=1)
            continue
        assert isinstance(n, int)
        assert isinstance(m, int)
        if n % m == 0:
            kernel = [1] * count
            kernel[k] = n // m
            x = (op.MaxPool if largest else op.AveragePool)(x, kernel_shape=kernel, strides=kernel)
            continue
        starts, ends = [i * n // m for i in range(m)], [-(-(i + 1) * n // m) for i in range(m)]
        at = np.array([axis])
        x = op.Concat(*(reduce(op.Slice(x, np.array([a]), np.array([b]), at), at, keepdims=1)
                        for a, b in zip(starts, ends, strict=True)), axis=axis)
    return _unbatched(op, x, alone)


def _adaptive_places(op: Builder, x: Value, count: int, output_size: Any) -> Value | None:
    """Where in its plane the greatest of each window is, the first of several; ``None`` if sizes are not known."""
    wanted = [known(o) for o in (output_size if isinstance(output_size, (list, tuple)) else [output_size] * count)]
    have: list[Any] = [size(op, x, rank(x) - count + k) for k in range(count)]
    if all(o == 1 for o in wanted):
        head = [0] * (rank(x) - count)
        places = op.ArgMax(op.Reshape(x, np.array([*head, -1])), axis=-1, keepdims=0)
        made: Value = op.Unsqueeze(places, np.arange(-count, 0))
        return made
    out: list[Any] = [n if o is None else o for n, o in zip(have, wanted, strict=True)]
    if not all(isinstance(n, int) for n in (*have, *out)):
        return None
    first = rank(x) - count
    plane = np.arange(int(np.prod(have))).reshape(have)
    for k, (n, m) in enumerate(zip(have, out, strict=True)):
        starts, ends = np.arange(m) * n // m, -(-(np.arange(m) + 1) * n // m)
        # windows of one length: shorter ones end with their last element again, which is not the first of its kind
        at = np.minimum(starts[:, None] + np.arange((ends - starts).max()), ends[:, None] - 1)
        x = op.Gather(x, at, axis=first + 2 * k)
        plane = np.take(plane, at, axis=2 * k)
    order = [2 * k for k in range(count)] + [2 * k + 1 for k in range(count)]
    x = op.Transpose(x, perm=[*range(first), *(first + k for k in order)])
    table = plane.transpose(order).reshape(*out, -1)
    x = op.Reshape(x, np.array([*[0] * (first + count), -1]))
    best = op.ArgMax(x, axis=-1, keepdims=0)
    start = (np.arange(int(np.prod(out))) * table.shape[-1]).reshape(out)
    found: Value = op.Gather(constant(table.reshape(-1)), op.Add(best, start), axis=0)
    return found
