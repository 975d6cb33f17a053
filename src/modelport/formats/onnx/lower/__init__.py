"""Hub graphs as ONNX of an older operator set.

A node that means the same there stays; one whose inputs or attributes were arranged otherwise is spelled so
(:mod:`.spell`); one that the operator set lacks is decomposed (:mod:`.older`, then the function body of its
schema), until all are legal."""
from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from onnx import helper

from ....errors import Unsupported, UnsupportedModel, UsageError
from ....hub.decompose import decompose
from ....hub.infer import op
from ....hub.opset import NHWC, OPSET, split
from ....ir.graph import Graph, Node, Value, rebuild
from ....ir.types import DType
from .. import meta
from ..functions import expand
from .fits import Attributes, lacking, misfit
from .older import rules
from .spell import Spelled, spelling, whole_pad, whole_resize

LOWEST, USUAL, RUNNABLE = 13, 20, 26
"""The oldest operator set that is written, the one written where it suffices, the newest that ONNX Runtime runs."""


def from_hub(hub: Graph, opset: int | None = None, ir_version: int | None = None) -> Graph:
    """The graph in the operators of ``opset`` (13 to 28).

    By default that is 20, or what newer operators need up to 26; those of 27 and 28 are decomposed if they can be.
    Raises :class:`UnsupportedModel` naming every node that the operator set can't express."""
    if opset is not None and not LOWEST <= opset <= OPSET[""]:
        raise UsageError(f"opset {opset} can't be written; {LOWEST} to {OPSET['']} can")
    if any(n.op.startswith(NHWC) for n in hub.walk()):
        from ....hub.layout import channels_first
        hub = channels_first(hub)
    ml = max((_need_ml(n) for n in hub.walk()), default=_ML[0])
    if opset is not None:
        lowered = _lowered(hub, opset, ml)
    else:
        needs = {need(n) for n in hub.walk()}
        opset = max((v for v in needs if v <= RUNNABLE), default=USUAL)
        try:
            lowered = _lowered(hub, opset, ml)
        except UnsupportedModel:
            opset = max(needs)
            lowered = _lowered(hub, opset, ml)
    imports = {"": opset}
    if any(split(n.op)[0] == "ai.onnx.ml" for n in lowered.walk()):
        imports["ai.onnx.ml"] = ml
    least = helper.find_min_ir_version_for([helper.make_opsetid(d, v) for d, v in imports.items()])
    ir = ir_version or max([least, *map(_ir, {o.dtype for n in lowered.walk() for o in n.outputs}),
                            *map(_ir, {v.dtype for v in lowered.constants})])
    return lowered.with_(meta={**meta.with_imports(lowered.meta, imports), "onnx:ir_version": str(ir)})


def _ir(dtype: DType) -> int:
    """The version of the file format that brought an element type."""
    name = dtype.name
    return (14 if "float6_" in name else 13 if name == "int2" or name == "uint2" else 12 if "e8m0" in name else
            11 if "float4" in name else 10 if name in ("int4", "uint4") else 9 if "float8" in name else 4)


def need(node: Node) -> int:
    """The lowest operator set from 20 on that has the node without decomposing it."""
    domain = split(node.op)[0]
    if domain:
        return USUAL
    return next((v for v in range(USUAL, OPSET[""]) if spelled(node, v) is not None), OPSET[""])


_ML = (3, 4, 5)


def _need_ml(node: Node) -> int:
    if split(node.op)[0] != "ai.onnx.ml":
        return _ML[0]
    return next((v for v in _ML if not isinstance(misfit(node, v), str)), _ML[-1])


def spelled(node: Node, version: int) -> Spelled | None:
    """Inputs and attributes of the node as an operator set has them, or ``None`` if it has no such node."""
    got = misfit(node, version)
    if not isinstance(got, str):
        return node.inputs, got
    rule = spelling(node.op, version)
    if rule is None or lacking(node, version):
        return None
    try:
        return rule(node, version)
    except Unsupported:
        return None


