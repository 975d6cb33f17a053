"""What is written: SavedModels and frozen graphs, read by the interpreter of GraphDefs beside ONNX Runtime."""
from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import modelport
from modelport import registry, runtimes
from modelport.codecs.limits import DEFAULT
from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats.tensorflow import from_hub, read
from modelport.formats.tensorflow.bundle import Bundle
from modelport.formats.tensorflow.graphdef import legal
from modelport.formats.tensorflow.tensors import message

RNG = np.random.default_rng(5)


def network(channels: int = 8, image: str = "in:0") -> bytes:
    """A classifier of images, channels first, with names that TensorFlow does not take for nodes."""
    weights = {"w1": RNG.normal(0, .1, (channels, 3, 3, 3)), "b1": RNG.normal(0, 1, channels),
               "w2": RNG.normal(0, .05, (2 * channels, channels, 3, 3)), "fc": RNG.normal(0, .1, (2 * channels, 10)),
               "bias": RNG.normal(0, 1, 10)}
    nodes = [helper.make_node("Conv", [image, "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
             helper.make_node("Relu", ["c1"], ["r1"]),
             helper.make_node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1], strides=[2, 2]),
             helper.make_node("Relu", ["c2"], ["r2"]), helper.make_node("GlobalAveragePool", ["r2"], ["g"]),
             helper.make_node("Flatten", ["g"], ["f"]), helper.make_node("Gemm", ["f", "fc", "bias"], ["scores"]),
             helper.make_node("Softmax", ["scores"], ["1"])]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "net", [value(image, TensorProto.FLOAT, ["batch", 3, 16, 16])],
                              [value("scores", TensorProto.FLOAT, ["batch", 10]),
                               value("1", TensorProto.FLOAT, ["batch", 10])],
                              [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def written(model: bytes, target: Path, **options: Any) -> Path:
    source = target.with_name("source.onnx")
    source.write_bytes(model)
    modelport.convert(source, target, to="tensorflow", verify=None, **options)
    return target


def feeds(n: int = 2) -> dict[str, Any]:
    return {"in:0": RNG.normal(0, 1, (n, 3, 16, 16)).astype(np.float32)}


def check(model: bytes, session: Any, given: Mapping[str, Any], rename: Any = lambda k: k) -> None:
    """The session computes what ONNX Runtime does; sums of some hundred products round at 1e-7 each."""
    oracle = ort.InferenceSession(model)
    made = session.run({rename(k): v for k, v in given.items()})
    for out, want in zip(oracle.get_outputs(), oracle.run(None, dict(given)), strict=True):
        np.testing.assert_allclose(made[rename(out.name)], want, rtol=0, atol=2e-6 * max(1, np.abs(want).max()))


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt"])
def test_a_frozen_graph(suffix: str, tmp_path: Path) -> None:
    model = network()
    path = written(model, tmp_path / f"a{suffix}")
    check(model, runtimes.start("graphdef", path, inputs=["in_0"], outputs=["scores", "1"]), feeds(), legal)


@pytest.mark.parametrize(("channels", "trainable"), [(8, False), (8, True), (256, False)],
                         ids=["constants", "trainable", "large"])
def test_a_saved_model(channels: int, trainable: bool, tmp_path: Path) -> None:
    """Its signature has the source's names, whatever is in them; large weights are in files of their own."""
    model = network(channels)
    path = written(model, tmp_path / "a", trainable=trainable or None)
    check(model, runtimes.start("graphdef", path), feeds(3))
    assert (path / "variables").is_dir() == (trainable or channels == 256)
    assert (path / "saved_model.pb").stat().st_size < 16_384
    raw = read(path)
    assert [*raw.inputs] == ["in:0"] and raw.inputs["in:0"].shape[1:] == (3, 16, 16)
    assert not isinstance(raw.inputs["in:0"].shape[0], int)
    assert {*raw.outputs} == {"scores", "1"}


def test_variables_that_can_be_trained_on(tmp_path: Path) -> None:
    path = written(network(), tmp_path / "a", trainable=True)
    saved = message("SavedModel").FromString((path / "saved_model.pb").read_bytes())
    objects = saved.meta_graphs[0].object_graph_def
    variables = [n.variable for n in objects.nodes if n.WhichOneof("kind") == "variable"]
    assert [v.name for v in variables] == ["w1", "b1", "w2", "fc", "bias"] and all(v.trainable for v in variables)
    assert [c.local_name for c in objects.nodes[0].children] == ["variables", "signatures"]


def test_the_bundle_holds_the_weights_and_their_checksums(tmp_path: Path) -> None:
    model = network(256)
    path = written(model, tmp_path / "a")
    bundle = Bundle(path / "variables", "variables", DEFAULT)
    names = [f"variables/{k}/.ATTRIBUTES/VARIABLE_VALUE" for k in range(4)]
    arrays = [bundle.tensor(n).numpy() for n in names if n in bundle]  # a wrong checksum is an error
    kernels = {numpy_helper.to_array(t).size: numpy_helper.to_array(t)
               for t in onnx.load_from_string(model).graph.initializer}
    four = [a for a in arrays if a.ndim == 4]
    assert len(four) == 2
    for a in four:
        np.testing.assert_array_equal(a, kernels[a.size].transpose(2, 3, 1, 0))


def test_large_weights_are_not_held_in_memory(tmp_path: Path) -> None:
    """A product with 32 MB of weights: what is allocated besides them stays below a quarter of that."""
    weights = np.ones((2048, 4096), np.float32)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", 1, ["n", 2048])],
                              [helper.make_tensor_value_info("y", 1, ["n", 4096])],
                              [numpy_helper.from_array(weights, "w")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "s.onnx").write_bytes(made.SerializeToString())
    for target in ("a.pb", "a.savedmodel", "a.tfjs"):
        raw = registry.for_suffix(Path(target))
        assert raw is not None
        module = raw.load()
        lowered = module.from_hub(format_onnx.to_hub(format_onnx.read(tmp_path / "s.onnx")))
        tracemalloc.start()
        module.write(lowered, tmp_path / target)
        assert tracemalloc.get_traced_memory()[1] < weights.nbytes / 4, target
        tracemalloc.stop()


@pytest.mark.parametrize("target", ["a.pb", "a.savedmodel", "a.tfjs"])
def test_the_same_bytes_each_time(target: str, tmp_path: Path) -> None:
    model, made = network(256), []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.onnx").write_bytes(model)
        modelport.convert(tmp_path / folder / "s.onnx", tmp_path / folder / target, verify=None)
        path = tmp_path / folder / target
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        made.append([(str(p.relative_to(tmp_path / folder)), p.read_bytes()) for p in files])
    assert made[0] == made[1]


def test_defaults_are_left_to_the_reader(tmp_path: Path) -> None:
    """So releases that do not know a younger attribute read the graph."""
    definition = message("GraphDef").FromString(written(network(), tmp_path / "a.pb").read_bytes())
    conv = next(n for n in definition.node if n.op == "Conv2D")
    assert {*conv.attr} == {"T", "strides", "padding"}
    assert {n.op for n in definition.node} <= set(
        "BiasAdd Const Conv2D Identity MatMul Mean Pad Placeholder Relu Reshape Softmax Transpose".split())


def test_one_transpose_is_left_of_a_network_channels_first(tmp_path: Path) -> None:
    raw = read(written(network(), tmp_path / "a.pb"))
    assert sum(n.op == "Transpose" and n.outputs[0].shape != (None, 16) for n in raw.nodes) <= 2


def test_names_that_nodes_can_not_have(tmp_path: Path) -> None:
    (tmp_path / "s.onnx").write_bytes(network())
    raw = from_hub(modelport.load(tmp_path / "s.onnx").graph)
    assert [n.message for n in raw.notes] == ["a frozen graph has 'in_0' for 'in:0', as TensorFlow names nodes"]
    assert legal("_x y/z:0") == "x_x_y/z_0" and legal("a.b-c/d") == "a.b-c/d" and legal("") == "x"


def test_what_stands_in_the_way_is_located(tmp_path: Path) -> None:
    graph = helper.make_graph([helper.make_node("RandomNormal", [], ["y"], name="noise", shape=[2])], "g", [],
                              [helper.make_tensor_value_info("y", 1, [2])])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "s.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(UnsupportedModel) as caught:
        modelport.convert(tmp_path / "s.onnx", tmp_path / "a", to="tensorflow", verify=None)
    assert "random numbers" in str(caught.value) and "noise" in str(caught.value)
    assert not (tmp_path / "a").exists()


def test_weights_of_half_precision_stay_so(tmp_path: Path) -> None:
    model = onnx.load_from_string(network(64))
    for t in model.graph.initializer:
        t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(t).astype(np.float16), t.name))
    for v in (*model.graph.input, *model.graph.output):
        v.type.tensor_type.elem_type = TensorProto.FLOAT16
    path = written(model.SerializeToString(), tmp_path / "a.pb")
    assert path.stat().st_size < 2.3 * sum(np.prod(t.dims) for t in model.graph.initializer)
    definition = message("GraphDef").FromString(path.read_bytes())
    assert {n.attr["dtype"].type for n in definition.node if n.op == "Placeholder"} == {19}


@pytest.mark.parametrize("target", ["a.pb", "a.savedmodel", "a.tfjs"])
def test_round_trips(target: str, tmp_path: Path) -> None:
    """To the format, to ONNX, and to the format again: the same outputs, as many operators in the end as before."""
    from modelport.formats import tensorflow, tfjs
    model = network()
    (tmp_path / "s.onnx").write_bytes(model)
    (tmp_path / "again").mkdir()
    first, second = tmp_path / target, tmp_path / "again" / target
    for source, to in ((tmp_path / "s.onnx", first), (first, tmp_path / "b.onnx"), (tmp_path / "b.onnx", second)):
        modelport.convert(source, to, verify=None)
    module = tfjs if target.endswith(".tfjs") else tensorflow
    one, two = module.read(first), module.read(second)
    assert sorted(n.op for n in two.nodes) == sorted(n.op for n in one.nodes)
    given = feeds()
    want = ort.InferenceSession(model).run(None, given)
    got = ort.InferenceSession(tmp_path / "b.onnx").run(["1"], {next(iter(modelport.load(tmp_path / "b.onnx").inputs)):
                                                               given["in:0"]})
    np.testing.assert_allclose(got[0], want[1], rtol=0, atol=2e-6)
