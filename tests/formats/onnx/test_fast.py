"""Trees as one operator (``--fast``): the same answers in 32 bits, and what rounding decides otherwise is counted."""
from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import modelport
from modelport.codecs import pickle_writer
from modelport.errors import UnsupportedModel, UsageError
from modelport.formats import onnx as format_onnx
from modelport.formats.ensemble import Ensemble, classified
from modelport.formats.sklearn.from_onnx.table import estimator
from modelport.hub.infer import builder
from modelport.ir.graph import Graph, Value
from modelport.ir.types import Type

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from tabular_cases import recorded

ONE = {"trees": ("DecisionTreeRegressor", "DecisionTreeClassifier/two named", "DecisionTreeClassifier/missing",
                 "RandomForestRegressor", "RandomForestRegressor/two", "RandomForestClassifier/shallow/two",
                 "RandomForestClassifier/shallow/classes", "RandomForestClassifier/missing",
                 "ExtraTreesClassifier/two named", "ExtraTreesClassifier/classes"),
       "boosting": ("GradientBoostingRegressor/huber", "GradientBoostingClassifier/two named",
                    "GradientBoostingClassifier/zero", "GradientBoostingClassifier/five",
                    "HistGradientBoostingRegressor/many", "HistGradientBoostingClassifier/float32",
                    "HistGradientBoostingClassifier/float32 two"),
       "libraries": ("XGBRegressor", "XGBRegressor/missing", "XGBClassifier/two", "XGBClassifier/five",
                     "XGBClassifier/dart", "LGBMRegressor/regression", "LGBMClassifier/two", "LGBMClassifier/missing",
                     "CatBoostRegressor")}
case = cache(recorded)


def converted(folder: Path, family: str, name: str, **how: Any) -> tuple[Any, Path, dict[str, Any], dict[str, Any]]:
    data, given, want = case(family)[name]
    (folder / "a.pkl").write_bytes(data)
    done = modelport.convert(folder / "a.pkl", folder / "a.onnx", fast=True, **how)
    return done, folder / "a.onnx", given, want


@pytest.mark.parametrize(("family", "name"), [(f, n) for f, names in ONE.items() for n in names])
def test_one_operator_answers_as_the_library(tmp_path: Path, family: str, name: str) -> None:
    """In rows of 32 bits, against the usual conversion, which is held to the library's recorded answers elsewhere."""
    done, path, given, want = converted(tmp_path, family, name)
    assert done.report is not None and done.report.ok
    (node,) = onnx.load(path).graph.node
    assert node.op_type.startswith("TreeEnsemble")
    x = given["x"].astype(np.float32)
    made = onnxruntime.InferenceSession(path).run(None, {"X": x})
    usual = modelport.load(tmp_path / "a.pkl")
    known = list(usual.run(x.astype(usual.inputs["X"].dtype)).values())
    assert len(made) == len(known) == len(want) and len(x) > 50
    for got, right in zip(made, known, strict=True):
        if right.ndim == 1 and got.dtype.kind == "f":
            assert got.shape == (len(x), 1)
            got = got[:, 0]
        if right.dtype.kind == "f":
            np.testing.assert_allclose(got, right, rtol=1e-6, atol=2e-6 * np.abs(right).max())
        else:
            sure = np.diff(np.sort(known[1], 1)[:, -2:], axis=1)[:, 0] > 1e-6
            assert sure.sum() > len(x) / 2
            np.testing.assert_array_equal(got[sure], right[sure])


def test_labels_of_even_classes_are_counted(tmp_path: Path) -> None:
    """Five trees say 1/2, 1/2, 1/3, 2/3, 1/2 of the rows on their left side: even in 64 bits, 0.50000006 in 32."""
    p = np.array([0.5, 0.5, 1 / 3, 2 / 3, 0.5])
    value = np.stack([np.zeros((5, 2)), np.stack([1 - p, p], 1), np.tile([1.0, 0.0], (5, 1))], 1).reshape(-1, 2)
    first = np.arange(0, 15, 3)
    trees = Ensemble(first, np.where(np.arange(15) % 3, -1, np.arange(15) + 1),
                     np.where(np.arange(15) % 3, -1, np.arange(15) + 2), np.zeros(15, np.int64), np.zeros(15),
                     np.zeros(15, bool), value, np.zeros(5, np.int64), 2, 1)
    x = Value(Type(np.dtype(np.float32), ("batch", 1)), "X")
    label, made = classified(builder(), x, trees, [0, 1], wide=True, count=5)
    format_onnx.write(format_onnx.from_hub(Graph({"X": x}, {"label": label, "probabilities": made}, "even", {})),
                      tmp_path / "even.onnx")
    report = modelport.convert(tmp_path / "even.onnx", tmp_path / "a.onnx", fast=True).report
    assert report is not None and report.ok
    (told,) = (n for n in report.notes if "whose two best classes are equal but for rounding" in n)
    flipped = next(o for o in report.outputs if o.name == "label").limited
    assert flipped > 10 and told.startswith(f"float32 decides otherwise in {flipped} of ")


def test_a_label_that_is_wrong_is_not_excused(tmp_path: Path) -> None:
    done, path, *_ = converted(tmp_path, "trees", "RandomForestClassifier/shallow/two", verify=None)
    assert done.report is None
    made = onnx.load(path)
    for a in made.graph.node[0].attribute:
        if a.name == "classlabels_int64s":
            a.ints[:] = a.ints[::-1]
    onnx.save(made, path)
    from modelport.proof.verify import verify
    assert not verify(tmp_path / "a.pkl", path, lower="float32").ok


def test_a_column_stays_one(tmp_path: Path) -> None:
    """The file itself says that its column is a list in the source, for a proof at any later time."""
    _, path, *_ = converted(tmp_path, "trees", "RandomForestRegressor")
    assert modelport.verify(tmp_path / "a.pkl", path).ok
    made = modelport.convert(path, tmp_path / "b.onnx")
    assert made.report is not None and made.report.ok
    assert modelport.load(tmp_path / "b.onnx").outputs["prediction"].shape == ("batch", 1)


def test_what_is_no_trees_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle_writer.dumps(estimator(
        "LogisticRegression", coef_=np.ones((1, 2)), intercept_=np.zeros(1), classes_=np.arange(2), n_features_in_=2)))
    with pytest.raises(UnsupportedModel, match="more than trees over one matrix"):
        modelport.convert(tmp_path / "a.pkl", tmp_path / "a.onnx", fast=True)
    with pytest.raises(UsageError, match="no option fast"):
        modelport.convert(tmp_path / "a.pkl", tmp_path / "a.tflite", fast=True)
