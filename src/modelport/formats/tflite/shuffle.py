"""Channel shuffles seen as what they are, an order of channels, so that the layout of the network goes through them.

Exporters write Reshape, Transpose, Reshape over five axes, which no other order of axes survives."""
from __future__ import annotations

import numpy as np

from ...hub import infer
from ...ir.graph import Made, Value
from ...ir.rewrite import Rewrites, Site

rewrite = Rewrites(infer.site)


@rewrite("Reshape")
def shuffle(op: Site, x: Value, shape: Value, *, allowzero: int = 0) -> Made:
    """[n, c, ...] to [n, g, c / g, ...], the two swapped, and back: Gather of channels."""
    turned = x.node
    split = None if turned is None or x.op != "Transpose" or turned.inputs[0] is None else turned.inputs[0].node
    if turned is None or split is None or split.op != "Reshape" or split.inputs[0] is None:
        return None
    first, wide, out = split.inputs[0], split.outputs[0], op.out
    rank = first.rank or 0
    if rank < 3 or first.shape is None or wide.shape is None or out.shape is None or wide.rank != rank + 1 \
            or turned.attrs.get("perm") != (0, 2, 1, *range(3, rank + 1)) or out.shape != first.shape \
            or not all(isinstance(d, int) for d in (first.shape[1], *wide.shape[1:3])) \
            or first.shape[2:] != wide.shape[3:] or first.shape[0] != wide.shape[0]:
        return None
    groups, each = (d for d in wide.shape[1:3] if isinstance(d, int))
    order = np.arange(groups * each, dtype=np.int64).reshape(groups, each).T.reshape(-1)
    made: Value = op.Gather(first, order, axis=1)
    return made
