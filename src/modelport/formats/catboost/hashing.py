"""The hash by which CatBoost knows categories: the low 32 bits of CityHash64 (1.0) of their text.

Source: util/digest/city.cpp and catboost/libs/cat_feature of CatBoost."""
from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from ...ir.tensor import Array

K0, K2, K3 = (np.uint64(k) for k in (0xc3a5c85c97cb3127, 0x9ae16a3b2f90404f, 0xc949d7c7509e6557))
_MUL = np.uint64(0x9ddfea08eb382d69)
FEW, MANY = range(-1000, 10001), range(-100_000, 1_000_001)
"""The whole numbers that are looked for behind hashes: first, and where those are not enough."""


def _mixed(u: Array, v: Array) -> Array:
    a = (u ^ v) * _MUL
    a ^= a >> np.uint64(47)
    b = (v ^ a) * _MUL
    b ^= b >> np.uint64(47)
    return b * _MUL


def hashes(texts: Array) -> Array:
    """The hash of each text of at most 16 bytes (an array of the kind S), as the signed number that files hold."""
    texts = np.ascontiguousarray(texts, "S16")
    raw = texts.view(np.uint8).reshape(-1, 16)
    size = np.char.str_len(texts)
    made = np.full(len(texts), K2, np.uint64)
    for n in np.unique(size[size > 0]).tolist():
        at = np.flatnonzero(size == n)
        own = raw[at, :n]

        def word(start: int, count: int, own: Array = own) -> Array:
            padded = np.zeros((len(own), 8), np.uint8)
            padded[:, :count] = own[:, start:start + count]
            return padded.view("<u8")[:, 0].astype(np.uint64)
        if n > 8:
            a, b = word(0, 8), word(n - 8, 8)
            turned = b + np.uint64(n)
            turned = turned >> np.uint64(n) | turned << np.uint64(64 - n)
            made[at] = _mixed(a, turned) ^ b
        elif n >= 4:
            made[at] = _mixed(np.uint64(n) + (word(0, 4) << np.uint64(3)), word(n - 4, 4))
        else:
            wide = own.astype(np.uint64)
            y = wide[:, 0] + (wide[:, n >> 1] << np.uint64(8))
            z = np.uint64(n) + (wide[:, -1] << np.uint64(2))
            mixed = (y * K2) ^ (z * K3)
            made[at] = (mixed ^ mixed >> np.uint64(47)) * K2
    return made.astype(np.uint32).view(np.int32).astype(np.int64)


@cache
def of_numbers(numbers: range) -> Array:
    """The hashes of whole numbers."""
    return hashes(np.arange(numbers.start, numbers.stop).astype("S16"))


@cache
def few() -> dict[int, list[int]]:
    """What is behind each hash of a whole number of ``FEW``."""
    return _gathered(np.arange(FEW.start, FEW.stop), of_numbers(FEW))


def many(wanted: Iterable[int]) -> dict[int, list[int]]:
    """What is behind these hashes among the whole numbers of ``MANY``."""
    made = of_numbers(MANY)
    at = np.flatnonzero(np.isin(made, np.array(list(wanted), np.int64)))
    return _gathered(at + MANY.start, made[at])


def _gathered(numbers: Array, made: Array) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, h in zip(numbers.tolist(), made.tolist(), strict=True):
        found.setdefault(h, []).append(number)
    return found
