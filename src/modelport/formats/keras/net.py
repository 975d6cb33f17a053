"""A raw graph of layers as the record that Keras saves: names, configurations, calls, and the weights of each layer.

The layers stand in the order in which Keras finds them when it loads the model, since the weights of a .keras file are
counted by it.  Source: keras/src/ops/function.py (map_graph), keras/src/saving/{saving_lib,serialization_lib}.py."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.types import is_float
from .config import snake
from .from_onnx.common import LARGEST

_NN = frozenset("relu gelu softmax log_softmax one_hot silu elu leaky_relu conv".split())
_MODULES = {"cast": "core", "scatter_update": "core", "erf": "math", "top_k": "math", **dict.fromkeys(_NN, "nn")}
_CLASSES = {"not_equal": "NotEqual", "top_k": "TopK", "get_item": "GetItem"}
_LISTS = frozenset({"concatenate", "stack"})
MERGES = frozenset("Add Subtract Multiply Average Maximum Minimum Concatenate".split())
RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "Bidirectional"})
VARS: Mapping[str, tuple[str, ...]] = {
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"), "LayerNormalization": ("gamma", "beta"),
    "Embedding": ("embeddings",), "DepthwiseConv2D": ("depthwise_kernel", "bias"),
    "DepthwiseConv1D": ("depthwise_kernel", "bias"), **dict.fromkeys(RECURRENT, ("kernel", "recurrent_kernel", "bias"))}
"""Names of the weights of a layer, where they are not ``kernel`` and ``bias``."""


@dataclass
class Part:
    """A layer or an operation: its name, class, configuration, inputs, and weights by their path in a .keras file."""

    name: str
    kind: str
    node: Node | None
    config: dict[str, Any]
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Value] = field(default_factory=dict)
    shape: Any = None

    @property
    def operation(self) -> bool:
        return self.kind.startswith("ops.")


@dataclass
class Out:
    """The place of a value: an output of a part."""

    part: Part
    index: int
    value: Value


@dataclass
class Net:
    """The parts of a model in Keras's order, its inputs and outputs."""

    name: str
    parts: list[Part]
    inputs: list[Part]
    outputs: list[Out]


def net(graph: Graph) -> Net:
    """The net of a raw graph; :class:`UnsupportedModel` if a constant is too large to stand in a configuration."""
    names: set[str] = set()
    places: dict[Value, Out] = {}

    def named(wanted: str, kind: str) -> str:
        plain = spelled(wanted) or snake(kind.removeprefix("ops."))
        name, k = plain, 0
        while name in names:
            k += 1
            name = f"{plain}_{k}"
        names.add(name)
        return name

    inputs = []
    reserved = {v: k for k, v in graph.outputs.items() if v.node is not None}
    for key, v in graph.inputs.items():
        name = named(key, "input_layer")
        dims = None if v.shape is None else [d if isinstance(d, int) else None for d in v.shape]
        if dims is None:
            where = Node("input", [], {}, [], name=key)
            raise UnsupportedModel([Unsupported("an input of unknown rank", where)], "Keras")
        part = Part(name, "InputLayer", None, {"batch_shape": dims, "dtype": dtype_name(v), "sparse": False,
                                               "ragged": False, "name": name}, shape=dims)
        inputs.append(part)
        places[v] = Out(part, 0, v)
    taken = {v: named(key, v.op) for v, key in reserved.items()}  # outputs have their names first
    problems: list[Unsupported] = []
    parts = [*inputs]
    for node in graph.nodes:
        name = next((taken[o] for o in node.outputs if o in taken and not node.op.startswith("ops.")), "") or named(
            node.name or node.origin or node.outputs[0].name, node.op)
        try:
            part = _part(node, name, places)
        except Unsupported as e:
            e.node = e.node or node
            problems.append(e)
            continue
        parts.append(part)
        for k, o in enumerate(node.outputs):
            places[o] = Out(part, k, o)
    outputs = []
    for key, v in graph.outputs.items():
        place = places.get(v)
        if place is None and not problems:
            problems.append(Unsupported("an output that is a constant", Node("output", [], {}, [], name=key)))
        if place is None:
            continue
        if place.part in inputs or place.part.operation or reserved.get(v, key) != key:
            # an input, a function (which forgets its name), or an output under a second name
            name = taken[v] if place.part.operation and reserved.get(v) == key else named(key, "identity")
            dtype = v.dtype.name if is_float(v.dtype) else "float32"
            part = Part(name, "Identity", None, {"name": name, "trainable": True, "dtype": dtype}, [place])
            parts.append(part)
            place = Out(part, 0, v)
        outputs.append(place)
    if problems:
        raise UnsupportedModel(problems, "Keras")
    functions = [p for p in parts if p.operation]
    made = {snake(operation_class(p.kind)[1]) for p in functions}
    if any(re.sub(r"_\d+$", "", p.name) in made for p in parts if not p.operation):
        for p in functions:  # a layer has the name that Keras would make for one of them
            p.config = {"name": p.name, **p.config}
    return Net(spelled(graph.name) or "model", _ordered(parts, inputs, outputs), inputs, outputs)


