"""Probabilities as maps from classes: written where asked for, read as the tensor that they are made of."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import modelport
from modelport.codecs import pickle_writer
from modelport.errors import UnsupportedModel, UsageError
from modelport.formats.sklearn.from_onnx.table import estimator

X = np.random.default_rng(0).normal(size=(20, 2))
CLASSES: dict[str, list[Any]] = {"text": ["ant", "bee", "cat"], "numbers": [3, 5, 9], "two": ["no", "yes"],
                                 "plain": [0, 1], "turned": [7, 2]}


def classifier(folder: Path, classes: list[Any], name: str = "a") -> Path:
    many = len(classes) > 2
    coef = np.array([[1.0, -2.0], [0.5, 1.5], [-1.0, 0.25]]) if many else np.array([[1.0, -2.0]])
    model = estimator("LogisticRegression", coef_=coef, intercept_=np.zeros(len(coef)), classes_=np.array(classes),
                      n_features_in_=2)
    path = folder / f"{name}.pkl"
    path.write_bytes(pickle_writer.dumps(model))
    return path


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_has_its_own_probability(name: str, tmp_path: Path) -> None:
    """Read by ONNX Runtime itself, without our reader: the label is the class of the greatest number of its map."""
    ort = pytest.importorskip("onnxruntime")
    source = classifier(tmp_path, CLASSES[name])
    done = modelport.convert(source, tmp_path / "a.onnx", zipmap=True)
    assert done.report is not None and done.report.ok
    onnx.checker.check_model(onnx.load(tmp_path / "a.onnx"))
    session = ort.InferenceSession(str(tmp_path / "a.onnx"), providers=["CPUExecutionProvider"])
    key = "int64" if isinstance(CLASSES[name][0], int) else "string"
    assert [o.type for o in session.get_outputs()][1] == f"seq(map({key},tensor(float)))"
    label, maps = session.run(None, {"X": X})
    want = modelport.load(source).run(X)
    assert len(maps) == len(X) and {len(m) for m in maps} == {len(CLASSES[name])}
    for row, m in enumerate(maps):
        assert max(m, key=m.get) == label[row] == want["label"][row]
        assert np.allclose([m[c] for c in CLASSES[name]], want["probabilities"][row], rtol=1e-6)


def test_maps_are_read_as_the_tensor_that_they_are_made_of(tmp_path: Path) -> None:
    modelport.convert(classifier(tmp_path, CLASSES["turned"]), tmp_path / "a.onnx", zipmap=True)
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert any("maps from 2 classes" in n.message for n in done.notes)
    assert done.report is not None and done.report.level == "L2" and done.report.ok
    model = modelport.load(tmp_path / "b.onnx")
    want = modelport.load(tmp_path / "a.pkl").run(X)
    assert np.allclose(model.run(X.astype(model.inputs["X"].dtype))["probabilities"], want["probabilities"], rtol=1e-6)


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle_writer.dumps(estimator("LinearRegression", coef_=np.ones(2), intercept_=0.5,
                                                   n_features_in_=2)))
    with pytest.raises(UnsupportedModel, match="an output of labels, and one of probabilities"):
        modelport.convert(path, tmp_path / "a.onnx", zipmap=True)
    with pytest.raises(UsageError, match="no option zipmap"):
        modelport.convert(path, tmp_path / "a.tflite", zipmap=True)


def test_maps_of_another_number_of_classes_are_no_model(tmp_path: Path) -> None:
    node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[1, 2, 3])
    out = onnx.ValueInfoProto(name="y")
    out.type.sequence_type.elem_type.map_type.key_type = 7
    out.type.sequence_type.elem_type.map_type.value_type.tensor_type.elem_type = 1
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", 1, ["n", 2])], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3),
                                                      helper.make_opsetid("", 20)]), str(tmp_path / "a.onnx"))
    with pytest.raises(UnsupportedModel, match="maps of 3 classes from"):
        modelport.load(tmp_path / "a.onnx")
