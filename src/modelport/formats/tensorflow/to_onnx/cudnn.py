"""Recurrent layers of cuDNN, whose weights are one vector.

Sources: tensorflow/core/kernels/cudnn_rnn_ops.cc and ops/cudnn_rnn_ops.cc (arguments, layouts), NVIDIA's cuDNN
documentation of the recurrent operations (equations, the order of gates and of the weights)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .common import I32, cast, dims, ints, rank, to_onnx

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
