"""Quantization in one place: raw values with a ``Quant`` become QuantizeLinear/DequantizeLinear in the hub.

What flows through a translated graph is the *dequantized* value: every quantized output of a rule passes through
QuantizeLinear and DequantizeLinear, so a rule is written for real numbers and never sees the integers.  A rule that
wants the integers asks :func:`quantized`."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import Unsupported
from ..ir.graph import Graph, Node, Value, constant
from ..ir.rules import Builder, Rules, apply, translate
from ..ir.types import Quant, Type


def dequantize(op: Builder, q: Value, quant: Quant) -> Value:
    """The real value of the integers ``q``: float32 of the same shape."""
    axis = {} if quant.axis is None else {"axis": quant.axis}
    made: Value = op.DequantizeLinear(q, *_parameters(q.type, quant), **axis)
    return made


def quantize(op: Builder, x: Value, type: Type) -> Value:
    """The integers that ``type`` stores for the real value ``x``; rounds half to even, saturates."""
    assert type.quant is not None
    scale, zero = _parameters(type, type.quant)
    if zero is None:
        zero = constant(np.zeros(type.quant.scale.shape, type.dtype))
    made: Value = op.QuantizeLinear(x, scale, zero, **({} if type.quant.axis is None else {"axis": type.quant.axis}))
    return made


def _parameters(type: Type, quant: Quant) -> tuple[Value, Value | None]:
    if type.dtype.name not in ("int8", "uint8", "int16", "uint16", "int32", "int4", "uint4"):
        raise Unsupported(f"quantized {type.dtype}")
    scale = constant(np.asarray(quant.scale, np.float32))
    zero = np.asarray(quant.zero_point)
    if type.dtype == np.int32:  # a bias: ONNX wants no zero point, and there is none
        if zero.any():
            raise Unsupported("a quantized int32 value with a zero point")
        return scale, None
    return scale, constant(zero.astype(type.dtype))


def quantized(value: Value) -> Value:
    """The integers behind a dequantized value, or the value itself if it is not one."""
    if value.op == "DequantizeLinear" and value.node is not None and value.node.inputs[0] is not None:
        return value.node.inputs[0]
    return value


def plain_type(type: Type) -> Type:
    """The type without its quantization."""
    return Type(type.dtype, type.shape)


def translate_quantized(graph: Graph, rules: Rules, op: Builder,
                        integer: frozenset[str] = frozenset()) -> Graph:
    """``translate`` for a raw graph whose types may carry a ``Quant``.

    Rules see and make real values; the operators named in ``integer`` deliver what they store instead."""
    inputs = {k: Value(plain_type(v.type), v.name) for k, v in graph.inputs.items()}
    flows = {k: v if raw.type.quant is None else dequantize(op, v, raw.type.quant)
             for (k, v), raw in zip(inputs.items(), graph.inputs.values(), strict=True)}
    constants: dict[Value, Value] = {}

    def real(v: Value | None) -> Value | None:
        if v is None or v.data is None or v.type.quant is None:
            return v
        if v not in constants:
            stored = Value(plain_type(v.type), v.name, data=v.data)
            constants[v] = dequantize(op, stored, v.type.quant)
        return constants[v]

    def around(op: Builder, node: Node, rule: Callable[..., Any]) -> Any:
        if any(v is not None and v.type.quant is not None for v in node.inputs):
            node = node.with_(inputs=[real(v) for v in node.inputs])
            op = op.at(node)
        made = apply(rule, op, node)
        if node.op in integer or all(o.type.quant is None for o in node.outputs):
            return made
        outs = (made,) if isinstance(made, Value) else tuple(made)
        return tuple(o if old.type.quant is None or o is None
                     else dequantize(op, quantize(op, o, old.type), old.type.quant)
                     for o, old in zip(outs, node.outputs, strict=False))

    result = translate(graph, rules, op, around, flows)
    outputs: Mapping[str, Value] = {
        k: quantized(real(v) or v) if raw.type.quant is not None else v
        for (k, v), raw in zip(result.outputs.items(), graph.outputs.values(), strict=True)}
    return result.with_(inputs=inputs, outputs=outputs)
