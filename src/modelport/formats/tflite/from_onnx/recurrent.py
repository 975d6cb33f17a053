"""Recurrent layers as the kernels that keep their state between runs.

Source: tensorflow/lite/kernels: unidirectional_sequence_lstm.cc, bidirectional_sequence_lstm.cc, lstm_eval.cc,
unidirectional_sequence_rnn.cc."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Node, Value, constant
from ....ir.rules import Builder, static
from ....ir.tensor import Array
from ....ir.types import Quant, Type
from ...writing import dims, rank
from ..carriers import same
from .common import F32, carry, cast, from_onnx, fused, ints, transpose

_FUNCTIONS = {"tanh": "TANH", "relu": "RELU"}
LAYER = "tflite.Layer"
"""A whole layer with zeros as its first state, which a Scan was recognised as (see ``..decompose.recurrent``).

Inputs as those of UNIDIRECTIONAL_SEQUENCE_LSTM up to the states, outputs the sequence and the last states."""
STATEFUL = "its state is kept between runs: reset_all_variables() begins a new sequence"


UNSTACK = "tflite.Unstack"
"""All elements of an axis (see ``..decompose.recurrent``)."""


@from_onnx(UNSTACK)
def unstack(tfl: Builder, x: Value, *, axis: int) -> Any:
    assert tfl.node is not None
    outs = tfl.node.outputs
    x = carry(tfl, x, "f4 i4 i8 i1 u1 i2 b1")
    return tfl.UNPACK(x, num=len(outs), axis=axis, outputs=len(outs), type=[Type(x.dtype, o.shape) for o in outs])


SVDF = "tflite.Svdf"
"""A layer of filters over the last steps with zeros as its first state (see ``..decompose.svdf``)."""


@from_onnx(SVDF)
def svdf(tfl: Builder, x: Value, feature: Value, time: Value, bias: Value | None = None, *, rank: int, relu: int = 0,
         quants: Sequence[float] = ()) -> Any:
    """``quants`` of an integer layer, whose weights are the integers: scales of input, feature and time weights and
    bias, zero point of the input, step of the state, scale and zero point of the output."""
    tfl.note("changed", STATEFUL)
    weights = transpose(tfl, feature, [1, 0])
    size = (dims(x)[0], int(np.prod(dims(time))))
    options = {"rank": rank, "fused_activation_function": "RELU" if relu else "NONE",
               "asymmetric_quantize_inputs": False, "outputs": 2}
    if not quants:
        state = _zeros(*size)
        return tfl.SVDF(x, weights, time, None, state, type=[tfl.out, state.type], **options)[0]
    inside, result = _quant(quants[0], quants[4]), _quant(*quants[6:8])
    given = x.node.inputs[0] if x.node is not None and x.op == "DEQUANTIZE" else None
    if given is None or given.dtype != np.int8:
        given = tfl.QUANTIZE(x, type=Type(np.dtype(np.int8), x.shape, inside))
    elif not same(given.type.quant, inside):
        raise Unsupported("an input of another quantization")
    ins = [None if v is None else Value(Type(v.dtype, v.shape, _quant(s, 0)), v.name, data=v.data)
           for v, s in zip((weights, time, bias), quants[1:4], strict=True)]
    kept = Value(Type(np.dtype(np.int16), size, _quant(quants[5], 0)), data=constant(np.zeros(size, np.int16)).data)
    out = Type(np.dtype(np.int8), tfl.out.shape, result)
    return tfl.SVDF(given, *ins, kept, type=[out, kept.type], **options)[0]


@from_onnx(LAYER)
def layer(tfl: Builder, x: Value, *weights: Value | None, cell_clip: float, proj_clip: float, time_major: int,
          function: str, quants: Sequence[float] = ()) -> Any:
    """``quants`` of an integer layer: scale and zero point of the input, scales of the eight weights, scale and zero
    point of the output, and the step of the cells."""
    tfl.note("changed", STATEFUL)
    batch = _batch(x, 1 if time_major else 0)
    units = _rows(weights[1])
    out = _rows(weights[15] if len(weights) > 15 else None) or units
    if quants:
        return _integer(tfl, x, weights, batch, units, quants, cell_clip, bool(time_major))
    states = [_zeros(batch, out), _zeros(batch, units)]
    y, h, c = _sequence(tfl, "UNIDIRECTIONAL_SEQUENCE_LSTM", x, [*weights, *[None] * (17 - len(weights))], states, 1,
                        [None] * 4, fused_activation_function=function, cell_clip=cell_clip, proj_clip=proj_clip,
                        time_major=bool(time_major), asymmetric_quantize_inputs=False)
    return h, c, y


def _integer(tfl: Builder, x: Value, weights: Sequence[Value | None], batch: int, units: int, quants: Sequence[float],
             cell_clip: float, time_major: bool) -> Any:
    """The kernel on 8-bit values with 16-bit cells, between DEQUANTIZE before and behind."""
    given = x.node.inputs[0] if x.node is not None and x.op == "DEQUANTIZE" else None
    scale, zero, *scales = quants[:10]
    inside, result, cells = _quant(scale, zero), _quant(*quants[10:12]), _quant(quants[12], 0)
    if given is None or given.dtype != np.int8:
        given = tfl.QUANTIZE(x, type=Type(np.dtype(np.int8), x.shape, inside))
    elif not same(given.type.quant, inside):
        raise Unsupported("an input of another quantization")

    def stored(v: Value | None, quant: Quant) -> Value | None:
        return None if v is None else Value(Type(v.dtype, v.shape, quant), v.name, data=v.data)
    biases = [_quant(np.float32(scale) * np.float32(s), 0) for s in scales[:4]]
    ins = [*(stored(v, _quant(s, 0)) for v, s in zip(weights[:8], scales, strict=True)), None, None, None,
           *(stored(v, q) for v, q in zip(weights[11:15], biases, strict=True)), None, None]
    rest = np.full((batch, units), int(quants[11]), np.int8)
    states = [Value(Type(rest.dtype, rest.shape, result), data=constant(rest).data),
              Value(Type(np.dtype(np.int16), rest.shape, cells), data=constant(np.zeros(rest.shape, np.int16)).data)]
    assert given.shape is not None
    types = [Type(rest.dtype, (*given.shape[:2], units), result), *(s.type for s in states)]
    options = {"fused_activation_function": "TANH", "cell_clip": cell_clip, "proj_clip": 0.0, "time_major": time_major,
               "asymmetric_quantize_inputs": False, "intermediates": (None, None, None, None, result)}
    made = Node("UNIDIRECTIONAL_SEQUENCE_LSTM", [given, *ins, *states, None, None, None, None], options, types,
                origin="" if tfl.node is None else tfl.node.label)
    y, h, c = (tfl.DEQUANTIZE(v) for v in made.outputs)
    return h, c, y


def _quant(scale: Any, zero: Any) -> Quant:
    return Quant(np.asarray(scale, np.float32), np.asarray(zero, np.int64))


def _rows(w: Value | None) -> Any:
    return None if w is None or w.shape is None else w.shape[0]


def _batch(x: Value, axis: int) -> int:
    size = x.shape[axis] if rank(x) == 3 and x.shape is not None else None
    if not isinstance(size, int):
        raise Unsupported("the kernel's state has a fixed batch, and that of the input is known at run time only")
    return size


def _zeros(*shape: int) -> Value:
    return constant(np.zeros(shape, np.float32))


def _sequence(tfl: Builder, name: str, x: Value, weights: Sequence[Value | None], states: Sequence[Value],
              count: int = 1, more: Sequence[None] = (), **options: Any) -> Any:
    """A kernel over the whole sequence: its ``count`` outputs, and the variables as it leaves them."""
    assert x.shape is not None
    width = states[0].shape[1] if states[0].shape is not None else None
    out = Type(F32, (*x.shape[:2], width))
    types = [*[out] * count, *(s.type for s in states)]
    made = Node(name, [cast(tfl, x, F32), *weights, *states, *more], options, types,
                origin="" if tfl.node is None else tfl.node.label)
    return made.outputs


def _refuse(lengths: Value | None, initial: Sequence[Value | None], clip: float | None) -> None:
    """What the kernels do not do."""
    if clip:
        raise Unsupported("the kernel clips cells, not what the gates take")
    if lengths is not None:
        raise Unsupported("the kernel has no lengths of sequences")
    if any(v is not None and (v.data is None or v.numpy().any()) for v in initial):
        raise Unsupported("the kernel begins with the state that the last run left")


def _gates(w: Value, d: int, count: int, order: Sequence[int]) -> list[Value]:
    """Rows of a weight (directions, gates * hidden, ...) by gate, in the kernel's order."""
    parts: list[Array] = np.split(static(w, "a weight")[d].astype(np.float32), count)
    return [constant(np.ascontiguousarray(parts[k]), name=w.name) for k in order]


