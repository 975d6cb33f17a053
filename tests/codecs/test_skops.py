"""``.skops``: files of the library read as records, files of ours read back, and what is no such file."""
from __future__ import annotations

import importlib
import importlib.util
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.codecs import skops
from modelport.codecs.limits import Limits
from modelport.codecs.pickle import Name, Record
from modelport.errors import CorruptFile, LimitExceeded, UnsafeModel
from modelport.formats.sklearn.from_onnx.table import estimator

RECORDED = Path(__file__).parents[1] / "recorded/tabular/skops.tar.xz"
NAMES = ["pipeline", "forest", "histogram", "columns", "function", "vectors", "neighbors"]


def recorded(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    with tarfile.open(RECORDED) as tar:
        tar.extract(f"{name}.skops", folder, filter="data")
        tar.extract(f"{name}.npz", folder, filter="data")
    with np.load(folder / f"{name}.npz") as z:
        return folder / f"{name}.skops", {k: z[k] for k in z.files}


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_library_answer_as_there(name: str, tmp_path: Path) -> None:
    path, want = recorded(name, tmp_path)
    model = modelport.load(path)
    x = want.pop("x")
    columns = [x[:, [k]] for k in range(len(model.inputs))] if len(model.inputs) > 1 else [x]
    got = model.run({k: c.astype(t.dtype) for (k, t), c in zip(model.inputs.items(), columns, strict=True)})
    for (m, a), b in zip(want.items(), got.values(), strict=True):
        if a.dtype.kind in "iUO":
            assert (a == b).all(), m
        else:
            assert np.allclose(a, b, rtol=1e-6 if b.dtype == np.float32 else 1e-11), m


def model() -> Record:
    return estimator("Pipeline", steps=[
        ("a", estimator("StandardScaler", mean_=np.array([1.0, 2.0]), scale_=np.array([0.5, 3.0]), n_features_in_=2)),
        ("b", estimator("LogisticRegression", coef_=np.array([[1.0, -2.0]]), intercept_=np.array([0.25]),
                        classes_=np.array(["no", "yes"]), n_features_in_=2))])


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "a.skops").write_bytes(skops.dumps(model()))
    back = skops.read(tmp_path / "a.skops").root
    assert back.path == "sklearn.pipeline.Pipeline"
    (_, scaler), (name, last) = back.state["steps"]
    assert name == "b" and last.path == "sklearn.linear_model._logistic.LogisticRegression"
    assert last.state["classes_"].tolist() == ["no", "yes"] and last.state["C"] == 1.0
    assert np.array_equal(scaler.state["mean_"], [1, 2])
    assert skops.dumps(model()) == skops.dumps(model())


def test_a_model_becomes_one(tmp_path: Path) -> None:
    source, _ = recorded("pipeline", tmp_path)
    done = modelport.convert(source, tmp_path / "new.skops")
    assert done.report is not None and done.report.ok
    assert (tmp_path / "new.skops").read_bytes()[:2] == b"PK"


@pytest.mark.oracle
@pytest.mark.skipif(importlib.util.find_spec("skops") is None, reason="skops is not installed")
@pytest.mark.parametrize("name", ["pipeline", "forest", "histogram"])
def test_the_library_opens_what_is_written(name: str, tmp_path: Path) -> None:
    library = importlib.import_module("skops.io")
    source, want = recorded(name, tmp_path)
    modelport.convert(source, tmp_path / "new.skops", verify=None)
    kinds = library.get_untrusted_types(file=tmp_path / "new.skops")
    assert all(k.startswith("sklearn.") for k in kinds)
    made = library.load(tmp_path / "new.skops", trusted=kinds)
    assert (made.predict(want["x"].astype(np.float32)) == want["predict"]).all()


# -- what is no such file


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    with zipfile.ZipFile(io.BytesIO(skops.dumps(model()))) as z:
        parts = {n: z.read(n) for n in z.namelist()}
    schema = json.loads(parts["schema.json"])
    change(schema)
    path = folder / "bad.skops"
    with zipfile.ZipFile(path, "w") as z:
        for n, data in {**parts, "schema.json": json.dumps(schema).encode()}.items():
            z.writestr(n, data)
    return path


def state(schema: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = schema["content"]["content"]
    return made


@pytest.mark.parametrize("change", [
    lambda s: s.pop("__loader__"), lambda s: s.update(content=3), lambda s: s.update(content={"__loader__": []}),
    lambda s: state(s)["memory"].update(content="{"), lambda s: state(s)["memory"].update(content=None),
    lambda s: state(s)["steps"].update(content=None), lambda s: state(s)["memory"].pop("content"),
    lambda s: state(s).update(memory={"__loader__": "NdArrayNode", "type": "numpy", "file": "none.npy",
                                      "__class__": "ndarray", "__module__": "numpy"}),
    lambda s: state(s).update(memory={"__loader__": "NdArrayNode", "type": "numpy", "file": "schema.json",
                                      "__class__": "ndarray", "__module__": "numpy"})])
def test_a_schema_that_is_none_is_corrupt(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    with pytest.raises(CorruptFile):
        skops.read(changed(tmp_path, change))


def test_classes_that_a_model_has_no_business_with_are_refused(tmp_path: Path) -> None:
    def change(schema: dict[str, Any]) -> None:
        state(schema)["memory"] = {"__loader__": "FunctionNode", "__class__": "function", "__module__": "posix",
                                   "content": {"module_path": "posix", "function": "system"}}
    path = changed(tmp_path, change)
    assert Name("posix", "system") in skops.read(path).names
    with pytest.raises(UnsafeModel, match=r"posix\.system"):
        modelport.load(path)


def test_arrays_have_the_size_of_their_bytes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    huge = buffer.getvalue().replace(b"(3,), }", b"(3000000000000,), }")
    with zipfile.ZipFile(tmp_path / "a.skops", "w") as z:
        z.writestr("0.npy", huge)
        z.writestr("schema.json", json.dumps({"__loader__": "NdArrayNode", "type": "numpy", "file": "0.npy",
                                              "__class__": "ndarray", "__module__": "numpy"}))
    with pytest.raises(CorruptFile):
        skops.read(tmp_path / "a.skops")


def test_depth_and_size_are_bounded(tmp_path: Path) -> None:
    deep = b'{"__loader__": "ListNode", "content": [' * 20000
    with zipfile.ZipFile(tmp_path / "deep.skops", "w") as z:
        z.writestr("schema.json", deep + b"]}" * 20000)
    with pytest.raises(CorruptFile):
        modelport.load(tmp_path / "deep.skops")
    with zipfile.ZipFile(tmp_path / "bomb.skops", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("schema.json", b" " * (64 << 20))
    with pytest.raises(LimitExceeded):
        skops.read(tmp_path / "bomb.skops", Limits(ratio=100))


def test_nothing_that_is_named_is_imported(tmp_path: Path) -> None:
    (tmp_path / "a.skops").write_bytes(skops.dumps(Record(Name("antigravity", "Thing"), state={"x": 1})))
    assert skops.read(tmp_path / "a.skops").root.path == "antigravity.Thing"
    assert "antigravity" not in sys.modules
