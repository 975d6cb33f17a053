"""Recurrent cells and blocks of them, and the layers of cuDNN, whose weights are one vector.

Sources: tensorflow/core/kernels/rnn/{lstm_ops,gru_ops}.h; kernels/cudnn_rnn_ops.cc and ops/cudnn_rnn_ops.cc (arguments,
layouts), NVIDIA's cuDNN documentation of the recurrent operations (equations, the order of gates and of weights)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from .common import I32, I64, cast, dims, i64, ints, name_of, one, rank, to_onnx


def _cell(op: Builder, x: Value, cs: Value, h: Value, w: Value, wci: Value, wcf: Value, wco: Value, b: Value,
          forget_bias: float, cell_clip: float, peephole: bool, order: str) -> tuple[Any, ...]:
    """One step: i, cs, f, o, ci, co, h.  ``order`` is that of the gates in the weights."""
    sums = op.Add(op.MatMul(op.Concat(x, h, axis=1), w), b)
    gates = dict(zip(order, op.add("Split", sums, axis=1, num_outputs=4, outputs=4), strict=True))

    def seen(g: Value, by: Value, cell: Value) -> Any:
        return op.Add(g, op.Mul(cell, by)) if peephole else g
    i = op.Sigmoid(seen(gates["i"], wci, cs))
    f = op.Sigmoid(seen(op.Add(gates["f"], one(x, forget_bias)) if forget_bias else gates["f"], wcf, cs))
    ci = op.Tanh(gates["c"])
    new = op.Add(op.Mul(ci, i), op.Mul(cs, f))
    if cell_clip > 0:
        new = op.Clip(new, one(x, -cell_clip), one(x, cell_clip))
    o = op.Sigmoid(seen(gates["o"], wco, new))
    co = op.Tanh(new)
    return i, new, f, o, ci, co, op.Mul(co, o)


@to_onnx("LSTMBlockCell")
def lstm_block_cell(op: Builder, x: Value, cs: Value, h: Value, w: Value, wci: Value, wcf: Value, wco: Value,
                    b: Value, *, forget_bias: float = 1.0, cell_clip: float = 3.0, use_peephole: bool = False) -> Any:
    return _cell(op, x, cs, h, w, wci, wcf, wco, b, forget_bias, cell_clip, use_peephole, "icfo")


@to_onnx("BlockLSTM", "BlockLSTMV2")
def block_lstm(op: Builder, length: Value, x: Value, cs: Value, h: Value, *weights: Value, forget_bias: float = 1.0,
               cell_clip: float | None = None, use_peephole: bool = False) -> Any:
    """The steps up to ``length``; what comes after them is zero."""
    second = name_of(op) == "BlockLSTMV2"
    clip = (0.0 if second else 3.0) if cell_clip is None else cell_clip
    if len(weights) != 5 or x.rank != 3 or x.shape is None:
        raise Unsupported(f"{len(weights)} weights for {x.type}")
    step = Type(x.dtype, x.shape[1:])
    inner = {"cs": Value(Type(cs.dtype, cs.shape), "cs"), "h": Value(Type(h.dtype, h.shape), "h"),
             "x": Value(step, "x"), "t": Value(Type(I64, ()), "t")}
    held = {f"w{k}": Value(Type(v.dtype, v.shape), v.name) for k, v in enumerate([*weights, i64(op, length)])}
    known: list[Value] = [v if v.data is not None else held[f"w{k}"] for k, v in enumerate(weights)]
    w, wci, wcf, wco, b = known
    outs = _cell(op, inner["x"], inner["cs"], inner["h"], w, wci, wcf, wco, b, 0.0 if second else forget_bias, clip,
                 use_peephole, "ifco" if second else "icfo")
    running = op.Less(inner["t"], op.Reshape(held["w5"], ints([])))
    rows = [op.Where(running, v, one(x, 0)) for v in outs]
    body = Graph({**inner, **held}, {
        "cs_next": op.Where(running, outs[1], inner["cs"]), "h_next": op.Where(running, outs[6], inner["h"]),
        **{f"y{k}": v for k, v in enumerate(rows)}}, "step")
    count = op.Squeeze(op.Shape(x, end=1), ints([0]))
    turns = op.Range(constant(0, I64), count, constant(1, I64))
    made = op.add("Scan", cs, h, x, turns, *weights, i64(op, length), body=body, num_scan_inputs=2, captures=6,
                  outputs=9)
    return tuple(made[2:])


@to_onnx("GRUBlockCell")
def gru_block_cell(op: Builder, x: Value, h: Value, w_ru: Value, w_c: Value, b_ru: Value, b_c: Value) -> Any:
    both = op.Sigmoid(op.Add(op.MatMul(op.Concat(x, h, axis=1), w_ru), b_ru))
    r, u = op.add("Split", both, axis=1, num_outputs=2, outputs=2)
    c = op.Tanh(op.Add(op.MatMul(op.Concat(x, op.Mul(h, r), axis=1), w_c), b_c))
    return r, u, c, op.Add(op.Mul(u, h), op.Mul(op.Sub(one(x), u), c))


@to_onnx("recurrent.LSTM", "recurrent.GRU", "recurrent.RNN")
def layer(op: Builder, x: Value, h: Value, *more: Value, w: Any, r: Any, b: Any, reset_after: bool, functions: Any,
          masked: str) -> Any:
    """A whole layer, time first.  A mask moves the steps that count to the front, in their order, and their results
    back to their places: every mask is said so, not only one of sequences that end early."""
    kind = name_of(op).rpartition(".")[2]
    units = r.shape[1]
    carry = more[0] if kind == "LSTM" else None
    mask = more[-1] if masked else None
    attrs: dict[str, Any] = {"hidden_size": units, "activations": [f[0] for f in functions]}
    if any(f[0] in ("HardSigmoid", "Elu") for f in functions):
        attrs["activation_alpha"] = [f[1] for f in functions if f[0] in ("HardSigmoid", "Elu")]
        attrs["activation_beta"] = [f[2] for f in functions if f[0] == "HardSigmoid"] or None
    if kind == "GRU":
        attrs["linear_before_reset"] = int(reset_after)
    lengths = order = on = None
    if mask is not None:
        on = op.Cast(op.Reshape(mask, op.Shape(x, end=2)), to=7)  # [time, batch]
        time = op.Shape(x, end=1)
        place = op.Unsqueeze(op.Range(constant(0, I64), op.Squeeze(time, ints([0])), constant(1, I64)), ints([1]))
        key = op.Add(place, op.Mul(time, op.Sub(constant(1, I64), on)))
        _, order = op.add("TopK", key, time, axis=0, largest=0, outputs=2)
        x = op.GatherElements(x, op.Expand(op.Unsqueeze(order, ints([2])), op.Shape(x)), axis=0)
        lengths = op.Cast(op.ReduceSum(on, ints([0]), keepdims=0), to=6)
    batch = op.Concat(op.Shape(x, start=1, end=2), ints([units]), axis=0)
    starts = [op.Unsqueeze(op.Expand(v, batch), ints([0])) for v in (h, carry) if v is not None]
    made = op.add(kind, x, constant(w[None]), constant(r[None]), constant(b[None]), lengths, *starts,
                  outputs=1 + len(starts), **attrs)
    y = op.Squeeze(made[0], ints([1]))
    last = [op.Squeeze(v, ints([0])) for v in made[1:]]
    if on is None or lengths is None:
        return (y, *last)
    some = op.Unsqueeze(op.Greater(lengths, constant(0, I32)), ints([1]))
    last = [op.Where(some, v, op.Squeeze(s, ints([0]))) for v, s in zip(last, starts, strict=True)]
    at = op.Sub(op.CumSum(on, constant(0, I64)), constant(1, I64))
    wide = op.Unsqueeze(op.Max(at, constant(0, I64)), ints([2]))
    back = op.GatherElements(y, op.Expand(wide, op.Shape(y)), axis=0)
    keep = op.Greater(on, constant(0, I64)) if masked == "zero" else op.GreaterOrEqual(at, constant(0, I64))
    before = op.Squeeze(starts[0], ints([0])) if masked == "state" else one(x, 0)
    return (op.Where(op.Unsqueeze(keep, ints([2])), back, before), *last)


# ------------------------------------------------------------------------------------------- layers of cuDNN


_KINDS = {"lstm": ("LSTM", "ifco", "iofc"), "gru": ("GRU", "rzh", "zrh"), "rnn_tanh": ("RNN", "h", "h"),
          "rnn_relu": ("RNN", "h", "h")}
"""Mode -> ONNX's operator, the gates in cuDNN's order and in ONNX's."""


