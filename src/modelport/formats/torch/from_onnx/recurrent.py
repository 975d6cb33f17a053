"""Recurrent layers: PyTorch's own, where their gates and activations are those of the node."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.types import Type
from ..raw import size
from .common import FLOATS, At, computed, from_onnx, held, permute, reshape

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""PyTorch's gates as places among ONNX's: i o f c as i f g o, z r h as r z n."""
_ACTIVATIONS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}


@from_onnx("LSTM", "GRU", "RNN")
def recurrent(at: At, x: Value, w: Value, r: Value, b: Value | None = None, lengths: Value | None = None,
              h: Value | None = None, c: Value | None = None, peepholes: Value | None = None, *, hidden_size: int = 0,
              direction: str = "forward", activations: Any = (), activation_alpha: Any = (),
              activation_beta: Any = (), clip: float = 0.0, layout: int = 0, input_forget: int = 0,
              linear_before_reset: int = 0) -> Any:
    assert at.node is not None
    kind = at.node.op
    held([x, w, r], FLOATS)
    if lengths is not None or peepholes is not None or layout or input_forget or clip or w.data is None \
            or r.data is None or (b is not None and b.data is None) or (kind == "GRU" and not linear_before_reset):
        raise Unsupported("lengths, peepholes, clipping, weights that are computed, or another order of the gates")
    both = 2 if direction == "bidirectional" else 1
    said = [(a.decode() if isinstance(a, bytes) else a).lower() for a in activations]
    name = {"LSTM": "lstm.input", "GRU": "gru.input", "RNN": "rnn_tanh.input"}[kind]
    if kind == "RNN" and said and set(said) == {"relu"}:
        name = "rnn_relu.input"
    elif said and said != list(_ACTIVATIONS[kind]) * both:
        raise Unsupported("other activations")
    units = r.shape[-1] if r.shape is not None else None
    if not isinstance(units, int) or x.rank != 3 or r.dtype != x.dtype:
        raise Unsupported("a number of units that is only known at run time")
    params = [p for d in range(both) for p in _weights(kind, w, r, b, d, units)]
    if direction == "reverse":
        x = at.flip(x, [0], type=x.type)
    batch = size(at, x, 1)
    batch_dim = None if x.shape is None else x.shape[1]
    state = Type(x.dtype, (both, batch_dim, units))
    zero = None if h is not None and (kind != "LSTM" or c is not None) else \
        at.full([both, batch, units], 0.0, dtype=x.dtype, type=state)
    first = [zero if v is None else v for v in ((h, c) if kind == "LSTM" else (h,))]
    seq = None if x.shape is None else x.shape[0]
    types = [Type(x.dtype, (seq, batch_dim, both * units)), *[state] * len(first)]
    outs = at(name, x, first if kind == "LSTM" else first[0], params, b is not None, 1, 0.0, False, both == 2, False,
              type=types)
    y = outs[0]
    if direction == "reverse":
        y = at.flip(y, [0], type=y.type)
    if both == 1:
        y = at.unsqueeze(y, 1, type=at.out)
    else:
        y = permute(at, reshape(at, y, [size(at, x, 0), batch, both, units], Type(
            x.dtype, (seq, batch_dim, both, units))), [0, 2, 1, 3])
    return (y, *outs[1:])[:len(at.node.outputs)]


def _weights(kind: str, w: Value, r: Value, b: Value | None, d: int, units: int) -> list[Value]:
    """The parameters of one direction, in the order of PyTorch's gates."""
    order: Sequence[int] = _ORDER[kind]
    n = len(order)

    def gates(a: Any) -> Any:
        return np.concatenate([a[k * units:(k + 1) * units] for k in order])
    inner = [int(v.shape[-1]) for v in (w, r) if v.shape is not None and isinstance(v.shape[-1], int)]
    made = [computed(v, lambda a: gates(a[d]), [n * units, k]) for v, k in zip((w, r), inner, strict=True)]
    if b is not None:
        made += [computed(b, lambda a: gates(a[d][:n * units]), [n * units]),
                 computed(b, lambda a: gates(a[d][n * units:]), [n * units])]
    return made


__all__ = ["Type"]
