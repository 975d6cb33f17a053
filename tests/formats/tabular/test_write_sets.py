"""Sets of categories from one library of boosting into another, and labels that files of boosters cannot say."""
from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.errors import Unsupported
from modelport.formats import lightgbm, membership, sklearn, xgboost
from modelport.formats.ensemble import LEQ, Ensemble
from modelport.ir.tensor import Array
from modelport.proof.verify import verify
from modelport.runtimes import start

RECORDED = Path(__file__).parents[2] / "recorded/tabular"


def member(archive: str, name: str) -> bytes:
    with tarfile.open(RECORDED / f"{archive}.tar.xz") as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read()


def odd(x: Array) -> Array:
    """Rows with numbers that are no categories among them."""
    rng = np.random.default_rng(4)
    x = np.concatenate([x] * 6).astype(np.float32)
    for v in (np.nan, -0.5, -0.0, -1, -1.5, 0, 0.5, 1e9, np.inf, -np.inf):
        x[rng.random(x.shape) < 0.05] = v
    return x


def answers(path: Path, x: Array) -> Array:
    session = start("trees", path)
    made = next(v for v in session.run({"X": x.astype(session.inputs["X"].dtype)}).values() if v.dtype.kind == "f")
    return made.astype(np.float64)


@pytest.mark.parametrize("archive", ["a", "b", "d"])
def test_sets_of_lightgbm_in_xgboost_and_back(archive: str, tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_bytes(member(f"old/{archive}", "lgb-categories.txt"))
    with np.load(io.BytesIO(member(f"old/{archive}", "lgb-categories.npz"))) as z:
        x = odd(z["x"])
    hub = lightgbm.to_hub(lightgbm.read(source))
    xgboost.write(xgboost.from_hub(hub), tmp_path / "made.json")
    back = xgboost.to_hub(xgboost.read(tmp_path / "made.json"))
    want = answers(source, x)
    assert np.abs(answers(tmp_path / "made.json", x) - want).max() < 1e-6 * np.abs(want).max()
    assert verify(source, tmp_path / "made.json", retyped=True, lower="float32").verdict == "pass"
    lightgbm.write(lightgbm.from_hub(hub), tmp_path / "same.txt")
    assert np.abs(answers(tmp_path / "same.txt", x) - want).max() < 1e-12
    if all(n.op != "Concat" for n in back.nodes):  # else sets are asked beside numbers of one column
        lightgbm.write(lightgbm.from_hub(back), tmp_path / "back.txt")
        assert np.abs(answers(tmp_path / "back.txt", x) - want).max() < 1e-6 * np.abs(want).max()


def tree(members: Array, missing: bool) -> Ensemble:
    """Two nested sets and a number below them."""
    left, right = np.array([1, 3, -1, 5, -1, -1, -1]), np.array([2, 4, -1, 6, -1, -1, -1])
    return Ensemble(np.array([0]), left, right, np.array([0, 1, 0, 0, 0, 0, 0]), np.full(7, 2.5, np.float32),
                    np.array([missing, not missing, False, True, False, False, False]),
                    np.arange(7.0)[:, None], np.array([0]), 1, 2, LEQ, {0: members, 1: np.array([1, 2])})


def meant(x: Array, trees: Ensemble, zero: bool) -> Array:
    """What the trees answer, one row after the other, with this meaning of numbers between -1 and 0."""
    out = []
    for row in x:
        n = 0
        while trees.left[n] >= 0:
            v = row[trees.feature[n]]
            if np.isnan(v):
                left = bool(trees.missing_left[n])
            elif n in trees.members:
                left = (np.trunc(v) if zero else np.floor(v)) in trees.members[n]
            else:
                left = v <= trees.threshold[n]
            n = trees.left[n] if left else trees.right[n]
        out.append(trees.value[n, 0])
    return np.array(out)


@pytest.mark.parametrize("source", [membership.XGBOOST, membership.LIGHTGBM])
@pytest.mark.parametrize("target", [membership.XGBOOST, membership.LIGHTGBM])
@pytest.mark.parametrize("members", [[0, 3], [3, 5], []])
@pytest.mark.parametrize("missing", [True, False])
def test_trees_decide_as_before_by_the_targets_meaning(source: Any, target: Any, members: list[int],
                                                       missing: bool) -> None:
    before = tree(np.array(members), missing)
    after = membership.native(before, source.zero, target)
    values = [np.nan, -np.inf, -2, -1, -0.5, -0.0, 0, 0.5, 1, 2, 2.5, 3, 3.7, 5, np.inf]
    x = np.array([[a, b] for a in values for b in values], np.float32)
    assert (meant(x, after, target.zero) == meant(x, before, source.zero)).all()
    if not target.free:
        assert not after.missing_left[list(after.members)].any()


def test_sets_that_are_none_are_refused() -> None:
    with pytest.raises(Unsupported, match="whole numbers from 0"):
        membership.native(tree(np.array([-3, 2]), False), False, membership.XGBOOST)
    with pytest.raises(Unsupported, match="whole numbers from 0"):
        membership.native(tree(np.array([1 << 24]), False), False, membership.LIGHTGBM)


@pytest.mark.parametrize(("module", "name"), [(xgboost, "made.json"), (lightgbm, "made.txt")])
def test_labels_are_told_beside_the_numbers_of_classes(module: Any, name: str, tmp_path: Path) -> None:
    """The file says what they stand for where its library passes over it, and the proof compares by it."""
    source = tmp_path / "source.pkl"
    source.write_bytes(member("libraries", "LGBMClassifier__two named.pkl"))
    hub = sklearn.to_hub(sklearn.read(source))
    raw = module.from_hub(hub)
    assert any("stand for" in n.message for n in raw.notes)
    module.write(raw, tmp_path / name)
    read = module.read(tmp_path / name)
    labels = read.meta[f"{module.__name__.rpartition('.')[2]}:labels"].split("\n")
    assert len(labels) == 2 and set(labels) <= {v for n in raw.notes for v in n.message.replace(",", " ").split()}
    assert verify(source, tmp_path / name, retyped=True, lower="float32").verdict == "pass"
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text.replace(labels[0], "another"))
    assert verify(source, tmp_path / name, retyped=True, lower="float32").verdict == "fail"
