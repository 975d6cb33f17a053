"""The configuration of a model as data: layers, how they are called, and what the attributes of a layer say.

The three generations write the same things differently: Keras 1 and 2 list the inputs of a call as
``[layer, call, output, arguments]``, Keras 3 as nested records.  Nothing that a configuration names is looked up or
called; what is code (lambdas, classes of other modules) stays a name."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ...codecs.limits import Limits
from ...errors import CorruptFile, UnsafeModel, Unsupported, printable
from ...ir.graph import Node

NETS = frozenset({"Functional", "Model", "Sequential", "Graph"})


@dataclass(frozen=True)
class Ref:
    """An output of a call of a layer."""

    layer: str
    call: int = 0
    output: int = 0


@dataclass
class Call:
    """The arguments of one call; what comes from other layers is a :class:`Ref`, at any depth."""

    args: list[Any]
    kwargs: dict[str, Any]

    def refs(self) -> Iterator[Ref]:
        yield from refs([self.args, self.kwargs])


@dataclass
class Layer:
    """A layer of a net: its name, class, configuration and calls."""

    name: str
    kind: str
    module: str
    config: dict[str, Any]
    calls: list[Call] = field(default_factory=list)
    build: Mapping[str, Any] = field(default_factory=dict)
    net: Net | None = None

    def problem(self, why: str) -> Unsupported:
        return Unsupported(why, Node(self.kind, [], {}, [], name=self.name, origin=self.name))


@dataclass
class Net:
    """Layers by name, in the order of the file, and what goes in and comes out."""

    name: str
    layers: dict[str, Layer]
    inputs: list[Ref]
    outputs: list[Ref]
    sequential: bool = False


def refs(x: Any) -> Iterator[Ref]:
    """Every reference inside nested lists and mappings."""
    if isinstance(x, Ref):
        yield x
    elif isinstance(x, (list, tuple)):
        for y in x:
            yield from refs(y)
    elif isinstance(x, dict):
        for y in x.values():
            yield from refs(y)


def parse(text: bytes | str, limits: Limits, what: str) -> Any:
    """JSON of an untrusted file: bounded in depth, keys not repeated."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as e:
            raise CorruptFile(f"{what} is not text: {e}") from None
    limits.check("expanded_bytes", len(text))

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(items)
        if len(out) != len(items):
            raise CorruptFile(f"{what} says '{printable(_twice(items))}' twice in one place")
        return out
    try:
        found = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as e:
        raise CorruptFile(f"{what} is no JSON that can be read: {printable(e, 200)}") from None
    _shallow(found, 4 * limits.depth, what)  # a nest of models has a few levels of JSON for each of its own
    return found


