"""Makes the small models of ``tests/recorded/tensorflow``: each a SavedModel, packed, with inputs and what TensorFlow
computes from them.  Needs TensorFlow and Keras 3: ``python tests/formats/tensorflow/make_models.py [FOLDER]``."""
from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf

RECORDED = Path(__file__).parents[2] / "recorded" / "tensorflow"
R = np.random.RandomState(0)
L = keras.layers
F = tf.float32


def floats(*shape: int) -> np.ndarray:
    return np.asarray(R.randn(*shape) * 0.5, "f4")


def net(*layers: Any) -> Any:
    model = keras.Sequential(list(layers))
    for w in model.weights:
        w.assign(np.abs(floats(*w.shape)) + 0.5 if "var" in w.path else floats(*w.shape))
    return model


class Flow(tf.Module):
    """Loops, branches, growing arrays, tables."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(floats(4, 4))
        keys, values = tf.constant(["a", "b", "c"]), tf.constant([1, 2, 3], tf.int64)
        self.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], F), tf.TensorSpec([None], tf.string)])
    def __call__(self, x: Any, s: Any) -> dict[str, Any]:
        i = tf.constant(0)
        while i < 3:
            x = tf.nn.tanh(x @ self.w)
            i += 1
        x = x * 2 if tf.reduce_sum(x) > 0 else x - 1
        made = tf.TensorArray(F, size=0, dynamic_size=True)
        for j in tf.range(tf.shape(x)[1]):
            made = made.write(j, x[:, j] * tf.cast(j, F))
        return {"made": x, "looked_up": self.table.lookup(s), "grown": made.stack(), "top": tf.math.top_k(x, 2).indices}


class Vocabulary(tf.Module):
    """A table from an asset, and a gather."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        path = Path(folder) / "words.txt"
        path.write_text("x\ny\nz\n")
        initializer = tf.lookup.TextFileInitializer(str(path), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
                                                    tf.lookup.TextFileIndex.LINE_NUMBER)
        self.table = tf.lookup.StaticHashTable(initializer, -1)
        self.rows = tf.Variable(floats(4, 3))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, s: Any) -> dict[str, Any]:
        return {"e": tf.gather(self.rows, self.table.lookup(s) + 1)}


class Choice(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([None], F)])
    def __call__(self, k: Any, x: Any) -> dict[str, Any]:
        return {"case": tf.switch_case(k, [lambda: x * 2, lambda: x + 1, lambda: tf.nn.relu(x)]),
                "mapped": tf.map_fn(lambda v: v * v + 1, x),
                "scanned": tf.scan(lambda a, v: a * 0.5 + v, x, tf.constant(0.0))}


class Branches(tf.Module):
    """Variables assigned in branches of a loop, a branch of a branch, and a table asked in one."""

    def __init__(self) -> None:
        super().__init__()
        self.total = tf.Variable(0.5, name="total")
        self.count = tf.Variable(0, name="count")
        self.last = tf.Variable([0.0, 0.0], name="last")
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2], tf.int64), tf.constant([10, 20, 30], tf.int64)),
            -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        for i in tf.range(tf.size(x)):
            if x[i] > 0.9:
                self.total.assign_add(x[i])
                if self.total > 3.0:
                    self.total.assign(self.total / 2.0)
                    self.last.assign([x[i], self.total])
            else:
                self.count.assign_add(1)
            self.total.assign_sub(0.125)
        before = self.total + 1.0
        if tf.size(x) > 2:
            self.total.assign(before * 2.0)
            self.last[:1].assign([before])
            label = self.table.lookup(tf.cast(self.count, tf.int64))
        else:
            label = tf.constant(7, tf.int64)
        return {"total": self.total + 0.0, "count": self.count + 0, "before": before, "last": self.last * 1.0,
                "label": label}


