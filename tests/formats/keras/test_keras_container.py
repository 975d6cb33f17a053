"""The containers of Keras in all their layouts; weights by path and by name; the oldest generation; state; notes."""
from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelport
from modelport.errors import CorruptFile, UnsafeModel, UnsupportedModel, UsageError
from modelport.formats import keras as format_keras
from modelport.formats.keras.live import is_live
from modelport.ir import Graph

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from keras_cases import CASES, recorded

RNG = np.random.default_rng(3)
FOUND = recorded()


def file_of(case: str, folder: Path) -> Path:
    path = folder / f"model{CASES[case].suffix}"
    path.write_bytes(FOUND[case][0])
    return path


def agrees(case: str, path: Path, **options: Any) -> None:
    """The file computes what was recorded of the case."""
    model = modelport.load(path, **options)
    got = list(model.run(dict(zip(model.inputs, CASES[case].arrays, strict=True))).values())
    for a, b in zip(FOUND[case][1], got, strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()


def members(case: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(FOUND[case][0])) as z:
        return {n: z.read(n) for n in z.namelist()}


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return path


def w(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def old_file(path: Path, layers: list[dict[str, Any]], weights: dict[str, dict[str, np.ndarray]], version: str | None,
             kind: str = "Sequential", backend: str = "tensorflow") -> Path:
    """An .h5 of an older generation: a chain of layers, weights by name."""
    with h5py.File(path, "w") as f:
        config: Any = layers if kind == "Sequential" else {"name": "m", "layers": layers}
        f.attrs["model_config"] = json.dumps({"class_name": kind, "config": config})
        if version:
            f.attrs["keras_version"] = version
            f.attrs["backend"] = backend
        g = f.create_group("model_weights")
        g.attrs["layer_names"] = [n.encode() for n in weights]
        for name, arrays in weights.items():
            here = g.create_group(name)
            here.attrs["weight_names"] = [n.encode() for n in arrays]
            for n, a in arrays.items():
                here[n] = a
    return path


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


# -- .keras


def test_a_zipped_model_and_its_folder(tmp_path: Path) -> None:
    case = "model/residual"
    agrees(case, file_of(case, tmp_path))
    folder = tmp_path / "unzipped"
    for name, data in members(case).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    agrees(case, folder)


def test_a_deflated_archive(tmp_path: Path) -> None:
    agrees("model/residual", zipped(tmp_path / "a.keras", members("model/residual"), zipfile.ZIP_DEFLATED))


def test_stored_weights_are_views_of_the_archive(tmp_path: Path) -> None:
    files = members("Dense")
    buffer = io.BytesIO()
    kernel = w(3, 20_000)
    with h5py.File(buffer, "w") as f:
        f["layers/dense/vars/0"] = kernel
        f["layers/dense/vars/1"] = w(20_000)
    config = json.loads(files["config.json"])
    next(x for x in config["config"]["layers"] if x["class_name"] == "Dense")["config"]["units"] = 20_000
    path = zipped(tmp_path / "a.keras", {**files, "config.json": json.dumps(config).encode(),
                                         "model.weights.h5": buffer.getvalue()})
    raw = format_keras.read(path)
    constant = next(v for v in raw.constants if v.shape == (3, 20_000))
    assert constant.data is not None
    stored: Any = constant.data._raw
    assert path.read_bytes()[stored.start:stored.end] == kernel.tobytes()


def test_sharded_weights(tmp_path: Path) -> None:
    case = "model/two_outputs"
    files = members(case)
    index: dict[str, Any] = {"metadata": {}, "weight_map": {}}
    made: dict[str, bytes] = {k: files[k] for k in ("metadata.json", "config.json")}
    with h5py.File(io.BytesIO(files["model.weights.h5"])) as f:
        for k, name in enumerate(f["layers"]):
            buffer = io.BytesIO()
            with h5py.File(buffer, "w") as shard:
                f.copy(f"layers/{name}", shard.create_group("layers"), name=name)
            made[f"model_{k:05}.weights.h5"] = buffer.getvalue()
            index["weight_map"][f"/layers/{name}/vars"] = [f"model_{k:05}.weights.h5"]
    made["model.weights.json"] = json.dumps(index).encode()
    agrees(case, zipped(tmp_path / "a.keras", made))


def test_the_group_of_keras_2_13(tmp_path: Path) -> None:
    files = members("Dense")
    buffer = io.BytesIO(files["model.weights.h5"])
    with h5py.File(buffer, "a") as f:
        f.move("layers", "_layer_checkpoint_dependencies")
    agrees("Dense", zipped(tmp_path / "a.keras", {**files, "model.weights.h5": buffer.getvalue()}))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    files = members("Dense")
    files["model.weights.npz"] = files.pop("model.weights.h5")
    with pytest.raises(UnsafeModel, match="pickles"):
        modelport.load(zipped(tmp_path / "a.keras", files))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    files = members("Dense")
    buffer = io.BytesIO(files["model.weights.h5"])
    with h5py.File(buffer, "a") as f:
        del f["layers/dense/vars/1"]
    with pytest.raises(CorruptFile, match="no weight 'bias' of the layer 'dense'"):
        modelport.load(zipped(tmp_path / "a.keras", {**files, "model.weights.h5": buffer.getvalue()}))


# -- architectures and weights apart


def test_an_architecture_with_its_weights(tmp_path: Path) -> None:
    files = members("model/residual")
    (tmp_path / "model.json").write_bytes(files["config.json"])
    (tmp_path / "w.weights.h5").write_bytes(files["model.weights.h5"])
    agrees("model/residual", tmp_path / "model.json", format="keras", weights=str(tmp_path / "w.weights.h5"))
    with pytest.raises(UsageError, match="without weights") as e:
        modelport.load(tmp_path / "model.json", format="keras")
    assert "weights=" in e.value.hint
    with pytest.raises(UsageError, match="weights only") as e:
        modelport.load(tmp_path / "w.weights.h5", format="keras")
    assert "weights=" in e.value.hint
    with pytest.raises(UsageError, match="no file"):
        modelport.load(tmp_path / "model.json", format="keras", weights="nowhere.h5")


def test_a_subclassed_model_says_what_to_do(tmp_path: Path) -> None:
    files = members("Dense")
    files["config.json"] = json.dumps({"class_name": "Mine", "config": {"name": "mine"}}).encode()
    with pytest.raises(UnsupportedModel, match="subclassed") as e:
        modelport.load(zipped(tmp_path / "a.keras", files))
    assert "SavedModel" in e.value.hint


# -- weights by name


def test_attributes_in_pieces(tmp_path: Path) -> None:
    """HDF5 holds no attribute of more than 64 KB: Keras cuts lists of names."""
    path = old_file(tmp_path / "a.h5", [layer("Dense", "a", units=2, batch_input_shape=[None, 3])],
                    {"a": {"a/kernel:0": w(3, 2), "a/bias:0": w(2)}}, "2.4.0")
    with h5py.File(path, "a") as f:
        g = f["model_weights"]
        names = list(g["a"].attrs["weight_names"])
        del g["a"].attrs["weight_names"]
        for k, n in enumerate(names):
            g["a"].attrs[f"weight_names{k}"] = [n]
    assert [v.name for v in format_keras.read(path).constants] == ["a/kernel", "a/bias"]


def test_names_that_are_ambiguous_are_refused(tmp_path: Path) -> None:
    inner = {"class_name": "Sequential", "config": {"name": "inner", "layers": [
        layer("Dense", "d", units=2, batch_input_shape=[None, 3])]}}
    path = old_file(tmp_path / "a.h5", [layer("InputLayer", "x", batch_input_shape=[None, 3]), inner],
                    {"inner": {f"{n}/d/{k}:0": a for n in "xy" for k, a in (("kernel", w(3, 2)), ("bias", w(2)))}},
                    "2.4.0")
    with pytest.raises(CorruptFile, match="twice"):
        format_keras.read(path)


# -- Keras 1, and Theano


def one(graph: Graph, op: str) -> Any:
    return next(n for n in graph.nodes if n.op == op)


def ran(path: Path, x: np.ndarray) -> np.ndarray:
    (y,) = modelport.load(path).run(x).values()
    return y


def test_dense_of_keras_1(tmp_path: Path) -> None:
    a, b = w(3, 4), w(4)
    path = old_file(tmp_path / "a.h5", [layer("Dense", "d", output_dim=4, activation="relu", bias=True, init="uniform",
                                              W_regularizer=None, batch_input_shape=[None, 3], input_dim=3)],
                    {"d": {"d_W": a, "d_b": b}}, None)
    x = w(2, 3)
    assert np.allclose(ran(path, x), np.maximum(x @ a + b, 0), atol=1e-5)


def correlate(x: np.ndarray, k: np.ndarray) -> np.ndarray:
    """A valid convolution of channels-last images, as TensorFlow computes it."""
    h, v = k.shape[:2]
    out = np.zeros((x.shape[0], x.shape[1] - h + 1, x.shape[2] - v + 1, k.shape[3]))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = np.tensordot(x[:, i:i + h, j:j + v], k, axes=3)
    return out


def conv_1(ordering: str) -> dict[str, Any]:
    return layer("Convolution2D", "c", nb_filter=4, nb_row=2, nb_col=3, subsample=[1, 1], border_mode="valid",
                 dim_ordering=ordering, bias=True, activation="linear",
                 batch_input_shape=[None, 5, 6, 2] if ordering == "tf" else [None, 2, 5, 6])


def test_convolutions_of_keras_1(tmp_path: Path) -> None:
    k, b, x = w(2, 3, 2, 4), w(4), w(2, 5, 6, 2)
    path = old_file(tmp_path / "tf.h5", [conv_1("tf")], {"c": {"c_W": k, "c_b": b}}, None)
    assert np.allclose(ran(path, x), correlate(x, k) + b, atol=1e-4)
    path = old_file(tmp_path / "th.h5", [conv_1("th")], {"c": {"c_W": k.transpose(3, 2, 0, 1), "c_b": b}}, "1.2.2")
    assert np.allclose(ran(path, x.transpose(0, 3, 1, 2)), (correlate(x, k) + b).transpose(0, 3, 1, 2), atol=1e-4)


def test_theano_turns_its_kernels(tmp_path: Path) -> None:
    k, b, x = w(2, 3, 2, 4), w(4), w(2, 5, 6, 2)
    config = layer("Conv2D", "c", filters=4, kernel_size=[2, 3], strides=[1, 1], padding="valid", use_bias=True,
                   data_format="channels_last", activation="linear", batch_input_shape=[None, 5, 6, 2])
    path = old_file(tmp_path / "a.h5", [config], {"c": {"c/kernel": k, "c/bias": b}}, "2.0.8", backend="theano")
    assert np.allclose(ran(path, x), correlate(x, k[::-1, ::-1]) + b, atol=1e-4)


def test_recurrence_of_keras_1(tmp_path: Path) -> None:
    """Twelve arrays in the order of the gates i, c, f, o; the steps are gated by the steeper hard sigmoid."""
    gates = {g: (w(3, 4), w(4, 4), w(4)) for g in "icfo"}
    arrays = {f"l_{p}_{g}": a for g, parts in gates.items() for p, a in zip("WUb", parts, strict=True)}
    path = old_file(tmp_path / "a.h5", [layer("LSTM", "l", output_dim=4, activation="tanh",
                                              inner_activation="hard_sigmoid", return_sequences=False,
                                              batch_input_shape=[None, 5, 3], consume_less="cpu")], {"l": arrays}, None)
    x = w(2, 5, 3)
    h = c = np.zeros((2, 4))
    for t in range(5):
        i, new, f, o = (x[:, t] @ gates[g][0] + h @ gates[g][1] + gates[g][2] for g in "icfo")
        i, f, o = (np.clip(0.2 * v + 0.5, 0, 1) for v in (i, f, o))
        c = f * c + i * np.tanh(new)
        h = o * np.tanh(c)
    assert np.allclose(ran(path, x), h, atol=1e-5)


def test_cudnn_layers(tmp_path: Path) -> None:
    """They keep a bias for the input and one for the state; GRU resets after its product."""
    k, r, b = w(3, 16), w(4, 16), w(32)
    path = old_file(tmp_path / "a.h5", [layer("CuDNNLSTM", "l", units=4, batch_input_shape=[None, 5, 3])],
                    {"l": {"l/kernel:0": k, "l/recurrent_kernel:0": r, "l/bias:0": b}}, "2.2.4")
    x = w(2, 5, 3)

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))
    h = c = np.zeros((2, 4))
    for t in range(5):
        i, f, new, o = np.split(x[:, t] @ k + h @ r + b[:16] + b[16:], 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
        h = sigmoid(o) * np.tanh(c)
    assert np.allclose(ran(path, x), h, atol=1e-5)


def test_merge_of_keras_1(tmp_path: Path) -> None:
    layers = [layer("InputLayer", "x", batch_input_shape=[None, 3], input_dtype="float32"),
              {**layer("Merge", "m", mode="concat", concat_axis=-1, dot_axes=-1, output_shape=None),
               "inbound_nodes": [[["x", 0, 0], ["x", 0, 0]]], "name": "m"}]
    layers[0] |= {"inbound_nodes": [], "name": "x"}
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.attrs["model_config"] = json.dumps({"class_name": "Model", "config": {
            "name": "g", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["m", 0, 0]]}})
        f.create_group("model_weights").attrs["layer_names"] = [b"x"]
        f["model_weights"].create_group("x").attrs["weight_names"] = np.array([], "S1")
    x = w(2, 3)
    assert np.array_equal(ran(tmp_path / "a.h5", x), np.concatenate([x, x], axis=-1))


