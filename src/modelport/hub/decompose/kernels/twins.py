"""Channels-last operators that have no rule as they stand."""
from __future__ import annotations

from typing import Any

from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import merge
from ... import infer
from ...layout import BOUND, first_to_last, last_to_first
from ...opset import NHWC
from .table import rules


@rules(*(NHWC + name for name in sorted(BOUND)))
def plain(op: Builder, x: Value, *others: Value | None, **attrs: Any) -> Any:
    """The plain twin, which may have a decomposition, between transposes."""
    assert op.node is not None and x.rank is not None
    name = op.node.op.removeprefix(NHWC)
    outs = op.add(name, op.Transpose(x, perm=last_to_first(x.rank)), *others, outputs=len(op.node.outputs), **attrs)
    if len(op.node.outputs[0].shape or ()) == x.rank:
        outs[0].type = merge(outs[0].type, infer.channels_first(op.node.outputs[0].type))
    return (op.Transpose(outs[0], perm=first_to_last(x.rank)), *outs[1:])
