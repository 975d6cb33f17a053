"""SavedModels as TensorFlow and Keras write them: read, run by the interpreter and by ONNX Runtime, equal to what
TensorFlow computed (``make_models.py`` records it)."""
from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from tf_graphs import frozen, graph, node, placeholder

import modelport
from modelport.errors import UnsafeModel, UsageError
from modelport.runtimes import start

RECORDED = Path(__file__).parents[2] / "recorded" / "tensorflow"
NAMES = sorted(p.name.removesuffix(".tar.xz") for p in RECORDED.glob("*.tar.xz"))
BAR = 2e-5
"""Of the greatest number: up to 21 recurrent steps of float32 products, each rounded at 6e-8, whose errors grow."""


def unpack(name: str, folder: Path) -> Path:
    with tarfile.open(RECORDED / f"{name}.tar.xz") as tar:
        for member in tar.getmembers():
            assert member.isfile()
            path = folder / name / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            source = tar.extractfile(member)
            assert source is not None
            path.write_bytes(source.read())
    return folder / name


def cases(name: str) -> list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    with np.load(RECORDED / f"{name}.npz") as file:
        out: dict[str, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]] = {}
        for key in file.files:
            batch, side, of = key.split("|", 2)
            pair = out.setdefault(batch, ({}, {}))
            array = file[key]
            pair[side == "out"][of] = array.astype(object) if array.dtype.kind == "U" else array
    return [out[k] for k in sorted(out)]


def assert_equal(want: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> None:
    for name, a in want.items():
        b = got[name]
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        if a.dtype.kind == "f":
            np.testing.assert_allclose(b, a, rtol=0, atol=BAR * max(np.abs(a).max(initial=0), 1e-6))
        else:
            np.testing.assert_array_equal(b, a)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("branches", "counter", "draws")])
def test_models_compute_what_tensorflow_computed(name: str, tmp_path: Path) -> None:
    path = unpack(name, tmp_path)
    modelport.convert(path, tmp_path / "m.onnx", verify=None)
    interpreter, runtime = start("graphdef", path), start("onnxruntime", tmp_path / "m.onnx")
    for feeds, want in cases(name):
        assert_equal(want, interpreter.run(feeds))
        assert_equal(want, runtime.run(feeds))


@pytest.mark.parametrize(("name", "operators"), [
    ("lstm", {"LSTM": 2}), ("gru", {"GRU": 2}), ("masked", {"LSTM": 1}), ("both_ways", {"GRU": 2})])
def test_recurrent_layers_are_recognised(name: str, operators: dict[str, int], tmp_path: Path) -> None:
    found = [n.op for n in modelport.load(unpack(name, tmp_path)).graph.walk()]
    assert {op: found.count(op) for op in operators} == operators
    assert "Loop" not in found
    assert "Scan" not in found


def test_a_loop_that_only_looks_recurrent_stays_a_loop(tmp_path: Path) -> None:
    model = modelport.load(unpack("choice", tmp_path))
    assert [n.op for n in model.graph.walk()].count("Loop") == 2


def test_state_becomes_inputs_and_outputs(tmp_path: Path) -> None:
    path = unpack("counter", tmp_path)
    model = modelport.load(path)
    assert list(model.inputs) == ["x", "state:Variable"]
    assert list(model.outputs) == ["y", "state:Variable:next"]
    assert any("state:<name>" in n.message for n in model.notes)
    modelport.convert(model, tmp_path / "m.onnx", verify=None)
    session = start("onnxruntime", tmp_path / "m.onnx")
    state = np.float32(1.5)
    for feeds, want in cases("counter"):  # one after the other: the count goes on
        made = session.run({"x": feeds["x"], "state:Variable": state})
        np.testing.assert_allclose(made["y"], want["y"], rtol=1e-6)
        state = made["state:Variable:next"]


def test_state_that_branches_and_loops_assign(tmp_path: Path) -> None:
    path = unpack("branches", tmp_path)
    model = modelport.load(path)
    assert sorted(model.inputs) == ["state:count", "state:last", "state:total", "x"]
    modelport.convert(model, tmp_path / "m.onnx", verify=None)
    state = {"state:count": np.int32(0), "state:last": np.zeros(2, np.float32), "state:total": np.float32(0.5)}
    for feeds, want in cases("branches"):
        made = start("onnxruntime", tmp_path / "m.onnx").run({**feeds, **state})
        assert_equal(want, made)
        assert_equal(want, start("graphdef", path).run({**feeds, **state}))
        state = {k: made[f"{k}:next"] for k in state}
    assert state["state:count"] > 0


