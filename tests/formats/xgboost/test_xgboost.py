"""XGBoost: trees that are none, and boosters written and read back."""
from __future__ import annotations

import copy
import ctypes
import ctypes.util
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.codecs import ubjson
from modelport.errors import CorruptFile, ModelportError, Unsupported, UnsupportedModel, UsageError
from modelport.formats import additive, ensemble, lightgbm, membership, xgboost
from modelport.formats.xgboost.model import margins, parse
from modelport.registry import named

OLD = Path(__file__).parents[2] / "recorded/tabular/old"


def member(name: str, environment: str = "d") -> bytes:
    with tarfile.open(OLD / f"{environment}.tar.xz") as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read()


def tree(document: dict[str, Any]) -> dict[str, Any]:
    return document["learner"]["gradient_booster"]["model"]["trees"][0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("change", [
    lambda d: tree(d)["left_children"].__setitem__(1, 0), lambda d: tree(d)["left_children"].__setitem__(0, 2),
    lambda d: tree(d)["right_children"].__setitem__(0, 10 ** 6), lambda d: tree(d)["split_indices"].__setitem__(0, 77),
    lambda d: tree(d)["split_conditions"].__setitem__(0, float("nan")), lambda d: tree(d).update(split_conditions=[]),
    lambda d: d["learner"]["learner_model_param"].update(num_feature="1"),
    lambda d: d["learner"]["learner_model_param"].update(base_score="nan"),
    lambda d: d["learner"]["gradient_booster"]["model"].update(tree_info=[9, 9, 9, 9])])
def test_a_tree_that_is_none_is_corrupt(change: Any) -> None:
    document = copy.deepcopy(json.loads(member("xgb-squared-json.json")))
    change(document)
    with pytest.raises(CorruptFile):
        parse(json.dumps(document).encode())


@pytest.mark.parametrize(("name", "environment"), [
    ("xgb-squared-ubj.ubj", "d"), ("xgb-softprob-json.json", "d"), ("xgb-softmax-model.model", "a"),
    ("xgb-linear-model.model", "b")])
def test_whatever_is_cut_off_or_changed_is_a_typed_error_or_a_model(name: str, environment: str) -> None:
    data = member(name, environment)
    for at in range(0, len(data), max(1, len(data) // 80)):
        for bad in (data[:at], data[:at] + bytes([data[at] ^ 0xff]) + data[at + 1:]):
            try:
                parse(bad)
            except (ModelportError, Unsupported):
                continue


@pytest.mark.parametrize("suffix", [".json", ".ubj"])
@pytest.mark.parametrize("name", ["xgb-squared-ubj.ubj", "xgb-logistic-ubj.ubj", "xgb-softprob-ubj.ubj",
                                  "xgb-poisson-ubj.ubj", "forest-regressor.pkl", "boosting.pkl", "lgb-two.pkl",
                                  "histogram-two.pkl"])
def test_trees_are_written_and_read_back(name: str, suffix: str, tmp_path: Path) -> None:
    """The margins are those of the hub's trees, on thresholds and beside them too."""
    source = tmp_path / name
    source.write_bytes(member(name))
    f = named("xgboost" if name.startswith("xgb-") else "sklearn")
    graph = f.load().to_hub(f.load().read(source))
    xgboost.write(xgboost.from_hub(graph), tmp_path / f"made{suffix}")
    lightgbm.write(lightgbm.from_hub(graph), tmp_path / "made.txt")
    found = additive.recognised(graph, "test", membership.XGBOOST)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, found.trees.features)).astype(np.float32)
    splits = np.unique(found.trees.threshold[found.trees.left >= 0])[:60].astype(np.float32)
    for k, t in enumerate(splits):
        x[3 * k:3 * k + 3] = np.array([[t], [np.nextafter(t, np.float32(-9))], [np.nextafter(t, np.float32(9))]])
    x[rng.random(x.shape) < 0.05] = np.nan
    want = ensemble.evaluate(x.astype(found.trees.threshold.dtype), found.trees)
    boosted = parse((tmp_path / f"made{suffix}").read_bytes())
    assert boosted.trees is not None
    got = ensemble.evaluate(x, boosted.trees) + boosted.base
    assert np.allclose(got, want, rtol=1e-6, atol=1e-6)
    text = lightgbm.model.parse((tmp_path / "made.txt").read_bytes())
    assert np.allclose(ensemble.evaluate(x.astype(np.float64), text.trees), want, rtol=1e-12, atol=1e-12)


def test_what_is_no_sum_of_trees_is_refused(tmp_path: Path) -> None:
    f, source = named("sklearn").load(), tmp_path / "forest.pkl"
    source.write_bytes(member("forest.pkl"))
    with pytest.raises(UnsupportedModel, match="means of the trees"):
        xgboost.from_hub(f.to_hub(f.read(source)))
    source.write_bytes(member("tree-regressor.pkl"))
    with pytest.raises(UsageError, match="schema"):
        xgboost.from_hub(f.to_hub(f.read(source)), schema="0.9")


def test_ubjson_is_read_as_it_was_written() -> None:
    document = {"a": [1, "ü", {"b": np.arange(3, dtype=np.int32)}], "c": 1 << 40, "d": np.float32([0.1, -2])}
    found = ubjson.loads(ubjson.dumps(document))
    assert found["a"][:2] == [1, "ü"] and found["c"] == 1 << 40
    assert (np.asarray(found["a"][2]["b"]) == [0, 1, 2]).all()
    assert (np.asarray(found["d"], np.float32) == np.float32([0.1, -2])).all()


def test_base_scores_are_those_of_c() -> None:
    """XGBoost computes ``-logf(1.0f / p - 1.0f)``.  glibc's logf is not rounded right in one of 250 of these numbers;
    numpy's logarithm of float32 differs from it in one of six."""
    logf = getattr(ctypes.CDLL(ctypes.util.find_library("m")), "logf", None)
    if logf is None:
        pytest.skip("no logf in the C library")
    logf.argtypes, logf.restype = [ctypes.c_float], ctypes.c_float
    p = (np.arange(1, 1000) / 1000).astype(np.float32)
    want = np.array([-logf(float(v)) for v in np.float32(1) / p - np.float32(1)], np.float32)
    got = np.array([margins("binary:logistic", f"[{float(v)!r}]", 1, (3, 2, 0))[0] for v in p])
    np.testing.assert_array_max_ulp(got, want, 1)
    assert (got != want).sum() < 10