def spelled(name: str) -> str:
    """A name as every backend takes it: PyTorch's parameters have no dot, TensorFlow's scopes few other signs."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_-")


def dtype_name(v: Value) -> str:
    return "string" if v.dtype == object else v.dtype.name


def _part(node: Node, name: str, places: Mapping[Value, Out]) -> Part:
    if all(v is None or v.data is not None for v in node.inputs):
        raise Unsupported("a function of constants alone")
    attrs = {k: v for k, v in node.attrs.items() if k not in ("states", "kind")}
    states = int(node.attrs.get("states", 0))
    if node.op.startswith("ops."):
        part = Part(name, node.op, node, attrs)  # the name stands beside: older versions take none in here
        key = part.config.pop("key", None)
        tensors = [_tensor(v, places) for v in node.inputs if v is not None]
        part.args = [tensors] if node.op.removeprefix("ops.") in _LISTS else tensors
        if key is not None:
            part.args.append(list(key))
        return part
    given = [v for v in node.inputs if v is not None]
    count = len(given) - states
    tensors = [v for k, v in enumerate(given) if v.data is None or k >= count]
    weights = [v for k, v in enumerate(given) if v.data is not None and k < count]
    compute = next((v.dtype.name for v in (*tensors, *weights) if is_float(v.dtype)), "float32")
    config = {"name": name, "trainable": True, "dtype": compute, **attrs}
    if node.op == "Bidirectional":
        inner = {"name": "forward_layer", **{k: v for k, v in config.items() if k not in ("name", "merge_mode")}}
        kind = str(node.attrs["kind"])
        config = {"name": name, "trainable": True, "dtype": compute, "merge_mode": attrs["merge_mode"],
                  "layer": {"module": "keras.layers", "class_name": kind, "config": inner, "registered_name": None}}
    part = Part(name, node.op, node, config)
    refs = [_tensor(v, places) for v in tensors[:len(tensors) - states]]
    part.args = [refs] if node.op in MERGES else refs
    if states:
        part.kwargs = {"initial_state": [_tensor(v, places) for v in tensors[len(tensors) - states:]]}
    if node.op == "Bidirectional":
        half = len(weights) // 2
        for which, some in (("forward_layer", weights[:half]), ("backward_layer", weights[half:])):
            part.weights.update({f"{which}/cell/vars/{k}": w for k, w in enumerate(some)})
    else:
        where = "cell/vars" if node.op in RECURRENT else "vars"
        part.weights = {f"{where}/{k}": w for k, w in enumerate(weights)}
    return part


def _tensor(v: Value, places: Mapping[Value, Out]) -> Any:
    """A reference to a computed value; a constant as an array."""
    if v.data is None:
        return places[v]
    if v.dtype == object:
        raise Unsupported("text as a constant")
    if (v.type.size or 0) > LARGEST:
        raise Unsupported(f"a constant of {v.type.size} elements that is no weight of a layer")
    return v.numpy()


def sources(part: Part) -> list[Out]:
    """The values that a part takes, in the order of its call."""
    found: list[Out] = []

    def look(x: Any) -> None:
        if isinstance(x, Out):
            found.append(x)
        elif isinstance(x, list):
            for y in x:
                look(y)
    look([part.args, list(part.kwargs.values())])
    return found


def _ordered(parts: list[Part], inputs: list[Part], outputs: list[Out]) -> list[Part]:
    """The parts by distance from the outputs, the furthest first; equals as a walk from the outputs meets them."""
    met: dict[int, int] = {}
    finished: list[Part] = []
    done: set[int] = set()
    for out in outputs:
        stack: list[tuple[Part, Any]] = []
        if id(out.part) not in done and id(out.part) not in met:
            met[id(out.part)] = len(met)
            stack.append((out.part, iter(sources(out.part))))
        while stack:
            part, rest = stack[-1]
            for s in rest:
                if id(s.part) not in done and id(s.part) not in met:
                    met[id(s.part)] = len(met)
                    stack.append((s.part, iter(sources(s.part))))
                    break
            else:
                stack.pop()
                done.add(id(part))
                finished.append(part)
    depth: dict[int, int] = {}
    for part in reversed(finished):
        here = depth.setdefault(id(part), 0)
        for s in sources(part):
            depth[id(s.part)] = max(depth.get(id(s.part), 0), here + 1)
    unused = [p for p in inputs if id(p) not in met]
    for p in unused:
        met[id(p)], depth[id(p)] = -1, 0
    return sorted((p for p in parts if id(p) in met), key=lambda p: (-depth[id(p)], met[id(p)]))


def operation_class(kind: str) -> tuple[str, str]:
    """Module and class of an operation: ``ops.take_along_axis`` is ``TakeAlongAxis`` of ``keras.src.ops.numpy``."""
    name = kind.removeprefix("ops.")
    made = _CLASSES.get(name) or "".join(w.capitalize() for w in name.split("_"))
    return f"keras.src.ops.{_MODULES.get(name, 'numpy')}", made


def plain(x: Any) -> Any:
    """A configuration as JSON has it."""
    if isinstance(x, (tuple, list)):
        return [plain(y) for y in x]
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, np.generic):
        return x.item()
    return x