@pytest.mark.skipif(onnxruntime.__version__.startswith("1.23"), reason="ONNX Runtime 1.23 refuses IR version 13")
def test_a_generator_draws_what_it_draws_in_tensorflow(tmp_path: Path) -> None:
    path = unpack("draws", tmp_path)
    report = modelport.convert(path, tmp_path / "m.onnx").report
    assert report is not None
    assert report.proven
    state = np.array([7, 0, 0], np.int64)  # a counter of 128 bits, which begins with the seed, and the key
    for feeds, want in cases("draws"):
        made = start("onnxruntime", tmp_path / "m.onnx").run({**feeds, "state:StateVar": state})
        assert_equal(want, made)
        assert_equal(want, start("graphdef", path).run({**feeds, "state:StateVar": state}))
        state = made["state:StateVar:next"]
    assert state[0] > 0


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["counter", "branches"])
@pytest.mark.parametrize("state", ["explicit", "reset"])
def test_state_is_proven_in_tensorflow(name: str, state: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    model = modelport.load(unpack(name, tmp_path), state=state)
    report = modelport.convert(model, tmp_path / "m.onnx", verify="prove").report
    assert report is not None
    assert report.level == "L3"
    assert "TensorFlow Serving" in report.text()


@pytest.mark.parametrize("state", ["explicit", "reset"])
def test_state_is_proven_without_tensorflow(state: str, tmp_path: Path) -> None:
    model = modelport.load(unpack("counter", tmp_path), state=state)
    report = modelport.convert(model, tmp_path / "m.onnx").report
    assert report is not None
    assert report.level == "L2"


@pytest.mark.oracle
def test_a_signature_is_proven_with_itself(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")

    class Two(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"y": x * 2.0}

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def other(self, x: Any) -> dict[str, Any]:
            return {"y": x + 1.0}
    made = Two()
    tf.saved_model.save(made, str(tmp_path / "m"), signatures={"serving_default": made.__call__, "other": made.other})
    for signature in ("serving_default", "other"):
        model = modelport.load(tmp_path / "m", signature=signature)
        report = modelport.convert(model, tmp_path / "m.onnx", verify="prove", force=True).report
        assert report is not None
        assert report.level == "L3"


def test_variables_are_always_in_one_order(tmp_path: Path) -> None:
    """A map of a protobuf is in the order of a hash that has another seed in each process."""
    g = graph()
    placeholder(g, shape=())
    f = g.library.function.add()
    f.signature.name = "f"
    f.signature.input_arg.add(name="x", type=1)
    f.signature.output_arg.add(name="y", type=1)
    f.node_def.add(name="i", op="Identity", input=["x"]).attr["T"].type = 1
    f.ret["y"] = "i:output:0"
    for k in range(6):
        handle = node(g, "VarHandleOp", f"v{k}", dtype=np.float32)
        handle.attr["shape"].shape.SetInParent()
        node(g, "Const", f"one{k}", dtype=np.float32, value=np.ones((), np.float32))
        node(g, "AssignVariableOp", f"start{k}", f"v{k}", f"one{k}", dtype=np.float32)
        f.signature.input_arg.add(name=f"h{k}", type=20)
        f.node_def.add(name=f"a{k}", op="AssignAddVariableOp", input=[f"h{k}", "x"]).attr["dtype"].type = 1
        f.control_ret[f"c{k}"] = f"a{k}"
    node(g, "f", "y", "x", *(f"v{k}" for k in range(6)))
    path = frozen(g, tmp_path)
    code = "import sys; from modelport.formats import tensorflow; print(list(tensorflow.read(sys.argv[1]).inputs))"
    seen = {subprocess.run([sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONHASHSEED": str(seed)},
                           capture_output=True, check=True).stdout for seed in range(4)}
    assert seen == {b"['x', 'state:v0', 'state:v1', 'state:v2', 'state:v3', 'state:v4', 'state:v5']\n"}


def test_state_can_be_reset(tmp_path: Path) -> None:
    model = modelport.load(unpack("counter", tmp_path), state="reset")
    assert list(model.inputs) == ["x"]
    made = model.run(x=np.float32(2))
    np.testing.assert_allclose(made["y"], 7.0, rtol=1e-6)


def test_signatures_and_tags_are_chosen_by_name(tmp_path: Path) -> None:
    path = unpack("vision", tmp_path)
    assert modelport.load(path, signature="serve").inputs.keys() != set()
    with pytest.raises(UsageError, match="no signature 'other'") as e:
        modelport.load(path, signature="other")
    assert "serving_default" in e.value.hint
    with pytest.raises(UsageError, match="tags 'train'"):
        modelport.load(path, tags="train")


def test_tensors_take_the_place_of_a_signature(tmp_path: Path) -> None:
    model = modelport.load(unpack("first", tmp_path), inputs="x", outputs="while/Exit_1:0")
    assert list(model.outputs) == ["while/Exit_1"]


def test_an_asset_is_read_by_the_policy_for_paths(tmp_path: Path) -> None:
    path = unpack("vocabulary", tmp_path)
    asset = next((path / "assets").iterdir())
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    asset.unlink()
    asset.symlink_to(secret)
    with pytest.raises(UnsafeModel, match="link"):
        modelport.load(path)
