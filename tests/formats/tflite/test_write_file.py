"""What a written .tflite is beside its operators: versions, order, names, layout, sizes, metadata, buffers."""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport import api, convert, load
from modelport.codecs.flatbuffer import Reader, schema
from modelport.codecs.limits import Limits
from modelport.errors import UsageError
from modelport.formats import tflite
from modelport.formats.tflite.container import File
from modelport.formats.tflite.schedule import peak, schedule
from modelport.formats.tflite.since import oldest
from modelport.hub import infer
from modelport.ir import Graph, Type, Value
from modelport.runtimes import start

RNG = np.random.default_rng(11)
F32 = np.dtype(np.float32)
CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "tflite"


def model(nodes: list[Any], inputs: dict[str, list[Any]], outputs: list[str],
          constants: dict[str, Any]) -> onnx.ModelProto:
    outs = []
    for o in outputs:
        info = helper.make_empty_tensor_value_info(o)
        info.type.tensor_type.elem_type = TensorProto.FLOAT
        outs.append(info)
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in inputs.items()], outs,
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def network(batch: int | str = 1, size: int | str = 8, channels: int = 3) -> onnx.ModelProto:
    """Conv, Relu, Conv with a residual, pooling, a dense layer."""
    c = channels
    return model([
        helper.make_node("Conv", ["image", "w", "b"], ["a"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "w2"], ["s"], pads=[1, 1, 1, 1]), helper.make_node("Add", ["s", "r"], ["t"]),
        helper.make_node("GlobalAveragePool", ["t"], ["g"]), helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "d"], ["logits"])], {"image": [batch, c, size, size]}, ["logits", "t"],
        {"w": RNG.normal(size=(4, c, 3, 3)).astype(F32), "b": RNG.normal(size=4).astype(F32),
         "w2": RNG.normal(size=(4, 4, 3, 3)).astype(F32), "d": RNG.normal(size=(4, 5)).astype(F32)})


def written(folder: Path, m: onnx.ModelProto, **options: Any) -> Path:
    onnx.save(m, folder / "m.onnx")
    return convert(folder / "m.onnx", folder / "m.tflite", verify=None, force=True, **options).path


def ops(path: Path) -> Counter[str]:
    return Counter(n.op for n in tflite.read(path).walk())


def agree(folder: Path, *shapes: tuple[int, ...], seen: Callable[[np.ndarray], np.ndarray] = lambda a: a) -> None:
    a, b = start("onnxruntime", folder / "m.onnx"), start("tflite", folder / "m.tflite", signature="serving_default")
    for shape in shapes:
        x = RNG.normal(size=shape).astype(F32)
        want, got = a.run({"image": x}), b.run({"image": np.ascontiguousarray(seen(x))})
        assert want.keys() == got.keys()
        for k, v in want.items():
            assert np.abs(v - got[k]).max() <= 1e-5 * np.abs(v).max(), (shape, k)


def test_names_are_the_sources(tmp_path: Path) -> None:
    root = Reader(memoryview(written(tmp_path, network()).read_bytes()), schema("tflite")).root()
    signature, = root["signature_defs"]
    assert signature["signature_key"] == "serving_default"
    assert [m["name"] for m in signature["inputs"]] == ["image"]
    assert [m["name"] for m in signature["outputs"]] == ["logits", "t"]


def test_one_transposition_an_end(tmp_path: Path) -> None:
    """Images come in and go out as the source has them, everything between is channels last."""
    assert ops(written(tmp_path, network()))["TRANSPOSE"] == 2
    agree(tmp_path, (1, 3, 8, 8))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_all_sizes_equal(tmp_path: Path, n: int) -> None:
    """N = C = H = W: nothing but the meaning of the axes tells them apart."""
    written(tmp_path, network(n, n, n))
    agree(tmp_path, (n, n, n, n))


def test_sizes_stay_dynamic(tmp_path: Path) -> None:
    path = written(tmp_path, network("batch", "side"))
    assert load(path).inputs["image"].shape == ("batch", 3, "image_d2", "image_d3")
    agree(tmp_path, (1, 3, 8, 8), (3, 3, 5, 5), (2, 3, 16, 16), (1, 3, 8, 8))


@pytest.mark.parametrize("layout", ["nhwc", {"image": "nhwc"}, {"image": "nhwc", "t": "nhwc"}])
def test_layout_is_asked_for(tmp_path: Path, layout: Any) -> None:
    onnx.save(network("batch"), tmp_path / "m.onnx")
    done = convert(tmp_path / "m.onnx", tmp_path / "m.tflite", layout=layout)
    assert done.report is not None
    assert done.report.ok
    assert done.report.level == "L2"
    both = isinstance(layout, dict) and "t" in layout
    assert ops(tmp_path / "m.tflite")["TRANSPOSE"] == (0 if both else 1)
    model = load(tmp_path / "m.tflite")
    assert model.inputs["image"].shape == ("batch", 8, 8, 3)
    back = convert(tmp_path / "m.tflite", tmp_path / "back.onnx", layout="nchw")
    assert load(back.path).inputs["image"].shape == ("batch", 3, 8, 8)


