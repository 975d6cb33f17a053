"""Which calls are layers of torch.nn: the class, its arguments and the names of its tensors, for the source writer."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir.graph import Graph, Node, Value
from ...ir.types import DType, is_float
from .plan import Names, Plan, module_path
from .raw import In


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer: the text that makes it, its tensors by their names in it, and the inputs that it is called with.

    ``indexed``: its weight is indexed by the input, which counts from the end too, as the layer itself does not."""

    path: str
    make: str
    tensors: Mapping[str, Value]
    called: tuple[Value, ...]
    indexed: bool = False


@dataclass(frozen=True)
class _Found:
    kind: str
    make: str
    tensors: Mapping[str, Value]
    called: tuple[Value, ...]
    indexed: bool = False


Finder = Callable[[Node, dict[str, Any]], "_Found | None"]
_FINDERS: dict[str, Finder] = {}


def _finds(*ops: str) -> Callable[[Finder], Finder]:
    def register(rule: Finder) -> Finder:
        _FINDERS.update(dict.fromkeys((f"aten.{op}" if "." in op else f"aten.{op}.default" for op in ops), rule))
        return rule
    return register


def layers(plan: Plan) -> dict[Node, Layer]:
    """The nodes of a graph, those of its branches too, that are layers; a weight that others read stays outside."""
    uses: dict[Value, int] = {}
    nodes: list[Node] = []

    def walk(graph: Graph) -> None:
        for node in graph.nodes:
            nodes.append(node)
            for v in node.inputs:
                if v is not None and v.data is not None:
                    uses[v] = uses.get(v, 0) + 1
            for body in node.bodies.values():
                walk(body)
        for v in graph.outputs.values():
            uses[v] = uses.get(v, 0) + 1
    walk(plan.graph)
    out: dict[Node, Layer] = {}
    taken = {w.path for w in plan.weights}
    numbered = Names()
    for node in nodes:
        finder = _FINDERS.get(node.op)
        if finder is None:
            continue
        found = finder(node, {k: _value(node, a) for k, a in node.attrs.items()})
        if found is None or not found.tensors or any(v.data is None or uses[v] > 1 for v in found.tensors.values()):
            continue
        path = _where(plan, node, found, taken, numbered)
        taken.add(path)
        out[node] = Layer(path, found.make, found.tensors, found.called, found.indexed)
    return out


def _where(plan: Plan, node: Node, found: _Found, taken: set[str], numbered: Names) -> str:
    """The path of a layer: that of its weight, of the source's layer, or a number."""
    first = next(iter(found.tensors))
    own = plan.paths[found.tensors[first]].path
    tries = [own.removesuffix(f".{first}")] if own.endswith(f".{first}") and own.count(".") else []
    tries += [module_path(node.label)]
    mine = {plan.paths[v].path for v in found.tensors.values()}
    for path in tries:
        if path and not any(t == path or path.startswith(t + ".") or (t.startswith(path + ".") and t not in mine)
                            for t in taken - mine):
            return path
    while True:
        path = numbered.new(found.kind, "layer")
        if not any(t == path or t.startswith(path + ".") for t in taken - mine):
            return path


def _value(node: Node, a: Any) -> Any:
    if isinstance(a, In):
        return node.inputs[a.place]
    if isinstance(a, tuple):
        return tuple(_value(node, x) for x in a)
    return a


def _one(values: Any) -> str:
    """Equal numbers as one."""
    values = tuple(values)
    return str(values[0]) if len(set(values)) == 1 else str(values)


def _typed(dtype: DType) -> list[str]:
    return [] if dtype == np.float32 else [f"dtype=torch.{dtype.name}"]


def _tensors(a: Mapping[str, Any], **names: str) -> dict[str, Value] | None:
    """The constant tensors of a layer; ``None`` if one of them is computed."""
    found = {own: a.get(theirs) for own, theirs in names.items()}
    if any(isinstance(v, Value) and v.data is None for v in found.values()):
        return None
    return {k: v for k, v in found.items() if isinstance(v, Value)}


@_finds("conv1d", "conv2d", "conv3d")
def _conv(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight", bias="bias")
    if t is None or any(not isinstance(p, int) for p in a["padding"]):
        return None
    shape = t["weight"].shape
    assert shape is not None and isinstance(shape[1], int)
    said = [str(shape[1] * a["groups"]), str(shape[0]), _one(shape[2:])]
    said += [f"{k}={_one(a[k])}" for k, d in (("stride", 1), ("padding", 0), ("dilation", 1)) if set(a[k]) != {d}]
    said += [f"groups={a['groups']}"] * (a["groups"] != 1) + ["bias=False"] * ("bias" not in t)
    kind = node.op.split(".")[1]
    return _Found("conv", f"nn.Conv{kind[4:]}({', '.join(said + _typed(t['weight'].dtype))})", t, (a["input"],))


@_finds("conv_transpose1d", "conv_transpose2d.input", "conv_transpose3d.input")
def _conv_transpose(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight", bias="bias")
    if t is None:
        return None
    shape = t["weight"].shape
    assert shape is not None and isinstance(shape[1], int)
    said = [str(shape[0]), str(shape[1] * a["groups"]), _one(shape[2:])]
    said += [f"{k}={_one(a[k])}" for k, d in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1))
             if set(a[k]) != {d}]
    said += [f"groups={a['groups']}"] * (a["groups"] != 1) + ["bias=False"] * ("bias" not in t)
    kind = node.op.split(".")[1]
    return _Found("deconv", f"nn.ConvTranspose{kind[14:]}({', '.join(said + _typed(t['weight'].dtype))})", t,
                  (a["input"],))


