"""Writing a raw graph as a .tflite file.

Source: tensorflow/lite/schema/schema.fbs, version 3."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs.flatbuffer import Writer, schema
from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import STRING, Type
from . import metadata
from .schedule import schedule
from .scope import BODIES
from .since import oldest
from .state import UPDATED
from .tensors import NAMES, pack_strings
from .versions import version

OPTIONS: dict[str, str] = {
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "CONV_3D": "Conv3DOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions", "AVERAGE_POOL_2D": "Pool2DOptions", "MAX_POOL_2D": "Pool2DOptions",
    "L2_POOL_2D": "Pool2DOptions", "L2_NORMALIZATION": "L2NormOptions", "LOGICAL_AND": "LogicalAndOptions",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalizationOptions", "UNIDIRECTIONAL_SEQUENCE_LSTM":
    "UnidirectionalSequenceLSTMOptions", "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalSequenceLSTMOptions",
    "LSTM": "LSTMOptions", "SVDF": "SVDFOptions", "RNN": "RNNOptions", "UNIDIRECTIONAL_SEQUENCE_RNN":
    "SequenceRNNOptions", "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSequenceRNNOptions", "PADV2": "PadV2Options",
    "MEAN": "ReducerOptions", "SUM": "ReducerOptions", "REDUCE_PROD": "ReducerOptions", "REDUCE_MAX":
    "ReducerOptions", "REDUCE_MIN": "ReducerOptions", "REDUCE_ANY": "ReducerOptions", "REDUCE_ALL": "ReducerOptions",
    "MAXIMUM": "MaximumMinimumOptions", "MINIMUM": "MaximumMinimumOptions", "RANDOM_UNIFORM": "RandomOptions",
    "RANDOM_STANDARD_NORMAL": "RandomOptions", "MULTINOMIAL": "RandomOptions", "CUSTOM": "NONE"}
"""Operators whose table of options is not named after them."""


INPUTS = {"FULLY_CONNECTED": 3, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3}
"""How many inputs a node names at least: an absent bias is named as such, as the first versions have it."""


@cache
def options_of(op: str) -> tuple[str, str]:
    """The field of an operator that holds its options, and the name of their table; empty if it has none."""
    unions = schema("tflite").unions
    name = OPTIONS.get(op)
    if name is None:
        plain = op.replace("_", "").lower() + "options"
        found = {m.lower(): m for m in (*unions["BuiltinOptions"], *unions["BuiltinOptions2"])}
        name = found.get(plain, "")
    if name in unions["BuiltinOptions"]:
        return "builtin_options", name
    return ("builtin_options_2", name) if name in unions["BuiltinOptions2"] else ("", "")


def write(raw: Graph, path: Path, *, versions: Mapping[str, int] | None = None, external: bool | None = None) -> None:
    """Writes ``raw`` with one signature, ``serving_default``, that has the names of its inputs and outputs.

    ``versions`` are the versions of operators, by default the lowest that has what each node needs.  Buffers lie
    behind the FlatBuffer with ``external``, by default where they would not fit into its 2 GiB."""
    file = _File(raw, dict(versions or {}))
    file.write(path, external)
    metadata.append(path, file.associated)


class _File:
    def __init__(self, raw: Graph, versions: Mapping[str, int]) -> None:
        self.versions = versions
        self.codes: dict[tuple[str, int], int] = {}
        self.buffers: list[Tensor | bytes | None] = [None]
        self.shared: dict[int, int] = {}
        self._alike: dict[tuple[Any, ...], list[int]] = {}
        self.subgraphs: list[dict[str, Any]] = []
        self._keep: list[Tensor] = []
        self.description = raw.meta.get("tflite:description") or raw.meta.get("onnx:doc_string", "")
        self.maps = self._graph(raw)
        self.metadata: list[dict[str, Any]] = []
        about, self.associated = metadata.build(raw.meta, raw)
        runtime = metadata.version(oldest(self.codes))
        for name, content in (("min_runtime_version", runtime), ("TFLITE_METADATA", about)):
            if content:
                self.metadata.append({"name": name, "buffer": len(self.buffers)})
                self.buffers.append(content)

    def write(self, path: Path, external: bool | None) -> None:
        sizes = [0 if b is None else len(b) if isinstance(b, bytes) else b.nbytes for b in self.buffers]
        if external is None:
            external = sum(sizes) > (1 << 31) - (64 << 20)
        with open(path, "wb") as f:
            if not external:
                Writer(schema("tflite")).write(self._model([{} if b is None else {"data": b} for b in self.buffers]), f)
                return
            places: list[tuple[int, int]] = [(2, 2 if s else 0) for s in sizes]
            for _ in range(2):  # the first layout finds how long the FlatBuffer is: the numbers take the same room
                writer = Writer(schema("tflite"))
                writer.layout(self._model([{"offset": o, "size": s} if s else {} for o, s in places]))
                at, places = len(writer.head), []
                for s in sizes:
                    at = -(-at // 16) * 16
                    places.append((at, s))
                    at += s
            f.write(writer.head)
            for b, (offset, _) in zip(self.buffers, places, strict=True):
                if b is not None:
                    f.write(bytes(offset - f.tell()))
                    f.write(b) if isinstance(b, bytes) else b.copy_to(f)

    def _model(self, buffers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        codes = []
        for (op, number), _ in sorted(self.codes.items(), key=lambda e: e[1]):
            numbers = schema("tflite").enums["BuiltinOperator"]
            custom = "Flex" + op[5:] if op.startswith("flex.") else op[7:] if op.startswith("custom.") else None
            code = numbers["CUSTOM"] if custom is not None else numbers[op]
            codes.append({"deprecated_builtin_code": min(code, 127), "builtin_code": code, "version": number,
                          "custom_code": custom})
        return {"version": 3, "description": self.description, "operator_codes": codes, "subgraphs": self.subgraphs,
                "buffers": buffers, "metadata": self.metadata or None,
                "signature_defs": [{"signature_key": "serving_default", **self.maps}]}

    def _graph(self, graph: Graph) -> dict[str, list[dict[str, Any]]]:
        """Adds a graph and those inside it; the names of its inputs and outputs with their tensors."""
        here: dict[str, Any] = {"name": graph.name}
        self.subgraphs.append(here)
        tensors: list[dict[str, Any]] = []
        index: dict[Value, int] = {}
        names = {v: k for k, v in [*graph.outputs.items(), *graph.inputs.items()]}

        def tensor(v: Value | None, variable: bool = False) -> int:
            if v is None:
                return -1
            if v not in index:
                index[v] = len(tensors)
                tensors.append(self._tensor(v, names.get(v) or v.name or f"tensor_{len(tensors)}", variable))
            return index[v]

        inputs = [tensor(v) for v in graph.inputs.values()]
        operators = [self._operator(n, tensor) for n in schedule(graph)]
        outputs = [tensor(v) for v in graph.outputs.values()]
        here.update(tensors=tensors, inputs=inputs, outputs=outputs, operators=operators)
        return {"inputs": [{"name": k, "tensor_index": i} for k, i in zip(graph.inputs, inputs, strict=True)],
                "outputs": [{"name": k, "tensor_index": i} for k, i in zip(graph.outputs, outputs, strict=True)]}

    def _operator(self, n: Node, tensor: Callable[..., int]) -> dict[str, Any]:
        key = (n.op, self.versions.get(n.op) or version(n))
        code = self.codes.setdefault(key, len(self.codes))
        updated = UPDATED.get(n.op, ())
        own = len(n.outputs) - sum(p < len(n.inputs) and n.inputs[p] is not None for p in updated)
        inputs = (*n.inputs, *[None] * (INPUTS.get(n.op, 0) - len(n.inputs)))
        o: dict[str, Any] = {"opcode_index": code, "outputs": [tensor(v) for v in n.outputs[:max(own, 1)]],
                             "inputs": [tensor(v, k in updated) for k, v in enumerate(inputs)]}
        attrs = dict(n.attrs)
        o["custom_options"] = attrs.pop("custom_options", None)
        if attrs.get("intermediates"):
            o["intermediates"] = [tensor(Value(Type(np.dtype(np.float32 if q is None else np.int8), (0,), q)))
                                  for q in attrs["intermediates"]]
        attrs.pop("intermediates", None)
        for name, body in n.bodies.items():
            del attrs[name]
            attrs[next((k for k, v in BODIES.items() if v == name), f"{name}_subgraph_index")] = len(self.subgraphs)
            self._graph(body)
        field, options = options_of(n.op)
        if options:
            o[field + "_type"], o[field] = options, attrs
        elif attrs:
            raise UnsupportedModel([Unsupported(f"attributes {sorted(attrs)} have no table", n)], "TensorFlow Lite")
        return o

    def _tensor(self, v: Value, name: str, variable: bool) -> dict[str, Any]:
        if v.dtype not in NAMES:
            raise UnsupportedModel([Unsupported(f"element type {v.dtype}", v.node)], "TensorFlow Lite")
        dims = [d if isinstance(d, int) else 1 for d in v.shape or ()]
        t: dict[str, Any] = {"name": name, "type": NAMES[v.dtype], "shape": dims, "buffer": self._buffer(v, variable),
                             "is_variable": variable, "quantization": _quantization(v.type)}
        if v.shape is not None:
            t["has_rank"] = True
            if not v.type.static:
                t["shape_signature"] = [d if isinstance(d, int) else -1 for d in v.shape]
        return t

    def _buffer(self, v: Value, variable: bool) -> int:
        if v.data is None or variable:
            return 0
        if id(v.data) not in self.shared:
            self._keep.append(v.data)
            content = pack_strings(v.numpy()) if v.dtype == STRING else v.data
            self.shared[id(v.data)] = self._equal(content)
        return self.shared[id(v.data)]

    def _equal(self, content: Tensor | bytes) -> int:
        """The buffer that holds the same, an earlier one if there is one."""
        alike = self._alike.setdefault(_sample(content), [])
        for index in alike:
            if _same(self.buffers[index], content):
                return index
        alike.append(len(self.buffers))
        self.buffers.append(content)
        return alike[-1]


_SAMPLED = 256


def _sample(content: Tensor | bytes) -> tuple[Any, ...]:
    """What equal contents have in common, found without reading much."""
    if isinstance(content, bytes):
        return "bytes", len(content), content[:_SAMPLED]
    array = content.numpy()
    some = np.array(array.flat[::max(1, array.size // _SAMPLED)])
    return content.type.dtype.name, array.size, some.tobytes()


def _same(a: Tensor | bytes | None, b: Tensor | bytes) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        x, y = (np.ascontiguousarray(t.numpy()).reshape(-1) for t in (a, b))
        return bool(np.array_equal(x.view(np.uint8), y.view(np.uint8)))
    return isinstance(a, bytes) and a == b


def _quantization(type: Type) -> dict[str, Any] | None:
    q = type.quant
    if q is None:
        return None
    return {"scale": np.atleast_1d(q.scale), "zero_point": np.atleast_1d(q.zero_point).astype(np.int64),
            "quantized_dimension": q.axis or 0}
