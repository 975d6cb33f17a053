"""QUANTIZE and DEQUANTIZE folded into the operators between them, by TensorFlow Lite's quantization specification.

An operator between dequantized inputs and a quantized output becomes its integer kernel wherever the specification
allows its scales; what it does not allow stays in real numbers between DEQUANTIZE and QUANTIZE, which is right too.

Source: the TensorFlow Lite 8-bit quantization specification; kernels/*.cc for what each kernel checks."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.graph import Made, Node, Value, constant
from ...ir.rewrite import Rewrites, Site
from ...ir.rules import Builder
from ...ir.tensor import Tensor
from ...ir.types import Quant, Type
from .carriers import real, same
from .fuse import changed, site

rewrite = Rewrites(site)
_SMALL = frozenset({"int8", "uint8", "int16"})
_INT32 = np.iinfo(np.int32)

MOVES = frozenset("RESHAPE TRANSPOSE EXPAND_DIMS SQUEEZE SLICE STRIDED_SLICE GATHER GATHER_ND TILE PAD MIRROR_PAD "
                  "SPACE_TO_DEPTH DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND REVERSE_V2 BROADCAST_TO "
                  "MAX_POOL_2D REDUCE_MAX REDUCE_MIN SPLIT SPLIT_V UNPACK RESIZE_NEAREST_NEIGHBOR".split())
"""Operators of which every output element is an input element (or zero): the same on what is stored."""
_DATA = {"SPLIT": 1}
_HOISTED = MOVES & frozenset("RESHAPE TRANSPOSE EXPAND_DIMS SQUEEZE GATHER DEPTH_TO_SPACE SPACE_TO_DEPTH".split())
"""Those that keep every element, so that quantizing before costs no more than after."""
JOINS = frozenset("CONCATENATION PACK MAXIMUM MINIMUM".split())
"""Operators whose inputs and output are stored on one scale."""
SHARED = frozenset("AVERAGE_POOL_2D RESIZE_BILINEAR".split())
"""Operators whose output is stored on the scale of their input."""
FREE = frozenset("ADD SUB MUL MEAN RELU RELU6 RELU_N1_TO_1 LEAKY_RELU HARD_SWISH SQUARED_DIFFERENCE BATCH_MATMUL "
                 "PRELU".split())
"""Operators whose inputs and outputs have scales of their own."""
FIXED: dict[str, dict[str, tuple[float, int]]] = {
    "SOFTMAX": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)},
    "LOG_SOFTMAX": {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)},
    "L2_NORMALIZATION": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128)}}
"""Operators whose output has the one scale and zero point that the kernel is made for."""
KINDS = {"HARD_SWISH": ("int8", "uint8"), "SQUARED_DIFFERENCE": ("int8",), "BATCH_MATMUL": ("int8", "int16"),
         "PRELU": ("int8", "uint8"), "RELU6": ("int8", "uint8"), "RELU_N1_TO_1": ("int8", "uint8"),
         "RESIZE_BILINEAR": ("int8", "uint8", "int16")}
"""The integers of those kernels that lack some."""
WEIGHTED = {"CONV_2D": (0, 1, 2, 0), "DEPTHWISE_CONV_2D": (0, 1, 2, 3), "FULLY_CONNECTED": (0, 1, 2, 0),
            "TRANSPOSE_CONV": (2, 1, 3, 0)}
"""Operators with weights: the places of input, weight and bias, and the axis of scales by channel."""


def stored(v: Value | None) -> Value | None:
    """The integers behind a dequantized value."""
    if v is None or v.node is None or v.op != "DEQUANTIZE" or v.node.inputs[0] is None:
        return None
    q = v.node.inputs[0]
    return q if q.type.quant is not None and q.dtype.name in _SMALL else None


@rewrite(*sorted(MOVES))
def move(op: Site, *ins: Value | None, **attrs: Any) -> Made:
    """Moved first, dequantized then: exact, and the next operator sees a dequantized value."""
    assert op.node is not None
    at = _DATA.get(op.node.op, 0)
    q = stored(ins[at])
    if q is None or (q.data is not None) or q.type.quant is None or q.type.quant.axis is not None:
        return None
    if op.node.op in ("REDUCE_MAX", "REDUCE_MIN", "MIRROR_PAD") and q.dtype.name == "uint8":
        return None
    inputs = list(ins)
    inputs[at] = q
    types = [Type(q.dtype, o.shape, q.type.quant) for o in op.node.outputs]
    outs = op.add(op.node.op, *inputs, type=types, outputs=len(types), **attrs)
    return tuple(op.DEQUANTIZE(o, type=old.type) for o, old in zip(outs, op.node.outputs, strict=True))


@rewrite("ARG_MAX", "ARG_MIN")
def arg(op: Site, x: Value, axis: Value, *, output_type: str) -> Made:
    """The largest number is where the largest integer is."""
    assert op.node is not None
    q = stored(x)
    return None if q is None or q.dtype.name == "int16" else changed(op, op.node, [q, axis], op.out)


@rewrite("QUANTIZE")
def quantize(op: Site, x: Value) -> Made:
    """The operator that made ``x`` as its integer kernel, if its scales allow."""
    out = op.out
    if out.quant is None or out.dtype.name not in _SMALL:
        return None
    q = stored(x)
    if q is not None and q.data is None:  # from one scale to another
        if same(q.type.quant, out.quant) and q.dtype == out.dtype:
            return q
        made: Value = op.QUANTIZE(q, type=out)
        return made
    node = x.node
    if node is None or not op.once(x) or x.dtype != np.float32:
        return None
    if node.op in _HOISTED:  # quantized first, moved then: exact, and the operator before may take it
        data = node.inputs[0]
        assert data is not None
        early = op.QUANTIZE(data, type=Type(out.dtype, data.shape, out.quant))
        return changed(op, node, [early, *node.inputs[1:]], out)
    if node.op not in _RULES:
        return None
    if out.dtype.name not in KINDS.get(node.op, ("int8", "uint8", "int16")):
        return None
    return _RULES[node.op](op, node, out)


def _integers(node: Node, out: Type) -> list[Value | None] | None:
    """The inputs of a node as they are stored, all of the output's element type; ``None`` if one is not."""
    found: list[Value | None] = []
    for v in node.inputs:
        if v is None or v.dtype.kind != "f":
            found.append(v)
            continue
        q = stored(v)
        if q is not None and q.data is not None and q.dtype.name == "uint8" and out.dtype.name == "int8":
            data, type = q.data, _shifted(q.type)
            q = Value(type, q.name, data=Tensor((data.numpy().astype(np.int16) - 128).astype(np.int8), type))
        if q is None or q.dtype != out.dtype or q.type.quant is None or q.type.quant.axis is not None:
            return None
        found.append(q)
    return found


