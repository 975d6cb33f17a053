"""Scan as the kernel of the layer that it was read from, step by step where it is short, else as a Loop."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.decompose import recurrent
from ....hub.infer import builder
from ....ir.graph import Graph, Made, Node, Value, constant, rebuild
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import Type
from ..carriers import parameters
from ..from_onnx.recurrent import LAYER, UNSTACK
from .table import replaces, rules

STEPS, NODES, BYTES = 32, 800, 4 << 20
"""The longest sequence that is written step by step, the most nodes and bytes of constants that its steps may read.

Measured on LiteRT with XNNPACK, batch 1.  LSTM of 32 units (12 nodes, 20 KB): 24 steps take 0.024 ms written out and
0.057 ms in a WHILE, 64 steps 0.074 and 0.145, but add 100 KB to the file.  LSTM of 128 units (256 KB): 24 steps take
0.129 and 0.154 ms, 64 steps 0.43 and 0.45, 128 steps 2.3 and 1.1: every step packs the weights anew.  GRU likewise."""

TURN, CACHE = 4, 512 << 10
"""The most steps of a turn of the loop, and the most bytes of constants that they read (each step has its own)."""

replaces("Scan")


@rules("Scan")
def scan(op: Builder, *values: Value, body: Graph, num_scan_inputs: int, scan_input_axes: Sequence[int] = (),
         scan_input_directions: Sequence[int] = (), scan_output_axes: Sequence[int] = (),
         scan_output_directions: Sequence[int] = (), captures: int = 0) -> Any:
    attrs: dict[str, Any] = {"num_scan_inputs": num_scan_inputs, "scan_input_axes": tuple(scan_input_axes),
             "scan_input_directions": tuple(scan_input_directions), "scan_output_axes": tuple(scan_output_axes),
             "scan_output_directions": tuple(scan_output_directions), "captures": captures}
    states = len(values) - num_scan_inputs - captures
    if not num_scan_inputs or states < 0 or any(v.rank in (None, 0) for v in values[states:states + num_scan_inputs]):
        raise Unsupported("without a sequence, or over values of unknown rank")
    first = values[states]
    length = None if first.shape is None else first.shape[(attrs["scan_input_axes"] or (0,))[0]]
    if isinstance(length, int) and 0 < length <= STEPS and length * len(list(body.walk())) <= NODES \
            and length * sum(v.data.nbytes for v in body.constants if v.data is not None) <= BYTES:
        return _steps(op, values, states, length, body, **attrs)
    turn = _turn(values[states:states + num_scan_inputs], body, states, **attrs)
    if turn > 1:
        return _turns(op, values, states, turn, body, **attrs)
    return recurrent.scan(op, *values, body=body, **attrs)


def _turn(scans: Sequence[Value], body: Graph, states: int, *, scan_input_axes: Sequence[int],
          scan_output_axes: Sequence[int], **rest: Any) -> int:
    """How many steps a turn of the loop takes."""
    stacked = list(body.outputs.values())[states:]
    if any(scan_input_axes) or any(scan_output_axes) or any(_open(v) > 1 for v in (*scans, *stacked)):
        return 1
    length = None if scans[0].shape is None else scans[0].shape[0]
    size = sum(v.data.nbytes for v in body.constants if v.data is not None)
    return max((k for k in range(2, TURN + 1) if isinstance(length, int) and length % k == 0 and k * size <= CACHE),
               default=1)


def _open(v: Value) -> int:
    """How many sizes of a value are not known."""
    return 2 if v.shape is None else sum(not isinstance(d, int) for d in v.shape)


def _turns(op: Builder, values: Sequence[Value], states: int, turn: int, body: Graph, *, num_scan_inputs: int,
           scan_input_directions: Sequence[int], scan_output_directions: Sequence[int], captures: int,
           **axes: Any) -> list[Value]:
    """A Loop of ``turn`` steps at a time, which share what a turn costs besides them."""
    def shaped(v: Value, *sizes: Any) -> Value:
        made: Value = op.Reshape(v, recurrent.ints(*(d if isinstance(d, int) else -1 for d in sizes)))
        return made
    scans = []
    length = (values[states].shape or (None,))[0]
    assert isinstance(length, int)
    for k, v in enumerate(values[states:states + num_scan_inputs]):
        each = (v.shape or ())[1:]
        v = recurrent.backward(op, v, 0) if scan_input_directions and scan_input_directions[k] else v
        scans.append(shaped(v, length // turn, turn, *each))
    inputs = {k: Value(Type(v.dtype, v.shape), k) for k, v in body.inputs.items()}
    for v, whole in zip(list(inputs.values())[states:], scans, strict=False):
        v.type = Type(v.dtype, whole.shape and whole.shape[1:])
    outs = _steps(op, list(inputs.values()), states, turn, body, num_scan_inputs=num_scan_inputs, captures=captures,
                  scan_input_axes=(), scan_input_directions=(), scan_output_axes=(), scan_output_directions=())
    inner = Graph(inputs, {f"out_{k}": v for k, v in enumerate(outs)}, body.name)
    made = recurrent.scan(op, *values[:states], *scans, *values[states + num_scan_inputs:], body=inner,
                          num_scan_inputs=num_scan_inputs, captures=captures)
    stacks = []
    for k, (y, v) in enumerate(zip(made[states:], list(body.outputs.values())[states:], strict=True)):
        y = shaped(y, length, *(v.shape or ()))
        stacks.append(recurrent.backward(op, y, 0) if scan_output_directions and scan_output_directions[k] else y)
    return [*made[:states], *stacks]


def _steps(op: Builder, values: Sequence[Value], states: int, length: int, body: Graph, *, num_scan_inputs: int,
           scan_input_axes: Sequence[int], scan_input_directions: Sequence[int], scan_output_axes: Sequence[int],
           scan_output_directions: Sequence[int], captures: int) -> list[Value]:
    """Every step written out."""
    flow, scans = list(values[:states]), values[states:states + num_scan_inputs]
    captured = values[states + num_scan_inputs:]
    stacks: list[list[Value]] = [[] for _ in range(len(body.outputs) - states)]
    rows = []
    for k, v in enumerate(scans):
        axis = scan_input_axes[k] % (v.rank or 1) if scan_input_axes else 0
        each = Type(v.dtype, None if v.shape is None else v.shape[:axis] + v.shape[axis + 1:])
        taken = Node(UNSTACK, [v], {"axis": axis}, [each] * length).outputs
        rows.append(taken[::-1] if scan_input_directions and scan_input_directions[k] else taken)
    for taken in zip(*rows, strict=True):
        step = rebuild(body, lambda node: None, dict(zip(body.inputs, [*flow, *taken, *captured], strict=True)))
        outs = list(step.outputs.values())
        flow = outs[:states]
        for stack, v in zip(stacks, outs[states:], strict=True):
            stack.append(v)
    made = []
    for k, stack in enumerate(stacks):
        axis = scan_output_axes[k] if scan_output_axes else 0
        if scan_output_directions and scan_output_directions[k]:
            stack = stack[::-1]
        made.append(recurrent.joined(op, [op.Unsqueeze(v, recurrent.ints(axis)) for v in stack], axis))
    return [*flow, *made]


# --------------------------------------------------------------------------------------------------------- layers

def layers(graph: Graph) -> Graph:
    """The graph with the Scans that stand for a layer of TensorFlow Lite as that layer.

    What the layer's state is at last is in its variables, where no operator can read it."""
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)
        if node.op != "Scan" or None in node.inputs or any(graph.uses[v] for v in old.outputs[:2]):
            return None
        stated = {"scan_input_axes": (), "scan_input_directions": (), "scan_output_axes": (),
                  "scan_output_directions": (), "captures": 0, **node.attrs}
        body = stated.pop("body")
        return _layer([v for v in node.inputs if v is not None], body, **stated)
    return rebuild(graph, rule, bodies=False)


