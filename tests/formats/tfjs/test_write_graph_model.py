"""Graph models as they are written: the manifest, the topology, the quantized weights; read back, and run in Node."""
from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

import modelport
from modelport.errors import MissingDependency, RuntimeFailed, UnsupportedModel, UsageError
from modelport.formats import tfjs
from modelport.formats.tfjs.lower import BOOL, F32, I32, carrier
from modelport.ir.graph import Value, constant
from modelport.ir.types import Type

sys.path.insert(0, str(Path(__file__).parents[1] / "tensorflow"))
from test_write_saved import feeds, network

RNG = np.random.default_rng(3)


def written(model: bytes, folder: Path, **options: Any) -> Path:
    (folder / "s.onnx").write_bytes(model)
    return modelport.convert(folder / "s.onnx", folder / "a.tfjs", verify=None, force=True, **options).path


def one(op: str, inputs: dict[str, tuple[int, list[Any]]], constants: dict[str, Any], order: list[str],
        **attrs: Any) -> bytes:
    graph = helper.make_graph([helper.make_node(op, order, ["y"], **attrs)], "g",
                              [helper.make_tensor_value_info(k, *v) for k, v in inputs.items()],
                              [helper.make_empty_tensor_value_info("y")],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()


def test_the_manifest_and_the_signature(tmp_path: Path) -> None:
    path = written(network(), tmp_path)
    model = json.loads((path / "model.json").read_text())
    assert model["format"] == "graph-model" and model["generatedBy"] and model["convertedBy"].startswith("modelport ")
    assert model["signature"]["inputs"]["in:0"] == {
        "name": "in_0:0", "dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": s} for s in ("-1", "3", "16", "16")]}}
    assert {*model["signature"]["outputs"]} == {"scores", "1"}
    (group,) = model["weightsManifest"]
    size = sum(4 * int(np.prod(w["shape"])) for w in group["weights"])
    assert sum((path / p).stat().st_size for p in group["paths"]) == size
    names = {w["name"] for w in group["weights"]}
    assert names == {n["name"] for n in model["modelTopology"]["node"] if n["op"] == "Const"}


def test_every_attribute_is_stated(tmp_path: Path) -> None:
    model = json.loads((written(network(), tmp_path) / "model.json").read_text())
    conv = next(n for n in model["modelTopology"]["node"] if n["op"] == "Conv2D")
    assert {*conv["attr"]} == {"T", "strides", "use_cudnn_on_gpu", "padding", "explicit_paddings", "data_format",
                               "dilations"}


def test_shards_of_four_megabytes(tmp_path: Path) -> None:
    weights = RNG.normal(0, 1, (1100, 2048)).astype(np.float32)
    path = written(one("MatMul", {"x": (1, ["n", 1100])}, {"w": weights}, ["x", "w"]), tmp_path)
    files = sorted(path.glob("*.bin"))
    assert [f.name for f in files] == [f"group1-shard{k}of3.bin" for k in (1, 2, 3)]
    assert [f.stat().st_size for f in files] == [4 << 20, 4 << 20, weights.nbytes - (8 << 20)]
    assert np.frombuffer(b"".join(f.read_bytes() for f in files), "<f4").tobytes() == weights.tobytes()


@pytest.mark.parametrize(("quantize", "step"), [("uint8", 1 / 255), ("uint16", 1 / 65535), ("float16", 2 ** -10)])
def test_quantized_weights(quantize: str, step: float, tmp_path: Path) -> None:
    """Each within half a step of the range, zero exactly zero; small constants as they were."""
    weights = RNG.normal(0.3, 1, (40, 30)).astype(np.float32)
    weights[5] = 0
    bias = RNG.normal(0, 1, 30).astype(np.float32)
    path = written(one("Gemm", {"x": (1, ["n", 40])}, {"w": weights, "b": bias}, ["x", "w", "b"]), tmp_path,
                   quantize=quantize)
    (group,) = json.loads((path / "model.json").read_text())["weightsManifest"]
    specs = {tuple(w["shape"]): w for w in group["weights"]}
    assert specs[40, 30]["quantization"]["dtype"] == quantize and "quantization" not in specs[30,]
    found = {v.shape: v.numpy() for v in modelport.load(path).graph.constants if v.dtype == F32}
    near = next(v for k, v in found.items() if sorted(k or ()) == [30, 40])
    near = near if near.shape == (40, 30) else near.T
    span = np.ptp(weights) if quantize != "float16" else np.abs(weights).max()
    assert np.abs(near - weights).max() <= span * step * 0.51
    assert (near[5] == 0).all()
    assert any(np.array_equal(v, bias) for v in found.values())


def test_what_quantize_may_say(tmp_path: Path) -> None:
    (tmp_path / "s.onnx").write_bytes(network())
    with pytest.raises(UsageError, match="int4"):
        tfjs.from_hub(modelport.load(tmp_path / "s.onnx").graph, quantize="int4")


def test_carried_types() -> None:
    def of(name: str) -> Any:
        return carrier(Value(Type(np.dtype(name), (2,))))
    assert {of(n) for n in ("float16", "float32", "float64")} == {F32}
    assert {of(n) for n in ("int8", "uint8", "int16", "uint16", "int32", "int64")} == {I32}
    assert of("bool") == BOOL and of("uint32") == np.uint32 and of("uint64") == np.uint64
    assert carrier(constant(np.array([1 << 40]))) == np.int64 and carrier(constant(np.array([7]))) == I32


