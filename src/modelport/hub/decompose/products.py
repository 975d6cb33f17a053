"""Products of integers, exactly, in floating-point products; quantized products with their scales."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, is_float
from .eager import eager, i64

rules = Rules("the hub", "simpler operators")
F32, I32 = np.dtype(np.float32), np.dtype(np.int32)
EXACT = 1 << 24
"""Single precision holds every integer up to here, and so every sum of products that stays below, in any order."""


def _centred(op: Builder, v: Value, zero: Value | None, shape: Sequence[int] | None = None) -> Value:
    """Integers minus their zero point, in single precision."""
    quick = eager(op)
    y = quick.Cast(v, to=NUMBER[F32])
    if zero is None or (zero.data is not None and not zero.numpy().any()):
        return y
    z = quick.Cast(zero, to=NUMBER[F32])
    if zero.rank == 1 and zero.type.size == 1:
        z = quick.Reshape(z, i64())
    elif zero.rank == 1 and shape is not None:
        z = quick.Reshape(z, i64(*shape))
    return quick.Sub(y, z)


def _reach(v: Value, zero: Value | None) -> int:
    """The largest magnitude of an 8-bit integer minus its zero point."""
    info = np.iinfo(v.dtype)
    if zero is None:
        return max(-int(info.min), int(info.max))
    if zero.data is None:
        return int(info.max) - int(info.min)
    z = zero.numpy().astype(np.int64)
    return int(max((int(info.max) - z).max(initial=0), (z - int(info.min)).max(initial=0)))


@rules("MatMulInteger")
def matmul_integer(op: Builder, a: Value, b: Value, a_zero: Value | None = None, b_zero: Value | None = None) -> Any:
    """As many terms at a time as single precision adds without rounding."""
    most = EXACT // (_reach(a, a_zero) * _reach(b, b_zero))
    inner = None if b.shape is None else b.shape[0] if b.rank == 1 else b.shape[-2]
    inner = inner if isinstance(inner, int) else None if a.shape is None else a.shape[-1]
    x, y = _centred(op, a, a_zero, [-1, 1]), _centred(op, b, b_zero)
    if isinstance(inner, int) and inner <= most:
        return op.Cast(op.MatMul(x, y), to=NUMBER[I32])
    if not isinstance(inner, int) or x.rank is None or y.rank is None:
        raise Unsupported("a product of integers over a length that is only known at run time")
    total: Value | None = None
    quick = eager(op)
    for k in range(0, inner, most):
        here = [quick.Slice(v, i64(k), i64(min(inner, k + most)), i64(axis))
                for v, axis in ((x, x.rank - 1), (y, max(0, y.rank - 2)))]
        part = op.Cast(op.MatMul(*here), to=NUMBER[I32])
        total = part if total is None else op.Add(total, part)
    return total


@rules("ConvInteger")
def conv_integer(op: Builder, x: Value, w: Value, x_zero: Value | None = None, w_zero: Value | None = None, *,
                 group: int = 1, **window: Any) -> Any:
    """As many channels at a time as single precision adds without rounding; pads are zero points."""
    if w.shape is None or not w.type.static:
        raise Unsupported("a weight whose shape is only known at run time")
    _, channels, *kernel = [d for d in w.shape if isinstance(d, int)]
    most = EXACT // (_reach(x, x_zero) * _reach(w, w_zero)) // max(1, int(np.prod(kernel)))
    a, b = _centred(op, x, x_zero), _centred(op, w, w_zero, [-1, *[1] * (len(kernel) + 1)])
    if channels <= most:
        return op.Cast(op.Conv(a, b, group=group, **window), to=NUMBER[I32])
    if group > 1 or not most:
        raise Unsupported(f"sums of {channels * int(np.prod(kernel))} products of integers in groups or windows")
    total: Value | None = None
    quick = eager(op)
    for k in range(0, channels, most):
        here = [quick.Slice(v, i64(k), i64(min(channels, k + most)), i64(1)) for v in (a, b)]
        part = op.Cast(op.Conv(*here, **window), to=NUMBER[I32])
        total = part if total is None else op.Add(total, part)
    return total


def _real(op: Builder, scale: Value) -> Value:
    made: Value = eager(op).Cast(scale, to=NUMBER[F32])
    return made


def _known(*values: Value | None) -> bool:
    return all(v is None or v.data is not None for v in values)


def _quantized(op: Builder, total: Value, factor: Value, y_scale: Value, y_zero: Value) -> Value:
    """Integer sums in the steps of the result: by one factor, rounded once."""
    quick = eager(op)
    real = op.Mul(op.Cast(total, to=NUMBER[F32]), quick.Div(factor, _real(op, y_scale)))
    made: Value = op.QuantizeLinear(real, np.float32(1), quick.Reshape(y_zero, i64()) if y_zero.rank else y_zero)
    return made


@rules("QLinearMatMul")
def qlinear_matmul(op: Builder, a: Value, a_scale: Value, a_zero: Value, b: Value, b_scale: Value, b_zero: Value,
                   y_scale: Value, y_zero: Value) -> Any:
    if (a_scale.rank or 0) > 1 or (b_scale.rank or 0) > 1 or y_scale.type.size != 1 or a.rank is None or b.rank is None:
        raise Unsupported("scales of several axes")
    if _known(a_scale, a_zero, b_scale, b_zero, y_scale, y_zero):
        x = op.DequantizeLinear(a, *_scalars(op, a_scale, a_zero), axis=a.rank - 2)
        w = op.DequantizeLinear(b, *_scalars(op, b_scale, b_zero), axis=b.rank - 1)
        return op.QuantizeLinear(op.MatMul(x, w), *_scalars(op, y_scale, y_zero))
    quick = eager(op)
    rows = _real(op, a_scale)
    rows = quick.Reshape(rows, i64() if a_scale.type.size == 1 else i64(-1, 1)) if a_scale.rank == 1 else rows
    columns = _real(op, b_scale)
    columns = quick.Reshape(columns, i64()) if b_scale.rank == 1 and b_scale.type.size == 1 else columns
    total = op.MatMulInteger(a, b, a_zero, b_zero)
    return _quantized(op, total, quick.Mul(rows, columns), quick.Reshape(y_scale, i64()), y_zero)


def _scalars(op: Builder, scale: Value, zero: Value) -> tuple[Value, Value]:
    """A scale of single precision and its zero point; of one element each without an axis."""
    quick = eager(op)
    if scale.type.size == 1 and zero.type.size == 1:
        return quick.Reshape(_real(op, scale), i64()), quick.Reshape(zero, i64())
    return _real(op, scale), zero


@rules("QLinearConv")
def qlinear_conv(op: Builder, x: Value, x_scale: Value, x_zero: Value, w: Value, w_scale: Value, w_zero: Value,
                 y_scale: Value, y_zero: Value, b: Value | None = None, **window: Any) -> Any:
    if x.rank is None or x_scale.type.size != 1 or y_scale.type.size != 1 or (w_scale.rank or 0) > 1:
        raise Unsupported("scales of several axes")
    quick = eager(op)
    product = quick.Mul(quick.Reshape(_real(op, x_scale), i64()), _real(op, w_scale))
    if _known(x_scale, x_zero, w_scale, w_zero, y_scale, y_zero):
        real = op.DequantizeLinear(x, *_scalars(op, x_scale, x_zero))
        weight = op.DequantizeLinear(w, *_scalars(op, w_scale, w_zero), axis=0)
        scale = quick.Reshape(product, i64()) if product.type.size == 1 else product
        bias = None if b is None else op.DequantizeLinear(b, scale, np.zeros(scale.shape or (), np.int32), axis=0)
        return op.QuantizeLinear(op.Conv(real, weight, bias, **window), *_scalars(op, y_scale, y_zero))
    along = i64(-1, *[1] * (x.rank - 2))
    total = op.ConvInteger(x, w, x_zero, w_zero, **window)
    total = total if b is None else op.Add(total, quick.Reshape(b, along))
    factor = quick.Reshape(product, along) if product.rank == 1 and product.type.size != 1 else \
        quick.Reshape(product, i64())
    return _quantized(op, total, factor, quick.Reshape(y_scale, i64()), y_zero)


@rules("Gemm")
def gemm(op: Builder, a: Value, b: Value, c: Value | None = None, *, alpha: float = 1.0, beta: float = 1.0,
         transA: int = 0, transB: int = 0) -> Any:
    quick = eager(op)
    y = op.MatMul(quick.Transpose(a, perm=[1, 0]) if transA else a, quick.Transpose(b, perm=[1, 0]) if transB else b)
    for factor, v in ((alpha, y), (beta, c)):
        if factor != 1 and v is not None and not is_float(v.dtype) and factor != int(factor):
            raise Unsupported("integers times a fraction")
    y = y if alpha == 1 else op.Mul(y, np.array(alpha, y.dtype))
    if c is None or beta == 0:
        return y
    return op.Add(y, c if beta == 1 else op.Mul(c, np.array(beta, c.dtype)))
