"""Hash functions of texts by whole numbers of 64 bits, as TensorFlow computes them.

Sources: the FarmHash paper and its reference (farmhashna, Google 2014); SipHash-2-4 (Aumasson and Bernstein, 2012);
tensorflow/core/platform/fingerprint.h.  uint64 wraps in every runtime, as these functions want it."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import Unsupported
from ..ir.graph import Graph, Value, constant
from ..ir.rules import Builder
from ..ir.types import STRING, Type
from .letters import EVERYTHING, characters, encoded, lettered

I64, U64 = np.dtype(np.int64), np.dtype(np.uint64)
DIGITS = "0123456789-"
CROSS = 0xDECAFCAFFE
"""The key of crossed features (``tf.sparse.cross_hashed``)."""
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_KEYS = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573


class Word:
    """Numbers of 64 bits, modulo 2**64; operators take such numbers or Python's."""

    def __init__(self, op: Builder, value: Value) -> None:
        self.op, self.value = op, value

    def _made(self, kind: str, other: Word | int, **attrs: Any) -> Word:
        right = other.value if isinstance(other, Word) else constant(np.array(other & (1 << 64) - 1, U64))
        return Word(self.op, self.op.add(kind, self.value, right, **attrs))

    def __add__(self, other: Word | int) -> Word:
        return self._made("Add", other)

    def __sub__(self, other: Word | int) -> Word:
        return self._made("Sub", other)

    def __mul__(self, other: Word | int) -> Word:
        return self._made("Mul", other)

    def __xor__(self, other: Word | int) -> Word:
        return self._made("BitwiseXor", other)

    def __or__(self, other: Word | int) -> Word:
        return self._made("BitwiseOr", other)

    def __and__(self, other: Word | int) -> Word:
        return self._made("BitwiseAnd", other)

    def __mod__(self, other: int) -> Word:
        if other < 1:
            raise Unsupported(f"a hash into {other} buckets")
        return self._made("Mod", other)

    def __rshift__(self, bits: Word | int) -> Word:
        return self._made("BitShift", bits, direction="RIGHT")

    def __lshift__(self, bits: Word | int) -> Word:
        return self._made("BitShift", bits, direction="LEFT")

    def turned(self, bits: int) -> Word:
        """Turned to the right."""
        return self >> bits | self << 64 - bits

    def mixed(self) -> Word:
        return self ^ self >> 47

    def where(self, mask: Value, other: Word) -> Word:
        """This where the mask is true, else the other; by products, as ONNX Runtime chooses no uint64."""
        yes = Word(self.op, self.op.Cast(mask, to=13))
        return self * yes + other * (yes ^ 1)


@dataclass(eq=False)
class Bytes:
    """The bytes of texts: ``data`` (texts, words) has eight in each word and at least two more words than are full;
    ``length`` (texts) says how many there are."""

    op: Builder
    data: Value
    length: Value

    def word(self, number: Value) -> Word:
        """A word of each text, by its number (texts)."""
        at = self.op.Unsqueeze(number, _ints(1))
        return Word(self.op, self.op.Squeeze(self.op.GatherElements(self.data, at, axis=1), _ints(1)))

    def get(self, at: Value, later: int = 0) -> Word:
        """Eight bytes of each text from a place (texts) on; from the first one if that is before it."""
        op = self.op
        at = op.Max(op.Add(at, np.int64(later)), np.int64(0))
        block = op.Div(at, np.int64(8))
        bits = Word(op, op.Cast(op.Mul(op.Mod(at, np.int64(8)), np.int64(8)), to=13))
        return self.word(block) >> bits | self.word(op.Add(block, np.int64(1))) << 1 << bits_left(bits)


def bits_left(bits: Word) -> Word:
    """63 less than some bits of 0 to 63."""
    return bits ^ 63


