"""QLinear operators: dequantize, compute, quantize."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder, static
from .table import contrib, ints


def real(op: Builder, q: Value, scale: Value, zero: Value | None, axis: int = 1) -> Value:
    """The number behind stored integers; scales and zero points of one element in any shape are per tensor."""
    return op.DequantizeLinear(q, _flat(op, scale), None if zero is None else _flat(op, zero), axis=axis)


def _flat(op: Builder, v: Value) -> Value:
    return op.Reshape(v, ints()) if v.rank == 1 and v.shape == (1,) else v


def stored(op: Builder, x: Value, scale: Value, zero: Value | None) -> Value:
    """What an operator of the type at hand stores for ``x``."""
    if zero is None:
        zero = op.Reshape(np.zeros(1, op.out.dtype), ints())
    return op.QuantizeLinear(x, _flat(op, scale), _flat(op, zero))


@contrib("QuantizeLinear")
def quantize_linear(op: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1) -> Any:
    return op.QuantizeLinear(x, _flat(op, scale), None if zero is None else _flat(op, zero), axis=axis)


@contrib("DequantizeLinear")
def dequantize_linear(op: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1) -> Any:
    return real(op, x, scale, zero, axis)


def _like(op: Builder, zero: Value | None, q: Value) -> Value:
    """The zero point, or one of the stored type."""
    return op.Reshape(np.zeros(1, q.dtype), ints()) if zero is None else zero


@contrib("QLinearAdd", "QLinearMul")
def qlinear_binary(op: Builder, a: Value, a_scale: Value, a_zero: Value | None, b: Value, b_scale: Value,
                   b_zero: Value | None, c_scale: Value, c_zero: Value | None = None) -> Any:
    assert op.node is not None
    name = op.node.op.rpartition(".")[2].removeprefix("QLinear")
    y = op.add(name, real(op, a, a_scale, a_zero), real(op, b, b_scale, b_zero))
    return stored(op, y, c_scale, _like(op, c_zero, a))


@contrib("QLinearLeakyRelu")
def qlinear_leaky_relu(op: Builder, x: Value, x_scale: Value, x_zero: Value | None, y_scale: Value,
                       y_zero: Value | None = None, *, alpha: float = 0.01) -> Any:
    return stored(op, op.LeakyRelu(real(op, x, x_scale, x_zero), alpha=alpha), y_scale, _like(op, y_zero, x))


@contrib("QLinearSigmoid")
def qlinear_sigmoid(op: Builder, x: Value, x_scale: Value, x_zero: Value | None, y_scale: Value,
                    y_zero: Value | None = None) -> Any:
    return stored(op, op.Sigmoid(real(op, x, x_scale, x_zero)), y_scale, _like(op, y_zero, x))


@contrib("QLinearSoftmax")
def qlinear_softmax(op: Builder, x: Value, x_scale: Value, x_zero: Value | None, y_scale: Value, y_zero: Value, *,
                    opset: int, axis: int = -1) -> Any:
    """Before opset 13 Softmax ran over every axis from ``axis`` on."""
    r = real(op, x, x_scale, x_zero)
    if opset < 13 and (x.rank is None or axis % x.rank != x.rank - 1):
        shape = op.Shape(r)
        y = op.Reshape(op.Softmax(op.Flatten(r, axis=axis), axis=-1), shape)
    else:
        y = op.Softmax(r, axis=axis)
    return stored(op, y, y_scale, y_zero)


@contrib("QLinearConcat")
def qlinear_concat(op: Builder, y_scale: Value, y_zero: Value, *parts: Value, axis: int) -> Any:
    """Tensor, scale and zero point of each part in turn."""
    if len(parts) % 3:
        raise Unsupported("parts that are not tensor, scale and zero point")
    reals = [real(op, parts[k], parts[k + 1], parts[k + 2]) for k in range(0, len(parts), 3)]
    return stored(op, op.Concat(*reals, axis=axis), y_scale, y_zero)


@contrib("QLinearWhere")
def qlinear_where(op: Builder, condition: Value, x: Value, x_scale: Value, x_zero: Value, y: Value, y_scale: Value,
                  y_zero: Value, z_scale: Value, z_zero: Value) -> Any:
    z = op.Where(condition, real(op, x, x_scale, x_zero), real(op, y, y_scale, y_zero))
    return stored(op, z, z_scale, z_zero)


@contrib("QLinearReduceMean")
def qlinear_reduce_mean(op: Builder, x: Value, x_scale: Value, x_zero: Value | None, y_scale: Value,
                        y_zero: Value | None = None, *, axes: tuple[int, ...], keepdims: int) -> Any:
    y = op.ReduceMean(real(op, x, x_scale, x_zero), ints(*axes), keepdims=keepdims)
    return stored(op, y, y_scale, _like(op, y_zero, x))


@contrib("QLinearAveragePool")
def qlinear_average_pool(op: Builder, x: Value, x_scale: Value, x_zero: Value | None, y_scale: Value,
                         y_zero: Value | None = None, *, kernel_shape: tuple[int, ...], auto_pad: str = "NOTSET",
                         ceil_mode: int = 0, channels_last: int = 0, count_include_pad: int = 0,
                         pads: tuple[int, ...] | None = None, strides: tuple[int, ...] | None = None) -> Any:
    pool = op.nhwc.AveragePool if channels_last else op.AveragePool
    y = pool(real(op, x, x_scale, x_zero), kernel_shape=kernel_shape, auto_pad=auto_pad, ceil_mode=ceil_mode,
             count_include_pad=count_include_pad, pads=pads, strides=strides)
    return stored(op, y, y_scale, _like(op, y_zero, x))


@contrib("QLinearGlobalAveragePool")
def qlinear_global_average_pool(op: Builder, x: Value, x_scale: Value, x_zero: Value, y_scale: Value, y_zero: Value, *,
                                channels_last: int = 0) -> Any:
    pool = op.nhwc.GlobalAveragePool if channels_last else op.GlobalAveragePool
    return stored(op, pool(real(op, x, x_scale, x_zero)), y_scale, y_zero)


@contrib("QLinearConv")
def qlinear_conv(op: Builder, x: Value, x_scale: Value, x_zero: Value, w: Value, w_scale: Value, w_zero: Value,
                 y_scale: Value, y_zero: Value, b: Value | None = None, *, channels_last: int = 0,
                 auto_pad: str = "NOTSET", dilations: tuple[int, ...] | None = None, group: int = 1,
                 kernel_shape: tuple[int, ...] | None = None, pads: tuple[int, ...] | None = None,
                 strides: tuple[int, ...] | None = None) -> Any:
    """As ONNX's QLinearConv, on channels-last activations if asked."""
    bias = None if b is None else op.Mul(op.Cast(b, to=1), op.Mul(_flat(op, x_scale), w_scale))
    conv = op.nhwc.Conv if channels_last else op.Conv
    y = conv(real(op, x, x_scale, x_zero), real(op, w, w_scale, w_zero, 0), bias, auto_pad=auto_pad,
             dilations=dilations, group=group, kernel_shape=kernel_shape, pads=pads, strides=strides)
    return stored(op, y, y_scale, y_zero)


