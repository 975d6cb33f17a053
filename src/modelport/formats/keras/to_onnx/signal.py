"""Short-time spectra, by convolution with the waves of each frequency."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import dims, first, ints, number, rank, room, to_onnx
from .conv import convolve
from .math import arctan2


def _window(name: str, size: int) -> Any:
    if name not in ("hann", "hamming"):
        raise Unsupported(f"the window '{name}'")
    a = 0.5 if name == "hann" else 0.54
    return a - (1 - a) * np.cos(2 * np.pi * np.arange(size) / size)  # periodic


def waves(op: Builder, x: Value, length: int, stride: int, fft: int, window: str | None, center: bool = True) -> Any:
    """The real and the imaginary part, ``[batch, fft / 2 + 1, frames]``, of signals ``[batch, time]``, which are
    mirrored at their ends first if they are to be in the middle of their frames."""
    room(fft, fft)
    pad = fft // 2 if center else 0
    x = op.Unsqueeze(op.Pad(x, ints([0, pad, 0, pad]), mode="reflect") if pad else x, ints([1]))
    left = (fft - length) // 2
    shape = np.pad(_window(window, length), [left, fft - length - left]) if window is not None else np.ones(fft)
    angle = 2 * np.pi * np.outer(np.arange(fft // 2 + 1), np.arange(fft)) / fft
    return tuple(op.Conv(x, constant((w * shape)[:, None].astype(x.dtype)), kernel_shape=[fft], strides=[stride])
                 for w in (np.cos(angle), -np.sin(angle)))


def magnitudes(op: Builder, x: Value, length: int, stride: int, fft: int, window: str | None) -> Any:
    """``[batch, frames, fft / 2 + 1]``: how strong each frequency is."""
    real, imaginary = waves(op, x, length, stride, fft, window)
    y = op.Sqrt(op.Add(op.Mul(real, real), op.Mul(imaginary, imaginary)))
    return op.Transpose(y, perm=[0, 2, 1])


@to_onnx("STFTSpectrogram")
def stft_spectrogram(op: Builder, x: Value, real: Value | None = None, imaginary: Value | None = None, *,
                     mode: str = "log", frame_length: int = 256, frame_step: int | None = None, fft_length: Any = None,
                     window: Any = "hann", periodic: bool = False, scaling: Any = "density", padding: str = "valid",
                     expand_dims: bool = False, data_format: str = "channels_last") -> Any:
    """The layer keeps its waves as weights."""
    turned = first(data_format)
    if turned:
        x, data_format = op.Transpose(x, perm=[0, 2, 1]), "channels_last"
    channels = dims(x, [-1], "the channels")[0]
    step = frame_step or frame_length // 2
    steps = (x.shape or ())[1]
    alone = op.Transpose(x, perm=[0, 2, 1])
    alone = op.Reshape(alone, ints([-1, steps, 1])) if isinstance(steps, int) else \
        op.Reshape(alone, op.Concat(ints([-1]), op.Shape(x, start=1, end=2), ints([1]), axis=0))

    def waves(kernel: Value | None) -> Any:
        """``[batch, channels, frequencies, frames]``"""
        if kernel is None:
            raise Unsupported(f"mode {mode} without its waves")
        y = op.Transpose(convolve(op, alone, kernel, None, step, padding, data_format, 1), perm=[0, 2, 1])
        return op.Reshape(y, op.Concat(ints([-1, channels]), op.Shape(y, start=1), axis=0))

    def shown(y: Value) -> Any:
        if expand_dims and turned:
            return op.Transpose(y, perm=[0, 1, 3, 2])
        if expand_dims:
            return op.Transpose(y, perm=[0, 3, 2, 1])
        flat = op.Reshape(y, op.Concat(ints([0, -1]), op.Shape(y, start=3), axis=0))
        return flat if turned else op.Transpose(flat, perm=[0, 2, 1])
    if mode == "real":
        return shown(waves(real))
    if mode == "imag":
        return shown(waves(imaginary))
    a, b = waves(real), waves(imaginary)
    if mode == "angle":
        return shown(arctan2(op, b, a))
    if mode == "stft":
        return shown(op.Concat(a, b, axis=2))
    power = op.Add(op.Mul(a, a), op.Mul(b, b))
    if mode == "psd":
        inner = op.Slice(power, ints([1]), ints([-1]), ints([2]))
        return shown(op.Add(power, op.Pad(inner, ints([1, 1]), number(power, 0), ints([2]))))
    y = op.Sqrt(op.Max(power, number(power, 1e-7)))
    if mode == "magnitude":
        return shown(y)
    if mode == "log":
        return op.Log(op.Max(shown(y), number(power, 1e-7)))
    raise Unsupported(f"mode {mode}")


@to_onnx("ops.extract_sequences")
def extract_sequences(op: Builder, x: Value, *, sequence_length: int, sequence_stride: int) -> Any:
    size = dims(x, [-1])[0]
    count = 1 + (size - sequence_length) // sequence_stride
    room(count, sequence_length)
    at = np.arange(count)[:, None] * sequence_stride + np.arange(sequence_length)
    return op.Gather(x, at.astype(np.int64), axis=rank(x) - 1)


# -- Fourier transforms: complex numbers are pairs of tensors


def _transform(op: Builder, real: Value, imaginary: Value | None, axes: Sequence[int], inverse: bool = False) -> Any:
    """The two parts of the transform along each of the axes, of waves that are constants."""
    for axis in axes:
        n = dims(real, [axis])[0]
        room(n, n)
        angle = 2 * np.pi * np.outer(np.arange(n), np.arange(n)) / n * (1 if inverse else -1)
        cos, sin = ((f(angle) / (n if inverse else 1)).astype(real.dtype) for f in (np.cos, np.sin))
        real, imaginary = _rotated(op, real, imaginary, cos, sin, axis)
    return real, imaginary


def _rotated(op: Builder, real: Value, imaginary: Value | None, cos: Any, sin: Any, axis: int) -> Any:
    last = axis == rank(real) - 1

    def times(x: Value, w: Any) -> Any:
        return op.MatMul(x, constant(w)) if last else op.MatMul(constant(np.ascontiguousarray(w.T)), x)
    if imaginary is None:
        return times(real, cos), times(real, sin)
    return (op.Sub(times(real, cos), times(imaginary, sin)), op.Add(times(real, sin), times(imaginary, cos)))


@to_onnx("ops.fft", "ops.fft2", "ops.ifft2")
def fft(op: Builder, real: Value, imaginary: Value) -> Any:
    assert op.node is not None
    n = rank(real)
    return _transform(op, real, imaginary, [n - 1] if op.node.op == "ops.fft" else [n - 1, n - 2],
                      op.node.op == "ops.ifft2")


@to_onnx("ops.rfft")
def rfft(op: Builder, x: Value, *, fft_length: int | None = None) -> Any:
    """Half of the transform of real numbers, which are cut or filled up with zeros."""
    n = dims(x, [-1])[0]
    size = n if fft_length is None else fft_length
    room(size, size)
    angle = -2 * np.pi * np.outer(np.arange(min(n, size)), np.arange(size // 2 + 1)) / size
    if n > size:
        x = op.Slice(x, ints([0]), ints([size]), ints([rank(x) - 1]))
    return _rotated(op, x, None, np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype), rank(x) - 1)


@to_onnx("ops.irfft")
def irfft(op: Builder, real: Value, imaginary: Value, *, fft_length: int | None = None) -> Any:
    """Real numbers of half a transform; the imaginary parts of its ends count for nothing."""
    n, at = dims(real, [-1])[0], rank(real) - 1
    size = 2 * (n - 1) if fft_length is None else fft_length
    used = size // 2 + 1
    room(size, used)
    if n > used:
        real, imaginary = (op.Slice(x, ints([0]), ints([used]), ints([at])) for x in (real, imaginary))
    k = np.arange(min(n, used))
    angle = 2 * np.pi * np.outer(k, np.arange(size)) / size
    weight = np.where((k == 0) | (2 * k == size), 1, 2)[:, None] / size
    parts = (op.MatMul(x, constant((f(angle) * weight).astype(x.dtype)))
             for x, f in ((real, np.cos), (imaginary, np.sin)))
    a, b = parts
    return op.Sub(a, b)


@to_onnx("ops.stft")
def stft(op: Builder, x: Value, *, sequence_length: int, sequence_stride: int, fft_length: int,
         window: Any = "hann", center: bool = True) -> Any:
    """The two parts, ``[..., frames, frequencies]``."""
    if rank(x) != 2 or not (window is None or isinstance(window, str)):
        raise Unsupported("a signal of other than two dimensions, or a window in numbers")
    a, b = waves(op, x, sequence_length, sequence_stride, fft_length, window, center)
    return op.Transpose(a, perm=[0, 2, 1]), op.Transpose(b, perm=[0, 2, 1])
