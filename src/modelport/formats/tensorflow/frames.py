"""Control flow of the first generation: what Switch, Merge, Enter, Exit, NextIteration and LoopCond are made of.

A loop is a LoopCond with the Switches that it controls: each has a Merge of an Enter (the first value) and a
NextIteration (the next one), and Exits (the last one); Enters that are constant hand in what does not change.
A branch is a Merge of two values of which one exists only where a predicate holds, the other only where it does not.
Source: tensorflow/core/common_runtime/lower_while_op.cc, lower_if_op.cc; "Dynamic control flow in large-scale machine
learning" (EuroSys 2018)."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import CorruptFile, Unsupported
from ...ir.graph import Value
from .handles import DEAD, Result
from .scope import Body, Scope

if TYPE_CHECKING:
    from .scope import Names

Literal = tuple[str, bool]
_SWITCH, _MERGE, _ENTER = ("Switch", "RefSwitch"), ("Merge", "RefMerge"), ("Enter", "RefEnter")
_NEXT, _EXIT = ("NextIteration", "RefNextIteration"), ("Exit", "RefExit")


@dataclass
class Loop:
    """One loop: for each variable its Merge, Enter, NextIteration and Switch; the Enters of constants."""

    cond: str
    variables: list[tuple[str, str, str, str]] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    exits: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A Merge: its predicate, and which input belongs to which side of it."""

    predicate: str
    sides: dict[bool, int]


