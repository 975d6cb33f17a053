"""Recurrent layers: as ONNX's operators where these have the activations, else as Scan.

A mask may have any form.  What counts is first moved together at the beginning (the order kept), ONNX's operator runs
over as many steps as each example has, and its outputs are spread again: a step that does not count repeats the output
before it, or is zero.  ``go_backwards`` reads a sequence from its end and keeps that order in its outputs."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder, static
from ....ir.types import Type
from .activation import activated
from .common import (
    BOOL,
    I32,
    I64,
    INT_MAX,
    axis_of,
    cast,
    dims,
    first,
    flip,
    generation,
    ints,
    number,
    once,
    rank,
    real,
    room,
    to_onnx,
)
from .conv import convolve

ONNX = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu", "linear": "Affine", "hard_sigmoid": "HardSigmoid",
        "softsign": "Softsign", "softplus": "Softplus"}
"""The activations of ONNX's recurrent operators that Keras has too."""


@dataclass(frozen=True)
class Settings:
    """How a layer runs over its sequence."""

    sequences: bool
    backwards: bool
    zero: bool
    time_major: bool


def _activations(op: Builder, names: Sequence[str]) -> dict[str, Any] | None:
    """The attributes that say the activations; ``None`` if ONNX's operators lack one.

    Parameters are listed for those functions that have some, in order; to be read the same by every runtime, functions
    without must not come before them."""
    if any(n not in ONNX for n in names):
        return None
    slope = 1 / 6 if generation(op) == 3 else 0.2
    given = {"hard_sigmoid": (slope, 0.5), "linear": (1.0, 0.0)}
    has = [n in given for n in names]
    if not any(has):
        return {"activations": [ONNX[n] for n in names]}
    if sorted(has, reverse=True) != has:
        return None
    if not all(has) and generation(op) != 3 and "hard_sigmoid" not in names:
        return None
    alphas, betas = zip(*(given[n] for n in names if n in given), strict=True)
    return {"activations": [ONNX[n] for n in names], "activation_alpha": list(alphas), "activation_beta": list(betas)}


def _gates(w: Any, order: str, wanted: str) -> Any:
    blocks = np.split(w, len(order), axis=-1)
    return np.concatenate([blocks[order.index(g)] for g in wanted], axis=-1)


class _Sequence:
    """The input of a layer in the order that its operator reads it, and the way back to Keras's outputs."""

    def __init__(self, op: Builder, x: Value, mask: Value | None, how: Settings) -> None:
        self.op, self.how = op, how
        if rank(x) != 3:
            raise Unsupported(f"a sequence of {rank(x)} dimensions")
        if mask is not None and rank(mask) != 2:
            raise Unsupported(f"a mask of {rank(mask)} dimensions")
        if how.time_major:
            x = op.Transpose(x, perm=[1, 0, 2])
            mask = None if mask is None else op.Transpose(mask, perm=[1, 0])
        self.reverse = how.backwards and mask is None
        if how.backwards and mask is not None:
            x, mask = flip(op, x, 1), flip(op, mask, 1)
        self.x, self.mask = x, mask
        self.lens: Value | None = None
        if mask is not None:
            self._together(x, mask)

    def _together(self, x: Value, mask: Value) -> None:
        op = self.op
        self.counts = cast(op, mask, I64)
        size = op.Shape(mask, start=1, end=2)
        places = op.Range(np.int64(0), op.Squeeze(size), np.int64(1))
        key = op.Add(places, op.Mul(op.Sub(np.int64(1), self.counts), size))
        _, order = op.add("TopK", key, size, axis=1, largest=0, outputs=2)
        self.x = op.GatherND(x, op.Unsqueeze(order, ints([2])), batch_dims=1)
        self.x.type = Type(self.x.dtype, x.shape)
        self.lens = cast(op, op.ReduceSum(self.counts, ints([1]), keepdims=0), I32)

    def steps(self) -> Value:
        """Steps first, as ONNX's operators have them."""
        made: Value = self.op.Transpose(self.x, perm=[1, 0, 2])
        return made

    def spread(self, y: Value, units: int) -> Value:
        """The outputs of the layer, from those of the operator (batch first)."""
        op = self.op
        if self.mask is not None:
            reached = op.Sub(op.CumSum(self.counts, np.int64(1)), np.int64(1))
            shape = op.Concat(op.Shape(self.mask), ints([units]), axis=0)
            wide = op.Expand(op.Unsqueeze(op.Max(reached, np.int64(0)), ints([2])), shape)
            y = op.GatherElements(y, wide, axis=1)
            shown = self.mask if self.how.zero else op.GreaterOrEqual(reached, np.int64(0))
            y = op.Where(op.Unsqueeze(shown, ints([2])), y, number(y, 0))
        if self.reverse:
            y = flip(op, y, 1)
        return op.Transpose(y, perm=[1, 0, 2]) if self.how.time_major else y

    def last(self, h: Value, given: bool) -> Value:
        """The output of the last step, from the last state."""
        op = self.op
        if self.mask is None:
            return h
        if self.how.zero:
            shown = op.Squeeze(op.Slice(self.mask, ints([-1]), ints([INT_MAX]), ints([1])), ints([1]))
        elif given:  # no step counts: the output is zero, though the state is what it was at first
            shown = op.Greater(op.ReduceSum(self.counts, ints([1]), keepdims=0), np.int64(0))
        else:
            return h
        made: Value = op.Where(op.Unsqueeze(shown, ints([1])), h, number(h, 0))
        return made