@dataclass
class _Gate:
    """What is added up for a gate: the place of its rows among those of all gates, and its peephole."""

    rows: int
    peephole: Value | None


def _layer(values: Sequence[Value], body: Graph, *, num_scan_inputs: int, scan_input_axes: Sequence[int],
           scan_input_directions: Sequence[int], scan_output_axes: Sequence[int],
           scan_output_directions: Sequence[int], captures: int) -> Sequence[Value] | None:
    """The LSTM layer that ``..to_onnx.recurrent`` has read as this Scan, from states of zeros."""
    axis = scan_input_axes[0] if scan_input_axes else 0
    backward = any(scan_input_directions)
    if num_scan_inputs != 1 or captures or len(values) != 3 or len(body.outputs) != 3 \
            or any(scan_output_directions) != backward or axis not in (0, 1) or (scan_output_axes or (0,))[0] != axis:
        return None
    h0, c0, ahead = values
    if not (_zero(h0) and _zero(c0)):
        return None
    h, c, x = body.inputs.values()
    hidden, cell, y = body.outputs.values()
    if _plain(y) is not _plain(hidden):
        return None
    parts = _sum(ahead)
    found = None if parts is None else _step(_plain(hidden), _plain(cell), h, c, x)
    rounds = sum(n.op == "Round" for n in body.nodes)
    if found is None or parts is None or rounds not in (0, _ROUNDS):
        return None
    source, w, bias = parts
    gates, r, clip, projection, projection_bias, proj_clip, function = found
    units = c.shape[-1] if c.shape is not None else None
    batch = None if source.shape is None else source.shape[1 - axis]
    n = len([g for g in gates if g is not None])
    if not isinstance(units, int) or not isinstance(batch, int) or w.shape[1] != n * units or ahead.rank != 3 \
            or source.shape is None or source.rank != 3 or h.shape is None or h0.shape != h.shape \
            or c0.shape != c.shape:
        return None

    def rows(a: Array) -> list[Value | None]:
        turned = np.ascontiguousarray(a.T)
        return [None if g is None else constant(np.ascontiguousarray(turned[g.rows * units:(g.rows + 1) * units]))
                for g in gates]
    eyes = [g.peephole if g is not None else None for k, g in enumerate(gates) if k != 2]
    weights = [*rows(w), *rows(r), *eyes, *rows(bias if bias is not None else np.zeros(n * units, np.float32)),
               projection, projection_bias]
    out = Type(np.dtype(np.float32), (*source.shape[:2], h.shape[-1]))
    attrs = {"cell_clip": clip, "proj_clip": proj_clip, "time_major": int(axis == 0), "function": function}
    if rounds:
        stepped = _rounded(cell.node.inputs[0] if cell.node is not None and clip else cell)
        made = None if stepped is None else _integers(source, weights, hidden)
        if made is None or stepped is None:
            return None
        weights, attrs["quants"] = made[0], (*made[1], stepped[1])
    op = builder()
    h_last, c_last, out_y = Node(LAYER, [recurrent.backward(op, source, axis) if backward else source, *weights], attrs,
                                 [h0.type, c0.type, out]).outputs
    return h_last, c_last, recurrent.backward(op, out_y, axis) if backward else out_y


