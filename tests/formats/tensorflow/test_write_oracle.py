"""What is written in TensorFlow itself: both loaders of SavedModels, its converter, and a step of training."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import helper, numpy_helper

import modelport

sys.path.insert(0, str(Path(__file__).parent))
from test_write_saved import feeds, network, written
from written_tf import Runner, agrees

from modelport import runtimes
from modelport.errors import MissingDependency
from modelport.formats import tensorflow as format_tensorflow
from modelport.hub import hashes
from modelport.hub.infer import builder
from modelport.ir import Graph, Type, Value

pytestmark = pytest.mark.oracle
RNG = np.random.default_rng(21)


@pytest.fixture(scope="module")
def tf() -> Any:
    return pytest.importorskip("tensorflow", reason="TensorFlow is the oracle")


@pytest.mark.parametrize("loader", ["v1", "v2"])
@pytest.mark.parametrize(("channels", "trainable"), [(8, None), (8, True), (256, None)],
                         ids=["constants", "trainable", "large"])
def test_both_loaders(loader: str, channels: int, trainable: bool | None, tf: Any, tmp_path: Path) -> None:
    model = network(channels)
    session = runtimes.start("tensorflow", written(model, tmp_path / "a", trainable=trainable), loader=loader)
    assert {k: t.shape for k, t in session.inputs.items()} == {"in:0": (None, 3, 16, 16)}
    given = feeds(3)
    made = session.run(given)
    for name, want in zip(("scores", "1"), ort.InferenceSession(model).run(None, given), strict=True):
        np.testing.assert_allclose(made[name], want, rtol=0, atol=2e-6 * max(1, np.abs(want).max()))


@pytest.mark.parametrize("trainable", [None, True])
def test_the_official_converter_takes_it(trainable: bool | None, tf: Any, tmp_path: Path) -> None:
    model = network()
    path = written(model, tmp_path / "a", trainable=trainable)
    (tmp_path / "a.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(path)).convert())
    given = feeds(1)
    made = runtimes.start("tflite", tmp_path / "a.tflite", signature="serving_default").run(given)
    np.testing.assert_allclose(made["1"], ort.InferenceSession(model).run(["1"], given)[0], rtol=0, atol=2e-6)


def test_a_step_of_training(tf: Any, tmp_path: Path) -> None:
    loaded = tf.saved_model.load(str(written(network(), tmp_path / "a", trainable=True)))
    variables = list(loaded.variables)
    assert len(variables) == 5 and all(v.trainable for v in variables)
    call, x = loaded.signatures["serving_default"], tf.constant(feeds(8)["in:0"])
    labels = tf.constant(np.arange(8) % 10)

    def loss() -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, call(**{"in:0": x})["scores"]))
    before = float(loss())
    for _ in range(5):
        with tf.GradientTape() as tape:
            value = loss()
        for v, g in zip(variables, tape.gradient(value, variables), strict=True):
            v.assign_sub(0.05 * g)
    assert float(loss()) < before


@pytest.fixture(params=["tensorflow", "tfjs"])
def runner(request: pytest.FixtureRequest) -> Iterator[Runner]:
    if request.param == "tensorflow":
        pytest.importorskip("tensorflow", reason="TensorFlow is the oracle")
    made = Runner(request.param)
    yield made
    made.close()


def tried(runner: Runner, folder: Path, model: bytes, cases: Any, **options: Any) -> Any:
    try:
        return agrees(runner, folder, model, cases, **options)
    except MissingDependency as e:
        pytest.skip(e.message)


def loop() -> bytes:
    """A sum that doubles each turn, all of its values stacked; as many turns as an input says."""
    f, i, b = 1, 7, 9
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["s", "s"], ["twice"]),
         helper.make_node("Identity", ["twice"], ["row"])], "body",
        [value("turn", i, []), value("go", b, []), value("s", f, ["n", 3])],
        [value("on", b, []), value("twice", f, ["n", 3]), value("row", f, ["n", 3])])
    branch = {k: helper.make_graph([helper.make_node("Mul" if k == "t" else "Sub", ["last", "last"], [f"{k}_out"])],
                                   k, [], [value(f"{k}_out", f, None)]) for k in "te"}
    graph = helper.make_graph(
        [helper.make_node("Loop", ["turns", "", "x"], ["last", "rows"], body=body),
         helper.make_node("If", ["which"], ["y"], then_branch=branch["t"], else_branch=branch["e"])], "g",
        [value("turns", i, []), value("x", f, ["n", 3]), value("which", b, [])],
        [value("y", f, None), value("rows", f, None)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def recurrent() -> bytes:
    """An LSTM over a sequence of a symbolic length."""
    shapes = {"w": (1, 64, 24), "r": (1, 64, 16), "b": (1, 128)}
    weights = {k: RNG.normal(0, .2, shape) for k, shape in shapes.items()}
    graph = helper.make_graph([helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], hidden_size=16)], "g",
                              [helper.make_tensor_value_info("x", 1, ["time", 2, 24])],
                              [helper.make_tensor_value_info("y", 1, ["time", 1, 2, 16])],
                              [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_loops_and_branches(runner: Runner, tmp_path: Path) -> None:
    cases = [{"turns": np.array(t), "x": np.full((n, 3), 0.5, np.float32), "which": np.array(w)}
             for t, n, w in ((3, 2, True), (1, 1, False), (5, 1, True))]
    raw = tried(runner, tmp_path, loop(), cases)
    assert {"StatelessWhile", "StatelessIf"} <= {n.op for n in raw.nodes}


def test_what_comes_in_is_not_written_to(runner: Runner, tmp_path: Path) -> None:
    """TensorFlow.js updates elements in place."""
    nodes = [helper.make_node("ScatterND", ["x", "i", "u"], ["y"]), helper.make_node("Add", ["x", "y"], ["z"])]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", 1, [4]), value("i", 7, [2, 1]), value("u", 1, [2])],
                              [value("y", 1, [4]), value("z", 1, [4])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    given = {"x": np.arange(4, dtype=np.float32), "i": np.array([[1], [-1]]), "u": np.array([9, 8], np.float32)}
    tried(runner, tmp_path, model, [given])


def test_a_quotient_that_is_rounded_is_divided(runner: Runner, tmp_path: Path) -> None:
    """TensorFlow's optimizer multiplies by the reciprocal of a constant: of some odd multiples of half a step that is
    another step."""
    step = np.float32(0.1)
    x = ((np.arange(-20000, 20000) + 0.5).astype(np.float32) * step).reshape(1, -1)
    nodes = [helper.make_node("Div", ["x", "s"], ["d"]), helper.make_node("Round", ["d"], ["y"])]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", 1, [1, x.size])], [value("y", 1, [1, x.size])],
                              [helper.make_tensor("s", 1, [], [step])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    raw = tried(runner, tmp_path, model, [{"x": x}], tolerance=1e-9)
    assert any(n.op == ("DivNoNan" if runner.target == "tensorflow" else "RealDiv") for n in raw.nodes)


def test_random_graphs(runner: Runner, tmp_path: Path) -> None:
    """A slice of those of ``fuzz_tf.py``, which is for larger runs."""
    from fuzz_tf import trial
    from random_graphs import graph_of, text
    for seed in range(1000, 1060):
        model, g, _ = graph_of(seed)
        try:
            what = trial(model, g, runner, tmp_path)
        except MissingDependency as e:
            pytest.skip(e.message)
        assert not what or what.startswith("refused"), f"{seed} {what}\n{text(model)}"


def test_digits_by_each_way(tf: Any, tmp_path: Path) -> None:
    """The example of the first page, proven by TensorFlow itself."""
    source = Path(__file__).parents[3] / "examples" / "digits" / "digits.tflite"
    for target in ("d.savedmodel", "d.pb"):
        done = modelport.convert(source, tmp_path / target, verify="prove")
        assert done.report is not None and done.report.proven, done.report


@pytest.mark.parametrize("loader", ["v1", "v2"])
def test_weights_inside_of_loops_are_variables(loader: str, tf: Any, tmp_path: Path) -> None:
    """A recurrent layer, of as many steps as there are: its weights are handed to the loop."""
    model = recurrent()
    path = written(model, tmp_path / "a", trainable=True)
    session = runtimes.start("tensorflow", path, loader=loader)
    x = RNG.normal(0, 1, (7, 2, 24)).astype(np.float32)
    made = session.run({"x": x})
    np.testing.assert_allclose(made["y"], ort.InferenceSession(model).run(None, {"x": x})[0], rtol=0, atol=2e-6)


def test_recurrent_weights_can_be_trained_on(tf: Any, tmp_path: Path) -> None:
    loaded = tf.saved_model.load(str(written(recurrent(), tmp_path / "a", trainable=True)))
    assert sum(int(np.prod(v.shape)) for v in loaded.variables) >= 4 * 16 * (24 + 16)


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
@pytest.mark.parametrize(("time", "batch"), [("t", "b"), (8, "b")])
def test_recurrent_layers_of_empty_batches_and_sequences(op: str, time: int | str, batch: str, tf: Any,
                                                         tmp_path: Path) -> None:
    """(ONNX Runtime ends the process for most of these.)"""
    gates = {"LSTM": 4, "GRU": 3}[op]
    w, r = (RNG.standard_normal((2, gates * 4, k)).astype(np.float32) for k in (3, 4))
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w", "r"], ["y", "h"], hidden_size=4, direction="bidirectional")], "g",
        [helper.make_tensor_value_info("x", 1, [time, batch, 3])],
        [helper.make_empty_tensor_value_info(k) for k in "yh"],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(r, "r")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()
    call = tf.saved_model.load(str(written(model, tmp_path / "a"))).signatures["serving_default"]
    for t, b in [(8, 2), (8, 0), *([(0, 2), (0, 0)] if time == "t" else [])]:
        x = RNG.standard_normal((t, b, 3)).astype(np.float32)
        made = call(x=tf.constant(x))
        assert [made[k].shape.as_list() for k in "yh"] == [[t, 2, b, 4], [2, b, 4]]
        if t and b:
            np.testing.assert_allclose(made["y"], ort.InferenceSession(model).run(None, {"x": x})[0], atol=1e-6)
        elif not t:
            assert not made["h"].numpy().any()
    back = modelport.convert(tmp_path / "a", tmp_path / "back.onnx", verify=None).path
    x = RNG.standard_normal((8, 2, 3)).astype(np.float32)
    want, got = (ort.InferenceSession(m).run(["y"], {"x": x})[0] for m in (model, str(back)))
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_hashes_of_numbers_are_those_of_tensorflow(tf: Any, tmp_path: Path) -> None:
    """Numbers become text, text letters, letters bytes: written for TensorFlow and held to its own operators."""
    x = Value(Type(np.dtype(np.int64), ("N",)), "x")
    made = Graph({"x": x}, {"y": hashes.bucket(builder(), x, 1000), "z": hashes.bucket(builder(), x, 1000, (3, 5))})
    format_tensorflow.write(format_tensorflow.from_hub(made), tmp_path / "a.savedmodel")
    given = np.array([0, 7, -1, 12345678901, -(2 ** 63), 2 ** 63 - 1], np.int64)
    got = runtimes.start("tensorflow", tmp_path / "a.savedmodel").run({"x": given})
    text = tf.as_string(given)
    assert got["y"].tolist() == tf.strings.to_hash_bucket_fast(text, 1000).numpy().tolist()
    assert got["z"].tolist() == tf.strings.to_hash_bucket_strong(text, 1000, [3, 5]).numpy().tolist()