def packed(op: Builder, codes: Value) -> Bytes:
    """The bytes of letters, whose codes (texts, letters) are those of :func:`letters.encoded`."""
    count, low = op.Div(codes, np.int64(1 << 32)), op.BitwiseAnd(codes, np.int64((1 << 32) - 1))
    length = op.ReduceSum(count, _ints(1), keepdims=0)
    at = op.CumSum(count, np.int64(1), exclusive=1)
    block, place = op.Div(at, np.int64(8)), op.Mod(at, np.int64(8))
    letter = Word(op, op.Cast(low, to=13))
    bits = Word(op, op.Cast(op.Mul(place, np.int64(8)), to=13))
    most = op.ReduceMax(op.Concat(length, _ints(0), axis=0), keepdims=1)
    words = op.Max(op.Add(op.Div(most, np.int64(8)), np.int64(2)), np.int64(10))
    data = op.Expand(np.int64(0), op.Concat(op.Shape(codes, start=0, end=1), words, axis=0))
    # what goes over the end of a word stands in the next; by two shifts, as none by 64 bits is defined
    for where, part in ((block, letter << bits), (op.Add(block, np.int64(1)), letter >> 1 >> bits_left(bits))):
        data = op.ScatterElements(data, where, op.Cast(part.value, to=7), axis=1, reduction="add")
    return Bytes(op, op.Cast(data, to=13), length)


def spelled(op: Builder, x: Value) -> Bytes:
    """The bytes of texts, or of whole numbers as texts, of any shape, one after the other."""
    row = op.Reshape(x if x.dtype == STRING else op.Cast(x, to=8), _ints(-1))
    if x.dtype != STRING:  # none has other characters
        return packed(op, lettered(op, row, encoded(DIGITS)))
    return packed(op, characters(op, row, encoded(EVERYTHING)))


def bucket(op: Builder, x: Value, buckets: int, key: tuple[int, int] | None = None) -> Value:
    """The hash of texts modulo ``buckets``: FarmHash's fingerprint, or SipHash with a key; of any shape, int64."""
    data = spelled(op, x)
    hashed = fingerprint64(data) if key is None else siphash(data, *key)
    out: Value = op.Reshape(op.Cast((hashed % buckets).value, to=7), op.Shape(x), allowzero=1)
    return out


def crossed(op: Builder, xs: list[Value], buckets: int, key: int = CROSS) -> Value:
    """The bucket of several features together (tensorflow/core/kernels/sparse_cross_op.cc), each of one shape: whole
    numbers by themselves, texts by their fingerprints."""
    hashed: Word | None = None
    for x in xs:
        one = fingerprint64(spelled(op, x)) if x.dtype == STRING else Word(op, op.Cast(op.Reshape(x, _ints(-1)), to=13))
        first = Word(op, constant(np.array(key, U64))) if hashed is None else hashed
        mul = 0xC6A4A7935BD1E995
        hashed = first ^ mul ^ (one * mul).mixed() * mul
        hashed = ((hashed * mul).mixed() * mul).mixed()
    assert hashed is not None
    out: Value = op.Reshape(op.Cast((hashed % buckets).value, to=7), op.Shape(xs[0]), allowzero=1)
    return out


# -- FarmHash


def _16(u: Word, v: Word, mul: Word) -> Word:
    a = ((u ^ v) * mul).mixed()
    return ((v ^ a) * mul).mixed() * mul


def fingerprint64(b: Bytes) -> Word:
    """FarmHash's fingerprint of each text (texts)."""
    op, n = b.op, Word(b.op, b.op.Cast(b.length, to=13))
    out = _long(b, n)
    for most, hashed in ((64, _64(b, n)), (32, _32(b, n)), (16, _16_bytes(b, n)), (7, _7(b, n)), (3, _3(b, n))):
        out = hashed.where(op.LessOrEqual(b.length, np.int64(most)), out)
    return out


def _start(b: Bytes) -> Value:
    out: Value = b.op.Mul(b.length, np.int64(0))
    return out


