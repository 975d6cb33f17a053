"""Files of old libraries (tools/record_old.py), read without them, answer as they did."""
from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.formats import onnx as format_onnx
from modelport.registry import detect
from modelport.runtimes import isolated

OLD = Path(__file__).parents[2] / "recorded/tabular/old"
METHODS = {"xgboost": ("predict", "margin", "leaf"), "lightgbm": ("predict", "margin", "leaf"),
           "catboost": ("margin",)}


def files(name: str) -> dict[str, bytes]:
    with tarfile.open(OLD / f"{name}.tar.xz") as tar:
        return {m.name: stream.read() for m in tar if (stream := tar.extractfile(m))}


def difference(want: Any, got: Any) -> str:
    """Labels, leaves and other integers are equal; real numbers to the rounding of another order of summation."""
    if got.dtype.kind not in "fiub" or got.dtype.kind in "iu":
        want = want.astype(got.dtype) if got.dtype.kind in "iu" else want.astype(object)
        same = want.reshape(got.shape) == got
        return "" if same.all() else f"{np.count_nonzero(~same)} labels differ"
    want = want.reshape(got.shape).astype(np.float64)
    bar = 1e-12 if got.dtype == np.float64 else 1e-6
    scale = np.maximum(np.abs(want), np.median(np.abs(want)))
    error = float(np.max(np.abs(want - got) / np.maximum(scale, 1e-3)))
    return "" if error <= bar else f"by {error:.2g} of range"


@pytest.mark.parametrize("environment", sorted(p.name.partition(".")[0] for p in OLD.glob("*.tar.xz")))
def test_old_files_answer_as_they_did(environment: str, tmp_path: Path) -> None:
    found, wrong, read = files(environment), {}, 0
    with isolated.Worker() as worker:
        for name, data in found.items():
            if name.endswith(".npz"):
                continue
            with np.load(io.BytesIO(found[f"{name.rpartition('.')[0]}.npz"])) as answers:
                given = dict(answers)
            path = tmp_path / name
            path.write_bytes(data)
            f = detect(path)
            methods = [m for m in METHODS.get(f.name, ()) or given if m in given and m != "x" and given[m].size]
            hub = f.load().to_hub(f.load().read(path, outputs=methods))
            format_onnx.write(format_onnx.from_hub(hub), tmp_path / "o.onnx")
            session = worker.open("onnxruntime", tmp_path / "o.onnx", optimize=False)
            (input_, type_), = session.inputs.items()
            got = session.run({input_: given["x"].astype(type_.dtype)})
            for method, answer in zip(methods, got.values(), strict=True):
                if text := difference(given[method], answer):
                    wrong[f"{name} {method}"] = text
            read += 1
    assert not wrong and read > 15