@_finds("linear")
def _linear(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight", bias="bias")
    if t is None:
        return None
    shape = t["weight"].shape
    assert shape is not None
    said = [str(shape[1]), str(shape[0]), *["bias=False"] * ("bias" not in t), *_typed(t["weight"].dtype)]
    return _Found("fc", f"nn.Linear({', '.join(said)})", t, (a["input"],))


@_finds("batch_norm")
def _batch_norm(node: Node, a: dict[str, Any]) -> _Found | None:
    names = ("weight", "bias", "running_mean", "running_var")
    t = _tensors(a, **{k: k for k in names})
    x = a["input"]
    if t is None or len(t) != 4 or x.rank not in (2, 3, 4, 5):
        return None
    shape = t["weight"].shape
    assert shape is not None
    said = [str(shape[0]), *[f"eps={a['eps']!r}"] * (a["eps"] != 1e-5),
            *[f"momentum={a['momentum']!r}"] * (a["momentum"] != 0.1), *_typed(t["weight"].dtype)]
    return _Found("bn", f"nn.BatchNorm{max(1, x.rank - 2)}d({', '.join(said)})", t, (x,))


@_finds("layer_norm")
def _layer_norm(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight", bias="bias")
    if t is None or "weight" not in t:
        return None
    shape = a["normalized_shape"]
    said = [str(shape[0]) if len(shape) == 1 else str(tuple(shape)), *[f"eps={a['eps']!r}"] * (a["eps"] != 1e-5),
            *["bias=False"] * ("bias" not in t), *_typed(t["weight"].dtype)]
    return _Found("norm", f"nn.LayerNorm({', '.join(said)})", t, (a["input"],))


@_finds("rms_norm")
def _rms_norm(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight")
    if not t:
        return None
    shape = a["normalized_shape"]
    said = [str(shape[0]) if len(shape) == 1 else str(tuple(shape)), f"eps={a['eps']!r}", *_typed(t["weight"].dtype)]
    return _Found("norm", f"nn.RMSNorm({', '.join(said)})", t, (a["input"],))


@_finds("group_norm")
def _group_norm(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight", bias="bias")
    if t is None or len(t) != 2:
        return None
    shape = t["weight"].shape
    assert shape is not None
    said = [str(a["num_groups"]), str(shape[0]), *[f"eps={a['eps']!r}"] * (a["eps"] != 1e-5),
            *_typed(t["weight"].dtype)]
    return _Found("norm", f"nn.GroupNorm({', '.join(said)})", t, (a["input"],))


@_finds("instance_norm")
def _instance_norm(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight", bias="bias")
    x = a["input"]
    if t is None or len(t) != 2 or x.rank not in (3, 4, 5):
        return None
    shape = t["weight"].shape
    assert shape is not None
    said = [str(shape[0]), *[f"eps={a['eps']!r}"] * (a["eps"] != 1e-5), "affine=True", *_typed(t["weight"].dtype)]
    return _Found("norm", f"nn.InstanceNorm{x.rank - 2}d({', '.join(said)})", t, (x,))


@_finds("embedding")
def _embedding(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight")
    if not t:
        return None
    shape = t["weight"].shape
    assert shape is not None
    return _Found("embedding", f"nn.Embedding({', '.join([str(shape[0]), str(shape[1]), *_typed(t['weight'].dtype)])})",
                  t, (a["indices"],))


@_finds("index.Tensor")
def _indexed(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="self")
    where = a["indices"]
    if not t or t["weight"].rank != 2 or len(where) != 1 or where[0].data is not None \
            or not is_float(t["weight"].dtype):
        return None
    shape = t["weight"].shape
    assert shape is not None
    return _Found("embedding", f"nn.Embedding({', '.join([str(shape[0]), str(shape[1]), *_typed(t['weight'].dtype)])})",
                  t, where, indexed=True)


@_finds("prelu")
def _prelu(node: Node, a: dict[str, Any]) -> _Found | None:
    t = _tensors(a, weight="weight")
    if not t:
        return None
    shape = t["weight"].shape
    assert shape is not None
    return _Found("prelu", f"nn.PReLU({', '.join([str(shape[0]), *_typed(t['weight'].dtype)])})", t, (a["self"],))


@_finds("lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input")
def _recurrent(node: Node, a: dict[str, Any]) -> _Found | None:
    """A layer whose first state is zero is called without it."""
    params, both, biased = a["params"], a["bidirectional"], a["has_biases"]
    each = 4 if biased else 2
    names = ["weight_ih_l0", "weight_hh_l0", *["bias_ih_l0", "bias_hh_l0"] * biased]
    t = {f"{n}{'_reverse' * d}": params[d * each + k] for d in range(1 + both) for k, n in enumerate(names)}
    if any(v.data is None for v in t.values()):
        return None
    kind = node.op.split(".")[1]
    shape, inner = t["weight_ih_l0"].shape, t["weight_hh_l0"].shape
    assert shape is not None and inner is not None
    said = [str(shape[1]), str(inner[1]), *["bias=False"] * (not biased), *["bidirectional=True"] * both,
            *['nonlinearity="relu"'] * (kind == "rnn_relu"), *_typed(t["weight_ih_l0"].dtype)]
    name = {"lstm": "LSTM", "gru": "GRU"}.get(kind, "RNN")
    first = a["hx"] if isinstance(a["hx"], tuple) else (a["hx"],)
    zero = all(v.node is not None and v.node.op == "aten.full.default" and v.node.attrs["fill_value"] == 0
               for v in first)
    return _Found(name.lower(), f"nn.{name}({', '.join(said)})", t, (a["input"], *(() if zero else first)))
