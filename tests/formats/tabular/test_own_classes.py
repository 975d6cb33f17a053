"""Classes of the user's own: refused by name, split off, or translated by a rule of the user's own."""
from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.errors import UnsupportedModel, UsageError
from modelport.formats.sklearn.methods import METHODS, matrix, method


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline of three steps, the second of a class that no library has; made without scikit-learn."""
    def cls(module: str, name: str, **state: Any) -> Any:
        for k in range(1, module.count(".") + 2):
            part = ".".join(module.split(".")[:k])
            monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        made = type(name, (), {"__module__": module})
        setattr(sys.modules[module], name, made)
        thing = made()
        thing.__dict__.update(state)
        return thing
    scaler = cls("sklearn.preprocessing._data", "StandardScaler", mean_=np.array([1.0, 2.0]),
                 scale_=np.array([2.0, 4.0]), with_mean=True, with_std=True, n_features_in_=2)
    own = cls("mine.steps", "Squarer", n_features_in_=2)
    model = cls("sklearn.linear_model._ridge", "Ridge", coef_=np.array([1.0, -1.0]), intercept_=0.5, n_features_in_=2)
    path = tmp_path / "own.pkl"
    path.write_bytes(pickle.dumps(cls("sklearn.pipeline", "Pipeline", steps=[("scale", scaler), ("mine", own),
                                                                            ("model", model)])))
    return path


X = np.array([[1.0, 2.0], [3.0, -2.0], [0.0, 0.0]])
SCALED = (X - [1, 2]) / [2, 4]


def test_it_is_refused_by_name_and_place(pipeline: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"Pipeline\.mine is a mine\.steps\.Squarer.*--split-at"):
        modelport.load(pipeline)


def test_the_steps_before_it_can_be_split_off(pipeline: Path) -> None:
    got = modelport.load(pipeline, split_at="mine").run(X)
    assert np.array_equal(got["transformed"], SCALED)
    with pytest.raises(UsageError, match="no step 'other'"):
        modelport.load(pipeline, split_at="other")
    with pytest.raises(UsageError, match="nothing is left"):
        modelport.load(pipeline, split_at="scale")


def test_a_rule_of_ones_own(pipeline: Path) -> None:
    @method("transform", "mine.steps.Squarer")
    def squarer(op: Any, x: Any, e: Any) -> Any:
        x = matrix(op, x)
        return op.Mul(x, x)
    try:
        got = modelport.load(pipeline).run(X)["prediction"]
    finally:
        del METHODS["transform"]["mine.steps.Squarer"]
    assert np.allclose(got, SCALED ** 2 @ [1, -1] + 0.5, rtol=1e-15)
