"""What is said of a file: what wrote it, what stands in the way of opening it, what it would have imported."""
from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.cli.main import main
from modelport.errors import UnsafeModel
from modelport.rescue import diagnose

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")


class Call:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"model": Call(os.system, f"touch {tmp_path}/ran")}))
    return path


def test_a_pickle_that_would_run_something_is_refused(hostile: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsafeModel, match="system"):
        modelport.convert(hostile, tmp_path / "model.onnx")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "model.onnx").exists()


def test_inspect_lists_what_it_names(hostile: Path, tmp_path: Path) -> None:
    found = modelport.inspect(hostile)
    assert "system" in found.meta["pickle:SUSPICIOUS"]
    assert found.unsupported and not (tmp_path / "ran").exists()


def test_inspect_says_what_a_pickle_without_a_model_holds(tmp_path: Path) -> None:
    path = tmp_path / "values.pkl"
    path.write_bytes(pickle.dumps({"a": [1, 2], "b": None}))
    found = modelport.inspect(path)
    assert found.meta["pickle:holds"] == "a dictionary of a: list, b: NoneType"
    assert "no model" in found.unsupported[0]["reason"]


@needs_corpus
def test_an_old_pickle_is_explained() -> None:
    found = diagnose(CORPUS / "sklearn/dmitryikh__leaves/testdata/sk_iris.model")
    assert "scikit-learn 0.19.1" in found.written
    assert any("sklearn.tree.tree" in o and "0.22" in o for o in found.obstacles)
    assert any("1.3" in o for o in found.obstacles)


@needs_corpus
def test_an_old_booster_is_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = CORPUS / "xgboost/SeldonIO__MLServer/docs-gb/examples/tempo/models/xgboost-iris/model.bst"
    shutil.copy(old, tmp_path / "old.bst")
    assert main(["rescue", str(tmp_path / "old.bst")]) == 0
    said = capsys.readouterr().out
    assert "old binary format" in said and "XGBoost 3.1" in said and "consistent" in said
    x = np.random.default_rng(0).normal(size=(50, 4)) * 3 + 3
    before, after = (modelport.load(tmp_path / name).run(x) for name in ("old.bst", "old.ubj"))
    assert (before["label"] == after["label"]).all()


def test_nothing_is_said_to_be_in_the_way_of_a_file_of_today(tmp_path: Path) -> None:
    path = tmp_path / "values.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    assert diagnose(path).text().endswith("nothing known stands in the way of opening it today")
