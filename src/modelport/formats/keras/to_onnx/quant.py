"""Layers of the policy int8: activations are rounded as they come, sums are whole numbers."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder, static
from .activation import activated
from .common import F32, I32, cast, dims, ints, number, rank, real, reshaped, to_onnx


def _rounded(op: Builder, x: Value, axes: list[int]) -> Any:
    """``x`` in steps of its largest along axes, as whole numbers of -127 to 127, and how many steps make one."""
    most = op.ReduceMax(op.Abs(x), ints(axes), keepdims=1)
    scale = op.Div(number(x, 127), op.Add(most, number(x, 1e-7)))
    whole = op.Clip(op.Round(op.Mul(x, scale)), number(x, -127), number(x, 127))
    return whole, scale


def _product(op: Builder, whole: Value, kernel: Value) -> Any:
    """An exact product of whole numbers: in real ones while these hold it, else by ONNX's operator for integers."""
    inner = dims(kernel, [0])[0]
    if inner * 127 * 127 < 1 << 24:
        return op.MatMul(cast(op, whole, F32), cast(op, kernel, F32))
    return cast(op, op.MatMulInteger(cast(op, whole, np.dtype(np.int8)), kernel), F32)


@to_onnx("int8.Dense")
def dense(op: Builder, x: Value, kernel: Value, bias: Value | None, scale: Value, *, units: int,
          activation: str = "linear", use_bias: bool = True) -> Any:
    x = real(op, x)
    whole, by = _rounded(op, x, [rank(x) - 1])
    y = op.Div(cast(op, _product(op, whole, kernel), x.dtype), op.Mul(scale, by))
    return activated(op, y if bias is None else op.Add(y, bias), activation)


def _nibbles(kernel: Value, columns: int) -> Any:
    """Numbers of 4 bits, two to a byte along the last axis, the first in the low half."""
    packed = static(kernel).view(np.uint8)
    pairs = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)[..., :columns]
    return (pairs.astype(np.int8) ^ 8) - 8


@to_onnx("int4.Dense")
def dense_of_nibbles(op: Builder, x: Value, kernel: Value, bias: Value | None, scale: Value, zero: Value | None = None,
                     group: Value | None = None, *, units: int, activation: str = "linear",
                     use_bias: bool = True) -> Any:
    """Activations stay real: a scale for each unit, or scales and zeros for groups of inputs."""
    x = real(op, x)
    whole_kernel = _nibbles(kernel, units)
    if zero is None or group is None:
        y = op.Div(op.MatMul(x, whole_kernel.astype(x.dtype)), scale)
    else:
        rows = static(group).astype(np.int64)
        w = (whole_kernel - static(zero)[rows].astype(np.float32)) * static(scale)[rows]
        y = op.MatMul(x, w.astype(x.dtype))
    return activated(op, y if bias is None else op.Add(y, bias), activation)


@to_onnx("float8.Dense")
def dense_of_float8(op: Builder, x: Value, kernel: Value, bias: Value | None, x_scale: Value, history: Value,
                    scale: Value, *, units: int, activation: str = "linear", use_bias: bool = True) -> Any:
    """Both factors rounded to 8 bits in units of their scales; the bias to bfloat16."""
    import ml_dtypes
    most = 448.0  # the largest number of float8_e4m3fn
    x = real(op, x)
    small = op.Clip(op.Div(x, x_scale), number(x, -most), number(x, most))
    rounded = op.Mul(op.Cast(op.Cast(small, to=17), to=1), x_scale)
    s = static(scale)
    w = np.clip(static(kernel) / s, -most, most).astype(ml_dtypes.float8_e4m3fn).astype(np.float32) * s
    y = op.MatMul(rounded, w)
    if bias is not None:
        y = op.Add(y, static(bias).astype(ml_dtypes.bfloat16).astype(np.float32))
    return activated(op, y, activation)


@to_onnx("int8.EinsumDense")
def einsum_dense(op: Builder, x: Value, kernel: Value, bias: Value | None, scale: Value, *, equation: str,
                 output_shape: Any, activation: str = "linear", bias_axes: Any = None) -> Any:
    left, _, out = equation.replace(" ", "").partition("->")
    a, _, b = left.partition(",")
    a, out = a.replace("...", ""), out.replace("...", "")
    common = [c for c in a if c in b]
    k = len(common)
    if not k or list(b[:k]) != list(a[-k:]) or not out.endswith(b[k:]):
        raise Unsupported(f"the equation {equation}")
    x = real(op, x)
    n = rank(x)
    whole, by = _rounded(op, x, list(range(n - k, n)))
    sizes = dims(kernel)
    inner, outer = int(np.prod(sizes[:k])), int(np.prod(sizes[k:]))
    flat = whole if k == 1 else op.Reshape(whole, ints([0] * (n - k) + [inner]))
    y = _product(op, flat, reshaped(op, kernel, [inner, outer]))
    y = op.Reshape(y, ints([0] * (n - k) + sizes[k:])) if len(sizes) - k != 1 else y
    by = op.Reshape(by, ints([0] * (n - k) + [1] * (len(sizes) - k)))
    last = op.Reshape(scale, ints(sizes[k:]))
    y = op.Div(cast(op, y, x.dtype), op.Mul(by, last))
    return activated(op, y if bias is None else op.Add(y, bias), activation)


@to_onnx("int8.Embedding")
def embedding(op: Builder, x: Value, table: Value, scale: Value, *, output_dim: int, mask_zero: bool = False) -> Any:
    index = cast(op, x, I32)
    rows = cast(op, op.Gather(table, index), scale.dtype)
    return op.Div(rows, op.Unsqueeze(op.Gather(scale, index), ints([rank(x)])))
