"""Raw graphs as nodes and functions of a GraphDef; the elements of large constants stay where they are.

Source: tensorflow/core/framework: graph.proto, node_def.proto, function.proto, attr_value.proto."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ...codecs.protobuf import header
from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import BITS, STRING, DType, Shape, Type
from .attributes import OPAQUE
from .ops import NUMBER, REQUIRED, VARIANT, Attribute, Definition, definition
from .tensors import message

STREAMED = 1 << 14
"""Bytes of a constant from which its elements are copied to the file piece by piece."""
LIMIT = (1 << 31) - 1
"""The longest message that parsers of protocol buffers take."""
PRODUCER = 1205
"""The version of GraphDefs of TensorFlow 2.10, which every later release and most earlier ones read."""


# ------------------------------------------------------------------------------------------------------- streams

class Parts(list["bytes | Tensor"]):
    """Pieces of a message: bytes, and tensors whose elements are copied when it is written."""

    @property
    def size(self) -> int:
        return sum(len(p) if isinstance(p, bytes) else p.nbytes for p in self)

    def write(self, file: BinaryIO) -> None:
        for p in self:
            if isinstance(p, bytes):
                file.write(p)
            else:
                p.copy_to(file)

    def field(self, number: int, inner: Parts | bytes) -> None:
        """Adds a field whose payload is a message (or bytes)."""
        inner = Parts([inner]) if isinstance(inner, bytes) else inner
        self.append(header(number, inner.size))
        self.extend(inner)


def serialized(proto: Any) -> bytes:
    """The bytes of a message, the same each time."""
    made: bytes = proto.SerializeToString(deterministic=True)
    return made


# --------------------------------------------------------------------------------------------------------- names

_FIRST, _OTHER = re.compile(r"[^A-Za-z0-9.]"), re.compile(r"[^A-Za-z0-9_./-]")


def legal(name: str) -> str:
    """A name as TensorFlow takes it for a node.  Source: tensorflow/core/graph/tensor_id.cc, validate.cc."""
    name = _OTHER.sub("_", name).rstrip("/")
    return name if name and not _FIRST.match(name) else f"x{name}"


class Names:
    """Names of nodes, each once."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        base = name = legal(wanted)
        while name in self.taken:
            self._counts[base] = self._counts.get(base, 0) + 1
            name = f"{base}_{self._counts[base]}"
        self.taken.add(name)
        return name


def ends(graph: Graph, names: Names) -> tuple[dict[str, str], dict[str, str]]:
    """The nodes of the inputs and of the outputs of a main graph."""
    return {k: names.new(k) for k in graph.inputs}, {k: names.new(k) for k in graph.outputs}


# ------------------------------------------------------------------------------------------------------- messages

@dataclass
class Item:
    """A node: its message, and the constant whose elements are not in it."""

    node: Any
    data: Tensor | None = None

    def parts(self) -> Parts:
        made = Parts([serialized(self.node)])
        if self.data is not None:
            inner = Parts([serialized(tensor_head(self.data.type))])
            inner.field(4, Parts([self.data]))
            value = Parts()
            value.field(8, inner)
            entry = Parts([header(1, 5) + b"value"])
            entry.field(2, value)
            made.field(5, entry)
        return made


@dataclass
class Library:
    """Functions by name, each with its nodes."""

    functions: dict[str, tuple[Any, list[Item]]] = field(default_factory=dict)

    def parts(self) -> Parts:
        made = Parts()
        for head, items in self.functions.values():
            inner = Parts([serialized(head)])
            for item in items:
                inner.field(3, item.parts())
            made.field(1, inner)
        return made


def graph_def(items: Iterable[Item], library: Library) -> Parts:
    """The bytes of a GraphDef."""
    made = Parts()
    for item in items:
        made.field(1, item.parts())
    if library.functions:
        made.field(2, library.parts())
    versions = message("VersionDef")(producer=PRODUCER)
    made.field(4, serialized(versions))
    if made.size > LIMIT:
        raise UnsupportedModel([Unsupported("more than 2 GiB in one message", Node("GraphDef", [], {}, []))],
                               "TensorFlow", hint="write a SavedModel, whose variables have files of their own")
    return made


def number_of(dtype: DType) -> int:
    if dtype == OPAQUE:  # all that is written of these are lists of tensors
        return VARIANT
    if dtype not in NUMBER or dtype in BITS:
        raise Unsupported(f"TensorFlow has no constants of {dtype}")
    return NUMBER[dtype]


def put_shape(proto: Any, shape: Shape) -> None:
    """Says a shape in a TensorShapeProto; symbols are unknown."""
    proto.SetInParent()
    if shape is None:
        proto.unknown_rank = True
    for d in shape or ():
        proto.dim.add(size=d if isinstance(d, int) else -1)


def tensor_head(type: Type) -> Any:
    proto = message("TensorProto")(dtype=number_of(type.dtype))
    put_shape(proto.tensor_shape, type.shape)
    return proto


