"""Formulas that exporters spell out, as the one operator they stand for: Gelu, LayerNormalization, HardSwish, ..."""
from __future__ import annotations

import math

import numpy as np

from ..hub import infer
from ..ir.graph import Graph, Made, Value
from ..ir.rewrite import Rewrites, Site

rewrite = Rewrites(infer.site)
attention_rewrite = Rewrites(infer.site)


def fuse_blocks(graph: Graph) -> Graph:
    """Gelu (both forms), HardSwish and LayerNormalization recognised; equal up to rounding."""
    return rewrite.run(graph)


def fuse_attention(graph: Graph) -> Graph:
    """Scaled dot-product attention on (batch, heads, length, size) tensors as ONNX's Attention (opset 23)."""
    return attention_rewrite.run(graph)


def _scalar(v: Value | None) -> float | None:
    """The number that a constant of one element holds."""
    if v is None or v.data is None or v.type.size != 1 or v.dtype.kind != "f":
        return None
    return float(v.numpy().ravel()[0])


def _near(a: float | None, b: float) -> bool:
    """Whether ``a`` is the constant ``b`` as an exporter stores it: in float32 after a few products, or in float16."""
    return a is not None and (math.isclose(a, b, rel_tol=1e-6) or a == float(np.float16(b)))


def _factors(v: Value, depth: int = 6) -> tuple[float, list[Value]]:
    """``v`` as a number times factors, looking through Mul and Div by numbers."""
    n = v.node
    if n is None or depth == 0 or n.op not in ("Mul", "Div"):
        return 1.0, [v]
    a, b = n.inputs
    if a is None or b is None:
        return 1.0, [v]
    if n.op == "Div":
        by = _scalar(b)
        if by is None or by == 0:
            return 1.0, [v]
        k, rest = _factors(a, depth - 1)
        return k / by, rest
    out_k, out = 1.0, []
    for part in (a, b):
        number = _scalar(part)
        if number is not None:
            out_k *= number
        else:
            k, rest = _factors(part, depth - 1)
            out_k *= k
            out += rest
    return out_k, out


def _plus(v: Value, number: float) -> Value | None:
    """``u`` where ``v`` is ``u + number``."""
    if v.node is None or v.op != "Add":
        return None
    a, b = v.node.inputs
    if _near(_scalar(b), number):
        return a
    return b if _near(_scalar(a), number) else None


@rewrite("Mul", "Div")
def gelu(op: Site, a: Value, b: Value) -> Made:
    """``0.5 x (1 + erf(x / sqrt 2))`` and ``0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`` (ONNX operator Gelu)."""
    assert op.node is not None
    if op.out.dtype.kind != "f":
        return None
    number, parts = _factors(op.node.outputs[0])
    if len(parts) != 2 or not _near(number, 0.5):
        return None
    for x, one_plus in (parts, parts[::-1]):
        u = _plus(one_plus, 1.0)
        if u is None or u.node is None or u.op not in ("Erf", "Tanh") or x.shape != op.out.shape:
            continue
        inner = u.node.inputs[0]
        assert inner is not None
        k, rest = _factors(inner)
        if len(rest) != 1:
            continue
        if u.op == "Erf" and rest[0] is x and _near(k, math.sqrt(0.5)):
            return op.Gelu(x, approximate="none")
        if u.op == "Tanh" and _near(k, math.sqrt(2 / math.pi)) and _cubic(rest[0], x):
            return op.Gelu(x, approximate="tanh")
    return None


def _cubic(v: Value, x: Value) -> bool:
    """Whether ``v`` is ``x + 0.044715 x^3``."""
    if v.node is None or v.op != "Add":
        return False
    a, b = v.node.inputs
    other = b if a is x else a if b is x else None
    if other is None:
        return False
    k, parts = _factors(other)
    if not _near(k, 0.044715):
        return False
    if len(parts) == 1 and parts[0].node is not None and parts[0].op == "Pow":
        base, power = parts[0].node.inputs
        return base is x and power is not None and power.data is not None and power.type.size == 1 \
            and float(power.numpy().ravel()[0]) == 3.0
    return len(parts) == 3 and all(p is x for p in parts)


@rewrite("Mul", "Div")
def hard_swish(op: Site, a: Value, b: Value) -> Made:
    """``x HardSigmoid(x; 1/6, 1/2)`` and ``x Clip(x + 3, 0, 6) / 6`` (ONNX operator HardSwish)."""
    assert op.node is not None
    if op.out.dtype.kind != "f":
        return None
    number, parts = _factors(op.node.outputs[0])
    if len(parts) != 2:
        return None
    for x, gate in (parts, parts[::-1]):
        if gate.node is None or x.shape != op.out.shape:
            continue
        if gate.op == "HardSigmoid" and gate.node.inputs[0] is x and _near(number, 1.0) \
                and _near(gate.node.attrs.get("alpha", 0.2), 1 / 6) and gate.node.attrs.get("beta", 0.5) == 0.5:
            return op.HardSwish(x)
        if gate.op == "Clip" and _near(number, 1 / 6) and len(gate.node.inputs) == 3:
            inner, low, high = gate.node.inputs
            if inner is not None and _scalar(low) == 0.0 and _scalar(high) == 6.0 and _plus(inner, 3.0) is x:
                return op.HardSwish(x)
    return None


