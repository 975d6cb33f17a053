"""Keras files from ONNX: what modelport reads back, and what Keras itself computes, is what ONNX Runtime computes."""
from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport import convert
from modelport.errors import UnsupportedModel
from modelport.formats import keras
from modelport.formats import onnx as format_onnx
from modelport.runtimes import isolated, start

RNG = np.random.default_rng(5)
F32 = np.dtype(np.float32)
Made = tuple[bytes, dict[str, np.ndarray]]


def weight(*shape: int, scale: float = 0.3) -> np.ndarray:
    return RNG.normal(0, scale, shape).astype(F32)


def net(nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Sequence[Any]], outputs: Sequence[str],
        constants: Mapping[str, np.ndarray], n: int = 3) -> Made:
    """A model and feeds for it; a text in a shape is a symbol, ``n`` in the feeds."""
    graph = helper.make_graph(nodes, "net", [helper.make_tensor_value_info(k, TensorProto.FLOAT, s)
                                             for k, s in inputs.items()],
                              [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
                              [numpy_helper.from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    feeds = {k: RNG.normal(size=[n if isinstance(d, str) else d for d in s]).astype(F32) for k, s in inputs.items()}
    return model.SerializeToString(), feeds


def node(op: str, inputs: str, outputs: str, **attrs: Any) -> onnx.NodeProto:
    names = [i if i != "_" else "" for i in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name=f"{op}_{outputs.split()[-1]}", **attrs)


def conv(shape: Sequence[Any], w: Sequence[int], **attrs: Any) -> Made:
    return net([node("Conv", "x w b", "y", **attrs)], {"x": shape}, ["y"], {"w": weight(*w), "b": weight(w[0])})


def transposed(shape: Sequence[Any], w: Sequence[int], **attrs: Any) -> Made:
    return net([node("ConvTranspose", "x w b", "y", **attrs)], {"x": shape}, ["y"],
               {"w": weight(*w), "b": weight(w[1])})


def pooled(op: str, shape: Sequence[Any], **attrs: Any) -> Made:
    return net([node(op, "x", "y", **attrs)], {"x": shape}, ["y"], {})


def recurrent(kind: str, direction: str, outputs: str, first: bool = False, **attrs: Any) -> Made:
    n, gates, t, f, h = 2 if direction == "bidirectional" else 1, {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], 5, 4, 6
    constants = {"w": weight(n, gates * h, f), "r": weight(n, gates * h, h), "b": weight(n, 2 * gates * h)}
    ins, shapes = "x w r b", {"x": [t, "n", f]}
    if first:
        ins, shapes = ins + " _ h0", {**shapes, "h0": [n, "n", h]}
        if kind == "LSTM":
            ins, shapes = ins + " c0", {**shapes, "c0": [n, "n", h]}
    made = [o if o in outputs.split() else "" for o in ["Y", "Y_h", "Y_c"][:3 if kind == "LSTM" else 2]]
    one = helper.make_node(kind, [i if i != "_" else "" for i in ins.split()], made, hidden_size=h,
                           direction=direction, **attrs)
    return net([one], shapes, outputs.split(), constants)


def branches() -> Made:
    """Many layers of one class at several depths: their weights are found by the order in which Keras meets them."""
    nodes, constants = [], {}
    for k, (source, size) in enumerate([("x", 1), ("x", 3), ("c1", 1), ("c0", 3), ("c2", 3), ("c3", 1), ("x", 1)]):
        constants[f"w{k}"], constants[f"b{k}"] = weight(4, 4, size, size), weight(4)
        nodes.append(node("Conv", f"{source} w{k} b{k}", f"c{k}", pads=[size // 2] * 4))
    nodes += [node("Concat", "c4 c5", "j", axis=1), node("Add", "c6 c4", "s"), node("Relu", "s", "r"),
              node("Concat", "j r", "k", axis=1), node("GlobalAveragePool", "k", "g"), node("Flatten", "g", "f"),
              node("Gemm", "f dw db", "y", transB=1)]
    constants.update(dw=weight(5, 12), db=weight(5))
    return net(nodes, {"x": ["n", 4, 6, 6]}, ["y", "r"], constants)


def vectors() -> Made:
    """A vector added along an axis that is not the last, all lengths the same: Keras's TensorFlow backend is not to
    take it for a bias."""
    return net([node("Transpose", "x", "t", perm=[0, 2, 1]), node("Reshape", "b s", "v"), node("Add", "t v", "y"),
                node("Add", "v t", "z")], {"x": ["n", 4, 4], "b": [4]}, ["y", "z"], {"s": np.array([1, 4, 1])}, n=4)


def normalised() -> Made:
    nodes = [node("BatchNormalization", "x g b m v", "n1", epsilon=1e-3), node("PRelu", "n1 a", "p"),
             node("LeakyRelu", "p", "l", alpha=0.2), node("Transpose", "l", "t", perm=[0, 2, 3, 1]),
             node("LayerNormalization", "t g b", "n2", axis=-1), node("Gelu", "n2", "e"),
             node("InstanceNormalization", "x g b", "i"), node("Softmax", "e", "y", axis=2),
             node("HardSigmoid", "i", "z", alpha=0.25)]
    return net(nodes, {"x": ["n", 6, 4, 5]}, ["y", "z"],
               {"g": weight(6), "b": weight(6), "m": weight(6), "v": np.abs(weight(6)) + 0.1, "a": weight(6, 1, 1)})


def dense() -> Made:
    nodes = [node("MatMul", "x w", "m"), node("Add", "m b", "a"), node("Tanh", "a", "t"), node("MatMul", "t w2", "y"),
             node("ReduceMean", "t ax", "z", keepdims=0), node("Slice", "t s e ax1 st", "q")]
    return net(nodes, {"x": ["n", 7, 4]}, ["y", "z", "q"],
               {"w": weight(4, 5), "b": weight(5), "w2": weight(5, 2), "ax": np.array([1]), "s": np.array([1]),
                "e": np.array([6]), "ax1": np.array([1]), "st": np.array([2])})


def mobile() -> Made:
    """What mobile networks are made of: ReLU6, hard swish, squeeze and excitation, zeros around an image."""
    nodes = [node("Mul", "x s", "x0"), node("Sub", "x0 o", "x1"), node("Conv", "x1 w b", "c", pads=[1, 1, 1, 1]),
             node("Clip", "c zero six", "q"), node("MaxPool", "q", "r", kernel_shape=[3, 2], pads=[1, 0, 1, 1]),
             node("GlobalAveragePool", "r", "g"), node("Conv", "g w1 b1", "e"),
             node("HardSigmoid", "e", "h", alpha=1 / 6), node("Mul", "r h", "m"), node("HardSwish", "m", "k"),
             node("Pad", "k p", "z"), node("MaxPool", "z", "t", kernel_shape=[2, 2], strides=[2, 2]),
             node("Sub", "one t", "u"), node("Gelu", "u", "y")]
    return net(nodes, {"x": ["n", 3, 8, 8]}, ["y"], {
        "s": np.array(1 / 3, F32), "o": np.array([[0.4]], F32), "w": weight(4, 3, 3, 3, scale=2), "b": weight(4),
        "zero": np.zeros((), F32), "six": np.array(6, F32), "w1": weight(4, 4, 1, 1), "b1": weight(4),
        "p": np.array([0, 0, 0, 1, 0, 0, 1, 2]), "one": np.ones((), F32)})


def zero_state() -> Made:
    """An LSTM as PyTorch exports it: its first states are zeros, as many as the batch has rows."""
    nodes = [node("Shape", "x", "s"), node("Gather", "s one", "n"), node("Unsqueeze", "n zero", "n1"),
             node("Concat", "n0 n1 n2", "size", axis=0), node("Expand", "z size", "h0"),
             node("ConstantOfShape", "size", "c0"), node("LSTM", "x w r b _ h0 c0", "Y", hidden_size=6)]
    return net(nodes, {"x": [5, "n", 4]}, ["Y"], {
        "one": np.array(1), "zero": np.array([0]), "n0": np.array([1]), "n2": np.array([6]), "z": np.zeros(1, F32),
        "w": weight(1, 24, 4), "r": weight(1, 24, 6), "b": weight(1, 48)})


def one_number() -> Made:
    """One number of each row, from two sides: as a wide and deep network has it."""
    nodes = [node("Gemm", "x w b", "p"), node("Gemm", "x w2 b", "q"), node("Add", "p q", "y")]
    return net(nodes, {"x": ["n", 4]}, ["y"], {"w": weight(4, 1), "w2": weight(4, 1), "b": weight(1)})


def unbiased() -> Made:
    return net([node("LSTM", "x w r", "Y", hidden_size=6)], {"x": [5, "n", 4]}, ["Y"],
               {"w": weight(1, 24, 4), "r": weight(1, 24, 6)})


def batch() -> Made:
    """What is as large as the batch, which layers do not know: rows alike, and numbered."""
    nodes = [node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Unsqueeze", "n axes", "n1"),
             node("Concat", "n1 four", "size", axis=0), node("Expand", "v size", "rows"),
             node("MatMul", "rows w", "m"), node("Add", "m x", "y"),
             node("Range", "zero n step", "count"), node("Cast", "count", "c", to=1),
             node("Unsqueeze", "c axis1", "c1"), node("Add", "x c1", "z")]
    return net(nodes, {"x": ["n", 4]}, ["y", "z"], {
        "zero": np.array(0), "axes": np.array([0]), "axis1": np.array([1]), "four": np.array([4]), "v": weight(4),
        "w": weight(4, 4), "step": np.array(1)})


CASES: dict[str, Callable[[], Made]] = {
    "conv-same": lambda: conv(["n", 3, 8, 8], [4, 3, 3, 3], pads=[1, 1, 1, 1]),
    "conv-uneven": lambda: conv(["n", 3, 8, 7], [4, 3, 3, 2], pads=[0, 1, 2, 1], strides=[2, 1]),
    "conv-dilated-strided": lambda: conv(["n", 3, 12, 12], [4, 3, 3, 3], strides=[2, 2], dilations=[2, 2]),
    "conv-dilated": lambda: conv(["n", 3, 9, 9], [4, 3, 3, 3], dilations=[2, 3], pads=[2, 3, 2, 3]),
    "conv-groups": lambda: conv(["n", 6, 8, 8], [4, 3, 3, 3], group=2),
    "depthwise": lambda: conv(["n", 4, 8, 8], [8, 1, 3, 3], group=4, strides=[2, 2], pads=[1, 1, 1, 1]),
    "conv-1d": lambda: conv(["n", 3, 10], [4, 3, 3], strides=[2]),
    "depthwise-1d": lambda: conv(["n", 4, 10], [4, 1, 3], group=4, pads=[1, 1]),
    "conv-3d": lambda: conv(["n", 2, 5, 6, 4], [3, 2, 2, 3, 2]),
    "equal-sizes": lambda: conv([4, 4, 4, 4], [4, 4, 3, 3], pads=[1, 1, 1, 1]),
    "transposed": lambda: transposed(["n", 3, 5, 5], [3, 4, 3, 3], strides=[2, 2]),
    "transposed-pads": lambda: transposed(["n", 3, 5, 5], [3, 4, 3, 3], strides=[2, 2], pads=[1, 0, 1, 1]),
    "transposed-same": lambda: transposed(["n", 3, 5, 5], [3, 4, 4, 4], strides=[2, 2], pads=[1, 1, 1, 1]),
    "transposed-wide": lambda: transposed(["n", 3, 5], [3, 2, 2], strides=[3]),
    "max-pool": lambda: pooled("MaxPool", ["n", 3, 9, 9], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "max-pool-ceil": lambda: pooled("MaxPool", ["n", 3, 9, 8], kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1),
    "average-pool": lambda: pooled("AveragePool", ["n", 3, 8, 8], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "average-pool-counted": lambda: pooled("AveragePool", ["n", 3, 8, 8], kernel_shape=[3, 3], pads=[1, 0, 1, 1],
                                           count_include_pad=1, strides=[2, 2]),
    "global-pool": lambda: pooled("GlobalMaxPool", ["n", 3, 5, 6]),
    "branches": branches, "mobile": mobile, "zero-state": zero_state, "unbiased": unbiased, "batch": batch,
    "one-number": one_number,
    "vectors": vectors, "normalised": normalised, "dense": dense,
    **{f"{kind}-{direction}-{outs.replace(' ', '+')}{'-state' * first}": (
        lambda kind=kind, direction=direction, outs=outs, first=first: recurrent(kind, direction, outs, first, **(
            {"linear_before_reset": int(first)} if kind == "GRU" else {})))
       for kind in ("LSTM", "GRU", "RNN") for direction in ("forward", "reverse", "bidirectional")
       for outs, first in (("Y", False), ("Y_h", True), ("Y Y_h", False))},
}


def written(folder: Path, made: Made, name: str = "m.keras") -> tuple[Path, dict[str, np.ndarray]]:
    """The Keras file of a model, and what ONNX Runtime computes."""
    source, target = folder / "source.onnx", folder / name
    source.write_bytes(made[0])
    convert(source, target, verify=None, force=True)
    return target, start("onnxruntime", source, optimize=False).run(made[1])


def close(got: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> None:
    """Equal but for roundings: sums of at most some hundred products of order one."""
    for (k, a), b in zip(wanted.items(), got.values(), strict=True):
        assert a.shape == b.shape, k
        assert np.abs(a - b).max(initial=0) <= 2e-6 * max(1.0, float(np.abs(a).max(initial=0))), k


@pytest.mark.parametrize("case", CASES)
def test_read_back(tmp_path: Path, case: str) -> None:
    made = CASES[case]()
    target, wanted = written(tmp_path, made)
    back = tmp_path / "back.onnx"
    format_onnx.write(format_onnx.from_hub(keras.to_hub(keras.read(target))), back)
    session = start("onnxruntime", back, optimize=False)
    close(session.run(dict(zip(session.inputs, made[1].values(), strict=True))), wanted)


@pytest.fixture(scope="module")
def worker() -> Any:
    pytest.importorskip("keras", reason="Keras is the oracle")
    with isolated.Worker() as w:
        yield w


@pytest.mark.oracle
@pytest.mark.parametrize("case", CASES)
def test_in_keras(tmp_path: Path, worker: isolated.Worker, case: str) -> None:
    made = CASES[case]()
    target, wanted = written(tmp_path, made)
    session = worker.open("keras", target)
    close(session.run(dict(zip(session.inputs, made[1].values(), strict=True))), wanted)


LAYERS = ("conv-same", "depthwise", "max-pool", "transposed-pads", "branches", "mobile", "one-number")


@pytest.mark.oracle
@pytest.mark.parametrize("generation", [2, 3])
@pytest.mark.parametrize("case", LAYERS)
def test_h5_in_both_generations(tmp_path: Path, worker: isolated.Worker, case: str, generation: int) -> None:
    made = CASES[case]()
    target, wanted = written(tmp_path, made, "m.h5")
    session = worker.open("keras", target, generation=generation)
    close(session.run(dict(zip(session.inputs, made[1].values(), strict=True))), wanted)


@pytest.mark.parametrize("case", LAYERS)
def test_h5_read_back(tmp_path: Path, case: str) -> None:
    made = CASES[case]()
    target, wanted = written(tmp_path, made, "m.h5")
    back = tmp_path / "back.onnx"
    format_onnx.write(format_onnx.from_hub(keras.to_hub(keras.read(target))), back)
    session = start("onnxruntime", back, optimize=False)
    close(session.run(dict(zip(session.inputs, made[1].values(), strict=True))), wanted)


def test_h5_holds_layers_only(tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    source.write_bytes(net([node("Sin", "x", "y")], {"x": ["n", 3]}, ["y"], {})[0])
    with pytest.raises(UnsupportedModel, match=r"ops\.sin: a function of keras\.ops") as e:
        convert(source, tmp_path / "m.h5", verify=None)
    assert e.value.hint == "a .keras file can hold them"


def test_h5_says_no_first_states(tmp_path: Path) -> None:
    """Keras 2 takes them as further inputs, Keras 3 only from what Keras 2 does not read."""
    source = tmp_path / "source.onnx"
    source.write_bytes(recurrent("LSTM", "forward", "Y_h", first=True)[0])
    with pytest.raises(UnsupportedModel, match="first states"):
        convert(source, tmp_path / "m.h5", verify=None)


def test_real_layers_and_no_lambda(tmp_path: Path) -> None:
    """A network of layers stays one: every node can be trained."""
    target, _ = written(tmp_path, branches())
    config = json.loads(zipfile.ZipFile(target).read("config.json"))
    kinds = [layer["class_name"] for layer in config["config"]["layers"]]
    assert {k: kinds.count(k) for k in set(kinds)} == {
        "InputLayer": 1, "Conv2D": 7, "Concatenate": 2, "Add": 1, "Activation": 1, "GlobalAveragePooling2D": 1,
        "Permute": 2, "Dense": 1}
    assert "Lambda" not in kinds


def test_names_are_the_sources(tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    source.write_bytes(net([node("Relu", "in", "out/0"), node("Tanh", "in", "second")], {"in": ["n", 3]},
                           ["second", "out/0"], {})[0])
    done = convert(source, tmp_path / "m.keras", verify=None)
    raw = keras.read(tmp_path / "m.keras")
    assert (list(raw.inputs), list(raw.outputs)) == (["in"], ["second", "out_0"])
    assert [n.message for n in done.notes if n.kind == "changed"] == [
        "'out/0' is named 'out_0', as every backend of Keras takes it"]


def test_an_input_that_comes_out(tmp_path: Path) -> None:
    made = net([node("Identity", "x", "y"), node("Relu", "x", "z")], {"x": ["n", 3]}, ["y", "z"], {})
    target, wanted = written(tmp_path, made)
    back = tmp_path / "back.onnx"
    format_onnx.write(format_onnx.from_hub(keras.to_hub(keras.read(target))), back)
    close(start("onnxruntime", back).run(made[1]), wanted)


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    made = branches()
    first = written(tmp_path, made)[0].read_bytes()
    assert written(tmp_path, made)[0].read_bytes() == first
    assert written(tmp_path, made, "m.h5")[0].read_bytes() == written(tmp_path, made, "n.h5")[0].read_bytes()


def test_symbols_that_layers_cannot_compute_with(tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    made = net([node("Shape", "x", "s"), node("Expand", "b s", "y")], {"x": ["n", "m"]}, ["y"],
               {"b": np.ones(1, F32)})
    source.write_bytes(made[0])
    with pytest.raises(UnsupportedModel) as e:
        convert(source, tmp_path / "m.keras", verify=None)
    assert "--shape x=" in e.value.hint


@pytest.mark.oracle
def test_it_can_be_trained(tmp_path: Path) -> None:
    """One step of gradient descent on one batch: the loss falls."""
    framework = pytest.importorskip("keras", reason="Keras is the oracle")
    target, _ = written(tmp_path, branches())
    model = framework.saving.load_model(target)
    x = RNG.normal(size=(8, 4, 6, 6)).astype(F32)
    wanted = [np.asarray(y) * 0.5 for y in model(x)]
    model.compile(framework.optimizers.SGD(0.01), ["mse", "mse"])
    before = model.evaluate(x, wanted, verbose=0)
    model.train_on_batch(x, wanted)
    after = model.evaluate(x, wanted, verbose=0)
    assert after[0] < before[0]