_ROUNDS = 12
"""Roundings of a step: four sums of gates, their functions, two products, the cell and its function."""


def _integers(source: Value, weights: list[Value | None], hidden: Value) -> Any:
    """Weights as the integers that they stand for; scales and zero points of input, weights and output."""
    given, out = source.node, hidden.node
    if source.op != "DequantizeLinear" or hidden.op != "DequantizeLinear" or given is None or out is None \
            or any(w is not None for w in (*weights[8:11], *weights[15:17])):
        return None
    x, y = parameters(given), parameters(out)
    if x is None or y is None:
        return None
    scales: list[float] = []
    made: list[Value | None] = []
    for w in weights[:8]:
        whole = None if w is None else _whole(w.numpy())
        if whole is None:
            return None
        made.append(constant(whole[0]))
        scales.append(whole[1])
    biases: list[Value | None] = []
    for b, scale in zip(weights[11:15], scales, strict=False):
        if b is None:
            return None
        step = float(np.float32(x.scale) * np.float32(scale))
        exact = b.numpy().astype(np.float64) / step
        if np.abs(exact).max(initial=0) >= 1 << 24:
            return None
        biases.append(constant(np.round(exact).astype(np.int32)))
    return [*made, None, None, None, *biases, None, None], (float(x.scale), int(x.zero_point), *scales, float(y.scale),
                                                            int(y.zero_point))