def _fused(op: Builder, name: str, seq: _Sequence, states: Sequence[Value | None], w: Value, r: Value, b: Value | None,
           units: int, **attrs: Any) -> Any:
    """ONNX's operator over the sequence: outputs (batch first) and last states."""
    starts = [None if s is None else op.Unsqueeze(s, ints([0])) for s in states]
    n = 1 + len(states)
    made = op.add(name, seq.steps(), w, r, b, seq.lens, *starts, hidden_size=units, outputs=n,
                  direction="reverse" if seq.reverse else "forward", **attrs)
    y = op.Transpose(op.Squeeze(made[0], ints([1])), perm=[1, 0, 2])
    last = []
    for s, end in zip(states, made[1:], strict=True):
        h = op.Squeeze(end, ints([0]))
        if s is not None and seq.lens is not None:  # an example of which no step counts keeps its state
            h = op.Where(op.Unsqueeze(op.Greater(seq.lens, np.int32(0)), ints([1])), h, s)
        last.append(h)
    return y, last


Step = Callable[[Builder, Value, Sequence[Value]], "Sequence[Value]"]
"""One step: the input, the states -> the new states, of which the first is the output."""


def scanned(op: Builder, seq: _Sequence, states: Sequence[Value], step: Step) -> Any:
    """Any cell, by Scan: outputs (batch first) and last states."""
    inner = {f"s{k}": Value(v.type, f"s{k}") for k, v in enumerate(states)}
    size = seq.x.shape or ()
    x = Value(Type(seq.x.dtype, (size[0], *size[2:])), "x")
    new = list(step(op, x, list(inner.values())))
    lens, inputs, outputs = seq.lens, list(states), {}
    if lens is not None:
        inner["t"] = Value(Type(I32, (size[0], 1)), "t")
        going = op.Greater(inner["t"], np.int32(0))
        new = [op.Where(going, a, b) for a, b in zip(new, list(inner.values())[:len(states)], strict=True)]
        inputs.append(op.Unsqueeze(lens, ints([1])))
        outputs = {"t_next": op.Sub(inner["t"], np.int32(1))}
    after = {f"s{k}_next": v for k, v in enumerate(new)}
    body = Graph({**inner, "x": x}, {**after, **outputs, "y": op.Identity(new[0])}, "step")
    way = int(seq.reverse)
    made = op.add("Scan", *inputs, seq.x, body=body, num_scan_inputs=1, scan_input_axes=[1], scan_output_axes=[1],
                  scan_input_directions=[way], scan_output_directions=[way], outputs=len(inputs) + 1)
    return made[-1], list(made[:len(states)])


def _zeros(op: Builder, x: Value, units: int) -> Value:
    """A state of zeros for the batch of ``x``."""
    batch = (x.shape or (None,))[0]
    if isinstance(batch, int):
        room(batch, units)
        return constant(np.zeros((batch, units), x.dtype))
    made: Value = op.Expand(constant(np.zeros((1, 1), x.dtype)), op.Concat(op.Shape(x, start=0, end=1), ints([units]),
                                                                          axis=0))
    made.type = Type(made.dtype, (batch, units))
    return made