@fused("LSTM")
def lstm(tfl: Builder, x: Value, w: Value, r: Value, b: Value | None = None, lengths: Value | None = None,
         h: Value | None = None, c: Value | None = None, p: Value | None = None, *,
         activation_alpha: Sequence[float] = (), activation_beta: Sequence[float] = (),
         activations: Sequence[str] = (), clip: float | None = None, direction: str = "forward", hidden_size: int = 0,
         input_forget: int = 0, layout: int = 0) -> Any:
    """ONNX has the gates input, output, forget, cell, and couples forget = 1 - input; the kernel has input, forget,
    cell, output, and couples input = 1 - forget, which is the same with the signs of the weights turned."""
    _refuse(lengths, (h, c), clip)
    ways = _ways(direction)
    names = [a.lower() for a in activations] or ["sigmoid", "tanh", "tanh"] * ways
    function = _FUNCTIONS.get(names[1], "")
    if names != ["sigmoid", names[1], names[1]] * ways or not function:
        raise Unsupported(f"activations {', '.join(activations)}")
    units = static(r, "a weight").shape[-1]
    batch = _batch(x, 0 if layout else 1)
    weights: list[list[Value | None]] = []
    for d in range(ways):
        order = (0, 2, 3, 1)
        bias = np.zeros(8 * units, np.float32) if b is None else static(b, "the bias")[d].astype(np.float32)
        both = constant((bias[:4 * units] + bias[4 * units:])[None])
        parts: list[list[Value | None]] = [[*_gates(v, 0 if v is both else d, 4, order)] for v in (w, r, both)]
        eyes: list[Value | None] = [None] * 3 if p is None else [*_gates(p, d, 3, (0, 2, 1))]
        if input_forget:
            parts = [[None, _minus(v[0]), *v[2:]] for v in parts]
            eyes = [None, _minus(eyes[0]), eyes[2]]
        weights.append([*parts[0], *parts[1], *eyes, *parts[2], None, None])
    tfl.note("changed", STATEFUL)
    options = {"fused_activation_function": function, "cell_clip": 0.0, "proj_clip": 0.0, "time_major": not layout,
               "asymmetric_quantize_inputs": False}
    states = [_zeros(batch, units) for _ in range(2 * ways)]
    if ways == 2:
        ys = _sequence(tfl, "BIDIRECTIONAL_SEQUENCE_LSTM", x, [*weights[0], *weights[1]], states, 2, [None] * 9,
                       **options, merge_outputs=False)[:2]
    else:
        backward = direction == "reverse"
        moved = _reversed(tfl, x, layout) if backward else x
        y = _sequence(tfl, "UNIDIRECTIONAL_SEQUENCE_LSTM", moved, weights[0], states, 1, [None] * 4, **options)[0]
        ys = [_reversed(tfl, y, layout) if backward else y]
    return _results(tfl, ys, direction, layout)