def _free(op: Site, node: Node, out: Type) -> Made:
    ins = _integers(node, out)
    if ins is None or (out.dtype.name == "int16" and node.op in ("ADD", "SUB") and not _centred(out, *ins)):
        return None
    more = {"pot_scale_int16": False} if out.dtype.name == "int16" and node.op in ("ADD", "SUB") else {}
    return changed(op, node, ins, out, **more)


def _centred(out: Type, *ins: Value | None) -> bool:
    return all(t.quant is None or not t.quant.zero_point.any() for t in (out, *(v.type for v in ins if v is not None)))


def _fixed(op: Site, node: Node, out: Type) -> Made:
    ins = _integers(node, out)
    want = FIXED[node.op].get(out.dtype.name)
    if ins is None or want is None or out.quant is None or not same(
            out.quant, Quant(np.asarray(want[0], np.float32), np.asarray(want[1], np.int64))):
        return None
    return changed(op, node, ins, out)


def _shared(op: Site, node: Node, out: Type) -> Made:
    """On the scale of the input; then to that of the output, if it is another."""
    ins = _integers(node, out)
    if ins is None or ins[0] is None:
        return None
    quant = ins[0].type.quant
    y = changed(op, node, ins, Type(out.dtype, out.shape, quant))
    if same(quant, out.quant):
        return y
    made: Value = op.QUANTIZE(y, type=out)
    return made


def _join(op: Site, node: Node, out: Type) -> Made:
    """Inputs on other scales are brought to the output's first, where the kernel does not do it itself."""
    ins = _integers(node, out)
    if ins is None:
        return None
    if node.op == "CONCATENATION" and out.dtype.name == "uint8":  # ConcatenationWithScaling
        return changed(op, node, ins, out)
    brought = [v if v is None or same(v.type.quant, out.quant) else
               op.QUANTIZE(v, type=Type(out.dtype, v.shape, out.quant)) for v in ins]
    return changed(op, node, brought, out)


