"""Elements of one input: distributions of floats, and what integers, booleans and text may be."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np

from ..ir.tensor import Array
from ..ir.types import STRING, DType, Type
from .domains import Domain

Rng = np.random.Generator
Make = Callable[[Rng, tuple[int, ...]], Array]

STYLES = ("plain", "small", "large", "zeros", "constant", "ties", "special", "negative")
"""What integers, booleans and text are like in a feed; floats have distributions of their own."""


def discrete(domain: Domain, t: Type, style: str, rng: Rng, shape: tuple[int, ...]) -> Array:
    """Elements of an integer, boolean or text input."""
    count = math.prod(shape)
    if t.dtype == STRING:
        return strings(domain, count, rng).reshape(shape)
    if t.dtype == np.bool_:
        return flat(np.full(count, style == "constant") if style in ("constant", "zeros")
                    else rng.random(count) < 0.5, shape, t.dtype)
    return flat(integers(domain, t.dtype, style, rng, count), shape, t.dtype)


def bounds(dtype: DType) -> tuple[int, int]:
    """The least and the greatest integer of an element type."""
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    info: Any = ml_dtypes.iinfo(dtype)  # type: ignore[no-untyped-call]
    return int(info.min), int(info.max)


def integers(domain: Domain, dtype: DType, style: str, rng: Rng, count: int) -> Array:
    """``count`` integers that the input may take: masks, indices within their table, sizes, categories, the whole
    range of quantized types, else small and large numbers."""
    low, high = bounds(dtype)
    numbers = [c for c in domain.categories if isinstance(c, int) and not isinstance(c, bool) and low <= c < high]
    if domain.mask:
        return (np.zeros(count, np.int64) if style == "zeros" else np.ones(count, np.int64)
                if style in ("constant", "large") else rng.integers(0, 2, count))
    if domain.extent:
        return rng.integers(1, 4, count)
    if domain.index is not None:
        drawn = rng.integers(0, domain.index, count)
        if style == "negative" and low < 0:
            drawn = drawn - domain.index * (rng.random(count) < 0.5)
        drawn[:2] = np.array([0, domain.index - 1])[:count]
        return np.zeros(count, np.int64) if style == "zeros" else drawn
    if numbers:
        pool = np.array([*numbers, *(n + 1 for n in numbers), min(numbers) - 1], np.int64)
        if style == "special":
            return np.resize(pool, count)
        return rng.choice(pool if style == "large" else numbers, count)
    if style == "zeros":
        return np.zeros(count, np.int64)
    if dtype.itemsize <= 2:  # quantized: the whole range
        middle = (low + high + 1) // 2
        if style == "small":  # around the middle, where neighbours differ by one
            return np.asarray(middle + rng.integers(-4, 5, count)).clip(low, high)
        drawn = rng.integers(low, high + 1, count, np.int64)
        if style in ("special", "constant"):
            edges = np.array([low, high, middle - 1, middle, max(low, -1), min(high, 1), 0])
            return np.full(count, edges[int(rng.integers(len(edges)))]) if style == "constant" else \
                np.concatenate([rng.permutation(edges), drawn])[:count]
        return drawn
    if style == "large":
        edges = np.array([16777217, -16777217, 2 ** 31 - 1, 100003, -100003, 65537])
        return rng.choice(np.abs(edges) if low == 0 else edges, count)
    return rng.integers(0 if low == 0 else -7, 9, count) * (1 if style in ("ties", "special", "small") else 3)


def strings(domain: Domain, count: int, rng: Rng) -> Array:
    """Text known and unknown to the model, and the empty text."""
    known = [c for c in domain.categories if isinstance(c, str)] or ["a", "b", "the quick brown fox"]
    pool = [*known, "", "unknown \u00e9\u4e2d", known[0] + "x", known[0].upper(), " " + known[0]]
    if domain.alphabet is not None:  # texts of all lengths that hash functions treat differently
        pool += ["unknown \u00e9", *(("Gr\u00fc\u00dfe an \u0416, \u03b1 & 12 others! " * 9)[:n]
                                    for n in (*range(1, 18), 31, 33, 63, 65, 140, 250))]
        pool = [text for text in pool if domain.alphabet.issuperset(text)]
    order = rng.permutation(len(pool))
    drawn = [pool[int(order[k % len(pool)])] for k in range(count)]
    if domain.separator is not None:  # some words each, in any case and with marks, besides words by themselves
        between = domain.separator or " "
        drawn = [d if k % 4 == 0 else _sentence(pool, between, rng) for k, d in enumerate(drawn)]
    out = np.empty(count, STRING)
    out[:] = drawn
    return out


def _sentence(pool: Sequence[str], between: str, rng: Rng) -> str:
    words = [pool[int(k)] for k in rng.integers(0, len(pool), int(rng.integers(0, 12)))]
    marks = ["", "", "", "", "!", ", ", "'s", "...", "\t", "-"]
    return between.join((w.capitalize() if rng.random() < 0.2 else w) + marks[int(rng.integers(len(marks)))]
                        for w in words)


def normal(scale: float) -> Make:
    return lambda rng, shape: rng.standard_normal(shape) * scale


def uniform(low: float, high: float) -> Make:
    return lambda rng, shape: rng.uniform(low, high, shape)


def constant(value: float) -> Make:
    return lambda rng, shape: np.full(shape, value)


def choose(values: Any) -> Make:
    """All of the values in a random order as often as they fit, so that each occurs if there is room."""
    pool = np.asarray(values, np.float64)

    def make(rng: Rng, shape: tuple[int, ...]) -> Array:
        count = math.prod(shape)
        if count > 64 * len(pool):  # each is there many times anyway
            return rng.choice(pool, shape)
        rounds = [rng.permutation(pool) for _ in range(-(-count // len(pool)))]
        return flat(np.concatenate(rounds or [pool])[:count], shape, pool.dtype)
    return make


def ties(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Small integers: many equal elements, and sums that are exact."""
    return rng.integers(-2, 3, shape).astype(np.float64)


