"""Small models for the tests of this folder."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from modelport.formats import onnx as format_onnx
from modelport.ir.graph import Graph

X = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)


def model(nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Any], outputs: Sequence[str], opset: int = 28, *,
          initializers: Mapping[str, Any] | None = None, ml: int = 0, ir: int = 0, **fields: Any) -> onnx.ModelProto:
    """A model on inputs of the types of these arrays; its outputs have no stated type."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
         for k, v in inputs.items()],
        [onnx.ValueInfoProto(name=o) for o in outputs],
        [onnx.numpy_helper.from_array(v, k) for k, v in (initializers or {}).items()])
    imports = [helper.make_opsetid("", opset), *([helper.make_opsetid("ai.onnx.ml", ml)] if ml else [])]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir or 8, **fields)


def load(folder: Path, proto: onnx.ModelProto) -> Graph:
    """The raw graph of a model, read from a file."""
    (folder / "source.onnx").write_bytes(proto.SerializeToString())
    return format_onnx.read(folder / "source.onnx")


def save(folder: Path, raw: Graph, **options: Any) -> Path:
    path = folder / "target.onnx"
    format_onnx.write(raw, path, **options)
    if all(v.rank is not None for v in raw.outputs.values()):  # the checker wants shapes, the specification does not
        onnx.checker.check_model(str(path))
    return path


def convert(folder: Path, proto: onnx.ModelProto, opset: int | None = None) -> onnx.ModelProto:
    """The model through reader, hub and writer."""
    return onnx.load(save(folder, format_onnx.from_hub(format_onnx.to_hub(load(folder, proto)), opset)))


def run(proto: onnx.ModelProto | Path, inputs: Mapping[str, Any]) -> list[Any]:
    """The outputs by ONNX Runtime, without its optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    source = str(proto) if isinstance(proto, Path) else proto.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(inputs)))


def same(got: Sequence[Any], expected: Sequence[Any], rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Equal but for the order in which float32 sums are taken."""
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert np.asarray(g).dtype == np.asarray(e).dtype
        if np.asarray(e).dtype.kind == "f":
            np.testing.assert_allclose(g, e, rtol=rtol, atol=atol)
        else:
            np.testing.assert_array_equal(g, e)
