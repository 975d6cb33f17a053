"""Quantized tensors: operators on whole numbers with a scale and a zero point, as eager and torch.fx quantization make
them, said by QuantizeLinear and DequantizeLinear around the operators on reals.

PyTorch's kernels sum whole numbers and round once; the same by reals is off by rounding, so that a result may lie one
step beside PyTorch's where that is a tie.  Sources: aten/src/ATen/native/quantized/{library.cpp,cpu/*.cpp},
quant_utils.h (ChooseQuantizationParams)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.qdq import quantized as stored_of
from ....ir.graph import Graph, Value, constant
from ....ir.rules import Builder
from ....ir.types import DType, Type
from ...reading import cast
from ..elements import of_quantized
from ..machine import aten
from ..packed import Cell, Packed, halved
from ..values import F32, F64, Quantized, axis_of, known, rank, tensor, whole
from . import activation, conv, index, linear, norm
from .recurrent import gru_gates, lstm_gates

SMALLEST = np.float64(6.1e-5)
"""The least scale that is chosen for the values of a run."""
LEAST = 1 / np.float64(np.finfo(np.float32).max)
"""A range whose scale has no reciprocal counts as none."""


def _scalar(op: Builder, x: Any, to: DType) -> Value:
    if isinstance(x, Value) and x.data is not None and x.type.size == 1:
        return constant(x.numpy().astype(to).reshape(()))
    v = tensor(op, known(x), to)
    return op.Reshape(v, np.array([], np.int64)) if v.rank else v


def requantized(op: Builder, y: Value, like: Quantized) -> Quantized:
    """Reals rounded to the scale and zero point of a tensor."""
    if like.axis is not None:
        raise Unsupported("a tensor that is quantized by channel is computed with")
    return _rounded(op, y, like.scale, like.zero, like.stored)


def _rounded(op: Builder, y: Value, scale: Value, zero: Value, stored: DType, axis: int | None = None) -> Quantized:
    if stored.itemsize != 1:
        raise Unsupported(f"quantization to {stored}")
    how = {} if axis is None else {"axis": axis}
    real = op.DequantizeLinear(op.QuantizeLinear(y, scale, zero, **how), scale, zero, **how)
    return Quantized(real, scale, zero, stored, axis)


def _made(op: Builder, y: Value, scale: Any, zero: Any, stored: DType) -> Quantized:
    return _rounded(op, y, _scalar(op, scale, F32), _scalar(op, zero, stored), stored)


def _real(x: Any) -> Any:
    return x.real if isinstance(x, Quantized) else x


# -- in and out


@aten("quantize_per_tensor", "quantize_per_tensor.tensor_qparams")
def quantize(op: Builder, self: Value, scale: Any, zero_point: Any, dtype: Any) -> Any:
    return _made(op, self, scale, zero_point, of_quantized(dtype))


@aten("quantize_per_channel")
def quantize_channels(op: Builder, self: Value, scales: Value, zero_points: Value, axis: int, dtype: Any) -> Any:
    to = of_quantized(dtype)
    return _rounded(op, self, cast(op, scales, F32), cast(op, zero_points, to), to, axis_of(self, axis))


@aten("quantize_per_tensor_dynamic")
def quantize_by_values(op: Builder, self: Value, dtype: Any, reduce_range: bool) -> Any:
    to = of_quantized(dtype)
    scale, zero = _chosen(op, self, to, reduce_range)
    return _rounded(op, self, scale, cast(op, zero, to), to)


@aten("quantized.dequantize", "dequantize")
def dequantize(op: Builder, self: Any) -> Any:
    return [_real(x) for x in self] if isinstance(self, list) else _real(self)


@aten("quantized.int_repr")
def int_repr(op: Builder, self: Quantized) -> Any:
    return stored_of(self.real)


@aten("quantized.q_scale")
def q_scale(op: Builder, self: Quantized) -> Any:
    return float(self.scale.numpy()) if self.scale.data is not None else self.scale


@aten("quantized.q_zero_point")
def q_zero_point(op: Builder, self: Quantized) -> Any:
    return int(self.zero.numpy()) if self.zero.data is not None else self.zero


def _chosen(op: Builder, x: Value, stored: DType, reduced: bool) -> tuple[Value, Value]:
    """The scale and zero point for the values of a run, zero among them; ``reduced`` by half the range."""
    low, high = (-128, 127) if stored == np.int8 else (0, 255)
    if reduced:
        low, high = (-64, 63) if stored == np.int8 else (0, 127)
    least, most = (cast(op, f(r(x, keepdims=0), np.float32(0)), F64)
                   for f, r in ((op.Min, op.ReduceMin), (op.Max, op.ReduceMax)))
    scale = op.Div(op.Sub(most, least), np.float64(high - low))
    scale = op.Where(op.Less(scale, LEAST), np.float64(0.1), scale)
    zero = op.Round(op.Sub(np.float64(low), op.Div(least, scale)))  # a tie where the range is even on both sides
    zero = op.Min(op.Max(zero, np.float64(low)), np.float64(high))
    return cast(op, op.Max(scale, SMALLEST), F32), cast(op, zero, F32)


# -- layers with weights


def _packed(x: Any) -> Packed:
    if not isinstance(x, Packed):
        raise Unsupported("weights that are not packed as usual")
    return x


def _product(op: Builder, x: Value, p: Packed) -> Value:
    """``x`` times the weights (outputs, inputs), plus the bias."""
    w = p.weight
    if isinstance(w, Quantized) and w.real.node is not None and (q := stored_of(w.real)).data is not None:
        turned = constant(np.ascontiguousarray(q.numpy().T))
        how = {} if w.axis is None else {"axis": 1 - w.axis}
        y: Value = op.MatMul(x, op.DequantizeLinear(turned, w.scale, w.zero, **how))
        return y if p.bias is None else op.Add(y, p.bias)
    made: Value = linear.linear(op, x, _real(w), p.bias)
    return made


def _by_run(op: Builder, x: Value, reduced: bool) -> Value:
    """Reals as they are after they were quantized by their own range, all of them by one.  By arithmetic, for PyTorch
    rounds once the zero point is added, which decides about the greatest of a range that is even on both sides."""
    scale, zero = _chosen(op, x, np.dtype(np.uint8), reduced)
    steps = op.Round(op.Add(op.Mul(x, op.Reciprocal(scale)), zero))
    made: Value = op.Mul(op.Sub(op.Min(op.Max(steps, np.float32(0)), np.float32(255)), zero), scale)
    return made


def _layer(op: Builder, x: Value, weights: Any, axes: int) -> Value:
    """A linear layer (no ``axes``) or a convolution over so many; weights of one axis are kept as of two."""
    p = _packed(weights)
    if not axes:
        return _product(op, x, p)
    w, more = _real(p.weight), (rank(p.weight) - 2) - axes  # type: ignore[arg-type]
    if more == 1:
        w = op.Squeeze(w, np.array([2]))
    elif more:
        raise Unsupported(f"a convolution over {axes} axes with weights of {rank(w)}")
    stride, padding, dilation, outer = (list(v)[-axes:] for v in (p.stride, p.padding, p.dilation, p.output_padding))
    made: Value = conv.convolution(op, x, w, p.bias, stride, padding, dilation, p.groups, p.transposed, outer)
    return made


def _fixed(name: str, axes: int, relu: bool) -> None:
    @aten(f"quantized::{name}")
    def layer(op: Builder, qx: Quantized, packed_weight: Any, output_scale: Any, output_zero_point: Any) -> Any:
        y = _layer(op, qx.real, packed_weight, axes)
        return _made(op, op.Relu(y) if relu else y, output_scale, output_zero_point, qx.stored)


def _ranged(name: str, axes: int, relu: bool) -> None:
    @aten(f"quantized::{name}")
    def layer(op: Builder, x: Value, packed_weight: Any, reduce_range: bool = False) -> Any:
        y = _layer(op, _by_run(op, x, reduce_range), packed_weight, axes)
        return op.Relu(y) if relu else y


for _relu in (False, True):
    _fixed("linear" + "_relu" * _relu, 0, _relu)
    _ranged("linear" + "_relu" * _relu + "_dynamic", 0, _relu)
    for _n in (1, 2, 3):
        _fixed(f"conv{_n}d" + "_relu" * _relu, _n, _relu)
for _n in (1, 2, 3):
    _fixed(f"conv_transpose{_n}d", _n, False)
    _ranged(f"conv{_n}d_dynamic", _n, False)
    _ranged(f"conv_transpose{_n}d_dynamic", _n, False)


@aten("quantized::linear_dynamic_fp16")
def linear_half(op: Builder, X: Value, W_prepack: Any) -> Any:
    return _product(op, X, halved(_packed(W_prepack)))


@aten("quantized::linear_relu_dynamic_fp16")
def linear_relu_half(op: Builder, X: Value, W_prepack: Any) -> Any:
    return op.Relu(_product(op, X, halved(_packed(W_prepack))))


@aten("quantized::linear_prepack", "quantized::linear_prepack_fp16")
def linear_prepack(op: Builder, W: Any, B: Value | None = None) -> Any:
    return Packed(W, B)


def _packs(name: str, transposed: bool) -> None:
    @aten(f"quantized::{name}_prepack")
    def prepack(op: Builder, weight: Any, bias: Value | None, stride: Any, padding: Any, *rest: Any) -> Any:
        outer, dilation, groups = rest if transposed else ([0] * len(stride), *rest)
        return Packed(weight, bias, stride, padding, dilation, outer, whole(groups), transposed)


for _n in (1, 2, 3):
    _packs(f"conv{_n}d", False)
    _packs(f"conv_transpose{_n}d", True)


@aten("quantized::linear_unpack", "quantized::linear_unpack_fp16", "quantized::conv1d_unpack",
      "quantized::conv2d_unpack", "quantized::conv3d_unpack")
def unpack(op: Builder, W_prepack: Any) -> Any:
    p = _packed(W_prepack)
    return [p.weight, p.bias]


@aten("quantized::embedding_bag_prepack")
def embedding_prepack(op: Builder, weight: Any, optimized_qparams: bool = False) -> Any:
    return Packed(weight)


@aten("quantized::embedding_byte")
def embedding(op: Builder, weight: Any, indices: Value, pruned_weights: bool = False) -> Any:
    if pruned_weights:
        raise Unsupported("an embedding without some of its rows")
    return index.embedding(op, _real(_packed(weight).weight), indices)


@aten("quantized::embedding_bag_byte")
def embedding_bag(op: Builder, weight: Any, indices: Value, offsets: Value | None = None,
                  scale_grad_by_freq: bool = False, mode: int = 0, pruned_weights: bool = False,
                  per_sample_weights: Value | None = None, compressed_indices_mapping: Value | None = None,
                  include_last_offset: bool = False) -> Any:
    """Sums, whatever the ``mode``."""
    if pruned_weights or compressed_indices_mapping is not None:
        raise Unsupported("an embedding without some of its rows")
    table = _real(_packed(weight).weight)
    if rank(indices) == 2:
        rows = op.Gather(table, indices, axis=0)
        if per_sample_weights is not None:
            rows = op.Mul(rows, op.Unsqueeze(per_sample_weights, np.array([2])))
        return op.ReduceSum(rows, np.array([1]), keepdims=0)
    return index.embedding_bag(op, table, indices, offsets, False, 0, False, per_sample_weights, include_last_offset)[0]


# -- operators


def _both(name: str, relu: bool) -> None:
    """Sums and products of two tensors, or of one and a number."""
    plain = name.removesuffix("_relu")
    numbers = _plus if plain == "add" else _times

    @aten(f"quantized::{name}", f"quantized::{name}_scalar".replace("_relu_scalar", "_scalar_relu"))
    def both(op: Builder, qa: Quantized, qb: Any, scale: Any = None, zero_point: Any = None) -> Any:
        if not isinstance(qb, Quantized):
            return numbers(op, qa, qb, relu)
        y = op.Add(qa.real, qb.real) if plain == "add" else op.Mul(qa.real, qb.real)
        return _made(op, op.Relu(y) if relu else y, scale, zero_point, qa.stored)


def _one(x: Quantized, other: Any) -> tuple[float, int, float]:
    """The scale and zero point of a tensor, and a number, all known."""
    c = known(other)
    if isinstance(c, Value) and c.data is not None and c.type.size == 1:
        c = c.numpy().item()
    if x.scale.data is None or x.zero.data is None or not isinstance(c, (int, float)):
        raise Unsupported("a number that is known at run time only beside a quantized tensor")
    return float(x.scale.numpy()), int(x.zero.numpy()), float(c)


def _times(op: Builder, x: Quantized, other: Any, relu: bool) -> Quantized:
    """The whole numbers stay, or are turned round; only the scale is another."""
    s, z, c = _one(x, other)
    low, high = np.iinfo(x.stored).min, np.iinfo(x.stored).max
    scale, zero = (s * abs(c), z if c > 0 else high - (z - low)) if c else (1.0, 0)
    y = op.Mul(x.real, np.float32(c))
    return _made(op, op.Relu(y) if relu else y, scale, zero, x.stored)


def _plus(op: Builder, x: Quantized, other: Any, relu: bool) -> Quantized:
    """The zero point is another, and the scale too, if that would leave the range."""
    s, z, c = _one(x, other)
    low, high = int(np.iinfo(x.stored).min), int(np.iinfo(x.stored).max)
    steps = int(np.round(c / s))
    if low > z - steps:
        scale, zero = (high - (z - steps)) / (high - low) * s, low
    elif high < z - steps:
        scale, zero = ((z - steps) - low) / (high - low) * s, high
    else:
        scale, zero = s, z - steps
    y = op.Add(x.real, np.float32(steps * s))
    return _made(op, op.Relu(y) if relu else y, scale, zero, x.stored)


for _name in ("add", "mul"):
    for _relu in (False, True):
        _both(_name + "_relu" * _relu, _relu)


@aten("quantized::matmul")
def matmul(op: Builder, qa: Quantized, qb: Quantized, scale: Any, zero_point: Any) -> Any:
    return _made(op, op.MatMul(qa.real, qb.real), scale, zero_point, qa.stored)


def _joined(name: str, relu: bool) -> None:
    @aten(f"quantized::{name}")
    def cat(op: Builder, qx: Sequence[Quantized], dim: int, scale: Any = None, zero_point: Any = None) -> Any:
        y = op.Concat(*(x.real for x in qx), axis=axis_of(qx[0].real, dim))
        first = qx[0]
        return _made(op, op.Relu(y) if relu else y, first.scale if scale is None else scale,
                     first.zero if zero_point is None else zero_point, first.stored)


_joined("cat", False)
_joined("cat_relu", True)


def _normed(name: str, relu: bool) -> None:
    @aten(f"quantized::{name}")
    def batch_norm(op: Builder, qx: Quantized, weight: Value | None, bias: Value | None, mean: Value, var: Value,
                   eps: float, output_scale: Any, output_zero_point: Any) -> Any:
        y = norm.batch_norm(op, qx.real, weight, bias, mean, var, False, 0.0, eps)
        return _made(op, op.Relu(y) if relu else y, output_scale, output_zero_point, qx.stored)


for _relu in (False, True):
    for _axes in ("", "1d", "2d", "3d"):
        _normed(f"batch_norm{_axes}" + "_relu" * _relu, _relu)


def _function(name: str, rule: Callable[..., Any], before: int = 0) -> None:
    """``name(x, scale, zero point)``; ``before`` of the further arguments of ``rule`` stand before these two."""
    @aten(f"quantized::{name}")
    def function(op: Builder, qx: Quantized, *rest: Any) -> Any:
        if len(rest) < before + 2:
            raise Unsupported("no scale and zero point of the result")
        scale, zero = rest[before:before + 2]
        own = [_real(v) for v in (*rest[:before], *rest[before + 2:])]
        return _made(op, rule(op, qx.real, *own), scale, zero, qx.stored)


_function("hardswish", activation.hardswish)
_function("sigmoid", activation.sigmoid)
_function("elu", activation.elu)
_function("celu", activation.celu)
_function("leaky_relu", lambda op, x, slope, inplace: activation.leaky_relu(op, x, slope), 2)
_function("prelu", activation.prelu, 1)
_function("softmax", activation.softmax, 1)
_function("layer_norm", norm.layer_norm, 4)
_function("group_norm", norm.group_norm, 4)
_function("instance_norm", lambda op, x, weight, bias, eps: norm.instance_norm(
    op, x, weight, bias, None, None, True, 0.0, eps, False), 3)


@aten("quantized::relu6")
def relu6(op: Builder, qx: Quantized, inplace: bool = False) -> Any:
    return requantized(op, activation.relu6(op, qx.real), qx)


@aten("quantized::dropout")
def dropout(op: Builder, self: Quantized, *how: Any) -> Any:
    return self


def _bounded(name: str, rule: Callable[..., Any], scale: float, middle: bool) -> None:
    """Operators whose results have bounds have a scale of their own."""
    @aten(f"quantized.{name}")
    def bounded(op: Builder, self: Quantized) -> Any:
        low = int(np.iinfo(self.stored).min)
        return _made(op, rule(op, self.real), scale, low + 128 if middle else low, self.stored)


_bounded("sigmoid", activation.sigmoid, 1 / 256, False)
_bounded("hardsigmoid", activation.hardsigmoid, 1 / 256, False)
_bounded("tanh", lambda op, x: op.Tanh(x), 2 / 256, True)


# -- recurrent layers, whose products are quantized by the values of a run


def _gates(op: Builder, x: Value, p: Packed, cell: Cell) -> Value:
    if isinstance(p.weight, Quantized):
        return _product(op, _by_run(op, x, cell.reduced), p)
    return _product(op, x, halved(p))


def _recurrent(name: str, states: int, turn: Callable[..., Sequence[Value]]) -> None:
    @aten(f"quantized_{name}", f"quantized_{name}.input")
    def recurrent(op: Builder, input: Value, hx: Any, params: Sequence[Any], has_biases: bool, num_layers: int,
                  dropout: float, train: bool, bidirectional: bool, batch_first: bool, dtype: Any = None,
                  use_dynamic: bool = False) -> Any:
        """A Scan over the steps: the products with the input of all steps are quantized as one, those with the state
        step by step."""
        if not isinstance(num_layers, int) or isinstance(num_layers, bool) or rank(input) != 3:
            raise Unsupported("packed sequences: their order depends on the lengths of a run")
        given = hx if isinstance(hx, list) else [hx]
        ways = 2 if bidirectional else 1
        if len(params) != num_layers * ways or not all(isinstance(p, Cell) for p in params) or len(given) != states:
            raise Unsupported(f"{len(params)} weights of {num_layers * ways} layers")
        y = op.Transpose(input, perm=[1, 0, 2]) if batch_first else input
        ends: list[list[Value]] = [[] for _ in given]
        for layer in range(num_layers):
            outs = []
            for way in range(ways):
                cell: Cell = params[layer * ways + way]
                begin = [op.Gather(s, np.asarray(layer * ways + way), axis=0) for s in given]
                made = _scanned(op, cell, turn, begin, _gates(op, y, cell.ours, cell), way)
                outs.append(made[-1])
                for kept, end in zip(ends, made, strict=False):
                    kept.append(op.Unsqueeze(end, np.array([0])))
            y = outs[0] if ways == 1 else op.Concat(*outs, axis=2)
        y = op.Transpose(y, perm=[1, 0, 2]) if batch_first else y
        return [y, *(kept[0] if len(kept) == 1 else op.Concat(*kept, axis=0) for kept in ends)]


def _scanned(op: Builder, cell: Cell, turn: Callable[..., Sequence[Value]], begin: Sequence[Value], gates: Value,
             way: int) -> Sequence[Value]:
    inner = [Value(Type(s.dtype, s.shape), f"state_{k}") for k, s in enumerate(begin)]
    step = Value(Type(gates.dtype, (gates.shape or ())[1:]), "step")
    after = turn(op, step, _gates(op, inner[0], cell.theirs, cell), inner)
    body = Graph({**{v.name: v for v in inner}, "step": step},
                 {**{f"{v.name}_next": a for v, a in zip(inner, after, strict=True)}, "out": op.Identity(after[0])},
                 "steps")
    return op.add("Scan", *begin, gates, body=body, num_scan_inputs=1, scan_input_directions=[way],
                  scan_output_directions=[way], outputs=len(inner) + 1)


_recurrent("lstm", 2, lstm_gates)
_recurrent("gru", 1, gru_gates)


def _cell(name: str, states: int, turn: Callable[..., Sequence[Value]]) -> None:
    @aten(f"quantized::quantized_{name}_cell_dynamic")
    def cell(op: Builder, input: Value, hx: Any, w_ih: Any, w_hh: Any, b_ih: Value | None = None,
             b_hh: Value | None = None) -> Any:
        both = Cell(_packed(w_ih), _packed(w_hh))
        inner = hx if isinstance(hx, list) else [hx]
        made = turn(op, _gates(op, input, both.ours, both), _gates(op, inner[0], both.theirs, both), inner)
        return list(made) if states > 1 else made[0]


_cell("lstm", 2, lstm_gates)
_cell("gru", 1, gru_gates)