def _starts(op: Builder, seq: _Sequence, states: Sequence[Value | None], units: int) -> list[Value]:
    return [_zeros(op, seq.x, units) if s is None else s for s in states]


def _result(op: Builder, seq: _Sequence, y: Value, last: list[Value], units: int, given: bool) -> Any:
    out = seq.spread(y, units) if seq.how.sequences else seq.last(last[0], given)
    return out, *last


def _how(return_sequences: bool, go_backwards: bool, zero: bool, time_major: bool) -> Settings:
    return Settings(bool(return_sequences), bool(go_backwards), bool(zero), bool(time_major))


@to_onnx("LSTM", "CuDNNLSTM")
def lstm(op: Builder, x: Value, mask: Value | None, h: Value | None, c: Value | None, kernel: Value, recurrent: Value,
         bias: Value | None = None, *, units: int, activation: str = "tanh", recurrent_activation: str = "sigmoid",
         use_bias: bool = True, return_sequences: bool = False, return_state: bool = False,
         go_backwards: bool = False, zero_output_for_mask: bool = False, time_major: bool = False) -> Any:
    seq = _Sequence(op, real(op, x), mask, _how(return_sequences, go_backwards, zero_output_for_mask, time_major))
    given = h is not None
    cudnn = bias is not None and bias.shape == (8 * units,)
    names = [recurrent_activation, activation, activation]
    attrs = _activations(op, names)
    if attrs is not None:
        w = once(op, (kernel, "iofc"), lambda: constant(_turned(_gates(static(kernel), "ifco", "iofc"))))
        r = once(op, (recurrent, "iofc"), lambda: constant(_turned(_gates(static(recurrent), "ifco", "iofc"))))

        def biases() -> Value:
            b = static(bias)
            parts = np.split(b, 2) if cudnn else [b, np.zeros_like(b)]
            return constant(np.concatenate([_gates(p, "ifco", "iofc") for p in parts])[None])
        b = None if bias is None else once(op, (bias, "iofc"), biases)
        y, last = _fused(op, "LSTM", seq, [h, c], w, r, b, units, **attrs)
        return _result(op, seq, y, last, units, given)

    def step(op: Builder, x: Value, states: Sequence[Value]) -> Sequence[Value]:
        total = op.Add(op.MatMul(x, kernel), op.MatMul(states[0], recurrent))
        if bias is not None:
            total = op.Add(total, _summed(bias) if cudnn else bias)
        i, f, new, o = op.add("Split", total, axis=-1, num_outputs=4, outputs=4)
        i, f, o = (activated(op, g, recurrent_activation) for g in (i, f, o))
        cell = op.Add(op.Mul(f, states[1]), op.Mul(i, activated(op, new, activation)))
        return op.Mul(o, activated(op, cell, activation)), cell
    y, last = scanned(op, seq, _starts(op, seq, [h, c], units), step)
    return _result(op, seq, y, last, units, given)


def _turned(w: Any) -> Any:
    """A kernel as ONNX has it: one direction, rows for units."""
    return np.ascontiguousarray(w.T)[None]


def _summed(bias: Value) -> Value:
    return constant(sum(np.split(static(bias), 2)))


