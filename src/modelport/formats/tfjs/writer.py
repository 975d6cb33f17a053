"""Writes graph models: a folder with ``model.json`` and the weights in shards of 4 MB.

Source: @tensorflow/tfjs-core, src/io/types.ts; the affine scheme is that of tensorflowjs/quantization.py."""
from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Array, Tensor
from ...ir.types import STRING, DType
from ..tensorflow.graphdef import PRODUCER, Encoder, Item, number_of, put_shape
from ..tensorflow.tensors import message
from .lower import QUANTIZE

SHARD = 4 << 20
_DTYPES = {"float32": "float32", "int32": "int32", "bool": "bool", "object": "string", "complex64": "complex64"}
_QUANTIZED: dict[str, DType] = {"uint8": np.dtype("u1"), "uint16": np.dtype("<u2"), "float16": np.dtype("<f2")}
_LARGE = 256  # elements from which a weight is quantized: tables and factors of a few numbers stay exact


def write(raw: Graph, path: Path) -> None:
    """The graph model in the folder ``path``."""
    from google.protobuf import json_format
    path.mkdir()
    encoder = Encoder(full=True, streamed=0)
    items, ins, outs = encoder.graph(raw)
    functions = []
    for head, inner in encoder.library.functions.values():
        whole = message("FunctionDef")()
        whole.CopyFrom(head)
        whole.node_def.extend(_bare(i) for i in inner)
        functions.append(whole)
    graph = message("GraphDef")(node=[_bare(i) for i in items])
    graph.versions.producer = PRODUCER
    graph.library.function.extend(functions)
    topology = _stated(json_format.MessageToDict(graph))
    weights = _Weights(encoder.constants, raw.meta.get(QUANTIZE, ""))
    model = {
        "format": "graph-model", "generatedBy": "modelport", "convertedBy": f"modelport {__version__}",
        "signature": {"inputs": _said(ins, raw.inputs), "outputs": _said(outs, raw.outputs)},
        "modelTopology": topology,
        "weightsManifest": [{"paths": weights.paths, "weights": weights.specs}]}
    (path / "model.json").write_text(json.dumps(model, sort_keys=True, separators=(",", ":")), "utf-8")
    weights.write(path)


def _stated(topology: dict[str, Any]) -> dict[str, Any]:
    """The topology with what JSON leaves out and TensorFlow.js reads: sizes of zero, lists of nothing."""
    def shapes(entry: Any) -> None:
        if isinstance(entry, dict):
            for key, inner in entry.items():
                if key == "dim":
                    for d in inner:
                        d.setdefault("size", "0")
                else:
                    shapes(inner)
        elif isinstance(entry, list):
            for inner in entry:
                shapes(inner)
    shapes(topology)
    for function in topology.get("library", {}).get("function", ()):
        function.setdefault("nodeDef", [])
        for key in ("inputArg", "outputArg"):
            function["signature"].setdefault(key, [])
    return topology


def _bare(item: Item) -> Any:
    """A node; of a constant its type and shape only, its elements are a weight."""
    node = item.node
    if node.op != "Const":
        return node
    made = message("NodeDef")()
    made.CopyFrom(node)
    tensor = made.attr["value"].tensor
    tensor.Clear()
    tensor.dtype = node.attr["dtype"].type
    put_shape(tensor.tensor_shape, item.data.type.shape if item.data is not None
              else tuple(d.size for d in node.attr["value"].tensor.tensor_shape.dim))
    return made


def _said(nodes: Mapping[str, str], values: Mapping[str, Value]) -> dict[str, Any]:
    """The inputs or outputs of the signature."""
    names = {v.number: v.name for v in message("TensorProto").DESCRIPTOR.fields_by_name["dtype"].enum_type.values}
    made = {}
    for k, v in values.items():
        entry: dict[str, Any] = {"name": f"{nodes[k]}:0", "dtype": names[number_of(v.dtype)]}
        if v.shape is not None:
            entry["tensorShape"] = {"dim": [{"size": str(d if isinstance(d, int) else -1)} for d in v.shape]}
        made[k] = entry
    return made


