"""Random operators: drawn by the runtime with a note, proven equal by nobody; those without a state are computed."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_graphs as t

import modelport
from modelport.runtimes import start

COUNT = 20_000


def drawn(folder: Path, op: str, *more: np.ndarray, **attributes: object) -> tuple[modelport.Model, np.ndarray]:
    g = t.graph()
    t.placeholder(g, "shape", (1,), np.int32)
    ins = []
    for k, array in enumerate(more):
        t.node(g, "Const", f"c{k}", dtype=array.dtype, value=array)
        ins.append(f"c{k}")
    t.node(g, op, "y", "shape", *ins, T=np.int32, **attributes)
    model = modelport.load(t.frozen(g, folder))
    modelport.convert(model, folder / "m.onnx", verify=None)
    return model, start("onnxruntime", folder / "m.onnx").run({"shape": np.array([COUNT], np.int32)})["y"]


def assert_like(got: np.ndarray, mean: float, deviation: float) -> None:
    x = got.astype(np.float64)
    assert abs(x.mean() - mean) < 5 * deviation / np.sqrt(COUNT)
    assert abs(x.std() - deviation) < 0.05 * deviation


@pytest.mark.parametrize(("op", "kind", "mean", "deviation", "low", "high"), [
    ("RandomUniform", np.float32, 0.5, 12 ** -0.5, 0, 1), ("RandomUniform", np.float16, 0.5, 12 ** -0.5, 0, 1),
    ("RandomUniform", np.float64, 0.5, 12 ** -0.5, 0, 1), ("RandomStandardNormal", np.float32, 0, 1, -9, 9),
    ("TruncatedNormal", np.float32, 0, 0.8796, -2, 2)])
def test_numbers_are_drawn_alike(op: str, kind: type, mean: float, deviation: float, low: float, high: float,
                                 tmp_path: Path) -> None:
    model, got = drawn(tmp_path, op, dtype=kind)
    assert got.dtype == kind
    assert_like(got, mean, deviation)
    assert low <= got.min()
    assert got.max() < high
    assert any(n.kind == "changed" and "random numbers" in n.message for n in model.notes)


def test_integers_are_drawn_alike(tmp_path: Path) -> None:
    _, got = drawn(tmp_path, "RandomUniformInt", np.array(-3, np.int32), np.array(4, np.int32), Tout=np.int32)
    assert got.dtype == np.int32
    assert sorted(set(got.tolist())) == list(range(-3, 4))
    assert_like(got, 0, 2)


def test_no_two_draws_of_one_model_are_the_same(tmp_path: Path) -> None:
    g = t.graph()
    t.placeholder(g, "x", (-1,), np.float32)
    t.node(g, "Shape", "s", "x", T=np.float32, out_type=np.int32)
    for k in range(2):
        t.node(g, "RandomUniform", f"u{k}", "s", T=np.int32, dtype=np.float32)
    t.node(g, "Sub", "y", "u0", "u1", T=np.float32)
    modelport.convert(t.frozen(g, tmp_path), tmp_path / "m.onnx", verify=None)
    assert np.abs(start("onnxruntime", tmp_path / "m.onnx").run({"x": np.zeros(50, np.float32)})["y"]).min() > 0


def test_a_random_order_holds_every_row(tmp_path: Path) -> None:
    g = t.graph()
    t.placeholder(g)
    t.node(g, "RandomShuffle", "y", "x", T=np.float32)
    modelport.convert(t.frozen(g, tmp_path), tmp_path / "m.onnx", verify=None)
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    got = start("onnxruntime", tmp_path / "m.onnx").run({"x": x})["y"]
    assert not np.array_equal(got, x)
    np.testing.assert_array_equal(got[got[:, 0].argsort()], x)


def test_samples_follow_their_logits(tmp_path: Path) -> None:
    g = t.graph()
    t.placeholder(g, "x", (-1, 3))
    t.node(g, "Const", "n", dtype=np.int32, value=np.array(COUNT, np.int32))
    t.node(g, "Multinomial", "y", "x", "n", T=np.float32, output_dtype=np.int64)
    modelport.convert(t.frozen(g, tmp_path), tmp_path / "m.onnx", verify=None)
    p = np.array([[0.2, 0.5, 0.3]], np.float32)
    got = start("onnxruntime", tmp_path / "m.onnx").run({"x": np.log(p) + 3})["y"]
    assert got.shape == (1, COUNT)
    np.testing.assert_allclose(np.bincount(got[0], minlength=3) / COUNT, p[0], atol=0.02)


def test_a_proof_does_not_claim_what_nobody_can_compare(tmp_path: Path) -> None:
    g = t.graph()
    t.placeholder(g)
    t.node(g, "Shape", "s", "x", T=np.float32, out_type=np.int32)
    t.node(g, "RandomUniform", "u", "s", T=np.int32, dtype=np.float32)
    t.node(g, "AddV2", "y", "x", "u", T=np.float32)
    report = modelport.convert(t.frozen(g, tmp_path), tmp_path / "m.onnx").report
    assert report is not None
    assert not report.proven
    assert report.verdict == "inconclusive"
    assert "draws random numbers" in str(report)


@pytest.mark.parametrize(("op", "bar"), [("StatelessRandomUniform", 0), ("StatelessRandomNormal", 2e-6),
                                         ("StatelessTruncatedNormal", 2e-6)])
def test_a_seed_that_is_constant_is_drawn_when_the_model_is_read(op: str, bar: float, tmp_path: Path) -> None:
    """The interpreter's numbers, and those that the written model draws at run time where only its shape is known."""
    g = t.graph()
    t.placeholder(g, "x", (7,))
    t.placeholder(g, "shape", (-1,), np.int32)
    t.node(g, "Const", "n", dtype=np.int32, value=np.array([7], np.int32))
    t.node(g, "Const", "seed", dtype=np.int32, value=np.array([4, -9], np.int32))
    t.node(g, op, "folded", "n", "seed", T=np.int32, Tseed=np.int32, dtype=np.float32)
    t.node(g, "AddV2", "a", "x", "folded", T=np.float32)
    t.node(g, op, "b", "shape", "seed", T=np.int32, Tseed=np.int32, dtype=np.float32)
    path = t.frozen(g, tmp_path)
    modelport.convert(modelport.load(path, outputs=["a", "b"]), tmp_path / "m.onnx", verify=None)
    only = modelport.load(path, outputs=["a"])
    assert [n.op for n in only.graph.walk()] == ["Add"]
    feeds = {"x": np.zeros(7, np.float32), "shape": np.array([7], np.int32)}
    made = start("onnxruntime", tmp_path / "m.onnx").run(feeds)
    np.testing.assert_allclose(made["a"], made["b"], rtol=0, atol=bar)