def test_notes_on_the_interface(tmp_path: Path) -> None:
    model = one("Gather", {"i": (TensorProto.INT64, ["n"])}, {"t": np.ones((5, 2), np.float32)}, ["t", "i"])
    (tmp_path / "s.onnx").write_bytes(model)
    raw = tfjs.from_hub(modelport.load(tmp_path / "s.onnx").graph)
    assert raw.inputs["i"].dtype == I32
    assert [str(n) for n in raw.notes if n.kind == "changed"] == ["changed: int64 is int32 in TensorFlow.js (at 'i')"]


def test_doubles_are_asked_for(tmp_path: Path) -> None:
    model = one("Exp", {"x": (TensorProto.DOUBLE, [3])}, {}, ["x"])
    with pytest.raises(UnsupportedModel, match="float64") as caught:
        written(model, tmp_path)
    assert caught.value.hint is not None and "--float32" in caught.value.hint
    assert tfjs.read(written(model, tmp_path, float32=True)).inputs["x"].dtype == F32


@pytest.mark.parametrize("kind", [TensorProto.UINT32, TensorProto.UINT64])
def test_types_that_nothing_carries(kind: int, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="uint"):
        written(one("Add", {"x": (kind, [3])}, {}, ["x", "x"]), tmp_path)


def test_empty_and_scalar_shapes_are_stated(tmp_path: Path) -> None:
    """JSON leaves out a size of zero, which TensorFlow.js reads as no number."""
    model = one("CastLike", {"x": (1, [2]), "like": (1, [0])}, {}, ["x", "like"])
    said = json.loads((written(model, tmp_path) / "model.json").read_text())
    assert said["signature"]["inputs"]["like"]["tensorShape"] == {"dim": [{"size": "0"}]}
    node = next(n for n in said["modelTopology"]["node"] if n["name"] == "like")
    assert node["attr"]["shape"]["shape"] == {"dim": [{"size": "0"}]}


# ----------------------------------------------------------------------------------------------------- in Node.js

@pytest.fixture
def node() -> Iterator[Any]:
    sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
    from tfjs_target import Node
    made = Node("cpu")
    yield made
    made.close()


def run(node: Any, path: Path, given: dict[str, Any]) -> Any:
    try:
        return node.open(path / "model.json").run(given)
    except MissingDependency as e:
        pytest.skip(e.message)


@pytest.mark.oracle
@pytest.mark.parametrize(("quantize", "bar"), [(None, 2e-6), ("uint16", 1e-3), ("float16", 5e-3), ("uint8", 0.2)])
def test_a_network_in_node(quantize: str | None, bar: float, node: Any, tmp_path: Path) -> None:
    """Errors of weights of half a step, through three layers whose sums have some hundred terms."""
    model, given = network(), feeds(2)
    made = run(node, written(model, tmp_path, quantize=quantize), given)
    want = ort.InferenceSession(model).run(None, given)
    np.testing.assert_allclose(made["scores"], want[0], rtol=0, atol=bar * np.abs(want[0]).max())


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_narrow_integers_wrap_around(kind: str, op: str, node: Any, tmp_path: Path) -> None:
    dtype = np.dtype(kind)
    values = RNG.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (2, 200), endpoint=True).astype(dtype)
    number = helper.np_dtype_to_tensor_dtype(dtype)
    path = written(one(op, {"a": (number, [200]), "b": (number, [200])}, {}, ["a", "b"]), tmp_path)
    got = run(node, path, {"a": values[0].astype(np.int32), "b": values[1].astype(np.int32)})["y"]
    want = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[op](*values)
    np.testing.assert_array_equal(got, want)


@pytest.mark.oracle
def test_a_refusal_of_the_runtime_is_seen(node: Any, tmp_path: Path) -> None:
    """The harness does not take a broken model for a good one."""
    path = written(network(), tmp_path)
    said = json.loads((path / "model.json").read_text())
    next(n for n in said["modelTopology"]["node"] if n["op"] == "Conv2D")["op"] = "NoSuchOperator"
    (path / "model.json").write_text(json.dumps(said))
    with pytest.raises(RuntimeFailed):
        run(node, path, feeds(1))


def test_constants_of_a_body_are_read_back(tmp_path: Path) -> None:
    """The elements of the constants of functions are weights too, under the names of their nodes."""
    w, r = (RNG.standard_normal((1, 16, k)).astype(np.float32) for k in (3, 4))
    source = one("LSTM", {"x": (1, ["t", 2, 3])}, {"w": w, "r": r}, ["x", "w", "r"], hidden_size=4)
    path = written(source, tmp_path)
    names = {f["signature"]["name"] for f in json.loads((path / "model.json").read_text())
             ["modelTopology"]["library"]["function"]}
    assert any("body" in n for n in names)
    back = modelport.convert(path, tmp_path / "back.onnx", verify=None).path
    feed = {"x": RNG.standard_normal((5, 2, 3)).astype(np.float32)}
    want, got = (ort.InferenceSession(m).run(None, feed)[0] for m in (source, str(back)))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