# -- what is not the default


def test_an_attribute_that_nobody_knows_is_located(tmp_path: Path) -> None:
    files = members("Dense")
    config = json.loads(files["config.json"])
    next(x for x in config["config"]["layers"] if x["class_name"] == "Dense")["config"]["sideways"] = True
    path = zipped(tmp_path / "a.keras", {**files, "config.json": json.dumps(config).encode()})
    with pytest.raises(UnsupportedModel, match=r"attribute not supported: 'sideways'.*first at 'dense'"):
        modelport.load(path)


def test_states_are_explicit_when_asked_for(tmp_path: Path) -> None:
    path = file_of("LSTM/stateful", tmp_path)
    model = modelport.load(path)
    assert list(model.inputs) == ["x0"]
    assert any("start from zero" in n.message for n in model.notes)
    explicit = modelport.load(path, state="explicit")
    assert list(explicit.inputs) == ["x0", "state:lstm:0", "state:lstm:1"]
    assert list(explicit.outputs) == ["lstm", "state:lstm:0:next", "state:lstm:1:next"]
    x = CASES["LSTM/stateful"].arrays[0]
    zero = np.zeros((2, 4), np.float32)
    first = explicit.run({"x0": x, "state:lstm:0": zero, "state:lstm:1": zero})
    second = explicit.run({"x0": x, "state:lstm:0": first["state:lstm:0:next"],
                           "state:lstm:1": first["state:lstm:1:next"]})
    assert np.allclose(first["lstm"], FOUND["LSTM/stateful"][1][0], atol=1e-5)
    files = members("LSTM/stateful")  # the same layer over both sequences as one
    config = files["config.json"].replace(b'"stateful": true', b'"stateful": false')
    assert config.count(b"[2, 5, 3]") >= 1
    whole = zipped(tmp_path / "whole.keras", {**files, "config.json": config.replace(b"[2, 5, 3]", b"[2, 10, 3]")})
    assert np.allclose(ran(whole, np.concatenate([x, x], axis=1)), second["lstm"], atol=1e-5)


