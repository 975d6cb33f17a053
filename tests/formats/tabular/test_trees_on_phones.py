"""Forests and boosted trees as .tflite: the same labels on a hundred thousand rows around the thresholds."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.formats import ensemble
from modelport.formats.sklearn.container import load
from modelport.formats.sklearn.to_onnx import trees
from modelport.runtimes import start

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from tabular_cases import recorded

pytestmark = pytest.mark.slow
ROWS = 100_000


def around(grown: ensemble.Ensemble, rng: np.random.Generator) -> Any:
    """Rows of float32 in which one feature is at a threshold, or is the number beside it."""
    x = rng.normal(size=(ROWS, grown.features)).astype(np.float32)
    inner = np.flatnonzero(~grown.leaves)
    node = rng.choice(inner, ROWS)
    at = ensemble.below(grown.threshold[node])
    beside = [at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))]
    x[np.arange(ROWS), grown.feature[node]] = np.choose(rng.integers(0, 3, ROWS), beside)
    return x


@pytest.mark.parametrize("name", ["RandomForestClassifier/classes", "ExtraTreesClassifier/classes",
                                  "DecisionTreeClassifier/two"])
def test_labels_are_those_of_the_forest(name: str, tmp_path: Path) -> None:
    data, _, _ = recorded("trees")[name]
    path = tmp_path / "forest.pkl"
    path.write_bytes(data)
    grown = trees.forest(load(data), "classes")
    x = around(grown, np.random.default_rng(1))
    want = np.concatenate([ensemble.evaluate(part, grown).argmax(1) for part in np.array_split(x, 20)])
    modelport.convert(path, tmp_path / "forest.tflite")
    modelport.convert(path, tmp_path / "forest.onnx")
    for runtime, file in (("tflite", "forest.tflite"), ("onnxruntime", "forest.onnx")):
        with start(runtime, tmp_path / file) as session:
            got = np.concatenate([session.run({"X": part})["label"] for part in np.array_split(x, 20)])
        assert (got == want).all(), f"{np.count_nonzero(got != want)} labels of {runtime} differ"
