"""Fourier transforms as products with cosines and sines, and windows."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder, Rules
from ...ir.types import DTYPE, NUMBER
from .eager import eager, i64, size

rules = Rules("the hub", "simpler operators")
F32, I64 = np.dtype(np.float32), np.dtype(np.int64)
LARGEST = 1 << 22  # elements of a quarter of the matrix of a transform
SHORT = 256  # samples whose transform is one product


def known(v: Value | None, what: str) -> int | None:
    """A scalar that must be known before run time; ``None`` if it is absent."""
    if v is None:
        return None
    if v.data is not None:
        return int(v.numpy().reshape(-1)[0])
    if v.elements and isinstance(v.elements[0], int):
        return v.elements[0]
    raise Unsupported(f"{what} is only known at run time")


def transform(rows: int, columns: int, length: int, parts: int, inverse: bool) -> Any:
    """The matrix of a transform: real (and imaginary) parts of the samples to those of the frequencies."""
    if rows * columns > LARGEST:
        raise Unsupported(f"a transform of {max(rows, columns)} samples")
    angle = np.outer(np.arange(rows), np.arange(columns)) % max(length, 1) * (2 * np.pi / max(length, 1))
    c, s = np.cos(angle), np.sin(angle) * (1 if inverse else -1)
    made = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)][:parts], 1)  # rows, parts, columns, 2
    return made.reshape(rows * parts, columns * 2) / (length if inverse else 1)


def _to_real(rows: int, length: int) -> Any:
    """The matrix from one half of the frequencies of a real signal to the signal."""
    if rows * length > LARGEST:
        raise Unsupported(f"a transform of {max(rows, length)} samples")
    angle = np.outer(np.arange(rows), np.arange(length)) % length * (2 * np.pi / length)
    twice = np.where((np.arange(rows) == 0) | (2 * np.arange(rows) == length), 1, 2)[:, None] / length
    return np.stack([np.cos(angle) * twice, -np.sin(angle) * twice], 1).reshape(rows * 2, length)


def _factors(length: int) -> tuple[int, int]:
    """Two factors of a length, as near to each other as there are."""
    first = max(a for a in range(1, int(length ** 0.5) + 1) if length % a == 0)
    return first, length // first


def _in_two(op: Builder, x: Value, length: int, parts: int, inverse: bool) -> Value:
    """A transform along the last axis but one in two shorter ones.  (J. W. Cooley, J. W. Tukey, 1965)

    Sample ``i * b + j`` and frequency ``k + a * l``: first over i, for each j with the factor that j and k have in
    common, then over j."""
    a, b = _factors(length)
    sign = 1 if inverse else -1
    i, j, k = np.arange(a)[:, None], np.arange(b)[:, None, None], np.arange(a)[None]
    angle = (i * k * b + j * k) % length * (2 * np.pi / length)  # (j, i, k)
    c, s = np.cos(angle), np.sin(angle) * sign
    first = np.stack([np.stack([c, s], -1), np.stack([-s, c], -1)][:parts], 2).reshape(b, a * parts, a * 2)
    second = transform(b, b, b, 2, inverse) / (a if inverse else 1)
    y = op.Transpose(op.Reshape(x, i64(-1, a, b, parts)), perm=[2, 0, 1, 3])
    y = op.MatMul(op.Reshape(y, i64(b, -1, a * parts)), constant(first.astype(x.dtype)))
    y = op.Transpose(op.Reshape(y, i64(b, -1, a, 2)), perm=[1, 2, 0, 3])
    y = op.MatMul(op.Reshape(y, i64(-1, a, b * 2)), constant(second.astype(x.dtype)))
    y = op.Transpose(op.Reshape(y, i64(-1, a, b, 2)), perm=[0, 2, 1, 3])
    made: Value = op.Reshape(y, i64(-1, length, 2))
    return made


@rules("DFT")
def dft(op: Builder, x: Value, length: Value | None = None, axis: Value | None = None, *, inverse: int = 0,
        onesided: int = 0) -> Any:
    assert op.node is not None
    if x.rank is None or x.shape is None or not isinstance(x.shape[-1], int):
        raise Unsupported("a signal of unknown rank")
    n, parts, out = x.rank, x.shape[-1], op.node.outputs[0].shape
    changed = [k for k in range(n - 1) if out is not None and out[k] != x.shape[k]]
    a = changed[0] if axis is not None and axis.data is None and onesided and len(changed) == 1 else \
        -2 if axis is None else known(axis, "the axis")
    assert a is not None
    a %= n
    samples = x.shape[a]
    if not isinstance(samples, int):
        raise Unsupported("a signal of a length that is only known at run time")
    total = known(length, "the length of the transform")
    total = total if total is not None else 2 * (samples - 1) if inverse and onesided else samples
    if onesided and parts != (2 if inverse else 1):
        raise Unsupported("onesided of what is not the transform of real numbers")
    if total < 1:
        raise Unsupported(f"a transform of {total} samples")
    taken = min(samples, total // 2 + 1 if inverse and onesided else total)
    bins = total // 2 + 1 if onesided and not inverse else total
    if taken < samples:
        x = op.Slice(x, i64(0), i64(taken), i64(a))
    perm = [k for k in range(n - 1) if k != a] + [a, n - 1]
    y = op.Transpose(x, perm=perm) if perm != sorted(perm) else x
    quick = eager(op)
    ahead = quick.Gather(quick.Shape(x), i64(*perm[:-2]))
    if taken == total > SHORT and _factors(total)[0] > 4 and not (inverse and onesided):
        y = _in_two(op, y, total, parts, bool(inverse))
        y = op.Slice(y, i64(0), i64(bins), i64(1)) if bins < total else y
    else:
        matrix = _to_real(taken, total) if inverse and onesided else \
            transform(taken, bins, total, parts, bool(inverse))
        y = op.Reshape(y, quick.Concat(ahead, i64(taken * parts), axis=0))
        y = op.MatMul(y, constant(matrix.astype(x.dtype)))
    y = op.Reshape(y, quick.Concat(ahead, i64(bins, 1 if inverse and onesided else 2), axis=0))
    return op.Transpose(y, perm=[perm.index(k) for k in range(n)]) if perm != sorted(perm) else y


@rules("STFT")
def stft(op: Builder, x: Value, step: Value, window: Value | None = None, length: Value | None = None, *,
         onesided: int = 1) -> Any:
    """A convolution with cosines and sines; with a step that is only known at run time a product of gathered frames."""
    if x.rank != 3 or x.shape is None or x.shape[2] not in (1, 2):
        raise Unsupported("a signal of unknown rank")
    parts = x.shape[2]
    assert isinstance(parts, int)
    onesided = onesided and parts == 1
    taken = window.shape[0] if window is not None and window.shape is not None else \
        known(length, "the length of the frames") if length is not None else x.shape[1]
    if not isinstance(taken, int):
        raise Unsupported("the length of the frames is only known at run time")
    bins = taken // 2 + 1 if onesided else taken
    matrix = transform(taken, bins, taken, parts, False).reshape(taken, parts, bins * 2)
    quick, kind = eager(op), x.dtype
    batch = size(quick, x, 0)
    if step.data is None:
        weight = constant(matrix.reshape(taken * parts, -1).astype(kind))
        hop = quick.Reshape(quick.Cast(step, to=NUMBER[I64]), i64(1))
        count = quick.Add(quick.Div(quick.Sub(size(quick, x, 1), i64(taken)), hop), i64(1))
        out = op.node.outputs[0].shape if op.node is not None else None
        count = i64(out[1]) if out is not None and isinstance(out[1], int) else count
        first = quick.Range(np.array(0, I64), quick.Squeeze(count, i64(0)), np.array(1, I64))
        at = quick.Add(quick.Mul(quick.Unsqueeze(first, i64(1)), hop), np.arange(taken))
        frames = op.Gather(x, at, axis=1)  # (batch, frames, samples, parts)
        if window is not None:
            frames = op.Mul(frames, quick.Reshape(window, i64(-1, 1)))
        y = op.MatMul(op.Reshape(frames, quick.Concat(batch, count, i64(taken * parts), axis=0)), weight)
        return op.Reshape(y, quick.Concat(batch, count, i64(bins, 2), axis=0))
    weight = constant(np.ascontiguousarray(matrix.transpose(2, 1, 0)).astype(kind))
    weight = weight if window is None else quick.Mul(weight, window)
    hop_length = known(step, "the step")
    y = op.Conv(op.Transpose(x, perm=[0, 2, 1]), weight, strides=[hop_length], kernel_shape=[taken], dilations=[1],
                pads=[0, 0], group=1)
    y = op.Transpose(y, perm=[0, 2, 1])
    return op.Reshape(y, quick.Concat(batch, size(quick, y, 1), i64(bins, 2), axis=0))


def _window(op: Builder, length: Value, periodic: int, output_datatype: int, *terms: float) -> Value:
    """A sum of cosines with the alternating coefficients ``terms``."""
    quick = eager(op)
    count = quick.Reshape(quick.Cast(length, to=NUMBER[I64]), i64())
    at = quick.Cast(quick.Range(np.array(0, I64), count, np.array(1, I64)), to=NUMBER[F32])
    span = quick.Cast(count if periodic else quick.Sub(count, np.array(1, I64)), to=NUMBER[F32])
    y: Value | None = None
    for k, term in enumerate(terms):
        turn = np.float32(term) if k == 0 else quick.Mul(
            quick.Cos(quick.Div(quick.Mul(at, np.float32(2 * np.pi * k)), span)), np.float32(term * (-1) ** k))
        y = turn if y is None else quick.Add(y, turn)
    made: Value = quick.Cast(y, to=output_datatype)
    return made


def _named(name: str, *terms: float) -> None:
    def rule(op: Builder, length: Value, *, output_datatype: int = 1, periodic: int = 1) -> Any:
        if DTYPE[output_datatype].kind != "f":
            raise Unsupported(f"a window of {DTYPE[output_datatype]}")
        return _window(op, length, periodic, output_datatype, *terms)
    rules(name)(rule)


_named("HannWindow", 0.5, 0.5)
_named("HammingWindow", 25 / 46, 21 / 46)
_named("BlackmanWindow", 0.42, 0.5, 0.08)