def _3(b: Bytes, n: Word) -> Word:
    """Up to three bytes; of none the formula is K2, as it is defined."""
    first = b.get(_start(b))
    middle = first >> ((n >> 1 & 1) << 3)
    last = b.get(b.length, -1)
    y = (first & 255) + ((middle & 255) << 8)
    z = n + ((last & 255) << 2)
    hashed = (y * _K2 ^ z * _K0).mixed() * _K2
    return hashed.where(b.op.Greater(b.length, np.int64(0)), n * 0 + _K2)


def _7(b: Bytes, n: Word) -> Word:
    low = (1 << 32) - 1
    return _16(n + ((b.get(_start(b)) & low) << 3), b.get(b.length, -4) & low, n * 2 + _K2)


def _16_bytes(b: Bytes, n: Word) -> Word:
    mul = n * 2 + _K2
    first, last = b.get(_start(b)) + _K2, b.get(b.length, -8)
    return _16(last.turned(37) * mul + first, (first.turned(25) + last) * mul, mul)


def _32(b: Bytes, n: Word) -> Word:
    mul = n * 2 + _K2
    first, second = b.get(_start(b)) * _K1, b.get(_start(b), 8)
    c, d = b.get(b.length, -8) * mul, b.get(b.length, -16) * _K2
    return _16((first + second).turned(43) + c.turned(30) + d, first + (second + _K2).turned(18) + c, mul)


def _64(b: Bytes, n: Word) -> Word:
    mul, zero = n * 2 + _K2, _start(b)
    first, second = b.get(zero) * _K2, b.get(zero, 8)
    c, d = b.get(b.length, -8) * mul, b.get(b.length, -16) * _K2
    y = (first + second).turned(43) + c.turned(30) + d
    z = _16(y, first + (second + _K2).turned(18) + c, mul)
    e, f = b.get(zero, 16) * mul, b.get(zero, 24)
    g, h = (y + b.get(b.length, -32)) * mul, (z + b.get(b.length, -24)) * mul
    return _16((e + f).turned(43) + g.turned(30) + h, e + (f + first).turned(18) + g, mul)


def _weak(b: Bytes, at: Value, later: int, one: Word, two: Word) -> tuple[Word, Word]:
    w, x, y, z = (b.get(at, later + 8 * k) for k in range(4))
    one = one + w
    two = (two + one + z).turned(21)
    both = one + x + y
    return both + z, two + both.turned(44) + one


def _long(b: Bytes, n: Word) -> Word:
    """More than 64 bytes: by blocks of 64, then the last 64."""
    op, zero = b.op, n * 0
    seed = 81
    y = zero + (seed * _K1 + 113)
    z = (y * _K2 + 113).mixed() * _K2
    x = zero + seed * _K2 + b.get(_start(b))
    blocks = op.Div(op.Max(op.Sub(b.length, np.int64(1)), np.int64(0)), np.int64(64))
    most = op.ReduceMax(op.Concat(blocks, _ints(0), axis=0), keepdims=0)
    made = op.add("Loop", most, np.array(True), *(v.value for v in (x, y, z, zero, zero, zero, zero)), b.data, blocks,
                  body=_block(b, blocks), captures=2, outputs=7)
    x, y, z, v0, v1, w0, w1 = (Word(op, v) for v in made)
    mul = ((z & 255) << 1) + _K1
    over = (n - 1) & 63
    w0 = w0 + over
    v0 = v0 + w0
    w0 = w0 + v0
    x, y, z, (v0, v1), (w0, w1) = _step(b, op.Sub(b.length, np.int64(64)), x, y, z, (v0, v1), (w0, w1), mul, 9)
    return _16(_16(v0, w0, mul) + y.mixed() * _K0 + z, _16(v1, w1, mul) + x, mul)


def _step(b: Bytes, at: Value, x: Word, y: Word, z: Word, v: tuple[Word, Word], w: tuple[Word, Word], mul: Word | int,
          factor: int) -> tuple[Word, Word, Word, tuple[Word, Word], tuple[Word, Word]]:
    """One block of 64 bytes."""
    x = (x + y + v[0] + b.get(at, 8)).turned(37) * mul
    y = (y + v[1] + b.get(at, 48)).turned(42) * mul
    x = x ^ w[1] * factor
    y = y + v[0] * factor + b.get(at, 40)
    z = (z + w[0]).turned(33) * mul
    v = _weak(b, at, 0, v[1] * mul, x + w[0])
    w = _weak(b, at, 32, z + w[1], y + b.get(at, 16))
    return z, y, x, v, w


