"""What is known when a graph is read becomes a constant: chains of shapes, perms and axes, reshaped weights."""
from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from ...codecs.limits import Limits
from ...ir.graph import Node, Value
from ...ir.tensor import Array, Tensor
from ...ir.types import STRING, Type
from .attributes import element_of

_SMALL = 1 << 16
"""Bytes that a folded node may make."""


def fold(node: Node, limits: Limits) -> Sequence[Value] | None:
    """Constants in place of the outputs of ``node``, if all its inputs are, or ``None``."""
    if node.bodies or any(v is None or v.data is None for v in node.inputs):
        return _rank(node) if node.op == "Rank" else None
    if any(element_of(o.dtype) is not None for o in node.outputs) or not node.outputs:
        return None
    if (moved := _moved(node)) is not None:
        return moved
    if sum(v.data.nbytes for v in node.inputs if v is not None and v.data is not None) > _SMALL:
        return None
    from .interpret import FOLDABLE, evaluate
    if node.op not in FOLDABLE:
        return None
    try:
        with np.errstate(all="ignore"):
            made = evaluate(node.op, [v.numpy() for v in node.inputs if v is not None], node.attrs,
                            len(node.outputs), limit=_SMALL)
    except Exception:  # an operator that can't be computed now stays as it is
        return None
    if made is None or any(not isinstance(m, np.ndarray) or m.nbytes > _SMALL for m in made):
        return None
    if any(m.dtype != o.dtype for m, o in zip(made, node.outputs, strict=False)):
        return None
    return [_constant(m, o) for m, o in zip(made, node.outputs, strict=True)]


def _constant(array: Array, out: Value) -> Value:
    tensor = Tensor(array)
    return Value(tensor.type, out.name, data=tensor)


def _rank(node: Node) -> Sequence[Value] | None:
    """What the type of an input promises; shapes that nodes state are only hints."""
    x = node.inputs[0] if node.inputs else None
    if x is None or x.shape is None or x.node is not None or element_of(x.dtype) is not None:
        return None
    return [_constant(np.array(len(x.shape), np.int32), node.outputs[0])]


def _moved(node: Node) -> Sequence[Value] | None:
    """Large constants whose elements stay in their order: the same bytes with another shape, seen when needed."""
    x = node.inputs[0] if node.inputs else None
    if node.op not in ("Reshape", "Squeeze", "ExpandDims", "Transpose") or x is None or x.data is None \
            or x.data.nbytes <= _SMALL or x.dtype == STRING:
        return None
    shape = tuple(d for d in x.shape or () if isinstance(d, int))
    data = x.data
    more = [v.numpy() for v in node.inputs[1:] if v is not None]
    with contextlib.suppress(Exception):
        empty = np.broadcast_to(np.zeros((), x.dtype), shape)  # costs no memory: only its shape counts
        if node.op == "Transpose":
            perm = tuple(int(p) for p in more[0])
            new = empty.transpose(perm).shape
            type = Type(x.dtype, new)
            return [Value(type, node.outputs[0].name, data=Tensor(lambda: data.numpy().transpose(perm), type))]
        if node.op == "Reshape":
            wanted = [int(d) for d in more[0]]
            new = _reshaped(shape, wanted)
        elif node.op == "Squeeze":
            axes = tuple(node.attrs.get("squeeze_dims", ()))
            new = np.squeeze(empty, axes or None).shape
        else:
            new = np.expand_dims(empty, int(more[0])).shape
        type = Type(x.dtype, new)
        return [Value(type, node.outputs[0].name, data=Tensor(lambda: data.numpy().reshape(new), type, data._raw))]
    return None


def _reshaped(shape: tuple[int, ...], wanted: list[int]) -> tuple[int, ...]:
    size = 1
    for d in shape:
        size *= d
    known = 1
    for d in wanted:
        known *= d if d != -1 else 1
    if wanted.count(-1) > 1 or (wanted.count(-1) == 0 and known != size) or (known and size % known):
        raise ValueError
    return tuple(size // known if d == -1 else d for d in wanted)
