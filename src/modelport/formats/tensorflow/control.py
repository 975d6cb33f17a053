"""Branches and loops of both generations as ``If``, ``Case`` and ``While`` of the raw graph, their bodies closed.

A variable that is assigned inside flows through: one more result of each branch, one more state of a loop."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...errors import Unsupported
from ...ir.graph import Graph, Value
from ...ir.types import Type
from .attributes import element_of
from .handles import Result, Variable
from .scope import Body

if TYPE_CHECKING:
    from .scope import Scope

_TURNS = 4


def choose(scope: Scope, index: Result, sides: Sequence[Callable[[Body], list[Result]]], name: str) -> list[Result]:
    """The results of one of ``sides``: of two by a truth value (false first), of more by a number.

    What any of them assigns is assigned here."""
    if not isinstance(index, Value):
        raise Unsupported("a branch without a predicate")
    if index.data is not None and index.type.size == 1:
        k = int(index.numpy().reshape(()))
        k = k if 0 <= k < len(sides) else len(sides) - 1
        return sides[k](scope.body)
    bodies = [Body(scope.body) for _ in sides]
    results = [side(body) for side, body in zip(sides, bodies, strict=True)]
    if len({len(r) for r in results}) != 1:
        raise Unsupported("branches with different numbers of results")
    count = len(results[0])
    assigned = list(dict.fromkeys(v for b in bodies for v in b.assigned))
    results = [[*row, *(scope.read(v, b) for v in assigned)] for row, b in zip(results, bodies, strict=True)]
    fixed: dict[int, Result] = {}
    flowing: list[int] = []
    for k, across in enumerate(zip(*results, strict=True)):
        if all(isinstance(r, Value) for r in across):
            flowing.append(k)
        elif all(r is across[0] for r in across):
            fixed[k] = across[0]
        else:
            raise Unsupported("branches that result in different handles")
    captured = list(dict.fromkeys(v for b in bodies for v in b.captured))
    graphs = []
    for body, row in zip(bodies, results, strict=True):
        outs = [row[k] for k in flowing]
        graphs.append(_closed(body, [], captured, outs, name))
    types = [_joined([row[k] for row in results]) for k in flowing]
    if not types:
        return [fixed[k] for k in range(len(results[0]))]
    if len(sides) == 2 and index.dtype.kind == "b":
        made = scope.make("If", [index, *captured], {"else_branch": graphs[0], "then_branch": graphs[1]}, types, name)
    elif len(sides) == 2:
        raise Unsupported("a branch by a value that is no truth value")
    else:
        made = scope.make("Case", [index, *captured], {f"branch_{k}": g for k, g in enumerate(graphs)}, types, name)
    out = iter(made)
    left = [fixed[k] if k in fixed else next(out) for k in range(len(results[0]))]
    for variable, value in zip(assigned, left[count:], strict=True):
        assert isinstance(value, Value)
        scope.assign(variable, value)
    return left[:count]


def repeat(scope: Scope, first: Sequence[Result], cond: Callable[[Body, Sequence[Result]], Result],
           turn: Callable[[Body, Sequence[Result]], list[Result]], name: str) -> list[Result]:
    """What a loop leaves: handles and constants that no turn changes stay what they are, the rest flows.

    What a turn assigns is a state too, and assigned here when the loop ends."""
    first = list(first)
    count = len(first)
    variables: list[Variable] = []  # behind the states of the loop's own
    fixed: dict[int, Result] = {k: v for k, v in enumerate(first) if not isinstance(v, Value)}
    types = {k: Type(v.dtype, v.shape if element_of(v.dtype) is not None else None)
             for k, v in enumerate(first) if isinstance(v, Value)}
    for _ in range(_TURNS + len(scope.model.variables)):
        body = Body(scope.body)
        states = {k: Value(t, _name(first[k])) for k, t in types.items() if k not in fixed}
        values = [states[k] if k in states else fixed[k] for k in range(len(first))]
        body.state.update({v: states[count + j] for j, v in enumerate(variables)})
        after = [*turn(body, values[:count]), *(body.state[v] for v in variables)]
        again = False
        for variable in body.assigned:
            if variable not in variables:
                start = scope.read(variable)
                types[len(first)], again = Type(start.dtype, None), True
                first.append(start)
                variables.append(variable)
        for k, result in enumerate(after):
            v = first[k]
            if k in states and k < count and result is states[k] and isinstance(v, Value) and v.data is not None:
                fixed[k], again = v, True
            elif k in states and isinstance(result, Value) and result.dtype != states[k].dtype:
                if element_of(result.dtype) is None:
                    raise Unsupported(f"a loop that makes {result.dtype} of {states[k].dtype}")
                types[k], again = Type(result.dtype, None), True  # what the list holds is known once it is written
            elif k in states and not isinstance(result, Value):
                raise Unsupported("a loop that makes a handle of a tensor")
            elif k in fixed and result is not fixed[k]:
                raise Unsupported("a loop that changes a handle")
        if not again:
            break
    flowing = sorted(states)
    if not flowing:
        raise Unsupported("a loop that changes nothing")
    test = Body(scope.body)
    asked = {k: Value(types[k], _name(first[k])) for k in flowing}
    test.state.update({v: asked[count + j] for j, v in enumerate(variables)})
    go = cond(test, [asked[k] if k in asked else fixed[k] for k in range(count)])
    if not isinstance(go, Value):
        raise Unsupported("a loop without a condition")
    if test.assigned:
        raise Unsupported("a variable is assigned by the condition of a loop")
    captured = list(dict.fromkeys([*body.captured, *test.captured]))
    outs = [after[k] for k in flowing]
    inside = _closed(body, [states[k] for k in flowing], captured, outs, f"{name}/body", passing=True)
    asking = _closed(test, [asked[k] for k in flowing], captured, [go], f"{name}/cond")
    begin: list[Value] = [v for k in flowing if isinstance(v := first[k], Value)]
    result_types = [Type(types[k].dtype, types[k].shape if element_of(types[k].dtype) is not None else None)
                    for k in flowing] + [v.type for v in captured]
    made = scope.make("While", [*begin, *captured], {"cond": asking, "body": inside}, result_types, name)
    left = dict(zip(flowing, made, strict=False))
    for j, variable in enumerate(variables):
        scope.assign(variable, left[count + j])
    return [left[k] if k in left else fixed[k] for k in range(count)]


def _name(v: Result) -> str:
    return v.name if isinstance(v, Value) else ""


def _closed(body: Body, states: Sequence[Value], captured: Sequence[Value], outs: Sequence[Result], name: str,
            passing: bool = False) -> Graph:
    """The graph of a body: its states, then all that either of the bodies captures."""
    inner = [body.captured[v] if v in body.captured else Value(v.type, v.name) for v in captured]
    results = [*outs, *inner] if passing else outs
    return Graph({f"i{k}": v for k, v in enumerate([*states, *inner])},
                 {f"o{k}": v for k, v in enumerate(results) if isinstance(v, Value)}, name)


def _joined(row: Sequence[Result]) -> Type:
    values = [v for v in row if isinstance(v, Value)]
    first = values[0].type
    for v in values[1:]:
        if v.dtype != first.dtype:
            raise Unsupported(f"branches that result in {first.dtype} and {v.dtype}")
        a, b = first.shape, v.shape
        first = Type(first.dtype, None if a is None or b is None or len(a) != len(b) else tuple(
            x if x == y else None for x, y in zip(a, b, strict=True)))
    return first
