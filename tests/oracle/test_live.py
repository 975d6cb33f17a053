"""Models of Keras and TensorFlow in memory: read as they are, and computing the same."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import modelport
from modelport.errors import UsageError

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Keras's own
X = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)


def same(model: Any, wanted: Any) -> None:
    got = next(iter(modelport.load(model).run(X).values()))
    assert np.abs(got - np.asarray(wanted)).max() <= 1e-6  # eight products of order one


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_keras_model(package: str) -> None:
    keras = pytest.importorskip(package)
    layers = keras.layers
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="relu"), layers.Dense(3)])
    same(model, model(X))


def test_a_keras_model_of_code() -> None:
    """A class of the user's has no architecture to read: its graph has."""
    keras = pytest.importorskip("keras")

    class Net(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(x) * 2
    model = Net()
    same(model, model(X))


def test_functions_and_modules() -> None:
    tf = pytest.importorskip("tensorflow")
    spec = tf.TensorSpec([None, 8], tf.float32)

    @tf.function(input_signature=[spec])
    def function(x: Any) -> Any:
        return tf.nn.softmax(x) * 2.0

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(np.ones((8, 3), np.float32))

        @tf.function(input_signature=[spec])
        def __call__(self, x: Any) -> Any:
            return {"out": x @ self.w}
    module = Module()
    same(function, function(X))
    same(function.get_concrete_function(), function(X))
    same(module, module(X)["out"])
    with pytest.raises(UsageError) as e:
        modelport.load(tf.function(lambda x: x))
    assert "input_signature" in e.value.hint
