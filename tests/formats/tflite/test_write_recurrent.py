"""Recurrent networks as TensorFlow Lite, against ONNX Runtime: every attribute, at several lengths and batches."""
from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[2]))
from written import OLD_ORT

import modelport
from cases.tflite import CASES
from modelport.formats import tflite
from modelport.runtimes import isolated

RNG = np.random.default_rng(7)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STATES = {"RNN": 1, "GRU": 1, "LSTM": 2}


def floats(*shape: int, scale: float = 0.6) -> np.ndarray:
    return RNG.normal(0, scale, shape).astype(np.float32)


def model(op: str, *, time: Any = "time", batch: Any = "batch", features: int = 3, hidden: int = 5, bias: bool = True,
          lengths: bool = False, initial: bool = False, peepholes: bool = False, **attrs: Any) -> bytes:
    """One recurrent operator; lengths and initial states are inputs of the model."""
    ways, layout = (2 if attrs.get("direction") == "bidirectional" else 1), attrs.get("layout", 0)
    n, states = GATES[op] * hidden, STATES[op]
    weights = {"W": floats(ways, n, features), "R": floats(ways, n, hidden)}
    if bias:
        weights["B"] = floats(ways, 2 * n)
    if peepholes:
        weights["P"] = floats(ways, 3 * hidden)
    shapes = {"X": (batch, time, features) if layout else (time, batch, features)}
    if lengths:
        shapes["lengths"] = (batch,)
    state = ["h", "c"][:states]
    if initial:
        shapes.update(dict.fromkeys(state, (batch, ways, hidden) if layout else (ways, batch, hidden)))
    ins = ["X", "W", "R", "B" if bias else "", "lengths" if lengths else "", *(state if initial else [""] * states),
           *(["P"] if peepholes else [])]
    outs = ["Y", "Y_h", "Y_c"][:1 + states]
    graph = helper.make_graph(
        [helper.make_node(op, ins, outs, hidden_size=hidden, **attrs)], "g",
        [helper.make_tensor_value_info(k, TensorProto.INT32 if k == "lengths" else TensorProto.FLOAT, s)
         for k, s in shapes.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in outs],
        [numpy_helper.from_array(v, k) for k, v in weights.items()])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)],
                                    ir_version=9).SerializeToString()
    return made


def feeds(onnx_model: bytes, time: int, batch: int) -> dict[str, np.ndarray]:
    sizes = {"time": time, "batch": batch}
    made = {}
    for i in ort.InferenceSession(onnx_model).get_inputs():
        shape = [sizes.get(d, d) for d in i.shape]
        lengths = i.name == "lengths"
        made[i.name] = RNG.integers(1, time + 1, shape).astype(np.int32) if lengths else floats(*shape, scale=1)
    return made


def check(folder: Path, onnx_model: bytes, cases: Sequence[Mapping[str, np.ndarray]], tolerance: float = 2e-6,
          worker: isolated.Worker | None = None, **options: Any) -> Path:
    """Both runtimes on every case.  Sums of a dozen products and a step's functions round at 1e-7 each."""
    source, target = folder / "a.onnx", folder / "a.tflite"
    source.write_bytes(onnx_model)
    modelport.convert(source, target, verify=None, **options)
    session = ort.InferenceSession(onnx_model)
    names = [o.name for o in session.get_outputs()]
    with isolated.Worker() as own:
        for kernels in ("builtin", "plain"):
            run = (worker or own).open("tflite", target, kernels=kernels, signature="serving_default")
            for case in cases:
                got = run.run(case)
                for name, want in zip(names, session.run(None, dict(case)), strict=True):
                    assert got[name].shape == want.shape, (name, kernels)
                    np.testing.assert_allclose(got[name], want, tolerance, tolerance, err_msg=f"{name} {kernels}")
    return target


@pytest.fixture(scope="module")
def worker() -> Any:
    with isolated.Worker() as w:
        yield w


SIZES = [(4, 2), (1, 1), (7, 3), (4, 1)]


