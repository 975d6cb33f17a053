"""Rows of 64 bits that trees in 32 bits decide otherwise are counted by name; mistakes are not excused."""
from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.formats import lightgbm, xgboost
from modelport.proof import compare as cmp
from modelport.proof.flips import Flips
from modelport.proof.inputs import Feed
from modelport.proof.verify import verify

OLD = Path(__file__).parents[1] / "recorded/tabular/old/b.tar.xz"


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    """A booster of LightGBM, which compares in 64 bits, and the same of XGBoost, which compares in 32."""
    with tarfile.open(OLD) as tar:
        stream = tar.extractfile("lgb-rank.txt")
        assert stream is not None
        (tmp_path / "source.txt").write_bytes(stream.read())
    hub = lightgbm.to_hub(lightgbm.read(tmp_path / "source.txt"))
    xgboost.write(xgboost.from_hub(hub), tmp_path / "made.json")
    return tmp_path / "source.txt", tmp_path / "made.json"


def compared(source: Path, target: Path) -> Any:
    return verify(source, target, lower="float32", retyped=True)


def test_rows_between_a_threshold_and_its_neighbour_are_counted(written: tuple[Path, Path]) -> None:
    report = compared(*written)
    assert report.verdict == "pass"
    note, = (n for n in report.notes if "float32 decides otherwise" in n)
    assert "in 'tree thresholds 0" in note and int(note.split(" in ")[1].split()[0]) > 10
    assert report.outputs[0].limited > 10


@pytest.mark.parametrize("step", [-np.inf, np.inf])
def test_a_threshold_that_is_one_step_off_is_no_flip(written: tuple[Path, Path], step: float) -> None:
    source, target = written
    document = json.loads(target.read_text())
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    tree = next(t for t in trees if t["left_children"][0] >= 0)
    tree["split_conditions"][0] = float(np.nextafter(np.float32(tree["split_conditions"][0]), np.float32(step)))
    target.write_text(json.dumps(document))
    assert compared(source, target).verdict == "fail"


def test_a_leaf_that_is_wrong_is_no_flip(written: tuple[Path, Path]) -> None:
    source, target = written
    document = json.loads(target.read_text())
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    leaf = tree["left_children"].index(-1)
    tree["split_conditions"][leaf] += 0.01
    target.write_text(json.dumps(document))
    assert compared(source, target).verdict == "fail"


@pytest.mark.parametrize(("label", "tied"), [(1, 1), (2, 0)])
def test_an_even_row_may_be_of_one_of_its_two_best_classes_only(label: int, tied: int) -> None:
    table = np.array([[0.45, 0.45, 0.1], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    source = {"label": np.array([0, 0, 1, 2]), "probabilities": table}
    target = {"label": np.array([label, 0, 1, 2]), "probabilities": table + 1e-8}

    def judge(name: str, x: Any, y: Any) -> cmp.Difference:
        return cmp.compare(x, y, cmp.EXACT if name == "label" else cmp.BARS["float32"])
    found = {k: judge(k, source[k], target[k]) for k in source}
    flips = Flips()
    feed = Feed("rows", "ordinary", {"X": np.zeros((4, 1), np.float32)}, 4)
    made = flips.excuse(feed, source, target, found, judge, lambda x: {})
    assert made["label"].passed == bool(tied) and sum(flips.tied.values()) == tied
