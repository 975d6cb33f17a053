"""Hybrid kernels, and indices that are not negative, for which the hub has no word: there and back through ONNX."""
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from written import RNG, agrees, floats, model

import modelport
from modelport import runtimes
from modelport.formats import tflite
from modelport.ir import Graph, Node, Quant, Tensor, Type, Value

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "fused_activation_function": "RELU"}
FC = {"fused_activation_function": "NONE", "weights_format": "DEFAULT", "keep_num_dims": False}
MUL = {"adj_x": False, "adj_y": False}


def const(array: Any, name: str, quant: Quant | None = None) -> Value:
    type = Type(array.dtype, array.shape, quant)
    return Value(type, name, data=Tensor(array, type))


def given(*shape: int, dtype: Any = np.float32, name: str = "x") -> Value:
    return Value(Type(np.dtype(dtype), shape), name)


def weight(*shape: int, axis: int | None = None, name: str = "w") -> Value:
    n = () if axis is None else (shape[axis],)
    scale = RNG.uniform(0.01, 0.02, n).astype(np.float32)
    return const(RNG.integers(-127, 128, shape).astype(np.int8), name, Quant(scale, np.zeros(n, np.int64), axis))


def apply(op: str, *inputs: Value, like: Any = np.float32, shape: Any = None, name: str = "", **attrs: Any) -> Value:
    return Node(op, inputs, attrs, [Type(np.dtype(like), shape)], [name or op.lower()]).outputs[0]


def written(folder: Path, outputs: dict[str, Value], *inputs: Value) -> Path:
    tflite.write(Graph({v.name: v for v in inputs}, outputs), folder / "a.tflite")
    return folder / "a.tflite"


def back(source: Path, strip: str = "") -> Path:
    """The file that comes back by way of ONNX, of which ``strip`` takes what the metadata say under that key."""
    middle, target = source.with_name("b.onnx"), source.with_name("c.tflite")
    modelport.convert(source, middle, verify=None, force=True)
    if strip:
        proto = onnx.load(middle)
        kept = [p for p in proto.metadata_props if p.key != strip]
        assert len(kept) < len(proto.metadata_props)
        del proto.metadata_props[:]
        proto.metadata_props.extend(kept)
        onnx.save(proto, middle)
    modelport.convert(middle, target, verify=None, force=True)
    return target


def run(path: Path, **feeds: Any) -> np.ndarray:
    return runtimes.start("tflite", path, kernels="builtin", signature="serving_default").run(feeds)["y"]


def ops(path: Path) -> Counter[str]:
    return Counter(n.op for n in tflite.read(path).walk())


def hybrids() -> dict[str, tuple[Value, Value]]:
    image, rows, more = given(1, 6, 6, 3), given(3, 16), given(2, 3, 16)
    b = const(floats(4), "b")
    made = {f"CONV_2D axis {axis}": (image, apply("CONV_2D", image, weight(4, 3, 3, 3, axis=axis), b,
                                                  shape=(1, 6, 6, 4), **CONV)) for axis in (None, 0)}
    made["CONV_2D of one"] = image, apply("CONV_2D", image, weight(4, 1, 1, 3, axis=0), b, shape=(1, 6, 6, 4), **CONV)
    made["DEPTHWISE_CONV_2D"] = image, apply("DEPTHWISE_CONV_2D", image, weight(1, 3, 3, 3, axis=3),
                                             const(floats(3), "b"), shape=(1, 6, 6, 3), depth_multiplier=1, **CONV)
    for a in (False, True):
        made[f"FULLY_CONNECTED {a}"] = rows, apply("FULLY_CONNECTED", rows, weight(4, 16), b, shape=(3, 4),
                                                   asymmetric_quantize_inputs=a, **FC)
        made[f"FULLY_CONNECTED kept {a}"] = more, apply(
            "FULLY_CONNECTED", more, weight(4, 16), b, shape=(2, 3, 4), asymmetric_quantize_inputs=a,
            **{**FC, "keep_num_dims": True})
        made[f"BATCH_MATMUL {a}"] = more, apply("BATCH_MATMUL", more, weight(2, 16, 5), shape=(2, 3, 5),
                                                asymmetric_quantize_inputs=a, **MUL)
    made["FULLY_CONNECTED axis 0"] = rows, apply("FULLY_CONNECTED", rows, weight(4, 16, axis=0), b, shape=(3, 4),
                                                 asymmetric_quantize_inputs=False, **FC)
    return made


HYBRIDS = hybrids()


@pytest.mark.parametrize("case", HYBRIDS)
def test_hybrid_kernels_come_back(case: str, tmp_path: Path) -> None:
    x, y = HYBRIDS[case]
    source = written(tmp_path, {"y": y}, x)
    feed = floats(*x.type.shape)  # type: ignore[misc, arg-type]  # it is static
    want, target = run(source, x=feed), back(source)
    assert ops(target) == ops(source)
    np.testing.assert_array_equal(run(target, x=feed), want)
    one, two = (next(n for n in tflite.read(p).nodes if n.op == case.split()[0]) for p in (source, target))
    assert two.attrs.get("asymmetric_quantize_inputs") == one.attrs.get("asymmetric_quantize_inputs")
    exact = back(source, strip="tflite:hybrid")
    assert ops(exact)["DEQUANTIZE"] == 1  # nobody says that the activations may be rounded
    assert 0 < np.abs(run(exact, x=feed) - want).max() < 0.05 * np.abs(want).max()


