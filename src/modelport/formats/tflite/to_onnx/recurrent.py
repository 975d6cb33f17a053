"""Recurrent layers as Scan: clipping, projection, normalisation and the roundings of integer kernels stay exact.

A rule's last outputs are the new values of the variables that the kernel updates in place.

Source: tensorflow/lite/kernels: unidirectional_sequence_lstm.cc, lstm_eval.cc, unidirectional_sequence_rnn.cc,
svdf.cc."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import qdq
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import DType, Quant, Type
from ...reading import dims, ints, rank, transposed
from .common import function, hybrid, real, to_onnx

F32 = np.dtype(np.float32)
_EPSILON = 1e-8  # of layer normalisation, kLayerNormEpsilon
_GATE, _UNIT = 2.0 ** -12, 2.0 ** -15  # the integer kernel holds sums of gates in Q3.12, their activations in Q0.15


@dataclass(frozen=True)
class _Gate:
    """Weights of one gate: input [units, in], recurrent [units, out], peephole, normalisation, bias."""

    w: Array
    r: Array
    peephole: Array | None
    norm: Array | None
    bias: Array | None


@to_onnx("UNIDIRECTIONAL_SEQUENCE_LSTM")
def unidirectional_sequence_lstm(
        op: Builder, x: Value, wi: Value | None, wf: Value, wc: Value, wo: Value, ri: Value | None, rf: Value,
        rc: Value, ro: Value, pi: Value | None, pf: Value | None, po: Value | None, bi: Value | None, bf: Value,
        bc: Value, bo: Value, projection: Value | None, projection_bias: Value | None, h: Value, c: Value,
        ni: Value | None = None, nf: Value | None = None, nc: Value | None = None, no: Value | None = None, *,
        fused_activation_function: str = "NONE", cell_clip: float = 0.0, proj_clip: float = 0.0,
        time_major: bool = False, asymmetric_quantize_inputs: bool = False, diagonal_recurrent_tensors: bool = False,
        intermediates: tuple[Quant | None, ...] = ()) -> Any:
    if diagonal_recurrent_tensors:
        raise Unsupported("diagonal recurrent weights")
    assert op.node is not None
    out, _, new_c = op.node.outputs
    gates, steps = _kernel(op, x, ((wi, ri, pi, ni, bi), (wf, rf, pf, nf, bf), (wc, rc, None, nc, bc),
                                   (wo, ro, po, no, bo)), projection, projection_bias, fused_activation_function,
                           cell_clip, proj_clip, out.type, new_c.type, h.dtype)
    return _scanned(op, x, h, c, gates, steps, time_major)


@to_onnx("LSTM")
def lstm(op: Builder, x: Value, *weights: Value | None, fused_activation_function: str = "NONE", cell_clip: float = 0.0,
         proj_clip: float = 0.0, kernel_type: str = "FULL", asymmetric_quantize_inputs: bool = False,
         intermediates: tuple[Quant | None, ...] = ()) -> Any:
    """One step of a layer; its weights are those of a sequence's."""
    if kernel_type != "FULL":
        raise Unsupported(f"kernel {kernel_type}")
    y, h, c = unidirectional_sequence_lstm(op, op.Unsqueeze(x, ints([1])), *weights, cell_clip=cell_clip,
                                           fused_activation_function=fused_activation_function, proj_clip=proj_clip)
    return op.Squeeze(y, ints([1])), h, c


@to_onnx("BIDIRECTIONAL_SEQUENCE_LSTM")
def bidirectional_sequence_lstm(op: Builder, x: Value, *w: Value | None, fused_activation_function: str = "NONE",
                                cell_clip: float = 0.0, proj_clip: float = 0.0, merge_outputs: bool = False,
                                time_major: bool = True, asymmetric_quantize_inputs: bool = False) -> Any:
    """``w`` is 17 weights forward and 17 backward as of one direction's layer, then the four states."""
    assert op.node is not None
    if any(v is not None for v in w[38:]):
        raise Unsupported("auxiliary inputs")
    made = []
    for k in (0, 1):
        i = w[17 * k:17 * (k + 1)]
        h, c = w[34 + 2 * k], w[35 + 2 * k]
        if h is None or c is None or op.out.quant is not None:
            raise Unsupported("no states, or an integer kernel")
        peepholes = (i[8], i[9], None, i[10])
        gates, steps = _kernel(op, x, [(i[g], i[4 + g], peepholes[g], None, i[11 + g]) for g in range(4)], i[15], i[16],
                               fused_activation_function, cell_clip, proj_clip, op.out, c.type, h.dtype)
        made.append(_scanned(op, x, h, c, gates, steps, time_major, backward=bool(k)))
    (y, h, c), (back_y, back_h, back_c) = made
    outs = (op.Concat(y, back_y, axis=2),) if merge_outputs else (y, back_y)
    return (*outs, h, c, back_h, back_c)


