"""Random numbers: drawn by the runtime where TensorFlow draws others in each run, computed where a seed decides them.

Operators without a state (``Stateless...``) are functions of their seed: Philox 4x32, ten rounds, computed here in
integers of 64 bits that hold 32, so that the numbers are TensorFlow's own.
Source: tensorflow/core/lib/random/philox_random.h, random_distributions.h, core/kernels/stateless_random_ops*.cc."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import DType, Type
from ..interpret.random import KEY, MULTIPLIERS, RAISED, RESERVED, ROUNDS
from .common import BOOL, F32, I32, I64, cast, i64, ints, name_of, scalar, to_onnx, vector

F64 = np.dtype(np.float64)
U64 = np.dtype(np.uint64)
_STEPS = {"float16": 1 << 10, "bfloat16": 1 << 7}
"""How many different numbers TensorFlow draws of a type that ONNX draws none of."""


def _other(op: Builder) -> None:
    op.note("changed", "random numbers: the runtime draws its own, distributed alike, and others in each run")


def _uniform(op: Builder, shape: Value, dtype: DType) -> Value:
    """Uniform numbers from 0 (included) to 1 (excluded) of float32 or float64."""
    made: Value = op.RandomUniformLike(op.Expand(constant(0, dtype), vector(op, shape)), low=0.0, high=1.0)
    return made


@to_onnx("RandomUniform")
def uniform(op: Builder, shape: Value, *, seed: int = 0, seed2: int = 0, dtype: DType) -> Any:
    _other(op)
    if dtype.name not in _STEPS:
        return _uniform(op, shape, dtype)
    steps = constant(_STEPS[dtype.name], F32)  # so that none is rounded to 1
    return cast(op, op.Div(op.Floor(op.Mul(_uniform(op, shape, F32), steps)), steps), dtype)


@to_onnx("RandomUniformInt")
def uniform_int(op: Builder, shape: Value, low: Value, high: Value, *, seed: int = 0, seed2: int = 0) -> Any:
    _other(op)
    a, b = cast(op, low, F64), cast(op, high, F64)
    drawn = op.Floor(op.Mul(_uniform(op, shape, F64), op.Sub(b, a)))
    return cast(op, op.Add(a, op.Min(drawn, op.Sub(op.Sub(b, a), constant(1, F64)))), low.dtype)


@to_onnx("RandomStandardNormal")
def normal(op: Builder, shape: Value, *, seed: int = 0, seed2: int = 0, dtype: DType) -> Any:
    _other(op)
    kind = F32 if dtype.name in _STEPS else dtype
    drawn = op.RandomNormalLike(op.Expand(constant(0, kind), vector(op, shape)), mean=0.0, scale=1.0)
    return cast(op, drawn, dtype)


@to_onnx("TruncatedNormal")
def truncated(op: Builder, shape: Value, *, seed: int = 0, seed2: int = 0, dtype: DType) -> Any:
    """Normal numbers of which none is beyond 2: the inverse of their distribution, of uniform numbers."""
    from .math import erfinv
    _other(op)
    within = math.erf(math.sqrt(2))  # the part of the normal numbers that is kept
    u = op.Sub(op.Mul(_uniform(op, shape, F32), constant(2 * within, F32)), constant(within, F32))
    return cast(op, op.Mul(erfinv(op, u), constant(math.sqrt(2), F32)), dtype)


@to_onnx("Multinomial")
def multinomial(op: Builder, logits: Value, count: Value, *, seed: int = 0, seed2: int = 0,
                output_dtype: DType = I64) -> Any:
    _other(op)
    made = op.Multinomial(cast(op, logits, F32), sample_size=int(scalar(count, "the number of samples")), dtype=7)
    return cast(op, made, output_dtype)


@to_onnx("RandomShuffle")
def shuffle(op: Builder, x: Value, *, seed: int = 0, seed2: int = 0) -> Any:
    """The rows in the order of as many random numbers."""
    _other(op)
    count = op.Shape(x, start=0, end=1)
    order = op.add("TopK", _uniform(op, count, F64), count, axis=0, outputs=2)[1]
    return op.Gather(x, order, axis=0)


# ------------------------------------------------------------------------------------------- from a seed alone


def _low(op: Builder, x: Value, bits: int = 32) -> Any:
    """The lowest bits of numbers that are not negative."""
    return op.Mod(x, constant(1 << bits, I64))


def _halves(op: Builder, x: Value) -> tuple[Value, Value]:
    """The lower and the upper 32 bits of integers of 64, as numbers that are not negative."""
    if x.dtype != U64:
        # two's complement by arithmetic: a division that rounds down
        v = i64(op, x)
        low = op.Mod(v, constant(1 << 32, I64))
        high = op.Div(op.Sub(v, low), constant(1 << 32, I64))
        return low, _low(op, high)
    part = constant(np.uint64(32))
    high = op.BitShift(x, part, direction="RIGHT")
    low = op.BitShift(op.BitShift(x, part, direction="LEFT"), part, direction="RIGHT")
    return cast(op, low, I64), cast(op, high, I64)


def _joined(op: Builder, low: Value, high: Value, dtype: DType) -> Any:
    """The inverse of :func:`_halves`."""
    if dtype == U64:
        part = constant(np.uint64(32))
        return op.BitwiseOr(cast(op, low, U64), op.BitShift(cast(op, high, U64), part, direction="LEFT"))
    signed = op.Sub(high, op.Where(op.Less(high, constant(1 << 31, I64)), constant(0, I64), constant(1 << 32, I64)))
    return op.Add(op.Mul(signed, constant(1 << 32, I64)), low)


def _philox(op: Builder, even: Value, odd: Value, key: Value) -> tuple[Value, Value]:
    """Ten rounds on counters: numbers 0 and 2 of each ([2, n]), numbers 1 and 3, the key ([2, 1])."""
    e, o, k = (Value(Type(I64, v.shape), n) for v, n in zip((even, odd, key), ("even", "odd", "key"), strict=True))
    sixteen = constant(1 << 16, I64)
    by = constant(np.array(MULTIPLIERS, np.int64)[:, None])
    # a product of 64 bits in parts of which none reaches 2^63
    a, b = op.Mul(by, op.Mod(e, sixteen)), op.Mul(by, op.Div(e, sixteen))
    upper = op.Div(op.Add(b, op.Div(a, sixteen)), sixteen)
    lower = _low(op, op.Add(a, op.Mul(op.Mod(b, sixteen), sixteen)))
    swap = ints([1, 0])
    after = {"go": op.Identity(constant(True, BOOL)),
             "even_out": op.BitwiseXor(op.BitwiseXor(op.Gather(upper, swap, axis=0), o), k),
             "odd_out": op.Gather(lower, swap, axis=0),
             "key_out": _low(op, op.Add(k, constant(np.array(RAISED, np.int64)[:, None])))}
    body = Graph({"iteration": Value(Type(I64, ()), "iteration"), "go_in": Value(Type(BOOL, ()), "go_in"), "even": e,
                  "odd": o, "key": k}, after, "philox")
    made = op.add("Loop", constant(ROUNDS, I64), constant(True, BOOL), even, odd, key, body=body, outputs=3)
    return made[0], made[1]


def _bits(op: Builder, key: Value, counter: Value, index: Value) -> Any:
    """Four random numbers of 32 bits for each of the counters ``index`` ([n]) after ``counter``: [4, n] in int64.

    ``key`` and ``counter`` are numbers of 32 bits, [2, 1] and four values of []."""
    low, carried, high, highest = (op.Squeeze(op.Slice(counter, ints([k]), ints([k + 1]), ints([0])), ints([0]))
                                   for k in range(4))
    full = constant(1 << 32, I64)
    at = []
    for part in (low, carried, high, highest):
        total = op.Add(index, part)
        at.append(op.Mod(total, full))
        index = op.Div(total, full)
    even = op.Concat(op.Unsqueeze(at[0], ints([0])), op.Unsqueeze(at[2], ints([0])), axis=0)
    odd = op.Concat(op.Unsqueeze(at[1], ints([0])), op.Unsqueeze(at[3], ints([0])), axis=0)
    e, o = _philox(op, even, odd, key)
    return op.Gather(op.Concat(e, o, axis=0), ints([0, 2, 1, 3]), axis=0)


def _scrambled(op: Builder, seed: Value) -> tuple[Value, Value]:
    """The key ([2, 1]) and the counter ([4]) that two seeds make."""
    low, high = _halves(op, vector(op, seed) if seed.dtype != U64 else seed)  # [2] each
    column = constant(np.array(KEY, np.int64)[:, None])
    e, o = _philox(op, op.Unsqueeze(low, ints([1])), op.Unsqueeze(high, ints([1])), column)
    # 0 and 2 came out in e, 1 and 3 in o: the first two are the key, the last two the upper half of the counter
    first, second = (op.Concat(op.Slice(e, ints([k]), ints([k + 1]), ints([0])),
                               op.Slice(o, ints([k]), ints([k + 1]), ints([0])), axis=0) for k in (0, 1))
    return first, op.Concat(ints([0, 0]), op.Reshape(second, ints([2])), axis=0)


def _start(op: Builder, key: Value, counter: Value) -> tuple[Value, Value]:
    """The key ([2, 1]) and the counter ([4]) as the operators of the second generation are given them."""
    low, high = _halves(op, key)
    both = op.Concat(op.Reshape(low, ints([1, 1])), op.Reshape(high, ints([1, 1])), axis=0)
    a, b = _halves(op, counter)
    return both, op.Reshape(op.Concat(op.Unsqueeze(a, ints([1])), op.Unsqueeze(b, ints([1])), axis=1), ints([4]))


@to_onnx("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg")
def key_counter(op: Builder, seed: Value) -> Any:
    key, counter = _scrambled(op, seed)
    low, high = (op.Reshape(op.Slice(key, ints([k]), ints([k + 1]), ints([0])), ints([1])) for k in (0, 1))
    parts = op.Reshape(counter, ints([2, 2]))
    a, b = (op.Squeeze(op.Slice(parts, ints([k]), ints([k + 1]), ints([1])), ints([1])) for k in (0, 1))
    made = _joined(op, low, high, U64), _joined(op, a, b, U64)
    return (*made, constant(1, I32)) if name_of(op).endswith("Alg") else made


@to_onnx("StatelessRandomGetAlg")
def algorithm(op: Builder) -> Any:
    return op.Identity(constant(1, I32))


@to_onnx("random.Skip")
def skip(op: Builder, state: Value, count: Value) -> Any:
    """A generator's state (a counter of 128 bits, and the key) after ``count`` draws."""
    low, high = _halves(op, op.Slice(state, ints([0]), ints([2]), ints([0])))
    rest = op.Mul(op.Reshape(i64(op, count), ints([1])), constant(RESERVED, I64))
    digits = []
    for part, k in ((low, 0), (high, 0), (low, 1), (high, 1)):
        total = op.Add(rest, op.Slice(part, ints([k]), ints([k + 1]), ints([0])))
        digits.append(_low(op, total))
        rest = op.Div(total, constant(1 << 32, I64))
    parts = [_joined(op, digits[k], digits[k + 1], I64) for k in (0, 2)]
    key = op.Slice(state, ints([2]), ints([3]), ints([0]))
    return cast(op, op.Concat(*parts, key, axis=0), state.dtype)


