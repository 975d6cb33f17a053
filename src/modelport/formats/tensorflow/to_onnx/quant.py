"""Quantization, simulated and stored.  Source: core/kernels/fake_quant_ops_functor.h, quantize_and_dequantize_op.h."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ..interpret import quant as numeric
from .common import F32, axis_of, ints, known, name_of, rank, to_onnx


@to_onnx("FakeQuantWithMinMaxArgs")
def fake_args(op: Builder, x: Value, *, min: float = -6.0, max: float = 6.0, num_bits: int = 8,
              narrow_range: bool = False) -> Any:
    return _fake(op, x, np.float32(min), np.float32(max), num_bits, narrow_range, None)


@to_onnx("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_vars(op: Builder, x: Value, low: Value, high: Value, *, num_bits: int = 8,
              narrow_range: bool = False) -> Any:
    axis = rank(x) - 1 if name_of(op).endswith("PerChannel") else None
    return _fake(op, x, static(low, "the least value"), static(high, "the greatest value"), num_bits, narrow_range,
                 axis)


def _fake(op: Builder, x: Value, low: Any, high: Any, bits: int, narrow: bool, axis: int | None) -> Any:
    """8 bits as QuantizeLinear and DequantizeLinear, so that the model stays quantized; others step by step."""
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
        raise Unsupported("a range whose least value is not below its greatest")
    bottom, top, scale = (np.asarray(v, np.float32) for v in numeric.nudged(low, high, bits, narrow))
    if bits == 8:
        zero = np.rint((1 if narrow else 0) - bottom / scale)
        if ((zero >= 0) & (zero <= 255)).all():
            op.note("approximated", "fake quantization as 8-bit integers: a number just between two of them goes to "
                                    "the even one, in TensorFlow to the greater one")
            x = op.Max(x, constant(bottom)) if narrow else x  # 0 is no step of a narrow range
            more = {} if axis is None else {"axis": axis}
            q = op.QuantizeLinear(x, constant(scale), constant(zero.astype(np.uint8)), **more)
            return op.DequantizeLinear(q, constant(scale), constant(zero.astype(np.uint8)), **more)
    steps = op.Floor(op.Add(op.Div(op.Sub(op.Min(op.Max(x, constant(bottom)), constant(top)), constant(bottom)),
                                   constant(scale)), constant(np.float32(0.5))))
    return op.Add(op.Mul(steps, constant(scale)), constant(bottom))


@to_onnx("QuantizeAndDequantizeV2", "QuantizeAndDequantizeV4")
def qdq_v2(op: Builder, x: Value, low: Value, high: Value, *, signed_input: bool = True, num_bits: int = 8,
           range_given: bool = False, round_mode: str = "HALF_TO_EVEN", narrow_range: bool = False,
           axis: int = -1) -> Any:
    return _qdq(op, x, low, high, signed_input, num_bits, range_given, round_mode, narrow_range, axis)


@to_onnx("QuantizeAndDequantizeV3")
def qdq_v3(op: Builder, x: Value, low: Value, high: Value, bits: Value, *, signed_input: bool = True,
           range_given: bool = True, narrow_range: bool = False, axis: int = -1) -> Any:
    return _qdq(op, x, low, high, signed_input, known(bits, "the bits")[0], range_given, "HALF_TO_EVEN", narrow_range,
                axis)


@to_onnx("QuantizeAndDequantize")
def qdq_v1(op: Builder, x: Value, *, signed_input: bool = True, num_bits: int = 8, range_given: bool = False,
           input_min: float = 0.0, input_max: float = 0.0) -> Any:
    return _qdq(op, x, constant(np.float32(input_min)), constant(np.float32(input_max)), signed_input, num_bits,
                range_given, "HALF_TO_EVEN", False, -1)


def _qdq(op: Builder, x: Value, low: Value, high: Value, signed: bool, bits: int, given: bool, mode: str, narrow: bool,
         axis: int) -> Any:
    if x.dtype != F32:
        raise Unsupported(f"quantization of {x.dtype}")
    if not 1 <= bits <= 62:
        raise Unsupported(f"{bits} bits")
    if mode not in ("HALF_TO_EVEN", "HALF_UP"):
        raise Unsupported(f"rounding {mode}")
    top = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    bottom = (-top if narrow else -top - 1) if signed else 0

    def f(v: float) -> Value:
        return constant(np.float32(v))
    if not given:
        others = [k for k in range(rank(x)) if axis == -1 or k != axis_of(x, axis)]
        low, high = (op.add(n, x, ints(others), keepdims=int(axis != -1)) for n in ("ReduceMin", "ReduceMax"))
    elif axis != -1:
        shape = [1] * rank(x)
        shape[axis_of(x, axis)] = -1
        low, high = op.Reshape(low, ints(shape)), op.Reshape(high, ints(shape))
    most = f(np.finfo(np.float32).max)
    a, b = op.Mul(f(bottom), low), op.Mul(f(top), high)
    by_low = op.Where(op.Greater(a, f(0)), op.Div(f(bottom), op.Where(op.Equal(low, f(0)), f(1), low)), most)
    by_high = op.Where(op.Greater(b, f(0)), op.Div(f(top), op.Where(op.Equal(high, f(0)), f(1), high)), most)
    use = op.Less(by_low, by_high)
    scale = op.Where(use, by_low, by_high)
    inverse = op.Where(use, op.Div(low, f(bottom or 1)), op.Div(high, f(top)))
    least, greatest = op.Where(use, low, op.Mul(f(bottom), inverse)), op.Where(use, op.Mul(f(top), inverse), high)
    y = op.Mul(op.Min(op.Max(x, least), greatest), scale)
    y = op.Round(y) if mode == "HALF_TO_EVEN" else op.Floor(op.Add(y, f(0.5)))
    return op.Where(op.Equal(scale, most), op.Mul(x, f(0)), op.Mul(y, inverse))
