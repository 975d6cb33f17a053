"""The table that the families of this package fill."""
from __future__ import annotations

from ....ir.rules import Rules
from .. import rules as general

rules = Rules("the hub", "what kernels have")
"""Hub operator -> its decomposition for targets whose kernels are narrower than ONNX's operators.

It holds the hub's own decompositions; a rule of this package takes the place of one of those of the same name."""
rules.update(general)


def replaces(*ops: str) -> None:
    """Leaves the hub's own decompositions of ``ops`` out, for a better one of this package."""
    for op in ops:
        rules.pop(op)