@to_onnx("GRU", "CuDNNGRU")
def gru(op: Builder, x: Value, mask: Value | None, h: Value | None, kernel: Value, recurrent: Value,
        bias: Value | None = None, *, units: int, activation: str = "tanh", recurrent_activation: str = "sigmoid",
        use_bias: bool = True, reset_after: bool = False, return_sequences: bool = False, return_state: bool = False,
        go_backwards: bool = False, zero_output_for_mask: bool = False, time_major: bool = False) -> Any:
    assert op.node is not None
    seq = _Sequence(op, real(op, x), mask, _how(return_sequences, go_backwards, zero_output_for_mask, time_major))
    given = h is not None
    after = reset_after or op.node.op == "CuDNNGRU"
    two = None
    if bias is not None:
        two = once(op, (bias, "two"), lambda: constant(
            static(bias).reshape(2, -1) if after else np.stack([static(bias), np.zeros_like(static(bias))])))
        if two.shape != (2, 3 * units):
            raise Unsupported("a bias of another shape")
    attrs = _activations(op, [recurrent_activation, activation])
    if attrs is not None:  # both have the gates z, r, h
        w = once(op, (kernel, "zrh"), lambda: constant(_turned(static(kernel))))
        r = once(op, (recurrent, "zrh"), lambda: constant(_turned(static(recurrent))))
        flat = None if two is None else once(op, (bias, "flat"), lambda: constant(two.numpy().reshape(1, -1)))
        y, last = _fused(op, "GRU", seq, [h], w, r, flat, units, linear_before_reset=int(after), **attrs)
        return _result(op, seq, y, last, units, given)

    def step(op: Builder, x: Value, states: Sequence[Value]) -> Sequence[Value]:
        u = static(recurrent)
        xs = op.MatMul(x, kernel)
        xs = xs if two is None else op.Add(xs, two.numpy()[0])
        xz, xr, xh = op.add("Split", xs, axis=-1, num_outputs=3, outputs=3)
        prior = states[0]
        if after:
            hs = op.MatMul(prior, recurrent)
            hs = hs if two is None else op.Add(hs, two.numpy()[1])
            hz, hr, hh = op.add("Split", hs, axis=-1, num_outputs=3, outputs=3)
        else:
            hz, hr = (op.MatMul(prior, np.ascontiguousarray(u[:, k * units:(k + 1) * units])) for k in (0, 1))
        z, reset = (activated(op, op.Add(a, b), recurrent_activation) for a, b in ((xz, hz), (xr, hr)))
        if after:
            new = op.Add(xh, op.Mul(reset, hh))
        else:
            new = op.Add(xh, op.MatMul(op.Mul(reset, prior), np.ascontiguousarray(u[:, 2 * units:])))
        new = activated(op, new, activation)
        return (op.Add(op.Mul(z, prior), op.Mul(op.Sub(number(z, 1), z), new)),)
    y, last = scanned(op, seq, _starts(op, seq, [h], units), step)
    return _result(op, seq, y, last, units, given)


@to_onnx("SimpleRNN")
def simple_rnn(op: Builder, x: Value, mask: Value | None, h: Value | None, kernel: Value, recurrent: Value,
               bias: Value | None = None, *, units: int, activation: str = "tanh", use_bias: bool = True,
               return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
               zero_output_for_mask: bool = False, time_major: bool = False) -> Any:
    seq = _Sequence(op, real(op, x), mask, _how(return_sequences, go_backwards, zero_output_for_mask, time_major))
    given = h is not None
    attrs = _activations(op, [activation])
    if attrs is not None:
        w = once(op, (kernel, "h"), lambda: constant(_turned(static(kernel))))
        r = once(op, (recurrent, "h"), lambda: constant(_turned(static(recurrent))))
        b = None if bias is None else once(op, (bias, "h"), lambda: constant(
            np.concatenate([static(bias), np.zeros_like(static(bias))])[None]))
        y, last = _fused(op, "RNN", seq, [h], w, r, b, units, **attrs)
        return _result(op, seq, y, last, units, given)

    def step(op: Builder, x: Value, states: Sequence[Value]) -> Sequence[Value]:
        total = op.Add(op.MatMul(x, kernel), op.MatMul(states[0], recurrent))
        return (activated(op, total if bias is None else op.Add(total, bias), activation),)
    y, last = scanned(op, seq, _starts(op, seq, [h], units), step)
    return _result(op, seq, y, last, units, given)


@to_onnx("Bidirectional")
def bidirectional(op: Builder, forward: Value, backward: Value, *, merge_mode: str | None = "concat",
                  return_sequences: bool = False) -> Any:
    """The two directions as one; the second reads backwards, so its sequence is turned first."""
    if return_sequences:
        backward = flip(op, backward, 1)
    if merge_mode is None:
        return op.Identity(forward), op.Identity(backward)
    if merge_mode == "concat":
        return op.Concat(forward, backward, axis=axis_of(forward, -1))
    if merge_mode in ("sum", "ave"):
        y = op.Add(forward, backward)
        return y if merge_mode == "sum" else op.Mul(y, number(y, 0.5))
    if merge_mode == "mul":
        return op.Mul(forward, backward)
    raise Unsupported(f"merge_mode {merge_mode}")


