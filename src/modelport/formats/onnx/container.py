"""Reading .onnx files: any opset and IR version, functions inlined, bodies closed, weights left on disk.

The file format is onnx.proto of the onnx package; the rules of names and scopes are those of docs/IR.md there."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto

from ...codecs.limits import DEFAULT, Limits
from ...codecs.protobuf import skeleton
from ...errors import CorruptFile, Unsupported, UnsupportedModel
from ...hub.infer import from_proto
from ...ir.graph import Graph, Node, Value
from ...ir.types import Type
from ...notes import Note
from . import meta as texts
from .schemas import since
from .tensors import INLINE, Tensors

UNKNOWN = Type(np.dtype(np.void))
"""The type of a value that the file says nothing about; the hub infers it."""


def read(path: Path, limits: Limits = DEFAULT) -> Graph:
    """The raw graph of an .onnx file; node names, types as stated, ``meta`` as :mod:`.meta` says.

    Raises :class:`CorruptFile`, :class:`UnsafeModel`, :class:`LimitExceeded`, or :class:`UnsupportedModel` for inputs
    that are no tensors."""
    path = Path(path)
    try:
        tensors = Tensors(path, limits)
        assert tensors.main is not None
        small = skeleton(tensors.main.view, tensors.scan(), INLINE, limits)
        model = onnx.ModelProto.FromString(bytes(small) if isinstance(small, memoryview) else small)
        del small
        return Reader(model, tensors, limits).model()
    except (DecodeError, UnicodeDecodeError) as e:
        raise CorruptFile(f"no ONNX model: {e}", path=path) from None
    except CorruptFile as e:
        raise e.at(path) from None
    except Unsupported as e:
        raise UnsupportedModel([e], "a graph of tensors", path.name) from None


class _Scope:
    """The names of one graph.  A name of an enclosing graph becomes a capture: an input of the closed body."""

    def __init__(self, parent: _Scope | None = None) -> None:
        self.names: dict[str, Value | None] = {"": None}
        self.parent = parent
        self.captures: dict[str, tuple[Value, Value]] = {}

    def define(self, name: str, value: Value | None) -> None:
        if name in self.names:
            raise CorruptFile(f"two values of one graph are named '{name}'")
        self.names[name] = value

    def find(self, name: str) -> Value | None:
        if name in self.names:
            return self.names[name]
        if name in self.captures:
            return self.captures[name][1]
        outer = None if self.parent is None else self.parent.find(name)
        if outer is None:
            raise CorruptFile(f"'{name}' is read, and nothing defines it")
        if outer.data is not None:
            return outer
        inner = Value(outer.type, name)
        self.captures[name] = (outer, inner)
        return inner


@dataclass(frozen=True)
class _Call:
    """The function call that nodes are read for: its attributes, what stands before their names, stated types."""

    attrs: Mapping[str, Any] | None = None
    prefix: str = ""
    types: Mapping[str, Type] = field(default_factory=dict)


def _utf8(texts: Sequence[str]) -> None:
    """Refuses text that is not UTF-8: the protobuf library hands it out as bytes."""
    try:
        "".join(texts)
    except TypeError:
        raise CorruptFile("text that is not UTF-8") from None


def _entries(props: Iterable[onnx.StringStringEntryProto]) -> Iterator[str]:
    return (t for p in props for t in (p.key, p.value))


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


class Reader:
    """Reads one model message; nodes are counted and notes collected on the way."""

    def __init__(self, model: onnx.ModelProto, tensors: Tensors, limits: Limits) -> None:
        self.proto, self.tensors, self.limits = model, tensors, limits
        self.count = 0
        _utf8([model.producer_name, model.producer_version, model.domain, model.doc_string,
               *_entries(model.metadata_props), *(i.domain for i in model.opset_import)])
        self.notes: dict[Note, None] = {}
        self.meta = texts.read(model)
        self.imports = self._imports(model.opset_import)
        if not self.imports and model.ir_version < 3:
            self.imports[""] = 1
        self.functions: dict[tuple[str, str, str], onnx.FunctionProto] = {}
        for f in model.functions:
            _utf8([f.name, f.domain, f.overload, *f.input, *f.output, *(i.domain for i in f.opset_import),
                   *(a.name for a in f.attribute_proto)])
            key = (_domain(f.domain), f.name, f.overload)
            if key in self.functions:
                raise CorruptFile(f"two functions are named '{f.domain}.{f.name}'")
            self.functions[key] = f

    def _imports(self, entries: Iterable[onnx.OperatorSetIdProto]) -> dict[str, int]:
        found: dict[str, int] = {}
        for e in entries:
            if e.version < 1 or found.setdefault(_domain(e.domain), e.version) != e.version:
                raise CorruptFile(f"operator set '{e.domain or 'ai.onnx'}' is imported in version {e.version}"
                                  + (f" and {found[_domain(e.domain)]}" if e.version > 0 else ""))
        return found

    def model(self) -> Graph:
        """The raw graph of the whole message."""
        g = self.proto.graph
        if not g.output:
            raise CorruptFile("no ONNX model: it has no output" if g.node or g.input else "no ONNX model: it is empty")
        if self.proto.training_info:
            self._note("dropped", "training_info: only inference is converted")
        sizes: dict[tuple[str, str, str], int] = {}
        self.limits.check("nodes", self._size(g.node, sizes, ()))
        scope = _Scope()
        inputs, outputs = self._graph(g, scope, _Call(), 1)
        meta = texts.with_imports(self.meta, self.imports)
        return Graph(inputs, outputs, g.name or "main", meta, tuple(self.notes))

    def _size(self, nodes: Sequence[onnx.NodeProto], sizes: dict[tuple[str, str, str], int],
              active: tuple[tuple[str, str, str], ...]) -> int:
        """How many nodes these are with functions in place of their calls; ``sizes`` are those found so far."""
        self.limits.check("depth", len(active))
        total = 0
        for n in within(nodes):
            key = (_domain(n.domain), n.op_type, n.overload)
            f = self.functions.get(key)
            if f is None:
                total += 1
                continue
            if key in active:
                raise CorruptFile(f"the function '{f.name}' calls itself")
            if key not in sizes:
                sizes[key] = self.limits.check("nodes", self._size(f.node, sizes, (*active, key)))
            total += sizes[key]
        return total

    def _note(self, kind: str, message: str, where: str = "") -> None:
        self.notes[Note(kind, message, where)] = None

    def _type(self, info: onnx.ValueInfoProto) -> Type:
        """The type of a graph input; anything but a tensor is ``Unsupported``, located at the input."""
        try:
            if not info.type.tensor_type.elem_type and info.type.WhichOneof("value") in (None, "tensor_type"):
                return UNKNOWN
            return from_proto(info.type)
        except Unsupported as e:
            e.node = Node("input", (), {}, (), name=info.name)
            raise

    def _hint(self, info: onnx.ValueInfoProto) -> Type:
        try:
            return self._type(info)
        except Unsupported:  # a sequence or the like: the operator that makes it will be named
            return UNKNOWN

    def _graph(self, g: onnx.GraphProto, scope: _Scope, call: _Call, depth: int,
               ) -> tuple[dict[str, Value], dict[str, Value]]:
        """Reads a graph into ``scope``; its inputs and outputs."""
        self.limits.check("depth", depth)
        self.limits.check("tensors", len(g.initializer) + len(g.sparse_initializer))
        if g.quantization_annotation:
            self._note("dropped", "quantization_annotation: quantization is said by QuantizeLinear and "
                                  "DequantizeLinear only", g.name)
        _utf8([g.name, g.doc_string, *(t.name for t in g.initializer), *(s.values.name for s in g.sparse_initializer),
               *_entries(g.metadata_props)])
        for infos in (g.input, g.output, g.value_info):
            for i in infos:
                _utf8([i.name, i.doc_string, i.type.denotation,
                       *(t for d in i.type.tensor_type.shape.dim for t in (d.dim_param, d.denotation))])
        for t in g.initializer:
            tensor = self.tensors.tensor(t, f"tensor '{t.name}'")
            scope.define(t.name, Value(tensor.type, t.name, data=tensor))
        for s in g.sparse_initializer:
            tensor = self.tensors.sparse(s, f"tensor '{s.values.name}'")
            scope.define(s.values.name, Value(tensor.type, s.values.name, data=tensor))
        inputs: dict[str, Value] = {}
        for i in g.input:
            known = scope.names.get(i.name)
            if i.name in inputs or not i.name:
                raise CorruptFile(f"two inputs are named '{i.name}'" if i.name else "an input has no name")
            if known is not None:  # IR versions below 4 list every initializer among the inputs
                if self.proto.ir_version >= 4:
                    self._note("changed", "an input with a default value became a constant", i.name)
                continue
            inputs[i.name] = Value(self._type(i), i.name)
            scope.define(i.name, inputs[i.name])
        types = {v.name: self._hint(v) for v in (*g.value_info, *g.output)}
        self._nodes(g.node, scope, _Call(call.attrs, call.prefix, types), depth)
        outputs: dict[str, Value] = {}
        for o in g.output:
            value = scope.find(o.name)
            if value is None:
                raise CorruptFile(f"output '{o.name}' is nothing")
            name = o.name
            if name in outputs and depth == 1:
                self._note("dropped", "an output that is listed twice is one output", name)
                continue
            while name in outputs:  # the outputs of a body go by position
                name += "'"
            outputs[name] = value
        return inputs, outputs

    def _nodes(self, nodes: Sequence[onnx.NodeProto], scope: _Scope, call: _Call, depth: int) -> None:
        for n in nodes:
            _utf8([n.name, n.op_type, n.domain, n.overload, n.doc_string, *n.input, *n.output,
                   *(t for a in n.attribute for t in (a.name, a.ref_attr_name)), *_entries(n.metadata_props)])
        for n in in_order(nodes):
            self.count += 1
            try:
                self._node(n, scope, call, depth)
            except CorruptFile as e:
                if e.path is None and not e.reason.startswith("node "):
                    e.reason = f"node '{n.name or ', '.join(n.output)}' ({n.op_type}): {e.reason}"
                raise
        self.limits.check("nodes", self.count)

    def _node(self, n: onnx.NodeProto, scope: _Scope, call: _Call, depth: int) -> None:
        domain = _domain(n.domain)
        key = (domain, n.op_type, n.overload)
        inputs = [scope.find(i) for i in n.input]
        attrs, bodies = self._attributes(n, call)
        name = call.prefix + n.name if n.name else ""
        if key in self.functions:
            self._inline(n, key, inputs, attrs, scope, call, depth)
            return
        texts.read_node(n, self.meta)
        if bodies:
            captured = self._bodies(bodies, attrs, scope, call, depth)
            if captured:
                inputs += [None] * (2 - len(inputs) if n.op_type == "Loop" else 0)
                inputs += captured
                attrs["captures"] = len(captured)
        outs = list(n.output)
        op = f"{domain}.{n.op_type}" if domain else n.op_type
        made = Node(op, inputs, attrs, [call.types.get(o, UNKNOWN) if o else UNKNOWN for o in outs],
                    [call.prefix + o if o else "" for o in outs], name)
        for o, value in zip(outs, made.outputs, strict=True):
            if o:
                scope.define(o, value)

    def _bodies(self, bodies: Mapping[str, Any], attrs: dict[str, Any], scope: _Scope, call: _Call,
                depth: int) -> list[Value]:
        """Puts the closed graphs into ``attrs``; what they capture of ``scope``."""
        read: list[tuple[str, int | None, onnx.GraphProto, _Scope, dict[str, Value], dict[str, Value]]] = []
        for attr, protos in bodies.items():
            for k, proto in enumerate(protos if isinstance(protos, tuple) else (protos,)):
                inner = _Scope(scope)
                ins, outs = self._graph(proto, inner, call, depth + 1)
                read.append((attr, k if isinstance(protos, tuple) else None, proto, inner, ins, outs))
        captured = {name: outer for _, _, _, inner, _, _ in read for name, (outer, _) in inner.captures.items()}
        for attr, index, proto, inner, ins, outs in read:
            for name, outer in captured.items():
                value = inner.captures[name][1] if name in inner.captures else Value(outer.type, name)
                while name in ins:
                    name += "'"
                ins[name] = value
            graph = Graph(ins, outs, proto.name or attr)
            attrs[attr] = graph if index is None else (*attrs.get(attr, ()), graph)
        return list(captured.values())

    def _inline(self, n: onnx.NodeProto, key: tuple[str, str, str], inputs: list[Value | None],
                given: Mapping[str, Any], scope: _Scope, call: _Call, depth: int) -> None:
        """The nodes of a model-local function in place of a call of it."""
        f = self.functions[key]
        if len(inputs) > len(f.input) or len(n.output) > len(f.output):
            raise CorruptFile(f"the function '{f.name}' has {len(f.input)} inputs and {len(f.output)} outputs")
        self._compatible(f)
        attrs = {a.name: a for a in f.attribute_proto}
        bound = {k: self._attribute(a, _Call()) for k, a in attrs.items()} | dict(given)
        inner = _Scope()
        for name, value in zip(f.input, [*inputs, *[None] * (len(f.input) - len(inputs))], strict=True):
            inner.define(name, value)
        prefix = f"{call.prefix}{n.name or n.op_type}/"
        self._nodes(f.node, inner, _Call(bound, prefix), depth + 1)
        for formal, actual in zip(f.output, n.output, strict=False):
            if actual:
                value = inner.find(formal)
                if value is None:
                    raise CorruptFile(f"output '{formal}' of the function '{f.name}' is an absent input")
                scope.define(actual, value)

    def _compatible(self, f: onnx.FunctionProto) -> None:
        """A function may import other versions than the model where its operators are the same in both (docs/IR.md)."""
        for domain, version in self._imports(f.opset_import).items():
            ours = self.imports.setdefault(domain, version)
            if ours == version:
                continue
            for n in f.node:
                if _domain(n.domain) == domain and (domain, n.op_type, "") not in self.functions and \
                        since(domain, n.op_type, ours) != since(domain, n.op_type, version):
                    raise CorruptFile(f"the function '{f.name}' uses {n.op_type} of version {version} of "
                                      f"'{domain or 'ai.onnx'}', the model imports {ours}")

    def _attributes(self, n: onnx.NodeProto, call: _Call) -> tuple[dict[str, Any], dict[str, Any]]:
        """The attributes of a node, and apart from them those that are graphs."""
        attrs: dict[str, Any] = {}
        bodies: dict[str, Any] = {}
        for a in n.attribute:
            if a.name in attrs or a.name in bodies:
                raise CorruptFile(f"attribute '{a.name}' is there twice")
            value = self._attribute(a, call)
            if isinstance(value, onnx.GraphProto) or (isinstance(value, tuple) and value \
                    and isinstance(value[0], onnx.GraphProto)):
                bodies[a.name] = value
            elif value is not None:
                attrs[a.name] = value
        return attrs, bodies

    def _attribute(self, a: AttributeProto, call: _Call) -> Any:
        """The value of an attribute; ``None`` for a reference to one that the call does not give."""
        if a.ref_attr_name:
            if call.attrs is None:
                raise CorruptFile(f"attribute '{a.name}' refers to one of a function, outside of any")
            return call.attrs.get(a.ref_attr_name)
        kind: int = a.type
        if not kind:  # IR version 1 did not state it
            kind = next((int(t) for f, t in _GUESS.items() if (a.HasField(f) if f in "fist" or f == "g" else
                                                         len(getattr(a, f)))), 0)
        what = f"attribute '{a.name}'"
        if kind == AttributeProto.INT:
            return a.i
        if kind == AttributeProto.FLOAT:
            return a.f
        if kind == AttributeProto.STRING:
            return a.s.decode("utf-8", "surrogateescape")
        if kind == AttributeProto.INTS:
            return tuple(a.ints)
        if kind == AttributeProto.FLOATS:
            return tuple(a.floats)
        if kind == AttributeProto.STRINGS:
            return tuple(s.decode("utf-8", "surrogateescape") for s in a.strings)
        if kind == AttributeProto.TENSOR:
            return self.tensors.tensor(a.t, what)
        if kind == AttributeProto.TENSORS:
            return tuple(self.tensors.tensor(t, what) for t in a.tensors)
        if kind == AttributeProto.SPARSE_TENSOR:
            return self.tensors.sparse(a.sparse_tensor, what)
        if kind == AttributeProto.GRAPH:
            return a.g
        if kind == AttributeProto.GRAPHS:
            return tuple(a.graphs)
        if kind == AttributeProto.TYPE_PROTO:
            return a.tp
        raise CorruptFile(f"{what} is of no known kind")


_GUESS = {"f": AttributeProto.FLOAT, "i": AttributeProto.INT, "s": AttributeProto.STRING, "t": AttributeProto.TENSOR,
          "g": AttributeProto.GRAPH, "floats": AttributeProto.FLOATS, "ints": AttributeProto.INTS,
          "strings": AttributeProto.STRINGS, "tensors": AttributeProto.TENSORS, "graphs": AttributeProto.GRAPHS}


def in_order(nodes: Sequence[onnx.NodeProto]) -> Sequence[onnx.NodeProto]:
    """The nodes with producers before users: as they are if the file has them so, as ONNX demands, else sorted."""
    producer = {o: k for k, n in enumerate(nodes) for o in n.output if o}
    if all(producer.get(i, -1) < k for k, n in enumerate(nodes) for i in n.input):
        return nodes
    needs = [{producer[name] for name in _reads(n) if name in producer} for n in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for k, some in enumerate(needs):
        for p in some:
            users[p].append(k)
    waiting = [len(some) for some in needs]
    ready = [k for k in reversed(range(len(nodes))) if not waiting[k]]
    order: list[int] = []
    while ready:
        k = ready.pop()
        order.append(k)
        for user in reversed(users[k]):
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    if len(order) < len(nodes):
        stuck = next(n for k, n in enumerate(nodes) if waiting[k])
        raise CorruptFile(f"node '{stuck.name or ', '.join(stuck.output)}' ({stuck.op_type}) is part of a cycle")
    return [nodes[k] for k in order]


def _reads(n: onnx.NodeProto) -> Iterable[str]:
    """Every name that a node or its bodies read, those that the bodies define included."""
    for node in within([n]):
        yield from node.input
        for g in _bodies(node):
            yield from (o.name for o in g.output)


def within(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes and those of their bodies."""
    todo = list(nodes)
    while todo:
        node = todo.pop()
        yield node
        for g in _bodies(node):
            todo.extend(g.node)


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for a in node.attribute:
        if a.HasField("g"):
            yield a.g
        yield from a.graphs
