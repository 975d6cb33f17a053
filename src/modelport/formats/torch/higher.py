"""Operators that call graphs: conditions, and blocks that only say how gradients are kept."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...hub.infer import builder
from ...ir.graph import Graph, Value
from ...ir.types import Type
from .machine import Box, Machine
from .program import Block
from .values import Sym, is_number, known, tensor

_INLINE = {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4, "wrap": 0, "strict_mode": 0, "checkpoint": 0,
           "tag_activation_checkpoint": 0, "invoke_subgraph": 0}
"""Operators that call a block once, and how many arguments stand before it."""


def higher(machine: Machine, name: str, args: Sequence[Any], problems: list[Unsupported], label: str) -> Any:
    """What an operator of ``torch.ops.higher_order`` makes of its arguments, blocks among them."""
    if name == "cond":
        return _cond(machine, args, problems, label)
    if name in _INLINE:
        at = next((k for k, a in enumerate(args) if isinstance(a, Block)), None)
        if at is not None:
            rest = args[at + 1:]
            if name == "invoke_subgraph" and rest and isinstance(rest[0], str):
                rest = rest[1:]
            return inline(machine, args[at], rest, problems)
    raise Unsupported(f"no translation of torch.ops.higher_order.{name}")


def inline(machine: Machine, block: Block, args: Sequence[Any], problems: list[Unsupported]) -> Any:
    """The results of a block that is called once."""
    from .translate import run
    if len(block.inputs) != len(args):
        raise Unsupported(f"a block of {len(block.inputs)} inputs is called with {len(args)}")
    made = run(machine.op, block, dict(zip(block.inputs, args, strict=True)), problems)
    return made[0] if block.single and len(made) == 1 else made


def _cond(machine: Machine, args: Sequence[Any], problems: list[Unsupported], label: str) -> Any:
    """``cond(predicate, then, else, operands)``."""
    predicate, then, other, operands = args[0], args[1], args[2], list(args[3] if len(args) == 4 else args[3:])
    choice = known(predicate) if is_number(predicate) else predicate
    if isinstance(choice, bool):
        return inline(machine, then if choice else other, operands, problems)
    op = machine.op
    flag = choice.value if isinstance(choice, (Sym, Box)) else tensor(op, choice)
    if flag.rank:
        flag = op.Reshape(flag, np.array([], np.int64))
    outer = [a.value for a in operands if isinstance(a, (Box, Sym))]
    bodies = [_body(b, operands, problems) for b in (then, other)]
    if problems:
        raise Unsupported("a branch that has no translation")
    count = len(bodies[0].outputs)
    if count != len(bodies[1].outputs):
        raise Unsupported("branches of different numbers of results")
    made = op.add("If", flag, *outer, outputs=count, then_branch=bodies[0], else_branch=bodies[1],
                  captures=len(outer))
    return [Box(v) for v in made]


def _body(block: Block, operands: Sequence[Any], problems: list[Unsupported]) -> Graph:
    """A block as a closed graph, whose inputs are those operands that are tensors."""
    from .translate import run
    given: list[Any] = []
    inputs: dict[str, Value] = {}
    for name, a in zip(block.inputs, operands, strict=True):
        if isinstance(a, (Box, Sym)):
            fresh = Value(Type(a.value.dtype, a.value.shape), name)
            fresh.elements = a.value.elements
            inputs[name] = fresh
            given.append(Box(fresh) if isinstance(a, Box) else Sym(fresh))
        else:
            given.append(a)
    op = builder()
    made = run(op, block, dict(zip(block.inputs, given, strict=True)), problems)
    outputs = {}
    for k, out in enumerate(made):
        value = out.value if isinstance(out, (Box, Sym)) else tensor(op, out)
        outputs[f"out{k}"] = op.Identity(value) if value.node is None else value
    return Graph(inputs, outputs)