class _Weights:
    """The weights: what the manifest says of them, and their bytes."""

    def __init__(self, constants: Mapping[str, Tensor], quantize: str) -> None:
        self._data: list[tuple[Tensor, dict[str, Any]]] = []
        self.specs: list[dict[str, Any]] = []
        total = 0
        for name, data in constants.items():
            if data.type.dtype.name not in _DTYPES:
                raise UnsupportedModel([Unsupported(f"element type {data.type.dtype}", Node("Const", [], {}, [],
                                                                                          name=name))], "TensorFlow.js")
            spec: dict[str, Any] = {"name": name, "shape": list(data.type.shape or ()),
                                    "dtype": _DTYPES[data.type.dtype.name]}
            if quantize and data.type.dtype == np.float32 and (data.type.size or 0) >= _LARGE:
                spec["quantization"] = _scheme(data.numpy(), quantize)
            self.specs.append(spec)
            self._data.append((data, spec))
            total += _size(data, spec)
        count = max(1, -(-total // SHARD))
        self.paths = [f"group1-shard{k + 1}of{count}.bin" for k in range(count)]

    def write(self, folder: Path) -> None:
        out = _Shards([folder / p for p in self.paths])
        for data, spec in self._data:
            if data.type.dtype == STRING:
                for text in data.numpy().ravel():
                    body = str(text).encode("utf-8", "surrogateescape")
                    out.write(len(body).to_bytes(4, "little") + body)
            elif "quantization" in spec:
                out.write(np.ascontiguousarray(_stored(data.numpy(), spec["quantization"])).reshape(-1).view(np.uint8))
            else:
                data.copy_to(out)  # type: ignore[arg-type]  # of a file it takes what there is
        out.close()


def _size(data: Tensor, spec: Mapping[str, Any]) -> int:
    if data.type.dtype == STRING:
        return data.nbytes + 4 * (data.type.size or 0)
    if "quantization" in spec:
        return math.prod(spec["shape"]) * _QUANTIZED[spec["quantization"]["dtype"]].itemsize
    return data.nbytes


def _scheme(array: Array, quantize: str) -> dict[str, Any]:
    """Numbers as ``q * scale + min``; ``min`` is nudged so that zero is exact."""
    if not np.isfinite(array).all():
        raise UnsupportedModel([Unsupported("a weight that is not finite can't be quantized",
                                            Node("Const", [], {}, []))], "TensorFlow.js")
    if quantize == "float16":
        return {"dtype": "float16", "original_dtype": "float32"}
    most = np.iinfo(_QUANTIZED[quantize]).max
    low, high = float(array.min()), float(array.max())
    if low == high:
        return {"dtype": quantize, "min": low, "scale": 1.0, "original_dtype": "float32"}
    scale = (high - low) / most
    if low <= 0 <= high:
        low = -round(-low / scale) * scale
    return {"dtype": quantize, "min": low, "scale": scale, "original_dtype": "float32"}


def _stored(array: Array, scheme: Mapping[str, Any]) -> Array:
    """The numbers that stand for the elements."""
    dtype = _QUANTIZED[scheme["dtype"]]
    if scheme["dtype"] == "float16":
        with np.errstate(over="ignore"):
            return np.clip(array, -65504, 65504).astype(dtype)
    q = np.round((array.astype(np.float64) - scheme["min"]) / scheme["scale"])
    made: Array = np.clip(q, 0, np.iinfo(dtype).max).astype(dtype)
    return made


class _Shards:
    """Files of :data:`SHARD` bytes, one after the other, as one that is written to."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = iter(paths)
        self._file = open(next(self._paths), "wb")  # noqa: SIM115  (closed by close)
        self._left = SHARD

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        at = 0
        while at < len(view):
            if not self._left:
                self._file.close()
                self._file = open(next(self._paths), "wb")  # noqa: SIM115
                self._left = SHARD
            piece = view[at:at + self._left]
            self._file.write(piece)
            at, self._left = at + len(piece), self._left - len(piece)
        return len(view)

    def writelines(self, pieces: Iterable[Any]) -> None:
        for piece in pieces:
            self.write(piece)

    def fileno(self) -> int:
        raise OSError("several files are no file")

    def close(self) -> None:
        self._file.close()
