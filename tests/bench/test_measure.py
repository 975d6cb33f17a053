"""Timing: what a figure says, what a runtime that crashes or is not there leaves, how models are fed."""
from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import modelport
from modelport import bench
from modelport.bench import measure as measuring
from modelport.bench.ways import WAYS
from modelport.errors import MissingDependency, UsageError
from modelport.runtimes import start
from modelport.runtimes.isolated import Worker
from modelport.runtimes.session import sampled

EXAMPLES = Path(__file__).parents[2] / "examples" / "digits"
QUICK = bench.How(seconds=0.45, batches=(1,))


def network(path: Path, layers: int, width: int = 64, rows: int | str = "batch") -> Path:
    """A chain of products, the longer the slower."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, (width, width),
                                 (np.random.default_rng(0).normal(size=(width, width)) / 8).astype(np.float32).ravel())
    names = ["x", *(f"h{k}" for k in range(layers))]
    nodes = [n for a, b in itertools.pairwise(names) for n in (
        helper.make_node("MatMul", [a, "w"], [b + "p"]), helper.make_node("Tanh", [b + "p"], [b]))]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, width])],
                              [helper.make_tensor_value_info(names[-1], TensorProto.FLOAT, [rows, width])], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_samples_are_the_time_of_each_call() -> None:
    taken, cpu = sampled(lambda: time.sleep(0.01), 0.1, 5)
    assert taken.dtype == np.int64 and 1 <= len(taken) <= 5
    assert (taken >= 10e6).all() and cpu < 0.01  # sleeping is no work
    _, busy = sampled(lambda: sum(range(200_000)), 0.05, 100)
    assert busy > 1e-4


def test_a_table_of_a_file_in_its_runtimes() -> None:
    found = bench.bench([EXAMPLES / "digits.tflite"], how=bench.How(seconds=0.45, batches=(1, 8)))
    assert [r.runtime for r in found.rows] == ["tflite", "tflite-reference"]
    fast, slow = found.rows
    for r in found.rows:
        assert r.status == "measured" and [x.rows for x in r.latency] == [1, 8]
        one = r.latency[0]
        assert 0 < one.least <= one.median <= (one.p90 or np.inf) <= (one.p99 or np.inf)
        assert r.start and r.opening and r.first and r.start == pytest.approx(r.opening + r.first)
        assert r.memory and 10e6 < r.memory < 1e9 and r.bytes == (EXAMPLES / "digits.tflite").stat().st_size
        assert r.version and "1 thread" in r.settings
    assert found.measured[0] is fast and fast.latency[0].of_fastest == 1
    assert slow.latency[0].of_fastest > 1.5  # kernels without vectors
    assert found.machine.cores >= 1 and found.machine.yardstick > 0


def test_more_work_takes_longer_by_as_much(tmp_path: Path) -> None:
    """A figure scales with the work: 40 layers against 10."""
    files = [network(tmp_path / f"n{n}.onnx", n, 128) for n in (10, 40)]
    found = bench.bench(files, runtimes=["onnxruntime"], how=bench.How(seconds=0.9, batches=(32,)))
    ratio = next(r.latency[0].of_fastest for r in found.rows if r.file == "n40.onnx")
    assert ratio is not None and 2.5 < ratio < 6


def test_figures_agree_with_another_clock(tmp_path: Path) -> None:
    """A program that knows nothing of modelport times the same file; both state their noise.

    Other programs may take the machine in one of two measurements, so there are three tries."""
    path = network(tmp_path / "n.onnx", 30, 128)
    program = """
import statistics, sys, time, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
x = {"x": numpy.random.default_rng(1).normal(size=(1, 128)).astype("f")}
rounds = []
for _ in range(9):
    taken = []
    for _ in range(200):
        before = time.perf_counter()
        session.run(None, x)
        taken.append(time.perf_counter() - before)
    rounds.append(statistics.median(taken) * 1e3)
