"""Operators that call graphs: conditions, loops, and blocks that only say how gradients are kept."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...hub.infer import builder
from ...ir.graph import Graph, Value
from ...ir.rules import Builder
from ...ir.types import Shape, Type
from .machine import Box, Machine
from .program import Block
from .values import BOOL, I64, Sym, is_number, known, tensor

_INLINE = {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4, "wrap": 0, "strict_mode": 0, "checkpoint": 0,
           "tag_activation_checkpoint": 0, "invoke_subgraph": 0}
"""Operators that call a block once, and how many arguments stand before it."""


def higher(machine: Machine, name: str, args: Sequence[Any], problems: list[Unsupported], label: str) -> Any:
    """What an operator of ``torch.ops.higher_order`` makes of its arguments, blocks among them."""
    if name in _CALLS:
        return _CALLS[name](machine, args, problems)
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


def _cond(machine: Machine, args: Sequence[Any], problems: list[Unsupported]) -> Any:
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


def _values(op: Builder, xs: Sequence[Any]) -> list[Value]:
    return [x.value if isinstance(x, (Box, Sym)) else tensor(op, x) for x in xs]


def _fresh(xs: Sequence[Any], values: Sequence[Value], names: str,
           front: int = 0) -> tuple[list[Any], dict[str, Value]]:
    """What a block is called with in a body, and the inputs of the body; without the ``front`` axis of each."""
    inputs = {f"{names}_{k}": Value(Type(v.dtype, None if v.shape is None else v.shape[front:]), f"{names}_{k}")
              for k, v in enumerate(values)}
    return [Box(v) if isinstance(x, Box) else Sym(v) for x, v in zip(xs, inputs.values(), strict=True)], inputs


def _ran(op: Builder, block: Block, args: Sequence[Any], problems: list[Unsupported]) -> list[Any]:
    from .translate import run
    if len(block.inputs) != len(args):
        raise Unsupported(f"a block of {len(block.inputs)} inputs is called with {len(args)}")
    made = run(op, block, dict(zip(block.inputs, args, strict=True)), problems)
    if problems:
        raise Unsupported("a block that has no translation")
    return made


def _results(op: Builder, made: Sequence[Any], types: Sequence[Value]) -> list[Value]:
    """The results of a body, each made by a node of its own, of the element types that are stated."""
    return [op.Identity(tensor(op, v, t.dtype)) for v, t in zip(_values(op, made), types, strict=True)]


def _while(machine: Machine, args: Sequence[Any], problems: list[Unsupported]) -> Any:
    """``while_loop(condition, body, states, fixed)``: a Loop, whose condition is asked before and in each turn."""
    test, body, states, fixed = args[0], args[1], list(args[2]), list(args[3] if len(args) > 3 else ())
    op = machine.op
    flag = _values(op, _ran(op, test, [*states, *fixed], problems))[0]
    start, captured = _values(op, states), _values(op, fixed)
    inner, given = _fresh(states, start, "state")
    for name, v in zip(body.inputs, given.values(), strict=False):
        v.type = v.type.with_shape(_kept(v.type, body.types.get(name)))
    own, more = _fresh(fixed, captured, "fixed")
    within = builder()
    after = _ran(within, body, [*inner, *own], problems)
    go = _values(within, _ran(within, test, [*after, *own], problems))[0]
    new = _results(within, after, start)
    turn, before = Value(Type(I64, ()), "turn"), Value(Type(BOOL, ()), "go_in")
    scalar = np.array([], np.int64)
    graph = Graph({"turn": turn, "go_in": before, **given, **more},
                  {"go": within.Reshape(go, scalar), **{f"next_{k}": v for k, v in enumerate(new)}}, "turns")
    made = op.add("Loop", None, op.Reshape(flag, scalar), *start, *captured, outputs=len(start), body=graph,
                  captures=len(captured) or None)
    return [Box(v) if isinstance(x, Box) else Sym(v) for x, v in zip(states, made, strict=True)]


def _kept(first: Type, stated: Type | None) -> Shape:
    """The sizes of a state that hold in each turn: those of the first that the block states, too."""
    if first.shape is None or stated is None or stated.shape is None or len(stated.shape) != len(first.shape):
        return first.shape
    return tuple(a if a == b else None for a, b in zip(first.shape, stated.shape, strict=True))


def _scan(machine: Machine, args: Sequence[Any], problems: list[Unsupported]) -> Any:
    """``scan(f, states, xs, fixed)``: f(*states, *slices, *fixed) -> states and rows."""
    block, states, xs, fixed = args[0], list(args[1]), list(args[2]), list(args[3] if len(args) > 3 else ())
    last, rows = _scanned(machine, block, states, xs, fixed, problems)
    return [*map(Box, last), *map(Box, rows)]


def _map(machine: Machine, args: Sequence[Any], problems: list[Unsupported]) -> Any:
    """``map_impl(f, xs, fixed)``: f(*slices, *fixed) -> rows."""
    _, rows = _scanned(machine, args[0], [], list(args[1]), list(args[2] if len(args) > 2 else ()), problems)
    return [Box(v) for v in rows]


def _scanned(machine: Machine, block: Block, states: list[Any], xs: list[Any], fixed: list[Any],
             problems: list[Unsupported]) -> tuple[list[Value], list[Value]]:
    """A Scan along the first axis of ``xs``: the last states, and rows put side by side.  What is ``fixed`` is a state
    that never changes."""
    op = machine.op
    start, slices, captured = _values(op, states), _values(op, xs), _values(op, fixed)
    inner, given = _fresh(states, start, "state")
    own, more = _fresh(fixed, captured, "fixed")
    parts, rows = _fresh(xs, slices, "slice", front=1)
    within = builder()
    made = _ran(within, block, [*inner, *parts, *own], problems)
    count = len(states)
    new = _results(within, made[:count], start)
    out = [within.Identity(v) for v in _values(within, made[count:])]
    kept = [within.Identity(v) for v in more.values()]
    graph = Graph({**given, **more, **rows},
                  {**{f"next_{k}": v for k, v in enumerate(new)}, **{f"kept_{k}": v for k, v in enumerate(kept)},
                   **{f"row_{k}": v for k, v in enumerate(out)}}, "slices")
    done = op.add("Scan", *start, *captured, *slices, body=graph, num_scan_inputs=len(slices),
                  outputs=count + len(kept) + len(out))
    return list(done[:count]), list(done[count + len(kept):])


_CALLS: dict[str, Callable[[Machine, Sequence[Any], list[Unsupported]], Any]] = {
    "cond": _cond, "while_loop": _while, "scan": _scan, "map_impl": _map, "map": _map}
