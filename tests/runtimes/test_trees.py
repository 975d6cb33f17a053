"""Trees evaluated with numpy answer as the libraries did, and speak against a conversion that does not."""
from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelport.formats import ensemble, evaluation
from modelport.formats import onnx as format_onnx
from modelport.formats.ensemble import Ensemble
from modelport.proof.verify import verify
from modelport.registry import detect
from modelport.runtimes import start

RECORDED = Path(__file__).parents[1] / "recorded/tabular"
METHODS = {"xgboost": ("predict", "margin", "leaf"), "lightgbm": ("predict", "margin", "leaf"),
           "catboost": ("margin",)}


def files(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {m.name: stream.read() for m in tar if (stream := tar.extractfile(m))}


@pytest.mark.parametrize("archive", ["old/a", "old/b", "old/c", "old/d", "catboost/1.0.6", "catboost/1.2.10"])
def test_answers_are_those_of_the_libraries(archive: str, tmp_path: Path) -> None:
    found, read = files(RECORDED / f"{archive}.tar.xz"), 0
    for name, data in found.items():
        if name.endswith((".npz", ".pkl")):
            continue
        with np.load(io.BytesIO(found[f"{name.rpartition('.')[0]}.npz"])) as z:
            given = dict(z)
        path = tmp_path / name
        path.write_bytes(data)
        methods = [m for m in METHODS[detect(path).name] if m in given and given[m].size]
        session = start("trees", path, outputs=methods)
        columns = {k[2:]: v.reshape(-1, 1) for k, v in given.items() if k.startswith("x:")}
        feeds = {k: (given["x"] if not columns else np.concatenate(list(columns.values()), 1) if k == "X"
                     else columns[k]).astype(t.dtype) for k, t in session.inputs.items()}
        for method, made in zip(methods, session.run(feeds).values(), strict=True):
            want = given[method].reshape(made.shape).astype(np.float64)
            bar = 0 if made.dtype.kind == "i" else 1e-12 if made.dtype == np.float64 else 1e-6
            scale = np.maximum(np.abs(want), np.median(np.abs(want)))
            assert (np.abs(made - want) <= bar * scale).all(), (name, method)
        read += 1
    assert read > 5


@pytest.mark.parametrize("archive", ["a", "b", "c", "d", "e"])
def test_forests_answer_as_scikit_learn_did(archive: str, tmp_path: Path) -> None:
    found, read = files(RECORDED / f"old/{archive}.tar.xz"), 0
    for name in found:
        if not name.endswith(".pkl") or name.partition(".")[0].partition("-")[0] not in ("tree", "forest", "extra"):
            continue
        with np.load(io.BytesIO(found[name.replace(".pkl", ".npz")])) as z:
            given = dict(z)
        path = tmp_path / name
        path.write_bytes(found[name])
        methods = [m for m in given if m != "x"]
        session = start("trees", path, outputs=methods)
        (key, type_), = session.inputs.items()
        for method, made in zip(methods, session.run({key: given["x"].astype(type_.dtype)}).values(), strict=True):
            want = given[method]
            if made.dtype.kind == "f":
                bar = 1e-6 if made.dtype == np.float32 else 1e-12
                assert np.abs(made - want).max() <= bar * np.abs(want).max(), (name, method)
            else:
                assert made.tolist() == want.tolist(), (name, method)
        read += 1
    assert read >= 5


def random_trees(rng: np.random.Generator) -> Ensemble:
    """Three trees of depth two over four features, with a set, missing values and two outputs."""
    left = np.tile([1, 3, 5, -1, -1, -1, -1], 3)
    offset = np.repeat([0, 7, 14], 7)
    inner = left >= 0
    left = np.where(inner, left + offset, -1)
    trees = Ensemble(np.array([0, 7, 14]), left, np.where(inner, left + 1, -1), rng.integers(0, 4, 21),
                     np.round(rng.normal(size=21), 1), rng.random(21) < 0.5, rng.normal(size=(21, 1)),
                     np.array([0, 1, 0]), 2, 4, members={1: np.array([1.0, 3.0])}, base=np.array([0.5, -1.0]))
    return trees.checked()


def test_both_evaluations_of_the_record_agree() -> None:
    rng = np.random.default_rng(3)
    trees = random_trees(rng)
    x = np.round(rng.normal(size=(500, 4)) * 2, 1)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[::7, 0] = 3
    for t in (trees, replace(trees, mode=ensemble.LT)):
        assert np.allclose(evaluation.added(x, t, t.base, np.float64), ensemble.evaluate(x, t), rtol=0, atol=1e-15)
    assert evaluation.added(x[:0], trees, trees.base, np.float64).shape == (0, 2)


def test_what_decides_otherwise_is_found(tmp_path: Path) -> None:
    """A threshold that is one step off, in a file that is not judged by what was written of it."""
    path = tmp_path / "model.json"
    path.write_bytes(files(RECORDED / "old/b.tar.xz")["xgb-softprob-json.json"])
    spec = detect(path)
    raw = spec.load().read(path)
    good = spec.load().to_hub(raw)
    format_onnx.write(format_onnx.from_hub(good), tmp_path / "good.onnx")
    report = verify(path, tmp_path / "good.onnx")
    assert (report.verdict, report.level) == ("pass", "L2") and "own evaluation" in report.source.runtime
    node = raw.outputs["label"].node
    assert node is not None
    trees = node.attrs["model"].trees
    first = int(np.flatnonzero(~trees.leaves)[0])
    trees.threshold[first] = np.nextafter(trees.threshold[first], np.float32(np.inf))
    format_onnx.write(format_onnx.from_hub(spec.load().to_hub(raw)), tmp_path / "bad.onnx")
    report = verify(path, tmp_path / "bad.onnx")
    assert (report.verdict, report.level) == ("fail", "L2")
