"""Models to write for PyTorch, made of ONNX operators."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(7)
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def weight(*shape: int) -> Any:
    return RNG.normal(0, 0.4, shape).astype(np.float32)


def node(op: str, inputs: str, outputs: str, name: str = "", **attrs: Any) -> onnx.NodeProto:
    return helper.make_node(op, [i if i != "_" else "" for i in inputs.split()], outputs.split(), name=name, **attrs)


def model(path: Path, nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Any], outputs: Sequence[str],
          constants: Mapping[str, Any]) -> Path:
    """An .onnx; an input is a shape, of floats, or (element type, shape)."""
    typed = {k: v if isinstance(v, tuple) else (FLOAT, v) for k, v in inputs.items()}
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info(k, *t) for k, t in typed.items()],
                              [helper.make_tensor_value_info(o, FLOAT, None) for o in outputs],
                              [numpy_helper.from_array(v, k) for k, v in constants.items()])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(onnx.shape_inference.infer_shapes(made), path)
    return path


def image(path: Path) -> Path:
    """Convolutions with a norm, a branch around them and a linear layer, named as PyTorch's exporter names them."""
    return model(path, [
        node("Conv", "image stem.conv.weight _", "a", "/stem/conv/Conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "a stem.bn.weight stem.bn.bias stem.bn.running_mean stem.bn.running_var", "b",
             "/stem/bn/BatchNormalization"),
        node("Relu", "b", "c", "/stem/act/Relu"),
        node("Conv", "c blocks.0.conv.weight blocks.0.conv.bias", "d", "/blocks/blocks.0/conv/Conv",
             pads=[1, 1, 1, 1], group=2),
        node("Add", "c d", "e", "/blocks/blocks.0/Add"),
        node("GlobalAveragePool", "e", "f", "/pool/GlobalAveragePool"), node("Flatten", "f", "g", "/Flatten"),
        node("Gemm", "g head.weight head.bias", "scores", "/head/Gemm", transB=1)],
        {"image": ["batch", 3, 16, 16]}, ["scores"],
        {"stem.conv.weight": weight(4, 3, 3, 3), "stem.bn.weight": weight(4) + 1, "stem.bn.bias": weight(4),
         "stem.bn.running_mean": weight(4), "stem.bn.running_var": weight(4) ** 2 + 0.5,
         "blocks.0.conv.weight": weight(4, 2, 3, 3), "blocks.0.conv.bias": weight(4), "head.weight": weight(5, 4),
         "head.bias": weight(5)})


def sequence(path: Path) -> Path:
    """An embedding, an LSTM and a GRU over a free number of steps, and a reshape by the sizes that there are."""
    return model(path, [
        node("Gather", "table ids", "a", "/embedding/Gather"), node("Transpose", "a", "b", perm=[1, 0, 2]),
        node("LSTM", "b w r bias", "y", "/lstm/LSTM", hidden_size=5, direction="bidirectional"),
        node("Shape", "y", "s", start=0, end=1), node("Shape", "y", "n", start=2, end=3),
        node("Concat", "s n ten", "shape", axis=0), node("Transpose", "y", "t", perm=[0, 2, 1, 3]),
        node("Reshape", "t shape", "flat"),
        node("GRU", "flat gw gr gb", "g h", "/gru/GRU", hidden_size=3, linear_before_reset=1),
        node("Squeeze", "h zero", "last")],
        {"ids": (INT64, ["batch", "steps"])}, ["last", "flat"],
        {"table": weight(20, 6), "w": weight(2, 20, 6), "r": weight(2, 20, 5), "bias": weight(2, 40),
         "gw": weight(1, 9, 10), "gr": weight(1, 9, 3), "gb": weight(1, 18), "ten": np.array([10]),
         "zero": np.array([0])})


def branch(path: Path) -> Path:
    """An If by the data, and a Loop whose number of turns is an input."""
    def body(name: str, op: str) -> onnx.GraphProto:
        return helper.make_graph([node(op, "x k", name)], name, [], [helper.make_tensor_value_info(name, FLOAT, None)])
    turn = helper.make_graph(
        [node("Add", "state k", "next"), node("Identity", "going", "more"), node("ReduceSum", "next", "row",
                                                                              keepdims=0)],
        "turn", [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("going", BOOL, []),
                 helper.make_tensor_value_info("state", FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("more", BOOL, []), helper.make_tensor_value_info("next", FLOAT, ["batch", 3]),
         helper.make_tensor_value_info("row", FLOAT, [])])
    return model(path, [
        node("ReduceSum", "x", "total", keepdims=0), node("Greater", "total zero", "positive"),
        helper.make_node("If", ["positive"], ["y"], then_branch=body("then", "Mul"), else_branch=body("else", "Sub")),
        helper.make_node("Loop", ["turns", "", "y"], ["last", "rows"], body=turn)],
        {"x": ["batch", 3], "turns": (INT64, [])}, ["last", "rows"],
        {"k": weight(3), "zero": np.array(0, np.float32)})


def rounding(path: Path, depth: int = 6) -> Path:
    """Convolutions of 8-bit numbers whose products lie often in the middle between two steps, where runtimes round
    as their last bit happens to be: the steps that differ add up with the depth."""
    rng = np.random.default_rng(0)
    constants: dict[str, Any] = {"s": np.float32(0.05), "z": np.uint8(128), "ws": np.float32(0.1), "wz": np.int8(0)}
    nodes = [node("QuantizeLinear", "x s z", "q0")]
    for k in range(depth):
        constants[f"w{k}"] = rng.integers(-2, 3, (4, 4, 3, 3)).astype(np.int8)
        nodes.append(node("QLinearConv", f"q{k} s z w{k} ws wz s z", f"q{k + 1}", f"conv{k}", pads=[1, 1, 1, 1]))
    nodes.append(node("DequantizeLinear", f"q{depth} s z", "y"))
    return model(path, nodes, {"x": ["batch", 4, 6, 6]}, ["y"], constants)


def padded(path: Path) -> Path:
    """An LSTM over sequences of several lengths, which PyTorch's has not: a loop that gathers rows."""
    rng = np.random.default_rng(1)
    return model(path, [node("LSTM", "x w r _ lengths", "y last", "lstm", hidden_size=4)],
                 {"x": ["steps", "batch", 3], "lengths": (TensorProto.INT32, ["batch"])}, ["y", "last"],
                 {k: rng.normal(0, 0.4, (1, 16, n)).astype(np.float32) for k, n in (("w", 3), ("r", 4))})
