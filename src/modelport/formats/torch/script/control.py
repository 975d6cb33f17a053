"""Conditions and loops of TorchScript that only a run of the model decides, as If and Loop.

A branch is run like anything else; what it made is then cut out and becomes the body, which captures what was there
before.  In the code of an archive every name is set once on each way: what both branches set is what they result in."""
from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import Unsupported
from ....hub.infer import join
from ....ir.graph import Graph, Node, Value, rebuild
from ....ir.types import Type
from ...reading import cast
from ..machine import Box
from ..values import BOOL, I64, Sym, is_number, known, tensor
from .archive import Obj
from .builtins import truth
from .signals import Raised

if TYPE_CHECKING:
    from .interpreter import Env, Interpreter

_TURNS = 6


def branches(run: Interpreter, s: ast.If, test: Any, env: Env) -> None:
    """Both branches as the bodies of an If; of one that always raises an exception nothing is left."""
    flag = flag_of(run, test)
    before = reached(env)
    made: list[Env | None] = []
    journals: list[Journal] = []
    for body in (s.body, s.orelse):
        own, journal = dict(env), Journal(env)
        try:
            run.block(body, own)
            made.append(own)
        except Raised:
            made.append(None)
        journals.append(journal)
        journal.undo()
    if made[0] is None or made[1] is None:
        kept = 1 if made[0] is None else 0
        if made[kept] is None:
            raise Raised("both branches raise")
        run.machine.op.note("info", "what the model checks of its inputs, to raise an exception, is left out")
        env.update(made[kept] or {})
        journals[kept].redo()
        return
    then, other = made[0], made[1]
    names = [n for n in then if n in other and (n not in env or then[n] is not env[n] or other[n] is not env[n])]
    pairs: list[tuple[Any, Any, Any]] = [(n, then[n], other[n]) for n in names]
    places = journals[0].places(journals[1])
    pairs += [(p, journals[0].now(p), journals[1].now(p)) for p in places]
    left: list[Value] = []
    right: list[Value] = []
    plans = [(key, _merged(run, a, b, left, right)) for key, a, b in pairs]
    if left:
        op = run.machine.op
        outer = list(dict.fromkeys(v for values in (left, right) for v in closed(values, before)))
        graphs = [_with_inputs(values, outer) for values in (left, right)]
        results = op.add("If", flag, *outer, outputs=len(left), then_branch=graphs[0], else_branch=graphs[1],
                         captures=len(outer) or None)
    else:
        results = ()
    for key, plan in plans:
        value = _placed(plan, results)
        if isinstance(key, str):
            env[key] = value
        else:
            key[0].attributes[key[1]] = value


def flag_of(run: Interpreter, test: Any) -> Value:
    value = truth(run.machine, test)
    found = value.value if isinstance(value, (Sym, Box)) else tensor(run.machine.op, value)
    if found.rank:
        found = run.machine.op.Reshape(found, np.array([], np.int64))
    return cast(run.machine.op, found, BOOL)


class Journal:
    """The attributes of all objects as they were, so that a branch can be undone and another one run."""

    def __init__(self, env: Env) -> None:
        self._objects = [(o, dict(o.attributes)) for o in _objects(list(env.values()))]
        self._boxes = [(b, b.version) for b in _boxes(list(env.values()))]
        self._after: dict[int, dict[str, Any]] = {}

    def undo(self) -> None:
        for b, version in self._boxes:
            if b.version != version:
                raise Unsupported("a tensor that is written to in one branch only")
        for o, attributes in self._objects:
            self._after[id(o)] = dict(o.attributes)
            o.attributes.clear()
            o.attributes.update(attributes)

    def redo(self) -> None:
        for o, _ in self._objects:
            o.attributes.update(self._after[id(o)])

    def places(self, other: Journal) -> list[tuple[Obj, str]]:
        """The attributes that this branch or the other one set."""
        out = []
        for o, before in self._objects:
            one, two = self._after[id(o)], other._after[id(o)]
            out += [(o, k) for k in dict.fromkeys([*one, *two])
                    if one.get(k) is not before.get(k) or two.get(k) is not before.get(k)]
        return out

    def now(self, place: tuple[Obj, str]) -> Any:
        return self._after[id(place[0])].get(place[1])


