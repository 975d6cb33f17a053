"""A large model runs in Keras as a graph of TensorFlow, which frees what was used: the same numbers, bit for bit."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # Keras's own
keras: Any = pytest.importorskip("keras")


def test_a_graph_computes_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    from modelport.runtimes import keras as runtime

    rng = np.random.default_rng(0)
    inner = keras.Sequential([keras.layers.Input((16, 16, 8)), keras.layers.Conv2D(8, 3, activation="relu"),
                              keras.layers.BatchNormalization()])
    x = keras.Input((16, 16, 3), name="x")
    y = keras.layers.Conv2D(8, 5, padding="same", activation="swish")(x)
    y = keras.layers.LSTM(5)(keras.layers.Reshape((-1, 8))(inner(y)))
    model = keras.Model(x, keras.layers.Dense(7, activation="softmax")(y))
    for w in model.weights:
        w.assign(rng.uniform(0.1, 1, tuple(w.shape)))
    model.save(tmp_path / "m.keras")
    before = tf.config.optimizer.get_experimental_options()
    feeds = [rng.standard_normal((n, 16, 16, 3)).astype(np.float32) for n in (2, 1, 2)]

    def answers() -> tuple[list[Any], Any]:
        session = runtime.start(tmp_path / "m.keras")
        assert isinstance(session, runtime.Keras)
        return [next(iter(session.run({"x": x}).values())) for x in feeds], session._traced

    plain, untraced = answers()
    monkeypatch.setattr(runtime, "LARGE", 0)
    traced, function = answers()
    assert untraced is None
    assert function is not None
    for a, b in zip(plain, traced, strict=True):
        np.testing.assert_array_equal(a, b)
    after = tf.config.optimizer.get_experimental_options()
    assert {k: v for k, v in after.items() if v} == {k: v for k, v in before.items() if v}


def test_rows_are_counted_through_models_within_models() -> None:
    from modelport.runtimes.keras import _row

    inner = keras.Sequential([keras.layers.Input((4, 4, 3)), keras.layers.Conv2D(5, 1)])
    x = keras.Input((4, 4, 3))
    y = keras.layers.Flatten()(inner(x))
    assert _row(keras.Model(x, y)) == 4 * (48 + 80 + 80)
