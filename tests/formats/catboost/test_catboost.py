"""CatBoost: hashes, and files that are no models."""
from __future__ import annotations

import copy
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.errors import CorruptFile, ModelportError, Unsupported, UnsupportedModel
from modelport.formats import catboost
from modelport.formats import onnx as format_onnx
from modelport.formats.catboost.hashing import few, hashes, many
from modelport.formats.catboost.model import parse
from modelport.runtimes import isolated

OLD = Path(__file__).parents[2] / "recorded/tabular/old/b.tar.xz"
COUNTED = Path(__file__).parents[2] / "recorded/tabular/catboost"


def member(name: str) -> bytes:
    with tarfile.open(OLD) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read()


def test_hashes_are_those_of_catboost() -> None:
    """Numbers and letters, and the values that CatBoost 1.2.10 wrote for them."""
    known = {"0": -1438285038, "1": 1121341681, "2": -1284790409, "u": 1981898051, "v": -1706589142, "w": -1196738607,
             "green": 1390465085}
    assert hashes(np.array(list(known), "S")).tolist() == list(known.values())
    assert few()[1121341681] == [1] and 1981898051 not in few()
    assert many(hashes(np.array(["123456", "w"])))[int(hashes(np.array(["123456"]))[0])] == [123456]


def counted(version: str) -> dict[str, bytes]:
    with tarfile.open(COUNTED / f"{version}.tar.xz") as tar:
        return {m.name: stream.read() for m in tar if (stream := tar.extractfile(m))}


@pytest.mark.parametrize("version", ["1.0.6", "1.2.10"])
def test_statistics_of_categories_are_those_of_catboost(version: str, tmp_path: Path) -> None:
    """Of every kind, of single categories and of several with questions about others, of texts and whole numbers,
    with categories that training did not have (tools/record_ctr.py)."""
    found, wrong = counted(version), {}
    with isolated.Worker() as worker:
        for name, data in found.items():
            if name.endswith(".npz"):
                continue
            with np.load(io.BytesIO(found[f"{name.rpartition('.')[0]}.npz"])) as z:
                given = dict(z)
            path = tmp_path / name
            path.write_bytes(data)
            raw = catboost.read(path, outputs=["margin"])
            format_onnx.write(format_onnx.from_hub(catboost.to_hub(raw)), tmp_path / "o.onnx")
            session = worker.open("onnxruntime", tmp_path / "o.onnx", optimize=False)
            columns = {k[2:]: v.reshape(-1, 1) for k, v in given.items() if k != "margin"}
            feeds = {"X": np.concatenate(list(columns.values()), 1).astype(np.float32)} \
                if list(session.inputs) == ["X"] else {
                    k: columns[k].astype(t.dtype) for k, t in session.inputs.items()}
            got, = session.run(feeds).values()
            scale = np.abs(given["margin"]).max()
            if not (np.abs(got - given["margin"]) <= 1e-13 * scale).all():
                wrong[name] = float(np.abs(got - given["margin"]).max())
    assert not wrong and len(found) > 40


def test_texts_that_the_file_does_not_tell_are_refused_with_the_ways_out(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    document = json.loads(counted("1.2.10")["two-plain-texts.json"])
    del document["features_info"]["cat_features_hash"]
    path.write_text(json.dumps(document))
    with pytest.raises(UnsupportedModel, match="pool=pool"):
        catboost.read(path)


def altered(change: Any) -> dict[str, Any]:
    document = json.loads(counted("1.2.10")["two-hot-whole.json"])
    change(document)
    return document


@pytest.mark.parametrize("change", [
    lambda d: d["features_info"]["ctrs"][0].update(identifier="another"),
    lambda d: d["features_info"]["ctrs"][0].update(borders=[0.5]),
    lambda d: d["features_info"]["ctrs"][0]["elements"][0].update(cat_feature_index=77),
    lambda d: next(iter(d["ctr_data"].values())).update(hash_stride=1),
    lambda d: next(iter(d["ctr_data"].values()))["hash_map"].pop(),
    lambda d: next(iter(d["ctr_data"].values()))["hash_map"].__setitem__(0, "-5"),
    lambda d: [c.update(target_border_idx=9, ctr_type="Buckets") for c in d["features_info"]["ctrs"]]])
def test_statistics_that_are_none_are_corrupt(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(altered(change)))
    with pytest.raises(CorruptFile):
        catboost.read(path)


@pytest.mark.parametrize("suffix", ["cbm", "json"])
def test_statistics_that_are_cut_off_or_changed_are_a_typed_error_or_a_model(suffix: str) -> None:
    data = counted("1.2.10")[f"two-Borders-whole.{suffix}"]
    for size in range(0, len(data), max(1, len(data) // 40)):
        with pytest.raises((ModelportError, Unsupported)):
            parse(data[:size])
    for at in range(8, len(data), max(1, len(data) // 150)):
        try:
            parse(data[:at] + bytes([data[at] ^ 0xff]) + data[at + 1:])
        except (ModelportError, Unsupported):
            continue


@pytest.mark.parametrize("name", ["cb-three-cbm.cbm", "cb-leafwise-cbm.cbm", "cb-reg-json.json"])
def test_whatever_is_cut_off_or_changed_is_a_typed_error_or_a_model(name: str) -> None:
    data = member(name)
    for size in range(0, len(data), max(1, len(data) // 60)):
        with pytest.raises((ModelportError, Unsupported)):
            parse(data[:size])
    for at in range(8, len(data), max(1, len(data) // 120)):
        try:
            parse(data[:at] + bytes([data[at] ^ 0xff]) + data[at + 1:])
        except (ModelportError, Unsupported):
            continue


def changed(change: Any) -> dict[str, Any]:
    document = copy.deepcopy(json.loads(member("cb-reg-json.json")))
    change(document)
    return document


@pytest.mark.parametrize("change", [
    lambda d: d["oblivious_trees"][0].update(leaf_values=[1.0]),
    lambda d: d["oblivious_trees"][0].update(splits=d["oblivious_trees"][0]["splits"] * 20),
    lambda d: d["oblivious_trees"][0]["splits"][0].update(float_feature_index=99),
    lambda d: d["oblivious_trees"][0]["splits"][0].update(border=float("nan")),
    lambda d: d["features_info"]["float_features"][0].update(flat_feature_index=1 << 40),
    lambda d: d["features_info"]["float_features"][0].update(flat_feature_index=-5),
    lambda d: d.update(scale_and_bias=[1, [0, 0, 0]]), lambda d: d.pop("features_info")])
def test_a_model_that_is_none_is_corrupt(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(changed(change)))
    with pytest.raises(CorruptFile):
        catboost.read(path)


def test_what_only_catboost_computes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(changed(lambda d: d["features_info"].update(text_features=[{"a": 1}]))))
    with pytest.raises(UnsupportedModel, match="text features"):
        catboost.read(path)
