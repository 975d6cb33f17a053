"""Types of hub nodes: by ONNX's own inference, one node at a time, memoised.

Symbols and the elements of shape-like values are carried on by :mod:`modelport.hub.shapes`."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, helper, shape_inference

from ..errors import Unsupported
from ..ir.graph import Graph, Node, Value
from ..ir.rewrite import Site
from ..ir.rules import Builder
from ..ir.tensor import Tensor
from ..ir.types import DTYPE, NUMBER, STRING, Shape, Type
from . import shapes
from .opset import NHWC, OPSET, schema, split, unheld

_IMPORTS = [helper.make_opsetid(d, v) for d, v in OPSET.items()]
_SMALL = 4096  # bytes of a constant that shape inference may look at
_READS_FLOATS = frozenset({"Range", "Resize"})  # inference of all others looks at integers only
_A = onnx.defs.OpSchema.AttrType


def to_proto(type: Type) -> onnx.TypeProto:
    """A tensor type as ONNX writes it."""
    proto = onnx.TypeProto()
    proto.tensor_type.elem_type = NUMBER[type.dtype]
    if type.shape is not None:
        proto.tensor_type.shape.SetInParent()
        for d in type.shape:
            dim = proto.tensor_type.shape.dim.add()
            if isinstance(d, int):
                dim.dim_value = d
            elif d is not None:
                dim.dim_param = d
    return proto


def from_proto(proto: onnx.TypeProto) -> Type:
    """The tensor type that an ONNX type states; anything but a tensor is ``Unsupported``."""
    kind = proto.WhichOneof("value")
    if kind not in ("tensor_type", None):
        raise Unsupported(f"a value of {kind.removesuffix('_type')} type: the hub holds tensors only")
    t = proto.tensor_type
    if t.elem_type not in DTYPE:
        raise Unsupported(f"element type {t.elem_type}")
    shape: Shape = None
    if t.HasField("shape"):
        shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else d.dim_param or None
                      for d in t.shape.dim)
    return Type(DTYPE[t.elem_type], shape)


def coerce(op: str, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as the schema of ``op`` types them: ints, floats, text, tuples of those, tensors, graphs."""
    s = schema(op)
    if s is None:
        raise Unsupported(f"the hub has no operator {op}")
    out: dict[str, Any] = {}
    for key, value in attrs.items():
        if key == "captures" and op in ("If", "Loop", "Scan"):
            out[key] = int(value)
            continue
        a = s.attributes.get(key)
        if a is None:
            raise Unsupported(f"attribute '{key}' is not in the schema of {op}")
        kind = a.type
        if kind == _A.INT:
            out[key] = int(value)
        elif kind == _A.FLOAT:
            out[key] = float(value)
        elif kind == _A.INTS:
            out[key] = tuple(map(int, value))
        elif kind == _A.FLOATS:
            out[key] = tuple(map(float, value))
        elif kind == _A.TENSOR:
            out[key] = value if isinstance(value, Tensor) else Tensor(np.asarray(value))
        elif kind == _A.STRINGS:
            out[key] = tuple(value)
        else:
            out[key] = value
    return out


def _attribute(key: str, value: Any, kind: Any) -> AttributeProto:
    a = AttributeProto(name=key)
    if kind == _A.INT:
        a.type, a.i = AttributeProto.INT, value
    elif kind == _A.FLOAT:
        a.type, a.f = AttributeProto.FLOAT, value
    elif kind == _A.INTS:
        a.type = AttributeProto.INTS
        a.ints.extend(value)
    elif kind == _A.FLOATS:
        a.type = AttributeProto.FLOATS
        a.floats.extend(value)
    elif kind == _A.STRING:
        a.type, a.s = AttributeProto.STRING, value.encode("utf-8", "surrogateescape")
    elif kind == _A.STRINGS:
        a.type = AttributeProto.STRINGS
        a.strings.extend(v.encode("utf-8", "surrogateescape") for v in value)
    elif kind == _A.TENSOR:
        a.type = AttributeProto.TENSOR
        a.t.CopyFrom(tensor_proto(value))
    else:
        raise Unsupported(f"attribute '{key}' of a kind that the hub can't hold")
    return a


def tensor_proto(tensor: Tensor, name: str = "") -> onnx.TensorProto:
    """A tensor as ONNX writes it, its bytes inside the message."""
    proto = onnx.TensorProto(name=name, data_type=NUMBER[tensor.type.dtype],
                             dims=[d for d in tensor.type.shape or () if isinstance(d, int)])
    if tensor.type.dtype == STRING:
        proto.string_data.extend(str(s).encode("utf-8", "surrogateescape") for s in tensor.numpy().ravel())
    else:
        import io
        buffer = io.BytesIO()
        tensor.copy_to(buffer)
        proto.raw_data = buffer.getvalue()
    return proto


def _key(value: Any) -> Any:
    if isinstance(value, Tensor):
        size = value.type.size
        return (value.type, value.numpy().tobytes() if size is not None and size <= 64
                and value.type.dtype != STRING else id(value))
    return value


def _small(value: Value) -> np.ndarray[Any, Any] | None:
    """The elements of a value that inference may look at: a small constant, or integers known before run time."""
    if value.data is not None:
        return value.numpy() if value.dtype != STRING and value.data.nbytes <= _SMALL else None
    if value.elements is not None and value.type.static and all(isinstance(e, int) for e in value.elements):
        return np.array(value.elements, value.dtype).reshape([d for d in value.shape or () if isinstance(d, int)])
    return None