@to_onnx("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
def conv_lstm(op: Builder, x: Value, mask: Value | None, h: Value | None, c: Value | None, kernel: Value,
              recurrent: Value, bias: Value | None = None, *, filters: int, kernel_size: Any = None, strides: Any = 1,
              padding: str = "valid", data_format: str = "channels_last", dilation_rate: Any = 1,
              activation: str = "tanh", recurrent_activation: str = "hard_sigmoid", use_bias: bool = True,
              return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
              zero_output_for_mask: bool = False, time_major: bool = False, units: Any = None, rank: Any = None) -> Any:
    """Convolutions of the input and of the state; those of the input are made for all steps at once.

    Where a step does not count, states stay and the output is the one before, at first zero."""
    x = real(op, x)
    n = x.rank or 0
    if n < 4:
        raise Unsupported(f"a sequence of {n} dimensions")
    turned = first(data_format)
    if turned:
        x = op.Transpose(x, perm=[0, 1, *range(3, n), 2])
        h, c = (s if s is None else op.Transpose(s, perm=[0, *range(2, n - 1), 1]) for s in (h, c))
        data_format = "channels_last"
    if go_backwards:
        x, mask = flip(op, x, 1), mask if mask is None else flip(op, mask, 1)
    folded = op.Reshape(x, op.Concat(ints([-1]), op.Shape(x, start=2), axis=0))
    gates = convolve(op, folded, kernel, bias, strides, padding, data_format, dilation_rate)
    image = dims(gates, range(1, n - 1))
    steps = (x.shape or ())[1]
    head = op.Shape(x, start=0, end=2) if not isinstance(steps, int) else ints([-1, steps])
    gates = op.Reshape(gates, op.Concat(head, ints(image), axis=0))
    gates.type = Type(gates.dtype, (*(x.shape or ())[:2], *image))
    shape = [*image[:-1], filters]
    batch = (x.shape or (None,))[0]
    starts = []
    for s in (h, c):
        if s is None:
            s = op.Expand(constant(np.zeros([1] * (n - 1), x.dtype)),
                          op.Concat(op.Shape(x, start=0, end=1), ints(shape), axis=0))
            s.type = Type(x.dtype, (batch, *shape))
        starts.append(s)
    inner = {"h": Value(starts[0].type, "h"), "c": Value(starts[1].type, "c"),
             "x": Value(Type(x.dtype, (batch, *image)), "x")}
    total = op.Add(inner["x"], convolve(op, inner["h"], recurrent, None, 1, "same", data_format, 1))
    i, f, new, o = op.add("Split", total, axis=-1, num_outputs=4, outputs=4)
    i, f, o = (activated(op, g, recurrent_activation) for g in (i, f, o))
    cell = op.Add(op.Mul(f, inner["c"]), op.Mul(i, activated(op, new, activation)))
    out = op.Mul(o, activated(op, cell, activation))
    outputs = {"h_next": out, "c_next": cell}
    scanned_in, shown = [gates], out
    if mask is not None:
        inner = {"h": inner["h"], "c": inner["c"], "before": Value(starts[0].type, "before"), "x": inner["x"],
                 "m": Value(Type(BOOL, (batch,)), "m")}
        on = op.Unsqueeze(inner["m"], ints(range(1, n - 1)))
        zero = zero_output_for_mask and generation(op) == 3  # the older layer has no such argument
        shown = op.Where(on, out, number(out, 0) if zero else inner["before"])
        outputs = {"h_next": op.Where(on, out, inner["h"]), "c_next": op.Where(on, cell, inner["c"]),
                   "before_next": shown}
        starts.append(op.Mul(starts[0], number(x, 0)))
        scanned_in.append(cast(op, mask, BOOL))
    body = Graph(inner, {**outputs, "y": op.Identity(shown)}, "step")
    last_h, last_c, *more, y = op.add("Scan", *starts, *scanned_in, body=body, num_scan_inputs=len(scanned_in),
                                      scan_input_axes=[1] * len(scanned_in), scan_output_axes=[1],
                                      outputs=len(starts) + 1)
    last = more[0] if more else last_h
    if turned:
        y = op.Transpose(y, perm=[0, 1, n - 1, *range(2, n - 1)])
        last, last_h, last_c = (op.Transpose(v, perm=[0, n - 2, *range(1, n - 2)]) for v in (last, last_h, last_c))
    return (y if return_sequences else last), last_h, last_c
