"""Random operators: those that keep a state are refused; those without one are functions of their seed.

Source: tensorflow/core/lib/random/philox_random.h, random_distributions.h, core/kernels/stateless_random_ops*.cc."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import Refused, bounded, op

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
"""Of the numbers 0 and 2 of a counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)."""
RAISED = (0x9E3779B9, 0xBB67AE85)
"""What is added to the two numbers of the key after each round."""
KEY = (0x3EC8F720, 0x02461E29)
"""The key with which TensorFlow scrambles seeds."""
RESERVED = 256
"""Blocks that one draw may use (guarded_philox_random.h)."""
U32, U64 = np.uint32, np.uint64


@op("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal", "RandomShuffle", "Multinomial",
    "RandomGamma", "RandomPoisson", "RandomPoissonV2", "StatelessMultinomial", "ParameterizedTruncatedNormal",
    "RandomCrop", fold=False)
def random(*_: Any, **__: Any) -> Any:
    raise Refused("a random operator: no two runs are alike")


def philox(counter: Array, key: Array) -> Array:
    """Ten rounds of counters [n, 4] with a key [2], all of uint32: [n, 4]."""
    c = [counter[:, k].astype(U64) for k in range(4)]
    k0, k1 = (U64(k) for k in key)
    low = U64(0xFFFFFFFF)
    for _ in range(ROUNDS):
        a, b = U64(MULTIPLIERS[0]) * c[0], U64(MULTIPLIERS[1]) * c[2]
        c = [(b >> U64(32)) ^ c[1] ^ k0, b & low, (a >> U64(32)) ^ c[3] ^ k1, a & low]
        k0, k1 = (k0 + U64(RAISED[0])) & low, (k1 + U64(RAISED[1])) & low
    return np.stack(c, 1).astype(U32)


def _parts(x: Any) -> Array:
    """Numbers of 64 bits as pairs of 32, the lower one first."""
    return np.ascontiguousarray(np.asarray(x).astype(np.int64 if np.asarray(x).dtype.kind == "i" else U64),
                                ).view("<u4").astype(U32)


def scrambled(seed: Array) -> tuple[Array, Array]:
    """The key (two numbers of 32 bits) and the counter (four) that two seeds make."""
    mixed = philox(_parts(seed)[None], np.array(KEY, U32))[0]
    return mixed[:2], np.concatenate([np.zeros(2, U32), mixed[2:]])


def _begin(rest: tuple[Any, ...]) -> tuple[Array, Array]:
    if len(rest) == 1:
        return scrambled(rest[0])
    if int(rest[2]) not in (1, 3):
        raise Refused(f"the random algorithm {int(rest[2])}")
    return _parts(rest[0])[:2], _parts(rest[1])


def _blocks(key: Array, counter: Array, first: int, count: int) -> Array:
    """The numbers of the counters from ``first`` on: [count, 4]."""
    start = sum(int(c) << (32 * k) for k, c in enumerate(counter)) + first
    low = np.arange(count, dtype=U64) + U64(start & 0xFFFFFFFFFFFFFFFF)
    high = np.full(count, U64((start >> 64) & 0xFFFFFFFFFFFFFFFF)) + (low < U64(start & 0xFFFFFFFFFFFFFFFF))
    return philox(np.stack([low & U64(0xFFFFFFFF), low >> U64(32), high & U64(0xFFFFFFFF), high >> U64(32)], 1), key)


def _drawn(shape: Array, rest: tuple[Any, ...], per: int) -> tuple[Array, int, tuple[int, ...]]:
    dims = bounded(shape)
    count = int(np.prod(dims, dtype=np.int64))
    return _blocks(*_begin(rest), 0, -(-count // per)), count, dims


def _fraction(bits: Array, dtype: Any) -> Array:
    dtype = np.dtype(dtype)
    if dtype == np.float64:
        whole = ((bits[:, ::2].astype(U64) & U64(0xFFFFF)) << U64(32)) | bits[:, 1::2].astype(U64)
        return whole.astype(np.float64) * 2.0 ** -52
    mantissa = {"float32": 23, "float16": 10, "bfloat16": 7}[dtype.name]
    return ((bits & U32((1 << mantissa) - 1)).astype(np.float32) * np.float32(2.0 ** -mantissa)).astype(dtype)


def _normal(bits: Array, kind: Any) -> Array:
    u = _fraction(bits, kind)
    radius = np.sqrt(kind(-2) * np.log(np.maximum(u[:, ::2], kind(1e-7))))
    turn = kind(2 * np.pi) * u[:, 1::2]
    made: Array = np.stack([np.sin(turn) * radius, np.cos(turn) * radius], -1).reshape(len(u), -1)
    return made


@op("random.Skip", fold=False)
def skip(state: Array, count: Array) -> Any:
    """A generator's state (a counter of 128 bits, and the key) after ``count`` draws."""
    parts = state.astype(np.int64).view(U64)
    counter = (int(parts[0]) | int(parts[1]) << 64) + int(count) * RESERVED
    return np.array([counter & (1 << 64) - 1, counter >> 64 & (1 << 64) - 1, int(parts[2])], U64).view(np.int64)