def _whole(w: Array) -> tuple[Array, float] | None:
    """The 8-bit integers and the scale that a weight is the product of: its largest element stands for 127."""
    top = np.abs(w).max(initial=0)
    if not top:
        return None
    first = np.float32(top / 127)
    q = np.round(w.astype(np.float64) / first)
    near = [np.nextafter(first, np.float32(0)), first, np.nextafter(first, np.float32(np.inf))]
    best = max(near, key=lambda s: int((q.astype(np.float32) * s == w).sum()))
    if np.abs(q - w.astype(np.float64) / best).max() > 1e-3:
        return None
    return q.astype(np.int8), float(best)


def _zero(v: Value) -> bool:
    """Whether a state is zeros."""
    if v.op == "DequantizeLinear" and v.node is not None:
        q, zero = v.node.inputs[0], v.node.inputs[2] if len(v.node.inputs) > 2 else None
        return q is not None and q.data is not None and (
            not q.numpy().any() if zero is None else zero.data is not None and bool((q.numpy() == zero.numpy()).all()))
    return v.data is not None and v.dtype == np.float32 and not v.numpy().any()


def _plain(v: Value) -> Value:
    """What a value is but for identities and the roundings of the integer kernel."""
    while v.node is not None:
        inner = v.node.inputs[0] if v.op == "Identity" else None
        if v.op == "DequantizeLinear":
            q = v.node.inputs[0]
            inner = q.node.inputs[0] if q is not None and q.node is not None and q.op == "QuantizeLinear" else None
        elif v.op == "Mul":
            inner = (_rounded(v) or (None, 0.0))[0]
        if inner is None:
            break
        v = inner
    return v


def _rounded(v: Value | None) -> tuple[Value, float] | None:
    """A value rounded to a 16-bit integer of some step, as ``..to_onnx.recurrent`` says it, and the step."""
    names, steps = ("Mul", "Clip", "Round", "Div"), []
    for name in names:
        node = None if v is None else v.node
        if v is None or node is None or node.op != name:
            return None
        if name in ("Mul", "Div"):
            step = node.inputs[1]
            if step is None or step.data is None or step.type.size != 1:
                return None
            steps.append(float(step.numpy().reshape(())))
        elif name == "Clip" and [float(b.numpy()) for b in node.inputs[1:] if b is not None and b.data is not None
                                 ] != [-32768.0, 32767.0]:
            return None
        v = node.inputs[0]
    return (v, steps[0]) if v is not None and steps[0] == steps[1] else None


def _of(v: Value | None, op: str) -> list[Value] | None:
    """The inputs of a value that ``op`` computes."""
    if v is None:
        return None
    v = _plain(v)
    if v.node is None or v.op != op:
        return None
    return [_plain(i) for i in v.node.inputs if i is not None]


def _known(v: Value, op: str) -> tuple[Value, Array] | None:
    """``op`` of a computed value and a constant, in either order."""
    ins = _of(v, op)
    if ins is None or len(ins) != 2:
        return None
    for a, b in (ins, ins[::-1]):
        if a.data is None and b.data is not None and b.dtype == np.float32:
            return a, b.numpy()
    return None


def _sum(ahead: Value) -> tuple[Value, Array, Array | None] | None:
    """The sequence, its weights (features, rows) and bias, of the products that are made ahead of the steps."""
    added = _known(ahead, "Add")
    product = _plain(ahead if added is None else added[0]).node
    if product is None or product.op != "MatMul":
        return None
    x, w = product.inputs  # quantized or not, x is taken as it is
    if x is None or w is None or w.data is None or w.rank != 2:
        return None
    return x, w.numpy(), None if added is None else added[1].reshape(-1)


_FUNCTIONS = {"Tanh": "TANH", "Relu": "RELU"}


