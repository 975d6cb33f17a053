"""Real files of the corpus beside the checkout: each converts and is proven, or is refused for a stated reason."""
from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.errors import ModelportError, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import tensorflow
from modelport.hub.evaluate import RANDOM as DRAWN
from modelport.hub.layout import channels_first
from modelport.runtimes import start

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
FROZEN = sorted(CORPUS.glob("tf_frozen/**/*.pb"))
SAVED = sorted(p.parent for p in CORPUS.glob("tf_savedmodel/**/saved_model.pb"))
SUITE = CORPUS / "tf_frozen_suite" / "KonduitAI__dl4j-test-resources" / "dl4j_tf_shared.tar.gz"
pytestmark = pytest.mark.slow
RANDOM = {"gru", "lstm"}
"""Exported with their dropout, whose probability is an input: no two runs are alike."""
OWN = {"nmp": ("input_2", (1, 43844, 1), 1e-4), "hey_snips_3.pb": ("inputs", (120, 40), 1e-5)}
"""Files that need an input of their own: the logarithm of a spectrum, in which three runtimes, TensorFlow among them,
differ by up to 4e-5 of the range; and a network that takes no sequence shorter than its windows."""


def options(path: Path) -> dict[str, str]:
    return {"signature": "incr_counter"} if "counter" in str(path) else {}


@pytest.mark.parametrize("path", [*FROZEN, *SAVED], ids=lambda p: "/".join(p.parts[-3:]))
def test_it_converts_and_is_proven(path: Path, tmp_path: Path) -> None:
    if path.parent.name in RANDOM:
        report = modelport.convert(path, tmp_path / "m.onnx").report
        assert report is not None
        assert report.verdict == "inconclusive"
        assert "draws random numbers" in str(report)
        return
    model = modelport.load(path, **options(path))
    if options(path) or path.name in OWN:
        made = modelport.convert(model, tmp_path / "m.onnx", verify=None)
        if path.name in OWN:
            name, shape, bar = OWN[path.name]
            x = np.random.default_rng(0).random(shape).astype(np.float32)
            want, got = (s.run({name: x}) for s in (start("graphdef", path), start("onnxruntime", made.path)))
            for key in want:
                assert np.abs(want[key] - got[key]).max() < bar * np.abs(want[key]).max()
        return
    report = modelport.convert(model, tmp_path / "m.onnx").report
    assert report is not None
    assert report.ok
    assert report.level in ("L2", "L3")


def test_a_checkpoint_beside_a_metagraph(tmp_path: Path) -> None:
    found = sorted(CORPUS.glob("tf_savedmodel/**/*.meta"))
    if not found:
        pytest.skip("no corpus beside the checkout")
    for path in found:
        assert modelport.convert(path, tmp_path / "m.onnx").report.proven  # type: ignore[union-attr]


def recorded(folder: Path) -> dict[str, tuple[list[str], list[int]]]:
    out = {}
    for file in sorted(folder.rglob("*.prediction.csv")):
        name = file.relative_to(folder).as_posix().removesuffix(".prediction.csv")
        shape = file.with_name(file.name.removesuffix(".csv") + ".shape")
        dims = [int(float(v)) for v in shape.read_text().split()] if shape.exists() else []
        out[name] = ([line for line in file.read_text().split("\n") if line], dims)
    return out


def parsed(lines: list[str], dtype: np.dtype, shape: list[int]) -> np.ndarray:
    """Recorded elements; a scalar is recorded as of size 0."""
    shape = [] if shape == [0] and len(lines) == 1 else shape
    if dtype.kind == "O":
        return np.array(lines, object).reshape(shape)
    if dtype.kind == "b":
        words = {"true": 1.0, "false": 0.0}
        return np.array([float(words.get(v.strip().lower(), v)) for v in lines]).astype(bool).reshape(shape)
    if dtype.kind in "iu" and all("." not in v and "e" not in v.lower() for v in lines):
        return np.array([int(v) for v in lines], object).astype(dtype).reshape(shape)
    return np.array([float(v) for v in lines]).astype(dtype).reshape(shape)


def equal(want: np.ndarray, got: np.ndarray) -> bool:
    """Equal to the digits that are recorded: single precision, 1e-5 of the greatest number; half 5e-3."""
    if want.shape != got.shape:
        return False
    if want.dtype.kind not in "fV":
        if want.dtype == np.int64:  # recorded as a number of double precision
            return bool((np.abs(want.astype(float) - got.astype(float)) <= 1e-15 * np.abs(want.astype(float))).all())
        return np.array_equal(want, got)
    a, b = want.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    bar = 5e-3 if want.dtype.itemsize == 2 else 1e-5
    return not finite.any() or bool(np.abs(a[finite] - b[finite]).max() <= bar * max(np.abs(a[finite]).max(), 1e-30))


def verdict(folder: Path, made: Path) -> str:
    """``equal``, ``unsupported``, ``wrong`` or ``error``: what becomes of a recorded graph; ``random`` if no two runs
    are alike and the shapes are as recorded."""
    want = recorded(folder)
    names = [o.rpartition(".")[0] + ":" + o.rpartition(".")[2] if o.rpartition(".")[2].isdigit() else o for o in want]
    try:
        raw = tensorflow.read(folder / "frozen_model.pb", outputs=names, state="reset")
        feeds = {}
        for name, v in raw.inputs.items():
            file = folder / f"{name}.placeholder.csv"
            shape = [int(d) for d in (folder / f"{name}.placeholder.shape").read_text().split()]
            feeds[name] = parsed([x for x in file.read_text().split("\n") if x], v.dtype, shape)
        hub = channels_first(tensorflow.to_hub(raw))
        format_onnx.write(format_onnx.from_hub(hub), made)
        got = start("onnxruntime", made, optimize=False).run(feeds)
    except UnsupportedModel:
        return "unsupported"
    except ModelportError as e:
        return f"error: {e}"
    if any(n.op in DRAWN for n in hub.walk()):
        fit = all(parsed(lines, g.dtype, shape).shape == g.shape
                  for (lines, shape), g in zip(want.values(), got.values(), strict=True))
        return "random" if fit else "wrong"
    same = all(equal(parsed(lines, g.dtype, shape), g)
               for (lines, shape), g in zip(want.values(), got.values(), strict=True))
    return "equal" if same else "wrong"


def test_the_recorded_suite(tmp_path: Path) -> None:
    if not SUITE.exists():
        pytest.skip("no corpus beside the checkout")
    with tarfile.open(SUITE) as tar:
        tar.extractall(tmp_path, filter="data")
    count: Counter[str] = Counter()
    wrong = []
    for file in sorted(tmp_path.rglob("frozen_model.pb")):
        found = verdict(file.parent, tmp_path / "m.onnx")
        count[found.partition(":")[0]] += 1
        if found not in ("equal", "unsupported", "random"):
            wrong.append((str(file.parent.relative_to(tmp_path)), found))
    assert count.total() == 498
    assert not wrong
    assert count["equal"] >= 0.95 * 498, count
