"""CRC-32C (Castagnoli), masked as LevelDB and TensorFlow store it.

Source: RFC 3720 (the polynomial), tensorflow/core/lib/hash/crc32c.h (the mask)."""
from __future__ import annotations

from functools import cache

import numpy as np

from ...ir.tensor import Array

_POLYNOMIAL = 0x82F63B78
_LANES = 1 << 12
_SERIAL = 1 << 14  # bytes below which one lane is as fast


@cache
def _table() -> Array:
    t = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        t = np.where(t & 1, (t >> 1) ^ np.uint32(_POLYNOMIAL), t >> 1).astype(np.uint32)
    return t


@cache
def _wide() -> Array:
    """Two bytes at a time."""
    i = np.arange(65536, dtype=np.uint32)
    t = _table()
    c = t[i & 255] ^ (i >> 8)
    return (t[c & 255] ^ (c >> 8)).astype(np.uint32)


def _times(matrix: list[int], vector: int) -> int:
    made = k = 0
    while vector:
        if vector & 1:
            made ^= matrix[k]
        vector >>= 1
        k += 1
    return made


def _squared(matrix: list[int]) -> list[int]:
    return [_times(matrix, column) for column in matrix]


def _zeros(n: int) -> list[int]:
    """The operator on a checksum that appends ``n`` zero bytes, as the columns of a matrix over GF(2)."""
    power = [_POLYNOMIAL] + [1 << k for k in range(31)]
    for _ in range(3):
        power = _squared(power)
    made: list[int] | None = None
    while n:
        if n & 1:
            made = power if made is None else [_times(power, c) for c in made]
        n >>= 1
        power = _squared(power)
    assert made is not None
    return made


def crc32c(data: bytes | memoryview, start: int = 0) -> int:
    """The checksum of ``data``; ``start`` is the checksum of what stands before it."""
    d = np.frombuffer(data, np.uint8)
    c = start ^ 0xFFFFFFFF
    done = 0
    if len(d) >= _SERIAL:  # lanes side by side, then joined two by two
        length = len(d) // _LANES // 2 * 2
        done = length * _LANES
        words = np.ascontiguousarray(d[:done].reshape(_LANES, length).view("<u2").T)
        table, lanes = _wide(), np.zeros(_LANES, np.uint32)
        lanes[0] = c
        for row in words:
            lanes = table[(lanes ^ row) & 0xFFFF] ^ (lanes >> 16)
        operator = _zeros(length)
        while len(lanes) > 1:
            ahead, behind = lanes[0::2], lanes[1::2]
            moved = np.zeros_like(ahead)
            for k in range(32):
                moved ^= np.where((ahead >> k) & 1, np.uint32(operator[k]), np.uint32(0)).astype(np.uint32)
            lanes = moved ^ behind
            operator = _squared(operator)
        c = int(lanes[0])
    table = _table().tolist() if len(d) - done else []
    for byte in d[done:].tolist():
        c = table[(c ^ byte) & 255] ^ (c >> 8)
    return c ^ 0xFFFFFFFF


def masked(c: int) -> int:
    """A checksum as it is stored: rotated and shifted, so that it can be part of what is summed again."""
    return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
