"""Reductions along axes."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.types import Type, is_float
from ...writing import rank
from .common import BOOL, FLOATS, NUMBERS, TF, carry, from_onnx, index, ints, room

REDUCE = {"ReduceSum": "Sum", "ReduceMean": "Mean", "ReduceMax": "Max", "ReduceMin": "Min", "ReduceProd": "Prod"}
_TRUTH = {"Max": "Any", "Min": "All"}
_NOTHING = {"Max": -np.inf, "Min": np.inf}
_RANKS = 8


@from_onnx(*REDUCE)
def reduce(tf: TF, x: Value, axes: Value | None = None, *, keepdims: int = 1,
           noop_with_empty_axes: int = 0) -> Any:
    """Without axes, or with an empty list of them, along all."""
    assert tf.node is not None
    name = REDUCE[tf.node.op]
    n = rank(x, _RANKS)
    length = 0 if axes is None else axes.shape[0] if axes.shape is not None else None
    if not isinstance(length, int):
        raise Unsupported("a number of axes that is only known at run time")
    if not length and (noop_with_empty_axes or not n):
        return x
    if x.dtype == BOOL and name in _TRUTH:
        name = _TRUTH[name]
    elif name == "Mean" and not is_float(x.dtype):
        raise Unsupported(f"the mean of {x.dtype}")
    else:
        x = carry(tf, room(tf, [x])[0], FLOATS if name == "Mean" else NUMBERS)
    if axes is None or not length:
        which = ints(range(n))
    else:
        which = ints(dict.fromkeys(int(a) % n for a in axes.numpy())) if axes.data is not None else index(tf, axes)
    y = tf.add(name, x, which, keep_dims=bool(keepdims), type=Type(x.dtype, tf.out.shape))
    if name in _NOTHING and is_float(x.dtype) and x.type.size == 0 and tf.out.static:  # whatever a kernel begins with
        return constant(np.full([d for d in tf.out.shape or () if isinstance(d, int)], _NOTHING[name]).astype(x.dtype))
    return y