def rows_of(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Rows of one value each."""
    values = rng.choice(np.array([1.0, -1.0, 0.5, 5.0, -3.0]), (shape[0] if shape else 1,))
    return np.broadcast_to(values.reshape(-1, *[1] * (len(shape) - 1)), shape).copy() if shape else values.reshape(())


def lane(value: float) -> Make:
    """Normal numbers, but one element of each row (and half of the rows of a batch)."""
    def make(rng: Rng, shape: tuple[int, ...]) -> Array:
        array = rng.standard_normal(shape)
        if array.size:
            flat = array.reshape(max(1, shape[0] if len(shape) > 1 else 1), -1)
            for row in flat[::2]:
                row[int(rng.integers(len(row)))] = value
        return array
    return make


def around(c: float) -> tuple[float, ...]:
    """A number, its neighbours in float32, and its negative."""
    x = np.float32(c)
    return float(x), float(np.nextafter(x, np.float32(-np.inf))), float(np.nextafter(x, np.float32(np.inf))), -float(x)


def neighbours(threshold: float, dtype: DType) -> list[float]:
    """The threshold and its neighbours in float32 and, where the input holds them, in float64."""
    out: dict[float, None] = {}
    for kind in (np.float32, np.float64) if dtype == np.float64 else (np.float32,):
        with np.errstate(all="ignore"):
            t = kind(threshold)
            steps = (t, np.nextafter(t, kind(-np.inf)), np.nextafter(t, kind(np.inf)))
            out.update(dict.fromkeys(float(x) for x in steps))
    return list(out)


def saturated(array: Array, dtype: DType) -> Array:
    """The elements in ``dtype``; finite ones stay finite."""
    if dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        return np.asarray(array, dtype)
    top = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
    bounded = np.where(np.isfinite(array), np.clip(array, -top, top), array)
    return bounded.astype(np.float32).astype(dtype)


def flat(array: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    made: Array = np.asarray(array).astype(dtype).reshape(shape)
    return made
