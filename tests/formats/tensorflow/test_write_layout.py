"""Transposes that are left where networks whose images are channels first become channels last."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import modelport
from modelport import api, registry

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
from transposes import TARGETS, count

RNG = np.random.default_rng(9)


class Net:
    """A network in the making."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def const(self, *shape: int) -> str:
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(RNG.normal(0, .2, shape).astype(np.float32), name))
        return name

    def add(self, op: str, *ins: str, **attrs: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(ins), [name], **attrs))
        return name

    def conv(self, x: str, ins: int, out: int, size: int = 3, group: int = 1, **attrs: Any) -> str:
        pads = [size // 2] * 4
        return self.add("Conv", x, self.const(out, ins // group, size, size), self.const(out), pads=pads, group=group,
                        **attrs)

    def model(self, out: str, rank: int) -> bytes:
        value = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, "g", [value("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
                                  [value(out, TensorProto.FLOAT, [None] * rank)], self.constants)
        made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)],
                                        ir_version=8).SerializeToString()
        return made


def mobile() -> bytes:
    """Inverted residuals with squeeze and excitation, hard activations, a head."""
    n = Net()
    x = n.add("HardSwish", n.conv("x", 3, 16, strides=[2, 2]))
    for _ in range(3):
        y = n.add("HardSwish", n.conv(x, 16, 32, 1))
        y = n.add("HardSwish", n.conv(y, 32, 32, 3, group=32))
        s = n.add("Relu", n.conv(n.add("GlobalAveragePool", y), 32, 8, 1))
        y = n.add("Mul", y, n.add("HardSigmoid", n.conv(s, 8, 32, 1)))
        x = n.add("Add", x, n.conv(y, 32, 16, 1))
    x = n.add("Flatten", n.add("GlobalAveragePool", x))
    return n.model(n.add("Softmax", n.add("Gemm", x, n.const(16, 10))), 2)


def dense() -> bytes:
    """Everything joined to everything before, along the channels."""
    n = Net()
    x, channels = n.conv("x", 3, 8), 8
    for _ in range(4):
        x, channels = n.add("Concat", x, n.conv(n.add("Relu", x), channels, 8), axis=1), channels + 8
    x = n.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    return n.model(n.add("ReduceMean", x, keepdims=0), 0) if channels == 0 else n.model(
        n.add("Flatten", n.add("GlobalMaxPool", x)), 2)


def pyramid() -> bytes:
    """Down and up again, an image in the end: one transpose more."""
    n = Net()
    a = n.add("Relu", n.conv("x", 3, 8))
    b = n.add("Relu", n.conv(a, 8, 16, strides=[2, 2]))
    n.constants.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
    up = n.add("Resize", b, "", "scales", mode="nearest", coordinate_transformation_mode="asymmetric",
               nearest_mode="floor")
    x = n.add("Concat", a, up, axis=1)
    x = n.add("Clip", n.add("Pad", n.conv(x, 24, 8), "pads"), "", "")
    n.constants.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads"))
    return n.model(n.conv(x, 8, 3), 4)


def split() -> bytes:
    """Channels parted, shuffled and joined."""
    n = Net()
    x = n.add("Relu", n.conv("x", 3, 16, strides=[2, 2]))
    for _ in range(2):
        a, b = f"a{len(n.nodes)}", f"b{len(n.nodes)}"
        n.nodes.append(helper.make_node("Split", [x], [a, b], axis=1, num_outputs=2))
        x = n.add("Concat", a, n.add("Relu", n.conv(b, 8, 8, 3, group=8)), axis=1)
    return n.model(n.add("Flatten", n.add("GlobalAveragePool", x)), 2)


@pytest.mark.parametrize("target", ["tensorflow", "tfjs", "tflite"])
@pytest.mark.parametrize(("network", "most"), [(mobile, 1), (dense, 1), (pyramid, 2), (split, 1)],
                         ids=lambda v: getattr(v, "__name__", None))
def test_one_for_each_image_at_the_ends(network: Any, most: int, target: str, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(network())
    hub = modelport.load(tmp_path / "a.onnx").graph
    spec = registry.named(target)
    assert count(spec.load().from_hub(api.prepare(hub, spec)), TARGETS[target]) == most


@pytest.mark.parametrize("target", ["tensorflow", "tfjs"])
def test_none_where_the_interface_is_moved_too(target: str, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(mobile())
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b", to=target, layout="nhwc", verify=None)
    raw = registry.named(target).load().read(done.path)
    assert count(raw, "Transpose") == 0 and raw.inputs["x"].shape[1:] == (32, 32, 3)