def _step(hidden: Value, cell: Value, h: Value, c: Value, x: Value) -> Any:
    """The gates (input, forget, cell, output), recurrent weights, clips, projection and function of one step."""
    projection: Value | None = None
    projection_bias: Value | None = None
    clipped = _clip(hidden)
    proj_clip = 0.0 if clipped is None else clipped[1]
    projected = _projected(hidden if clipped is None else clipped[0])
    if projected is not None:
        hidden, projection, projection_bias = projected
    elif clipped is not None:
        return None
    pair = _either(hidden, "Mul", lambda a: _of(a, "Sigmoid"))
    if pair is None:
        return None
    (last,), shown = pair
    name = shown.op
    if name not in _FUNCTIONS or _of(shown, name) != [cell]:
        return None
    limit = _clip(cell)
    added = _of(cell if limit is None else limit[0], "Add")
    if added is None:
        return None
    sides = [(got[0][0], new) for kept, new in (added, added[::-1])
             if (got := _either(kept, "Mul", lambda a: _of(a, "Sigmoid"))) is not None and got[1] is c]
    if not sides:
        return None
    forget, new = sides[0]
    second = _either(new, "Mul", lambda a: _of(a, name))
    if second is None:
        return None
    (middle,), put = second
    coupled = _of(put, "Sub")
    entry = _of(put, "Sigmoid")
    if coupled is not None:
        one, gate = coupled
        if one.data is None or not (one.numpy() == 1).all() or _of(gate, "Sigmoid") != [forget]:
            return None
        sums = [None, forget, middle, last]
    elif entry is not None:
        sums = [entry[0], forget, middle, last]
    else:
        return None
    total: Value | None = None
    gates: list[_Gate | None] = []
    for k, v in enumerate(sums):
        part = None if v is None else _rows(v, cell if k == 3 else c)
        if v is not None and (part is None or (total is not None and part[0] is not total)):
            return None
        total = total if part is None else part[0]
        gates.append(None if part is None else _Gate(part[1], part[2]))
    recurrent_ = None if total is None else _either(total, "Add", lambda a: _of(a, "MatMul"))
    if recurrent_ is None or recurrent_[1] is not x or recurrent_[0][0] is not h or recurrent_[0][1].data is None:
        return None
    return (gates, recurrent_[0][1].numpy(), 0.0 if limit is None else limit[1], projection, projection_bias, proj_clip,
            _FUNCTIONS[name])


def _projected(v: Value) -> tuple[Value, Value, Value | None] | None:
    """A value, and the matrix (rows first) and bias that it is projected with."""
    whole = _of(v, "Gemm")
    if whole is not None and v.node is not None:
        x, w, *c = whole
        attrs = v.node.attrs
        if w.data is None or any(b.data is None for b in c) or attrs.get("transA") \
                or attrs.get("alpha", 1.0) != 1 or attrs.get("beta", 1.0) != 1:
            return None
        turned = w.numpy() if attrs.get("transB") else np.ascontiguousarray(w.numpy().T)
        return x, constant(turned), constant(c[0].numpy().reshape(-1)) if c else None
    added = _known(v, "Add")
    product = _of(v if added is None else added[0], "MatMul")
    if product is None or product[1].data is None:
        return None
    return (product[0], constant(np.ascontiguousarray(product[1].numpy().T)),
            None if added is None else constant(added[1].reshape(-1)))


def _either(v: Value, op: str, first: Any) -> tuple[list[Value], Value] | None:
    """The two inputs of ``op``, in the order in which ``first`` has something to say of the first."""
    ins = _of(v, op)
    if ins is None or len(ins) != 2:
        return None
    for a, b in (ins, ins[::-1]):
        got = first(a)
        if got is not None:
            return got, b
    return None


def _clip(v: Value) -> tuple[Value, float] | None:
    """A value clipped to equal bounds."""
    ins = _of(v, "Clip")
    if ins is None or len(ins) != 3 or ins[1].data is None or ins[2].data is None:
        return None
    low, high = float(ins[1].numpy()), float(ins[2].numpy())
    return (ins[0], high) if low == -high and high > 0 else None


def _rows(s: Value, cell: Value) -> tuple[Value, int, Value | None] | None:
    """The sum of all gates that ``s`` is a part of, which part, and its peephole to ``cell``."""
    peephole = None
    added = _either(s, "Add", lambda a: a if a.op == "Split" else None)
    if added is not None:
        s, seen = _plain(added[0]), _known(added[1], "Mul")  # type: ignore[arg-type]
        if seen is None or seen[0] is not cell:
            return None
        peephole = constant(seen[1].reshape(-1))
    if s.node is None or s.op != "Split" or s.node.inputs[0] is None:
        return None
    sizes = {o.shape[-1] for o in s.node.outputs if o.shape is not None}
    return (_plain(s.node.inputs[0]), s.node.outputs.index(s), peephole) if len(sizes) == 1 else None
