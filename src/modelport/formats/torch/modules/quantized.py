"""Quantized modules.

Source: torch/ao/nn/quantized (before 1.13: torch/nn/quantized) and torch/ao/quantization/stubs.py."""
from __future__ import annotations

from typing import Any

from ....codecs.pickle import Name
from ....errors import Unsupported, printable
from ..elements import QUANTIZED
from ..machine import Box
from ..packed import Packed
from ..values import Quantized
from .recurrent import initial
from .run import Run, forward
from .tree import Module

FUNCTIONALS = frozenset(("torch.nn.quantized.QFunctional", "torch.nn.quantized.FloatFunctional",
                         "torch.nn.quantized.FXFloatFunctional"))
"""Modules whose methods are operators."""


def functional(run: Run, m: Module, name: str, *args: Any, **named: Any) -> Any:
    """An operator whose result has the scale of a module, or, of one that was not converted, that of reals."""
    plain = name.removesuffix("_relu")
    if m.kind == "torch.nn.quantized.QFunctional" and isinstance(_first(args), Quantized):
        if name in ("add_scalar", "mul_scalar"):
            return run.call(f"quantized::{name.removesuffix('_scalar')}", *args)
        if name not in ("add", "mul", "cat", "add_relu", "matmul"):
            raise Unsupported(f"the method {printable(name, 40)} of {m.kind}", m.node)
        if name == "cat" and len(args) == 1:
            args = (*args, named.get("dim", 0))
        return run.call(f"quantized::{name}", *args, m.scale, m.zero_point)
    if plain.removesuffix("_scalar") not in ("add", "mul", "cat", "matmul"):
        raise Unsupported(f"the method {printable(name, 40)} of {m.kind}", m.node)
    made = run.call(plain.removesuffix("_scalar"), *args, **named)
    return run.call("relu", made) if name != plain else made


def _first(args: Any) -> Any:
    x = args[0] if args else None
    x = x[0] if isinstance(x, (list, tuple)) and x else x
    return x.value if isinstance(x, Box) else x


@forward("torch.quantization.QuantStub", "torch.quantization.DeQuantStub", "torch.nn.quantized.Dropout")
def same(run: Run, m: Module, x: Any) -> Any:
    return x


@forward("torch.quantization.QuantWrapper")
def wrapper(run: Run, m: Module, x: Any) -> Any:
    return run(m.dequant, run(m.module, run(m.quant, x)))


@forward("torch.nn.quantized.Quantize")
def quantize(run: Run, m: Module, x: Any) -> Any:
    kind = m.dtype
    return run.call("quantize_per_tensor", x, m.scale, m.zero_point,
                    QUANTIZED.get(kind.name, kind.name) if isinstance(kind, Name) else kind)


@forward("torch.nn.quantized.DeQuantize")
def dequantize(run: Run, m: Module, x: Any) -> Any:
    return run.call("dequantize", x)


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Box) else x


def _conv(name: str, operator: str, transposed: bool) -> None:
    @forward(f"torch.nn.quantized.{name}")
    def conv(run: Run, m: Module, x: Any) -> Any:
        if m.padding_mode != "zeros":
            raise Unsupported(f"a quantized convolution with padding '{printable(m.padding_mode, 40)}'", m.node)
        bias = _value(m.bias)
        packed = Packed(_value(m.weight), bias.real if isinstance(bias, Quantized) else bias, m.stride, m.padding,
                        m.dilation, m.output_padding, m.groups, transposed)
        return run.call(f"quantized::{operator}", x, packed, m.scale, m.zero_point)


for _n in (1, 2, 3):
    _conv(f"Conv{_n}d", f"conv{_n}d", False)
    _conv(f"ConvReLU{_n}d", f"conv{_n}d_relu", False)
    _conv(f"ConvTranspose{_n}d", f"conv_transpose{_n}d", True)


@forward("torch.nn.quantized.Linear")
def linear(run: Run, m: Module, x: Any, operator: str = "linear") -> Any:
    return run.call(f"quantized::{operator}", x, m._packed_params._packed_params, m.scale, m.zero_point)


@forward("torch.nn.quantized.LinearReLU")
def linear_relu(run: Run, m: Module, x: Any) -> Any:
    return linear(run, m, x, "linear_relu")


@forward("torch.nn.quantized.dynamic.Linear")
def dynamic_linear(run: Run, m: Module, x: Any, operator: str = "linear") -> Any:
    packed = m._packed_params
    if _half(packed.dtype):
        return run.call(f"quantized::{operator}_dynamic_fp16", x, packed._packed_params)
    return run.call(f"quantized::{operator}_dynamic", x, packed._packed_params, (m.get("version") or 0) >= 4)


