"""ONNX models written as TensorFlow and TensorFlow.js, run by these and beside ONNX Runtime."""
from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

sys.path.insert(0, str(Path(__file__).parents[1] / "tflite"))
sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from tfjs_target import Node
from written import feeds

from modelport import api, registry
from modelport.formats import onnx as format_onnx
from modelport.formats.tensorflow import lower, writer
from modelport.formats.tensorflow.graphdef import legal
from modelport.formats.tfjs import lower as js_lower
from modelport.formats.tfjs import writer as js_writer
from modelport.ir import Graph
from modelport.runtimes import isolated

TARGETS = ("tensorflow", "tfjs")


class Runner:
    """Writes a model and opens what is written, many models one after the other."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._worker = isolated.Worker() if target == "tensorflow" else None
        self._node = Node("cpu") if target == "tfjs" else None

    def lowered(self, model: bytes, folder: Path, **options: Any) -> Graph:
        (folder / "a.onnx").write_bytes(model)
        hub = api.prepare(format_onnx.to_hub(format_onnx.read(folder / "a.onnx")), registry.named(self.target))
        return (lower if self.target == "tensorflow" else js_lower).from_hub(hub, **options)

    def open(self, raw: Graph, folder: Path) -> Any:
        """What runs the written graph, by the names of its inputs."""
        if self._worker is not None:
            path = folder / "a.pb"
            writer.write(raw, path)
            session = self._worker.open("tensorflow", path, inputs=[legal(k) for k in raw.inputs],
                                        outputs=[legal(k) for k in raw.outputs])

            def run(inputs: Mapping[str, Any]) -> dict[str, Any]:
                made = session.run({legal(k): inputs[k] for k in raw.inputs})
                return {k: made[legal(k)] for k in raw.outputs}
            return run
        assert self._node is not None
        shutil.rmtree(folder / "js", ignore_errors=True)
        js_writer.write(raw, folder / "js")
        one = self._node.open(folder / "js" / "model.json")
        return lambda inputs: one.run({k: np.asarray(inputs[k]).astype(t.dtype) for k, t in one.inputs.items()})

    def close(self) -> None:
        for one in (self._worker, self._node):
            if one is not None:
                one.close()


def agrees(runner: Runner, folder: Path, model: bytes, cases: Sequence[Mapping[str, Any]],
           tolerance: float = 1e-5, **options: Any) -> Graph:
    """The target computes what ONNX Runtime computes, relative to the largest value; integers are equal.

    The default bar: sums of some dozen products round at 1e-7 each.  Returns the raw graph."""
    raw = runner.lowered(model, folder, **options)
    run = runner.open(raw, folder)
    session = ort.InferenceSession(model)
    names = [o.name for o in session.get_outputs()]
    for case in cases:
        given = case if case and isinstance(next(iter(case.values())), np.ndarray) else feeds(model, case)
        made = run(given)
        for name, want in zip(names, session.run(None, dict(given)), strict=True):
            got, where = made[name], f"{runner.target} {name} {[v.shape for v in given.values()]}"
            if runner.target == "tfjs" and {got.dtype.kind, want.dtype.kind} <= set("iu"):
                got = got.astype(want.dtype)
            assert got.shape == want.shape, f"{where}: {got.shape} for {want.shape}"
            assert got.dtype == want.dtype or runner.target == "tfjs", f"{where}: {got.dtype} for {want.dtype}"
            if want.dtype.kind == "f":
                bar = tolerance * max(1.0, float(np.abs(want[np.isfinite(want)]).max(initial=0)))
                np.testing.assert_allclose(got, want, rtol=0, atol=bar, err_msg=where)
            else:
                np.testing.assert_array_equal(got, want, err_msg=where)
    return raw
