"""Comparing two arrays: metrics, bars, and the rounding that a bar must allow for.

The bars are those of a correct conversion with a margin of about twenty: float32 conversions of MLPs, ResNets, LSTMs
and transformers differ by at most 5e-7 of the range and 124 dB, weights rounded to float16 by 1e-4 and 78 dB at
least."""
from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..ir.tensor import Array
from ..ir.types import STRING, dtype_name, is_float


@dataclass(frozen=True)
class Bar:
    """What an output must reach.

    ``error`` bounds the largest difference as a share of the row's range (the largest magnitude of the source's row),
    ``sqnr`` is the least signal-to-noise ratio in dB, ``labels`` the least share of rows whose largest element is the
    same.  ``quantum`` is one step of a quantized output: all differences stay within one.  ``exact``: no difference.
    ``floor`` is an absolute difference that is rounding, however small the row's range."""

    name: str
    error: float = math.inf
    sqnr: float = -math.inf
    labels: float = 0.0
    quantum: float | None = None
    exact: bool = False
    floor: float = 0.0


UNIT = 2.0 ** -21
"""The floor of Sigmoid and Tanh: four units in the last place of a float32 near one.  Kernels compute
them to that, not to a relative error of small values: ONNX Runtime's Sigmoid is off by 1.2e-7 where it is 1e-8."""
EXACT = Bar("exact", exact=True)
BARS = {bar.name: bar for bar in (
    Bar("float64", 1e-12, 220.0, 1.0),
    Bar("float32", 1e-5, 100.0, 1.0),
    Bar("float16", 5e-3, 55.0, 0.999),
    Bar("bfloat16", 3e-2, 40.0, 0.995),
    Bar("int8 weights", math.inf, 30.0, 0.99),
    Bar("int8", math.inf, 20.0, 0.98),
    Bar("int4 weights", math.inf, 15.0, 0.95))}
"""Bars by precision, from the strictest to the loosest.  Below float32 they are conventions of the field."""

TINY = 2.0 ** -126  # differences below the smallest normal float32 are flushed denormals


@dataclass(frozen=True)
class Difference:
    """What one output of one feed showed.

    ``error`` is the largest difference as a share of its row's range (of a quantum, for quantized outputs), ``index``
    where it is, ``lost`` how many elements are finite on one side only, ``limited`` how many rows were excused because
    float32 itself decides no more there, ``labels`` rows with the same label and rows that have one."""

    passed: bool
    elements: int = 0
    unequal: int = 0
    error: float = 0.0
    sqnr: float = math.inf
    index: tuple[int, ...] = ()
    source: str = ""
    target: str = ""
    lost: int = 0
    limited: int = 0
    labels: tuple[int, int] = (0, 0)
    reason: str = ""


def compare(source: Array, target: Array, bar: Bar) -> Difference:
    """The difference of ``target`` from ``source``, judged by ``bar``.

    Shapes and element types must be equal; NaN and infinities must be at the same places."""
    if source.shape != target.shape:
        return Difference(False, error=math.inf, reason=f"shape {list(target.shape)} instead of {list(source.shape)}")
    if source.dtype != target.dtype:
        return Difference(False, error=math.inf, reason=f"element type {dtype_name(target.dtype)} instead of "
                                                        f"{dtype_name(source.dtype)}")
    if source.size == 0:
        return Difference(True)
    if bar.exact or source.dtype == STRING or source.dtype == np.bool_:
        return _exact(source, target)
    if not (is_float(source.dtype) or source.dtype.kind == "c"):
        return _quantized(source.astype(np.float64), target.astype(np.float64),
                          replace(bar, quantum=bar.quantum or 1.0))
    if source.dtype.kind == "c":
        source, target = (np.stack([a.real, a.imag], -1) for a in (source, target))
    a, b = source.astype(np.float64), target.astype(np.float64)
    strange = nonfinite_mismatch(a, b)
    if strange.any():
        at = _unravel(int(np.argmax(strange)), a.shape)
        lost = int((np.isfinite(a) != np.isfinite(b)).sum())
        return Difference(False, a.size, int(strange.sum()), math.inf, -math.inf, at, repr(float(a[at])),
                          repr(float(b[at])), lost, reason="NaN or infinity on one side only")
    if bar.quantum is not None:
        return _quantized(a, b, bar)
    return _real(a, b, bar)


def nonfinite_mismatch(a: Array, b: Array) -> Array:
    """Where one side is NaN or infinite and the other is not, or is infinite with another sign."""
    with np.errstate(invalid="ignore"):
        same = (np.isfinite(a) & np.isfinite(b)) | (np.isnan(a) & np.isnan(b)) | (a == b)
    return np.asarray(~same)


def rows(a: Array) -> Array:
    """The array as [rows, elements]: the first axis of rank 2 and more are rows."""
    made: Array = a.reshape(a.shape[0], -1) if a.ndim > 1 and a.shape[0] else a.reshape(1, -1)
    return made


def ranges(a: Array) -> Array:
    """The largest finite magnitude of each row, as [rows, 1]."""
    flat = rows(a)
    return np.asarray(np.where(np.isfinite(flat), np.abs(flat), 0.0).max(1, keepdims=True))