def _drawn(op: Builder, shape: Value, rest: tuple[Value, ...], per: int, blocks: int = 1,
           reserved: int = 1) -> tuple[Value, Value]:
    """The bits of as many groups as the shape needs at ``per`` results each, and the number of results.

    Each group draws ``blocks`` times, and the next one begins ``reserved`` counters behind it."""
    if len(rest) == 1:
        key, counter = _scrambled(op, rest[0])
    else:
        if (alg := scalar(rest[2], "the algorithm")) not in (1, 3):  # Philox, or what suits the processor: on CPU that
            raise Unsupported(f"the random algorithm {alg}")
        key, counter = _start(op, rest[0], rest[1])
    count = op.ReduceProd(vector(op, shape), keepdims=0)
    groups = op.Div(op.Add(count, constant(per - 1, I64)), constant(per, I64))
    index = op.Range(constant(0, I64), groups, constant(1, I64))
    if blocks > 1:
        starts = op.Mul(op.Unsqueeze(index, ints([1])), constant(reserved, I64))
        index = op.Reshape(op.Add(starts, constant(np.arange(blocks, dtype=np.int64))), ints([-1]))
    return _bits(op, key, counter, index), count


def _shaped(op: Builder, rows: Value, count: Value, shape: Value) -> Any:
    """[results of a group, groups] as ``shape``, what is too much left out."""
    flat = op.Reshape(op.Transpose(rows, perm=[1, 0]), ints([-1]))
    return op.Reshape(op.Slice(flat, ints([0]), op.Reshape(count, ints([1])), ints([0])), vector(op, shape))


