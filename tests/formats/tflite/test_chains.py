"""Models of a few operators, for what shows only between them: weights of half precision, hybrid kernels, notes."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport import runtimes
from modelport.formats import onnx as format_onnx
from modelport.formats import tflite
from modelport.hub.layout import channels_first
from modelport.ir import Graph, Node, Quant, Tensor, Type, Value

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
RNG = np.random.default_rng(5)
CONV = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"}
FC = {"fused_activation_function": "NONE", "weights_format": "DEFAULT", "keep_num_dims": False}


def const(array: Any, quant: Quant | None = None) -> Value:
    type = Type(array.dtype, array.shape, quant)
    return Value(type, "w", data=Tensor(array, type))


def apply(op: str, *inputs: Value, dtype: Any = np.float32, quant: Quant | None = None, **attrs: Any) -> Value:
    return Node(op, inputs, attrs, [Type(np.dtype(dtype), None, quant)], [op.lower()]).outputs[0]


def both(x: Value, y: Value, feed: np.ndarray, folder: Path) -> tuple[np.ndarray, np.ndarray, Graph]:
    """What LiteRT and the translation compute, and the translation."""
    file, made = folder / "m.tflite", folder / "m.onnx"
    tflite.write(Graph({"x": x}, {"y": y}), file)
    want = runtimes.start("tflite", file, kernels="reference", signature="serving_default").run({"x": feed})["y"]
    hub = tflite.to_hub(tflite.read(file))
    format_onnx.write(format_onnx.from_hub(channels_first(hub)), made)
    return want, runtimes.start("onnxruntime", made).run({"x": feed})["y"], hub


def test_weights_of_half_precision(tmp_path: Path) -> None:
    x = Value(Type(np.dtype("f4"), (1, 5, 5, 3)), "x")
    w = apply("DEQUANTIZE", const(RNG.normal(size=(4, 3, 3, 3)).astype("f2")))
    b = apply("DEQUANTIZE", const(RNG.normal(size=4).astype("f2")))
    want, got, _ = both(x, apply("CONV_2D", x, w, b, **CONV), RNG.normal(size=(1, 5, 5, 3)).astype("f4"), tmp_path)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_integer_weights_with_real_activations(tmp_path: Path) -> None:
    """LiteRT rounds the activations to 8 bits: half of one of 127 steps of the largest, for each of the products."""
    x = Value(Type(np.dtype("f4"), (3, 16)), "x")
    q = RNG.integers(-127, 128, (8, 16)).astype(np.int8)
    w = const(q, Quant(np.float32(0.01), np.int64(0)))
    b = const(RNG.normal(size=8).astype("f4"))
    feed = RNG.normal(size=(3, 16)).astype("f4")
    want, got, hub = both(x, apply("FULLY_CONNECTED", x, w, b, **FC), feed, tmp_path)
    limit = 0.5 / 127 * np.abs(feed).max(1, keepdims=True) * 0.01 * np.abs(q.astype(int)).sum(1)
    assert (np.abs(got - want) <= limit * 1.01 + 1e-5).all()
    assert [n.kind for n in hub.notes] == ["approximated"]
    exact = feed @ (q * np.float32(0.01)).T + b.numpy()
    assert np.abs(got - exact).max() < np.abs(want - exact).max()  # and we are nearer to the weights' own arithmetic


def test_a_quantized_chain_keeps_its_types(tmp_path: Path) -> None:
    half = Quant(np.float32(0.05), np.int64(3))
    x = Value(Type(np.dtype("i1"), (2, 4, 4, 3), half), "x")
    y = apply("RESHAPE", x, const(np.array([2, 48], np.int32)), dtype=np.int8, quant=half, new_shape=(2, 48))
    y = apply("SOFTMAX", y, dtype=np.int8, quant=Quant(np.float32(1 / 256), np.int64(-128)), beta=1.0)
    want, got, hub = both(x, y, RNG.integers(-128, 128, (2, 4, 4, 3)).astype(np.int8), tmp_path)
    assert got.dtype == want.dtype == np.int8
    assert np.abs(got.astype(int) - want).max() <= 1
    assert hub.outputs["y"].dtype == np.int8
    assert hub.notes == ()


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(scale: float, tmp_path: Path) -> None:
    from modelport.errors import UnsupportedModel
    file = tmp_path / "m.tflite"
    x = Value(Type(np.dtype("f4"), (2,)), "x")
    y = apply("QUANTIZE", x, dtype=np.int8, quant=Quant(np.float32(scale), np.int64(0)))
    tflite.write(Graph({"x": x}, {"y": y}), file)
    with pytest.raises(UnsupportedModel, match="quantization"):
        tflite.to_hub(tflite.read(file))


@pytest.mark.parametrize("size", [(5, 7), (8, 8), (1, 3), (12, 9)])
@pytest.mark.parametrize(("op", "shape"), [("CONV_2D", (6, 3, 2, 3)), ("DEPTHWISE_CONV_2D", (1, 3, 2, 6)),
                                           ("CONV_3D", (2, 3, 2, 3, 6))])
def test_same_padding_of_strides_and_dilations_at_any_size(op: str, shape: tuple[int, ...], size: tuple[int, int],
                                                           tmp_path: Path) -> None:
    n = len(shape) - 2
    sizes = [*(4,) * (n - 2), *size]
    x = Value(Type(np.dtype("f4"), ("n", *"dhw"[-n:], 3)), "x")
    more = {"depth_multiplier": 2} if op == "DEPTHWISE_CONV_2D" else {}
    if op == "CONV_3D":
        more = {"stride_d": 2, "dilation_d_factor": 2}
    attrs = {**CONV, "stride_h": 2, "stride_w": 3, "dilation_h_factor": 2, "dilation_w_factor": 3, **more}
    inputs = [x, const(RNG.normal(size=shape).astype("f4")), const(RNG.normal(size=6).astype("f4"))]
    y = Node(op, inputs, attrs, [Type(np.dtype("f4"), (None,) * (n + 1) + (6,))], ["y"]).outputs[0]
    want, got, hub = both(x, y, RNG.normal(size=(2, *sizes, 3)).astype("f4"), tmp_path)
    assert got.shape == want.shape == (2, *(-(-d // s) for d, s in zip(sizes, (2, 2, 3)[-n:], strict=True)), 6)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())
    assert any(node.op == "Pad" for node in hub.nodes)