def row_errors(a: Array, b: Array, scale: Array) -> Array:
    """The largest difference of each row as a share of ``scale``; infinite where one side alone is not finite."""
    with np.errstate(all="ignore"):
        d = np.abs(rows(a) - rows(b))
        d = np.where(rows(a) == rows(b), 0.0, np.where(np.isnan(rows(a)) & np.isnan(rows(b)), 0.0, d))
        d = np.where(np.isnan(d), np.inf, d)
        share = np.where(d <= TINY, 0.0, d / np.where(scale == 0, TINY, scale))
    return np.asarray(share.max(1))


def _real(a: Array, b: Array, bar: Bar) -> Difference:
    finite = np.isfinite(a)
    x, y = np.where(finite, a, 0.0), np.where(finite, b, 0.0)
    scale = ranges(a)
    with np.errstate(all="ignore"):
        d = rows(np.abs(x - y))
        share = np.where(d <= max(TINY, bar.floor), 0.0, d / np.where(scale == 0, TINY, scale))
        at = int(np.argmax(share))
        error = float(share.flat[at])
        signal = float(np.square(rows(x) / np.where(scale == 0, 1.0, scale)).sum())
        noise = float(np.square(share).sum())
    ratio = math.inf if noise == 0 else -math.inf if signal == 0 else 10 * math.log10(signal / noise)
    labels = agreement(a, b, error)
    passed = error <= bar.error and ratio >= bar.sqnr and labels[0] >= bar.labels * labels[1]
    where = _unravel(at, a.shape)
    return Difference(passed, a.size, int((x != y).sum()), error, ratio, where, repr(float(a[where])),
                      repr(float(b[where])), labels=labels)


def _quantized(a: Array, b: Array, bar: Bar) -> Difference:
    assert bar.quantum is not None
    steps = np.where(np.isfinite(a), np.abs(a - b), 0.0) / bar.quantum
    at = int(np.argmax(steps))
    where = _unravel(at, a.shape)
    worst = float(steps.flat[at])
    # a float output is a whole number of steps times the scale, each product rounded: half a percent is far above that
    return Difference(worst <= 1.005, a.size, int((steps > 0.5).sum()), worst, math.inf, where, repr(float(a[where])),
                      repr(float(b[where])), labels=agreement(a, b, 0.0, bar.quantum))


def _exact(source: Array, target: Array) -> Difference:
    if is_float(source.dtype):
        a, b = source.astype(np.float64), target.astype(np.float64)
        unequal = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    else:
        unequal = np.asarray(source != target)
    count = int(unequal.sum())
    at = _unravel(int(np.argmax(unequal)), source.shape)
    return Difference(count == 0, source.size, count, float(count > 0), index=at if count else (),
                      source=text(source[at]), target=text(target[at]))


def agreement(a: Array, b: Array, error: float, quantum: float = 0.0) -> tuple[int, int]:
    """Rows of a [rows, classes] output with the same largest element, and the rows that decide for one.

    Rows whose two largest elements are nearer than twice the measured error (or two quanta) decide nothing."""
    if a.ndim != 2 or not 2 <= a.shape[1] <= 100_000 or not np.isfinite(a).all() or not np.isfinite(b).all():
        return 0, 0
    top = np.partition(a, -2, 1)[:, -2:]
    margin = np.abs(top[:, 1] - top[:, 0])
    clear = margin > np.maximum(2 * error * ranges(a)[:, 0], 2 * quantum)
    same = a.argmax(1) == b.argmax(1)
    return int((same & clear).sum()), int(clear.sum())


def excused(source: Array, target: Array, exact: Array, bar: Bar) -> Array:
    """Which rows differ by rounding alone, judged by a float64 evaluation of the same operators.

    Source and target must be equally far from float64, within a factor of eight, above the bar; so a mistake in one of
    them, or in the reader that made the graph evaluated, is never excused.  A row whose source overflowed while float64
    did not is excused where the target holds to float64: there the source defines nothing."""
    a, b, c = (x.astype(np.float64) for x in (source, target, exact))
    scale = np.maximum(ranges(c), TINY)
    mine, other = row_errors(a, c, scale), row_errors(b, c, scale)
    floor = bar.error
    rounding = np.isfinite(mine) & np.isfinite(other) & (mine <= 8 * np.maximum(other, floor)) & \
        (other <= 8 * np.maximum(mine, floor)) & (np.maximum(mine, other) > floor / 8)
    overflow = ~np.isfinite(rows(a)).all(1) & np.isfinite(rows(c)).all(1) & (
        (other <= floor) | (~np.isfinite(rows(b)).all(1) & (rows(np.abs(c)).max(1) > np.finfo(np.float32).max)))
    return np.asarray(rounding | overflow)


def nothing(arrays: Iterable[Array]) -> bool:
    """Whether there is no answer: of a picture smaller than a window some make the mean of nothing."""
    return all(is_float(a.dtype) and a.size > 0 and np.isnan(a.astype(np.float64)).all() for a in arrays)


def without(rows_out: Array, array: Array) -> Array:
    """The array without the rows marked."""
    if array.ndim > 1 and array.shape[0] == len(rows_out):
        return np.asarray(array[~rows_out])
    return array[:0] if rows_out.all() and array.ndim else array


def _unravel(k: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(k, shape)) if shape else ()


def text(value: Any) -> str:
    return repr(value.item() if hasattr(value, "item") else value)[:200]
