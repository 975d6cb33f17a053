"""Fourier transforms, and the parts of complex numbers (:mod:`.pairs`).

Source: tensorflow/core/kernels/fft_ops.cc, spectrogram_op.cc, mfcc_op.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from .common import F32, I64, cast, dims, ints, known, name_of, one, rank, to_onnx
from .pairs import pair, part

C64 = np.dtype(np.complex64)


def _real_type(x: Value) -> None:
    if x.dtype.name not in ("float32", "float64"):
        raise Unsupported(f"a transform of {x.dtype}")


@to_onnx("FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D")
def fft(op: Builder, x: Value) -> Any:
    inverse = int(name_of(op).startswith("I"))
    axes = {"2D": [-2, -3], "3D": [-2, -3, -4]}.get(name_of(op)[-2:], [-2])
    for a in axes:
        x = op.DFT(x, None, constant(a, I64), inverse=inverse)
    return x


@to_onnx("RFFT", "RFFT2D")
def rfft(op: Builder, x: Value, length: Value, *, Tcomplex: DType = C64) -> Any:
    _real_type(x)
    sizes = known(length, "the length of the transform")
    y = op.Unsqueeze(x, ints([-1]))
    n = rank(y)
    for a, size in zip((-2, -3), reversed(sizes), strict=False):
        have = (y.shape or ())[a]
        if have != size:  # cut or filled up with zeros
            axis = ints([n + a])
            y = op.Slice(y, ints([0]), ints([size]), axis)
            if not isinstance(have, int):
                lacks = op.Sub(ints([size]), op.Shape(y, start=n + a, end=n + a + 1))
                y = op.Pad(y, op.Concat(ints([0]), lacks, axis=0), one(x, 0), axis)
            elif have < size:
                y = op.Pad(y, ints([0, size - have]), one(x, 0), axis)
    y = op.DFT(y, None, constant(-2, I64), onesided=1)
    if len(sizes) == 2:
        y = op.DFT(y, None, constant(-3, I64))
    return y


@to_onnx("IRFFT", "IRFFT2D")
def irfft(op: Builder, x: Value, length: Value, *, Treal: DType = F32) -> Any:
    """The half that is missing is the conjugate of the other one, backwards."""
    sizes = known(length, "the length of the transform")
    n = rank(x)
    if len(sizes) == 2:
        if (x.shape or ())[n - 3] != sizes[0]:
            raise Unsupported("an inverse transform that cuts or fills up")
        x = op.DFT(x, None, constant(-3, I64), inverse=1)
    size = sizes[-1]
    half, axis = size // 2 + 1, ints([n - 2])
    have = dims(x, [n - 2])[0]
    if have > half:
        x = op.Slice(x, ints([0]), ints([half]), axis)
    elif have < half:
        x = op.Pad(x, ints([0, half - have]), one(x, 0), axis)
    tail = op.Slice(x, ints([size - half]), ints([0]), axis, ints([-1]))
    flipped = op.Mul(tail, constant(np.array([1, -1]).astype(x.dtype)))
    full = op.Concat(x, flipped, axis=n - 2) if size > 1 else x
    return part(op, op.DFT(full, None, constant(-2, I64), inverse=1), 0)


@to_onnx("Complex")
def complex_(op: Builder, a: Value, b: Value, *, Tout: DType = C64) -> Any:
    return pair(op, a, b)


@to_onnx("Real", "Imag")
def real(op: Builder, x: Value, *, Tout: DType = F32) -> Any:
    return part(op, x, 0 if name_of(op) == "Real" else 1)


@to_onnx("ComplexAbs")
def complex_abs(op: Builder, x: Value, *, Tout: DType = F32) -> Any:
    return op.ReduceL2(x, ints([-1]), keepdims=0)


@to_onnx("Angle")
def angle(op: Builder, x: Value, *, Tout: DType = F32) -> Any:
    from ...tflite.to_onnx import math as lite
    return lite.atan2(op, part(op, x, 1), part(op, x, 0))


@to_onnx("Conj")
def conj(op: Builder, x: Value) -> Any:
    return op.Mul(x, constant(np.array([1, -1]).astype(x.dtype)))


@to_onnx("AudioSpectrogram")
def audio_spectrogram(op: Builder, x: Value, *, window_size: int, stride: int, magnitude_squared: bool = False) -> Any:
    """Frames by a gather, a Hann window, and the transform's power."""
    samples = dims(x, [0])[0]
    size = 1 << max(0, window_size - 1).bit_length()
    count = 0 if samples < window_size else 1 + (samples - window_size) // stride
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window_size) / window_size)).astype(np.float32)
    at = np.arange(count)[:, None] * stride + np.arange(window_size)
    frames = op.Mul(op.Gather(op.Transpose(x, perm=[1, 0]), constant(at, I64), axis=1), constant(hann))
    frames = op.Pad(frames, ints([0, size - window_size]), constant(0, F32), ints([2]))
    made = op.DFT(op.Unsqueeze(frames, ints([-1])), None, constant(-2, I64), onesided=1)
    power = op.ReduceSumSquare(made, ints([-1]), keepdims=0)
    return power if magnitude_squared else op.Sqrt(power)


@to_onnx("Mfcc")
def mfcc(op: Builder, x: Value, rate: Value, *, upper_frequency_limit: float = 4000.0,
         lower_frequency_limit: float = 20.0, filterbank_channel_count: int = 40,
         dct_coefficient_count: int = 13) -> Any:
    from ..interpret.image import dct_matrix, mel_filters
    low, high, channels = lower_frequency_limit, upper_frequency_limit, filterbank_channel_count
    bins = dims(x, [2])[0]
    if rate.data is not None:
        filters = constant(mel_filters(bins, float(known(rate, "the sample rate")[0]), low, high,
                                       channels).astype(np.float32))
    else:
        filters = _mel(op, rate, bins, low, high, channels)
    energies = op.MatMul(op.Sqrt(x), filters)
    logs = op.Log(op.Max(energies, constant(np.float32(1e-12))))
    return op.MatMul(logs, constant(dct_matrix(channels, dct_coefficient_count).astype(np.float32)))


def _mel(op: Builder, rate: Value, bins: int, low: float, high: float, channels: int) -> Any:
    """The filter bank for a sample rate that is known at run time: [bins, channels], in float64."""
    def f(v: Any) -> Value:
        return constant(np.asarray(v, np.float64))

    def mel(v: float) -> float:
        return float(1127.0 * np.log1p(v / 700.0))
    f64 = np.dtype(np.float64)
    step = (mel(high) - mel(low)) / (channels + 1)
    centers = mel(low) + step * np.arange(channels + 2)
    per_bin = op.Div(cast(op, op.Reshape(rate, ints([])), f64), f(2 * (bins - 1)))
    index = f(np.arange(bins)[:, None])
    at = op.Mul(f(1127.0), op.Log(op.Add(f(1), op.Div(op.Mul(index, per_bin), f(700.0)))))
    # a triangle from one center to the next but one, its top at the center between
    up = op.Div(op.Sub(at, f(centers[:-2])), f(centers[1:-1] - centers[:-2]))
    down = op.Div(op.Sub(f(centers[2:]), at), f(centers[2:] - centers[1:-1]))
    made = op.Max(op.Min(up, down), f(0))
    first = op.Floor(op.Add(f(1.5), op.Div(f(low), per_bin)))
    last = op.Floor(op.Div(f(high), per_bin))
    used = op.And(op.GreaterOrEqual(index, first), op.LessOrEqual(index, last))
    return cast(op, op.Where(used, made, f(0)), F32)
