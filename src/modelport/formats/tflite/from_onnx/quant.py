"""QuantizeLinear and DequantizeLinear with one scale a tensor, and of weights with one a channel."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import Quant, Type
from ...writing import rank
from ..carriers import real, same
from .common import F32, NONE, cast, from_onnx

SOFTMAX, REQUANTIZE = "tflite.Softmax", "tflite.Requantize"
"""Operators of integers that QuantizeLinear and DequantizeLinear can't say: see ``decompose.wide``."""


@from_onnx("QuantizeLinear")
def quantize_linear(tfl: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1,
                    block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = 1) -> Any:
    quant = _quant(scale, zero, axis, block_size, rank(x))
    if quant.axis is not None or tfl.out.dtype.name not in ("int8", "uint8", "int16") or precision or x.dtype != F32:
        raise Unsupported(f"quantization of {x.dtype} to {tfl.out.dtype}, or by channels")
    if tfl.out.dtype.name == "int16" and quant.zero_point:
        raise Unsupported("16-bit integers with a zero point")
    return tfl.QUANTIZE(x, type=Type(tfl.out.dtype, tfl.out.shape, quant))


@from_onnx("DequantizeLinear")
def dequantize_linear(tfl: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1,
                      block_size: int = 0, output_dtype: int = 0) -> Any:
    quant = _quant(scale, zero, axis, block_size, rank(x))
    if x.data is not None:
        if x.dtype.name == "int32":
            if np.any(quant.zero_point):
                raise Unsupported("a quantized int32 value with a zero point")
        if x.dtype.name not in ("int8", "uint8", "int16", "int4", "int32"):
            raise Unsupported(f"quantized {x.dtype}")
        whole = Value(Type(x.dtype, x.shape, quant), x.name, data=x.data)
        if x.dtype.name == "int16" and quant.zero_point.any():  # no kernel takes 16 bits with a zero point
            return constant(real(whole).astype(F32), name=x.name)
        return tfl.DEQUANTIZE(whole)
    if x.dtype.name not in ("int8", "uint8", "int16") or quant.axis is not None:
        raise Unsupported(f"quantized {x.dtype}, or by channels")
    if x.type.quant is None or not same(x.type.quant, quant) or (x.dtype.name == "int16" and quant.zero_point):
        # integers that are read in two ways, or 16 bits with a zero point, which no kernel takes
        return tfl.MUL(tfl.SUB(cast(tfl, x, F32), quant.zero_point.astype(F32), **NONE), quant.scale, **NONE)
    return tfl.DEQUANTIZE(x)


@from_onnx(SOFTMAX)
def softmax(tfl: Builder, q: Value, *, quants: tuple[float, int, float, int]) -> Any:
    return tfl.SOFTMAX(q, beta=1.0, type=_wide(tfl, q, quants))


@from_onnx(REQUANTIZE)
def requantize(tfl: Builder, q: Value, *, quants: tuple[float, int, float, int]) -> Any:
    return tfl.QUANTIZE(q, type=_wide(tfl, q, quants))


def _wide(tfl: Builder, q: Value, quants: tuple[float, int, float, int]) -> Type:
    """What :data:`SOFTMAX` and :data:`REQUANTIZE` deliver; what they take is stored as they say."""
    given, made = (Quant(np.asarray(s, np.float32), np.asarray(z, np.int64)) for s, z in (quants[:2], quants[2:]))
    if q.type.quant is None:
        q.type = Type(q.dtype, q.shape, given)
    elif not same(q.type.quant, given):
        raise Unsupported("integers that are read in two ways")
    return Type(tfl.out.dtype, tfl.out.shape, made)


def _quant(scale: Value, zero: Value | None, axis: int, block_size: int, rank: int) -> Quant:
    s = static(scale, "the scale").astype(np.float32)
    z = np.zeros(s.shape, np.int64) if zero is None else static(zero, "the zero point").astype(np.int64)
    if block_size or s.ndim > 1 or not np.isfinite(s).all() or (s <= 0).any():
        raise Unsupported("a quantization that is not one positive scale a tensor or channel")
    if s.size == 1:
        return Quant(s.reshape(()), z.reshape(()))
    return Quant(s, np.broadcast_to(z, s.shape), axis % rank)