def test_a_layout_that_cannot_be(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "m.onnx")
    for layout in ("chwn", {"picture": "nhwc"}, {"logits": "nhwc"}):
        with pytest.raises(UsageError):
            convert(tmp_path / "m.onnx", tmp_path / "m.tflite", layout=layout)  # type: ignore[arg-type]


def versions(path: Path) -> dict[str, set[int]]:
    root = Reader(memoryview(path.read_bytes()), schema("tflite")).root()
    names = schema("tflite").names["BuiltinOperator"]
    found: dict[str, set[int]] = {}
    for c in root["operator_codes"]:
        found.setdefault(names[max(c.number("builtin_code"), c.number("deprecated_builtin_code"))], set()).add(
            c["version"])
    return found


def test_the_lowest_versions(tmp_path: Path) -> None:
    assert versions(written(tmp_path, network())) == {
        "TRANSPOSE": {1}, "CONV_2D": {1}, "ADD": {1}, "MEAN": {1}, "FULLY_CONNECTED": {1}}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_versions_are_not_above_those_of_official_converters(tmp_path: Path) -> None:
    """Files that come back with the operators they went with."""
    seen = 0
    for source in sorted(CORPUS.rglob("*.tflite")):
        if not any(k in source.name for k in ("mnist_", "vww96", "cifar10", "pretrainedResnet", "ad01", "hello_world")):
            continue
        if "lstm" in source.name:
            continue
        convert(source, tmp_path / "m.onnx", verify=None, force=True)
        convert(tmp_path / "m.onnx", tmp_path / "m.tflite", verify=None, force=True)
        theirs, ours = versions(source), versions(tmp_path / "m.tflite")
        for op, numbers in ours.items():
            if op in theirs:
                assert max(numbers) <= max(theirs[op]), (source.name, op)
                seen += 1
    assert seen > 50


def test_the_oldest_runtime_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, network())
    assert tflite.read(path).meta["tflite:min_runtime_version"] == "1.6.0"  # TRANSPOSE and MEAN


@pytest.mark.parametrize(("operators", "version"), [
    ([("CONV_2D", 1), ("RELU", 1)], "1.5.0"), ([("CONV_2D", 3), ("ADD", 1)], "1.14.0"),
    ([("TILE", 1), ("SUM", 1)], "1.10.1"), ([("MAX_POOL_2D", 1), ("TRANSPOSE", 8), ("GELU", 2)], "2.22.0"),
    ([], ""), ([("CONV_2D", 99), ("ADD", 1)], ""), ([("ADD", 1), ("custom.Mine", 1)], ""), ([("BROADCAST_TO", 1)], "")])
def test_the_oldest_runtime(operators: list[tuple[str, int]], version: str) -> None:
    assert oldest(operators) == version


QUANTIZED_LATER = {"ad01_int8", "pretrainedResnet_quant", "kws_ref_model", "kws_ref_model_float32", "vww_96_int8",
                   "micro_speech_quantized"}
"""Files that name the runtime of the model before it was quantized: TensorFlow 1.5, which has no int8 kernels."""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_the_oldest_runtime_is_what_official_converters_say() -> None:
    compared = 0
    for path in sorted(CORPUS.rglob("*.tflite")):
        file = File(path, Limits())
        said = [bytes(file.bytes_of(m["buffer"])).rstrip(b"\0").decode() for m in file.model["metadata"] or []
                if m["name"] == "min_runtime_version"]
        operators = list(zip(file.codes, (c["version"] for c in file.model["operator_codes"]), strict=True))
        if not said or any(op.startswith("custom.") for op, _ in operators):
            continue
        compared += 1
        assert (oldest(operators) == said[0]) != (path.stem in QUANTIZED_LATER), path
    assert compared > 30


def chain(width: int) -> Graph:
    """Branches of one input that widen and shrink again: one after the other they need one wide value, else all."""
    op = infer.op
    x = Value(Type(F32, (1, 16)), "x")
    wide = [op.MatMul(x, RNG.normal(size=(16, 4096)).astype(F32)) for _ in range(width)]
    thin = [op.MatMul(w, RNG.normal(size=(4096, 16)).astype(F32)) for w in wide]
    total = thin[0]
    for t in thin[1:]:
        total = op.Add(total, t)
    # an order that a file may have: everything wide first
    return Graph({"x": x}, {"y": total, **{f"w{k}": op.ReduceMax(w) for k, w in enumerate(wide)}})


def test_the_order_needs_little_memory() -> None:
    graph = chain(6)
    order = schedule(graph)
    assert set(order) == set(graph.nodes)
    done: set[Any] = set(graph.inputs.values())
    for node in order:
        assert all(v is None or v.data is not None or v in done for v in node.inputs)
        done.update(node.outputs)
    assert peak(graph, order) <= peak(graph, graph.nodes)
    assert peak(graph, order) < 2.2 * 4096 * 4  # one wide value and what is made of it, not six


