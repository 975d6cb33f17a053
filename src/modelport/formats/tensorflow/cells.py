"""Recurrent cells as ONNX defines them, in numpy, and how TensorFlow's and Keras's weights fit them.

Source: ONNX's LSTM, GRU and RNN; keras/src/layers/rnn; tensorflow/python/keras/layers/legacy_rnn/rnn_cell_impl.py."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ...ir.tensor import Array

Function = tuple[str, float, float]
"""An activation of ONNX: its name, alpha and beta."""

_FUNCTIONS: dict[Function, Callable[[Array], Array]] = {
    ("Tanh", 0, 0): np.tanh, ("Sigmoid", 0, 0): lambda v: 1 / (1 + np.exp(-v)),
    ("Relu", 0, 0): lambda v: np.maximum(v, 0), ("HardSigmoid", 0.2, 0.5): lambda v: np.clip(0.2 * v + 0.5, 0, 1),
    ("HardSigmoid", 1 / 6, 0.5): lambda v: np.clip(v / 6 + 0.5, 0, 1),
    ("Softsign", 0, 0): lambda v: v / (1 + np.abs(v)), ("Elu", 1, 0): lambda v: np.where(v > 0, v, np.expm1(v)),
    ("Softplus", 0, 0): lambda v: np.logaddexp(v, 0)}
_GATES = [f for f in _FUNCTIONS if f[0] in ("Sigmoid", "HardSigmoid", "Tanh", "Relu")]


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of a cell in ONNX's order of gates, [gates * units, ...]; biases of the input and the state."""

    kind: str
    w: Array
    r: Array
    wb: Array
    rb: Array
    reset_after: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell: weights, and the activations of ONNX in their order."""

    weights: Weights
    functions: tuple[Function, ...]


def step(cell: Cell, x: Array, states: Sequence[Array]) -> list[Array]:
    """The next states, the output first."""
    k = cell.weights
    f, *more = (_FUNCTIONS[a] for a in cell.functions)
    h = states[0]
    ahead = x @ k.w.T + k.wb
    if k.kind == "RNN":
        return [f(ahead + h @ k.r.T + k.rb)]
    if k.kind == "LSTM":
        i, o, g, c = np.split(ahead + h @ k.r.T + k.rb, 4, -1)
        cell_state = f(g) * states[1] + f(i) * more[0](c)
        return [f(o) * more[1](cell_state), cell_state]
    az, ar, ah = np.split(ahead, 3, -1)
    rz, rr, rh = np.split(k.r, 3)
    bz, br, bh = np.split(k.rb, 3)
    z, r = f(az + h @ rz.T + bz), f(ar + h @ rr.T + br)
    new = more[0](ah + r * (h @ rh.T + bh)) if k.reset_after else more[0](ah + (r * h) @ rh.T + bh)
    return [(1 - z) * new + z * h]


def _reordered(m: Array, order: Sequence[int]) -> Array:
    """Gates, side by side in the last axis, in another order."""
    parts = np.split(m, len(order), -1)
    return np.concatenate([parts[k] for k in order], -1)


def _weights(kind: str, w: Array, r: Array, wb: Array, rb: Array, order: Sequence[int],
             reset_after: bool = False) -> Weights:
    w, r, wb, rb = (_reordered(v, order) for v in (w, r, wb, rb))
    return Weights(kind, np.ascontiguousarray(w.T), np.ascontiguousarray(r.T), wb, rb, reset_after)


def candidates(constants: Sequence[Array]) -> Iterator[Weights]:
    """Every way in which constants can be the weights of a cell."""
    matrices = [c for c in constants if c.ndim == 2 and c.dtype == np.float32]
    vectors = [c.reshape(-1) for c in constants if c.dtype == np.float32 and c.size > 1 and
               sum(d > 1 for d in c.shape) <= 1]
    pairs = [c for c in constants if c.dtype == np.float32 and c.ndim == 2 and c.shape[0] == 2]

    def biases(n: int) -> list[Array]:
        return [*(v for v in vectors if len(v) == n), np.zeros(n, np.float32)]
    for gates, kind, order in ((4, "LSTM", (0, 3, 1, 2)), (3, "GRU", (0, 1, 2)), (1, "RNN", (0,))):
        for r, w in product(matrices, matrices):
            u = r.shape[0]
            if r.shape[1] != gates * u or w.shape[1] != gates * u or (w is r and len(matrices) > 1):
                continue
            zero = np.zeros(gates * u, np.float32)
            for b in biases(gates * u):
                yield _weights(kind, w, r, b, zero, order)
            if kind == "GRU":
                rows = [(p[0], p[1]) for p in pairs if p.shape[1] == 3 * u]
                own = [v for v in vectors if len(v) == 3 * u]
                rows += [(a, b) for a, b in product(own, own) if a is not b] + [(a, zero) for a in own] + [(zero, zero)]
                for wb, rb in rows:
                    yield _weights(kind, w, r, wb, rb, order, True)
    yield from _split_gru(matrices, biases)
    yield from _joined(matrices, biases)


def _split_gru(matrices: Sequence[Array], biases: Callable[[int], list[Array]]) -> Iterator[Weights]:
    """A GRU whose recurrent weights were cut in two: those of the gates and those of the candidate."""
    for gates, new, w in product(matrices, matrices, matrices):
        u = new.shape[0]
        if new.shape != (u, u) or gates.shape != (u, 2 * u) or w.shape[1] != 3 * u:
            continue
        for b in biases(3 * u):
            yield _weights("GRU", w, np.concatenate([gates, new], 1), b, np.zeros(3 * u, np.float32), (0, 1, 2))


def _joined(matrices: Sequence[Array], biases: Callable[[int], list[Array]]) -> Iterator[Weights]:
    """The cells of TensorFlow 1, which multiply input and state side by side with one matrix."""
    for k in matrices:
        u = k.shape[1] // 4
        if k.shape[1] == 4 * u and k.shape[0] > u > 0:
            for b, forget in product(biases(4 * u), (1.0, 0.0)):
                b = b.copy()
                b[2 * u:3 * u] += np.float32(forget)
                yield _weights("LSTM", k[:-u], k[-u:], b, np.zeros_like(b), (0, 3, 2, 1))  # i, j, f, o
        if 0 < k.shape[1] < k.shape[0]:
            u = k.shape[1]
            for b in biases(u):
                yield _weights("RNN", k[:-u], k[-u:], b, np.zeros_like(b), (0,))
    for gates, new in product(matrices, matrices):
        u = new.shape[1]
        if gates.shape != (new.shape[0], 2 * u) or new.shape[0] <= u:
            continue
        for b, c in product(biases(2 * u), biases(u)):
            whole = np.concatenate([gates, new], 1)
            both = np.concatenate([b, c])
            yield _weights("GRU", whole[:-u], whole[-u:], both, np.zeros_like(both), (1, 0, 2))  # r, u, c


def activations(kind: str) -> Iterator[tuple[Function, ...]]:
    """The activations a cell of that kind may have, the usual ones first."""
    every = list(_FUNCTIONS)
    if kind == "RNN":
        yield from ((a,) for a in every)
    elif kind == "LSTM":
        yield from ((g, a, a) for g, a in product([f for f in _FUNCTIONS if f in _GATES][1:] + _GATES[:1], every))
    else:
        yield from ((g, a) for g, a in product([f for f in _FUNCTIONS if f in _GATES][1:] + _GATES[:1], every))


def fits(made: Sequence[Any], want: Sequence[Array]) -> bool:
    """Whether two sets of states are equal but for the rounding of float32 sums of a few hundred terms."""
    return all(a.shape == b.shape and bool((np.abs(a - b) <= 2e-5 * max(1.0, float(np.abs(b).max(initial=0)))).all())
               for a, b in zip(made, want, strict=True))
