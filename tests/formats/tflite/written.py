"""One ONNX operator as TensorFlow Lite: converted, and run beside ONNX Runtime at several sizes."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import helper, numpy_helper

import modelport
from modelport.formats import tflite
from modelport.ir import Graph
from modelport.runtimes import isolated

RNG = np.random.default_rng(11)
Sizes = Mapping[str, int]
OLD_ORT = tuple(map(int, ort.__version__.split(".")[:2])) < (1, 24)  # the newest release for Python 3.10 is 1.23


def floats(*shape: int, scale: float = 1.0) -> np.ndarray:
    return RNG.normal(0, scale, shape).astype(np.float32)


def model(op: str, inputs: Mapping[str, Any], constants: Mapping[str, Any], order: Sequence[str], outputs: int = 1,
          opset: int = 20, **attrs: Any) -> bytes:
    """``inputs``: name to shape (text: a symbolic dimension), or to element type and shape."""
    infos = []
    for name, said in inputs.items():
        kind, shape = (np.dtype(said[0]), said[1]) if said and isinstance(said[0], np.dtype) else (np.dtype("f4"), said)
        infos.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), shape))
    outs = [f"y{k}" for k in range(outputs)]
    graph = helper.make_graph([helper.make_node(op, list(order), outs, **attrs)], op, infos,
                              [helper.make_empty_tensor_value_info(o) for o in outs],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                    ir_version=9).SerializeToString()
    return made


def feeds(onnx_model: bytes, sizes: Sizes) -> dict[str, np.ndarray]:
    """Inputs of the model at ``sizes`` of its symbolic dimensions."""
    made = {}
    for i in ort.InferenceSession(onnx_model).get_inputs():
        shape = [sizes.get(d, d) if isinstance(d, str) else d for d in i.shape]
        kind = np.dtype({"tensor(float)": "f4", "tensor(uint8)": "u1", "tensor(int8)": "i1", "tensor(int32)": "i4",
                         "tensor(int64)": "i8", "tensor(bool)": "?", "tensor(double)": "f8"}[i.type])
        low, high = (-50, 50) if kind.kind == "i" else (0, 200)
        made[i.name] = RNG.normal(0, 1, shape).astype(kind) if kind.kind == "f" else \
            RNG.integers(0, 2 if kind.kind == "b" else high, shape).astype(kind) if kind.kind in "bu" else \
            RNG.integers(low, high, shape).astype(kind)
    return made


def agrees(folder: Path, worker: isolated.Worker, onnx_model: bytes, cases: Sequence[Sizes | Mapping[str, np.ndarray]],
           tolerance: float = 1e-5) -> Graph:
    """LiteRT, with XNNPACK and without, computes what ONNX Runtime computes, relative to the largest value.

    Integers are equal.  The default bar: sums of some dozen products round at 1e-7 each.  Returns the raw graph."""
    source, target = folder / "a.onnx", folder / "a.tflite"
    source.write_bytes(onnx_model)
    modelport.convert(source, target, verify=None, force=True)
    session = ort.InferenceSession(onnx_model)
    names = [o.name for o in session.get_outputs()]
    inputs = [case if case and isinstance(next(iter(case.values())), np.ndarray) else feeds(onnx_model, case)
              for case in cases]
    for kernels in ("builtin", "plain"):
        run = worker.open("tflite", target, kernels=kernels, signature="serving_default")
        for case in inputs:
            got = run.run({k: v for k, v in case.items() if k in run.inputs})
            for name, want in zip(names, session.run(None, dict(case)), strict=True):
                where = f"{kernels} {name} {[v.shape for v in case.values()]}"
                assert got[name].dtype == want.dtype and got[name].shape == want.shape, where
                if want.dtype.kind == "f":
                    bar = tolerance * max(1.0, float(np.abs(want[np.isfinite(want)]).max(initial=0)))
                    np.testing.assert_allclose(got[name], want, rtol=0, atol=bar, err_msg=where)
                else:
                    np.testing.assert_array_equal(got[name], want, err_msg=where)
    return tflite.read(target)
