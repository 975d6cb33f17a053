"""Every file of the corpus that scikit-learn, XGBoost, LightGBM or CatBoost wrote: converted, and held to the
predictions that are recorded beside it (but those of DART by XGBoost 0.8, which drops trees at random)."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport import registry
from modelport.errors import UnsupportedModel
from modelport.runtimes import start

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
JAVA = CORPUS / "xgboost/komiya-atsushi__xgboost-predictor-java/xgboost"
LEAVES = CORPUS / "_inputs/dmitryikh__leaves/testdata"
FOLDERS = ("sklearn", "xgboost", "lightgbm", "catboost", "derived/xgboost")
NO_MODEL = (".txt", ".npz", ".parquet", ".test", ".predict", ".margin", ".leaf", ".predict_ntree", ".leaf_ntree", ".md")
UNSUPPORTED: dict[str, str] = {}
"""Files that are truly unsupported, and a part of the reason."""


def files() -> list[Path]:
    return [p for folder in FOLDERS for p in sorted((CORPUS / folder).rglob("*"))
            if p.is_file() and p.suffix not in NO_MODEL] if CORPUS.is_dir() else []


@pytest.mark.slow
@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(CORPUS))[-70:])
def test_every_file_converts_or_says_why_not(path: Path, tmp_path: Path) -> None:
    """Converted, written, read back by ONNX Runtime; nothing of the libraries is imported."""
    if path.name in UNSUPPORTED:
        with pytest.raises(UnsupportedModel, match=UNSUPPORTED[path.name]):
            modelport.convert(path, tmp_path / "model.onnx")
        return
    done = modelport.convert(path, tmp_path / "model.onnx")
    assert done.report is not None and done.report.verdict == "pass"


def ran(path: Path, x: Any, outputs: tuple[str, ...], tmp_path: Path) -> list[Any]:
    spec = registry.detect(path)
    read = {"outputs": outputs} if "outputs" in spec.read_options and spec.name != "sklearn" else {}
    modelport.convert(path, tmp_path / "model.onnx", verify=None, read=read, force=True)
    with start("onnxruntime", tmp_path / "model.onnx") as session:
        (name, type_), = session.inputs.items()
        return list(session.run({name: np.asarray(x, type_.dtype)}).values())


def libsvm(path: Path, width: int, base: int, fill: float) -> Any:
    rows = []
    for line in path.read_text().splitlines():
        row = np.full(width, fill)
        for pair in line.split()[1:]:
            k, _, v = pair.partition(":")
            if k.isdigit() and int(k) - base < width:
                row[int(k) - base] = float(v)
        rows.append(row)
    return np.array(rows)


def table(path: Path) -> Any:
    return np.array([[float(v) for v in line.replace(",", " ").split()] for line in path.read_text().splitlines()])


JAVA_CASES = [(f"{kind}/{version}/{name}", what) for kind, version in
              (("gbtree", "v40"), ("gbtree", "v47"), ("gblinear", "v40"), ("gblinear", "v47"))
              for name in ("binary-logistic", "binary-logitraw", "multi-softmax", "multi-softprob")
              for what in ("predict", "margin", "leaf")]


@pytest.mark.parametrize(("name", "what"), JAVA_CASES)
def test_xgboost_answers_as_recorded(name: str, what: str, tmp_path: Path) -> None:
    """1,611 mushrooms, by XGBoost 0.40 and 0.47: features that are not there are missing."""
    wanted = JAVA / "expectation" / f"{name}.{what}"
    if not wanted.is_file():
        pytest.skip("the corpus has no such predictions")
    model = JAVA / "model" / f"{name}.model"
    width = modelport.load(model).graph.inputs["X"].shape[1]  # type: ignore[index]
    assert isinstance(width, int)
    x = libsvm(JAVA / "data/agaricus.txt.0.test", width, 0, np.nan)
    want = table(wanted)
    (got,) = ran(model, x, (what,), tmp_path)
    got = got.reshape(len(x), -1)
    if what == "leaf":
        assert (got == want).all()
    else:
        assert np.abs(got - want).max() <= 1e-6 * max(1.0, np.abs(want).max())


@pytest.mark.parametrize(("model", "data", "wanted", "base", "fill", "outputs"), [
    ("xgboost/{}/xgagaricus.model", "agaricus_test.libsvm", "xgagaricus_true_predictions.txt", 0, np.nan, ("predict",)),
    ("xgboost/{}/xgblin_agaricus.model", "agaricus_test.libsvm", "xgblin_agaricus_true_predictions.txt", 0, 0.0,
     ("predict",)),
    ("xgboost/{}/xgblin_agaricus.model", "agaricus_test.libsvm", "xgblin_agaricus_true_raw_predictions.txt", 0, 0.0,
     ("margin",)),
    ("xgboost/{}/xgdermatology.model", "dermatology_test.libsvm", "xgdermatology_true_predictions.txt", 0, np.nan,
     ("margin",)),
    ("lightgbm/{}/lg_dart_breast_cancer.model", "breast_cancer_test.tsv", "lg_dart_breast_cancer_true_predictions.txt",
     0, 0.0, ("predict",)),
    ("lightgbm/{}/lg_kddcup99.model", "kddcup99_test.tsv", "lg_kddcup99_true_predictions.txt", 0, 0.0, ("margin",)),
    ("lightgbm/{}/lgmulticlass.model", "multiclass_test.tsv", "lgmulticlass_true_predictions.txt", 0, 0.0,
     ("predict",)),
    ("lightgbm/{}/lgmulticlass.model", "multiclass_test.tsv", "lgmulticlass_true_raw_predictions.txt", 0, 0.0,
     ("margin",)),
    ("lightgbm/{}/lg_rf_iris.model", "iris_test.libsvm", "lg_rf_iris_true_predictions.txt", 0, 0.0, ("predict",))])
def test_boosters_answer_as_recorded(model: str, data: str, wanted: str, base: int, fill: float,
                                     outputs: tuple[str, ...], tmp_path: Path) -> None:
    path = CORPUS / model.format("dmitryikh__leaves/testdata")
    width = modelport.load(path).graph.inputs["X"].shape[1]  # type: ignore[index]
    assert isinstance(width, int)
    if data.endswith(".tsv"):
        whole = np.genfromtxt(LEAVES / data, delimiter="\t")
        x = whole[:, -width:]
    else:
        x = libsvm(LEAVES / data, width, base, fill)
    want = table(LEAVES / wanted)
    (got,) = ran(path, x, outputs, tmp_path)
    got = got.reshape(len(x), -1)
    assert np.abs(got - want.reshape(len(x), -1)).max() <= 1e-6 * max(1.0, np.abs(want).max())


@pytest.mark.parametrize("name", ["genlin_fmtp_poisson_Frequency.model", "lgmulticlass.model"])
def test_boosters_reach_phones(name: str, tmp_path: Path) -> None:
    """Sets of categories and comparisons of doubles, in builtin operators."""
    done = modelport.convert(CORPUS / "lightgbm/dmitryikh__leaves/testdata" / name, tmp_path / "model.tflite")
    assert done.report is not None and done.report.verdict == "pass", done.report
