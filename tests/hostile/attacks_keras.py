"""Hostile files of Keras, made when they are needed: each function writes one into a folder and returns its path."""
from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Attack = Callable[[Path], Path]
KERAS: dict[str, Attack] = {}
MARKER = "ran"
BYTECODE = "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMEAAAAfABTACkBTqkA"  # the start of a marshalled function, in base64


def attack(f: Attack) -> Attack:
    KERAS[f.__name__] = f
    return f


def ref(name: str, call: int = 0, output: int = 0) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, output]}}


def layer(kind: str, name: str, inputs: Any = None, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    calls = [] if inputs is None else [{"args": inputs if isinstance(inputs, list) else [ref(inputs)], "kwargs": {}}]
    return {"module": module, "class_name": kind, "config": {"name": name, "trainable": True, **config}, "name": name,
            "inbound_nodes": calls}


X = layer("InputLayer", "x", batch_shape=[None, 4], dtype="float32")
DENSE = layer("Dense", "d", "x", units=3, activation="linear", use_bias=True)


def model(*layers: dict[str, Any], out: str) -> dict[str, Any]:
    return {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
            "config": {"name": "m", "layers": [X, *layers], "input_layers": ["x", 0, 0], "output_layers": [out, 0, 0]}}


def weights(change: Callable[[Any], None] = lambda f: None) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as f:
        f["layers/dense/vars/0"] = np.ones((4, 3), "f4")
        f["layers/dense/vars/1"] = np.ones(3, "f4")
        change(f)
    return buffer.getvalue()


def keras(folder: Path, config: Any = None, h5: bytes | None = None, more: dict[str, bytes] | None = None,
          method: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", method) as z:
        z.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        z.writestr("config.json", config if isinstance(config, (str, bytes)) else json.dumps(
            config or model(DENSE, out="d")))
        z.writestr("model.weights.h5", weights() if h5 is None else h5)
        for name, data in (more or {}).items():
            z.writestr(name, data)
    return path


# -- code


@attack
def keras_lambda(folder: Path) -> Path:
    code = {"class_name": "__lambda__", "config": {"value": {"code": BYTECODE, "defaults": None, "closure": None}}}
    return keras(folder, model(layer("Lambda", "l", "x", function=code), out="l"))


@attack
def keras_lambda_in_a_wrapper(folder: Path) -> Path:
    inner = layer("Lambda", "l", function={"class_name": "__lambda__", "config": {"value": [BYTECODE, None, None]}})
    return keras(folder, model(layer("Reshape", "r", "x", target_shape=[2, 2]),
                               layer("TimeDistributed", "t", "r", layer=inner), out="t"))


@attack
def keras_lambda_in_a_nested_model(folder: Path) -> Path:
    inner = {"module": "keras", "class_name": "Sequential", "name": "s", "inbound_nodes": [
        {"args": [ref("x")], "kwargs": {}}], "config": {"name": "s", "layers": [
            layer("InputLayer", "i", batch_shape=[None, 4]), layer("Lambda", "l", function=[BYTECODE, None, None])]}}
    return keras(folder, model(inner, out="s"))


@attack
def keras_lambda_as_activation(folder: Path) -> Path:
    code = {"class_name": "__lambda__", "config": {"value": [BYTECODE, None, None]}}
    return keras(folder, model(layer("Dense", "d", "x", units=3, activation=code), out="d"))


@attack
def keras_module_of_the_author(folder: Path) -> Path:
    evil = layer("system", "e", "x", module="os", command=f"touch {folder / MARKER}")
    return keras(folder, model(evil, out="e"))


@attack
def keras_saved_model_elsewhere(folder: Path) -> Path:
    return keras(folder, model(layer("TFSMLayer", "t", "x", filepath="/etc", call_endpoint="serve"), out="t"))


@attack
def keras_pickled_module(folder: Path) -> Path:
    return keras(folder, model(layer("TorchModuleWrapper", "t", "x", module={"class_name": "__bytes__"}), out="t"))


@attack
def keras_pickled_weights(folder: Path) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("config.json", json.dumps(model(DENSE, out="d")))
        z.writestr("model.weights.npz", b"PK")
    return path


# -- paths


@attack
def keras_asset_outside(folder: Path) -> Path:
    return keras(folder, more={"assets/../../secret.bin": b"x"})


@attack
def keras_asset_absolute(folder: Path) -> Path:
    return keras(folder, more={"/etc/passwd": b"x"})


@attack
def keras_vocabulary_by_path(folder: Path) -> Path:
    (folder.parent / "secret.bin").write_bytes(b"the secret of another folder")
    x = layer("InputLayer", "x", batch_shape=[None, 4], dtype="string")
    words = layer("StringLookup", "s", "x", vocabulary=str(folder.parent / "secret.bin"), oov_token="[UNK]",
                  num_oov_indices=1)
    config = model(words, out="s")
    config["config"]["layers"][0] = x
    return keras(folder, config)


@attack
def keras_shard_outside(folder: Path) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("config.json", json.dumps(model(DENSE, out="d")))
        z.writestr("model.weights.json", json.dumps({"weight_map": {"/layers/dense/vars": ["../secret.h5"]}}))
    return path


@attack
def keras_link_to_another_file(folder: Path) -> Path:
    def change(f: Any) -> None:
        del f["layers/dense/vars/0"]
        f["layers/dense/vars/0"] = h5py.ExternalLink("../secret.h5", "/w")
    return keras(folder, h5=weights(change))


@attack
def keras_soft_link(folder: Path) -> Path:
    def change(f: Any) -> None:
        del f["layers/dense/vars/0"]
        f["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense/vars/0")
    return keras(folder, h5=weights(change))


@attack
def keras_data_of_another_file(folder: Path) -> Path:
    secret = folder.parent / "secret.bin"
    secret.write_bytes(b"the secret of another folder" * 4)

    def change(f: Any) -> None:
        del f["layers/dense/vars/0"]
        f.create_dataset("layers/dense/vars/0", (4, 3), "f4", external=[(str(secret), 0, 48)])
    return keras(folder, h5=weights(change))


@attack
def keras_virtual_data(folder: Path) -> Path:
    def change(f: Any) -> None:
        del f["layers/dense/vars/0"]
        virtual = h5py.VirtualLayout((4, 3), "f4")
        virtual[:] = h5py.VirtualSource("../secret.h5", "w", (4, 3))
        f.create_virtual_dataset("layers/dense/vars/0", virtual)
    return keras(folder, h5=weights(change))


# -- bombs and circles


@attack
def keras_shape_of_terabytes(folder: Path) -> Path:
    def change(f: Any) -> None:
        del f["layers/dense/vars/0"]
        f.create_dataset("layers/dense/vars/0", (1 << 22, 1 << 22), "f4")
    return keras(folder, h5=weights(change))


@attack
def keras_weights_of_zeros_zipped(folder: Path) -> Path:
    def change(f: Any) -> None:
        del f["layers/dense/vars/0"]
        f.create_dataset("layers/dense/vars/0", data=np.zeros((1 << 12, 1 << 12), "f4"), compression="gzip")
    return keras(folder, h5=weights(change))


@attack
def keras_config_of_zeros_zipped(folder: Path) -> Path:
    return keras(folder, b'{"a": "' + bytes(300 << 20) + b'"}', method=zipfile.ZIP_DEFLATED)


@attack
def keras_group_in_itself(folder: Path) -> Path:
    path = folder / "model.h5"
    with h5py.File(path, "w") as f:
        f.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "s", "layers": [
            {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 4]}}]}})
        f.attrs["keras_version"] = "2.4.0"
        g = f.create_group("model_weights")
        g.attrs["layer_names"] = [b"d"]
        g["d"] = f
        g.attrs["weight_names"] = [b"model_weights/d/model_weights/d/w"]
        f.attrs["weight_names"] = [b"model_weights/d/model_weights/d/w"]
    return path


