"""What becomes of each TensorFlow case: in the numpy interpreter, and on the way to ONNX.

pass          both compute what TensorFlow computes (recorded in ``tests/recorded/tensorflow.npz``)
unsupported   the translation refuses, typed and located, with its reason; the interpreter computes the same or refuses
wrong         one of them computes something else
crash         anything else

``python tests/conformance/tensorflow_cases.py`` prints the table, with ``--record`` it asks TensorFlow first."""
from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

import numpy as np

from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import tensorflow
from modelport.hub.layout import channels_first
from modelport.runtimes import start

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from cases import tensorflow_more  # noqa: E402,F401
from cases.tensorflow import CASES, Case  # noqa: E402

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # before anything imports TensorFlow
RECORDED = ROOT / "recorded" / "tensorflow.npz"
EXPECTED = Path(__file__).parent / "expected" / "tensorflow.txt"
ONEDNN = frozenset(f"Quantized{layer}WithBiasAnd{rest}" for layer in ("Conv2D", "MatMul")
                   for rest in ("Requantize", "ReluAndRequantize", "Dequantize"))
"""Operators whose only kernels are oneDNN's: recorded with ``TF_ENABLE_ONEDNN_OPTS=1``, all others without."""
BAR = 1e-5
"""Of the greatest finite number of an output: kernels add in other orders and approximate functions otherwise, by a few
units of the last place of float32 (6e-8), over at most a hundred additions here."""


def record() -> None:
    """Asks TensorFlow for the outputs of every case that its kernels at hand compute."""
    arrays: dict[str, np.ndarray] = {}
    fused = onednn()
    with np.load(RECORDED) as file:
        arrays.update({k: file[k] for k in file.files if (k.partition("/")[0].partition("|")[0] in ONEDNN) != fused})
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES.values():
            if (case.op in ONEDNN) != fused:
                continue
            path = write(case, Path(folder))
            try:
                made = start("tensorflow", path, inputs=list(case.feeds), outputs=list(case.outputs)).run(case.feeds)
            except ModelportError as e:
                print("TensorFlow refuses", case.name, str(e)[:300], file=sys.stderr)
                continue
            for name, array in made.items():
                arrays[f"{case.name}|{name}"] = array.astype(str) if array.dtype == object else array
    RECORDED.parent.mkdir(exist_ok=True)
    np.savez_compressed(RECORDED, **arrays)


def onednn() -> bool:
    """Whether TensorFlow runs with the kernels of oneDNN."""
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"


def recorded() -> dict[str, dict[str, np.ndarray]]:
    out: dict[str, dict[str, np.ndarray]] = {}
    with np.load(RECORDED) as file:
        for key in file.files:
            name, _, output = key.rpartition("|")
            array = file[key]
            out.setdefault(name, {})[output] = array.astype(object) if array.dtype.kind == "U" else array
    return out


def write(case: Case, folder: Path) -> Path:
    path = folder / "case.pb"
    path.write_bytes(case.graph.SerializeToString(deterministic=True))
    return path


def difference(want: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> str:
    """How two sets of outputs differ; empty if they do not."""
    for name, a in want.items():
        b = np.asarray(got[name])
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name} is {b.dtype}{list(b.shape)}, not {a.dtype}{list(a.shape)}"
        if a.dtype.kind != "f":
            if not np.array_equal(a, b):
                return f"{name} differs"
            continue
        finite = np.isfinite(a)
        if not np.array_equal(a[~finite], b[~finite], equal_nan=True) or not np.isfinite(b[finite]).all():
            return f"{name} differs in what is not finite"
        if finite.any():
            x, y = a[finite].astype(np.float64), b[finite].astype(np.float64)
            bar = BAR if a.dtype.itemsize > 2 else 1e-3
            error = np.abs(x - y) / max(np.abs(x).max(), 1e-30)
            close = np.abs(x - y) <= bar * np.abs(x)  # a great number must not hide the small ones' errors
            if not (close | (np.abs(x - y) <= bar * min(np.abs(x).max(), 10))).all():
                return f"{name} differs by {error.max():.1e}"
    return ""


def verdict(case: Case, want: Mapping[str, np.ndarray], folder: Path) -> str:
    path = write(case, folder)
    names = {"inputs": list(case.feeds), "outputs": list(case.outputs)}
    try:
        raw = tensorflow.read(path, **names)
        try:
            got = start("graphdef", path, **names).run(case.feeds)
            if why := difference(want, got):
                return f"wrong: the interpreter: {why}"
        except RuntimeFailed:
            pass  # a refusal is no wrong answer; test_the_interpreter_computes counts them
        made = folder / "case.onnx"
        format_onnx.write(format_onnx.from_hub(channels_first(tensorflow.to_hub(raw))), made)
    except UnsupportedModel as e:
        return f"unsupported: {e.problems[0].reason}"
    except ModelportError as e:
        return f"crash: {type(e).__name__}: {e.message.splitlines()[0]}"
    try:
        got = start("onnxruntime", made, optimize=False).run(case.feeds)
    except RuntimeFailed as e:
        return f"runtime: {e.message.splitlines()[0][:120]}"
    why = difference(want, got)
    return f"wrong: {why}" if why else "pass"


def run(names: Container[str] | None = None) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case (of these names) that TensorFlow runs."""
    known = recorded()
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES.values():
            if case.name in known and (names is None or case.name in names):
                yield case.name, verdict(case, known[case.name], Path(folder))


if __name__ == "__main__":
    if "--record" in sys.argv:
        record()
    else:
        lines = [f"{name:<64} {what}" for name, what in sorted(run())]
        if "--write" in sys.argv:
            EXPECTED.write_text("\n".join(lines) + "\n")
        print("\n".join(line for line in lines if not line.endswith(" pass")))
        print(len(lines), sum(line.endswith(" pass") for line in lines))
