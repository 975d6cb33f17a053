"""The hash by which CatBoost knows categories: the low 32 bits of CityHash64 (1.0) of their text.

Source: util/digest/city.cpp and catboost/libs/cat_feature of CatBoost."""
from __future__ import annotations

from collections.abc import Iterable

K0, K2, K3 = 0xc3a5c85c97cb3127, 0x9ae16a3b2f90404f, 0xc949d7c7509e6557
_MUL, _ALL = 0x9ddfea08eb382d69, (1 << 64) - 1
WHOLE = range(-1000, 10001)
"""The whole numbers that are looked for behind hashes."""


def _mixed(u: int, v: int) -> int:
    a = (u ^ v) * _MUL & _ALL
    a ^= a >> 47
    b = (v ^ a) * _MUL & _ALL
    b ^= b >> 47
    return b * _MUL & _ALL


def short(text: bytes) -> int:
    """The hash of at most 16 bytes, as the signed number that files hold."""
    n = len(text)
    if n > 8:
        a, b = int.from_bytes(text[:8], "little"), int.from_bytes(text[-8:], "little")
        turned = (b + n) & _ALL
        turned = (turned >> n | turned << (64 - n)) & _ALL
        made = _mixed(a, turned) ^ b
    elif n >= 4:
        made = _mixed((n + (int.from_bytes(text[:4], "little") << 3)) & _ALL, int.from_bytes(text[-4:], "little"))
    elif n:
        y, z = text[0] + (text[n >> 1] << 8), n + (text[-1] << 2)
        mixed = (y * K2 & _ALL) ^ (z * K3 & _ALL)
        made = (mixed ^ mixed >> 47) * K2 & _ALL
    else:
        made = K2
    low = made & 0xffffffff
    return low - (1 << 32) if low >> 31 else low


def whole_numbers(hashes: Iterable[int]) -> dict[int, int] | None:
    """The whole number behind each hash, or ``None`` if one is of something else, or of two numbers."""
    wanted, found = set(hashes), dict[int, int]()
    for k in WHOLE:
        h = short(str(k).encode())
        if h in wanted:
            if h in found:
                return None
            found[h] = k
    return found if found.keys() == wanted else None