@dataclass
class _Weights:
    """What is cut from the vector: every matrix of every layer and direction, then every bias in the same order.

    ``features`` are those of the input, of ``units`` each gate has as many rows; ``skipped``: the first layer adds its
    input to each gate as it is, and has no matrices for it."""

    op: Builder
    params: Value
    gates: str
    layers: int
    directions: int
    features: int
    units: int
    skipped: bool

    def __post_init__(self) -> None:
        matrices = self._before(self.layers, 0)
        self._biases = matrices
        total = matrices + self.layers * self.directions * 2 * len(self.gates) * self.units
        if self.params.rank != 1:
            raise Unsupported("weights that are no vector")
        size = dims(self.params, what="the weights")[0]
        if size != total:
            raise Unsupported(f"{size} weights where {self.layers} layers of {self.units} units on {self.features} "
                              f"features have {total}")

    def _width(self, layer: int) -> int:
        return self.features if layer == 0 else self.units * self.directions

    def _before(self, layer: int, direction: int) -> int:
        """Where the matrices of a layer begin."""
        n, at = len(self.gates) * self.units, 0
        for k in range(layer + 1):
            one = n * (self.units + (0 if k == 0 and self.skipped else self._width(k)))
            at += one * (self.directions if k < layer else direction if k < self.layers else 0)
        return at

    def _cut(self, at: int, count: int, shape: Sequence[int], order: str) -> Any:
        """``count`` numbers as one block of ``shape`` for each gate, the gates in ``order`` behind one another."""
        op, p = self.op, self.params
        n = count // len(self.gates)
        blocks = [at + n * self.gates.index(g) for g in order]
        if p.data is not None:
            v = p.numpy()
            return constant(np.concatenate([v[k:k + n].reshape(shape) for k in blocks]))
        parts = [op.Slice(p, ints([k]), ints([k + n]), ints([0])) for k in blocks]
        whole = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=0)
        return op.Reshape(whole, ints([shape[0] * len(order), *shape[1:]]))

    def of(self, layer: int, order: str) -> tuple[Value, Value, Value]:
        """W, R and B of a layer as ONNX has them, the gates in ``order``."""
        op, n = self.op, len(self.gates) * self.units
        w, r, b = [], [], []
        for d in range(self.directions):
            at, width = self._before(layer, d), self._width(layer)
            if layer == 0 and self.skipped:
                w.append(constant(np.tile(np.eye(self.units, dtype=self.params.dtype), (len(self.gates), 1))))
            else:
                w.append(self._cut(at, n * width, (self.units, width), order))
                at += n * width
            r.append(self._cut(at, n * self.units, (self.units, self.units), order))
            at = self._biases + 2 * n * (layer * self.directions + d)
            b += [self._cut(at + k * n, n, (self.units,), order) for k in (0, 1)]
        return _stacked(op, w), _stacked(op, r), _flattened(op, b, self.directions)


