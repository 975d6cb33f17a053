"""Models of TensorFlow.js: written by hand here, real ones from the corpus, and those that attack."""
from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.errors import CorruptFile, ModelportError, UnsafeModel
from modelport.formats import tfjs

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "tfjs"


def attr(**kinds: Any) -> dict[str, Any]:
    return {k: ({"type": v} if isinstance(v, str) and v.startswith("DT_") else v) for k, v in kinds.items()}


def model(folder: Path, weights: list[dict[str, Any]], data: bytes, paths: tuple[str, ...] = ("w.bin",)) -> Path:
    """``y = relu(x @ w + b)``, fused as TensorFlow.js's converter does."""
    def constant(name: str) -> dict[str, Any]:
        return {"name": name, "op": "Const", "attr": attr(dtype="DT_FLOAT", value={"tensor": {"dtype": "DT_FLOAT"}})}
    fused = {"list": {"s": ["Qmlhc0FkZA==", "UmVsdQ=="]}}
    nodes = [{"name": "x", "op": "Placeholder", "attr": attr(
        dtype="DT_FLOAT", shape={"shape": {"dim": [{"size": "-1"}, {"size": "2"}]}})},
        constant("w"), constant("b"),
        {"name": "y", "op": "_FusedMatMul", "input": ["x", "w", "b"],
         "attr": attr(T="DT_FLOAT", fused_ops=fused, num_args={"i": "1"})}]
    size = len(data) // len(paths)
    for k, p in enumerate(paths):
        if ".." not in p and not p.startswith("/"):
            (folder / p).write_bytes(data[k * size:(k + 1) * size if k < len(paths) - 1 else None])
    whole = {"format": "graph-model", "modelTopology": {"node": nodes, "versions": {"producer": 1}},
             "signature": {"inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": {
                 "dim": [{"size": "-1"}, {"size": "2"}]}}}, "outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT"}}},
             "weightsManifest": [{"paths": list(paths), "weights": weights}]}
    (folder / "model.json").write_text(json.dumps(whole))
    return folder / "model.json"


W, B = np.array([[1, -2, 3], [0.5, 4, -1]], np.float32), np.array([0.5, 0, -1], np.float32)
PLAIN = [{"name": "w", "shape": [2, 3], "dtype": "float32"}, {"name": "b", "shape": [3], "dtype": "float32"}]
X = np.array([[1, 2], [-1, 0.5]], np.float32)
Y = np.maximum(X @ W + B, 0)


def test_a_fused_graph_model(tmp_path: Path) -> None:
    path = model(tmp_path, PLAIN, W.tobytes() + B.tobytes())
    np.testing.assert_allclose(modelport.load(path).run(x=X)["y"], Y, rtol=1e-6)
    np.testing.assert_allclose(modelport.load(tmp_path).run(x=X)["y"], Y, rtol=1e-6)


def test_weights_across_shards(tmp_path: Path) -> None:
    path = model(tmp_path, PLAIN, W.tobytes() + B.tobytes(), ("a.bin", "b.bin", "c.bin"))
    np.testing.assert_allclose(modelport.load(path).run(x=X)["y"], Y, rtol=1e-6)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16"])
def test_quantized_weights(kind: str, tmp_path: Path) -> None:
    scale, least = 7 / (255 if kind == "uint8" else 65535), -3.0
    whole = {"uint8": "<u1", "uint16": "<u2", "float16": "<f2"}[kind]
    stored = W.astype(whole) if kind == "float16" else np.rint((W - least) / scale).astype(whole)
    entry = {"dtype": kind} if kind == "float16" else {"dtype": kind, "scale": scale, "min": least}
    weights = [{**PLAIN[0], "quantization": entry}, PLAIN[1]]
    path = model(tmp_path, weights, stored.tobytes() + B.tobytes())
    w = stored.astype(np.float32) if kind == "float16" else (stored * scale + least).astype(np.float32)
    np.testing.assert_allclose(modelport.load(path).run(x=X)["y"], np.maximum(X @ w + B, 0), rtol=1e-5)


@pytest.mark.parametrize("bad", ["../w.bin", "/etc/passwd", "a\\b", "http://host/w.bin", "w.bin\0"])
def test_paths_that_leave_the_folder_are_refused(bad: str, tmp_path: Path) -> None:
    path = model(tmp_path, PLAIN, W.tobytes() + B.tobytes())
    path.write_text(path.read_text().replace('"w.bin"', json.dumps(bad)))
    with pytest.raises(UnsafeModel):
        modelport.load(path)


@pytest.mark.parametrize("spoil", [
    {"shape": [2, 1 << 40]}, {"shape": [-2, 3]}, {"shape": [2, 2]}, {"dtype": "int99"}, {"name": "b"},
    {"quantization": {"dtype": "uint8", "scale": float("nan"), "min": 0}}], ids=str)
def test_a_manifest_that_lies_is_refused(spoil: dict[str, Any], tmp_path: Path) -> None:
    path = model(tmp_path, [{**PLAIN[0], **spoil}, PLAIN[1]], W.tobytes() + B.tobytes())
    with pytest.raises(ModelportError):
        modelport.load(path)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = model(tmp_path, PLAIN, W.tobytes() + B.tobytes())
    path.write_text(path.read_text().replace('{"format"', '{"format": "layers-model", "format"'))
    with pytest.raises(CorruptFile, match="twice"):
        modelport.load(path)


def test_mutants_end_in_typed_errors(tmp_path: Path) -> None:
    path = model(tmp_path, PLAIN, W.tobytes() + B.tobytes())
    whole, rng = path.read_bytes(), random.Random(3)
    for _ in range(300):
        b = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            b[rng.randrange(len(b))] = rng.choice(b'0129-"{}[],:aDT_ \x00\xff')
        path.write_bytes(bytes(b))
        try:
            tfjs.to_hub(tfjs.read(path))
        except ModelportError:
            continue


REAL = [p for p in sorted(CORPUS.glob("**/model.json")) if "basic-pitch" not in str(p)]


@pytest.mark.slow
@pytest.mark.parametrize("path", REAL, ids=lambda p: "/".join(p.parts[-3:]))
def test_real_models(path: Path, tmp_path: Path) -> None:
    report = modelport.convert(path, tmp_path / "m.onnx").report
    assert report is not None
    assert report.ok


@pytest.mark.slow
def test_one_network_in_two_formats() -> None:
    """The logarithm of a spectrum makes every runtime differ from every other by up to 4e-4 of the range."""
    twins = [CORPUS / "spotify__basic-pitch-ts/model/model.json",
             CORPUS.parent / "tf_savedmodel/spotify__basic-pitch/icassp_2022/nmp"]
    if not all(p.exists() for p in twins):
        pytest.skip("no corpus beside the checkout")
    x = np.random.default_rng(0).random((1, 43844, 1)).astype(np.float32)
    a, b = (modelport.load(p).run({"input_2": x}) for p in twins)
    np.testing.assert_allclose(a["contour"], b["contour"], rtol=0, atol=1e-3)