rounds = rounds[1:]
print(statistics.median(rounds), (max(rounds) - min(rounds)) / 2)
"""
    seen = []
    for _ in range(3):
        one = bench.bench([path], runtimes=["onnxruntime"], how=bench.How(seconds=0.9)).rows[0].latency[0]
        said = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True).stdout
        theirs, noise = map(float, said.split())
        seen.append((one.median, one.noise * one.median, theirs, noise))
        if abs(one.median - theirs) <= one.noise * one.median + noise:
            return
    raise AssertionError(seen)


def test_a_runtime_that_crashes_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = measuring._timed

    def crash(s: measuring.Subject, feed: Any, **how: Any) -> Any:
        if s.way.name == "tflite" and s.samples:
            assert s.worker is not None and s.worker._process is not None
            os.kill(s.worker._process.pid, signal.SIGSEGV)
        return timed(s, feed, **how)
    monkeypatch.setattr(measuring, "_timed", crash)
    found = bench.bench([EXAMPLES / "digits.tflite"], how=QUICK)
    crashed, other = found.rows
    assert crashed.status == "failed" and "SIGSEGV" in crashed.reason and not crashed.latency
    assert other.status == "measured" and other.latency


def test_a_crash_at_the_first_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free sizes are tried in turn, but not in a process that is gone: its last words would be lost."""
    timed = measuring._timed

    def crash(s: measuring.Subject, feed: Any, **how: Any) -> Any:
        if s.worker is not None and s.worker._process is not None:
            os.kill(s.worker._process.pid, signal.SIGSEGV)
        return timed(s, feed, **how)
    monkeypatch.setattr(measuring, "_timed", crash)
    found = bench.bench([network(tmp_path / "n.onnx", 2)], runtimes=["onnxruntime"], how=QUICK).rows[0]
    assert found.status == "failed" and "crashed (SIGSEGV)" in found.reason


