"""Recurrent layers and cells.  Source: aten/src/ATen/native/RNN.cpp.

PyTorch's gates are i f g o (LSTM) and r z n (GRU); ONNX's are i o f c and z r h.  A GRU resets after its product, which
ONNX says by ``linear_before_reset``."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from ...reading import cast
from ..machine import aten
from ..values import rank, size, whole
from .linear import linear

ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""For each gate of ONNX's operator, which of PyTorch's it is."""


def _gates(op: Builder, w: Value, order: Sequence[int]) -> Value:
    """The blocks of the first axis in ONNX's order."""
    if len(order) == 1:
        return w
    if w.data is not None:
        blocks = np.split(w.numpy(), len(order))
        return constant(np.concatenate([blocks[k] for k in order]))
    parts = op.add("Split", w, outputs=len(order), axis=0, num_outputs=len(order))
    made: Value = op.Concat(*(parts[k] for k in order), axis=0)
    return made


def _stacked(op: Builder, xs: Sequence[Value], axis: int = 0) -> Value:
    """Those of the directions side by side."""
    if all(x.data is not None for x in xs):
        return constant(np.stack([x.numpy() for x in xs], axis))
    made: Value = op.Concat(*(op.Unsqueeze(x, np.array([axis])) for x in xs), axis=axis)
    return made


def layers(op: Builder, name: str, x: Value, states: Sequence[Value], params: Sequence[Value], biases: bool,
           count: int, two_ways: bool, batch_first: bool, lengths: Value | None = None, **how: Any) -> Any:
    """The outputs, then the last states, each (layers * directions, batch, units); ``lengths``: of each sequence, as
    int32."""
    if rank(x) != 3:
        raise Unsupported(f"a sequence of {rank(x)} axes")
    ways = 2 if two_ways else 1
    each = len(params) // (count * ways)
    projected = each - (4 if biases else 2)
    if len(params) != each * count * ways or projected not in (0, 1):
        raise Unsupported(f"{len(params)} weights of {count * ways} layers")
    y = op.Transpose(x, perm=[1, 0, 2]) if batch_first else x
    last: list[list[Value]] = [[] for _ in states]
    for layer in range(count):
        own = [params[(layer * ways + d) * each:(layer * ways + d + 1) * each] for d in range(ways)]
        begin = [_part(op, s, layer * ways, ways, count * ways) for s in states]
        y, ends = _projected(op, y, lengths, begin, own, biases) if projected else \
            _layer(op, name, y, lengths, begin, own, biases, **how)
        for kept, end in zip(last, ends, strict=True):
            kept.append(end)
    y = op.Transpose(y, perm=[1, 0, 2]) if batch_first else y
    return [y, *(op.Concat(*kept, axis=0) if len(kept) > 1 else kept[0] for kept in last)]


def _part(op: Builder, s: Value, first: int, count: int, of: int) -> Value:
    if count == of:
        return s
    made: Value = op.Slice(s, np.array([first]), np.array([first + count]), np.array([0]))
    return made


def _layer(op: Builder, name: str, x: Value, lengths: Value | None, states: Sequence[Value],
           own: Sequence[Sequence[Value]], biases: bool, **how: Any) -> tuple[Value, Sequence[Value]]:
    order = ORDERS[name]
    w, r = (_stacked(op, [_gates(op, p[k], order) for p in own]) for k in (0, 1))
    b = None
    if biases:
        both = [[_gates(op, v, order) for v in p[2:4]] for p in own]
        b = _stacked(op, [constant(np.concatenate([v.numpy() for v in p])) if all(v.data is not None for v in p)
                          else op.Concat(*p, axis=0) for p in both])
    units = whole(size(op, own[0][1], 1), "the number of units")
    ways = len(own)
    if ways == 2 and "activations" in how:
        how = {**how, "activations": how["activations"] * 2}
    made = op.add(name, x, w, r, b, lengths, *states, outputs=1 + len(states), hidden_size=units,
                  direction="bidirectional" if ways == 2 else "forward", **how)
    if ways == 1:
        return op.Squeeze(made[0], np.array([1])), made[1:]
    y = op.Transpose(made[0], perm=[0, 2, 1, 3])
    return op.Reshape(y, np.array([0, 0, ways * units])), made[1:]


