"""Complex numbers that flow into or out of a model are pairs of real ones."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_graphs as t

import modelport
from modelport.runtimes import start


def model(folder: Path) -> Path:
    g = t.graph()
    t.placeholder(g, "x", (-1, 6), np.complex64)
    t.placeholder(g, "w", (6,), np.complex64)
    t.node(g, "FFT", "f", "x", Tcomplex=np.complex64)
    t.node(g, "Mul", "y", "f", "w", T=np.complex64)
    return t.frozen(g, folder)


def test_they_are_pairs_with_a_note_and_proven(tmp_path: Path) -> None:
    loaded = modelport.load(model(tmp_path))
    report = modelport.convert(loaded, tmp_path / "m.onnx").report
    assert report is not None
    assert report.proven
    assert {k: (v.dtype, v.shape) for k, v in loaded.graph.inputs.items()} == {
        "x": (np.float32, ("batch", 6, 2)), "w": (np.float32, (6, 2))}
    assert any(n.kind == "changed" and "pairs of real ones" in n.message for n in loaded.notes)
    r = np.random.default_rng(0)
    x, w = (r.standard_normal((*s, 2)).astype(np.float32) for s in ((3, 6), (6,)))
    got = start("onnxruntime", tmp_path / "m.onnx").run({"x": x, "w": w})["y"]
    want = np.fft.fft(x.view(np.complex64)[..., 0]) * w.view(np.complex64)[..., 0]
    np.testing.assert_allclose(got, np.stack([want.real, want.imag], -1), atol=1e-5)


@pytest.mark.oracle
def test_tensorflow_is_fed_the_same_pairs(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    path = model(tmp_path)
    r = np.random.default_rng(0)
    feeds = {"x": r.standard_normal((3, 6, 2)).astype(np.float32), "w": r.standard_normal((6, 2)).astype(np.float32)}
    want = start("tensorflow", path, inputs=["x", "w"], outputs=["y"]).run(feeds)["y"]
    np.testing.assert_allclose(start("graphdef", path).run(feeds)["y"], want, atol=1e-5)
