"""A plugin of pytest: the tests of writing TensorFlow Lite hold TensorFlow or TensorFlow.js to the same results.

``MODELPORT_WRITTEN=tensorflow|tfjs`` and ``-p other_target`` put another ``agrees`` in the place of theirs; what they
ask of the operators of a .tflite file is answered with that file."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tflite"))
sys.path.insert(0, str(Path(__file__).parent))
import written
import written_tf

import modelport
from modelport.formats import tflite

TARGET = os.environ["MODELPORT_WRITTEN"]
_runner: list[written_tf.Runner] = []


def agrees(folder: Path, worker: Any, onnx_model: bytes, cases: Any, tolerance: float = 1e-5) -> Any:
    if not _runner:
        _runner.append(written_tf.Runner(TARGET))
    written_tf.agrees(_runner[0], folder, onnx_model, cases, tolerance,
                      **({"float32": True} if TARGET == "tfjs" else {}))
    modelport.convert(folder / "a.onnx", folder / "a.tflite", verify=None, force=True)
    return tflite.read(folder / "a.tflite")


written.agrees = agrees  # type: ignore[assignment]
