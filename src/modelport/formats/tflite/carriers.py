"""Which element type, and which quantization, a hub value has in a TensorFlow Lite graph.

The kernels compute in float32 and in 32- or 64-bit integers: half precision and doubles are carried as float32, int64
as int32 where the bounds of its elements prove that nothing is lost.  The model's interface keeps its types."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...hub import ranges
from ...hub.opset import NHWC
from ...ir.graph import Graph, Made, Node, Value, rebuild
from ...ir.tensor import Array, Tensor
from ...ir.types import DType, Quant, Type

F32, I32, I64 = map(np.dtype, ("f4", "i4", "i8"))
CARRIED: Mapping[str, DType] = {"float16": F32, "bfloat16": F32, "float64": F32}
_QUANTIZED = frozenset({"int8", "uint8", "int16"})
MOVES = frozenset("Reshape Transpose Squeeze Unsqueeze Flatten Slice Gather Expand Tile Split Concat Identity "
                   "DepthToSpace SpaceToDepth MaxPool Pad Where Resize GlobalMaxPool Max Min ReduceMax "
                   "ReduceMin".split())


def raw_dtype(v: Value) -> DType:
    """The element type that carries a computed hub value."""
    if v.dtype.name in CARRIED:
        return CARRIED[v.dtype.name]
    if v.dtype == I64 and v.data is None and v.node is not None and ranges.fits(v):
        return I32
    return v.dtype


def raw_constant(v: Value) -> Value:
    """A constant as the rules see it; half precision stays half precision where it is large (see ``weights``)."""
    carrier = CARRIED.get(v.dtype.name)
    if carrier is None or v.data is None:
        return v
    type, data = Type(carrier, v.shape), v.data
    return Value(type, v.name, data=Tensor(lambda: data.numpy().astype(carrier), type))


def standin(v: Value | None) -> Value | None:
    """A value of the type that a rule will see, to ask the rule whether it has a translation."""
    if v is None:
        return None
    if v.data is not None:
        return raw_constant(v)
    made = Value(Type(raw_dtype(v), v.shape), v.name)
    made.elements = v.elements
    if v.dtype.kind in "iu":
        ranges.state(made, ranges.of(v))
    return made


def carried(graph: Graph) -> Graph:
    """The hub graph with every computed value typed as it is carried; its operators are the same."""
    quants = quantizations(graph)
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        types = [Type(raw_dtype(o), o.shape, quants.get(o)) for o in next(olds).outputs]
        attrs = {k: carried(a) if isinstance(a, Graph) else a for k, a in node.attrs.items()}
        made = Node(node.op, [None if v is None else raw_constant(v) for v in node.inputs], attrs, types,
                    [o.name for o in node.outputs], node.name, node.origin)
        for new, old in zip(made.outputs, node.outputs, strict=True):
            new.elements = old.elements
        return made.outputs

    inputs = {k: Value(Type(CARRIED.get(v.dtype.name, v.dtype), v.shape, quants.get(v)), v.name)
              for k, v in graph.inputs.items()}
    for new, old in zip(inputs.values(), graph.inputs.values(), strict=True):
        new.elements = old.elements
        ranges.state(new, ranges.of(old))  # of a loop's turn
    made = rebuild(graph, rule, inputs, bodies=False, keep_types=False)
    return made.with_(outputs={k: raw_constant(v) for k, v in made.outputs.items()})


def quantizations(graph: Graph) -> dict[Value, Quant]:
    """What QuantizeLinear and DequantizeLinear say of the integers that they make and take, and of moved copies."""
    found: dict[Value, Quant] = {}
    clash: set[Value] = set()

    def say(v: Value | None, quant: Quant | None) -> bool:
        if v is None or quant is None or v.dtype.name not in _QUANTIZED:
            return False
        if v not in found:
            found[v] = quant
            return True
        if not same(found[v], quant):
            clash.add(v)
        return False
    for node in graph.nodes:
        if node.op == "QuantizeLinear":
            say(node.outputs[0], parameters(node))
        elif node.op == "DequantizeLinear" and node.inputs[0] is not None and node.inputs[0].data is None:
            say(node.inputs[0], parameters(node))
    for nodes in (graph.nodes, reversed(graph.nodes), graph.nodes):
        for node in nodes:
            if node.op.removeprefix(NHWC) in MOVES:
                ends = [v for v in (*node.inputs, *node.outputs)
                        if v is not None and v.data is None and v.dtype == node.outputs[0].dtype]
                quant = next((found[v] for v in ends if v in found), None)
                for v in ends:
                    say(v, quant)
    return {v: q for v, q in found.items() if v not in clash}


def parameters(node: Node) -> Quant | None:
    """Scale and zero point of a QuantizeLinear or DequantizeLinear of one scale for the whole tensor."""
    scale = node.inputs[1]
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    if scale is None or scale.data is None or scale.type.size != 1 or (zero is not None and zero.data is None) \
            or node.attrs.get("block_size"):
        return None
    s = scale.numpy().astype(np.float32).reshape(())
    if not np.isfinite(s) or s <= 0:
        return None
    return Quant(s, np.zeros((), np.int64) if zero is None else zero.numpy().astype(np.int64).reshape(()))


def same(a: Quant | None, b: Quant | None) -> bool:
    """Whether two quantizations are one."""
    if a is None or b is None:
        return a is b
    return a.axis == b.axis and np.array_equal(a.scale, b.scale) and np.array_equal(a.zero_point, b.zero_point)


def real(q: Value) -> Array:
    """The real numbers of a quantized constant, as float64."""
    quant = q.type.quant
    assert quant is not None
    along = [-1 if quant.axis == k else 1 for k in range(q.rank or 0)] if quant.axis is not None else []
    wide: Array = (q.numpy().astype(np.float64) - quant.zero_point.reshape(along)) \
        * quant.scale.astype(np.float64).reshape(along)
    return wide