def test_the_order_is_never_worse(tmp_path: Path) -> None:
    for m in (network(), network(2, 5, 7)):
        graph = tflite.read(written(tmp_path, m))
        assert peak(graph, schedule(graph)) <= peak(graph, graph.nodes)


def test_the_peak_by_hand() -> None:
    op = infer.op
    x = Value(Type(F32, (8,)), "x")
    a, b = op.Relu(x), op.Sigmoid(x)
    graph = Graph({"x": x}, {"y": op.Add(a, b)})
    assert peak(graph, graph.nodes) == 3 * 32  # x, a and b while b is made


def test_equal_constants_are_stored_once(tmp_path: Path) -> None:
    w = RNG.normal(size=(32, 32)).astype(F32)
    m = model([helper.make_node("MatMul", ["image", "a"], ["u"]), helper.make_node("Relu", ["u"], ["v"]),
               helper.make_node("MatMul", ["v", "b"], ["y"])], {"image": [1, 32]}, ["y"], {"a": w, "b": w.copy()})
    assert written(tmp_path, m).stat().st_size < 1.5 * w.nbytes


def test_buffers_behind_the_flatbuffer(tmp_path: Path) -> None:
    """As files above 2 GB have them."""
    raw = tflite.read(written(tmp_path, network()))
    tflite.write(raw, tmp_path / "behind.tflite", external=True)
    (tmp_path / "behind.tflite").replace(tmp_path / "m.tflite")
    agree(tmp_path, (1, 3, 8, 8))
    data = (tmp_path / "m.tflite").read_bytes()
    buffers = Reader(memoryview(data), schema("tflite")).root()["buffers"]
    placed = [b["offset"] for b in buffers if b["offset"] > 1]
    assert placed
    assert all(o % 16 == 0 for o in placed)


def test_metadata_is_written_and_read(tmp_path: Path) -> None:
    graph = load(written(tmp_path, network())).graph
    meta = {"tflite:name": "shapes", "tflite:author": "me", "tflite:license": "Apache-2.0", "tflite:version": "v3",
            "tflite:description": "five shapes", "tflite:labels": "a\nb\nc\nd\ne", "tflite:file:note.txt": "hello",
            "tflite:normalization": json.dumps({"image": {"mean": [127.5], "std": [127.5]}}),
            "tflite:tensors": json.dumps({"image": {"name": "picture", "description": "RGB"}})}
    raw = tflite.from_hub(graph.with_(meta=meta))
    tflite.write(raw, tmp_path / "meta.tflite")
    back = load(tmp_path / "meta.tflite").graph.meta
    assert json.loads(back["tflite:tensors"])["image"] == json.loads(meta.pop("tflite:tensors"))["image"]
    assert {k: back[k] for k in meta} == meta
    convert(tmp_path / "meta.tflite", tmp_path / "meta.onnx", verify=None)  # and through ONNX
    convert(tmp_path / "meta.onnx", tmp_path / "again.tflite", verify=None)
    assert load(tmp_path / "again.tflite").graph.meta["tflite:labels"] == meta["tflite:labels"]
    start("tflite", tmp_path / "again.tflite").run({"image": np.zeros((1, 3, 8, 8), F32)})


def test_the_same_bytes_again(tmp_path: Path) -> None:
    one = written(tmp_path, network()).read_bytes()
    assert written(tmp_path, onnx.load(tmp_path / "m.onnx")).read_bytes() == one


def test_a_failed_conversion_leaves_nothing(tmp_path: Path) -> None:
    m = model([helper.make_node("RandomNormalLike", ["image"], ["y"])], {"image": [2]}, ["y"], {})
    onnx.save(m, tmp_path / "m.onnx")
    with pytest.raises(Exception, match="RandomNormalLike"):
        convert(tmp_path / "m.onnx", tmp_path / "m.tflite")
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    problem = api.obstacles(tmp_path / "m.onnx", "tflite")
    assert problem is not None
    assert [p.op for p in problem.problems] == ["RandomNormalLike"]


@pytest.mark.parametrize("groups", [2, 3])
def test_a_channel_shuffle_keeps_the_layout(tmp_path: Path, groups: int) -> None:
    c = 6
    m = model([
        helper.make_node("Conv", ["image", "w"], ["a"]), helper.make_node("Reshape", ["a", "split"], ["s"]),
        helper.make_node("Transpose", ["s"], ["t"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["t", "join"], ["j"]),
        helper.make_node("Conv", ["j", "w"], ["y"])], {"image": [1, c, 5, 5]}, ["y"],
        {"w": RNG.normal(size=(c, c, 1, 1)).astype(F32), "split": np.array([1, groups, c // groups, 5, 5]),
         "join": np.array([1, c, 5, 5])})
    assert ops(written(tmp_path, m))["TRANSPOSE"] == 2
    agree(tmp_path, (1, c, 5, 5))
