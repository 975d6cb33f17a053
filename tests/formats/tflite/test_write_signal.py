"""Transforms of signals as TensorFlow Lite, against numpy in double precision and ONNX Runtime."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import agrees, floats, model

import modelport
from modelport.runtimes import isolated


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def run(made: bytes, feed: dict[str, np.ndarray], folder: Path, worker: isolated.Worker) -> list[np.ndarray]:
    (folder / "a.onnx").write_bytes(made)
    modelport.convert(folder / "a.onnx", folder / "a.tflite", verify=None, force=True)
    return [worker.open("tflite", folder / "a.tflite", kernels=k, signature="serving_default").run(feed)["y0"]
            for k in ("builtin", "plain")]


def close(got: list[np.ndarray], want: np.ndarray, terms: int) -> None:
    """Sums of so many products, each rounded to 2^-24 of the largest."""
    for g in got:
        assert g.shape == want.shape
        assert np.abs(g - want).max() <= terms * 2.0 ** -24 * max(1, np.abs(want).max()) + 1e-6


def pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


CASES = [(n, length, axis) for n in (7, 16, 256) for length in (None, 5, 64) for axis in (-2, 1)
         if not (n == 256 and axis == 1)] + [(257, None, 1), (320, None, 1), (320, None, -2), (4096, None, -2)]


@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize(("n", "length", "axis"), CASES)
def test_dft(n: int, length: int | None, axis: int, inverse: int, onesided: int, tmp_path: Path,
             worker: isolated.Worker) -> None:
    shape = (3, n, 2) if axis == 1 else (2, 3, n)
    parts = 2 if inverse else 1
    x = floats(*shape, parts)
    if n == 4096 and inverse and onesided:
        pytest.skip("refused: its matrix is large")
    constants: dict[str, Any] = {"a": np.array(axis, np.int64)}
    if length is not None:
        constants["l"] = np.array(length, np.int64)
    made = model("DFT", {"x": ("n", *shape[1:], parts)}, constants, ["x", "l" if length else "", "a"], inverse=inverse,
                 onesided=onesided)
    z = x.astype(np.float64)
    z = z[..., 0] + (1j * z[..., 1] if parts == 2 else 0)
    place = 1 if axis == 1 else z.ndim - 1
    if inverse and onesided:
        want = np.fft.irfft(z, length, axis=place)[..., None]
    elif onesided:
        want = pairs(np.fft.rfft(z.real, length, axis=place))
    else:
        want = pairs((np.fft.ifft if inverse else np.fft.fft)(z, length, axis=place))
    close(run(made, {"x": x}, tmp_path, worker), want, 2 * max(n, length or 0))


@pytest.mark.parametrize("window", [False, True])
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("fixed", [True, False], ids=["constant step", "computed step"])
def test_stft(fixed: bool, onesided: int, window: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    constants: dict[str, Any] = {"l": np.array(16, np.int64)} if not window else {}
    if window:
        constants["w"] = np.hanning(16).astype(np.float32)
    inputs: dict[str, Any] = {"x": ("n", "t", 1)}
    if fixed:
        constants["s"] = np.array(5, np.int64)
    else:
        inputs["s"] = (np.dtype("i8"), ())
    made = model("STFT", inputs, constants, ["x", "s", "w" if window else "", "" if window else "l"],
                 onesided=onesided)
    cases = [{"x": floats(n, t, 1), **({} if fixed else {"s": np.array(5)})} for n, t in ((1, 64), (2, 50))]
    agrees(tmp_path, worker, made, cases)


@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("name", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_windows(name: str, periodic: int, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model(name, {"n": (np.dtype("i4"), ())}, {}, ["n"], periodic=periodic)
    agrees(tmp_path, worker, made, [{"n": np.array(n, np.int32)} for n in (2, 9, 400)])
