"""Estimators fitted today: converted and proven with their own library, from files and from memory."""
from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]  # the libraries' own
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5))
Y = np.digitize(X @ np.array([1.0, -1, 0.5, 0, 2]) + RNG.normal(size=200) / 4, [-1, 1])
ESTIMATORS = {
    "forest": ("sklearn.ensemble", "RandomForestClassifier", {"n_estimators": 10}),
    "logistic": ("sklearn.linear_model", "LogisticRegression", {}),
    "svc": ("sklearn.svm", "SVC", {}),
    "boosting": ("sklearn.ensemble", "HistGradientBoostingClassifier", {"max_iter": 10}),
    "xgboost": ("xgboost", "XGBClassifier", {"n_estimators": 10}),
    "lightgbm": ("lightgbm", "LGBMClassifier", {"n_estimators": 10, "verbosity": -1})}


def fitted(name: str) -> Any:
    module, cls, settings = ESTIMATORS[name]
    pytest.importorskip(module.partition(".")[0])
    return getattr(importlib.import_module(module), cls)(**settings).fit(X, Y)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_pickle_is_proven_with_its_library(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fitted(name)))
    report = modelport.convert(path, tmp_path / "model.onnx", verify="prove").report
    assert report is not None and report.verdict == "pass" and report.level == "L3", report and report.text()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_in_memory(name: str) -> None:
    model = fitted(name)
    got = modelport.load(model).run(X if name not in ("forest", "xgboost") else X.astype(np.float32))
    assert (got["label"] == model.predict(X.astype(np.float32))).all() if name in ("forest", "xgboost") else \
        (got["label"] == model.predict(X)).all()


@pytest.mark.parametrize(("library", "suffix"), [("xgboost", ".json"), ("xgboost", ".ubj"), ("lightgbm", ".txt")])
def test_a_booster_is_proven_with_its_library(library: str, suffix: str, tmp_path: Path) -> None:
    model = fitted(library)
    path = tmp_path / f"model{suffix}"
    (model if library == "xgboost" else model.booster_).save_model(str(path))
    report = modelport.convert(path, tmp_path / "model.onnx", verify="prove").report
    assert report is not None and report.verdict == "pass" and report.level == "L3", report and report.text()


def test_a_pipeline_of_a_data_frame(tmp_path: Path) -> None:
    """Numbers and text with holes, encoded and scaled: one input for each column."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    frame = pd.DataFrame({"age": X[:, 0] * 10 + 40, "city": np.array(["Oslo", "Rom", "Lima"], object)[Y],
                          "rooms": RNG.integers(1, 6, 200)}).astype({"city": object})
    frame.loc[::7, "age"] = np.nan
    model = make_pipeline(ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "rooms"]),
        ("city", OneHotEncoder(handle_unknown="ignore"), ["city"])]), LogisticRegression()).fit(frame, Y > 0)
    path = tmp_path / "pipeline.pkl"
    path.write_bytes(pickle.dumps(model))
    done = modelport.convert(path, tmp_path / "pipeline.onnx", verify="prove")
    assert set(modelport.load(tmp_path / "pipeline.onnx").graph.inputs) == {"age", "city", "rooms"}
    assert done.report is not None and done.report.verdict == "pass" and done.report.level == "L3", done.report
