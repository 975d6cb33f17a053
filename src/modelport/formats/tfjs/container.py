"""Reading TensorFlow.js: ``model.json`` with its weight shards; graph models and layers models.

A graph model is a GraphDef as JSON whose constants lie in the shards: it becomes the raw graph of TensorFlow's
operators that a frozen graph becomes.  The runtime knows no 64-bit numbers: they are read as the 32-bit ones that it
computes with.  A layers model is a configuration of Keras 2 with weights by name.
Source: tfjs-core/src/io/types.ts, io_utils.ts; tfjs-converter/src/executor/graph_model.ts."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format

from ...codecs.limits import DEFAULT, Limits
from ...codecs.mapped import Mapped
from ...codecs.paths import open_beneath
from ...errors import CorruptFile, Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph
from ...ir.tensor import Array, Tensor
from ...ir.types import Type
from ..keras.config import parse
from ..tensorflow.attributes import OPAQUE, dtype_of, shape_of
from ..tensorflow.handles import Result
from ..tensorflow.model import Model
from ..tensorflow.savedmodel import input_type
from ..tensorflow.scope import Body, Scope
from ..tensorflow.tensors import Tensors, message

_JSON = 256 << 20
_STORED = {"float32": "<f4", "int32": "<i4", "bool": "u1", "complex64": "<c8", "float16": "<f2", "uint8": "u1",
           "uint16": "<u2"}
_TYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "complex64": np.complex64}
_NARROW = {2: 1, 4: 3, 5: 3, 6: 3, 9: 3, 14: 1, 17: 3, 19: 1, 22: 3, 23: 3}
"""Numbers of DataType, and of the type that the runtime has in their place."""


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` is the JSON of a model."""
    return head.lstrip()[:1] == b"{" and path.suffix == ".json" and any(
        key in head for key in (b'"modelTopology"', b'"weightsManifest"', b'"graph-model"', b'"layers-model"'))


def read(path: Path, limits: Limits = DEFAULT, *, inputs: str | Sequence[str] = (),
         outputs: str | Sequence[str] = ()) -> Graph:
    """The raw graph of the model whose ``model.json`` is ``path``, or in the folder ``path``.

    ``inputs`` and ``outputs`` name tensors of a graph model in place of those of its signature."""
    path = Path(path)
    if path.is_dir():
        path = path / "model.json"
    try:
        return _read(path, limits, _names(inputs), _names(outputs))
    except CorruptFile as e:
        raise e.at(path) from None
    except Unsupported as e:
        raise UnsupportedModel([e], "a graph of tensors", path.name) from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as e:
        raise CorruptFile(f"its parts do not fit together ({type(e).__name__}: {printable(e, 200)})", path=path) from e


def _names(given: str | Sequence[str]) -> list[str]:
    listed = given.split(",") if isinstance(given, str) else list(given)
    return [n.strip() for n in listed if n.strip()]