class Control:
    """The loops and branches among the nodes of one graph."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.loops: dict[str, Loop] = {}
        self._loop_of: dict[str, Loop] = {}  # by the name of a Merge, Switch, Exit or constant Enter
        self._conditions: dict[str, frozenset[Literal]] = {}
        self._level: dict[str, int] = {}
        self._choices: dict[str, Choice | None] = {}
        self._groups: dict[tuple[str, frozenset[Literal], int], list[str]] | None = None
        self.wanted: set[str] | None = None
        self._find_loops()

    def _op(self, name: str) -> str:
        node = self.names.nodes.get(name)
        return "" if node is None else str(node.op)

    def _data(self, name: str) -> list[str]:
        return self.names.edges(name)[0]

    # ------------------------------------------------------------------------------------------- loops

    def _find_loops(self) -> None:
        switches: dict[str, list[str]] = {}
        exits: dict[str, list[str]] = {}
        enters: dict[str, list[str]] = {}
        for name, node in self.names.nodes.items():
            if node.op in _SWITCH:
                data = self._data(name)
                if len(data) != 2:
                    raise CorruptFile(f"the Switch '{name}' has {len(data)} inputs")
                if self._op(data[1].partition(":")[0]) == "LoopCond":
                    switches.setdefault(data[1].partition(":")[0], []).append(name)
            elif node.op in _EXIT and self._data(name):
                exits.setdefault(self._data(name)[0].partition(":")[0], []).append(name)
            elif node.op in _ENTER:
                enters.setdefault(self._frame(node), []).append(name)
        for cond, found in switches.items():
            loop = self.loops[cond] = Loop(cond)
            frame = None
            for switch in found:
                merge = self._data(switch)[0].partition(":")[0]
                ins = [i.partition(":")[0] for i in self._data(merge)] if self._op(merge) in _MERGE else []
                enter = next((i for i in ins if self._op(i) in _ENTER), None)
                after = next((i for i in ins if self._op(i) in _NEXT), None)
                if enter is None or after is None or merge in self._loop_of:
                    raise CorruptFile(f"the loop of '{cond}' is not made as TensorFlow makes loops")
                frame = self._frame(self.names.nodes[enter])
                loop.variables.append((merge, enter, after, switch))
                loop.exits[merge] = exits.get(switch, [])
                for n in (merge, switch, *loop.exits[merge]):
                    self._loop_of[n] = loop
            first = {v[1] for v in loop.variables}
            loop.constants = [e for e in enters.get(frame or "", []) if e not in first]
            for e in loop.constants:
                self._loop_of[e] = loop
            self._loop_of[cond] = loop

    def _frame(self, node: Any) -> str:
        return node.attr["frame_name"].s.decode("utf-8", "surrogateescape") if "frame_name" in node.attr else ""

    # -------------------------------------------------------------------------------------- conditions

    def conditions(self, name: str) -> frozenset[Literal]:
        """The predicates, each with a side, under which a node runs at all."""
        if name not in self._conditions:
            self._settle(name)
        return self._conditions[name]

    def _of(self, ref: str) -> frozenset[Literal]:
        """The conditions under which a result exists."""
        name, _, rest = ref.partition(":")
        base = self._conditions.get(name, frozenset())
        if self._op(name) in _SWITCH and name not in self._loop_of:
            side = rest.rpartition(":")[2] == "1" if rest.rpartition(":")[2].isdigit() and ":" not in rest \
                else rest.startswith("output_true")
            return base | {(self._predicate(self._data(name)[1]), side)}
        return base

    def _predicate(self, ref: str) -> str:
        """A name for a truth value, the same behind any number of Identities."""
        for _ in range(100):
            name = ref.partition(":")[0]
            if self._op(name) not in ("Identity", "StopGradient"):
                break
            ref = self._data(name)[0]
        name, _, rest = ref.partition(":")
        return name if not rest or rest == "0" else ref

    def _before(self, name: str) -> Iterable[str]:
        node = self.names.nodes[name]
        if name in self._loop_of and node.op in _MERGE:
            return [i.partition(":")[0] for i in self._data(name) if self._op(i.partition(":")[0]) in _ENTER]
        data, control = self.names.edges(name)
        return [*(i.partition(":")[0] for i in data), *control]

    def _settle(self, root: str) -> None:
        stack: list[tuple[str, Any]] = []
        active: set[str] = set()

        def push(name: str) -> None:
            if name not in self.names.nodes:  # an argument of a function
                self._conditions[name], self._level[name] = frozenset(), 0
                return
            active.add(name)
            stack.append((name, iter(self._before(name))))
        push(root)
        while stack:
            name, needs = stack[-1]
            for need in needs:
                if need not in self._conditions:
                    if need in active:
                        raise CorruptFile(f"node '{need}' is part of a cycle")
                    push(need)
                    break
            else:
                stack.pop()
                active.discard(name)
                self._conditions[name], self._level[name] = self._worked_out(name)

    def _worked_out(self, name: str) -> tuple[frozenset[Literal], int]:
        node = self.names.nodes[name]
        level = max((self._level.get(i, 0) for i in self._before(name)), default=0)
        data, control = self.names.edges(name)
        if node.op in _MERGE and name not in self._loop_of:
            found = [self._of(i) for i in data]
            choice = None
            if len(found) == 2:
                a, b = found
                for predicate, side in sorted(a - b):
                    if (predicate, not side) in b:
                        choice = Choice(predicate, {side: 0, not side: 1})
                        break
            self._choices[name] = choice
            return (frozenset.intersection(*found) if found else frozenset()), level + 1
        refs = self._before(name) if name in self._loop_of and node.op in _MERGE else data
        return frozenset().union(*(self._of(i) for i in refs), *(self._conditions.get(c, frozenset())
                                                                 for c in control)), level

    def _group(self, name: str) -> tuple[Choice, list[str]]:
        """The Merges that one branch makes, ``name`` among them."""
        self.conditions(name)
        if self._groups is None:
            self._groups = {}
            for n, node in self.names.nodes.items():
                if node.op in _MERGE and n not in self._loop_of and (self.wanted is None or n in self.wanted):
                    self.conditions(n)
                    if (choice := self._choices[n]) is not None:
                        key = (choice.predicate, self._conditions[n], self._level[n])
                        self._groups.setdefault(key, []).append(n)
        chosen = self._choices[name]
        if chosen is None:
            raise Unsupported("a Merge of values that do not exclude each other by one predicate")
        group = self._groups.get((chosen.predicate, self._conditions[name], self._level[name]), [name])
        return chosen, group if name in group else [name]

    # --------------------------------------------------------------------------------------- evaluation

    def needs(self, scope: Scope, node: Any) -> Sequence[str] | None:
        """What has to be known before :meth:`evaluate`; ``None`` for the plain inputs."""
        loop = self._loop_of.get(node.name)
        if node.op in _EXIT and loop is not None:
            starts = [v[1] for v in loop.variables] + loop.constants
            return [self._data(e)[0].partition(":")[0] for e in starts if self._data(e)]
        if loop is not None:
            return []
        if node.op in _MERGE:
            chosen, group = self._group(node.name)
            return [chosen.predicate.partition(":")[0], *self._outside(scope, chosen.predicate, group)]
        return None

    def _outside(self, scope: Scope, predicate: str, group: Sequence[str]) -> list[str]:
        """The nodes outside of the branches that these read."""
        todo = [i.partition(":")[0] for m in group for i in self._data(m)]
        done: set[str] = set()
        out: list[str] = []
        literals = {(predicate, True), (predicate, False)}
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            if name in self.names.nodes and literals & self.conditions(name):
                if self._op(name) in _MERGE and name in self._loop_of:
                    todo += self._before(name)
                    continue
                data, control = self.names.edges(name)
                todo += [i.partition(":")[0] for i in data] + (control if scope.model.effects else [])
                loop = self._loop_of.get(name)
                if loop is not None and self._op(name) in _EXIT:
                    todo += [v[1] for v in loop.variables] + loop.constants
            elif name in self.names.nodes:
                out.append(name)
        return out

    def evaluate(self, scope: Scope, node: Any) -> bool:
        """Evaluates a node of the structure; whether it was one."""
        loop = self._loop_of.get(node.name)
        if node.op in _EXIT and loop is not None:
            self._run_loop(scope, loop)
            if node.name not in scope.memo:
                raise CorruptFile("an Exit of another loop")
            return True
        if loop is not None:
            raise Unsupported("a value of a loop is read outside of it")
        data = [scope._output(i) for i in self._data(node.name)] if node.op not in _MERGE else []
        if node.op in _SWITCH:
            predicate = data[1]
            if isinstance(predicate, Value) and predicate.data is not None:
                taken = bool(predicate.numpy())
                scope.memo[node.name] = [DEAD, data[0]] if taken else [data[0], DEAD]
            else:
                scope.memo[node.name] = [data[0], data[0]]
            return True
        if node.op in _MERGE:
            self._run_branch(scope, *self._group(node.name))
            return True
        if node.op in (*_ENTER, *_NEXT, *_EXIT, "LoopCond"):
            raise Unsupported("a loop that is not made as TensorFlow makes loops")
        return False

    def _run_branch(self, scope: Scope, chosen: Choice, group: Sequence[str]) -> None:
        from .control import choose
        predicate = scope.get(chosen.predicate)

        def side(taken: bool, body: Body) -> list[Result]:
            inner = Scope(scope.model, scope.names, body, function=scope.function, bound=scope.bound,
                          prefix=scope.prefix, depth=scope.depth + 1, parent=scope)
            inner.literal = (chosen.predicate, taken)
            out = []
            for m in group:
                choice = self._choices[m]
                assert choice is not None
                out.append(inner.get(self._data(m)[choice.sides[taken]]))
            return out
        made = choose(scope, predicate, [lambda b: side(False, b), lambda b: side(True, b)], group[0])
        for m, result in zip(group, made, strict=True):
            scope.memo[m] = [result, None]  # which input it was: nothing but training reads it

    def _run_loop(self, scope: Scope, loop: Loop) -> None:
        from .control import repeat
        first = [scope._output(self._data(v[1])[0]) for v in loop.variables]
        constants = {e: scope._output(self._data(e)[0]) for e in loop.constants if self._data(e)}

        def frame(body: Body, values: Sequence[Result]) -> Scope:
            inner = Scope(scope.model, scope.names, body, function=scope.function, bound=scope.bound,
                          prefix=scope.prefix, depth=scope.depth + 1, parent=scope)
            for (merge, _, _, switch), value in zip(loop.variables, values, strict=True):
                inner.memo[merge] = [value, None]
                inner.memo[switch] = [value, value]
            for e, value in constants.items():
                inner.memo[e] = [body.take(value)]
            return inner

        def cond(body: Body, values: Sequence[Result]) -> Result:
            return frame(body, values).get(self._data(loop.cond)[0])

        def turn(body: Body, values: Sequence[Result]) -> list[Result]:
            inner = frame(body, values)
            return [inner.get(self._data(v[2])[0]) for v in loop.variables]
        made = repeat(scope, first, cond, turn, loop.cond.rpartition("/")[0] or loop.cond)
        for (merge, _, _, _), result in zip(loop.variables, made, strict=True):
            for e in loop.exits[merge]:
                scope.memo[e] = [result]
