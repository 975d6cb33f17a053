"""Quantization in one place: raw values with a ``Quant`` become QuantizeLinear/DequantizeLinear in the hub.

What flows through a translated graph is the *dequantized* value: every quantized output of a rule passes through
QuantizeLinear and DequantizeLinear, so a rule is written for real numbers and never sees the integers.  A rule that
wants the integers asks :func:`quantized`."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import Unsupported, UnsupportedModel
from ..ir.graph import Graph, Node, Value, constant
from ..ir.rules import Builder, Rules, apply, translate
from ..ir.types import Quant, Type


def dequantize(op: Builder, q: Value, quant: Quant) -> Value:
    """The real value of the integers ``q``: float32 of the same shape."""
    if not np.isfinite(quant.scale).all() or (quant.scale < 0).any():
        raise Unsupported("a quantization that is not one scale and zero point a tensor or channel")
    if q.dtype == np.int64 and q.data is not None:  # the bias of 16-bit activations, too wide for DequantizeLinear
        scale = quant.scale.reshape([-1 if quant.axis == k else 1 for k in range(q.rank or 0)])
        return constant(((q.numpy() - quant.zero_point) * scale.astype(np.float64)).astype(np.float32), name=q.name)
    axis = {} if quant.axis is None else {"axis": quant.axis}
    made: Value = op.DequantizeLinear(q, *_parameters(q.type, quant), **axis)
    return made


def quantize(op: Builder, x: Value, type: Type) -> Value:
    """The integers that ``type`` stores for the real value ``x``; rounds half to even, saturates."""
    assert type.quant is not None
    scale, zero = _parameters(type, type.quant)
    if not (np.isfinite(type.quant.scale).all() and (type.quant.scale > 0).all()):
        raise Unsupported("a quantization without a positive scale")
    if zero is None:
        zero = constant(np.zeros(type.quant.scale.shape, type.dtype))
    made: Value = op.QuantizeLinear(x, scale, zero, **({} if type.quant.axis is None else {"axis": type.quant.axis}))
    return made


def _parameters(type: Type, quant: Quant) -> tuple[Value, Value | None]:
    if type.dtype.name not in ("int8", "uint8", "int16", "uint16", "int32", "int4", "uint4", "int2", "uint2"):
        raise Unsupported(f"quantized {type.dtype}")
    scale = constant(np.asarray(quant.scale, np.float32))
    zero = np.asarray(quant.zero_point)
    if type.dtype == np.int32:  # a bias: ONNX wants no zero point, and there is none
        if zero.any():
            raise Unsupported("a quantized int32 value with a zero point")
        return scale, None
    stored = zero.astype(type.dtype)
    if (stored.astype(np.int64) != zero).any():
        raise Unsupported(f"a zero point outside of {type.dtype}")
    return scale, constant(stored)


def quantized(value: Value) -> Value:
    """The integers behind a dequantized value, or the value itself if it is not one."""
    if value.op == "DequantizeLinear" and value.node is not None and value.node.inputs[0] is not None:
        return value.node.inputs[0]
    return value


def plain_type(type: Type) -> Type:
    """The type without its quantization."""
    return Type(type.dtype, type.shape)


def flows_real(v: Value) -> bool:
    """Whether the real value flows for a raw value, not what it stores.

    A computed int32 or int64 is a number as it is, whatever scale its tensor states: only constants, which are
    biases, are scaled."""
    return v.type.quant is not None and (v.data is not None or v.dtype.itemsize < 4)


def translate_quantized(graph: Graph, rules: Rules, op: Builder, stored: frozenset[str] = frozenset()) -> Graph:
    """``translate`` for a raw graph whose types may carry a ``Quant``.

    Rules see and make real values; those of the operators named in ``stored`` see and make what a quantized value
    stores.  A rule that does not deliver the element type that its node states is refused."""
    inputs = {k: Value(plain_type(v.type), v.name) for k, v in graph.inputs.items()}
    flows = {k: _input(op, k, v, raw, rules) for (k, v), raw in zip(inputs.items(), graph.inputs.values(), strict=True)}
    constants: dict[Value, Value] = {}

    def real(v: Value | None) -> Value | None:
        if v is None or v.data is None or v.type.quant is None:
            return v
        if v not in constants:
            constants[v] = dequantize(op, Value(plain_type(v.type), v.name, data=v.data), v.type.quant)
        return constants[v]

    def around(op: Builder, node: Node, rule: Callable[..., Any]) -> Any:
        inside = quantized_or_stored if node.op in stored else real
        node = node.with_(inputs=[inside(v) for v in node.inputs])
        try:
            made = apply(rule, op.at(node), node)
        except (ArithmeticError, LookupError, ValueError, TypeError, AttributeError) as e:
            # a node from a file: an absent input, a size of zero, fewer outputs than its attributes say
            raise Unsupported(f"the operator is not as its kernel wants it ({type(e).__name__}: {e})") from e
        outs = (made,) if isinstance(made, Value) else tuple(made)
        return tuple(_delivered(op, o, raw, node.op in stored) for o, raw in zip(outs, node.outputs, strict=False))

    result = translate(graph, rules, op, around, flows)
    outputs: Mapping[str, Value] = {
        k: quantized_or_stored(v) or v if flows_real(raw) else v
        for (k, v), raw in zip(result.outputs.items(), graph.outputs.values(), strict=True)}
    return result.with_(inputs=inputs, outputs=outputs)


def _input(op: Builder, name: str, v: Value, raw: Value, rules: Rules) -> Value:
    """What flows for an input of the graph."""
    quant = raw.type.quant
    if quant is None or not flows_real(raw):
        return v
    try:
        return dequantize(op, v, quant)
    except Unsupported as e:
        raise UnsupportedModel([Unsupported(e.reason, Node("input", [], {}, [], name=name))], rules.target) from None


def quantized_or_stored(v: Value | None) -> Value | None:
    """What is stored for a value, which may be absent or a raw constant."""
    if v is None or (v.data is not None and v.type.quant is not None):
        return None if v is None else Value(plain_type(v.type), v.name, data=v.data)
    return quantized(v)


def _delivered(op: Builder, made: Value, raw: Value, is_stored: bool) -> Value:
    """What flows for the raw value ``raw`` when a rule has made ``made``."""
    quant = raw.type.quant
    if flows_real(raw) and quant is not None and not is_stored:
        if made.dtype.kind != "f":
            raise Unsupported(f"a result of {made.dtype} where a quantized {raw.dtype} is stated")
        return dequantize(op, quantize(op, made, raw.type), quant)
    if made.dtype != raw.dtype and raw.dtype.kind != "c":
        raise Unsupported(f"a result of {made.dtype} where {raw.dtype} is stated")
    return dequantize(op, made, quant) if flows_real(raw) and quant is not None else made