def _merged(run: Interpreter, a: Any, b: Any, left: list[Value], right: list[Value]) -> Any:
    """What two branches made of one name: the same thing, or a place among the results of the If."""
    if a is b or (_plain(a) and _plain(b) and type(a) is type(b) and a == b):
        return a
    op = run.machine.op
    if isinstance(a, Box) and isinstance(b, Box):
        if a.value.dtype != b.value.dtype:
            raise Unsupported("branches of different element types")
        left.append(a.value)
        right.append(b.value)
        return _Result(len(left) - 1, False)
    if is_number(a) and is_number(b):
        x, y = tensor(op, a), tensor(op, b)
        if x.dtype != y.dtype:
            x, y = tensor(op, a, np.dtype(np.float64)), tensor(op, b, np.dtype(np.float64))
        left.append(x)
        right.append(y)
        return _Result(len(left) - 1, True)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [_merged(run, x, y, left, right) for x, y in zip(a, b, strict=True)]
    return _Either()


def _plain(x: Any) -> bool:
    return x is None or isinstance(x, (bool, int, float, str))


class _Result:
    def __init__(self, at: int, number: bool) -> None:
        self.at, self.number = at, number


class _Either:
    """Things of different kinds, of which nothing can be said: whoever uses it is refused."""


def _placed(plan: Any, results: Sequence[Value]) -> Any:
    if isinstance(plan, _Result):
        value = results[plan.at]
        return known(Sym(value)) if plan.number else Box(value)
    if isinstance(plan, list):
        return [_placed(p, results) for p in plan]
    return plan


# -- cutting out


def reached(x: Any) -> set[int]:
    """The ids of the nodes behind everything that can be reached."""
    return {id(n) for n in Graph({}, {str(k): v for k, v in enumerate(_values(x))}).nodes}


def _objects(stack: list[Any]) -> Iterator[Obj]:
    for x in _walk(stack):
        if isinstance(x, Obj):
            yield x


def _boxes(stack: list[Any]) -> Iterator[Box]:
    for x in _walk(stack):
        if isinstance(x, Box):
            yield x


def _values(x: Any) -> Iterator[Value]:
    for found in _walk([x]):
        if isinstance(found, Sym) or (isinstance(found, Box) and found.known):
            yield found.value


def _walk(stack: list[Any]) -> Iterator[Any]:
    seen: set[int] = set()
    while stack:
        x = stack.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        yield x
        if isinstance(x, Obj):
            stack += x.attributes.values()
        elif isinstance(x, dict):
            stack += x.values()
        elif isinstance(x, (list, tuple)):
            stack += x


def grown(run: Interpreter, name: str, args: Sequence[Any], kwargs: Any) -> Any:
    """``cat`` or ``stack`` of a list that grew in a loop."""
    xs, dim = args[0], known(args[1] if len(args) > 1 else kwargs.get("dim", 0))
    op, rows = run.machine.op, xs.rows
    if name not in ("cat", "stack", "concat") or rows.rank is None or not isinstance(dim, int):
        raise Unsupported("a list whose length is known at run time only")
    count = rows.rank - 1
    axis = dim % (count + (name == "stack"))
    perm = [*range(1, axis + 1), 0, *range(axis + 1, count + 1)]
    y = op.Transpose(rows, perm=perm) if axis else rows
    if name != "stack":  # the turns and the axis behind them become one
        shape = op.Shape(y)
        y = op.Reshape(y, op.Concat(*([op.Slice(shape, np.array([0]), np.array([axis]))] if axis else []),
                                    np.array([-1]), op.Slice(shape, np.array([axis + 2]), np.array([99])), axis=0))
    if not xs.head:
        return Box(y)
    head = run.machine.call("stack" if name == "stack" else "cat", [xs.head, dim], {})
    return Box(op.Concat(head.value, y, axis=axis))


def closed(values: Sequence[Value], before: set[int]) -> list[Value]:
    """What the nodes behind some values that were not there before take from before."""
    outer: dict[Value, None] = {}
    seen: set[int] = set()
    stack = list(values)
    while stack:
        v = stack.pop()
        if v.data is not None:
            continue
        if v.node is None or id(v.node) in before:
            outer[v] = None
        elif id(v.node) not in seen:
            seen.add(id(v.node))
            stack += [i for i in v.node.inputs if i is not None]
    return list(outer)


def _with_inputs(values: Sequence[Value], outer: Sequence[Value]) -> Graph:
    """A closed graph from the values ``outer`` to ``values``."""
    fresh = {f"c{k}": _fresh(v) for k, v in enumerate(outer)}
    whole = Graph({f"c{k}": v for k, v in enumerate(outer)}, {f"o{k}": _own(v) for k, v in enumerate(values)})
    return rebuild(whole, lambda node: None, fresh)


def _own(v: Value) -> Value:
    """An output of a body is made by a node of its own."""
    return Node("Identity", [v], {}, [v.type]).outputs[0]


def _fresh(v: Value, type: Type | None = None) -> Value:
    made = Value(type or Type(v.dtype, v.shape), "")
    if type is None:
        made.elements = v.elements
    return made