def test_an_h5_without_its_vocabulary_says_so(tmp_path: Path) -> None:
    config = layer("StringLookup", "s", vocabulary=None, num_oov_indices=1, oov_token="[UNK]", mask_token=None,
                   output_mode="int", batch_input_shape=[None, 3], dtype="string")
    path = old_file(tmp_path / "a.h5", [config], {"s": {}}, "2.15.0")
    with pytest.raises(UnsupportedModel, match=r"adapted vocabulary is not in the file.*\.keras"):
        modelport.load(path)


def test_layers_called_twice_have_their_weights_once(tmp_path: Path) -> None:
    hub = format_keras.to_hub(format_keras.read(file_of("model/nested", tmp_path)))
    kernels = [v for v in hub.constants if v.shape == (3, 3)]
    assert len(kernels) == 1


def test_the_raw_graph_names_layers_as_the_source_does(tmp_path: Path) -> None:
    raw = format_keras.read(file_of("model/nested_twice", tmp_path))
    assert "sequential_2/sequential_1/sequential/batch_normalization" in {n.name for n in raw.nodes}
    hub = format_keras.to_hub(raw)
    assert all(n.origin for n in hub.nodes)


def test_what_a_live_model_is() -> None:
    class Model:
        __module__ = "keras.src.models.model"
    assert is_live(Model())
    assert not is_live(object())


def test_layers_of_keras_3_that_do_not_say_whether_they_are_trained(tmp_path: Path) -> None:
    """An .h5 of Keras 3 does not name modules, and some layers look like functions there (seen in 3.15)."""
    path = old_file(tmp_path / "a.h5", [layer("InputLayer", "i", batch_shape=[None, 4, 3], dtype="float32"),
                                        layer("SpatialDropout1D", "s", rate=0.2, seed=None, dtype="float32"),
                                        layer("Discretization", "d", bin_boundaries=[0.0, 0.5], num_bins=None,
                                              epsilon=0.01, output_mode="int", sparse=False, dtype="float32")],
                    {"i": {}, "s": {}, "d": {}}, "3.15.0")
    x = w(2, 4, 3)
    assert (ran(path, x) == np.digitize(x, [0.0, 0.5])).all()