def _stacked(op: Builder, parts: Sequence[Value]) -> Any:
    """Tensors put side by side along a new first axis."""
    if all(p.data is not None for p in parts):
        return constant(np.stack([p.numpy() for p in parts]))
    return op.Concat(*[op.Unsqueeze(p, ints([0])) for p in parts], axis=0)


def _flattened(op: Builder, parts: Sequence[Value], directions: int) -> Any:
    """Vectors behind one another, a row for each direction."""
    if all(p.data is not None for p in parts):
        return constant(np.concatenate([p.numpy() for p in parts]).reshape(directions, -1))
    return op.Reshape(op.Concat(*parts, axis=0), ints([directions, -1]))


@to_onnx("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(op: Builder, x: Value, h: Value, c: Value, params: Value, lengths: Value | None = None, *,
              rnn_mode: str = "lstm", input_mode: str = "linear_input", direction: str = "unidirectional",
              dropout: float = 0.0, seed: int = 0, seed2: int = 0, num_proj: int = 0, is_training: bool = True,
              time_major: bool = True) -> Any:
    """x [time, batch, features], h and c [layers * directions, batch, units]; both with the batch first if not
    ``time_major``.  Steps past the end of a sequence give zeros, and the last states are those of its end."""
    if rnn_mode not in _KINDS or direction not in ("unidirectional", "bidirectional"):
        raise Unsupported(f"{direction} {rnn_mode}")
    if num_proj:
        raise Unsupported("an LSTM whose output is projected")
    if rank(x) != 3 or rank(h, "the state") != 3:
        raise Unsupported(f"an input of {x.type} and a state of {h.type}")
    kind, gates, order = _KINDS[rnn_mode]
    count, units = dims(h, [0 if time_major else 1, 2], "the state")
    directions = 2 if direction == "bidirectional" else 1
    layers = count // directions
    if layers < 1 or count % directions:
        raise Unsupported(f"{count} states of {directions} directions")
    if dropout and is_training and layers > 1:
        raise Unsupported("dropout between the layers, as in training")
    features = _features(x, params, len(gates), layers, directions, units)
    if input_mode not in ("linear_input", "skip_input", "auto_select"):
        raise Unsupported(f"input mode {input_mode}")
    skipped = input_mode == "skip_input" or (input_mode == "auto_select" and features == units)
    if features < 1 or units < 1:
        raise Unsupported(f"{units} units on {features} features")
    if skipped and features != units:
        raise Unsupported(f"{features} features that skip to {units} units")
    weights = _Weights(op, params, gates, layers, directions, features, units, skipped)

    def turned(v: Value) -> Value:
        made: Value = v if time_major else op.Transpose(v, perm=[1, 0, 2])
        return made
    y, states = turned(x), [turned(h)] + ([turned(c)] if kind == "LSTM" else [])
    sizes = None if lengths is None or _whole(lengths, x, 0 if time_major else 1) else cast(op, lengths, I32)
    attrs: dict[str, Any] = {"hidden_size": units, "direction": "bidirectional" if directions == 2 else "forward"}
    if kind == "RNN":
        attrs["activations"] = [{"rnn_tanh": "Tanh", "rnn_relu": "Relu"}[rnn_mode]] * directions
    if kind == "GRU":
        attrs["linear_before_reset"] = 1
    last: list[list[Value]] = [[] for _ in states]
    for k in range(layers):
        starts = states if layers == 1 else [
            op.Slice(s, ints([k * directions]), ints([(k + 1) * directions]), ints([0])) for s in states]
        y, *ends = op.add(kind, y, *weights.of(k, order), sizes, *starts, outputs=1 + len(states), **attrs)
        y = op.Squeeze(y, ints([1])) if directions == 1 else op.Reshape(  # [time, directions, batch, units]
            op.Transpose(y, perm=[0, 2, 1, 3]), ints([0, 0, directions * units]))
        for found, end in zip(last, ends, strict=True):
            found.append(end)
    return turned(y), *[turned(v[0] if layers == 1 else op.Concat(*v, axis=0)) for v in last]


def _features(x: Value, params: Value, gates: int, layers: int, directions: int, units: int) -> int:
    """The features of the input: stated, or what the number of weights leaves for the matrices of the first layer."""
    if x.shape is not None and isinstance(x.shape[2], int):
        return x.shape[2]
    deeper = (layers - 1) * directions * units
    rest = dims(params, what="the weights")[0] - gates * units * directions * (layers * (units + 2) + deeper)
    return rest // max(gates * units * directions, 1) or units


def _whole(lengths: Value, x: Value, axis: int) -> bool:
    """Whether every sequence is said to be as long as ``x`` is."""
    size = x.shape[axis] if x.shape is not None else None
    if lengths.data is not None:
        return isinstance(size, int) and bool((lengths.numpy() == size).all())
    at = lengths
    while at.node is not None and at.op in ("Expand", "Cast"):
        assert at.node.inputs[0] is not None
        at = at.node.inputs[0]
    return size is not None and at.elements is not None and len(at.elements) == 1 and at.elements[0] == size
