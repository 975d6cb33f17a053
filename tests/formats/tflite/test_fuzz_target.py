"""A fixed slice of the random graphs of ``fuzz_target.py``, and what larger runs of it found."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport.runtimes import isolated

pytest.importorskip("ai_edge_litert", reason="LiteRT runs what is written")
from fuzz_target import trial
from random_graphs import finished, graph_of, text
from written import RNG, agrees, floats, model


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_random_graphs(first: int, tmp_path: Path, worker: isolated.Worker) -> None:
    for seed in range(first, first + 25):
        onnx_model, g, _ = graph_of(seed)
        what = trial(onnx_model, g, worker, tmp_path)
        assert not what or what.startswith("refused"), f"{seed} {what}\n{text(onnx_model)}"


@pytest.mark.parametrize("shape", [["n", 4], [1, 4], [3, "n"]])
@pytest.mark.parametrize(("start", "end", "step"), [(-2, -9, -1), (-3, -1 << 40, -2), (-9, -10, -1)])
def test_a_slice_backwards_from_before_the_first(shape: Any, start: int, end: int, step: int, tmp_path: Path,
                                                 worker: isolated.Worker) -> None:
    """ONNX begins at the first element then, numpy and the kernel take none."""
    axis = 0 if shape[0] != 3 else 1
    made = model("Slice", {"x": shape}, {"s": np.array([start]), "e": np.array([end]), "a": np.array([axis]),
                                         "p": np.array([step])}, ["x", "s", "e", "a", "p"])
    agrees(tmp_path, worker, made, [{"n": n} for n in (1, 2, 5)])


@pytest.mark.parametrize("op", ["Relu", "Softmax", "LogSoftmax", "Floor", "Softsign"])
def test_values_without_elements(op: str, tmp_path: Path, worker: isolated.Worker) -> None:
    """Kernels crash on some, so what is known to be empty is a constant."""
    agrees(tmp_path, worker, model(op, {"x": [0, 3]}, {}, ["x"]), [{"x": floats(0, 3)}])


@pytest.mark.parametrize("op", ["GlobalAveragePool", "ReduceMean"])
def test_the_mean_of_a_large_image(op: str, tmp_path: Path, worker: isolated.Worker) -> None:
    """The kernel adds one number after the other: of 65,536 equal ones it would be 6e-4 off (ONNX Runtime is too)."""
    axes = {} if op == "GlobalAveragePool" else {"a": np.array([2, 3])}
    x = np.full((1, 2, 256, 256), 0.7, np.float32) * np.array([1, 0.3], np.float32).reshape(1, 2, 1, 1)
    (tmp_path / "a.onnx").write_bytes(model(op, {"x": [1, 2, 256, 256]}, axes, ["x", *axes]))
    modelport.convert(tmp_path / "a.onnx", tmp_path / "a.tflite", verify=None)
    for kernels in ("builtin", "plain"):
        got = worker.open("tflite", tmp_path / "a.tflite", kernels=kernels, signature="serving_default").run({"x": x})
        np.testing.assert_allclose(got["y0"][0, :, 0, 0], [0.7, 0.21], rtol=4e-5)  # 256 sums that round alike, twice


def test_a_shape_of_symbols_and_of_a_number_beyond_32_bits(tmp_path: Path, worker: isolated.Worker) -> None:
    """Sizes are 32-bit numbers, but not what stands beside them: here the end of a whole axis."""
    from onnx import helper, numpy_helper
    nodes = [helper.make_node("Shape", ["x"], ["s"], start=1, end=2), helper.make_node("Div", ["s", "two"], ["h"]),
             helper.make_node("Concat", ["far", "h"], ["e"], axis=0),
             helper.make_node("Slice", ["x", "zeros", "e"], ["y"])]
    constants = {"two": [2], "far": [(1 << 63) - 1], "zeros": [0, 0]}
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, ["n", "w"])],
                              [helper.make_empty_tensor_value_info("y")],
                              [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()])
    agrees(tmp_path, worker, finished(graph), [{"n": 3, "w": 6}, {"n": 1, "w": 5}])


def test_a_file_written_is_read_and_written_again(tmp_path: Path, worker: isolated.Worker) -> None:
    from onnxruntime import InferenceSession
    made = model("Split", {"x": ["n", 3, "w"]}, {}, ["x"], outputs=2, axis=2, num_outputs=2)
    (tmp_path / "a.onnx").write_bytes(made)
    for source, target in (("a.onnx", "a.tflite"), ("a.tflite", "b.tflite")):
        modelport.convert(tmp_path / source, tmp_path / target, verify=None)
    run = worker.open("tflite", tmp_path / "b.tflite", signature="serving_default")
    for n, w in ((2, 6), (1, 5)):
        x = floats(n, 3, w)
        for k, want in enumerate(InferenceSession(made).run(None, {"x": x})):
            np.testing.assert_array_equal(run.run({"x": x})[f"y{k}"], want)


def test_a_quantized_model_in_another_layout_is_proven(tmp_path: Path) -> None:
    """Numbers beyond all quantization steps differ between runtimes: judged layer by layer, transposed or not."""
    from onnx import helper, numpy_helper
    constants = {"s": np.float32(0.02), "z": np.uint8(128), "w": RNG.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8),
                 "ws": np.float32(0.01), "wz": np.int8(0)}
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
             helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
             helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"]),
             helper.make_node("Conv", ["d", "dw"], ["c"]), helper.make_node("QuantizeLinear", ["c", "s", "z"], ["e"]),
             helper.make_node("DequantizeLinear", ["e", "s", "z"], ["y"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, ["n", 3, 8, 8])],
                              [helper.make_empty_tensor_value_info("y")],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    (tmp_path / "a.onnx").write_bytes(finished(graph))
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "a.tflite", layout="nhwc")
    assert done.report is not None and done.report.proven


def test_an_image_resized_to_nothing(tmp_path: Path) -> None:
    made = model("Resize", {"x": ["n", 1, 3, 1]}, {"s": np.array([1, 1, 2, 0.5], np.float32)}, ["x", "", "s"],
                 mode="linear", coordinate_transformation_mode="asymmetric")
    (tmp_path / "a.onnx").write_bytes(made)
    modelport.convert(tmp_path / "a.onnx", tmp_path / "a.tflite", verify=None)
