"""Writing .onnx files in one pass: the head, then each constant's bytes, copied by the kernel if unchanged."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import onnx
from onnx import AttributeProto

from ...codecs.protobuf import header
from ...errors import Unsupported, UnsupportedModel
from ...hub.infer import tensor_proto, to_proto
from ...hub.opset import OPSET, split
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import NUMBER, STRING, Type
from . import maps, meta

LARGEST = (1 << 31) - 1
"""Bytes of a message that every protobuf library reads."""
_OUTSIDE = 1024  # bytes from which a constant is worth a place in the other file
_PAGE = 1 << 20  # bytes from which a constant starts at a page, so that it can be mapped


def write(raw: Graph, path: Path, *, external_data: bool | Literal["auto"] = "auto") -> None:
    """Writes a raw ONNX graph to ``path``.

    Constants of at least 1 KiB go to ``<name>.data`` beside it if ``external_data`` is true, or if it is ``"auto"``
    and the file would exceed 2 GiB.  The imports and the version of the format are those of ``raw.meta``."""
    path = Path(path)
    try:
        model, body, constants = _Writer(raw).done()
    except Unsupported as e:
        raise UnsupportedModel([e], "ONNX") from None
    inline: list[tuple[bytes, Tensor | None]] = [
        (_head(name, t), None if t.type.dtype == STRING else t) for name, t in constants]
    total = body.ByteSize() + sum(len(h) + _bytes(t) for h, t in inline)
    if external_data is True or (external_data == "auto" and total + model.ByteSize() > LARGEST - (1 << 20)):
        outside = [k for k, (_, t) in enumerate(constants) if t.type.dtype != STRING and t.nbytes >= _OUTSIDE]
        if outside:
            places = _beside(path.parent / f"{path.name}.data", [constants[k][1] for k in outside])
            for k, (offset, length) in zip(outside, places, strict=True):
                name, t = constants[k]
                inline[k] = _reference(name, t.type, f"{path.name}.data", offset, length), None
            total = body.ByteSize() + sum(len(h) + _bytes(t) for h, t in inline)
    if total + model.ByteSize() > LARGEST:
        raise UnsupportedModel([Unsupported("the model needs more than 2 GiB beside its constants")], "ONNX")
    with open(path, "wb", buffering=1 << 20) as f:
        f.write(model.SerializeToString(deterministic=True))
        f.write(header(7, total))
        f.write(body.SerializeToString(deterministic=True))
        for head, tensor in inline:
            f.write(head)
            if tensor is not None:
                tensor.copy_to(f)


def sizes(type: Type) -> tuple[int, ...]:
    """The dimensions of a static type."""
    return tuple(d for d in type.shape or () if isinstance(d, int))


def _bytes(t: Tensor | None) -> int:
    return 0 if t is None else t.nbytes


def _head(name: str, t: Tensor) -> bytes:
    """An initializer up to its bytes; the whole of it if it is text."""
    if t.type.dtype == STRING:
        whole = tensor_proto(t, name).SerializeToString()
        return header(5, len(whole)) + whole
    proto = onnx.TensorProto(name=name, data_type=NUMBER[t.type.dtype], dims=sizes(t.type)).SerializeToString()
    raw = header(9, t.nbytes)
    return header(5, len(proto) + len(raw) + t.nbytes) + proto + raw


def _reference(name: str, type: Type, location: str, offset: int, length: int) -> bytes:
    proto = onnx.TensorProto(name=name, data_type=NUMBER[type.dtype], dims=sizes(type),
                             data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        proto.external_data.add(key=key, value=value)
    whole = proto.SerializeToString()
    return header(5, len(whole)) + whole


def _beside(path: Path, tensors: Iterable[Tensor]) -> list[tuple[int, int]]:
    """Writes the file that holds the constants; offset and length of each."""
    places = []
    at = 0
    with open(path, "wb", buffering=1 << 20) as f:
        for t in tensors:
            n = t.nbytes
            gap = -at % (4096 if n >= _PAGE else 64)
            f.write(bytes(gap))
            places.append((at + gap, n))
            t.copy_to(f)
            at += gap + n
    return places


class _Writer:
    """Names every value and node, and makes the messages."""

    def __init__(self, raw: Graph) -> None:
        self.raw = raw
        self.imports = meta.imports(raw.meta)
        self.names: dict[Value, str] = {}
        self.taken: set[str] = set()
        self.node_names: set[str] = {""}
        self.counts: dict[str, int] = {}

    def done(self) -> tuple[onnx.ModelProto, onnx.GraphProto, list[tuple[str, Tensor]]]:
        """The model without its graph, the graph without its constants, and those."""
        raw = self.raw
        for k in (*raw.inputs, *raw.outputs):
            if k in raw.inputs and k in raw.outputs and raw.inputs[k] is not raw.outputs[k]:
                raise Unsupported(f"an input and an output are both named '{k}'")
            self.taken.add(k)
        self.names.update((v, k) for k, v in raw.inputs.items())
        for k, v in raw.outputs.items():
            self.names.setdefault(v, k)
        constants = []
        same: dict[tuple[int, Type], str] = {}
        for v in raw.constants:
            assert v.data is not None
            key = (id(v.data), v.data.type)
            if v in self.names:
                same[key] = self.names[v]
            elif key in same:
                self.names[v] = same[key]
                continue
            else:
                same[key] = self.names[v] = self.fresh(v.name or "constant", self.taken)
            constants.append((self.names[v], v.data))
        g = onnx.GraphProto(name=raw.name)
        for k, v in raw.inputs.items():
            _info(g.input.add(name=k), v.type)
        self.nodes(raw, g.node)
        for k, v in raw.outputs.items():
            if self.names[v] != k:
                g.node.add(op_type="Identity", input=[self.names[v]], output=[k])
            if v.node is not None and v.node.op == maps.ZIPMAP:
                maps.info(g.output.add(name=k), v.node)
            else:
                _info(g.output.add(name=k), v.type)
        model = onnx.ModelProto(ir_version=int(raw.meta.get("onnx:ir_version", onnx.IR_VERSION)),
                                producer_name="modelport")
        for domain, version in sorted(self.imports.items()):
            model.opset_import.add(domain=domain, version=version)
        meta.write(raw.meta, model, g)
        return model, g, constants

    def fresh(self, hint: str, taken: set[str]) -> str:
        name = hint
        while name in taken:
            self.counts[hint] = self.counts.get(hint, 0) + 1
            name = f"{hint}_{self.counts[hint]}"
        taken.add(name)
        return name

    def name(self, v: Value | None) -> str:
        return "" if v is None else self.names[v]

    def nodes(self, graph: Graph, into: Any) -> None:
        names, uses = self.names, graph.uses
        for node in graph.nodes:
            domain, op = split(node.op)
            p = into.add(op_type=op, domain=domain)
            if hint := node.name or node.origin:
                p.name = self.fresh(hint, self.node_names)
            captures = node.attrs.get("captures", 0)
            p.input.extend(["" if v is None else names[v] for v in node.inputs[:len(node.inputs) - captures]])
            least = _least(domain, op, self.imports.get(domain, 1))
            while p.input and not p.input[-1] and len(p.input) > least:
                p.input.pop()
            p.input.extend([""] * (least - len(p.input)))
            outs = []
            needed = _needed(domain, op, self.imports.get(domain, 1), len(node.outputs))
            for o, must in zip(node.outputs, needed, strict=True):
                if o not in names and (must or uses[o]):
                    names[o] = self.fresh(o.name or op, self.taken)
                outs.append(names[o] if must or uses[o] else "")
            while outs and not outs[-1]:
                outs.pop()
            p.output.extend(outs)
            for k, value in node.attrs.items():
                if k != "captures" or not captures:
                    self.attribute(p.attribute.add(name=k), value, node, op, domain)

    def attribute(self, a: AttributeProto, value: Any, node: Node, op: str, domain: str) -> None:
        if isinstance(value, Graph):
            a.type = AttributeProto.GRAPH
            self.body(a.g, value, node)
        elif isinstance(value, tuple) and value and isinstance(value[0], Graph):
            a.type = AttributeProto.GRAPHS
            for body in value:
                self.body(a.graphs.add(), body, node)
        else:
            fill(a, value, _kind(domain, op, a.name, self.imports))

    def body(self, g: onnx.GraphProto, body: Graph, node: Node) -> None:
        """A closed body as ONNX has it: what it captures is known by its outer name."""
        captures = node.attrs.get("captures", 0)
        formal = len(body.inputs) - captures
        captured = node.inputs[len(node.inputs) - captures:]
        outer = set(body.constants)
        g.name = body.name
        for k, (key, v) in enumerate(body.inputs.items()):
            if k < formal:
                self.names[v] = self.fresh(v.name or key, self.taken)
                _info(g.input.add(name=self.names[v]), v.type)
            else:
                self.names[v] = self.name(captured[k - formal])
                outer.add(v)
        for n in body.nodes:  # a body that two nodes share is written twice, under other names
            for o in n.outputs:
                self.names.pop(o, None)
        self.nodes(body, g.node)
        seen: set[str] = set()
        for key, v in body.outputs.items():
            name = self.names[v]
            if v in outer or name in seen:
                name = self.fresh(key, self.taken)
                g.node.add(op_type="Identity", input=[self.names[v]], output=[name])
            seen.add(name)
            _info(g.output.add(name=name), v.type)


def self_contained(graph: Graph) -> onnx.GraphProto:
    """A closed hub graph as a message, its constants as nodes of it."""
    _, proto, constants = _Writer(graph.with_(meta=meta.with_imports({}, OPSET))).done()
    made = onnx.GraphProto()
    for name, tensor in constants:
        fill(made.node.add(op_type="Constant", output=[name]).attribute.add(name="value"), tensor)
    made.MergeFrom(proto)
    return made


def _info(info: onnx.ValueInfoProto, type: Type) -> None:
    if type.dtype in NUMBER:
        info.type.CopyFrom(to_proto(type))


@cache
def _needed(domain: str, op: str, version: int, outputs: int) -> tuple[bool, ...]:
    """Which outputs are written even if nothing reads them: all but optional ones."""
    try:
        s = onnx.defs.get_schema(op, version, domain)
    except onnx.defs.SchemaError:
        return (False,) * outputs
    kinds = [o.option for o in s.outputs]
    variadic = bool(kinds) and kinds[-1] == onnx.defs.OpSchema.FormalParameterOption.Variadic
    return tuple((kinds[k] if k < len(kinds) else None) != onnx.defs.OpSchema.FormalParameterOption.Optional
                 if k < len(kinds) or variadic else False for k in range(outputs))


@cache
def _least(domain: str, op: str, version: int) -> int:
    """How many inputs an operator has at least, absent ones counted."""
    try:
        return int(onnx.defs.get_schema(op, version, domain).min_input)
    except onnx.defs.SchemaError:
        return 0


def _kind(domain: str, op: str, name: str, imports: Mapping[str, int]) -> int:
    """The kind that the schema gives to an attribute; 0 if there is none."""
    try:
        s = onnx.defs.get_schema(op, imports.get(domain, 1), domain)
    except onnx.defs.SchemaError:
        return 0
    kind: Any = s.attributes[name].type if name in s.attributes else None  # the stubs lack its number
    return 0 if kind is None else int(kind.value)


def fill(a: AttributeProto, value: Any, kind: int = 0) -> None:
    """An attribute's value as ONNX writes it, as the schema's ``kind`` where there is one."""
    many = isinstance(value, (tuple, list))
    first = value[0] if many and value else value
    if isinstance(first, onnx.TypeProto):
        a.type = AttributeProto.TYPE_PROTO
        a.tp.CopyFrom(first)
    elif isinstance(first, Tensor):
        a.type = AttributeProto.TENSORS if many else AttributeProto.TENSOR
        for t in value if many else (value,):
            (a.tensors.add() if many else a.t).CopyFrom(tensor_proto(t))
    elif isinstance(first, str):
        a.type = AttributeProto.STRINGS if many else AttributeProto.STRING
        if many:
            a.strings.extend(s.encode("utf-8", "surrogateescape") for s in value)
        else:
            a.s = value.encode("utf-8", "surrogateescape")
    elif many:
        floats = kind == AttributeProto.FLOATS or (
            kind != AttributeProto.INTS and any(isinstance(v, float) for v in value))
        a.type = (AttributeProto.STRINGS if kind == AttributeProto.STRINGS else
                  AttributeProto.FLOATS if floats else AttributeProto.INTS)
        (a.floats if floats else a.ints).extend(value)
    elif isinstance(value, float) or kind == AttributeProto.FLOAT:
        a.type, a.f = AttributeProto.FLOAT, value
    elif isinstance(value, int):
        a.type, a.i = AttributeProto.INT, int(value)
    else:
        raise Unsupported(f"attribute '{a.name}' of type {value.__class__.__name__}")

