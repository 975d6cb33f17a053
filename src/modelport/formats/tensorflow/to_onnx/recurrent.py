"""Recurrent cells and blocks of them.  Source: tensorflow/core/kernels/rnn/{lstm_ops,gru_ops}.h."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from .common import I32, I64, i64, ints, name_of, one, to_onnx


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