WAYS = ["forward", "reverse", "bidirectional"]


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize(("direction", "more"), [
    ("forward", {}), ("bidirectional", {"bias": False}), ("reverse", {"lengths": True}), ("reverse", {"initial": True}),
    ("bidirectional", {"initial": True, "lengths": True, "clip": 0.4})], ids=str)
def test_loops(tmp_path: Path, worker: Any, op: str, direction: str, more: dict[str, Any]) -> None:
    made = model(op, direction=direction, **more)
    check(tmp_path, made, [feeds(made, *s) for s in SIZES], worker=worker)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", WAYS)
def test_steps(tmp_path: Path, worker: Any, op: str, direction: str) -> None:
    made = model(op, direction=direction, time=4, batch=2, lengths=True, initial=True)
    target = check(tmp_path, made, [feeds(made, 4, 2)], worker=worker)
    assert "WHILE" not in {n.op for n in tflite.read(target).walk()}


@pytest.mark.parametrize("more", [
    {"op": "GRU", "linear_before_reset": 1}, {"op": "GRU", "linear_before_reset": 1, "bias": False},
    {"op": "LSTM", "peepholes": True}, {"op": "LSTM", "input_forget": 1},
    {"op": "LSTM", "peepholes": True, "clip": 0.3, "lengths": True, "direction": "bidirectional"},
    {"op": "GRU", "linear_before_reset": 1, "direction": "bidirectional", "lengths": True},
    {"op": "RNN", "time": 1, "batch": 1}, {"op": "LSTM", "time": 70, "batch": 1}, {"op": "GRU", "time": 70},
    {"op": "LSTM", "batch": 2}, {"op": "GRU", "time": 3}], ids=str)
def test_more(tmp_path: Path, worker: Any, more: dict[str, Any]) -> None:
    made = model(**more)
    sizes = {(more.get("time", t), more.get("batch", b)) for t, b in SIZES}
    check(tmp_path, made, [feeds(made, *s) for s in sorted(sizes)], worker=worker)


ONE = [("Relu", {}), ("Affine", {"activation_alpha": [0.5], "activation_beta": [0.1]}), ("LeakyRelu", {}),
       ("ThresholdedRelu", {"activation_alpha": [0.2]}), ("ScaledTanh", {"activation_alpha": [0.8], "activation_beta":
       [1.1]}), ("HardSigmoid", {"activation_alpha": [0.3], "activation_beta": [0.4]}), ("Elu", {"activation_alpha":
       [0.7]}), ("Softsign", {}), ("Softplus", {}), ("Sigmoid", {})]


@pytest.mark.parametrize(("name", "attrs"), ONE, ids=[n for n, _ in ONE])
def test_activations(tmp_path: Path, worker: Any, name: str, attrs: dict[str, Any]) -> None:
    if OLD_ORT and name == "LeakyRelu":
        pytest.skip("ONNX Runtime 1.23 takes 0 for the slope that is not said, the standard 0.01")
    made = model("RNN", activations=[name], **attrs)
    check(tmp_path, made, [feeds(made, *s) for s in SIZES[:2]], worker=worker)


def test_activations_take_their_numbers_in_turn(tmp_path: Path, worker: Any) -> None:
    made = model("LSTM", activations=["HardSigmoid", "LeakyRelu", "Tanh", "Sigmoid", "Elu", "ScaledTanh"],
                 direction="bidirectional", activation_alpha=[0.3, 0.2, 0.6, 0.9], activation_beta=[0.45, 1.2])
    check(tmp_path, made, [feeds(made, *s) for s in SIZES[:2]], worker=worker)


FUSED = [{"op": "LSTM"}, {"op": "LSTM", "bias": False}, {"op": "LSTM", "peepholes": True},
         {"op": "LSTM", "input_forget": 1}, {"op": "LSTM", "input_forget": 1, "peepholes": True},
         {"op": "LSTM", "activations": ["Sigmoid", "Relu", "Relu"]}, {"op": "RNN"}, {"op": "RNN", "bias": False},
         {"op": "RNN", "activations": ["Relu"]}]