@op("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg")
def key_counter(seed: Array) -> Any:
    key, counter = scrambled(seed)
    return key.view(U64).copy(), counter.view(U64).copy(), np.array(1, np.int32)


@op("StatelessRandomGetAlg")
def algorithm() -> Any:
    return np.array(1, np.int32)


@op("StatelessRandomUniform", "StatelessRandomUniformV2")
def uniform(shape: Array, *rest: Any, dtype: Any = np.float32) -> Any:
    bits, count, dims = _drawn(shape, rest, 2 if np.dtype(dtype) == np.float64 else 4)
    return _fraction(bits, dtype).ravel()[:count].reshape(dims)


@op("StatelessRandomNormal", "StatelessRandomNormalV2")
def normal(shape: Array, *rest: Any, dtype: Any = np.float32) -> Any:
    kind = np.float64 if np.dtype(dtype) == np.float64 else np.float32
    bits, count, dims = _drawn(shape, rest, 2 if kind is np.float64 else 4)
    return _normal(bits, kind).ravel()[:count].reshape(dims).astype(dtype)


@op("StatelessTruncatedNormal", "StatelessTruncatedNormalV2")
def truncated(shape: Array, *rest: Any, dtype: Any = np.float32) -> Any:
    """Each group of results draws from blocks of its own until it has as many as it wants."""
    kind = np.float64 if np.dtype(dtype) == np.float64 else np.float32
    dims = bounded(shape)
    count = int(np.prod(dims, dtype=np.int64))
    per = 2 if kind is np.float64 else 4
    key, counter = _begin(rest)
    out: list[Array] = []
    for group in range(-(-count // per)):
        drawn = _normal(_blocks(key, counter, group * RESERVED * per // 4, 64), kind).ravel()
        out.append(drawn[np.abs(drawn) < 2][:per])
    made: Array = np.concatenate([*out, np.zeros(0, kind)])[:count].reshape(dims).astype(dtype)
    return made


@op("StatelessRandomUniformInt", "StatelessRandomUniformIntV2")
def uniform_int(shape: Array, *rest: Any) -> Any:
    *rest, low, high = rest  # type: ignore[assignment]
    wide = low.dtype.itemsize == 8
    bits, count, dims = _drawn(shape, tuple(rest), 2 if wide else 4)
    drawn = bits.view(U64) if wide else bits
    span = (int(high) - int(low)) % (1 << (8 * low.dtype.itemsize))
    return ((drawn % drawn.dtype.type(span)).view(low.dtype) + low).ravel()[:count].reshape(dims).astype(low.dtype)


@op("StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2")
def full_int(shape: Array, *rest: Any, dtype: Any = np.uint64) -> Any:
    wide = np.dtype(dtype).itemsize == 8
    bits, count, dims = _drawn(shape, rest, 2 if wide else 4)
    return (bits.view(U64) if wide else bits).view(dtype).ravel()[:count].reshape(dims)