_Weights = Sequence["Value | None"]


def _kernel(op: Builder, x: Value, weights: Sequence[_Weights], projection: Value | None,
            projection_bias: Value | None, name: str, cell_clip: float, proj_clip: float, out: Type, cell: Type,
            state: DType) -> tuple[list[_Gate | None], _Steps]:
    """The gates (input, forget, cell, output) and the arithmetic of the kernel that takes these types."""
    gates = [None if w is None else _gate(w, *rest) for w, *rest in weights]
    if any(g is None for g in gates[1:]):
        raise Unsupported("a layer without the weights of a gate")
    if out.quant is None:
        if weights[1][0] is not None:
            hybrid(op, x, weights[1][0])
        return gates, _Steps(name, cell_clip, None if projection is None else real(projection),
                             None if projection_bias is None else real(projection_bias), proj_clip)
    more = any(g is None or g.peephole is not None or g.norm is not None for g in gates)
    if more or projection is not None or state != F32:
        raise Unsupported("an integer kernel with projection, peepholes, normalisation or coupled gates")
    if cell.quant is None or cell.dtype != np.int16 or out.dtype != np.int8:
        raise Unsupported(f"an integer kernel with cells of {cell.dtype} and outputs of {out.dtype}")
    return gates, _IntegerSteps(out, cell.quant, cell_clip)


def _gate(w: Value, r: Value | None, peephole: Value | None, norm: Value | None, bias: Value | None) -> _Gate:
    if r is None:
        raise Unsupported("a gate without recurrent weights")
    return _Gate(real(w), real(r), *(None if v is None else real(v) for v in (peephole, norm, bias)))


class _Steps:
    """One step of the float kernel, from sums of gates to the new state."""

    def __init__(self, function: str, clip: float, projection: Array | None, bias: Array | None,
                 proj_clip: float) -> None:
        self.function, self.clip = function, clip
        self.projection, self.bias, self.proj_clip = projection, bias, proj_clip

    def sum(self, op: Builder, s: Value) -> Any:
        return s

    def gate(self, op: Builder, s: Value) -> Any:
        return op.Sigmoid(s)

    def cell(self, op: Builder, forget: Value, c: Value, put: Value, new: Value) -> Any:
        made = op.Add(op.Mul(forget, c), op.Mul(put, new))
        return op.Clip(made, np.float32(-self.clip), np.float32(self.clip)) if self.clip > 0 else made

    def new(self, op: Builder, s: Value) -> Any:
        return function(op, s, self.function)

    def hidden(self, op: Builder, gate: Value, c: Value) -> Any:
        made = op.Mul(gate, function(op, c, self.function))
        if self.projection is not None:
            made = op.MatMul(made, np.ascontiguousarray(self.projection.T))
            made = made if self.bias is None else op.Add(made, self.bias)
            if self.proj_clip > 0:
                made = op.Clip(made, np.float32(-self.proj_clip), np.float32(self.proj_clip))
        return made


class _IntegerSteps(_Steps):
    """One step of the kernel on 8-bit inputs, 16-bit cells: the same, rounded wherever the kernel rounds."""

    def __init__(self, out: Type, cell: Quant, clip: float) -> None:
        super().__init__("TANH", clip, None, None, 0.0)
        self.out, self.cell_scale = out, float(cell.scale)

    def sum(self, op: Builder, s: Value) -> Any:
        return _rounded(op, s, _GATE)

    def gate(self, op: Builder, s: Value) -> Any:
        return _rounded(op, op.Sigmoid(s), _UNIT)

    def new(self, op: Builder, s: Value) -> Any:
        return _rounded(op, op.Tanh(s), _UNIT)

    def cell(self, op: Builder, forget: Value, c: Value, put: Value, new: Value) -> Any:
        kept, added = (_rounded(op, op.Mul(a, b), self.cell_scale) for a, b in ((forget, c), (put, new)))
        made = _rounded(op, op.Add(kept, added), self.cell_scale)
        limit = round(self.clip / self.cell_scale) * self.cell_scale
        return op.Clip(made, np.float32(-limit), np.float32(limit)) if self.clip > 0 else made

    def hidden(self, op: Builder, gate: Value, c: Value) -> Any:
        made = op.Mul(gate, _rounded(op, op.Tanh(c), _UNIT))
        assert self.out.quant is not None
        return qdq.dequantize(op, qdq.quantize(op, made, self.out), self.out.quant)