# -- loops


def counted(run: Interpreter, s: ast.For, count: Sym, env: Env) -> None:
    """``for i in range(n)``."""
    if not isinstance(s.target, ast.Name):
        raise Unsupported("a loop over several names")
    _loop(run, s.body, env, cast(run.machine.op, count.value, I64), None, s.target.id)


def conditional(run: Interpreter, s: ast.While, test: Any, env: Env) -> None:
    """``while condition``: the name that holds the condition is set in every turn."""
    _loop(run, s.body, env, None, s.test, "")
    del test


def _loop(run: Interpreter, body: Sequence[ast.stmt], env: Env, count: Value | None, test: ast.expr | None,
          index: str) -> None:
    op = run.machine.op
    carried = [n for n in dict.fromkeys(_set_in(body)) if n in env and n != index]
    lists = [n for n in env if isinstance(env[n], list) and _appended(body, n)]
    before = reached(env)
    start = [_entering(run, env[n]) for n in carried]
    types = [Type(v.dtype, v.shape) for v in start]
    for _ in range(_TURNS):
        inner = dict(env)
        ins = [Value(t, n) for t, n in zip(types, carried, strict=True)]
        turn = Value(Type(I64, ()), "turn")
        for n, v in zip(carried, ins, strict=True):
            inner[n] = Sym(v) if is_number(env[n]) else Box(v)
        if index:
            inner[index] = Sym(turn)
        grown = {n: list[Any]() for n in lists}
        inner.update(grown)
        journal = Journal(env)
        run.block(body, inner)
        journal.undo()
        if journal.places(journal):
            raise Unsupported("an attribute that is set in a loop")
        outs = [_leaving(run, inner[n], t) for n, t in zip(carried, types, strict=True)]
        after = [join(t, Type(v.dtype, v.shape)) for t, v in zip(types, outs, strict=True)]
        if after == types:
            break
        types = after
    else:
        raise Unsupported("a loop whose values change their kind in every turn")
    if any(len(g) != 1 or not isinstance(g[0], Box) for g in grown.values()):
        raise Unsupported("a list that grows by more or less than one tensor in a turn")
    go = flag_of(run, run.value(test, inner)) if test is not None else op.Identity(np.asarray(True))
    first = flag_of(run, run.value(test, env)) if test is not None else None
    rows = [g[0].value for g in grown.values()]
    inside = {id(v) for v in (*ins, turn)}
    results = [go, *outs, *rows]
    outer = [v for v in closed(results, before) if id(v) not in inside]
    cond = Value(Type(BOOL, ()), "go")
    inputs = {"turn": turn, "go": cond, **{f"s{k}": v for k, v in enumerate(ins)},
              **{f"c{k}": v for k, v in enumerate(outer)}}
    fresh = {"turn": turn, "go": cond, **{f"s{k}": v for k, v in enumerate(ins)},
             **{f"c{k}": _fresh(v) for k, v in enumerate(outer)}}
    whole = Graph(inputs, {f"o{k}": _own(v) for k, v in enumerate(results)})
    made = op.add("Loop", count, first, *start, *outer, outputs=len(outs) + len(rows),
                  body=rebuild(whole, lambda node: None, fresh), captures=len(outer) or None)
    for n, v in zip(carried, made, strict=False):
        env[n] = known(Sym(v)) if is_number(env[n]) else Box(v)
    for n, v in zip(grown, made[len(outs):], strict=True):
        env[n] = Grown(env[n], v)


class Grown(list[Any]):
    """A list that grew in a loop: ``head`` is what it was before, ``rows`` what was appended, one a turn."""

    def __init__(self, head: Sequence[Any], rows: Value) -> None:
        super().__init__()
        self.head, self.rows = list(head), rows


def _set_in(body: Sequence[ast.stmt]) -> Iterator[str]:
    for s in body:
        for node in ast.walk(s):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _appended(body: Sequence[ast.stmt], name: str) -> bool:
    """Whether a loop appends to the list of that name."""
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append"
               and node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == name
               for s in body for node in ast.walk(s))


def _entering(run: Interpreter, x: Any) -> Value:
    if isinstance(x, Box):
        return x.value
    if is_number(x):
        return tensor(run.machine.op, x)
    raise Unsupported(f"a {type(x).__name__} that changes in a loop")


def _leaving(run: Interpreter, x: Any, type_: Type) -> Value:
    value = x.value if isinstance(x, Box) else tensor(run.machine.op, x) if is_number(x) else None
    if value is None:
        raise Unsupported(f"a {type(x).__name__} that changes in a loop")
    return value if value.dtype == type_.dtype else cast(run.machine.op, value, type_.dtype)
