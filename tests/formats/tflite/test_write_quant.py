"""QDQ graphs become integer kernels wherever the specification allows, and compute what ONNX Runtime computes."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport import convert
from modelport.formats import tflite
from modelport.ir import Graph
from modelport.runtimes import start

RNG = np.random.default_rng(7)
F32 = np.dtype(np.float32)


class Net:
    """An ONNX graph under construction, quantized values on the way."""

    def __init__(self, kind: str = "int8", weights: str = "int8") -> None:
        self.kind, self.weights = kind, weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []

    def const(self, array: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op: str, inputs: Sequence[str], **attrs: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"n_{name}", **attrs))
        return name

    def input(self, *shape: int | str) -> str:
        self.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
        return "x"

    def qdq(self, x: str, scale: float, zero: int | None = None, kind: str = "") -> str:
        """``x`` rounded to a scale: QuantizeLinear and DequantizeLinear."""
        kind = kind or self.kind
        zero = {"int8": -3, "uint8": 125, "int16": 0}[kind] if zero is None else zero
        s, z = self.const(np.float32(scale)), self.const(np.asarray(zero, kind))
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [x, s, z]), s, z])

    def weight(self, *shape: int, axis: int | None = 0, zero: int = 0, scale: float = 0.02) -> tuple[str, Any]:
        info = np.iinfo(self.weights)
        stored = RNG.integers(max(info.min, -127), int(info.max) + 1, shape).astype(self.weights)
        scales = np.float32(scale) if axis is None else RNG.uniform(scale / 2, scale, shape[axis]).astype(np.float32)
        zeros = np.full(np.shape(scales), zero, self.weights)
        more = {} if axis is None else {"axis": axis}
        parts = [self.const(stored), self.const(scales), self.const(zeros)]
        return self.node("DequantizeLinear", parts, **more), scales

    def bias(self, n: int, scales: Any, of: float) -> str:
        s = np.broadcast_to(np.asarray(scales * np.float32(of), np.float32), (n,)).copy()
        return self.node("DequantizeLinear", [self.const(RNG.integers(-3000, 3000, n).astype(np.int32)), self.const(s)],
                         axis=0)

    def model(self, *outputs: str) -> onnx.ModelProto:
        outs = [helper.make_empty_tensor_value_info(o) for o in outputs]
        for o in outs:
            o.type.tensor_type.elem_type = TensorProto.FLOAT
        graph = helper.make_graph(self.nodes, "net", self.inputs, outs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def both(folder: Path, model: onnx.ModelProto, feed: np.ndarray, **options: Any) -> tuple[Graph, Any, Any]:
    """The raw graph written, and the outputs of ONNX Runtime and LiteRT."""
    source, target = folder / "m.onnx", folder / "m.tflite"
    onnx.save(model, source)
    convert(source, target, verify=None, force=True, **options)
    a = start("onnxruntime", source, optimize=False).run({"x": feed})
    b = start("tflite", target, signature="serving_default").run({"x": feed})
    return tflite.read(target), a, b


def kinds(graph: Graph) -> Counter[str]:
    return Counter(n.op for n in graph.nodes)


def close(a: dict[str, np.ndarray], b: dict[str, np.ndarray], step: float) -> None:
    """Within one step: kernels round halves away from zero and multiply in fixed point."""
    for k, v in a.items():
        assert np.abs(v - b[k]).max() <= 1.005 * step, k


def conv(net: Net, x: str, inner: int, outer: int, of: float, to: float, axis: int | None = 0, **attrs: Any) -> str:
    w, scales = net.weight(outer, inner, 3, 3, axis=axis)
    y = net.node("Conv", [x, w, net.bias(outer, scales, of)], **{"pads": [1, 1, 1, 1], **attrs})
    return net.qdq(y, to)


@pytest.mark.parametrize("kind", ["int8", "int16"])
@pytest.mark.parametrize("axis", [0, None])
@pytest.mark.parametrize("group", [1, 4])
def test_convolutions(tmp_path: Path, kind: str, axis: int | None, group: int) -> None:
    fine, step = (0.02, 0.05) if kind == "int8" else (0.0002, 0.0005)
    net = Net(kind)
    y = conv(net, net.qdq(net.input(1, 4, 8, 8), fine), 4 // group, 4, fine, step, axis, group=group)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(1, 4, 8, 8)).astype(F32))
    close(a, b, step)
    made = next(n for n in graph.nodes if "CONV" in n.op)
    assert made.op == ("CONV_2D" if group == 1 else "DEPTHWISE_CONV_2D")
    assert made.outputs[0].dtype.name == kind
    assert made.inputs[2] is not None
    assert made.inputs[2].dtype.name == ("int32" if kind == "int8" else "int64")


def test_unsigned_activations_with_signed_weights_become_signed(tmp_path: Path) -> None:
    net = Net("uint8")
    x = net.qdq(net.input(2, 3, 6, 6), 0.02)
    y = net.node("MaxPool", [conv(net, x, 3, 4, 0.02, 0.05)], kernel_shape=[2, 2], strides=[2, 2])
    y = conv(net, net.qdq(y, 0.05), 4, 2, 0.05, 0.06)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(2, 3, 6, 6)).astype(F32))
    close(a, b, 0.06)
    assert {n.outputs[0].dtype.name for n in graph.nodes if n.op in ("CONV_2D", "MAX_POOL_2D")} == {"int8"}


def test_the_old_unsigned_scheme(tmp_path: Path) -> None:
    net = Net("uint8", "uint8")
    x = net.qdq(net.input(1, 2, 6, 6), 0.02)
    w, scale = net.weight(3, 2, 3, 3, axis=None, zero=120)
    y = net.qdq(net.node("Conv", [x, w, net.bias(3, scale, 0.02)]), 0.05)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(1, 2, 6, 6)).astype(F32))
    close(a, b, 0.05)
    assert next(n for n in graph.nodes if n.op == "CONV_2D").outputs[0].dtype == np.uint8


def test_a_dense_network_with_activations(tmp_path: Path) -> None:
    net = Net()
    x = net.qdq(net.input("batch", 16), 0.02)
    w, scales = net.weight(16, 8, axis=1)
    y = net.qdq(net.node("Relu", [net.node("Gemm", [x, w, net.bias(8, scales, 0.02)])]), 0.05, -128)
    w, scales = net.weight(8, 4, axis=1)
    y = net.qdq(net.node("Gemm", [y, w, net.bias(4, scales, 0.05)]), 0.1)
    y = net.qdq(net.node("Softmax", [y], axis=-1), 1 / 256, -128)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(5, 16)).astype(F32))
    close(a, b, 1 / 256)
    assert kinds(graph) == {"QUANTIZE": 1, "FULLY_CONNECTED": 2, "SOFTMAX": 1, "DEQUANTIZE": 1}
    assert [n.attrs["fused_activation_function"] for n in graph.nodes if n.op == "FULLY_CONNECTED"] == ["RELU", "NONE"]


@pytest.mark.parametrize(("op", "scale", "zero", "integer"), [
    ("Sigmoid", 1 / 256, -128, True), ("Sigmoid", 0.005, -128, False), ("Tanh", 1 / 128, 0, True),
    ("Tanh", 0.01, 0, False), ("Softmax", 1 / 256, -128, True), ("Softmax", 1 / 256, -127, False)])
def test_fixed_scales(tmp_path: Path, op: str, scale: float, zero: int, integer: bool) -> None:
    """A kernel with a scale of its own is taken for that scale only; any other stays exact in real numbers."""
    net = Net()
    y = net.qdq(net.node(op, [net.qdq(net.input(4, 9), 0.05)]), scale, zero)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(4, 9), scale=2).astype(F32))
    close(a, b, scale)
    made = next(n for n in graph.nodes if n.op in ("LOGISTIC", "TANH", "SOFTMAX"))
    assert (made.outputs[0].dtype == np.int8) == integer


def test_shared_scales(tmp_path: Path) -> None:
    """Inputs of a concatenation on other scales are brought to the output's; pooling keeps its input's."""
    net = Net()
    x = net.input(1, 4, 6, 6)
    one, two = net.qdq(x, 0.02), net.qdq(net.node("Neg", [x]), 0.05)
    joined = net.qdq(net.node("Concat", [one, two], axis=1), 0.05)
    pooled = net.node("AveragePool", [joined], kernel_shape=[2, 2], strides=[2, 2])
    y = net.qdq(net.node("Reshape", [net.qdq(pooled, 0.05), net.const(np.array([1, -1]))]), 0.05)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(1, 4, 6, 6)).astype(F32))
    close(a, b, 0.05)
    assert {n.outputs[0].dtype.name for n in graph.nodes if n.op in ("CONCATENATION", "AVERAGE_POOL_2D", "RESHAPE")} \
        == {"int8"}


def test_the_unsigned_kernel_joins_other_scales_itself(tmp_path: Path) -> None:
    net = Net("uint8")
    x = net.input(1, 4, 6, 6)
    parts = [net.qdq(x, 0.02), net.qdq(net.node("Neg", [x]), 0.05, 90), net.qdq(net.node("Abs", [x]), 0.011, 0)]
    graph, a, b = both(tmp_path, net.model(net.qdq(net.node("Concat", parts, axis=2), 0.03)),
                       RNG.normal(size=(1, 4, 6, 6)).astype(F32))
    close(a, b, 0.03)
    joined = next(n for n in graph.nodes if n.op == "CONCATENATION")
    assert len({float(v.type.quant.scale) for v in joined.inputs if v is not None and v.type.quant is not None}) == 3


@pytest.mark.parametrize("moved", [False, True])
def test_integers_wider_than_quantize_linear(tmp_path: Path, moved: bool) -> None:
    """A Softmax from 8 to 16 bits and steps of 32 bits have kernels; a Softmax on another axis has none."""
    net = Net()
    y = net.node("Softmax", [net.qdq(net.input(3, 3), 0.05)], axis=0 if moved else -1)
    y = net.node("Cast", [net.qdq(y, 1 / 65536, -32768, "int16")], to=TensorProto.DOUBLE)
    y = net.node("Round", [net.node("Div", [y, net.const(np.float64(2.0 ** -15))])])
    y = net.node("Clip", [net.node("Add", [y, net.const(np.float64(7))]), net.const(np.float64(-(2 ** 31))),
                          net.const(np.float64(2 ** 31 - 1))])
    model = net.model(net.node("Cast", [y], to=TensorProto.INT32))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    graph, a, b = both(tmp_path, model, RNG.normal(size=(3, 3), scale=2).astype(F32))
    close(a, b, 1)
    assert (kinds(graph) == {"QUANTIZE": 2, "SOFTMAX": 1}) != moved


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("kind", ["int8", "uint8", "int16"])
def test_arithmetic(tmp_path: Path, op: str, kind: str) -> None:
    net = Net(kind)
    step = 0.0004 if kind == "int16" else 0.04
    x = net.input(2, 5, 6)
    y = net.qdq(net.node(op, [net.qdq(x, step / 2), net.qdq(net.node("Abs", [x]), step / 3)]), step)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(2, 5, 6)).astype(F32))
    close(a, b, step)
    assert next(n for n in graph.nodes if n.op == op.upper()).outputs[0].dtype.name == kind


def test_a_bias_on_another_scale_is_quantized_anew_with_a_note(tmp_path: Path) -> None:
    net = Net()
    x = net.qdq(net.input(1, 3, 6, 6), 0.02)
    w, scales = net.weight(4, 3, 3, 3)
    y = net.qdq(net.node("Conv", [x, w, net.bias(4, scales, 0.031)]), 0.05)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(1, 3, 6, 6)).astype(F32))
    close(a, b, 0.05)
    assert next(n for n in graph.nodes if n.op == "CONV_2D").outputs[0].dtype == np.int8
    done = convert(tmp_path / "m.onnx", tmp_path / "again.tflite", verify=None)
    assert any("quantized anew" in n.message for n in done.notes)


def test_weights_with_a_zero_point_stay_in_real_numbers_with_a_note(tmp_path: Path) -> None:
    net = Net()
    x = net.qdq(net.input(1, 3, 6, 6), 0.02)
    w, scales = net.weight(4, 3, 3, 3, axis=None, zero=5)
    y = net.qdq(net.node("Conv", [x, w, net.bias(4, scales, 0.02)]), 0.05)
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(1, 3, 6, 6)).astype(F32))
    close(a, b, 0.05)
    assert next(n for n in graph.nodes if n.op == "CONV_2D").outputs[0].dtype == F32
    done = convert(tmp_path / "m.onnx", tmp_path / "again.tflite", verify=None)
    assert any("zero point" in n.message for n in done.notes)


def test_weights_alone_stay_small(tmp_path: Path) -> None:
    """int8 weights with real activations: stored as integers, computed in real numbers as the source does."""
    net = Net()
    w, _ = net.weight(64, 32, axis=1)
    y = net.node("MatMul", [net.input(3, 64), w])
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(3, 64)).astype(F32))
    np.testing.assert_allclose(next(iter(b.values())), next(iter(a.values())), rtol=1e-5, atol=1e-5)
    assert kinds(graph) == {"DEQUANTIZE": 1, "FULLY_CONNECTED": 1}
    assert (tmp_path / "m.tflite").stat().st_size < 64 * 32 * 2


def test_half_precision(tmp_path: Path) -> None:
    net = Net()
    y = net.node("MatMul", [net.input(3, 64), net.const(RNG.normal(size=(64, 32)).astype(F32))])
    graph, a, b = both(tmp_path, net.model(y), RNG.normal(size=(3, 64)).astype(F32), float16=True)
    np.testing.assert_allclose(next(iter(b.values())), next(iter(a.values())), rtol=1e-2, atol=2e-2)
    assert (tmp_path / "m.tflite").stat().st_size < 64 * 32 * 4 * 0.7
    assert next(n for n in graph.nodes if n.op == "DEQUANTIZE").inputs[0].dtype == np.float16  # type: ignore[union-attr]


def test_large_weights_in_half_precision_stay_as_they_are(tmp_path: Path) -> None:
    """A number beyond 65504 would become infinite."""
    net = Net()
    w = RNG.normal(size=(64, 32)).astype(F32)
    w[3, 4] = 1e6
    graph, a, b = both(tmp_path, net.model(net.node("MatMul", [net.input(3, 64), net.const(w)])),
                       RNG.normal(size=(3, 64)).astype(F32), float16=True)
    np.testing.assert_allclose(next(iter(b.values())), next(iter(a.values())), rtol=1e-5)
    assert kinds(graph) == {"FULLY_CONNECTED": 1}
