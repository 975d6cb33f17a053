"""The hash functions that TensorFlow puts text into buckets by, on Python's numbers.

Sources: the FarmHash paper and its reference (farmhashna, Google 2014); SipHash-2-4 (Aumasson and Bernstein, 2012);
64-bit arithmetic modulo 2**64."""
from __future__ import annotations

_M = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _get(b: bytes, at: int, n: int = 8) -> int:
    return int.from_bytes(b[at:at + n], "little")


def _turn(v: int, n: int) -> int:
    return v if n == 0 else (v >> n | v << (64 - n)) & _M


def _mix(v: int) -> int:
    return v ^ v >> 47


def _16(u: int, v: int, mul: int) -> int:
    a = (u ^ v) * mul & _M
    a ^= a >> 47
    b = (v ^ a) * mul & _M
    b ^= b >> 47
    return b * mul & _M


def _short(s: bytes) -> int:
    n = len(s)
    if n >= 8:
        mul = (_K2 + n * 2) & _M
        a, b = (_get(s, 0) + _K2) & _M, _get(s, n - 8)
        return _16((_turn(b, 37) * mul + a) & _M, ((_turn(a, 25) + b) * mul) & _M, mul)
    if n >= 4:
        mul = (_K2 + n * 2) & _M
        return _16((n + (_get(s, 0, 4) << 3)) & _M, _get(s, n - 4, 4), mul)
    if n > 0:
        y = s[0] + (s[n >> 1] << 8)
        z = n + (s[n - 1] << 2)
        return _mix((y * _K2 ^ z * _K0) & _M) * _K2 & _M
    return _K2


def _medium(s: bytes) -> int:
    n = len(s)
    mul = (_K2 + n * 2) & _M
    if n <= 32:
        a, b = _get(s, 0) * _K1 & _M, _get(s, 8)
        c, d = _get(s, n - 8) * mul & _M, _get(s, n - 16) * _K2 & _M
        return _16((_turn((a + b) & _M, 43) + _turn(c, 30) + d) & _M, (a + _turn((b + _K2) & _M, 18) + c) & _M, mul)
    a, b = _get(s, 0) * _K2 & _M, _get(s, 8)
    c, d = _get(s, n - 8) * mul & _M, _get(s, n - 16) * _K2 & _M
    y = (_turn((a + b) & _M, 43) + _turn(c, 30) + d) & _M
    z = _16(y, (a + _turn((b + _K2) & _M, 18) + c) & _M, mul)
    e, f = _get(s, 16) * mul & _M, _get(s, 24)
    g, h = (y + _get(s, n - 32)) * mul & _M, (z + _get(s, n - 24)) * mul & _M
    return _16((_turn((e + f) & _M, 43) + _turn(g, 30) + h) & _M, (e + _turn((f + a) & _M, 18) + g) & _M, mul)


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_get(s, at + 8 * k) for k in range(4))
    a = (a + w) & _M
    b = _turn((b + a + z) & _M, 21)
    c = a
    a = (a + x + y) & _M
    b = (b + _turn(a, 44)) & _M
    return (a + z) & _M, (b + c) & _M


def fingerprint64(s: bytes) -> int:
    """The fingerprint of some bytes."""
    n = len(s)
    if n <= 16:
        return _short(s)
    if n <= 64:
        return _medium(s)
    seed = 81
    x, y = seed, (seed * _K1 + 113) & _M
    z = _mix((y * _K2 + 113) & _M) * _K2 & _M
    v = w = (0, 0)
    x = (x * _K2 + _get(s, 0)) & _M
    end = (n - 1) // 64 * 64
    last = end + ((n - 1) & 63) - 63
    for at in range(0, end, 64):
        x = _turn((x + y + v[0] + _get(s, at + 8)) & _M, 37) * _K1 & _M
        y = _turn((y + v[1] + _get(s, at + 48)) & _M, 42) * _K1 & _M
        x ^= w[1]
        y = (y + v[0] + _get(s, at + 40)) & _M
        z = _turn((z + w[0]) & _M, 33) * _K1 & _M
        v = _weak(s, at, v[1] * _K1 & _M, (x + w[0]) & _M)
        w = _weak(s, at + 32, (z + w[1]) & _M, (y + _get(s, at + 16)) & _M)
        z, x = x, z
    mul = (_K1 + ((z & 0xFF) << 1)) & _M
    at = last
    w = ((w[0] + ((n - 1) & 63)) & _M, w[1])
    v = ((v[0] + w[0]) & _M, v[1])
    w = ((w[0] + v[0]) & _M, w[1])
    x = _turn((x + y + v[0] + _get(s, at + 8)) & _M, 37) * mul & _M
    y = _turn((y + v[1] + _get(s, at + 48)) & _M, 42) * mul & _M
    x ^= w[1] * 9 & _M
    y = (y + v[0] * 9 + _get(s, at + 40)) & _M
    z = _turn((z + w[0]) & _M, 33) * mul & _M
    v = _weak(s, at, v[1] * mul & _M, (x + w[0]) & _M)
    w = _weak(s, at + 32, (z + w[1]) & _M, (y + _get(s, at + 16)) & _M)
    z, x = x, z
    return _16((_16(v[0], w[0], mul) + _mix(y) * _K0 + z) & _M, (_16(v[1], w[1], mul) + x) & _M, mul)


def together(first: int, second: int) -> int:
    """The fingerprint of two fingerprints (tensorflow/core/platform/fingerprint.h)."""
    mul = 0xC6A4A7935BD1E995
    both = (first ^ mul ^ _mix(second * mul & _M) * mul & _M) * mul & _M
    return _mix(_mix(both) * mul & _M)


def siphash(s: bytes, key0: int, key1: int) -> int:
    """SipHash-2-4 of some bytes."""
    fixed = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v = [(key ^ k) & _M for key, k in zip((key0, key1) * 2, fixed, strict=True)]

    def rounds(n: int) -> None:
        for _ in range(n):
            for a, b, c, d, left, right in ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21)):
                v[a], v[c] = (v[a] + v[b]) & _M, (v[c] + v[d]) & _M
                v[b], v[d] = _turn(v[b], 64 - left) ^ v[a], _turn(v[d], 64 - right) ^ v[c]
                v[a] = _turn(v[a], 32)
    whole = len(s) // 8 * 8
    for m in [*(_get(s, at) for at in range(0, whole, 8)), _get(s, whole) | (len(s) & 0xFF) << 56]:
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