@contrib("QGemm")
def qgemm(op: Builder, a: Value, a_scale: Value, a_zero: Value, b: Value, b_scale: Value, b_zero: Value,
          c: Value | None = None, y_scale: Value | None = None, y_zero: Value | None = None, *, alpha: float = 1.0,
          transA: int = 0, transB: int = 0) -> Any:
    """``c`` is int32 with the scale ``alpha a_scale b_scale``; without ``y_scale`` the result is real."""
    y = op.Gemm(real(op, a, a_scale, a_zero), real(op, b, b_scale, b_zero, 0 if transB else 1), alpha=alpha,
                transA=transA, transB=transB)
    if c is not None:
        product = op.Mul(_flat(op, a_scale), _flat(op, b_scale))
        y = op.Add(y, op.Mul(op.Cast(c, to=1), op.Mul(product, np.float32(alpha)) if alpha != 1 else product))
    return y if y_scale is None else stored(op, y, y_scale, _like(op, y_zero, a))


@contrib("MulInteger")
def mul_integer(op: Builder, a: Value, a_zero: Value | None, b: Value, b_zero: Value | None = None) -> Any:
    def centred(q: Value, zero: Value | None) -> Value:
        wide = op.Cast(q, to=6)
        return wide if zero is None else op.Sub(wide, op.Cast(zero, to=6))
    return op.Mul(centred(a, a_zero), centred(b, b_zero))


@contrib("DynamicQuantizeLSTM")
def dynamic_quantize_lstm(op: Builder, x: Value, w: Value, r: Value, b: Value | None, lengths: Value | None,
                          h: Value | None, c: Value | None, p: Value | None, w_scale: Value, w_zero: Value,
                          r_scale: Value, r_zero: Value, *, hidden_size: int, direction: str = "forward",
                          activations: tuple[str, ...] | None = None, activation_alpha: tuple[float, ...] | None = None,
                          activation_beta: tuple[float, ...] | None = None, clip: float | None = None,
                          input_forget: int = 0) -> Any:
    """LSTM whose weights are stored as integers, (directions, input, 4 hidden); the kernel also rounds activations."""
    assert op.node is not None
    op.note("approximated", "the activations of a dynamically quantized LSTM are not rounded to 8 bits")

    def weight(q: Value, scale: Value, zero: Value) -> Value:
        s, z = static(scale, "a scale"), static(zero, "a zero point")
        shape = (s.shape[0], 1, s.shape[1] if s.ndim == 2 else 1)
        values = (static(q, "a weight").astype(np.float32) - z.reshape(shape).astype(np.float32)) * s.reshape(shape)
        return op.Transpose(values.astype(np.float32), perm=[0, 2, 1])

    return op.LSTM(x, weight(w, w_scale, w_zero), weight(r, r_scale, r_zero), b, lengths, h, c, p,
                   hidden_size=hidden_size, direction=direction, activations=activations,
                   activation_alpha=activation_alpha, activation_beta=activation_beta, clip=clip,
                   input_forget=input_forget, outputs=len(op.node.outputs))