def _rows(op: Builder, bits: Value, which: list[int]) -> Any:
    return op.Gather(bits, ints(which), axis=0)


def _fraction(op: Builder, bits: Value, dtype: DType) -> Any:
    """Uniform numbers of [4, n] bits: the last bits of one number of 32, of two in float64."""
    if dtype == F64:
        high, low = _low(op, _rows(op, bits, [0, 2]), 20), _rows(op, bits, [1, 3])
        whole = op.Add(op.Mul(high, constant(1 << 32, I64)), low)
        return op.Mul(cast(op, whole, F64), constant(2.0 ** -52, F64))
    mantissa = {"float32": 23, "float16": 10, "bfloat16": 7}[dtype.name]
    kind = F32
    return cast(op, op.Mul(cast(op, _low(op, bits, mantissa), kind), constant(2.0 ** -mantissa, kind)), dtype)


@to_onnx("StatelessRandomUniform", "StatelessRandomUniformV2")
def stateless_uniform(op: Builder, shape: Value, *rest: Value, dtype: DType = F32) -> Any:
    bits, count = _drawn(op, shape, rest, 2 if dtype == F64 else 4)
    return _shaped(op, _fraction(op, bits, dtype), count, shape)


def _normal(op: Builder, bits: Value, kind: DType) -> Any:
    """Box and Muller: two uniform numbers make two normal ones."""
    u = _fraction(op, bits, kind)
    n = 1 if kind == F64 else 2
    first = op.Max(_rows(op, u, list(range(0, 2 * n, 2))), constant(1e-7, kind))
    turn = op.Mul(_rows(op, u, list(range(1, 2 * n, 2))), constant(np.asarray(2 * math.pi, kind)))
    radius = op.Sqrt(op.Mul(op.Log(first), constant(-2, kind)))
    sides = op.Concat(op.Mul(op.Sin(turn), radius), op.Mul(op.Cos(turn), radius), axis=0)
    return sides if n == 1 else _rows(op, sides, [0, 2, 1, 3])


