"""Transforms of signals as TensorFlow Lite, against numpy in double precision and ONNX Runtime."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

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


@pytest.mark.parametrize(("n", "length", "axis", "kernel"), [
    (512, None, -2, True), (2, None, -2, True), (3, 2, -2, True), (5, 64, 1, True), (16, None, 1, True),
    (12, None, -2, False), (16, 1, -2, False)])
def test_kernel_of_powers_of_two(n: int, length: int | None, axis: int, kernel: bool, tmp_path: Path,
                                 worker: isolated.Worker) -> None:
    constants = {"a": np.array(axis), **({} if length is None else {"l": np.array(length)})}
    made = model("DFT", {"x": ("b", n, 1) if axis == 1 else ("b", 3, n, 1)}, constants,
                 ["x", "l" if length else "", "a"], onesided=1)
    raw = agrees(tmp_path, worker, made, [{"b": 1}, {"b": 4}])
    assert ("RFFT2D" in [node.op for node in raw.nodes]) == kernel


def spectrum(*nodes: onnx.NodeProto) -> bytes:
    """A transform of frames, (n, 1, 256) as (n, 1, 129, 2), and what is computed of it."""
    constants = {"axis": np.array(2), "last": np.array([-1]), "row": np.array([-1, 129, 2]), "zero": np.array(0),
                 "one": np.array([1]), "minus": np.array(-1), "middle": np.array([-2])}
    outputs = [n.output[0] for n in nodes if n.output[0][0] == "y"]
    graph = helper.make_graph(
        [helper.make_node("Unsqueeze", ["x", "last"], ["u"]),
         helper.make_node("DFT", ["u", "", "axis"], ["z"], onesided=1), *nodes], "spectrum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 256])],
        [helper.make_empty_tensor_value_info(o) for o in outputs],
        [numpy_helper.from_array(v, k) for k, v in constants.items()])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)],
                                    ir_version=9).SerializeToString()
    return made


READ = {
    "magnitude": ("COMPLEX_ABS", [helper.make_node("ReduceL2", ["z", "last"], ["y0"], keepdims=0)]),
    "of rows": ("COMPLEX_ABS RESHAPE", [helper.make_node("Reshape", ["z", "row"], ["r"]),
                                        helper.make_node("ReduceL2", ["r", "last"], ["y0"], keepdims=0)]),
    "of squeezed": ("COMPLEX_ABS RESHAPE", [helper.make_node("Squeeze", ["z", "one"], ["r"]),
                                            helper.make_node("ReduceL2", ["r", "last"], ["y0"], keepdims=0)]),
    "of turned": ("COMPLEX_ABS RESHAPE", [helper.make_node("Transpose", ["z"], ["r"], perm=[0, 2, 1, 3]),
                                          helper.make_node("ReduceL2", ["r", "last"], ["y0"], keepdims=0)]),
    "parts": ("REAL IMAG", [helper.make_node("Gather", ["z", "zero"], ["y0"], axis=-1),
                            helper.make_node("Gather", ["z", "minus"], ["y1"], axis=-1)]),
    "not of parts": ("", [helper.make_node("ReduceL2", ["z", "middle"], ["y0"], keepdims=0)]),
    "another axis": ("", [helper.make_node("Gather", ["z", "zero"], ["y0"], axis=2)]),
}


@pytest.mark.parametrize("name", READ)
def test_what_is_read_of_complex_numbers(name: str, tmp_path: Path, worker: isolated.Worker) -> None:
    wanted, nodes = READ[name]
    raw = agrees(tmp_path, worker, spectrum(*nodes), [{"n": 1}, {"n": 3}])
    ops = Counter(node.op for node in raw.nodes)
    assert ops["RFFT2D"] == 1
    assert not wanted or ops == Counter(["RFFT2D", *wanted.split()])


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