def test_the_first_run_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What prepares a call does not run the model: the first figure would be of the second run."""
    with start("tflite", EXAMPLES / "digits.tflite") as session:
        image = {next(iter(session.inputs)): np.zeros((4, 8, 8, 1), np.float32)}
        calls: list[Any] = []
        monkeypatch.setattr(session, "_model", Counted(session._model, calls))  # type: ignore[attr-defined]
        taken, _ = session.timed(image, seconds=9, first=True)
    assert len(taken) == len(calls) == 1


class Counted:
    """An interpreter that counts its runs."""

    def __init__(self, inner: Any, calls: list[Any]) -> None:
        self._inner, self._calls = inner, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def invoke(self) -> None:
        self._calls.append(1)
        self._inner.invoke()


def test_a_runtime_that_is_not_here_is_a_row_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Worker, runtime: str, path: Any, **options: Any) -> Any:
        raise MissingDependency("onnxruntime", "test", "running an ONNX model")
    monkeypatch.setattr(Worker, "open", missing)
    found = bench.bench([EXAMPLES / "digits.tflite"], how=QUICK)
    assert {r.status for r in found.rows} == {"missing"} and not found.measured
    assert "pip install" in found.rows[0].reason


def test_a_broken_file_beside_a_good_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07\x12\xff\xff\xff")
    found = bench.bench([broken, EXAMPLES / "digits.tflite"], runtimes=["tflite", "onnxruntime"], how=QUICK)
    assert [r.status for r in found.rows] == ["measured", "failed"]
    with pytest.raises(modelport.ModelportError):
        bench.bench([broken], how=QUICK)


def test_unknown_runtimes_and_inputs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runtime 'ort'"):
        bench.bench([EXAMPLES / "digits.tflite"], runtimes=["ort"])
    with pytest.raises(UsageError, match="keras can't run TensorFlow Lite"):
        bench.bench([EXAMPLES / "digits.tflite"], runtimes=["keras"])
    with pytest.raises(UsageError, match="no runtime of TensorFlow Lite files is known on the device 'gpu'"):
        bench.bench([EXAMPLES / "digits.tflite"], device="gpu")
    path = network(tmp_path / "n.onnx", 2)
    for how, said in ((bench.How(shapes={"y": (1, 64)}), "no input 'y'; it has x"),
                      (bench.How(shapes={"x": (64,)}), "--shape x: the model wants"),
                      (bench.How(shapes={"x": (0, 64)}), "sizes are 1 or more"),
                      (bench.How(sample={"y": np.ones((1, 64))}), "no input 'y'")):
        with pytest.raises(UsageError, match=said):
            bench.bench([path], runtimes=["onnxruntime"], how=how)
    fixed = network(tmp_path / "f.onnx", 2, rows=3)
    with pytest.raises(UsageError, match="fewer rows"):
        bench.bench([fixed], runtimes=["onnxruntime"], how=bench.How(sample={"x": np.ones((2, 64), np.float32)}))


def test_shapes_and_samples(tmp_path: Path) -> None:
    path = network(tmp_path / "n.onnx", 2)
    given = {"x": np.ones((5, 64), np.float32)}
    found = bench.bench([path], runtimes=["onnxruntime"], how=bench.How(seconds=0.1, sample=given)).rows[0]
    assert found.latency[0].rows == 5 and found.shapes == {"x": "5x64"}
    fixed = network(tmp_path / "f.onnx", 2, rows=3)
    found = bench.bench([fixed], runtimes=["onnxruntime"], how=bench.How(seconds=0.1, batches=(1, 8))).rows[0]
    assert [x.rows for x in found.latency] == [3]  # the file's own
    found = bench.bench([path], runtimes=["onnxruntime"], how=bench.How(seconds=0.1, batches=(8, 1))).rows[0]
    assert [x.rows for x in found.latency] == [8, 1]  # the first is what was asked for first


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        network(tmp_path / folder / "n.onnx", 2)
    found = bench.bench([tmp_path / "a" / "n.onnx", tmp_path / "b" / "n.onnx", network(tmp_path / "m.onnx", 2)],
                        runtimes=["onnxruntime"], how=bench.How(seconds=0.1))
    assert [r.file for r in found.rows] == [str(tmp_path / "a" / "n.onnx"), str(tmp_path / "b" / "n.onnx"), "m.onnx"]


def test_files_that_name_their_inputs_otherwise(tmp_path: Path) -> None:
    """Shapes and samples are by the names of the first file."""
    other = tmp_path / "other.onnx"
    model = onnx.load(network(tmp_path / "n.onnx", 2))
    model.graph.input[0].name = model.graph.node[0].input[0] = "data"
    onnx.save(model, other)
    for how in (bench.How(seconds=0.1, sample={"x": np.ones((5, 64), np.float32)}),
                bench.How(seconds=0.1, shapes={"x": (5, 64)})):
        found = bench.bench([tmp_path / "n.onnx", other], runtimes=["onnxruntime"], how=how)
        assert [r.shapes for r in found.rows] == [{"x": "5x64"}, {"data": "5x64"}]


def test_sizes_that_a_model_refuses_are_replaced(tmp_path: Path) -> None:
    """A free length that must be 32: 128 is refused, and 64, then 16; ... the sizes that were tried are in order."""
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    shape = helper.make_tensor("shape", TensorProto.INT64, (2,), (4, 8))
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "length"])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 8])], [shape])
    path = tmp_path / "r.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    found = bench.bench([path], runtimes=["onnxruntime"], how=bench.How(seconds=0.1)).rows[0]
    assert found.status == "measured" and found.shapes == {"x": "1x32"}


def test_two_runs_differ_by_less_than_their_noise(tmp_path: Path) -> None:
    """Three tries, as another program may take the machine for all of one run."""
    path = network(tmp_path / "n.onnx", 30, 128)
    seen = []
    for _ in range(3):
        a, b = (bench.bench([path], runtimes=["onnxruntime"], how=bench.How(seconds=0.9)).rows[0].latency[0]
                for _ in range(2))
        seen.append((a.median, a.noise, b.median, b.noise))
        if abs(a.median - b.median) <= a.noise * a.median + b.noise * b.median:
            return
    raise AssertionError(seen)


def test_every_way_names_a_runtime_that_exists() -> None:
    from modelport.runtimes import RUNTIMES
    assert len({w.name for w in WAYS}) == len(WAYS)
    for w in WAYS:
        assert w.runtime in RUNTIMES and w.get and w.formats


def test_prepared_calls_compute_what_run_does(tmp_path: Path) -> None:
    path = network(tmp_path / "n.onnx", 3)
    x = {"x": np.random.default_rng(0).normal(size=(2, 64)).astype(np.float32)}
    with start("onnxruntime", path) as session:
        made: Any = session.prepared(x)()
        assert np.array_equal(made[0], next(iter(session.run(x).values())))
    image = {"image": np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype(np.float32)}
    with start("tflite", EXAMPLES / "digits.tflite") as session:
        name = next(iter(session.inputs))
        feed = {name: image["image"]}
        made = session.prepared(feed)()
        assert np.array_equal(made[0], next(iter(session.run(feed).values())))