@forward("torch.nn.quantized.dynamic.LinearReLU")
def dynamic_linear_relu(run: Run, m: Module, x: Any) -> Any:
    return dynamic_linear(run, m, x, "linear_relu")


def _half(kind: Any) -> bool:
    return getattr(kind, "name", "") == "float16"


@forward("torch.nn.quantized.dynamic.LSTM", "torch.nn.quantized.dynamic.GRU")
def recurrent(run: Run, m: Module, x: Any, hx: Any = None) -> Any:
    lstm = m.mode == "LSTM"
    if hx is None:
        hx = initial(run, m, x, m.hidden_size)
        hx = (hx, hx) if lstm else hx
    made = run.call("quantized_lstm" if lstm else "quantized_gru", x, list(hx) if lstm else hx,
                    [p.param for p in m._all_weight_values.parts()], m.bias, m.num_layers, 0.0, False, m.bidirectional,
                    m.batch_first)
    return (made[0], (made[1], made[2])) if lstm else (made[0], made[1])


@forward("torch.nn.quantized.dynamic.LSTMCell", "torch.nn.quantized.dynamic.GRUCell")
def cell(run: Run, m: Module, x: Any, hx: Any = None) -> Any:
    lstm = m.kind.endswith("LSTMCell")
    if hx is None:
        zero = run.call("new_zeros", x, [run.size(x, 0), m.hidden_size])
        hx = (zero, zero) if lstm else zero
    made = run.call(f"quantized::quantized_{'lstm' if lstm else 'gru'}_cell_dynamic", x, list(hx) if lstm else hx,
                    m._packed_weight_ih, m._packed_weight_hh)
    return tuple(made) if lstm else made


@forward("torch.nn.quantized.Embedding")
def embedding(run: Run, m: Module, x: Any) -> Any:
    return run.call("quantized::embedding_byte", _table(m), x)


@forward("torch.nn.quantized.EmbeddingBag")
def embedding_bag(run: Run, m: Module, x: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
    return run.call("quantized::embedding_bag_byte", _table(m), x, offsets, False, 0, bool(m.get("pruned_weights")),
                    per_sample_weights, None, bool(m.get("include_last_offset")))


def _table(m: Module) -> Any:
    packed = m._packed_params
    if getattr(packed.dtype, "name", "") != "quint8":
        raise Unsupported(f"an embedding of {printable(packed.dtype, 40)}", m.node)
    return packed._packed_weight


@forward("torch.nn.quantized.BatchNorm2d", "torch.nn.quantized.BatchNorm3d", "torch.nn.quantized.BNReLU2d",
         "torch.nn.quantized.BNReLU3d")
def batch_norm(run: Run, m: Module, x: Any) -> Any:
    name = f"batch_norm{m.kind[-2:]}" + "_relu" * ("ReLU" in m.kind)
    return run.call(f"quantized::{name}", x, m.weight, m.bias, m.running_mean, m.running_var, m.eps, m.scale,
                    m.zero_point)


_PLAIN = """
LayerNorm layer_norm normalized_shape weight bias eps | GroupNorm group_norm num_groups weight bias eps
InstanceNorm1d instance_norm weight bias eps | InstanceNorm2d instance_norm weight bias eps
InstanceNorm3d instance_norm weight bias eps | Hardswish hardswish | Sigmoid sigmoid output_scale output_zero_point
PReLU prelu weight | Softmax softmax dim
"""
"""Class, operator, and the attributes that stand before the scale and zero point, unless they are among them."""


def _row(text: str) -> None:
    name, operator, *names = text.split()

    @forward(f"torch.nn.quantized.{name}")
    def plain(run: Run, m: Module, x: Any) -> Any:
        ends = () if "output_scale" in names else (m.scale, m.zero_point)
        return run.call(f"quantized::{operator}", x, *(
            list(v) if isinstance(v := getattr(m, n), tuple) else v for n in names), *ends)


for _text in _PLAIN.replace("\n", "|").split("|"):
    if _text.strip():
        _row(_text)


@forward("torch.nn.quantized.ELU")
def elu(run: Run, m: Module, x: Any) -> Any:
    return run.call("quantized::elu", x, m.scale, m.zero_point, m.alpha)


@forward("torch.nn.quantized.LeakyReLU")
def leaky_relu(run: Run, m: Module, x: Any) -> Any:
    return run.call("quantized::leaky_relu", x, m.negative_slope, bool(m.get("inplace")), m.scale, m.zero_point)


@forward("torch.nn.quantized.ReLU6")
def relu6(run: Run, m: Module, x: Any) -> Any:
    return run.call("quantized::relu6", x)
