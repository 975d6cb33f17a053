"""One MetaGraph or GraphDef while it is being read: its functions, variables, tables and assets."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs.limits import Limits
from ...codecs.mapped import Mapped
from ...codecs.paths import open_beneath
from ...errors import CorruptFile, UnsafeModel, Unsupported, printable
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import STRING, Type
from ...notes import Note
from . import unsafe
from .attributes import OPAQUE, Attributes
from .bundle import Bundle
from .handles import Result, Table, Variable
from .scope import Body, Names, Scope
from .tensors import Tensors

Asked = tuple[str, str]
"""The name of an input or output, and the tensor that it is."""


class Model:
    """What scopes share."""

    def __init__(self, graph: Any, tensors: Tensors, limits: Limits, folder: Path | None = None,
                 bundle: Bundle | None = None, overrides: Mapping[str, Tensor] | None = None) -> None:
        self.graph, self.tensors, self.limits, self.folder, self.bundle = graph, tensors, limits, folder, bundle
        self.overrides: Mapping[str, Tensor] = overrides or {}
        self.functions: dict[str, Any] = {}
        for f in graph.library.function:
            if f.signature.name in self.functions:
                raise CorruptFile(f"two functions are named '{f.signature.name}'")
            self.functions[f.signature.name] = f
        self.names = Names(graph.node, "the graph", self.functions)
        self._names: dict[str, Names] = {}
        self.variables: dict[str, Variable] = {}
        self.tables: dict[str, Table] = {}
        self.assets: dict[str, str] = {}
        self.assigned: dict[Variable, None] = {}
        self.explicit: dict[Variable, Value] | None = None
        self.effects = False
        self.loading = False
        self.nodes = 0
        self.notes: dict[Note, None] = {}

    def note(self, kind: str, message: str, where: str = "") -> None:
        self.notes[Note(kind, message, where)] = None

    def names_of(self, function: str) -> Names:
        if function not in self._names:
            self._names[function] = Names(self.functions[function].node_def, f"the function '{function}'",
                                          self.functions)
        return self._names[function]

    def check(self, roots: Sequence[str], allowed: frozenset[str], doing: str) -> bool:
        """See :func:`.unsafe.check`."""
        return unsafe.check(self.names.nodes, self.functions, roots, allowed, doing)

    # --------------------------------------------------------------------------------------- variables

    def start(self, variable: Variable) -> Value:
        """What a variable holds when the model is called."""
        if self.explicit is not None and variable in self.explicit:
            return self.explicit[variable]
        return self.initial(variable)

    def initial(self, variable: Variable) -> Value:
        if variable.value is None and not variable.tried:
            variable.tried = True
            self._initialise(variable)
        if variable.value is None:
            raise Unsupported(f"the variable '{variable.name}' has no value in the checkpoint",
                              Node("VarHandleOp", [], {}, [], name=variable.name))
        return variable.value

    def _initialise(self, variable: Variable) -> None:
        """The value that the graph's own initialiser gives a variable, where it is a constant (a frozen graph)."""
        found = [n for n in self.graph.node if n.op in ("Assign", "AssignVariableOp") and n.input and
                 n.input[0].partition(":")[0] == getattr(variable, "node", variable.name)]
        if len(found) != 1 or self.bundle is not None:
            return
        roots = [i for i in found[0].input[1:] if not i.startswith("^")][:1]
        try:
            self.check(roots, frozenset(), "its initialiser")
            made = Scope(self, self.names, Body()).get(roots[0]) if roots else None
        except Unsupported:
            return
        if isinstance(made, Value) and made.data is not None and made.dtype == variable.type.dtype:
            variable.value = made
            self.note("info", "variables of the graph have the values of their initialisers")

    def execute(self, roots: Sequence[str], given: Mapping[str, Sequence[Result]], what: str) -> None:
        """Runs what initialises the model, for the variables it assigns and the tables it fills."""
        scope = Scope(self, self.names, Body())
        scope.memo.update({k: list(v) for k, v in given.items()})
        self.effects = self.loading = True
        try:
            scope.run([r.partition(":")[0].lstrip("^") for r in roots])
        finally:
            self.effects = self.loading = False
        for variable, value in scope.body.state.items():
            if value.data is not None and variable in self.assigned:
                variable.value = value
            elif variable in self.assigned:
                self.note("info", f"{what} of a variable is computed at run time", variable.name)
        self.assigned.clear()

    # ------------------------------------------------------------------------------------------ assets

    def asset_lines(self, path: str) -> list[str]:
        """The lines of a vocabulary among the model's assets."""
        if path not in self.assets:
            raise UnsafeModel(f"the model reads the file '{printable(path, 200)}', which is none of its assets; "
                              "nothing was opened")
        if self.folder is None:
            raise CorruptFile(f"the asset '{path}' is beside no file")
        name = f"assets/{self.assets[path]}"
        data = Mapped(self.folder / name, self.limits, fd=open_beneath(self.folder, name)).view
        self.limits.check("expanded_bytes", len(data))
        lines = bytes(data).decode("utf-8", "surrogateescape").split("\n")
        return lines[:-1] if lines and not lines[-1] else lines

    def columns(self, lines: list[str], a: Attributes, table: Table) -> tuple[Tensor, Tensor]:
        """Keys and values of a table from the lines of a file (lookup_util.cc): -1 is the number, -2 the line."""
        size, offset = a.number("vocab_size", -1), a.number("offset", 0)
        delimiter = a.value("delimiter") or "\t"
        lines = lines[offset:]
        lines = lines[:size] if size >= 0 else lines

        def column(index: int, dtype: Any) -> Tensor:
            if index == -1:
                return Tensor(np.arange(len(lines)).astype(dtype))
            try:
                texts = [t.rstrip("\r") if index == -2 else t.split(delimiter)[index] for t in lines]
                if dtype == STRING:
                    array = np.empty(len(texts), object)
                    array[:] = texts
                    return Tensor(array)
                return Tensor(np.array([float(t) if dtype.kind == "f" else int(t) for t in texts], dtype))
            except (ValueError, IndexError, OverflowError):
                raise CorruptFile("a vocabulary whose lines are not as its table wants them") from None
        return column(a.number("key_index"), table.key), column(a.number("value_index"), table.value)

    # ------------------------------------------------------------------------------------------- graphs

    def trace(self, inputs: Mapping[str, tuple[str, Type]], outputs: Sequence[Asked], explicit: bool,
              handles: Mapping[str, Result] | None = None) -> Graph:
        """The raw graph from inputs (name -> tensor and type) to outputs; ``handles`` are nodes that are tables.

        Variables that it assigns become inputs and outputs if ``explicit``, else each run starts from what they
        were saved with."""
        self.effects = self.check([t for _, t in outputs], frozenset(), "the model")
        self.names.control.wanted = self._reachable([t for _, t in outputs])
        for _ in range(2):
            self.assigned.clear()
            self.nodes = 0
            given = {name: Value(_as_pairs(type), name) for name, (_, type) in inputs.items()}
            body = Body()
            scope = Scope(self, self.names, body)
            scope.memo.update({k: [v] for k, v in (handles or {}).items()})
            for name, (tensor, _) in inputs.items():
                node, _, port = tensor.partition(":")
                k = int(port) if port.isdigit() else 0
                listed = scope.memo.setdefault(node, [])
                self.limits.check("tensors", k)
                listed += [None] * (k + 1 - len(listed))
                listed[k] = given[name] if given[name].dtype == inputs[name][1].dtype else self._complex(
                    scope, given[name], inputs[name][1])
            if self.effects:
                for _, tensor in outputs:
                    self._unconditional(tensor)
            made: dict[str, Value] = {}
            scope.run([t.partition(":")[0] for _, t in outputs])
            for name, tensor in outputs:
                self._unconditional(tensor)
                made[name] = self._output(scope, name, tensor)
            if not self.assigned or not explicit or self.explicit is not None:
                break
            self.explicit = {v: Value(Type(v.type.dtype, self._stated(v)), f"state:{v.name}") for v in self.assigned}
        if self.assigned:
            self._remember(explicit)
        meta: dict[str, str] = {}
        if explicit and self.explicit:
            given.update({f"state:{v.name}": value for v, value in self.explicit.items()})
            made.update({f"state:{v.name}:next": body.state[v] for v in self.explicit})
            meta["tensorflow:state"] = json.dumps([v.name for v in self.explicit])
        elif self.assigned:
            meta["tensorflow:reset"] = json.dumps([v.name for v in self.assigned])
        return Graph(given, made, meta=meta).noted(*self.notes)

    def _stated(self, v: Variable) -> Any:
        return v.value.shape if v.value is not None else v.type.shape

    def _remember(self, explicit: bool) -> None:
        names = ", ".join(v.name for v in list(self.assigned)[:3]) + (", ..." if len(self.assigned) > 3 else "")
        self.note("changed", f"{len(self.assigned)} variables ({names}) " + (
            "are inputs state:<name> and outputs state:<name>:next" if explicit else
            "start from their saved values in each run"))

    def _unconditional(self, tensor: str) -> None:
        name = tensor.partition(":")[0]
        if name in self.names.nodes and self.names.control.conditions(name):
            raise Unsupported("an output that only one branch computes",
                              Node(self.names.nodes[name].op, [], {}, [], name=name))

    def _output(self, scope: Scope, name: str, tensor: str) -> Value:
        result = scope.get(tensor)
        op = self.names.nodes[tensor.partition(":")[0]].op if tensor.partition(":")[0] in self.names.nodes else "?"
        place = Node(op, [], {}, [], name=tensor)
        if isinstance(result, Variable):
            result = scope.read(result)
        if not isinstance(result, Value) or result.dtype == OPAQUE or result.dtype.names:
            raise Unsupported(f"the output '{name}' is no tensor", place)
        if result.dtype.kind != "c":
            return result
        self._tell_pairs(name)
        real = _as_pairs(result.type).dtype
        parts = [scope.make(op, [result], {} if real == np.float32 else {"Tout": real}, [Type(real, result.shape)])[0]
                 for op in ("Real", "Imag")]
        return scope.make("Pack", parts, {"axis": -1}, [_as_pairs(result.type)], name)[0]

    def _complex(self, scope: Scope, pairs: Value, type: Type) -> Value:
        """The complex numbers that an input holds as pairs."""
        self._tell_pairs(pairs.name)
        real = Type(pairs.dtype, type.shape)
        last = scope.constant(-1, "i4")
        parts = [scope.make("GatherV2", [pairs, scope.constant(k, "i4"), last], {}, [real])[0] for k in (0, 1)]
        attrs = {} if type.dtype == np.complex64 else {"Tout": type.dtype}
        return scope.make("Complex", parts, attrs, [type], f"{pairs.name}/complex")[0]

    def _tell_pairs(self, name: str) -> None:
        self.note("changed", "complex numbers are pairs of real ones, the real part first, on one more axis behind "
                             "the others", name)

    def _reachable(self, roots: Sequence[str]) -> set[str]:
        todo = [r.partition(":")[0] for r in roots]
        done: set[str] = set()
        while todo:
            name = todo.pop()
            if name in done or name not in self.names.nodes:
                continue
            done.add(name)
            data, control = self.names.edges(name)
            todo += [i.partition(":")[0] for i in data] + (control if self.effects else [])
        return done


def _as_pairs(type: Type) -> Type:
    """The type of complex numbers as pairs of real ones, as ONNX has them; any other as it is."""
    if type.dtype.kind != "c":
        return type
    return Type(np.dtype(f"f{type.dtype.itemsize // 2}"), None if type.shape is None else (*type.shape, 2))
