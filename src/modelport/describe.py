"""What a model holds, and how two models differ: plain records with a text, a JSON and an HTML form."""
from __future__ import annotations

import hashlib
import html
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import Unsupported, printable
from .ir.graph import Graph, Node, Value
from .ir.tensor import Tensor
from .ir.types import STRING, Dim, Type, dtype_name


@dataclass(frozen=True)
class Summary:
    """What :func:`modelport.inspect` says of a model.

    Sizes are bytes.  ``macs`` are multiply-accumulates of convolutions, matrix products and recurrent layers, with
    every symbolic dimension as 1; ``activations`` the most that all live intermediate tensors take at once."""

    file: str
    format: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    operators: Mapping[str, int]
    nodes: int
    parameters: int
    weights: int
    macs: int | None
    activations: int | None
    quantization: Mapping[str, int]
    meta: Mapping[str, str]
    notes: Sequence[str]
    unsupported: Sequence[Mapping[str, str]] = ()
    source_operators: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    def rows(self) -> list[tuple[str, str]]:
        """Labels and values, for the text and the HTML form."""
        out = [("file", self.file), ("format", self.format)]
        out += [("input" if not k else "", f"{printable(n)}: {t}") for k, (n, t) in enumerate(self.inputs.items())]
        out += [("output" if not k else "", f"{printable(n)}: {t}") for k, (n, t) in enumerate(self.outputs.items())]
        kinds = ", ".join(f"{printable(o)} {n}" for o, n in self.operators.items())
        out.append(("operators", f"{self.nodes}: {kinds}"))
        out.append(("parameters", f"{self.parameters:,} ({_bytes(self.weights)})"))
        if self.macs is not None:
            out.append(("arithmetic", f"{self.macs:,} multiply-accumulates a run (symbolic sizes as 1)"))
        if self.activations is not None:
            out.append(("activations", f"{_bytes(self.activations)} at most at a time"))
        if self.quantization:
            out.append(("stored as", ", ".join(f"{k} {_bytes(n)}" for k, n in self.quantization.items())))
        out += [("metadata" if not k else "", f"{printable(a)} = {printable(b, 200)}")
                for k, (a, b) in enumerate(self.meta.items())]
        out += [("note" if not k else "", printable(n)) for k, n in enumerate(self.notes)]
        out += [("unsupported" if not k else "", f"{p['op']}: {p['reason']} (at '{p['where']}')")
                for k, p in enumerate(self.unsupported)]
        return out

    def text(self) -> str:
        return "\n".join(f"{label:<12} {value}" for label, value in self.rows())

    def html(self) -> str:
        cells = "".join(f"<tr><th style='text-align:left'>{html.escape(a)}</th><td style='text-align:left'>"
                        f"{html.escape(b)}</td></tr>" for a, b in self.rows())
        return f"<table>{cells}</table>"


def _bytes(n: int) -> str:
    size = float(n)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    return ""


def summarize(hub: Graph | None, raw: Graph, format: str, path: Path | None,
              problems: Sequence[Unsupported] = ()) -> Summary:
    """The summary of a model; of its raw graph alone where the hub can't hold it."""
    graph = hub if hub is not None else raw
    ops = Counter(n.op for n in graph.walk())
    constants = graph.constants
    stored: Counter[str] = Counter()
    for v in constants:
        if v.data is not None:
            stored[dtype_name(v.dtype)] += v.data.nbytes
    return Summary(
        file=printable(path) if path is not None else "", format=format,
        inputs={k: str(v.type) for k, v in graph.inputs.items()},
        outputs={k: str(v.type) for k, v in graph.outputs.items()},
        operators=dict(ops.most_common()), nodes=sum(ops.values()),
        parameters=sum(v.type.size or 0 for v in constants), weights=sum(stored.values()),
        macs=None if hub is None else sum(_macs(n) for n in hub.walk()),
        activations=None if hub is None else peak(hub),
        quantization=dict(stored.most_common()), meta=dict(raw.meta), notes=[str(n) for n in graph.notes],
        unsupported=[{"op": printable(p.op), "reason": printable(p.reason), "where": printable(p.where)}
                     for p in problems],
        source_operators=dict(Counter(n.op for n in raw.walk()).most_common()))


def _n(d: Dim) -> int:
    return d if isinstance(d, int) else 1


def _count(t: Type | None) -> int:
    n = 1
    for d in (t.shape if t is not None else None) or ():
        n *= _n(d)
    return n


