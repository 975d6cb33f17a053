"""The bodies that ONNX's schemas give to operators made of others, as hub nodes."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx

from ...codecs.limits import DEFAULT
from ...errors import ModelportError, Unsupported
from ...hub.infer import to_proto
from ...hub.opset import OPSET, schema, split
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Builder
from .container import Reader
from .schemas import default
from .tensors import Tensors
from .writer import fill, self_contained

_DOMAIN = "modelport.function"


PREVIEW = "ai.onnx.preview"


def _schema(op: str) -> Any:  # Any: the package's type stubs lack the functions of schemas
    domain, name = split(op)
    return onnx.defs.get_schema(name, 1, domain) if domain == PREVIEW else schema(op)


def has_body(op: str) -> bool:
    """Whether the schema of an operator, of the hub or of ONNX's preview, has a function body."""
    try:
        s = _schema(op)
    except onnx.defs.SchemaError:
        return False
    return s is not None and bool(s.has_function or s.has_context_dependent_function)


def preview(op: Builder, *inputs: Value | None, **attrs: Any) -> Sequence[Value]:
    """The rule of a preview operator: its function body."""
    assert op.node is not None
    made = expand(op, op.node)
    assert made is not None
    return made


def expand(op: Builder, node: Node, version: int = OPSET[""]) -> Sequence[Value] | None:
    """The outputs of ``node`` computed by the operators of its function body, in the form nearest to ``version``.

    ``None`` if the schema has no body; raises :class:`Unsupported` if it has none for these types."""
    from . import upgrade  # which reads preview operators with this
    if not has_body(node.op):
        return None
    s = _schema(node.op)
    domain, name = split(node.op)
    call = onnx.NodeProto(op_type=name, domain=domain, name=node.label)  # the body's nodes are named after it
    call.input.extend("" if v is None else f"i{k}" for k, v in enumerate(node.inputs))
    call.output.extend(f"o{k}" for k in range(len(node.outputs)))
    for k, a in s.attributes.items():
        value = node.attrs.get(k, default(a))
        if value is not None:
            attribute = call.attribute.add(name=k)
            if isinstance(value, Graph):
                if node.attrs.get("captures"):
                    raise Unsupported(f"the body '{k}' captures values")
                attribute.type = onnx.AttributeProto.GRAPH
                attribute.g.CopyFrom(self_contained(value))
            else:
                fill(attribute, value, int(a.type.value))
    body = _body(s, call, node, version)
    model = onnx.ModelProto(ir_version=onnx.IR_VERSION)
    model.functions.add().CopyFrom(body)
    model.functions[0].domain = _DOMAIN
    model.opset_import.extend(body.opset_import)
    if not any(i.domain in ("", "ai.onnx") for i in body.opset_import):  # bodies of preview operators leave it out
        model.functions[0].opset_import.add(domain="", version=OPSET[""])
        model.opset_import.add(domain="", version=OPSET[""])
    model.opset_import.add(domain=_DOMAIN, version=1)
    call.domain = _DOMAIN
    model.functions[0].name = call.op_type
    model.graph.node.add().CopyFrom(call)
    given = {f"i{k}": v for k, v in enumerate(node.inputs) if v is not None}
    for key, v in given.items():
        model.graph.input.add(name=key).type.CopyFrom(to_proto(v.type))
    for key in call.output[:len(body.output)]:
        model.graph.output.add(name=key)
    try:
        raw = Reader(model, Tensors(None, DEFAULT), DEFAULT).model()
        made = upgrade.translated(raw, op, given)
    except ModelportError as e:
        raise Unsupported(f"its function body: {e.message}") from None
    return list(made.outputs.values())  # the first ones: a body may lack the last optional outputs


def _body(s: Any, call: onnx.NodeProto, node: Node, version: int) -> onnx.FunctionProto:
    if s.has_function:
        versions = [v for v in s.function_opset_versions if v <= OPSET[""]]
        near = max([v for v in versions if v <= version], default=min(versions))
        body = s.get_function_with_opset_version(near)
    else:
        versions = list(s.context_dependent_function_opset_versions)
        near = max([v for v in versions if v <= version], default=min(versions))
        types = [(onnx.TypeProto() if v is None else to_proto(v.type)).SerializeToString() for v in node.inputs]
        body = s.get_context_dependent_function_with_opset_version(near, call.SerializeToString(), types)
    if not body:
        raise Unsupported("it has no function body for these types")
    if isinstance(body, bytes):
        body = onnx.FunctionProto.FromString(body)
    found: onnx.FunctionProto = body
    return found
