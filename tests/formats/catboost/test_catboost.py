"""CatBoost: hashes, and files that are no models."""
from __future__ import annotations

import copy
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from modelport.errors import CorruptFile, ModelportError, Unsupported, UnsupportedModel
from modelport.formats import catboost
from modelport.formats.catboost.hashing import short, whole_numbers
from modelport.formats.catboost.model import parse

OLD = Path(__file__).parents[2] / "recorded/tabular/old/b.tar.xz"


def member(name: str) -> bytes:
    with tarfile.open(OLD) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read()


def test_hashes_are_those_of_catboost() -> None:
    """Numbers and letters, and the values that CatBoost 1.2.10 wrote for them."""
    known = {"0": -1438285038, "1": 1121341681, "2": -1284790409, "u": 1981898051, "v": -1706589142, "w": -1196738607}
    assert {k: short(k.encode()) for k in known} == known
    assert whole_numbers([1121341681, -1284790409]) == {1121341681: 1, -1284790409: 2}
    assert whole_numbers([1121341681, 1981898051]) is None


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
    path.write_text(json.dumps(changed(lambda d: d.update(ctr_data={"a": 1}))))
    with pytest.raises(UnsupportedModel, match="CTR"):
        catboost.read(path)