def _twice(items: Sequence[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(k for k, _ in items if k in seen or seen.add(k))  # type: ignore[func-returns-value]


def _shallow(x: Any, depth: int, what: str) -> None:
    level = [x]
    while level:
        if depth < 0:
            raise CorruptFile(f"{what} is nested too deeply")
        depth -= 1
        level = [y for v in level if isinstance(v, (list, dict))
                 for y in (v.values() if isinstance(v, dict) else v)]


def is_net(kind: str, config: Any) -> bool:
    """Whether a layer is a model of layers: a class of Keras, or one derived from it that saved its layers."""
    if isinstance(config, list):
        return kind == "Sequential"
    return isinstance(config, dict) and isinstance(config.get("layers"), list) and \
        (kind in NETS or ("input_layers" in config and "output_layers" in config))


def net(kind: str, config: Any, limits: Limits, depth: int = 0) -> Net:
    """The net of a model's configuration."""
    limits.check("depth", depth)
    if isinstance(config, list):  # Keras 1: Sequential is a bare list
        config = {"name": "sequential", "layers": config}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise CorruptFile(f"the configuration of the model '{printable(kind)}' has no layers")
    limits.check("nodes", len(config["layers"]))
    found = [_layer(d, limits, depth) for d in config["layers"]]
    name = str(config.get("name") or "model")
    layers: dict[str, Layer] = {}
    for layer, _ in found:
        if layer.name in layers:
            if kind != "Sequential":
                raise CorruptFile(f"two layers are named '{printable(layer.name)}'")
            layer.name = f"{layer.name}_{len(layers)}"
        layers[layer.name] = layer
    if kind == "Sequential" or "input_layers" not in config:
        return _chain(name, layers, config)
    for layer, inbound in found:
        layer.calls = [_call(n, layers) for n in inbound]
    inputs, outputs = _ends(config["input_layers"]), _ends(config["output_layers"])
    if late := _late(layers, outputs):
        for layer in layers.values():
            layer.calls = [Call(_moved(c.args, late), _moved(c.kwargs, late)) for c in layer.calls]
        outputs = _moved(outputs, late)
    return Net(name, layers, inputs, outputs)


def _late(layers: Mapping[str, Layer], outputs: Sequence[Ref]) -> set[str]:
    """The nested models whose calls are counted from 1: Keras 2 counted the one that built them, and left it out."""
    most: dict[str, int] = {}
    for ref in [*(r for layer in layers.values() for c in layer.calls for r in c.refs()), *outputs]:
        most[ref.layer] = max(most.get(ref.layer, 0), ref.call)
    return {name for name, n in most.items() if name in layers and layers[name].net is not None
            and n == len(layers[name].calls)}


def _moved(x: Any, late: set[str]) -> Any:
    if isinstance(x, Ref):
        return Ref(x.layer, x.call - 1, x.output) if x.layer in late and x.call else x
    if isinstance(x, list):
        return [_moved(y, late) for y in x]
    if isinstance(x, dict):
        return {k: _moved(v, late) for k, v in x.items()}
    return x


def _layer(d: Any, limits: Limits, depth: int) -> tuple[Layer, list[Any]]:
    if not isinstance(d, dict) or not isinstance(d.get("class_name"), str):
        raise CorruptFile("a layer of the model has no class name")
    config = d.get("config")
    config = {} if config is None else config
    if not isinstance(config, (dict, list)):
        raise CorruptFile("the configuration of a layer is no record")
    name = d.get("name") or (config.get("name") if isinstance(config, dict) else None) or d["class_name"].lower()
    made = Layer(str(name), d["class_name"], str(d.get("module") or ""), config if isinstance(config, dict) else {},
                 build=d.get("build_config") or {})
    if is_net(made.kind, config):
        made.net = net("Sequential" if isinstance(config, list) else made.kind, config, limits, depth + 1)
        made.net.name = made.name
    inbound = d.get("inbound_nodes") or []
    if not isinstance(inbound, list):
        raise CorruptFile(f"the calls of the layer '{printable(name)}' are no list")
    return made, inbound


def inner(record: Any, limits: Limits, depth: int = 1) -> Layer:
    """The layer that a wrapper's configuration holds."""
    return _layer(record, limits, depth)[0]


def _chain(name: str, layers: dict[str, Layer], config: Mapping[str, Any]) -> Net:
    """Layers one after the other; the first takes the input of the model."""
    order = list(layers.values())
    if not order:
        raise CorruptFile("a sequential model without layers")
    if order[0].kind != "InputLayer":
        given = order[0].config
        first = order[0].net
        shape = given.get("batch_shape") or given.get("batch_input_shape")
        dtype = given.get("input_dtype") or given.get("dtype") or "float32"
        if shape is None and given.get("input_dim") and order[0].kind != "Embedding":
            shape = [None, given["input_dim"]]
        if shape is None and order[0].kind == "Embedding":
            dtype = "float32"
            shape = [None, given.get("input_length")]
        if shape is None and first is not None:
            start = first.inputs[0].layer if first.inputs else ""
            if start not in first.layers:
                raise CorruptFile(f"there is no layer '{printable(start)}'")
            head = first.layers[start].config
            shape = head.get("batch_shape") or head.get("batch_input_shape")
            dtype = head.get("dtype") or dtype
        shape = shape or config.get("build_input_shape")
        start = f"{order[0].name}_input"
        order.insert(0, Layer(start, "InputLayer", "", {"batch_shape": shape, "dtype": dtype, "name": start}))
    for before, layer in pairwise(order):
        layer.calls = [Call([Ref(before.name)], {})]
    return Net(name, {layer.name: layer for layer in order}, [Ref(order[0].name)], [Ref(order[-1].name)], True)


def _ends(x: Any) -> list[Ref]:
    """The inputs or outputs of a net, however they are nested."""
    if isinstance(x, dict):
        x = list(x.values())
    if not isinstance(x, list):
        raise CorruptFile("the inputs or outputs of the model are no list")
    if len(x) == 3 and isinstance(x[0], str) and all(isinstance(n, int) for n in x[1:]):
        return [Ref(*x)]
    return [r for y in x for r in _ends(y)]


def _call(record: Any, layers: Mapping[str, Layer]) -> Call:
    if isinstance(record, dict):
        return Call(_decoded(record.get("args", []), layers), _decoded(record.get("kwargs", {}), layers))
    if not isinstance(record, list):
        raise CorruptFile("a call of a layer is no list")
    if record and isinstance(record[0], str):
        record = [record]
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for item in record:
        if isinstance(item, list) and item and isinstance(item[0], list):  # a nested structure of inputs
            args.append([_old(t, kwargs, layers) for t in item])
        else:
            args.append(_old(item, kwargs, layers))
    return Call(args, kwargs)


def _old(item: Any, kwargs: dict[str, Any], layers: Mapping[str, Layer]) -> Any:
    if item == []:  # of a nested structure: a list of nothing
        return item
    if not isinstance(item, list) or len(item) < 3:
        raise CorruptFile("an input of a layer's call has no layer, call and output")
    if len(item) > 3 and isinstance(item[3], dict):
        kwargs.update({k: _decoded(v, layers) for k, v in item[3].items()})
    if item[0] == "_CONSTANT_VALUE":
        return _decoded(item[2], layers)
    return _ref(item[:3], layers)


def _ref(item: Sequence[Any], layers: Mapping[str, Layer]) -> Ref:
    name, call, output = item
    if not (isinstance(name, str) and isinstance(call, int) and isinstance(output, int)) or call < 0 or output < 0:
        raise CorruptFile("a reference to a layer is malformed")
    if name not in layers:
        raise CorruptFile(f"there is no layer '{printable(name)}'")
    return Ref(name, call, output)


def _decoded(x: Any, layers: Mapping[str, Layer]) -> Any:
    """Nested arguments with references, arrays and slices as objects."""
    if isinstance(x, list):
        if len(x) in (3, 4) and isinstance(x[0], str) and x[0] in layers and all(
                isinstance(n, int) and not isinstance(n, bool) for n in x[1:3]):
            return _ref(x[:3], layers)
        return [_decoded(y, layers) for y in x]
    if not isinstance(x, dict):
        return x
    kind, config = x.get("class_name"), x.get("config")
    if kind == "__keras_tensor__" and isinstance(config, dict):
        return _ref(config.get("keras_history") or (), layers) if len(config.get("keras_history") or ()) == 3 else \
            _no_history()
    if kind in ("__tensor__", "__numpy__") and isinstance(config, dict):
        return array(config.get("value"), config.get("dtype"))
    if kind == "__slice__" and isinstance(config, dict):
        return slice(*(_decoded(config.get(k), layers) for k in ("start", "stop", "step")))
    if kind == "__ellipsis__":
        return Ellipsis
    if kind == "__tuple__":
        return [_decoded(y, layers) for y in x.get("items") or (config or {}).get("items") or []]
    if kind in ("__lambda__", "Lambda"):
        raise lambda_layer("an argument")
    if x.get("type") == "tuple" and isinstance(x.get("items"), list):
        return [_decoded(y, layers) for y in x["items"]]
    if kind == "TypeSpec" or x.get("class_name") == "TensorShape":
        return _decoded(x.get("items") or config, layers)
    return {k: _decoded(v, layers) for k, v in x.items()}


def _no_history() -> Any:
    raise CorruptFile("a tensor of the model comes from no layer")


def array(value: Any, dtype: Any = None) -> Any:
    """An array that a configuration holds."""
    try:
        import ml_dtypes
        found = np.asarray(value, np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else dtype)
    except (TypeError, ValueError, OverflowError) as e:
        raise CorruptFile(f"an array of the configuration: {printable(e, 200)}") from None
    if found.dtype.kind not in "fiubOUV":
        raise CorruptFile(f"an array of the configuration of the type {found.dtype}")
    return found.astype(object) if found.dtype.kind == "U" else found


def lambda_layer(name: str) -> UnsafeModel:
    """The refusal of code inside of a file, with the ways out."""
    return UnsafeModel(f"'{printable(name)}' is a Lambda: Python bytecode inside of the file, which is never run",
                       hint="save the model as a SavedModel (model.export) and convert that, or replace the layer by "
                            "one of keras.ops")


def snake(name: str) -> str:
    """A class name as Keras spells it in the paths of weights: ``Conv2D`` is ``conv2d``, ``ReLU`` is ``re_lu``."""
    if name == "GroupQueryAttention":  # the one class whose public name is not its own
        return "grouped_query_attention"
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


_BOOKKEEPING = frozenset(
    "name trainable dtype batch_input_shape batch_shape input_shape input_dtype autocast seed noise_shape "
    "kernel_initializer bias_initializer implementation unroll unit_forget_bias init W_regularizer b_regularizer "
    "U_regularizer W_constraint b_constraint U_constraint inner_init forget_bias_init weights input_dim input_length "
    "activity_regularizer build_config module registered_name class_name "
    "gptq_unpacked_column_size synchronized momentum renorm_momentum fused "
    "dropout recurrent_dropout p dropout_W dropout_U l1 l2 lora_alpha lora_enabled experimental_run_tf_function "
    "force_generator rng_type ragged sparse optional shared_object_id consume_less".split())
_PATTERN = re.compile(r"(?:\w+_|^)(?:initializer|regularizer|constraint)$")
NONE_COUNTS = frozenset({"axis", "merge_mode", "window"})
"""Attributes of which ``None`` is a choice of its own and not the lack of one."""


def attributes(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a layer's configuration decides what it computes: the one place where bookkeeping is dropped."""
    return {k: v for k, v in config.items()
            if k not in _BOOKKEEPING and not _PATTERN.search(k) and (v is not None or k in NONE_COUNTS)}


def compute_dtype(config: Mapping[str, Any]) -> tuple[str, str]:
    """The element type that a layer computes in, and its quantization (``""``, ``int8``, ...), by its policy."""
    policy = config.get("dtype")
    while isinstance(policy, dict):
        inside = policy.get("config")
        if policy.get("class_name") in ("QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy", "Int4DTypePolicy",
                                        "GPTQDTypePolicy", "AWQDTypePolicy") and isinstance(inside, dict):
            source = inside.get("source_name") or "float32"
            return compute_dtype({"dtype": source})[0], str(inside.get("mode") or "quantized")
        policy = inside.get("name", inside.get("default_policy")) if isinstance(inside, dict) else inside
    text = str(policy or "float32")
    if "_from_" in text:
        mode, _, text = text.partition("_from_")
        return compute_dtype({"dtype": text})[0], mode
    return text.removeprefix("mixed_"), ""