def tensor_proto(data: Tensor) -> Any:
    """The message of a small constant."""
    proto = tensor_head(data.type)
    array = data.numpy()
    if data.type.dtype == STRING:
        proto.string_val.extend(str(s).encode("utf-8", "surrogateescape") for s in array.ravel())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


# ------------------------------------------------------------------------------------------------------- encoding

@dataclass
class Encoder:
    """Graphs as nodes.  ``full`` states every attribute, as TensorFlow.js wants; else defaults are left out, so that
    releases which do not know a younger attribute read the graph."""

    full: bool = False
    streamed: int = STREAMED
    library: Library = field(default_factory=Library)
    constants: dict[str, Tensor] = field(default_factory=dict)
    _functions: Names = field(default_factory=Names)
    _known: dict[int, tuple[str, Graph]] = field(default_factory=dict)

    def graph(self, graph: Graph, refs: Mapping[Value, str] | None = None) -> tuple[list[Item], dict[str, str],
                                                                                    dict[str, str]]:
        """The nodes of a main graph, and the nodes of its inputs and outputs by name.

        ``refs`` are constants that come from elsewhere: the tensors that hold them."""
        names = Names()
        ins, outs = ends(graph, names)
        items: list[Item] = []
        known = dict(refs or {})
        for k, v in graph.inputs.items():
            node = message("NodeDef")(name=ins[k], op="Placeholder")
            node.attr["dtype"].type = number_of(v.dtype)
            put_shape(node.attr["shape"].shape, v.shape)
            items.append(Item(node))
            known[v] = ins[k]
        self._nodes(graph, names, known, items, "", lambda name, arg, k, flat: name if not flat else f"{name}:{flat}")
        for k, v in graph.outputs.items():
            items.append(self._identity(outs[k], v, self._ref(v, names, known, items, "")))
        return items, ins, outs

    def function(self, graph: Graph, wanted: str, extra: Sequence[Type | None] = (),
                 given: Callable[[Names, list[str], list[Item]], Mapping[Value, str]] | None = None) -> str:
        """Adds a function; ``extra`` are handles that come in behind the inputs (``None``: of a resource), ``given``
        makes tensors of them."""
        name = self._functions.new(wanted.replace("/", "_").replace(".", "_"))
        names = Names()
        head = message("FunctionDef")()
        head.signature.name = name
        known: dict[Value, str] = {}
        args = []
        for k, v in enumerate(graph.inputs.values()):
            args.append(names.new(f"arg_{k}"))
            head.signature.input_arg.add(name=args[-1], type=number_of(v.dtype))
            known[v] = args[-1]
        handles = []
        for k in range(len(extra)):
            handles.append(names.new(f"handle_{k}"))
            head.signature.input_arg.add(name=handles[-1], type=20)
        items: list[Item] = []
        if given is not None:
            known.update(given(names, handles, items))
        prefix = f"{name}/" if self.full else ""
        self._nodes(graph, names, known, items, prefix, lambda n, arg, k, flat: f"{n}:{arg}:{k}")
        for k, v in enumerate(graph.outputs.values()):
            head.signature.output_arg.add(name=f"out_{k}", type=number_of(v.dtype))
            item = self._identity(names.new(f"{prefix}out_{k}"), v, self._ref(v, names, known, items, prefix, True))
            items.append(item)
            head.ret[f"out_{k}"] = f"{item.node.name}:output:0"
        self.library.functions[name] = (head, items)
        return name

    def _identity(self, name: str, v: Value, ref: str) -> Item:
        node = message("NodeDef")(name=name, op="Identity", input=[ref])
        node.attr["T"].type = number_of(v.dtype)
        return Item(node)

    def _nodes(self, graph: Graph, names: Names, known: dict[Value, str], items: list[Item], prefix: str,
               refer: Callable[[str, str, int, int], str]) -> None:
        inside = bool(prefix) or refer("n", "o", 0, 0) != "n"
        for node in graph.nodes:
            d = definition(node.op)
            if d is None:
                raise UnsupportedModel([Unsupported("TensorFlow has no such operator", node)], "TensorFlow")
            hint = next((o.name for o in node.outputs if o.name), "") or node.op
            refs = [self._ref(v, names, known, items, prefix, inside) for v in node.inputs if v is not None]
            proto = message("NodeDef")(name=names.new(prefix + hint), op=node.op, input=refs)
            try:
                self._attributes(proto, node, d)
            except Unsupported as e:
                e.node = e.node or node
                raise UnsupportedModel([e], "TensorFlow") from None
            items.append(Item(proto))
            flat = 0
            for argument in d.outputs:
                many = 1 if not argument.several else len(node.outputs) - len(d.outputs) + 1
                for k in range(many):
                    if flat < len(node.outputs):
                        known[node.outputs[flat]] = refer(proto.name, argument.name, k, flat)
                    flat += 1

    def _ref(self, v: Value, names: Names, known: dict[Value, str], items: list[Item], prefix: str,
             inside: bool = False) -> str:
        """The tensor of a value; a constant becomes a node when it is first read."""
        if v not in known:
            if v.data is None:
                raise UnsupportedModel([Unsupported("a value from outside of its graph", v.node)], "TensorFlow")
            node = message("NodeDef")(name=names.new(prefix + (v.name or "Const")), op="Const")
            try:
                node.attr["dtype"].type = number_of(v.dtype)
            except Unsupported as e:
                raise UnsupportedModel([Unsupported(e.reason, Node("Const", [], {}, [], name=v.name))],
                                       "TensorFlow") from None
            self.constants[node.name] = v.data
            if v.dtype != STRING and v.data.nbytes >= self.streamed:
                items.append(Item(node, v.data))
            else:
                node.attr["value"].tensor.CopyFrom(tensor_proto(v.data))
                items.append(Item(node))
            known[v] = f"{node.name}:output:0" if inside else node.name
        return known[v]

    def _attributes(self, proto: Any, node: Node, d: Definition) -> None:
        """Every attribute that is not its default, or every one that there is."""
        said = dict(node.attrs)
        ins = [v for v in node.inputs if v is not None]
        _derived(said, d.inputs, [v.dtype for v in ins], d)
        _derived(said, d.outputs, [o.dtype for o in node.outputs], d)
        if "output_shapes" in d.attributes and node.bodies:
            said["output_shapes"] = [o.shape for o in node.outputs]
        for name, a in d.attributes.items():
            if name not in said and a.default is REQUIRED:
                raise Unsupported(f"attribute {name} is missing")
            value = said.pop(name, a.default)
            if value is a.default and not self.full:
                continue
            if not self.full and name not in ("T", "dtype") and _plain(value) == _plain(a.default):
                continue
            self._put(proto.attr[name], a, value)
        if said:
            raise Unsupported(f"attributes {sorted(said)}, which the operator does not have")

    def _put(self, proto: Any, a: Attribute, value: Any) -> None:
        kind = a.kind.removeprefix("[")
        if not a.kind.startswith("["):
            self._one(proto, kind, value)
            return
        proto.list.SetInParent()
        for v in value:
            if kind == "t":
                proto.list.type.append(_number(v))
            elif kind == "i":
                proto.list.i.append(int(v))
            elif kind == "f":
                proto.list.f.append(float(v))
            elif kind == "b":
                proto.list.b.append(bool(v))
            elif kind == "s":
                proto.list.s.append(_text(v))
            elif kind == "S":
                put_shape(proto.list.shape.add(), _dims(v))
            else:
                raise Unsupported(f"attribute {a.name} of a kind that is not written")

    def _one(self, proto: Any, kind: str, value: Any) -> None:
        if kind == "t":
            proto.type = _number(value)
        elif kind == "i":
            proto.i = int(value)
        elif kind == "f":
            proto.f = float(value)
        elif kind == "b":
            proto.b = bool(value)
        elif kind == "s":
            proto.s = _text(value)
        elif kind == "S":
            put_shape(proto.shape, _dims(value))
        elif kind == "T":
            proto.tensor.CopyFrom(tensor_proto(value if isinstance(value, Tensor) else Tensor(np.asarray(value))))
        elif isinstance(value, Graph):
            proto.func.name = self._body(value)
        else:
            raise Unsupported("an attribute that is a function by name")

    def _body(self, graph: Graph) -> str:
        """The function of a body, the same for the same graph."""
        if id(graph) not in self._known:
            self._known[id(graph)] = (self.function(graph, graph.name or "body"), graph)
        return self._known[id(graph)][0]


def _derived(said: dict[str, Any], arguments: Sequence[Any], dtypes: Sequence[DType], d: Definition) -> None:
    """States the attributes that the types and numbers of tensors tell."""
    left = list(dtypes)
    for at, a in enumerate(arguments):
        behind = len(arguments) - at - 1
        many = len(left) - behind if a.several else 1
        mine, left = left[:many], left[many:]
        if a.several == "*":
            said.setdefault(str(a.type), mine)
            continue
        if a.several and a.several in d.attributes:
            said.setdefault(a.several, many)
        if isinstance(a.type, str) and mine:
            said.setdefault(a.type, mine[0])


def _number(value: Any) -> int:
    return value if isinstance(value, int) else number_of(np.dtype(value))


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _dims(value: Any) -> Shape:
    if isinstance(value, Mapping):
        return None if value.get("unknownRank") else tuple(int(d["size"]) for d in value.get("dim", ()))
    return None if value is None else tuple(value)


def _plain(value: Any) -> Any:
    """A value as it is compared with a default."""
    if isinstance(value, np.dtype):
        return NUMBER.get(value)
    return tuple(_plain(v) for v in value) if isinstance(value, (list, tuple)) else value
