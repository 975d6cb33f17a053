"""What the inputs of a body of If, Loop or Scan are, as far as the node that has it says."""
from __future__ import annotations

import numpy as np

from ...ir.graph import Graph, Node
from ...ir.types import Type, merge
from .container import UNKNOWN


def body_types(node: Node, body: Graph) -> list[Type]:
    """Types of the inputs of ``body``, from the types of the inputs of ``node`` and from what the body states.

    The shape of a value that a loop carries may change from turn to turn, so only its element type is known."""
    stated = [v.type for v in body.inputs.values()]
    captures = node.attrs.get("captures", 0)
    given = [UNKNOWN if v is None else v.type for v in node.inputs]
    outer = given[len(given) - captures:]
    formal: list[Type] = []
    if node.op == "Loop":
        formal = [Type(np.dtype(np.int64), ()), Type(np.dtype(bool), ()),
                  *(Type(t.dtype) for t in given[2:len(given) - captures])]
    elif node.op == "Scan":
        scans = node.attrs.get("num_scan_inputs", 0)
        old = "directions" in node.attrs or _is_8(node, len(stated) - captures)
        first, last = (1 if old else 0), len(given) - captures
        formal = [Type(t.dtype) for t in given[first:last - scans]]
        axes = node.attrs.get("scan_input_axes") or (0,) * scans
        for t, axis in zip(given[last - scans:last], axes, strict=True):
            shape = t.shape
            if shape is not None:
                shape = shape[2:] if old else tuple(d for k, d in enumerate(shape) if k != axis % max(1, len(shape)))
            formal.append(Type(t.dtype, shape))
    if len(formal) + captures != len(stated):  # malformed; the rule for the node will say so
        return stated
    return [_with(t, s) for t, s in zip([*formal, *outer], stated, strict=True)]


def _is_8(node: Node, formals: int) -> bool:
    """Scan of operator set 8 has one input more than its body: the lengths of the sequences."""
    return len(node.inputs) - node.attrs.get("captures", 0) == formals + 1


def _with(known: Type, stated: Type) -> Type:
    return stated if known == UNKNOWN else merge(known, stated)