class Draws(tf.Module):
    """Random numbers of a generator that the model holds."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = tf.random.Generator.from_seed(7)

    @tf.function(input_signature=[tf.TensorSpec([None, 5], F)])
    def __call__(self, x: Any) -> dict[str, Any]:
        g = self.generator
        return {"uniform": x + g.uniform(tf.shape(x)), "normal": g.normal([3, 2]), "near": g.truncated_normal([9]),
                "whole": g.uniform([7], -3, 90, tf.int32), "kept": tf.where(g.uniform(tf.shape(x)) > 0.4, x, 0.0)}


class Counter(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(1.5)

    @tf.function(input_signature=[tf.TensorSpec([], F)])
    def __call__(self, x: Any) -> dict[str, Any]:
        self.count.assign_add(x)
        return {"y": self.count * 2}


class Spectrum(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 128], F)])
    def __call__(self, x: Any) -> dict[str, Any]:
        power = tf.abs(tf.signal.stft(x, 32, 16))
        return {"power": power, "mfcc": tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(power + 1e-3))}


def first(path: str) -> None:
    """A model of TensorFlow 1: reference variables, a loop and a branch of the first generation."""
    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(F, [None, 3], "x")
        w = v1.get_variable("w", initializer=floats(3, 3), use_resource=False)
        _, y = v1.while_loop(lambda i, h: i < 3, lambda i, h: [i + 1, tf.tanh(h @ w)], [tf.constant(0), x])
        y = v1.cond(tf.reduce_sum(y) > 0, lambda: y * 2, lambda: y - 1)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, path, {"x": x}, {"y": y})
    v1.enable_control_flow_v2()


def models(folder: str) -> dict[str, Callable[[], Any]]:
    return {
        "flow": Flow, "vocabulary": lambda: Vocabulary(folder), "choice": Choice, "counter": Counter,
        "spectrum": Spectrum,
        "lstm": lambda: net(L.Input((None, 3)), L.LSTM(4, return_sequences=True), L.LSTM(2)),
        "gru": lambda: net(L.Input((6, 3)), L.GRU(4, return_sequences=True), L.GRU(2, reset_after=False)),
        "masked": lambda: net(L.Input((5,), dtype="int32"), L.Embedding(6, 3, mask_zero=True), L.LSTM(3)),
        "both_ways": lambda: net(L.Input((5,), dtype="int32"), L.Embedding(6, 3, mask_zero=True),
                                 L.Bidirectional(L.GRU(3, return_sequences=True))),
        "vision": lambda: net(L.Input((8, 8, 2)), L.Conv2D(3, 3, padding="same", strides=2), L.BatchNormalization(),
                              L.ReLU(6.0), L.DepthwiseConv2D(2), L.LayerNormalization(), L.MaxPooling2D(2),
                              L.Flatten(), L.Dense(3, activation="softmax")),
        "branches": Branches, "draws": Draws}


def feeds(function: Any, batch: int) -> dict[str, np.ndarray]:
    out = {}
    for name, spec in function.structured_input_signature[1].items():
        shape = [d if d is not None else batch if k == 0 else 7 for k, d in enumerate(spec.shape)]
        if spec.dtype == tf.string:
            words = [["a", "x", "q", "z"][k % 4] for k in range(int(np.prod(shape)))]
            out[name] = np.array(words, object).reshape(shape)
        elif spec.dtype.is_integer:
            out[name] = np.asarray(R.randint(0, 3, shape), spec.dtype.as_numpy_dtype)
        else:
            out[name] = np.asarray(floats(*shape) * 2)
    return out


def record(name: str, path: str, folder: Path) -> None:
    model = tf.saved_model.load(path)
    function = model.signatures["serving_default"]
    arrays = {}
    for batch in (1, 3):
        given = feeds(function, batch)
        made = function(**{k: tf.constant(v) for k, v in given.items()})
        arrays.update({f"{batch}|in|{k}": v.astype(str) if v.dtype == object else v for k, v in given.items()})
        arrays.update({f"{batch}|out|{k}": v.numpy() for k, v in made.items()})
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    with tarfile.open(folder / f"{name}.tar.xz", "w:xz") as tar:
        for file in sorted(Path(path).rglob("*")):
            if file.is_file() and file.name != "fingerprint.pb":
                info = tar.gettarinfo(file, str(file.relative_to(path)))
                info.mtime = info.uid = info.gid = 0
                info.uname = info.gname = ""
                with open(file, "rb") as f:
                    tar.addfile(info, f)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for name, make in models(temporary).items():
            path = f"{temporary}/{name}"
            model = make()
            if isinstance(model, keras.Model):
                model.export(path, verbose=False)
            else:
                tf.saved_model.save(model, path)
            record(name, path, folder)
        first(f"{temporary}/first")
        record("first", f"{temporary}/first", folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDED)