@attack
def keras_json_10000_deep(folder: Path) -> Path:
    return keras(folder, '{"class_name": ' + "[" * 10_000 + "]" * 10_000 + "}")


@attack
def keras_models_400_deep(folder: Path) -> Path:
    inner: dict[str, Any] = layer("InputLayer", "i", batch_shape=[None, 4])
    for _ in range(120):
        inner = {"class_name": "Sequential", "name": "s", "config": {"name": "s", "layers": [inner]}}
    inner["inbound_nodes"] = [{"args": [ref("x")], "kwargs": {}}]
    return keras(folder, model(inner, out="s"))


@attack
def keras_circle(folder: Path) -> Path:
    return keras(folder, model(layer("Activation", "a", "b", activation="relu"),
                               layer("Activation", "b", "a", activation="relu"), out="b"))


@attack
def keras_two_configurations(folder: Path) -> Path:
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras(folder, more={"config.json": json.dumps(model(DENSE, out="d")).encode()})


@attack
def keras_key_twice(folder: Path) -> Path:
    return keras(folder, json.dumps(model(DENSE, out="d")).replace('"units": 3', '"units": 3, "units": 4'))


@attack
def keras_layer_twice(folder: Path) -> Path:
    return keras(folder, model(DENSE, DENSE, out="d"))


@attack
def keras_layer_of_nowhere(folder: Path) -> Path:
    return keras(folder, model(layer("Dense", "d", "nowhere", units=3), out="d"))


@attack
def keras_no_configuration(folder: Path) -> Path:
    return keras(folder, "[]")


@attack
def keras_huge_repeat(folder: Path) -> Path:
    return keras(folder, model(layer("UpSampling1D", "u", "x", size=1 << 40), out="u"))


@attack
def keras_huge_one_hot(folder: Path) -> Path:
    config = model(layer("CategoryEncoding", "c", "x", num_tokens=1 << 40, output_mode="one_hot"), out="c")
    return keras(folder, config)


@attack
def keras_types_that_make_no_sense(folder: Path) -> Path:
    return keras(folder, model(layer("Reshape", "r", "x", target_shape={"a": [None, "b"]}),
                               layer("ZeroPadding1D", "z", "r", padding="wide"), out="z"))
