"""Following a TensorFlow graph from the outputs that are wanted: nodes become nodes of the raw graph, functions are
inlined, variables and tables are resolved, constants folded.

A :class:`Scope` knows names: those of the main graph, of one call of a function, of one turn of a loop or one branch.
A :class:`Body` is a closed graph being made: what its nodes read of the graph around it becomes an input of its own.
Everything is iterative but the nesting of functions and bodies, which ``limits.depth`` bounds."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CorruptFile, Unsupported
from ...ir.graph import Node, Value
from ...ir.types import Shape, Type
from .attributes import OPAQUE, Attributes, dtype_of, shape_of
from .handles import DEAD, Dead, Handle, Result, Variable
from .ops import counts, definition, types

if TYPE_CHECKING:
    from .model import Model


class Body:
    """A graph in the making: the main one, or a closed body of a branch or a loop."""

    def __init__(self, parent: Body | None = None) -> None:
        self.parent = parent
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.captured: dict[Value, Value] = {}
        self.state: dict[Variable, Value] = {}
        self.assigned: dict[Variable, None] = {}
        self.own: set[Value] = set()

    def take(self, result: Result) -> Result:
        """What a body sees of something of the graph around it: constants and handles themselves, else an input."""
        if not isinstance(result, Value) or result.data is not None:
            return result
        if result not in self.captured:
            self.captured[result] = Value(result.type, result.name)
        return self.captured[result]


class Names:
    """The nodes of a graph or a function by name, with what is worked out once for all uses of it."""

    def __init__(self, nodes: Sequence[Any], what: str, library: Mapping[str, Any]) -> None:
        self.nodes: dict[str, Any] = {}
        self.what = what
        for n in nodes:
            if n.name in self.nodes:
                raise CorruptFile(f"two nodes of {what} are named '{n.name}'")
            self.nodes[n.name] = n
        self._control: Any = None
        self.inputs: dict[str, tuple[list[str], list[str]]] = {}

    def edges(self, name: str) -> tuple[list[str], list[str]]:
        """The data inputs of a node, and the nodes that only have to run before it."""
        if name not in self.inputs:
            data, control = [], []
            for i in self.nodes[name].input:
                if i.startswith("^"):
                    control.append(i[1:])
                else:
                    data.append(i)
            self.inputs[name] = (data, control)
        return self.inputs[name]

    @property
    def control(self) -> Any:
        """The loops and branches of the first generation in these nodes."""
        if self._control is None:
            from .frames import Control
            self._control = Control(self)
        return self._control


class Scope:
    """Results by name; ``get`` follows the graph as far as a result needs."""

    def __init__(self, model: Model, names: Names, body: Body, *, function: Any = None,
                 bound: Mapping[str, Any] | None = None, prefix: str = "", depth: int = 1, parent: Scope | None = None,
                 ) -> None:
        model.limits.check("depth", depth)
        self.model, self.names, self.body, self.function = model, names, body, function
        self.bound: Mapping[str, Any] = bound or {}
        self.prefix, self.depth, self.parent = prefix, depth, parent
        self.memo: dict[str, list[Result]] = {}
        self.literal: tuple[str, bool] | None = None  # the predicate and the side of a branch of the first generation
        self.node: Any = None
        self._attributes: dict[str, Attributes] = {}

    # ------------------------------------------------------------------------------------------- names

    def get(self, ref: str) -> Result:
        """The result that ``ref`` names: ``node``, ``node:0``, or in a function ``node:output:0``."""
        name = ref.partition(":")[0]
        self.run([name])
        return self._output(ref)

    def _output(self, ref: str) -> Result:
        name, _, rest = ref.partition(":")
        outs = self.memo.get(name)
        if outs is None:
            outs = self._above(name)
        at = self._index(name, rest)
        if not 0 <= at < len(outs):
            raise CorruptFile(f"'{ref}' is read, and '{name}' has {len(outs)} outputs")
        return outs[at]

    def _above(self, name: str) -> list[Result]:
        """What a branch sees of a node outside of it."""
        if self.parent is None or name not in self.parent.memo:
            raise CorruptFile(f"'{name}' is read, and nothing defines it")
        if self.parent.body is self.body:
            return self.parent.memo[name]
        self.memo[name] = [self.body.take(r) for r in self.parent.memo[name]]
        return self.memo[name]

    def _index(self, name: str, rest: str) -> int:
        if not rest:
            return 0
        if rest.isdigit():
            return int(rest)
        argument, _, k = rest.partition(":")
        node = self.names.nodes.get(name)
        if node is None or not (k or "0").isdigit():
            raise CorruptFile(f"'{name}:{rest}' is no output")
        at = int(k or 0)
        called = self.model.functions.get(node.op)
        if called is not None:
            listed = [a.name for a in called.signature.output_arg]
            if argument not in listed:
                raise CorruptFile(f"'{name}:{rest}' is no output of the function '{node.op}'")
            return listed.index(argument) + at
        d = definition(node.op)
        if d is None:
            raise Unsupported("an operator that TensorFlow does not define", self._place(node))
        if len(d.outputs) == 1:
            return at if d.outputs[0].name == argument else self._none_such(name, rest, node.op)
        numbers = self.attributes(node).numbers()
        offset = 0
        for a, n in zip(d.outputs, counts(d.outputs, numbers), strict=True):
            if a.name == argument:
                return offset + at
            offset += n
        return self._none_such(name, rest, node.op)

    def _none_such(self, name: str, rest: str, op: str) -> int:
        raise CorruptFile(f"'{name}:{rest}' is no output of {op}")

    def attributes(self, node: Any) -> Attributes:
        if node.name not in self._attributes:
            self._attributes[node.name] = Attributes(node, definition(node.op), self.bound, self.model.tensors.tensor)
        return self._attributes[node.name]

    def _place(self, node: Any) -> Node:
        return Node(node.op, [], {}, [], name=self.prefix + node.name)

    # ----------------------------------------------------------------------------------------- running

    def run(self, wanted: Sequence[str]) -> None:
        """Evaluates nodes and all that they need, each once."""
        active: set[str] = set()
        for root in wanted:
            stack: list[tuple[str, Any]] = []
            if root not in self.memo:
                self._push(root, stack, active)
            while stack:
                name, needs = stack[-1]
                for need in needs:
                    if need not in self.memo:
                        if need in active:
                            raise CorruptFile(f"node '{need}' is part of a cycle")
                        self._push(need, stack, active)
                        break
                else:
                    stack.pop()
                    active.discard(name)
                    if name not in self.memo:
                        self._evaluate(name)

    def _push(self, name: str, stack: list[tuple[str, Any]], active: set[str]) -> None:
        if name not in self.names.nodes:
            if self.function is not None and name in {a.name for a in self.function.signature.input_arg}:
                raise CorruptFile(f"the argument '{name}' of a function is not given")
            raise CorruptFile(f"'{name}' is read, and nothing defines it")
        if self.literal is not None and self.literal not in self.names.control.conditions(name):
            if self.parent is not None:
                self.parent.run([name])
                self._above(name)
                return
        active.add(name)
        stack.append((name, iter(self._needs(name))))

    def _needs(self, name: str) -> list[str]:
        node = self.names.nodes[name]
        if node.op in _STRUCTURE:
            if (found := self.names.control.needs(self, node)) is not None:
                return list(found)
        data, control = self.names.edges(name)
        out = [i.partition(":")[0] for i in data]
        if self.model.effects:
            out += [c for c in control if c in self.names.nodes]
        return out

    def _evaluate(self, name: str) -> None:
        node = self.names.nodes[name]
        model = self.model
        model.nodes = model.limits.check("nodes", model.nodes + 1)
        before, self.node = self.node, node
        try:
            if node.op in _STRUCTURE and self.names.control.evaluate(self, node):
                return
            data, _ = self.names.edges(name)
            inputs = [self._output(i) for i in data]
            if any(isinstance(v, Dead) for v in inputs):
                self.memo[name] = [DEAD] * 8
                return
            self.memo[name] = self._apply(node, inputs)
        except Unsupported as e:
            e.node = e.node or self._place(node)
            raise
        except CorruptFile as e:
            if e.path is None and not e.reason.startswith("node "):
                e.reason = f"node '{self.prefix}{node.name}' ({node.op}): {e.reason}"
            raise
        finally:
            self.node = before

    def _apply(self, node: Any, inputs: list[Result]) -> list[Result]:
        from .resolve import RESOLVED
        if node.op in self.model.functions:
            return self.call(node.op, inputs, {}, node.name)
        rule = RESOLVED.get(node.op)
        if rule is not None:
            made = rule(self, node, self.attributes(node), inputs)
            if made is not None:
                return list(made)
        return list(self.emit(node, inputs))

    # ---------------------------------------------------------------------------------------- results

    def emit(self, node: Any, inputs: Sequence[Result]) -> Sequence[Value]:
        """The node as it is, in the raw graph."""
        attributes = self.attributes(node)
        values: list[Value] = []
        for v in inputs:
            if isinstance(v, Variable) and v.reference:
                v = self.read(v)
            if not isinstance(v, Value):
                what = "a handle" if isinstance(v, Handle) else "nothing"
                raise Unsupported(f"reads {what} where the reader knows of none", self._place(node))
            values.append(v)
        shapes = self._shapes(node)
        d = attributes.definition
        if d is None:
            kind = values[0].dtype if node.op in _OF_ITS_INPUT and values else _STATED.get(node.op, OPAQUE)
            outs = [Type(kind, None)] * max(1, len(shapes))
        else:
            try:
                numbers = self.output_types(node)
            except (KeyError, ValueError, TypeError):
                raise CorruptFile("its attributes do not say how many outputs it has") from None
            outs = [Type(dtype_of(t), s) for t, s in zip(numbers, [*shapes, *[None] * (len(numbers) - len(shapes))],
                                                         strict=False)]
        return self.make(node.op, values, attributes.raw(), outs, node.name)

    def output_types(self, node: Any) -> list[int]:
        """The number of DataType of each output of a node that TensorFlow defines."""
        attributes = self.attributes(node)
        assert attributes.definition is not None
        told = attributes.numbers()
        many = counts(attributes.definition.outputs, told)
        if any(n < 0 for n in many):
            raise ValueError
        self.model.limits.check("tensors", sum(many))
        return types(attributes.definition.outputs, told)

    def _shapes(self, node: Any) -> list[Shape]:
        if "_output_shapes" in node.attr:
            return [shape_of(s) for s in node.attr["_output_shapes"].list.shape]
        return []

    def make(self, op: str, inputs: Sequence[Value], attrs: Mapping[str, Any], outs: Sequence[Type],
             name: str = "") -> Sequence[Value]:
        """A node of the raw graph, or what it computes where that is known now."""
        full = self.prefix + name
        made = Node(op, inputs, attrs, outs, [full if k == 0 else f"{full}:{k}" for k in range(len(outs))], full)
        from .fold import fold
        return fold(made, self.model.limits) or made.outputs

    def constant(self, array: Any, dtype: Any = None) -> Value:
        from ...ir.graph import constant
        return constant(np.asarray(array, dtype))

    def read(self, variable: Variable, body: Body | None = None) -> Value:
        """The present value of a variable: in a branch or a loop what was assigned there, else what it is outside."""
        body = self.body if body is None else body
        if variable in body.state:
            return body.state[variable]
        if body.parent is not None:
            seen = body.take(self.read(variable, body.parent))
            assert isinstance(seen, Value)
            return seen
        body.state[variable] = self.model.start(variable)
        return body.state[variable]

    def assign(self, variable: Variable, value: Value) -> None:
        """A new value; what a branch or a loop assigns is one more of its results (see :mod:`.control`)."""
        if self.body.parent is not None and variable.reference:  # what reads it may share its memory
            raise Unsupported("a variable of the first generation is assigned inside a branch or a loop")
        self.body.state[variable] = value
        self.body.assigned[variable] = None
        self.model.assigned[variable] = None

    # --------------------------------------------------------------------------------------- functions

    def call(self, name: str, inputs: Sequence[Result], bound: Mapping[str, Any], place: str,
             body: Body | None = None) -> list[Result]:
        """A function's results for these arguments, its nodes among those around it (or in ``body``)."""
        function = self.model.functions.get(name)
        if function is None:
            raise CorruptFile(f"the function '{name}' is called, and nothing defines it")
        arguments = function.signature.input_arg
        if len(arguments) != len(inputs):
            raise CorruptFile(f"the function '{name}' has {len(arguments)} arguments and is given {len(inputs)}")
        prefix = f"{self.prefix}{place}/" if place else self.prefix
        inner = Scope(self.model, self.model.names_of(name), self.body if body is None else body, function=function,
                      bound=bound, prefix=prefix if len(prefix) < 512 else self.prefix, depth=self.depth + 1)
        for a, v in zip(arguments, inputs, strict=True):
            inner.memo[a.name] = [v]
        if self.model.effects:
            inner.run([c for c in sorted(function.control_ret.values()) if c in inner.names.nodes])
        return [inner.get(function.ret.get(o.name, o.name))
                for o in function.signature.output_arg]


_OF_ITS_INPUT = frozenset({"FusedDepthwiseConv2dNative", "_FusedDepthwiseConv2dNative", "Prelu", "FusedConv2D"})
"""Operators of TensorFlow.js that TensorFlow does not define; the result has the element type of the first input."""
_STATED = {"CompareAndBitpack": np.dtype(np.uint8)}
"""Operators that the table of definitions lacks, and the element type of their result."""
_STRUCTURE = frozenset("Switch RefSwitch Merge RefMerge Enter RefEnter Exit RefExit NextIteration RefNextIteration "
                       "LoopCond".split())
