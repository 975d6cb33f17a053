"""``--schema``: the version of XGBoost whose form of the file is written.

Written files of 1.6, 1.7, 2.0 and 2.1 were opened with the wheels 1.6.2, 1.7.6, 2.0.3 and 2.1.4, and answered as the
sources did; here their parts are compared with those of files that old versions wrote."""
from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.cli.main import main

OLD = Path(__file__).parents[2] / "recorded/tabular/old"
WRITERS = {"1.7": ("c", [1, 7, 0]), "2.1": ("d", [2, 1, 0])}


def member(name: str, environment: str) -> bytes:
    with tarfile.open(OLD / f"{environment}.tar.xz") as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read()


def parts(value: Any, path: str = "") -> set[str]:
    """The paths of all parts of a document; those of a list are those of its first element."""
    if isinstance(value, dict):
        return {p for k, v in value.items() for p in (f"{path}.{k}", *parts(v, f"{path}.{k}"))}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return parts(value[0], path)
    return set()


@pytest.mark.parametrize("schema", WRITERS)
@pytest.mark.parametrize("name", ["xgb-squared-json", "xgb-logistic-json", "xgb-softprob-json"])
def test_the_file_has_the_parts_of_that_version(name: str, schema: str, tmp_path: Path) -> None:
    environment, version = WRITERS[schema]
    own = member(f"{name}.json", environment)
    (tmp_path / "own.json").write_bytes(own)
    arguments = ["convert", str(tmp_path / "own.json"), str(tmp_path / "a.json"), "--schema", schema]
    assert main([*arguments, "--no-verify"]) == 0
    made, theirs = json.loads((tmp_path / "a.json").read_bytes()), json.loads(own)
    assert made["version"] == version and theirs["version"][:2] == version[:2]
    # trees must have all parts; what is not read when a model is opened may be missing or new elsewhere
    trees = "learner.gradient_booster.model.trees"
    assert {p for p in parts(theirs) if trees in p} <= parts(made)
    assert {p for p in parts(theirs) if ".objective" in p} <= parts(made)
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    want, got = (modelport.load(tmp_path / n).run(x) for n in ("own.json", "a.json"))
    for k in want:
        assert np.allclose(want[k], got[k], rtol=1e-6, atol=1e-6)


def test_versions_that_are_not_known_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.json").write_bytes(member("xgb-squared-json.json", "d"))
    for schema in ("0.9", "3.2", "new"):
        assert main(["convert", str(tmp_path / "own.json"), str(tmp_path / "a.json"), "--schema", schema]) != 0
        assert "versions: 1.6 to 3.0" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "own.json"), str(tmp_path / "a.onnx"), "--schema", "2.0"]) != 0
    assert "ONNX has no option schema" in capsys.readouterr().err
