"""Recurrent layers of cuDNN, step by step.

Sources: tensorflow/core/kernels/cudnn_rnn_ops.cc; NVIDIA's cuDNN documentation of the recurrent operations."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .maths import _sigmoid
from .table import Refused, op

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def _step(mode: str, xs: Array, hs: Array, state: list[Array]) -> list[Array]:
    """The next states of the sums of each gate: ``xs`` of the input, ``hs`` of the state before."""
    if mode == "lstm":
        i, f, g, o = np.split(xs + hs, 4, 1)
        c = _sigmoid(f) * state[1] + _sigmoid(i) * np.tanh(g)
        return [_sigmoid(o) * np.tanh(c), c]
    if mode == "gru":
        (xr, xz, xn), (hr, hz, hn) = np.split(xs, 3, 1), np.split(hs, 3, 1)
        z = _sigmoid(xz + hz)
        new = np.tanh(xn + _sigmoid(xr + hr) * hn)
        return [(1 - z) * new + z * state[0]]
    return [np.tanh(xs + hs) if mode == "rnn_tanh" else np.maximum(xs + hs, 0)]


@op("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3", fold=False)
def cudnn_rnn(x: Array, h: Array, c: Array, params: Array, lengths: Array | None = None, *, rnn_mode: str = "lstm",
              input_mode: str = "linear_input", direction: str = "unidirectional", dropout: float = 0.0, seed: int = 0,
              seed2: int = 0, num_proj: int = 0, is_training: bool = True, time_major: bool = True) -> Any:
    directions = 2 if direction == "bidirectional" else 1
    states = [h, c] if rnn_mode == "lstm" else [h]
    if not time_major:
        x, states = x.swapaxes(0, 1), [s.swapaxes(0, 1) for s in states]
    count, batch, units = states[0].shape
    if num_proj or count % directions or (dropout and is_training and count > directions):
        raise Refused("projections and dropout of cuDNN")
    rows = _GATES[rnn_mode] * units
    skips = input_mode == "skip_input" or (input_mode == "auto_select" and x.shape[2] == units)
    ends = np.full(batch, len(x)) if lengths is None else lengths
    at = 0

    def taken(*shape: int) -> Array:
        nonlocal at
        n = int(np.prod(shape))
        at += n
        if at > params.size:
            raise Refused("fewer weights than the layers have")
        return params[at - n:at].reshape(shape)
    widths = [x.shape[2] if k < directions else directions * units for k in range(count)]
    matrices = [(None if skips and k < directions else taken(rows, w), taken(rows, units))
                for k, w in enumerate(widths)]
    biases = [(taken(rows), taken(rows)) for _ in range(count)]
    if at != params.size:
        raise Refused("more weights than the layers have")

    def outputs(k: int, x: Array) -> Array:
        """What a direction gives for each step, in the order of time."""
        (w, r), (wb, rb) = matrices[k], biases[k]
        order = range(len(x)) if directions == 1 or k % 2 == 0 else reversed(range(len(x)))
        made = np.zeros((len(x), batch, units), x.dtype)
        now = [s[k] for s in states]
        for t in order:
            xs = np.tile(x[t], (1, rows // units)) if w is None else x[t] @ w.T
            after = _step(rnn_mode, xs + wb, now[0] @ r.T + rb, now)
            on = (t < ends)[:, None]
            made[t] = np.where(on, after[0], 0)
            now = [np.where(on, a, b) for a, b in zip(after, now, strict=True)]
        last[k] = now
        return made
    last: dict[int, list[Array]] = {}
    for layer in range(count // directions):
        x = np.concatenate([outputs(layer * directions + d, x) for d in range(directions)], 2)
    final = [np.stack([last[k][j] for k in range(count)]) for j in range(len(states))]
    if not time_major:
        x, final = x.swapaxes(0, 1), [s.swapaxes(0, 1) for s in final]
    return (x, *final)
