"""One operator of ai.onnx.ml as a file: run by ONNX Runtime's own kernel, and decomposed."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from modelport.formats import onnx as format_onnx
from modelport.formats.onnx.functions import expand
from modelport.hub.decompose import decompose, rules
from modelport.ir.graph import Graph

OLD = tuple(map(int, ort.__version__.split(".")[:2])) < (1, 24)
NO_LOGISTIC = "ONNX Runtime 1.23, the newest for Python 3.10, leaves LOGISTIC out where two labels share one score"


def session(model: bytes) -> ort.InferenceSession:
    """One thread: kernels that sum in threads sum in another order."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def model(op: str, inputs: Sequence[np.ndarray], outputs: int, version: int, **attrs: Any) -> bytes:
    """A model of one node, on a batch of any size."""
    ins = [f"i{k}" for k in range(len(inputs))]
    outs = [f"o{k}" for k in range(outputs)]
    node = helper.make_node(op, ins, outs, domain="ai.onnx.ml", **attrs)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), ("n", *a.shape[1:]))
         for n, a in zip(ins, inputs, strict=True)], [helper.make_empty_tensor_value_info(o) for o in outs])
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", version)]
    made: bytes = helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()
    return made


def decomposed(hub: Graph) -> Graph:
    """The graph without any operator of ai.onnx.ml."""
    return decompose(hub, lambda n: not n.op.startswith("ai.onnx.ml."), rules, expand, target="tensor operators")


def both(folder: Path, op: str, inputs: Sequence[np.ndarray], outputs: int = 1, version: int = 3,
         **attrs: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the kernel computes and what the decomposition does."""
    own = model(op, inputs, outputs, version, **attrs)
    feeds = {f"i{k}": a for k, a in enumerate(inputs)}
    want = session(own).run(None, feeds)
    (folder / "a.onnx").write_bytes(own)
    format_onnx.write(format_onnx.from_hub(decomposed(format_onnx.to_hub(format_onnx.read(folder / "a.onnx"))), 20),
                      folder / "b.onnx")
    written = onnx.load(folder / "b.onnx")
    assert {n.domain for n in written.graph.node} <= {"", "ai.onnx"}
    got = session((folder / "b.onnx").read_bytes()).run(None, feeds)
    for a, b in zip(want, got, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
    return want, got