def _lowered(hub: Graph, version: int, ml: int) -> Graph:
    def legal(node: Node) -> bool:
        domain = split(node.op)[0]
        if domain:
            return not isinstance(misfit(node, ml), str) if domain in OPSET else True
        return spelled(node, version) is not None

    def why(node: Node) -> str:
        return f"opset {version} does not have it: {misfit(node, ml if split(node.op)[0] else version)}"

    lowered = decompose(hub, legal, rules, partial(expand, version=version), target=f"ONNX of opset {version}", why=why)
    return rebuild(lowered, partial(_spell, version=version))


def _spell(node: Node, version: int) -> Sequence[Value] | None:
    if split(node.op)[0]:
        return None
    got = spelled(node, version)
    assert got is not None
    inputs, attrs = got
    if node.op == "MaxPool" and _padded(node.inputs[0]):
        inputs, attrs = _kept_apart(node, attrs)
    if node.op in _WHOLE:
        inputs, attrs = _whole(node, inputs, attrs)
    if node.outputs[0].dtype == np.float64 and node.op in ("MatMul", "Mul", "Div"):
        inputs = [_unfused(node, v) for v in inputs]
    if attrs == node.attrs and tuple(inputs) == node.inputs:
        return None
    return node.with_(inputs=inputs, attrs=attrs).outputs


_WHOLE = {"Pad": whole_pad, "Resize": whole_resize}


def _whole(node: Node, inputs: Sequence[Value | None], attrs: Attributes) -> Spelled:
    """A Pad or Resize that says every axis, where that is possible.

    The optimizer of ONNX Runtime (its transpose optimizer, seen in 1.31) moves a Transpose through them as if they did,
    and the model does not load, or stops in a Gather whose index is out of bounds."""
    try:
        return _WHOLE[node.op](node), {k: v for k, v in attrs.items() if k != "axes"}
    except Unsupported:
        return inputs, attrs


def _unfused(node: Node, x: Value | None) -> Value | None:
    """An input of a product of doubles so that the optimizer of ONNX Runtime leaves the two apart: before it stands a
    ``Max`` of one tensor, which is that tensor.

    It (MatMulScaleFusion, seen in 1.31) makes a number beside a MatMul the FusedMatMul's ``alpha``, which has 32 bits;
    and in 1.23 it makes one of a Transpose before a MatMul, though that has no kernel for doubles (its issue
    28136)."""
    before = x.node if x is not None else None
    if before is None:
        return x
    if node.op == "MatMul":
        apart = before.op == "Transpose" or (before.op in ("Mul", "Div") and _coarse(before))
    else:
        apart = before.op == "MatMul" and _coarse(node)
    return op.at(node).Max(x) if apart else x


def _coarse(node: Node) -> bool:
    """Whether a factor or divisor is one number, and not as exact in 32 bits."""
    for v in node.inputs:
        if v is not None and v.data is not None and v.shape is not None and set(v.shape) <= {1}:
            with np.errstate(all="ignore"):
                factor = v.numpy().reshape(()) ** (-1.0 if node.op == "Div" else 1.0)
                return bool(np.float32(factor) != factor)
    return False


def _padded(x: Value | None) -> bool:
    """Whether a value is what a Pad made, with or without a Cast."""
    if x is not None and x.node is not None and x.node.op == "Cast":
        x = x.node.inputs[0]
    return x is not None and x.node is not None and x.node.op == "Pad"


def _kept_apart(node: Node, attrs: Attributes) -> Spelled:
    """A MaxPool after a Pad so that the optimizer of ONNX Runtime leaves the two apart.

    It (Pad_Fusion, seen in 1.31) makes zeros of a Pad the padding of the MaxPool, which counts as minus infinity: wrong
    where all of a window is negative, as in ResNet50V2.  It skips what has ``auto_pad``, so a MaxPool with no padding
    of its own says ``VALID``; before another one stands a ``Max`` of one tensor, which is that tensor."""
    if any(attrs.get("pads", ())) or attrs.get("ceil_mode"):
        return (op.at(node).Max(node.inputs[0]),), attrs
    if attrs.get("auto_pad", "NOTSET") != "NOTSET":
        return node.inputs, attrs
    return node.inputs, {**{k: v for k, v in attrs.items() if k != "pads"}, "auto_pad": "VALID"}