def test_a_hybrid_kernel_is_proven_and_noted(tmp_path: Path) -> None:
    x, y = HYBRIDS["FULLY_CONNECTED True"]
    source = written(tmp_path, {"y": y}, x)
    direct = modelport.convert(source, tmp_path / "direct.tflite")
    modelport.convert(source, tmp_path / "b.onnx")
    done = modelport.convert(tmp_path / "b.onnx", tmp_path / "c.tflite")
    for made in (direct, done):
        assert made.report is not None
        assert made.report.level == "L2"
        assert [n.kind for n in made.notes if "rounds the activations to 8 bits, as" in n.message] == ["approximated"]
    assert done.report is not None
    assert "layer by layer" in done.report.text()
    with pytest.raises(modelport.errors.StrictFailure):
        modelport.convert(tmp_path / "b.onnx", tmp_path / "c.tflite", force=True, strict=True)


def test_a_weight_that_is_read_in_two_ways_or_shares_its_name_stays_exact(tmp_path: Path) -> None:
    x, w = given(3, 16), weight(16, 16)
    y = apply("FULLY_CONNECTED", x, w, asymmetric_quantize_inputs=True, **FC)
    z = apply("FULLY_CONNECTED", y, apply("DEQUANTIZE", w, shape=(16, 16)), asymmetric_quantize_inputs=False, **FC)
    assert "tflite:hybrid" not in tflite.to_hub(tflite.read(written(tmp_path, {"y": z}, x))).meta
    z = apply("FULLY_CONNECTED", y, weight(16, 16), asymmetric_quantize_inputs=True, **FC)
    assert "tflite:hybrid" not in tflite.to_hub(tflite.read(written(tmp_path, {"y": z}, x))).meta


@pytest.mark.parametrize("said", ["", "[", "[" * 100_000, "3", "[1, null]", '{"w": 1, "b": true}', '["w"]'])
def test_nonsense_in_the_metadata_says_nothing(said: str, tmp_path: Path) -> None:
    x, y = HYBRIDS["FULLY_CONNECTED False"]
    hub = tflite.to_hub(tflite.read(written(tmp_path, {"y": y}, x)))
    hub = hub.with_(meta={"tflite:hybrid": said, "tflite:nonnegative": said})
    assert "DEQUANTIZE" in [n.op for n in tflite.from_hub(hub).nodes]


def indexed() -> dict[str, Value]:
    i, table = given(5, dtype=np.int32, name="i"), const(floats(7, 3), "table")
    pairs = apply("PACK", i, i, values_count=2, axis=1, like=np.int32, shape=(5, 2), name="pairs")
    less = apply("SUB", i, const(np.array([0, 0, 0, 0, 1], np.int32), "one"), like=np.int32, shape=(5,), name="less",
                 fused_activation_function="NONE")
    return {"GATHER": apply("GATHER", table, i, axis=0, batch_dims=0),
            "GATHER of a difference": apply("GATHER", table, less, axis=0, batch_dims=0),
            "EMBEDDING_LOOKUP": apply("EMBEDDING_LOOKUP", i, table),
            "GATHER_ND": apply("GATHER_ND", const(floats(7, 7, 3), "table"), pairs),
            "SCATTER_ND": apply("SCATTER_ND", pairs, const(floats(5), "v"), const(np.array([7, 7], np.int32), "shape"))}


@pytest.mark.parametrize("case", indexed())
def test_indices_that_are_not_negative_are_not_wrapped(case: str, tmp_path: Path) -> None:
    y = indexed()[case]
    i = given(5, dtype=np.int32, name="i")
    for n in Graph({}, {"y": y}).nodes:
        i = next((v for v in n.inputs if v is not None and v.name == "i"), i)
    source = written(tmp_path, {"y": y}, i)
    target = back(source)
    assert "FLOOR_MOD" not in ops(target)
    assert ops(target)["CAST"] == 0
    feed = np.array([6, 1, 2, 5, 3], np.int32)
    np.testing.assert_array_equal(run(target, i=feed), run(source, i=feed))
    assert "FLOOR_MOD" in ops(back(source, strip="tflite:nonnegative"))


@pytest.mark.parametrize("case", ["GATHER", "GATHER of a difference"])
def test_what_the_source_rules_out_is_said_not_to_be_tested(case: str, tmp_path: Path) -> None:
    y = indexed()[case]
    assert y.node is not None
    where = y.node.inputs[1]
    assert where is not None
    i = where if where.node is None else where.node.inputs[0]
    assert i is not None
    modelport.convert(written(tmp_path, {"y": y}, i), tmp_path / "b.onnx")
    report = modelport.convert(tmp_path / "b.onnx", tmp_path / "c.tflite").report
    assert report is not None
    assert report.level == "L2"
    assert any("is negative there, and the source says" in line for line in report.not_tested)


def test_negative_indices_of_another_source_are_wrapped(tmp_path: Path) -> None:
    from modelport.runtimes.isolated import Worker
    m = model("Gather", {"i": (np.dtype("i4"), [4])}, {"t": floats(6, 2)}, ["t", "i"])
    with Worker() as worker:
        raw = agrees(tmp_path, worker, m, [{"i": np.array([-1, 0, 5, -6], np.int32)}])
    assert "FLOOR_MOD" in [n.op for n in raw.nodes]
