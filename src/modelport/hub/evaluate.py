"""The value of a hub node whose inputs are constants: numpy for what moves or counts, ONNX's reference for the rest."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from ..ir.graph import Graph, Node
from ..ir.tensor import Array
from ..ir.types import STRING
from .infer import _attribute
from .opset import OPSET, schema, split

RANDOM = frozenset("Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike".split())
"""Operators of which no two runs are alike."""
NEVER = RANDOM | frozenset("If Loop Scan Dropout LpNormalization".split())
"""Operators that are not evaluated: random, with bodies, or computed otherwise by ONNX's reference (LpNormalization of
p=1 sums without taking absolute values)."""


def evaluate(node: Node) -> list[Array] | None:
    """The outputs of ``node``, all of whose inputs are constants, or ``None`` where that can't be said.

    Views of the inputs are returned where the operator only moves elements."""
    if node.op in NEVER or node.op.startswith("nhwc.") or schema(node.op) is None:
        return None
    ins = [None if v is None else v.numpy() for v in node.inputs]
    rule = _NUMPY.get(node.op)
    try:
        with np.errstate(all="ignore"):
            if rule is not None:
                made = rule(node, ins)
                if made is not None:
                    outs = [made] if isinstance(made, np.ndarray) else list(made)
                    return _typed(node, outs)
            return _typed(node, _reference(node, ins))
    except Exception:  # the reference raises whatever it likes on what it can't do; the node then stays a node
        return None


def _typed(node: Node, outs: Sequence[Array]) -> list[Array] | None:
    """The outputs, if they are what inference says they must be."""
    for value, out in zip(node.outputs, outs, strict=True):
        if out.dtype != value.dtype and not (value.dtype == STRING and out.dtype.kind in "OU"):
            return None
        if value.shape is not None and (len(value.shape) != out.ndim or any(
                isinstance(d, int) and d != n for d, n in zip(value.shape, out.shape, strict=True))):
            return None
    return [out.astype(object) if out.dtype.kind == "U" else out for out in outs]


def _reference(node: Node, ins: Sequence[Array | None]) -> list[Array]:
    from onnx.reference import ReferenceEvaluator
    s = schema(node.op)
    assert s is not None
    domain, name = split(node.op)
    names = ["" if a is None else f"i{k}" for k, a in enumerate(ins)]
    outs = [f"o{k}" for k in range(len(node.outputs))]
    proto = onnx.NodeProto(op_type=name, domain=domain, input=names, output=outs)
    proto.attribute.extend(_attribute(k, v, s.attributes[k].type) for k, v in node.attrs.items()
                           if not isinstance(v, Graph))
    graph = onnx.helper.make_graph(
        [proto], "g", [onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
                       for n, a in zip(names, ins, strict=True) if a is not None],
        [onnx.helper.make_empty_tensor_value_info(o) for o in outs])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(d, v) for d, v in OPSET.items()])
    got = ReferenceEvaluator(model).run(None, {n: a for n, a in zip(names, ins, strict=True) if a is not None})
    return [np.asarray(g) for g in got]


Inputs = Sequence[Any]
NumpyRule = Callable[[Node, Inputs], Any]


def _transpose(node: Node, ins: Inputs) -> Any:
    return ins[0].transpose(node.attrs.get("perm"))


def _reshape(node: Node, ins: Inputs) -> Any:
    x, want = ins[0], [int(d) for d in ins[1]]
    if not node.attrs.get("allowzero", 0):
        want = [x.shape[k] if d == 0 else d for k, d in enumerate(want)]
    return x.reshape(want)


def _squeeze(node: Node, ins: Inputs) -> Any:
    axes = ins[1] if len(ins) > 1 and ins[1] is not None else None
    return np.squeeze(ins[0], None if axes is None else tuple(int(a) for a in axes))


def _unsqueeze(node: Node, ins: Inputs) -> Any:
    return np.expand_dims(ins[0], tuple(int(a) for a in np.ravel(ins[1])))


def _concat(node: Node, ins: Inputs) -> Any:
    return np.concatenate(ins, node.attrs["axis"])


def _slice(node: Node, ins: Inputs) -> Any:
    x, starts, ends = ins[0], ins[1], ins[2]
    axes = ins[3] if len(ins) > 3 and ins[3] is not None else range(len(starts))
    steps = ins[4] if len(ins) > 4 and ins[4] is not None else [1] * len(starts)
    where = [slice(None)] * x.ndim
    for a, b, axis, step in zip(starts, ends, axes, steps, strict=True):
        n, a, b, step = x.shape[int(axis)], int(a), int(b), int(step)
        if step < 0:  # numpy reads an end of -1 as the last element, ONNX's clamped end as "before the first"
            a, b = max(a + n, 0) if a < 0 else a, b + n if b < 0 else b  # before the first is the first
            where[int(axis)] = slice(a, None if b < 0 else b, step)
        else:
            where[int(axis)] = slice(a, b, step)
    return x[tuple(where)]


def _gather(node: Node, ins: Inputs) -> Any:
    return np.take(ins[0], ins[1], axis=node.attrs.get("axis", 0))


def _shape(node: Node, ins: Inputs) -> Any:
    return np.array(ins[0].shape[node.attrs.get("start", 0):node.attrs.get("end")], np.int64)


def _cast(node: Node, ins: Inputs) -> Any:
    a, b = ins[0].dtype, node.outputs[0].dtype
    plain = "biuf"
    if a.kind in plain and b.kind in plain and not (a.kind == "f" and b.kind in "iu"):
        return ins[0].astype(b)
    if a.kind == "f" and b.kind in "iu" and np.isfinite(ins[0]).all() and \
            (ins[0] >= np.iinfo(b).min).all() and (ins[0] <= np.iinfo(b).max).all():
        return ins[0].astype(b)
    return None


def _expand(node: Node, ins: Inputs) -> Any:
    return np.broadcast_to(ins[0], np.broadcast_shapes(ins[0].shape, tuple(int(d) for d in ins[1])))


def _filled(node: Node, ins: Inputs) -> Any:
    value = node.attrs.get("value")
    fill = np.zeros(1, np.float32) if value is None else value.numpy().reshape(1)
    return np.broadcast_to(fill, tuple(int(d) for d in ins[0])) if len(ins[0]) else fill.reshape(())


def _arithmetic(f: Callable[[Any, Any], Any]) -> NumpyRule:
    def rule(node: Node, ins: Inputs) -> Any:
        return np.asarray(f(ins[0], ins[1]), node.outputs[0].dtype) if len(ins) == 2 and ins[0].dtype.kind in "iufb" \
            else None
    return rule


def _div(node: Node, ins: Inputs) -> Any:
    a, b = ins
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not b.all():
        return None
    q = np.abs(a) // np.abs(b)  # ONNX truncates towards zero
    return np.asarray(np.where((a < 0) != (b < 0), -q, q), a.dtype) if a.dtype.kind == "i" else np.asarray(a // b)


def _unary(f: Callable[[Any], Any]) -> NumpyRule:
    def rule(node: Node, ins: Inputs) -> Any:
        return np.asarray(f(ins[0]), node.outputs[0].dtype) if ins[0].dtype.kind in "iuf" else None
    return rule


_NUMPY: dict[str, NumpyRule] = {
    "Identity": lambda node, ins: ins[0], "Transpose": _transpose, "Reshape": _reshape, "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze, "Concat": _concat, "Slice": _slice, "Gather": _gather, "Shape": _shape,
    "Size": lambda node, ins: np.array(ins[0].size, np.int64), "Cast": _cast, "Expand": _expand,
    "ConstantOfShape": _filled, "Div": _div, "Add": _arithmetic(np.add), "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply), "Equal": _arithmetic(np.equal), "Less": _arithmetic(np.less),
    "Greater": _arithmetic(np.greater), "LessOrEqual": _arithmetic(np.less_equal),
    "GreaterOrEqual": _arithmetic(np.greater_equal), "And": _arithmetic(np.logical_and),
    "Or": _arithmetic(np.logical_or), "Not": lambda node, ins: np.logical_not(ins[0]),
    "Neg": _unary(np.negative), "Sqrt": _unary(np.sqrt), "Abs": _unary(np.abs),
    "Where": lambda node, ins: np.asarray(np.where(ins[0], ins[1], ins[2]), node.outputs[0].dtype)
    if node.outputs[0].dtype != STRING else None,
}
