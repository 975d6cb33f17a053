"""The table that the families of this package fill."""
from __future__ import annotations

from ....hub.decompose import kernels
from ....ir.rules import Rules

rules = Rules("the hub", "what TensorFlow Lite has")
"""Hub operator -> its decomposition, tried where :mod:`..from_onnx` has no rule or refuses the node.

It holds those of :mod:`modelport.hub.decompose.kernels`; a rule of this package takes the place of one of them."""
rules.update(kernels.rules)


def replaces(*ops: str) -> None:
    """Leaves the hub's decompositions of ``ops`` out, for a better one of this package."""
    for op in ops:
        rules.pop(op)