def _mean_last(v: Value | None) -> tuple[Value, int] | None:
    """``(u, axis)`` where ``v`` is the mean of ``u`` over its axes from ``axis`` to the last, kept as ones."""
    if v is None or v.node is None or v.op != "ReduceMean" or v.node.attrs.get("keepdims", 1) != 1 \
            or len(v.node.inputs) < 2:
        return None
    u, axes = v.node.inputs
    if u is None or axes is None or axes.data is None or u.rank is None:
        return None
    rank = u.rank
    which = sorted(int(a) % rank for a in axes.numpy())
    return (u, which[0]) if which and which == list(range(which[0], rank)) else None


def _normalized(v: Value) -> tuple[Value, int, float] | None:
    """``(x, axis, epsilon)`` where ``v`` is ``(x - mean) / sqrt(mean((x - mean)^2) + epsilon)``."""
    if v.node is None or v.op not in ("Div", "Mul"):
        return None
    d, root = v.node.inputs
    if d is None or root is None or root.node is None:
        return None
    if v.op == "Mul":  # times the reciprocal of the root
        if root.op != "Reciprocal":
            d, root = root, d
        if root.node is None or root.op != "Reciprocal" or root.node.inputs[0] is None:
            return None
        root = root.node.inputs[0]
    if d is None or d.node is None or d.op != "Sub" or root.node is None or root.op != "Sqrt":
        return None
    inside = root.node.inputs[0]
    if inside is None or inside.node is None or inside.op != "Add":
        return None
    p, q = inside.node.inputs
    epsilon = _scalar(q) if _scalar(q) is not None else _scalar(p)
    variance = _mean_last(p) or _mean_last(q)
    x, mean = d.node.inputs
    center = _mean_last(mean)
    if epsilon is None or variance is None or center is None or center[0] is not x or center[1] != variance[1]:
        return None
    square = variance[0]
    if square.node is None:
        return None
    if square.op == "Pow":
        base, power = square.node.inputs
        ok = base is d and power is not None and power.data is not None and power.type.size == 1 \
            and float(power.numpy().ravel()[0]) == 2.0
    else:
        ok = square.op == "Mul" and all(i is d for i in square.node.inputs)
    return (x, center[1], epsilon) if ok and x is not None else None


@rewrite("Add")
def layer_norm(op: Site, a: Value, b: Value) -> Made:
    """The spelled-out normalisation with scale and bias (ONNX operator LayerNormalization, opset 17)."""
    for scaled, bias in ((a, b), (b, a)):
        if scaled.node is None or scaled.op != "Mul" or bias.data is None or not op.once(scaled):
            continue
        p, q = scaled.node.inputs
        for norm, scale in ((p, q), (q, p)):
            if norm is None or scale is None or scale.data is None:
                continue
            got = _normalized(norm)
            if got is None or not op.once(norm):
                continue
            x, axis, epsilon = got
            want = None if x.shape is None else x.shape[axis:]
            if x.dtype.kind == "f" and scale.shape == want and bias.shape == want and scale.dtype == x.dtype:
                return op.LayerNormalization(x, scale, bias, axis=axis - (x.rank or 0), epsilon=epsilon)
    return None


@attention_rewrite("MatMul")
def attention(op: Site, weights: Value, v: Value) -> Made:
    """``Softmax(Q K^T * scale + mask) V`` (ONNX operator Attention, opset 23)."""
    if weights.node is None or weights.op != "Softmax" or not op.once(weights) or v.rank != 4 \
            or weights.node.attrs.get("axis", -1) not in (-1, 3):
        return None
    scores = weights.node.inputs[0]
    mask = None
    if scores is not None and scores.node is not None and scores.op == "Add" and op.once(scores):
        a, b = scores.node.inputs
        scores, mask = (a, b) if a is not None and _factors(a)[1][0].op == "MatMul" else (b, a)
        if mask is None or mask.rank != 4 or mask.dtype != v.dtype:
            return None
    if scores is None:
        return None
    scale, parts = _factors(scores)
    if len(parts) != 1 or parts[0].node is None or parts[0].op != "MatMul":
        return None
    q, kt = parts[0].node.inputs
    if q is None or kt is None or kt.node is None or kt.op != "Transpose" or q.rank != 4 \
            or kt.node.attrs.get("perm") != (0, 1, 3, 2):
        return None
    k_scale, q_parts = _factors(q)
    if len(q_parts) == 1 and k_scale != 1:
        q, scale = q_parts[0], scale * k_scale
    k = kt.node.inputs[0]
    if k is None or scale <= 0 or q.shape is None or k.shape is None or v.shape is None \
            or q.shape[:2] != k.shape[:2] or k.shape[:3] != v.shape[:3] or not np.isfinite(scale):
        return None
    return op.Attention(q, k, v, mask, scale=float(scale))