def infer(op: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any], outputs: int,
          ) -> tuple[tuple[Type, ...], dict[str, Any]]:
    """Types of the outputs of a hub operator, and its attributes as the schema types them.

    Raises :class:`Unsupported` if the hub has no such operator or inference refuses the node."""
    if why := unheld(op):
        raise Unsupported(f"{why} are not supported yet")
    kept = coerce(op, attrs)
    if any(isinstance(a, Graph) for a in kept.values()):
        try:
            return _control_flow(op, inputs, kept, outputs), kept
        except (ValueError, IndexError, KeyError):
            raise Unsupported("its body does not fit: another number of inputs or outputs") from None
    here = tuple(None if v is None else v.type for v in inputs)
    if op.startswith(NHWC):
        here = tuple(t if k or t is None else channels_first(t) for k, t in enumerate(here))
    floats = op.removeprefix(NHWC) in _READS_FLOATS
    data = tuple(None if v is None or (v.dtype.kind == "f" and not floats) else _small(v) for v in inputs)
    try:
        types = _infer(op.removeprefix(NHWC), here, tuple((k, _key(v)) for k, v in kept.items()),
                       tuple(None if d is None else (d.dtype, d.shape, d.tobytes()) for d in data), outputs,
                       _Unhashed((kept, data)))
    except (shape_inference.InferenceError, onnx.checker.ValidationError, RuntimeError, ValueError, IndexError,
            TypeError) as e:
        message = str(e).strip().splitlines()
        raise Unsupported(f"invalid here: {message[0] if message else type(e).__name__}") from None
    types = shapes.refine(op.removeprefix(NHWC), here, inputs, kept, types)
    if op.startswith(NHWC):
        types = (channels_last(types[0]), *types[1:])
    return types, kept


class _Unhashed(tuple[Any, ...]):
    """Arguments that ride along with a memoised call; the others say all about them."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return True


@lru_cache(maxsize=1 << 16)
def _infer(op: str, types: tuple[Type | None, ...], attrs: tuple[Any, ...], data: tuple[Any, ...], outputs: int,
           real: _Unhashed) -> tuple[Type, ...]:
    kept, arrays = real
    s = schema(op)
    assert s is not None
    domain, name = split(op)
    names = ["" if t is None else f"i{k}" for k, t in enumerate(types)]
    outs = [f"o{k}" for k in range(outputs)]
    node = onnx.NodeProto(op_type=name, domain=domain, input=names, output=outs)
    node.attribute.extend(_attribute(k, v, s.attributes[k].type) for k, v in kept.items())
    protos = {n: to_proto(t) for n, t in zip(names, types, strict=True) if t is not None}
    known = {n: tensor_proto(Tensor(a)) for n, a in zip(names, arrays, strict=True) if a is not None}
    got = shape_inference.infer_node_outputs(s, node, protos, known, opset_imports=_IMPORTS)
    return tuple(from_proto(got[o]) for o in outs)


def _control_flow(op: str, inputs: Sequence[Value | None], attrs: Mapping[str, Any], outputs: int) -> tuple[Type, ...]:
    if op == "If":
        a, b = attrs["then_branch"], attrs["else_branch"]
        both = list(zip(a.outputs.values(), b.outputs.values(), strict=True))
        return tuple(join(x.type, y.type) for x, y in both)[:outputs]
    body: Graph = attrs["body"]
    outs = [v.type for v in body.outputs.values()]
    captures = attrs.get("captures", 0)
    if op == "Loop":
        state = max(0, len(inputs) - 2 - captures)
        first = [v.type for v in inputs[2:2 + state] if v is not None]
        carried = (join(a, b) for a, b in zip(first, outs[1:1 + state], strict=True))
        stacked = (Type(t.dtype, None if t.shape is None else (None, *t.shape)) for t in outs[1 + state:])
        return (*carried, *stacked)[:outputs]
    scans = attrs["num_scan_inputs"]
    state = len(inputs) - scans - captures
    first = [v.type for v in inputs[:state] if v is not None]
    axes = attrs.get("scan_output_axes") or (0,) * (len(outs) - state)
    in_axes = attrs.get("scan_input_axes") or (0,) * scans
    length = None
    for v, axis in zip(inputs[state:state + scans], in_axes, strict=True):
        if v is not None and v.shape is not None and length is None:
            length = v.shape[axis]
    scanned = []
    for t, axis in zip(outs[state:], axes, strict=True):
        shape = t.shape
        if shape is not None:
            axis = axis if axis >= 0 else axis + len(shape) + 1
            shape = (*shape[:axis], length, *shape[axis:])
        scanned.append(Type(t.dtype, shape))
    return (*(join(a, b) for a, b in zip(first, outs[:state], strict=True)), *scanned)[:outputs]


def join(a: Type, b: Type) -> Type:
    """What two types have in common: the type of a value that may be of either."""
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return Type(a.dtype, None)
    return Type(a.dtype, tuple(x if x == y else None for x, y in zip(a.shape, b.shape, strict=True)))


def channels_last(t: Type) -> Type:
    return t if t.shape is None else Type(t.dtype, (t.shape[0], *t.shape[2:], t.shape[1]))


def channels_first(t: Type) -> Type:
    return t if t.shape is None else Type(t.dtype, (t.shape[0], t.shape[-1], *t.shape[1:-1]))


class HubBuilder(Builder):
    """The builder of hub nodes: types are inferred, symbols and elements of shapes are carried on."""

    def _made(self, node: Node) -> None:
        shapes.note_elements(node)


class HubSite(HubBuilder, Site):
    """The builder of hub nodes inside a pass."""


def site() -> HubSite:
    """A fresh builder for one run of a pass."""
    return HubSite(infer)


def builder() -> HubBuilder:
    """A fresh builder of hub nodes, with notes of its own."""
    return HubBuilder(infer)


op = builder()
"""A builder for passes and tests that record no notes."""