def _product_macs(node: Node) -> int:
    a, b = node.inputs[0], node.inputs[1]
    if a is None or b is None or not a.shape:
        return 0
    inner = a.shape[-2 if node.attrs.get("transA", 0) else -1]
    return _count(node.outputs[0].type) * _n(inner)


def _conv_macs(node: Node) -> int:
    x, w = node.inputs[0], node.inputs[1]
    if x is None or w is None or w.shape is None or len(w.shape) < 2:
        return 0
    taps = 1
    for d in w.shape[1:]:
        taps *= _n(d)
    moving = x.type if node.op.endswith("ConvTranspose") else node.outputs[0].type
    return _count(moving) * taps


def _recurrent_macs(node: Node) -> int:
    x, w, r = node.inputs[0], node.inputs[1], node.inputs[2]
    if x is None or x.shape is None or w is None or r is None:
        return 0
    steps = _n(x.shape[0]) * _n(x.shape[1]) if len(x.shape) == 3 else 1
    return steps * (_count(w.type) + _count(r.type))


_MACS: dict[str, Callable[[Node], int]] = {
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul"), _product_macs),
    **dict.fromkeys(("Conv", "nhwc.Conv", "ConvTranspose", "nhwc.ConvTranspose", "ConvInteger"), _conv_macs),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent_macs),
}


def _macs(node: Node) -> int:
    return _MACS[node.op](node) if node.op in _MACS else 0


def peak(graph: Graph) -> int | None:
    """The largest sum of the bytes of tensors alive at once, nodes run in the graph's order (bodies not counted)."""
    last = {v: k for k, node in enumerate(graph.nodes) for v in node.inputs if v is not None}
    ending: dict[int, list[Value]] = {}
    outputs = set(graph.outputs.values())
    for v, k in last.items():
        if v not in outputs and v.data is None:
            ending.setdefault(k, []).append(v)

    def size(v: Value) -> int:
        return 0 if v.dtype == STRING else _count(v.type) * v.dtype.itemsize

    live = sum(size(v) for v in graph.inputs.values())
    peak = live
    for k, node in enumerate(graph.nodes):
        live += sum(size(o) for o in node.outputs if o in last or o in outputs)
        peak = max(peak, live)
        live -= sum(size(v) for v in ending.get(k, ()))
    return peak


@dataclass(frozen=True)
class Difference:
    """How two models differ.  Every field is empty where they agree; ``nodes`` lists nodes whose operator, attributes
    or constants have no equal on the other side, the earliest first; nodes that only follow them are not listed."""

    a: str
    b: str
    interface: Sequence[str]
    operators: Mapping[str, tuple[int, int]]
    constants: Sequence[str]
    nodes: Sequence[str]

    @property
    def same(self) -> bool:
        return not (self.interface or self.operators or self.constants or self.nodes)

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "same": self.same}, indent=2, sort_keys=True)

    def text(self) -> str:
        if self.same:
            return "the same model: interface, operators, attributes and constants are equal"
        out = []
        if self.interface:
            out += ["interface", *(f"  {line}" for line in self.interface)]
        if self.operators:
            out += ["operators                        a       b",
                    *(f"  {printable(k):<26}{x:>8}{y:>8}" for k, (x, y) in self.operators.items())]
        if self.constants:
            out += ["constants", *(f"  {line}" for line in self.constants)]
        if self.nodes:
            out += ["nodes", *(f"  {line}" for line in self.nodes)]
        return "\n".join(out)


_SHOWN = 10


def difference(a: Graph, b: Graph, name_a: str, name_b: str) -> Difference:
    """Compares two hub graphs by structure: names of inner values do not count, names of inputs and outputs do."""
    interface = []
    for what, x, y in (("input", a.inputs, b.inputs), ("output", a.outputs, b.outputs)):
        for k in dict.fromkeys([*x, *y]):
            left, right = x.get(k), y.get(k)
            if left is None or right is None or left.type != right.type:
                interface.append(f"{what} '{printable(k)}': {left.type if left else 'absent'} | "
                                 f"{right.type if right else 'absent'}")
    ops_a, ops_b = Counter(n.op for n in a.walk()), Counter(n.op for n in b.walk())
    operators = {k: (ops_a[k], ops_b[k]) for k in sorted({*ops_a, *ops_b}) if ops_a[k] != ops_b[k]}
    hash_a, hash_b = _Hashes(a), _Hashes(b)
    constants = []
    for side, mine, other in (("a", hash_a, hash_b), ("b", hash_b, hash_a)):
        only = [v for h, v in mine.constants.items() if h not in other.constants]
        constants += [f"only in {side}: {printable(v.name) or 'constant'}: {v.type}" for v in only[:_SHOWN]]
        if len(only) > _SHOWN:
            constants.append(f"only in {side}: {len(only) - _SHOWN} more")
    return Difference(name_a, name_b, interface, operators, constants, _node_lines(a, b, hash_a, hash_b))