def _block(b: Bytes, blocks: Value) -> Graph:
    """A turn of the loop; texts that have no more blocks keep what they have."""
    op = b.op
    turn, going = Value(Type(I64, ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    kept = [Value(Type(U64, b.length.shape), f"h{k}") for k in range(7)]
    data, many = Value(b.data.type, "data"), Value(blocks.type, "blocks")
    inside = Bytes(op, data, many)
    x, y, z, v0, v1, w0, w1 = (Word(op, v) for v in kept)
    at = op.Add(op.Mul(many, np.int64(0)), op.Mul(turn, np.int64(64)))
    # no place behind the end: words of shorter texts are read, and not used
    x_, y_, z_, v, w = _step(inside, at, x, y, z, (v0, v1), (w0, w1), _K1, 1)
    more = op.Less(turn, many)
    new = [a.where(more, Word(op, old)).value for a, old in zip((x_, y_, z_, *v, *w), kept, strict=True)]
    return Graph({"turn": turn, "going": going, **{k.name: k for k in kept}, "data": data, "blocks": many},
                 {"more": op.Identity(going), **{f"new{k}": v for k, v in enumerate(new)}})


# -- SipHash


def siphash(b: Bytes, key0: int, key1: int) -> Word:
    """SipHash-2-4 of each text (texts)."""
    op = b.op
    zero = Word(op, op.Cast(_start(b), to=13))
    keys = (key0, key1, key0, key1)
    start = [(zero + (key ^ fixed)).value for key, fixed in zip(keys, _KEYS, strict=True)]
    whole = op.Div(b.length, np.int64(8))
    turns = op.Add(op.ReduceMax(op.Concat(whole, _ints(0), axis=0), keepdims=0), np.int64(1))
    made = op.add("Loop", turns, np.array(True), *start, b.data, b.length, whole, body=_compressed(b, whole),
                  captures=3, outputs=4)
    v = [Word(op, m) for m in made]
    v[2] = v[2] ^ 255
    for _ in range(4):
        v = _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _round(v: list[Word]) -> list[Word]:
    a, b, c, d = v
    a, c = a + b, c + d
    b, d = b.turned(64 - 13) ^ a, d.turned(64 - 16) ^ c
    a = a.turned(32)
    c, a = c + b, a + d
    b, d = b.turned(64 - 17) ^ c, d.turned(64 - 21) ^ a
    return [a, b, c.turned(32), d]


def _compressed(b: Bytes, whole_: Value) -> Graph:
    """One block of eight bytes; the last one, which has fewer, ends in the length."""
    op = b.op
    turn, going = Value(Type(I64, ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    kept = [Value(Type(U64, b.length.shape), f"v{k}") for k in range(4)]
    data, length, whole = (Value(v.type, n) for v, n in ((b.data, "data"), (b.length, "length"), (whole_, "whole")))
    block = Word(op, op.Gather(data, turn, axis=1))
    block = (block + (Word(op, op.Cast(length, to=13)) << 56)).where(op.Equal(turn, whole), block)
    v = [Word(op, k) for k in kept]
    v[3] = v[3] ^ block
    v = _round(_round(v))
    v[0] = v[0] ^ block
    more = op.LessOrEqual(turn, whole)
    new = [a.where(more, Word(op, old)).value for a, old in zip(v, kept, strict=True)]
    return Graph({"turn": turn, "going": going, **{k.name: k for k in kept}, "data": data, "length": length,
                  "whole": whole}, {"more": op.Identity(going), **{f"new{k}": n for k, n in enumerate(new)}})


def _ints(*values: int) -> np.ndarray:
    return np.array(values, I64)
