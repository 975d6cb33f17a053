"""Short-time spectra, by convolution with the waves of each frequency."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import dims, first, ints, number, rank, room, to_onnx
from .conv import convolve
from .math import arctan2


def _window(name: str | None, size: int) -> Any:
    if name is None:
        return np.ones(size)
    if name not in ("hann", "hamming"):
        raise Unsupported(f"the window '{name}'")
    a = 0.5 if name == "hann" else 0.54
    return a - (1 - a) * np.cos(2 * np.pi * np.arange(size) / size)  # periodic


def magnitudes(op: Builder, x: Value, length: int, stride: int, fft: int, window: str | None) -> Any:
    """``[batch, frames, fft / 2 + 1]``: signals ``[batch, time]`` are mirrored at their ends first."""
    room(fft, fft)
    pad = fft // 2
    x = op.Unsqueeze(op.Pad(x, ints([0, pad, 0, pad]), mode="reflect"), ints([1]))
    left = (fft - length) // 2
    shape = np.pad(_window(window, length), [left, fft - length - left])
    angle = 2 * np.pi * np.outer(np.arange(fft // 2 + 1), np.arange(fft)) / fft
    real, imaginary = (op.Conv(x, constant((w * shape)[:, None].astype(x.dtype)), kernel_shape=[fft], strides=[stride])
                       for w in (np.cos(angle), -np.sin(angle)))
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