def _read(path: Path, limits: Limits, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    file = Mapped(path, limits)
    if file.size > _JSON:
        limits.check("expanded_bytes", file.size * 32)
    whole = parse(bytes(file.view), limits, "model.json")
    if not isinstance(whole, dict) or not isinstance(whole.get("modelTopology"), dict):
        raise CorruptFile("no model.json: it has no modelTopology")
    topology = whole["modelTopology"]
    weights = Weights(path.parent, whole.get("weightsManifest") or [], limits)
    if "node" in topology or whole.get("format") == "graph-model":
        return _graph_model(whole, topology, weights, path, limits, inputs, outputs)
    if inputs or outputs:
        raise UsageError("the inputs and outputs of a layers model can't be chosen")
    return _layers_model(topology, weights, path, limits)


# ------------------------------------------------------------------------------------------------- weights


@dataclass
class Weight:
    """One entry of the manifest, and where its bytes are."""

    name: str
    entry: Mapping[str, Any]
    group: Group
    start: int

    def tensor(self) -> Tensor:
        return self.group.tensor(self)


class Group:
    """Shards one after the other; a weight may lie across their borders."""

    def __init__(self, folder: Path, paths: Sequence[Any], limits: Limits) -> None:
        self.limits = limits
        self.shards: list[Mapped] = []
        self.starts: list[int] = []
        total = 0
        for p in paths:
            if not isinstance(p, str):
                raise CorruptFile("a path of a shard that is no text")
            shard = Mapped(folder / p, limits, fd=open_beneath(folder, p))
            self.shards.append(shard)
            self.starts.append(total)
            total += shard.size
        self.size = limits.check("file_bytes", total)

    def piece(self, start: int, end: int, what: str) -> memoryview:
        if not 0 <= start <= end <= self.size:
            raise CorruptFile(f"{what} needs bytes {start} to {end} of {self.size}")
        parts = [shard.view[max(start - at, 0):max(end - at, 0)] for shard, at in zip(
            self.shards, self.starts, strict=True) if at < end and at + shard.size > start]
        return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))

    def tensor(self, weight: Weight) -> Tensor:
        """A weight, decoded where it is stored in fewer bits: ``value = stored * scale + min``."""
        entry, what = weight.entry, f"weight '{weight.name}'"
        shape = _shape(entry, self.limits)
        kind, size = str(entry["dtype"]), math.prod(shape)
        if kind == "string":
            return Tensor(_strings(self, weight, size).reshape(shape))
        stored, quantization = _stored(entry)
        raw = self.piece(weight.start, weight.start + size * np.dtype(stored).itemsize, what)
        dtype = np.dtype(_TYPES[kind])
        type = Type(dtype, shape)
        if not quantization and kind != "bool":
            return Tensor(lambda: np.frombuffer(raw, stored).reshape(shape), type, raw)
        self.limits.check("expanded_bytes", size * dtype.itemsize)
        if not quantization or quantization["dtype"] == "float16":
            return Tensor(lambda: np.frombuffer(raw, stored).reshape(shape).astype(dtype), type)
        scale, least = float(quantization["scale"]), float(quantization["min"])
        if not (math.isfinite(scale) and math.isfinite(least)):
            raise CorruptFile(f"{what} is stored with a scale that is no number")

        def decode() -> Array:
            made = np.frombuffer(raw, stored).reshape(shape).astype(np.float64) * scale + least
            return (np.floor(made + 0.5) if kind == "int32" else made).astype(dtype)  # Math.round
        return Tensor(decode, type)


def _shape(entry: Mapping[str, Any], limits: Limits) -> tuple[int, ...]:
    dims = entry["shape"]
    limits.check("rank", len(dims))
    if any(not isinstance(d, int) or isinstance(d, bool) or d < 0 for d in dims):
        raise CorruptFile(f"a weight of shape {printable(dims)}")
    limits.check("elements", math.prod(d for d in dims if d))
    return tuple(dims)