@pytest.mark.parametrize("direction", WAYS)
@pytest.mark.parametrize("more", FUSED, ids=str)
def test_fused(tmp_path: Path, worker: Any, more: dict[str, Any], direction: str) -> None:
    """Our runner resets the variables before every run, as a user has to."""
    ways = 2 if direction == "bidirectional" else 1
    more = {**more, **({"activations": more["activations"] * ways} if "activations" in more else {})}
    made = without(model(**more, batch=2, direction=direction), "Y_c")
    target = check(tmp_path, made, [feeds(made, t, 2) for t in (4, 1, 7)], worker=worker, recurrent="fused")
    ops = {n.op for n in tflite.read(target).walk()}
    assert "WHILE" not in ops
    assert ops & {"UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"}


def without(onnx_model: bytes, name: str) -> bytes:
    """The model without one of its outputs."""
    loaded = onnx.load_from_string(onnx_model)
    keep = [o for o in loaded.graph.output if o.name != name]
    del loaded.graph.output[:]
    loaded.graph.output.extend(keep)
    made: bytes = loaded.SerializeToString()
    return made


LAYERS = sorted(k for k in CASES if k.startswith(("UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM",
                                                   "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN")))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_that_were_read(tmp_path: Path, worker: Any, name: str) -> None:
    """An LSTM comes back as it was, whatever it clips and projects; normalised ones and others as their steps."""
    case = CASES[name]
    tflite.write(case.graph, tmp_path / "a.tflite", versions=case.versions)
    modelport.convert(tmp_path / "a.tflite", tmp_path / "b.tflite", verify=None)
    a, b = (worker.open("tflite", tmp_path / f"{k}.tflite", kernels="plain") for k in "ab")
    # one run: of a merged batch the kernel of two directions leaves something behind that a reset does not clear
    want, got = a.run(case.feeds), b.run(case.feeds)
    for x, y in zip(want.values(), got.values(), strict=True):
        np.testing.assert_allclose(y, x, rtol=2e-6, atol=2e-6)
    ops = [n.op for n in tflite.read(tmp_path / "b.tflite").walk()]
    whole = "LSTM" in name and not name.endswith(("/norm", "/everything"))
    assert ("UNIDIRECTIONAL_SEQUENCE_LSTM" in ops) == whole
    assert not whole or len(ops) <= 5


def test_a_layer_whose_last_state_is_read_is_a_loop(tmp_path: Path, worker: Any) -> None:
    """No operator can read the variables of a kernel."""
    case = CASES["UNIDIRECTIONAL_SEQUENCE_LSTM"]
    tflite.write(case.graph, tmp_path / "a.tflite", versions=case.versions)
    hub = tflite.to_hub(tflite.read(tmp_path / "a.tflite"))
    node = next(n for n in hub.nodes if n.op == "Scan")
    tflite.write(tflite.from_hub(hub.with_(outputs={"c": node.outputs[1], **hub.outputs})), tmp_path / "b.tflite")
    got = worker.open("tflite", tmp_path / "b.tflite", kernels="plain", signature="serving_default").run(case.feeds)
    want = worker.open("tflite", tmp_path / "a.tflite", kernels="plain").run(case.feeds)
    np.testing.assert_allclose(got[next(iter(hub.outputs))], next(iter(want.values())), rtol=2e-6, atol=2e-6)
    assert got["c"].any()


def test_fused_needs_a_fixed_batch(tmp_path: Path, worker: Any) -> None:
    """The kernel's state has one size: with a dynamic batch the layer is a loop, which keeps nothing."""
    made = without(model("LSTM"), "Y_c")
    target = check(tmp_path, made, [feeds(made, *s) for s in SIZES], worker=worker, recurrent="fused")
    assert "WHILE" in {n.op for n in tflite.read(target).walk()}
