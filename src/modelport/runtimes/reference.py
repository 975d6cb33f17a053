"""ONNX's reference evaluator, in the model's own precision or in float64.

The float64 evaluation is what rounding errors are measured against: the same operators on the same weights, each
result exact to about 1e-16.  Slow; for small models and for single feeds of larger ones."""
from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, numpy_helper

from ..errors import RuntimeFailed, Unsupported, UsageError
from ..hub.infer import from_proto
from ..ir.tensor import Array
from ..ir.types import STRING
from .session import Session, as_text

SMALL = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}
"""The element types that float64 evaluation widens."""


def start(path: Path | bytes, *, threads: int = 1, device: str = "cpu", float64: bool = False) -> Session:
    """The .onnx at ``path`` (or its bytes) in ONNX's reference evaluator; ``float64`` widens every float.

    With ``float64`` the inputs and outputs are float64 as well.  Threads are accepted and not used."""
    if device != "cpu":
        raise UsageError("the reference evaluator runs on the cpu")
    return Reference(path, float64=float64)


class Reference(Session):
    """A model in ``onnx.reference.ReferenceEvaluator``."""

    name = "ONNX reference evaluator"

    def __init__(self, path: Path | bytes, *, float64: bool) -> None:
        from onnx.reference import ReferenceEvaluator
        self.version = str(onnx.__version__)
        self.settings = "cpu, float64" if float64 else "cpu"
        try:
            model = onnx.load_from_string(path) if isinstance(path, bytes) else onnx.load(str(path))
            if float64:
                model = widened(model)
            constants = {t.name for t in model.graph.initializer}
            self.inputs = {v.name: from_proto(v.type) for v in model.graph.input if v.name not in constants}
            self.outputs = {v.name: from_proto(v.type) for v in model.graph.output}
            self._model: Any = ReferenceEvaluator(model)
        except Unsupported as e:
            raise RuntimeFailed(f"the reference evaluator refuses the model: {e.reason}") from None
        except Exception as e:
            raise RuntimeFailed(f"the reference evaluator refuses the model: {_message(e)}") from None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = self._model.run(list(self.outputs), arrays)
        except Exception as e:
            raise RuntimeFailed(f"the reference evaluator failed: {_message(e)}") from None
        out = {}
        for (name, type), array in zip(self.outputs.items(), made, strict=True):
            if not isinstance(array, (np.ndarray, np.generic, int, float, bool)):
                raise RuntimeFailed(f"the reference evaluator delivers no tensor for '{name}'")
            out[name] = as_text(np.asarray(array)) if type.dtype == STRING else np.asarray(array)
        return out

    def close(self) -> None:
        self._model = None


def _message(e: Exception) -> str:
    return f"{type(e).__name__}: {' '.join(str(e).split())[:600]}"


def widened(model: ModelProto) -> ModelProto:
    """A copy of ``model`` in which everything of float32, float16 and bfloat16 is float64.

    QuantizeLinear and its kin keep their integers: only the real numbers between them are wider."""
    wide = ModelProto()
    wide.CopyFrom(model)
    _widen_graph(wide.graph)
    for f in wide.functions:
        for node in f.node:
            _widen_node(node)
    return wide


def _widen_graph(graph: GraphProto) -> None:
    for k, t in enumerate(graph.initializer):
        if t.data_type in SMALL:
            graph.initializer[k].CopyFrom(_widen_tensor(t))
    for v in (*graph.input, *graph.output, *graph.value_info):
        if v.type.tensor_type.elem_type in SMALL:
            v.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        _widen_node(node)


def _widen_node(node: Any) -> None:
    for a in node.attribute:
        if a.type == AttributeProto.TENSOR and a.t.data_type in SMALL:
            a.t.CopyFrom(_widen_tensor(a.t))
        elif a.type == AttributeProto.GRAPH:
            _widen_graph(a.g)
        elif a.type == AttributeProto.INT and a.name in ("to", "dtype", "output_dtype", "stash_type", "precision",
                                                         "softmax_precision") and a.i in SMALL:
            a.i = TensorProto.DOUBLE
    if node.op_type == "Constant":  # the short forms of a constant are float32 by definition
        for a in node.attribute:
            if a.name in ("value_float", "value_floats"):
                values = np.array(a.f if a.name == "value_float" else list(a.floats), np.float64)
                a.Clear()
                a.name, a.type = "value", AttributeProto.TENSOR
                a.t.CopyFrom(numpy_helper.from_array(values))
    if node.op_type == "ConstantOfShape" and not node.attribute:
        node.attribute.append(onnx.helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))


def _widen_tensor(t: TensorProto) -> TensorProto:
    made: TensorProto = numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float64), t.name)
    return made