def _stored(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    quantization = entry.get("quantization")
    kind = quantization["dtype"] if quantization else entry["dtype"]
    if entry["dtype"] not in _TYPES or kind not in _STORED:
        raise CorruptFile(f"a weight of type {printable(entry['dtype'])}, stored as {printable(kind)}")
    return _STORED[kind], quantization


def _strings(group: Group, weight: Weight, count: int) -> Array:
    """Texts: their length as 4 bytes, then their bytes."""
    if count * 4 > group.size:
        raise CorruptFile(f"weight '{weight.name}' of {count} texts is longer than the shards")
    out, at = np.empty(count, object), weight.start
    for k in range(count):
        n = int.from_bytes(group.piece(at, at + 4, "a text"), "little")
        out[k] = bytes(group.piece(at + 4, at + 4 + n, "a text")).decode("utf-8", "surrogateescape")
        at += 4 + n
    return out


class Weights:
    """All weights by name."""

    def __init__(self, folder: Path, manifest: Any, limits: Limits) -> None:
        self.by_name: dict[str, Weight] = {}
        if not isinstance(manifest, list):
            raise CorruptFile("the manifest of the weights is no list")
        for part in manifest:
            group = Group(folder, part["paths"], limits)
            at = 0
            limits.check("tensors", len(self.by_name) + len(part["weights"]))
            for entry in part["weights"]:
                name = entry["name"]
                if not isinstance(name, str) or name in self.by_name:
                    raise CorruptFile(f"two weights are named '{printable(name)}'")
                weight = self.by_name[name] = Weight(name, entry, group, at)
                size = math.prod(_shape(entry, limits))
                if entry["dtype"] == "string":
                    for text in _strings(group, weight, size):
                        at += 4 + len(str(text).encode("utf-8", "surrogateescape"))
                else:
                    at += size * np.dtype(_stored(entry)[0]).itemsize
                if at > group.size:
                    raise CorruptFile(f"weight '{name}' ends at byte {at} of shards of {group.size}")
            if at != group.size:
                raise CorruptFile(f"shards of {group.size} bytes for weights of {at}")


# -------------------------------------------------------------------------------------------- graph models


def _message(topology: Any, name: str = "GraphDef") -> Any:
    proto = message(name)()
    try:
        json_format.ParseDict(topology, proto, ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError) as e:
        raise CorruptFile(f"no {name} as JSON: {printable(e, 200)}") from None
    return proto


def _narrowed(graph: Any) -> None:
    """Element types as the runtime has them."""
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    for node in nodes:
        for name, v in node.attr.items():
            kind = v.WhichOneof("value")
            if kind == "type" and v.type in _NARROW and not (node.op == "Cast" and name == "SrcT"):
                v.type = _NARROW[v.type]
            elif kind == "list" and len(v.list.type):
                v.list.type[:] = [_NARROW.get(t, t) for t in v.list.type]
        if node.op in ("ArgMax", "ArgMin"):
            node.attr["output_type"].type = 3


def _graph_model(whole: Mapping[str, Any], topology: Any, weights: Weights, path: Path, limits: Limits,
                 inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    graph = _message(topology)
    _narrowed(graph)
    tensors = Tensors(None, limits, path)
    constants = {name: w.tensor() for name, w in weights.by_name.items()}
    model = Model(graph, tensors, limits, path.parent, None, constants)
    signature = whole.get("signature") or (whole.get("userDefinedMetadata") or {}).get("signature") or {}
    handles = _tables(whole, model, constants, signature)
    if inputs or outputs or not signature.get("outputs"):
        from ..tensorflow.frozen import read_model
        made = read_model(model, inputs, outputs, False)
    else:
        ins = {}
        for key, info in (signature.get("inputs") or {}).items():
            proto = _message({k: v for k, v in info.items() if k in ("name", "dtype", "tensorShape")}, "TensorInfo")
            if "resourceId" in info or dtype_of(proto.dtype) == OPAQUE or proto.name.partition(":")[0] in handles:
                continue
            shape = shape_of(proto.tensor_shape) if "tensorShape" in info else None
            ins[key] = (proto.name, input_type(key, dtype_of(_NARROW.get(proto.dtype, proto.dtype)), shape))
        outs = [(key, str(info["name"])) for key, info in signature["outputs"].items()]
        made = model.trace(ins, outs, False, handles)
    return made.with_(meta={**made.meta, "tfjs:format": "graph-model"})


def _tables(whole: Mapping[str, Any], model: Model, constants: Mapping[str, Tensor],
            signature: Mapping[str, Any]) -> dict[str, Result]:
    """The tables that an initialiser of the model fills, by the names of the placeholders that take them."""
    if "modelInitializer" not in whole:
        return {}
    graph = _message(whole["modelInitializer"])
    start = Model(graph, model.tensors, model.limits, None, None, constants)
    names = [n.name for n in graph.node]
    start.check(names, frozenset(), "its initialiser")
    start.execute(names, {n.name: [] for n in graph.node if n.op == "NoOp"}, "the value")
    found: dict[str, Result] = {}
    made = (whole.get("initializerSignature") or {}).get("outputs") or {}
    by_id = {}
    for info in made.values():
        scope = Scope(start, start.names, Body())
        by_id[str(info.get("resourceId", info["name"]))] = scope.get(str(info["name"]))
    for info in (signature.get("inputs") or {}).values():
        key = str(info.get("resourceId", info["name"]))
        if key in by_id:
            found[str(info["name"]).partition(":")[0]] = by_id[key]
    return found


# ------------------------------------------------------------------------------------------- layers models


def _layers_model(topology: Mapping[str, Any], weights: Weights, path: Path, limits: Limits) -> Graph:
    from ..keras.graph import Reader
    from ..keras.weights import Names
    config: Any = topology.get("model_config", topology)
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise CorruptFile("the configuration of the model has no class name")
    layers: dict[str, list[Any]] = {}
    for name, w in weights.by_name.items():
        layers.setdefault(name.partition("/")[0], []).append((name, w))
    reader = Reader(limits, str(topology.get("keras_version", "2")), "tensorflow", False)
    made: Graph = reader.model(config["class_name"], config.get("config"), Names([], layers))
    return made.with_(meta={**made.meta, "tfjs:format": "layers-model"})