def _node_lines(a: Graph, b: Graph, hash_a: _Hashes, hash_b: _Hashes) -> list[str]:
    """Nodes that differ in themselves; where none does, the first that is wired differently."""
    out, following = [], []
    for side, mine, other in (("a", hash_a, hash_b), ("b", hash_b, hash_a)):
        known, alone = set(other.nodes.values()), Counter(other.own.values())
        twins = {(n.op, n.label): n for n in other.nodes}
        changed = []
        for n, h in mine.nodes.items():
            if h in known:
                continue
            if alone[mine.own[n]] > 0:  # the same node, on other inputs
                alone[mine.own[n]] -= 1
                following.append(f"in {side} on other inputs: {printable(n.op)} '{printable(n.label)}'")
                continue
            twin = twins.get((n.op, n.label))
            what = "" if twin is None else _attribute_changes(n, twin)
            changed.append(f"only in {side}: {printable(n.op)} '{printable(n.label)}' -> {n.outputs[0].type}{what}")
        out += changed[:_SHOWN] + ([f"only in {side}: {len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else [])
    if not out and [hash_a.of(v) for v in a.outputs.values()] != [hash_b.of(v) for v in b.outputs.values()]:
        out = following[:1] or ["the outputs come from different nodes"]
    return out


def _attribute_changes(n: Node, twin: Node) -> str:
    names = [k for k in dict.fromkeys([*n.attrs, *twin.attrs])
             if k not in n.attrs or k not in twin.attrs or _attribute(n.attrs[k]) != _attribute(twin.attrs[k])]
    return "".join(f", {printable(k)}={printable(n.attrs.get(k, 'absent'), 60)}" for k in names)


class _Hashes:
    """A hash of what every value of a graph is computed from."""

    def __init__(self, graph: Graph) -> None:
        self.constants: dict[str, Value] = {}
        self.nodes: dict[Node, str] = {}
        self.own: dict[Node, str] = {}
        self._values: dict[Value, str] = {v: f"input {k}" for k, v in graph.inputs.items()}
        for node in graph.nodes:
            attributes = [f"{k}={_attribute(a)}" for k, a in sorted(node.attrs.items())]
            inputs = ["" if v is None else self.of(v) for v in node.inputs]
            fixed = ["" if v is None else self.of(v) if v.data is not None else "value" for v in node.inputs]
            digest = _digest("\0".join([node.op, *inputs, *attributes]).encode())
            self.nodes[node], self.own[node] = digest, "\0".join([node.op, *fixed, *attributes])
            for k, out in enumerate(node.outputs):
                self._values[out] = f"{digest}:{k}"

    def of(self, v: Value) -> str:
        if v not in self._values and v.data is not None:
            self._values[v] = tensor_hash(v.data)
            self.constants.setdefault(self._values[v], v)
        return self._values[v]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


class _Sink(io.RawIOBase):
    """A file that only hashes what is written to it."""

    def __init__(self) -> None:
        self.sha = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha.update(data)
        return len(data)


def tensor_hash(tensor: Tensor) -> str:
    """A hash of a tensor's type and elements."""
    sink = _Sink()
    sink.write(str(tensor.type).encode())
    if tensor.type.dtype == STRING:
        sink.write("\0".join(map(str, tensor.numpy().ravel())).encode("utf-8", "surrogateescape"))
    else:
        tensor.copy_to(sink)  # type: ignore[arg-type]  # a raw file, not a buffered one
    return sink.sha.hexdigest()[:32]


def _attribute(value: Any) -> str:
    if isinstance(value, Tensor):
        return tensor_hash(value)
    if isinstance(value, Graph):
        inner = _Hashes(value)
        return "|".join(inner.of(v) for v in value.outputs.values())
    return repr(value)
