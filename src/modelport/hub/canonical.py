"""One way to say each thing: what a writer of another format need not think about.

After :func:`canonical` every attribute is stated, axes count from the front, pads are numbers where sizes are, Gemm has
no factors, Clip has both bounds, and operators that only matter in training are gone."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from onnx import helper

from ..ir.graph import Graph, Made, Node, Value, rebuild
from ..ir.rules import Builder
from ..ir.tensor import Tensor
from ..ir.types import BITS, NUMBER
from . import infer
from .layout import last_to_first
from .opset import NHWC, schema


def canonical(graph: Graph) -> Graph:
    """The same graph, every node in its one form.  Bodies of If, Loop and Scan too."""
    def rule(node: Node) -> Made:
        attrs = {**_defaults(node.op), **node.attrs}
        name = node.op.removeprefix(NHWC)
        op = infer.op.at(node)
        special = _RULES.get(name)
        if special is not None:
            made = special(op, node, attrs)
            if made is not None:
                return made
        return None if attrs == node.attrs else node.with_(attrs=attrs).outputs
    return rebuild(graph, rule)


@cache
def _defaults(op: str) -> dict[str, Any]:
    s = schema(op)
    if s is None:
        return {}
    out: dict[str, Any] = {}
    for name, a in s.attributes.items():
        if not a.required and a.default_value.type:
            value = helper.get_attribute_value(a.default_value)
            if isinstance(value, bytes):
                value = value.decode()
            elif isinstance(value, list):
                value = tuple(v.decode() if isinstance(v, bytes) else v for v in value)
            out[name] = value
    return out


Attributes = dict[str, Any]


def _axis(op: Builder, node: Node, attrs: Attributes) -> None:
    """Axes count from the front.  (DequantizeLinear of a scalar scale has an axis that means nothing.)"""
    x = node.inputs[0] if node.inputs else None
    rank = None if x is None else x.rank
    if rank and isinstance(attrs.get("axis"), int) and attrs["axis"] < 0:
        attrs["axis"] += rank + (node.op == "Unsqueeze")


def _window(op: Builder, node: Node, attrs: Attributes) -> None:
    """Kernel, strides, dilations and pads stated; auto_pad by numbers where the sizes are known.

    (ONNX operators Conv and MaxPool: SAME_UPPER puts the odd one behind, SAME_LOWER before.)"""
    x = node.inputs[0]
    if x is None or x.rank is None or x.shape is None:
        return
    shape = x.shape if not node.op.startswith(NHWC) else tuple(x.shape[k] for k in last_to_first(x.rank))
    space = x.rank - 2
    place = 3 if node.op == "QLinearConv" else 1
    w = node.inputs[place] if "Conv" in node.op and len(node.inputs) > place else None
    if "kernel_shape" not in attrs and w is not None and w.type.static and w.shape is not None:
        attrs["kernel_shape"] = w.shape[2:]
    attrs.setdefault("strides", (1,) * space)
    attrs.setdefault("dilations", (1,) * space)
    auto = attrs.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        attrs["pads"] = attrs.get("pads") or (0,) * (2 * space) if auto == "NOTSET" else (0,) * (2 * space)
        attrs["auto_pad"] = "NOTSET"
        return
    sizes = shape[2:]
    if node.op.endswith("ConvTranspose") or "kernel_shape" not in attrs \
            or not all(isinstance(d, int) for d in sizes):
        return
    before, after = [], []
    for size, kernel, stride, dilation in zip(sizes, attrs["kernel_shape"], attrs["strides"], attrs["dilations"],
                                              strict=True):
        assert isinstance(size, int)
        total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        before.append(small if auto == "SAME_UPPER" else large)
        after.append(large if auto == "SAME_UPPER" else small)
    attrs["pads"], attrs["auto_pad"] = (*before, *after), "NOTSET"


def _gemm(op: Builder, node: Node, attrs: Attributes) -> Made:
    """``alpha`` and ``beta`` as multiplications, where they are not one."""
    a, b, c = [*node.inputs, None][:3]
    alpha, beta = attrs["alpha"], attrs["beta"]
    if (alpha == 1 and (beta == 1 or c is None)) or a is None or b is None:
        return None

    def times(v: Value, k: float) -> Value:
        return v if k == 1 else op.Mul(v, np.asarray(k, v.dtype))
    made: Value = op.Gemm(a, times(b, alpha), None if c is None or beta == 0 else times(c, beta), alpha=1.0, beta=1.0,
                          transA=attrs["transA"], transB=attrs["transB"])
    return made


def _clip(op: Builder, node: Node, attrs: Attributes) -> Made:
    """Both bounds, as constants: the lowest and highest number of the type where the node has none."""
    x, low, high = [*node.inputs, None, None][:3]
    if x is None or (low is not None and high is not None):
        return None
    kind = x.dtype
    if kind.kind == "f":
        bounds = -np.inf, np.inf
    elif kind.kind in "iu" and kind not in BITS:
        bounds = np.iinfo(kind).min, np.iinfo(kind).max
    else:
        return None
    made: Value = op.Clip(x, np.asarray(bounds[0], kind) if low is None else low,
                          np.asarray(bounds[1], kind) if high is None else high)
    return made


def _dropout(op: Builder, node: Node, attrs: Attributes) -> Made:
    x = node.inputs[0]
    training = node.inputs[2] if len(node.inputs) > 2 else None
    if x is None or (training is not None and (training.data is None or bool(training.numpy()))):
        return None
    if len(node.outputs) == 1:
        return x
    return x, op.Expand(np.array(True), op.Shape(x))


def _cast_like(op: Builder, node: Node, attrs: Attributes) -> Made:
    """A cast to a type that is known."""
    made: Value = op.Cast(node.inputs[0], to=NUMBER[node.outputs[0].dtype], saturate=attrs["saturate"],
                          round_mode=attrs["round_mode"])
    return made


def _reduce(op: Builder, node: Node, attrs: Attributes) -> Made:
    """Axes stated and from the front: all of them where none are named."""
    x, axes = [*node.inputs, None][:2]
    if x is None or x.rank is None or (axes is not None and axes.data is None):
        return None
    named = [] if axes is None else [int(a) for a in axes.numpy()]
    if not named and attrs.get("noop_with_empty_axes", 0):
        return None
    want = sorted(a % x.rank for a in named) if named else list(range(x.rank))
    if named == want or not x.rank:
        return None
    made: Value = op.add(node.op, x, np.array(want, np.int64), keepdims=attrs["keepdims"])
    return made


def _axes_input(index: int) -> Callable[[Builder, Node, Attributes], Made]:
    """Operators that name axes in an input, relative to the output's rank for Unsqueeze."""
    def rule(op: Builder, node: Node, attrs: Attributes) -> Made:
        ins = list(node.inputs)
        axes = ins[index] if len(ins) > index else None
        ranked = node.outputs[0] if node.op == "Unsqueeze" else ins[0]
        rank = None if ranked is None else ranked.rank
        if axes is None or axes.data is None or not rank or not (axes.numpy() < 0).any():
            return None
        ins[index] = Value(axes.type, axes.name, data=Tensor(axes.numpy() % rank))
        return node.with_(inputs=ins, attrs=attrs).outputs
    return rule


_RULES: dict[str, Callable[[Builder, Node, Attributes], Made]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "Concat", "Split", "Gather", "GatherElements",
                     "ScatterElements", "ArgMax", "ArgMin", "TopK", "LayerNormalization", "RMSNormalization",
                     "LpNormalization", "Flatten", "QuantizeLinear", "DequantizeLinear", "Compress"), _axis),
    **dict.fromkeys(("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "ConvInteger", "QLinearConv"),
                    _window),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
                     "ReduceProd", "ReduceSum", "ReduceSumSquare"), _reduce),
    "Gemm": _gemm, "Clip": _clip, "Dropout": _dropout, "CastLike": _cast_like,
    "Squeeze": _axes_input(1), "Unsqueeze": _axes_input(1),
    "Slice": _axes_input(3), "Pad": _axes_input(3),
}
