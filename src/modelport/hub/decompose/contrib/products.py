"""Matrix products and convolutions with something fused in, and weights of a few bits."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.tensor import unpack
from ....ir.types import Type
from .table import activation, contrib, ints, like


def _turned(op: Builder, x: Value, trans: int, batch: int) -> Value:
    """An operand of FusedMatMul: ``batch`` moves axis 0 behind the batch axes, ``trans`` swaps the last two."""
    if not trans and not batch:
        return x
    if x.rank is None:
        raise Unsupported("an operand of unknown rank")
    if x.rank < 2:
        return x
    perm = list(range(x.rank))
    if batch and x.rank > 2:
        perm = [*perm[1:-1], perm[0], perm[-1]]
    if trans:
        perm[-1], perm[-2] = perm[-2], perm[-1]
    return op.Transpose(x, perm=perm)


@contrib("FusedMatMul", "TransposeMatMul")
def fused_matmul(op: Builder, a: Value, b: Value, *, alpha: float = 1.0, transA: int = 0, transB: int = 0,
                 transBatchA: int = 0, transBatchB: int = 0) -> Any:
    y = op.MatMul(_turned(op, a, transA, transBatchA), _turned(op, b, transB, transBatchB))
    return y if alpha == 1 else op.Mul(y, like(alpha, y))


@contrib("FusedMatMulActivation")
def fused_matmul_activation(op: Builder, a: Value, b: Value, *, activation: str, activation_alpha: float = 0.0,
                            activation_beta: float = 0.0, activation_gamma: float = 0.0, activation_axis: int = -1,
                            alpha: float = 1.0, transA: int = 0, transB: int = 0, transBatchA: int = 0,
                            transBatchB: int = 0) -> Any:
    y = fused_matmul(op, a, b, alpha=alpha, transA=transA, transB=transB, transBatchA=transBatchA,
                     transBatchB=transBatchB)
    if activation == "Softmax":
        return op.Softmax(y, axis=activation_axis)
    return _activated(op, y, activation, (activation_alpha, activation_beta))


def _activated(op: Builder, y: Value, name: str, params: Sequence[float] = ()) -> Value:
    return activation(op, y, name, params)


@contrib("FusedGemm")
def fused_gemm(op: Builder, a: Value, b: Value, c: Value | None = None, *, activation: str = "",
               activation_alpha: float | None = None, activation_beta: float | None = None,
               activation_gamma: float | None = None, alpha: float = 1.0, beta: float = 1.0, transA: int = 0,
               transB: int = 0) -> Any:
    y = op.Gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    params = [p for p in (activation_alpha, activation_beta) if p is not None]
    return _activated(op, y, activation, params)


@contrib("GemmFastGelu")
def gemm_fast_gelu(op: Builder, x: Value, w: Value, bias: Value | None = None) -> Any:
    y = op.MatMul(x, w)
    return op.Gelu(y if bias is None else op.Add(y, bias), approximate="tanh")


@contrib("FusedConv")
def fused_conv(op: Builder, x: Value, w: Value, b: Value | None = None, z: Value | None = None, *,
               activation: str = "", activation_params: tuple[float, ...] = (), auto_pad: str = "NOTSET",
               dilations: tuple[int, ...] | None = None, group: int = 1, kernel_shape: tuple[int, ...] | None = None,
               pads: tuple[int, ...] | None = None, strides: tuple[int, ...] | None = None) -> Any:
    """Conv, plus ``z``, then the activation."""
    y = op.Conv(x, w, b, auto_pad=auto_pad, dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads,
                strides=strides)
    return _activated(op, y if z is None else op.Add(y, z), activation, activation_params)


@contrib("NhwcMaxPool")
def nhwc_max_pool(op: Builder, x: Value, *, kernel_shape: tuple[int, ...], auto_pad: str = "NOTSET",
                  ceil_mode: int = 0, dilations: tuple[int, ...] | None = None, pads: tuple[int, ...] | None = None,
                  strides: tuple[int, ...] | None = None) -> Any:
    return op.nhwc.MaxPool(x, kernel_shape=kernel_shape, auto_pad=auto_pad, ceil_mode=ceil_mode, dilations=dilations,
                           pads=pads, strides=strides)


@contrib("MatMulNBits")
def matmul_nbits(op: Builder, a: Value, b: Value, scales: Value, zero_points: Value | None = None,
                 g_idx: Value | None = None, bias: Value | None = None, *, K: int, N: int, block_size: int,
                 bits: int = 4, accuracy_level: int = 0, weight_prepacked: int = 0) -> Any:
    """``A (K x N weight)`` with the weight stored by columns in blocks of ``block_size`` numbers of ``bits`` bits.

    ``accuracy_level`` lets the kernel round activations; here they stay as they are."""
    if bits not in (2, 4, 8) or weight_prepacked:
        raise Unsupported(f"{bits}-bit weights" if bits not in (2, 4, 8) else "prepacked weights")
    if g_idx is not None and not np.array_equal(static(g_idx, "the group index"), np.arange(K) // block_size):
        raise Unsupported("blocks in another order than the columns (g_idx)")
    blocks = -(-K // block_size)
    stored = static(b, "the weight").reshape(N, blocks * block_size * bits // 8)
    dtype = np.dtype(ml_dtypes.uint4 if bits == 4 else np.uint8)
    whole = Type(dtype, (N, blocks * block_size))
    weight = _bits(stored.reshape(-1), bits, whole)[:, :K]
    scale = static(scales, "the scales").reshape(N, blocks)
    if zero_points is None:
        zero = np.full((N, blocks), 1 << (bits - 1), np.uint8).astype(dtype)
    elif zero_points.dtype == np.uint8:
        per_row = -(-blocks * bits // 8) * 8 // bits
        packed = static(zero_points, "the zero points").reshape(-1)
        zero = _bits(packed, bits, Type(dtype, (N, per_row)))[:, :blocks]
    else:  # real zero points: (q - zero) * scale by arithmetic
        reals = static(zero_points, "the zero points").reshape(N, blocks)
        spread = np.repeat(np.arange(blocks), block_size)[:K]
        w = (weight.astype(scale.dtype) - reals[:, spread]) * scale[:, spread]
        return _plus(op, op.MatMul(a, constant(np.ascontiguousarray(w.T.astype(a.dtype)))), bias)
    real = op.DequantizeLinear(constant(weight, name=b.name), constant(scale), constant(zero), axis=1,
                               block_size=block_size)
    if real.dtype != a.dtype:
        real = op.CastLike(real, a)
    return _plus(op, op.MatMul(a, op.Transpose(real, perm=[1, 0])), bias)


def _bits(stored: np.ndarray[Any, Any], bits: int, type: Type) -> np.ndarray[Any, Any]:
    if bits == 8:
        return stored.reshape([d for d in type.shape or () if isinstance(d, int)])
    return unpack(stored, bits, type)


def _plus(op: Builder, y: Value, bias: Value | None) -> Value:
    return y if bias is None else op.Add(y, bias)


@contrib("MatMulIntegerToFloat")
def matmul_integer_to_float(op: Builder, a: Value, b: Value, a_scale: Value, b_scale: Value,
                            a_zero: Value | None = None, b_zero: Value | None = None,
                            bias: Value | None = None) -> Any:
    y = op.CastLike(op.MatMulInteger(a, b, a_zero, b_zero), a_scale)
    return _plus(op, op.Mul(y, op.Mul(a_scale, b_scale)), bias)


@contrib("DynamicQuantizeMatMul")
def dynamic_quantize_matmul(op: Builder, a: Value, b: Value, b_scale: Value, b_zero: Value | None = None,
                            bias: Value | None = None) -> Any:
    q, scale, zero = op.DynamicQuantizeLinear(a, outputs=3)
    y = op.Cast(op.MatMulInteger(q, b, zero, b_zero), to=1)
    return _plus(op, op.Mul(y, op.Mul(scale, b_scale)), bias)


@contrib("MatMulInteger16")
def matmul_integer16(op: Builder, a: Value, b: Value) -> Any:
    return op.MatMul(op.Cast(a, to=6), op.Cast(b, to=6))


@contrib("ReduceSumInteger")
def reduce_sum_integer(op: Builder, x: Value, *, axes: tuple[int, ...], keepdims: int) -> Any:
    return op.ReduceSum(op.Cast(x, to=6), ints(*axes), keepdims=keepdims)