def _weighted(op: Site, node: Node, out: Type) -> Made:
    """Convolutions and products with constant weights: 8-bit inputs and weights, a bias of 32 bits on their scale.

    Signed weights have no zero point, and may have a scale for each channel; 16-bit inputs a bias of 64 bits."""
    at_x, at_w, at_b, axis = WEIGHTED[node.op]
    ins: list[Value | None] = [*node.inputs, None, None, None][:max(len(node.inputs), at_b + 1)]
    qx, qw = stored(ins[at_x]), _weight(ins[at_w])
    if qx is not None and qw is not None and qw.dtype.name == "int8":
        if out.dtype.name == "uint8":  # an output of the model: shifted at the end
            y = _weighted(op, node, _shifted(out))
            done: Value = op.QUANTIZE(y, type=out)
            return done if y is not None else None
        if qx.dtype.name == "uint8" and out.dtype.name == "int8":  # an input of the model
            qx = op.QUANTIZE(qx, type=_shifted(qx.type))
    if qx is None or qw is None or qx.dtype != out.dtype or qx.type.quant is None or qw.type.quant is None:
        return None
    x, w = qx.type.quant, qw.type.quant
    kind = out.dtype.name
    if kind == "uint8":
        if qw.dtype.name != "uint8" or w.axis is not None:
            return None
    elif qw.dtype.name in ("int8", "int4") and np.any(w.zero_point):
        op.at(node).note("changed", "integer weights with a zero point, which no integer kernel takes: computed in "
                                    "real numbers")
        return None
    elif qw.dtype.name not in ("int8", "int4") or w.axis not in (None, axis):
        return None
    if kind == "int16" and not _centred(out, qx):
        return None
    if kind == "int16" and node.op == "FULLY_CONNECTED" and w.axis is not None:
        return None
    bias = ins[at_b]
    if bias is not None:
        bias = _bias(op.at(node), bias, x.scale * w.scale, np.dtype(np.int64 if kind == "int16" else np.int32))
        if bias is None:
            return None
    ins[at_x], ins[at_w], ins[at_b] = qx, qw, bias
    return changed(op, node, ins, out)


def _shifted(type: Type) -> Type:
    """The int8 type of the same real numbers as a uint8 one."""
    assert type.quant is not None
    return Type(np.dtype(np.int8), type.shape, Quant(type.quant.scale, type.quant.zero_point - 128))


def _weight(v: Value | None) -> Value | None:
    """The integers of a constant weight."""
    if v is None or v.node is None or v.op != "DEQUANTIZE":
        return None
    q = v.node.inputs[0]
    return q if q is not None and q.data is not None and q.type.quant is not None else None


def _bias(op: Builder, b: Value, scale: Any, dtype: np.dtype[Any]) -> Value | None:
    """The bias on the scale of the products: its own integers where they are on it, else its real numbers rounded."""
    n = b.type.size or 0
    axis = 0 if np.ndim(scale) else None
    wanted = np.asarray(scale, np.float32)
    quant = Quant(wanted, np.zeros(wanted.shape, np.int64), axis)
    q = _weight(b)
    if q is not None and q.type.quant is not None and np.allclose(q.type.quant.scale, wanted, rtol=1e-6, atol=0) \
            and q.dtype.name == "int32" and not np.any(q.type.quant.zero_point):
        data = Tensor(q.numpy().astype(dtype).reshape(-1)) if dtype != q.dtype else q.data
        stated = q.type.quant  # the same to the last digit or two: what the source says stays
        return Value(Type(dtype, (n,), stated if stated.axis == quant.axis else quant), b.name, data=data)
    if q is None and b.data is None:
        return None
    numbers = b.numpy().astype(np.float64) if b.data is not None else real(q) if q is not None else np.zeros(n)
    counted = np.rint(numbers.reshape(-1) / wanted.astype(np.float64))
    limit = _INT32 if dtype == np.int32 else np.iinfo(np.int64)
    if not np.isfinite(counted).all() or (np.abs(counted) > limit.max).any():
        return None
    if q is not None:
        op.note("changed", "a bias on another scale than that of the products was quantized anew")
    made = constant(counted.astype(dtype), name=b.name)
    made.type = Type(dtype, (n,), quant)
    return made


_Rule = Callable[[Site, Node, Type], Made]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(FREE, _free), **dict.fromkeys(FIXED, _fixed), **dict.fromkeys(SHARED, _shared),
    **dict.fromkeys(JOINS, _join), **dict.fromkeys(WEIGHTED, _weighted)}

finish = Rewrites(site)


@finish("DEQUANTIZE")
def wide_bias(op: Site, q: Value) -> Made:
    """A constant that no kernel dequantizes (a bias of 32 bits) in real numbers."""
    if q.data is None or q.dtype.name != "int32":
        return None
    return constant(real(q).astype(np.float32), name=q.name)

