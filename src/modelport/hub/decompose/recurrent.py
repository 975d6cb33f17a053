"""RNN, GRU and LSTM as Scan, Scan as Loop.

Source: the operators' texts in ONNX (Operators.md) and, where these say too little (which activation takes which
alpha, what lies behind the end of a shorter sequence), ONNX Runtime's CPU kernels (core/providers/cpu/rnn)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Graph, Value, constant, rebuild
from ...ir.rules import Builder, Rules
from ...ir.types import NUMBER, Type
from .. import ranges

rules = Rules("the hub", "simpler operators")
Floats = Sequence[float]
Activation = Callable[[Builder, Value], Value]

_ALPHA = {"affine": 1.0, "leakyrelu": 0.01, "thresholdedrelu": 1.0, "scaledtanh": 1.0, "hardsigmoid": 0.2, "elu": 1.0}
_BETA = {"affine": 0.0, "scaledtanh": 1.0, "hardsigmoid": 0.5}
_PLAIN = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softsign": "Softsign", "softplus": "Softplus"}
_WITH_ALPHA = {"leakyrelu": "LeakyRelu", "thresholdedrelu": "ThresholdedRelu", "elu": "Elu"}


def ints(*values: int) -> Value:
    return constant(np.array(values, np.int64))


def activation(name: str, alpha: float, beta: float) -> Activation:
    """An activation function of a recurrent operator, by its name in any case."""
    key = name.lower()

    def number(v: float, x: Value) -> Any:
        return np.asarray(v, x.dtype)
    if key in _PLAIN:
        return lambda op, x: op.add(_PLAIN[key], x)
    if key in _WITH_ALPHA:
        return lambda op, x: op.add(_WITH_ALPHA[key], x, alpha=alpha)
    if key == "hardsigmoid":
        return lambda op, x: op.HardSigmoid(x, alpha=alpha, beta=beta)
    if key == "affine":
        return lambda op, x: op.Add(op.Mul(x, number(alpha, x)), number(beta, x))
    if key == "scaledtanh":
        return lambda op, x: op.Mul(op.Tanh(op.Mul(x, number(beta, x))), number(alpha, x))
    raise Unsupported(f"activation function '{name}'")


def activations(names: Sequence[str], default: Sequence[str], directions: int, alphas: Floats, betas: Floats,
                ) -> list[list[Activation]]:
    """The activation functions of each direction; those that have an alpha or beta take the next one given."""
    names = (list(names) or list(default) * directions)[:len(default) * directions]  # RNN's default names two
    if len(names) != len(default) * directions:
        raise Unsupported(f"{len(names)} activations for {directions} directions")
    a, b = iter(alphas), iter(betas)
    made = [activation(n, next(a, _ALPHA[n.lower()]) if n.lower() in _ALPHA else 0.0,
                       next(b, _BETA[n.lower()]) if n.lower() in _BETA else 0.0) for n in names]
    return [made[d * len(default):(d + 1) * len(default)] for d in range(directions)]


def pick(op: Builder, v: Value, index: int) -> Value:
    """One entry of the first axis; of a constant a constant."""
    if v.data is not None:
        return constant(v.numpy()[index], name=v.name)
    made: Value = op.Gather(v, np.array(index, np.int64), axis=0)
    return made


def turned(op: Builder, v: Value) -> Value:
    """A matrix transposed; of a constant a constant."""
    if v.data is not None:
        return constant(np.ascontiguousarray(v.numpy().T), name=v.name)
    made: Value = op.Transpose(v, perm=[1, 0])
    return made


def cut(op: Builder, v: Value, first: int, last: int) -> Value:
    """Entries of the first axis; of a constant a constant."""
    if v.data is not None:
        return constant(v.numpy()[first:last], name=v.name)
    made: Value = op.Slice(v, ints(first), ints(last), ints(0))
    return made


def plus(op: Builder, *terms: Value | None) -> Value | None:
    """The sum of what is there; of constants a constant."""
    there = [t for t in terms if t is not None]
    if not there:
        return None
    total = there[0]
    for t in there[1:]:
        both = total.data is not None and t.data is not None
        total = constant(total.numpy() + t.numpy(), name=total.name) if both else op.Add(total, t)
    return total


@dataclass(frozen=True)
class Layer:
    """A recurrent operator: the sequence with time first, its sizes, and what its directions share."""

    x: Value
    hidden: int
    directions: Sequence[bool]  # whether each runs backward
    layout: int
    clip: float | None
    on: Value | None  # (time, batch, 1): whether the step is within the sequence

    def limit(self, op: Builder, x: Value) -> Value:
        """``clip`` bounds what the activations take."""
        made: Value = x if self.clip is None else op.Clip(x, np.asarray(-self.clip, x.dtype),
                                                          np.asarray(self.clip, x.dtype))
        return made

    def state(self, op: Builder, given: Value | None, direction: int) -> Value:
        """(batch, hidden): the initial state of a direction."""
        batch = None if self.x.shape is None else self.x.shape[1]
        zero = np.zeros((1, self.hidden), self.x.dtype)
        if given is None and isinstance(batch, int):
            return constant(np.repeat(zero, batch, axis=0))
        made: Value
        if given is None:
            made = op.Expand(zero, op.Concat(op.Shape(self.x, start=1, end=2), ints(self.hidden), axis=0))
        else:
            made = op.Gather(given, np.array(direction, np.int64), axis=1 if self.layout else 0)
        return made

    def ahead(self, op: Builder, w: Value, bias: Value | None) -> Value:
        """The products of the inputs of all steps at once."""
        made: Value = op.MatMul(self.x, turned(op, w))
        return made if bias is None else op.Add(made, bias)

    def scan(self, op: Builder, ahead: Sequence[Value], states: Sequence[Value], captured: Sequence[Value | None],
             backward: bool, step: Callable[..., Sequence[Value]]) -> tuple[Value, ...]:
        """``step(op, ahead, states, captured)`` over time: the states after it, and the first state of every step.

        Steps behind the end of a shorter sequence leave the states alone and give zeros."""
        batch = None if self.x.shape is None else self.x.shape[1]
        inner = [Value(Type(s.dtype, (batch, self.hidden)), f"state_{k}") for k, s in enumerate(states)]
        xs = [Value(Type(a.dtype, None if a.shape is None else a.shape[1:]), f"x_{k}" if k else "x")
              for k, a in enumerate(ahead)]
        inputs = {v.name: v for v in (*inner, *xs)}
        scans = [*ahead]
        if self.on is not None:
            inputs["on"] = Value(Type(self.on.dtype, (batch, 1)), "on")
            scans.append(self.on)
        loose = [v for v in captured if v is not None and v.data is None]
        passed = {v: Value(Type(v.dtype, v.shape), f"captured_{k}") for k, v in enumerate(loose)}
        inputs.update({v.name: v for v in passed.values()})
        new = list(step(op, xs, inner, [None if v is None else passed.get(v, v) for v in captured]))
        y = new[0]
        if self.on is not None:
            y = op.Where(inputs["on"], y, np.zeros((), y.dtype))
            new = [op.Where(inputs["on"], n, old) for n, old in zip(new, inner, strict=True)]
        body = Graph(inputs, {**{f"next_{k}": v for k, v in enumerate(new)}, "y": op.Identity(y)}, "step")
        way = [int(backward)]
        made: tuple[Value, ...] = op.add(
            "Scan", *states, *scans, *passed, body=body, num_scan_inputs=len(scans), captures=len(loose) or None,
            scan_input_directions=way * len(scans), scan_output_directions=way, outputs=len(states) + 1)
        return made

    def outputs(self, op: Builder, made: Sequence[tuple[Value, ...]]) -> list[Value]:
        """Y and the last states of all directions, from the states and Y of each; the batch first in layout 1."""
        axis = 2 if self.layout else 1
        *lasts, ys = zip(*made, strict=True)
        if self.layout:
            ys = tuple(op.Transpose(y, perm=[1, 0, 2]) for y in ys)
        return [joined(op, [op.Unsqueeze(y, ints(axis)) for y in ys], axis),
                *(joined(op, [op.Unsqueeze(v, ints(axis - 1)) for v in last], axis - 1) for last in lasts)]


def joined(op: Builder, parts: Sequence[Value], axis: int) -> Value:
    made: Value = parts[0] if len(parts) == 1 else op.Concat(*parts, axis=axis)
    return made


def layer(op: Builder, x: Value, r: Value, lengths: Value | None, direction: str, hidden_size: int, layout: int,
          clip: float | None) -> Layer:
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    if direction not in ways:
        raise Unsupported(f"direction '{direction}'")
    hidden = r.shape[-1] if r.shape is not None and isinstance(r.shape[-1], int) else hidden_size
    if x.rank != 3 or not hidden:
        raise Unsupported(f"a sequence of {x.type}")
    if layout:
        x = op.Transpose(x, perm=[1, 0, 2])
    on = None if lengths is None else _within(op, x, lengths)
    return Layer(x, hidden, ways[direction], layout, clip or None, on)


def _within(op: Builder, x: Value, lengths: Value) -> Value | None:
    """(time, batch, 1): whether a step lies within its sequence; ``None`` if all do."""
    time = None if x.shape is None else x.shape[0]
    if lengths.data is not None and isinstance(time, int) and (lengths.numpy() >= time).all():
        return None
    if isinstance(time, int):
        steps = constant(np.arange(time, dtype=np.int32)[:, None])
    else:
        count = op.Cast(op.Squeeze(op.Shape(x, start=0, end=1), ints(0)), to=NUMBER[np.dtype(np.int32)])
        steps = op.Unsqueeze(op.Range(np.int32(0), count, np.int32(1)), ints(1))
    made: Value = op.Unsqueeze(op.Less(steps, op.Unsqueeze(lengths, ints(0))), ints(2))
    return made


def _halves(op: Builder, b: Value | None, d: int, size: int) -> tuple[Value | None, Value | None]:
    """The biases of the input and of the recurrence."""
    if b is None:
        return None, None
    own = pick(op, b, d)
    return cut(op, own, 0, size), cut(op, own, size, 2 * size)


@rules("RNN")
def rnn(op: Builder, x: Value, w: Value, r: Value, b: Value | None = None, sequence_lens: Value | None = None,
        initial_h: Value | None = None, *, activation_alpha: Floats = (), activation_beta: Floats = (),
        activations: Sequence[str] = (), clip: float | None = None, direction: str = "forward", hidden_size: int = 0,
        layout: int = 0) -> Any:
    """H = f(X W + Wb + H R + Rb)."""
    shared = layer(op, x, r, sequence_lens, direction, hidden_size, layout, clip)
    functions = _functions(activations, ["Tanh"], shared, activation_alpha, activation_beta)
    made = []
    for d, backward in enumerate(shared.directions):
        (f,), bias = functions[d], plus(op, *_halves(op, b, d, shared.hidden))

        def step(op: Builder, ahead: Sequence[Value], states: Sequence[Value], captured: Sequence[Any],
                 f: Activation = f) -> Sequence[Value]:
            return [f(op, shared.limit(op, op.Add(ahead[0], op.MatMul(states[0], captured[0]))))]
        made.append(shared.scan(op, [shared.ahead(op, pick(op, w, d), bias)], [shared.state(op, initial_h, d)],
                           [turned(op, pick(op, r, d))], backward, step))
    return shared.outputs(op, made)


def _functions(names: Sequence[str], default: Sequence[str], shared: Layer, alphas: Floats, betas: Floats,
               ) -> list[list[Activation]]:
    return activations(names, default, len(shared.directions), alphas, betas)


@rules("GRU")
def gru(op: Builder, x: Value, w: Value, r: Value, b: Value | None = None, sequence_lens: Value | None = None,
        initial_h: Value | None = None, *, activation_alpha: Floats = (), activation_beta: Floats = (),
        activations: Sequence[str] = (), clip: float | None = None, direction: str = "forward", hidden_size: int = 0,
        layout: int = 0, linear_before_reset: int = 0) -> Any:
    """Update, reset and hidden gate: H = (1 - z) h + z H, where h reads r H R or r (H R)."""
    shared = layer(op, x, r, sequence_lens, direction, hidden_size, layout, clip)
    functions = _functions(activations, ["Sigmoid", "Tanh"], shared, activation_alpha, activation_beta)
    n, made = shared.hidden, []
    spans = (0, 2 * n), (2 * n, 3 * n)  # two products: kernels that cut unevenly are slower, or there are none
    for d, backward in enumerate(shared.directions):
        (f, g), own, given = functions[d], pick(op, r, d), pick(op, w, d)
        outer, inner = _halves(op, b, d, 3 * n)
        biases, late = [], None
        for first, last in spans:
            parts = [None if v is None else cut(op, v, first, last) for v in (outer, inner)]
            if linear_before_reset and first:  # the hidden gate's bias is reset too
                late = parts.pop()
            biases.append(plus(op, *parts))
        weights = [turned(op, cut(op, own, *span)) for span in spans]

        def step(op: Builder, ahead: Sequence[Value], states: Sequence[Value], captured: Sequence[Any],
                 f: Activation = f, g: Activation = g) -> Sequence[Value]:
            (early, last), (h,), (gates, hidden, late) = ahead, states, captured
            z, reset = op.add("Split", f(op, shared.limit(op, op.Add(early, op.MatMul(h, gates)))), axis=-1,
                              num_outputs=2, outputs=2)
            if linear_before_reset:
                linear = op.MatMul(h, hidden)
                kept = op.Mul(reset, linear if late is None else op.Add(linear, late))
            else:
                kept = op.MatMul(op.Mul(reset, h), hidden)
            new = g(op, shared.limit(op, op.Add(last, kept)))
            return [op.Add(op.Mul(op.Sub(np.ones((), x.dtype), z), new), op.Mul(z, h))]
        ahead = [shared.ahead(op, cut(op, given, *span), bias) for span, bias in zip(spans, biases, strict=True)]
        made.append(shared.scan(op, ahead,
                           [shared.state(op, initial_h, d)], [*weights, late], backward, step))
    return shared.outputs(op, made)


@rules("LSTM")
def lstm(op: Builder, x: Value, w: Value, r: Value, b: Value | None = None, sequence_lens: Value | None = None,
         initial_h: Value | None = None, initial_c: Value | None = None, p: Value | None = None, *,
         activation_alpha: Floats = (), activation_beta: Floats = (), activations: Sequence[str] = (),
         clip: float | None = None, direction: str = "forward", hidden_size: int = 0, input_forget: int = 0,
         layout: int = 0) -> Any:
    """Input, output, forget and cell gate: C = f C + i c, H = o h(C); peepholes let the gates read the cell."""
    shared = layer(op, x, r, sequence_lens, direction, hidden_size, layout, clip)
    functions = _functions(activations, ["Sigmoid", "Tanh", "Tanh"], shared, activation_alpha, activation_beta)
    n, made = shared.hidden, []
    for d, backward in enumerate(shared.directions):
        (f, g, h), bias = functions[d], plus(op, *_halves(op, b, d, 4 * n))
        eyes = [None] * 3 if p is None else [cut(op, pick(op, p, d), k * n, (k + 1) * n) for k in range(3)]

        def step(op: Builder, ahead: Sequence[Value], states: Sequence[Value], captured: Sequence[Any],
                 f: Activation = f, g: Activation = g, h: Activation = h) -> Sequence[Value]:
            (hidden, cell), (gates, see_in, see_out, see_forget) = states, captured
            total = op.Add(ahead[0], op.MatMul(hidden, gates))

            def gate(at: int, see: Value | None, c: Value, function: Activation) -> Value:
                s = parts[at] if see is None else op.Add(parts[at], op.Mul(see, c))
                return function(op, shared.limit(op, s))
            parts = op.add("Split", total, axis=-1, num_outputs=4, outputs=4)
            put = gate(0, see_in, cell, f)
            forget = op.Sub(np.ones((), x.dtype), put) if input_forget else gate(2, see_forget, cell, f)
            cell = op.Add(op.Mul(forget, cell), op.Mul(put, gate(3, None, cell, g)))
            return [op.Mul(gate(1, see_out, cell, f), h(op, cell)), cell]
        made.append(shared.scan(
            op, [shared.ahead(op, pick(op, w, d), bias)], [shared.state(op, v, d) for v in (initial_h, initial_c)],
            [turned(op, pick(op, r, d)), *eyes], backward, step))
    return shared.outputs(op, made)


@rules("Scan")
def scan(op: Builder, *values: Value, body: Graph, num_scan_inputs: int, scan_input_axes: Sequence[int] = (),
         scan_input_directions: Sequence[int] = (), scan_output_axes: Sequence[int] = (),
         scan_output_directions: Sequence[int] = (), captures: int = 0) -> Any:
    """A Loop that takes the next element of each sequence; what goes backward is turned round before and behind it."""
    states = len(values) - num_scan_inputs - captures
    if not num_scan_inputs or states < 0:
        raise Unsupported("without a sequence")
    first, scans, captured = (values[:states], values[states:states + num_scan_inputs],
                              values[states + num_scan_inputs:])
    if any(v.rank is None for v in scans):
        raise Unsupported("over values of unknown rank")
    axes = [a % (v.rank or 1) for a, v in zip(scan_input_axes or [0] * len(scans), scans, strict=True)]
    back = scan_input_directions or [0] * len(scans)
    scans = tuple(backward(op, v, axis) if way else v for v, axis, way in zip(scans, axes, back, strict=True))
    count = op.Squeeze(op.Shape(scans[0], start=axes[0], end=axes[0] + 1), ints(0))
    turn, go = Value(Type(np.dtype(np.int64), ()), "turn"), Value(Type(np.dtype(bool), ()), "going")
    ranges.state(turn, ranges.COUNT)
    olds = list(body.inputs.items())
    flows, caught = dict(olds[:states]), dict(olds[states + num_scan_inputs:])
    rows = [Value(Type(v.dtype, v.shape), f"sequence_{k}") for k, v in enumerate(scans)]
    taken = [op.Gather(v, turn, axis=axis) for v, axis in zip(rows, axes, strict=True)]
    ins = [*flows.values(), *taken, *caught.values()]
    for v, (_, old) in zip(ins, olds, strict=True):
        if v is not old and v.rank is None:
            v.type = old.type
    step = rebuild(body, lambda node: None, dict(zip(body.inputs, ins, strict=True)))
    # scalars are stacked as vectors of one: ONNX's reference evaluator would stack them so in any case
    own = list(step.outputs.values())
    made = [op.Unsqueeze(v, ints(0)) if k >= states and v.rank == 0 else v for k, v in enumerate(own)]
    inputs = {"turn": turn, "going": go, **{f"flow_{k}": v for k, v in enumerate(flows.values())},
              **{v.name: v for v in rows}, **{f"caught_{k}": v for k, v in enumerate(caught.values())}}
    inner = Graph(inputs, {"more": op.Identity(go), **{f"out_{k}": v for k, v in enumerate(_own(op, made))}}, body.name)
    outs = op.add("Loop", count, np.array(True), *first, *scans, *captured, body=inner, captures=len(scans) + captures,
                  outputs=len(step.outputs))
    stacked = []
    for k, y in enumerate(outs[states:]):
        if own[states + k].rank == 0:
            y = op.Squeeze(y, ints(1))
        axis = scan_output_axes[k] if scan_output_axes else 0
        if scan_output_directions and scan_output_directions[k]:
            y = backward(op, y, 0)
        if axis:
            if y.rank is None:
                raise Unsupported("elements of unknown rank")
            axis %= y.rank
            y = op.Transpose(y, perm=[*range(1, axis + 1), 0, *range(axis + 1, y.rank)])
        stacked.append(y)
    return [*outs[:states], *stacked]


def backward(op: Builder, x: Value, axis: int) -> Value:
    """A sequence turned round."""
    made: Value = op.Slice(x, ints(-1), ints(np.iinfo(np.int64).min), ints(axis), ints(-1))
    return made


def _own(op: Builder, outputs: Any) -> list[Value]:
    """The outputs of a body, each made by a node of its own, as ONNX wants it."""
    seen: set[Value] = set()
    made = []
    for v in outputs:
        made.append(op.Identity(v) if v.node is None or v in seen else v)
        seen.add(v)
    return made
