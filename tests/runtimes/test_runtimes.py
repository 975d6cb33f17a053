"""Each runtime runs a file and answers with arrays; a child process turns crashes into errors."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelport.errors import MissingDependency, RuntimeFailed, UsageError
from modelport.runtimes import start
from modelport.runtimes.isolated import Worker

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
MICRO = CORPUS / "tflite/tensorflow__tflite-micro/tensorflow/lite/micro"


def model(tmp_path: Path, *nodes: onnx.NodeProto, kind: int = TensorProto.FLOAT, out: int | None = None,
          shape: tuple[Any, ...] = ("N", 3), opset: int = 21) -> Path:
    graph = helper.make_graph(list(nodes), "g", [helper.make_tensor_value_info("x", kind, shape)],
                              [helper.make_tensor_value_info("y", out or kind, None)])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), str(path))
    return path


@pytest.fixture
def relu(tmp_path: Path) -> Path:
    return model(tmp_path, helper.make_node("Relu", ["x"], ["y"]))


@pytest.mark.parametrize("runtime", ["onnxruntime", "reference"])
def test_runs(runtime: str, relu: Path) -> None:
    x = np.array([[-1, 0, 2]], np.float32)
    with start(runtime, relu) as s:
        assert list(s.inputs) == ["x"]
        assert list(s.outputs) == ["y"]
        assert s.inputs["x"].shape == ("N", 3)
        np.testing.assert_array_equal(s.run({"x": x})["y"], [[0, 0, 2]])
        np.testing.assert_array_equal(s.run({"x": np.repeat(x, 4, 0)})["y"], [[0, 0, 2]] * 4)
        assert s.version


def test_feeds_are_checked_before_native_code(relu: Path) -> None:
    s = start("onnxruntime", relu)
    with pytest.raises(UsageError, match="missing"):
        s.run({})
    with pytest.raises(UsageError, match="no input 'z'"):
        s.run({"x": np.zeros((1, 3), np.float32), "z": np.zeros(1)})
    with pytest.raises(UsageError, match="float64"):
        s.run({"x": np.zeros((1, 3))})
    with pytest.raises(UsageError, match="shape"):
        s.run({"x": np.zeros(3, np.float32)})


def test_unknown_runtime_option_and_device(relu: Path) -> None:
    with pytest.raises(UsageError, match="no runtime 'x'"):
        start("x", relu)
    with pytest.raises(UsageError, match="colour"):
        start("onnxruntime", relu, colour=1)
    with pytest.raises(UsageError, match="no device"):
        start("onnxruntime", relu, device="abacus")
    with pytest.raises(RuntimeFailed, match="CUDAExecutionProvider"):
        start("onnxruntime", relu, device="cuda")


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_small_floats(dtype: Any, tmp_path: Path) -> None:
    number = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}.get(np.dtype(dtype).name,
                                                                                   TensorProto.FLOAT8E4M3FN)
    path = model(tmp_path, helper.make_node("Cast", ["x"], ["y"], to=number), out=number, shape=(4,))
    x = np.array([1, -2, 0.5, 3], np.float32)
    got = start("onnxruntime", path).run({"x": x})["y"]
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got.astype(np.float32), x)
    back = model(tmp_path, helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT), kind=number,
                 out=TensorProto.FLOAT, shape=(4,))
    np.testing.assert_array_equal(start("onnxruntime", back).run({"x": got})["y"], x)


def test_four_bits_come_out(tmp_path: Path) -> None:
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT4)
    path = model(tmp_path, node, out=TensorProto.INT4, shape=(3,))
    got = start("onnxruntime", path).run({"x": np.array([-8, 0, 7], np.float32)})["y"]
    assert got.dtype == np.dtype(ml_dtypes.int4)
    assert got.astype(np.int32).tolist() == [-8, 0, 7]


def test_text(tmp_path: Path) -> None:
    path = model(tmp_path, helper.make_node("Identity", ["x"], ["y"]), kind=TensorProto.STRING, shape=("N",))
    words = np.array(["", "ä", "中\n"], object)
    for runtime in ("onnxruntime", "reference"):
        assert start(runtime, path).run({"x": words})["y"].tolist() == words.tolist()
    with Worker() as w:
        assert w.open("onnxruntime", path).run({"x": words})["y"].tolist() == words.tolist()


def test_float64_evaluation_is_exact_where_float32_is_not(tmp_path: Path) -> None:
    nodes = [helper.make_node("Constant", [], ["c"], value_float=16777216.0),
             helper.make_node("Add", ["x", "c"], ["s"]), helper.make_node("Sub", ["s", "c"], ["y"])]
    path = model(tmp_path, *nodes)
    x = np.array([[1, 3, 5]], np.float32)
    assert start("onnxruntime", path).run({"x": x})["y"].tolist() == [[0, 4, 4]]
    s = start("reference", path, float64=True)
    assert s.inputs["x"].dtype == np.float64
    got = s.run({"x": x.astype(np.float64)})["y"]
    assert got.dtype == np.float64
    assert got.tolist() == [[1, 3, 5]]


def test_a_missing_package_is_named(relu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MissingDependency, match="ai-edge-litert") as e:
        start("tflite", relu)
    assert "modelport[tflite]" in e.value.hint


class TestIsolated:
    def test_same_answer_as_here(self, relu: Path) -> None:
        x = np.random.default_rng(0).standard_normal((1000, 3)).astype(np.float32)
        with Worker() as w:
            s = w.open("onnxruntime", relu)
            other = w.open("reference", relu)
            assert s.inputs == start("onnxruntime", relu).inputs
            np.testing.assert_array_equal(s.run({"x": x})["y"], np.maximum(x, 0))
            np.testing.assert_array_equal(other.run({"x": x})["y"], np.maximum(x, 0))
            s.close()
            np.testing.assert_array_equal(other.run({"x": x[:0]})["y"], x[:0])

    def test_large_arrays_both_ways(self, relu: Path) -> None:
        x = np.ones((3_000_000, 3), np.float32)
        with Worker() as w:
            assert w.open("onnxruntime", relu).run({"x": x})["y"].sum() == 9_000_000

    def test_a_refusal_is_the_runtimes_own(self, tmp_path: Path) -> None:
        path = model(tmp_path, helper.make_node("Frobnicate", ["x"], ["y"]))
        with Worker() as w:
            with pytest.raises(RuntimeFailed, match="Frobnicate"):
                w.open("onnxruntime", path)
            with pytest.raises(UsageError, match="missing"):
                w.open("onnxruntime", model(tmp_path, helper.make_node("Relu", ["x"], ["y"]))).run({})

    def test_a_crash_is_a_result(self, relu: Path) -> None:
        with Worker() as w:
            s = w.open("onnxruntime", relu)
            x = np.ones((1, 3), np.float32)
            s.run({"x": x})
            assert w._process is not None
            os.kill(w._process.pid, signal.SIGSEGV)
            with pytest.raises(RuntimeFailed, match=r"ONNX Runtime crashed \(SIGSEGV\)"):
                s.run({"x": x})
            assert s.run({"x": x})["y"].tolist() == [[1, 1, 1]]  # opened again

    def test_a_hang_ends(self, relu: Path) -> None:
        with Worker(timeout=2) as w:
            s = w.open("onnxruntime", relu)
            assert w._process is not None
            os.kill(w._process.pid, signal.SIGSTOP)
            began = time.monotonic()
            with pytest.raises(RuntimeFailed, match="did not answer within 2 s"):
                s.run({"x": np.ones((1, 3), np.float32)})
            assert time.monotonic() - began < 8

    def test_memory_is_limited(self, tmp_path: Path) -> None:
        node = helper.make_node("ConstantOfShape", ["x"], ["y"])
        path = model(tmp_path, node, kind=TensorProto.INT64, out=TensorProto.FLOAT, shape=(1,))
        with Worker(memory=4 << 30) as w, pytest.raises(RuntimeFailed):
            w.open("onnxruntime", path).run({"x": np.array([1 << 33])})

    def test_ends_with_its_parent(self, relu: Path) -> None:
        code = ("import sys, os\nfrom modelport.runtimes.isolated import Worker\nw = Worker()\n"
                "w.open('onnxruntime', sys.argv[1])\nprint(w._process.pid, flush=True)\nos.kill(os.getpid(), 9)\n")
        done = subprocess.run([sys.executable, "-c", code, str(relu)], capture_output=True, text=True, timeout=60)
        pid = int(done.stdout)
        for _ in range(100):
            try:
                os.kill(pid, 0)
                state = Path(f"/proc/{pid}/stat")
                if state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                    return
            except ProcessLookupError:
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the child outlived its parent")

    def test_it_starts_with_little(self) -> None:
        code = "import sys; import modelport.runtimes.worker; print(*[m for m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        loaded = set(done.stdout.split())
        assert not loaded & {"onnx", "onnxruntime", "ai_edge_litert", "torch", "tensorflow"}


@needs_corpus
class TestLiteRT:
    def test_signature_names_and_scalars(self) -> None:
        pytest.importorskip("ai_edge_litert")
        s = start("tflite", CORPUS / "tflite/google__lyra/lyra/model_coeffs/quantizer.tflite", signature="encode")
        assert list(s.inputs) == ["input_frames", "num_quantizers"]
        got = s.run({"input_frames": np.zeros((1, 1, 64), np.float32), "num_quantizers": np.array(4, np.int32)})
        assert got["output_1"] == 4
        with pytest.raises(UsageError, match="no signature 'x'"):
            start("tflite", CORPUS / "tflite/google__lyra/lyra/model_coeffs/quantizer.tflite", signature="x")

    @pytest.mark.parametrize("kernels", ["builtin", "plain", "reference"])
    def test_dynamic_batch(self, kernels: str) -> None:
        pytest.importorskip("ai_edge_litert")
        s = start("tflite", MICRO / "examples/hello_world/models/hello_world_float.tflite", kernels=kernels)
        name, = s.inputs
        assert s.inputs[name].shape == (None, 1)
        x = np.linspace(0, 6, 7, dtype=np.float32)[:, None]
        whole = next(iter(s.run({name: x}).values()))
        each = [next(iter(s.run({name: x[k:k + 1]}).values())) for k in range(7)]
        np.testing.assert_allclose(whole, np.concatenate(each), atol=1e-6)

    def test_state_does_not_flow_between_runs(self) -> None:
        pytest.importorskip("ai_edge_litert")
        s = start("tflite", CORPUS / "tflite/google__lyra/lyra/model_coeffs/soundstream_encoder.tflite")
        name, = s.inputs
        x = np.random.default_rng(0).standard_normal((1, 320)).astype(np.float32)
        first, second = (next(iter(s.run({name: x}).values())) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_intermediate_tensors(self) -> None:
        pytest.importorskip("ai_edge_litert")
        path = MICRO / "examples/hello_world/models/hello_world_int8.tflite"
        plain = start("tflite", path, kernels="reference")
        s = start("tflite", path, kernels="reference", tensors=[*range(12)])
        name, = s.inputs
        x = np.array([[5]], np.int8)
        got = s.run({name: x})
        assert len(got) > 3
        assert all(np.array_equal(got[k], v) for k, v in plain.run({name: x}).items())
