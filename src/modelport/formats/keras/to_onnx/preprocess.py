"""Preprocessing of numbers and classes, with the state that was adapted."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import hashes, strings
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.types import STRING
from .common import (
    F32,
    I32,
    I64,
    KerasBuilder,
    axes_of,
    cast,
    dims,
    generation,
    i64,
    ints,
    number,
    rank,
    real,
    room,
    to_onnx,
)

_EPSILON = 1e-7  # keras.backend.epsilon(): below no standard deviation goes


@to_onnx("Rescaling")
def rescaling(op: Builder, x: Value, *, scale: Any, offset: Any = 0.0) -> Any:
    x = real(op, x)

    def numbers(v: Any) -> Value:
        return constant(np.asarray(v, np.float64).astype(x.dtype))
    y = op.Mul(x, numbers(scale))
    return y if np.ndim(offset) == 0 and not offset else op.Add(y, numbers(offset))


@to_onnx("Normalization")
def normalization(op: Builder, x: Value, mean_weight: Value | None = None, variance_weight: Value | None = None, *,
                  axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False) -> Any:
    x = real(op, x)
    n = rank(x)
    if mean_weight is not None:
        mean, variance = static(mean_weight), static(variance_weight)
    kept = [] if axis is None else axes_of(x, axis)
    given = [np.asarray(v, np.float32) for v in (mean, variance)]
    shape = [dims(x, [a])[0] if a in kept else 1 for a in range(n)]
    wide = []
    for v in given:
        if v.ndim == len(kept):
            v = v.reshape([shape[a] for a in kept] if v.size > 1 or not kept else [1] * len(kept))
            v = v.reshape([shape[a] if a in kept and v.size > 1 else 1 for a in range(n)])
        else:
            try:
                v = np.broadcast_to(v, [shape[a] for a in kept]).reshape(shape) if v.ndim < len(kept) else \
                    np.broadcast_to(v, shape)
            except ValueError:
                raise Unsupported(f"a mean of the shape {list(v.shape)} along {len(kept)} axes") from None
        wide.append(np.ascontiguousarray(v))
    center = constant(wide[0].astype(x.dtype))
    spread = constant(np.maximum(np.sqrt(wide[1]), np.float32(_EPSILON)).astype(x.dtype))
    return op.Add(center, op.Mul(x, spread)) if invert else op.Div(op.Sub(x, center), spread)


def encoded(op: Builder, x: Value, mode: str, depth: int, weights: Value | None = None, idf: Any = None) -> Any:
    """Class numbers (64 bits) as they are, or as rows: one hot, which there are, how many, how many times how rare."""
    assert isinstance(op, KerasBuilder)
    if mode == "int":
        return x
    room(depth)
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    n = rank(x)
    if mode == "one_hot":
        if n and (x.shape or ())[-1] == 1:
            x, n = op.Squeeze(x, ints([n - 1])), n - 1
    axis = 0 if n == 1 else 1  # a vector is one example; of more axes the second is counted over
    hot = cast(op, op.Equal(op.Unsqueeze(x, ints([n])), np.arange(depth, dtype=np.int64)), op.compute)
    if mode == "one_hot":
        return hot
    if mode == "multi_hot":
        return op.ReduceMax(hot, ints([axis]), keepdims=0)
    if mode in ("count", "tf_idf"):
        if weights is not None:
            hot = op.Mul(hot, op.Unsqueeze(cast(op, weights, hot.dtype), ints([n])))
        y = op.ReduceSum(hot, ints([axis]), keepdims=0)
        return y if mode == "count" else op.Mul(y, np.asarray(idf).astype(hot.dtype))
    raise Unsupported(f"output_mode {mode}")


@to_onnx("CategoryEncoding")
def category_encoding(op: Builder, x: Value, count_weights: Value | None = None, *, num_tokens: int,
                      output_mode: str = "multi_hot", max_tokens: Any = None, sparse: bool = False) -> Any:
    if sparse:
        raise Unsupported("sparse outputs")
    return encoded(op, i64(op, x), output_mode, num_tokens, count_weights)


@to_onnx("Discretization")
def discretization(op: Builder, x: Value, *, bin_boundaries: Any = None, num_bins: Any = None, epsilon: float = 0.01,
                   output_mode: str = "int", sparse: bool = False) -> Any:
    """How many boundaries are at or below each number."""
    if sparse:
        raise Unsupported("sparse outputs")
    if not isinstance(bin_boundaries, (list, tuple)):
        raise Unsupported("its adapted boundaries are not in the file")
    bounds = np.asarray(bin_boundaries, np.float32)
    n = rank(x)
    x = real(op, x) if x.dtype != F32 else x
    reached = op.GreaterOrEqual(op.Unsqueeze(x, ints([n])), constant(bounds.astype(x.dtype)))
    count = op.ReduceSum(cast(op, reached, I64), ints([n]), keepdims=0)
    if output_mode == "int":
        return cast(op, count, I32 if generation(op) == 3 else I64) if generation(op) == 3 else count
    return encoded(op, count, output_mode, len(bounds) + 1)


@to_onnx("Hashing")
def hashing(op: Builder, x: Value, *, num_bins: int, mask_value: Any = None, salt: Any = None, output_mode: str = "int",
            sparse: bool = False) -> Any:
    """Texts, or numbers as texts, into bins by FarmHash, or by SipHash where there is a salt."""
    if sparse:
        raise Unsupported("sparse outputs")
    if output_mode == "one_hot" and generation(op) == 3 and rank(x) and (x.shape or ())[-1] == 1:
        x = op.Squeeze(x, ints([rank(x) - 1]))
    masked = None
    if mask_value is not None and num_bins > 1:
        masked = op.Equal(x, strings.text(mask_value) if x.dtype == STRING else constant(mask_value, x.dtype))
    y = hashes.bucket(op, x if x.dtype == STRING else i64(op, x), num_bins - (masked is not None), salted(salt))
    if masked is not None:
        y = op.Where(masked, np.int64(0), op.Add(y, np.int64(1)))
    return _binned(op, y, output_mode, num_bins)


@to_onnx("HashedCrossing")
def hashed_crossing(op: Builder, *xs: Value, num_bins: int, output_mode: str = "int", sparse: bool = False) -> Any:
    """Rows of several features, whole numbers or texts, into bins together."""
    if sparse:
        raise Unsupported("sparse outputs")
    y = hashes.crossed(op, [x if x.dtype == STRING else i64(op, x) for x in xs], num_bins)
    return _binned(op, y, output_mode, num_bins)


def salted(salt: Any) -> tuple[int, int] | None:
    """The key of SipHash."""
    if salt is None:
        return None
    both = list(salt) if isinstance(salt, (list, tuple)) else [salt, salt]
    if len(both) != 2 or not all(isinstance(k, int) for k in both):
        raise Unsupported(f"the salt {salt!r}")
    return both[0], both[1]


def _binned(op: Builder, y: Value, mode: str, bins: int) -> Any:
    assert isinstance(op, KerasBuilder)
    if mode == "int":
        op.compute = I64
    return encoded(op, y, mode, bins)


@to_onnx("MelSpectrogram")
def mel_spectrogram(op: Builder, x: Value, *, fft_length: int = 2048, sequence_stride: int = 512,
                    sequence_length: int | None = None, window: str | None = "hann", sampling_rate: int = 16000,
                    num_mel_bins: int = 128, min_freq: float = 20.0, max_freq: float | None = None,
                    power_to_db: bool = True, top_db: float = 80.0, mag_exp: float = 2.0, min_power: float = 1e-10,
                    ref_power: float = 1.0) -> Any:
    from .signal import magnitudes
    x = real(op, x)
    n = rank(x)
    if n not in (1, 2):
        raise Unsupported(f"a signal of {n} dimensions")
    room(num_mel_bins, fft_length)
    flat = op.Unsqueeze(x, ints([0])) if n == 1 else x
    spectrum = magnitudes(op, flat, sequence_length or fft_length, sequence_stride, fft_length, window)
    if mag_exp != 1:
        spectrum = op.Mul(spectrum, spectrum) if mag_exp == 2 else op.Pow(spectrum, number(x, mag_exp))
    mel = op.MatMul(spectrum, _mel(num_mel_bins, fft_length // 2 + 1, sampling_rate, min_freq,
                                   max_freq or sampling_rate / 2).astype(x.dtype))
    if power_to_db:
        ten = number(x, 10 / np.log(10))
        mel = op.Mul(op.Log(op.Max(mel, number(x, min_power))), ten)
        mel = op.Sub(mel, number(x, 10 * np.log10(max(abs(ref_power), min_power))))
        mel = op.Max(mel, op.Sub(op.ReduceMax(mel, keepdims=0), number(x, top_db)))
    y = op.Transpose(mel, perm=[0, 2, 1])
    return op.Squeeze(y, ints([0])) if n == 1 else y


def _mel(bins: int, spectrum: int, rate: float, low: float, high: float) -> Any:
    """Triangles that are evenly spaced on the mel scale of the Hidden Markov Model Toolkit."""
    def mel(f: Any) -> Any:
        return np.float32(1127.0) * np.log(np.float32(1) + np.asarray(f, np.float32) / np.float32(700.0))
    lines = mel(np.linspace(0, rate / 2, spectrum, dtype=np.float32)[1:])[:, None]
    edges = np.linspace(mel(low), mel(high), bins + 2, dtype=np.float32)
    lower, center, upper = edges[:-2], edges[1:-1], edges[2:]
    up, down = (lines - lower) / (center - lower), (upper - lines) / (upper - center)
    return np.pad(np.maximum(0, np.minimum(up, down)), [[1, 0], [0, 0]]).astype(np.float32)
