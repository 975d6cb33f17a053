"""The Keras files of the corpus, and how a file is compared with what Keras computes."""
from __future__ import annotations

import tarfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from modelport.formats import keras as format_keras
from modelport.formats import onnx as format_onnx
from modelport.hub.layout import channels_first
from modelport.ir import Graph, Type
from modelport.ir.types import STRING

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
SUITE = next(iter(CORPUS.glob("keras_h5_suite/*/*.tar.gz")), None)
FILES = sorted(p for folder in ("keras_h5", "keras_v3") for p in (CORPUS / folder).rglob("*")
               if p.suffix in (".h5", ".hdf5", ".keras"))


@cache
def members() -> dict[str, bytes]:
    """The files of the suite that are models or recorded outputs."""
    if SUITE is None:
        return {}
    out = {}
    with tarfile.open(SUITE) as tar:
        for m in tar:
            if m.isfile() and m.name.endswith((".h5", ".hdf5")):
                stream = tar.extractfile(m)
                assert stream is not None
                out[m.name] = stream.read()
    return out


def models() -> dict[str, bytes]:
    """Those that are whole models."""
    return {k: v for k, v in members().items() if b"model_config" in v}


def hub_of(path: Path) -> Graph:
    return format_keras.to_hub(format_keras.read(path))


def onnx_of(path: Path, to: Path) -> Path:
    format_onnx.write(format_onnx.from_hub(channels_first(hub_of(path))), to)
    return to


def inputs(types: dict[str, Type], name: str, batch: int = 2) -> dict[str, np.ndarray]:
    """Normal numbers, small whole ones; a sequence of unknown length has 5 steps, an image 37 rows."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    out = {}
    for key, t in types.items():
        dims = list(t.shape or ())
        unknown = [batch, *[5 if len(dims) < 4 else 37] * len(dims)]
        shape = [d if isinstance(d, int) else unknown[k] for k, d in enumerate(dims)]
        if t.dtype.kind == "f":
            out[key] = rng.normal(size=shape).astype(t.dtype)
        elif t.dtype == STRING:
            out[key] = np.full(shape, "a", object)
        else:
            out[key] = rng.integers(0, 4, shape).astype(t.dtype)
    return out


def apart(want: np.ndarray, got: np.ndarray) -> float:
    """The difference in parts of the largest number; infinite where shapes differ or only one is finite."""
    if want.shape != got.shape:
        return np.inf
    finite = np.isfinite(want)
    if (finite != np.isfinite(got)).any():
        return np.inf
    if not finite.any():
        return 0.0
    difference = np.abs(want[finite].astype(np.float64) - got[finite])
    return float(difference.max() / max(1e-6, float(np.abs(want[finite]).max())))


def run(worker: Any, onnx: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of a translation, inputs given by place."""
    session = worker.open("onnxruntime", onnx, optimize=False)
    return list(session.run(dict(zip(session.inputs, feeds.values(), strict=True))).values())
