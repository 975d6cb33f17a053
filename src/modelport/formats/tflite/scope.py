"""One graph of a .tflite file while it is being read: tensors by number, operators in order."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from ...codecs.flatbuffer import Table
from ...errors import CorruptFile, Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import STRING, Quant, Shape, Type
from .state import UPDATED, Variables, initial
from .tensors import DTYPES, OPAQUE, constant_of, densify, quant_of

if TYPE_CHECKING:
    from .container import File

_BODY = "_subgraph_index"
BODIES = {"then" + _BODY: "then_branch", "else" + _BODY: "else_branch"}
"""Attributes that name a graph by number, where the graph gets another name than the rest of it."""
Named = Sequence[tuple[str, int]]


class Scope:
    """Reads a graph; ``graph`` is the result, ``effects`` what operators without outputs do that was not resolved."""

    def __init__(self, file: File, sub: Table, variables: Variables, above: tuple[int, ...],
                 names: Mapping[str, Named]) -> None:
        self.file, self.variables, self.above = file, variables, above
        self.tensors: Sequence[Table] = sub["tensors"] or []
        operators: Sequence[Table] = sub["operators"] or []
        for kind, tables in (("tensors", self.tensors), ("operators", operators)):
            if len({t.at for t in tables}) != len(tables):
                raise self.corrupt(f"two {kind} of a graph are one table")
        self.labels = [t["name"] or "" for t in self.tensors]
        self.values: list[Value | None] = [None] * len(self.tensors)
        self.handles: dict[int, str] = {}
        self.effects: list[Value] = []
        ins, outs = self._indices(sub["inputs"]), self._indices(sub["outputs"])
        self.dynamic = any((s := self.tensors[k]["shape_signature"]) is not None and bool((s < 0).any()) for k in ins)
        inputs = self._named(ins, names["inputs"], "input")
        for name, k in inputs.items():
            self.values[k] = Value(self._type(k, name), self.labels[k] or name)
        self._counts = Counter(self.labels)
        self._start(set(inputs.values()))
        for number, operator in enumerate(operators):
            self._operator(operator, number)
        outputs = {name: self._value(k, "an output of the graph")
                   for name, k in self._named(outs, names["outputs"], "output").items()}
        outputs.update({f"effect:{k}": v for k, v in enumerate(self.effects)})
        given = {name: self._value(k, "an input") for name, k in inputs.items()}
        self.graph = Graph({**given, **variables.inputs()}, {**outputs, **variables.outputs()}, sub["name"] or "main")

    def corrupt(self, reason: str, at: int | None = None) -> CorruptFile:
        return self.file.corrupt(reason, at)

    def _indices(self, vector: Any, optional: bool = False) -> list[int]:
        indices: list[int] = [] if vector is None else vector.tolist()
        for k in indices:
            if not (-1 if optional else 0) <= k < len(self.tensors):
                raise self.corrupt(f"tensor {k} of {len(self.tensors)}")
        return indices

    def _named(self, indices: Sequence[int], signature: Named, kind: str) -> dict[str, int]:
        """The inputs or outputs by name: the signature's, else the tensor's, made unique."""
        self._indices(np.array([k for _, k in signature], np.int64))
        wanted: dict[int, list[str]] = {}
        for name, k in signature:
            wanted.setdefault(k, []).append(name)
        if kind == "input" and not wanted.keys() <= set(indices):
            raise self.corrupt("a signature names an input that is none of its graph")
        listed = [*dict.fromkeys(indices)] if kind == "input" or wanted else [*indices]
        if kind == "output":
            there = set(indices)
            listed += [k for k in wanted if k not in there]
        found: dict[str, int] = {}
        used: Counter[str] = Counter()
        for position, k in enumerate(listed):
            for name in wanted.get(k) or [self.labels[k]]:
                unique = base = name or f"{kind}_{position}"
                while unique in found:
                    used[base] += 1
                    unique = f"{base}_{used[base]}"
                found[unique] = k
        return found

    # ----------------------------------------------------------------------------------------------- tensors

    def _type(self, k: int, input_name: str = "", produced: bool = False) -> Type:
        """The type that the file states; of a computed tensor only what holds for every size of the inputs."""
        t = self.tensors[k]
        dtype = DTYPES.get(t["type"], OPAQUE)
        stored, signature = t["shape"], t["shape_signature"]
        dims: tuple[int, ...] = () if stored is None else tuple(stored.tolist())
        self.file.limits.check("rank", len(dims))
        if any(d < 0 for d in dims):
            raise self.corrupt(f"tensor '{self.labels[k]}' has shape {list(dims)}", t.at)
        quant = quant_of(t["quantization"], dtype, dims,
                         lambda why: self.corrupt(f"tensor '{self.labels[k]}': {why}", t.at))
        shape: Shape = dims
        if signature is not None and len(signature) == len(dims):
            shape = tuple(d if s >= 0 else None if not input_name else "batch" if axis == 0 else f"{input_name}_d{axis}"
                          for axis, (d, s) in enumerate(zip(dims, signature.tolist(), strict=True)))
        elif produced and self.dynamic:
            shape = (None,) * len(dims)
        if produced and not dims and not t["has_rank"]:
            shape = None  # a scalar and a tensor whose rank is not known look the same
        return Type(dtype, shape, quant)

    def _start(self, inputs: Set[int]) -> None:
        """Makes the constants and the variables, which need no operator."""
        for k, t in enumerate(self.tensors):
            if k in inputs:
                continue
            if t["external_buffer"]:
                raise UnsupportedModel([Unsupported("its elements lie in another file", Node(
                    "constant", [], {}, [], name=self.labels[k] or f"tensor {k}"))], "a raw graph", self.file.path)
            raw = self.file.bytes_of(t["buffer"])
            if len(raw) and not t["is_variable"]:
                self.values[k] = self._constant(k, self._type(k), raw)
            elif t["is_variable"]:
                type = self._type(k)
                if type.size is not None:
                    self.file.limits.check("elements", type.size)
                start = Value(type, self.labels[k], data=initial(type))
                self.variables.begin(self._variable(k), start)

    def _variable(self, k: int) -> str:
        return self.labels[k] if self.labels[k] and self._counts[self.labels[k]] == 1 else f"tensor_{k}"

    def _constant(self, k: int, type: Type, raw: memoryview) -> Value:
        def corrupt(why: str) -> CorruptFile:
            return self.corrupt(f"tensor '{self.labels[k]}': {why}", self.tensors[k].at)
        sparsity = self.tensors[k]["sparsity"]
        type = Type(type.dtype, tuple(self.tensors[k]["shape"].tolist()) if self.tensors[k]["shape"] is not None
                    else (), type.quant)
        if type.dtype == OPAQUE:
            raise corrupt(f"a constant of type {self.tensors[k]['type']}")
        data = constant_of(type, raw, corrupt, self.file.limits) if sparsity is None else \
            densify(sparsity, type, raw, corrupt, self.file.limits)
        return Value(type, self.labels[k], data=data)

    def _value(self, k: int, what: str) -> Value:
        """The present value of a tensor, which must have one."""
        value = self.values[k]
        if value is None and self.tensors[k]["is_variable"]:
            value = self.variables.get(self._variable(k), self._type(k))
        if value is None and k not in self.handles:
            type = self._type(k)
            if type.size == 0 and type.dtype not in (OPAQUE, STRING):
                value = Value(type, self.labels[k], data=Tensor(np.empty(type.shape or (), type.dtype), type))
                self.values[k] = value
        if value is None:
            raise self.corrupt(f"tensor '{self.labels[k] or k}' is {what} before anything computes it",
                               self.tensors[k].at)
        return value

    def _scratch(self, k: int) -> bool:
        """Whether a tensor has no content of its own: compilers for accelerators name work space as inputs."""
        return self.values[k] is None and k not in self.handles and not self.tensors[k]["is_variable"]

    # --------------------------------------------------------------------------------------------- operators

    def _operator(self, o: Table, number: int) -> None:
        index = o["opcode_index"]
        if index >= len(self.file.codes):
            raise self.corrupt(f"operator code {index} of {len(self.file.codes)}", o.at)
        op = self.file.codes[index]
        ins, outs = self._indices(o["inputs"], optional=True), self._indices(o["outputs"], optional=True)
        outs = [k for k in outs if k >= 0]
        attrs = self._attributes(o, op)
        if self._resolved(op, ins, outs, attrs):
            return
        inputs = [None if k < 0 or (op.startswith("custom.") and self._scratch(k)) or (
                  op == "HASHTABLE_FIND" and k in self.handles) else self._value(k, f"an input of {op}") for k in ins]
        types = [self._type(k, produced=True) for k in outs]
        names = [self.labels[k] for k in outs]
        updated = [ins[p] for p in UPDATED.get(op, ()) if p < len(ins) and ins[p] >= 0]
        types += [self._type(k) for k in updated]
        names += [f"{self._variable(k)}:next" for k in updated]
        if not types:
            types, names = [Type(OPAQUE, ())], [f"{op}:effect"]
        node = Node(op, inputs, attrs, types, names, origin=next((n for n in names if n), f"{op}:{number}"))
        for k, value in zip([*outs, *updated], node.outputs, strict=False):
            if k in updated:
                self.variables.set(self._variable(k), value)
                if self.variables.fixed:
                    self.effects.append(value)
            elif self.values[k] is not None or k in self.handles or self.tensors[k]["is_variable"]:
                raise self.corrupt(f"tensor '{self.labels[k] or k}' is computed twice", o.at)
            else:
                self.values[k] = value
        if not outs and not updated:
            self.effects.append(node.outputs[0])

    def _attributes(self, o: Table, op: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key in ("builtin_options", "builtin_options_2"):
            options = o[key]
            if options is not None:
                if options.name == "unknown":
                    out["options"] = f"unknown({o.number(key + '_type')})"
                out.update({k: _plain(v) for k, v in options.fields().items()})
        for key in [k for k in out if k.endswith(_BODY)]:
            if op != "CALL_ONCE":
                out[BODIES.get(key, key.removesuffix(_BODY))] = self.file.body(out.pop(key), self.above)
        if o["custom_options"] is not None:
            out["custom_options"] = o["custom_options"].tobytes()
        offset, size = o["large_custom_options_offset"], o["large_custom_options_size"]
        if offset > 1:
            if offset + size > len(self.file.data):
                raise self.corrupt(f"options of {size} bytes at {offset} leave the file", o.at)
            out["custom_options"] = bytes(self.file.data[offset:offset + size])
        if o["intermediates"] is not None and len(o["intermediates"]):
            quants: list[Quant | None] = [self._type(k).quant for k in self._indices(o["intermediates"])]
            out["intermediates"] = tuple(quants)
        return out

    def _resolved(self, op: str, ins: Sequence[int], outs: Sequence[int], attrs: dict[str, Any]) -> bool:
        """Whether the operator was about a variable of this graph, and is now a value that flows."""
        if op == "CALL_ONCE":
            variables = Variables(False)
            scope = self.file.scope(attrs.pop("init" + _BODY, -1), variables, self.above, {"inputs": [], "outputs": []})
            for name, value in variables.now.items():
                self.variables.begin(name, value)
            attrs["init"] = scope.graph
            return not scope.effects
        if self.variables.fixed:
            return False
        if op.startswith("HASHTABLE"):
            return self._table(op, ins, outs, attrs)
        if op == "VAR_HANDLE" and len(outs) == 1 and not ins:
            if outs[0] in self.handles or self.values[outs[0]] is not None:
                raise self.corrupt(f"tensor '{self.labels[outs[0]] or outs[0]}' is computed twice")
            self.handles[outs[0]] = f"{attrs.get('container') or ''}{attrs.get('shared_name') or ''}"
            return True
        if op == "READ_VARIABLE" and len(ins) == len(outs) == 1 and ins[0] in self.handles:
            type = self._type(outs[0], produced=True)
            if type.shape is None:
                type = self._type(outs[0])
            present = self.variables.get(self.handles[ins[0]], type)
            if present is None:
                raise self.corrupt(f"variable '{self.handles[ins[0]]}' is read before anything is assigned to it")
            if self.values[outs[0]] is not None:
                raise self.corrupt(f"tensor '{self.labels[outs[0]] or outs[0]}' is computed twice")
            self.values[outs[0]] = present
            return True
        if op == "ASSIGN_VARIABLE" and len(ins) == 2 and not outs and ins[0] in self.handles and ins[1] >= 0:
            self.variables.set(self.handles[ins[0]], self._value(ins[1], "assigned to a variable"))
            return True
        return False


    def _table(self, op: str, ins: Sequence[int], outs: Sequence[int], attrs: dict[str, Any]) -> bool:
        """A lookup table, which the graph of a CALL_ONCE fills: its keys and values become attributes of what reads it.

        Source: tensorflow/lite/kernels/hashtable_find.cc, hashtable_import.cc, hashtable_size.cc."""
        tables = self.file.tables
        if op == "HASHTABLE" and len(outs) == 1 and not ins:
            self.handles[outs[0]] = f"table {attrs.get('table_id', 0)}"
            return True
        name = self.handles.get(ins[0], "") if ins else ""
        if op == "HASHTABLE_IMPORT" and len(ins) == 3 and name:
            keys, values = (self._value(k, "an input of HASHTABLE_IMPORT").data for k in ins[1:])
            if keys is None or values is None or keys.type.shape != values.type.shape or keys.type.rank != 1:
                return False
            tables.setdefault(name, (keys, values))  # the kernel imports once
            return True
        if op == "HASHTABLE_SIZE" and len(outs) == 1 and name in tables:
            size = np.array([tables[name][0].type.size], np.int64)
            self.values[outs[0]] = Value(Type(size.dtype, (1,)), self.labels[outs[0]], data=Tensor(size))
            return True
        if op == "HASHTABLE_FIND" and len(ins) == 3 and name in tables:
            attrs["keys"], attrs["values"] = tables[name]
        return False


def _plain(value: Any) -> Any:
    """A field of an options table as an attribute: arrays and lists as tuples."""
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    return tuple(_plain(v) for v in value) if isinstance(value, list) else value
