"""Integers wider than QuantizeLinear and its kernels know: a Softmax of 8 bits that delivers 16, steps of 32 bits.

TensorFlow Lite has kernels for both, which reading them gives in hub operators; here they are seen as such again.

Source: tensorflow/lite/kernels/{activations,quantize}.cc."""
from __future__ import annotations

import numpy as np

from ....hub import infer
from ....ir.graph import Made, Value
from ....ir.rewrite import Rewrites, Site
from ..carriers import parameters
from ..from_onnx.quant import REQUANTIZE, SOFTMAX

rewrite = Rewrites(infer.site)
_STEPS = ("Clip", "Add", "Round", "Div", "Cast")
_LIMITS = (float(np.iinfo(np.int32).min), float(np.iinfo(np.int32).max))


@rewrite("QuantizeLinear")
def softmax(op: Site, x: Value, scale: Value, zero: Value | None = None, **others: int) -> Made:
    """The kernel is made for one output: steps of 1/65536 from -32768."""
    assert op.node is not None
    out = parameters(op.node)
    if x.op != "Softmax" or x.node is None or out is None or op.out.dtype != np.int16 or out.zero_point != -32768 \
            or abs(out.scale * 65536 - 1) > 1e-3 or x.node.attrs.get("axis", -1) not in (-1, (x.rank or 0) - 1):
        return None
    given = x.node.inputs[0]
    if given is None or given.op != "DequantizeLinear" or given.node is None:
        return None
    quant, q = parameters(given.node), given.node.inputs[0]
    if quant is None or q is None or q.dtype != np.int8 or q.data is not None:
        return None
    made: Value = op.add(SOFTMAX, q, type=op.out, quants=(float(quant.scale), int(quant.zero_point),
                                                          float(out.scale), int(out.zero_point)))
    return made


@rewrite("Cast")
def requantize(op: Site, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Made:
    """Steps of 32 bits, counted in doubles."""
    if op.out.dtype != np.int32:
        return None
    found: dict[str, tuple[float, ...]] = {}
    v: Value | None = x
    for name in _STEPS:
        if v is None or v.node is None or v.op != name or v.dtype != np.float64:
            return None
        v, *others = v.node.inputs
        if any(o is None or o.data is None or o.type.size != 1 for o in others):
            return None
        found[name] = tuple(float(o.numpy().reshape(())) for o in others if o is not None)
    if found["Clip"] != _LIMITS or v is None or v.op != "DequantizeLinear" or v.node is None:
        return None
    quant, q = parameters(v.node), v.node.inputs[0]
    (step,), (zero,) = found["Div"], found["Add"]
    if quant is None or q is None or q.data is not None or q.dtype.name not in ("int8", "int16") \
            or step != np.float32(step) or zero != int(zero):
        return None
    made: Value = op.add(REQUANTIZE, q, type=op.out,
                         quants=(float(quant.scale), int(quant.zero_point), step, int(zero)))
    return made
