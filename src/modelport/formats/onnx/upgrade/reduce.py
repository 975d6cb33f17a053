"""Old forms of reductions, and of Softmax and its kin."""
from __future__ import annotations

import numpy as np

from ....ir.graph import Value, constant
from ....ir.rules import Builder
from .table import below


def _reduce(op: Builder, x: Value, *, axes: tuple[int, ...] | None = None, keepdims: int = 1) -> Value:
    """The axes were an attribute; none meant all."""
    assert op.node is not None
    made: Value = op.add(op.node.op, x, constant(np.array(axes, np.int64)) if axes else None, keepdims=keepdims)
    return made


below(13, "ReduceSum")(_reduce)
below(18, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
      "ReduceProd", "ReduceSumSquare")(_reduce)


@below(13, "Softmax", "LogSoftmax", "Hardmax")
def flattened(op: Builder, x: Value, *, axis: int = 1) -> Value:
    """The input was seen as a matrix: the dimensions before ``axis`` by those from ``axis`` on."""
    assert op.node is not None
    name = op.node.op
    if x.shape is not None:
        first = axis % len(x.shape) if x.shape else 0
        wide = [k for k in range(first, len(x.shape)) if x.shape[k] != 1]
        if x.shape and len(wide) <= 1:
            direct: Value = op.add(name, x, axis=wide[0] if wide else len(x.shape) - 1)
            return direct
    made: Value = op.Reshape(op.add(name, op.Flatten(x, axis=axis), axis=-1), op.Shape(x))
    return made
