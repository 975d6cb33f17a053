"""Recurrent layers of cuDNN, against what Keras computes without it (``make_cudnn.py`` records it)."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import modelport
from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import tensorflow
from modelport.formats.tensorflow import fold
from modelport.formats.tensorflow.tensors import message
from modelport.runtimes import start

RECORDED = Path(__file__).parents[2] / "recorded" / "cudnn.npz"
with np.load(RECORDED) as _file:
    ARRAYS = {k: _file[k] for k in _file.files}
NAMES = sorted({k.partition("|")[0] for k in ARRAYS})
BAR = 1e-6
"""Of the greatest state: ten steps of sums of fifteen products in float32, each rounded at 6e-8."""


def part(name: str, side: str) -> dict[str, np.ndarray]:
    return {k.split("|")[2]: v for k, v in ARRAYS.items() if k.startswith(f"{name}|{side}|")}


def graph(name: str) -> bytes:
    return part(name, "graph")[""].tobytes()


def changed(name: str, change: Callable[[Any], object]) -> bytes:
    """A graph whose every node was changed."""
    made = message("GraphDef")()
    made.ParseFromString(graph(name))
    for node in made.node:
        change(node)
    return bytes(made.SerializeToString())


def check(name: str, content: bytes, tmp_path: Path) -> None:
    path, made = tmp_path / "m.pb", tmp_path / "m.onnx"
    path.write_bytes(content)
    feeds, want = part(name, "in"), part(name, "out")
    names = {"inputs": list(feeds), "outputs": list(want)}
    format_onnx.write(format_onnx.from_hub(tensorflow.to_hub(tensorflow.read(path, **names))), made)
    for session in (start("onnxruntime", made, optimize=False), start("graphdef", path, **names)):
        got = session.run(feeds)
        for k, a in want.items():
            assert got[k].shape == a.shape
            np.testing.assert_allclose(got[k], a, rtol=0, atol=BAR * max(np.abs(a).max(), 1), err_msg=k)


@pytest.mark.parametrize("name", NAMES)
def test_layers_compute_what_keras_computes(name: str, tmp_path: Path) -> None:
    check(name, graph(name), tmp_path)


@pytest.mark.parametrize("name", ["keras_lstm_masked_backwards", "keras_gru"])
def test_weights_too_large_to_fold_are_cut_in_the_graph(name: str, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "_SMALL", 64)
    check(name, graph(name), tmp_path)


@pytest.mark.parametrize("name", ["lstm_v3_batch", "gru_v2_deep", "rnn_relu_skip", "gru_auto"])
def test_weights_tell_the_features(name: str, tmp_path: Path) -> None:
    def change(node: Any) -> None:
        if node.name == "x":
            node.attr["shape"].shape.dim[2].size = -1
    check(name, changed(name, change), tmp_path)


@pytest.mark.skipif(onnxruntime.__version__.startswith("1.23"),
                    reason="the logistic function of ONNX Runtime 1.23 is off by 3e-8, which cells near zero show")
def test_a_gpu_graph_is_proven_and_reaches_a_phone(tmp_path: Path) -> None:
    path = tmp_path / "m.pb"
    path.write_bytes(graph("keras_lstm"))
    for target in ("m.onnx", "m.tflite"):
        done = modelport.convert(path, tmp_path / target, read={"outputs": ["y", "last_h", "last_c"]})
        assert done.report is not None
        assert done.report.level == "L2"


@pytest.mark.parametrize(("change", "reason"), [
    ({"num_proj": 2}, "projected"), ({"dropout": 0.5}, "dropout"), ({"input_mode": b"skip_input"}, "that skip"),
    ({"rnn_mode": b"gru"}, "weights where"), ({"rnn_mode": b"other"}, "unidirectional other"),
    ({"direction": b"bidirectional"}, "weights where"), ({"input_mode": b"other"}, "input mode")])
def test_what_onnx_cannot_say_is_refused(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    def edit(node: Any) -> None:
        for k, v in change.items() if node.op == "CudnnRNNV3" else ():
            node.attr[k].Clear()
            setattr(node.attr[k], {int: "i", float: "f", bytes: "s"}[type(v)], v)
    path = tmp_path / "m.pb"
    path.write_bytes(changed("lstm_v3", edit))
    with pytest.raises(UnsupportedModel, match=reason):
        modelport.convert(path, tmp_path / "m.onnx", verify=None)
    assert not (tmp_path / "m.onnx").exists()