def _rounded(op: Builder, x: Value, step: float) -> Any:
    """``x`` rounded to a 16-bit integer of that step."""
    counted = op.Clip(op.Round(op.Div(x, np.float32(step))), np.float32(-32768), np.float32(32767))
    return op.Mul(counted, np.float32(step))


def _scanned(op: Builder, x: Value, h: Value, c: Value, gates: Sequence[_Gate | None], steps: _Steps,
             time_major: bool, backward: bool = False) -> Any:
    """The whole sequence.  Input and bias are summed for all steps at once, but where they are normalised."""
    batch, time = ((1, 0) if time_major else (0, 1))
    if rank(x) != 3 or x.shape is None:
        raise Unsupported(f"a sequence of {x.type}")
    present = [g for g in gates if g is not None]
    units, n = len(present[0].w), len(present)
    if any(g.w.shape != present[0].w.shape or g.r.shape != present[0].r.shape for g in present):
        raise Unsupported("gates of different sizes")
    ahead = op.MatMul(x, np.ascontiguousarray(np.concatenate([g.w for g in present]).T))
    normed = any(g.norm is not None for g in present)
    if not normed:
        ahead = op.Add(ahead, np.concatenate([np.zeros(units, np.float32) if g.bias is None else g.bias
                                              for g in present]))
    size = x.shape[batch]
    inner = {"h": Value(Type(F32, (size, present[0].r.shape[1])), "h"), "c": Value(Type(F32, (size, units)), "c"),
             "x": Value(Type(F32, (size, n * units)), "x")}
    total = op.Add(inner["x"], op.MatMul(inner["h"], np.ascontiguousarray(np.concatenate([g.r for g in present]).T)))
    sums = dict(zip([k for k, g in enumerate(gates) if g is not None],
                    op.add("Split", total, axis=-1, num_outputs=n, outputs=n), strict=True))

    def sum_of(k: int, cell: Value) -> Any:
        g, s = gates[k], sums[k]
        assert g is not None
        s = s if g.peephole is None else op.Add(s, op.Mul(cell, g.peephole))
        if normed:
            if g.norm is None or g.bias is None:
                raise Unsupported("normalisation of some gates only")
            s = op.LayerNormalization(s, g.norm, g.bias, axis=-1, epsilon=_EPSILON)
        return steps.sum(op, s)

    forget = steps.gate(op, sum_of(1, inner["c"]))
    put = op.Sub(np.float32(1), forget) if gates[0] is None else steps.gate(op, sum_of(0, inner["c"]))
    cell = steps.cell(op, forget, inner["c"], put, steps.new(op, sum_of(2, inner["c"])))
    hidden = steps.hidden(op, steps.gate(op, sum_of(3, cell)), cell)
    body = Graph(inner, {"h_next": hidden, "c_next": cell, "y": op.Identity(hidden)}, "step")
    h, c = (_for_batch(op, v, x, size, batch) for v in (h, c))
    last_h, last_c, y = op.add("Scan", h, c, ahead, body=body, num_scan_inputs=1, scan_input_axes=[time],
                               scan_output_axes=[time], scan_input_directions=[int(backward)],
                               scan_output_directions=[int(backward)], outputs=3)
    return y, last_h, last_c


def _for_batch(op: Builder, state: Value, x: Value, size: Any, batch: int) -> Any:
    """A state that the file states for one batch size, for the size of ``x``."""
    if state.shape is not None and state.shape[0] == size:
        return state
    if state.shape is None or state.shape[0] != 1:
        raise Unsupported(f"a state of {state.type} for a batch of {size}")
    return op.Expand(state, op.Concat(op.Shape(x, start=batch, end=batch + 1), ints([1]), axis=0))


@to_onnx("UNIDIRECTIONAL_SEQUENCE_RNN")
def unidirectional_sequence_rnn(op: Builder, x: Value, w: Value, r: Value, b: Value, h: Value, *,
                                time_major: bool = False, fused_activation_function: str = "NONE",
                                asymmetric_quantize_inputs: bool = False) -> Any:
    return _simple(op, x, w, r, b, h, fused_activation_function, time_major)


