"""Convolutions as TensorFlow Lite, against ONNX Runtime: every attribute, at sizes that are known and that are not."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import agrees, feeds, floats, model

import modelport
from modelport.runtimes import isolated

SIZES = {1: [{"n": 1, "h": 9}, {"n": 3, "h": 14}], 2: [{"n": 1, "h": 9, "w": 8}, {"n": 3, "h": 12, "w": 15}],
         3: [{"n": 1, "d": 7, "h": 9, "w": 8}, {"n": 2, "d": 6, "h": 11, "w": 7}]}
NAMES = {1: ("h",), 2: ("h", "w"), 3: ("d", "h", "w")}


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


CONV: dict[str, tuple[int, int, int, tuple[int, ...], dict[str, Any]]] = {  # axes, channels in, out, kernel, attributes
    "1d": (1, 4, 6, (3,), {"pads": [1, 1]}),
    "1d stride, uneven pads": (1, 4, 6, (3,), {"pads": [0, 2], "strides": [2]}),
    "1d dilated, grouped": (1, 4, 6, (3,), {"dilations": [2], "group": 2}),
    "1d depthwise": (1, 4, 8, (3,), {"group": 4, "pads": [1, 1]}),
    "1d same": (1, 4, 6, (4,), {"auto_pad": "SAME_LOWER", "strides": [2]}),
    "plain": (2, 4, 6, (3, 3), {}),
    "one channel": (2, 1, 6, (3, 2), {}),
    "pointwise": (2, 4, 6, (1, 1), {"strides": [2, 2]}),
    "pads": (2, 4, 6, (3, 3), {"pads": [1, 1, 1, 1]}),
    "stride, pads": (2, 4, 6, (3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "uneven": (2, 4, 6, (3, 2), {"pads": [0, 1, 2, 0], "strides": [2, 1], "dilations": [1, 2]}),
    "same upper": (2, 4, 6, (4, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    "same lower": (2, 4, 6, (4, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    "same lower, even, no stride": (2, 4, 6, (4, 2), {"auto_pad": "SAME_LOWER"}),
    "grouped": (2, 6, 4, (3, 3), {"group": 2, "pads": [1, 0, 1, 0]}),
    "groups of two": (2, 6, 9, (3, 3), {"group": 3}),
    "depthwise": (2, 4, 4, (3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "depthwise multiplied": (2, 3, 6, (3, 3), {"group": 3, "strides": [2, 1]}),
    "depthwise dilated": (2, 3, 6, (3, 2), {"group": 3, "dilations": [1, 3]}),
    "depthwise same lower": (2, 3, 3, (4, 4), {"group": 3, "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    "3d": (3, 4, 6, (2, 3, 3), {"pads": [1, 1, 1, 0, 1, 1]}),
    "3d stride, dilated": (3, 4, 6, (2, 3, 3), {"strides": [2, 1, 2], "dilations": [1, 2, 1]}),
    "3d same lower": (3, 2, 3, (2, 4, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2, 1]}),
    "3d grouped": (3, 4, 6, (2, 3, 3), {"group": 2, "strides": [2, 1, 1], "pads": [1, 1, 1, 1, 1, 1]}),
    "3d depthwise": (3, 4, 8, (2, 3, 3), {"group": 4, "dilations": [2, 1, 1], "pads": [1, 1, 1, 1, 0, 1]}),
}


def shape_of(axes: int, channels: int, known: bool) -> tuple[Any, ...]:
    sizes = SIZES[axes][0]
    return ("n", channels, *(sizes[k] if known else k for k in NAMES[axes]))


@pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", CONV)
def test_conv(name: str, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    axes, inner, out, kernel, attrs = CONV[name]
    weight = {"w": floats(out, inner // attrs.get("group", 1), *kernel), "b": floats(out)}
    made = model("Conv", {"x": shape_of(axes, inner, known)}, weight, ["x", "w", "b"], **attrs)
    cases = SIZES[axes] if not known else [SIZES[axes][0], {**SIZES[axes][0], "n": 2}]
    agrees(tmp_path, worker, made, cases)


@pytest.mark.parametrize("name", ["1d", "pads", "grouped", "depthwise", "3d", "1d depthwise"])
def test_weights_that_are_computed(name: str, tmp_path: Path, worker: isolated.Worker) -> None:
    axes, inner, out, kernel, attrs = CONV[name]
    weight = (out, inner // attrs.get("group", 1), *kernel)
    made = model("Conv", {"x": shape_of(axes, inner, False), "w": weight, "b": (out,)}, {}, ["x", "w", "b"], **attrs)
    agrees(tmp_path, worker, made, SIZES[axes])


TRANSPOSED: dict[str, tuple[int, int, int, tuple[int, ...], dict[str, Any]]] = {
    "1d": (1, 4, 6, (4,), {"strides": [2], "pads": [1, 1]}),
    "1d cut": (1, 4, 6, (3,), {"strides": [2], "pads": [2, 0], "output_padding": [1]}),
    "plain": (2, 4, 6, (3, 3), {}),
    "doubled": (2, 4, 6, (4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "doubled by three": (2, 4, 6, (3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    "long strides": (2, 4, 6, (2, 3), {"strides": [3, 5], "output_padding": [2, 1]}),
    "uneven": (2, 4, 6, (3, 4), {"strides": [1, 2], "pads": [0, 2, 1, 0]}),
    "same upper": (2, 4, 6, (3, 4), {"strides": [2, 3], "auto_pad": "SAME_UPPER"}),
    "same lower": (2, 4, 6, (3, 4), {"strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    "dilated": (2, 4, 6, (3, 2), {"strides": [2, 1], "dilations": [2, 3], "pads": [1, 0, 1, 1]}),
    "groups": (2, 4, 6, (3, 3), {"strides": [2, 2], "group": 2, "pads": [1, 1, 1, 1]}),
    "many groups": (2, 6, 6, (4, 4), {"strides": [2, 2], "group": 6, "pads": [1, 1, 1, 1]}),
    "many groups, cut": (2, 12, 18, (3, 3), {"strides": [3, 3], "group": 6, "pads": [1, 0, 2, 1],
                                            "output_padding": [1, 2]}),
    "many groups, no stride": (2, 6, 12, (3, 2), {"group": 6, "dilations": [2, 1]}),
    "many groups, strides": (2, 6, 6, (3, 2), {"group": 6, "strides": [2, 1]}),
    "3d": (3, 4, 3, (2, 3, 3), {"strides": [1, 2, 2], "pads": [0, 1, 1, 1, 1, 0]}),
    "3d groups": (3, 4, 4, (2, 3, 3), {"strides": [2, 2, 2], "group": 2}),
}


@pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose(name: str, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    axes, inner, out, kernel, attrs = TRANSPOSED[name]
    weight = {"w": floats(inner, out // attrs.get("group", 1), *kernel), "b": floats(out)}
    made = model("ConvTranspose", {"x": shape_of(axes, inner, known)}, weight, ["x", "w", "b"], **attrs)
    cases = SIZES[axes] if not known else [SIZES[axes][0], {**SIZES[axes][0], "n": 2}]
    agrees(tmp_path, worker, made, cases)


@pytest.mark.parametrize("name", TRANSPOSED)
def test_the_written_conv_transpose_is_read_again(name: str, tmp_path: Path) -> None:
    """Its output shape, computed at run time, says how far each size is from the whole result."""
    axes, inner, out, kernel, attrs = TRANSPOSED[name]
    made = model("ConvTranspose", {"x": shape_of(axes, inner, False)},
                 {"w": floats(inner, out // attrs.get("group", 1), *kernel)}, ["x", "w"], **attrs)
    (tmp_path / "a.onnx").write_bytes(made)
    modelport.convert(tmp_path / "a.onnx", tmp_path / "a.tflite", verify=None)
    modelport.convert(tmp_path / "a.tflite", tmp_path / "b.onnx", verify=None)
    again, first = (ort.InferenceSession(tmp_path / f) for f in ("b.onnx", "a.onnx"))
    for sizes in SIZES[axes]:
        x = feeds(made, sizes)
        np.testing.assert_allclose(again.run(None, x)[0], first.run(None, x)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [[17, 15], [18, 16], [19, 14], [16, 17]])
@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER"])
def test_a_stated_output_shape(shape: list[int], auto_pad: str, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("ConvTranspose", {"x": ("n", 3, 9, 8)}, {"w": floats(3, 2, 3, 3)}, ["x", "w"], output_shape=shape,
                 strides=[2, 2], auto_pad=auto_pad)
    agrees(tmp_path, worker, made, [{"n": 1}, {"n": 2}])


def test_a_channels_last_chain_needs_no_transpose(tmp_path: Path, worker: isolated.Worker) -> None:
    """Only the two at the model's interface."""
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(0)
    weights = {f"w{k}": rng.normal(size=s).astype(np.float32) for k, s in enumerate([(6, 3, 3), (6, 1, 3), (4, 6, 3)])}
    weights |= {k: rng.uniform(0.5, 1.5, 6).astype(np.float32) for k in ("s", "b", "m", "v")}
    nodes = [helper.make_node("Conv", ["x", "w0"], ["a"]), helper.make_node("Relu", ["a"], ["c"]),
             helper.make_node("InstanceNormalization", ["c", "s", "b"], ["d"]),
             helper.make_node("MaxPool", ["d"], ["e"], kernel_shape=[2], strides=[2]),
             helper.make_node("Conv", ["e", "w1"], ["f"], group=6),
             helper.make_node("BatchNormalization", ["f", "s", "b", "m", "v"], ["g"]),
             helper.make_node("ConvTranspose", ["g", "w2t"], ["y"], strides=[2])]
    weights["w2t"] = weights.pop("w2").transpose(1, 0, 2).copy()
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "t"])],
                              [helper.make_empty_tensor_value_info("y")],
                              [numpy_helper.from_array(v, k) for k, v in weights.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9).SerializeToString()
    raw = agrees(tmp_path, worker, made, [{"n": 1, "t": 20}, {"n": 2, "t": 33}])
    assert sum(n.op == "TRANSPOSE" for n in raw.nodes) <= 2