@to_onnx("StatelessRandomNormal", "StatelessRandomNormalV2")
def stateless_normal(op: Builder, shape: Value, *rest: Value, dtype: DType = F32) -> Any:
    kind = F64 if dtype == F64 else F32
    bits, count = _drawn(op, shape, rest, 2 if kind == F64 else 4)
    return _shaped(op, cast(op, _normal(op, bits, kind), dtype), count, shape)


@to_onnx("StatelessTruncatedNormal", "StatelessTruncatedNormalV2")
def stateless_truncated(op: Builder, shape: Value, *rest: Value, dtype: DType = F32) -> Any:
    """Each group of results takes the first of its own normal numbers that are within 2.

    Of 24 one in 22 is beyond; that fewer than a group's 4 are left happens once in 10^24 groups."""
    kind = F64 if dtype == F64 else F32
    per = 2 if kind == F64 else 4
    blocks = 24 // per
    bits, count = _drawn(op, shape, rest, per, blocks, RESERVED * per // 4)
    drawn = op.Reshape(op.Transpose(_normal(op, bits, kind), perm=[1, 0]), ints([-1, 24]))
    place = constant(np.arange(24, dtype=np.int64))
    kept = op.Where(op.Less(op.Abs(drawn), constant(2, kind)), place, op.Add(place, constant(24, I64)))
    first = op.add("TopK", kept, ints([per]), axis=1, largest=0, outputs=2)[1]
    rows = op.Transpose(op.GatherElements(drawn, first, axis=1), perm=[1, 0])
    return _shaped(op, cast(op, rows, dtype), count, shape)


@to_onnx("StatelessRandomUniformInt", "StatelessRandomUniformIntV2")
def stateless_int(op: Builder, shape: Value, *rest: Value) -> Any:
    *rest, low, high = rest  # type: ignore[assignment]
    if low.dtype.itemsize != 4 or low.dtype.kind != "i":
        raise Unsupported(f"random integers of {low.dtype}")
    bits, count = _drawn(op, shape, tuple(rest), 4)
    a = cast(op, low, I64)
    made = op.Add(op.Mod(bits, op.Sub(cast(op, high, I64), a)), a)
    return cast(op, _shaped(op, made, count, shape), low.dtype)


@to_onnx("StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2")
def stateless_full(op: Builder, shape: Value, *rest: Value, dtype: DType = U64) -> Any:
    if dtype.itemsize == 8:
        bits, count = _drawn(op, shape, rest, 2)
        made = _joined(op, _rows(op, bits, [0, 2]), _rows(op, bits, [1, 3]), dtype)
        return _shaped(op, made, count, shape)
    bits, count = _drawn(op, shape, rest, 4)
    if dtype.kind == "i":
        bits = op.Sub(bits, op.Where(op.Less(bits, constant(1 << 31, I64)), constant(0, I64), constant(1 << 32, I64)))
    return cast(op, _shaped(op, bits, count, shape), dtype)