@fused("RNN")
def rnn(tfl: Builder, x: Value, w: Value, r: Value, b: Value | None = None, lengths: Value | None = None,
        h: Value | None = None, *, activation_alpha: Sequence[float] = (), activation_beta: Sequence[float] = (),
        activations: Sequence[str] = (), clip: float | None = None, direction: str = "forward", hidden_size: int = 0,
        layout: int = 0) -> Any:
    _refuse(lengths, (h,), clip)
    ways = _ways(direction)
    names = [a.lower() for a in activations][:ways] or ["tanh"] * ways
    if any(n not in _FUNCTIONS for n in names):
        raise Unsupported(f"activations {', '.join(activations)}")
    units = static(r, "a weight").shape[-1]
    batch = _batch(x, 0 if layout else 1)
    tfl.note("changed", STATEFUL)
    ys = []
    for d, name in enumerate(names):
        bias = np.zeros(2 * units, np.float32) if b is None else static(b, "the bias")[d].astype(np.float32)
        backward = direction == "reverse" or d == 1
        moved = _reversed(tfl, x, layout) if backward else x
        y = _sequence(tfl, "UNIDIRECTIONAL_SEQUENCE_RNN", moved, [*_gates(w, d, 1, [0]), *_gates(r, d, 1, [0]),
                                                                  constant(bias[:units] + bias[units:])],
                      [_zeros(batch, units)], 1, fused_activation_function=_FUNCTIONS[name], time_major=not layout,
                      asymmetric_quantize_inputs=False)[0]
        ys.append(_reversed(tfl, y, layout) if backward else y)
    return _results(tfl, ys, direction, layout)


def _ways(direction: str) -> int:
    if direction not in ("forward", "reverse", "bidirectional"):
        raise Unsupported(f"direction '{direction}'")
    return 2 if direction == "bidirectional" else 1


def _minus(v: Value | None) -> Value | None:
    return None if v is None else constant(-v.numpy(), name=v.name)


def _reversed(tfl: Builder, x: Value, axis: int) -> Value:
    made: Value = tfl.REVERSE_V2(x, ints([axis]))
    return made


def _results(tfl: Builder, ys: Sequence[Value], direction: str, layout: int) -> Any:
    """Y and Y_h of ONNX from the sequences of the directions; what the cells hold at last is not to be had."""
    axis, time = (2, 1) if layout else (1, 0)
    parts = [tfl.EXPAND_DIMS(y, ints([axis])) for y in ys]
    lasts = []
    for d, y in enumerate(ys):
        backward = direction == "reverse" or d == 1
        begin, end = [0, 0, 0], [0, 0, 0]
        begin[time], end[time] = (0, 1) if backward else (-1, 0)
        mask = 7 if backward else 7 & ~(1 << time)
        ends = 7 & ~(1 << time) if backward else 7
        assert y.shape is not None
        shape = tuple(1 if k == time else s for k, s in enumerate(y.shape))
        last = tfl.STRIDED_SLICE(y, ints(begin), ints(end), ints([1, 1, 1]), begin_mask=mask, end_mask=ends,
                                 ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0, offset=False,
                                 type=Type(y.dtype, shape))
        lasts.append(last)
    if len(ys) == 1:
        return parts[0], lasts[0]  # an axis of one: the time that is left stands for the direction
    return (tfl.CONCATENATION(*parts, axis=axis, fused_activation_function="NONE"),
            tfl.CONCATENATION(*lasts, axis=time, fused_activation_function="NONE"))
