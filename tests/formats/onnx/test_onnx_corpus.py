"""Real models through the hub and back, run beside the original."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import run

from modelport.formats import onnx as format_onnx

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "onnx"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real models is not beside the checkout")
MODELS = sorted(CORPUS.rglob("*.onnx")) if CORPUS.is_dir() else []
MNIST = "model@a73c2dc4.onnx"
RNG = np.random.default_rng(0)


def converted(path: Path, folder: Path, opset: int | None = None) -> Path:
    raw = format_onnx.from_hub(format_onnx.to_hub(format_onnx.read(path)), opset)
    format_onnx.write(raw, folder / "out.onnx")
    return folder / "out.onnx"


def inputs(path: Path) -> list[dict[str, Any]]:
    """A few sets of inputs, of sizes that the model takes where it leaves them open."""
    proto = onnx.load(path, load_external_data=False)
    given = {t.name for t in proto.graph.initializer}
    sets = []
    for k in range(2):
        feed: dict[str, Any] = {}
        for v in proto.graph.input:
            if v.name in given:
                continue
            t = v.type.tensor_type
            shape = [d.dim_value or 1 for d in t.shape.dim]
            if "silero" in path.name:
                shape = {"input": [1 + k, 512], "state": [2, 1 + k, 128], "sr": []}[v.name]
            elif "dynamic" in path.name:
                shape = [1, 3, 320 + 64 * k, 320]
            elif path.name == "nmp.onnx":
                shape = [1 + k, 43844, 1]
            feed[v.name] = np.array([16000, 8000][k], np.int64) if t.elem_type == 7 else \
                RNG.standard_normal(shape).astype(np.float32)
        if "silero" in path.name and k and "op15" not in path.name:
            feed["input"] = feed["input"][:, :256]  # 8 kHz takes half as many samples
        if "op15" in path.name:
            feed = {n: np.array(16000, np.int64) if v.dtype == np.int64 else v for n, v in feed.items()}
        sets.append(feed)
    return sets


def close(got: list[Any], expected: list[Any]) -> None:
    """Within 1e-6 of each output's range: the same nodes, run in the same order."""
    for g, e in zip(got, expected, strict=True):
        assert g.shape == e.shape
        assert g.dtype == e.dtype
        assert np.abs(g.astype(np.float64) - e).max() <= 1e-6 * max(np.abs(e).max(), 1e-30)


@pytest.mark.parametrize("path", [p for p in MODELS if p.name != MNIST], ids=lambda p: p.name)
@pytest.mark.parametrize("opset", [None, 13, 21])
def test_a_real_model(path: Path, tmp_path: Path, opset: int | None) -> None:
    target = converted(path, tmp_path, opset)
    for feed in inputs(path):
        close(run(target, feed), run(path, feed))


def test_mnist_of_operator_set_1(tmp_path: Path) -> None:
    """No runtime runs it; its makers recorded inputs and outputs."""
    path = next(p for p in MODELS if p.name == MNIST)
    target = converted(path, tmp_path)
    name = run_input(target)
    recorded = sorted(path.parent.glob("*.npz"))
    assert recorded
    agreed = 0
    for npz in recorded:
        with np.load(npz, allow_pickle=False) as data:
            feeds, outs = data["inputs"], data["outputs"]
            for x, y in zip(feeds, outs, strict=True):
                got = run(target, {name: x.reshape(1, 1, 28, 28).astype(np.float32)})[0]
                if y.dtype.kind == "i":  # the label alone was recorded
                    assert got.argmax() == y.argmax()
                else:  # recorded by another runtime, whose float32 sums have another order
                    assert np.abs(got - y).max() <= 1e-5 * np.abs(y).max()
                agreed += 1
    assert agreed


def run_input(path: Path) -> str:
    return str(onnx.load(path).graph.input[0].name)