def _projected(op: Builder, x: Value, lengths: Value | None, states: Sequence[Value], own: Sequence[Sequence[Value]],
               biases: bool) -> tuple[Value, Sequence[Value]]:
    """An LSTM whose output is a product with one more matrix, which ONNX's has not: a Scan over the steps, in which a
    sequence keeps its state where it has no step."""
    more = []
    if lengths is not None:
        steps = op.Range(np.int32(0), cast(op, op.Squeeze(op.Shape(x, start=0, end=1), np.array([0])), lengths.dtype),
                         np.int32(1))
        more = [op.Less(op.Unsqueeze(steps, np.array([1, 2])), op.Unsqueeze(lengths, np.array([0, 2])))]
    outs, ends = [], []
    for d, p in enumerate(own):
        begin = [op.Gather(s, np.asarray(d), axis=0) for s in states]
        inner = [Value(Type(s.dtype, s.shape), f"state_{k}") for k, s in enumerate(begin)]
        step = Value(Type(x.dtype, (x.shape or ())[1:]), "step")
        h, c = _lstm_step(op, step, inner, p[0], p[1], *(p[2:4] if biases else (None, None)))
        h = linear(op, h, p[-1])
        there = [Value(Type(v.dtype, (v.shape or ())[1:]), "there") for v in more]
        if there:
            h, c = (op.Where(there[0], new, old) for new, old in zip((h, c), inner, strict=True))
        body = Graph({v.name: v for v in (*inner, step, *there)},
                     {"state_0_next": h, "state_1_next": c, "out": op.Identity(h)}, "steps")
        count = 1 + len(more)
        made = op.add("Scan", *begin, x, *more, body=body, num_scan_inputs=count, scan_input_directions=[d] * count,
                      scan_output_directions=[d], outputs=3)
        outs.append(made[2])
        ends.append(made[:2])
    y = outs[0] if len(outs) == 1 else op.Concat(*outs, axis=2)
    return y, [_stacked(op, [e[k] for e in ends]) for k in range(2)]


def _lstm_step(op: Builder, x: Value, states: Sequence[Value], w_ih: Value, w_hh: Value, b_ih: Value | None,
               b_hh: Value | None) -> tuple[Value, Value]:
    return lstm_gates(op, linear(op, x, w_ih, b_ih), linear(op, states[0], w_hh, b_hh), states)


def lstm_gates(op: Builder, ours: Value, theirs: Value, states: Sequence[Value]) -> tuple[Value, Value]:
    """The next states, from the products with the input and with the state."""
    gates = op.Add(ours, theirs)
    i, f, g, o = op.add("Split", gates, outputs=4, axis=-1, num_outputs=4)
    c = op.Add(op.Mul(op.Sigmoid(f), states[1]), op.Mul(op.Sigmoid(i), op.Tanh(g)))
    return op.Mul(op.Sigmoid(o), op.Tanh(c)), c


def inference(dropout: Any, train: Any) -> None:
    """Raises :class:`Unsupported` where a layer would drop what flows between its layers."""
    if dropout and train:
        raise Unsupported("dropout as in training; export the model after model.eval()")


RECURRENT: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm": ("LSTM", {}), "gru": ("GRU", {"linear_before_reset": 1}),
    "rnn_tanh": ("RNN", {"activations": ["Tanh"]}), "rnn_relu": ("RNN", {"activations": ["Relu"]})}
"""The layers of ATen: ONNX's operator and its attributes."""


def _recurrent(name: str) -> None:
    kind, how = RECURRENT[name]

    @aten(name, f"{name}.input")
    def recurrent(op: Builder, input: Value, hx: Any, params: list[Value], has_biases: bool, num_layers: int,
                  dropout: float, train: bool, bidirectional: bool, batch_first: bool) -> Any:
        if not isinstance(num_layers, int) or isinstance(num_layers, bool):  # the overload for packed sequences
            return aten[f"{name}.data"](op, input, hx, params, has_biases, num_layers, dropout, train,
                                              bidirectional, batch_first)
        inference(dropout, train)
        return layers(op, kind, input, hx if isinstance(hx, list) else [hx], params, has_biases, num_layers,
                      bidirectional, batch_first, **how)


def _cell(kind: str) -> None:
    @aten(f"rnn_{kind.lower()}_cell")
    def cell(op: Builder, input: Value, hx: Value, w_ih: Value, w_hh: Value, b_ih: Value | None = None,
             b_hh: Value | None = None) -> Any:
        return getattr(op, kind)(op.Add(linear(op, input, w_ih, b_ih), linear(op, hx, w_hh, b_hh)))


for _name in RECURRENT:
    _recurrent(_name)
for _name in ("Tanh", "Relu"):
    _cell(_name)


@aten("lstm_cell")
def lstm_cell(op: Builder, input: Value, hx: list[Value], w_ih: Value, w_hh: Value, b_ih: Value | None = None,
              b_hh: Value | None = None) -> Any:
    return list(_lstm_step(op, input, hx, w_ih, w_hh, b_ih, b_hh))


@aten("gru_cell")
def gru_cell(op: Builder, input: Value, hx: Value, w_ih: Value, w_hh: Value, b_ih: Value | None = None,
             b_hh: Value | None = None) -> Any:
    return gru_gates(op, linear(op, input, w_ih, b_ih), linear(op, hx, w_hh, b_hh), [hx])[0]


def gru_gates(op: Builder, ours: Value, theirs: Value, states: Sequence[Value]) -> tuple[Value]:
    """n + z * (h - n)."""
    a, b = (op.add("Split", v, outputs=3, axis=-1, num_outputs=3) for v in (ours, theirs))
    r, z = (op.Sigmoid(op.Add(a[k], b[k])) for k in (0, 1))
    n = op.Tanh(op.Add(a[2], op.Mul(r, b[2])))
    return op.Add(n, op.Mul(z, op.Sub(states[0], n))),