@to_onnx("BIDIRECTIONAL_SEQUENCE_RNN")
def bidirectional_sequence_rnn(
        op: Builder, x: Value, w: Value, r: Value, b: Value, h: Value, back_w: Value, back_r: Value, back_b: Value,
        back_h: Value, *auxiliary: Value | None, time_major: bool = False, fused_activation_function: str = "NONE",
        merge_outputs: bool = False, asymmetric_quantize_inputs: bool = False) -> Any:
    if any(v is not None for v in auxiliary):
        raise Unsupported("auxiliary inputs")
    y, last = _simple(op, x, w, r, b, h, fused_activation_function, time_major)
    back, back_last = _simple(op, x, back_w, back_r, back_b, back_h, fused_activation_function, time_major, True)
    return (*((op.Concat(y, back, axis=2),) if merge_outputs else (y, back)), last, back_last)


def _simple(op: Builder, x: Value, w: Value, r: Value, b: Value, h: Value, name: str, time_major: bool,
            backward: bool = False) -> tuple[Value, Value]:
    """The outputs of a layer of plain units and its last state."""
    batch, time = ((1, 0) if time_major else (0, 1))
    if rank(x) != 3 or x.shape is None or op.out.quant is not None:
        raise Unsupported(f"a sequence of {x.type} to {op.out}")
    hybrid(op, x, w)
    units = dims(b)[0]
    ahead = op.Add(op.MatMul(x, transposed(op, w, [1, 0])), b)
    inner = {"h": Value(Type(F32, (x.shape[batch], units)), "h"), "x": Value(Type(F32, (x.shape[batch], units)), "x")}
    step = function(op, op.Add(inner["x"], op.MatMul(inner["h"], np.ascontiguousarray(real(r).T))), name)
    body = Graph(inner, {"h_next": step, "y": op.Identity(step)}, "step")
    last, y = op.add("Scan", _for_batch(op, h, x, x.shape[batch], batch), ahead, body=body, num_scan_inputs=1,
                     scan_input_axes=[time], scan_output_axes=[time], scan_input_directions=[int(backward)],
                     scan_output_directions=[int(backward)], outputs=2)
    return y, last


@to_onnx("RNN")
def rnn(op: Builder, x: Value, w: Value, r: Value, b: Value, h: Value, *, fused_activation_function: str = "NONE",
        asymmetric_quantize_inputs: bool = False) -> Any:
    if op.out.quant is not None:
        raise Unsupported("an integer kernel")
    hybrid(op, x, w)
    s = op.Add(op.Add(op.MatMul(x, transposed(op, w, [1, 0])), op.MatMul(h, transposed(op, r, [1, 0]))), b)
    y = function(op, s, fused_activation_function)
    return y, op.Identity(y)


@to_onnx("SVDF")
def svdf(op: Builder, x: Value, feature: Value, time: Value, b: Value | None, state: Value, *, rank: int = 0,
         fused_activation_function: str = "NONE", asymmetric_quantize_inputs: bool = False) -> Any:
    """A filter of rank ``rank`` over the last steps: the state moves by one step and takes in the new features."""
    assert op.node is not None
    filters, memory = dims(time, what="the time weights")
    if rank < 1 or filters % rank:
        raise Unsupported(f"{filters} filters of rank {rank}")
    out, kept = op.node.outputs
    if out.type.quant is None:
        hybrid(op, x, feature)
    new = op.Unsqueeze(op.MatMul(x, transposed(op, feature, [1, 0])), ints([2]))
    if kept.type.quant is not None:  # the kernel rounds to the state's step before it goes on
        new = qdq.dequantize(op, qdq.quantize(op, new, kept.type), kept.type.quant)
    old = op.Reshape(state, ints([-1, filters, memory]))
    moved = op.Concat(op.Slice(old, ints([1]), ints([memory]), ints([2])), new, axis=2) if memory > 1 else new
    sums = op.ReduceSum(op.Mul(moved, time), ints([2]), keepdims=0)
    if rank > 1:
        sums = op.ReduceSum(op.Reshape(sums, ints([-1, filters // rank, rank])), ints([2]), keepdims=0)
    y = sums if b is None else op.Add(sums, b)
    return function(op, y, fused_activation_function), op.Reshape(moved, ints([-1, filters * memory]))
