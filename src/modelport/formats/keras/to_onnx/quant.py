"""Layers of quantized policies: int8 rounds activations as they come and sums whole numbers, int4, GPTQ and AWQ have
small weights only, float8 rounds both."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import NUMBER
from .activation import activated
from .common import F32, I32, KerasBuilder, cast, dims, ints, number, rank, real, reshaped, to_onnx
from .matmul import einsum_of


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
    return _finished(op, y, bias, activation)


def _array(x: Value | None, what: str) -> Any:
    """A weight as numbers, also where a policy of half precision had it cast before."""
    node = x.node if x is not None else None
    if x is not None and node is not None and node.op == "Cast" and node.inputs[0] is not None:
        return static(node.inputs[0], what).astype(x.dtype)
    return static(x, what)


def _nibbles(kernel: Value, columns: int) -> Any:
    """Numbers of 4 bits, two to a byte along the last axis, the first in the low half."""
    packed = static(kernel).view(np.uint8)
    pairs = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)[..., :columns]
    return (pairs.astype(np.int8) ^ 8) - 8


def _grouped(whole: Any, scale: Value, zero: Value, group: Value, axis: int = 0) -> Any:
    """Real numbers of whole ones, with a scale and a zero for each group along an axis."""
    of = _array(group, "the groups").astype(np.int64)
    scales = _array(scale, "the scales")
    return (whole - static(zero, "the zeros").take(of, axis).astype(scales.dtype)) * scales.take(of, axis)


def _kernel_shape(x: Value, equation: str, output_shape: Any) -> list[int]:
    """The shape of a kernel that is kept flat, from what its equation takes and gives."""
    left, _, out = equation.replace(" ", "").partition("->")
    a, _, b = left.partition(",")
    wanted = [output_shape] if isinstance(output_shape, int) else list(output_shape)
    sizes: dict[str, Any] = {}
    for letters, known in ((out, [None, *wanted]), (a, list(x.shape or ()))):
        if letters.startswith("..."):
            sizes.update(zip(reversed(letters[3:]), reversed(known), strict=False))
        else:
            sizes.update(zip(letters.partition("...")[0], known, strict=False))
    shape = [sizes.get(c) for c in b]
    if not all(isinstance(d, int) for d in shape):
        raise Unsupported(f"the equation {equation} with sizes that are not known")
    return [d for d in shape if isinstance(d, int)]


def _finished(op: Builder, y: Value, bias: Value | None, activation: str) -> Any:
    return activated(op, y if bias is None else op.Add(y, bias), activation)


@to_onnx("int4.EinsumDense")
def einsum_dense_of_nibbles(op: Builder, x: Value, kernel: Value, bias: Value | None, scale: Value,
                            zero: Value | None = None, group: Value | None = None, *, equation: str,
                            output_shape: Any, activation: str = "linear", bias_axes: Any = None) -> Any:
    x = real(op, x)
    shape = _kernel_shape(x, equation, output_shape)
    columns = int(np.prod(shape)) // dims(kernel, [0])[0]
    whole = _nibbles(kernel, columns)
    if zero is None or group is None:
        w = whole.astype(x.dtype) / _array(scale, "the scales").astype(x.dtype)
    else:
        w = _grouped(whole, scale, zero, group)
    return _finished(op, einsum_of(op, x, constant(w.astype(x.dtype).reshape(shape)), equation), bias, activation)


@to_onnx("int4.Embedding")
def embedding_of_nibbles(op: Builder, x: Value, table: Value, scale: Value, zero: Value | None = None,
                         group: Value | None = None, *, output_dim: int, mask_zero: bool = False) -> Any:
    index = cast(op, x, I32)
    rows = cast(op, op.Gather(constant(_nibbles(table, output_dim)), index), scale.dtype)
    if zero is None or group is None:
        return op.Div(rows, op.Unsqueeze(op.Gather(scale, index), ints([rank(x)])))
    of = _array(group, "the groups").astype(np.int64)
    scales, zeros = (op.Gather(op.Gather(v, index), of, axis=rank(x)) for v in (scale, zero))
    return op.Mul(op.Sub(rows, cast(op, zeros, rows.dtype)), scales)


def _calibrated(kernel: Value, scale: Value, zero: Value, group: Value, extra: Value | None, columns: int) -> Any:
    """The kernel of GPTQ and AWQ, which keep it with a row for each unit: ``[inputs, units]``."""
    packed = static(kernel)
    if packed.shape[0] != columns:  # two units to a byte
        packed = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1, packed.shape[1])[:columns]
    w = _grouped(packed, scale, zero, group, axis=1).T
    return w if extra is None else w / _array(extra, "the scales of the inputs")[:, None]


@to_onnx("gptq.Dense", "awq.Dense")
def dense_calibrated(op: Builder, x: Value, bias: Value | None, kernel: Value, scale: Value, zero: Value,
                     *others: Value, units: int, activation: str = "linear", use_bias: bool = True) -> Any:
    x = real(op, x)
    extra, group = others if len(others) == 2 else (None, others[0])
    w = _calibrated(kernel, scale, zero, group, extra, units)
    return _finished(op, op.MatMul(x, constant(w.astype(x.dtype))), bias, activation)


@to_onnx("gptq.EinsumDense", "awq.EinsumDense")
def einsum_dense_calibrated(op: Builder, x: Value, bias: Value | None, kernel: Value, scale: Value, zero: Value,
                            *others: Value, equation: str, output_shape: Any, activation: str = "linear",
                            bias_axes: Any = None) -> Any:
    x = real(op, x)
    extra, group = others if len(others) == 2 else (None, others[0])
    shape = _kernel_shape(x, equation, output_shape)
    w = _calibrated(kernel, scale, zero, group, extra, int(np.prod(shape)) // dims(kernel, [1])[0])
    kernel = constant(np.ascontiguousarray(w).astype(x.dtype).reshape(shape))
    return _finished(op, einsum_of(op, x, kernel, equation), bias, activation)


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
        w = _grouped(whole_kernel, scale, zero, group)
        y = op.MatMul(x, w.astype(x.dtype))
    return _finished(op, y, bias, activation)


def _float8(op: Builder, x: Value, kernel: Value, bias: Value | None, x_scale: Value,
            scale: Value) -> tuple[Value, Value, Value | None]:
    """Both factors rounded to 8 bits in units of their scales; the bias, if it is no half already, to bfloat16."""
    import ml_dtypes
    assert isinstance(op, KerasBuilder)
    most = 448.0  # the largest number of float8_e4m3fn
    kind = np.dtype(ml_dtypes.bfloat16) if op.bfloat16 else x.dtype  # what the layer computes in

    def kept(y: Value) -> Any:
        return op.Cast(op.Cast(y, to=NUMBER[kind]), to=NUMBER[x.dtype]) if kind != x.dtype else y
    by = constant(_array(x_scale, "the scale").astype(kind).astype(x.dtype))
    small = op.Clip(kept(op.Div(x, by)), number(x, -most), number(x, most))
    rounded = kept(op.Mul(op.Cast(op.Cast(small, to=17), to=NUMBER[x.dtype]), by))
    s = _array(scale, "the scale").astype(kind)
    small_w = np.clip((_array(kernel, "the kernel").astype(kind) / s).astype(np.float32), -most, most)
    w = small_w.astype(ml_dtypes.float8_e4m3fn).astype(kind) * s
    if bias is not None and kind == F32:
        bias = constant(_array(bias, "the bias").astype(ml_dtypes.bfloat16).astype(np.float32))
    return rounded, constant(w.astype(x.dtype)), bias


@to_onnx("float8.Dense")
def dense_of_float8(op: Builder, x: Value, kernel: Value, bias: Value | None, x_scale: Value, history: Value,
                    scale: Value, *training: Value, units: int, activation: str = "linear",
                    use_bias: bool = True) -> Any:
    rounded, w, bias = _float8(op, real(op, x), kernel, bias, x_scale, scale)
    return _finished(op, op.MatMul(rounded, w), bias, activation)


@to_onnx("float8.EinsumDense")
def einsum_dense_of_float8(op: Builder, x: Value, kernel: Value, bias: Value | None, x_scale: Value, history: Value,
                           scale: Value, *training: Value, equation: str, output_shape: Any,
                           activation: str = "linear", bias_axes: Any = None) -> Any:
    rounded, w, bias = _float8(op, real(op, x), kernel, bias, x_scale, scale)
    return _finished(op, einsum_of(op, rounded, w, equation), bias, activation)


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
    return _finished(op, y, bias, activation)


@to_onnx("int8.Embedding")
def embedding(op: Builder, x: Value, table: Value, scale: Value, *, output_dim: int, mask_zero: bool = False) -> Any:
    index = cast(op, x, I32)
    rows = cast(op, op.Gather(table, index), scale.dtype)
    return op.Div(rows, op.Unsqueeze(op.Gather(scale, index), ints([rank(x)])))


def _scores(op: Builder, x: Value, table: Value, scale: Value, turned: bool, soft_cap: float | None) -> Any:
    """Each row of a table times the input, whose own rows are rounded to whole numbers first."""
    whole, by = _rounded(op, x, [rank(x) - 1])
    kernel = constant(np.ascontiguousarray(static(table).T)) if turned else table
    y = op.Div(cast(op, _product(op, whole, kernel), x.dtype), op.Mul(by, scale))
    if soft_cap is not None:
        y = op.Mul(op.Tanh(op.Div(y, number(y, soft_cap))), number(y, soft_cap))
    return y


@to_onnx("int8.ReversibleEmbedding")
def reversible_embedding(op: Builder, x: Value, table: Value, scale: Value, back: Value | None = None,
                         back_scale: Value | None = None, *, output_dim: int, tie_weights: bool = True,
                         mask_zero: bool = False, reverse: bool = False, reverse_dtype: Any = None,
                         logit_soft_cap: float | None = None) -> Any:
    if not reverse:
        return embedding(op, x, table, scale, output_dim=output_dim)
    if back is None or back_scale is None:
        return _scores(op, x, table, scale, True, logit_soft_cap)
    return _scores(op, x, back, back_scale, False, logit_soft_cap)


@to_onnx("int4.ReversibleEmbedding")
def reversible_embedding_of_nibbles(op: Builder, x: Value, table: Value, scale: Value, zero: Value | None = None,
                                    group: Value | None = None, *, output_dim: int, tie_weights: bool = True,
                                    mask_zero: bool = False, reverse: bool = False, reverse_dtype: Any = None,
                                    logit_soft_cap: float | None = None) -> Any:
    if not reverse:
        return embedding_of_nibbles(op, x, table, scale, zero, group, output_dim=output_dim)
    if zero is not None:
        raise Unsupported("scores of a table of 4 bits in groups")
    return _scores(op, x, constant(_nibbles(table, output_dim)), scale, True, logit_soft_cap)
